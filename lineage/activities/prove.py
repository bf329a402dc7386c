"""A proof that labels are in the log: one document that anybody can check without this program.

It holds every revision of one annotation as its canonical bytes, the way from
each up to its part's root, the headers that state those roots, the way from each
header up to the log's root, and the checkpoint that states that one.
``docs/verify_proof.py`` checks it, ``docs/proofs.md`` says what that shows.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from lineage.activities.context import Project
from lineage.errors import NotFound, StoreFault
from lineage.identity import canonical_json, canonical_rows, log_leaf
from lineage.proofs import Inclusion, Prover
from lineage.segments import Ledger, Part, read_parquet
from lineage.segments.redactions import Redaction, leaves_of, redactions

FORMAT = "lineage:proof:1"
"""Of the document's layout; stands in it as ``format``."""

_TABLE = "revisions"


def prove(project: Project, annotation: int) -> dict[str, object]:
    """Return the proof that every revision of an annotation is in the log.

    Parameters
    ----------
    project
        Open, or as it lies there: the store is not asked.
    annotation
        Its number.

    Returns
    -------
    dict of str to object
        ``format, annotation, checkpoint, activities: [{header, path}], revisions: [{seq, row, leaf,
        bytes, fields, path}]``; hashes and bytes in lower-case hex, the header as its canonical JSON.
        ``bytes`` and ``fields`` are null where text was erased from the row since.

    Raises
    ------
    NotFound
        ``no-annotation``: none of this number is on record.
    StoreFault
        ``proof-impossible``: the ledger's files do not lead to the checkpoint, so there is nothing
        to prove.

    Notes
    -----
    A proof of inclusion shows that the rows are there. That none was left out, or came later, it
    cannot show: for that, the log itself has to be read.
    """
    ledger = project.ledger
    places = _places(ledger, annotation)
    if not places:
        raise NotFound(
            "no-annotation",
            f"no annotation {annotation} on record",
            hint="lineage blame ASSET lists an image's annotations",
        )
    headers, log = _headers(ledger, [seq for seq, _ in places])
    erased = redactions(ledger)
    rows: list[dict[str, object]] = []
    for seq in headers:
        wanted = [row for at, row in places if at == seq]
        rows.extend(_rows(ledger, seq, wanted, erased))
    activities = [
        {"header": canonical_json(header).decode(), "path": _hex(log.inclusion(seq - 1))}
        for seq, header in headers.items()
    ]
    return {
        "format": FORMAT,
        "annotation": annotation,
        "checkpoint": ledger.checkpoint_text(),
        "activities": activities,
        "revisions": rows,
    }


def _places(ledger: Ledger, annotation: int) -> list[tuple[int, int]]:
    """Return the activity and the row in its part of every revision, in order of the log."""
    found: list[tuple[int, int]] = []
    for seq in ledger.positions():
        for part in ledger.parts(seq):
            if part.table != _TABLE:
                continue
            first = 0
            for batch in read_parquet(ledger.segments / part.file, ["annotation"]):
                hits = pc.indices_nonzero(pc.equal(batch["annotation"], annotation))
                found.extend((seq, first + hit) for hit in hits.to_pylist())
                first += batch.num_rows
    return found


def _headers(ledger: Ledger, wanted: Sequence[int]) -> tuple[dict[int, dict[str, object]], Prover]:
    """Return the wanted headers by place, and the log's tree with their paths."""
    checkpoint = ledger.checkpoint()
    size = 0 if checkpoint is None else checkpoint.size
    log = Prover([seq - 1 for seq in wanted])
    found: dict[int, dict[str, object]] = {}
    for seq in range(1, size + 1):
        header = ledger.header(seq)
        log.extend([log_leaf(header)])
        if seq in wanted:
            found[seq] = header
    missing = [seq for seq in wanted if seq > size]
    if checkpoint is None or log.root().hex() != checkpoint.root or missing:
        raise StoreFault(
            "proof-impossible",
            f"the headers have root {log.root().hex()}, expected that of ledger/checkpoint, of a log "
            f"of {size} activities",
            hint="lineage audit",
        )
    return found, log


def _rows(
    ledger: Ledger, seq: int, wanted: Sequence[int], erased: Mapping[str, Redaction]
) -> list[dict[str, object]]:
    part = next(part for part in ledger.parts(seq) if part.table == _TABLE)
    redaction = erased.get(part.file)
    gone = {} if redaction is None else redaction.leaves
    tree = Prover(wanted)
    found: list[dict[str, object]] = []
    for batch, leaves in leaves_of(ledger, part, redaction):
        first = tree.size
        tree.extend(leaves)
        for row in wanted:
            if first <= row < tree.size:
                state = {} if row in gone else _state(batch.slice(row - first, 1))
                entry = {"seq": seq, "row": row, "leaf": leaves[row - first].hex()}
                found.append({**entry, "bytes": None, "fields": None, **state})
    _hold(part, tree)
    return [{**entry, "path": _hex(tree.inclusion(int(str(entry["row"]))))} for entry in found]


def _hold(part: Part, tree: Prover) -> None:
    if tree.root().hex() != part.root:
        raise StoreFault(
            "proof-impossible",
            f"the rows of {part.file} have root {tree.root().hex()}, their header says {part.root}",
            hint="lineage audit --deep",
        )


def _state(row: pa.RecordBatch) -> dict[str, object]:
    content = canonical_rows(row, f"lineage:{_TABLE}:1")[0].as_py()
    fields = {
        name: _told(column[0].as_py())
        for name, column in zip(row.schema.names, row.columns, strict=True)
    }
    return {"bytes": content.hex(), "fields": fields}


def _told(value: object) -> object:
    """Return a value as whoever decodes the canonical bytes reads it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def _hex(proof: Inclusion) -> list[str]:
    return [step.hex() for step in proof.path]
