"""YOLO folders: where labels lie, what names the classes, and which image a file is of."""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from lineage.errors import BadInput
from lineage.formats.yolo.naming import label_path
from tests.formats.yolo_folders import Found, Row, folder, picture

BOX = "0 0.5 0.5 0.1 0.2\n"
SIZE = {"a.jpg": (200, 100), "b.jpg": (200, 100), "train/a.jpg": (20, 10), "val/a.jpg": (40, 10)}


def sized(name: str) -> tuple[int, int] | None:
    return (640, 480) if name.endswith(".jpg") else None


@pytest.mark.parametrize(
    "names",
    [
        "names: [cat, dog]",
        "names:\n  0: cat\n  1: dog",
        "names: ['cat', \"dog\"]\nnc: 2",
        "names:\n- cat\n- dog",
    ],
)
def test_classes_are_a_list_or_a_mapping(tmp_path: Path, names: str) -> None:
    root = folder(tmp_path, {"data.yaml": names, "labels/a.txt": "1 0.5 0.5 0.1 0.2"})
    assert [row["class"] for row in Found(root, size_of=SIZE.get).labels] == ["dog"]


def test_names_that_yaml_would_take_for_something_else_stay_names(tmp_path: Path) -> None:
    text = "".join(f"{at} 0.5 0.5 0.1 0.2\n" for at in range(5))
    root = folder(
        tmp_path, {"data.yaml": "names: [no, 007, 1e3, null, 2026-01-01]", "labels/a.txt": text}
    )
    classes = [row["class"] for row in Found(root, size_of=SIZE.get).labels]
    assert classes == ["no", "007", "1e3", "null", "2026-01-01"]


def test_a_mapping_may_have_gaps_and_a_count_may_be_wrong(tmp_path: Path) -> None:
    text = "0 0.5 0.5 0.1 0.2\n7 0.5 0.5 0.1 0.2\n"
    root = folder(tmp_path, {"data.yaml": "names: {7: cat}\nnc: 3", "labels/a.txt": text})
    seen = Found(root, size_of=SIZE.get)
    assert (seen.rules, [row["class"] for row in seen.labels]) == (["unknown-class"], ["cat"])
    assert seen.notes["classes"] == "nc is 3, 1 names are given"


@pytest.mark.parametrize(
    "document",
    [
        "names: 5", "names: {a: cat}", "names: [[cat]]", "names: [", "nc: 2", "&a [*a]", "\t- x",
        "names: [cat]\nkpt_shape: [x]", "names: [cat]\nkpt_shape: [17, 4]", "names: [cat]\nkpt_shape: 3",
    ],
)  # fmt: skip
def test_a_document_that_names_no_classes_is_refused(tmp_path: Path, document: str) -> None:
    with pytest.raises(BadInput) as caught:
        Found(folder(tmp_path, {"data.yaml": document, "labels/a.txt": BOX}))
    assert caught.value.slug == "wrong-shape"


def test_a_document_in_another_encoding_is_refused(tmp_path: Path) -> None:
    root = folder(tmp_path, {"data.yaml": "names: [größe]".encode("latin-1"), "labels/a.txt": BOX})
    with pytest.raises(BadInput) as caught:
        Found(root)
    assert caught.value.slug == "not-utf8"


def test_blank_lines_keep_their_number_in_a_plain_list(tmp_path: Path) -> None:
    files = {
        "classes.txt": "cat\n\ndog\n\n",
        "labels/a.txt": "2 0.5 0.5 0.1 0.2\n1 0.5 0.5 0.1 0.2",
    }
    root = folder(tmp_path, files)
    (root / "data.yaml").unlink()
    seen = Found(root, size_of=SIZE.get)
    assert ([row["class"] for row in seen.labels], seen.rules) == (["dog"], ["unknown-class"])


def test_paths_of_the_machine_that_wrote_it_are_looked_for_by_their_ends_only(
    tmp_path: Path,
) -> None:
    root = folder(
        tmp_path / "set",
        {
            "data.yaml": "path: /content/set\ntrain: /content/set/images/train\n"
            "val: ../../../outside/images\nnames: [cat]\n",
            "images/train/a.jpg": b"",
            "labels/train/a.txt": BOX,
        },
    )
    folder(tmp_path / "outside", {"labels/b.txt": BOX, "images/b.jpg": b""})
    seen = Found(root, size_of=SIZE.get)
    assert [row["asset"] for row in seen.labels] == ["a.jpg"]
    # what is left of a path that climbs is looked for inside, and "images" is there
    assert "split-train" not in seen.notes


