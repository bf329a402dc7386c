"""YOLO out: the trainer's layout, what rows cannot say in side files, and all of it back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage import columns
from lineage.calc.geometry import rotated_corners
from lineage.errors import BadInput, Refused
from lineage.formats import WriteOptions, WriteReport
from lineage.formats.yolo.write import write
from tests.formats.yolo_folders import Found, Row, picture

W, H = 200, 100
WHEN = datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)
PLAIN: Row = {
    "asset": "a.jpg", "asset_digest": None, "width": W, "height": H, "annotation": 1, "revision": 1,
    "class": "cat", "kind": "box", "x_min": 10.0, "y_min": 20.0, "x_max": 30.0, "y_max": 40.0,
    "geometry": None, "attributes": "{}", "annotator": "p-1", "schema": "s@1.0", "batch": "b",
    "stage": "final", "origin": "human", "labelled_at": None, "split": "train",
}  # fmt: skip
ONE_BOX = "0 0.1 0.3 0.1 0.2\n"


def hull(x: list[float], y: list[float]) -> Row:
    return {"x_min": min(x), "y_min": min(y), "x_max": max(x), "y_max": max(y)}


def polygon(*ring: float, **more: Any) -> Row:
    box = hull(list(ring[0::2]), list(ring[1::2]))
    return {"kind": "polygon", "geometry": [list(ring)], **box, **more}


def rotated(*params: float, **more: Any) -> Row:
    corners = rotated_corners(*np.array([params], float).T)[0]
    box = hull(corners[:, 0].tolist(), corners[:, 1].tolist())
    return {"kind": "rotated_box", "geometry": [list(params)], **box, **more}


def posed(*points: float, **more: Any) -> Row:
    seen = [at for at in range(0, len(points), 3) if points[at + 2] > 0]
    box = hull([points[at] for at in seen], [points[at + 1] for at in seen])
    return {"kind": "keypoints", "geometry": [list(points)], **box, **more}


def labels_table(*rows: Row) -> pa.Table:
    full = [{**PLAIN, "annotation": at + 1, **row} for at, row in enumerate(rows)]
    values = {name: [row[name] for row in full] for name in columns.DATASET.names}
    return pa.Table.from_batches([columns.batch_of(columns.DATASET, values, len(full))])


def assets_table(
    *names: str, split: str = "train", size: tuple[int, int] | None = (W, H)
) -> pa.Table:
    width, height = size or (None, None)
    values: Row = {
        "asset": list(names), "asset_digest": "sha256:00", "width": width, "height": height,
        "n_annotations": 0, "split": split,
    }  # fmt: skip
    return pa.Table.from_batches([columns.batch_of(columns.DATASET_ASSETS, values, len(names))])


def states(*rows: tuple[str, str | None, str]) -> WriteOptions:
    values: Row = {
        "asset": [row[0] for row in rows], "class": [row[1] for row in rows],
        "state": [row[2] for row in rows], "batch": "b", "split": "train",
    }  # fmt: skip
    batch = columns.batch_of(columns.DATASET_COMPLETENESS, values, len(rows))
    return WriteOptions(completeness=pa.Table.from_batches([batch]))


def out(folder: Path, *rows: Row, assets: pa.Table | None = None, **how: Any) -> WriteReport:
    options = how.pop("options", None) or WriteOptions(**how)
    return write(folder, labels_table(*rows), assets or assets_table(), options)


def files(folder: Path) -> dict[str, str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in paths}


def document(folder: Path) -> Row:
    content = yaml.safe_load((folder / "data.yaml").read_text("utf-8"))
    assert isinstance(content, dict)
    return content


def test_labels_lie_where_the_trainer_looks_for_them(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    rows = [{}, {"asset": "cam/b.jpg", "split": "val", "class": "dog"}]
    report = out(folder, *rows, assets=assets_table("a.jpg", "empty.png"))
    found = files(folder)
    assert found["labels/train/a.txt"] == ONE_BOX
    assert found["labels/val/cam/b.txt"] == "1 0.1 0.3 0.1 0.2\n"
    assert found["labels/train/empty.txt"] == ""
    assert found["train.txt"] == "./images/train/a.jpg\n./images/train/empty.png\n"
    assert found["val.txt"] == "./images/val/cam/b.jpg\n"
    # without "path" the trainer takes the document's own folder, with "." the one it runs in
    assert document(folder) == {
        "train": "train.txt", "val": "val.txt", "names": {0: "cat", 1: "dog"}, "task": "detect",
    }  # fmt: skip
    assert (report.n_labels, report.n_assets, report.losses) == (2, 3, {})
    assert report.side_files == ("attributions.csv", "assets.csv")


def test_labels_that_were_never_split_are_listed_for_training_only(tmp_path: Path) -> None:
    out(tmp_path / "out", {"split": ""})
    assert files(tmp_path / "out")["labels/a.txt"] == ONE_BOX
    assert document(tmp_path / "out")["train"] == "all.txt"
    assert "val" not in document(tmp_path / "out")


def test_fractions_have_the_digits_they_need(tmp_path: Path) -> None:
    out(tmp_path / "out", {"x_min": 0.1, "x_max": 66.7, "y_min": 0.0, "y_max": 100.0})
    row = files(tmp_path / "out")["labels/train/a.txt"]
    assert row == "0 0.16699999999999998 0.5 0.333 1\n"
    assert Found(tmp_path / "out").box() == [0.1, 0, 66.7, 100]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    rows = [{"asset": f"{at % 3}.jpg", "x_min": 10 + at / 7} for at in range(9)]
    numbered = [{**row, "annotation": at + 1} for at, row in enumerate(rows)]
    out(tmp_path / "a", *numbered, assets=assets_table("x.jpg", "0.jpg"))
    out(tmp_path / "b", *reversed(numbered), assets=assets_table("0.jpg", "x.jpg"))
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        out(tmp_path, {})
    assert caught.value.slug == "file-exists"


def test_names_of_classes_survive_yaml_and_csv(tmp_path: Path) -> None:
    names = ["no", "007", 'a "b", c', "größe\n\t", "- x", "#", "null"]
    out(tmp_path / "out", *({"class": name} for name in names))
    assert sorted(row["class"] for row in Found(tmp_path / "out").labels) == sorted(names)
    assert set(document(tmp_path / "out")["names"].values()) == set(names)


@pytest.mark.parametrize(
    "name", ["images/a.jpg", "x/images/y/images/a.jpg", "labels/a.jpg", "s3://bucket/a.jpg", "a b/ü.png", "a"]
)  # fmt: skip
def test_an_image_keeps_its_name_wherever_it_has_to_lie(tmp_path: Path, name: str) -> None:
    out(tmp_path / "out", {"asset": name}, {"asset": "z.jpg"})
    seen = Found(tmp_path / "out")
    assert [row["asset"] for row in seen.labels] == sorted([name, "z.jpg"])
    assert {row["name"]: row["width"] for row in seen.rows["assets"]} == {name: W, "z.jpg": W}


@pytest.mark.parametrize(
    "name", ["../a.jpg", "/a.jpg", "a\u2028.jpg", "a\n.jpg", ".a.jpg", "x./a.jpg", "a.jpg "]
)
def test_an_image_that_no_list_can_name_is_left_out_and_counted(tmp_path: Path, name: str) -> None:
    report = out(tmp_path / "out", {"asset": name}, {})
    assert report.losses == {"image-name": 1, "label-of-image-without-place": 1}
    assert len(Found(tmp_path / "out").labels) == 1


def test_two_images_of_one_stem_never_share_a_label_file(tmp_path: Path) -> None:
    report = out(tmp_path / "out", {"asset": "a.png", "class": "dog"}, {}, {"x_min": 5.0})
    assert report.losses == {"image-of-same-stem": 1, "label-of-image-without-place": 1}
    picture(tmp_path / "out/images/train/a.jpg", W, H)
    picture(tmp_path / "out/images/train/a.png", 9, 9)
    seen = Found(tmp_path / "out")
    assert [(row["asset"], row["class"]) for row in seen.labels] == [("a.jpg", "cat")] * 2


def test_without_an_images_size_its_labels_are_left_out(tmp_path: Path) -> None:
    report = out(tmp_path / "out", {"width": None, "height": None}, {"asset": "b.jpg"})
    assert report.losses == {"image-size-unknown": 1, "image-without-rows": 1}
    assert files(tmp_path / "out")["train.txt"] == "./images/train/b.jpg\n"


@pytest.mark.parametrize(
    ("rows", "task", "losses"),
    [
        ([{}], "detect", {}),
        ([{}, {"kind": "mask", "x_min": 5.0, "geometry": [[100.0, 200.0], [5.0, 1.0]]}], "detect", {"mask-as-box": 1}),
        ([{}, polygon(0, 0, 9, 0, 9, 9)], "segment", {"box-as-polygon": 1}),
        ([rotated(50, 50, 20, 10, 30), polygon(0, 0, 9, 0, 9, 9)], "segment", {"rotated-box-as-polygon": 1}),
        ([{}, rotated(50, 50, 20, 10, 30)], "obb", {"box-as-rotated-box": 1}),
        ([{}, posed(5, 5, 2, 9, 9, 1)], "pose", {"box-as-pose": 1}),
        ([{}, {"kind": "class", "x_min": None}], "detect", {"class": 1}),
        ([{}, {"kind": "polyline", "geometry": [[0.0, 0, 9, 9]]}], "detect", {"polyline": 1}),
    ],
)  # fmt: skip
def test_kinds_choose_the_task_and_what_it_holds_only_otherwise_is_counted(
    tmp_path: Path, rows: list[Row], task: str, losses: dict[str, int]
) -> None:
    report = out(tmp_path / "out", *rows)
    assert (document(tmp_path / "out")["task"], report.losses) == (task, losses)
    # our side file remembers what was a box or turned
    kinds = [row["kind"] for row in Found(tmp_path / "out").labels]
    kept = {"class", "polyline"}
    asked = ["box" if row.get("kind") == "mask" else row.get("kind", "box") for row in rows]
    assert kinds == [kind for kind in asked if kind not in kept]


def test_no_set_holds_polygons_and_key_points(tmp_path: Path) -> None:
    rows = [posed(5, 5, 2), polygon(0, 0, 9, 0, 9, 9)]
    with pytest.raises(Refused, match="keypoints and polygon") as caught:
        out(tmp_path / "out", *rows)
    assert caught.value.slug == "yolo-kinds"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("task", "losses"),
    [
        ("detect", {"keypoints-as-box": 1, "polygon-as-box": 1, "rotated-box-as-box": 1}),
        ("segment", {"keypoints": 1, "rotated-box-as-polygon": 1}),
        ("obb", {"keypoints": 1, "polygon": 1}),
        ("pose", {"polygon": 1, "rotated_box": 1}),
    ],
)
def test_a_task_that_is_asked_for_takes_what_it_can(
    tmp_path: Path, task: str, losses: dict[str, int]
) -> None:
    rows = [posed(5, 5, 2, 9, 9, 1), polygon(0, 0, 9, 0, 9, 9), rotated(50, 50, 20, 10, 30)]
    assert out(tmp_path / "out", *rows, task=task).losses == losses


def test_a_word_that_is_no_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        out(tmp_path / "out", {}, task="classify")
    assert caught.value.slug == "task"


def test_a_turned_box_goes_through_pixels(tmp_path: Path) -> None:
    # 60 x 20 px at (100, 50), turned by 90 degrees, covers (90, 20, 110, 80)
    out(tmp_path / "out", rotated(100, 50, 60, 20, 90))
    numbers = [float(n) for n in files(tmp_path / "out")["labels/train/a.txt"].split()[1:]]
    assert np.allclose(numbers, [0.55, 0.2, 0.55, 0.8, 0.45, 0.8, 0.45, 0.2])


def test_parts_of_a_polygon_are_joined_by_a_line_there_and_back(tmp_path: Path) -> None:
    parts = [[0.0, 0, 20, 0, 20, 10], [100.0, 50, 120, 50, 120, 60]]
    report = out(tmp_path / "out", polygon(0, 0, 120, 60, 120, 0) | {"geometry": parts})
    assert report.losses == {"polygon-parts": 1}
    (ring,) = Found(tmp_path / "out").labels[0]["geometry"]
    assert ring == [*parts[0], *parts[0][:2], *parts[1], *parts[1][:2]]


def test_what_would_make_the_trainer_drop_the_image_is_cut_or_left_out(tmp_path: Path) -> None:
    rows = [
        {"x_min": -5.0, "x_max": 210.0},  # wider than the image
        {"x_min": -50.0, "x_max": 10.0},  # its centre outside
        {"x_min": -50.0, "x_max": -10.0},
        {"x_min": -5.0, "x_max": 50.0},  # hangs over the edge, which is no harm
    ]
    report = out(tmp_path / "out", *rows)
    assert report.losses == {"cut-to-image": 2, "outside-image": 1}
    seen = Found(tmp_path / "out").labels
    assert [(row["x_min"], row["x_max"]) for row in seen] == [(0, 200), (0, 10), (-5, 50)]
    numbers = np.array(
        [line.split() for line in files(tmp_path / "out")["labels/train/a.txt"].splitlines()], float
    )
    assert ((numbers >= 0) & (numbers <= 1)).all()


def test_a_polygon_and_a_turned_box_outside_are_treated_alike(tmp_path: Path) -> None:
    rows = [polygon(-50, 10, 220, 10, 220, 50), polygon(-50, 10, -20, 10, -20, 50)]
    assert out(tmp_path / "a", *rows).losses == {"cut-to-image": 1, "outside-image": 1}
    assert Found(tmp_path / "a").labels[0]["geometry"] == [[0, 10, 200, 10, 200, 50]]
    rows = [rotated(-5, 50, 20, 10, 30), rotated(2, 50, 20, 10, 30)]
    assert out(tmp_path / "b", *rows).losses == {"outside-image": 1}


def test_points_outside_the_image_and_missing_ones_are_absent(tmp_path: Path) -> None:
    rows = [posed(5, 5, 2, 250, 9, 2, 7, 7, 0), posed(5, 5, 1)]
    report = out(tmp_path / "out", *rows)
    assert report.losses == {
        "cut-to-image": 1, "keypoints-outside-image": 1, "keypoints-padded": 1,
    }  # fmt: skip
    assert document(tmp_path / "out")["kpt_shape"] == [3, 3]
    seen = Found(tmp_path / "out").labels
    assert [row["geometry"] for row in seen] == [
        [[5, 5, 2, 0, 0, 0, 0, 0, 0]], [[5, 5, 1, 0, 0, 0, 0, 0, 0]],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "row",
    [
        {"x_min": None},
        {"kind": "polygon", "geometry": [[0.0, 0, 1, 1]]},
        {"kind": "polygon", "geometry": [[0.0, 0, 1, 1, 2, float("nan")]]},
        {"kind": "polygon", "geometry": []},
        {"kind": "rotated_box", "geometry": [[1.0, 2, 3]]},
        {"kind": "rotated_box", "geometry": None},
        {"kind": "keypoints", "geometry": [[1.0, 2]]},
        {"kind": "keypoints", "geometry": None},
    ],
)
def test_a_geometry_that_is_none_is_left_out_and_counted(tmp_path: Path, row: Row) -> None:
    report = out(tmp_path / "out", row, {"asset": "b.jpg"})
    assert report.losses["geometry"] == 1
    assert report.losses["image-without-rows"] == 1


def test_rows_that_the_trainer_takes_for_one_are_counted(tmp_path: Path) -> None:
    assert out(tmp_path / "a", {}, {}, {"class": "dog"}).losses == {"repeated-row": 1}
    # for the trainer two outlines of one class and one hull are the same
    rows = [polygon(0, 0, 9, 0, 9, 9), polygon(0, 0, 9, 9, 0, 9)]
    assert out(tmp_path / "b", *rows).losses == {"repeated-row": 1}
    assert out(tmp_path / "c", posed(5, 5, 2), posed(5, 5, 2)).losses == {"repeated-row": 1}


def test_only_images_that_somebody_called_done_are_negatives(tmp_path: Path) -> None:
    names = (
        "done.jpg",
        "empty.jpg",
        "half.jpg",
        "new.jpg",
        "part.jpg",
        "silent.jpg",
        "skip.jpg",
        "whole.jpg",
    )
    options = states(
        ("a.jpg", None, "in_progress"),
        ("done.jpg", None, "complete"), ("empty.jpg", None, "complete_empty"),
        ("half.jpg", None, "in_progress"), ("new.jpg", None, "not_started"),
        ("skip.jpg", None, "skipped"), ("part.jpg", "dog", "complete"),
        ("whole.jpg", "cat", "complete"),
    )  # fmt: skip
    report = out(tmp_path / "out", {}, assets=assets_table(*names), options=options)
    listed = files(tmp_path / "out")["train.txt"].split()
    assert [name.rpartition("/")[2] for name in listed] == [
        "a.jpg", "done.jpg", "empty.jpg", "silent.jpg", "whole.jpg",
    ]  # fmt: skip
    assert report.losses == {"image-not-complete": 4, "unfinished-image": 1}
    assert "labels/train/half.txt" not in files(tmp_path / "out")
    assert report.side_files[-1] == "completeness.csv"


def test_an_image_whose_labels_were_all_left_out_is_no_negative(tmp_path: Path) -> None:
    rows = [{}, {"asset": "b.jpg", "kind": "polyline", "geometry": [[0.0, 0, 9, 9]]}]
    report = out(tmp_path / "out", *rows)
    assert report.losses == {"image-without-rows": 1, "polyline": 1}
    assert "labels/train/b.txt" not in files(tmp_path / "out")
    # it is on record still, and nobody says that it was not started
    seen = Found(tmp_path / "out")
    assert {row["name"] for row in seen.rows["assets"]} == {"a.jpg", "b.jpg"}
    assert seen.states == {"a.jpg": "complete"}


def test_how_far_images_are_comes_back(tmp_path: Path) -> None:
    options = states(
        ("a.jpg", None, "in_progress"), ("half.jpg", None, "in_progress"),
        ("new.jpg", None, "not_started"), ("part.jpg", "cat", "complete"),
        ("empty.jpg", None, "complete_empty"),
    )  # fmt: skip
    names = ("half.jpg", "new.jpg", "part.jpg", "empty.jpg")
    out(tmp_path / "out", {}, assets=assets_table(*names), options=options)
    seen = Found(tmp_path / "out")
    said = {(row["asset"], row["class"], row["state"]) for row in seen.rows["completeness"]}
    assert said == {
        ("a.jpg", None, "in_progress"), ("half.jpg", None, "in_progress"),
        ("new.jpg", None, "not_started"), ("part.jpg", "cat", "complete"),
        ("empty.jpg", None, "complete_empty"),
    }  # fmt: skip
    assert seen.losses == {}


def test_what_the_files_contradict_is_not_believed(tmp_path: Path) -> None:
    options = states(("a.jpg", None, "complete"), ("b.jpg", None, "complete_empty"))
    out(tmp_path / "out", {}, assets=assets_table("b.jpg"), options=options)
    (tmp_path / "out/labels/train/a.txt").write_text("")
    (tmp_path / "out/labels/train/b.txt").write_text(ONE_BOX)
    seen = Found(tmp_path / "out")
    assert seen.states == {"a.jpg": "complete_empty", "b.jpg": "complete"}
    assert seen.losses == {"attribution-stale": 1, "completeness-stale": 2}


def test_provenance_and_attributes_come_back(tmp_path: Path) -> None:
    row: Row = {
        "annotation": 77, "revision": 99, "annotator": "p-7", "origin": "assisted",
        "labelled_at": WHEN, "attributes": '{"occluded":true}', "stage": "in_review",
    }  # fmt: skip
    report = out(tmp_path / "out", row, {"annotation": 5})
    assert report.losses == {"attributes": 1, "repeated-row": 1}
    first, second = sorted(Found(tmp_path / "out").labels, key=lambda one: -one["annotation"])
    for name in ("annotation", "annotator", "origin", "labelled_at", "attributes"):
        assert first[name] == row[name]
    ours = {"batch": "b", "revision": 99, "schema": "s@1.0", "stage": "in_review"}
    assert json.loads(first["extra"]) == {"lineage": ours}
    assert (second["annotation"], second["labelled_at"]) == (5, None)


def test_a_line_that_was_edited_has_lost_its_people_and_the_others_have_not(
    tmp_path: Path,
) -> None:
    rows = [{"x_min": 10.0 + at, "annotator": f"p-{at}"} for at in range(4)]
    out(tmp_path / "out", *rows)
    path = tmp_path / "out/labels/train/a.txt"
    _, second, third, fourth = path.read_text().splitlines()
    path.write_text("\n".join([fourth, second.replace("0.3", "0.31"), third]))
    seen = Found(tmp_path / "out", annotator="flag")
    assert [row["annotator"] for row in seen.labels] == ["p-3", "flag", "p-2"]
    assert [row["annotation"] for row in seen.labels] == [4, None, 3]
    assert seen.losses == {"attribution-stale": 2}


def test_classes_renumbered_by_hand_make_attributions_stale(tmp_path: Path) -> None:
    out(tmp_path / "out", {}, {"class": "dog", "x_min": 5.0})
    path = tmp_path / "out/data.yaml"
    path.write_text(path.read_text().replace("cat", "x").replace("dog", "cat").replace("x", "dog"))
    (tmp_path / "out/train.txt").rename(tmp_path / "out/train.tdogt")
    seen = Found(tmp_path / "out")
    assert [row["annotation"] for row in seen.labels] == [None, None]
    assert seen.losses == {"attribution-stale": 2}


def test_one_file_of_ours_is_read_with_its_people(tmp_path: Path) -> None:
    out(tmp_path / "out", {}, {"asset": "b.jpg"}, {"asset": "c.jpg"})
    seen = Found(tmp_path / "out/labels/train/b.txt")
    assert [(row["asset"], row["annotation"]) for row in seen.labels] == [("b.jpg", 2)]
    assert seen.losses == {}


def test_the_images_own_header_goes_before_our_side_file(tmp_path: Path) -> None:
    out(tmp_path / "out", {})
    picture(tmp_path / "out/images/train/a.jpg", 2 * W, H)
    seen = Found(tmp_path / "out")
    assert (seen.labels[0]["x_max"], seen.rows["assets"][0]["width"]) == (60, 400)


def test_digests_of_images_come_back(tmp_path: Path) -> None:
    out(tmp_path / "out", {}, assets=assets_table("a.jpg"))
    assert [row["digest"] for row in Found(tmp_path / "out").rows["assets"]] == ["sha256:00"]


def test_a_set_of_nothing_but_negatives_goes_round(tmp_path: Path) -> None:
    out(tmp_path / "out", assets=assets_table("a.jpg", "b.jpg"))
    seen = Found(tmp_path / "out")
    assert seen.states == {"a.jpg": "complete_empty", "b.jpg": "complete_empty"}


def test_a_side_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    out(tmp_path / "out", {})
    (tmp_path / "out/assets.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BadInput) as caught:
        Found(tmp_path / "out")
    assert caught.value.slug == "wrong-shape"


# round trips

grid = st.integers(0, 10**6)
x_px, y_px = grid.map(lambda n: n * W / 10**6), grid.map(lambda n: n * H / 10**6)


@st.composite
def boxes(draw: st.DrawFn) -> Row:
    x, y = (
        sorted(draw(st.lists(side, min_size=2, max_size=2, unique=True))) for side in (x_px, y_px)
    )
    return {"kind": "box", "x_min": x[0], "y_min": y[0], "x_max": x[1], "y_max": y[1]}


@st.composite
def polygons(draw: st.DrawFn) -> Row:
    points = draw(st.lists(st.tuples(x_px, y_px), min_size=3, max_size=7))
    return polygon(*(n for point in points for n in point))


@st.composite
def turned_boxes(draw: st.DrawFn) -> Row:
    side = st.integers(2, 20).map(float)
    centre = draw(st.integers(30, 170)), draw(st.integers(30, 70))
    return rotated(*map(float, centre), draw(side), draw(side), draw(st.integers(0, 3599)) / 10)


@st.composite
def poses(draw: st.DrawFn) -> Row:
    points = draw(
        st.lists(st.tuples(x_px, y_px, st.sampled_from([0, 1, 2])), min_size=3, max_size=3)
    )
    told = [(x, y, float(v)) if v else (0.0, 0.0, 0.0) for x, y, v in points]
    told[0] = (points[0][0], points[0][1], 2.0)
    return posed(*(n for point in told for n in point))


TASKS = {"detect": boxes(), "segment": polygons(), "obb": turned_boxes(), "pose": poses()}


@pytest.mark.parametrize("task", TASKS)
@given(data=st.data())
@settings(max_examples=12)
def test_every_task_goes_round_with_identity_people_and_completeness(
    tmp_path_factory: pytest.TempPathFactory, task: str, data: st.DataObject
) -> None:
    of_row = st.fixed_dictionaries(
        {
            "asset": st.sampled_from(["a.jpg", "sub/b.png", "images/c.jpg"]),
            "class": st.sampled_from(["cat", "größe", "a\nb"]),
            "split": st.just("train"), "annotator": st.sampled_from(["p-1", "p-2"]),
            "origin": st.sampled_from(["human", "assisted", "ground_truth"]),
            "attributes": st.sampled_from(["{}", '{"t":"x, \\"y\\"\\n"}']),
            "labelled_at": st.sampled_from([None, WHEN]), "revision": st.integers(1, 10**15),
        }
    )  # fmt: skip
    shapes = data.draw(st.lists(TASKS[task], min_size=1, max_size=6))
    rows = [{**shape, **data.draw(of_row)} for shape in shapes]
    folder = tmp_path_factory.mktemp("round") / "out"
    report = out(folder, *rows, assets=assets_table("empty.jpg"), task=task)
    assert (report.n_labels, set(report.losses) - {"attributes", "repeated-row"}) == (
        len(rows),
        set(),
    )
    seen = Found(folder)
    assert (seen.violations, seen.losses) == ([], {})
    back = {row["annotation"]: row for row in seen.labels}
    for number, row in enumerate(rows, 1):
        for name in ("asset", "class", "kind", "annotator", "origin", "attributes", "labelled_at"):
            assert back[number][name] == row[name], name
        for name in columns.BOX:
            assert abs(row[name] - back[number][name]) < 1e-8
        if row["kind"] != "box":
            assert np.allclose(back[number]["geometry"], row["geometry"], rtol=0, atol=1e-8)
    labelled = {row["asset"]: "complete" for row in rows}
    assert seen.states == {**labelled, "empty.jpg": "complete_empty"}
