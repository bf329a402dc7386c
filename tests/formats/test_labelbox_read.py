"""Labelbox in: who, when and what of both exports, and what is refused with its reason."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lineage import columns
from lineage.errors import BadInput
from lineage.formats import ReadOptions
from lineage.formats.labelbox.read import read

Json = dict[str, Any]
BOX = {"top": 20, "left": 10, "height": 30.5, "width": 40}


class Found:
    """Everything a reader yields, gathered."""

    def __init__(self, path: Path, **options: Any) -> None:
        chunks = list(read(path, ReadOptions(**options)))
        self.labels = [row for chunk in chunks for row in chunk.labels.to_pylist()]
        self.assets = [row for chunk in chunks for row in chunk.assets.to_pylist()]
        self.roster = [row for chunk in chunks for row in chunk.roster.to_pylist()]
        self.violations = [row for chunk in chunks for row in chunk.violations.to_pylist()]
        self.completeness = [row for chunk in chunks for row in chunk.completeness.to_pylist()]
        self.losses = sum((Counter(chunk.losses) for chunk in chunks), Counter())
        self.notes = {name: note for chunk in chunks for name, note in chunk.notes.items()}

    @property
    def rules(self) -> list[str]:
        return [row["rule"] for row in self.violations]

    @property
    def states(self) -> dict[str, tuple[str, str | None]]:
        return {row["asset"]: (row["state"], row["reason"]) for row in self.completeness}

    def extra(self, row: int = 0) -> Json:
        found: Json = json.loads(self.labels[row]["extra"])
        return found


def shape(key: str = "f1", name: str | None = "car", **more: Any) -> Json:
    """Return an object; a box unless told otherwise."""
    drawn = {"bounding_box": BOX} if not more.keys() & {"polygon", "line", "point", "mask"} else {}
    return {
        "feature_id": key, "feature_schema_id": "s1", "name": name, "value": name,
        "annotation_kind": "ImageBoundingBox", "classifications": [], **drawn, **more,
    }  # fmt: skip


def label(key: str = "l1", objects: list[Json] | None = None, **more: Any) -> Json:
    """Return one person's label."""
    found = {
        "label_kind": "Default",
        "version": "1.0.0",
        "id": key,
        "label_details": {
            "created_at": "2024-04-08T16:21:26.000+00:00",
            "updated_at": "2024-04-08T16:34:02.000+00:00",
            "created_by": "ann@crew.example",
            "content_last_updated_at": "2024-04-08T16:30:00.513+00:00",
            "reviews": [],
        },
        "performance_details": {"seconds_to_create": 61, "seconds_to_review": 3, "skipped": False},
        "annotations": {
            "objects": [shape()] if objects is None else objects,
            "classifications": more.pop("classifications", []),
            "relationships": more.pop("relationships", []),
        },
    }
    for name, value in more.items():
        found[name] = {**found[name], **value} if isinstance(value, dict) else value  # type: ignore[dict-item]
    return found


def row(labels: list[Json], *, workflow: str | None = "DONE", **more: Any) -> Json:
    """Return a data row of one project."""
    details = {"batch_name": "w01", "task_name": "Done", "workflow_status": workflow, "workflow_history": []}  # fmt: skip
    found = {
        "data_row": {"id": "r1", "external_id": "a.jpg", "row_data": "https://cdn.example/x/a.jpg"},
        "media_attributes": {"height": 480, "width": 640, "mime_type": "image/jpeg"},
        "projects": {"p1": {"name": "street", "labels": labels, "project_details": details}},
        **more,
    }
    if workflow is None:
        del found["projects"]["p1"]["project_details"]
    return found


def ndjson(tmp_path: Path, *rows: Json) -> Path:
    path = tmp_path / "export.ndjson"
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


def one(tmp_path: Path, *labels: Json, **more: Any) -> Found:
    return Found(ndjson(tmp_path, row(list(labels), **more)))


def box(found: Json) -> list[float]:
    return [found[name] for name in columns.BOX]


