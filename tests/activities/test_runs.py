"""Pins: never moved, refused over other bytes, found again, and held against registry, log and files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import lineage
from lineage.activities import (
    runs,
    runs_affected,
    runs_cells,
    runs_metrics,
    runs_store,
    runs_verify,
)
from lineage.activities.context import Project, open_project
from lineage.errors import BadInput, LineageError, NotFound, Refused
from lineage.segments import read_parquet
from lineage.store.query import read_only
from tests.activities.running import build, label, person


@pytest.fixture(scope="module")
def made(empty_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with labels and one version, in data/dataset; copied, never changed."""
    root = tmp_path_factory.mktemp("made") / "proj"
    shutil.copytree(empty_project, root)
    project = open_project(root, agent="tess@team.example")
    label(project)
    build(project)
    return root


@pytest.fixture
def pinned(made: Path, tmp_path: Path) -> tuple[Project, dict[str, Any]]:
    """The project, and its version's manifest."""
    shutil.copytree(made, tmp_path / "proj")
    project = open_project(tmp_path / "proj", agent="tess@team.example")
    return project, dict(runs.manifest_of(project, "v1"))


def flip(path: Path, at: int = -100) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def first_part(project: Project) -> Path:
    return next((project.root / runs.DATA).glob("train/part-*.parquet"))


def loaded(project: Project, split: str = "*") -> pa.Table:
    files = sorted((project.root / runs.DATA).glob(f"{split}/part-*.parquet"))
    return pa.Table.from_batches(batch for path in files for batch in read_parquet(path))


def test_a_pin_says_what_the_run_saw_and_is_never_moved(
    pinned: tuple[Project, dict[str, Any]],
) -> None:
    project, manifest = pinned
    first = runs.pin(project, "run-1", version="v1")
    assert {n: first[n] for n in ("version", "digest", "seq", "log_root", "subset")} == {
        "version": manifest["name"],
        "digest": manifest["digest"],
        "seq": manifest["seq"],
        "log_root": manifest["log_root"],
        "subset": None,
    }
    data: Any = first["data"]
    assert [f["sha256"] for f in data["files"]] == [f["sha256"] for f in manifest["files"]]
    assert first["pin"] == runs.pin_digest(first)
    file = project.ledger.run_registry / "run-1.json"
    before = file.read_bytes()
    assert runs.pin(project, "run-1", version=manifest["name"]) == first
    assert runs.pin(project, "run-1", version="v1", is_checked=False) == first
    assert file.read_bytes() == before
    other = build(project, "cars", classes=("car",))
    for words in ({"version": "cars"}, {"version": "v1", "where": ["class=dog"]}):
        with pytest.raises(Refused) as refusal:
            runs.pin(project, "run-1", is_checked=False, **words)  # type: ignore[arg-type]
        assert refusal.value.slug == "run-exists"
    assert file.read_bytes() == before
    assert runs.pin(project, "run-2", version="cars")["digest"] == other["digest"]
    assert [found["run"] for found in runs.list_all(project)] == ["run-1", "run-2"]
    assert project.agent not in file.read_text(), "no name goes into Git"


def test_other_bytes_are_refused_and_the_file_is_named(
    pinned: tuple[Project, dict[str, Any]],
) -> None:
    project, _ = pinned
    part = first_part(project)
    whole = part.read_bytes()

    def refused() -> str:
        with pytest.raises(Refused) as refusal:
            runs.pin(project, "run-1", version="v1")
        assert refusal.value.slug == "pin-differs"
        return refusal.value.message

    flip(part)
    assert "train/part-00000.parquet: expected sha256" in refused()
    part.unlink()
    assert "no such file" in refused()
    part.write_bytes(whole)
    shutil.copy(part, part.with_name("part-00001.parquet"))
    assert "part-00001.parquet: expected no such file" in refused()
    part.with_name("part-00001.parquet").unlink()
    manifest = project.root / runs.DATA / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"n_assets"', '"n_images"'))
    assert "manifest.json" in refused()
    assert runs.list_all(project) == []
    with pytest.raises(NotFound, match="no version 'v9'"):
        runs.pin(project, "run-1", version="v9")
    with pytest.raises(BadInput, match="no name for a run"):
        runs.pin(project, "a/../b", version="v1")


def test_a_subset_has_the_same_digest_from_files_and_from_the_ledger(
    pinned: tuple[Project, dict[str, Any]],
) -> None:
    project, manifest = pinned
    words = [f"class=car annotator={person(manifest)}", "class=dog asset=scene-0/01.png"]
    from_files: Any = runs.pin(project, "run-1", version="v1", where=words)["subset"]
    from_ledger: Any = runs.pin(project, "run-2", version="v1", where=words, is_checked=False)
    assert from_files == from_ledger["subset"]
    n_cars = 2 * manifest["counts"]["annotator"][person(manifest)] // 3
    # three labels an image: a dog and two cars, of one person
    assert from_files["n_annotations"] in (n_cars, n_cars + 1)
    assert runs_verify.verify(project, "run-1", is_deep=True).findings == []
    with pytest.raises(Refused, match="no label of version"):
        runs.pin(project, "run-3", version="v1", where=["class=car asset=scene-9/empty.png"])


