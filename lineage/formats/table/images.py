"""The images of a chunk: their names as the ledger has them, and their sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.formats.names import asset_name
from lineage.formats.table.given import Given, Words

_ADDRESS = r"[\x00-\x1f\x7f\\]|://|\.\.|^[A-Za-z]:|^\.?/|^$"
"""What a name may hold that `asset_name` would change or refuse."""

_MAX_SIDE_PX = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Images:
    """What n entries say of their images.

    Parameters
    ----------
    words
        Their names; none where the entry names no image.
    size
        ndarray of float64, shape (n, 2): width and height as the table has them, px, NaN where
        it does not.
    """

    words: Words
    size: np.ndarray


def images(given: Given) -> Images:
    """Read the names and sizes of images; entries without a name are refused."""
    words = given.words("asset")
    pattern = given.mapping.asset_pattern
    found = words.renamed(_names(words.names, pattern))
    given.refuse(~found.is_given, "asset-name", "asset", "the image's name")
    size = np.full((given.n, 2), np.nan)
    for side, key in enumerate(("width", "height")):
        if given.has(key):
            values = given.numbers(key, found.is_given)
            is_odd = np.isfinite(values) & (
                (values != np.rint(values)) | (values < 1) | (values > _MAX_SIDE_PX)
            )
            given.refuse(is_odd, "not-a-size", key, "whole px, 1 or more")
            size[:, side] = np.where(np.isfinite(values) & ~is_odd, values, np.nan)
    return Images(found, size)


def _names(words: Sequence[str], pattern: str | None) -> list[str | None]:
    """Return the names behind how a table addresses images; most of them are plain."""
    if pattern is not None:
        return [name_of(word, pattern) for word in words]
    is_odd = pc.match_substring_regex(pa.array(words, pa.string()), _ADDRESS).to_pylist()
    return [asset_name(word) if odd else word for word, odd in zip(words, is_odd, strict=True)]


def name_of(word: str, pattern: str | None) -> str | None:
    """Return an image's name, None where it may have none."""
    if pattern is None:
        return asset_name(word)
    try:
        return asset_name(pattern.format(word))
    except ValueError:
        # the pattern's form does not fit this text
        return None


def sizes(found: Images, size_of: Callable[[str], tuple[int, int] | None]) -> np.ndarray:
    """Return the size of every entry's image, where the table does not say it from elsewhere.

    Returns
    -------
    ndarray of float64, shape (n, 2)
    """
    size = found.size
    is_unknown = np.isnan(size).any(axis=1)
    if not is_unknown.any():
        return size
    known = np.full((len(found.words.names) + 1, 2), np.nan)
    for code in np.unique(found.words.codes[is_unknown]).tolist():
        name = found.words.names[code] if code >= 0 else None
        told = None if name is None else size_of(name)
        if told is not None:
            known[code] = told
    return np.where(is_unknown[:, None], known[found.words.codes], size)


def facts(given: Given, found: Images) -> pa.RecordBatch:
    """Return what is said of images as `columns.ASSETS`; sizes that differ make several rows."""
    codes = found.words.codes
    rows = np.flatnonzero(found.words.is_given)
    if len(rows) == 0:
        return columns.empty(columns.ASSETS)
    first = np.full(len(found.words.names), -1)
    first[codes[rows[::-1]]] = rows[::-1]
    size = np.nan_to_num(found.size, nan=0.0)
    is_other = (size[rows] != size[first[codes[rows]]]).any(axis=1) & (size[rows] > 0).all(axis=1)
    others = rows[is_other]
    if len(others):
        keyed = np.column_stack([codes[others], size[others]])
        others = others[np.sort(np.unique(keyed, axis=0, return_index=True)[1])]
    kept = np.concatenate([np.sort(first[first >= 0]), others])
    # a size has two sides
    is_sized = (size[kept] > 0).all(axis=1)
    sides = {
        name: pa.array(size[kept, side].astype(np.int32), mask=~is_sized)
        for side, name in enumerate(("width", "height"))
    }
    names = pa.array(found.words.names, pa.string()).take(pa.array(codes[kept]))
    uris = _uris(given, kept, names)
    return columns.batch_of(columns.ASSETS, {"name": names, "uri": uris, **sides}, len(kept))


def _uris(given: Given, kept: np.ndarray, names: pa.Array) -> pa.Array:
    """Return how the table addresses images, where that is more than their names."""
    cells = given.text("uri") if given.has("uri") else given.text("asset")
    if cells is None:
        return pa.nulls(len(kept), pa.string())
    texts = cells.take(pa.array(kept))
    return pc.if_else(pc.equal(texts, names), pa.scalar(None, pa.string()), texts)
