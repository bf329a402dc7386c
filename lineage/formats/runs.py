"""Masks as run lengths over the whole image, column by column, background first: the ledger's form."""

from __future__ import annotations

import numpy as np


def runs_of(mask: np.ndarray) -> np.ndarray:
    """Return the run lengths of a mask.

    Parameters
    ----------
    mask
        ndarray of bool, shape (height, width).

    Returns
    -------
    ndarray of int64
        Of background, foreground, background ...; the first may be zero.
    """
    flat = np.asarray(mask, bool).reshape(-1, order="F")
    bounds = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [len(flat)]])
    runs = np.diff(bounds)
    return np.concatenate([[0], runs]) if len(flat) and flat[0] else runs


def mask_of(runs: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the mask, ndarray of bool, shape (height, width), behind run lengths."""
    values = np.arange(len(runs)) % 2 == 1
    flat = np.repeat(values, np.asarray(runs, np.int64))
    return flat.reshape((height, width), order="F")


def geometry_of(
    mask: np.ndarray,
) -> tuple[list[list[float]], tuple[float, float, float, float]] | None:
    """Return a mask's geometry and hull as `lineage.columns` defines them, None without a pixel."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return None
    height, width = mask.shape
    hull = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    return [[float(height), float(width)], runs_of(mask).astype(float).tolist()], hull
