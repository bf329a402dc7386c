"""Ways to falsify a project, from a flipped bit to a history that was computed anew; each knows the truth.

The first bad label is the annotation of the first row that is not as recorded, in the order of its
file; of a row that was put in, its own. Where a bit was flipped it is that of the first row that reads
otherwise; where a row group cannot be read any more, of its first row, or of the first that reads
otherwise in a column that can be. What an audit names is the first label that it prints, in its own order.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from lineage.activities import audit, context
from lineage.identity import leaf_digests
from lineage.segments import Ledger
from tests.faults import crash, edits, forger, world
from tests.faults.forger import Change, NothingChanged

_MOST_DRAWS = 8


@dataclass
class Row:
    """A row of the tampering table.

    Parameters
    ----------
    kind
        What was done.
    tries, void
        Draws that changed something, and draws that did not; these are repeated, eight times a try at most.
    found, noted
        How often an audit failed, and how often it said something in a note that it did not say before.
    labels, named
        Tries that have a first bad label, and those where it is the first that the audit names.
    """

    kind: str
    tries: int = 0
    found: int = 0
    noted: int = 0
    labels: int = 0
    named: int = 0
    void: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)


def prepare(folder: Path) -> Path:
    """Make the world that is falsified: on record, in DVC and Git, known to a remote, with a pinned run."""
    root = world.build(folder / "world")
    world.commit(root)
    shutil.copytree(root / "ledger", folder / "early-ledger")
    shutil.copy(root / ".lineage" / "store.db", folder / "early-store.db")
    shutil.copytree(root / "data" / "dataset", folder / "early-dataset")
    inbox = root / "inbox"
    world.done(root, "import", str(inbox / "b3.json"), "--batch", "b2")
    world.done(root, "build", "--tag", "second")
    world.done(root, "run", "pin", "run-1", "--version", "second")
    world.commit(root)
    return root


def tamper(root: Path, scratch: Path, kind: str, *, tries: int, seed: int = 7) -> Row:
    """Falsify copies of a project in one way, and say what an audit finds."""
    row = Row(kind)
    usual = _notes_of(root)
    for k in range(tries * _MOST_DRAWS):
        draw = random.Random(f"{seed}/{kind}/{k}")
        told = crash.in_child(partial(_once, root, scratch, kind, draw))
        if isinstance(told, RuntimeError) and "NothingChanged" in str(told):
            row.void += 1
            continue
        row.tries += 1
        if isinstance(told, RuntimeError):
            row.missed.append(f"{kind} #{k}: {told}")
        else:
            truth, found = told
            _enter(row, k, truth, found, usual)
        if row.tries == tries:
            break
    return row


@cache
def _notes_of(root: Path) -> Sequence[str]:
    """Return what an audit notes of a project in which nothing is wrong."""
    report = crash.in_child(lambda: audit.audit(context.locate(root), deep=True))
    assert isinstance(report, audit.AuditReport), report
    assert report.ok, report.findings
    return report.notes


def _enter(
    row: Row, k: int, truth: Sequence[int], found: audit.AuditReport, usual: Sequence[str]
) -> None:
    row.found += not found.ok
    row.noted += found.ok and bool(set(found.notes) - set(usual))
    row.kinds.update({finding.kind for finding in found.findings})
    named = next((f.annotation for f in found.findings if f.annotation is not None), None)
    if truth:
        row.labels += 1
        row.named += named in truth
    if found.ok or (truth and named not in truth):
        told = [(finding.kind, finding.annotation) for finding in found.findings[:4]]
        row.missed.append(f"{row.kind} #{k}: truth {truth}, found {told or found.notes}")


def _once(
    root: Path, scratch: Path, kind: str, draw: random.Random
) -> tuple[tuple[int, ...], audit.AuditReport]:
    copy = scratch / "tampered" / root.name
    shutil.rmtree(copy.parent, ignore_errors=True)
    shutil.copytree(root.parent, copy.parent, symlinks=True)
    truth = KINDS[kind](copy, draw)
    return truth, audit.audit(context.locate(copy), deep=True)


# --- bytes


def flipped(pattern: str) -> Change:
    """Return a change that flips one bit of one of the files that a pattern names."""

    def change(root: Path, draw: random.Random) -> tuple[int, ...]:
        path = draw.choice(sorted(p for p in root.glob(pattern) if p.stat().st_size))
        content = bytearray(path.read_bytes())
        before = path.read_bytes() if ".revisions." in path.name else None
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        forger.rewrite(path, bytes(content))
        return () if before is None else forger.first_unlike(before, path)

    return change


def cut(pattern: str) -> Change:
    """Return a change that takes the tail of a file away."""

    def change(root: Path, draw: random.Random) -> tuple[int, ...]:
        path = draw.choice(sorted(p for p in root.glob(pattern) if p.stat().st_size))
        before = path.read_bytes() if ".revisions." in path.name else None
        forger.rewrite(path, path.read_bytes()[: -draw.randint(1, min(200, path.stat().st_size))])
        return () if before is None else forger.first_unlike(before, path)

    return change


def removed(pattern: str) -> Change:
    """Return a change that removes a file."""

    def change(root: Path, draw: random.Random) -> tuple[int, ...]:
        draw.choice(sorted(root.glob(pattern))).unlink()
        return ()

    return change


def kept_times(pattern: str) -> Change:
    """Return a change of a byte behind which size and time of the file are as before."""

    def change(root: Path, draw: random.Random) -> tuple[int, ...]:
        path = draw.choice(sorted(p for p in root.glob(pattern) if p.is_file()))
        was = path.stat()
        content = bytearray(path.read_bytes())
        content[draw.randrange(len(content))] ^= 0x20
        forger.rewrite(path, bytes(content))
        os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
        return ()

    return change


def store_byte(root: Path, draw: random.Random) -> tuple[int, ...]:
    """Flip a bit of the store's file; void where SQLite reads every row as before."""
    path = root / ".lineage" / "store.db"
    before = _dump(path)
    content = bytearray(path.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    forger.rewrite(path, bytes(content))
    try:
        is_same = _dump(path) == before
    except sqlite3.DatabaseError:
        is_same = False
    if is_same:
        raise NothingChanged
    return ()


def _dump(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        rows = list(connection.iterdump())
        rows += [str(row) for row in connection.execute("PRAGMA integrity_check")]
    connection.close()
    return rows


# --- the log


def newest_gone(root: Path, draw: random.Random) -> tuple[int, ...]:
    """Take the newest activity away everywhere but in Git."""
    ledger = Ledger(root / "ledger")
    last = ledger.positions()[-1]
    for path in ledger.segments.glob(f"{last:08d}.*"):
        path.unlink()
    for name in (
        "second.tag",
        *(f"{n}.json" for n, m in ledger.versions().items() if m["seq"] == last),
    ):
        (ledger.registry / name).unlink()
    for path in ledger.run_registry.glob("*.json"):
        path.unlink()
    forger.forge_chain(root)
    return ()


def older(*names: str) -> Change:
    """Return a change that brings earlier files back: checkpoint, segments, store, dataset."""

    def change(root: Path, draw: random.Random) -> tuple[int, ...]:
        early = root.parent
        if "checkpoint" in names:
            shutil.copy(early / "early-ledger" / "checkpoint", root / "ledger" / "checkpoint")
        if "segments" in names:
            shutil.rmtree(root / "ledger" / "segments")
            shutil.copytree(early / "early-ledger" / "segments", root / "ledger" / "segments")
        if "store" in names:
            shutil.copy(early / "early-store.db", root / ".lineage" / "store.db")
        if "dataset" in names:
            shutil.rmtree(root / "data" / "dataset")
            shutil.copytree(early / "early-dataset", root / "data" / "dataset")
        if "part" in names:
            old = draw.choice(sorted((early / "early-dataset").rglob("*.parquet")))
            new = root / "data" / "dataset" / old.relative_to(early / "early-dataset")
            if not new.exists() or new.read_bytes() == old.read_bytes():
                raise NothingChanged
            forger.rewrite(new, old.read_bytes())
        return ()

    return change


def forged_erasure(root: Path, draw: random.Random) -> tuple[int, ...]:
    """Take a label's text away, and append an erasure that says so to the segments alone."""
    path = draw.choice(forger.parts_of(root))
    leaves = [leaf.hex() for leaf in leaf_digests(forger.canonical(path))]
    rows = pq.read_table(path).to_pylist()
    at = draw.randrange(len(rows))
    truth = (int(rows[at]["annotation"]),)
    rows[at]["attributes"], rows[at]["extra"] = '{"gone": true}', None
    forger.write_rows(path, rows)
    forger.append_erasure(root, path.name, at, leaves[at])
    return truth


# --- the store


def store_rows(table: str, verb: str) -> Change:
    """Return a change of a row of one of the store's tables, its guards taken away."""

    def change(root: Path, draw: random.Random) -> tuple[int, ...]:
        path = root / ".lineage" / "store.db"
        connection = sqlite3.connect(path)
        guards = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        guards_ = guards.fetchall()
        for name, _ in guards_:
            connection.execute(f"DROP TRIGGER {name}")
        rows = connection.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid").fetchall()
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        if not rows:
            raise NothingChanged
        at = draw.choice(rows)
        truth = _label_of(table, dict(zip(columns, at[1:], strict=True)), connection)
        if verb == "delete":
            connection.execute(f"DELETE FROM {table} WHERE rowid = ?", (at[0],))
        elif verb == "update":
            _update(connection, table, columns, at, draw)
        else:
            _insert(connection, table, columns, at)
            truth = ()
        for _, statement in guards_:
            connection.execute(statement)
        connection.commit()
        connection.close()
        return truth

    return change


def _label_of(
    table: str, row: Mapping[str, Any], connection: sqlite3.Connection
) -> tuple[int, ...]:
    if table == "revision":
        return (int(row["annotation_id"]),)
    if table == "stage_event":
        asked = "SELECT annotation_id FROM revision WHERE id = ?"
        return connection.execute(asked, (row["revision_id"],)).fetchone()
    return ()


def _update(
    connection: sqlite3.Connection,
    table: str,
    columns: Sequence[str],
    row: Sequence[Any],
    draw: random.Random,
) -> None:
    keys = {r[1] for r in connection.execute(f"PRAGMA table_info({table})") if r[5]}
    # what the store alone knows: 64-bit keys that stand for text are held against the text
    plain = [(n, v) for n, v in zip(columns, row[1:], strict=True) if n not in keys]
    name, value = draw.choice(plain or list(zip(columns, row[1:], strict=True)))
    changed = value + 1 if isinstance(value, int | float) else f"{value or ''}x"
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute(f"UPDATE {table} SET {name} = ? WHERE rowid = ?", (changed, row[0]))


def _insert(
    connection: sqlite3.Connection, table: str, columns: Sequence[str], row: Sequence[Any]
) -> None:
    info = connection.execute(f"PRAGMA table_info({table})").fetchall()
    values = dict(zip(columns, row[1:], strict=True))
    for _, name, kind, _, _, key in info:
        is_text = "INT" not in kind.upper() and "FLOAT" not in kind.upper()
        if key or name in (
            "tag",
            "name",
            "digest",
            "handle",
            "pseudonym",
            "commitment",
            "activity",
        ):
            values[name] = f"{values[name]}x" if is_text else 900_000_000
    connection.execute("PRAGMA ignore_check_constraints = ON")
    marks = ", ".join("?" * len(columns))
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
    try:
        connection.execute(statement, [values[name] for name in columns])
    except sqlite3.IntegrityError as exc:
        raise NothingChanged from exc


_SEGMENTS = "ledger/segments"
# not `person`, the address book, which is no evidence; not `verdict`, of which this world has none
_STORE_TABLES = [
    "activity",
    "annotation",
    "annotator",
    "asset",
    "asset_fact",
    "attribute_document",
    "batch",
    "dataset_version",
    "draw",
    "gold",
    "label_class",
    "label_schema",
    "log_entry",
    "revision",
    "roster",
    "run",
    "completeness",
    "source",
    "stage_event",
    "state_event",
    "store_info",
    "version_tag",
]

KINDS: Mapping[str, Change] = {
    "bit: revisions": flipped(f"{_SEGMENTS}/*.revisions.parquet"),
    "bit: other parts": flipped(f"{_SEGMENTS}/*.[!r]*.parquet"),
    "bit: header": flipped(f"{_SEGMENTS}/*.activity.json"),
    "bit: checkpoint": flipped("ledger/checkpoint"),
    "bit: version manifest": flipped("ledger/versions/*.json"),
    "bit: tag": flipped("ledger/versions/*.tag"),
    "bit: pin": flipped("ledger/runs/*.json"),
    "bit: schema file": flipped("schemas/*/*.json"),
    "bit: dataset part": flipped("data/dataset/*/*.parquet"),
    "bit: dataset manifest": flipped("data/dataset/manifest.json"),
    "bit: DVC object": flipped(".dvc/cache/files/md5/*/*"),
    "byte: DVC object, size and time kept": kept_times(".dvc/cache/files/md5/*/*"),
    "byte: segment, size and time kept": kept_times(f"{_SEGMENTS}/*"),
    "bit: store": store_byte,
    "tail: revisions": cut(f"{_SEGMENTS}/*.revisions.parquet"),
    "tail: header": cut(f"{_SEGMENTS}/*.activity.json"),
    "tail: checkpoint": cut("ledger/checkpoint"),
    "tail: dataset part": cut("data/dataset/*/*.parquet"),
    "gone: part": removed(f"{_SEGMENTS}/*.parquet"),
    "gone: header": removed(f"{_SEGMENTS}/*.activity.json"),
    "gone: checkpoint": removed("ledger/checkpoint"),
    "gone: version manifest": removed("ledger/versions/*.json"),
    "gone: tag": removed("ledger/versions/*.tag"),
    "gone: pin": removed("ledger/runs/*.json"),
    "gone: dataset part": removed("data/dataset/*/*.parquet"),
    **{f"edit: {name}": edits.edited(edit, "file") for name, edit in edits.EDITS.items()},
    **{
        f"edit, header forged: {name}": edits.edited(edit, "header")
        for name, edit in edits.EDITS.items()
    },
    **{
        f"edit, chain forged{told}": edits.edited(edits.EDITS["class"], how)
        for told, how in {
            "": "chain",
            ", Git amended": "amended",
            ", Git amended, no remote": "unpushed",
            ", DVC's cache emptied": "no cache",
            ", amended, no remote, no cache": "unpushed, no cache",
            ", signed log, no key, all else anew": "no key",
        }.items()
    },
    "older: all, with its valid signature": edits.signed_and_old,
    "newest activity gone everywhere": newest_gone,
    "older: checkpoint": older("checkpoint"),
    "older: checkpoint, segments": older("checkpoint", "segments"),
    "older: checkpoint, segments, store": older("checkpoint", "segments", "store"),
    "older: store": older("store"),
    "older: dataset, whole": older("dataset"),
    "older: one dataset file": older("part"),
    "erasure forged": forged_erasure,
    **{
        f"store, {verb}: {table}": store_rows(table, verb)
        for verb in ("update", "delete", "insert")
        for table in _STORE_TABLES
    },
}

NO_FINDING = frozenset(
    {
        "older: dataset, whole",
        "store, delete: dataset_version",
        "store, delete: run",
        "store, delete: version_tag",
        "store, insert: store_info",
    }
)
"""What is no finding: states that commands which did what they should leave as well; all but the last are notes.

`lineage build` by another recipe, at an earlier place, or by hand between two runs of the pipeline
leaves another version in ``data/dataset`` than DVC's lock file names. A clone that pulled has versions,
tags and runs in its registries that its store lacks until the next command. A key in `store_info`
that nothing reads is nobody's.
"""
