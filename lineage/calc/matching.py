"""Lasting identity by content: which label of an older export is which of a newer one.

Labels are compared only within a group: one annotator on one image. One to one,
in passes from the surest to the least:

1. the same content;
2. boxes that overlap, all of a group weighed against each other at once: the better the
   overlap the heavier, another class or kind of geometry costs;
3. boxes that were moved further: the same class and kind, and either some overlap and much the same
   size or no overlap and just the same size, where there is no second candidate on either side;
4. whole-image classes: the same class with other attributes, then the one of its kind left.

Geometry other than boxes is compared by its hull.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from lineage.calc.assignment import assign
from lineage.calc.geometry import iou, pairs_within
from lineage.calc.overlaps import overlapping

_IOU = 0.5
_RENAMED_IOU = 0.8
_NEAR_IOU, _NEAR_SHAPE_IOU = 0.2, 0.6
_CLASS_COST, _KIND_COST = 1.0, 0.7
_CLOSE = 0.5
_LEAST_SIDE_PX = 8.0
_SAME_SIZE_PX, _SAME_SIZE_FRACTION = 1.0, 0.02
_FEW = 32
_MIX = np.uint64(0x9E3779B97F4A7C15)


class How(StrEnum):
    """How two labels were recognised as one annotation."""

    EXACT = "exact"
    MOVED = "moved"
    RENAMED = "renamed"
    MOVED_RENAMED = "moved_renamed"
    DISPLACED = "displaced"
    SAME_CLASS = "same_class"
    NAMED = "named"


HOWS = tuple(How)


@dataclass(frozen=True, slots=True)
class Side:
    """One export's labels.

    Parameters
    ----------
    group
        ndarray of int64, shape (n,): annotator on image.
    class_code, kind_code
        ndarrays of int32, shape (n,): codes shared by both sides.
    box
        ndarray of float64, shape (n, 4), px; NaN for whole-image classes.
    content
        ndarray of uint64, shape (n,): hash of all that makes two labels the same.
    """

    group: np.ndarray
    class_code: np.ndarray
    kind_code: np.ndarray
    box: np.ndarray
    content: np.ndarray

    def __len__(self) -> int:
        """Return the number of labels."""
        return len(self.group)


class Pairing:
    """The pairs found so far between two sides; passes add to them and take none back.

    Attributes
    ----------
    of_old, of_new
        ndarrays of int64: each row's partner on the other side, -1 while it has none.
    score
        ndarray of float64, by newer row: overlap of the pair, 1 for equal content; NaN for
        whole-image classes, and where identity does not rest on overlap.
    how
        ndarray of int8, by newer row: index into `HOWS`, -1 while it has no partner.
    is_ambiguous
        ndarray of bool, by newer row: another pairing would have been almost as good.
    """

    def __init__(self, old: Side, new: Side) -> None:
        self.old, self.new = old, new
        self.of_old = np.full(len(old), -1, np.int64)
        self.of_new = np.full(len(new), -1, np.int64)
        self.score = np.full(len(new), np.nan)
        self.how = np.full(len(new), -1, np.int8)
        self.is_ambiguous = np.zeros(len(new), bool)
        self._overlaps: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def add(
        self, at_old: np.ndarray, at_new: np.ndarray, how: How | np.ndarray, score: np.ndarray
    ) -> None:
        """Add pairs of rows that are free."""
        self.of_old[at_old], self.of_new[at_new] = at_new, at_old
        self.how[at_new] = HOWS.index(how) if isinstance(how, How) else how
        self.score[at_new] = score

    def free(self, at_old: np.ndarray, at_new: np.ndarray) -> np.ndarray:
        """Tell which pairs of rows are free on both sides."""
        return (self.of_old[at_old] < 0) & (self.of_new[at_new] < 0)

    def overlaps(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the free pairs of a group that overlap well, and their overlap."""
        if self._overlaps is None:
            self._overlaps = _overlaps(self, _IOU)
        keep = self.free(*self._overlaps[:2])
        at_old, at_new, overlap = self._overlaps
        return at_old[keep], at_new[keep], overlap[keep]


@dataclass(frozen=True, slots=True)
class Matches:
    """Pairs found, ordered by the newer side's row.

    Parameters
    ----------
    index_old, index_new
        ndarrays of int64, shape (m,): rows of the two sides.
    score, how, is_ambiguous
        As in `Pairing`, shape (m,).
    """

    index_old: np.ndarray
    index_new: np.ndarray
    score: np.ndarray
    how: np.ndarray
    is_ambiguous: np.ndarray


def match(old: Side, new: Side) -> Matches:
    """Find the pairs by content alone.

    Notes
    -----
    Whoever is matched by equal content costs a sort; only the rest is compared pair by pair.
    """
    pairing = Pairing(old, new)
    exact(pairing)
    by_overlap(pairing)
    by_exclusion(pairing)
    rows = np.flatnonzero(pairing.of_new >= 0)
    return Matches(
        pairing.of_new[rows],
        rows,
        pairing.score[rows],
        pairing.how[rows],
        pairing.is_ambiguous[rows],
    )


