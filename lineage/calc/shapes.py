"""Geometries compared in whole columns: equal to the letter, or within what a format rounds to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.calc.geometry import rotated_corners

# of what doubles lose in arithmetic, relative to the tolerance and in px
_SLACK, _SLACK_PX = 1e-6, 1e-9
_TURNED_VALUES = 5


@dataclass(frozen=True, slots=True)
class Aligned:
    """Two columns of geometries, number by number.

    Parameters
    ----------
    is_alike
        ndarray of bool, shape (n,): as many parts, each of as many numbers.
    owner
        ndarray of int64: to which of the labels that are alike each number belongs, ascending.
    place
        ndarray of int64: its place among the numbers of that label.
    a, b
        ndarrays of float64: the numbers.
    """

    is_alike: np.ndarray
    owner: np.ndarray
    place: np.ndarray
    a: np.ndarray
    b: np.ndarray


def aligned(a: pa.ListArray, b: pa.ListArray) -> Aligned:
    """Lay two columns of geometries side by side; a null is like a null alone."""
    n_a, n_b = _lengths(a), _lengths(b)
    is_alike = (n_a == n_b) & np.asarray(pc.equal(pc.is_null(a), pc.is_null(b)))
    rows = np.flatnonzero(is_alike)
    parts_a, parts_b = (_lengths(side.take(pa.array(rows)).flatten()) for side in (a, b))
    owner = np.repeat(rows, n_a[rows])
    is_alike[owner[parts_a != parts_b]] = False
    n_values = np.zeros(len(n_a), np.int64)
    np.add.at(n_values, owner, parts_a)
    rows = np.flatnonzero(is_alike)
    n = n_values[rows]
    owner = np.repeat(rows, n)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(n) - n, n)
    values = (
        np.asarray(side.take(pa.array(rows)).flatten().flatten().cast(pa.float64()))
        for side in (a, b)
    )
    return Aligned(is_alike, owner, place, *values)


def unequal(a: pa.ListArray, b: pa.ListArray) -> np.ndarray:
    """Tell which geometries differ."""
    pair = aligned(a, b)
    found = ~pair.is_alike
    found[pair.owner[pair.a != pair.b]] = True
    return found


def boxes_within(a: np.ndarray, b: np.ndarray, tolerance_px: np.ndarray) -> np.ndarray:
    """Tell where no coordinate of two boxes differs by more than a tolerance.

    Parameters
    ----------
    a, b
        ndarrays of float64, shape (n, 4), px; two boxes of NaN are equal.
    tolerance_px
        ndarray of float64, shape (n,).
    """
    apart = np.nan_to_num(np.abs(a - b).max(axis=1, initial=0), nan=np.inf)
    apart[np.isnan(a).all(axis=1) & np.isnan(b).all(axis=1)] = 0
    return apart <= _bound(tolerance_px)


def shapes_within(
    a: pa.ListArray,
    b: pa.ListArray,
    kind: pa.StringArray,
    tolerance_px: np.ndarray,
    tolerance_deg: float = 0.0,
) -> np.ndarray:
    """Tell where no number of two geometries differs by more than a tolerance.

    Parameters
    ----------
    a, b
        Geometries of n labels, as `lineage.columns` describes them.
    kind
        Their kind, n words.
    tolerance_px
        ndarray of float64, shape (n,).
    tolerance_deg
        Of the rotation of turned boxes.

    Notes
    -----
    Turned boxes are compared by their corners, in either order of sides: 90 degrees more and
    sides exchanged are the same box. Whether a key point is seen, and masks, must be equal.
    """
    pair = aligned(a, b)
    same, owner = pair.is_alike.copy(), pair.owner
    words = np.asarray(kind, dtype=object)
    is_turned, is_seen = words == "rotated_box", words == "keypoints"
    bound = _bound(tolerance_px)[owner]
    bound[(words == "mask")[owner] | (is_seen[owner] & (pair.place % 3 == 2))] = 0
    bound[is_turned[owner]] = np.inf
    same[owner[np.abs(pair.a - pair.b) > bound]] = False
    turned = np.flatnonzero(same & is_turned)
    at = is_turned[owner]
    boxes_a, boxes_b = (values[at].reshape(-1, _TURNED_VALUES) for values in (pair.a, pair.b))
    same[turned] = _turned_within(boxes_a, boxes_b, tolerance_px[turned], tolerance_deg)
    return same


def _turned_within(
    a: np.ndarray, b: np.ndarray, tolerance_px: np.ndarray, tolerance_deg: float
) -> np.ndarray:
    corners_a, corners_b = (rotated_corners(*side.T) for side in (a, b))
    apart = np.stack(
        [np.abs(corners_a - np.roll(corners_b, k, axis=1)).max(axis=(1, 2)) for k in range(4)]
    ).min(axis=0, initial=np.inf)
    # a corner is off by what its centre and both half sides are, and by the turn times its arm
    arm = np.hypot(a[:, 2], a[:, 3]) / 2
    return np.asarray(apart <= _bound(3 * tolerance_px + np.deg2rad(tolerance_deg) * arm))


def _bound(tolerance: np.ndarray) -> np.ndarray:
    return tolerance * (1 + _SLACK) + _SLACK_PX


def _lengths(lists: pa.ListArray) -> np.ndarray:
    return np.asarray(pc.list_value_length(lists).fill_null(0)).astype(np.int64)
