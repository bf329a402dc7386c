"""What a row means: the format never says, and nine columns may be an oriented box or a polygon."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lineage.errors import BadInput
from lineage.formats import TASKS
from lineage.formats.yolo.numbers import Rows
from lineage.formats.yolo.quads import is_rectangle, is_turned

BOX, POLYGON, ROTATED, KEYPOINTS = range(4)
NONE = -1

_QUADS = (9, 10)
_RECTANGLES_FRACTION = 0.9


@dataclass(frozen=True, slots=True)
class Task:
    """How the rows of a folder are to be read.

    Parameters
    ----------
    word
        One of `formats.TASKS`; None: each row by its number of columns, and none has nine.
    is_declared
        Somebody said so: then a row of another task is refused, not read as what it looks like.
    kpt_shape
        Number of key points, numbers for each.
    reason
        Who said so, or what it was told by.
    """

    word: str | None
    is_declared: bool
    kpt_shape: tuple[int, int] | None
    reason: str

    @property
    def is_open(self) -> bool:
        """Whether rows of nine columns need a look at the whole folder."""
        return self.word is None


@dataclass(frozen=True, slots=True)
class Meaning:
    """What rows are.

    Parameters
    ----------
    role
        ndarray of int8, shape (n,): `BOX`, `POLYGON`, `ROTATED`, `KEYPOINTS`, or `NONE`.
    has_score
        ndarray of bool, shape (n,): the last column is a confidence.
    is_mixed
        ndarray of bool, shape (n,): `NONE` because the file holds rows of another task.
    expected
        What a row of `NONE` should have been.
    """

    role: np.ndarray
    has_score: np.ndarray
    is_mixed: np.ndarray
    expected: str


def task_of(asked: str, declared: str | None, *, kpt_shape: tuple[int, int] | None) -> Task:
    """Return the task as far as it is known before a row is read.

    Raises
    ------
    BadInput
        ``task``: another word; ``yolo-task``: key points without ``kpt_shape``.
    """
    if asked not in TASKS:
        raise BadInput("task", f"task {asked!r}, expected one of {', '.join(TASKS)}")
    word, reason = (asked, "as asked") if asked != "auto" else (declared, "declared")
    if word == "pose" and kpt_shape is None:
        raise BadInput(
            "yolo-task",
            "rows of key points, and no kpt_shape says how many, expected it in data.yaml",
            hint="add kpt_shape: [17, 3] (number of points; 2 or 3 numbers each) to data.yaml",
        )
    if word is not None:
        return Task(word, True, kpt_shape, reason)
    if kpt_shape is not None:
        return Task("pose", False, kpt_shape, "kpt_shape is declared")
    return Task(None, False, None, "")


def has_quads(rows: Rows) -> bool:
    """Tell whether any row has the columns of four points."""
    return bool(np.isin(rows.n_columns, _QUADS).any())


def meaning(rows: Rows, task: Task) -> Meaning:
    """Return what each row is; rows of nine columns are polygons while the task is open."""
    n = rows.n_columns
    role = np.full(len(rows), NONE, np.int8)
    has_score = np.zeros(len(rows), bool)
    is_box, is_quad = (n == 5) | (n == 6), np.isin(n, _QUADS)
    is_ring = n >= 7
    expected = "class, four numbers of a box, or three points and more"
    if task.word == "pose" and task.kpt_shape is not None:
        n_full = 5 + task.kpt_shape[0] * task.kpt_shape[1]
        is_pose = (n == n_full) | (n == n_full + 1)
        role[is_pose], has_score[n == n_full + 1] = KEYPOINTS, True
        expected = f"{n_full} columns: class, box, {task.kpt_shape[0]} points"
        is_box &= ~is_pose & (not task.is_declared)
    elif task.word == "obb":
        role[is_quad], has_score[n == 10] = ROTATED, True
        expected = "9 columns: class, four corners"
        is_box &= not task.is_declared
    elif task.word == "detect":
        expected = "5 columns: class, x, y, width, height"
    else:
        role[is_ring], has_score[is_ring & (n % 2 == 0)] = POLYGON, True
        if task.is_declared:
            is_box[:] = False
            expected = "7 columns or more: class, three points or more"
    role[is_box], has_score[is_box & (n == 6)] = BOX, True
    is_mixed = _mixed(rows, role)
    role[is_mixed] = NONE
    return Meaning(role, has_score, is_mixed, expected)


def _mixed(rows: Rows, role: np.ndarray) -> np.ndarray:
    """Return the boxes of files with longer rows: there, five columns may be two points as well."""
    longer = np.unique(rows.file[role > BOX])
    return (role == BOX) & np.isin(rows.file, longer)


@dataclass(slots=True)
class _Evidence:
    n_quads: int = 0
    n_sized: int = 0
    n_rectangles: int = 0
    n_turned: int = 0


def decided(pieces: Iterable[tuple[Rows, np.ndarray]], where: str) -> Task:
    """Tell oriented boxes from polygons of four points, by all rows of a folder.

    Parameters
    ----------
    pieces
        Rows with the size of the image of each, ndarray of float64, shape (n, 2), px; NaN where
        unknown.
    where
        The folder, for the message.

    Raises
    ------
    BadInput
        ``yolo-task``: nothing tells them apart.

    Notes
    -----
    Polygons with another number of points decide for polygons. Else nine in ten of the quadrilaterals
    must be exact rectangles in px, and at least one of them turned: no hand draws that, while tools
    that rotate boxes write nothing else. Upright rectangles alone, or ragged ones alone, may be either.
    """
    seen = _Evidence()
    for rows, size in pieces:
        if (rows.n_columns >= 7).any() and not np.isin(
            rows.n_columns[rows.n_columns >= 7], _QUADS
        ).all():
            return Task("segment", False, None, "rows have various numbers of points")
        _look(rows, size, seen)
    if seen.n_sized == 0:
        # without a size no row becomes a label, so nothing hangs on it
        return Task("segment", False, None, "no image's size is known")
    told = (
        f"of {seen.n_quads:,} rows with four points {seen.n_rectangles:,} are exact rectangles, "
        f"{seen.n_turned:,} of them turned"
    )
    if seen.n_turned and seen.n_rectangles >= _RECTANGLES_FRACTION * seen.n_sized:
        return Task("obb", False, None, told)
    raise BadInput(
        "yolo-task",
        f"oriented boxes and polygons of four points look alike: {told}, expected a task",
        hint="say which: --task obb or --task segment (or task: in data.yaml)",
        where=where,
    )


def _look(rows: Rows, size: np.ndarray, seen: _Evidence) -> None:
    at = np.flatnonzero(np.isin(rows.n_columns, _QUADS))
    seen.n_quads += len(at)
    corners = rows.values[rows.first[at][:, None] + 1 + np.arange(8)].reshape(-1, 4, 2)
    # NaN is in no range
    is_usable = (np.abs(corners) <= 2).all(axis=(1, 2)) & np.isfinite(size[at]).all(axis=1)
    corners, size = corners[is_usable] * size[at][is_usable][:, None, :], size[at][is_usable]
    is_exact = is_rectangle(corners, size, is_exact=True)
    seen.n_sized += len(corners)
    seen.n_rectangles += int(is_exact.sum())
    seen.n_turned += int((is_exact & is_turned(corners, size)).sum())
