"""COCO's geometry, a chunk at a time: each kind's numbers in one flat array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import cast

import msgspec
import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.formats.coco import rle
from lineage.formats.coco.elements import Plain, Rle
from lineage.terms import Kind

_BBOX_TOLERANCE_PX = 1.0
_MAX_MASK_PX = 1 << 28
_KINDS = (Kind.BOX, Kind.POLYGON, Kind.MASK, Kind.KEYPOINTS)
_BOX, _POLYGON, _MASK, _KEYPOINTS = range(4)


@dataclass(frozen=True, slots=True)
class Refused:
    """A geometry that cannot become a row; ``row`` is its position among those asked about."""

    row: int
    rule: str
    path: str
    value: object
    expected: str


@dataclass(frozen=True, slots=True)
class Shapes:
    """Geometry of the annotations that have one that can be read.

    Parameters
    ----------
    rows
        ndarray of int64: positions of those annotations among the ones asked about, rising.
    kind, geometry
        Their columns.
    box
        ndarray of float64, shape (n, 4): corners of the hull, px.
    extra
        By position: what else the file says of a geometry.
    refused
        The others.
    """

    rows: np.ndarray
    kind: pa.DictionaryArray
    box: np.ndarray
    geometry: pa.Array
    extra: dict[int, dict[str, object]]
    refused: list[Refused]


@dataclass(slots=True)
class _Pile:
    """Labels of one kind: ``n_lists`` number lists each, these of ``lengths``, all in ``flat``."""

    rows: np.ndarray
    box: np.ndarray
    n_lists: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    lengths: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    flat: np.ndarray = field(default_factory=lambda: np.zeros(0))


def shapes(annotations: Sequence[Plain], size: np.ndarray) -> Shapes:
    """Read the geometry of annotations.

    Parameters
    ----------
    annotations
        n of them.
    size
        ndarray of float64, shape (n, 2): width and height of each one's image, px; NaN where
        unknown.
    """
    code = _codes(annotations)
    refused: list[Refused] = []
    piles = [
        pile(annotations, np.flatnonzero(code == at), refused)
        for at, pile in enumerate((_boxes, _polygons))
    ]
    piles.append(_masks(annotations, np.flatnonzero(code == _MASK), size, refused))
    piles.append(_keypoints(annotations, np.flatnonzero(code == _KEYPOINTS), refused))
    rows = np.concatenate([pile.rows for pile in piles])
    box = np.concatenate([pile.box for pile in piles])
    order = np.argsort(rows, kind="stable")
    kept = _finite(annotations, rows[order], box[order], code, refused)
    order = order[kept]
    rows, box = rows[order], box[order]
    dictionary = pa.array([kind.value for kind in _KINDS], pa.string())
    kind = pa.DictionaryArray.from_arrays(pa.array(code[rows].astype(np.int32)), dictionary)
    extra = _extra(annotations, rows, box, code[rows])
    return Shapes(rows, kind, box, _geometry(piles, order), extra, refused)


def _codes(annotations: Sequence[Plain]) -> np.ndarray:
    segmentations = [a.segmentation for a in annotations]
    points = [a.keypoints for a in annotations]
    if not any(segmentations) and not any(points):
        return np.zeros(len(annotations), np.int64)
    return np.array([_code(s, p) for s, p in zip(segmentations, points, strict=True)], np.int64)


def _code(segmentation: list[list[float]] | Rle | None, points: list[float] | None) -> int:
    if points and any(v > 0 for v in points[2::3]):
        return _KEYPOINTS
    if isinstance(segmentation, Rle):
        return _MASK
    return _POLYGON if segmentation and any(segmentation) else _BOX


def _boxes(annotations: Sequence[Plain], rows: np.ndarray, refused: list[Refused]) -> _Pile:
    found = [annotations[at].bbox for at in rows.tolist()]
    good = np.fromiter((b is not None and len(b) == 4 for b in found), bool, len(found))
    for at in np.flatnonzero(~good).tolist():
        expected = "[x, y, width, height], or a segmentation"
        refused.append(Refused(int(rows[at]), "geometry", "/bbox", found[at], expected))
    return _Pile(rows[good], _corners([b for b in found if b is not None and len(b) == 4]))


def _corners(boxes: list[list[float]]) -> np.ndarray:
    box = np.fromiter(chain.from_iterable(boxes), np.float64, 4 * len(boxes)).reshape(-1, 4)
    # a corner that overflows is refused with those that are not finite to begin with
    with np.errstate(over="ignore", invalid="ignore"):
        box[:, 2:] += box[:, :2]
    return box


def _polygons(annotations: Sequence[Plain], rows: np.ndarray, refused: list[Refused]) -> _Pile:
    found = [cast(list[list[float]], annotations[at].segmentation) for at in rows.tolist()]
    n_lists = np.fromiter(map(len, found), np.int64, len(found))
    rings = list(chain.from_iterable(found))
    lengths = np.fromiter(map(len, rings), np.int64, len(rings))
    is_bad = (lengths < 6) | (lengths % 2 == 1)
    if is_bad.any():
        owner = np.repeat(np.arange(len(rows)), n_lists)
        first = np.cumsum(n_lists) - n_lists
        bad, at = np.unique(owner[is_bad], return_index=True)
        for label, ring in zip(bad.tolist(), np.flatnonzero(is_bad)[at].tolist(), strict=True):
            path = f"/segmentation/{ring - first[label]}"
            value, expected = f"{lengths[ring]} numbers", "three points or more, x and y of each"
            refused.append(Refused(int(rows[label]), "geometry", path, value, expected))
        return _polygons(annotations, np.delete(rows, bad), refused)
    flat = np.fromiter(chain.from_iterable(rings), np.float64, int(lengths.sum()))
    return _Pile(
        rows, _hulls(flat[0::2], flat[1::2], _sums(lengths, n_lists) // 2), n_lists, lengths, flat
    )


def _sums(values: np.ndarray, n_each: np.ndarray) -> np.ndarray:
    total = np.concatenate([[0], np.cumsum(values)])
    ends = np.cumsum(n_each)
    found: np.ndarray = total[ends] - total[ends - n_each]
    return found


def _hulls(x: np.ndarray, y: np.ndarray, n_points: np.ndarray) -> np.ndarray:
    if len(n_points) == 0:
        return np.zeros((0, 4))
    starts = np.cumsum(n_points) - n_points
    low, high = np.minimum.reduceat, np.maximum.reduceat
    return np.stack([low(x, starts), low(y, starts), high(x, starts), high(y, starts)], axis=1)


def _masks(
    annotations: Sequence[Plain], rows: np.ndarray, size: np.ndarray, refused: list[Refused]
) -> _Pile:
    kept, boxes, parts = [], [], []
    for row in rows.tolist():
        found = _mask(cast(Rle, annotations[row].segmentation), size[row], row)
        if isinstance(found, Refused):
            refused.append(found)
            continue
        kept.append(row)
        boxes.append(found[0])
        parts.append(found[1])
    n = len(kept)
    lengths = np.array([[2, len(part) - 2] for part in parts], np.int64).ravel()
    flat = np.concatenate(parts) if parts else np.zeros(0)
    box = np.array(boxes, np.float64).reshape(-1, 4)
    return _Pile(np.array(kept, np.int64), box, np.full(n, 2), lengths, flat)


def _mask(mask: Rle, size: np.ndarray, row: int) -> tuple[tuple[float, ...], np.ndarray] | Refused:
    height, width = mask.size
    path, told = "/segmentation/size", f"{height} x {width}"
    if not np.isnan(size).any() and (size[1], size[0]) != (height, width):
        expected = f"the image's {size[1]:g} x {size[0]:g}"
        return Refused(row, "geometry", path, told, expected)
    if height <= 0 or width <= 0 or height * width > _MAX_MASK_PX:
        return Refused(row, "geometry", path, told, "the size of an image")
    path, expected = "/segmentation/counts", "run lengths that fill the image"
    try:
        runs = rle.counts_of(mask.counts, height, width)
    except (ValueError, OverflowError) as exc:
        return Refused(row, "geometry", path, str(exc), expected)
    hull = rle.hull(runs, height)
    if hull is None:
        return Refused(row, "geometry", path, "no pixel", "a mask with an area")
    return hull, np.concatenate([[height, width], runs]).astype(np.float64)


def _keypoints(annotations: Sequence[Plain], rows: np.ndarray, refused: list[Refused]) -> _Pile:
    found = [cast(list[float], annotations[at].keypoints) for at in rows.tolist()]
    lengths = np.fromiter(map(len, found), np.int64, len(found))
    is_bad = lengths % 3 != 0
    for at in np.flatnonzero(is_bad).tolist():
        value, expected = f"{lengths[at]} numbers", "x, y, v for every point"
        refused.append(Refused(int(rows[at]), "geometry", "/keypoints", value, expected))
    rows, lengths = rows[~is_bad], lengths[~is_bad]
    chosen = (points for points, bad in zip(found, is_bad, strict=True) if not bad)
    flat = np.fromiter(chain.from_iterable(chosen), np.float64, int(lengths.sum()))
    x, y, is_seen = flat[0::3], flat[1::3], flat[2::3] > 0
    owner = np.repeat(np.arange(len(rows)), lengths // 3)
    box = _hulls(x[is_seen], y[is_seen], np.bincount(owner[is_seen], minlength=len(rows)))
    return _Pile(rows, box, np.ones(len(rows), np.int64), lengths, flat)


def _finite(
    annotations: Sequence[Plain],
    rows: np.ndarray,
    box: np.ndarray,
    code: np.ndarray,
    refused: list[Refused],
) -> np.ndarray:
    is_finite: np.ndarray = np.isfinite(box).all(axis=1)
    names = ("bbox", "segmentation", "segmentation", "keypoints")
    for row in rows[~is_finite].tolist():
        name = names[code[row]]
        value = getattr(annotations[row], name)
        refused.append(Refused(row, "not-finite", f"/{name}", value, "finite numbers"))
    return is_finite


def _geometry(piles: Sequence[_Pile], order: np.ndarray) -> pa.Array:
    n_boxes = len(piles[_BOX].rows)
    if n_boxes == sum(len(pile.rows) for pile in piles):
        return pa.nulls(len(order), columns.GEOMETRY)
    lengths = np.concatenate([pile.lengths for pile in piles])
    n_lists = np.concatenate([np.zeros(n_boxes, np.int64), *(pile.n_lists for pile in piles[1:])])
    inner = pa.ListArray.from_arrays(
        _offsets(lengths), pa.array(np.concatenate([pile.flat for pile in piles]))
    )
    is_null = pa.array(np.arange(len(n_lists)) < n_boxes)
    outer = pa.ListArray.from_arrays(_offsets(n_lists), inner, mask=is_null)
    return outer.take(pa.array(order)).cast(columns.GEOMETRY)


def _offsets(lengths: np.ndarray) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))


def _extra(
    annotations: Sequence[Plain], rows: np.ndarray, hull: np.ndarray, code: np.ndarray
) -> dict[int, dict[str, object]]:
    """Keep a box that its own outline contradicts, an outline beside key points, unseen points."""
    extra: dict[int, dict[str, object]] = {}
    at = np.flatnonzero(code != _BOX)
    chosen = [annotations[row] for row in rows[at].tolist()]
    has_box = np.fromiter(
        (a.bbox is not None and len(a.bbox) == 4 for a in chosen), bool, len(chosen)
    )
    given = _corners([a.bbox for a in chosen if a.bbox is not None and len(a.bbox) == 4])
    # a NaN in the box counts as a contradiction
    with np.errstate(over="ignore", invalid="ignore"):
        off = np.abs(given - hull[at[has_box]]).max(axis=1, initial=0.0)
    is_near = off <= _BBOX_TOLERANCE_PX
    is_told = ~is_near | (code[at[has_box]] == _KEYPOINTS)
    for row in rows[at[has_box][is_told]].tolist():
        extra[row] = {"bbox": annotations[row].bbox}
    for row in rows[code == _KEYPOINTS].tolist():
        if annotations[row].segmentation:
            kept = msgspec.to_builtins(annotations[row].segmentation)
            extra.setdefault(row, {})["segmentation"] = kept
    if any(a.keypoints for a in annotations):
        for row in rows[code != _KEYPOINTS].tolist():
            if any(annotations[row].keypoints or ()):
                extra.setdefault(row, {})["keypoints"] = annotations[row].keypoints
    return extra
