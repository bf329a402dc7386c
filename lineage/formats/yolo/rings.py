"""Polygons of several parts as one ring, for a format that has one ring a label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Bridged:
    """Rings, one a polygon.

    Parameters
    ----------
    is_good
        ndarray of bool, shape (n,): which polygons have parts of three points and more.
    n_numbers
        ndarray of int64: of each of those, how many numbers its ring has.
    numbers
        ndarray of float64: theirs, one after another.
    n_joined
        How many had several parts.
    """

    is_good: np.ndarray
    n_numbers: np.ndarray
    numbers: np.ndarray
    n_joined: int


def bridged(geometry: pa.ListArray) -> Bridged:
    """Return the ring of each polygon; parts are joined by a line there and back.

    Notes
    -----
    From the first point of the first part a line goes to each further part, around it, and back,
    so that the outline encloses what the parts enclose and nothing besides. The trainer's own converter
    does so as well.

    Examples
    --------
    >>> parts = [[0.0, 0, 1, 0, 1, 1], [5.0, 5, 6, 5, 6, 6]]
    >>> bridged(pa.array([parts])).numbers.reshape(-1, 2).tolist()
    [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [5.0, 5.0], [6.0, 5.0], [6.0, 6.0], [5.0, 5.0]]
    """
    n_parts = np.asarray(geometry.value_lengths().fill_null(0)).astype(np.int64)
    inner = geometry.flatten()
    lengths = np.asarray(inner.value_lengths().fill_null(0)).astype(np.int64)
    flat = np.asarray(inner.flatten(), np.float64)
    owner = np.repeat(np.arange(len(n_parts)), n_parts)
    is_bad_part = (lengths < 6) | (lengths % 2 == 1)
    is_bad_part |= ~_all_finite(flat, lengths)
    is_good = n_parts > 0
    is_good[owner[is_bad_part]] = False
    n_joined = int((is_good & (n_parts > 1)).sum())
    keep = is_good[owner]
    rings = flat[np.repeat(keep, lengths)]
    n_numbers = np.bincount(owner[keep], weights=lengths[keep], minlength=len(n_parts))
    n_numbers = n_numbers.astype(np.int64)[is_good]
    if n_joined:
        joined = _joined(rings, lengths[keep], n_parts[is_good])
        n_numbers = np.array([len(ring) for ring in joined], np.int64)
        rings = np.concatenate(joined)
    return Bridged(is_good, n_numbers, rings, n_joined)


def _all_finite(flat: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    bad = np.flatnonzero(~np.isfinite(flat))
    found = np.ones(len(lengths), bool)
    found[np.searchsorted(np.cumsum(lengths), bad, side="right")] = False
    return found


def _joined(rings: np.ndarray, lengths: np.ndarray, n_parts: np.ndarray) -> list[np.ndarray]:
    parts = np.split(rings, np.cumsum(lengths)[:-1])
    found: list[np.ndarray] = []
    at = 0
    for n in n_parts.tolist():
        own = parts[at : at + n]
        at += n
        first = own[0]
        pieces = [first]
        for k, other in enumerate(own[1:]):
            # the outline closes itself, so the way back from the last part need not be drawn
            pieces += [first[:2]] if k == 0 else []
            pieces += [other, other[:2]] + ([first[:2]] if k < n - 2 else [])
        found.append(np.concatenate(pieces))
    return found
