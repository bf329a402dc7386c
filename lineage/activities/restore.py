"""Keeping the store in step with the ledger: after a crash, after a pull, after a loss.

The ledger's files are the record. What the store lacks of them is replayed
through the same functions that an import calls; a store that knows more than
the files say is refused, because one of the two was taken back in time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

from lineage.activities import addressbook, erase_settle, runs_store
from lineage.errors import Refused, StoreFault
from lineage.identity import MerkleAccumulator, canonical_json, log_leaf, merkle_root
from lineage.progress import Progress, silent
from lineage.segments import (
    FORMAT_VERSION,
    Checkpoint,
    Ledger,
    Part,
    file_sha256,
    scratch,
)
from lineage.segments.redactions import Redaction, leaves_of, redactions
from lineage.store import Store, erase, people, read, registries, tables
from lineage.store.append import Appender
from lineage.terms import ActivityKind

Header = Mapping[str, object]
Rows = list[dict[str, object]]

_ROOMS = ("import-", "history-")


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What a restore did."""

    n_activities: int
    n_revisions: int
    n_names: int
    checkpoint: Checkpoint | None


def bring_in_step(
    store: Store,
    ledger: Ledger,
    *,
    origin: str,
    address_book: Path,
    progress: Progress = silent,
) -> RestoreReport:
    """Finish or remove what a crash left, then replay what the store lacks.

    Raises
    ------
    StoreFault
        ``ledger-behind``: the store holds activities whose segments are not here;
        ``segment-mismatch``: a segment's bytes or roots are not what its header says.
    Refused
        ``ledger-diverged``: store and ledger hold different activities at one place.
    """
    ledger.sweep()
    for prefix in _ROOMS:
        scratch.sweep(address_book.parent, prefix)
    # a room that somebody is writing in is no leftover: whoever only reads need not wait for it
    is_settled = store.exists() and (not ledger.unfinished() or store.is_taken())
    if is_settled and store.is_current(origin) and _is_in_step(store, ledger):
        return RestoreReport(0, 0, 0, ledger.checkpoint())
    with store.exclusive():
        store.prepare(origin)
        ledger.create()
        report = catch_up(store, ledger, origin, address_book=address_book, progress=progress)
        n_names = load_names(store, address_book)
        load_versions(store, ledger)
        erase_settle.settle(store, address_book)
    return RestoreReport(report[0], report[1], n_names, ledger.checkpoint())


def catch_up(
    store: Store, ledger: Ledger, origin: str, *, address_book: Path, progress: Progress = silent
) -> tuple[int, int]:
    """Settle pending segments and replay what the store lacks; the caller holds the lock.

    Returns
    -------
    tuple of int
        Activities and revisions that were replayed.
    """
    _settle_unfinished(store, ledger, address_book)
    return _replay(store, ledger, origin, progress)


def enter(appender: Appender, header: Header) -> None:
    """Append the activity's own row, its sources and the entities that stand in its header."""
    names = ("seq", "activity", "kind", "agent", "code_version", "batch")
    at = datetime.fromisoformat(str(header["at"]))
    row = {name: header[name] for name in names}
    row |= {"at": at, "parameters": canonical_json(header["parameters"]).decode()}
    appender.entities(tables.Activity, [row])
    if row["kind"] == ActivityKind.ERASE:
        parameters = cast(Mapping[str, object], header["parameters"])
        appender.forget(str(parameters["annotator"]))
    seq = cast(int, header["seq"])
    sources = cast(Rows, header["sources"])
    appender.entities(tables.Source, [{**source, "seq": seq} for source in sources])
    entities = cast(Mapping[str, Rows], header["entities"])
    for name in tables.ENTITIES:
        enter_entities(appender, name, entities.get(name, []), seq)


def enter_entities(appender: Appender, name: str, rows: Rows, seq: int) -> None:
    """Append rows of one of a header's entities: annotators, schemas, batches, states."""
    appender.entities(tables.ENTITIES[name], [_entity(name, row, seq) for row in rows])


def seal(appender: Appender, header: Header, leaf: bytes, root: str) -> None:
    """Append a header's log entry."""
    appender.entities(
        tables.LogEntry,
        [
            {
                "seq": header["seq"],
                "outcome": canonical_json(header["outcome"]).decode(),
                "first_revision": header["first_revision"],
                "n_revisions": header["n_revisions"],
                "leaf": leaf.hex(),
                "root": root,
            }
        ],
    )


def _entity(name: str, row: Mapping[str, object], seq: int) -> dict[str, object]:
    documents = {"schemas": "document", "batches": "policy"}
    values = {**row, "seq": seq}
    if name in documents:
        values[documents[name]] = canonical_json(row[documents[name]]).decode()
    return values


def _size(store: Store) -> int:
    with store.reading() as connection:
        return read.head(connection).size


def _last(ledger: Ledger) -> int:
    return max(ledger.positions(), default=0)


def _checkpoint_size(ledger: Ledger) -> int:
    checkpoint = ledger.checkpoint()
    return 0 if checkpoint is None else checkpoint.size


def _settle_unfinished(store: Store, ledger: Ledger, address_book: Path) -> None:
    committed = _size(store)
    for seq in ledger.unfinished():
        if seq <= committed:
            with store.reading() as connection:
                addressbook.remember(address_book, people.brought_by(connection, seq))
            ledger.publish(seq)
        else:
            ledger.discard(seq)


