"""Labels to rows of text, a block at a time: fractions with as many digits as they need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.calc.geometry import rotated_corners
from lineage.formats.yolo.rings import bridged
from lineage.terms import Kind

CARRIED: Mapping[str, tuple[Kind, ...]] = {
    "detect": (Kind.BOX, Kind.ROTATED_BOX, Kind.POLYGON, Kind.MASK, Kind.KEYPOINTS),
    "segment": (Kind.POLYGON, Kind.ROTATED_BOX, Kind.BOX),
    "obb": (Kind.ROTATED_BOX, Kind.BOX),
    "pose": (Kind.KEYPOINTS, Kind.BOX),
}
"""Kinds that a task has rows for, what is its own first; the others go in as what the trainer makes of them."""

_OWN = {
    "detect": Kind.BOX,
    "segment": Kind.POLYGON,
    "obb": Kind.ROTATED_BOX,
    "pose": Kind.KEYPOINTS,
}
_AS = {"detect": "box", "segment": "polygon", "obb": "rotated-box", "pose": "pose"}


@dataclass(frozen=True, slots=True)
class Written:
    """Rows of a block of labels.

    Parameters
    ----------
    text
        Strings of n: the row of each label, null where it is left out.
    hull
        ndarray of float64, shape (n, 4): the box that the trainer will see, centre and sides as
        fractions.
    losses
        What was left out or changed, counted.
    """

    text: pa.StringArray
    hull: np.ndarray
    losses: Counter[str]


class _Block:
    """Numbers of each row while they are gathered; rows that are left out have none."""

    def __init__(self, labels: pa.Table, size: np.ndarray) -> None:
        self.n = np.zeros(labels.num_rows, np.int64)
        self.parts: list[tuple[np.ndarray, np.ndarray]] = []
        self.losses: Counter[str] = Counter()
        self.box = np.stack([_floats(labels[name]) for name in columns.BOX], axis=1)
        self.size = size
        self.geometry = labels["geometry"].combine_chunks()
        self.hull = np.full((labels.num_rows, 4), np.nan)

    def put(self, at: np.ndarray, n: np.ndarray, numbers: np.ndarray) -> None:
        """Give the rows at some places their numbers, ``n`` each."""
        self.n[at] = n
        self.parts.append((at, numbers + 0.0))


def written(
    labels: pa.Table, size: np.ndarray, *, task: str, n_points: int, class_of: Mapping[str, int]
) -> Written:
    """Return the rows of labels.

    Parameters
    ----------
    labels
        `columns.DATASET`, n rows.
    size
        ndarray of float64, shape (n, 2): of each label's image, px; NaN where unknown.
    task
        What the set is for.
    n_points
        Key points of every row (``pose``).
    class_of
        Numbers by class.
    """
    kinds = np.asarray(labels["kind"].cast(pa.string()).combine_chunks().to_pylist(), object)
    block = _Block(labels, size)
    has_size = np.isfinite(size).all(axis=1)
    is_carried = np.isin(kinds, [kind.value for kind in CARRIED[task]])
    for kind, n in Counter(kinds[~is_carried].tolist()).items():
        block.losses[kind] += n
    block.losses["image-size-unknown"] += int((is_carried & ~has_size).sum())
    for kind in CARRIED[task]:
        at = np.flatnonzero((kinds == kind.value) & has_size)
        if len(at) == 0:
            continue
        before = int((block.n > 0).sum())
        _WRITERS[task, kind](block, at, n_points)
        if kind != _OWN[task]:
            name = f"{kind.value.replace('_', '-')}-as-{_AS[task]}"
            block.losses[name] += int((block.n > 0).sum()) - before
    codes = [class_of.get(name, -1) for name in labels["class"].cast(pa.string()).to_pylist()]
    return Written(_texts(block, np.array(codes, np.int64)), block.hull, block.losses)


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.combine_chunks().fill_null(float("nan")), np.float64)


def _texts(block: _Block, code: np.ndarray) -> pa.StringArray:
    n = block.n
    flat = np.empty(int(n.sum()))
    starts = np.cumsum(n) - n
    for at, numbers in block.parts:
        each = n[at]
        within = np.arange(len(numbers)) - np.repeat(np.cumsum(each) - each, each)
        flat[np.repeat(starts[at], each) + within] = numbers
    offsets = pa.array(np.concatenate([[0], np.cumsum(n)]).astype(np.int32))
    lists = pa.ListArray.from_arrays(offsets, pa.array(flat).cast(pa.string()))
    rows = pc.binary_join(lists, " ")
    first = pa.array(code).cast(pa.string())
    return pc.if_else(pa.array(n > 0), pc.binary_join_element_wise(first, rows, " "), None)


def _upright(block: _Block, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows whose hull the trainer takes, cut to the image where it must be, and the hulls.

    Notes
    -----
    The trainer's loader drops an *image* with all its labels where a centre or a side of one label
    leaves 0 to 1; so what hangs that far over the edge is cut, and what lies outside is left out.
    """
    is_finite = np.isfinite(block.box[at]).all(axis=1)
    block.losses["geometry"] += int((~is_finite).sum())
    at = at[is_finite]
    corners, size = block.box[at], block.size[at]
    is_fit = _fits(_hull(corners, size))
    cut = np.clip(corners[~is_fit], 0, np.tile(size[~is_fit], 2))
    has_area = (cut[:, 2] > cut[:, 0]) & (cut[:, 3] > cut[:, 1])
    corners[~is_fit] = cut
    is_kept = is_fit.copy()
    is_kept[~is_fit] = has_area
    block.losses["outside-image"] += int((~is_kept).sum())
    block.losses["cut-to-image"] += int((is_kept & ~is_fit).sum())
    at, corners = at[is_kept], corners[is_kept]
    block.hull[at] = _hull(corners, block.size[at])
    return at, corners / np.tile(block.size[at], 2)


