"""One suite, both stores: what a store promises whatever database it stands on."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sqlite3
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from sqlmodel import SQLModel

from lineage.activities import batches, ingest, restore, trace, version
from lineage.activities.context import Project, open_project
from lineage.errors import BadInput, Refused, StoreFault
from lineage.store import Patience, Store, ddl, migrations, read, tables
from lineage.store.append import Appender
from lineage.store.migrations import Version
from tests.conftest import make_batch
from tests.exports import annotation, label_studio, region

ROWS = text("SELECT * FROM revisions ORDER BY revision")


def filled(project: Project) -> Project:
    """Import two people's boxes, then a newer export in which one moved and one went."""
    make_batch(project, {"car": ["box"], "dog": ["box"]})
    first = [
        (
            "a.png",
            [
                annotation(
                    1, 1, [region("r1", "car", 1, 1, 10, 10), region("r2", "dog", 30, 30, 9, 9)]
                )
            ],
        ),
        (
            "b.png",
            [
                annotation(2, "eve@x.example", [region("r3", "car", 5, 5, 20, 20)]),
                annotation(3, None, []),
            ],
        ),
    ]
    path = label_studio(project.root / "one.json", first)
    ingest.import_labels(project, [path], "b1", options=ingest.ImportOptions(is_whole=True))
    first[0][1][0]["result"] = [region("r1", "car", 2, 1, 10, 10)]
    path = label_studio(project.root / "two.json", first)
    ingest.import_labels(project, [path], "b1", options=ingest.ImportOptions(is_whole=True))
    return project


def everything(project: Project) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table, the store's own numbering of words left out."""
    found = {}
    with project.store.reading() as connection:
        for table in SQLModel.metadata.sorted_tables:
            rows = connection.execute(text(f"SELECT * FROM {table.name}"))
            found[table.name] = sorted((tuple(row) for row in rows), key=str)
    return found


def test_both_stores_answer_alike(any_project: Project) -> None:
    found = trace.show(filled(any_project), 1)
    revisions = found["revisions"]
    assert isinstance(revisions, list)
    assert [(r["operation"], r["supersedes"], r["box"]) for r in revisions] == [
        ("add", None, [6.4, 4.8, 70.4, 52.8]),
        ("supersede", 1, [12.8, 4.8, 76.8, 52.8]),
    ]
    status = trace.status(any_project)
    assert (status.n_assets, status.n_revisions) == (2, 5)


def test_a_store_rebuilt_from_segments_is_equal_row_by_row(
    any_project: Project, tmp_path: Path
) -> None:
    before = everything(filled(any_project))
    version.build(any_project, tag="v1")
    root = tmp_path / "again"
    shutil.copytree(any_project.root, root, ignore=shutil.ignore_patterns("store.db*"))
    again = open_project(root, store_url="sqlite:///other.db")
    after = everything(again)
    for name in before.keys() - {"dataset_version", "version_tag", "store_info"}:
        assert _plain(after[name]) == _plain(before[name]), name
    assert [v["tags"] for v in version.list_all(again)] == [["v1"]]


def _plain(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """Bring the two databases' forms of a time together."""
    return sorted(
        (tuple(_micros(v) if isinstance(v, datetime) else v for v in row) for row in rows), key=str
    )


def _micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE revision SET kind = 'mask'",
        "DELETE FROM revision",
        "DELETE FROM activity",
        "UPDATE stage_event SET stage = 'final'",
        "UPDATE log_entry SET root = 'x'",
        "DELETE FROM annotator",
    ],
)
def test_history_refuses_change(any_project: Project, statement: str) -> None:
    filled(any_project)
    before = everything(any_project)
    if "stage_event" in statement:
        with any_project.store.writing() as connection:
            Appender(connection).entities(
                tables.StageEvent,
                [
                    {
                        "revision_id": 1,
                        "seq": 1,
                        "stage": "final",
                        "annotator_id": 1,
                        "basis": "test",
                    }
                ],
            )
        before = everything(any_project)
    with pytest.raises(Refused, match="append-only"), any_project.store.writing() as connection:
        connection.execute(text(statement))
    assert everything(any_project) == before


