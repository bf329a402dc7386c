"""Recording an activity in the one order that survives a crash at any point.

Segment parts and header are written and synced in the pending room; the store's
transaction, which names the activity, commits; new names go to the address book;
the files are renamed into place; the checkpoint follows. Whatever the instant of a crash, `restore.bring_in_step`
finds either a committed activity whose files it moves, or an uncommitted one
whose files it removes.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC
from pathlib import Path

import pyarrow as pa

from lineage import __version__
from lineage.activities import addressbook, restore
from lineage.activities.completing import completing
from lineage.activities.context import Project
from lineage.errors import BadInput
from lineage.formats.names import is_image
from lineage.formats.sources import walk
from lineage.identity import EMPTY_ROOT, Digest, log_leaf, merkle_root
from lineage.segments import FORMAT_VERSION, Checkpoint, SegmentWriter, file_sha256
from lineage.store import read, tables
from lineage.store.append import Appender
from lineage.terms import ActivityKind, AgentKind

UNKNOWN = "unknown"
"""Pseudonym of the annotator of labels whose export names nobody."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file or folder that an activity reads; ``docs/ledger.md`` says what a folder's digest covers."""

    path: str
    digest: str
    n_bytes: int


class Recording:
    """An activity while it is being recorded; made by `recording`."""

    def __init__(
        self, project: Project, connection: read.Connection, writer: SegmentWriter, head: read.Head
    ) -> None:
        self.project = project
        self.connection = connection
        self.head = head
        self.seq = head.size + 1
        self.outcome: dict[str, object] = {}
        self.entities: dict[str, list[dict[str, object]]] = {}
        self.first_revision: int | None = None
        self.n_revisions = 0
        self.leaves: list[Digest] = []
        self._appender = Appender(connection)
        self._writer = writer
        self._people = {
            (row.handle, row.tool): row.pseudonym for row in read.annotators(connection)
        }
        self._names = {row.pseudonym for row in read.annotators(connection)}
        self._new_people: list[dict[str, object]] = []
        self._n_annotators = head.annotator
        self._deferred: list[tuple[str, dict[str, object]]] | None = []

    def append(self, table: str, batch: pa.RecordBatch) -> None:
        """Append rows to a part of the segment and to the store."""
        if batch.num_rows == 0:
            return
        if table == "revisions":
            if self.first_revision is None:
                self.first_revision = batch["revision"][0].as_py()
            self.n_revisions += batch.num_rows
        leaves = self._writer.append(table, batch)
        self._appender.part(table, batch, leaves)

    def add(self, entity: str, row: dict[str, object]) -> None:
        """Append a row to one of the header's entities and to the store."""
        self.entities.setdefault(entity, []).append(row)
        self._enter(entity, row)

    def begin(self, start: Mapping[str, object]) -> None:
        """Append the activity's own row, to which every other refers, then what waited for it."""
        restore.enter(self._appender, {**start, "entities": {}})
        waiting, self._deferred = self._deferred or [], None
        for entity, row in waiting:
            self._enter(entity, row)

    def _enter(self, entity: str, row: dict[str, object]) -> None:
        if self._deferred is not None:
            self._deferred.append((entity, row))
        elif entity == "people":
            self._appender.entities(tables.Person, [row])
        else:
            restore.enter_entities(self._appender, entity, [row], self.seq)

    def annotator(
        self, handle: str | None, *, tool: str = "", kind: AgentKind = AgentKind.PERSON
    ) -> str:
        """Return the pseudonym of a handle, making one for a handle that is new.

        Parameters
        ----------
        handle
            As the tool gives it; None for labels whose export names nobody. A pseudonym on record
            stands for itself: files that we wrote carry pseudonyms.
        tool
            The tool in which the handle holds; mail addresses hold everywhere.
        """
        if handle is None:
            if UNKNOWN not in self._names:
                self._add_annotator(UNKNOWN, "", AgentKind.UNKNOWN)
            return UNKNOWN
        if handle in self._names:
            return handle
        key = (handle.lower(), "") if "@" in handle else (handle, tool)
        if key not in self._people:
            self._people[key] = self._new_person(*key, kind)
        return self._people[key]

    def _new_person(self, handle: str, tool: str, kind: AgentKind) -> str:
        entropy = self.project.entropy
        pseudonym = "a-" + base64.b32encode(entropy(10)).decode("ascii").lower()
        salt = entropy(32)
        commitment = hashlib.sha256(
            b"lineage:annotator:1\x00" + salt + f"{tool}\x00{handle}".encode()
        )
        self._add_annotator(pseudonym, commitment.hexdigest(), kind)
        person = {"handle": handle, "tool": tool, "salt": salt.hex()}
        self._enter("people", {**person, "annotator_id": self._n_annotators})
        self._new_people.append({**person, "pseudonym": pseudonym})
        return pseudonym

    def _add_annotator(self, pseudonym: str, commitment: str, kind: AgentKind) -> None:
        self._n_annotators += 1
        self._names.add(pseudonym)
        self.add(
            "annotators",
            {
                "id": self._n_annotators,
                "pseudonym": pseudonym,
                "commitment": commitment,
                "kind": kind.value,
            },
        )

    def remember_people(self) -> None:
        """Add the new names to the address book beside the store."""
        if self._new_people:
            addressbook.remember(self.project.address_book, self._new_people)

    def finish(self, start: Mapping[str, object]) -> Checkpoint:
        """Seal the segment and the store's side of it; the caller commits."""
        parts = [asdict(part) for part in self._writer.close()]
        header = {
            **start,
            "version": FORMAT_VERSION,
            "outcome": self.outcome,
            "entities": self.entities,
            "first_revision": self.first_revision,
            "n_revisions": self.n_revisions,
            "previous_root": self.head.root or EMPTY_ROOT.hex(),
            "parts": parts,
        }
        leaf = log_leaf(header)
        self.leaves = [*read.leaves(self.connection), leaf]
        root = merkle_root(self.leaves).hex()
        restore.seal(self._appender, header, leaf, root)
        self._writer.write_header(header)
        return Checkpoint(self.project.settings.origin, self.seq, root)