def test_a_list_that_climbs_is_refused_line_by_line(tmp_path: Path) -> None:
    lines = "./images/a.jpg\n../secret/b.jpg\n/abs/images/c.jpg\nC:\\x\\images\\d.jpg\n"
    root = folder(
        tmp_path,
        {"data.yaml": "train: train.txt\nnames: [cat]", "train.txt": lines, "labels/a.txt": BOX},
    )
    seen = Found(root, size_of=SIZE.get)
    assert (seen.rules, seen.violations[0]["position"]) == (["asset-name"], 1)
    assert seen.violations[0]["source"] == f"{root}/train.txt"
    assert seen.states["a.jpg"] == "complete"
    # listed, not there: not started, never empty
    assert sorted(state for name, state in seen.states.items() if name != "a.jpg") == [
        "not_started", "not_started",
    ]  # fmt: skip


def test_links_are_followed_as_far_as_they_stay_inside(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    folder(outside, {"secret.txt": BOX, "x/b.txt": BOX})
    picture(outside / "a.jpg", 200, 100)
    root = folder(tmp_path / "set", {"labels/real.txt": BOX})
    (root / "images").mkdir()
    for link, target in (
        ("labels/out.txt", outside / "secret.txt"),
        ("labels/sub", outside / "x"),
        ("labels/a.txt", root / "labels/real.txt"),
        ("images/a.jpg", outside / "a.jpg"),
    ):
        (root / link).symlink_to(target)
    seen = Found(root)
    assert [row["asset"] for row in seen.labels] == ["a.jpg"]
    assert seen.losses["link"] == 2


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    root = folder(tmp_path, {"labels/a.txt": BOX})
    (root / "labels/again").symlink_to(root)
    assert len(Found(root, size_of=SIZE.get).labels) == 1


def test_names_that_are_no_text_are_counted(tmp_path: Path) -> None:
    root = folder(tmp_path, {"labels/a.txt": BOX})
    with open(os.fsencode(root / "labels") + b"/\xff.txt", "wb") as file:
        file.write(BOX.encode())
    seen = Found(root, size_of=SIZE.get)
    assert (len(seen.labels), seen.losses["file-name"]) == (1, 1)


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("images/train/a.jpg", "labels/train/a.txt"),
        ("images/train/images/x/a.b.jpg", "images/train/labels/x/a.b.txt"),
        ("train/images/a.jpg", "train/labels/a.txt"),
        ("my_images/a.jpg", "my_images/a.txt"),
        ("a.jpg", "a.txt"),
    ],
)
def test_labels_lie_where_the_trainer_looks_for_them(image: str, label: str) -> None:
    assert label_path(image) == label


def test_an_image_is_called_what_it_is_called_without_its_split(tmp_path: Path) -> None:
    root = folder(
        tmp_path,
        {
            "images/train/cam/a.jpg": b"", "labels/train/cam/a.txt": BOX,
            "images/val/b.jpg": b"", "labels/val/b.txt": BOX,
            "images/c.jpg": b"", "labels/c.txt": BOX,
        },
    )  # fmt: skip
    seen = Found(root, size_of=sized)
    assert [row["asset"] for row in seen.labels] == ["c.jpg", "cam/a.jpg", "b.jpg"]


def test_two_splits_that_share_a_name_keep_their_images_apart(tmp_path: Path) -> None:
    files = {"labels/train/a.txt": BOX, "labels/val/a.txt": BOX, "labels/val/b.txt": BOX}
    seen = Found(folder(tmp_path, files), size_of=SIZE.get)
    assert [(row["asset"], row["x_min"]) for row in seen.labels] == [
        ("train/a.jpg", 9), ("val/a.jpg", 18), ("b.jpg", 90),
    ]  # fmt: skip


def test_an_image_that_is_on_record_under_its_path_is_that_image(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"images/train/a.jpg": b"", "labels/train/a.txt": BOX}
    seen = Found(folder(tmp_path, files), size_of={"images/train/a.jpg": (100, 100)}.get)
    assert seen.labels[0]["asset"] == "images/train/a.jpg"


def test_a_label_file_that_two_images_claim_is_nobodys(tmp_path: Path) -> None:
    root = folder(tmp_path, {"labels/a.txt": BOX, "labels/b.txt": ""})
    for name in ("a.jpg", "a.png", "b.jpg", "b.png"):
        picture(root / "images" / name, 20, 10)
    seen = Found(root)
    assert (seen.labels, seen.rules, seen.states) == ([], ["ambiguous-image"], {})
    assert seen.losses["empty-file-of-unknown-image"] == 1


