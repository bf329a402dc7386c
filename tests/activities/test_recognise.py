"""Files of ours come back: what was edited is superseded, all else is as it was."""

from __future__ import annotations

import dataclasses
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow.parquet as pq
import pytest

from lineage.activities import batches, export, infer, schemas, select, trace
from lineage.activities.context import Project
from lineage.activities.ingest import ImportOptions, ImportReport, import_labels
from lineage.activities.select import Selector
from lineage.store import read
from tests.cli.conftest import lineage
from tests.conftest import make_batch
from tests.exports import annotation, coco, label_studio, region

WHOLE = ImportOptions(is_whole=True)


def put(project: Project, path: Path, options: ImportOptions = WHOLE) -> ImportReport:
    return import_labels(project, [path], "b1", options=options)


def summary(report: ImportReport) -> tuple[int, int, int, int, int]:
    return (
        report.n_added, report.n_superseded, report.n_retracted, report.n_unchanged, report.n_rejected,
    )  # fmt: skip


def live(project: Project) -> dict[int, dict[str, Any]]:
    with project.store.reading() as connection:
        size = read.head(connection).size
    wanted = ["annotation", "class", "x_min", "annotator", "identity", "attributes", "origin"]
    rows = select.table(project.ledger, Selector(), wanted, up_to=size).to_pylist()
    return {row["annotation"]: row for row in rows}


@pytest.fixture
def filled(project: Project) -> Project:
    """Thirty boxes on six images, two people, one image each."""
    make_batch(project, {"car": ["box"], "dog": ["box"]})
    rng = np.random.default_rng(3)
    tasks = []
    for i in range(6):
        regions = [
            region(f"r{i}-{k}", "car" if k % 2 else "dog", 18.0 * k, *rng.uniform(5, 60, 1), 12, 20)
            for k in range(5)
        ]
        tasks.append((f"s/{i}.png", [annotation(i, f"p{i % 2}@x.example", regions)]))
    put(project, label_studio(project.root / "e.json", tasks))
    return project


def edit_coco(path: Path) -> None:
    document = json.loads(path.read_text())
    first, other = document["annotations"][3], document["annotations"][17]
    first["bbox"][0] += 12
    other["category_id"] = 3 - other["category_id"]
    path.write_text(json.dumps(document))


def edit_label_studio(path: Path) -> None:
    tasks = json.loads(path.read_text())
    tasks[0]["annotations"][0]["result"][3]["value"]["x"] += 2
    value = tasks[3]["annotations"][0]["result"][2]["value"]
    value["rectanglelabels"] = ["car" if value["rectanglelabels"] == ["dog"] else "dog"]
    path.write_text(json.dumps(tasks))


def edit_cvat(path: Path) -> None:
    tree = ElementTree.parse(path)
    boxes = list(tree.iter("box"))
    for name in ("xtl", "xbr"):
        boxes[3].set(name, f"{float(boxes[3].attrib[name]) + 12:.2f}")
    boxes[17].set("label", "car" if boxes[17].attrib["label"] == "dog" else "dog")
    tree.write(path)


def edit_voc(path: Path) -> None:
    files = sorted(path.rglob("*.xml"))
    tree = ElementTree.parse(files[0])
    box = list(tree.iter("bndbox"))[3]
    for name in ("xmin", "xmax"):
        side = box.find(name)
        assert side is not None
        side.text = str(float(side.text or "") + 12)
    tree.write(files[0])
    tree = ElementTree.parse(files[3])
    name_ = list(tree.iter("object"))[2].find("name")
    assert name_ is not None
    name_.text = "car" if name_.text == "dog" else "dog"
    tree.write(files[3])


def edit_yolo(path: Path) -> None:
    files = sorted((path / "labels").rglob("*.txt"))
    lines = files[0].read_text().splitlines()
    class_, x, *others = lines[3].split()
    lines[3] = " ".join([class_, f"{float(x) + 0.02:.6f}", *others])
    files[0].write_text("\n".join(lines) + "\n")
    lines = files[3].read_text().splitlines()
    lines[2] = str(1 - int(lines[2][0])) + lines[2][1:]
    files[3].write_text("\n".join(lines) + "\n")


EDITS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "coco": ("out.json", edit_coco),
    "label-studio": ("out.json", edit_label_studio),
    "cvat": ("out.xml", edit_cvat),
    "voc": ("out", edit_voc),
    "yolo": ("out", edit_yolo),
}


@pytest.mark.parametrize("format_name", EDITS)
def test_an_export_that_comes_back_edited_in_two_labels_supersedes_two(
    filled: Project, format_name: str
) -> None:
    name, edit = EDITS[format_name]
    out = filled.root / name
    export.export(filled, out, format_name)
    before = live(filled)
    options = ImportOptions(is_whole=True, format=format_name)
    rehearsal = dataclasses.replace(options, is_dry_run=True)
    assert summary(put(filled, out, rehearsal)) == (0, 0, 0, 30, 0)
    assert summary(put(filled, out, options)) == (0, 0, 0, 30, 0)
    edit(out)
    report = put(filled, out, options)
    assert summary(report) == (0, 2, 0, 28, 0), report.identity
    after = live(filled)
    assert after.keys() == before.keys()
    changed = [key for key in after if after[key] != before[key]]
    assert len(changed) == 2
    assert sum(before[key]["class"] != after[key]["class"] for key in changed) == 1
    assert sum(before[key]["x_min"] + 8 < after[key]["x_min"] for key in changed) == 1
    with filled.store.reading() as connection:
        people = {row.pseudonym for row in read.annotators(connection)}
    assert len(people - {"unknown"}) == 3, "a pseudonym in a file of ours is nobody new"