def test_a_box_comes_in_with_who_when_and_how_long(tmp_path: Path) -> None:
    found = one(tmp_path, label())
    told = found.labels[0]
    assert box(told) == [10, 20, 50, 50.5]
    assert (told["asset"], told["class"], told["kind"], told["origin"]) == ("a.jpg", "car", "box", "human")  # fmt: skip
    assert (told["annotator"], told["source_id"]) == ("ann@crew.example", "f1")
    assert told["labelled_at"].isoformat() == "2024-04-08T16:21:26+00:00"
    assert (told["lead_time_s"], told["score"], told["attributes"]) == (61, None, "{}")
    assert found.assets == [
        {"name": "a.jpg", "uri": "https://cdn.example/x/a.jpg", "width": 640, "height": 480,
         "digest": None, "n_bytes": None}
    ]  # fmt: skip
    assert [(r["annotator"], r["presence"], r["source_id"]) for r in found.roster] == [
        ("ann@crew.example", "labelled", "l1")
    ]


def test_reviews_scores_and_workflow_stand_in_extra_and_people_there_are_marked(
    tmp_path: Path,
) -> None:
    reviewed = label(
        label_details={"reviews": [{"score": 1, "reviewed_at": "2024-04-09T08:00:00Z", "reviewed_by": "bo@crew.example"}]},
        performance_details={"consensus_score": 0.75, "benchmark_score": 0.0000001, "consensus_label_count": 3},
    )  # fmt: skip
    history = [{"action": "Approve", "created_by": "bo@crew.example", "created_at": "2024-04-09T08:00:00Z",
                "previous_task_name": "Review", "next_task_name": "Done"}]  # fmt: skip
    given = row([reviewed])
    given["projects"]["p1"]["project_details"]["workflow_history"] = history
    found = Found(ndjson(tmp_path, given))
    extra = found.extra()
    assert extra["reviews"] == [
        {"score": 1, "reviewed_at": "2024-04-09T08:00:00Z", "reviewed_by": {"@person": "bo@crew.example"}}
    ]  # fmt: skip
    assert extra["workflow_history"][0] == {**history[0], "created_by": {"@person": "bo@crew.example"}}  # fmt: skip
    assert (extra["seconds_to_review"], extra["consensus_score"], extra["consensus_label_count"]) == (3, 0.75, 3)  # fmt: skip
    assert (extra["batch_name"], extra["task_name"], extra["workflow_status"]) == ("w01", "Done", "DONE")  # fmt: skip
    assert (extra["project"], extra["label"], extra["data_row"]) == ("street", "l1", "r1")
    assert extra["content_last_updated_at"] == "2024-04-08T16:30:00.513+00:00"
    # the ledger's one form of numbers and keys
    text = found.labels[0]["extra"]
    assert '"benchmark_score":1e-07' in text
    assert text == json.dumps(extra, sort_keys=True, separators=(",", ":"))


def test_every_kind_of_shape_becomes_its_kind(tmp_path: Path) -> None:
    ring = [{"x": 1, "y": 2}, {"x": 5, "y": 2}, {"x": 5, "y": 8}]
    objects = [
        shape("p", polygon=[*ring, ring[0]]),
        shape("q", polygon=ring),
        shape("l", line=[{"x": 0, "y": 1}, {"x": 4, "y": 9}]),
        shape("k", point={"x": 3, "y": 4}, confidence=0.5),
    ]
    found = one(tmp_path, label(objects=objects)).labels
    assert [told["kind"] for told in found] == ["polygon", "polygon", "polyline", "keypoints"]
    # the first point that newer exports repeat at the end is no point of its own
    assert found[0]["geometry"] == found[1]["geometry"] == [[1, 2, 5, 2, 5, 8]]
    assert found[2]["geometry"] == [[0, 1, 4, 9]]
    assert found[3]["geometry"] == [[3, 4, 2]]
    assert [box(told) for told in found] == [[1, 2, 5, 8], [1, 2, 5, 8], [0, 1, 4, 9], [3, 4, 3, 4]]
    assert found[3]["score"] == 0.5


