"""Label Studio in: what the tool's own files hold, and where parsers in the wild have failed."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import BadInput
from lineage.formats import ReadOptions
from lineage.formats.label_studio import brush
from lineage.formats.label_studio.read import read
from lineage.formats.runs import geometry_of, mask_of
from tests.exports import annotation, label_studio, region


class Found:
    """Everything a reader yields, gathered."""

    def __init__(self, path: Path, **options: Any) -> None:
        chunks = list(read(path, ReadOptions(**options)))
        self.labels = [row for chunk in chunks for row in chunk.labels.to_pylist()]
        self.assets = [row for chunk in chunks for row in chunk.assets.to_pylist()]
        self.roster = [row for chunk in chunks for row in chunk.roster.to_pylist()]
        self.violations = [row for chunk in chunks for row in chunk.violations.to_pylist()]
        self.losses = sum((Counter(chunk.losses) for chunk in chunks), Counter())

    @property
    def rules(self) -> list[str]:
        return [row["rule"] for row in self.violations]


def one(tmp_path: Path, result: list[dict[str, Any]], **more: Any) -> Found:
    """Read one annotation of one image."""
    path = label_studio(tmp_path / "x.json", [("a.png", [annotation(7, 3, result, **more)])])
    return Found(path)


def box(row: dict[str, Any]) -> list[float]:
    return [row[name] for name in ("x_min", "y_min", "x_max", "y_max")]


def test_percent_becomes_pixels(tmp_path: Path) -> None:
    found = one(tmp_path, [region("r", "car", 10, 20, 30, 40)])
    assert box(found.labels[0]) == [64, 96, 256, 288]
    assert found.assets == [
        {
            "name": "a.png",
            "uri": "a.png",
            "width": 640,
            "height": 480,
            "digest": None,
            "n_bytes": None,
        }
    ]
    assert found.labels[0]["source_id"] == "7/r"


def test_a_turned_rectangle_turns_about_its_top_left_corner_in_pixels(tmp_path: Path) -> None:
    # 300 x 100 px at (200, 100) turned by 90 degrees in an image of 1000 x 500 px covers (100, 100, 200, 400)
    row = region("r", "car", 20, 20, 30, 20)
    row |= {"original_width": 1000, "original_height": 500}
    row["value"]["rotation"] = 90
    found = one(tmp_path, [row]).labels[0]
    assert found["kind"] == "rotated_box"
    assert np.allclose(box(found), [100, 100, 200, 400])
    assert np.allclose(found["geometry"], [[150, 250, 300, 100, 90]])


@given(st.floats(5, 50), st.floats(5, 50), st.floats(1, 40), st.floats(1, 40), st.floats(1, 359))
def test_a_turned_rectangles_centre_is_where_geometry_puts_it(
    x: float, y: float, w: float, h: float, degrees: float
) -> None:
    from lineage.formats.label_studio.values import shape

    found = shape({"x": x, "y": y, "width": w, "height": h, "rotation": degrees}, 1000, 400)
    angle = math.radians(degrees)
    corner = np.array([x * 10, y * 4])
    along = np.array([math.cos(angle), math.sin(angle)]) * w * 10
    down = np.array([-math.sin(angle), math.cos(angle)]) * h * 4
    corners = np.array([corner, corner + along, corner + along + down, corner + down])
    assert found.geometry is not None
    assert np.allclose(found.geometry[0][:2], corners.mean(axis=0))
    assert np.allclose(found.hull, [*corners.min(axis=0), *corners.max(axis=0)])


def test_a_rectangle_drawn_backwards_is_the_same_rectangle(tmp_path: Path) -> None:
    found = one(tmp_path, [region("r", "car", 40, 60, -30, -40)]).labels[0]
    assert box(found) == [64, 96, 256, 288]
    assert json.loads(found["extra"]) == {"drawn_backwards": True}


def test_rotation_may_be_missing(tmp_path: Path) -> None:
    row = region("r", "car", 10, 20, 30, 40)
    del row["value"]["rotation"]
    assert one(tmp_path, [row]).labels[0]["kind"] == "box"


def test_rows_of_one_region_are_merged(tmp_path: Path) -> None:
    shape = region("r", "car", 10, 20, 30, 40)
    choice = {
        "id": "r",
        "from_name": "occluded",
        "type": "choices",
        "value": {"choices": ["partially"]},
    }
    several = {
        "id": "r",
        "from_name": "parts",
        "type": "choices",
        "value": {"choices": ["wheel", "door"]},
    }
    note = {"id": "r", "from_name": "note", "type": "textarea", "value": {"text": ["dark"]}}
    stars = {"id": "r", "from_name": "stars", "type": "rating", "value": {"rating": 4}}
    found = one(tmp_path, [choice, shape, several, note, stars])
    assert len(found.labels) == 1
    assert json.loads(found.labels[0]["attributes"]) == {
        "occluded": "partially", "parts": ["wheel", "door"], "note": "dark", "stars": 4,
    }  # fmt: skip


def test_geometry_and_label_may_stand_in_two_rows(tmp_path: Path) -> None:
    shape = region("r", "car", 10, 20, 30, 40)
    shape["type"] = "rectangle"
    del shape["value"]["rectanglelabels"]
    label = {"id": "r", "from_name": "label", "type": "labels", "value": {"labels": ["truck"]}}
    assert [row["class"] for row in one(tmp_path, [shape, label]).labels] == ["truck"]


def test_several_labels_of_a_region_are_several_labels(tmp_path: Path) -> None:
    row = region("r", "car", 10, 20, 30, 40)
    row["value"]["rectanglelabels"] = ["car", "taxi"]
    found = one(tmp_path, [row])
    assert [(r["class"], r["source_id"]) for r in found.labels] == [
        ("car", "7/r"),
        ("taxi", "7/r#taxi"),
    ]


def test_a_region_without_a_label_is_refused_and_kept(tmp_path: Path) -> None:
    row = region("r", "car", 10, 20, 30, 40)
    del row["value"]["rectanglelabels"]
    found = one(tmp_path, [row, region("s", "dog", 1, 1, 5, 5)])
    assert [r["class"] for r in found.labels] == ["dog"]
    assert found.rules == ["no-class"]
    assert json.loads(found.violations[0]["label"])[0]["id"] == "r"


def test_ids_may_repeat_across_annotators(tmp_path: Path) -> None:
    tasks = [
        (
            "a.png",
            [
                annotation(1, 1, [region("r", "car", 1, 1, 5, 5)]),
                annotation(2, 2, [region("r", "car", 1, 1, 5, 6)]),
            ],
        )
    ]
    found = Found(label_studio(tmp_path / "x.json", tasks))
    assert [(r["annotator"], r["source_id"]) for r in found.labels] == [("1", "1/r"), ("2", "2/r")]


def test_an_annotation_id_that_repeats_is_refused(tmp_path: Path) -> None:
    tasks = [("a.png", [annotation(1, 1, [region("r", "car", 1, 1, 5, 5)])])] * 2
    found = Found(label_studio(tmp_path / "x.json", tasks))
    assert (len(found.labels), found.rules) == (1, ["duplicate-id"])


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        (5, "5"),
        ({"id": 5, "email": "ann@x.example", "first_name": ""}, "ann@x.example"),
        ({"id": 5, "username": "ann"}, "ann"),
        ({"id": 5}, "5"),
        (None, None),
    ],
)
def test_people_come_in_every_form_and_are_never_guessed(
    tmp_path: Path, person: object, expected: str | None
) -> None:
    path = label_studio(
        tmp_path / "x.json", [("a.png", [annotation(1, person, [region("r", "car", 1, 1, 5, 5)])])]
    )
    found = Found(path)
    assert found.labels[0]["annotator"] == expected
    assert found.roster[0]["annotator"] == expected


def test_a_flag_names_those_whom_the_export_does_not(tmp_path: Path) -> None:
    path = label_studio(
        tmp_path / "x.json", [("a.png", [annotation(1, None, [region("r", "car", 1, 1, 5, 5)])])]
    )
    assert Found(path, annotator="bo").labels[0]["annotator"] == "bo"
    assert (
        Found(path, annotator_of_file={"x.json": "cy"}, annotator="bo").labels[0]["annotator"]
        == "cy"
    )


def test_who_made_updated_and_last_created_it_are_kept_apart(tmp_path: Path) -> None:
    found = one(tmp_path, [region("r", "car", 1, 1, 5, 5)], updated_by=9, last_created_by=4).labels[
        0
    ]
    assert (found["annotator"], found["updated_by"], found["created_by"]) == ("3", "9", "4")
    # another's later edit does not move the moment at which the annotator worked
    assert found["labelled_at"].isoformat() == "2026-03-02T10:00:00+00:00"


def test_ones_own_edit_moves_the_moment(tmp_path: Path) -> None:
    found = one(tmp_path, [region("r", "car", 1, 1, 5, 5)], updated_by=3).labels[0]
    assert found["labelled_at"].isoformat() == "2026-03-02T10:05:00+00:00"
    assert found["lead_time_s"] == 12.5


def test_empty_pending_and_skipped_are_three_things(tmp_path: Path) -> None:
    tasks = [
        ("empty.png", [annotation(1, 1, [])]),
        ("pending.png", []),
        ("skipped.png", [annotation(2, 1, [region("r", "car", 1, 1, 5, 5)], was_cancelled=True)]),
        ("done.png", [annotation(3, 1, [region("r", "car", 1, 1, 5, 5)])]),
    ]
    found = Found(label_studio(tmp_path / "x.json", tasks))
    assert {r["asset"]: (r["presence"], r["annotator"]) for r in found.roster} == {
        "empty.png": ("empty", "1"),
        "pending.png": ("pending", None),
        "skipped.png": ("skipped", "1"),
        "done.png": ("labelled", "1"),
    }
    assert len(found.labels) == 1
    assert found.losses["cancelled-region"] == 1


def test_older_names_are_understood(tmp_path: Path) -> None:
    old = annotation(1, 1, [region("r", "car", 1, 1, 5, 5)])
    skipped = {**annotation(2, 1, []), "skipped": True, "was_cancelled": None}
    path = tmp_path / "x.json"
    path.write_text(
        json.dumps([{"id": 1, "data": {"image": "a.png"}, "completions": [old, skipped]}])
    )
    assert [r["presence"] for r in Found(path).roster] == ["labelled", "skipped"]


def test_predictions_are_told_from_people(tmp_path: Path) -> None:
    prediction = {"id": 9, "model_version": "v3", "score": 0.8, "created_at": "2026-03-01T00:00:00Z",
                  "result": [region("p", "car", 1, 1, 5, 5)]}  # fmt: skip
    kept = region("q", "car", 1, 1, 5, 5, origin="prediction")
    changed = region("c", "car", 1, 1, 5, 6, origin="prediction-changed")
    path = label_studio(
        tmp_path / "x.json",
        [("a.png", [annotation(1, 1, [kept, changed])])],
        predictions=[prediction, 4],
    )
    found = Found(path)
    assert [(r["annotator"], r["origin"], r["score"]) for r in found.labels] == [
        ("1", "assisted", None), ("1", "assisted", None), ("v3", "model", 0.8),
    ]  # fmt: skip
    assert found.losses["prediction-id-only"] == 1
    assert [r["annotator"] for r in found.roster] == ["1"]


def test_ground_truth_says_so(tmp_path: Path) -> None:
    assert (
        one(tmp_path, [region("r", "car", 1, 1, 5, 5)], ground_truth=True).labels[0]["origin"]
        == "ground_truth"
    )


def test_image_tags_are_labels_of_the_whole_image(tmp_path: Path) -> None:
    rows = [
        {
            "id": "q",
            "from_name": "quality",
            "to_name": "image",
            "type": "choices",
            "value": {"choices": ["ok"]},
        },
        {
            "id": "w",
            "from_name": "weather",
            "type": "choices",
            "value": {"choices": ["rain", "night"]},
        },
        {
            "id": "t",
            "from_name": "place",
            "type": "taxonomy",
            "value": {"taxonomy": [["road", "urban"]]},
        },
    ]
    found = one(tmp_path, rows)
    assert [(r["class"], r["kind"], r["x_min"], r["source_id"]) for r in found.labels] == [
        ("ok", "class", None, "7/q/ok"),
        ("rain", "class", None, "7/w/rain"),
        ("night", "class", None, "7/w/night"),
        ("road / urban", "class", None, "7/t/road / urban"),
    ]
    assert json.loads(found.labels[0]["extra"]) == {"from_name": "quality"}


def test_relations_and_image_texts_are_counted(tmp_path: Path) -> None:
    rows = [
        region("r", "car", 1, 1, 5, 5),
        {"type": "relation", "from_id": "r", "to_id": "r", "direction": "right"},
        {"id": "n", "from_name": "note", "type": "textarea", "value": {"text": ["hm"]}},
    ]
    found = one(tmp_path, rows)
    assert dict(found.losses) == {"relation": 1, "image-level-textarea": 1}


def test_polygons_key_points_and_ellipses(tmp_path: Path) -> None:
    common = {"original_width": 200, "original_height": 100}
    rows = [
        {
            "id": "p",
            "type": "polygonlabels",
            **common,
            "value": {
                "points": [[0, 0], [50, 0], [50, 50]],
                "closed": True,
                "polygonlabels": ["a"],
            },
        },
        {
            "id": "k",
            "type": "keypointlabels",
            **common,
            "value": {"x": 10, "y": 20, "width": 0.4, "keypointlabels": ["b"]},
        },
        {
            "id": "e",
            "type": "ellipselabels",
            **common,
            "value": {
                "x": 50,
                "y": 50,
                "radiusX": 10,
                "radiusY": 30,
                "rotation": 90,
                "ellipselabels": ["c"],
            },
        },
        {
            "id": "t",
            "type": "polygonlabels",
            **common,
            "value": {"points": [[0, 0], [50, 0]], "polygonlabels": ["a"]},
        },
    ]
    found = one(tmp_path, rows)
    assert [r["kind"] for r in found.labels] == ["polygon", "keypoints", "polygon"]
    assert found.labels[0]["geometry"] == [[0, 0, 100, 0, 100, 50]]
    assert found.labels[1]["geometry"] == [[20, 20, 2]]
    # radii of 20 and 30 px, turned by a quarter
    assert np.allclose(box(found.labels[2]), [70, 30, 130, 70])
    assert json.loads(found.labels[2]["extra"])["ellipse"]["rx"] == 20
    assert found.rules == ["too-few-points"]


@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_brush_strokes_unpack_to_what_was_packed(
    height: int, width: int, data: st.DataObject
) -> None:
    flat = data.draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    mask = np.array(flat).reshape(height, width)
    stream = brush.encoded_mask(mask)
    assert (brush.decoded_mask(stream, height, width) == mask).all()
    found = geometry_of(mask)
    if found is not None:
        assert (mask_of(np.array(found[0][1]), height, width) == mask).all()


def test_a_brush_stroke_packed_by_hand_unpacks() -> None:
    # 8 values of 8 bits; one block of 4 zeros that repeat, one of 4 given words (0, 0, 0, 255)
    bits = f"{8:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}" + "1" + "00" + f"{3:03b}" + f"{0:08b}"
    bits += "0" + "00" + f"{3:03b}" + f"{0:08b}" * 3 + f"{255:08b}"
    bits += "0" * (-len(bits) % 8)
    stream = [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]
    assert brush.decoded_mask(stream, 1, 2).tolist() == [[False, True]]


@pytest.mark.parametrize("stream", [[], [1, 2, 3], [255] * 40])
def test_a_broken_brush_stroke_is_refused(tmp_path: Path, stream: list[int]) -> None:
    row = {"id": "b", "type": "brushlabels", "original_width": 2, "original_height": 2,
           "value": {"format": "rle", "rle": stream, "brushlabels": ["x"]}}  # fmt: skip
    assert one(tmp_path, [row]).rules == ["geometry"]


def test_a_stroke_of_an_absurd_image_is_refused_at_once(tmp_path: Path) -> None:
    row = {"id": "b", "type": "brushlabels", "original_width": 10**9, "original_height": 10**9,
           "value": {"format": "rle", "rle": [0] * 20, "brushlabels": ["x"]}}  # fmt: skip
    assert one(tmp_path, [row]).rules == ["geometry"]


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("/data/upload/1/48c220e9-fox.jpg", "fox.jpg"),
        ("/data/upload/Highway20030201_1002591.jpg", "Highway20030201_1002591.jpg"),
        ("/data/local-files/?d=dir/a%20b.png", "dir/a b.png"),
        ("http://127.0.0.1:8098/images/0000.png?x=1", "images/0000.png"),
        ("s3://bucket/a/0.png", "s3://bucket/a/0.png"),
        ("a\\b.png", "a/b.png"),
        ("deadbeef-fox.jpg", "deadbeef-fox.jpg"),
    ],
)
def test_images_have_one_name_however_they_are_addressed(
    tmp_path: Path, uri: str, name: str
) -> None:
    found = Found(label_studio(tmp_path / "x.json", [(uri, [annotation(1, 1, [])])]))
    assert [row["name"] for row in found.assets] == [name]


@pytest.mark.parametrize(
    "uri", ["../../etc/passwd.png", "/data/local-files/?d=../x.png", "C:\\x.png", "a\nb.png"]
)
def test_names_that_climb_are_refused(tmp_path: Path, uri: str) -> None:
    found = Found(label_studio(tmp_path / "x.json", [(uri, [annotation(1, 1, [])])]))
    assert found.rules == ["asset-name"]


def test_the_image_stands_under_any_key(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(
        json.dumps(
            [{"id": 1, "data": {"photo_file": "p.JPG", "note": "hello", "n": 4}, "annotations": []}]
        )
    )
    assert Found(path).assets[0]["name"] == "p.JPG"


def test_naive_times_are_left_out_and_counted(tmp_path: Path) -> None:
    found = one(
        tmp_path,
        [region("r", "car", 1, 1, 5, 5)],
        updated_at="2026-03-02T10:05:00",
        created_at="2026-03-02T10:05:00",
    )
    assert found.labels[0]["labelled_at"] is None
    assert found.losses["naive-time"] == 1


def test_a_shape_without_the_images_size_is_refused(tmp_path: Path) -> None:
    row = region("r", "car", 1, 1, 5, 5)
    del row["original_width"]
    assert one(tmp_path, [row]).rules == ["image-size"]


@pytest.mark.parametrize(
    "value", [{"imageDataURL": "data:x", "bitmasklabels": ["a"]}, {"sequence": [], "labels": ["a"]}]
)
def test_kinds_that_are_no_image_labels_are_refused(tmp_path: Path, value: dict[str, Any]) -> None:
    assert one(tmp_path, [{"id": "v", "type": "x", "value": value}]).rules == ["unsupported-kind"]


def test_one_odd_task_does_not_cost_the_others(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    good = {
        "id": 1,
        "data": {"image": "a.png"},
        "annotations": [annotation(1, 1, [region("r", "car", 1, 1, 5, 5)])],
    }
    path.write_text(
        json.dumps([good, {"id": 2, "data": {"image": "b.png"}, "annotations": "many"}, 17])
    )
    found = Found(path)
    assert (len(found.labels), found.rules) == (1, ["element", "element"])


def test_not_a_number_costs_one_label(tmp_path: Path) -> None:
    path = label_studio(
        tmp_path / "x.json", [("a.png", [annotation(1, 1, [region("r", "car", 1, 1, 5, 5)])])]
    )
    path.write_text(path.read_text().replace('"x": 1', '"x": NaN'))
    assert math.isnan(Found(path).labels[0]["x_min"])


@pytest.mark.parametrize(
    ("content", "slug"),
    [
        (b'{"a": 1}', "wrong-shape"),
        (
            b'[{"id": 1, "image": "a.png", "annotation_id": 5, "annotator": 1, "label": []}]',
            "wrong-shape",
        ),
        (b'[{"id": 1, "data": {"image": "a.png"}, "annotations": [', "unreadable-json"),
        (b"", "unreadable-json"),
        (b"hello", "unreadable-json"),
        (b"[1, 2] 3", "unreadable-json"),
        (b'[{"id": 1, "data": {"image": "\xff\xfe"}, "annotations": []}]', "not-utf8"),
        ("[]".encode("utf-16"), "not-utf8"),
        (b"[" * 100_000, "too-deep"),
        (b'[{"id": 1 "data": {}}]', "unreadable-json"),
    ],
)
def test_files_that_are_something_else_are_refused_cleanly(
    tmp_path: Path, content: bytes, slug: str
) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        Found(path)
    assert caught.value.slug == slug
    assert str(path) in caught.value.where


def test_chunks_never_split_a_task(tmp_path: Path) -> None:
    tasks = [
        (f"{i}.png", [annotation(i, 1, [region(f"r{k}", "car", 1, 1, 5, 5) for k in range(3)])])
        for i in range(10)
    ]
    path = label_studio(tmp_path / "x.json", tasks)
    chunks = list(read(path, ReadOptions(chunk_rows=4)))
    assert [chunk.labels.num_rows for chunk in chunks] == [6, 6, 6, 6, 6, 0]
    assert pa.concat_batches([c.labels for c in chunks])["position"].to_pylist() == [
        i for i in range(10) for _ in range(3)
    ]


@pytest.mark.parametrize(
    ("name", "n_labels", "n_annotations", "people"),
    [
        ("cats_two_tools/label_studio.json", 24, 14, {"1"}),
        ("label_studio_live/export_JSON.json", 122, 34, {"1", "2", "3"}),
        ("label_studio_live/snapshot_JSON.json", 122, 34, {"1", "2", "3"}),
    ],
)
def test_real_exports_read_whole(
    shared_data: Path, name: str, n_labels: int, n_annotations: int, people: set[str]
) -> None:
    found = Found(shared_data / name)
    assert (len(found.labels), len(found.roster), found.violations) == (n_labels, n_annotations, [])
    assert {row["annotator"] for row in found.labels} == people


def test_the_three_annotators_export_reads_whole(shared_data: Path) -> None:
    found = Found(shared_data / "three_annotators" / "label_studio.json")
    people = [row for row in found.labels if row["origin"] == "human"]
    assert (len(people), len(found.roster)) == (91, 15)
    assert len({row["annotator"] for row in people}) == 3
    assert max(row["lead_time_s"] for row in people) > 11_000


def test_the_cats_are_named_alike_by_both_tools(shared_data: Path) -> None:
    from lineage.formats.cvat.read import read as read_cvat

    ours = {
        row["name"] for row in Found(shared_data / "cats_two_tools" / "label_studio.json").assets
    }
    chunks = read_cvat(shared_data / "cats_two_tools" / "cvat.xml", ReadOptions())
    theirs = {name for chunk in chunks for name in chunk.assets["name"].to_pylist()}
    assert ours == theirs
    assert len(ours) == 14
