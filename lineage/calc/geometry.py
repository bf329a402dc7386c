"""Overlap and hulls. Boxes are ``x_min, y_min, x_max, y_max`` in px, half-open, origin top-left.

The one definition of intersection over union.
"""

from __future__ import annotations

import numpy as np


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the intersection over union of boxes pair by pair.

    Parameters
    ----------
    a, b
        ndarrays of float64, shape (n, 4), px.

    Returns
    -------
    ndarray of float64, shape (n,)
        0 where both boxes are without area, NaN where a coordinate is.

    Examples
    --------
    >>> iou(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2]]))
    array([0.33333333])
    """
    width = np.minimum(a[:, 2], b[:, 2]) - np.maximum(a[:, 0], b[:, 0])
    height = np.minimum(a[:, 3], b[:, 3]) - np.maximum(a[:, 1], b[:, 1])
    both = np.maximum(width, 0) * np.maximum(height, 0)
    union = _area(a) + _area(b) - both
    return np.where(union == 0, 0.0, both / np.where(union == 0, 1.0, union))


def pairs_within(group_a: np.ndarray, group_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all pairs of rows whose groups are equal.

    Parameters
    ----------
    group_a, group_b
        ndarrays of int64, shapes (n,) and (m,), each ascending.

    Returns
    -------
    tuple of ndarray of int64
        Rows of ``a`` and of ``b``, ordered by ``a``, then ``b``.
    """
    start = np.searchsorted(group_b, group_a, side="left")
    count = np.searchsorted(group_b, group_a, side="right") - start
    index_a = np.repeat(np.arange(len(group_a)), count)
    first = np.repeat(start - (np.cumsum(count) - count), count)
    return index_a, first + np.arange(len(index_a))


def pairs_inside(group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all pairs of different rows of one group, the earlier row first.

    Parameters
    ----------
    group
        ndarray of int64, shape (n,), rows of a group side by side.

    Returns
    -------
    tuple of ndarray of int64
        Rows, ordered by the earlier, then the later.

    Examples
    --------
    >>> a, b = pairs_inside(np.array([4, 4, 4, 7]))
    >>> a.tolist(), b.tolist()
    ([0, 0, 1], [1, 2, 2])
    """
    n_after = rows_after(group)
    a = np.repeat(np.arange(len(group)), n_after)
    return a, a + 1 + np.arange(len(a)) - np.repeat(np.cumsum(n_after) - n_after, n_after)


def rows_after(group: np.ndarray) -> np.ndarray:
    """Return how many rows of its own group follow each row; arguments as `pairs_inside`."""
    if len(group) == 0:
        return np.zeros(0, np.int64)
    starts = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    size = np.diff(np.append(starts, len(group)))
    found: np.ndarray = np.repeat(starts + size, size) - np.arange(len(group)) - 1
    return found


def rotated_corners(
    cx: np.ndarray, cy: np.ndarray, width: np.ndarray, height: np.ndarray, rotation_deg: np.ndarray
) -> np.ndarray:
    """Return the corners of boxes turned clockwise about their centres.

    Returns
    -------
    ndarray of float64, shape (n, 4, 2), px
        From the unturned box's top-left, clockwise.
    """
    angle = np.deg2rad(rotation_deg)
    cos, sin = np.cos(angle), np.sin(angle)
    sign = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) / 2
    dx = sign[:, 0] * np.asarray(width)[:, None]
    dy = sign[:, 1] * np.asarray(height)[:, None]
    # with y downwards, this turns clockwise as seen
    x = np.asarray(cx)[:, None] + dx * cos[:, None] - dy * sin[:, None]
    y = np.asarray(cy)[:, None] + dx * sin[:, None] + dy * cos[:, None]
    return np.stack([x, y], axis=2)


def _area(box: np.ndarray) -> np.ndarray:
    return np.maximum(box[:, 2] - box[:, 0], 0) * np.maximum(box[:, 3] - box[:, 1], 0)
