"""YOLO in, row by row: what a label file may hold and what becomes of each of its lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import BadInput
from lineage.formats import precision
from lineage.formats.yolo.groups import MAX_FILE_BYTES
from lineage.formats.yolo.numbers import n_repeated, parse
from lineage.formats.yolo.read import PRECISION
from tests.formats.yolo_folders import Found, folder, found, picture

BOX = "0 0.5 0.5 0.1 0.2"


def test_fractions_become_pixels_of_the_images_own_size(tmp_path: Path) -> None:
    seen = found(tmp_path, "1 0.5 0.5 0.1 0.2\n")
    assert seen.box() == [90, 40, 110, 60]
    (row,) = seen.labels
    assert (row["class"], row["kind"], row["asset"]) == ("dog", "box", "a.jpg")
    assert (row["origin"], row["annotator"], row["annotation"]) == ("human", None, None)
    assert (row["file"], row["position"], row["geometry"]) == ("labels/a.txt", 0, None)
    assert seen.presence == {"a.jpg": "labelled"}
    assert seen.states == {"a.jpg": "complete"}


def test_nobody_is_named_unless_the_caller_does(tmp_path: Path) -> None:
    assert found(tmp_path, BOX, annotator="ann").labels[0]["annotator"] == "ann"


@pytest.mark.parametrize(
    "text",
    [
        "0 0.5 0.5 0.1 0.2\r\n1 0.5 0.5 0.1 0.2\r\n",
        "\ufeff0 0.5 0.5 0.1 0.2\n\n   \n1\t0.5  0.5 0.1 0.2",
        "0 0.5 0.5 0.1 0.2\r1 0.5 0.5 0.1 0.2",
        "0.0 0.5 0.5 0.1 0.2\n1.0 5e-1 +.5 .1 0.2\n",
    ],
    ids=["windows", "bom-and-blanks", "old-mac", "float-classes"],
)
def test_texts_of_every_habit_are_read(tmp_path: Path, text: str) -> None:
    seen = found(tmp_path, text)
    assert [row["class"] for row in seen.labels] == ["cat", "dog"]
    assert seen.box(0) == seen.box(1) == [90, 40, 110, 60]
    assert seen.violations == []


@pytest.mark.parametrize(
    ("row", "rule", "path", "value"),
    [
        ("0 0.5 0.5 0.1", "row-columns", "", "0 0.5 0.5 0.1"),
        ("0", "row-columns", "", "0"),
        ("3 0.5 0.5 0.1 0.2", "unknown-class", "/0", "3"),
        ("-1 0.5 0.5 0.1 0.2", "unknown-class", "/0", "-1"),
        ("0.5 0.5 0.5 0.1 0.2", "unknown-class", "/0", "0.5"),
        ("0 1.5 0.5 0.1 0.2", "out-of-range", "/1", "1.5"),
        ("0 0.5 0.5 -0.1 0.2", "out-of-range", "/3", "-0.1"),
        ("0 120 40 30 20", "out-of-range", "/1", "120"),
        ("0 nan 0.5 0.1 0.2", "not-finite", "/1", "nan"),
        ("0 0.5 0.5 inf 0.2", "not-finite", "/3", "inf"),
        ("0 0.5 0.5 1e999 0.2", "not-finite", "/3", "1e999"),
        ("0 0,5 0.5 0.1 0.2", "not-a-number", "/1", "0,5"),
        ("cat 0.5 0.5 0.1 0.2", "not-a-number", "/0", "cat"),
        ("0 1_0 0.5 0.1 0.2", "not-a-number", "/1", "1_0"),
        ("0 0.5 0.5 0.1 0.2 1.2", "score", "/5", "1.2"),
    ],
)
def test_a_bad_row_is_refused_alone_with_its_file_and_line(
    tmp_path: Path, row: str, rule: str, path: str, value: str
) -> None:
    seen = Found(
        folder(tmp_path, {"labels/a.txt": row, "labels/b.txt": f"{BOX}\n\n{row}\n{BOX}\n"}),
        size_of={"a.jpg": (200, 100), "b.jpg": (200, 100)}.get,
    )
    assert len(seen.labels) == 2
    assert seen.rules == [rule, rule]
    violation = seen.violations[1]
    assert violation["source"] == f"{tmp_path}/labels/b.txt"
    assert (violation["position"], violation["asset"]) == (2, "b.jpg")
    assert (violation["path"], violation["value"]) == (path, value)
    assert violation["label"] == row
    # what was refused is missing from the image, so nobody may call it complete
    assert seen.states == {"a.jpg": "in_progress", "b.jpg": "in_progress"}
    assert seen.presence == {"b.jpg": "labelled"}


def test_a_fraction_may_leave_the_image_as_far_as_the_trainer_lets_it(tmp_path: Path) -> None:
    seen = found(tmp_path, "0 1.005 0.5 0.1 0.2\n0 -0.005 0.5 0.1 0.2\n0 0.5 1.02 0.1 0.2\n")
    assert [row["x_min"] for row in seen.labels] == [191, -11]
    assert seen.rules == ["out-of-range"]


def test_bytes_that_are_no_text_are_refused_row_by_row(tmp_path: Path) -> None:
    seen = found(tmp_path, b"\xff\xfe0 1\n" + BOX.encode() + b"\n\x00\x01\n")
    assert len(seen.labels) == 1
    assert seen.rules == ["not-a-number", "not-a-number"]


def test_a_trailing_confidence_makes_a_row_a_models(tmp_path: Path) -> None:
    seen = found(tmp_path, "0 0.5 0.5 0.1 0.2 0.87\n")
    assert (seen.labels[0]["origin"], seen.labels[0]["score"]) == ("model", 0.87)
    # a model is on nobody's roster and completes nothing
    assert (seen.presence, seen.states) == ({}, {})


def test_the_same_row_twice_is_two_labels_and_is_told(tmp_path: Path) -> None:
    seen = found(tmp_path, f"{BOX}\n{BOX}\n1 0.5 0.5 0.1 0.2\n0 0.50 0.5 0.1 0.2\n")
    assert len(seen.labels) == 4
    assert seen.notes["repeated-rows"].startswith("2, kept")


def test_equal_rows_of_two_files_are_no_repeats() -> None:
    assert n_repeated(parse([BOX.encode(), BOX.encode()])) == 0
    assert n_repeated(parse([b"", b"\n"])) == 0


def test_an_empty_file_is_a_negative_and_a_missing_one_is_not(tmp_path: Path) -> None:
    root = folder(
        tmp_path,
        {"labels/a.txt": BOX, "labels/b.txt": " \n\n", "labels/c.txt": ""},
    )
    for name in ("a", "b", "c", "d"):
        picture(root / f"images/{name}.jpg", 200, 100)
    seen = Found(root, annotator="ann")
    assert seen.states == {
        "a.jpg": "complete",
        "b.jpg": "complete_empty",
        "c.jpg": "complete_empty",
        "d.jpg": "not_started",
    }
    assert seen.presence == {"a.jpg": "labelled", "b.jpg": "empty", "c.jpg": "empty"}
    assert {row["annotator"] for row in seen.rows["roster"]} == {"ann"}
    assert [(row["name"], row["width"]) for row in seen.rows["assets"]] == [
        ("a.jpg", 200), ("b.jpg", 200), ("c.jpg", 200), ("d.jpg", 200),
    ]  # fmt: skip


def test_without_a_size_labels_wait_among_the_violations(tmp_path: Path) -> None:
    seen = found(tmp_path, f"{BOX}\n{BOX}\n", size_of=lambda name: None)
    assert seen.labels == []
    assert seen.rules == ["image-size-unknown"] * 2
    assert "lineage assets add DIR" in seen.violations[0]["expected"]
    # not even the ending of its name is known, so the image does not get on record under another
    assert seen.rows["assets"] == []


def test_the_images_header_goes_before_the_record(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg", 400, 300)
    assert found(tmp_path, BOX).box() == [180, 120, 220, 180]


def test_a_photograph_that_is_shown_turned_was_labelled_turned(tmp_path: Path) -> None:
    from PIL import Image

    turned = Image.Exif()
    turned[0x0112] = 6
    picture(tmp_path / "images/a.jpg", 400, 300, exif=turned)
    seen = found(tmp_path, BOX)
    assert [(row["width"], row["height"]) for row in seen.rows["assets"]] == [(300, 400)]
    assert seen.box() == [135, 160, 165, 240]


def test_an_image_that_cannot_be_opened_counts_as_none(tmp_path: Path) -> None:
    seen = found(tmp_path, BOX, files={"images/a.jpg": b"\xff\xd8\xffnothing"})
    assert seen.box() == [90, 40, 110, 60]


def test_a_file_that_is_far_too_large_is_refused_unread(tmp_path: Path) -> None:
    root = folder(tmp_path, {"labels/a.txt": "", "labels/b.txt": BOX})
    with (root / "labels/a.txt").open("r+b") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    seen = Found(root, size_of={"a.jpg": (200, 100), "b.jpg": (200, 100)}.get)
    assert (len(seen.labels), seen.rules) == (1, ["file-too-large"])
    assert seen.states == {"a.jpg": "in_progress", "b.jpg": "complete"}


def test_chunks_are_bounded_and_no_file_is_split(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {f"labels/{at}.txt": f"{BOX}\n" * 3 for at in range(5)}
    seen = Found(folder(tmp_path, files), size_of=lambda name: (9, 9), chunk_rows=8)
    assert sum(seen.n_each) == 15
    assert max(seen.n_each) == 6


def test_a_large_file_is_read_whole(tmp_path: Path) -> None:
    assert len(found(tmp_path, f"{BOX}\n" * 20_000).labels) == 20_000


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=2),
    st.lists(st.floats(0, 1), min_size=2, max_size=2),
)
def test_six_digits_move_a_corner_by_less_than_the_precision(
    centre: list[float], side: list[float]
) -> None:
    width, height = 4000, 3000
    told = [*centre, *side]
    rounded = [float(f"{value:.6f}") for value in told]

    def corners(values: list[float]) -> list[float]:
        x, y, w, h = values
        return [(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width]

    off = max(abs(a - b) for a, b in zip(corners(told), corners(rounded), strict=True))
    assert off <= PRECISION * width
    assert precision("yolo").fraction == PRECISION


def test_a_folder_without_class_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.txt").write_text(BOX)
    with pytest.raises(BadInput, match="expected a file that names them") as caught:
        Found(tmp_path)
    assert caught.value.slug == "wrong-shape"


def test_a_folder_without_labels_or_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="neither a label file nor") as caught:
        Found(folder(tmp_path, {}))
    assert caught.value.slug == "wrong-shape"