def test_a_mask_is_an_address_and_refused_without_its_key(tmp_path: Path) -> None:
    mask = {"url": "https://api.labelbox.com/masks/feature/m1?token=abc"}
    found = one(tmp_path, label(objects=[shape("m", mask=mask, composite_mask=mask), shape()]))
    assert [told["source_id"] for told in found.labels] == ["f1"]
    (told,) = found.violations
    assert (told["rule"], told["asset"], told["annotation"]) == ("mask-url", "a.jpg", "m")
    assert told["path"] == "/projects/p1/labels/0/annotations/objects/0/mask/url"
    assert told["value"] == "https://api.labelbox.com/masks/feature/m1"


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        (shape("x", polygon=[{"x": 1, "y": 2}, {"x": 3, "y": 4}]), "too-few-points"),
        (shape("x", line=[{"x": 1, "y": 2}]), "too-few-points"),
        (shape("x", mask=None), "unsupported-kind"),
        (shape("x", mask={"png": "iVBO"}), "unsupported-kind"),
        (shape("x", None), "no-class"),
        (shape("f1"), "duplicate-id"),
        ({**shape("x"), "bounding_box": {**BOX, "left": float("nan")}}, "not-finite"),
        (shape("x", point={"x": float("inf"), "y": 0}), "not-finite"),
        ({**shape("x"), "bounding_box": {"left": 1, "top": 2}}, "element"),
        (shape("x", point={"x": "3", "y": 4}), "element"),
        ("box", "element"),
        (shape("x", "\ud800"), "element"),
    ],
)
def test_one_wrong_object_does_not_cost_the_others(tmp_path: Path, wrong: Any, rule: str) -> None:
    found = one(tmp_path, label(objects=[shape(), wrong, shape("f3")]))
    assert [told["source_id"] for told in found.labels] == ["f1", "f3"]
    assert found.rules == [rule]
    assert found.violations[0]["asset"] == "a.jpg"
    assert found.violations[0]["path"].startswith("/projects/p1/labels/0/annotations/objects/1")


def test_answers_about_a_shape_are_its_attributes(tmp_path: Path) -> None:
    asked = [
        {"name": "occluded", "value": "occ", "radio_answer": {"name": "Yes", "value": "yes", "classifications": [
            {"name": "by", "text_answer": {"content": "a tree"}}]}},
        {"name": "damage", "checklist_answers": [{"name": "dented", "classifications": [
            {"name": "side", "radio_answer": {"name": "left"}}]}, {"name": "rusty"}]},
        {"name": "note", "text_answer": {"content": "dark"}},
        {"name": "colours", "checklist_answers": []},
        {"name": "unanswered"},
        {"name": "twice", "text_answer": {"content": "a"}},
        {"name": "twice", "text_answer": {"content": "b"}},
    ]  # fmt: skip
    found = one(tmp_path, label(objects=[shape(classifications=asked)])).labels[0]
    assert json.loads(found["attributes"]) == {
        "occluded": "Yes",
        "occluded / Yes / by": "a tree",
        "damage": ["dented", "rusty"],
        "damage / dented / side": "left",
        "note": "dark",
        "colours": [],
        "twice": ["a", "b"],
    }


def test_answers_about_the_image_are_classes_as_in_label_studio(tmp_path: Path) -> None:
    asked = [
        {"feature_id": "q1", "name": "weather", "radio_answer": {
            "feature_id": "a1", "feature_schema_id": "s9", "name": "Rain", "value": "rain",
            "classifications": [{"name": "heavy", "radio_answer": {"name": "no"}}]}},
        {"feature_id": "q2", "name": "tags", "checklist_answers": [
            {"feature_id": "a2", "name": "night"}, {"name": "city"}]},
        {"feature_id": "q3", "name": "note", "text_answer": {"content": "hm"}},
    ]  # fmt: skip
    found = one(tmp_path, label(objects=[], classifications=asked))
    assert [(told["class"], told["kind"], told["x_min"], told["source_id"]) for told in found.labels] == [
        ("Rain", "class", None, "q1"), ("night", "class", None, "a2"), ("city", "class", None, "q2/city"),
    ]  # fmt: skip
    assert found.labels[0]["attributes"] == '{"heavy":"no"}'
    extra = found.extra()
    assert (extra["question"], extra["value"], extra["feature_schema_id"]) == (
        "weather",
        "rain",
        "s9",
    )
    assert found.losses["image-level-text"] == 1


