"""Cells into pixels: every kind's geometry, whole columns at a time where cells are numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.calc.geometry import rotated_corners
from lineage.formats.table import fields
from lineage.formats.table.given import Given
from lineage.formats.table.outlines import mask_of, parts_of
from lineage.formats.table.plan import POINT
from lineage.terms import Kind

_BOX_SIGNS = r"^[-+0-9.eE,;:\s()\[\]{}]*$"
_BETWEEN = r"[^-+0-9.eE]+"


@dataclass(frozen=True, slots=True)
class Shapes:
    """Geometry of n entries.

    Parameters
    ----------
    box
        ndarray of float64, shape (n, 4): corners of the hull, px; NaN where there is none.
    geometry
        Of `columns.GEOMETRY`.
    """

    box: np.ndarray
    geometry: pa.Array


@dataclass(frozen=True, slots=True)
class Scale:
    """Px in one unit of the table, in x and y; arrays of n, NaN where the image's size is unknown."""

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True, slots=True)
class _Pile:
    """Number lists of some entries: ``n_lists`` for each, these of ``lengths``, all in ``flat``."""

    rows: np.ndarray
    n_lists: np.ndarray
    lengths: np.ndarray
    flat: np.ndarray


def shapes(given: Given, rows_of: Callable[[Kind], np.ndarray], size: np.ndarray) -> Shapes:
    """Read the geometry of entries.

    Parameters
    ----------
    given
        n entries; what is wrong goes into their problems.
    rows_of
        Gives, for a kind, the entries that are of it, ndarray of bool, shape (n,).
    size
        ndarray of float64, shape (n, 2): width and height of each one's image, px; NaN where
        unknown.
    """
    box = np.full((given.n, 4), np.nan)
    piles: list[_Pile] = []
    is_drawn = np.zeros(given.n, bool)
    for kind in Kind:
        rows = rows_of(kind)
        if kind is Kind.CLASS or not rows.any():
            continue
        is_drawn |= rows
        scale = _scale(given, rows, size, kind)
        if kind is Kind.BOX:
            _boxes(given, rows, scale, box)
        elif kind is Kind.ROTATED_BOX:
            piles.append(_rotated(given, rows, scale, box))
        elif kind is Kind.MASK:
            piles.append(_masks(given, rows, size, box))
        else:
            piles.append(_outlines(given, rows, kind, scale, box))
    # numbers that are finite, and whose sums or products are not
    is_beyond = is_drawn & ~given.problems.is_bad & ~np.isfinite(box).all(axis=1)
    first = next(
        (key for key in given.cells.cells if key in fields.GEOMETRY or key.startswith(POINT)), "box"
    )
    given.refuse(is_beyond, "not-finite", first, "a shape within bounds")
    return Shapes(box, _geometry(piles, given.n))


def _scale(given: Given, rows: np.ndarray, size: np.ndarray, kind: Kind) -> Scale:
    unit = given.mapping.unit
    if unit == "px" or kind is Kind.MASK:
        return Scale(np.ones(given.n), np.ones(given.n))
    at = np.flatnonzero(rows & np.isnan(size).any(axis=1) & ~given.problems.is_bad)
    path = given.plan.told("width")
    given.problems.add(
        at, "image-size-unknown", path, [""] * len(at), f"a width and height: {unit}s are of them"
    )
    part = 1.0 if unit == "fraction" else 100.0
    return Scale(size[:, 0] / part, size[:, 1] / part)


def _way(given: Given, kind: Kind, rows: np.ndarray) -> tuple[str, ...] | None:
    """Return the fields that say where labels of a kind are, None where the mapping has none."""
    ways = fields.needed(kind, given.mapping.box)
    for way in ways:
        if all(given.has(name) or (name == "points" and given.has(f"{POINT}0")) for name in way):
            return way
    at = np.flatnonzero(rows)
    told = " or ".join(", ".join(way) for way in ways)
    expected = f"columns for a {kind}: {told}"
    given.problems.add(at, "unsupported-kind", given.plan.told("kind"), [kind] * len(at), expected)
    return None


def _boxes(given: Given, rows: np.ndarray, scale: Scale, box: np.ndarray) -> None:
    way = _way(given, Kind.BOX, rows)
    if way is None:
        return
    if way == ("box",):
        a, b, c, d = _box_cells(given, rows).T
    else:
        numbers = [given.numbers(name, rows, is_needed=True) for name in way]
        a, b, c = numbers[:3]
        d = numbers[3] if len(numbers) == 4 else c
    # what overflows here is refused with all that is not finite
    with np.errstate(over="ignore", invalid="ignore"):
        a, b, c, d = a * scale.x, b * scale.y, c * scale.x, d * scale.y
        if way in (fields.CENTRE_AND_RADIUS, fields.CENTRE_AND_RADII):
            corners = (a - c, b - d, a + c, b + d)
        elif given.mapping.box == "xyxy":
            corners = (a, b, c, d)
        elif given.mapping.box == "xywh":
            corners = (a, b, a + c, b + d)
        else:
            corners = (a - c / 2, b - d / 2, a + c / 2, b + d / 2)
    if rows.all():
        for side, values in enumerate(corners):
            box[:, side] = values
    else:
        box[rows] = np.stack(corners, axis=1)[rows]


