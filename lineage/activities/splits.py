"""Definitions that are read in several ways: which, by whom, and on which objects it shows.

For every class, and for every attribute value of its labels, the disputed units' sides
and fresh opinions are tallied over all ways of reading at once (`calc.ways`): left out,
named otherwise, drawn to another extent. So four people who read one edge case in four ways
are one split with four camps, not six confusions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from lineage.activities.gather import Block
from lineage.activities.opinions import Words
from lineage.activities.tellings import number
from lineage.calc import disputes, sides, sums, ways
from lineage.calc.disputes import DisputeVerdict
from lineage.calc.geometry import pairs_within
from lineage.calc.sides import Sides
from lineage.calc.sums import Sums

Row = dict[str, object]
LEAST_APART = 10
"""Disputed units that a definition needs before anything is said of it."""

MOST_ROWS = 50
_N_EXAMPLES, _TOLD_SHARE = 12, 0.01
_ADVICE: Mapping[DisputeVerdict | None, str] = {
    DisputeVerdict.SLIPS: "slips: consensus or a second look settles them",
    DisputeVerdict.BIASED_MINORITY: "some people read it otherwise than all others: retrain them with the images below",
    DisputeVerdict.AMBIGUOUS: "the images themselves are ambiguous: give an edge-case rule, or a way to say unsure",
    DisputeVerdict.DEFINITION_SPLIT: "the definition is read in several ways: rewrite its guideline, and show every camp the images below",
    None: "people differ by habit; whether the definition is at fault takes four independent opinions: lineage dispute open",
}


@dataclass(frozen=True, slots=True)
class Splits:
    """What stands behind every definition; ``a + b`` is that of both blocks.

    Parameters
    ----------
    n_classes, n_tags, n_people
        Sizes; a definition is ``class * (n_tags + 1) + tag``, tag 0 being the class as a whole.
    ways
        By ``(definition * n_people + annotator) * (n_classes + 4) + way``: comparisons.
    sides
        By ``definition * (n_classes + 2) + way``: who takes it.
    fresh
        By definition, see `sides.fresh_sums`.
    units
        By definition: units, and disputed ones.
    examples
        ndarray of int64, shape (n, 4): definition, less the number of different readings, image, and an
        annotation of the unit: the most disputed ones.
    """

    n_classes: int
    n_tags: int
    n_people: int
    ways: Sums
    sides: Sides
    fresh: Sums
    units: Sums
    examples: np.ndarray

    def __add__(self, other: Splits) -> Splits:
        return Splits(
            self.n_classes,
            self.n_tags,
            self.n_people,
            self.ways + other.ways,
            self.sides + other.sides,
            self.fresh + other.fresh,
            self.units + other.units,
            _first_examples(np.concatenate([self.examples, other.examples])),
        )


def together(parts: Iterable[Splits]) -> Splits | None:
    """Return the splits of all blocks, None where there are none."""
    told = list(parts)
    return reduce(lambda a, b: a + b, told) if told else None


def splits_of(found: Block, words: Words, tags_of: Sequence[Sequence[int]], n_tags: int) -> Splits:
    """Tally a block.

    Parameters
    ----------
    found
        The block.
    words
        Of its codes.
    tags_of
        Per attributes document (code), the codes of its tags.
    n_tags
        How many tags there are.
    """
    n_classes, n_people = len(words.classes), len(words.annotators)
    said, pairs, labels = found.said, found.pairs, found.labels
    alike = ways.is_alike(pairs, found.overlap)
    seat = said.unit * np.int64(n_people) + said.annotator
    seats = tuple(
        np.searchsorted(seat, pairs.unit * np.int64(n_people) + who)
        for who in (pairs.first, pairs.second)
    )
    quarrel = ways.quarrels(pairs.unit, alike, (seats[0], seats[1]), said.unit)
    drew = np.flatnonzero(said.label >= 0)
    tagged = _Tagged(tags_of, n_tags)
    at, definition = tagged.definitions(said.value[drew], labels.attributes[said.label[drew]])
    about = np.unique(np.stack([definition, said.unit[drew][at]], axis=1), axis=0)
    is_apart = quarrel.n_apart[about[:, 1]] > 0
    disputed = about[is_apart]
    unit = disputed[:, 1]
    area = (labels.box[:, 2] - labels.box[:, 0]) * (labels.box[:, 3] - labels.box[:, 1])
    person, partner, label, way = ways.ways(pairs, found.overlap, area, n_classes)
    of_way, read = tagged.definitions(partner, labels.attributes[label])
    key = (read * n_people + person[of_way]) * (n_classes + 4) + way[of_way]
    return Splits(
        n_classes,
        n_tags,
        n_people,
        ways=sums.summed(key, np.ones((len(key), 1))),
        sides=_sides(found, disputed, (n_classes, n_tags, n_people), area),
        fresh=sides.fresh_sums(disputed[:, 0], quarrel.agreed[unit], quarrel.disputed[unit]),
        units=sums.summed(about[:, 0], np.stack([np.ones(len(about)), is_apart], axis=1)),
        examples=_examples(found, disputed),
    )


@dataclass(frozen=True, slots=True)
class _Tagged:
    """Turns classes and attribute documents into definitions."""

    tags_of: Sequence[Sequence[int]]
    n_tags: int

    def definitions(
        self, class_: np.ndarray, document: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return rows and the definitions that each is about: its class, and its class under each tag."""
        base = class_ * np.int64(self.n_tags + 1)
        if not any(self.tags_of):
            return np.arange(len(class_)), base
        n_each = np.array([len(tags) for tags in self.tags_of], np.int64)
        flat = np.array([tag for tags in self.tags_of for tag in tags], np.int64)
        first = np.cumsum(n_each) - n_each
        n = n_each[document]
        row = np.repeat(np.arange(len(class_)), n)
        place = np.arange(len(row)) - np.repeat(np.cumsum(n) - n, n)
        tag = flat[first[document[row]] + place] + 1
        return np.concatenate([np.arange(len(class_)), row]), np.concatenate(
            [base, base[row] + tag]
        )


