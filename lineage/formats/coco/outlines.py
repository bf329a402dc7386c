"""Geometry of the ledger as COCO spells it: extents, areas, segmentations."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from lineage.calc.geometry import rotated_corners
from lineage.formats.coco import rle

Rings = list[list[float]]


def extents(box: np.ndarray) -> np.ndarray:
    """Return x, y, width, height of boxes given by corners, px, shape (n, 4).

    Width and height are those that, added to x and y again, give the other corner to the last bit,
    wherever there are such numbers.
    """
    low, high = box[:, :2], box[:, 2:]
    side = high - low
    for nudged in (np.nextafter(side, np.inf), np.nextafter(side, -np.inf)):
        side = np.where((low + side != high) & (low + nudged == high), nudged, side)
    return np.concatenate([low, side], axis=1)


def polygon_areas(polygons: Sequence[Rings]) -> np.ndarray:
    """Return the area within the rings of each polygon, px squared: rings add up."""
    rings = list(chain.from_iterable(polygons))
    n_points = np.fromiter((len(ring) // 2 for ring in rings), np.int64, len(rings))
    flat = np.fromiter(chain.from_iterable(rings), np.float64, 2 * int(n_points.sum()))
    if len(rings) == 0:
        return np.zeros(len(polygons))
    starts = np.cumsum(n_points) - n_points
    # relative to a ring's first point, so that far-away rings lose no digits
    x = flat[0::2] - np.repeat(flat[0::2][starts], n_points)
    y = flat[1::2] - np.repeat(flat[1::2][starts], n_points)
    following = np.arange(1, len(x) + 1)
    following[starts + n_points - 1] = starts
    area = np.abs(np.add.reduceat(x * y[following] - x[following] * y, starts)) / 2
    owner = np.repeat(np.arange(len(polygons)), [len(polygon) for polygon in polygons])
    return np.bincount(owner, weights=area, minlength=len(polygons))


def turned(rotated: Sequence[Rings]) -> tuple[list[Rings], list[float]]:
    """Return rotated boxes as polygons of four points, and their rotations in degrees."""
    values = np.array([one[0] for one in rotated], np.float64).reshape(-1, 5)
    cx, cy, width, height, rotation = values.T
    corners = rotated_corners(cx, cy, width, height, rotation).reshape(-1, 8)
    return [[ring] for ring in corners.tolist()], rotation.tolist()


def mask(geometry: Rings) -> tuple[dict[str, object], float]:
    """Return a mask as COCO's compressed run lengths, and its area in px squared."""
    (height, width), runs = geometry
    counts = np.asarray(runs, np.int64)
    return (
        {"size": [int(height), int(width)], "counts": rle.compressed(counts)},
        float(counts[1::2].sum()),
    )