def test_on_record_two_endings_of_one_stem_are_told_apart_by_nothing(tmp_path: Path) -> None:
    seen = Found(
        folder(tmp_path, {"labels/a.txt": BOX}), size_of={"a.jpg": (9, 9), "a.png": (9, 9)}.get
    )
    assert seen.rules == ["ambiguous-image"]


def test_a_list_tells_which_of_two_images_is_meant(tmp_path: Path) -> None:
    root = folder(
        tmp_path,
        {"data.yaml": "train: train.txt\nnames: [cat]", "train.txt": "./images/a.png\n",
         "labels/a.txt": BOX},
    )  # fmt: skip
    picture(root / "images/a.jpg", 20, 10)
    picture(root / "images/a.png", 40, 10)
    seen = Found(root)
    assert [(row["asset"], row["x_min"]) for row in seen.labels] == [("a.png", 18)]


def test_labels_beside_images_are_read_also_where_the_trainer_would_not_look(
    tmp_path: Path,
) -> None:
    root = folder(tmp_path, {"images/a.txt": BOX, "README.txt": "0 0 0 0 0", "train.txt": ""})
    picture(root / "images/a.jpg", 200, 100)
    seen = Found(root)
    assert [row["asset"] for row in seen.labels] == ["a.jpg"]
    assert seen.notes["other-texts"].startswith("2 ")


def test_other_texts_beside_labels_are_told_not_read(tmp_path: Path) -> None:
    files = {"labels/a.txt": BOX, "notes.txt": "0 0 0 0 0", "runs/results.txt": "0 0 0 0 0"}
    seen = Found(folder(tmp_path, files), size_of=SIZE.get)
    assert (len(seen.labels), seen.notes["other-texts"][:2]) == (1, "2 ")


def test_a_folder_in_a_folder_is_found(tmp_path: Path) -> None:
    folder(tmp_path / "my_set", {"labels/a.txt": BOX})
    seen = Found(tmp_path, size_of=SIZE.get)
    assert seen.labels[0]["file"] == "my_set/labels/a.txt"


def test_two_sets_of_classes_in_one_folder_are_refused(tmp_path: Path) -> None:
    files = {"labels/a.txt": BOX, "other/labels/b.txt": BOX, "other/classes.txt": "dog\ncat\n"}
    with pytest.raises(BadInput, match="name different classes") as caught:
        Found(folder(tmp_path, files), size_of=SIZE.get)
    assert caught.value.slug == "wrong-shape"


def test_a_single_file_is_read_by_the_classes_of_its_folder(tmp_path: Path) -> None:
    root = folder(tmp_path, {"labels/train/a.txt": BOX, "labels/train/b.txt": BOX})
    picture(root / "images/train/a.jpg", 200, 100)
    seen = Found(root / "labels/train/a.txt")
    (row,) = seen.labels
    assert (row["asset"], row["file"]) == ("a.jpg", None)
    assert list(seen.states) == ["a.jpg"]


def test_a_named_document_means_what_it_declares_and_nothing_else(tmp_path: Path) -> None:
    files = {
        "small.yaml": "train: images/train\nnames: [cat]",
        "labels/train/a.txt": BOX, "labels/test/b.txt": BOX,
    }  # fmt: skip
    root = folder(tmp_path, files)
    assert len(Found(root, size_of=SIZE.get).labels) == 2
    seen = Found(root / "small.yaml", size_of=SIZE.get)
    assert [row["asset"] for row in seen.labels] == ["a.jpg"]


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("{}")
    with pytest.raises(BadInput) as caught:
        Found(path)
    assert caught.value.slug == "wrong-shape"


def darknet(root: Path, **files: str) -> Path:
    """CVAT's "YOLO 1.1"."""
    told = {
        "obj.data": "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n",
        "obj.names": "cat\ndog\n",
        "train.txt": "data/obj_train_data/a.jpg\ndata/obj_train_data/sub/b.jpg\n",
        "obj_train_data/a.txt": "1 0.5 0.5 0.1 0.2\n",
        **files,
    }
    folder(root, told)
    (root / "data.yaml").unlink()
    return root