def test_a_revision_needs_its_annotation(any_project: Project) -> None:
    filled(any_project)
    statement = text(
        "INSERT INTO revision SELECT 99, 12345, seq, operation, supersedes, annotator_id, class_id, kind, "
        "x_min, y_min, x_max, y_max, attributes_id, stage, schema_id, batch_id, origin, labelled_at, "
        "content FROM revision WHERE id = 1"
    )
    with (
        pytest.raises(StoreFault, match=r"(?i)foreign key"),
        any_project.store.writing() as connection,
    ):
        connection.execute(statement)


def test_naive_times_are_refused(any_project: Project) -> None:
    filled(any_project)
    with pytest.raises(BadInput, match="no zone"), any_project.store.writing() as connection:
        Appender(connection).entities(
            tables.Run,
            [
                {
                    "name": "r",
                    "version": "v",
                    "digest": "d",
                    "at": datetime(2026, 1, 1),
                    "document": "{}",
                }
            ],
        )


def test_a_failed_block_leaves_no_trace(any_project: Project) -> None:
    before = everything(filled(any_project))
    with pytest.raises(RuntimeError), any_project.store.writing() as connection:
        connection.execute(text("INSERT INTO label_class (name) VALUES ('ghost')"))
        raise RuntimeError
    assert everything(any_project) == before


def test_a_newer_store_is_refused_with_both_numbers(any_project: Project) -> None:
    with any_project.store.writing() as connection:
        connection.execute(text("UPDATE store_info SET value = '99' WHERE key = 'version'"))
    with pytest.raises(Refused, match=f"version 99.*up to {migrations.newest()}"):
        open_project(
            any_project.root, store_url=str(any_project.store.engine.url.render_as_string(False))
        )


def test_another_logs_store_is_refused(any_project: Project) -> None:
    with any_project.store.writing() as connection:
        connection.execute(text("UPDATE store_info SET value = 'other' WHERE key = 'origin'"))
    with pytest.raises(Refused, match="holds the log 'other'"):
        open_project(
            any_project.root, store_url=str(any_project.store.engine.url.render_as_string(False))
        )


def test_migrations_run_in_order_each_in_a_transaction(any_project: Project) -> None:
    ran: list[str] = []
    newest = migrations.newest()

    def one_more(connection: read.Connection) -> None:
        connection.execute(text("CREATE TABLE extra_one (id INTEGER)"))
        ran.append("one more")

    def broken(connection: read.Connection) -> None:
        connection.execute(text("CREATE TABLE extra_two (id INTEGER)"))
        raise RuntimeError("half way")

    versions = (
        *migrations.VERSIONS,
        Version(newest + 1, "one more", one_more),
        Version(newest + 2, "broken", broken),
    )
    with pytest.raises(RuntimeError):
        migrations.migrate(any_project.store.engine, newest, versions=versions)
    with any_project.store.reading(check=False) as connection:
        found = connection.execute(text("SELECT value FROM store_info WHERE key = 'version'"))
        assert found.scalar_one() == str(newest + 1)
        names = inspect(connection).get_table_names()
    assert ran == ["one more"]
    assert "extra_one" in names
    assert "extra_two" not in names
    assert all(version.note for version in versions)


def test_every_table_of_the_issue_is_there(any_project: Project) -> None:
    wanted = {
        "asset",
        "annotator",
        "label_schema",
        "batch",
        "activity",
        "annotation",
        "revision",
        "stage_event",
        "verdict",
        "gold",
        "dataset_version",
        "run",
        "roster",
        "completeness",
    }
    with any_project.store.reading() as connection:
        assert wanted <= set(inspect(connection).get_table_names())
        assert set(ddl.VIEWS) <= set(inspect(connection).get_view_names())