def test_people_and_projects_of_one_image_are_kept_apart(tmp_path: Path) -> None:
    given = row([label("l1"), label("l2", [shape("f2")], label_details={"created_by": "bo@crew.example"})])  # fmt: skip
    given["projects"]["p2"] = {"name": "signs", "labels": [label("l3", [shape("f3", "sign")])]}
    found = Found(ndjson(tmp_path, given))
    assert [(told["annotator"], told["source_id"]) for told in found.labels] == [
        ("ann@crew.example", "f1"), ("bo@crew.example", "f2"), ("ann@crew.example", "f3"),
    ]  # fmt: skip
    assert [found.extra(at)["project"] for at in range(3)] == ["street", "street", "signs"]
    assert len(found.assets) == 1
    assert found.states == {"a.jpg": ("complete", None)}


def test_nobody_and_no_time_is_invented(tmp_path: Path) -> None:
    bare = {"id": "l1", "annotations": {"objects": [shape()]}}
    found = one(tmp_path, bare, workflow=None)
    told = found.labels[0]
    assert told["annotator"] is told["labelled_at"] is told["lead_time_s"] is None
    path = ndjson(tmp_path, row([bare]))
    assert Found(path, annotator="cy").labels[0]["annotator"] == "cy"
    assert Found(path, annotator_of_file={"export.ndjson": "di"}, annotator="cy").labels[0]["annotator"] == "di"  # fmt: skip


def test_naive_times_are_left_out_and_counted(tmp_path: Path) -> None:
    found = one(tmp_path, label(label_details={"created_at": "2024-04-08T16:21:26"}))
    assert found.labels[0]["labelled_at"] is None
    assert found.losses["naive-time"] == 1


@pytest.mark.parametrize(
    ("reference", "origin"),
    [(True, "ground_truth"), ("l1", "ground_truth"), ("l7", "human"), (False, "human"), (None, "human")],
)  # fmt: skip
def test_a_benchmark_is_ground_truth(tmp_path: Path, reference: object, origin: str) -> None:
    found = one(tmp_path, label(performance_details={"benchmark_reference_label": reference}))
    assert found.labels[0]["origin"] == origin
    assert found.extra().get("benchmark") == (reference if isinstance(reference, str) else None)


def test_predictions_are_told_from_people(tmp_path: Path) -> None:
    prediction = {"id": "x1", "annotations": {"objects": [shape("g1", confidence=0.9)]}}
    runs = {"run1": {"name": "v3", "labels": [label("l1"), label("l5", [shape("f5")])], "predictions": [prediction]}}  # fmt: skip
    given = row([label("l1"), label("m1", [shape("f2")], label_kind="ModelPrediction")])
    given["experiments"] = {"m": {"name": "detector", "runs": runs}}
    found = Found(ndjson(tmp_path, given))
    # the run's copy of a label that stands in its project is that label
    assert [(told["source_id"], told["annotator"], told["origin"], told["score"]) for told in found.labels] == [
        ("f1", "ann@crew.example", "human", None), ("f2", "ann@crew.example", "model", None),
        ("f5", "ann@crew.example", "human", None), ("g1", "detector / v3", "model", 0.9),
    ]  # fmt: skip
    assert [told["source_id"] for told in found.roster] == ["l1", "l5"]
    assert found.rules == []


SKIPPED = label("s1", performance_details={"skipped": True})
EMPTY = label("e1", [])