def test_darknets_folders_are_no_part_of_a_name(tmp_path: Path) -> None:
    seen = Found(darknet(tmp_path), size_of=SIZE.get)
    assert [(row["asset"], row["class"]) for row in seen.labels] == [("a.jpg", "dog")]
    # listed without a label file
    assert seen.states == {"a.jpg": "complete", "sub/b.jpg": "not_started"}


def test_a_list_that_names_an_image_twice_counts_it_once(tmp_path: Path) -> None:
    root = darknet(tmp_path, **{"train.txt": "data/obj_train_data/a.jpg\n" * 2})
    seen = Found(root, size_of=SIZE.get)
    assert (len(seen.labels), seen.losses["listed-twice"]) == (1, 1)


# real files


def cvat_of(data: Path) -> tuple[dict[str, tuple[int, int]], Counter[tuple[object, ...]]]:
    sizes: dict[str, tuple[int, int]] = {}
    boxes: Counter[tuple[object, ...]] = Counter()
    corners = ("xtl", "ytl", "xbr", "ybr")
    for image in ET.parse(data / "voc100/cvat_format/annotations.xml").getroot().iter("image"):
        name = image.attrib["name"]
        sizes[name] = (int(image.attrib["width"]), int(image.attrib["height"]))
        for box in image.iter("box"):
            place = (round(float(box.attrib[key])) for key in corners)
            boxes[(name, box.attrib["label"], *place)] += 1
    return sizes, boxes


def rounded(rows: list[Row]) -> Counter[tuple[object, ...]]:
    corners = ("x_min", "y_min", "x_max", "y_max")
    return Counter(
        (row["asset"], row["class"], *(round(row[name]) for name in corners)) for row in rows
    )


def test_the_hundred_voc_images_hold_the_boxes_that_every_format_has(shared_data: Path) -> None:
    sizes, boxes = cvat_of(shared_data)
    for path in ("voc100/yolo_format", "voc100/yolo_format/obj.data"):
        seen = Found(shared_data / path, size_of=sizes.get)
        assert len(seen.labels) == 273
        assert rounded(seen.labels) == boxes
        assert set(seen.states.values()) == {"complete"}
        assert (seen.violations, seen.losses) == ([], Counter())


@pytest.mark.parametrize(
    ("path", "n_labels", "images"),
    [
        ("tool_exports_small/yolo_dataset/labels", 4, {"train/1.jpg", "val/1.jpg"}),
        ("tool_exports_small/yolo_dataset/annotations", 2, {"1.jpg"}),
        ("tool_exports_small/yolo_dataset/strict", 2, {"1.jpg"}),
        (
            "tool_exports_small/roboflow_dataset/yolo",
            4,
            {"train_001.jpg", "train_002.jpg", "val_001.jpg"},
        ),
        ("label_studio_cases/test_import_yolo_data", 25, {f"img_{n}.jpg" for n in range(1, 8)}),
        (
            "label_studio_cases/test_import_yolo_data_unif_dims",
            19,
            {f"img_{n}.jpg" for n in range(1, 6)},
        ),
    ],
)
def test_real_exports_come_in_whole(
    shared_data: Path, path: str, n_labels: int, images: set[str]
) -> None:
    seen = Found(shared_data / path, size_of=sized)
    assert (len(seen.labels), seen.violations) == (n_labels, [])
    # the three that have no list are known by the record alone, which here knows every .jpg
    assert {row["name"] for row in seen.rows["assets"]} == images
    without = Found(shared_data / path)
    assert without.labels == []
    assert without.rules == ["image-size-unknown"] * n_labels


def test_label_studios_own_export_keeps_one_set_of_boxes_an_image(
    shared_data: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(shared_data / "label_studio_live/export_YOLO.zip") as packed:
        packed.extractall(tmp_path)
        n_rows = sum(
            packed.read(name).count(b"\n") + (not packed.read(name).endswith(b"\n"))
            for name in packed.namelist()
            if name.startswith("labels/") and name.endswith(".txt")
        )
    seen = Found(tmp_path, size_of=sized)
    assert (len(seen.labels), len(seen.rows["assets"])) == (n_rows, 12)
    assert seen.violations == []
    assert {row["class"] for row in seen.labels} <= {"car", "dog", "person"}


def test_dota_rows_under_a_yolo_document_are_refused_row_by_row(shared_data: Path) -> None:
    seen = Found(shared_data / "tool_exports_small/roboflow_dataset/yolo_obb", size_of=sized)
    assert (seen.labels, seen.rules) == ([], ["not-a-number"] * 4)
    assert set(seen.states.values()) == {"in_progress"}
