"""What was erased from segments: text of people who asked to be forgotten.

An activity of kind ``erase`` writes the parts that held such text anew, the text
left out (`rewrite`), and has a part ``erasures`` that states, for every file, its
SHA-256 from then on and the leaf hashes of the rows that changed. So a part's root
is still what its first header says, and nobody can take text out without an entry
in the log. The statement is a part and no field of the header: one person may have
made a million labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.identity import Digest, canonical_rows, leaf_digests
from lineage.segments import Ledger, Part
from lineage.segments.files import disk, file_sha256, sync_file
from lineage.segments.parquet import parquet_writer, read_parquet

_TABLE = "erasures"


class Leaves(Mapping[int, str]):
    """Leaf hashes, lower-case hex, by a row's place in its file; two arrays, however many there are.

    Parameters
    ----------
    rows
        ndarray of int64, ascending.
    leaves
        Strings, as many.
    """

    def __init__(self, rows: np.ndarray, leaves: pa.Array) -> None:
        self.rows = rows
        self.leaves = leaves

    def __getitem__(self, row: int) -> str:
        at = int(np.searchsorted(self.rows, row))
        if at == len(self.rows) or self.rows[at] != row:
            raise KeyError(row)
        return str(self.leaves[at].as_py())

    def __iter__(self) -> Iterator[int]:
        return iter(self.rows.tolist())

    def __len__(self) -> int:
        return len(self.rows)

    def between(self, first: int, last: int) -> Iterator[tuple[int, str]]:
        """Yield the rows from ``first`` up to and without ``last``, each with its hash."""
        start, stop = np.searchsorted(self.rows, [first, last]).tolist()
        rows, leaves = self.rows[start:stop], self.leaves.slice(start, stop - start)
        yield from zip(rows.tolist(), leaves.to_pylist(), strict=True)


@dataclass(frozen=True, slots=True)
class Redaction:
    """How a part stands since text was erased from it.

    Parameters
    ----------
    file
        Name of the part.
    sha256
        Of its bytes from then on.
    seq
        Place of the newest activity that erased from it.
    leaves
        Leaf hash, lower-case hex, of every row that is no longer what was hashed, by its place in the file.
    """

    file: str
    sha256: str
    seq: int
    leaves: Leaves


def redactions(ledger: Ledger, *, up_to: int | None = None) -> Mapping[str, Redaction]:
    """Return, per file of a segment, how it stands since text was erased from it; the newest holds.

    Parameters
    ----------
    ledger
        The record.
    up_to
        Last place in the log; None for all that is here.
    """
    found: dict[str, Redaction] = {}
    for seq in ledger.positions():
        if up_to is not None and seq > up_to:
            break
        # a file that no header names says nothing
        path = ledger.segments / f"{seq:08d}.{_TABLE}.parquet"
        if not path.exists() or not any(part.file == path.name for part in ledger.parts(seq)):
            continue
        rows = pa.Table.from_batches(read_parquet(path), columns.SEGMENT_ERASURES)
        for file in rows["file"].unique().to_pylist():
            of_file = rows.filter(pc.equal(rows["file"].cast(pa.string()), file))
            found[file] = _taken_in(found.get(file), file, of_file, seq)
    return found


def _taken_in(before: Redaction | None, file: str, rows: pa.Table, seq: int) -> Redaction:
    places = np.asarray(rows["row"].combine_chunks())
    leaves = rows["leaf"].combine_chunks()
    if before is not None:
        places = np.concatenate([before.leaves.rows, places])
        leaves = pa.concat_arrays([before.leaves.leaves, leaves])
    # a row that lost text twice counts with the hash that it had at first
    places, first = np.unique(places, return_index=True)
    sha256 = rows["sha256"][0].as_py()
    return Redaction(file, sha256, seq, Leaves(places, leaves.take(pa.array(first))))


def leaves_of(
    ledger: Ledger, part: Part, redaction: Redaction | None
) -> Iterator[tuple[pa.RecordBatch, list[Digest]]]:
    """Yield a part's rows with their leaf hashes, those of erased rows as they were recorded.

    Parameters
    ----------
    ledger
        The record.
    part
        As its header describes it.
    redaction
        What `redactions` has for its file, if anything.

    Raises
    ------
    StoreFault
        ``segment-missing`` or ``segment-unreadable``.
    """
    first = 0
    for batch in read_parquet(ledger.segments / part.file):
        leaves = leaf_digests(canonical_rows(batch, f"lineage:{part.table}:1"))
        if redaction is not None:
            for at, leaf in redaction.leaves.between(first, first + batch.num_rows):
                leaves[at - first] = bytes.fromhex(leaf)
        yield batch, leaves
        first += batch.num_rows


def rewrite(
    ledger: Ledger,
    part: Part,
    target: Path,
    *,
    redacted: Callable[[pa.RecordBatch], tuple[np.ndarray, pa.RecordBatch]],
    seq: int,
) -> pa.RecordBatch:
    """Write a part anew without some of its text, and return what an erasures part says of it.

    Parameters
    ----------
    ledger
        The record.
    part
        As its header describes it.
    target
        Where the new bytes go, synced.
    redacted
        Gives, for a batch, which rows lose text (ndarray of bool), and the batch without it.
    seq
        Place of the activity that erases.

    Raises
    ------
    StoreFault
        ``segment-missing``, ``segment-unreadable``, ``disk-full`` or ``disk-fault``.
    """
    source = ledger.segments / part.file
    schema = next(read_parquet(source)).schema
    rows: list[np.ndarray] = []
    leaves: list[str] = []
    first = 0
    with disk(target):
        with parquet_writer(target, schema) as writer:
            for batch in read_parquet(source):
                is_changed, cleaned = redacted(batch)
                places = np.flatnonzero(is_changed)
                if len(places):
                    changed = batch.take(pa.array(places))
                    told = leaf_digests(canonical_rows(changed, f"lineage:{part.table}:1"))
                    rows.append(first + places)
                    leaves += [leaf.hex() for leaf in told]
                writer.write_batch(cleaned)
                first += batch.num_rows
        sync_file(target)
    values = {"seq": seq, "file": part.file, "sha256": file_sha256(target)}
    return columns.batch_of(
        columns.SEGMENT_ERASURES, {**values, "row": np.concatenate(rows), "leaf": leaves}
    )
