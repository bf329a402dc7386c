"""Rows of fractions to geometry in px, a chunk at a time: each kind's numbers in one flat array."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.formats.yolo import quads
from lineage.formats.yolo.numbers import Rows
from lineage.formats.yolo.tasks import BOX, KEYPOINTS, POLYGON, ROTATED
from lineage.terms import Kind

SLACK = 0.01
"""How far a fraction may leave 0 to 1 and still be one: as far as the trainer's own loader lets it."""

_DECIMALS = 9
_BBOX_TOLERANCE_PX = 1.0
_KINDS = (Kind.BOX, Kind.POLYGON, Kind.ROTATED_BOX, Kind.KEYPOINTS)


@dataclass(frozen=True, slots=True)
class Shapes:
    """Geometry of rows, in their order.

    Parameters
    ----------
    kind, geometry
        Their columns.
    box
        ndarray of float64, shape (n, 4): corners of the hull, px.
    bbox
        By position: the box that a row of key points gives, where its points lie outside it.
    n_ragged
        Oriented boxes whose corners are no rectangle, and that are polygons therefore.
    n_pointless
        Rows of key points that are all absent, and that are boxes therefore.
    """

    kind: pa.DictionaryArray
    box: np.ndarray
    geometry: pa.Array
    bbox: dict[int, list[float]]
    n_ragged: int
    n_pointless: int


def outside(rows: Rows, n_numbers: np.ndarray, *, dims: np.ndarray) -> np.ndarray:
    """Return, per row, the column of its first number that is no fraction, -1 where all are.

    Parameters
    ----------
    rows
        Rows, every text of which is a finite number.
    n_numbers
        ndarray of int64, shape (n,): coordinates of each, behind the class.
    dims
        ndarray of int64, shape (n,): numbers a key point has, 0 for other rows. What is said of an
        absent point, and visibility itself, is not looked at.
    """
    owner, column, at = _spread(rows, n_numbers)
    values = rows.values[at]
    is_off = (values < -SLACK) | (values > 1 + SLACK)
    point = column - 4
    of_points = (dims[owner] > 0) & (point >= 0)
    if of_points.any():
        d = np.maximum(dims[owner], 1)
        is_visibility = of_points & (d == 3) & (point % d == 2)
        v = at - point % d + 2
        is_absent = of_points & (d == 3) & (rows.values[np.minimum(v, len(rows.values) - 1)] == 0)
        # two numbers mark an absent point by going below zero
        is_off &= ~is_visibility & ~is_absent & ~(of_points & (d == 2) & (values < 0))
    found = np.full(len(rows), -1, np.int64)
    bad = np.flatnonzero(is_off)[::-1]
    found[owner[bad]] = column[bad] + 1
    return found


