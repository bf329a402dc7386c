"""The opinions on every open object, what they make of it, and the label they lead to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lineage.activities.adjudicate_open import Open
from lineage.activities.adjudicate_weigh import Weighed
from lineage.activities.consensus_shapes import fused
from lineage.calc import state
from lineage.calc.geometry import iou

_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Opinion:
    """What somebody who was asked said of an object; ``class_`` and ``revision`` None: there is nothing."""

    annotator: str
    class_: str | None
    revision: int | None
    batch: str | None


@dataclass(frozen=True, slots=True)
class Label:
    """A label as it would stand: what it says, and where.

    Parameters
    ----------
    box
        Four sides, px; None for a class of the whole image.
    geometry
        As `lineage.columns` has it.
    like
        The revision of which everything else is taken.
    """

    class_: str
    kind: str
    attributes: str
    box: tuple[float, ...] | None
    geometry: list[list[float]] | None
    like: int


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows by the unit they are of, without a look at all of them for each."""

    order: np.ndarray
    unit: np.ndarray

    @classmethod
    def by(cls, unit: np.ndarray) -> _Rows:
        """Return the rows of units."""
        order = np.argsort(unit, kind="stable")
        return cls(order, unit[order])

    def of(self, unit: int) -> np.ndarray:
        """Return the rows of one unit, ascending."""
        found: np.ndarray = self.order[slice(*np.searchsorted(self.unit, [unit, unit + 1]))]
        return found


@dataclass(frozen=True, slots=True)
class Case:
    """An open object and what is known of it.

    Parameters
    ----------
    objects
        What is open there: several where reviewers missed one object together.
    opinions
        Of everybody who was asked.
    posterior
        By class, None for "nothing"; what is as good as impossible is left out.
    certainty
        Of the likeliest value, its attributes included; NaN where nobody can say.
    iou_median
        Of each two opinions; NaN without two places.
    label
        That the likeliest value leads to; None for "nothing".
    has_stood
        The contested label says as much already, and in the same place.
    """

    objects: tuple[Open, ...]
    opinions: tuple[Opinion, ...]
    posterior: Mapping[str | None, float]
    certainty: float
    iou_median: float
    label: Label | None
    has_stood: bool

    @property
    def object(self) -> Open:
        """The first of the objects."""
        return self.objects[0]

    @property
    def derived_from(self) -> list[int]:
        """Revisions that the opinions are, and what is contested."""
        own = {one.revision for one in self.opinions if one.revision is not None}
        return sorted(own | {one.revision for one in self.objects})


def cases(found: Weighed | None, objects: Sequence[Open], settled_iou: float) -> list[Case]:
    """Return the case of every open object, in the order of the first of each.

    Parameters
    ----------
    found
        What `weighed` returned for their images.
    objects
        Of one batch.
    settled_iou
        From where on a contested label lies in the place that the opinions agree on.
    """
    if found is None:
        return [_unheard(one) for one in objects]
    wanted = np.array([one.annotation for one in objects], np.int64)
    seat = state.row_of(found.labels.annotation, wanted)
    unit_of = np.append(found.unit, -1)[seat]
    groups: dict[tuple[int, int], list[Open]] = {}
    for one, unit in zip(objects, unit_of.tolist(), strict=True):
        # a contested label is an object of its own; reviewers' labels of a missed one are together
        key = (unit, 0) if one.is_missed and unit >= 0 else (unit, one.revision)
        groups.setdefault(key, []).append(one)
    made = _places(found, np.unique(unit_of[unit_of >= 0]))
    rows, pairs = _Rows.by(found.unit), _Rows.by(found.unit[found.pairs[0]])
    result = []
    for (unit, _), group in groups.items():
        if unit < 0:
            result.append(_unheard(group[0]))
            continue
        here = (rows.of(unit), pairs.of(unit))
        case = _case(found, unit, here, tuple(group), made.get(unit), settled_iou)
        result.append(_not_missed(case) if _is_drawn(found, case) else case)
    return result


def _is_drawn(found: Weighed, case: Case) -> bool:
    """Tell whether annotators have a label of an object that was told as missed."""
    drawn = {one.batch for one in case.opinions if one.revision is not None}
    return case.object.is_missed and bool(drawn - {found.answers})


def _not_missed(case: Case) -> Case:
    """Return a missed object as what it is where there is a label of it: settled with that label."""
    return replace(case, posterior={None: 1.0}, certainty=1.0, iou_median=math.nan, label=None)


def _unheard(one: Open) -> Case:
    return Case((one,), (), {}, math.nan, math.nan, None, False)