@pytest.mark.parametrize("format_name", ["coco", "label-studio", "cvat", "voc"])
def test_our_own_numbers_carry_identity_where_nothing_else_could(
    filled: Project, format_name: str
) -> None:
    """One label of an image is carried off and renamed: no overlap, no class, no tool's id."""
    out = filled.root / EDITS[format_name][0]
    labels, assets = export_tables(filled)
    row = next(i for i, n in enumerate(labels["annotation"].to_pylist()) if n == 9)
    edited = labels.to_pylist()
    width, height = (
        edited[row]["x_max"] - edited[row]["x_min"],
        edited[row]["y_max"] - edited[row]["y_min"],
    )
    edited[row] |= {"class": "dog" if edited[row]["class"] == "car" else "car"}
    edited[row] |= {
        "x_min": 600.0 - width / 2,
        "x_max": 600.0,
        "y_min": 400.0,
        "y_max": 400 + height / 2,
    }
    write(out, format_name, edited, assets)
    report = put(filled, out, ImportOptions(is_whole=True, format=format_name))
    assert summary(report) == (0, 1, 0, 29, 0)
    assert report.identity["used"] == "id"
    assert "annotation numbers agree with content" in str(report.identity["reason"])
    assert live(filled)[9]["identity"] == "id"
    assert live(filled)[9]["x_min"] > 500


def export_tables(project: Project) -> tuple[Any, list[dict[str, Any]]]:
    with project.store.reading() as connection:
        size = read.head(connection).size
    labels = trace.labels(project, Selector(), size)
    facts = trace.asset_facts(project, size).to_pylist()
    assets = [
        {
            "asset": f["name"], "asset_digest": None, "width": f["width"], "height": f["height"],
            "n_annotations": 5, "split": "",
        }
        for f in facts
    ]  # fmt: skip
    return labels, assets


def write(
    out: Path, format_name: str, labels: list[dict[str, Any]], assets: list[dict[str, Any]]
) -> None:
    import pyarrow as pa

    from lineage import columns, formats

    tables = (
        pa.Table.from_pylist(rows, schema).unify_dictionaries()
        for rows, schema in ((labels, columns.DATASET), (assets, columns.DATASET_ASSETS))
    )
    formats.writer(format_name)(out, *tables, formats.WriteOptions())


def schema_of(project: Project, paths: list[Path]) -> None:
    draft = infer.infer(project.root, paths, name="real")
    schemas.add(project, draft)
    schemas.lock(project, "real@0.1")
    batches.create(project, batches.BatchOrder("b1", "real", "real@0.1"))


def test_what_yolo_rounds_is_no_change(project: Project, shared_data: Path) -> None:
    folder = shared_data / "voc100"
    path = folder / "cvat_format" / "annotations.xml"
    schema_of(project, [path])
    put(project, path, ImportOptions(is_whole=True, annotator="ann@x.example"))
    options = ImportOptions(is_whole=True, format="yolo", annotator="ann@x.example")
    assert summary(put(project, folder / "yolo_format", options)) == (0, 0, 0, 273, 0)


def yolo(folder: Path, lines: list[str]) -> Path:
    (folder / "labels").mkdir(parents=True, exist_ok=True)
    (folder / "data.yaml").write_text("names: [car, dog]\n")
    (folder / "labels" / "a.txt").write_text("\n".join(lines) + "\n")
    return folder


def test_yolo_moves_a_box_by_more_than_it_rounds_and_keeps_what_it_cannot_say(
    project: Project,
) -> None:
    rules = {"type": "object", "properties": {"occluded": {"type": "boolean"}}}
    make_batch(project, {"car": ["box"], "dog": ["box"]}, attributes=rules)
    rows = [(i, "a.png", "car", [100.123456 + 80 * i, 50.3, 33.3, 44.4]) for i in range(4)]
    path = coco(project.root / "1.json", rows, attributes={"occluded": True})
    by_ann = ImportOptions(is_whole=True, annotator="ann@x.example")
    put(project, path, by_ann)

    def line(class_: int, box: list[float], shift: float = 0.0) -> str:
        x, y, w, h = box
        values = ((x + w / 2) / 640 + shift, (y + h / 2) / 480, w / 640, h / 480)
        return " ".join([str(class_), *(f"{value:.6f}" for value in values)])

    lines = [line(0, box) for _, _, _, box in rows]
    lines[1] = line(0, rows[1][3], shift=4e-6)
    lines[2] = line(1, rows[2][3])
    folder = yolo(project.root / "out", lines)
    options = ImportOptions(is_whole=True, format="yolo", annotator="ann@x.example")
    assert summary(put(project, folder, options)) == (0, 2, 0, 2, 0)
    rows_ = live(project)
    assert [rows_[key]["attributes"] for key in (1, 2, 4)] == ['{"occluded":true}'] * 3
    assert rows_[3] | {"x_min": 0, "annotator": ""} == {
        "annotation": 3, "class": "dog", "x_min": 0, "annotator": "", "identity": "content",
        "attributes": "{}", "origin": "human",
    }  # fmt: skip


