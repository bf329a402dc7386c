"""Pairs of boxes that overlap, found without comparing every box with every other.

If two boxes overlap by at least t, neither is more than 1/t times as wide as the
other, and their left edges are at most ``(1 - t) / t`` of either width apart. So with one
side sorted by group and left edge, the partners of a box stand in one short run.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lineage.calc.geometry import iou

_BLOCK_PAIRS = 500_000


def overlapping(
    group_a: np.ndarray,
    box_a: np.ndarray,
    group_b: np.ndarray,
    box_b: np.ndarray,
    *,
    least_iou: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return all pairs of boxes of one group that overlap by at least ``least_iou``.

    Parameters
    ----------
    group_a, group_b
        ndarrays of int64, shapes (n,) and (m,).
    box_a, box_b
        ndarrays of float64, shapes (n, 4) and (m, 4), px; a box with a NaN overlaps none.
    least_iou
        Greater than 0.

    Returns
    -------
    tuple of ndarray
        Rows of ``a`` (int64), rows of ``b`` (int64), and their intersection over union (float64).

    Notes
    -----
    Memory is bounded by a block of pairs, whatever the number of boxes of one group.
    """
    rows_a = np.flatnonzero(~np.isnan(box_a).any(axis=1))
    rows_b = np.flatnonzero(~np.isnan(box_b).any(axis=1))
    empty = np.empty(0, np.int64)
    if len(rows_a) == 0 or len(rows_b) == 0:
        return empty, empty, np.empty(0)
    rows_a = rows_a[np.lexsort((box_a[rows_a, 0], group_a[rows_a]))]
    rows_b = rows_b[np.argsort(group_b[rows_b], kind="stable")]
    first, last = _runs(
        group_a[rows_a], box_a[rows_a, 0], group_b[rows_b], box_b[rows_b], least_iou
    )
    found = []
    for b, a in _blocks(first, np.maximum(last - first, 0)):
        left, right = rows_a[a], rows_b[b]
        overlap = iou(box_a[left], box_b[right])
        keep = overlap >= least_iou
        found.append((left[keep], right[keep], overlap[keep]))
    if not found:
        return empty, empty, np.empty(0)
    return (
        np.concatenate([part[0] for part in found]),
        np.concatenate([part[1] for part in found]),
        np.concatenate([part[2] for part in found]),
    )


def _runs(
    group_a: np.ndarray, left_a: np.ndarray, group_b: np.ndarray, box_b: np.ndarray, least: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return, per box of ``b``, from where to where among ``a`` its partners stand."""
    groups = np.unique(group_a)
    reach = (box_b[:, 2] - box_b[:, 0]) * (1 - least)
    low, high = box_b[:, 0] - reach / least, box_b[:, 0] + reach
    origin = min(float(left_a.min()), float(low.min()))
    span = max(float(left_a.max()), float(high.max())) - origin + 1
    # one number for (group, left edge); its rounding is made up for at either end of the run
    slack = np.spacing(span * (len(groups) + 1)) * 4
    key_a = np.searchsorted(groups, group_a) * span + (left_a - origin)
    at = np.searchsorted(groups, group_b)
    is_known = groups[np.minimum(at, len(groups) - 1)] == group_b
    first = np.searchsorted(key_a, at * span + (low - origin) - slack, side="left")
    last = np.searchsorted(key_a, at * span + (high - origin) + slack, side="right")
    # a run stays within its group
    start = np.searchsorted(group_a, group_b, side="left")
    stop = np.searchsorted(group_a, group_b, side="right")
    return np.maximum(first, start), np.where(is_known, np.minimum(last, stop), 0)


def _blocks(first: np.ndarray, count: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield index pairs (row, first[row] ... first[row] + count[row] - 1), few at a time."""
    ends = np.cumsum(count)
    start = 0
    while start < len(count):
        done = ends[start - 1] if start else 0
        stop = max(int(np.searchsorted(ends, done + _BLOCK_PAIRS, side="right")), start + 1)
        n = count[start:stop]
        rows = np.repeat(np.arange(start, stop), n)
        offset = np.repeat(first[start:stop] - (np.cumsum(n) - n), n)
        yield rows, offset + np.arange(len(rows))
        start = stop