def _case(
    found: Weighed,
    unit: int,
    here: tuple[np.ndarray, np.ndarray],
    group: tuple[Open, ...],
    label: Label | None,
    settled_iou: float,
) -> Case:
    words = found.words
    names: list[str | None] = [*words.classes, None]
    rows, pairs = here
    own = {int(found.labels.annotator[row]): int(row) for row in rows.tolist()}
    opinions = []
    for at in range(*np.searchsorted(found.said_unit, [unit, unit + 1]).tolist()):
        person, value = int(found.annotator[at]), int(found.value[at])
        row = own.get(person) if value < len(words.classes) else None
        opinions.append(
            Opinion(
                words.annotators[person],
                names[value],
                None if row is None else int(found.labels.revision[row]),
                None if row is None else words.batches[found.labels.batch[row]],
            )
        )
    probability = np.round(found.probability[unit], _DIGITS)
    posterior = {names[at]: float(probability[at]) for at in np.flatnonzero(probability > 1e-3)}
    certainty = float(probability.max())
    if label is not None:
        certainty *= _said_with(found, rows, label)
    overlap = found.pairs[2]
    near = overlap[pairs][np.isfinite(overlap[pairs])]
    iou_median = float(np.median(near)) if len(near) else math.nan
    stood = _stands(found, rows, group[0], label, settled_iou)
    return Case(group, tuple(opinions), posterior, certainty, iou_median, label, stood)


def _stands(
    found: Weighed, rows: np.ndarray, one: Open, label: Label | None, settled_iou: float
) -> bool:
    """Tell whether the contested label says what the opinions agree on."""
    labels, words = found.labels, found.words
    own = rows[labels.annotation[rows] == one.annotation]
    if one.is_missed or label is None or len(own) == 0:
        return False
    row = int(own[0])
    same = (
        words.classes[labels.class_[row]] == label.class_
        and words.kinds[labels.kind[row]] == label.kind
        and words.attributes[labels.attributes[row]] == label.attributes
    )
    if not same or label.box is None:
        return same
    near = float(iou(labels.box[[row]], np.array([label.box]))[0])
    return near >= settled_iou


def _places(found: Weighed, units: np.ndarray) -> dict[int, Label]:
    """Return the label that the likeliest value of each unit leads to; without one for "nothing"."""
    labels, words = found.labels, found.words
    winner = np.round(found.probability, _DIGITS).argmax(axis=1)
    rows = np.flatnonzero(np.isin(found.unit, units) & (labels.class_ == winner[found.unit]))
    kinds = {unit: _most(labels.kind[own], words.kinds) for unit, own in _by_unit(found, rows)}
    rows = rows[labels.kind[rows] == np.array([kinds[int(u)] for u in found.unit[rows]], np.int64)]
    if len(rows) == 0:
        return {}
    of, at = np.unique(found.unit[rows], return_inverse=True)
    box, geometry = fused(labels.take(rows), at, _likeness(found, rows), len(of), words.kinds)
    made = {}
    for place, (unit, own) in enumerate(_by_unit(found, rows)):
        attributes = _most(labels.attributes[own], words.attributes)
        like = own[labels.attributes[own] == attributes]
        made[unit] = Label(
            words.classes[winner[unit]],
            words.kinds[labels.kind[own[0]]],
            words.attributes[attributes],
            None if np.isnan(box[place, 0]) else tuple(box[place].tolist()),
            geometry[place].as_py(),
            int(labels.revision[like].min()),
        )
    return made


def _by_unit(found: Weighed, rows: np.ndarray) -> list[tuple[int, np.ndarray]]:
    order = rows[np.argsort(found.unit[rows], kind="stable")]
    own = found.unit[order]
    bounds = np.flatnonzero(np.diff(own)) + 1
    return [(int(found.unit[part[0]]), part) for part in np.split(order, bounds) if len(part)]


def _most(codes: np.ndarray, words: Sequence[str]) -> int:
    """Return the most frequent code, of two as frequent the first by its word."""
    values, n = np.unique(codes, return_counts=True)
    return int(
        min(zip(values.tolist(), n.tolist(), strict=True), key=lambda e: (-e[1], words[e[0]]))[0]
    )


def _said_with(found: Weighed, rows: np.ndarray, label: Label) -> float:
    """Return how likely a label's attributes are, given what those who gave its class gave with it."""
    labels, words = found.labels, found.words
    own = rows[labels.class_[rows] == words.classes.index(label.class_)]
    documents, n = np.unique(labels.attributes[own], return_counts=True)
    if len(documents) < 2:
        return 1.0
    # every annotator right equally often, and wrong in any other way that was given
    gain = math.log(found.accuracy / ((1 - found.accuracy) / (len(documents) - 1)))
    weight = np.exp(gain * (n - n.max()))
    return float(weight[documents == words.attributes.index(label.attributes)][0] / weight.sum())


def _likeness(found: Weighed, rows: np.ndarray) -> np.ndarray:
    """Return how much each label overlaps those of its unit that say the same, added up."""
    labels = found.labels
    a, b, overlap = found.pairs
    same = (
        np.isfinite(overlap)
        & (labels.class_[a] == labels.class_[b])
        & (labels.kind[a] == labels.kind[b])
    )
    total = np.zeros(len(labels))
    for side in (a, b):
        total += np.bincount(side[same], overlap[same], len(labels))
    return total[rows]
