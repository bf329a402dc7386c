"""The store after a loss: from the ledger's files, or from a copy and what came since."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from lineage.activities import backup, ingest, rebuild, version
from lineage.activities.context import Project, locate, open_project
from lineage.activities.erase import erase
from lineage.errors import BadInput, Refused, StoreFault
from lineage.store import read
from tests.activities.forgetting import EVE, bytes_of, planted, pseudonyms
from tests.exports import annotation, label_studio, region
from tests.store.test_contract import _plain as plain
from tests.store.test_contract import everything, filled


def rebuilt(project: Project, **how: object) -> Project:
    root = project.root
    rebuild.rebuild(locate(root), lambda: open_project(root), **how)  # type: ignore[arg-type]
    return open_project(root)


def one_more(project: Project) -> None:
    labels = [annotation(7, EVE, [region("r7", "car", 3, 3, 9, 9)])]
    path = label_studio(project.root / "more.json", [("c.png", labels)])
    ingest.import_labels(project, [path], "b1")


def spoil(store: Path, how: str) -> None:
    content = store.read_bytes()
    store.unlink()
    if how == "garbage":
        store.write_bytes(b"no database at all " * 500)
    elif how == "empty":
        store.write_bytes(b"")
    elif how == "cut":
        store.write_bytes(content[: len(content) // 3])
    elif how == "directory":
        (store / "inside").mkdir(parents=True)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["garbage", "empty", "cut", "directory", "missing"])
def test_a_store_that_is_lost_in_any_way_is_made_again(project: Project, how: str) -> None:
    before = everything(filled(project))
    spoil(project.root / ".lineage" / "store.db", how)
    again = rebuilt(project, discard=True)
    assert everything(again) == before
    assert not [p for p in (project.root / ".lineage").iterdir() if ".old" in p.name]


@pytest.mark.parametrize("how", ["garbage", "cut", "directory"])
@pytest.mark.slow
def test_a_damaged_store_is_refused_with_the_command_that_helps(project: Project, how: str) -> None:
    filled(project)
    spoil(project.root / ".lineage" / "store.db", how)
    with pytest.raises(StoreFault) as caught:
        everything(open_project(project.root))
    assert "--discard-store" in caught.value.hint


@pytest.mark.slow
def test_a_rebuild_that_fails_leaves_the_store_that_was(project: Project) -> None:
    before = everything(filled(project))
    next((project.root / "ledger" / "segments").glob("00000004.revisions.parquet")).rename(
        project.root / "aside"
    )
    with pytest.raises(StoreFault, match="no file"):
        rebuilt(project, discard=True)
    assert everything(project) == before


@pytest.mark.slow
def test_a_lost_checkpoint_is_written_again(project: Project) -> None:
    filled(project)
    content = project.ledger.checkpoint_path.read_bytes()
    project.ledger.checkpoint_path.unlink()
    open_project(project.root)
    assert project.ledger.checkpoint_path.read_bytes() == content


@pytest.mark.slow
def test_a_registry_of_versions_that_lost_a_file_leaves_the_store_as_it_is(
    project: Project,
) -> None:
    manifest = version.build(filled(project), tag="v1")
    (project.ledger.registry / f"{manifest['name']}.json").unlink()
    again = open_project(project.root)
    with again.store.reading() as connection:
        assert [row["name"] for row in read.versions(connection)] == [manifest["name"]]
    assert version.build(again)["name"] == manifest["name"]
    assert [row["name"] for row in version.list_all(again)] == [manifest["name"]]


@pytest.mark.slow
def test_names_outlive_the_store_and_the_store_the_address_book(project: Project) -> None:
    planted(project)
    pair = pseudonyms(project)
    project.address_book.unlink()
    assert pseudonyms(open_project(project.root)) == pair


@pytest.mark.slow
def test_every_table_of_a_rebuilt_store_is_equal(any_project: Project, tmp_path: Path) -> None:
    planted(any_project)
    root = tmp_path / "again"
    shutil.copytree(any_project.root, root, ignore=shutil.ignore_patterns("store.db*"))
    again = open_project(root, store_url="sqlite:///other.db")
    for name in ("verdict", "stage_event", "gold", "completeness", "draw", "roster", "annotation"):
        assert plain(everything(again)[name]) == plain(everything(any_project)[name]), name
    query = text("SELECT * FROM revisions ORDER BY revision")
    rows = []
    for project in (again, any_project):
        with project.store.reading() as connection:
            found = [dict(row) for row in connection.execute(query).mappings()]
            rows.append([{k: v for k, v in row.items() if k != "labelled_at"} for row in found])
    assert rows[0] == rows[1]


@pytest.mark.slow
def test_a_copy_of_any_age_is_verified_and_put_back(project: Project, tmp_path: Path) -> None:
    planted(project)
    copy = tmp_path / "copy.db"
    done = backup.backup(project, copy)
    assert (done.ok, done.n_behind, done.size) == (True, 0, project.ledger.positions()[-1])
    assert copy.stat().st_mode & 0o077 == 0
    assert [p.name for p in tmp_path.iterdir() if "copy" in p.name] == ["copy.db"]
    one_more(project)
    assert backup.verify(project, copy).n_behind == 1
    before = everything(project)
    spoil(project.root / ".lineage" / "store.db", "garbage")
    assert everything(rebuilt(project, source=copy)) == before


@pytest.mark.slow
def test_a_copy_from_before_an_erasure_brings_nothing_back(
    project: Project, tmp_path: Path
) -> None:
    planted(project)
    copy = tmp_path / "copy.db"
    backup.backup(project, copy)
    erase(project, EVE)
    found = backup.verify(project, copy)
    assert (found.ok, found.n_forgotten) == (True, 1)
    again = rebuilt(project, source=copy)
    assert EVE.encode() not in bytes_of(project.root)
    with again.store.reading() as connection:
        assert EVE not in {row.handle for row in read.annotators(connection)}


def test_a_copy_is_never_written_over_a_file(project: Project, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("mine")
    with pytest.raises(Refused, match="stands there already"):
        backup.backup(project, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "mine"


@pytest.mark.slow
def test_a_changed_copy_is_found_out_and_not_put_back(project: Project, tmp_path: Path) -> None:
    import sqlite3

    before = everything(filled(project))
    copy = tmp_path / "copy.db"
    backup.backup(project, copy)
    with sqlite3.connect(copy) as connection:
        connection.execute("DROP TRIGGER log_entry_no_update")
        connection.execute("UPDATE log_entry SET root = 'f00' WHERE seq = 5")
    connection.close()
    assert "its log has root f00" in backup.verify(project, copy).problems[0]
    with pytest.raises(BadInput, match="cannot be put back"):
        rebuilt(project, source=copy)
    assert everything(project) == before


@pytest.mark.slow
def test_a_copy_that_knows_more_than_the_ledger_is_found_out(
    project: Project, tmp_path: Path
) -> None:
    filled(project)
    backup.backup(project, tmp_path / "copy.db")
    for path in project.ledger.segments.glob("00000005.*"):
        path.unlink()
    assert "files here are of 4" in backup.verify(project, tmp_path / "copy.db").problems[0]


@pytest.mark.parametrize("content", [b"", b"text " * 999])
def test_what_is_no_copy_is_refused(project: Project, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "copy.db").write_bytes(content)
    with pytest.raises(BadInput, match="no backup of a store"):
        backup.verify(project, tmp_path / "copy.db")


@pytest.mark.slow
def test_a_servers_store_is_not_copied_but_told_how(
    project_root: Path, postgres_store_url: str
) -> None:
    project = open_project(project_root, store_url=postgres_store_url)
    with pytest.raises(Refused) as caught:
        backup.backup(project, project_root / "copy.db")
    assert "pg_dump" in caught.value.hint


IMPORTER = """
import sys
from pathlib import Path
from lineage.activities.context import open_project
from lineage.activities.ingest import import_labels
for path in sys.argv[2:]:
    import_labels(open_project(Path(sys.argv[1]), agent="x"), [Path(path)], "b1")
