"""COCO out: what is written reads back the same, here and in pycocotools, and what is lost is told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO

from lineage import columns
from lineage.formats import ReadOptions, WriteReport, reader, writer
from lineage.formats.coco.outlines import extents, polygon_areas
from lineage.formats.coco.write import write

Json = dict[str, object]

MASK = [[80.0, 100.0], [81.0, 10.0, 70.0, 10.0, 7829.0]]
ROWS: list[Json] = [
    {
        "asset": "b.jpg",
        "annotation": 12,
        "class": "cat",
        "kind": "box",
        "box": [10.1, 20.2, 10.1 + 20.3, 40.7],
    },
    {
        "asset": "a.jpg",
        "annotation": 11,
        "class": "dog",
        "kind": "polygon",
        "box": [0.0, 0.0, 40.0, 30.0],
        "geometry": [
            [0.0, 0.0, 10.0, 0.0, 10.0, 10.0],
            [30.0, 20.0, 40.0, 20.0, 40.0, 30.0, 30.0, 30.0],
        ],
        "attributes": '{"name":"É","occluded":true}',
        "labelled_at": datetime(2024, 5, 6, 7, 8, 9, 250_000, tzinfo=UTC),
    },
    {
        "asset": "a.jpg",
        "annotation": 3,
        "class": "cat",
        "kind": "mask",
        "box": [1.0, 1.0, 3.0, 11.0],
        "geometry": MASK,
        "origin": "assisted",
    },
    {
        "asset": "b.jpg",
        "annotation": 14,
        "class": "person",
        "kind": "keypoints",
        "box": [5.0, 6.0, 50.0, 60.0],
        "geometry": [[0.0, 0.0, 0.0, 5.0, 6.0, 1.0, 50.0, 60.0, 2.0]],
    },
]
SAME = ("asset", "class", "kind", "x_min", "y_min", "x_max", "y_max", "geometry", "attributes",
        "annotator", "origin", "labelled_at")  # fmt: skip


def labels_of(rows: Sequence[Mapping[str, object]]) -> pa.Table:
    known = {
        "revision": 100, "attributes": "{}", "annotator": "p-1", "schema": "pets@1.0", "batch": "b-1",
        "stage": "final", "origin": "human", "split": "train", "width": 100, "height": 80,
        "asset_digest": None, "labelled_at": None, "geometry": None,
    }  # fmt: skip
    full = []
    for row in rows:
        corners = dict(zip(columns.BOX, row.get("box") or [None] * 4, strict=True))  # type: ignore[call-overload]
        full.append({**known, **{k: v for k, v in row.items() if k != "box"}, **corners})
    values = {name: [row[name] for row in full] for name in columns.DATASET.names}
    return pa.Table.from_batches([columns.batch_of(columns.DATASET, values, len(full))])


def assets_of(names: Sequence[str]) -> pa.Table:
    values = {
        "asset": list(names), "asset_digest": [None] * len(names), "width": [100] * len(names),
        "height": [80] * len(names), "n_annotations": [0] * len(names), "split": ["train"] * len(names),
    }  # fmt: skip
    return pa.Table.from_batches([columns.batch_of(columns.DATASET_ASSETS, values, len(names))])


def written(
    folder: Path, rows: Sequence[Mapping[str, object]], names: Sequence[str] = ()
) -> tuple[Path, WriteReport]:
    path = folder / "out.json"
    return path, write(path, labels_of(rows), assets_of(names))


def read_back(path: Path) -> list[Json]:
    rows: list[Json] = []
    for chunk in reader("coco")(path, ReadOptions()):
        assert chunk.violations.num_rows == 0
        rows += chunk.labels.to_pylist()
    return rows


def test_what_is_written_reads_back_the_same(tmp_path: Path) -> None:
    path, report = written(tmp_path, ROWS)
    assert (report.n_labels, report.n_assets, report.losses) == (4, 2, {})
    given = {str(row["annotation"]): row for row in labels_of(ROWS).to_pylist()}
    found = {str(row["source_id"]): row for row in read_back(path)}
    assert set(found) == set(given)
    for key, row in found.items():
        assert {name: row[name] for name in SAME} == {name: given[key][name] for name in SAME}


def test_every_annotation_carries_where_it_came_from(tmp_path: Path) -> None:
    path, _ = written(tmp_path, ROWS)
    document = json.loads(path.read_text("utf-8"))
    told = {row["id"]: row["attributions"] for row in document["annotations"]}
    assert told[11] == {
        "annotation": 11, "revision": 100, "annotator": "p-1", "batch": "b-1", "schema": "pets@1.0",
        "stage": "final", "labelled_at": "2024-05-06T07:08:09.250000Z", "origin": "human",
    }  # fmt: skip
    assert told[12]["labelled_at"] is None
    assert told[3]["origin"] == "assisted"
    found = {row["source_id"]: row for row in read_back(path)}
    kept = json.loads(str(found["11"]["extra"]))["attributions"]
    assert found["11"]["annotation"] == 11
    assert kept == {
        "revision": 100,
        "batch": "b-1",
        "schema": "pets@1.0",
        "stage": "final",
    }


def test_images_and_classes_are_numbered_by_name_and_annotations_by_the_ledger(
    tmp_path: Path,
) -> None:
    path, _ = written(tmp_path, ROWS, ["c.jpg", "a.jpg"])
    document = json.loads(path.read_text("utf-8"))
    images = [
        (row["id"], row["file_name"], row["width"], row["height"]) for row in document["images"]
    ]
    assert images == [(1, "a.jpg", 100, 80), (2, "b.jpg", 100, 80), (3, "c.jpg", 100, 80)]
    assert [(row["id"], row["name"]) for row in document["categories"]] == [
        (1, "cat"), (2, "dog"), (3, "person"),
    ]  # fmt: skip
    assert [row["id"] for row in document["annotations"]] == [3, 11, 12, 14]
    assert document["categories"][2]["keypoints"] == ["1", "2", "3"]
    assert "keypoints" not in document["categories"][0]


def test_the_same_rows_in_any_order_give_the_same_bytes(tmp_path: Path) -> None:
    first = written(tmp_path, ROWS, ["a.jpg", "c.jpg"])[0].read_bytes()
    again = written(tmp_path, ROWS[::-1], ["c.jpg", "a.jpg"])[0].read_bytes()
    assert first == again


# pycocotools 2.0.11 was compiled before NumPy 2 asked arrays for a copy keyword
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_pycocotools_reads_the_file_and_its_masks(tmp_path: Path) -> None:
    path, _ = written(tmp_path, ROWS)
    coco = COCO(str(path))
    assert sorted(coco.getAnnIds()) == [3, 11, 12, 14]
    assert coco.anns[11]["area"] == 150.0
    mask = coco.annToMask(coco.anns[3])
    expected = np.zeros((80, 100), np.uint8)
    expected[1:11, 1:3] = 1
    assert (mask == expected).all()
    assert coco.anns[3]["area"] == 20.0
    assert coco.anns[14]["num_keypoints"] == 2
    assert coco.annToMask(coco.anns[11]).sum() == pytest.approx(150, rel=0.15)


def test_kinds_without_a_form_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [
        *ROWS,
        {"asset": "d.jpg", "annotation": 20, "class": "blurry", "kind": "class"},
        {"asset": "a.jpg", "annotation": 21, "class": "road", "kind": "polyline",
         "box": [0.0, 0.0, 9.0, 9.0], "geometry": [[0.0, 0.0, 9.0, 9.0]]},
    ]  # fmt: skip
    path, report = written(tmp_path, rows)
    assert report.losses == {"class": 1, "polyline": 1}
    assert (report.n_labels, report.n_assets) == (4, 3)
    document = json.loads(path.read_text("utf-8"))
    assert len(document["annotations"]) == 4
    assert "blurry" in [row["name"] for row in document["categories"]]


def test_a_rotated_box_becomes_four_points_and_keeps_its_angle(tmp_path: Path) -> None:
    half = 10 * np.sqrt(2)
    hull = [50 - half, 40 - half, 50 + half, 40 + half]
    row = {"asset": "a.jpg", "annotation": 1, "class": "cat", "kind": "rotated_box", "box": hull,
           "geometry": [[50.0, 40.0, 20.0, 20.0, 45.0]], "attributes": '{"b":1}'}  # fmt: skip
    path, report = written(tmp_path, [row])
    assert report.losses == {"rotated-box-as-polygon": 1}
    (label,) = read_back(path)
    assert label["kind"] == "polygon"
    assert label["attributes"] == '{"b":1,"rotation":45.0}'
    assert [label[name] for name in columns.BOX] == pytest.approx(hull)
    assert json.loads(path.read_text())["annotations"][0]["area"] == pytest.approx(400)


def test_a_data_set_without_labels_is_still_a_file(tmp_path: Path) -> None:
    path, report = written(tmp_path, [], ["a.jpg"])
    assert (report.n_labels, report.n_assets) == (0, 1)
    document = json.loads(path.read_text())
    assert (document["annotations"], document["categories"]) == ([], [])
    assert len(document["images"]) == 1
    empty, _ = written(tmp_path, [])
    assert json.loads(empty.read_text())["images"] == []


def test_more_rows_than_a_slice_are_all_written_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = written(tmp_path, ROWS)[0].read_bytes()
    monkeypatch.setattr("lineage.formats.coco.write._SLICE_ROWS", 1)
    assert written(tmp_path, ROWS)[0].read_bytes() == whole


def test_image_facts_are_written_where_they_are_known(tmp_path: Path) -> None:
    rows = [{**ROWS[0], "width": None, "height": None, "asset_digest": "sha256:ab", "split": ""}]
    path, _ = written(tmp_path, rows)
    assert json.loads(path.read_text())["images"] == [
        {"id": 1, "file_name": "b.jpg", "digest": "sha256:ab"}
    ]


def test_the_format_is_registered() -> None:
    assert writer("coco") is write


PLACE = st.floats(0, 30_000, allow_subnormal=False)


@settings(max_examples=100, deadline=None)
@given(x=PLACE, y=PLACE, width=PLACE, height=PLACE)
def test_corners_of_a_box_once_read_come_back_to_the_last_bit(
    x: float, y: float, width: float, height: float
) -> None:
    box = np.array([[x, y, x + width, y + height]])
    told = extents(box)
    assert (told[:, :2] + told[:, 2:] == box[:, 2:]).all()
    assert told[0, 2:] == pytest.approx([width, height], abs=1e-11)


@settings(max_examples=100, deadline=None)
@given(a=PLACE, b=PLACE)
def test_no_corner_is_off_by_more_than_its_last_bit(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    told = extents(np.array([[low, low, high, high]]))
    assert abs(told[0, 0] + told[0, 2] - high) <= np.spacing(high)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.lists(st.lists(st.integers(-50, 50), min_size=3, max_size=6), min_size=1, max_size=3),
        max_size=4,
    )
)
def test_polygon_areas_agree_with_the_shoelace_formula(polygons: list[list[list[int]]]) -> None:
    # points on a parabola's graph, so that every number of them has its own area
    rings = [
        [[float(v) for x in ring for v in (x, x * x % 37)] for ring in rings] for rings in polygons
    ]
    expected = []
    for polygon in rings:
        total = 0.0
        for ring in polygon:
            points = list(zip(ring[0::2], ring[1::2], strict=True))
            twice = sum(
                x * v - u * y
                for (x, y), (u, v) in zip(points, points[1:] + points[:1], strict=True)
            )
            total += abs(twice) / 2
        expected.append(total)
    assert polygon_areas(rings).tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    "name", ["taco/v3-a35e9445.json", "voc100/coco_format_v1/instances_default.json"]
)
def test_a_published_file_survives_reading_writing_and_reading(
    shared_data: Path, tmp_path: Path, name: str
) -> None:
    rows = read_back(shared_data / name)
    given = [
        {
            **{key: row[key] for key in ("asset", "class", "kind", "geometry", "attributes")},
            "annotation": int(str(row["source_id"])),
            "annotator": "p-1",
            "box": [row[key] for key in columns.BOX],
        }
        for row in rows
    ]
    path, report = written(tmp_path, given)
    assert report.n_labels == len(rows)
    again = {row["source_id"]: row for row in read_back(path)}
    for row in rows:
        back = again[row["source_id"]]
        assert all(back[key] == row[key] for key in SAME if key != "annotator")
    assert len(COCO(str(path)).anns) == len(rows)