def _box_cells(given: Given, rows: np.ndarray) -> np.ndarray:
    """Return the four numbers of every box cell, whatever brackets stand around them."""
    cells = given.text("box")
    found = np.full((given.n, 4), np.nan)
    texts = pc.fill_null(cells, "")
    is_plain = np.asarray(pc.match_substring_regex(texts, _BOX_SIGNS))
    # the words between what is no sign of a number; brackets at both ends leave empty ones
    split = pc.split_pattern_regex(
        pc.utf8_trim(pc.replace_substring_regex(texts, _BETWEEN, " "), " "), " "
    )
    words = split.flatten()
    is_four = np.asarray(pc.list_value_length(split)) == 4
    try:
        numbers = np.asarray(words.cast(pa.float64()))
        is_read = np.ones(given.n, bool)
    except pa.ArrowInvalid:
        numbers, is_word = _numbers(words)
        starts = np.asarray(split.offsets)[:-1]
        is_read = np.logical_and.reduceat(is_word, starts)
    is_good = is_plain & is_four & is_read
    given.refuse(
        rows & ~is_good, "not-a-box", "box", "four numbers; several boxes a row need each:"
    )
    in_good = np.repeat(is_good, np.asarray(pc.list_value_length(split)))
    found[is_good] = numbers[in_good].reshape(-1, 4)
    given.refuse(
        rows & is_good & ~np.isfinite(found).all(axis=1), "not-finite", "box", "finite numbers"
    )
    return found