def test_exact_formats_stay_exact(project: Project) -> None:
    make_batch(project, {"car": ["box"]})
    put(project, coco(project.root / "1.json", [(1, "a.png", "car", [10.0, 10, 50, 40])]))
    moved = coco(project.root / "2.json", [(1, "a.png", "car", [10.001, 10, 50, 40])])
    assert summary(put(project, moved)) == (0, 1, 0, 0, 0)


def doubtful(project: Project, n_images: int) -> Path:
    """Put two boxes on each image on record; return a file of one box between them, without ids."""
    make_batch(project, {"car": ["box"]})
    rows = [
        (2 * i + k, f"{i}.png", "car", [100.0 + 12 * k, 100, 100, 100])
        for i in range(n_images)
        for k in (0, 1)
    ]
    put(project, coco(project.root / "1.json", rows))
    between = [(key, name, class_, [106.0, *box[1:]]) for key, name, class_, box in rows[::2]]
    path = coco(project.root / "2.json", between)
    document = json.loads(path.read_text())
    for element in document["annotations"]:
        del element["id"]
    path.write_text(json.dumps(document))
    return path


def test_ambiguous_identities_are_listed_counted_and_stand_in_the_ledger(project: Project) -> None:
    path = doubtful(project, 60)
    rehearsed = put(project, path, ImportOptions(is_dry_run=True))
    report = put(project, path)
    assert rehearsed.identity == report.identity
    assert summary(report) == (0, 60, 60, 0, 0)
    identity = report.identity
    assert [identity[name] for name in ("used", "n_inferred", "n_ambiguous")] == ["content", 60, 60]
    listed = cast(list[dict[str, Any]], identity["ambiguous"])
    assert len(listed) == 50
    assert listed[0] | {"annotation": 0} == {
        "annotation": 0, "asset": "0.png", "class": "car", "score": pytest.approx(94 / 106), "how": "moved",
    }  # fmt: skip
    whole = pq.read_table(project.root / str(identity["path"]))
    assert whole.num_rows == 60
    told = project.ledger.read("revisions", ("annotation", "identity"), after=4).to_pylist()
    in_ledger = {row["annotation"] for row in told if row["identity"] == "ambiguous"}
    assert in_ledger == set(whole["annotation"].to_pylist())
    assert trace.log(project)[-1].outcome["identity"] == {
        name: identity[name] for name in ("used", "reason", "n_inferred", "n_ambiguous")
    }


def test_the_command_line_says_how_many_are_ambiguous(project: Project) -> None:
    path = doubtful(project, 2)
    ran = lineage(project.root, "import", str(path), "--batch", "b1")
    assert "2 identities are ambiguous: annotation " in ran.out
    assert "(car on 0.png)" in ran.out


def cvat(path: Path, decimals: int, shift: float = 0.0) -> Path:
    """Write a box, a turned box and a polygon, with coordinates rounded as a tool does."""

    def text(value: float) -> str:
        return f"{value:.{decimals}f}"

    def corners(*values: float) -> str:
        words = zip(("xtl", "ytl", "xbr", "ybr"), map(text, values), strict=True)
        return " ".join(f'{name}="{word}"' for name, word in words)

    points = [(20.123456, 200.654321), (90.777777 + shift, 210.111111), (60.5, 280.987654)]
    shapes = (
        f'<box label="car" {corners(10.123456, 10.987654, 60.555555, 50.444444)} z_order="0"/>'
        f'<box label="car" {corners(200.123456, 100.5, 420.654321, 180.25)} rotation="{text(33.456789)}" z_order="0"/>'
        f'<polygon label="car" points="{";".join(f"{text(x)},{text(y)}" for x, y in points)}" z_order="0"/>'
    )
    path.write_text(
        "<annotations><version>1.1</version><meta><job><id>1</id><assignee><username>ann</username>"
        "<email>ann@x.example</email></assignee></job></meta>"
        f'<image id="0" name="a.png" width="640" height="480">{shapes}</image></annotations>'
    )
    return path


def test_what_cvat_rounds_is_no_change_of_any_shape(project: Project) -> None:
    make_batch(project, {"car": ["box", "rotated_box", "polygon"]})
    assert summary(put(project, cvat(project.root / "1.xml", 6))) == (3, 0, 0, 0, 0)
    assert summary(put(project, cvat(project.root / "2.xml", 2))) == (0, 0, 0, 3, 0)
    moved = cvat(project.root / "3.xml", 2, shift=0.02)
    assert summary(put(project, moved)) == (0, 1, 0, 2, 0)
    assert summary(put(project, cvat(project.root / "4.xml", 1))) == (0, 3, 0, 0, 0)
