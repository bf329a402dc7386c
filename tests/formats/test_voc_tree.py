"""A folder of VOC files: its layouts, what stands beside the files, chunks, and files that are broken."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from lineage.errors import BadInput
from lineage.formats import ReadOptions
from lineage.formats.voc.read import read
from tests.formats.test_voc_read import CAT, chunks_of, document, labels_of, put


def image(folder: Path, name: str, *objects: str) -> Path:
    return put(folder, document(*objects, filename=f"{Path(name).name}.jpg"), f"{name}.xml")


def states_of(path: Path) -> dict[str, str]:
    rows = [row for chunk in chunks_of(path) for row in chunk.completeness.to_pylist()]
    found = {row["asset"]: row["state"] for row in rows}
    assert len(found) == len(rows)
    return found


def losses_of(path: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for chunk in chunks_of(path):
        for name, n in chunk.losses.items():
            found[name] = found.get(name, 0) + n
    return found


def test_files_of_any_depth_come_in_order_and_are_named_by_their_path(tmp_path: Path) -> None:
    for name in ("b/Annotations/2", "b/Annotations/10", "a/é", "c"):
        image(tmp_path, name, CAT, CAT)
    rows = labels_of(tmp_path)
    assert [(row["file"], row["position"]) for row in rows[::2]] == [
        ("a/é.xml", 0), ("b/Annotations/10.xml", 0), ("b/Annotations/2.xml", 0), ("c.xml", 0),
    ]  # fmt: skip
    assert [row["position"] for row in rows] == [0, 1] * 4
    assert {row["asset"] for row in rows} == {"é.jpg", "10.jpg", "2.jpg", "c.jpg"}


def test_what_stands_beside_the_files_is_passed_by(tmp_path: Path) -> None:
    image(tmp_path, "a", CAT)
    image(tmp_path, "__MACOSX/._a", CAT)
    image(tmp_path, ".ipynb_checkpoints/a-checkpoint", CAT)
    put(tmp_path, "x", "a.jpg")
    put(tmp_path, "# label:color_rgb:parts:actions\ncat:::\n", "labelmap.txt")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert [row["file"] for row in labels_of(tmp_path)] == ["a.xml"]


def test_the_devkits_masks_are_no_labels_and_are_counted(tmp_path: Path) -> None:
    image(tmp_path, "Annotations/a", CAT)
    for folder in ("SegmentationClass", "SegmentationObject"):
        put(tmp_path, "png", f"{folder}/a.png")
    assert losses_of(tmp_path) == {"mask-image": 2}


def test_a_file_that_cannot_be_read_is_quarantined_whole_and_the_others_go_in(
    tmp_path: Path,
) -> None:
    image(tmp_path, "a", CAT)
    put(tmp_path, "<annotation><object>", "b.xml")
    put(tmp_path, "<!DOCTYPE annotation><annotation/>", "c.xml")
    put(tmp_path, "<annotations/>", "d.xml")
    put(tmp_path, "<annotation><imagesize/></annotation>", "e.xml")
    image(tmp_path, "f", CAT)
    (chunk,) = chunks_of(tmp_path)
    assert chunk.labels["file"].to_pylist() == ["a.xml", "f.xml"]
    rows = chunk.violations.to_pylist()
    assert [(row["rule"], row["source"], row["asset"]) for row in rows] == [
        ("unreadable-xml", f"{tmp_path}/b.xml", "b"),
        ("xml-forbidden", f"{tmp_path}/c.xml", "c"),
        ("wrong-shape", f"{tmp_path}/d.xml", "d"),
        ("labelme-xml", f"{tmp_path}/e.xml", "e"),
    ]
    assert json.loads(rows[0]["label"]) == {
        "file": "b.xml", "n_bytes": 20, "text": "<annotation><object>",
    }  # fmt: skip
    assert set(chunk.completeness["asset"].to_pylist()) == {"a.jpg", "f.jpg"}


def test_a_name_that_no_image_may_have_refuses_the_file(tmp_path: Path) -> None:
    path = put(tmp_path, document(CAT, filename=None), "a\tb.xml")
    with pytest.raises(BadInput) as caught:
        list(read(path, ReadOptions()))
    assert caught.value.slug == "asset-name"
    image(tmp_path, "c", CAT)
    (chunk,) = chunks_of(tmp_path)
    assert chunk.violations["rule"].to_pylist() == ["asset-name"]
    assert chunk.labels["asset"].to_pylist() == ["c.jpg"]


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "x", "a.jpg")
    with pytest.raises(BadInput, match="no XML file") as caught:
        list(read(tmp_path, ReadOptions()))
    assert caught.value.slug == "wrong-shape"


def test_images_that_sets_name_and_that_have_no_file_are_not_started(tmp_path: Path) -> None:
    for name in ("1", "2", "sub/3"):
        image(tmp_path, f"VOC/Annotations/{name}", CAT)
    image(tmp_path, "VOC/Annotations/4")
    for name, lines in (
        ("train", "# a comment\n1\n2\n\n5\r\nsub/3\nsub/6\n"),
        ("trainval", "1\n5\n7 8\n../9\n"),
        ("cat_train", "1  1\n5 -1\n10  0\n"),
        ("my_train", "11\n"),
    ):
        put(tmp_path, lines, f"VOC/ImageSets/Main/{name}.txt")
    put(tmp_path, "12\n", "VOC/ImageSets/Layout/train.txt")
    states = states_of(tmp_path)
    assert {name for name, state in states.items() if state == "not_started"} == {
        "5", "sub/6", "7 8", "11",
    }  # fmt: skip
    assert states["4.jpg"] == "complete_empty"
    assert losses_of(tmp_path) == {"image-set-name": 1}
    names = [name for chunk in chunks_of(tmp_path) for name in chunk.assets["name"].to_pylist()]
    assert {"5", "sub/6"} <= set(names)


def test_sets_without_the_devkits_folder_say_nothing_of_files(tmp_path: Path) -> None:
    image(tmp_path, "xml/1", CAT)
    put(tmp_path, "1\n2\n", "ImageSets/Main/train.txt")
    assert states_of(tmp_path) == {"1.jpg": "complete"}


def test_two_files_of_one_image_are_counted(tmp_path: Path) -> None:
    for name in ("ann/1", "bob/1", "bob/2"):
        image(tmp_path, name, CAT)
    assert losses_of(tmp_path) == {"repeated-image": 1}
    assert len(labels_of(tmp_path)) == 3


def test_chunks_are_bounded_and_no_image_is_split(tmp_path: Path) -> None:
    for number in range(9):
        image(tmp_path, f"Annotations/{number}", *[CAT] * (number % 4))
    put(tmp_path, "".join(f"{n}\n" for n in range(20)), "ImageSets/Main/train.txt")
    chunks = chunks_of(tmp_path, chunk_rows=4)
    assert all(chunk.labels.num_rows <= 4 and chunk.assets.num_rows <= 5 for chunk in chunks)
    assert sum(chunk.labels.num_rows for chunk in chunks) == sum(n % 4 for n in range(9))
    places = [set(chunk.labels["file"].to_pylist()) for chunk in chunks]
    assert sum(map(len, places)) == len(set.union(*places))
    assert sum(chunk.completeness.num_rows for chunk in chunks) == 20
    big = image(tmp_path / "big", "a", *[CAT] * 9)
    assert [chunk.labels.num_rows for chunk in chunks_of(big.parent, chunk_rows=4)] == [9]


def test_a_folder_of_broken_files_is_told_in_bounded_pieces(tmp_path: Path) -> None:
    for number in range(200):
        put(tmp_path, "<annotation>" + "x" * 70_000, f"{number:03d}.xml")
    chunks = chunks_of(tmp_path)
    assert len(chunks) > 1
    assert sum(chunk.violations.num_rows for chunk in chunks) == 200
    longest = max(len(text) for chunk in chunks for text in chunk.violations["label"].to_pylist())
    assert longest < 70_000


def test_memory_does_not_grow_with_the_folder(tmp_path: Path) -> None:
    peaks = []
    for n_images in (100, 300):
        folder = tmp_path / str(n_images)
        for number in range(n_images):
            image(folder, f"{number:04d}", *[CAT] * 20)
        tracemalloc.start()
        n = sum(chunk.labels.num_rows for chunk in read(folder, ReadOptions(chunk_rows=500)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert n == 20 * n_images
    assert peaks[1] < 1.25 * peaks[0]
