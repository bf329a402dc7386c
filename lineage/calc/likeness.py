"""How alike two shapes are, kind by kind: the overlap in [0, 1] that units are gathered by.

Boxes have `geometry.iou`. Turned boxes and polygons are intersected by shapely in
whole columns; masks by their run lengths, without drawing them; key points by
object key point similarity. Whatever the kind, equal shapes score 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lineage.calc.geometry import rotated_corners

OKS_SIGMA = 0.09
"""A key point's spread over the object's size where none is known; CVAT's default."""

Parts = Sequence[Sequence[float]]


def rotated_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the intersection over union of turned boxes pair by pair.

    Parameters
    ----------
    a, b
        ndarrays of float64, shape (n, 5): centre, width, height (px), clockwise rotation (degrees).

    Examples
    --------
    >>> square = np.array([[5.0, 5, 2, 2, 0]])
    >>> round(float(rotated_iou(square, square + [0, 0, 0, 0, 45])[0]), 4)
    0.7071
    """
    import shapely

    left, right = (shapely.polygons(rotated_corners(*side.T)) for side in (a, b))
    return _area_iou(left, right)


def polygon_iou(a: Sequence[Parts], b: Sequence[Parts]) -> np.ndarray:
    """Return the intersection over union of polygons pair by pair.

    Parameters
    ----------
    a, b
        n polygons each: one ``[x0, y0, x1, y1, ...]`` for each part, px. Parts are joined; an
        outline that crosses itself is read by the even-odd rule.
    """
    return _area_iou(_polygons(a), _polygons(b))


def mask_iou(a: Sequence[Parts], b: Sequence[Parts]) -> np.ndarray:
    """Return the intersection over union of masks pair by pair.

    Parameters
    ----------
    a, b
        n masks each, as `lineage.columns` has them: ``[[height, width], [run lengths]]``. Masks of
        images of different sizes score 0.

    Notes
    -----
    The number of pixels of ``a`` before a place is linear between the ends of its runs, so what two
    masks share is read off at the ends of the runs of ``b``.
    """
    found = np.zeros(len(a))
    for at, (one, other) in enumerate(zip(a, b, strict=True)):
        if list(one[0]) == list(other[0]):
            found[at] = _run_iou(np.asarray(one[1]), np.asarray(other[1]))
    return found


def keypoint_similarity(
    a: np.ndarray, b: np.ndarray, area: np.ndarray, sigma: np.ndarray | float = OKS_SIGMA
) -> np.ndarray:
    """Return the object key point similarity pair by pair.

    Parameters
    ----------
    a, b
        ndarrays of float64, shape (n, n_points, 3): x, y (px), v as in COCO.
    area
        ndarray of float64, shape (n,): of the object, square px.
    sigma
        Spread of each point over the square root of the area: one number or shape (n_points,).

    Returns
    -------
    ndarray of float64, shape (n,)
        Mean over the points that either annotator placed of ``exp(-d^2 / (2 s^2 (2 sigma)^2))``, 0 for
        a point that only one of them placed.

    Examples
    --------
    At one, two and three standard deviations, as COCO's page has it:

    >>> one = np.array([[[0.0, 0, 2]]])
    >>> off = [one + [[[2 * OKS_SIGMA * 10 * k, 0, 0]]] for k in (0.5, 1, 1.5)]
    >>> [round(float(keypoint_similarity(one, o, np.array([100.0]))[0]), 2) for o in off]
    [0.88, 0.61, 0.32]

    References
    ----------
    Lin et al., arXiv:1405.0312, and cocodataset.org, "Keypoint evaluation".
    """
    there_a, there_b = a[:, :, 2] > 0, b[:, :, 2] > 0
    squared = ((a[:, :, :2] - b[:, :, :2]) ** 2).sum(axis=2)
    scale = 2 * np.maximum(area, 1e-12)[:, None] * (2 * np.broadcast_to(sigma, squared.shape)) ** 2
    near = np.where(there_a & there_b, np.exp(-squared / scale), 0.0)
    n_placed = (there_a | there_b).sum(axis=1)
    return np.where(n_placed > 0, near.sum(axis=1) / np.maximum(n_placed, 1), 1.0)


def own_sigma(offset: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return each key point's spread as redundant labels show it: sd(d / s).

    Parameters
    ----------
    offset
        ndarray of float64, shape (n, n_points, 2), px: from the unit's mean place; NaN where absent.
    size
        ndarray of float64, shape (n,), px: square root of the object's area.
    """
    scaled = offset / size[:, None, None]
    with np.errstate(invalid="ignore"):
        found: np.ndarray = np.sqrt(np.nanmean((scaled**2).sum(axis=2) / 2, axis=0))
    return found


def _area_iou(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    import shapely

    both = shapely.area(shapely.intersection(left, right))
    union = shapely.area(left) + shapely.area(right) - both
    return np.where(union > 0, both / np.where(union > 0, union, 1), 0.0)


def _polygons(shapes: Sequence[Parts]) -> np.ndarray:
    import shapely

    rings = [part for shape in shapes for part in shape]
    owner = np.repeat(np.arange(len(shapes)), [len(shape) for shape in shapes])
    lengths = np.array([len(ring) // 2 for ring in rings], np.int64)
    flat = np.concatenate([np.asarray(ring, float) for ring in rings]).reshape(-1, 2)
    of_ring = np.repeat(np.arange(len(rings)), lengths)
    parts = shapely.polygons(shapely.linearrings(flat, indices=of_ring))
    invalid = ~shapely.is_valid(parts)
    parts[invalid] = shapely.make_valid(parts[invalid])
    if len(rings) == len(shapes):
        return np.asarray(parts)
    joined = [shapely.union_all(parts[owner == at]) for at in range(len(shapes))]
    return np.array(joined, dtype=object)


def _run_iou(a: np.ndarray, b: np.ndarray) -> float:
    ends_a, ends_b = (np.concatenate([[0], np.cumsum(runs)]) for runs in (a, b))
    shown_a = np.concatenate([[0], np.cumsum(np.where(np.arange(len(a)) % 2 == 1, a, 0))])
    area_a, area_b = shown_a[-1], b[1::2].sum()
    before = np.interp(ends_b, ends_a, shown_a)
    both = (before[2::2] - before[1:-1:2]).sum()
    union = area_a + area_b - both
    return float(both / union) if union > 0 else 0.0