@dataclass(slots=True)
class Outcome:
    """What `recording` leaves behind: the checkpoint once the activity is on record."""

    checkpoint: Checkpoint | None = None
    activity: str | None = None
    seq: int | None = field(default=None)


@contextmanager
def recording(
    project: Project,
    kind: ActivityKind,
    *,
    parameters: Mapping[str, object],
    batch: str | None = None,
    sources: Sequence[SourceFile] = (),
    outcome: Outcome | None = None,
) -> Iterator[Recording]:
    """Record what the block appends as one activity, or nothing at all if it fails.

    Parameters
    ----------
    project
        An open project.
    kind
        The verb.
    parameters
        What it was asked to do; JSON values.
    batch
        Tag of the batch that it concerns.
    sources
        Files that it reads.
    outcome
        Filled in when the activity is on record.
    """
    ledger, store = project.ledger, project.store
    with store.exclusive():
        restore.catch_up(store, ledger, project.settings.origin, address_book=project.address_book)
        # a key that fails after the store committed would leave an activity that nobody signed
        ledger.signing.ready(ledger.checkpoint_text())
        with store.writing() as connection:
            head = read.head(connection)
            writer = SegmentWriter(ledger, head.size + 1)
            try:
                record = Recording(project, connection, writer, head)
                start = _start(project, record, kind, parameters, batch, sources)
                yield record
                checkpoint = record.finish(start)
            except BaseException:
                writer.abandon()
                raise
        # names before files: while there is a pending room, the next command completes both
        with completing(f"activity {record.seq}"):
            record.remember_people()
            ledger.publish(record.seq)
            ledger.write_checkpoint(checkpoint, record.leaves)
    if outcome is not None:
        outcome.checkpoint, outcome.seq = checkpoint, record.seq
        outcome.activity = str(start["activity"])


def source_file(project: Project, path: Path) -> SourceFile:
    """Digest a file or folder, named relative to the project where it lies inside.

    Raises
    ------
    BadInput
        ``no-such-file``.
    """
    if path.is_dir():
        digest, n_bytes = _folder_digest(path)
    elif path.is_file():
        digest, n_bytes = file_sha256(path), path.stat().st_size
    else:
        raise BadInput("no-such-file", f"no file {path}", hint="check the path")
    resolved = path.resolve()
    name = path.name or resolved.name
    if resolved.is_relative_to(project.root):
        name = resolved.relative_to(project.root).as_posix()
    return SourceFile(name, digest, n_bytes)


def _folder_digest(folder: Path) -> tuple[str, int]:
    """Return a folder's digest and the bytes of its files, images left out.

    An image is told by its name and size: its bytes are no labels, and reading terabytes of them
    would take longer than the import.
    """
    found = hashlib.sha256(b"lineage:folder:1\x00")
    n_bytes = 0
    for entry in walk(folder):
        if entry.passed_over is not None:
            continue
        path, name = folder / entry.path, os.fsencode(entry.path)
        n = path.stat().st_size
        if is_image(entry.path):
            kind, value = b"\x00", n.to_bytes(8, "little")
        else:
            kind, value = b"\x01", bytes.fromhex(file_sha256(path))
            n_bytes += n
        found.update(kind + len(name).to_bytes(4, "little") + name + value)
    return found.hexdigest(), n_bytes


def _start(
    project: Project,
    record: Recording,
    kind: ActivityKind,
    parameters: Mapping[str, object],
    batch: str | None,
    sources: Sequence[SourceFile],
) -> dict[str, object]:
    at = project.clock().astimezone(UTC)
    millis = int(at.timestamp() * 1000)
    start: dict[str, object] = {
        "seq": record.seq,
        # time first, so that activity ids sort as they happened
        "activity": f"{millis:012x}" + project.entropy(8).hex(),
        "kind": kind.value,
        "agent": record.annotator(project.agent),
        "at": at.isoformat(timespec="microseconds"),
        "code_version": __version__,
        "batch": batch,
        "parameters": dict(parameters),
        "sources": [asdict(source) for source in sources],
    }
    record.begin(start)
    return start
