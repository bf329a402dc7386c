"""Masks: CVAT's run lengths go row by row through a window, ours column by column through the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MAX_MASK_PX = 1 << 28


@dataclass(frozen=True, slots=True)
class Window:
    """Where in its image a mask lies, px."""

    left: int
    top: int
    width: int
    height: int


def runs_from_window(
    runs: Sequence[int], window: Window, *, height: int, width: int
) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """Return run lengths over an image, and the mask's half-open box.

    Parameters
    ----------
    runs
        Row by row within ``window``, background first.
    window
        The mask's place.
    height, width
        Of the image, px.

    Returns
    -------
    runs : ndarray of int64
        Column by column through the whole image, background first.
    box : tuple
        ``(x_min, y_min, x_max, y_max)``, px.

    Raises
    ------
    ValueError
        The window leaves the image, the runs do not fill the window, or no pixel is set.
    """
    n_pixels = window.width * window.height
    if not (0 < n_pixels <= MAX_MASK_PX and min(window.width, window.left + 1, window.top + 1) > 0):
        raise ValueError(
            f"a window of {window.width} x {window.height} at {window.left}, {window.top}"
        )
    if window.left + window.width > width or window.top + window.height > height:
        raise ValueError("the window leaves the image")
    if min(runs, default=0) < 0 or sum(runs) != n_pixels:
        raise ValueError(f"runs sum to {sum(runs)}, the window has {n_pixels} pixels")
    bits = np.repeat(np.arange(len(runs)) % 2 == 1, np.asarray(runs, np.int64))
    bits = np.ascontiguousarray(bits.reshape(window.height, window.width).T)
    if not bits.any():
        raise ValueError("no pixel is set")
    # a background row below each column keeps a run from reaching into the next column
    fenced = np.zeros((window.width, window.height + 2), np.int8)
    fenced[:, 1:-1] = bits
    step = np.diff(fenced, axis=1)
    column, start = np.nonzero(step == 1)
    stop = np.nonzero(step == -1)[1]
    offset = (window.left + column) * height + window.top
    box = (
        float(window.left + column.min()),
        float(window.top + start.min()),
        float(window.left + column.max() + 1),
        float(window.top + stop.max()),
    )
    return _runs(offset + start, offset + stop, height * width), box


def window_from_runs(runs: Sequence[float], *, height: int, width: int) -> tuple[list[int], Window]:
    """Return run lengths row by row within the smallest window that holds a mask, and that window.

    Raises
    ------
    ValueError
        The runs do not fill the image, or no pixel is set.
    """
    lengths = np.asarray(runs, np.float64).astype(np.int64)
    if height * width > MAX_MASK_PX or (lengths < 0).any() or int(lengths.sum()) != height * width:
        raise ValueError(f"runs sum to {int(lengths.sum())}, the image has {height * width} pixels")
    ends = np.cumsum(lengths)
    start, stop = ends[0::2][: len(lengths) // 2], ends[1::2]
    start, stop = start[stop > start], stop[stop > start]
    if len(start) == 0:
        raise ValueError("no pixel is set")
    left, right = int(start[0]) // height, (int(stop[-1]) - 1) // height + 1
    step = np.zeros((right - left) * height + 1, np.int8)
    np.add.at(step, start - left * height, 1)
    np.add.at(step, stop - left * height, -1)
    bits = np.cumsum(step[:-1], dtype=np.int8).reshape(right - left, height).astype(bool)
    rows = np.flatnonzero(bits.any(axis=0))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    flat = bits[:, top:bottom].T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    bounds = np.concatenate([[0], edges, [len(flat)]])
    found: list[int] = np.diff(bounds).tolist()
    return [0, *found] if flat[0] else found, Window(left, top, right - left, bottom - top)


def _runs(start: np.ndarray, stop: np.ndarray, n_pixels: int) -> np.ndarray:
    """Foreground intervals, in order, to run lengths; intervals that touch become one."""
    touches = start[1:] == stop[:-1]
    start = start[np.concatenate([[True], ~touches])]
    stop = stop[np.concatenate([~touches, [True]])]
    bounds = np.empty(2 * len(start) + 2, np.int64)
    bounds[0], bounds[-1] = 0, n_pixels
    bounds[1:-1:2], bounds[2:-1:2] = start, stop
    runs = np.diff(bounds)
    return runs if runs[-1] else runs[:-1]
