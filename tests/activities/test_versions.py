"""Versions, differences, migrations: what a later reader will rely on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from lineage.activities import audit, batches, migrate, position, schemas, trace, version
from lineage.activities.context import Project, locate
from lineage.activities.ingest import ImportOptions, import_labels
from lineage.activities.trace import Choice
from lineage.calc.changes import counted_by
from lineage.errors import BadInput, LineageError, NotFound, Refused
from lineage.segments import file_sha256
from lineage.settings import Recipe
from lineage.terms import BatchKind
from tests.conftest import make_batch
from tests.exports import annotation, coco, label_studio, region

BOX = [10.0, 10.0, 50.0, 40.0]
WHOLE = ImportOptions(is_whole=True)


def tagged(name: str, *, document: bool = False) -> str:
    return json.dumps({"name": name}) if document else name


@pytest.fixture
def filled(project: Project) -> Project:
    """A project with 60 cars and dogs on 20 images, one image empty."""
    make_batch(project, {"car": ["box"], "dog": ["box"]})
    tasks: list[tuple[str, list[dict[str, Any]]]] = []
    for i in range(20):
        regions = [
            region(f"r{i}-{k}", "car" if k else "dog", 5.0 + k * 20, 10, 15, 20) for k in range(3)
        ]
        tasks.append((f"scene-{i // 4}/{i:02d}.png", [annotation(i, {"id": i % 3}, regions)]))
    tasks.append(("scene-9/empty.png", [annotation(99, {"id": 1}, [])]))
    import_labels(project, [label_studio(project.root / "e.json", tasks)], "b1", options=WHOLE)
    return project


def test_a_version_that_comes_about_again_keeps_the_manifest_on_record(filled: Project) -> None:
    first = version.build(filled)
    batches.create(filled, batches.BatchOrder("later", "detection", "things@1.0"))
    again = version.build(filled, Recipe(classes=("car", "dog")))
    assert again["digest"] == first["digest"]
    name = str(first["name"])
    here = filled.root / "data" / "dataset" / "manifest.json"
    assert here.read_bytes() == (filled.ledger.registry / f"{name}.json").read_bytes()
    found = audit.audit(locate(filled.root)).findings
    assert [one.kind for one in found if one.kind.startswith("dataset")] == []


def test_a_version_is_the_same_whoever_builds_it_and_files_match_the_manifest(
    filled: Project, tmp_path: Path
) -> None:
    recipe = Recipe(group_pattern=r"^(scene-\d+)/")
    first = version.build(filled, recipe, out=tmp_path / "a")
    second = version.build(filled, recipe, out=tmp_path / "b")
    assert first == second
    assert (first["n_annotations"], first["n_assets"]) == (60, 21)
    for entry in first["files"]:  # type: ignore[attr-defined]
        for folder in ("a", "b"):
            assert file_sha256(tmp_path / folder / entry["path"]) == entry["sha256"]
    split_of: dict[str, set[str]] = {}
    for path in (tmp_path / "a").glob("*/assets.parquet"):
        for row in pq.read_table(path).to_pylist():
            split_of.setdefault(row["asset"].split("/")[0], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in split_of.values())
    assert "scene-9" in split_of, "an image that was looked at and is empty belongs to the version"


def test_a_recipe_leaves_out_and_says_why(filled: Project, tmp_path: Path) -> None:
    batches.create(filled, batches.BatchOrder("b2", "detection", "things@1.0", BatchKind.PILOT))
    export = coco(filled.root / "p.json", [(1, "pilot.png", "car", BOX)])
    import_labels(filled, [export], "b2")
    only = version.build(filled, Recipe(classes=("dog",)), out=tmp_path / "d")
    assert only["n_annotations"] == 20
    assert only["excluded"] == [{"batch": "b2", "reason": "a pilot"}]
    both = version.build(filled, Recipe(include_pilots=True), out=tmp_path / "e")
    assert both["n_annotations"] == 61
    for recipe in (Recipe(stages=("finel",)), Recipe(splits={"a": 0.4})):
        with pytest.raises(LineageError):
            version.build(filled, recipe, out=tmp_path / "f")
    assert not (tmp_path / "f").exists()


def edited(filled: Project, edit: Any) -> None:
    tasks = json.loads((filled.root / "e.json").read_text())
    edit(tasks)
    path = filled.root / "e2.json"
    path.write_text(json.dumps(tasks))
    import_labels(filled, [path], "b1", options=WHOLE)


def test_a_difference_names_every_kind_of_change_once(filled: Project, tmp_path: Path) -> None:
    old = version.build(filled, Recipe(), tag="old", out=tmp_path / "a")

    def edit(tasks: list[Any]) -> None:
        results = [task["annotations"][0]["result"] for task in tasks]
        results[0][0]["value"]["rectanglelabels"] = ["car"]
        results[1][0]["value"]["x"] += 2
        results[2].pop()
        results[3].append(region("fresh", "dog", 60, 60, 10, 10))
        results[4][0]["value"]["x"] += 2
        results[4][0]["value"]["rectanglelabels"] = ["car"]

    edited(filled, edit)
    new = version.build(filled, Recipe(), tag="new", out=tmp_path / "b")
    assert old["name"] != new["name"]
    found = version.diff(filled, "old", "new").found
    assert dict(found.counts) == {
        "n_added": 1, "n_retracted": 1, "n_reclassed": 2, "n_moved": 1,
        "n_attributes": 0, "n_restaged": 0, "n_unchanged": 56,
    }  # fmt: skip
    both = [row for row in found.table.to_pylist() if row["is_reclassed"] and row["is_moved"]]
    assert len(both) == 1
    by_class = {row["class"]: row for row in counted_by(found)["class"]}
    assert by_class["dog"]["n_added"] == 1
    back = version.diff(filled, "new", "old").found
    assert (back.counts["n_added"], back.counts["n_retracted"]) == (1, 1)
    nothing = version.diff(filled, "old", "old").found
    assert nothing.table.num_rows == 0
    assert nothing.counts["n_unchanged"] == 60


def test_any_question_can_be_asked_as_of_a_moment(filled: Project, tmp_path: Path) -> None:
    version.build(filled, Recipe(), tag="then", out=tmp_path / "a")
    seq = position.resolve(filled, None)
    entry = trace.log(filled)[-1]
    edited(filled, lambda tasks: [task["annotations"][0]["result"].clear() for task in tasks])
    assert trace.status(filled).n_live == 0
    for word in (str(seq), "then", entry.at.isoformat()):
        assert position.resolve(filled, word) == seq, word
        assert trace.status(filled, Choice(as_of=word)).n_live == 60
    assert len(trace.show(filled, 1)["revisions"]) == 2  # type: ignore[arg-type]
    assert len(trace.show(filled, 1, str(seq))["revisions"]) == 1  # type: ignore[arg-type]
    assert trace.blame(filled, "scene-0/00.png")["annotations"] == []
    assert len(trace.blame(filled, "00.png", "then")["annotations"]) == 3  # type: ignore[arg-type]
    for word, slug in (("99", "as-of-future"), ("2026-01-01", "naive-time"), ("x", "as-of")):
        with pytest.raises(LineageError) as caught:
            position.resolve(filled, word)
        assert caught.value.slug == slug


def test_names_of_versions_and_tags(filled: Project, tmp_path: Path) -> None:
    manifest = version.build(filled, Recipe(), out=tmp_path / "a")
    name = str(manifest["name"])
    assert version.get(filled, name[:6])["digest"] == manifest["digest"]
    version.tag(filled, name, "release-1")
    assert version.get(filled, "release-1")["name"] == name
    other = version.build(filled, Recipe(classes=("dog",)), out=tmp_path / "b")
    with pytest.raises(Refused):
        version.tag(filled, str(other["name"]), "release-1")
    with pytest.raises(BadInput):
        version.tag(filled, name, "rm -rf /")
    with pytest.raises(NotFound):
        version.get(filled, "nothing")


def second_schema(project: Project) -> None:
    document = {
        "name": "things",
        "version": "2.0",
        "classes": {"vehicle": {"kinds": ["box"]}, "animal": {"kinds": ["box"]}},
    }
    path = project.root / "two.json"
    path.write_text(json.dumps(document))
    schemas.add(project, path)
    schemas.lock(project, "things@2.0")


def test_a_migration_is_an_activity_and_a_tool_with_old_names_does_not_undo_it(
    filled: Project,
) -> None:
    second_schema(filled)
    mapping = filled.root / "map.yaml"
    mapping.write_text("from: things@1.0\nto: things@2.0\nclasses: {car: vehicle, dog: null}\n")
    done = migrate.migrate(filled, "things@1.0", "things@2.0", mapping)
    assert (done.n_migrated, done.n_for_review, len(done.for_review)) == (40, 20, 20)
    assert trace.log(filled)[-1].kind == "migrate"
    history = trace.show(filled, 2)["revisions"]
    assert [row["class"] for row in history] == ["car", "vehicle"]  # type: ignore[union-attr, index]

    def touch(tasks: list[Any]) -> None:
        tasks[0]["annotations"][0]["lead_time"] = 1.0
        tasks[1]["annotations"][0]["result"][1]["value"]["x"] += 3

    edited(filled, touch)
    newest = trace.log(filled)[-1].outcome
    assert (newest["n_unchanged"], newest["n_superseded"], newest["n_added"]) == (59, 1, 0)
    live = trace.labels(filled, trace.selector_of(filled, Choice(schema=("things@2.0",))), 10**6)
    assert live.num_rows == 39
    again = migrate.migrate(filled, "things@1.0", "things@2.0", mapping)
    assert again.n_migrated == 1
    with pytest.raises(BadInput, match=r"asked for things@2\.0"):
        migrate.migrate(filled, "things@2.0", "things@2.0", mapping)
