"""Every table, every part and either store: what is not the ledger's is named (slow: a reviewed world)."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lineage.activities import context, gold, trace, version
from lineage.activities.audit import audit
from lineage.activities.context import Project, open_project
from lineage.activities.dataset import pretty
from lineage.activities.erase import erase
from lineage.identity import canonical_json
from lineage.segments import file_sha256
from tests.activities.audited import labelled, look, part, replaced, rewrite, rows_of, tamper, the
from tests.activities.reviewed import opened
from tests.store.test_contract import filled

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def template(empty_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with rows in every table; copied, never changed."""
    folder = tmp_path_factory.mktemp("audited")
    return labelled(opened(empty_project, folder), folder).project.root


@pytest.fixture
def root(template: Path, tmp_path: Path) -> Path:
    """A project of a test's own."""
    return Path(shutil.copytree(template, tmp_path / "world"))


def test_a_reviewed_project_gives_no_finding(root: Path) -> None:
    found = look(root, deep=True)
    assert (found.ok, list(found.findings)) == (True, [])
    assert found.checked["revisions"] == sum(
        rows_of(path).num_rows for path in (root / "ledger/segments").glob("*.revisions.parquet")
    )
    assert found.checked["versions"] == found.checked["rebuilt"] == found.checked["runs"] == 1


def test_either_store_is_clean(any_project: Project) -> None:
    version.build(filled(any_project))
    located = context.locate(any_project.root, store_url=str(any_project.store.engine.url))
    if not any_project.store.is_sqlite:
        located = any_project
    assert list(audit(located, deep=True).findings) == []


def test_a_changed_column_that_the_store_does_not_hold_is_named_too(root: Path) -> None:
    before = rewrite(part(root, "revisions"), lambda rows: replaced(rows, 7, score=0.25))
    found = the(look(root), "segment-changed")
    assert found.annotation == before["annotation"][7].as_py()


def test_other_bytes_around_the_same_rows_are_found(root: Path) -> None:
    path = part(root, "revisions")
    rows = rows_of(path)
    pq.write_table(rows, path, compression="none")
    found = the(look(root), "segment-changed")
    assert (found.annotation, "the rows are as recorded" in found.found) == (None, True)


@pytest.mark.parametrize("table", ["assets", "roster", "completeness", "verdicts", "draws", "gold"])
def test_a_row_dropped_from_any_part_is_named(root: Path, table: str) -> None:
    path = part(root, table)
    before = rewrite(path, lambda rows: rows.slice(1))
    found = the(look(root), "segment-changed")
    assert "row 0" in found.found
    if table == "assets":
        assert before["name"][0].as_py() in found.found
    elif table == "gold":
        assert found.annotation is not None


def test_a_header_that_was_changed_with_its_part_is_found_by_the_root(root: Path) -> None:
    path = part(root, "revisions")
    rewrite(path, lambda rows: replaced(rows, 2, **{"class": "bus"}))
    place = path.with_name(path.name.replace("revisions.parquet", "activity.json"))
    header = json.loads(place.read_bytes())
    for entry in header["parts"]:
        if entry["table"] == "revisions":
            entry["sha256"] = file_sha256(path)
    place.write_bytes(canonical_json(header) + b"\n")
    found = look(root, deep=True)
    assert the(found, "segment-root").annotation is not None
    assert the(found, "row-changed").n == 1