@pytest.mark.slow
def test_a_pin_is_held_against_itself_the_registry_the_log_and_the_files(
    pinned: tuple[Project, dict[str, Any]],
) -> None:
    project, _ = pinned
    runs.pin(project, "run-1", version="v1", where=["class=car"])
    file = project.ledger.run_registry / "run-1.json"
    sound = json.loads(file.read_text())

    def kinds(**more: Any) -> list[str]:
        found = runs_verify.verify(project, "run-1", **more)
        assert found.ok == (not found.findings)
        return [finding.kind for finding in found.findings]

    assert kinds(is_deep=True) == []
    flip(first_part(project))
    assert kinds() == ["file-differs"]
    build(project, "dogs", classes=("dog",))
    assert kinds() == [], "a folder that moved on to another version says nothing against the pin"
    assert "manifest-differs" in kinds(data=project.root / runs.DATA)

    def rewritten(**changes: Any) -> list[str]:
        changed = {**sound, **changes}
        file.write_text(json.dumps({**changed, "pin": runs.pin_digest(changed)}))
        return kinds(is_deep=True)

    file.write_text(json.dumps({**sound, "seq": 1}))
    assert kinds()[0] == "run-document"
    assert rewritten(digest="0" * 64) == ["run-version"]
    assert rewritten(version="no-such") == ["run-version"]
    assert rewritten(subset={**sound["subset"], "digest": "0" * 64}) == ["run-subset"]
    assert rewritten(checkpoint={"size": 1, "root": "0" * 64}) == ["run-log"]
    assert rewritten(run="run-9") == ["run-document"]
    file.write_text("{}")
    with pytest.raises(BadInput, match="no pin of a run"):
        kinds()


def test_runs_come_into_the_store_on_opening_whatever_lies_beside_them(
    pinned: tuple[Project, dict[str, Any]],
) -> None:
    come_in(pinned[0])


@pytest.mark.slow
def test_runs_come_into_either_kind_of_store(any_project: Project) -> None:
    label(any_project)
    build(any_project)
    come_in(any_project)


def come_in(project: Project) -> None:
    runs.pin(project, "here", version="v1")
    elsewhere = {**runs.get(project, "here"), "run": "elsewhere", "metrics": None}
    del elsewhere["metrics"]
    folder = project.ledger.run_registry

    def put(name: str, document: object) -> None:
        (folder / f"{name}.json").write_text(json.dumps(document))

    put("elsewhere", elsewhere)
    put("lost", {**elsewhere, "run": "lost", "version": "not-here"})
    put("torn", [1])
    put("alias", elsewhere)
    (folder / "cut.json").write_text("{")
    url = project.store.engine.url.render_as_string(hide_password=False)
    found = open_project(project.root, store_url=url)
    assert runs_store.lacking(found.store, found.ledger) == []
    _, rows, _ = read_only(found.store, "SELECT name FROM run ORDER BY name", limit=9)
    assert [row[0] for row in rows] == ["elsewhere", "here"]