def exact(pairing: Pairing) -> None:
    """Pair free labels of equal content; of several equal ones the k-th with the k-th."""
    free_old = np.flatnonzero(pairing.of_old < 0)
    free_new = np.flatnonzero(pairing.of_new < 0)
    group = np.concatenate([pairing.old.group[free_old], pairing.new.group[free_new]])
    content = np.concatenate([pairing.old.content[free_old], pairing.new.content[free_new]])
    n_old = len(free_old)
    # stable: within a run of equal labels the older side's come first, in their order
    order = np.argsort(content ^ (group.astype(np.uint64) * _MIX), kind="stable")
    group, content = group[order], content[order]
    is_first = np.ones(len(order), bool)
    is_first[1:] = (group[1:] != group[:-1]) | (content[1:] != content[:-1])
    start = np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))
    before = np.concatenate([[0], np.cumsum(order < n_old)])
    n_of_run = before[1:] - before[start]
    is_new = order >= n_old
    rank = np.arange(len(order)) - start - n_of_run
    found = np.flatnonzero(is_new & (rank < n_of_run))
    at_new = free_new[order[found] - n_old]
    at_old = free_old[order[start[found] + rank[found]]]
    pairing.add(at_old, at_new, How.EXACT, np.ones(len(found)))


def by_overlap(pairing: Pairing, barred: np.ndarray | None = None) -> None:
    """Pair free boxes that overlap well.

    Parameters
    ----------
    pairing
        What is found so far.
    barred
        ndarray of bool, by newer row: labels that are known to be new.

    Notes
    -----
    An overlap o weighs ``1 + log(0.5 / (1 - o))``: that a neighbour should cover half of a box is
    no news, that it should cover nearly all of it is. Leaving a label without a partner weighs 0.
    A choice that weighs up to 0.5 less is almost as good: 1 - o is then 1.6 times as large.
    """
    at_old, at_new, overlap = _allowed(pairing.overlaps(), barred)
    is_class = pairing.old.class_code[at_old] == pairing.new.class_code[at_new]
    is_kind = pairing.old.kind_code[at_old] == pairing.new.kind_code[at_new]
    weight = 1 + np.log((1 - _IOU) / np.maximum(1 - overlap, 1e-3)) + 1e-6
    weight -= np.where(is_class, 0, _CLASS_COST) + np.where(is_kind, 0, _KIND_COST)
    keep = np.flatnonzero(weight > 0)
    chosen, is_close = assign(at_old[keep], at_new[keep], weight[keep], close=_CLOSE)
    rows = keep[chosen]
    renamed = np.where(
        overlap >= _RENAMED_IOU, HOWS.index(How.RENAMED), HOWS.index(How.MOVED_RENAMED)
    )
    how = np.where(is_class, HOWS.index(How.MOVED), renamed)
    pairing.add(at_old[rows], at_new[rows], how[rows], overlap[rows])
    pairing.is_ambiguous[at_new[rows]] = is_close


def by_exclusion(pairing: Pairing, barred: np.ndarray | None = None) -> None:
    """Pair what is left where there is no second candidate; ``barred`` as in `by_overlap`."""
    for candidates, how in (
        (_near(pairing), How.MOVED),
        (_dragged(pairing), How.DISPLACED),
        (_of_one_class(pairing), How.SAME_CLASS),
        (_left_alone(pairing), How.RENAMED),
    ):
        at_old, at_new, score = _allowed(candidates, barred)
        keep = pairing.free(at_old, at_new)
        at_old, at_new, score = at_old[keep], at_new[keep], score[keep]
        rows = np.flatnonzero(_is_alone(at_old) & _is_alone(at_new))
        pairing.add(at_old[rows], at_new[rows], how, score[rows])
        if how is How.RENAMED:
            # of several classes of one image, one may have gone and another come
            pairing.is_ambiguous[at_new[rows]] = _has_company(pairing.old, at_old[rows])


def regrouped(
    pairing: Pairing,
    groups: tuple[np.ndarray, np.ndarray],
    rows: tuple[np.ndarray, np.ndarray],
    barred: np.ndarray | None = None,
) -> None:
    """Pair free labels by content and overlap within wider groups.

    Parameters
    ----------
    pairing
        What is found so far.
    groups
        By older and by newer row, ndarrays of int64.
    rows
        Which older and newer rows may be paired, ndarrays of int64.
    barred
        As in `by_overlap`.
    """
    at_old, at_new = rows[0][pairing.of_old[rows[0]] < 0], rows[1][pairing.of_new[rows[1]] < 0]
    within = Pairing(
        *(
            Side(group[at], side.class_code[at], side.kind_code[at], side.box[at], side.content[at])
            for side, group, at in (
                (pairing.old, groups[0], at_old),
                (pairing.new, groups[1], at_new),
            )
        )
    )
    exact(within)
    by_overlap(within, None if barred is None else barred[at_new])
    found = np.flatnonzero(within.of_new >= 0)
    of_old = at_old[within.of_new[found]]
    pairing.add(of_old, at_new[found], within.how[found], within.score[found])
    pairing.is_ambiguous[at_new[found]] = within.is_ambiguous[found]


_Candidates = tuple[np.ndarray, np.ndarray, np.ndarray]