def _replay(store: Store, ledger: Ledger, origin: str, progress: Progress) -> tuple[int, int]:
    size, positions = _size(store), ledger.positions()
    if positions != list(range(1, len(positions) + 1)):
        lost = next(i for i, seq in enumerate(positions, start=1) if seq != i)
        raise StoreFault(
            "segment-missing", f"the ledger has no segment {lost}", hint="dvc pull, or dvc checkout"
        )
    if size > len(positions):
        raise StoreFault(
            "ledger-behind",
            f"the store holds {size} activities, the ledger's files only {len(positions)}",
            hint="bring the files back with dvc checkout or dvc pull; or, to go back in time with "
            "the store too: lineage restore --discard-store",
        )
    _refuse_divergence(store, ledger, size)
    n_revisions = 0
    erased = redactions(ledger) if size < len(positions) else {}
    for seq in positions[size:]:
        progress("restore", seq, len(positions))
        n_revisions += _replay_one(store, ledger, seq, erased)
    with store.reading() as connection:
        head = read.head(connection)
        # what was replayed came from others: it is not this machine's to sign
        leaves = read.leaves(connection) if size == len(positions) else []
    if head.root is not None:
        ledger.write_checkpoint(Checkpoint(origin, head.size, head.root), leaves)
    return len(positions) - size, n_revisions


def _refuse_divergence(store: Store, ledger: Ledger, size: int) -> None:
    if size == 0:
        return
    with store.reading() as connection:
        known = read.leaves(connection)[-1]
    if log_leaf(ledger.header(size)) != known:
        raise Refused(
            "ledger-diverged",
            f"store and ledger hold different activities at place {size}",
            hint="trust the files and rebuild the store with: lineage restore --discard-store",
        )


def _replay_one(store: Store, ledger: Ledger, seq: int, erased: Mapping[str, Redaction]) -> int:
    header = ledger.header(seq)
    if header.get("version") not in range(1, FORMAT_VERSION + 1):
        raise Refused(
            "ledger-newer",
            f"segment {seq} has format {header.get('version')}, this lineage reads "
            f"formats up to {FORMAT_VERSION}",
            hint="use the lineage release that wrote it, or a later one",
        )
    with store.writing() as connection:
        before = read.leaves(connection)
        if merkle_root(before).hex() != header["previous_root"]:
            raise StoreFault(
                "segment-mismatch",
                f"segment {seq} does not continue the log: it follows root "
                f"{header['previous_root']}, the log has {merkle_root(before).hex()}",
                hint="dvc checkout; git checkout -- ledger/checkpoint",
            )
        appender = Appender(connection)
        enter(appender, header)
        for part in ledger.parts(seq):
            _replay_part(appender, ledger, part, erased.get(part.file))
        leaf = log_leaf(header)
        seal(appender, header, leaf, merkle_root([*before, leaf]).hex())
    return cast(int, header["n_revisions"])


def _replay_part(
    appender: Appender, ledger: Ledger, part: Part, redaction: Redaction | None
) -> None:
    path = ledger.segments / part.file
    if not path.is_file():
        raise StoreFault("segment-missing", f"no file {path}", hint="dvc pull, or dvc checkout")
    found, expected = file_sha256(path), part.sha256 if redaction is None else redaction.sha256
    # text may have been erased from a copy that is ahead of this one's log, and the other way round
    if found not in (expected, part.sha256):
        raise StoreFault(
            "segment-mismatch",
            f"{path} has SHA-256 {found}, its header says {expected}",
            hint="bring the file back with: dvc checkout",
        )
    tree = MerkleAccumulator()
    for batch, leaves in leaves_of(ledger, part, redaction if found == expected else None):
        tree.extend(leaves)
        appender.part(part.table, batch, leaves)
    if tree.root().hex() != part.root:
        raise StoreFault(
            "segment-mismatch",
            f"the rows of {path} have root {tree.root().hex()}, its header says {part.root}",
            hint="bring the file back with: dvc checkout",
        )


def _is_in_step(store: Store, ledger: Ledger) -> bool:
    if not _size(store) == _last(ledger) == _checkpoint_size(ledger):
        return False
    with store.reading() as connection:
        names, tags = registries.version_names(connection), registries.tag_names(connection)
        if erase.is_owed(connection):
            return False
    if not (names >= ledger.version_names() and tags >= ledger.tags().keys()):
        return False
    return not runs_store.lacking(store, ledger)


def load_versions(store: Store, ledger: Ledger) -> None:
    """Enter the versions, tags and runs of the registries that the store lacks."""
    with store.writing() as connection:
        names = registries.version_names(connection)
        for name, document in ledger.versions().items():
            if name not in names:
                enter_version(connection, name, document)
        known = registries.tag_names(connection)
        for tag, name in ledger.tags().items():
            if tag not in known:
                enter_tag(connection, tag, name)
    runs_store.load(store, ledger)


def enter_version(connection: read.Connection, name: str, manifest: Mapping[str, object]) -> None:
    """Append a dataset version to the store."""
    row = {"name": name, "digest": manifest["digest"], "seq": manifest["seq"]}
    text = canonical_json(manifest).decode()
    Appender(connection).entities(tables.DatasetVersion, [{**row, "document": text}])


def enter_tag(connection: read.Connection, tag: str, version: str) -> None:
    """Append a dataset version's tag to the store."""
    Appender(connection).entities(tables.VersionTag, [{"tag": tag, "version": version}])


def load_names(store: Store, address_book: Path) -> int:
    """Enter the names of the address book that the store lacks, and return how many."""
    if not address_book.is_file():
        return 0
    names = {row["pseudonym"]: row for row in json.loads(address_book.read_text("utf-8"))}
    with store.writing() as connection:
        gone = erase.forgotten(connection)
        lacking = [
            row
            for row in read.annotators(connection)
            if row.handle is None and row.pseudonym not in gone
        ]
        rows = [
            {"annotator_id": row.id}
            | {key: names[row.pseudonym][key] for key in ("handle", "tool", "salt")}
            for row in lacking
            if row.pseudonym in names
        ]
        Appender(connection).entities(tables.Person, rows)
    return len(rows)
