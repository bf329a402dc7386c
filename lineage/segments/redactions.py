"""What was erased from segments: text of people who asked to be forgotten.

An activity of kind ``erase`` writes the parts that held such text anew, the text
left out, and states in its header, for every file, its SHA-256 from then on and
the leaf hashes of the rows that changed. So a part's root is still what its
first header says, and nobody can take text out without an entry in the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import pyarrow as pa

from lineage.identity import Digest, canonical_rows, leaf_digests
from lineage.segments import Ledger, Part, read_parquet
from lineage.terms import ActivityKind


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
    leaves: Mapping[int, str]


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
        header = ledger.header(seq)
        if header.get("kind") != ActivityKind.ERASE:
            continue
        parameters = cast(Mapping[str, object], header["parameters"])
        for row in cast(Sequence[Mapping[str, object]], parameters.get("redactions", [])):
            file = str(row["file"])
            leaves = cast(Mapping[str, str], row["leaves"])
            found[file] = Redaction(
                file, str(row["sha256"]), seq, {int(at): leaf for at, leaf in leaves.items()}
            )
    return found


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
    changed = {} if redaction is None else redaction.leaves
    first = 0
    for batch in read_parquet(ledger.segments / part.file):
        leaves = leaf_digests(canonical_rows(batch, f"lineage:{part.table}:1"))
        for at, leaf in changed.items():
            if first <= at < first + batch.num_rows:
                leaves[at - first] = bytes.fromhex(leaf)
        yield batch, leaves
        first += batch.num_rows