def _sides(
    found: Block, disputed: np.ndarray, splits: tuple[int, int, int], area: np.ndarray
) -> Sides:
    """Tally, for each definition and way of reading it, who takes that way on disputed units."""
    n_classes, n_tags, n_people = splits
    said = found.said
    disputed = disputed[np.argsort(disputed[:, 1], kind="stable")]
    class_of = disputed[:, 0] // (n_tags + 1)
    value = np.unique(np.stack([said.unit, said.value], axis=1), axis=0)
    a, b = pairs_within(disputed[:, 1], value[:, 0])
    is_other = value[b, 1] != class_of[a]
    a, b = a[is_other], b[is_other]
    row, opinion = pairs_within(disputed[a, 1], said.unit)
    way = value[b[row], 1]
    # a way that is another class, or nothing
    about = [disputed[a[row], 0] * (n_classes + 2) + way]
    opinions, is_first = [opinion], [said.value[opinion] == way]
    # the way that is the same class drawn larger
    middle = _middles(found, area, n_classes)
    row, opinion = pairs_within(disputed[:, 1], said.unit)
    at = middle[said.unit[opinion]]
    is_own = (said.value[opinion] == class_of[row]) & np.isfinite(at)
    row, opinion, at = row[is_own], opinion[is_own], at[is_own]
    about.append(disputed[row, 0] * (n_classes + 2) + n_classes + 1)
    opinions.append(opinion)
    is_first.append(area[said.label[opinion]] > at)
    seat = np.concatenate(opinions)
    return sides.sides(
        np.concatenate(about),
        said.unit[seat],
        said.annotator[seat],
        np.concatenate(is_first),
        n_people,
    )


def _middles(found: Block, area: np.ndarray, n_classes: int) -> np.ndarray:
    """Return, by unit, the area between the larger and the smaller boxes; NaN where extents do not differ."""
    pairs = found.pairs
    n_units = int(found.said.unit.max(initial=-1)) + 1
    rows = np.flatnonzero(
        (pairs.said_first == pairs.said_second)
        & (pairs.said_first < n_classes)
        & (found.overlap < ways.SAME_EXTENT_IOU)
    )
    low, high = np.full(n_units, np.inf), np.full(n_units, 0.0)
    for label in (pairs.label_first[rows], pairs.label_second[rows]):
        np.minimum.at(low, pairs.unit[rows], area[label])
        np.maximum.at(high, pairs.unit[rows], area[label])
    return np.where(high > low, np.sqrt(np.where(high > low, low, 0) * high), np.nan)


def _examples(found: Block, disputed: np.ndarray) -> np.ndarray:
    """Return the units of each definition on which most different things were said."""
    said = found.said
    cells = np.unique(np.stack([said.unit, said.value], axis=1), axis=0)[:, 0]
    n_values = np.bincount(cells, minlength=int(said.unit.max(initial=-1)) + 1)
    drew = np.flatnonzero(said.label >= 0)[::-1]
    first = np.zeros(len(n_values), np.int64)
    first[said.unit[drew]] = said.label[drew]
    unit = disputed[:, 1]
    label = first[unit]
    rows = [
        disputed[:, 0],
        -n_values[unit],
        found.labels.image[label],
        found.labels.annotation[label],
    ]
    return _first_examples(np.stack(rows, axis=1).astype(np.int64))


