"""YOLO in, by task: what a row is when nothing says so, and what its numbers become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineage.calc.geometry import rotated_corners
from lineage.errors import BadInput
from lineage.formats.yolo.quads import is_rectangle, rotated
from tests.formats.yolo_folders import Found, folder, found

TRIANGLE = "0 0.1 0.1 0.5 0.1 0.5 0.6"
BOX = "0 0.5 0.5 0.1 0.2"
UPRIGHT = "0 0.1 0.1 0.3 0.1 0.3 0.5 0.1 0.5"
RAGGED = "0 0.1 0.1 0.3 0.12 0.31 0.5 0.1 0.6"
POSE = "names: [cat]\nkpt_shape: [2, 3]\n"
SIZE = (200, 100)


def turned(*params: float, size: tuple[int, int] = SIZE, digits: int = 6) -> str:
    """Return a row of four corners of a turned box, px."""
    corners = rotated_corners(*np.array([params], float).T) / np.array(size)
    return " ".join(["0", *(f"{value:.{digits}f}" for value in corners.ravel())])


def test_three_points_and_more_are_a_polygon(tmp_path: Path) -> None:
    seen = found(tmp_path, f"{TRIANGLE}\n1 0 0 1 0 1 1 0.5 0.5 0 1\n")
    assert [row["kind"] for row in seen.labels] == ["polygon", "polygon"]
    assert seen.labels[0]["geometry"] == [[20, 10, 100, 10, 100, 60]]
    assert seen.box() == [20, 10, 100, 60]
    assert seen.labels[1]["geometry"] == [[0, 0, 200, 0, 200, 100, 100, 50, 0, 100]]
    assert "by the number of columns" in seen.notes["task"]


def test_a_polygon_with_a_confidence_is_a_models(tmp_path: Path) -> None:
    seen = found(tmp_path, f"{TRIANGLE} 0.9\n")
    assert (seen.labels[0]["score"], seen.labels[0]["origin"]) == (0.9, "model")
    assert seen.labels[0]["geometry"] == [[20, 10, 100, 10, 100, 60]]


def test_four_points_among_other_polygons_are_a_polygon(tmp_path: Path) -> None:
    seen = found(tmp_path, UPRIGHT, files={"labels/b.txt": TRIANGLE})
    assert seen.labels[0]["kind"] == "polygon"
    assert seen.notes["task"] == "segment: rows have various numbers of points"


def test_exact_rectangles_that_are_turned_are_oriented_boxes(tmp_path: Path) -> None:
    seen = found(tmp_path, f"{turned(100, 50, 60, 20, 30)}\n{UPRIGHT}\n")
    assert [row["kind"] for row in seen.labels] == ["rotated_box", "rotated_box"]
    assert np.allclose(seen.labels[0]["geometry"], [[100, 50, 60, 20, 30]], atol=0.01)
    assert seen.labels[1]["geometry"] == [[40, 30, 40, 40, 0]]
    told = "of 2 rows with four points 2 are exact rectangles, 1 of them turned"
    assert seen.notes["task"] == f"obb: {told}"


def test_in_fractions_a_turned_box_of_a_wide_image_has_no_right_angles() -> None:
    corners = rotated_corners(*np.array([[100.0, 50, 60, 20, 30]]).T)
    size = np.array([SIZE], float)
    assert is_rectangle(corners, size, is_exact=True).all()
    assert not is_rectangle(corners / size, np.ones((1, 2)), is_exact=True).any()


@pytest.mark.parametrize("rows", [UPRIGHT, RAGGED, f"{turned(100, 50, 60, 20, 30)}\n{RAGGED}"])
def test_what_could_be_either_is_refused_with_the_figures(tmp_path: Path, rows: str) -> None:
    with pytest.raises(BadInput, match="oriented boxes and polygons") as caught:
        found(tmp_path, rows)
    assert caught.value.slug == "yolo-task"
    assert "--task obb" in caught.value.hint


def test_evidence_may_stand_in_another_file_than_the_question(tmp_path: Path) -> None:
    files = {f"labels/{at}.txt": UPRIGHT for at in range(5)}
    files["labels/z.txt"] = turned(100, 50, 60, 20, 30)
    seen = Found(folder(tmp_path, files), size_of=lambda name: SIZE, chunk_rows=2)
    assert {row["kind"] for row in seen.labels} == {"rotated_box"}


def test_without_any_size_nothing_hangs_on_the_task(tmp_path: Path) -> None:
    seen = found(tmp_path, f"{UPRIGHT}\n{RAGGED}", size_of=lambda name: None)
    assert seen.rules == ["image-size-unknown"] * 2


@pytest.mark.parametrize(("task", "kind"), [("obb", "rotated_box"), ("segment", "polygon")])
@pytest.mark.parametrize("how", ["asked", "declared"])
def test_whoever_says_the_task_is_believed(tmp_path: Path, task: str, kind: str, how: str) -> None:
    options: dict[str, Any] = {"task": task} if how == "asked" else {}
    if how == "declared":
        options["files"] = {"data.yaml": f"names: [cat]\ntask: {task}\n"}
    seen = found(tmp_path, UPRIGHT, **options)
    assert [row["kind"] for row in seen.labels] == [kind]


@pytest.mark.parametrize(
    ("task", "row", "other"),
    [
        ("detect", BOX, TRIANGLE),
        ("segment", TRIANGLE, BOX),
        ("obb", UPRIGHT, TRIANGLE),
        ("obb", UPRIGHT, BOX),
    ],
)
def test_rows_of_another_task_than_the_declared_are_refused(
    tmp_path: Path, task: str, row: str, other: str
) -> None:
    seen = found(tmp_path, row, task=task, files={"labels/b.txt": other})
    assert (len(seen.labels), seen.rules) == (1, ["row-columns"])


def test_a_word_that_is_no_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        found(tmp_path, BOX, task="classify")
    assert caught.value.slug == "task"


def test_a_box_beside_a_polygon_might_be_two_points_and_is_refused(tmp_path: Path) -> None:
    files = {"labels/a.txt": f"{TRIANGLE}\n{BOX}\n{TRIANGLE}\n", "labels/b.txt": BOX}
    seen = Found(folder(tmp_path, files), size_of={"a.jpg": SIZE, "b.jpg": SIZE}.get)
    assert [row["kind"] for row in seen.labels if row["file"] == "labels/a.txt"] == ["polygon"] * 2
    assert (seen.rules, seen.violations[0]["position"]) == (["mixed-rows"], 1)


def test_boxes_and_polygons_in_files_of_their_own_are_both_kept(tmp_path: Path) -> None:
    seen = Found(
        folder(tmp_path, {"labels/a.txt": BOX, "labels/b.txt": TRIANGLE}),
        size_of={"a.jpg": SIZE, "b.jpg": SIZE}.get,
    )
    assert [row["kind"] for row in seen.labels] == ["box", "polygon"]
    assert seen.notes["mixed"].startswith("1 boxes and 1 polygons")


@pytest.mark.parametrize(
    ("corners", "rotation"),
    [
        ([[0, 0], [4, 0], [4, 2], [0, 2]], [4, 2, 0]),
        ([[4, 0], [4, 2], [0, 2], [0, 0]], [2, 4, 90]),
        ([[4, 2], [0, 2], [0, 0], [4, 0]], [4, 2, 180]),
        # the other way round it is the same rectangle
        ([[0, 0], [0, 2], [4, 2], [4, 0]], [4, 2, 0]),
        ([[1, 0], [2, 1], [1, 2], [0, 1]], [2**0.5, 2**0.5, 45]),
    ],
)
def test_corners_in_any_order_are_the_rectangle_they_are(
    corners: list[list[float]], rotation: list[float]
) -> None:
    found = rotated(np.array([corners], float))[0]
    assert np.allclose(found[2:], rotation)
    assert np.allclose(found[:2], np.mean(corners, axis=0))


def test_corners_of_no_rectangle_stay_what_they_are_and_are_counted(tmp_path: Path) -> None:
    seen = found(tmp_path, f"{RAGGED}\n{UPRIGHT}\n", task="obb")
    assert [row["kind"] for row in seen.labels] == ["polygon", "rotated_box"]
    assert seen.losses["ragged-obb-as-polygon"] == 1
    assert seen.labels[0]["geometry"] == [[20, 10, 60, 12, 62, 50, 20, 60]]


def test_corners_rounded_to_pixels_are_a_rectangle_still(tmp_path: Path) -> None:
    seen = found(tmp_path, turned(100, 50, 60, 20, 30, digits=3), task="obb")
    assert seen.labels[0]["kind"] == "rotated_box"


def test_a_turned_box_may_hang_over_the_edge(tmp_path: Path) -> None:
    seen = found(tmp_path, turned(100, 99, 60, 2, 0), task="obb")
    assert seen.labels[0]["geometry"] == [[100, 99, 60, 2, 0]]


def test_key_points_come_with_their_box(tmp_path: Path) -> None:
    row = "0 0.5 0.5 0.4 0.8 0.4 0.3 2 0.6 0.7 1"
    seen = found(tmp_path, f"{row}\n{row} 0.9", files={"data.yaml": POSE})
    assert [row["kind"] for row in seen.labels] == ["keypoints", "keypoints"]
    assert seen.labels[0]["geometry"] == [[80, 30, 2, 120, 70, 1]]
    assert seen.box() == [60, 10, 140, 90]
    assert [row["score"] for row in seen.labels] == [None, 0.9]
    assert seen.notes["task"] == "pose: kpt_shape is declared"


def test_an_absent_point_has_no_place(tmp_path: Path) -> None:
    row = "0 0.5 0.5 0.4 0.8 0 0 0 0.6 0.7 2\n0 0.5 0.5 0.4 0.8 -3 7 0 0.6 0.7 2"
    seen = found(tmp_path, row, files={"data.yaml": POSE})
    assert [row["geometry"] for row in seen.labels] == [[[0, 0, 0, 120, 70, 2]]] * 2


@pytest.mark.parametrize("point", ["-1 -1", "0 0", "0.5 -0.1"])
def test_with_two_numbers_a_point_a_negative_or_none_is_absent(tmp_path: Path, point: str) -> None:
    document = "names: [cat]\nkpt_shape: [2, 2]\n"
    seen = found(tmp_path, f"0 0.5 0.5 0.4 0.8 {point} 0.6 0.7", files={"data.yaml": document})
    assert seen.labels[0]["geometry"] == [[0, 0, 0, 120, 70, 2]]


def test_a_pose_without_a_point_is_a_box_and_counted(tmp_path: Path) -> None:
    seen = found(tmp_path, "0 0.5 0.5 0.4 0.8 0 0 0 0 0 0", files={"data.yaml": POSE})
    assert (seen.labels[0]["kind"], seen.labels[0]["geometry"]) == ("box", None)
    assert (seen.box(), seen.losses["pose-as-box"]) == ([60, 10, 140, 90], 1)


def test_a_point_outside_its_box_widens_the_hull_and_the_box_is_kept(tmp_path: Path) -> None:
    row = "0 0.5 0.5 0.4 0.8 0.9 0.5 2 0.6 0.7 2"
    seen = found(tmp_path, row, files={"data.yaml": POSE})
    assert seen.box() == [60, 10, 180, 90]
    assert seen.extra() == {"bbox": [60, 10, 80, 80]}


@pytest.mark.parametrize(
    ("row", "rule", "path"),
    [
        ("0 0.5 0.5 0.4 0.8 0.4 0.3 3 0.6 0.7 1", "keypoint-visibility", "/7"),
        ("0 0.5 0.5 0.4 0.8 0.4 0.3 2 0.6 1.7 1", "out-of-range", "/9"),
        ("0 0.5 0.5 0.4 0.8 0.4 0.3 2 0.6 0.7", "row-columns", ""),
        ("0 0.5 1.5 0.4 0.8 0.4 0.3 2 0.6 0.7 1", "out-of-range", "/2"),
    ],
)
def test_bad_poses_are_refused(tmp_path: Path, row: str, rule: str, path: str) -> None:
    seen = found(tmp_path, row, files={"data.yaml": POSE})
    assert (seen.rules, seen.violations[0]["path"]) == ([rule], path)


def test_key_points_without_their_number_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="kpt_shape") as caught:
        found(tmp_path, "0 0.5 0.5 0.4 0.8 0.4 0.3 2", task="pose")
    assert caught.value.slug == "yolo-task"
