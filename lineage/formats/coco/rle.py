"""Masks as run lengths: COCO's three spellings become counts, column by column, background first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_MAX_CHARACTERS = 9


def counts_of(encoded: str | Sequence[int], height: int, width: int) -> np.ndarray:
    """Return run lengths that fill an image exactly.

    Parameters
    ----------
    encoded
        Run lengths, or COCO's compressed text of them.
    height, width
        Of the image, px.

    Returns
    -------
    ndarray of int64

    Raises
    ------
    ValueError
        The text does not decode, a run is negative, or the runs do not fill the image.
    """
    runs = _decompressed(encoded) if isinstance(encoded, str) else np.asarray(encoded, np.int64)
    if (runs < 0).any():
        raise ValueError("a run is negative")
    if (runs > height * width).any():
        # also keeps the sum below from running over
        raise ValueError(f"a run of {int(runs.max())}, the image has {height * width} pixels")
    if int(runs.sum()) != height * width:
        raise ValueError(f"runs sum to {int(runs.sum())}, the image has {height * width} pixels")
    return runs


def hull(runs: np.ndarray, height: int) -> tuple[float, float, float, float] | None:
    """Return the half-open box around a mask's foreground in px, None for an empty mask."""
    ends = np.cumsum(runs)
    start, stop = ends[0::2][: len(runs) // 2], ends[1::2]
    filled = stop > start
    start, stop = start[filled], stop[filled]
    if len(start) == 0:
        return None
    first, last = start // height, (stop - 1) // height
    spans = first != last
    top = 0 if spans.any() else int((start % height).min())
    bottom = height if spans.any() else int(((stop - 1) % height).max()) + 1
    return float(first.min()), float(top), float(last.max() + 1), float(bottom)


def compressed(runs: np.ndarray) -> str:
    """Return run lengths, below 2 to the power of 40, as COCO's compressed text."""
    values = np.asarray(runs, np.int64).copy()
    values[3:] -= np.asarray(runs, np.int64)[1:-2]
    place = np.arange(_MAX_CHARACTERS)
    # what is left of a value before each character; it ends when that is nothing but the sign
    left = values[:, None] >> (5 * place)
    chunk = left & 0x1F
    is_last = (left >> 5) == np.where(chunk & 0x10, -1, 0)
    is_used = np.cumsum(is_last, axis=1) - is_last == 0
    characters = chunk + np.where(is_last, 48, 48 + 0x20)
    text: bytes = characters[is_used].astype(np.uint8).tobytes()
    return text.decode("ascii")


def _decompressed(text: str) -> np.ndarray:
    """Five bits a character, signed, and from the fourth run on relative to the run before last."""
    chunks = np.frombuffer(text.encode("ascii", "strict"), np.uint8).astype(np.int64) - 48
    if len(chunks) == 0 or (chunks < 0).any() or (chunks > 63).any() or chunks[-1] & 0x20:
        raise ValueError("no compressed run lengths")
    is_last = (chunks & 0x20) == 0
    ends = np.flatnonzero(is_last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    place = np.arange(len(chunks)) - np.repeat(starts, ends - starts + 1)
    if int(place.max()) > 11:
        raise ValueError("a run of more than 60 bits")
    values = np.add.reduceat((chunks & 0x1F) << (5 * place), starts)
    negative = (chunks[ends] & 0x10) != 0
    values = np.where(negative, values - (np.int64(1) << (5 * (ends - starts + 1))), values)
    runs = values.copy()
    # each run leans on the one before the last: odd and even ones are running sums of their own
    runs[1::2] = np.cumsum(values[1::2])
    if len(values) > 2:
        runs[2::2] = np.cumsum(values[2::2])
    return runs
