"""Sizes of images that are on record, for exports that give fractions and no sizes."""

from __future__ import annotations

from array import array
from bisect import bisect_left

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.segments import Ledger


class KnownSizes:
    """Width and height in px of images by name; see `formats.ReadOptions.size_of`.

    Parameters
    ----------
    ledger
        The ledger's files.

    Notes
    -----
    Nothing is read before the first question, and then everything in one scan: names stay in Arrow,
    found through sorted hashes, at some 80 bytes an image where a dictionary takes four times that.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._hashes: array[int] | None = None
        self._row = np.empty(0, np.int64)
        self._size = np.empty((0, 2), np.int32)
        self._names: pa.ChunkedArray | pa.StringArray = pa.array([], pa.string())

    def __call__(self, name: str) -> tuple[int, int] | None:
        """Return an image's size, the newest that was learned, None where it is unknown."""
        if self._hashes is None:
            self._hashes = self._load()
        key = hash(name)
        found = None
        # most questions are for names that nobody knows: one look, and done
        at = bisect_left(self._hashes, key)
        while at < len(self._hashes) and self._hashes[at] == key:
            row = int(self._row[at])
            if self._names[row].as_py() == name:
                found = int(self._size[row, 0]), int(self._size[row, 1])
            at += 1
        return found

    def _load(self) -> array[int]:
        kept: list[pa.RecordBatch] = []
        hashes: list[np.ndarray] = []
        wanted = ("name", "width", "height")
        for batch in self._ledger.scan("assets", wanted) if self._ledger.segments.is_dir() else ():
            known = batch.filter(pc.and_(pc.is_valid(batch["width"]), pc.is_valid(batch["height"])))
            kept.append(known)
            hashes.append(np.array([hash(name) for name in known["name"].to_pylist()], np.int64))
        if not kept:
            return array("q")
        table = pa.Table.from_batches(kept)
        self._names = table["name"].cast(pa.large_string()).combine_chunks()
        self._size = np.stack([np.asarray(table["width"]), np.asarray(table["height"])], axis=1)
        found = np.concatenate(hashes)
        self._row = np.argsort(found, kind="stable")
        return array("q", found[self._row].tobytes())