@pytest.mark.parametrize(
    ("labels", "workflow", "state", "presence"),
    [
        ([], "TO_LABEL", "not_started", ["pending"]),
        ([label()], "TO_LABEL", "in_progress", ["labelled"]),
        ([label()], "IN_REVIEW", "in_progress", ["labelled"]),
        ([EMPTY], "IN_REWORK", "in_progress", ["empty"]),
        ([label()], "DONE", "complete", ["labelled"]),
        ([EMPTY], "DONE", "complete_empty", ["empty"]),
        ([SKIPPED], "DONE", "skipped", ["skipped"]),
        ([SKIPPED], "IN_REVIEW", "skipped", ["skipped"]),
        ([SKIPPED, label()], "DONE", "complete", ["skipped", "labelled"]),
        ([SKIPPED, EMPTY], "DONE", "complete_empty", ["skipped", "empty"]),
        ([], "DONE", None, []),
        # without the workflow, labels that were handed in speak for themselves
        ([], None, "not_started", ["pending"]),
        ([label()], None, "complete", ["labelled"]),
        ([EMPTY], None, "complete_empty", ["empty"]),
        ([SKIPPED], None, "skipped", ["skipped"]),
    ],
)
def test_how_far_an_image_is(
    tmp_path: Path, labels: list[Json], workflow: str | None, state: str | None, presence: list[str]
) -> None:
    found = one(tmp_path, *labels, workflow=workflow)
    reason = "skipped in Labelbox" if state == "skipped" else None
    assert found.states == ({} if state is None else {"a.jpg": (state, reason)})
    assert [told["presence"] for told in found.roster] == presence
    assert found.losses["done-without-label"] == (state is None)


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        (("DONE", [EMPTY]), ("TO_LABEL", []), "in_progress"),
        (("DONE", [label()]), ("DONE", [label("e2", [])]), "complete"),
        (("TO_LABEL", []), ("TO_LABEL", []), "not_started"),
        (("DONE", [label()]), ("DONE", [SKIPPED]), "in_progress"),
    ],
)
def test_an_image_of_two_projects_is_done_when_it_is_done_in_both(
    tmp_path: Path, first: Any, second: Any, state: str
) -> None:
    given, other = (row(labels, workflow=workflow) for workflow, labels in (first, second))
    given["projects"]["p2"] = other["projects"]["p1"]
    assert Found(ndjson(tmp_path, given)).states["a.jpg"][0] == state


def test_what_stands_in_a_skipped_label_is_counted(tmp_path: Path) -> None:
    found = one(tmp_path, SKIPPED)
    assert found.labels == []
    assert found.losses["skipped-object"] == 1


def test_relations_are_counted(tmp_path: Path) -> None:
    assert one(tmp_path, label(relationships=[{"a": 1}, {"b": 2}])).losses["relation"] == 2


def test_a_label_that_comes_twice_is_refused(tmp_path: Path) -> None:
    found = Found(ndjson(tmp_path, row([label()]), row([label()])))
    assert (len(found.labels), found.rules) == (1, ["duplicate-id"])
    assert found.violations[0]["position"] == 1


@pytest.mark.parametrize(
    ("given", "name", "uri"),
    [
        ({"external_id": "a.jpg", "global_key": "b.jpg", "row_data": "https://h/c.jpg"}, "a.jpg", "https://h/c.jpg"),
        ({"external_id": "a", "global_key": "x/b.JPG", "row_data": "https://h/c.jpg"}, "x/b.JPG", "https://h/c.jpg"),
        ({"global_key": "77_vexcel", "row_data": "https://h/p/77_vexcel.png"}, "p/77_vexcel.png", "https://h/p/77_vexcel.png"),
        ({"external_id": "im1", "row_data": "https://storage.labelbox.com/o%2Fuuid-im1.jpg?Expires=1&Signature=x"},
         "im1", "https://storage.labelbox.com/o%2Fuuid-im1.jpg"),
        ({"row_data": "https://storage.labelbox.com/o%2Fuuid-im1?Expires=1&KeyName=k&Signature=x"},
         "o/uuid-im1", "https://storage.labelbox.com/o%2Fuuid-im1"),
        ({"row_data": "s3://bucket/a/b.png"}, "s3://bucket/a/b.png", "s3://bucket/a/b.png"),
        ({"row_data": "https://h/c.jpg?x-amz-signature=1&w=2"}, "c.jpg", "https://h/c.jpg"),
        ({"row_data": "https://h/c.jpg?version=2"}, "c.jpg", "https://h/c.jpg?version=2"),
    ],
)  # fmt: skip
def test_an_image_is_named_by_what_names_it_best_and_keys_are_not_kept(
    tmp_path: Path, given: Json, name: str, uri: str
) -> None:
    found = one(tmp_path, label(), data_row=given)
    assert (found.assets[0]["name"], found.assets[0]["uri"]) == (name, uri)
    assert found.labels[0]["asset"] == name


def test_a_row_without_a_usable_name_is_refused(tmp_path: Path) -> None:
    found = one(tmp_path, label(), data_row={"id": "r1", "row_data": "../../etc/x.png"})
    assert (found.labels, found.rules) == ([], ["asset-name"])


