"""A block of opinions set side by side: units of every kind of label, and pairs of opinions on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lineage.activities.opinions import Labels, Opinions
from lineage.calc import comparisons, likeness, state, units
from lineage.calc.comparisons import Pairs, Roster, Said
from lineage.calc.geometry import iou
from lineage.terms import Kind

SMALL_SIDE_PX = 32.0
"""Boxes whose sides are shorter on average may have a threshold of their own; COCO's "small"."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """The least overlap of two labels of one object.

    Parameters
    ----------
    tau
        For objects of ordinary size.
    small
        For small ones (`SMALL_SIDE_PX`), None for the same.
    """

    tau: float = units.TAU
    small: float | None = None

    def of(self, box: np.ndarray) -> float | np.ndarray:
        """Return the threshold of each box."""
        if self.small is None:
            return self.tau
        area = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
        return np.where(area < SMALL_SIDE_PX**2, self.small, self.tau)


@dataclass(frozen=True, slots=True)
class Block:
    """Opinions of a range of images side by side.

    Parameters
    ----------
    labels
        The labels; every row below counts in them.
    unit
        ndarray of int64, shape (n,): of each label.
    said
        What every annotator who was asked said of every unit.
    pairs
        Two and two of them.
    image
        ndarray of int64, shape (m,): of each pair.
    week
        ndarray of int64, shape (m,): by which both had spoken.
    overlap
        ndarray of float64, shape (m,): of the two labels; NaN where there are not two places.
    n_empty
        Pairs of answers to an image that both drew nothing.
    """

    labels: Labels
    unit: np.ndarray
    said: Said
    pairs: Pairs
    image: np.ndarray
    week: np.ndarray
    overlap: np.ndarray
    n_empty: int


def gathered(opinions: Opinions, threshold: Threshold, *, by_batch: bool = False) -> Block:
    """Set a block of opinions side by side.

    Parameters
    ----------
    opinions
        One of `Opinions.blocks`.
    threshold
        When two labels are of one object.
    by_batch
        Take the batch for the annotator: one person's repeated answers against each other.
    """
    labels, answers = opinions.labels, opinions.answers
    who = labels.batch if by_batch else labels.annotator
    asked = answers.batch if by_batch else answers.annotator
    group, roster_group = labels.image, answers.image
    if by_batch:
        # one person's answers only: the image as that person was shown it
        n = len(opinions.words.annotators)
        group, roster_group = group * n + labels.annotator, roster_group * n + answers.annotator
        order = np.argsort(group, kind="stable")
        labels, who, group = labels.take(order), who[order], group[order]
        rank = np.argsort(roster_group, kind="stable")
        roster_group, asked = roster_group[rank], asked[rank]
    n_asked = _n_asked(group, roster_group)
    unit = _units(labels, group, who, n_asked, threshold, opinions.words.kinds)
    roster = Roster(roster_group, asked)
    n_classes = len(opinions.words.classes)
    said = comparisons.said(unit, group, who, labels.class_, roster, n_classes=n_classes)
    pairs = comparisons.pairs(said, n_classes=n_classes)
    image_of, group_of = (np.zeros(int(unit.max(initial=-1)) + 1, np.int64) for _ in range(2))
    image_of[unit], group_of[unit] = labels.image, group
    answer_week = answers.week[rank] if by_batch else answers.week
    return Block(
        labels=labels,
        unit=unit,
        said=said,
        pairs=pairs,
        image=image_of[pairs.unit],
        week=_weeks(labels, pairs, group_of, (roster_group, asked, answer_week)),
        overlap=_overlap(labels, pairs),
        n_empty=_n_empty(group, roster_group),
    )


def later(values: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Return the greater value of each pair's labels: the week by which both had spoken.

    Parameters
    ----------
    values
        ndarray of int64, shape (n,): of each label, not negative.
    pairs
        Pairs of labels; one of the two may be nothing.
    """
    told = np.append(values, -1)
    found: np.ndarray = np.maximum(told[pairs.label_first], told[pairs.label_second])
    return found