"""


@pytest.mark.slow
def test_copies_taken_while_eight_import_are_whole(project: Project, tmp_path: Path) -> None:
    filled(project)
    writers = []
    for n in range(8):
        files = []
        for k in range(3):
            boxes = [region(f"{n}-{k}-{i}", "car", 1, i, 9, 9) for i in range(40)]
            labels = [annotation(100 + n, f"w{n}@x.example", boxes)]
            files.append(str(label_studio(tmp_path / f"{n}-{k}.json", [(f"{n}-{k}.png", labels)])))
        writers.append(
            subprocess.Popen([sys.executable, "-c", IMPORTER, str(project.root), *files])
        )
    copies = []
    while any(writer.poll() is None for writer in writers) and len(copies) < 40:
        copies.append(backup.backup(open_project(project.root), tmp_path / f"{len(copies)}.db"))
    assert [writer.wait() for writer in writers] == [0] * 8
    copies.append(backup.backup(open_project(project.root), tmp_path / "after.db"))
    assert len(copies) > 3
    assert all(copy.ok for copy in copies), [copy.problems for copy in copies if not copy.ok]
    assert all(backup.verify(project, copy.path).ok for copy in copies)
    assert copies[-1].size > copies[0].size


KILLED = """
import os, signal, sys
from pathlib import Path
import lineage.segments.files as files
from lineage.activities.context import open_project
from lineage.activities.erase import erase
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
project = open_project(Path(sys.argv[1]), agent="x")
left = [int(sys.argv[2])]
def deadly(owner, name):
    original = getattr(owner, name)
    def wrapped(*args, **kwargs):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)
    setattr(owner, name, wrapped)
deadly(files.os, "fsync")
deadly(Path, "replace")
deadly(Path, "rmdir")
deadly(Path, "unlink")
deadly(SQLiteDialect, "do_commit")
erase(project, sys.argv[3])
"""


@pytest.mark.slow
def test_an_erasure_that_is_killed_anywhere_ends_on_one_side(
    project: Project, tmp_path: Path
) -> None:
    from tests.activities.test_erase import is_whole

    planted(project)
    n_before, outcomes, step = project.ledger.positions()[-1], set(), 2
    while True:
        root = tmp_path / "killed"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(project.root, root)
        words = [sys.executable, "-c", KILLED, str(root), str(step), EVE]
        done = subprocess.run(words, capture_output=True, check=False)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
        again = open_project(root)
        n = again.ledger.positions()[-1]
        is_gone = EVE.encode() not in bytes_of(root)
        assert is_gone == (n == n_before + 1), f"step {step}: neither erased nor as before"
        assert is_whole(again)
        assert again.ledger.unfinished() == []
        outcomes.add(is_gone)
        if done.returncode == 0:
            break
        # a third of the instants: each costs a process
        step += 3
    assert outcomes == {True, False}
    assert step > 15, "the harness no longer reaches the steps"
