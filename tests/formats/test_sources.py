"""Folders and archives: surveyed whole, one format or none, and everything else counted."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from lineage import columns
from lineage.errors import BadInput
from lineage.formats import sources
from lineage.formats.sources import Found, Piece, find, named_as_given, renamed, walk
from tests.exports import coco, label_studio
from tests.formats.test_sniffing import CVAT, VOC, put

BOXES = [(1, "a.png", "car", [10.0, 10, 30, 30])]


def found(path: Path, format: str = "auto") -> Found:
    scratch = path.parent / f"scratch-{path.name}-{format}"
    return find([Piece(path, f"inbox/{path.name}")], scratch=scratch, format=format)


def refused(path: Path, slug: str, format: str = "auto") -> BadInput:
    with pytest.raises(BadInput) as caught:
        found(path, format)
    assert caught.value.slug == slug
    return caught.value


def folder_of_coco(root: Path) -> Path:
    root.mkdir()
    for name in ("b.json", "a.json"):
        coco(root / name, BOXES)
    put(root / "sub" / "c.json", (root / "a.json").read_text())
    put(root / "images" / "a.png", b"")
    put(root / "LICENSE", "MIT")
    put(root / "config.xml", "<View/>")
    put(root / ".hidden" / "d.json", "[]")
    put(root / "__MACOSX" / "._a.json", b"\x00\x05")
    put(root / "log.txt", "so far so good")
    return root


def test_a_folder_is_read_file_by_file_in_order_and_the_rest_is_counted(tmp_path: Path) -> None:
    one = found(folder_of_coco(tmp_path / "f"))
    assert one.format == "coco"
    assert one.reason.startswith("3 files: COCO")
    assert [p.name for p in one.pieces] == [
        "inbox/f/a.json",
        "inbox/f/b.json",
        "inbox/f/sub/c.json",
    ]
    assert all(p.path.is_file() for p in one.pieces)
    assert one.passed_over == {
        "hidden file": 2, "image": 1, "label configuration": 1, "licence": 1, "text": 1,
    }  # fmt: skip


def test_several_formats_are_refused_with_counts_and_examples(tmp_path: Path) -> None:
    root = folder_of_coco(tmp_path / "f")
    put(root / "x.xml", CVAT)
    error = refused(root, "mixed-formats")
    assert "coco 3 (a.json, b.json, sub/c.json)" in error.message
    assert "cvat 1 (x.xml)" in error.message
    only = found(root, "cvat")
    assert [p.name for p in only.pieces] == ["inbox/f/x.xml"]
    assert only.passed_over["coco"] == 3


def test_labels_that_no_reader_takes_are_never_passed_over_in_silence(tmp_path: Path) -> None:
    root = folder_of_coco(tmp_path / "f")
    put(root / "p.json", {"shapes": [], "imagePath": "a.png"})
    assert "LabelMe JSON 1 (p.json)" in refused(root, "mixed-formats").message
    assert found(root, "coco").passed_over["LabelMe JSON"] == 1


def test_a_folder_of_one_foreign_form_is_told_like_its_files(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        put(tmp_path / "f" / name, {"infos": {}, "categories": {}, "items": []})
    error = refused(tmp_path / "f", "unknown-format")
    assert "Datumaro JSON 2 (a.json)" in error.message
    assert "datum convert" in error.hint


@pytest.mark.parametrize("names", [(), ("a.png", "LICENSE"), ("data.yaml",)])
def test_a_folder_without_exports_is_refused(names: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    for name in names:
        put(tmp_path / "f" / name, "names: [a]\nnc: 1\n")
    refused(tmp_path / "f", "nothing-to-import")
    refused(tmp_path / "f", "nothing-to-import", "coco")


def test_trees_are_taken_whole(tmp_path: Path) -> None:
    put(tmp_path / "v" / "Annotations" / "a.xml", VOC)
    put(tmp_path / "v" / "ImageSets" / "Main" / "train.txt", "a\n")
    put(tmp_path / "v" / "JPEGImages" / "a.jpg", b"")
    voc = found(tmp_path / "v")
    assert (voc.format, voc.pieces) == ("voc", (Piece(tmp_path / "v", "inbox/v"),))
    assert voc.passed_over == {"image": 1}
    put(tmp_path / "y" / "data.yaml", "names: [a]\nnc: 1\n")
    put(tmp_path / "y" / "labels" / "a.txt", "0 .5 .5 .1 .1\n")
    put(tmp_path / "y" / "labels" / "b.txt", "")
    put(tmp_path / "y" / "images" / "a.png", b"")
    put(tmp_path / "y" / "README.txt", "")
    yolo = found(tmp_path / "y")
    assert (yolo.format, yolo.pieces) == ("yolo", (Piece(tmp_path / "y", "inbox/y"),))
    assert yolo.passed_over in ({"readme": 1}, {})


def test_a_yolo_set_of_nothing_but_negatives_is_one(tmp_path: Path) -> None:
    put(tmp_path / "y" / "data.yaml", "names: [a]\nnc: 1\n")
    put(tmp_path / "y" / "labels" / "b.txt", "")
    assert found(tmp_path / "y").format == "yolo"


def test_links_of_files_are_followed_and_those_of_folders_are_not(tmp_path: Path) -> None:
    coco(tmp_path / "cache.json", BOXES)
    root = tmp_path / "f"
    root.mkdir()
    (root / "a.json").symlink_to(tmp_path / "cache.json")  # as DVC links its cache
    (root / "loop").symlink_to(root)
    (root / "gone.json").symlink_to(tmp_path / "nowhere")
    os.mkfifo(root / "pipe.json")
    one = found(root)
    assert [p.name for p in one.pieces] == ["inbox/f/a.json"]
    assert one.passed_over == {"device or broken link": 2, "linked folder": 1}


def test_the_walk_goes_by_the_parts_of_paths(tmp_path: Path) -> None:
    for name in ("b/x", "b.x", "a/z", "a/b/c", "b-1"):
        put(tmp_path / name, "")
    assert [entry.path for entry in walk(tmp_path)] == ["a/b/c", "a/z", "b-1", "b.x", "b/x"]


def test_several_paths_must_agree(tmp_path: Path) -> None:
    a = coco(tmp_path / "a.json", BOXES)
    b = label_studio(tmp_path / "b.json", [("a.png", [])])
    pieces = [Piece(a, "a.json"), Piece(b, "b.json")]
    with pytest.raises(BadInput, match=r"coco 1 \(a.json\); label-studio 1 \(b.json\)"):
        find(pieces, scratch=tmp_path / "s")
    with pytest.raises(BadInput, match="no file to import"):
        find([], scratch=tmp_path / "s")
    with pytest.raises(BadInput, match="no file"):
        found(tmp_path / "nowhere.json")
    with pytest.raises(BadInput, match="unknown format 'betamax'"):
        found(a, "betamax")


def archive(path: Path, members: dict[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_an_archive_is_read_as_the_folder_that_it_holds(tmp_path: Path) -> None:
    text = coco(tmp_path / "a.json", BOXES).read_text()
    path = archive(tmp_path / "e.zip", {"x/b.json": text, "x/a.json": text, "images/a.png": b"?"})
    one = found(path)
    assert [p.name for p in one.pieces] == ["inbox/e.zip/x/a.json", "inbox/e.zip/x/b.json"]
    assert one.pieces[0].path.read_text() == text
    assert not any(p.suffix == ".png" for p in (tmp_path / "scratch-e.zip-auto").rglob("*"))
    with pytest.raises(BadInput) as caught, named_as_given(one.unpacked):
        raise BadInput("x", f"in {one.pieces[0].path}", where=f"{one.pieces[0].path}: byte 3")
    assert caught.value.where == f"{path}/x/a.json: byte 3"
    assert caught.value.message == f"in {path}/x/a.json"


def test_a_yolo_archive_keeps_the_headers_of_its_images(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("L", (64, 48)).save(picture, "PNG")
    members = {
        "d/data.yaml": "names: [a]\nnc: 1\n",
        "d/labels/a.txt": "0 .5 .5 .1 .1\n",
        "d/images/a.png": picture.getvalue(),
    }
    one = found(archive(tmp_path / "y.zip", members))
    assert one.format == "yolo"
    with Image.open(one.pieces[0].path / "d/images/a.png") as image:
        assert image.size == (64, 48)


def test_hostile_and_empty_archives_and_spreadsheets_are_refused(tmp_path: Path) -> None:
    refused(archive(tmp_path / "a.zip", {"../a.json": "[]"}), "archive-unsafe")
    refused(archive(tmp_path / "b.zip", {}), "nothing-to-import")
    book = {
        "[Content_Types].xml": '<?xml version="1.0"?><Types/>',
        "xl/workbook.xml": "<workbook/>",
    }
    error = refused(archive(tmp_path / "c.xlsx", dict(book)), "unknown-format")
    assert "Excel workbook" in error.message
    assert str(tmp_path / "c.xlsx") in error.message
    inner = archive(tmp_path / "d.zip", {"a.json": "[]"}).read_bytes()
    error = refused(archive(tmp_path / "e.zip", {"d.zip": inner, "b.json": "[]"}), "mixed-formats")
    assert "archive 1 (d.zip)" in error.message


def test_violations_name_the_file_as_the_report_does() -> None:
    values = {
        "source": ["/tmp/u/0/a.xml", "/tmp/u/0", "elsewhere"],
        "path": "/x",
        "rule": "r",
        "value": "",
        "expected": "",
    }
    batch = columns.batch_of(columns.VIOLATIONS, values, 3)
    named = renamed(batch, Piece(Path("/tmp/u/0"), "e.zip"))
    assert named["source"].to_pylist() == ["e.zip/a.xml", "e.zip", "elsewhere"]
    assert renamed(batch.slice(0, 0), Piece(Path("/x"), "y")).num_rows == 0


def test_an_export_whose_name_is_no_utf8_is_refused_and_others_beside_it_are_not(
    tmp_path: Path,
) -> None:
    root = tmp_path / "f"
    root.mkdir()
    coco(root / "a.json", BOXES)
    put(root / os.fsdecode(b"\xff.txt"), "so far so good")
    assert found(root).passed_over == {"text": 1}
    (root / "a.json").rename(root / os.fsdecode(b"\xff.json"))
    assert "\ufffd.json" in refused(root, "file-name", "coco").message


def test_what_a_folder_is_says_nothing_of_how_it_is_called(tmp_path: Path) -> None:
    put(tmp_path / "a.zip" / "b.yaml", CVAT)
    assert found(tmp_path / "a.zip").format == "cvat"
    assert (
        sources.find([Piece(tmp_path / "a.zip" / "b.yaml", "b")], scratch=tmp_path).format == "cvat"
    )
