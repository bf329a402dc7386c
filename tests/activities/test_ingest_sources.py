"""Imports of folders and archives: digests, repeats, names in reports, and what readers are told."""

from __future__ import annotations

import dataclasses
import hashlib
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lineage.activities import assets, batches, infer, pipeline, schemas
from lineage.activities.context import Project
from lineage.activities.ingest import ImportOptions, ImportReport, import_labels, read_options
from lineage.activities.record import source_file
from lineage.errors import BadInput, Refused
from lineage.labelschema import dumps
from tests.conftest import make_batch
from tests.exports import coco

WHOLE = ImportOptions(is_whole=True)
BOX = [10.0, 10.0, 50.0, 40.0]


def put(project: Project, path: Path, how: ImportOptions = WHOLE) -> ImportReport:
    return import_labels(project, [path], "b1", options=how)


def two_files(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    coco(folder / "1.json", [(1, "a.png", "car", BOX), (2, "a.png", "car", [100.0, 100, 20, 20])])
    coco(folder / "2.json", [(1, "b.png", "car", BOX), (2, "b.png", "cat", BOX)])
    (folder / "LICENSE").write_text("MIT")
    return folder


def packed(path: Path, folder: Path) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(folder.rglob("*")):
                archive.write(file, file.relative_to(folder))
    else:
        with tarfile.open(path, "w:gz") as archive:
            archive.add(folder, ".")
    return path


def listing(project: Project) -> list[str]:
    return sorted(p.name for p in (project.root / "ledger").rglob("*"))


@pytest.mark.parametrize("kind", ["folder", "e.zip", "e.tar.gz"])
def test_a_folder_or_archive_comes_in_whole_and_only_once(project: Project, kind: str) -> None:
    make_batch(project, {"car": ["box"]})
    path = two_files(project.root / "inbox" / "export")
    if kind != "folder":
        path = packed(project.root / "inbox" / kind, path)
    report = put(project, path)
    assert (report.n_read, report.n_added, report.n_rejected) == (4, 3, 1)
    assert (report.format, report.format_reason[:7]) == ("coco", "2 files")
    assert dict(report.passed_over) == {"licence": 1}
    (source,) = report.sources
    assert source.path == path.relative_to(project.root).as_posix()
    rows = project.ledger.read("quarantine").to_pylist()
    assert [row["source"] for row in rows] == [f"{source.path}/2.json"]
    assert not list((project.root / ".lineage").glob("import-*"))
    before = listing(project)
    again = put(project, path)
    assert (again.is_repeat, again.activity, again.format) == (True, None, "coco")
    assert listing(project) == before


def test_a_folder_that_changed_is_no_repeat(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    folder = two_files(project.root / "f")
    put(project, folder)
    coco(folder / "2.json", [(1, "b.png", "car", [11.0, 10, 50, 40])])
    report = put(project, folder)
    assert (report.n_superseded, report.n_unchanged, report.is_repeat) == (1, 2, False)


def test_a_folders_digest_is_as_the_ledgers_page_says(project: Project) -> None:
    folder = project.root / "f"
    for name, content in (("b/x.xml", b"<x/>"), ("b.xml", b"<b/>"), ("a.png", b"12345")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / ".hidden").write_bytes(b"not covered")

    def entry(kind: int, name: bytes, value: bytes) -> bytes:
        return bytes([kind]) + len(name).to_bytes(4, "little") + name + value

    content = b"lineage:folder:1\x00"
    content += entry(0, b"a.png", (5).to_bytes(8, "little"))
    content += entry(1, b"b.xml", hashlib.sha256(b"<b/>").digest())
    content += entry(1, b"b/x.xml", hashlib.sha256(b"<x/>").digest())
    found = source_file(project, folder)
    assert (found.path, found.n_bytes) == ("f", 8)
    assert found.digest == hashlib.sha256(content).hexdigest()
    (folder / "a.png").write_bytes(b"54321")  # the same size: its bytes are no labels
    assert source_file(project, folder) == found
    (folder / "a.png").rename(folder / "c.png")
    assert source_file(project, folder).digest != found.digest


def test_failures_within_an_archive_name_it_and_leave_nothing(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    folder = two_files(project.root / "f")
    whole = (folder / "2.json").read_text()
    (folder / "2.json").write_text(whole[:-20])
    path = packed(project.root / "e.zip", folder)
    before = listing(project)
    with pytest.raises(BadInput) as caught:
        put(project, path)
    assert f"{path}/2.json" in str(caught.value)
    assert ".lineage" not in str(caught.value)
    assert listing(project) == before
    assert not list((project.root / ".lineage").glob("import-*"))


def test_what_was_taken_for_granted_stands_in_the_report_and_on_record(project: Project) -> None:
    make_batch(project, {"thing": ["box"]})
    path = project.root / "a.xml"
    path.write_text(
        "<annotation><filename>a.png</filename><size><width>90</width><height>90</height></size>"
        "<object><name>thing</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax>"
        "</bndbox></object></annotation>"
    )
    report = put(project, path)
    assert report.notes["pixel-base"].startswith("0")
    assert project.ledger.header(listed(project))["outcome"]["notes"] == report.notes  # type: ignore[index]
    other = put(project, path, dataclasses.replace(WHOLE, pixel_base=1))
    assert not other.is_repeat
    assert other.n_superseded == 1
    assert put(project, path, dataclasses.replace(WHOLE, pixel_base=1)).is_repeat


def listed(project: Project) -> int:
    return project.ledger.positions()[-1]


def test_images_registered_since_make_a_refused_export_worth_reading_again(
    project: Project, tmp_path: Path
) -> None:
    make_batch(project, {"car": ["box"]})
    path = coco(project.root / "1.json", [(1, "a.png", "car", BOX), (2, "a.png", "cat", BOX)])
    put(project, path)
    assert put(project, path).is_repeat
    (tmp_path / "f").mkdir()
    Image.new("L", (640, 480)).save(tmp_path / "f" / "a.png")
    assets.add(project, tmp_path / "f")
    assert not put(project, path).is_repeat
    assert put(project, path).is_repeat


@pytest.mark.parametrize(
    ("how", "slug"),
    [
        (ImportOptions(pixel_base=2), "pixel-base"),
        (ImportOptions(task="guess"), "task"),
        (ImportOptions(format="coco", map=Path("m.yaml")), "map-format"),
        (ImportOptions(map=Path("missing.yaml")), "settings-unreadable"),
        (ImportOptions(format="betamax"), "unknown-format"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    project: Project, how: ImportOptions, slug: str
) -> None:
    make_batch(project, {"car": ["box"]})
    path = coco(project.root / "1.json", [(1, "a.png", "car", BOX)])
    with pytest.raises(BadInput) as caught:
        put(project, path, how)
    assert caught.value.slug == slug


def test_readers_are_told_what_the_caller_knows(project: Project, tmp_path: Path) -> None:
    map_file = tmp_path / "map.yaml"
    map_file.write_text("kind: box\ncolumns: {asset: image}\n")
    how = ImportOptions(map=map_file, pixel_base=1, task="obb", annotator="ann")
    told, format = read_options(project.root, how)
    assert format == "table"
    assert told.mapping == {"kind": "box", "columns": {"asset": "image"}}
    assert (told.pixel_base, told.task, told.annotator) == (1, "obb", "ann")
    assert told.size_of("nothing.png") is None


def test_a_schema_is_drafted_from_folders_and_archives(project: Project, tmp_path: Path) -> None:
    folder = two_files(tmp_path / "f")
    archive = packed(tmp_path / "e.zip", folder)
    for path in (folder, archive):
        draft = infer.infer(project.root, [path], name=path.name.replace(".", "-"))
        assert '"car"' in draft.read_text()
    with pytest.raises(BadInput, match="no file"):
        infer.infer(project.root, [tmp_path / "none"], name="none")


def params(project: Project, *sources: dict[str, Any]) -> None:
    from lineage.settings import dump_yaml

    document = {
        "ingest": {
            "batches": [
                {"tag": "b1", "task": "t", "schema": "things@1.0", "sources": list(sources)}
            ]
        }
    }
    (project.root / "params.yaml").write_text(dump_yaml(document))


def test_the_stage_takes_folders_and_archives_by_pattern(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    two_files(project.root / "inbox" / "w1" / "part")
    packed(project.root / "inbox" / "w2.zip", project.root / "inbox" / "w1")
    params(project, {"path": "inbox/w*"})
    done = pipeline.ingest(project)
    assert done.refused == ()
    (report,) = done.imports
    assert [source.path for source in report.sources] == ["inbox/w1", "inbox/w2.zip"]
    assert report.n_read == 8
    assert all(entry.is_repeat for entry in pipeline.ingest(project).imports)


def test_a_pattern_that_names_a_folder_and_what_is_in_it_reads_it_once(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    two_files(project.root / "inbox" / "w1" / "part")
    params(project, {"path": "inbox/**"})
    (report,) = pipeline.ingest(project).imports
    assert ([source.path for source in report.sources], report.n_read) == (["inbox"], 4)


def test_the_stage_passes_on_how_a_source_is_to_be_read(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    coco(project.root / "1.json", [(1, "a.png", "car", BOX)])
    params(project, {"path": "1.json", "pixel_base": 1, "task": "obb"})
    pipeline.ingest(project)
    told = project.ledger.header(listed(project))["parameters"]
    assert isinstance(told, dict)
    assert (told["pixel_base"], told["task"], told["map"]) == (1, "obb", None)
    params(project, {"path": "1.json", "map": "m.yaml"})
    assert [r.slug for r in pipeline.ingest(project).refused] == ["no-such-file"]
    params(project, {"path": "1.json", "map": "../m.yaml"})
    assert [r.slug for r in pipeline.ingest(project).refused] == ["path-outside"]


def test_strict_holds_for_folders_too(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    before = listing(project)
    with pytest.raises(Refused, match="1 of 4 labels"):
        put(project, two_files(project.root / "f"), ImportOptions(is_strict=True))
    assert listing(project) == before


def test_an_older_import_without_the_newer_parameters_is_still_a_repeat(project: Project) -> None:
    schema = {"name": "s", "version": "1.0", "classes": {"car": {"kinds": ["box"]}}}
    (project.root / "s.json").write_text(dumps(schema))
    schemas.add(project, project.root / "s.json")
    schemas.lock(project, "s@1.0")
    batches.create(project, batches.BatchOrder("b1", "t", "s@1.0"))
    path = coco(project.root / "1.json", [(1, "a.png", "car", BOX)])
    put(project, path)
    assert put(project, path, dataclasses.replace(WHOLE, format="coco")).is_repeat
    assert not put(project, path, dataclasses.replace(WHOLE, annotator="ann")).is_repeat


def test_a_side_file_and_a_roster_belong_to_what_was_read(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    path = project.root / "w.xml"
    path.write_text(
        '<annotations><version>1.1</version><image id="0" name="a.png" width="90" height="90">'
        '<box label="car" xtl="1" ytl="1" xbr="9" ybr="9"/></image></annotations>'
    )
    beside = project.root / "w.completeness.csv"
    beside.write_text("asset,class,state,reason\na.png,,complete,\n")
    report = put(project, path)
    assert [source.path for source in report.sources] == ["w.xml", "w.completeness.csv"]
    assert put(project, path).is_repeat
    beside.write_text("asset,class,state,reason\na.png,,in_progress,\n")
    assert not put(project, path).is_repeat


def test_a_table_is_read_by_its_map_and_a_changed_map_reads_it_again(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    table = project.root / "t.csv"
    table.write_text("image,who,what,a,b,c,d\na.png,ann,car,1,2,30,40\n")
    roster = project.root / "asked.csv"
    roster.write_text("asset,annotator\na.png,ann\nb.png,ann\n")
    map_file = project.root / "map.yaml"
    text = (
        "kind: box\ncolumns: {asset: image, annotator: who, class: what, x_min: a, y_min: b, "
        "x_max: c, y_max: d}\nroster: asked.csv\n"
    )
    map_file.write_text(text)
    how = dataclasses.replace(WHOLE, map=map_file)
    report = put(project, table, how)
    assert (report.format, report.n_added) == ("table", 1)
    assert [s.path for s in report.sources] == ["t.csv", "asked.csv", "map.yaml"]
    assert put(project, table, how).is_repeat
    map_file.write_text(text.replace("x_max: c", "x_max: d").replace("y_max: d}", "y_max: c}"))
    assert put(project, table, how).n_superseded == 1
    with pytest.raises(BadInput) as caught:
        put(project, table)
    assert caught.value.slug == "map-missing"


def yolo_folder(root: Path) -> Path:
    (root / "labels").mkdir(parents=True)
    (root / "images").mkdir()
    (root / "data.yaml").write_text("names: [car]\nnc: 1\n")
    (root / "labels" / "a.txt").write_text("0 0.5 0.5 0.25 0.5\n")
    Image.new("L", (80, 40)).save(root / "images" / "a.png")
    return root


@pytest.mark.parametrize("suffix", ["", ".zip", ".tar.gz"])
def test_a_yolo_folder_comes_in_with_the_sizes_of_its_images(project: Project, suffix: str) -> None:
    make_batch(project, {"car": ["box"]})
    path = yolo_folder(project.root / "inbox" / "y")
    if suffix:
        path = packed(project.root / f"y{suffix}", path)
    report = put(project, path)
    assert (report.format, report.n_added, report.by_rule) == ("yolo", 1, {})
    row = project.ledger.read("revisions").to_pylist()[0]
    assert [row[name] for name in ("x_min", "y_min", "x_max", "y_max")] == [30, 10, 50, 30]
    assert put(project, path).is_repeat


def test_one_file_of_a_yolo_folder_is_read_again_for_its_classes_may_have_changed(
    project: Project,
) -> None:
    make_batch(project, {"car": ["box"], "bus": ["box"]})
    folder = yolo_folder(project.root / "y")
    put(project, folder / "data.yaml")
    (folder / "data.yaml").write_text("names: [bus]\nnc: 1\n")
    assert put(project, folder / "labels" / "a.txt").n_superseded == 1
    (folder / "data.yaml").write_text("names: [car]\nnc: 1\n")
    assert put(project, folder / "labels" / "a.txt").n_superseded == 1
