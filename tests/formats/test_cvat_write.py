"""Writing CVAT XML: what was written reads back equal, and what is lost is counted."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage import columns
from lineage.formats import ReadOptions, WriteOptions
from lineage.formats.cvat.attributes import LINEAGE
from lineage.formats.cvat.read import read
from lineage.formats.cvat.write import write

Row = dict[str, Any]
PLAIN: Row = {
    "asset": "a.jpg", "asset_digest": None, "width": 20, "height": 10, "annotation": 1, "revision": 1,
    "class": "cat", "kind": "box", "x_min": 1.0, "y_min": 2.0, "x_max": 3.0, "y_max": 4.0, "geometry": None,
    "attributes": "{}", "annotator": "p-1", "schema": "s@1.0", "batch": "b", "stage": "final",
    "origin": "human", "labelled_at": None, "split": "train",
}  # fmt: skip
NO_BOX = {"x_min": None, "y_min": None, "x_max": None, "y_max": None}


def labels_table(*rows: Row) -> pa.Table:
    full = [{**PLAIN, "annotation": at + 1, **row} for at, row in enumerate(rows)]
    values = {name: [row[name] for row in full] for name in columns.DATASET.names}
    return pa.Table.from_batches([columns.batch_of(columns.DATASET, values, len(full))])


def assets_table(*names: str, digest: str | None = None) -> pa.Table:
    values = {
        "asset": list(names), "asset_digest": digest, "width": 20, "height": 10, "n_annotations": 0, "split": "train",
    }  # fmt: skip
    return pa.Table.from_batches([columns.batch_of(columns.DATASET_ASSETS, values, len(names))])


def read_rows(path: Path) -> list[Row]:
    chunks = list(read(path, ReadOptions()))
    assert sum(chunk.violations.num_rows for chunk in chunks) == 0
    rows = [row for chunk in chunks for row in chunk.labels.to_pylist()]
    for row in rows:
        row["extra"] = json.loads(row["extra"])
    return rows


def written(tmp_path: Path, *rows: Row) -> tuple[list[Row], dict[str, int]]:
    path = tmp_path / "out.xml"
    report = write(path, labels_table(*rows), assets_table("a.jpg"))
    return read_rows(path), dict(report.losses)


coordinates = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: value + 0.0)
# what XML 1.0 can hold, line ends and quotes among it
texts = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"),
        st.sampled_from("\n\r\t\"'<>&"),
    ),
    max_size=8,
)
values = st.one_of(st.booleans(), st.integers(-(10**12), 10**12), st.floats(-1e9, 1e9), texts)


def flat(least: int, most: int = 6) -> st.SearchStrategy[list[float]]:
    return st.integers(least, most).flatmap(
        lambda n: st.lists(coordinates, min_size=2 * n, max_size=2 * n)
    )


@st.composite
def shapes(draw: st.DrawFn) -> Row:
    kind = draw(
        st.sampled_from(["class", "box", "rotated_box", "polygon", "polyline", "keypoints", "mask"])
    )
    row: Row = {"kind": kind, **NO_BOX}
    if kind == "box":
        row |= {name: draw(coordinates) for name in columns.BOX}
    elif kind == "rotated_box":
        row["geometry"] = [[*draw(flat(2, 2)), draw(st.floats(0.1, 359))]]
    elif kind in ("polygon", "polyline"):
        row["geometry"] = [draw(flat(3))]
    elif kind == "keypoints":
        points = draw(flat(1))
        row["geometry"] = [
            [n for x, y in zip(points[::2], points[1::2], strict=True) for n in (x, y, 2.0)]
        ]
    elif kind == "mask":
        first = draw(st.integers(0, 199))
        length = draw(st.integers(1, 200 - first))
        rest = 200 - first - length
        runs = [first, length, rest] if rest else [first, length]
        row["geometry"] = [[10.0, 20.0], [float(run) for run in runs]]
    return row


@st.composite
def rows(draw: st.DrawFn) -> Row:
    class_ = draw(st.sampled_from(["cat", 'a "b" <c> & d', "größe\t\n"]))
    # one type to an attribute is what a tool's schema makes of it; mixtures have a test of their own
    typed = {
        "flag": st.booleans(),
        "n\r\n<&>'\"": st.one_of(st.integers(-(10**12), 10**12), st.floats(-1e9, 1e9)),
        "text": texts,
    }
    names = draw(st.lists(st.sampled_from(sorted(typed)), unique=True))
    document = {name: draw(typed[name]) for name in names}
    return {
        **draw(shapes()),
        "asset": draw(st.sampled_from(["a.jpg", "b c/ä&'\".jpg", "z.jpg"])),
        "class": class_,
        "attributes": json.dumps(
            document, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        ),
        "origin": draw(
            st.sampled_from(
                ["human", "assisted", "model", "interpolated", "consensus", "ground_truth"]
            )
        ),
        "stage": draw(st.sampled_from(["submitted", "final"])),
        "annotator": draw(st.sampled_from(["p-1", "p-2"])),
        "revision": draw(st.integers(1, 10**15)),
    }


@given(given_rows=st.lists(rows(), max_size=6), seed=st.randoms(use_true_random=False))
@settings(max_examples=120, deadline=None)
def test_what_is_written_reads_back_equal(
    tmp_path_factory: pytest.TempPathFactory, given_rows: list[Row], seed: Random
) -> None:
    path = tmp_path_factory.mktemp("round") / "out.xml"
    table = labels_table(*given_rows)
    report = write(path, table, assets_table("a.jpg", "z.jpg"))
    assert report.losses == {}
    assert report.n_labels == len(given_rows)
    found = sorted(read_rows(path), key=lambda row: row["extra"]["lineage"]["annotation"])
    for row, back in zip(table.to_pylist(), found, strict=True):
        for name in ("asset", "class", "kind", "attributes", "origin", "annotator"):
            assert back[name] == row[name], name
        ours = ("annotation", "revision", "annotator", "batch", "schema", "stage", "origin")
        told = back["extra"]["lineage"]
        assert {name: told[name] for name in ours} == {name: row[name] for name in ours}
        assert back["extra"]["subset"] == "train"
        if row["kind"] == "box":
            assert [back[name] for name in columns.BOX] == [row[name] for name in columns.BOX]
        elif row["kind"] == "rotated_box":
            scale = max(map(abs, row["geometry"][0]))
            assert back["geometry"][0] == pytest.approx(row["geometry"][0], abs=1e-9 * scale)
        else:
            assert back["geometry"] == row["geometry"]
    order = list(range(len(given_rows)))
    seed.shuffle(order)
    again = path.with_name("again.xml")
    write(again, table.take(pa.array(order, pa.int64())), assets_table("z.jpg", "a.jpg"))
    assert again.read_bytes() == path.read_bytes()


def test_images_stand_by_name_with_running_ids_and_empty_ones_too(tmp_path: Path) -> None:
    path = tmp_path / "out.xml"
    report = write(path, labels_table({"asset": "c"}, {"asset": "a"}), assets_table("d", "c", "b"))
    root = ET.parse(path).getroot()
    images = [image.attrib for image in root.iter("image")]
    assert [(image["id"], image["name"]) for image in images] == list(
        zip("0123", "abcd", strict=True)
    )
    assert images[0]["width"] == "20"
    assert (report.n_assets, report.n_labels) == (4, 2)
    assert root.findtext("meta/task/size") == "4"


def test_labels_and_attributes_are_declared_for_the_tool(tmp_path: Path) -> None:
    path = tmp_path / "out.xml"
    table = labels_table(
        {"attributes": '{"age":2,"hidden":true,"note":"x"}'},
        {"attributes": '{"age":7,"hidden":false,"note":"y"}'},
        {"class": "dog", "kind": "polygon", "geometry": [[1.0, 2.0, 3.0, 4.0, 5.0, 0.0]]},
        {"class": "dog"},
    )
    write(path, table, assets_table("a.jpg"))
    cat, dog = ET.parse(path).getroot().findall("meta/task/labels/label")
    assert (cat.findtext("type"), dog.findtext("type")) == ("rectangle", "any")
    declared = {a.findtext("name"): a for a in cat.iter("attribute")}
    assert {name: a.findtext("input_type") for name, a in declared.items()} == {
        "age": "number", "hidden": "checkbox", "note": "text",
        **{f"lineage_{w}": "text" for w in LINEAGE},
    }  # fmt: skip
    assert declared["age"].findtext("values") == "2\n7\n1"
    assert declared["lineage_batch"].findtext("mutable") == "False"
    assert len(dog.findall("attributes/attribute")) == len(LINEAGE)
    assert cat.findtext("color", "")[0] == "#"


def test_key_points_lose_their_visibility_and_it_is_counted(tmp_path: Path) -> None:
    points = {"kind": "keypoints", "geometry": [[1.0, 2.0, 2.0, 0.0, 0.0, 0.0, 5.0, 6.0, 1.0]]}
    absent = {"kind": "keypoints", "geometry": [[0.0, 0.0, 0.0]]}
    rows_back, losses = written(tmp_path, points, absent)
    assert [row["geometry"] for row in rows_back] == [[[1.0, 2.0, 2.0, 5.0, 6.0, 2.0]]]
    assert losses == {"keypoint-visibility": 2, "geometry": 1}


def test_the_parts_of_a_polygon_become_one_group_and_one_label_again(tmp_path: Path) -> None:
    parts = [[0.0, 0.0, 1.0, 0.0, 1.0, 1.0], [5.0, 5.0, 6.0, 5.0, 6.0, 6.0]]
    rows_back, losses = written(tmp_path, {"kind": "polygon", "geometry": parts})
    shapes = ET.parse(tmp_path / "out.xml").getroot().findall("image/polygon")
    assert [shape.get("group_id") for shape in shapes] == ["1", "1"]
    assert [row["geometry"] for row in rows_back] == [parts]
    assert losses == {"polygon-parts": 1}


def test_a_mask_that_does_not_fill_its_image_is_left_out_and_counted(tmp_path: Path) -> None:
    rows_back, losses = written(
        tmp_path, {"kind": "mask", "geometry": [[10.0, 20.0], [3.0, 4.0]]}, {}
    )
    assert len(rows_back) == 1
    assert losses == {"geometry": 1}


def test_attributes_of_mixed_type_become_text_and_are_counted(tmp_path: Path) -> None:
    rows_back, losses = written(
        tmp_path,
        {"attributes": '{"a":1}'},
        {"attributes": '{"a":"x"}'},
        {"attributes": '{"list":[1,null],"none":null}'},
    )
    assert [json.loads(row["attributes"]) for row in rows_back] == [
        {"a": "1"}, {"a": "x"}, {"list": "[1,null]", "none": "null"},
    ]  # fmt: skip
    assert losses == {"attribute-type": 2}


def test_what_xml_cannot_hold_is_marked_and_counted(tmp_path: Path) -> None:
    rows_back, losses = written(
        tmp_path,
        {"attributes": '{"a":"x\\u0000y\\ufffe"}'},
        {"attributes": '{"lineage_batch":"mine"}'},
    )
    assert json.loads(rows_back[0]["attributes"]) == {"a": "x\ufffdy\ufffd"}
    assert rows_back[1]["extra"]["lineage"]["batch"] == "b"
    assert losses == {"unfit-text": 1, "reserved-attribute": 1}


def test_a_time_travels_with_its_shape_and_a_digest_has_no_place(tmp_path: Path) -> None:
    path = tmp_path / "out.xml"
    at = datetime(2025, 1, 1, 12, 30, 0, 250_000, tzinfo=UTC)
    table = labels_table({"labelled_at": at}, {})
    report = write(path, table, assets_table("a.jpg", digest="sha256:00"))
    assert report.losses == {"asset_digest": 1}
    boxes = [
        {a.attrib["name"]: a.text for a in box} for box in ET.parse(path).getroot().iter("box")
    ]
    assert boxes[0]["lineage_labelled_at"] == "2025-01-01T12:30:00.250000Z"
    assert "lineage_labelled_at" not in boxes[1]
    assert [box["lineage_origin"] for box in boxes] == ["human", "human"]


def test_how_far_images_are_stands_in_a_file_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "out.xml"
    values = {
        "asset": ["b.jpg", "a, b.jpg"], "class": [None, "cat"], "state": ["complete_empty", "skipped"],
        "reason": [None, "too dark"], "batch": "w1", "split": "train",
    }  # fmt: skip
    said = pa.Table.from_batches([columns.batch_of(columns.DATASET_COMPLETENESS, values, 2)])
    report = write(path, labels_table(), assets_table("b.jpg"), WriteOptions(said))
    assert report.side_files == ("out.completeness.csv",)
    assert (tmp_path / "out.completeness.csv").read_text().splitlines() == [
        '"asset","class","state","reason","batch","split"',
        '"a, b.jpg","cat","skipped","too dark","w1","train"',
        '"b.jpg",,"complete_empty",,"w1","train"',
    ]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.xml"
    path.write_text("old")
    broken = labels_table({"kind": "polygon", "geometry": [[1.0, 2.0, 3.0]]})
    with pytest.raises(ValueError, match=r"shorter|longer"):
        write(path, broken, assets_table("a.jpg"))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_no_labels_and_no_images_are_a_file_too(tmp_path: Path) -> None:
    path = tmp_path / "out.xml"
    report = write(path, labels_table(), assets_table())
    assert (report.n_labels, report.n_assets) == (0, 0)
    assert read_rows(path) == []