@pytest.mark.parametrize(
    "more",
    [
        {"media_attributes": {"mime_type": "video/mp4"}},
        {"media_attributes": {"asset_type": "pdf"}},
        {"data_row": {"external_id": "a.pdf"}, "media_attributes": {}},
        {"data_row": {"row_data": '{"tileLayerUrl": "x"}'}, "media_attributes": None},
    ],
)
def test_other_media_are_refused_row_by_row(tmp_path: Path, more: Json) -> None:
    good = row([label("l9", [shape("f9")])])
    found = Found(ndjson(tmp_path, row([label()], **more), good))
    assert [told["source_id"] for told in found.labels] == ["f9"]
    assert found.rules == ["unsupported-media"]
    assert found.violations[0]["position"] == 0


@pytest.mark.parametrize(
    "annotations",
    [
        {"frames": {"13": {"objects": {}}}},
        {"segments": {}},
        {"groups": {"Axial": {}}},
        {"objects": [shape(annotation_kind="TextEntity")]},
        {"objects": [shape(page_number=1)]},
    ],
)
def test_other_media_are_told_by_their_labels_where_nothing_else_tells(
    tmp_path: Path, annotations: Json
) -> None:
    bare = {"id": "l1", "annotations": annotations}
    found = one(tmp_path, bare, data_row={"external_id": "thing"}, media_attributes=None)
    assert (found.labels, found.rules) == ([], ["unsupported-media"])


def test_a_turned_image_is_noted(tmp_path: Path) -> None:
    media = {"width": 4, "height": 3, "mime_type": "image/jpeg", "exif_rotation": "6"}
    found = one(tmp_path, label(), media_attributes=media)
    assert found.extra()["exif_rotation"] == "6"
    assert "exif-rotation" in found.notes


def test_an_array_and_a_file_of_lines_read_alike(tmp_path: Path) -> None:
    rows = [row([label(f"l{i}", [shape(f"f{i}")])]) for i in range(3)]
    path = tmp_path / "array.ndjson"
    path.write_text("\ufeff" + json.dumps(rows, indent=1))
    lines = Found(ndjson(tmp_path, *rows))
    array = Found(path)
    assert array.labels == lines.labels
    assert [told["position"] for told in array.labels] == [0, 1, 2]


def test_what_is_repeated_for_every_shape_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lineage.formats.labelbox.read.MOST_BYTES", 20_000)
    monkeypatch.setattr("lineage.formats.labelbox.rows.MOST_BYTES", 20_000)
    history = [{"action": "Move", "created_at": "x" * 500}]
    objects = [shape(f"f{i}") for i in range(30)]
    rows = [row([label(f"l{n}", objects)]) for n in range(3)]
    rows[0]["projects"]["p1"]["project_details"]["workflow_history"] = history * 9
    rows.append(row([label("l4", objects, label_details={"updated_at": "u" * 90_000})]))
    chunks = list(read(ndjson(tmp_path, *rows), ReadOptions()))
    found = [json.loads(text) for chunk in chunks for text in chunk.labels["extra"].to_pylist()]
    assert "workflow_history" not in found[0]
    assert found[0]["label"] == "l0"
    assert "updated_at" not in found[-1]
    assert sum(chunk.losses.get("extra-too-long", 0) for chunk in chunks) == 2
    assert [chunk.labels.num_rows for chunk in chunks] == [90, 30]


def test_chunks_never_split_a_row(tmp_path: Path) -> None:
    rows = [row([label(f"l{i}", [shape(f"f{i}{k}") for k in range(3)])]) for i in range(5)]
    chunks = list(read(ndjson(tmp_path, *rows), ReadOptions(chunk_rows=4)))
    assert [chunk.labels.num_rows for chunk in chunks] == [6, 6, 3]


@pytest.mark.parametrize(
    ("content", "slug"),
    [
        (b"", "unreadable-json"),
        (b"hello", "unreadable-json"),
        (b'{"images": [], "annotations": []}', "wrong-shape"),
        (b'[{"id": 1, "data": {"image": "a.png"}, "annotations": []}]', "wrong-shape"),
        (b'{"data_row": {"id": "a"}}\n{"data_row": {"id"', "unreadable-json"),
        (b'{"data_row": {"id": "\xff"}}\n', "not-utf8"),
        ('{"data_row": {}}'.encode("utf-16"), "not-utf8"),
        (b'{"data_row": {"details": ' + b"[" * 100_000, "too-deep"),
        (b'[{"uuid": "u", "dataRow": {"id": "d"}, "name": "box", "bbox": {}}]', "wrong-shape"),
        (b'{"uuid": "u", "dataRow": {"id": "d"}, "name": "box"}\n', "wrong-shape"),
    ],
)
def test_files_that_are_something_else_are_refused_cleanly(
    tmp_path: Path, content: bytes, slug: str
) -> None:
    path = tmp_path / "x.ndjson"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        Found(path)
    assert caught.value.slug == slug
    assert str(path) in caught.value.where


