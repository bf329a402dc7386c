"""The disagreements themselves: which two classes are confused, and what kind of confusion it is.

Counts of every pair of values that stood against each other on a unit, a class or
"drew nothing" each; sums over blocks, like all else about agreement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from lineage.activities.opinions import Words
from lineage.activities.tellings import number
from lineage.calc import conventions, disputes
from lineage.calc.comparisons import Said
from lineage.calc.disputes import DisputeVerdict, FreshTally, SideTally

Row = dict[str, object]
MOST_PAIRS = 50
_ADVICE: Mapping[DisputeVerdict | None, str] = {
    DisputeVerdict.SLIPS: "slips: consensus or a second look settles them",
    DisputeVerdict.BIASED_MINORITY: "a minority reads it its own way: retrain them",
    DisputeVerdict.AMBIGUOUS: "the images themselves are ambiguous: give an edge-case rule, or a way to say unsure",
    DisputeVerdict.DEFINITION_SPLIT: "the definition is read in two ways: rewrite the guideline, show both camps",
    None: "no verdict yet: it takes four independent opinions on a disputed object",
}


@dataclass(frozen=True, slots=True)
class Dispute:
    """What stands behind one pair of values; ``a + b`` is that of both blocks.

    Parameters
    ----------
    n
        Units on which somebody said the one and somebody the other.
    fresh, sides
        See `lineage.calc.disputes`.
    """

    n: int
    fresh: FreshTally
    sides: SideTally

    def __add__(self, other: Dispute) -> Dispute:
        return Dispute(self.n + other.n, self.fresh + other.fresh, self.sides + other.sides)


Disputes = Mapping[tuple[int, int], Dispute]


def disputes_of(said: Said, n_annotators: int) -> Disputes:
    """Count a block's disputes.

    Parameters
    ----------
    said
        Its opinions.
    n_annotators
        How many annotators there are.
    """
    width = int(said.value.max(initial=0)) + 1
    cells = np.stack(np.divmod(np.unique(said.unit * np.int64(width) + said.value), width), axis=1)
    units, n_values = np.unique(cells[:, 0], return_counts=True)
    disputed = units[n_values > 1]
    rows = np.flatnonzero(np.isin(said.unit, disputed))
    unit, person, value = said.unit[rows], said.annotator[rows], said.value[rows]
    of_pair: dict[tuple[int, int], list[int]] = {}
    cells = cells[np.isin(cells[:, 0], disputed)]
    starts = np.flatnonzero(np.diff(cells[:, 0], prepend=-1))
    # disputed units are few beside all, and most hold two values
    for group in np.split(cells, starts[1:]) if len(cells) else []:
        values = group[:, 1].tolist()
        for at, one in enumerate(values):
            for other in values[at + 1 :]:
                of_pair.setdefault((one, other), []).append(int(group[0, 0]))
    found = {}
    for (one, other), among in of_pair.items():
        own = np.isin(unit, among) & ((value == one) | (value == other))
        is_first = value[own] == one
        found[one, other] = Dispute(
            n=len(among),
            fresh=disputes.fresh_tally(unit[own], is_first.astype(np.int64), 2),
            sides=disputes.side_tally(unit[own], person[own], is_first, n_annotators),
        )
    return found


def together(parts: Iterable[Disputes]) -> Disputes:
    """Return the disputes of all blocks."""
    total: dict[tuple[int, int], Dispute] = {}
    for part in parts:
        for pair, dispute in part.items():
            total[pair] = total[pair] + dispute if pair in total else dispute
    return total


def rows_of(found: Disputes, words: Words) -> list[Row]:
    """Return a row for each pair of values, the most disputed first; at most `MOST_PAIRS`.

    Returns
    -------
    list of dict
        ``class, as_class`` (None: drew nothing), ``n, a_fresh, a_fresh_lo, a_fresh_hi, s, p, verdict,
        camps`` (people by the side they lean to, where they do so by habit), ``advice``.
    """
    names = [*words.classes, None]
    order = sorted(found, key=lambda pair: (-found[pair].n, pair))
    return [_row(found[pair], names[pair[0]], names[pair[1]], words) for pair in order[:MOST_PAIRS]]


def _row(dispute: Dispute, one: str | None, other: str | None, words: Words) -> Row:
    fresh = disputes.from_tally(dispute.fresh)
    side = disputes.direction(dispute.sides)
    verdict = disputes.verdict(fresh.a_fresh, side.s, side.p)
    is_habit = side.s > disputes.HABIT_LEAST and side.p < disputes.P_MOST
    return {
        "class": one,
        "as_class": other,
        "n": dispute.n,
        "a_fresh": number(fresh.a_fresh),
        "a_fresh_lo": number(fresh.lo),
        "a_fresh_hi": number(fresh.hi),
        "s": number(side.s),
        "p": number(side.p) if side.df else None,
        "verdict": None if verdict is None else verdict.value,
        "camps": _camps(side.lean, words) if is_habit else [],
        "advice": _ADVICE[verdict],
    }


def _camps(lean: np.ndarray, words: Words) -> list[list[str]]:
    camp = conventions.two_camps(lean)
    return [
        [words.annotators[at] for at in np.flatnonzero(camp == side).tolist()] for side in (0, 1)
    ]