def _allowed(candidates: _Candidates, barred: np.ndarray | None) -> _Candidates:
    if barred is None:
        return candidates
    keep = ~barred[candidates[1]]
    return candidates[0][keep], candidates[1][keep], candidates[2][keep]


def _is_alone(rows: np.ndarray) -> np.ndarray:
    _, code, n_uses = np.unique(rows, return_inverse=True, return_counts=True)
    return n_uses[code.reshape(-1)] == 1


def _overlaps(pairing: Pairing, least_iou: float) -> _Candidates:
    free_old = np.flatnonzero(pairing.of_old < 0)
    free_new = np.flatnonzero(pairing.of_new < 0)
    at_old, at_new, overlap = overlapping(
        pairing.old.group[free_old],
        _with_area(pairing.old.box[free_old]),
        pairing.new.group[free_new],
        _with_area(pairing.new.box[free_new]),
        least_iou=least_iou,
    )
    return free_old[at_old], free_new[at_new], overlap


def _with_area(box: np.ndarray) -> np.ndarray:
    """Widen sides shorter than 8 px: points and level lines have a place, but no area."""
    missing = np.maximum(_LEAST_SIDE_PX - (box[:, 2:] - box[:, :2]), 0) / 2
    return np.concatenate([box[:, :2] - missing, box[:, 2:] + missing], axis=1)


def _at_origin(box: np.ndarray) -> np.ndarray:
    half = (box[:, 2:] - box[:, :2]) / 2
    return np.concatenate([-half, half], axis=1)


def _near(pairing: Pairing) -> _Candidates:
    at_old, at_new, overlap = _overlaps(pairing, _NEAR_IOU)
    old, new = pairing.old, pairing.new
    same = old.class_code[at_old] == new.class_code[at_new]
    same &= old.kind_code[at_old] == new.kind_code[at_new]
    shapes = (_at_origin(_with_area(side.box[at])) for side, at in ((old, at_old), (new, at_new)))
    same &= iou(*shapes) >= _NEAR_SHAPE_IOU
    return at_old[same], at_new[same], overlap[same]


def _dragged(pairing: Pairing) -> _Candidates:
    old, new = pairing.old, pairing.new
    rows_old = np.flatnonzero((pairing.of_old < 0) & ~np.isnan(old.box[:, 0]))
    rows_new = np.flatnonzero((pairing.of_new < 0) & ~np.isnan(new.box[:, 0]))
    cell_old, cell_new = _cells(old, rows_old), _cells(new, rows_new)
    at_old, at_new = _pairs(cell_old, cell_new)
    at_old, at_new = rows_old[at_old], rows_new[at_new]
    size_old = old.box[at_old, 2:] - old.box[at_old, :2]
    size_new = new.box[at_new, 2:] - new.box[at_new, :2]
    bound = np.maximum(_SAME_SIZE_PX, _SAME_SIZE_FRACTION * size_old)
    keep = (np.abs(size_old - size_new) <= bound).all(axis=1)
    at_old, at_new = at_old[keep], at_new[keep]
    return at_old, at_new, iou(old.box[at_old], new.box[at_new])


def _of_one_class(pairing: Pairing) -> _Candidates:
    return _whole_image(pairing, by_class=True)


def _left_alone(pairing: Pairing) -> _Candidates:
    return _whole_image(pairing, by_class=False)


def _whole_image(pairing: Pairing, *, by_class: bool) -> _Candidates:
    rows_old = np.flatnonzero((pairing.of_old < 0) & np.isnan(pairing.old.box[:, 0]))
    rows_new = np.flatnonzero((pairing.of_new < 0) & np.isnan(pairing.new.box[:, 0]))
    sides = ((pairing.old, rows_old), (pairing.new, rows_new))
    cells = [_cells(side, rows) if by_class else side.group[rows] for side, rows in sides]
    at_old, at_new = _pairs(*cells)
    return rows_old[at_old], rows_new[at_new], np.full(len(at_old), np.nan)


def _has_company(side: Side, rows: np.ndarray) -> np.ndarray:
    groups, n = np.unique(side.group[np.isnan(side.box[:, 0])], return_counts=True)
    return n[np.searchsorted(groups, side.group[rows])] > 1


def _cells(side: Side, rows: np.ndarray) -> np.ndarray:
    """Return a number for each (group, class, kind); a kind is one of few, a class of 2 ** 20."""
    words = (side.class_code[rows].astype(np.int64) << 4) + side.kind_code[rows]
    return (side.group[rows] << 24) + words


def _pairs(cell_old: np.ndarray, cell_new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all pairs within a cell, of cells with few labels on either side."""
    order_old, order_new = (np.argsort(c, kind="stable") for c in (cell_old, cell_new))
    kept = []
    for cell, order in ((cell_old, order_old), (cell_new, order_new)):
        _, code, n = np.unique(cell[order], return_inverse=True, return_counts=True)
        kept.append(order[n[code.reshape(-1)] <= _FEW])
    at_old, at_new = pairs_within(cell_old[kept[0]], cell_new[kept[1]])
    return kept[0][at_old], kept[1][at_new]