def _numbers(words: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    is_word = np.asarray(
        pc.match_substring_regex(words, r"^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$")
    )
    readable = pc.if_else(pa.array(is_word), words, "nan")
    return np.asarray(readable.cast(pa.float64())), is_word


def _rotated(given: Given, rows: np.ndarray, scale: Scale, box: np.ndarray) -> _Pile:
    way = _way(given, Kind.ROTATED_BOX, rows)
    if way is None:
        return _lists([], np.zeros(0, np.int64))
    cx, cy, width, height, angle = (given.numbers(name, rows, is_needed=True) for name in way)
    if "radius_x" in way:
        width, height = 2 * width, 2 * height
    turn = angle if given.mapping.rotation == "clockwise" else -angle
    with np.errstate(over="ignore", invalid="ignore"):
        sides = np.stack(
            [cx * scale.x, cy * scale.y, width * scale.x, height * scale.y, turn], axis=1
        )[rows]
        corners = rotated_corners(*sides.T)
    box[rows] = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    n = len(sides)
    return _Pile(np.flatnonzero(rows), np.ones(n, np.int64), np.full(n, 5), sides.ravel())


def _outlines(given: Given, rows: np.ndarray, kind: Kind, scale: Scale, box: np.ndarray) -> _Pile:
    way = _way(given, kind, rows)
    step = 3 if kind is Kind.KEYPOINTS else 2
    parts: list[list[list[float]]] = []
    at = np.zeros(0, np.int64)
    if way is not None and given.has(f"{POINT}0"):
        at, parts = _coordinate_columns(given, rows, kind)
    elif way is not None:
        at, parts = _outline_cells(given, rows, kind)
    pile = _lists(parts, at)
    owner = np.repeat(np.repeat(pile.rows, pile.n_lists), pile.lengths // step)
    flat = pile.flat.reshape(-1, step)
    with np.errstate(over="ignore", invalid="ignore"):
        flat[:, 0] *= scale.x[owner]
        flat[:, 1] *= scale.y[owner]
    is_seen = flat[:, 2] > 0 if step == 3 else np.ones(len(flat), bool)
    for side, reduce, axis in (
        (0, np.minimum, 0),
        (1, np.minimum, 1),
        (2, np.maximum, 0),
        (3, np.maximum, 1),
    ):
        box[at, side] = np.inf if side < 2 else -np.inf
        reduce.at(box[:, side], owner[is_seen], flat[is_seen, axis])
    is_none = rows & np.isinf(box[:, 0])
    given.problems.add(
        np.flatnonzero(is_none),
        "too-few-points",
        given.plan.told("points"),
        [""] * int(is_none.sum()),
        "a point that is seen",
    )
    return pile


def _outline_cells(
    given: Given, rows: np.ndarray, kind: Kind
) -> tuple[np.ndarray, list[list[list[float]]]]:
    """Read outlines cell by cell: JSON of any depth has no columns to take whole."""
    cells = given.text("points")
    kept, found = [], []
    texts = cells.to_pylist() if cells is not None else []
    for at in np.flatnonzero(rows).tolist():
        text = texts[at]
        try:
            if text is None:
                raise ValueError("nothing")
            parts = parts_of(text, kind)
        except ValueError as exc:
            expected = f"the points of a {kind}: {exc}"
            given.problems.add(
                np.array([at]), "not-points", given.plan.told("points"), [text or ""], expected
            )
            continue
        kept.append(at)
        found.append(parts)
    return np.array(kept, np.int64), found


def _coordinate_columns(
    given: Given, rows: np.ndarray, kind: Kind
) -> tuple[np.ndarray, list[list[list[float]]]]:
    """Read outlines whose coordinates have columns of their own; trailing ones may be empty."""
    keys = [key for key in given.cells.cells if key.startswith(POINT)]
    sides = np.stack([given.numbers(key, rows) for key in keys], axis=1)
    is_gap = np.isnan(sides).reshape(given.n, -1, 2)
    is_torn = (is_gap[:, :, 0] != is_gap[:, :, 1]).any(axis=1)
    if kind is not Kind.KEYPOINTS:
        is_torn |= (is_gap[:, :-1, 0] & ~is_gap[:, 1:, 0]).any(axis=1)
    given.refuse(
        rows & is_torn & ~given.problems.is_bad, "missing-value", keys[0], "x and y of every point"
    )
    least = {Kind.POLYGON: 3, Kind.POLYLINE: 2}.get(kind, 1)
    kept, found = [], []
    for at in np.flatnonzero(rows & ~given.problems.is_bad).tolist():
        pairs = sides[at].reshape(-1, 2)
        points = pairs[~np.isnan(pairs).any(axis=1)]
        if len(points) < least:
            told = given.plan.told(keys[0])
            value = f"{len(points)} points"
            given.problems.add(np.array([at]), "too-few-points", told, [value], f"{least} or more")
            continue
        if kind is Kind.KEYPOINTS:
            seen = np.where(np.isnan(pairs).any(axis=1), 0.0, 2.0)
            points = np.column_stack([np.nan_to_num(pairs), seen])
        kept.append(at)
        found.append([points.ravel().tolist()])
    return np.array(kept, np.int64), found


def _masks(given: Given, rows: np.ndarray, size: np.ndarray, box: np.ndarray) -> _Pile:
    way = _way(given, Kind.MASK, rows)
    cells = given.text("mask")
    texts = [] if way is None or cells is None else cells.to_pylist()
    kept, found = [], []
    for at in np.flatnonzero(rows).tolist() if texts else []:
        text = texts[at]
        try:
            if text is None:
                raise ValueError("nothing")
            geometry, hull = mask_of(text, size[at].tolist())
        except ValueError as exc:
            expected = f"COCO's run lengths: {exc}"
            given.problems.add(
                np.array([at]), "not-a-mask", given.plan.told("mask"), [text or ""], expected
            )
            continue
        kept.append(at)
        found.append(geometry)
        box[at] = hull
    return _lists(found, np.array(kept, np.int64))


def _lists(found: Sequence[Sequence[Sequence[float]]], rows: np.ndarray) -> _Pile:
    lists = [numbers for one in found for numbers in one]
    lengths = np.array([len(numbers) for numbers in lists], np.int64)
    flat = np.concatenate([np.asarray(numbers, np.float64) for numbers in lists] or [np.zeros(0)])
    return _Pile(rows, np.array([len(one) for one in found], np.int64), lengths, flat)


def _geometry(piles: Sequence[_Pile], n: int) -> pa.Array:
    piles = [pile for pile in piles if len(pile.rows)]
    if not piles:
        return pa.nulls(n, columns.GEOMETRY)
    inner = pa.ListArray.from_arrays(
        _offsets(np.concatenate([pile.lengths for pile in piles])),
        pa.array(np.concatenate([pile.flat for pile in piles])),
    )
    outer = pa.ListArray.from_arrays(
        _offsets(np.concatenate([pile.n_lists for pile in piles])), inner
    )
    place = np.full(n, -1, np.int64)
    rows = np.concatenate([pile.rows for pile in piles])
    place[rows] = np.arange(len(rows))
    return outer.take(pa.array(place, mask=place < 0)).cast(columns.GEOMETRY)


def _offsets(lengths: np.ndarray) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