@pytest.mark.parametrize(
    ("statement", "kind", "where"),
    [
        ("UPDATE revision SET class_id = class_id % 2 + 1 WHERE id = 3", "row-changed", "revision 3"),
        ("UPDATE revision SET content = 5 WHERE id = 3", "row-changed", "revision 3"),
        ("UPDATE revision SET content = NULL WHERE id = 3", "row-changed", "revision 3"),
        ("UPDATE revision SET x_min = 'x' WHERE id = 3", "row-changed", "revision 3"),
        ("DELETE FROM revision WHERE id = 3", "row-missing", "revision 3"),
        ("UPDATE annotation SET asset_id = 1 WHERE id = 9", "row-changed", "annotation 9"),
        ("DELETE FROM roster WHERE id = 2", "row-missing", "roster"),
        (
            "INSERT INTO roster (seq, asset_id, annotator_id, batch_id, presence) "
            "SELECT seq, asset_id, annotator_id, batch_id, 'skipped' FROM roster WHERE id = 1",
            "row-extra",
            "roster",
        ),
        ("UPDATE asset SET name = 'other.png' WHERE id = 2", "row-changed", "asset 2"),
        ("UPDATE asset_fact SET width = 7 WHERE id = 2", "row-changed", "asset_fact"),
        ("UPDATE verdict SET verdict = 'wrong' WHERE id = 1", "row-changed", "verdict"),
        ("UPDATE stage_event SET stage = 'final' WHERE id = 1", "row-changed", "stage_event"),
        ("UPDATE gold SET is_gold = 0 WHERE id = 1", "row-changed", "gold"),
        ("UPDATE draw SET inclusion_fraction = 0.5 WHERE id = 1", "row-changed", "draw"),
        ("UPDATE completeness SET state = 'skipped' WHERE id = 1", "row-changed", "completeness"),
        ("UPDATE annotator SET kind = 'model' WHERE id = 2", "row-changed", "annotator"),
        ("UPDATE batch SET policy = '{}' WHERE id = 1", "row-changed", "b1"),
        ("UPDATE source SET n_bytes = 1 WHERE id = 1", "row-changed", "source"),
        ("UPDATE state_event SET state = 'draft' WHERE id = 1", "row-changed", "schema 1"),
        ("INSERT INTO label_class (name) VALUES ('ghost')", "row-extra", "label_class"),
        ("UPDATE attribute_document SET digest = 1", "row-changed", "revision 1"),
        ("UPDATE activity SET batch = 'other' WHERE seq = 4", "store-log", "activity 4"),
        ("UPDATE dataset_version SET seq = 1", "version-changed", "ledger/versions/"),
        ("UPDATE run SET document = '{}'", "run-differs", "ledger/runs/run-1.json"),
        ("UPDATE run SET at = at + 1", "run-differs", "ledger/runs/run-1.json"),
    ],
)  # fmt: skip
def test_a_row_of_any_table_that_is_not_the_ledgers_is_named(
    root: Path, statement: str, kind: str, where: str
) -> None:
    tamper(root, statement)
    found = look(root, deep=True)
    assert [f.kind for f in found.findings][:1] == [kind], found.findings
    assert where in found.findings[0].where
    if "revision 3" in where:
        assert (
            found.findings[0].annotation
            == rows_of(part(root, "revisions"))["annotation"][2].as_py()
        )


def test_a_store_without_its_guards_or_with_a_broken_page(root: Path) -> None:
    with sqlite3.connect(root / ".lineage" / "store.db") as connection:
        connection.execute("DROP TRIGGER revision_no_update")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    assert "revision_no_update is missing" in the(look(root, deep=True), "store-guard").found
    store = root / ".lineage" / "store.db"
    store.write_bytes(b"no database" * 1000)
    kinds = {finding.kind for finding in look(root, deep=True).findings}
    assert kinds == {"store-unreadable"}


def test_a_manifest_that_gives_other_labels_is_found_without_git_or_store(root: Path) -> None:
    path = next((root / "ledger/versions").glob("*.json"))
    manifest = json.loads(path.read_bytes())
    manifest["recipe"]["classes"] = ["cat"]
    path.write_bytes(pretty(manifest))
    (root / "data/dataset/manifest.json").write_bytes(pretty(manifest))
    shutil.rmtree(root / ".git")
    for file in (root / ".lineage").glob("store.db*"):
        file.unlink()
    assert look(root).ok
    found = the(look(root, deep=True), "version-differs")
    assert found.where == f"ledger/versions/{path.name}"


def test_a_store_that_is_behind_or_missing_is_no_fault_and_a_restored_one_is_clean(
    root: Path,
) -> None:
    for file in (root / ".lineage").glob("store.db*"):
        file.unlink()
    found = look(root, deep=True)
    assert found.ok
    assert any("no store" in note for note in found.notes)
    open_project(root)
    assert look(root, deep=True).ok


def test_text_that_was_erased_and_comes_back_is_found(root: Path) -> None:
    project = open_project(root, agent="tess@team.example")
    gold.add(project, trace.Choice(batch=("b1",)), gold.GoldOrder(comment="ask Tess"))
    kept = {path: path.read_bytes() for path in (root / "ledger/segments").iterdir()}
    erase(project, "tess@team.example")
    found = look(root, deep=True)
    assert list(found.findings) == []
    changed = [path for path, content in kept.items() if path.read_bytes() != content]
    assert changed
    for path in changed:
        path.write_bytes(kept[path])
    kinds = [finding.kind for finding in look(root, deep=True).findings]
    assert kinds == ["segment-unerased"] * len(changed)
