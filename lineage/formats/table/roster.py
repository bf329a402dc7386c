"""Who answered for which image.

Where a row is a label, a pair of image and annotator is told once: the labelled as they come, the
others at the end, for a row without a label says that somebody looked and found nothing, unless
another row of the same two has one. Pairs are told apart by their hash, eight bytes each. Where a row
is an answer that holds its labels, each row is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.formats.table.given import Words
from lineage.identity import row_hashes
from lineage.terms import Presence

_MAX_RUNS = 8
_PAIR = pa.schema([pa.field("asset", pa.string()), pa.field("annotator", pa.string())])


@dataclass(frozen=True, slots=True)
class Answers:
    """What n entries say of who was asked.

    Parameters
    ----------
    asset, annotator
        Of each.
    presence
        What became of it.
    rows
        ndarray of int64: the entries that say something.
    """

    asset: Words
    annotator: Words
    presence: Words
    rows: np.ndarray

    def pairs(self, rows: np.ndarray) -> tuple[pa.RecordBatch, np.ndarray]:
        """Return the distinct pairs of some entries, and the first entry of each."""
        asset, person = self.asset.codes[rows], self.annotator.codes[rows] + 1
        key = asset * (len(self.annotator.names) + 1) + person
        first = rows[np.sort(np.unique(key, return_index=True)[1])]
        return _pairs(self.asset, self.annotator, first), first


class _Hashes:
    """A set of 64-bit hashes in sorted arrays."""

    def __init__(self) -> None:
        self._runs: list[np.ndarray] = []

    def __len__(self) -> int:
        return sum(map(len, self._runs))

    def contain(self, hashes: np.ndarray) -> np.ndarray:
        """Tell which hashes are among them, ndarray of bool."""
        found = np.zeros(len(hashes), bool)
        for run in self._runs:
            place = np.minimum(np.searchsorted(run, hashes), len(run) - 1)
            found |= run[place] == hashes
        return found

    def add(self, hashes: np.ndarray) -> None:
        """Take in hashes that are not among them yet."""
        if len(hashes):
            self._runs.append(np.sort(hashes))
        if len(self._runs) > _MAX_RUNS:
            self._runs = [np.sort(np.concatenate(self._runs))]


class Roster:
    """The pairs of a file while it is read."""

    def __init__(self) -> None:
        self._labelled = _Hashes()
        self._waiting: list[pa.RecordBatch] = []

    def take(self, answers: Answers) -> pa.RecordBatch:
        """Return the pairs that have a label for the first time; keep those that have none."""
        is_labelled = np.array(
            [*(name == Presence.LABELLED for name in answers.presence.names), False], bool
        )[answers.presence.codes[answers.rows]]
        others, first = answers.pairs(answers.rows[~is_labelled])
        words = [str(answers.presence.names[code]) for code in answers.presence.codes[first]]
        self.wait(others, words)
        pairs, _ = answers.pairs(answers.rows[is_labelled])
        hashes = row_hashes(pairs)
        is_new = ~self._labelled.contain(hashes)
        self._labelled.add(hashes[is_new])
        fresh = pairs.filter(pa.array(is_new))
        return _rows(fresh, [Presence.LABELLED.value] * fresh.num_rows)

    def wait(self, pairs: pa.RecordBatch, presence: list[str]) -> None:
        """Keep pairs without a label until it is known that they have none."""
        if pairs.num_rows:
            self._waiting.append(_rows(pairs, presence))

    def rest(self) -> pa.RecordBatch:
        """Return the pairs that have no label, each with what was first said of it."""
        if not self._waiting:
            return columns.empty(columns.ROSTER)
        rows = pa.Table.from_batches(self._waiting).combine_chunks().to_batches()[0]
        self._waiting = []
        pairs = pa.RecordBatch.from_arrays([rows["asset"], rows["annotator"]], schema=_PAIR)
        hashes, first = np.unique(row_hashes(pairs), return_index=True)
        return rows.take(pa.array(np.sort(first[~self._labelled.contain(hashes)])))

    def n_labelled_beside(self, pairs: pa.RecordBatch) -> int:
        """Return how many labelled pairs are not among ``pairs``."""
        listed = np.unique(row_hashes(pairs))
        return len(self._labelled) - int(self._labelled.contain(listed).sum())


def pairs_of(pairs: Sequence[tuple[str | None, str | None]]) -> pa.RecordBatch:
    """Return pairs of image and annotator as `Roster` takes them."""
    arrays = [pa.array([pair[side] for pair in pairs], pa.string()) for side in (0, 1)]
    return pa.RecordBatch.from_arrays(arrays, schema=_PAIR)


def _pairs(asset: Words, annotator: Words, rows: np.ndarray) -> pa.RecordBatch:
    arrays = [
        Words(words.codes[rows], words.names).to_arrow().cast(pa.string())
        for words in (asset, annotator)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=_PAIR)


def _rows(pairs: pa.RecordBatch, presence: list[str]) -> pa.RecordBatch:
    values = {"asset": pairs["asset"], "annotator": pairs["annotator"], "presence": presence}
    return columns.batch_of(columns.ROSTER, values, pairs.num_rows)