@pytest.mark.parametrize("depth", [330, 400, 5_000])
def test_answers_that_nest_without_end_are_refused_cleanly(tmp_path: Path, depth: int) -> None:
    opening, closing = '{"title":"q","answer":{"title":"a","classifications":[', "]}}"
    asked = opening * depth + closing * depth
    path = tmp_path / "x.ndjson"
    path.write_text(json.dumps(older()).replace('"classifications": []', f'"classifications": [{asked}]'))  # fmt: skip
    with pytest.raises(BadInput) as caught:
        Found(path)
    assert caught.value.slug == "too-deep"


def test_a_stranger_among_rows_costs_itself_only(tmp_path: Path) -> None:
    found = Found(ndjson(tmp_path, row([label()]), {"hello": 1}, {"data_row": "x"}))
    assert (len(found.labels), found.rules) == (1, ["element", "element"])


def older(**more: Any) -> Json:
    """Return an element of export v1."""
    said = {"objects": more.pop("objects", []), "classifications": more.pop("classifications", [])}
    return {
        "ID": "l1", "DataRow ID": "r1", "Labeled Data": "https://h/a.jpg", "Label": said,
        "Created By": "ann@crew.example", "Project Name": "street",
        "Created At": "2021-09-02T22:23:24.000Z", "Updated At": "2021-09-02T23:31:27.707Z",
        "Seconds to Label": 220.5, "External ID": None, "Agreement": -1, "Benchmark Agreement": -1,
        "Benchmark ID": None, "Reviews": [], "Skipped": False, "Media Attributes": {}, **more,
    }  # fmt: skip


def test_v1_comes_in_with_the_same_provenance(tmp_path: Path) -> None:
    objects = [
        {"featureId": "f1", "schemaId": "s1", "title": "Blue bird", "value": "blue_bird",
         "bbox": BOX, "instanceURI": "https://api/m", "classifications": [
            [{"title": "side", "answers": [{"title": "left"}, {"title": "top"}]}],
            {"title": "note", "answer": "dark"},
            {"title": "kind", "answer": {"title": "tit", "value": "t"}}]},
        {"featureId": "f2", "title": "cloud", "value": "cloud", "instanceURI": "https://api/m?token=1"},
    ]  # fmt: skip
    review = {"score": 1, "id": "v", "createdAt": "2021-09-03T08:00:00.000Z", "createdBy": "bo@crew.example", "labelId": "l1"}  # fmt: skip
    path = tmp_path / "v1.json"
    path.write_text(json.dumps([older(
        objects=objects, Reviews=[review], Agreement=0.8, **{"Seconds to Create": 200, "Benchmark ID": "l1"},
        **{"Media Attributes": {"width": 64, "height": 48, "mimeType": "image/jpeg"}},
    )]))  # fmt: skip
    found = Found(path)
    told, extra = found.labels[0], found.extra()
    assert (told["class"], told["annotator"], told["source_id"]) == ("Blue bird", "ann@crew.example", "f1")  # fmt: skip
    assert (told["lead_time_s"], told["origin"]) == (200, "ground_truth")
    assert told["labelled_at"].isoformat() == "2021-09-02T22:23:24+00:00"
    assert json.loads(told["attributes"]) == {"side": ["left", "top"], "note": "dark", "kind": "tit"}  # fmt: skip
    assert extra["reviews"][0]["created_by"] == {"@person": "bo@crew.example"}
    assert (extra["value"], extra["consensus_score"], extra["project"]) == (
        "blue_bird",
        0.8,
        "street",
    )
    assert "benchmark_score" not in extra
    assert (found.assets[0]["width"], found.assets[0]["height"]) == (64, 48)
    assert found.rules == ["mask-url"]
    assert found.states == {"a.jpg": ("complete", None)}


