"""Faults planted by hand in a real project: each is found, named with its first label, and hides no other."""

from __future__ import annotations

import ast
import json
import re
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from lineage.activities.audit import capped
from lineage.activities.findings import Finding
from tests.activities.audited import (
    flip,
    imported,
    look,
    part,
    replaced,
    rewrite,
    rows_of,
    the,
)
from tests.activities.reviewed import opened
from tests.conftest import REPOSITORY


@pytest.fixture(scope="module")
def template(empty_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of two imports and a version; copied, never changed."""
    return imported(opened(empty_project, tmp_path_factory.mktemp("audited"))).root


@pytest.fixture
def root(template: Path, tmp_path: Path) -> Path:
    """A project of a test's own."""
    return Path(shutil.copytree(template, tmp_path / "world"))


def test_a_project_as_it_was_recorded_gives_no_finding(root: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}
    found = look(root, deep=True)
    assert (found.ok, list(found.findings)) == (True, [])
    assert found.checked["revisions"] == sum(
        rows_of(path).num_rows for path in (root / "ledger/segments").glob("*.revisions.parquet")
    )
    assert found.checked["versions"] == found.checked["rebuilt"] == found.checked["runs"] == 1
    after = {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}
    left = {path.name for path in after.keys() - before.keys()}
    assert left <= {"store.db-shm", "store.db-wal"}
    assert {p: t for p, t in after.items() if p in before} == before


@pytest.mark.parametrize("has_store", [True, False])
def test_a_changed_label_is_named_by_the_store_and_without_it_by_nobody(
    root: Path, has_store: bool
) -> None:
    path = part(root, "revisions")
    before = rewrite(path, lambda rows: replaced(rows, 4, **{"class": "bus"}))
    if not has_store:
        for file in (root / ".lineage").glob("store.db*"):
            file.unlink()
    found = the(look(root), "segment-changed")
    assert found.where == f"ledger/segments/{path.name}"
    if has_store:
        assert found.annotation == before["annotation"][4].as_py()
        assert "row 4: class 'bus', in place of" in found.found
    else:
        assert found.annotation is None
        assert f"labels 1..{before.num_rows}" in found.found


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: pa.concat_tables([rows.slice(0, 5), rows.slice(6)]), "1 of the"),
        (lambda rows: pa.concat_tables([rows.slice(0, 6), rows.slice(5)]), "1 others"),
        (
            lambda rows: pa.concat_tables(
                [rows.slice(0, 5), rows.slice(6, 1), rows.slice(5, 1), rows.slice(7)]
            ),
            "another order",
        ),
    ],
    ids=["dropped", "doubled", "swapped"],
)
def test_rows_that_moved_are_named_from_the_first(root: Path, change: object, told: str) -> None:
    before = rewrite(part(root, "revisions"), change)  # type: ignore[arg-type]
    found = the(look(root), "segment-changed")
    assert found.annotation == before["annotation"][5].as_py()
    assert told in found.found


def test_a_torn_part_names_its_first_label_and_the_range(root: Path) -> None:
    path = part(root, "revisions")
    before = rows_of(path)
    path.write_bytes(path.read_bytes()[:-50])
    found = the(look(root), "segment-changed")
    first, last = before["annotation"][0].as_py(), before["annotation"][-1].as_py()
    assert found.annotation == first
    assert f"labels {first}..{last}" in found.found


@pytest.mark.slow
def test_a_part_that_is_gone_and_a_file_that_nobody_recorded(root: Path) -> None:
    path = part(root, "revisions")
    first = rows_of(path)["annotation"][0].as_py()
    path.rename(path.with_name("00000099.notes.parquet"))
    (path.parent / "notes.txt").write_text("mine")
    found = look(root, deep=True)
    assert the(found, "segment-missing").annotation == first
    assert the(found, "segment-stray").where == "ledger/segments/notes.txt"


def test_faults_hide_nothing_of_each_other(root: Path) -> None:
    header = sorted((root / "ledger/segments").glob("*.activity.json"))[-1]
    header.write_bytes(header.read_bytes()[:40])
    rewrite(part(root, "revisions"), lambda rows: rows.slice(0, 3))
    (root / "schemas/things/v1.0.json").write_text("{}")
    flip(next((root / "ledger/versions").glob("*.json")), 30)
    (root / ".lineage/store.db").write_bytes(b"x" * 8192)
    for wal in (root / ".lineage").glob("store.db-*"):
        wal.unlink()
    kinds = {finding.kind for finding in look(root, deep=True).findings}
    assert kinds >= {
        "header-unreadable",
        "segment-changed",
        "schema-changed",
        "version-changed",
        "store-unreadable",
    }


