"""The disagreements themselves: which two classes are confused, and what kind of confusion it is.

Counts of every pair of values that stood against each other on a unit, a class or
"drew nothing" each; sums over blocks, like all else about agreement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np

from lineage.activities.opinions import Words
from lineage.activities.tellings import number
from lineage.calc import conventions, disputes, sides
from lineage.calc.comparisons import Said
from lineage.calc.disputes import Direction, DisputeVerdict, Fresh
from lineage.calc.geometry import pairs_inside, pairs_within
from lineage.calc.sides import Sides
from lineage.calc.sums import Sums

Row = dict[str, object]
MOST_PAIRS = 50
LEAST_DISPUTED = 10
"""Units that two values need to stand against each other on before it is said of what kind that is."""

_ADVICE: Mapping[DisputeVerdict | None, str] = {
    DisputeVerdict.SLIPS: "slips: consensus or a second look settles them",
    DisputeVerdict.BIASED_MINORITY: "a minority reads it its own way: retrain them",
    DisputeVerdict.AMBIGUOUS: "the images themselves are ambiguous: give an edge-case rule, or a way to say unsure",
    DisputeVerdict.DEFINITION_SPLIT: "the definition is read in two ways: rewrite the guideline, show both camps",
    None: "no verdict yet: it takes four independent opinions on a disputed object; lineage dispute open orders them",
}


@dataclass(frozen=True, slots=True)
class Disputes:
    """What stands behind every pair of values; ``a + b`` is that of both blocks.

    Parameters
    ----------
    width
        A dispute is ``one * width + other``: the two values, the smaller first.
    sides
        Who takes which; its units are those on which somebody said the one and somebody the other.
    fresh
        By dispute, see `sides.fresh_sums`.
    """

    width: int
    sides: Sides
    fresh: Sums

    def __add__(self, other: Disputes) -> Disputes:
        return Disputes(self.width, self.sides + other.sides, self.fresh + other.fresh)

    def judged(self, most: int | None = None) -> list[Judged]:
        """Return every pair of values with what kind of dispute it is, the most disputed first."""
        units = self.sides.units
        order = np.lexsort((units.key, -units.value[:, 0]))[:most]
        return [self._judged(at) for at in units.key[order].tolist()]

    def _judged(self, at: int) -> Judged:
        fresh = disputes.from_tally(sides.fresh_of(self.fresh, at))
        people, side = self.sides.direction(at)
        is_enough = self.sides.n_units(at) >= LEAST_DISPUTED
        return Judged(
            pair=(at // self.width, at % self.width),
            n=self.sides.n_units(at),
            fresh=fresh,
            people=people,
            side=side,
            verdict=disputes.verdict(fresh.a_fresh, side.s, side.p) if is_enough else None,
            is_habit=bool(side.s > disputes.HABIT_LEAST and side.p < disputes.P_MOST),
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """A pair of values that stood against each other.

    Parameters
    ----------
    pair
        Their codes; the number of classes for "drew nothing".
    n
        Units on which somebody said the one and somebody the other.
    fresh
        What fresh opinions say.
    people, side
        Who took part, and whether they take sides by habit.
    verdict
        What kind of dispute it is; None without evidence.
    is_habit
        Whether people take sides by habit.
    """

    pair: tuple[int, int]
    n: int
    fresh: Fresh
    people: np.ndarray
    side: Direction
    verdict: DisputeVerdict | None
    is_habit: bool


def disputes_of(said: Said, n_annotators: int, n_classes: int) -> Disputes:
    """Count a block's disputes.

    Parameters
    ----------
    said
        Its opinions.
    n_annotators, n_classes
        How many there are.
    """
    width = n_classes + 1
    cells, n = np.unique(said.unit * np.int64(width) + said.value, return_counts=True)
    unit, value = np.divmod(cells, width)
    a, b = pairs_inside(unit)
    dispute = value[a] * width + value[b]
    fresh = disputes.fresh_pair(n[a].astype(float), n[b].astype(float))
    row, opinion = pairs_within(unit[a], said.unit)
    spoken = said.value[opinion]
    is_side = (spoken == value[a][row]) | (spoken == value[b][row])
    row, opinion, spoken = row[is_side], opinion[is_side], spoken[is_side]
    return Disputes(
        width,
        sides.sides(
            dispute[row],
            said.unit[opinion],
            said.annotator[opinion],
            spoken == value[a][row],
            n_annotators,
        ),
        sides.fresh_sums(dispute, *fresh),
    )


def together(parts: Iterable[Disputes]) -> Disputes | None:
    """Return the disputes of all blocks, None where there are none."""
    told = list(parts)
    return reduce(lambda a, b: a + b, told) if told else None


def rows_of(
    found: Disputes | None, words: Words, reopened: Mapping[tuple[str | None, str | None], Fresh]
) -> list[Row]:
    """Return a row for each pair of values, the most disputed first; at most `MOST_PAIRS`.

    Parameters
    ----------
    found
        What was counted.
    words
        Of its codes.
    reopened
        By pair, what fresh opinions on drawn disputes say: it stands in place of what the same opinions
        let infer.

    Returns
    -------
    list of dict
        ``class, as_class`` (None: drew nothing), ``n, a_fresh, a_fresh_lo, a_fresh_hi, n_fresh`` (0: not
        reopened), ``alpha_fresh, s, p, verdict, camps`` (people by the side they lean to, where they do so
        by habit), ``advice``.
    """
    if found is None:
        return []
    names = [*words.classes, None]
    rows = []
    for one in found.judged(MOST_PAIRS):
        pair = names[one.pair[0]], names[one.pair[1]]
        rows.append(_row(one, pair, words, reopened.get(pair)))
    return rows


def _row(
    found: Judged, pair: tuple[str | None, str | None], words: Words, opened: Fresh | None
) -> Row:
    fresh, side, verdict = found.fresh, found.side, found.verdict
    if opened is not None:
        fresh = opened
        is_enough = opened.n_disputes >= LEAST_DISPUTED
        verdict = disputes.verdict(fresh.a_fresh, side.s, side.p) if is_enough else None
    return {
        "class": pair[0],
        "as_class": pair[1],
        "n": found.n,
        "a_fresh": number(fresh.a_fresh),
        "a_fresh_lo": number(fresh.lo),
        "a_fresh_hi": number(fresh.hi),
        "n_fresh": 0 if opened is None else round(opened.n_disputes),
        "alpha_fresh": number(fresh.alpha),
        "s": number(side.s),
        "p": number(side.p) if side.df else None,
        "verdict": None if verdict is None else verdict.value,
        "camps": _camps(found.people, side.lean, words) if found.is_habit else [],
        "advice": _ADVICE[verdict],
    }


def _camps(people: np.ndarray, lean: np.ndarray, words: Words) -> list[list[str]]:
    camp = conventions.two_camps(lean)
    return [[words.annotators[at] for at in people[camp == side].tolist()] for side in (0, 1)]