def _first_examples(rows: np.ndarray) -> np.ndarray:
    rows = rows[np.lexsort(rows.T[::-1])]
    starts = np.flatnonzero(np.diff(rows[:, 0], prepend=-1))
    rank = np.arange(len(rows)) - np.repeat(starts, np.diff(np.append(starts, len(rows))))
    return rows[rank < _N_EXAMPLES]


def rows_of(found: Splits | None, words: Words, tags: Sequence[str]) -> list[Row]:
    """Return a row for each definition that people read by habit or dispute for a known reason.

    Returns
    -------
    list of dict
        ``class, tag`` (None: the class as a whole), ``n_units, n`` (disputed), ``a_fresh, a_fresh_lo,
        a_fresh_hi, s, p, verdict, camps`` (each ``annotators, n, ways``: the share of objects that they
        treat so), ``advice, examples`` (annotations); the most disputed first.
    """
    if found is None:
        return []
    order = np.lexsort((found.units.key, -found.units.value[:, 1]))
    rows: list[Row] = []
    for at in order.tolist():
        if found.units.value[at, 1] < LEAST_APART or len(rows) == MOST_ROWS:
            break
        row = _row(found, int(found.units.key[at]), found.units.value[at], words, tags)
        if row["verdict"] is not None or row["camps"]:
            rows.append(row)
    return rows


def _row(
    found: Splits, definition: int, units: np.ndarray, words: Words, tags: Sequence[str]
) -> Row:
    class_, tag = divmod(definition, found.n_tags + 1)
    fresh = disputes.from_tally(sides.fresh_of(found.fresh, definition))
    s, p = _habit(found, definition)
    verdict = disputes.verdict(fresh.a_fresh, s, p)
    is_habit = s > disputes.HABIT_LEAST and p < disputes.P_MOST
    mine = found.examples[:, 0] == definition
    return {
        "class": words.classes[class_],
        "tag": tags[tag - 1] if tag else None,
        "n_units": int(units[0]),
        "n": int(units[1]),
        "a_fresh": number(fresh.a_fresh),
        "a_fresh_lo": number(fresh.lo),
        "a_fresh_hi": number(fresh.hi),
        "s": number(s),
        "p": number(p),
        "verdict": None if verdict is None else verdict.value,
        "camps": _camps(found, definition, words) if is_habit else [],
        "advice": _ADVICE[verdict],
        "examples": found.examples[mine, 3].tolist(),
    }


def _habit(found: Splits, definition: int) -> tuple[float, float]:
    """Return the strongest habit among the ways of reading a definition, its p for all ways tried."""
    base = definition * (found.n_classes + 2)
    tried = found.sides.units.between(base, base + found.n_classes + 2)
    ways_ = tried.key[tried.value[:, 0] >= LEAST_APART].tolist()
    told = [found.sides.direction(way)[1] for way in ways_]
    sure = [d for d in told if d.p * len(told) < disputes.P_MOST]
    if not told:
        return np.nan, 1.0
    best = max(sure or told, key=lambda d: -np.inf if np.isnan(d.s) else d.s)
    return best.s, min(best.p * len(told), 1.0)


def _camps(found: Splits, definition: int, words: Words) -> list[Row]:
    width = found.n_classes + 4
    base = definition * found.n_people * width
    own = found.ways.between(base, base + found.n_people * width)
    person, way = np.divmod(own.key - base, width)
    people = np.unique(person)
    counts = np.zeros((len(people), width))
    counts[np.searchsorted(people, person), way] = own.value[:, 0]
    n = counts.sum(axis=1)
    camp = ways.camps(counts / n[:, None], n)
    names = [*words.classes, "nothing", "larger", "smaller", "alike"]
    return [
        {
            "annotators": [words.annotators[at] for at in people[camp == number_].tolist()],
            "n": int(n[camp == number_].sum()),
            "ways": _shares(counts[camp == number_].sum(axis=0), names),
        }
        for number_ in range(int(camp.max(initial=-1)) + 1)
    ]


def _shares(counts: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """Return how a camp treats the objects, the most frequent way first."""
    share = counts / counts.sum()
    order = np.argsort(-share, kind="stable")
    return {names[at]: float(share[at]) for at in order.tolist() if share[at] >= _TOLD_SHARE}
