"""Four corners and the rectangle that they are, in px: in fractions no turned rectangle has right angles."""

from __future__ import annotations

import numpy as np

from lineage.formats import PRECISIONS

PRECISION = PRECISIONS["yolo"].fraction
"""Step of the fractions that tools write, six digits."""

RECTANGLE_PX = 1.0
"""How far corners may lie from a rectangle's and still stand for it."""


def is_rectangle(corners: np.ndarray, size: np.ndarray, *, is_exact: bool = False) -> np.ndarray:
    """Tell which quadrilaterals are rectangles.

    Parameters
    ----------
    corners
        ndarray of float64, shape (n, 4, 2), px, in the order of the outline.
    size
        ndarray of float64, shape (n, 2): width and height of the image, px.
    is_exact
        As far as six digits allow, instead of give or take `RECTANGLE_PX`.

    Returns
    -------
    ndarray of bool, shape (n,)
        False for those without an area.

    Examples
    --------
    >>> square = np.array([[[0.0, 0], [2, 0], [2, 2], [0, 2]]])
    >>> is_rectangle(square, np.array([[10.0, 10]]), is_exact=True).tolist()
    [True]
    """
    tolerance = _step(size) if is_exact else np.maximum(RECTANGLE_PX, _step(size))
    box = rotated(corners)
    off = np.abs(corners - _fitted(corners)).max(axis=(1, 2), initial=0.0)
    found: np.ndarray = (off <= tolerance) & (box[:, 2] > 0) & (box[:, 3] > 0)
    return found


def is_turned(corners: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Tell which rectangles stand on no side."""
    side = np.abs(corners[:, 1] - corners[:, 0])
    found: np.ndarray = side.min(axis=1, initial=np.inf) > 4 * _step(size)
    return found


def rotated(corners: np.ndarray) -> np.ndarray:
    """Return the rectangles that corners stand for.

    Parameters
    ----------
    corners
        ndarray of float64, shape (n, 4, 2), px: in either sense, from any corner.

    Returns
    -------
    ndarray of float64, shape (n, 5)
        ``cx, cy, width, height, rotation_deg``: clockwise about the centre, from 0 to below 360;
        the width lies along the first side where corners go clockwise, as the eye sees them.

    Examples
    --------
    >>> rotated(np.array([[[0.0, 0], [4, 0], [4, 2], [0, 2]]])).tolist()
    [[2.0, 1.0, 4.0, 2.0, 0.0]]
    >>> rotated(np.array([[[4.0, 0], [4, 2], [0, 2], [0, 0]]])).tolist()
    [[2.0, 1.0, 2.0, 4.0, 90.0]]
    """
    centre, along, across = _axes(corners)
    is_counter = along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0] < 0
    along[is_counter], across[is_counter] = across[is_counter], along[is_counter]
    turn = np.degrees(np.arctan2(along[:, 1], along[:, 0])).round(9) % 360
    sides = np.stack([np.hypot(*along.T), np.hypot(*across.T)], axis=1)
    return np.concatenate([centre.round(9), sides.round(9), turn[:, None]], axis=1)


def _axes(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    a, b, c, d = (corners[:, at] for at in range(4))
    return corners.mean(axis=1), (b - a + c - d) / 2, (d - a + c - b) / 2


def _fitted(corners: np.ndarray) -> np.ndarray:
    """Return the corners of the nearest rectangle: parallel sides, diagonals of one length."""
    centre, along, across = _axes(corners)
    diagonals = [(along + across) / 2, (along - across) / 2]
    lengths = [np.hypot(*one.T) for one in diagonals]
    mean = (lengths[0] + lengths[1]) / 2
    scaled = [
        one * np.divide(mean, length, out=np.ones_like(mean), where=length > 0)[:, None]
        for one, length in zip(diagonals, lengths, strict=True)
    ]
    signs = ((-1, 0), (1, 1), (1, 0), (-1, 1))
    return np.stack([centre + sign * scaled[which] for sign, which in signs], axis=1)


def _step(size: np.ndarray) -> np.ndarray:
    step: np.ndarray = 2 * PRECISION * size.max(axis=1, initial=0.0)
    return step
