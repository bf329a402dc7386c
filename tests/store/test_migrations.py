"""Stores of every released version are carried forward: what was in them stays, what is new is there.

``version_1`` was written by the release whose store had version 1: a project with two imports and
a tagged dataset version, its ledger, and its store as a dump of each database.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from lineage.activities import trace, version
from lineage.activities.context import Project, open_project
from lineage.activities.recompute import recompute
from lineage.errors import Refused
from lineage.store import Store, migrations
from tests.store.test_contract import everything

OLD = Path(__file__).parent / "version_1"


@pytest.fixture(params=["sqlite", "postgres"])
def old_root(request: pytest.FixtureRequest, project_root: Path) -> Iterator[tuple[Path, str]]:
    """A project of version 1 and its store's address, on each kind of store in turn."""
    shutil.rmtree(project_root / "ledger" / "segments")
    shutil.copytree(OLD / "ledger", project_root / "ledger", dirs_exist_ok=True)
    if request.param == "sqlite":
        connection = sqlite3.connect(project_root / ".lineage" / "store.db")
        connection.executescript((OLD / "sqlite.sql").read_text())
        connection.close()
        yield project_root, "sqlite:///.lineage/store.db"
        return
    import psycopg

    url = request.getfixturevalue("postgres_store_url")
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as postgres:
        postgres.execute((OLD / "postgres.sql").read_bytes())
    yield project_root, url


def opened(old_root: tuple[Path, str]) -> Project:
    root, url = old_root
    return open_project(root, store_url=url, agent="tess@team.example")


def shape(store: Store) -> dict[str, object]:
    """Return everything that a database says of its tables, views and triggers."""
    with store.reading(check=False) as connection:
        found = inspect(connection)
        tables = {
            name: (
                sorted(
                    (c["name"], str(c["type"]), c["nullable"], c["default"])
                    for c in found.get_columns(name)
                ),
                sorted(str(key["constrained_columns"]) for key in found.get_foreign_keys(name)),
                sorted(str(index["column_names"]) for index in found.get_indexes(name)),
                found.get_pk_constraint(name)["constrained_columns"],
            )
            for name in found.get_table_names()
        }
        asked = (
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
            if store.is_sqlite
            else "SELECT trigger_name, event_manipulation, action_statement, action_timing "
            "FROM information_schema.triggers"
        )
        triggers = sorted(tuple(row) for row in connection.execute(text(asked)))
        return {"tables": tables, "triggers": triggers, "views": sorted(found.get_view_names())}


def test_a_store_of_version_1_becomes_what_a_new_one_is(old_root: tuple[Path, str]) -> None:
    store = Store(old_root[1], old_root[0])
    with store.reading(check=False) as connection:
        found = connection.execute(text("SELECT value FROM store_info WHERE key = 'version'"))
        assert found.scalar_one() == "1"
    project = opened(old_root)
    migrated, rows = shape(project.store), everything(project)
    assert ("version", str(migrations.newest())) in rows.pop("store_info")
    if project.store.path is None:
        with project.store.writing(check=False) as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
    else:
        for path in project.store.path.parent.glob("store.db*"):
            path.unlink()
    anew = opened(old_root)
    assert shape(anew.store) == migrated
    restored = everything(anew)
    # what a migration cannot know, a restore reads from the segments
    assert {row[-1] for row in rows["revision"]} == {None}
    assert None not in {row[-1] for row in restored["revision"]}
    for found in (rows, restored):
        found["revision"] = [row[:-1] for row in found["revision"]]
    for name in rows.keys() - {"person"}:
        assert restored[name] == rows[name], name


def test_a_migrated_store_takes_and_guards_the_new_rows(old_root: tuple[Path, str]) -> None:
    project = opened(old_root)
    statement = "INSERT INTO completeness (seq, asset_id, batch_id, state) VALUES (4, 1, 1, :state)"
    with project.store.writing() as connection:
        connection.execute(text(statement), {"state": "complete"})
    assert trace.blame(project, "a.png")["completeness"] == [
        {"class": None, "state": "complete", "reason": None, "batch": "b1"}
    ]
    for verb in ("UPDATE completeness SET state = 'skipped'", "DELETE FROM completeness"):
        with pytest.raises(Refused, match="append-only"), project.store.writing() as connection:
            connection.execute(text(verb))


def test_a_dataset_version_of_layout_1_still_verifies(
    old_root: tuple[Path, str], tmp_path: Path
) -> None:
    project = opened(old_root)
    manifest = version.get(project, "first")
    assert "layout" not in manifest
    contents = version.labels_of(project, "first")
    assert (contents.labels.num_rows, contents.assets.num_rows) == (2, 3)
    again = recompute(project, "first")
    assert again.differs == []
    anew = version.build(project, out=tmp_path / "out")
    assert (anew["layout"], anew["n_annotations"], anew["n_assets"]) == (2, 2, 3)
    assert anew["digest"] != manifest["digest"], "another layout, another tag"


def test_a_segment_of_a_later_format_is_refused(project: Project) -> None:
    path = project.ledger.segments / "00000001.activity.json"
    shutil.copy(OLD / "ledger" / "segments" / path.name, path)
    path.write_text(path.read_text().replace('"version":1', '"version":99'))
    with pytest.raises(Refused, match="format 99, this lineage reads formats up to"):
        open_project(project.root)
