"""Label Studio in: how far images are, what `write` said before, and what a task may be about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lineage import columns
from lineage.errors import BadInput
from lineage.formats import ReadOptions, WriteOptions
from lineage.formats.label_studio.read import read
from lineage.formats.label_studio.write import write
from tests.exports import annotation, label_studio, region
from tests.formats.test_label_studio_read import Found, box, one
from tests.formats.test_label_studio_write import AT, dataset, said

Json = dict[str, Any]
BOX = region("r", "car", 1, 1, 5, 5)
SKIPPED = annotation(1, 1, [BOX], was_cancelled=True)
EMPTY = annotation(2, 1, [])
DONE = annotation(3, 1, [BOX])


def states(path: Path) -> dict[tuple[str, str | None], tuple[str, str | None]]:
    rows = [row for c in read(path, ReadOptions()) for row in c.completeness.to_pylist()]
    return {(row["asset"], row["class"]): (row["state"], row["reason"]) for row in rows}


@pytest.mark.parametrize(
    ("answers", "drafts", "state"),
    [
        ([], [], "not_started"),
        ([], [{"result": []}], "in_progress"),
        ([DONE], [], "complete"),
        ([DONE, SKIPPED], [{"result": []}], "complete"),
        ([EMPTY], [], "complete_empty"),
        ([EMPTY, SKIPPED], [], "complete_empty"),
        # somebody is at work on what another called empty: no negative yet
        ([EMPTY], [{"result": []}], "in_progress"),
        ([SKIPPED], [], "skipped"),
    ],
)
def test_how_far_an_image_is(
    tmp_path: Path, answers: list[Json], drafts: list[Json], state: str
) -> None:
    path = label_studio(tmp_path / "x.json", [("a.png", answers)], drafts=drafts)
    reason = "cancelled in Label Studio" if state == "skipped" else None
    assert states(path) == {("a.png", None): (state, reason)}


def test_an_image_of_two_tasks_has_one_state(tmp_path: Path) -> None:
    path = label_studio(tmp_path / "x.json", [("a.png", []), ("a.png", [DONE]), ("a.png", [])])
    assert states(path) == {("a.png", None): ("complete", None)}


def test_old_files_say_skipped_too(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    old = {**annotation(1, 1, []), "skipped": True, "was_cancelled": None}
    path.write_text(json.dumps([{"id": 1, "data": {"image": "a.png"}, "completions": [old]}]))
    assert states(path)["a.png", None][0] == "skipped"


def test_chunks_stay_small_where_nothing_is_labelled(tmp_path: Path) -> None:
    path = label_studio(tmp_path / "x.json", [(f"{i}.png", []) for i in range(10)])
    chunks = list(read(path, ReadOptions(chunk_rows=4)))
    assert [chunk.completeness.num_rows for chunk in chunks] == [4, 4, 2]


ROWS = [
    {"labelled_at": AT, "annotator": "a-x"},
    {"class": "dog", "annotator": "a-y", "origin": "consensus"},
    {"class": "dog", "annotator": "m-1", "origin": "model"},
    {"kind": "class", "class": "foggy"},
    {"kind": "class", "class": "night"},
]


def test_what_we_wrote_comes_back_with_its_number_its_author_origin_and_time(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.json"
    write(path, *dataset(ROWS))
    found = Found(path)
    assert {
        row["annotation"]: (row["class"], row["annotator"], row["origin"], row["labelled_at"])
        for row in found.labels
    } == {
        1: ("car", "a-x", "human", AT),
        2: ("dog", "a-y", "consensus", None),
        3: ("dog", "m-1", "model", None),
        4: ("foggy", "a-x", "human", None),
        5: ("night", "a-x", "human", None),
    }
    extra = json.loads(found.labels[0]["extra"])
    assert extra["lineage"] == {"revision": 101, "batch": "b", "schema": "s@1.0", "stage": "final"}
    assert "meta" not in extra
    # nobody is put on the roster who is not named, and an image of which nothing is known is not
    assert {row["annotator"] for row in found.roster} == {"a-x", "a-y"}


def test_pre_labels_that_nobody_touched_are_whose_they_were(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write(path, *dataset(ROWS[:1]), WriteOptions(is_prelabels=True))
    (found,) = Found(path).labels
    assert (found["annotation"], found["annotator"], found["origin"], found["labelled_at"]) == (
        1,
        "a-x",
        "human",
        AT,
    )


def worked_on(path: Path, **more: Any) -> None:
    """Let the tool take in what we wrote, and somebody work on it."""
    tasks = json.loads(path.read_text())
    for number, task in enumerate(tasks, start=20):
        task |= {"created_at": "2026-03-03T08:00:00.000000Z", "project": 3}
        for answer in task["annotations"]:
            answer.pop("lineage", None)
            answer |= {"id": number, "completed_by": 7, "updated_at": "2026-03-03T09:00:00Z", **more}  # fmt: skip
    path.write_text(json.dumps(tasks))


def test_whoever_works_on_it_in_the_tool_is_the_author(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write(path, *dataset(ROWS[:2]), WriteOptions(said(("empty.png", None, "complete_empty"))))
    worked_on(path)
    found = Found(path)
    assert [(r["annotation"], r["annotator"], r["origin"]) for r in found.labels] == [
        (1, "7", "human"),
    ]
    assert found.labels[0]["labelled_at"].isoformat() == "2026-03-03T09:00:00+00:00"
    # the second person's answer got the same number in this test, and is refused for it
    assert found.rules == ["duplicate-id"]


def test_how_far_images_are_comes_back_as_it_was_until_the_tool_says_more(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    told = said(
        ("a.png", None, "in_progress"), ("a.png", "dog", "complete_empty"), ("empty.png", None, "skipped")
    )  # fmt: skip
    reasons = pa.array([None, None, "blurred"], pa.string())
    told = told.set_column(told.schema.get_field_index("reason"), "reason", reasons)
    write(path, *dataset([{}]), WriteOptions(told))
    assert states(path) == {
        ("a.png", None): ("in_progress", None),
        ("a.png", "dog"): ("complete_empty", None),
        ("empty.png", None): ("skipped", "blurred"),
    }
    worked_on(path)
    assert states(path) == {
        ("a.png", None): ("complete", None),
        ("empty.png", None): ("skipped", "cancelled in Label Studio"),
    }


def test_nothing_said_is_nothing_read(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write(path, *dataset([{}]))
    assert states(path) == {}


def test_the_parts_of_a_label_are_one_label_again(tmp_path: Path) -> None:
    ring, other = [0.0, 0.0, 5.0, 0.0, 5.0, 5.0], [10.0, 10.0, 20.0, 10.0, 20.0, 30.0]
    rows = [
        {"kind": "polygon", "geometry": [ring, other], "attributes": '{"n":1}'},
        {"kind": "polyline", "geometry": [ring, other]},
        {"kind": "keypoints", "geometry": [[1.0, 2.0, 2.0, 5.0, 6.0, 2.0]]},
    ]
    path = tmp_path / "x.json"
    write(path, *dataset(rows))
    found = Found(path).labels
    assert [row["annotation"] for row in found] == [1, 2, 3]
    flat = [[number for part in row["geometry"] for number in part] for row in found]
    assert flat == [
        pytest.approx([*ring, *other]),
        pytest.approx([*ring, *other]),
        pytest.approx([1, 2, 2, 5, 6, 2]),
    ]
    assert box(found[0]) == pytest.approx([0, 0, 20, 30])
    assert found[0]["attributes"] == '{"n":1}'


def test_a_part_whose_label_is_gone_stands_for_itself(tmp_path: Path) -> None:
    row = region("r", "car", 1, 1, 5, 5, meta={"lineage": {"part_of": 4, "part": 1}})
    assert [r["annotation"] for r in one(tmp_path, [row]).labels] == [None]


@pytest.mark.parametrize(
    "told", [7, [], {"annotation": "4"}, {"annotation": True}, {"annotation": -1}, {"annotation": 1 << 70},
             {"annotation": [1]}, {"classes": 3}, {"part_of": {}}, {"origin": 5, "labelled_at": 6}],
)  # fmt: skip
def test_what_is_not_ours_is_not_believed(tmp_path: Path, told: object) -> None:
    found = one(tmp_path, [region("r", "car", 1, 1, 5, 5, meta={"lineage": told})])
    assert [(r["annotation"], r["annotator"], r["origin"]) for r in found.labels] == [
        (None, "3", "human")
    ]


def test_open_vectors_are_lines_and_closed_ones_polygons(tmp_path: Path) -> None:
    vertices = [{"x": 0, "y": 0}, {"x": 50, "y": 0}, {"x": 50, "y": 50, "isBezier": True}]
    common = {"type": "vectorlabels", "original_width": 200, "original_height": 100}
    rows = [
        {"id": "a", **common, "value": {"vertices": vertices, "vectorlabels": ["x"]}},
        {"id": "b", **common, "value": {"vertices": vertices, "closed": True, "vectorlabels": ["x"]}},
        {"id": "c", **common, "value": {"vertices": vertices[:1], "vectorlabels": ["x"]}},
        {"id": "d", **common, "value": {"vertices": [1, 2], "vectorlabels": ["x"]}},
    ]  # fmt: skip
    found = one(tmp_path, rows)
    assert [row["kind"] for row in found.labels] == ["polyline", "polygon"]
    assert found.labels[0]["geometry"] == [[0, 0, 100, 0, 100, 50]]
    assert json.loads(found.labels[0]["extra"]) == {"bezier": True}
    assert found.rules == ["too-few-points", "geometry"]


def test_a_question_about_a_region_repeats_its_geometry_and_is_an_attribute(tmp_path: Path) -> None:
    common = {key: BOX["value"][key] for key in ("x", "y", "width", "height", "rotation")}
    size = {"original_width": 640, "original_height": 480}
    rows = [
        {"id": "r", "from_name": "side", "type": "choices", "value": {**common, "choices": ["left"]}, **size},
        BOX,
        {"id": "r", "from_name": "kind", "type": "taxonomy", "value": {**common, "taxonomy": [["a", "b"]]}, **size},
        {"id": "r", "from_name": "note", "type": "textarea", "value": {**common, "text": ["dark"]}, **size},
        {"id": "r", "from_name": "n", "type": "number", "value": {**common, "number": 3}, **size},
    ]  # fmt: skip
    found = one(tmp_path, rows)
    assert found.rules == []
    assert json.loads(found.labels[0]["attributes"]) == {
        "side": "left", "kind": "a / b", "note": "dark", "n": 3,
    }  # fmt: skip


@pytest.mark.parametrize("answer", ["word", 7, {"a": 1}])
def test_an_answer_of_another_form_costs_itself_only(tmp_path: Path, answer: object) -> None:
    rows = [
        {"id": "q", "type": "taxonomy", "from_name": "q", "value": {"taxonomy": answer}},
        {"id": "p", "type": "choices", "from_name": "p", "value": {"choices": answer}},
        {"id": "n", "type": "taxonomy", "from_name": "n", "value": {"taxonomy": [["a", "b"], "c"]}},
        BOX,
    ]
    found = one(tmp_path, rows)
    assert [row["class"] for row in found.labels] == ["a / b", "c", "car"]
    assert found.rules == ["element", "element"]


def test_reviews_stand_with_the_labels_they_are_about(tmp_path: Path) -> None:
    review = {"id": 5, "accepted": False, "created_by": {"id": 2, "email": "bo@x.example"},
              "created_at": "2026-03-04T08:00:00Z", "comment": "too loose", "result": None}  # fmt: skip
    found = one(tmp_path, [BOX], reviews=[review], history=[{"action": "submitted"}])
    assert json.loads(found.labels[0]["extra"])["reviews"] == [
        {"accepted": False, "created_at": "2026-03-04T08:00:00Z", "comment": "too loose",
         "created_by": {"@person": "bo@x.example"}}
    ]  # fmt: skip
    assert dict(found.losses) == {"history": 1}
    # where there is no label to stand with, they are counted
    assert one(tmp_path, [], reviews=[review]).losses["review"] == 1


def test_percent_needs_a_size_which_the_caller_may_know(tmp_path: Path) -> None:
    row = region("r", "car", 10, 10, 10, 10)
    del row["original_width"], row["original_height"]
    path = label_studio(tmp_path / "x.json", [("a.png", [annotation(1, 1, [row])])])
    assert Found(path).rules == ["image-size"]
    found = Found(path, size_of={"a.png": (200, 100)}.get)
    assert box(found.labels[0]) == [20, 10, 40, 20]


@pytest.mark.parametrize("size", ["Infinity", "NaN", "1e300", "-5", "0"])
def test_an_absurd_size_costs_its_shape_only(tmp_path: Path, size: str) -> None:
    path = label_studio(tmp_path / "x.json", [("a.png", [annotation(1, 1, [BOX])])])
    path.write_text(path.read_text().replace('"original_width": 640', f'"original_width": {size}'))
    assert Found(path).rules == ["image-size"]


@pytest.mark.parametrize(
    "data",
    [
        {"text": "Annotated task"},
        {"text": "word"},
        {"audio": "https://h/a.wav"},
        {"image": "https://h/a.mp4"},
        {"scenario": "Crisis check-in: a student"},
        {"chat": [{"role": "user"}]},
        {"images": [{"url": "a.jpg"}, {"url": "b.jpg"}]},
        {"left": "a.jpg", "right": "b.jpg"},
        {},
    ],
)
def test_tasks_about_other_things_are_refused_one_by_one(tmp_path: Path, data: Json) -> None:
    path = tmp_path / "x.json"
    tasks = [
        {"id": 1, "data": data, "annotations": [annotation(1, 1, [BOX])]},
        {"id": 2, "data": {"image": "a.png"}, "annotations": [annotation(2, 1, [BOX])]},
    ]
    path.write_text(json.dumps(tasks))
    found = Found(path)
    assert [row["asset"] for row in found.labels] == ["a.png"]
    assert found.rules == ["unsupported-media"]


@pytest.mark.parametrize(
    ("element", "told"),
    [
        ({"action": "ANNOTATION_CREATED", "annotation": {}, "task": {}}, "webhook events"),
        ({"id": 1, "image": "a.png", "annotation_id": 5, "annotator": 1}, "JSON-MIN"),
        ({"hello": 1}, "another file"),
    ],
)
def test_strangers_are_named(tmp_path: Path, element: Json, told: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps([element]))
    with pytest.raises(BadInput, match=told) as caught:
        Found(path)
    assert caught.value.slug == "wrong-shape"


@pytest.mark.parametrize(
    ("name", "n_labels", "rules", "losses", "counts"),
    [
        ("label_studio_live/export_JSON", 122, [], {"prediction-id-only": 1}, {"complete": 12}),
        ("label_studio_live/snapshot_JSON", 122, [], {"prediction-id-only": 1}, {"complete": 12}),
        ("three_annotators/label_studio", 121, [], {}, {"complete": 5}),
        ("cats_two_tools/label_studio", 24, [], {}, {"complete": 14}),
        ("label_studio_cases/test_export_coco/data", 4, [], {}, {"complete": 1}),
        ("label_studio_cases/test_export_csv/csv_test", 3, ["image-size"] * 2, {}, {"complete": 2}),
        ("label_studio_cases/test_export_csv/csv_test2", 0, ["unsupported-media"], {}, {}),
        ("label_studio_cases/test_export_csv/csv_test_history", 0, ["unsupported-media"], {}, {}),
        ("label_studio_cases/test_export_csv/csv_test_colliding_keys", 0, ["unsupported-media"], {}, {}),
        ("label_studio_cases/test_export_json_min/chat_data", 0, ["unsupported-media"], {}, {}),
        ("label_studio_cases/test_export_json_min/data_repeater", 0, ["unsupported-media"], {}, {}),
        ("label_studio_cases/test_export_json_min/data", 1, [], {}, {"complete": 1}),
        ("label_studio_cases/test_export_doclang/data", 0, ["image-size"] * 2,
         {"image-level-textarea": 1, "cancelled-region": 1}, {"complete": 2, "skipped": 1}),
        ("label_studio_cases/test_export_yolo/data", 6, [], {}, {"complete": 2}),
        ("label_studio_cases/test_export_yolo/data_keypoints", 4, [], {"relation": 5}, {"complete": 1}),
        ("label_studio_cases/test_export_yolo/data_obb", 25, [], {}, {"complete": 3}),
        ("label_studio_cases/test_export_yolo/data_polygons", 1, [], {}, {"complete": 1}),
    ],
)  # fmt: skip
def test_every_real_export_says_what_came_in_and_what_did_not(
    shared_data: Path,
    name: str,
    n_labels: int,
    rules: list[str],
    losses: dict[str, int],
    counts: dict[str, int],
) -> None:
    path = shared_data / f"{name}.json"
    found = Found(path)
    assert (len(found.labels), found.rules, dict(found.losses)) == (n_labels, rules, losses)
    told = [state for state, _ in states(path).values()]
    assert {state: told.count(state) for state in set(told)} == counts


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("label_studio_live/export_JSON_MIN", "JSON-MIN"),
        ("label_studio_live/webhooks", "webhook events"),
        ("label_studio_cases/test_export_json_min/label_config_repeater", "an object with the keys"),
        ("label_studio_cases/test_import_coco/coco_import_input", "an object with the keys"),
    ],
)  # fmt: skip
def test_real_files_of_other_kinds_are_refused_by_name(
    shared_data: Path, name: str, told: str
) -> None:
    with pytest.raises(BadInput, match=told):
        Found(shared_data / f"{name}.json")


def test_reviews_of_a_real_export_come_in(shared_data: Path) -> None:
    path = shared_data / "label_studio_cases" / "test_export_csv" / "csv_test.json"
    extra = json.loads(Found(path).labels[0]["extra"])
    assert extra["reviews"][0]["accepted"] is False
    assert extra["reviews"][0]["created_by"] == {"@person": "review@heartex.com"}


def test_completeness_is_the_columns_own(tmp_path: Path) -> None:
    (chunk,) = read(label_studio(tmp_path / "x.json", [("a.png", [DONE])]), ReadOptions())
    assert chunk.completeness.schema == columns.COMPLETENESS