def _hull(corners: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return centres and sides as fractions, of boxes in px."""
    low, high = corners[:, :2], corners[:, 2:]
    return np.concatenate([(low + high) / 2 / size, (high - low) / size], axis=1)


def _fits(hull: np.ndarray) -> np.ndarray:
    return np.asarray(((hull >= 0) & (hull <= 1)).all(axis=1))


def _box(block: _Block, at: np.ndarray, n_points: int) -> None:
    at, _ = _upright(block, at)
    block.put(at, np.full(len(at), 4), block.hull[at].ravel())


def _box_as_corners(block: _Block, at: np.ndarray, n_points: int) -> None:
    at, corners = _upright(block, at)
    block.put(at, np.full(len(at), 8), corners[:, [0, 1, 2, 1, 2, 3, 0, 3]].ravel())


def _rotated(block: _Block, at: np.ndarray, n_points: int) -> None:
    """Write the corners, turned in px: fractions of an image that is not square have other angles."""
    lists = block.geometry.take(pa.array(at))
    n_lists = np.asarray(lists.value_lengths().fill_null(0)).astype(np.int64)
    lengths = np.asarray(lists.flatten().value_lengths().fill_null(0)).astype(np.int64)
    is_five = np.asarray(n_lists == 1)
    is_five[is_five] = lengths[(np.cumsum(n_lists) - 1)[is_five]] == 5
    block.losses["geometry"] += int((~is_five).sum())
    at = at[is_five]
    values = np.asarray(block.geometry.take(pa.array(at)).flatten().flatten()).reshape(-1, 5)
    corners = rotated_corners(*values.T)
    low, high = corners.min(axis=1, initial=np.inf), corners.max(axis=1, initial=-np.inf)
    hull = _hull(np.concatenate([low, high], axis=1), block.size[at])
    is_fit = _fits(hull)
    block.losses["outside-image"] += int((~is_fit).sum())
    at = at[is_fit]
    block.hull[at] = hull[is_fit]
    fractions = corners[is_fit] / block.size[at][:, None, :]
    block.put(at, np.full(len(at), 8), fractions.ravel())


def _polygon(block: _Block, at: np.ndarray, n_points: int) -> None:
    found = bridged(block.geometry.take(pa.array(at)))
    block.losses["geometry"] += int((~found.is_good).sum())
    block.losses["polygon-parts"] += found.n_joined
    at, n = at[found.is_good], found.n_numbers
    if len(at) == 0:
        return
    owner = np.repeat(np.arange(len(at)), n)
    starts = np.cumsum(n) - n
    side = block.size[at][owner, (np.arange(len(owner)) - starts[owner]) % 2]
    flat = found.numbers
    is_fit = _fits(_hull(_ring_hulls(flat, starts), block.size[at]))
    flat = np.where(is_fit[owner], flat, np.clip(flat, 0, side))
    hull = _hull(_ring_hulls(flat, starts), block.size[at])
    is_kept = is_fit | (hull[:, 2:] > 0).all(axis=1)
    block.losses["outside-image"] += int((~is_kept).sum())
    block.losses["cut-to-image"] += int((is_kept & ~is_fit).sum())
    block.hull[at[is_kept]] = hull[is_kept]
    block.put(at[is_kept], n[is_kept], (flat / side)[is_kept[owner]])


def _ring_hulls(flat: np.ndarray, starts: np.ndarray) -> np.ndarray:
    low, high = np.minimum.reduceat, np.maximum.reduceat
    sides = [pick(flat[axis::2], starts // 2) for pick in (low, high) for axis in (0, 1)]
    return np.stack(sides, axis=1)


def _box_as_pose(block: _Block, at: np.ndarray, n_points: int) -> None:
    at, _ = _upright(block, at)
    numbers = np.concatenate([block.hull[at], np.zeros((len(at), 3 * n_points))], axis=1)
    block.put(at, np.full(len(at), 4 + 3 * n_points), numbers.ravel())


def _keypoints(block: _Block, at: np.ndarray, n_points: int) -> None:
    at, _ = _upright(block, at)
    lists = block.geometry.take(pa.array(at))
    is_one = np.asarray(pc.equal(lists.value_lengths().fill_null(0), 1))
    n = np.zeros(len(at), np.int64)
    inner = lists.filter(pa.array(is_one)).flatten()
    n[is_one] = np.asarray(inner.value_lengths().fill_null(0))
    is_good = is_one & (n > 0) & (n % 3 == 0) & (n <= 3 * n_points)
    block.losses["geometry"] += int((~is_good).sum())
    at, n = at[is_good], n[is_good]
    flat = np.asarray(block.geometry.take(pa.array(at)).flatten().flatten(), np.float64)
    padded = np.zeros((len(at), 3 * n_points))
    padded[np.arange(3 * n_points) < n[:, None]] = flat
    points = padded.reshape(len(at), n_points, 3)
    points[:, :, :2] /= block.size[at][:, None, :]
    is_there = points[:, :, 2] > 0
    place = points[:, :, :2]
    is_out = is_there & ~((place >= 0) & (place <= 1)).all(axis=2)
    block.losses["keypoints-outside-image"] += int(is_out.any(axis=1).sum())
    block.losses["keypoints-padded"] += int((n < 3 * n_points).sum())
    points[~is_there | is_out] = 0.0
    numbers = np.concatenate([block.hull[at], points.reshape(len(at), 3 * n_points)], axis=1)
    block.put(at, np.full(len(at), numbers.shape[1]), numbers.ravel())


_WRITERS = {
    **{("detect", kind): _box for kind in CARRIED["detect"]},
    ("segment", Kind.POLYGON): _polygon,
    ("segment", Kind.ROTATED_BOX): _rotated,
    ("segment", Kind.BOX): _box_as_corners,
    ("obb", Kind.ROTATED_BOX): _rotated,
    ("obb", Kind.BOX): _box_as_corners,
    ("pose", Kind.KEYPOINTS): _keypoints,
    ("pose", Kind.BOX): _box_as_pose,
}
