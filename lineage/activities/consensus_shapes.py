"""The place that several opinions on one object agree on, kind by kind.

Boxes: the median of each side. Turned boxes: the median of their nearest
spellings. Masks: the pixels that at least half show. Key points: geometric
medians, visibility by majority. Polygons and polylines: the one that is most
like all others, because it is an outline that somebody drew, with its parts and
corners, and no staircase of pixels. Nothing depends on the order in which
opinions came in: where two are as good, the larger is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities.opinions import Labels
from lineage.calc import consensus
from lineage.calc.geometry import rotated_corners
from lineage.formats.coco import rle
from lineage.identity import row_hashes
from lineage.terms import Kind

_N_VISIBILITIES = 3
_N_STEPS = 32

Place = tuple[np.ndarray, pa.Array | None]
"""Boxes, shape (n_units, 4), px, and geometry; None where the boxes say it all."""


def fused(
    labels: Labels, unit: np.ndarray, likeness: np.ndarray, n_units: int, kinds: Sequence[str]
) -> tuple[np.ndarray, pa.Array]:
    """Return one box and one geometry for each unit.

    Parameters
    ----------
    labels
        Opinions; all those of a unit are of one kind.
    unit
        ndarray of int64, shape (n,).
    likeness
        ndarray of float64, shape (n,): how much each overlaps the others of its unit, added up.
    n_units
        How many units there are; one without a label has no place.
    kinds
        What the codes of kinds stand for.

    Returns
    -------
    tuple
        ndarray of float64, shape (n_units, 4), px, NaN for no place; `columns.GEOMETRY` of n_units.
    """
    box = np.full((n_units, 4), np.nan)
    owners, parts = [np.zeros(0, np.int64)], [pa.array([], columns.GEOMETRY)]
    for code, kind in enumerate(kinds):
        rows = np.flatnonzero(labels.kind == code)
        if len(rows) == 0 or kind == Kind.CLASS:
            continue
        rows = rows[_canonical(labels, rows, unit)]
        of, at = np.unique(unit[rows], return_inverse=True)
        box[of], geometry = _FUSERS[Kind(kind)](labels.take(rows), at, likeness[rows])
        if geometry is not None:
            owners.append(of)
            parts.append(geometry)
    where = np.full(n_units, -1, np.int64)
    owner = np.concatenate(owners)
    where[owner] = np.arange(len(owner))
    return box, pa.concat_arrays(parts).take(pa.array(where, mask=where < 0))


def line_overlap(labels: Labels, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return how alike polylines are pair by pair, in (0, 1]: 1 for the same way, in either direction.

    Parameters
    ----------
    labels
        The labels.
    a, b
        ndarrays of int64, shape (n,): rows of polylines.

    Notes
    -----
    ``1 / (1 + d / s)``, with d the mean distance of places at equal shares of the way, s a tenth of the
    greater hull's diagonal. Hulls of lines overlap however the lines run.
    """
    used, at = np.unique(np.concatenate([a, b]), return_inverse=True)
    way = np.array([_steps(shape) for shape in labels.geometry.take(pa.array(used)).to_pylist()])
    way = way.reshape(-1, _N_STEPS, 2)
    one, other = way[at[: len(a)]], way[at[len(a) :]]
    apart = np.minimum(
        *(
            np.sqrt(((one - turned) ** 2).sum(axis=2)).mean(axis=1)
            for turned in (other, other[:, ::-1])
        )
    )
    diagonal = np.hypot(*(labels.box[:, 2:] - labels.box[:, :2]).T)
    scale = np.maximum(np.maximum(diagonal[a], diagonal[b]) / 10, 1e-9)
    found: np.ndarray = 1 / (1 + apart / scale)
    return found


def _steps(shape: Sequence[Sequence[float]]) -> np.ndarray:
    """Return places at equal shares of a line's way, its parts joined."""
    points = np.concatenate([np.asarray(part, float).reshape(-1, 2) for part in shape])
    done = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    asked = np.linspace(0, done[-1], _N_STEPS)
    return np.stack([np.interp(asked, done, points[:, side]) for side in (0, 1)], axis=1)


