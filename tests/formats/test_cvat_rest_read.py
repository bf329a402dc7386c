"""CVAT's REST answers: shapes of every kind with their ids, each job's people, nothing twice."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lineage.errors import BadInput
from lineage.formats import ReadOptions, reader
from lineage.formats.cvat_rest.rounds import jobs_and_remarks
from tests.formats.rest_folders import comment, issue, job, rest_folder, shape


def labels_of(path: Path, **options: Any) -> list[dict[str, Any]]:
    chunks = list(reader("cvat-rest")(path, ReadOptions(**options)))
    return [row for chunk in chunks for row in chunk.labels.to_pylist()]


def rules_of(path: Path) -> list[str]:
    chunks = list(reader("cvat-rest")(path, ReadOptions()))
    return [row["rule"] for chunk in chunks for row in chunk.violations.to_pylist()]


def one_job(tmp_path: Path, annotations: dict[str, Any], **more: Any) -> Path:
    jobs = [job(1, "annotation", "completed", (0, 2))]
    return rest_folder(tmp_path / "rest", jobs, {1: annotations}, **more)


def test_a_shape_carries_its_id_its_job_and_who_was_assigned(tmp_path: Path) -> None:
    value = {"spec_id": 5, "value": "true"}
    path = one_job(tmp_path, {"shapes": [shape(69, 2, [1.5, 2, 30, 40], attributes=[value])]})
    [row] = labels_of(path)
    assert (row["asset"], row["annotator"], row["class"]) == ("task_9/frame_000002", "wanda", "car")
    assert [row[name] for name in ("x_min", "y_min", "x_max", "y_max")] == [1.5, 2, 30, 40]
    assert (row["source_id"], row["attributes"]) == ("shape-69", '{"parked":true}')
    assert json.loads(row["extra"]) == {"annotator_from": "assignee", "job": 1, "task_id": 9}


def test_what_a_task_repeats_is_not_read_twice(tmp_path: Path) -> None:
    path = one_job(tmp_path, {"shapes": [shape(1, 0, [1, 1, 9, 9]), shape(2, 0, [20, 1, 29, 9])]})
    assert Counter(row["source_id"] for row in labels_of(path)) == {"shape-1": 1, "shape-2": 1}


def test_shapes_have_the_geometry_of_the_xml(tmp_path: Path) -> None:
    found = labels_of(
        one_job(
            tmp_path,
            {
                "shapes": [
                    shape(1, 0, [10, 10, 30, 20], rotation=90.0),
                    shape(2, 0, [50, 40, 60, 20], type="ellipse"),
                    shape(3, 0, [1, 1, 9, 1, 9, 9], type="polygon"),
                    shape(4, 0, [1, 1, 9, 1], type="polyline"),
                    shape(5, 0, [4, 5], type="points"),
                ],
                "tags": [{"id": 1, "frame": 0, "label_id": 1}],
            },
        )
    )
    by_id = {row["source_id"]: row for row in found}
    assert by_id["shape-1"]["geometry"] == [[20, 15, 20, 10, 90]]
    assert by_id["shape-1"]["x_min"] == pytest.approx(15)
    # the server says how far an ellipse reaches to the right and up, not its radii
    assert [by_id["shape-2"][side] for side in ("x_min", "y_min", "x_max", "y_max")] == [40, 20, 60, 60]  # fmt: skip
    assert by_id["shape-5"]["geometry"] == [[4, 5, 2]]
    assert {row["kind"] for row in found} == {"rotated_box", "polygon", "polyline", "keypoints", "class"}  # fmt: skip


def test_a_mask_is_placed_where_the_size_of_its_image_is_told(tmp_path: Path) -> None:
    # a window of 2 x 2 px whose second row is set
    annotations = {"shapes": [shape(1, 0, [2, 2, 3, 1, 4, 2], type="mask")]}
    path = one_job(tmp_path, annotations)
    assert rules_of(path) == ["mask-size"]
    image = {"name": "street/a.png", "width": 10, "height": 8}
    path = one_job(tmp_path, annotations, frames={"9": {"frames": [image]}})
    [row] = labels_of(path)
    assert (row["asset"], row["geometry"]) == ("street/a.png", [[8, 10], [26, 1, 7, 1, 45]])
    assert [row[side] for side in ("x_min", "y_min", "x_max", "y_max")] == [3, 2, 5, 3]


def test_a_track_is_its_keyframes_and_its_hidden_ones_are_counted(tmp_path: Path) -> None:
    track = {
        "id": 7,
        "frame": 0,
        "label_id": 1,
        "shapes": [
            {"frame": 0, "type": "rectangle", "points": [1, 1, 9, 9]},
            {"frame": 2, "type": "rectangle", "points": [1, 1, 9, 9], "outside": True},
        ],
    }
    [chunk] = reader("cvat-rest")(one_job(tmp_path, {"tracks": [track]}), ReadOptions())
    assert chunk.labels["source_id"].to_pylist() == ["track-7@0"]
    assert chunk.losses == {"outside": 1}


def test_a_skeletons_points_stand_where_their_last_keyframe_put_them(tmp_path: Path) -> None:
    def point(label: int, *at: tuple[int, float, float]) -> dict[str, Any]:
        shapes = [{"frame": frame, "type": "points", "points": [x, y]} for frame, x, y in at]
        return {"frame": 0, "label_id": label, "shapes": shapes}

    track = {
        "id": 7,
        "frame": 0,
        "label_id": 2,
        "shapes": [{"frame": 0, "type": "skeleton"}, {"frame": 2, "type": "skeleton"}],
        "elements": [point(3, (0, 1, 1), (2, 5, 5)), point(4, (0, 1, 9))],
    }
    [chunk] = reader("cvat-rest")(one_job(tmp_path, {"tracks": [track]}), ReadOptions())
    assert chunk.labels["geometry"].to_pylist() == [[[1, 1, 2, 1, 9, 2]], [[5, 5, 2, 1, 9, 2]]]
    assert chunk.losses == {"carried-point": 1}


def test_what_cannot_be_read_is_a_violation_each(tmp_path: Path) -> None:
    shapes = [
        shape(1, 0, [1, 1, 9]),
        shape(2, 0, [0] * 16, type="cuboid"),
        shape(3, 0, [1, 1, 9, 9], label_id=99),
        {"id": 4, "frame": "first"},
        shape(5, 0, [1, 1, 9, 9]),
    ]
    path = one_job(tmp_path, {"shapes": shapes})
    assert rules_of(path) == ["points", "unsupported-kind", "unknown-label", "wrong-shape"]
    assert len(labels_of(path)) == 1


def test_ground_truth_is_nobodys_but_its_assignees(tmp_path: Path) -> None:
    jobs = [
        job(1, "annotation", "new", (0, 1), assignee=None),
        job(2, "acceptance", "completed", (0, 1), assignee=None, type="ground_truth"),
    ]
    drawn = {1: {"shapes": [shape(1, 0, [1, 1, 9, 9])]}, 2: {"shapes": [shape(2, 0, [1, 1, 9, 9])]}}
    first, second = labels_of(rest_folder(tmp_path / "rest", jobs, drawn))
    assert (first["annotator"], first["origin"]) == ("oscar", "human")
    assert (second["annotator"], second["origin"]) == (None, "ground_truth")


def test_an_image_is_empty_only_where_a_job_is_done_and_says_who_did_it(tmp_path: Path) -> None:
    jobs = [
        job(1, "annotation", "completed", (0, 1)),
        job(2, "annotation", "new", (2, 2)),
        job(3, "validation", "new", (3, 3), assignee=None),
    ]
    drawn: dict[int, dict[str, Any]] = {1: {"shapes": [shape(1, 0, [1, 1, 9, 9])]}, 2: {}, 3: {}}
    [chunk] = reader("cvat-rest")(rest_folder(tmp_path / "rest", jobs, drawn), ReadOptions())
    states = dict(zip(chunk.completeness["asset"].to_pylist(), chunk.completeness["state"].to_pylist(), strict=True))  # fmt: skip
    assert list(states.values()) == ["complete", "complete_empty", "not_started", "complete_empty"]
    told = {(row["asset"][-1], row["annotator"], row["presence"]) for row in chunk.roster.to_pylist()}  # fmt: skip
    assert told == {("0", "wanda", "labelled"), ("1", "wanda", "empty")}


def test_remarks_have_their_place_their_author_and_all_their_words(tmp_path: Path) -> None:
    path = rest_folder(
        tmp_path / "rest",
        [job(1, "annotation", "completed", (0, 2))],
        {1: {}},
        issues=[issue(4, 1, 2, [1, 9, 5, 2, 3, 3]), issue(5, 77, 0, [])],
        comments=[comment(1, 4, "too wide"), comment(2, 4, "is it?", "wanda")],
    )
    _, [placed, lost] = jobs_and_remarks(path)
    assert (placed.asset, placed.box, placed.by) == ("task_9/frame_000002", (1, 2, 5, 9), "rita")
    assert placed.text == "too wide\nanswer: is it?"
    assert (lost.asset, lost.box) == (None, None)


@pytest.mark.parametrize("name", ["jobs", "tasks", "labels", "annotations"])
def test_a_folder_that_lacks_an_answer_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    path = one_job(tmp_path, {})
    (path / f"{name}.json").unlink()
    with pytest.raises(BadInput, match=rf"no {name}\.json") as caught:
        labels_of(path)
    assert caught.value.slug == "cvat-rest-folder"


def test_one_file_by_itself_is_refused_with_the_folder_to_name(tmp_path: Path) -> None:
    path = one_job(tmp_path, {})
    with pytest.raises(BadInput, match="expected the folder"):
        labels_of(path / "jobs.json")


def test_annotations_of_tasks_alone_are_refused(tmp_path: Path) -> None:
    path = one_job(tmp_path, {})
    (path / "annotations.json").write_text('{"task": {}}')
    with pytest.raises(BadInput, match="no annotations by job"):
        labels_of(path)
    (path / "jobs.json").write_text("{")
    with pytest.raises(BadInput, match="no JSON"):
        labels_of(path)


def test_cvats_own_test_server_is_read_whole(shared_data: Path) -> None:
    [chunk] = reader("cvat-rest")(
        shared_data / "cvat_rest", ReadOptions(size_of=lambda _: (2000, 2000))
    )
    # 115 shapes, 6 tags and 3 keyframes of 3 tracks by job; tasks tell 72, 4 and 3 of them again
    assert (chunk.labels.num_rows, chunk.violations["rule"].to_pylist()) == (123, ["unsupported-kind"])  # fmt: skip
    ids = chunk.labels["source_id"].to_pylist()
    assert len(set(ids)) == len(ids)
    assert Counter(chunk.labels["origin"].to_pylist()) == {"human": 79, "ground_truth": 44}
    assert set(chunk.labels["kind"].to_pylist()) == {
        "box", "rotated_box", "polygon", "polyline", "mask", "keypoints", "class",
    }  # fmt: skip