def _spread(rows: Rows, n_numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return owner, column behind the class and place in ``values`` of every coordinate."""
    owner = np.repeat(np.arange(len(rows)), n_numbers)
    starts = np.cumsum(n_numbers) - n_numbers
    column = np.arange(len(owner)) - np.repeat(starts, n_numbers)
    return owner, column, np.repeat(rows.first + 1, n_numbers) + column


@dataclass(slots=True)
class _Pile:
    """Geometry while it is gathered: numbers of each row, and where they come from."""

    n: np.ndarray
    parts: list[tuple[np.ndarray, np.ndarray]]
    """Rows, with their numbers one after another."""


def shapes(
    rows: Rows,
    role: np.ndarray,
    *,
    size: np.ndarray,
    n_numbers: np.ndarray,
    n_dims: int,
    kinds: np.ndarray | None,
) -> Shapes:
    """Return the geometry of rows that can all be read.

    Parameters
    ----------
    rows
        n of them; see `outside`.
    role
        ndarray of int8, shape (n,): see `tasks.Meaning`.
    size
        ndarray of float64, shape (n, 2): width and height of each one's image, px.
    n_numbers
        ndarray of int64, shape (n,): coordinates of each, behind the class.
    n_dims
        Numbers that each key point has.
    kinds
        ndarray of object, shape (n,): the kind that our side file gives a label, None where it gives
        none: a box that was written as a polygon of four points is a box.
    """
    role = role.copy()
    box = np.full((len(rows), 4), np.nan)
    pile = _Pile(np.zeros(len(rows), np.int64), [])
    told = np.full(len(rows), None, object) if kinds is None else kinds
    n_ragged = _quads(rows, role, size, box, pile, told)
    _rings(rows, np.flatnonzero(role == POLYGON), size, n_numbers, box, pile)
    n_pointless, bbox = _points(rows, role, size, n_numbers, n_dims, box, pile)
    _boxes(rows, np.flatnonzero((role == BOX) & np.isnan(box[:, 0])), size, box)
    dictionary = pa.array([kind.value for kind in _KINDS], pa.string())
    kind = pa.DictionaryArray.from_arrays(pa.array(role.astype(np.int32)), dictionary)
    return Shapes(kind, box, _geometry(pile), bbox, n_ragged, n_pointless)


def _matrix(rows: Rows, at: np.ndarray, n: int) -> np.ndarray:
    found: np.ndarray = rows.values[rows.first[at][:, None] + 1 + np.arange(n)]
    return found


def _boxes(rows: Rows, at: np.ndarray, size: np.ndarray, box: np.ndarray) -> None:
    x, y, w, h = _matrix(rows, at, 4).T
    width, height = size[at].T
    corners = [(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height]
    box[at] = np.stack(corners, axis=1).round(_DECIMALS) + 0.0


def _quads(
    rows: Rows,
    role: np.ndarray,
    size: np.ndarray,
    box: np.ndarray,
    pile: _Pile,
    told: np.ndarray,
) -> int:
    """Read four corners as the box they are, or were; those of no rectangle become polygons."""
    is_four = (role == ROTATED) | ((role == POLYGON) & np.isin(rows.n_columns, (9, 10)))
    is_turned = (role == ROTATED) | (told == Kind.ROTATED_BOX.value)
    was_box = told == Kind.BOX.value
    at = np.flatnonzero(is_four & (is_turned | was_box))
    corners = _matrix(rows, at, 8).reshape(-1, 4, 2) * size[at][:, None, :]
    is_good = quads.is_rectangle(corners, size[at])
    n_ragged = int((~is_good & (role[at] == ROTATED)).sum())
    role[at[~is_good]] = POLYGON
    at, corners = at[is_good], corners[is_good]
    low, high = corners.min(axis=1, initial=np.inf), corners.max(axis=1, initial=-np.inf)
    box[at] = np.concatenate([low, high], axis=1).round(_DECIMALS) + 0.0
    role[at] = np.where(was_box[at], BOX, ROTATED)
    is_kept = role[at] == ROTATED
    pile.n[at[is_kept]] = 5
    pile.parts.append((at[is_kept], quads.rotated(corners[is_kept]).ravel()))
    return n_ragged


def _rings(
    rows: Rows,
    at: np.ndarray,
    size: np.ndarray,
    n_numbers: np.ndarray,
    box: np.ndarray,
    pile: _Pile,
) -> None:
    if len(at) == 0:
        return
    n = n_numbers[at]
    starts = np.cumsum(n) - n
    column = np.arange(int(n.sum())) - np.repeat(starts, n)
    flat = rows.values[np.repeat(rows.first[at] + 1, n) + column]
    flat = (flat * size[np.repeat(at, n), column % 2]).round(_DECIMALS) + 0.0
    low, high = np.minimum.reduceat, np.maximum.reduceat
    hull = [pick(flat[axis::2], starts // 2) for pick in (low, high) for axis in (0, 1)]
    box[at] = np.stack(hull, axis=1)
    pile.n[at] = n
    pile.parts.append((at, flat))


def _points(
    rows: Rows,
    role: np.ndarray,
    size: np.ndarray,
    n_numbers: np.ndarray,
    n_dims: int,
    box: np.ndarray,
    pile: _Pile,
) -> tuple[int, dict[int, list[float]]]:
    """Read key points; their hull is that of the row's own box and of the points that are there."""
    at = np.flatnonzero(role == KEYPOINTS)
    if len(at) == 0:
        return 0, {}
    n = int(n_numbers[at[0]])
    _boxes(rows, at, size, box)
    told = _matrix(rows, at, n)[:, 4:].reshape(len(at), -1, n_dims)
    x, y = told[:, :, 0], told[:, :, 1]
    if n_dims == 3:
        v = told[:, :, 2]
    else:
        v = np.where((x < 0) | (y < 0) | ((x == 0) & (y == 0)), 0.0, 2.0)
    is_there = v > 0
    x = np.where(is_there, (x * size[at, :1]).round(_DECIMALS) + 0.0, 0.0)
    y = np.where(is_there, (y * size[at, 1:]).round(_DECIMALS) + 0.0, 0.0)
    has_any = is_there.any(axis=1)
    role[at[~has_any]] = BOX
    at, own = at[has_any], box[at[has_any]].copy()
    is_there, x, y, v = (part[has_any] for part in (is_there, x, y, v))
    for column, part in enumerate((x, y)):
        low = np.where(is_there, part, np.inf).min(axis=1)
        high = np.where(is_there, part, -np.inf).max(axis=1)
        box[at, column] = np.minimum(box[at, column], low)
        box[at, column + 2] = np.maximum(box[at, column + 2], high)
    is_off = np.abs(own - box[at]).max(axis=1, initial=0.0) > _BBOX_TOLERANCE_PX
    bbox = {int(at[i]): _xywh(own[i]) for i in np.flatnonzero(is_off)}
    pile.n[at] = 3 * x.shape[1]
    pile.parts.append((at, np.stack([x, y, v], axis=2).ravel()))
    return int((~has_any).sum()), bbox


def _xywh(corners: np.ndarray) -> list[float]:
    x, y, right, bottom = corners.tolist()
    return [x, y, right - x, bottom - y]


def _geometry(pile: _Pile) -> pa.Array:
    total = int(pile.n.sum())
    if total == 0:
        return pa.nulls(len(pile.n), columns.GEOMETRY)
    starts = np.cumsum(pile.n) - pile.n
    flat = np.empty(total)
    for at, numbers in pile.parts:
        n = pile.n[at]
        within = np.arange(len(numbers)) - np.repeat(np.cumsum(n) - n, n)
        flat[np.repeat(starts[at], n) + within] = numbers
    held = pile.n > 0
    inner = pa.ListArray.from_arrays(_offsets(pile.n[held]), pa.array(flat))
    outer = pa.ListArray.from_arrays(_offsets(held.astype(np.int64)), inner, mask=pa.array(~held))
    return outer.cast(columns.GEOMETRY)


def _offsets(lengths: np.ndarray) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