@pytest.mark.slow
def test_the_runs_that_consumed_a_label_are_found_three_ways(
    pinned: tuple[Project, dict[str, Any]],
) -> None:
    project, manifest = pinned
    who = person(manifest)
    build(project, "dogs", classes=("dog",))
    runs.pin(project, "all", version="v1", is_checked=False)
    runs.pin(project, "dogs", version="dogs")
    runs.pin(project, "cars", version="v1", where=["class=car"], is_checked=False)

    def found(*words: str) -> dict[str, int | None]:
        return {r.run: r.n_annotations for r in runs_affected.affected(project, words)[1]}

    n = manifest["counts"]["annotator"][who]
    assert found(f"annotator={who}") == {"all": n, "dogs": n // 3, "cars": 2 * n // 3}
    assert found("class=dog") == {"all": 20, "dogs": 20}
    both = found(f"annotator={who} class=car")
    assert both == {"all": 2 * n // 3, "cars": 2 * n // 3}
    assert found("class=car", f"annotator={who}")["all"] == 40 + n // 3
    assert found("asset=scene-0/00.png") == {"all": 3, "dogs": 1, "cars": 2}
    shares = [r.fraction for r in runs_affected.affected(project, ["class=car"])[1]]
    assert shares == [1.0, 2 / 3]
    gone = project.ledger.registry / f"{runs.get(project, 'dogs')['version']}.json"
    gone.unlink()
    assert found("class=car")["dogs"] is None, "what cannot be cleared is not left out"


@pytest.mark.slow
def test_kept_counts_are_made_again_where_they_cannot_be_believed(
    pinned: tuple[Project, dict[str, Any]],
) -> None:
    project, manifest = pinned
    pin = runs.pin(project, "all", version="v1", is_checked=False)
    first = runs_cells.cells(project, manifest, pin)
    assert sum(first["n"].to_pylist()) == 60
    kept = project.root / ".lineage" / "cache" / "cells" / f"{manifest['digest']}.parquet"
    pq.write_table(first.slice(1), kept)
    assert runs_cells.cells(project, manifest, pin).num_rows == first.num_rows
    kept.write_bytes(b"PAR1 no such thing")
    assert runs_cells.cells(project, manifest, pin).num_rows == first.num_rows
    assert runs_cells.cells(project, manifest, pin).equals(first)


def test_training_code_pins_without_git_dvc_and_store(
    pinned: tuple[Project, dict[str, Any]], tmp_path: Path
) -> None:
    project, manifest = pinned
    there = tmp_path / "gpu"
    for name in (".lineage/config.toml", "data/dataset", "ledger/versions", "ledger/checkpoint"):
        source, target = project.root / name, there / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    held = lineage.pin("run-1", version="v1", project=there)
    assert held.digest == manifest["digest"]
    assert not (there / ".lineage" / "store.db").exists()
    again = lineage.pin("run-1", project=there)
    assert again.document == held.document
    assert lineage.pin("run-2", project=there).version == manifest["name"]
    rows = loaded(project)
    held.check(rows)
    held.check(reversed(rows.to_batches()))
    held.check(loaded(project, "val"), "val")
    held.metrics({"map": {"50": 0.5}, "epochs": 3})
    assert runs.get(project=again._project, run="run-1")["metrics"] == {"map.50": 0.5, "epochs": 3}
    with pytest.raises(Refused, match="are others"):
        held.metrics({"map": 0.9})
    flip(next(there.glob("data/dataset/train/part-*.parquet")))
    with pytest.raises(Refused, match="not the files of version"):
        lineage.pin("run-1", project=there)


@pytest.mark.slow
def test_rows_that_differ_from_the_pin_are_named(pinned: tuple[Project, dict[str, Any]]) -> None:
    project, _ = pinned
    held = lineage.pin("run-1", version="v1", project=project.root)
    rows = loaded(project).combine_chunks()
    number = rows["annotation"][7].as_py()
    at = rows.schema.get_field_index("x_min")
    moved = rows["x_min"].to_pylist()
    moved[7] += 0.5
    cases = {
        f"annotation {number} is missing": pa.concat_tables([rows.slice(0, 7), rows.slice(8)]),
        f"annotation {number} stands more": pa.concat_tables([rows, rows.slice(7, 1)]),
        f"annotation {number} was loaded with other content": rows.set_column(
            at, rows.schema.field(at), pa.array(moved)
        ),
        "annotation 999 was loaded and is not pinned": pa.table(
            {"annotation": [999], "revision": [1]}
        ),
        f"annotation {number} was loaded as of revision 999": pa.table(
            {"annotation": [number], "revision": [999]}
        ),
    }
    for told, table in cases.items():
        with pytest.raises(Refused, match=told) as refusal:
            held.check(table)
        assert refusal.value.slug == "pin-differs"
    with pytest.raises(BadInput, match="without revision"):
        held.check(rows.select(["annotation"]))
    with pytest.raises(BadInput, match="no split 'test'"):
        held.check(rows, "test")
    cars = lineage.pin("cars", version="v1", subset="class=car", project=project.root)
    only = rows.filter(pa.array([word == "car" for word in rows["class"].to_pylist()]))
    cars.check(only.select(["annotation", "revision"]))
    lineage.pin("cars", project=project.root).check(only)
    with pytest.raises(Refused, match="not pinned"):
        cars.check(rows)


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("m.json", '{"map": {"50": 0.5}, "n": 3}', {"map.50": 0.5, "n": 3}),
        ("m.yaml", "loss: 0.25\n", {"loss": 0.25}),
        ("m.csv", "metric,value\nmap,0.5\nn,3\n", {"map": 0.5, "n": 3}),
        ("m.csv", " epoch, loss\n1,0.9\n2,0.4\n", {"epoch": 2, "loss": 0.4}),
        ("m.json", '{"map": "good"}', "map='good'"),
        ("m.json", '{"map": NaN}', "map=nan"),
        ("m.json", "[1]", "no finite number"),
        ("m.json", "{", "not readable"),
        ("m.csv", "loss\n", "no row"),
        ("m.yaml", "is_good: true\n", "is_good=True"),
        ("m.txt", "0.5", "expected .json"),
    ],
)
def test_metrics_are_numbers_by_name_or_refused(
    tmp_path: Path, name: str, text: str, found: object
) -> None:
    path = tmp_path / name
    path.write_text(text)
    if isinstance(found, dict):
        assert runs_metrics.read_metrics(path) == found
        return
    with pytest.raises(LineageError, match=str(found)) as refusal:
        runs_metrics.read_metrics(path)
    assert refusal.value.slug == "metrics-unreadable"