@pytest.mark.slow
def test_a_dataset_file_is_held_against_the_rows_of_the_ledger(root: Path) -> None:
    path = next((root / "data/dataset").glob("*/part-00000.parquet"))
    before = pa.Table.from_batches(read_all(path))
    write(path, replaced(before, 1, **{"class": "bus"}))
    found = the(look(root), "dataset-changed")
    assert found.annotation == before["annotation"][1].as_py()
    assert "row 1: class 'bus'" in found.found
    write(path, pa.concat_tables([before, before.slice(0, 1)]))
    assert f"{before.num_rows + 1} rows" in the(look(root), "dataset-changed").found
    path.unlink()
    (path.parent / "more.parquet").write_bytes(b"x")
    found = look(root)
    assert the(found, "dataset-missing").n == before.num_rows
    assert the(found, "dataset-stray").where.endswith("more.parquet")


def read_all(path: Path) -> list[pa.RecordBatch]:
    from lineage.segments import read_parquet

    return list(read_parquet(path))


def write(path: Path, rows: pa.Table) -> None:
    from lineage.segments import parquet_writer

    with parquet_writer(path, rows.schema) as writer:
        writer.write_table(rows)


def test_registries_are_held_against_git(root: Path) -> None:
    folder = root / "ledger"
    manifest = next((folder / "versions").glob("*.json"))
    (folder / "versions/v1.tag").write_text("0" * 12)
    (folder / "runs/run-1.json").unlink()
    document = json.loads(manifest.read_bytes())
    document["log_root"] = "0" * 64
    manifest.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    found = look(root)
    kinds = {finding.kind for finding in found.findings}
    assert kinds == {
        "version-changed",
        "version-root",
        "tag-differs",
        "run-differs",
        "dataset-changed",
    }


def test_a_locked_schema_that_changed_names_what_changed(root: Path) -> None:
    path = root / "schemas/things/v1.0.json"
    document = json.loads(path.read_text())
    del document["classes"]["bus"]
    path.write_text(json.dumps(document))
    assert "bus" in the(look(root), "schema-changed").found
    path.unlink()
    the(look(root), "schema-missing")


def test_findings_of_one_kind_are_counted_not_listed() -> None:
    many = [Finding("cache-corrupt", f"object {n}", None, "a", "b", "c") for n in range(1000)]
    kept = capped([*many, *many, Finding("row-extra", "x", 1, "a", "b", "c")])
    assert [
        len([f for f in kept if f.kind == kind]) for kind in ("cache-corrupt", "row-extra")
    ] == [20, 1]
    assert sum(finding.n for finding in kept) == 1001


def kinds_of(path: Path) -> set[str]:
    """Return the kinds of findings that a module makes: the words that stand first in them."""
    found: set[str] = set()
    for function in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(function, ast.FunctionDef):
            continue
        calls = [
            node
            for node in ast.walk(function)
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding"
        ]
        firsts = [call.args[0] for call in calls]
        for node in ast.walk(function):
            is_kind = isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "kind"
            firsts += [node.value] if is_kind else []  # type: ignore[attr-defined]
            is_loop = isinstance(node, ast.For) and "id='kind'" in ast.dump(node.target)
            firsts += [node.iter] if is_loop else []  # type: ignore[attr-defined]
        words = (node for first in firsts for node in ast.walk(first))
        found |= {
            node.value
            for node in words
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.fullmatch(r"[a-z]+(-[a-z]+)+", node.value)
        }
    return found


def test_every_kind_of_finding_is_explained_and_no_other() -> None:
    folder = REPOSITORY / "lineage" / "activities"
    modules = [*folder.glob("audit*.py"), folder / "runs.py"]
    page = (REPOSITORY / "docs" / "trust.md").read_text("utf-8")
    explained = set(re.findall(r"^\| `([a-z-]+)` \|", page, re.M))
    assert explained == {kind for module in modules for kind in kinds_of(module)}