def test_people_are_not_in_the_ledgers_files(any_project: Project) -> None:
    filled(any_project)
    content = b"".join(
        p.read_bytes() for p in (any_project.root / "ledger").rglob("*") if p.is_file()
    )
    assert b"eve@x.example" not in content
    assert b"tess@team.example" not in content
    assert "eve@x.example" in any_project.address_book.read_text()
    assert any_project.address_book.stat().st_mode & 0o077 == 0


def test_sqlite_runs_with_the_promised_pragmas(
    project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the other tests do not wait for the disk
    monkeypatch.setattr("lineage.store.DURABILITY", "FULL")
    project = open_project(project_root, agent="tess@team.example")
    expected = {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 30_000}
    with project.store.reading() as connection:
        for name, value in expected.items():
            assert connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() == value


def test_a_foreign_database_is_refused(project_root: Path) -> None:
    path = project_root / ".lineage" / "store.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE groceries (id INTEGER)")
    connection.close()
    with pytest.raises(Refused, match="another program: groceries"):
        open_project(project_root)


def test_a_file_that_is_no_database_is_a_clean_fault(project_root: Path) -> None:
    (project_root / ".lineage" / "store.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreFault, match="no readable database"):
        open_project(project_root)


def test_a_locked_database_is_a_clean_fault(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    impatient = dataclasses.replace(
        project, store=Store(project.settings.store_url, project.root, busy_timeout_s=0.2)
    )
    holder = sqlite3.connect(project.root / ".lineage" / "store.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StoreFault, match="locked"):
            batches.close(impatient, "b1")
    finally:
        holder.rollback()
        holder.close()
    assert batches.close(project, "b1").state == "closed"


def test_whoever_waits_too_long_for_the_ledger_is_told(any_project: Project) -> None:
    make_batch(any_project, {"car": ["box"]})
    url = any_project.store.engine.url.render_as_string(hide_password=False)
    impatient = dataclasses.replace(
        any_project, store=Store(url, any_project.root, patience=Patience(limit_s=0.2))
    )
    with any_project.store.exclusive(), pytest.raises(Refused, match=f"process {os.getpid()}"):
        batches.close(impatient, "b1")


@pytest.mark.parametrize("url", ["mysql://x/y", "no url"])
def test_other_databases_are_refused(project_root: Path, url: str) -> None:
    with pytest.raises(BadInput, match="expected"):
        open_project(project_root, store_url=url)


def test_a_lost_name_book_leaves_pseudonyms(project: Project) -> None:
    filled(project)
    project.address_book.unlink()
    (project.root / ".lineage" / "store.db").unlink()
    again = open_project(project.root)
    with again.store.reading() as connection:
        assert all(row.handle is None for row in read.annotators(connection))


def test_a_ledger_behind_its_store_is_refused(project: Project) -> None:
    filled(project)
    for path in (project.root / "ledger" / "segments").glob("00000005.*"):
        path.unlink()
    with pytest.raises(StoreFault, match="store holds 5 activities, the ledger's files only 4"):
        open_project(project.root)


def test_a_tampered_segment_is_refused_on_restore(project: Project) -> None:
    filled(project)
    (project.root / ".lineage" / "store.db").unlink()
    path = next((project.root / "ledger" / "segments").glob("00000004.revisions.parquet"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(StoreFault, match="its header says"):
        open_project(project.root)


def test_a_rewritten_header_breaks_the_chain(project: Project) -> None:
    filled(project)
    (project.root / ".lineage" / "store.db").unlink()
    path = project.root / "ledger" / "segments" / "00000001.activity.json"
    path.write_text(path.read_text().replace("schema_add", "schema_odd"))
    with pytest.raises(StoreFault, match="does not continue the log"):
        open_project(project.root)


def test_restore_reports_what_it_did(project: Project) -> None:
    filled(project)
    (project.root / ".lineage" / "store.db").unlink()
    store = Store(project.settings.store_url, project.root)
    done = restore.bring_in_step(
        store, project.ledger, origin="proj", address_book=project.address_book
    )
    assert (done.n_activities, done.n_revisions, done.n_names) == (5, 5, 3)