def _weeks(
    labels: Labels,
    pairs: Pairs,
    group_of: np.ndarray,
    answers: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> np.ndarray:
    """Return the later week of each pair's labels; who drew nothing spoke by their answer."""
    told = np.append(labels.week, -1)
    week: np.ndarray = np.maximum(told[pairs.label_first], told[pairs.label_second])
    group, who, answered = answers
    n = len(group)
    for person, label in ((pairs.first, pairs.label_first), (pairs.second, pairs.label_second)):
        rows = np.flatnonzero(label < 0)
        keys = state.composed(
            np.concatenate([group, group_of[pairs.unit[rows]]]), np.concatenate([who, person[rows]])
        )
        seat = state.row_of(keys[:n], keys[n:])
        week[rows] = np.maximum(week[rows], answered[seat])
    return week


def _n_asked(group: np.ndarray, roster: np.ndarray) -> np.ndarray:
    low = np.searchsorted(roster, group, side="left")
    found: np.ndarray = np.searchsorted(roster, group, side="right") - low
    return found


def _n_empty(group: np.ndarray, roster: np.ndarray) -> int:
    _, n = np.unique(roster[~np.isin(roster, group)], return_counts=True)
    return int((n * (n - 1) // 2).sum())


def _units(
    labels: Labels,
    group: np.ndarray,
    who: np.ndarray,
    n_asked: np.ndarray,
    threshold: Threshold,
    kinds: Sequence[str],
) -> np.ndarray:
    """Gather placed labels by overlap, whole-image classes by image; return the unit of each label."""
    is_whole = np.isnan(labels.box[:, 0])
    unit = np.full(len(labels), -1, np.int64)
    placed = np.flatnonzero(~is_whole)
    box = labels.box[placed]
    found = units.units(
        group[placed],
        who[placed],
        labels.class_[placed],
        box,
        n_asked=n_asked[placed],
        tau=threshold.of(box),
        overlap=shapes(labels.take(placed), kinds),
    )
    unit[placed] = found.unit
    whole = np.flatnonzero(is_whole)
    if len(whole):
        key = group[whole]
        seat = key * np.int64(int(who.max()) + 1) + who[whole]
        if len(np.unique(seat)) < len(seat):
            # several classes by one person: each class is there or is not
            key = key * np.int64(int(labels.class_.max()) + 1) + labels.class_[whole]
        unit[whole] = found.n_units + np.unique(key, return_inverse=True)[1]
    # in order of the image, whatever the kind
    _, first, code = np.unique(unit, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return rank[code] if len(unit) else unit


def shapes(labels: Labels, kinds: Sequence[str]) -> units.Overlap | None:
    """Return the overlap of shapes, kind by kind; None where all are boxes.

    Parameters
    ----------
    labels
        The rows that the overlap is asked of.
    kinds
        What the codes of their kinds stand for.
    """
    if set(np.unique(labels.kind).tolist()) <= {at for at, k in enumerate(kinds) if k == Kind.BOX}:
        return None
    codes = {kind: at for at, kind in enumerate(kinds)}

    def overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        score = iou(labels.box[a], labels.box[b])
        for kind, measure in _MEASURES.items():
            of_kind = codes.get(kind, -1)
            rows = np.flatnonzero((labels.kind[a] == of_kind) & (labels.kind[b] == of_kind))
            if len(rows):
                score[rows] = measure(labels, a[rows], b[rows])
        return score

    return overlap


def _rotated(labels: Labels, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    one, other = (np.array([shape[0] for shape in _geometry(labels, rows)]) for rows in (a, b))
    return likeness.rotated_iou(one, other)


def _polygon(labels: Labels, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return likeness.polygon_iou(_geometry(labels, a), _geometry(labels, b))


def _mask(labels: Labels, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return likeness.mask_iou(_geometry(labels, a), _geometry(labels, b))


def _keypoints(labels: Labels, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    one, other = (_geometry(labels, rows) for rows in (a, b))
    area = _area(labels.box[a]) / 2 + _area(labels.box[b]) / 2
    score = np.zeros(len(a))
    lengths = [(len(x[0]), len(y[0])) for x, y in zip(one, other, strict=True)]
    # skeletons of different numbers of points are not the same object
    for n in {x for x, y in lengths if x == y}:
        rows = np.array([at for at, pair in enumerate(lengths) if pair == (n, n)])
        points = [
            np.array([side[at][0] for at in rows.tolist()]).reshape(len(rows), -1, 3)
            for side in (one, other)
        ]
        score[rows] = likeness.keypoint_similarity(points[0], points[1], area[rows])
    return score


_MEASURES = {
    Kind.ROTATED_BOX: _rotated,
    Kind.POLYGON: _polygon,
    Kind.MASK: _mask,
    Kind.KEYPOINTS: _keypoints,
}


def _geometry(labels: Labels, rows: np.ndarray) -> list[list[list[float]]]:
    found: list[list[list[float]]] = labels.geometry.take(rows).to_pylist()
    return found


def _area(box: np.ndarray) -> np.ndarray:
    found: np.ndarray = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
    return found


def _overlap(labels: Labels, pairs: Pairs) -> np.ndarray:
    found = np.full(len(pairs.unit), np.nan)
    both = np.flatnonzero((pairs.label_first >= 0) & (pairs.label_second >= 0))
    found[both] = iou(labels.box[pairs.label_first[both]], labels.box[pairs.label_second[both]])
    return found