def _canonical(labels: Labels, rows: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Return an order of rows by unit, then by what they hold: the larger first, ties by content."""
    box = labels.box[rows]
    area = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
    schema = pa.schema([pa.field("geometry", columns.GEOMETRY)])
    geometry = labels.geometry.take(pa.array(rows))
    content = row_hashes(pa.RecordBatch.from_arrays([geometry], schema=schema))
    return np.lexsort((content, box[:, 3], box[:, 2], box[:, 1], box[:, 0], -area, unit[rows]))


def _box(labels: Labels, unit: np.ndarray, _: np.ndarray) -> Place:
    return consensus.median_boxes(unit, labels.box), None


def _rotated(labels: Labels, unit: np.ndarray, _: np.ndarray) -> Place:
    turned = np.array([shape[0] for shape in labels.geometry.to_pylist()], float)
    found = consensus.median_rotated(unit, turned)
    corners = rotated_corners(*found.T)
    hull = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    return hull, pa.array([[row] for row in found.tolist()], columns.GEOMETRY)


def _nearest(labels: Labels, unit: np.ndarray, likeness: np.ndarray) -> Place:
    """Return of each unit the member that is most like all others, the larger of two as good."""
    order = np.lexsort((np.arange(len(unit)), -np.round(likeness, 9), unit))
    chosen = order[np.flatnonzero(np.diff(unit[order], prepend=-1))]
    return labels.box[chosen], labels.geometry.take(pa.array(chosen))


def _mask(labels: Labels, unit: np.ndarray, _: np.ndarray) -> Place:
    shapes = labels.geometry.to_pylist()
    sizes = _codes([tuple(shape[0]) for shape in shapes])
    kept = _of_one_form(unit, sizes)
    runs = [np.asarray(shapes[row][1], np.int64) for row in kept.tolist()]
    found = consensus.majority_runs(unit[kept], runs)
    first = kept[np.flatnonzero(np.diff(unit[kept], prepend=-1))]
    size = [shapes[row][0] for row in first.tolist()]
    # at least half show a pixel where they overlap at all; the others fall back to the largest
    box = labels.box[first].copy()
    for at, own in enumerate(found):
        hull = rle.hull(own, int(size[at][0]))
        if hull is None:
            found[at] = np.asarray(shapes[first[at]][1], np.int64)
        else:
            box[at] = hull
    geometry = [[own_size, own.tolist()] for own_size, own in zip(size, found, strict=True)]
    return box, pa.array(geometry, columns.GEOMETRY)


def _keypoints(labels: Labels, unit: np.ndarray, _: np.ndarray) -> Place:
    shapes = [np.asarray(shape[0], float).reshape(-1, 3) for shape in labels.geometry.to_pylist()]
    kept = _of_one_form(unit, np.array([len(shape) for shape in shapes]))
    bounds = np.flatnonzero(np.diff(unit[kept])) + 1
    boxes, geometry = [], []
    for rows in np.split(kept, bounds):
        points = np.stack([shapes[row] for row in rows.tolist()])
        told = np.stack([(points[:, :, 2] == v).sum(axis=0) for v in range(_N_VISIBILITIES)])
        # of two as frequent the one that shows more
        seen = _N_VISIBILITIES - 1 - told[::-1].argmax(axis=0)
        place = consensus.geometric_medians(points[:, :, :2], points[:, :, 2] > 0)
        place[seen == 0] = 0
        there = place[seen > 0]
        if len(there):
            boxes.append(np.concatenate([there.min(axis=0), there.max(axis=0)]))
        else:
            boxes.append(np.median(labels.box[rows], axis=0))
        geometry.append([np.column_stack([place, seen]).ravel().tolist()])
    return np.array(boxes), pa.array(geometry, columns.GEOMETRY)


def _of_one_form(unit: np.ndarray, form: np.ndarray) -> np.ndarray:
    """Return the rows that have the most frequent form of their unit, the first of two as frequent."""
    key = unit * np.int64(int(form.max(initial=0)) + 1) + form
    _, first, code, n = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -n, unit[first]))
    best = order[np.flatnonzero(np.diff(unit[first][order], prepend=-1))]
    return np.flatnonzero(np.isin(code, best))


def _codes(values: Sequence[tuple[float, ...]]) -> np.ndarray:
    number: dict[tuple[float, ...], int] = {}
    return np.array([number.setdefault(value, len(number)) for value in values], np.int64)


_FUSERS: Mapping[Kind, Callable[[Labels, np.ndarray, np.ndarray], Place]] = {
    Kind.BOX: _box,
    Kind.ROTATED_BOX: _rotated,
    Kind.POLYGON: _nearest,
    Kind.POLYLINE: _nearest,
    Kind.MASK: _mask,
    Kind.KEYPOINTS: _keypoints,
}
