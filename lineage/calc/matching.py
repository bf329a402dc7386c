"""Lasting identity where ids fail: which label of an older export is which of a newer one.

Labels are compared only within a group: one annotator on one image. One to one,
in passes from the surest to the least: the same content; the same class and
the best overlap; another class on nearly the same box; whole-image classes,
where one is left on either side.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from lineage.calc.geometry import iou, pairs_within

_RENAMED_IOU = 0.8
_AMBIGUOUS_IOU = 0.05


class How(StrEnum):
    """How two labels were recognised as one annotation."""

    EXACT = "exact"
    MOVED = "moved"
    RENAMED = "renamed"
    MOVED_RENAMED = "moved_renamed"


HOWS = tuple(How)


@dataclass(frozen=True, slots=True)
class Side:
    """One export's labels.

    Parameters
    ----------
    group
        ndarray of int64, shape (n,): annotator on image.
    class_code
        ndarray of int32, shape (n,): codes shared by both sides.
    box
        ndarray of float64, shape (n, 4), px; NaN for whole-image classes.
    content
        ndarray of uint64, shape (n,): hash of all that makes two labels the same.
    """

    group: np.ndarray
    class_code: np.ndarray
    box: np.ndarray
    content: np.ndarray


@dataclass(frozen=True, slots=True)
class Matches:
    """Pairs found, ordered by the newer side's row.

    Parameters
    ----------
    index_old, index_new
        ndarrays of int64, shape (m,): rows of the two sides.
    score
        ndarray of float64, shape (m,): overlap of the pair, 1 for equal content.
    how
        ndarray of int8, shape (m,): index into `HOWS`.
    is_ambiguous
        ndarray of bool, shape (m,): another free candidate overlaps almost as well.
    """

    index_old: np.ndarray
    index_new: np.ndarray
    score: np.ndarray
    how: np.ndarray
    is_ambiguous: np.ndarray


def match(old: Side, new: Side, *, iou_threshold: float = 0.5) -> Matches:
    """Find the pairs.

    Parameters
    ----------
    old, new
        The two sides.
    iou_threshold
        Least overlap of a label that was moved.

    Notes
    -----
    Whoever is matched by equal content costs a sort; only the rest is compared pair by pair.
    """
    found = [_exact(old, new)]
    free_old, free_new = _free(len(old.group), found, 0), _free(len(new.group), found, 1)
    pairs = _candidates(old, new, free_old, free_new)
    same = old.class_code[pairs[0]] == new.class_code[pairs[1]]
    passes = (
        (same & (pairs[2] >= iou_threshold), How.MOVED),
        (~same & (pairs[2] >= max(_RENAMED_IOU, iou_threshold)), How.RENAMED),
        (~same & (pairs[2] >= iou_threshold), How.MOVED_RENAMED),
    )
    for wanted, how in passes:
        taken_old = ~_mask(len(old.group), found, 0)
        taken_new = ~_mask(len(new.group), found, 1)
        rows = np.flatnonzero(wanted & taken_old[pairs[0]] & taken_new[pairs[1]])
        found.append(_assign(pairs[0][rows], pairs[1][rows], pairs[2][rows], how))
    found.append(_whole_image(old, new, found))
    columns = [np.concatenate([part[i] for part in found]) for i in range(5)]
    order = np.argsort(columns[1], kind="stable")
    return Matches(*(column[order] for column in columns))


_Found = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _pack(
    a: np.ndarray, b: np.ndarray, score: np.ndarray, how: How, doubt: np.ndarray | None = None
) -> _Found:
    code = np.full(len(a), HOWS.index(how), np.int8)
    ambiguous = np.zeros(len(a), bool) if doubt is None else doubt
    return a.astype(np.int64), b.astype(np.int64), score.astype(np.float64), code, ambiguous


def _mask(n: int, found: list[_Found], side: int) -> np.ndarray:
    taken = np.zeros(n, bool)
    for part in found:
        taken[part[side]] = True
    return taken


def _free(n: int, found: list[_Found], side: int) -> np.ndarray:
    return np.flatnonzero(~_mask(n, found, side))


def _exact(old: Side, new: Side) -> _Found:
    order_old, rank_old = _ranked(old)
    order_new, rank_new = _ranked(new)
    # the k-th of several equal labels goes with the k-th
    keys = [
        np.rec.fromarrays([s.group[o], s.content[o], r])
        for s, o, r in ((old, order_old, rank_old), (new, order_new, rank_new))
    ]
    at_old, at_new = _intersect(keys[0], keys[1])
    return _pack(order_old[at_old], order_new[at_new], np.ones(len(at_old)), How.EXACT)


def _ranked(side: Side) -> tuple[np.ndarray, np.ndarray]:
    order = np.lexsort((np.arange(len(side.group)), side.content, side.group))
    group, content = side.group[order], side.content[order]
    is_first = np.ones(len(order), bool)
    is_first[1:] = (group[1:] != group[:-1]) | (content[1:] != content[:-1])
    start = np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))
    return order, np.arange(len(order)) - start


def _intersect(a: np.recarray, b: np.recarray) -> tuple[np.ndarray, np.ndarray]:
    names = a.dtype.names or ()
    both = [np.concatenate([a[name], b[name]]) for name in names]
    side = np.repeat([0, 1], [len(a), len(b)])
    order = np.lexsort((side, *both[::-1]))
    equal = np.ones(max(len(order) - 1, 0), bool)
    for column in both:
        ordered = column[order]
        equal &= ordered[1:] == ordered[:-1]
    first = np.flatnonzero(equal)
    return order[first], order[first + 1] - len(a)


def _candidates(
    old: Side, new: Side, free_old: np.ndarray, free_new: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    free_old = free_old[np.argsort(old.group[free_old], kind="stable")]
    free_new = free_new[np.argsort(new.group[free_new], kind="stable")]
    at_old, at_new = pairs_within(old.group[free_old], new.group[free_new])
    rows_old, rows_new = free_old[at_old], free_new[at_new]
    overlap = np.nan_to_num(iou(old.box[rows_old], new.box[rows_new]))
    keep = overlap > 0
    return rows_old[keep], rows_new[keep], overlap[keep]


def _assign(a: np.ndarray, b: np.ndarray, score: np.ndarray, how: How) -> _Found:
    if len(a) == 0:
        return _pack(a, b, score, how)
    _, code_a, uses_a = np.unique(a, return_inverse=True, return_counts=True)
    _, code_b, uses_b = np.unique(b, return_inverse=True, return_counts=True)
    is_alone = (uses_a[code_a] == 1) & (uses_b[code_b] == 1)
    contested = np.flatnonzero(~is_alone)
    chosen, doubt = _settle(code_a[contested], code_b[contested], score[contested])
    rows = np.concatenate([np.flatnonzero(is_alone), contested[chosen]])
    doubts = np.concatenate([np.zeros(int(is_alone.sum()), bool), doubt])
    return _pack(a[rows], b[rows], score[rows], how, doubts)


def _settle(a: np.ndarray, b: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Choose among contested pairs, component by component; a loop, for they are few."""
    if len(a) == 0:
        return np.empty(0, np.int64), np.empty(0, bool)
    from scipy.optimize import linear_sum_assignment
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_a = int(a.max()) + 1
    n = n_a + int(b.max()) + 1
    links = coo_array((np.ones(len(a)), (a, n_a + b)), shape=(n, n))
    component = connected_components(links, directed=False)[1][a]
    order = np.argsort(component, kind="stable")
    bounds = np.flatnonzero(np.diff(component[order], prepend=-1, append=-1))
    chosen: list[int] = []
    doubts: list[bool] = []
    for start, stop in itertools.pairwise(bounds.tolist()):
        rows = order[start:stop]
        row_names, row_code = np.unique(a[rows], return_inverse=True)
        column_names, column_code = np.unique(b[rows], return_inverse=True)
        weight = np.zeros((len(row_names), len(column_names)))
        weight[row_code, column_code] = score[rows]
        at = {(int(r), int(c)): int(i) for r, c, i in zip(row_code, column_code, rows, strict=True)}
        for r, c in zip(*linear_sum_assignment(weight, maximize=True), strict=True):
            if weight[r, c] > 0:
                rivals = np.concatenate([np.delete(weight[r], c), np.delete(weight[:, c], r)])
                chosen.append(at[int(r), int(c)])
                doubts.append(bool(rivals.max(initial=0) >= weight[r, c] - _AMBIGUOUS_IOU))
    return np.array(chosen, np.int64), np.array(doubts, bool)


def _whole_image(old: Side, new: Side, found: list[_Found]) -> _Found:
    """Pair the one whole-image class that is left on either side of a group: it was renamed."""
    lone = []
    for side, index in ((old, 0), (new, 1)):
        free = _free(len(side.group), found, index)
        free = free[np.isnan(side.box[free, 0])]
        groups, first, n = np.unique(side.group[free], return_index=True, return_counts=True)
        lone.append((groups[n == 1], free[first[n == 1]]))
    _, at_old, at_new = np.intersect1d(lone[0][0], lone[1][0], return_indices=True)
    return _pack(lone[0][1][at_old], lone[1][1][at_new], np.full(len(at_old), np.nan), How.RENAMED)
