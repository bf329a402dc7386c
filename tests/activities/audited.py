"""A small project with rows in every table, and the ways in which its bytes go wrong."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from lineage.activities import gold, runs, trace, version
from lineage.activities.audit import AuditReport, audit
from lineage.activities.context import Project, locate
from lineage.activities.findings import Finding
from lineage.activities.ingest import import_labels
from lineage.segments import TABLES, parquet_writer, read_parquet
from tests.activities.reviewed import World, flipped
from tests.conftest import make_batch
from tests.exports import coco


def labelled(project: Project, folder: Path) -> World:
    """Label, review and declare gold; freeze a version, pin a run, commit."""
    world = World(project, folder, 8, 3)
    world.label({"good": 0.0, "bad": 0.3})
    world.introduce(["r1", "r2"])
    world.draw(["r1", "r2"])
    world.answer(lambda person, said: flipped(said) if person == "r2" else said)
    gold.add(world.project, trace.Choice(batch=("trial",)))
    manifest = version.build(world.project, tag="v1")
    runs.pin(world.project, "run-1", version=str(manifest["name"]))
    shutil.rmtree(project.root / "outbox", ignore_errors=True)
    commit(project.root)
    return world


def imported(project: Project) -> Project:
    """Import boxes twice, one moved in between; declare gold, freeze a version, pin a run, commit."""
    make_batch(project, {"cat": ["box"], "dog": ["box"], "bus": ["box"]})
    boxes = [
        (n, f"i{n % 4}.png", ("cat", "dog")[n % 2], [10.0 * n, 20.0, 30.0, 40.0]) for n in range(16)
    ]
    import_labels(project, [coco(project.root / "one.json", boxes)], "b1")
    boxes[3] = (3, "i3.png", "dog", [33.0, 20.0, 30.0, 40.0])
    import_labels(project, [coco(project.root / "two.json", boxes)], "b1")
    gold.add(project, trace.Choice(class_=("cat",)))
    manifest = version.build(project, tag="v1")
    runs.pin(project, "run-1", version=str(manifest["name"]))
    commit(project.root)
    return project


def commit(root: Path) -> None:
    for words in (["add", "-A"], ["commit", "-qm", "labelled"]):
        subprocess.run(["git", "-C", str(root), *words], check=True)


def look(root: Path, *, deep: bool = False) -> AuditReport:
    """Audit a project as it lies there."""
    return audit(locate(root), deep=deep)


def the(report: AuditReport, kind: str) -> Finding:
    """Return the one finding of a kind."""
    found = [finding for finding in report.findings if finding.kind == kind]
    assert len(found) == 1, report.findings
    return found[0]


def part(root: Path, table: str, at: int = 0) -> Path:
    """Return one of the files with rows of a table."""
    return sorted((root / "ledger" / "segments").glob(f"*.{table}.parquet"))[at]


def rows_of(path: Path) -> pa.Table:
    return pa.Table.from_batches(read_parquet(path), TABLES[path.name.split(".")[1]])


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> pa.Table:
    """Write a part anew, properly, with other rows; return the rows that it had."""
    before = rows_of(path)
    after = change(before)
    with parquet_writer(path, after.schema) as writer:
        writer.write_table(after)
    return before


def replaced(rows: pa.Table, row: int, **values: object) -> pa.Table:
    """Return rows of which one has other values."""
    listed = rows.to_pylist()
    listed[row] |= values
    return pa.Table.from_pylist(listed, rows.schema)


def flip(path: Path, at: int) -> None:
    """Turn one bit of a file round."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def tamper(root: Path, *statements: str) -> None:
    """Change the store behind the guards' back; they stand again afterwards."""
    with sqlite3.connect(root / ".lineage" / "store.db") as connection:
        guards = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in guards:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert connection.execute(statement).rowcount != 0, statement
        for _, statement in guards:
            connection.execute(statement)
    connection.close()