@pytest.mark.parametrize(
    ("more", "rules", "presence"),
    [
        ({"Skipped": True, "Label": {}}, [], ["skipped"]),
        ({"Label": "Skip"}, [], ["skipped"]),
        ({"Label": {"Car": [{"geometry": []}]}}, ["element"], ["empty"]),
        ({"Label": [{"frameNumber": 1}]}, ["unsupported-media"], []),
        ({"Label": {"frames": "https://h/frames"}}, ["unsupported-media"], []),
        ({"objects": [{"title": "a", "bbox": {"top": "x"}}]}, ["element"], ["empty"]),
        ({"classifications": [{"title": "a", "answer": 7}]}, ["element"], ["empty"]),
        ({"objects": [{"title": "a", "geometry": {}}]}, ["unsupported-media"], []),
        ({"objects": [{"title": "a", "data": {"location": {}}}]}, ["unsupported-media"], []),
    ],
)
def test_v1_has_its_own_oddities(
    tmp_path: Path, more: Json, rules: list[str], presence: list[str]
) -> None:
    path = tmp_path / "v1.json"
    path.write_text(json.dumps([older(**more)]))
    found = Found(path)
    assert (found.rules, [told["presence"] for told in found.roster]) == (rules, presence)


def test_people_of_v1_who_share_an_image_are_kept_apart(tmp_path: Path) -> None:
    objects = [{"featureId": "f1", "title": "a", "bbox": BOX}]
    rows = [
        older(objects=objects),
        older(ID="l2", **{"Created By": "bo@crew.example"}, Skipped=True),
        older(ID="l3", **{"Created By": "cy@crew.example"}),
    ]
    path = tmp_path / "v1.json"
    path.write_text(json.dumps(rows))
    found = Found(path)
    assert [(told["annotator"], told["presence"]) for told in found.roster] == [
        ("ann@crew.example", "labelled"), ("bo@crew.example", "skipped"), ("cy@crew.example", "empty"),
    ]  # fmt: skip
    # what is furthest holds, once for each image
    assert found.completeness == [
        {"asset": "a.jpg", "class": None, "state": "complete", "reason": None}
    ]


@pytest.mark.parametrize(
    ("name", "kinds", "rules", "people"),
    [
        ("highly_nested_image", {"polygon": 1, "keypoints": 1, "class": 7}, {"mask-url": 1}, 1),
        ("image_export", {"box": 4, "polygon": 2, "keypoints": 1, "polyline": 2}, {"mask-url": 1}, 1),
        ("unkown_media_type_export", {"polygon": 2, "class": 2}, {}, 1),
        ("pdf_export", {}, {"unsupported-media": 1}, 0),
        ("text_export", {}, {"unsupported-media": 1}, 0),
        ("tiled_image_export", {}, {"unsupported-media": 2}, 0),
        ("video_export", {}, {"unsupported-media": 1}, 0),
    ],
)  # fmt: skip
def test_real_exports_of_v1(
    shared_data: Path, name: str, kinds: dict[str, int], rules: dict[str, int], people: int
) -> None:
    found = Found(shared_data / "labelbox_cases" / "labelbox_v1" / f"{name}.json")
    assert Counter(told["kind"] for told in found.labels) == kinds
    assert Counter(found.rules) == rules
    assert len({told["annotator"] for told in found.labels}) == people
    assert all(told["labelled_at"] is not None for told in found.labels)
    assert all(told["lead_time_s"] > 0 for told in found.labels)


def test_a_real_skipped_image_is_skipped(shared_data: Path) -> None:
    found = Found(shared_data / "labelbox_cases/labelbox_v1/unkown_media_type_export.json")
    assert found.states["im2"] == ("skipped", "skipped in Labelbox")
    assert sorted(found.states) == ["im1", "im2", "im3", "im4"]


def test_real_payloads_for_uploading_are_refused_as_what_they_are(shared_data: Path) -> None:
    paths = sorted((shared_data / "labelbox_cases" / "ndjson").glob("*.json"))
    assert len(paths) == 22
    for path in paths:
        with pytest.raises(BadInput, match="made for uploading") as caught:
            Found(path)
        assert caught.value.slug == "wrong-shape"
