"""Label Studio out: tasks that a project made from our own configuration opens, and what is lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lineage import columns
from lineage.formats import ReadOptions, WriteOptions, WriteReport
from lineage.formats.label_studio.config import configuration
from lineage.formats.label_studio.read import read
from lineage.formats.label_studio.write import write
from lineage.formats.runs import geometry_of

Json = dict[str, Any]
BOX = {"x_min": 10.0, "y_min": 20.0, "x_max": 30.0, "y_max": 60.0}
AT = datetime(2026, 3, 2, 10, 0, 0, 250_000, tzinfo=UTC)


def dataset(
    rows: list[Json], width: int | None = 100, height: int | None = 200
) -> tuple[pa.Table, pa.Table]:
    base: Json = {
        "asset": "a.png", "width": width, "height": height, "annotator": "a-x", "class": "car", "kind": "box",
        **BOX, "geometry": None, "attributes": "{}", "schema": "s@1.0", "batch": "b", "stage": "final",
        "origin": "human", "split": "train",
    }  # fmt: skip
    full = [{**base, "annotation": i + 1, "revision": i + 101, **row} for i, row in enumerate(rows)]
    values = {n: [row.get(n) for row in full] for n in columns.DATASET.names}
    labels = columns.batch_of(columns.DATASET, values, len(full))
    names = sorted({row["asset"] for row in full} | {"empty.png"})
    of_images = {
        "asset": names,
        "width": width,
        "height": height,
        "n_annotations": 0,
        "split": "train",
    }
    images = columns.batch_of(columns.DATASET_ASSETS, of_images, len(names))
    return pa.Table.from_batches([labels]), pa.Table.from_batches([images])


def said(*rows: tuple[str, str | None, str]) -> pa.Table:
    values = {
        "asset": [row[0] for row in rows], "class": [row[1] for row in rows], "state": [row[2] for row in rows],
        "batch": "b", "split": "train",
    }  # fmt: skip
    return pa.Table.from_batches(
        [columns.batch_of(columns.DATASET_COMPLETENESS, values, len(rows))]
    )


def written(
    tmp: Path, rows: list[Json], options: WriteOptions | None = None, **size: int | None
) -> tuple[list[Json], WriteReport]:
    path = tmp / "out.json"
    report = write(path, *dataset(rows, **size), options)
    return json.loads(path.read_text("utf-8")), report


def results(tmp: Path, rows: list[Json], options: WriteOptions | None = None) -> list[Json]:
    tasks, _ = written(tmp, rows, options)
    return [row for answer in tasks[0]["annotations"] for row in answer["result"]]


def read_back(path: Path) -> list[Json]:
    return [row for chunk in read(path, ReadOptions()) for row in chunk.labels.to_pylist()]


def test_a_region_says_where_it_comes_from(tmp_path: Path) -> None:
    (region,) = results(tmp_path, [{"labelled_at": AT, "origin": "assisted"}])
    assert region["meta"]["lineage"] == {
        "annotation": 1, "revision": 101, "annotator": "a-x", "batch": "b", "schema": "s@1.0", "stage": "final",
        "origin": "assisted", "labelled_at": "2026-03-02T10:00:00.250000Z",
    }  # fmt: skip
    assert (region["id"], region["type"], region["origin"]) == (
        "L1",
        "rectanglelabels",
        "prediction-changed",
    )
    assert region["value"] == {
        "x": 10.0, "y": 10.0, "width": 20.0, "height": 20.0, "rotation": 0, "rectanglelabels": ["car"],
    }  # fmt: skip


def test_a_turned_box_goes_through_pixels(tmp_path: Path) -> None:
    # 300 x 100 px with its top-left corner at (200, 100), turned by 90 degrees, in 1000 x 500 px
    turned = {"kind": "rotated_box", "geometry": [[150.0, 250.0, 300.0, 100.0, 90.0]]}
    tasks, _ = written(tmp_path, [turned], width=1000, height=500)
    value = tasks[0]["annotations"][0]["result"][0]["value"]
    corner = (value["x"], value["y"], value["width"], value["height"], value["rotation"])
    assert corner == pytest.approx((20.0, 20.0, 30.0, 20.0, 90.0))
    (back,) = read_back(tmp_path / "out.json")
    hull = [back[name] for name in columns.BOX]
    assert hull == pytest.approx([100.0, 100.0, 200.0, 400.0])


def test_two_peoples_work_stays_two_annotations_and_nobody_is_an_account(tmp_path: Path) -> None:
    tasks, _ = written(tmp_path, [{"annotator": "a-x"}, {"annotator": "a-y"}, {"annotator": "a-x"}])
    answers = tasks[0]["annotations"]
    assert [(a["lineage"]["annotator"], len(a["result"])) for a in answers] == [
        ("a-x", 2),
        ("a-y", 1),
    ]
    assert all("completed_by" not in answer for answer in answers)


def test_what_a_model_made_is_a_prediction_and_a_truth_is_marked(tmp_path: Path) -> None:
    rows = [
        {"origin": "model", "annotator": "m-1"},
        {"origin": "ground_truth"},
        {"origin": "consensus"},
    ]
    (task, _), _ = written(tmp_path, rows)
    assert [p["model_version"] for p in task["predictions"]] == ["m-1"]
    assert [a["ground_truth"] for a in task["annotations"]] == [True, False]


def test_pre_labels_are_predictions_whoever_made_them(tmp_path: Path) -> None:
    (task, empty), _ = written(
        tmp_path,
        [{}, {"annotator": "a-y"}],
        WriteOptions(said(("empty.png", None, "complete")), is_prelabels=True),
    )
    assert task["annotations"] == []
    assert [(p["model_version"], len(p["result"])) for p in task["predictions"]] == [
        ("a-x", 1),
        ("a-y", 1),
    ]
    assert (empty["annotations"], empty["predictions"]) == ([], [])


@pytest.mark.parametrize(
    ("states", "answers"),
    [
        ([], []),
        (["not_started"], []),
        (["in_progress"], []),
        (["complete_empty"], [False]),
        (["complete"], [False]),
        (["skipped"], [True]),
        (["skipped", "complete"], [False]),
    ],
)
def test_an_image_without_labels_is_an_answer_only_where_somebody_said_so(
    tmp_path: Path, states: list[str], answers: list[bool]
) -> None:
    rows = [("empty.png", None, state) for state in states]
    (_, task), _ = written(tmp_path, [{}], WriteOptions(said(*rows)))
    assert [answer["was_cancelled"] for answer in task["annotations"]] == answers
    assert [s["state"] for s in task["meta"]["lineage"].get("completeness", [])] == states


def test_how_far_classes_are_stands_in_the_tasks_meta(tmp_path: Path) -> None:
    states = said(("empty.png", "car", "complete_empty"))
    (_, task), _ = written(tmp_path, [{}], WriteOptions(states))
    assert task["annotations"] == []
    assert task["meta"]["lineage"] == {
        "completeness": [{"class": "car", "state": "complete_empty", "batch": "b"}],
        "split": "train",
    }


def test_every_kind_has_the_control_that_the_configuration_gives_it(tmp_path: Path) -> None:
    mask = np.zeros((200, 100), bool)
    mask[20:40, 10:30] = True
    found = geometry_of(mask)
    assert found is not None
    line = [[1.0, 2.0, 3.0, 40.0, 5.0, 6.0]]
    rows = [
        {"kind": "box"},
        {"kind": "rotated_box", "geometry": [[20.0, 40.0, 8.0, 4.0, 30.0]]},
        {"kind": "polygon", "geometry": line},
        {"kind": "polyline", "geometry": line},
        {"kind": "keypoints", "geometry": [[1.0, 2.0, 2.0]]},
        {"kind": "mask", "geometry": found[0]},
        {"kind": "class"},
    ]
    by_control = {row["from_name"]: row for row in results(tmp_path, rows)}
    document = {
        "name": "s",
        "version": "1.0",
        "classes": {"car": {"kinds": [r["kind"] for r in rows]}},
    }
    text = configuration(document).text
    assert len(by_control) == 7
    for name, row in by_control.items():
        assert f'name="{name}"' in text
        assert row["to_name"] == "image"
    assert by_control["label-polyline"]["value"] == {
        "vertices": [
            {"id": "p0", "x": 1.0, "y": 1.0, "prevPointId": None, "isBezier": False},
            {"id": "p1", "x": 3.0, "y": 20.0, "prevPointId": "p0", "isBezier": False},
            {"id": "p2", "x": 5.0, "y": 3.0, "prevPointId": "p1", "isBezier": False},
        ],
        "closed": False,
        "vectorlabels": ["car"],
    }  # fmt: skip
    assert by_control["label-mask"]["value"]["format"] == "rle"


def test_attributes_answer_as_the_schema_asks(tmp_path: Path) -> None:
    properties = {
        "occluded": {"enum": ["none", "partly"]},
        "note": {"type": "string"},
        "age": {"type": "integer"},
        "taxi": {"type": "boolean"},
        "parts": {"type": "array", "items": {"enum": ["hood", "wheel"]}},
        "grade": {"enum": [1, 2]},
    }
    document = {
        "name": "s", "version": "1.0",
        "classes": {"car": {"kinds": ["box"], "attributes": {"properties": properties}}},
    }  # fmt: skip
    values = {
        "occluded": "none",
        "note": "x",
        "age": 3,
        "taxi": True,
        "parts": ["hood", "wheel"],
        "grade": 2,
    }
    rows = [{"attributes": json.dumps(values)}]
    path = tmp_path / "out.json"
    report = write(path, *dataset(rows), WriteOptions(schemas=[document]))
    found = json.loads(path.read_text())[0]["annotations"][0]["result"]
    told = {row["from_name"]: (row["type"], row["value"]) for row in found[1:]}
    assert told == {
        "occluded": ("choices", {"choices": ["none"]}),
        "note": ("textarea", {"text": ["x"]}),
        "age": ("number", {"number": 3}),
        "taxi": ("choices", {"choices": ["true"]}),
        "parts": ("choices", {"choices": ["hood", "wheel"]}),
        "grade": ("choices", {"choices": ["2"]}),
    }
    assert {row["id"] for row in found} == {"L1"}
    # yes or no, and what is no word in a list, come back as text, which an import reads by its schema
    assert report.losses == {"attribute-type": 1}
    back = json.loads(read_back(path)[0]["attributes"])
    assert back == {**values, "taxi": "true", "grade": "2"}


def test_the_classes_of_an_image_are_one_answer(tmp_path: Path) -> None:
    rows = [
        {"kind": "class", "class": "foggy"},
        {"kind": "class", "class": "night", "attributes": '{"deg":1}'},
        {"kind": "class", "class": "foggy"},
        {"kind": "class", "class": "foggy", "annotator": "a-y"},
    ]
    tasks, report = written(tmp_path, rows)
    first, second = (answer["result"] for answer in tasks[0]["annotations"])
    assert [row["value"] for row in first] == [{"choices": ["foggy", "night"]}]
    told = first[0]["meta"]["lineage"]["classes"]
    assert {class_: entry["annotation"] for class_, entry in told.items()} == {
        "foggy": 1,
        "night": 2,
    }
    assert second[0]["meta"]["lineage"]["annotation"] == 4
    assert report.n_labels == 3
    assert report.losses == {"class-attributes": 1, "repeated-choice": 1}


def test_parts_and_points_are_regions_that_name_their_label(tmp_path: Path) -> None:
    ring = [0.0, 0.0, 5.0, 0.0, 5.0, 5.0]
    rows = [
        {"kind": "polygon", "geometry": [ring, ring], "attributes": '{"n":1}'},
        {"kind": "polyline", "geometry": [ring, ring]},
        {"kind": "keypoints", "geometry": [[1.0, 2.0, 2.0, 0.0, 0.0, 0.0, 5.0, 6.0, 1.0]]},
        {"kind": "keypoints", "geometry": [[0.0, 0.0, 0.0]]},
    ]
    tasks, report = written(tmp_path, rows)
    found = tasks[0]["annotations"][0]["result"]
    assert [row["id"] for row in found] == ["L1", "L1", "L1.1", "L1.1", "L2", "L2.1", "L3", "L3.1"]
    part = found[2]["meta"]["lineage"]
    assert (part["part_of"], part["part"], "annotation" in part) == (1, 1, False)
    assert report.n_labels == 3
    assert report.losses == {
        "geometry": 1, "keypoint-apart": 1, "keypoint-visibility": 2, "polygon-part": 1, "polyline-part": 1,
    }  # fmt: skip


def test_what_has_no_place_is_counted(tmp_path: Path) -> None:
    rows = [
        {"attributes": '{"image":"x"}', "asset_digest": "sha256:00"},
        {"attributes": '{"a":null}'},
        {"attributes": '{"b":{"c":1}}'},
        {"attributes": '{"d":["one"]}'},
        {"attributes": '{"e":true}'},
        {"attributes": '{"f":["one","two"],"g":"x","h":2}'},
    ]
    labels, assets = dataset(rows)
    digests = pa.array(["sha256:00", None], pa.string())
    assets = assets.set_column(
        assets.schema.get_field_index("asset_digest"), "asset_digest", digests
    )
    report = write(tmp_path / "out.json", labels, assets)
    assert report.losses == {"asset_digest": 1, "attribute-type": 4, "reserved-attribute": 1}
    _, report = written(tmp_path, [{}, {"kind": "class"}], width=None, height=None)
    assert (report.n_labels, report.losses) == (1, {"image-size-unknown": 1})


def test_an_address_is_quoted_and_a_cloud_address_kept(tmp_path: Path) -> None:
    names = ["b/ü 1+2&x=%41#.png", "s3://bucket/key 1.png"]
    path = tmp_path / "out.json"
    write(path, *dataset([{"asset": name} for name in names]))
    addresses = [task["data"]["image"] for task in json.loads(path.read_text())]
    assert addresses[0] == "/data/local-files/?d=b/%C3%BC%201%2B2%26x%3D%2541%23.png"
    assert addresses[2] == names[1]
    assert {row["asset"] for row in read_back(path)} == set(names)


def test_an_image_that_only_labels_mention_is_a_task_too(tmp_path: Path) -> None:
    labels, assets = dataset([{"asset": "a.png"}, {"asset": "b.png"}])
    path = tmp_path / "out.json"
    report = write(path, labels, assets.slice(1, 1))
    assert (report.n_labels, report.n_assets) == (2, 2)
    assert [len(task["annotations"]) for task in json.loads(path.read_text())] == [1, 1]


def test_the_same_rows_give_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    rows = [{"x_min": float(i), "annotation": 9 - i, "annotator": f"a-{i % 2}"} for i in range(5)]
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    labels, assets = dataset(rows)
    write(first, labels, assets)
    write(second, labels.take(pa.array([4, 2, 0, 1, 3])), assets.take(pa.array([1, 0])))
    assert first.read_bytes() == second.read_bytes()


def test_no_images_are_a_file_too(tmp_path: Path) -> None:
    labels, assets = dataset([])
    report = write(tmp_path / "out.json", labels, assets.slice(0, 0))
    assert (report.n_labels, report.n_assets) == (0, 0)
    assert json.loads((tmp_path / "out.json").read_text()) == []
