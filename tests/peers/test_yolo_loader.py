"""The trainer's own loader reads our YOLO folders: every row, every number, and the images without any."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineage.calc.geometry import rotated_corners
from lineage.formats import WriteOptions
from lineage.formats.yolo.write import write
from tests.peers.environments import judged
from tests.peers.truth import SIZES, Row, completeness, draw, matched, truth

pytestmark = [
    pytest.mark.slow,
    # the trainer stands on torch, whose small build for CPUs is at hand for this release only
    pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="no small torch for this Python"),
]

VAL = ("square.png",)


def read(folder: Path, kind: str, task: str) -> tuple[list[Row], list[dict[str, Any]]]:
    """Return a data set's rows, and what the loader finds, image by image, in px."""
    found = truth([kind], val=VAL)
    report = write(folder, found.labels, found.assets, WriteOptions(completeness(VAL)))
    assert (report.n_labels, report.n_assets) == (len(found.rows), len(SIZES))
    draw(folder / "images" / "train")
    for name in VAL:
        target = folder / "images" / "val" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (folder / "images" / "train" / name).rename(target)
    told = judged("ultralytics", "ultralytics_reads", str(folder), task)
    assert {row["image"]: row["split"] for row in told["rows"]} == {
        name: "val" if name in VAL else "train" for name in SIZES
    }
    return found.rows, told["rows"]


def in_px(image: str, fractions: list[float]) -> list[float]:
    """Return x, y, x, y ... in px."""
    return (np.array(fractions).reshape(-1, 2) * SIZES[image]).reshape(-1).tolist()


def entries(images: list[dict[str, Any]], key: str) -> list[Row]:
    """Return the rows of every image: its class, and what stands under a key, in px."""
    return [
        {"image": image["image"], "class": class_, "points": in_px(image["image"], numbers)}
        for image in images
        for class_, numbers in zip(image["class"], image[key], strict=True)
    ]


def test_the_loader_takes_our_boxes(tmp_path: Path) -> None:
    rows, images = read(tmp_path / "out", "box", "detect")
    found = entries(images, "box")
    for one in found:
        x, y, width, height = one["points"]
        one["points"] = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    matched(rows, found)


def test_the_loader_takes_our_polygons(tmp_path: Path) -> None:
    rows, images = read(tmp_path / "out", "polygon", "segment")
    matched(rows, entries(images, "segments"))


def test_the_loader_takes_our_turned_boxes(tmp_path: Path) -> None:
    rows, images = read(tmp_path / "out", "rotated_box", "obb")
    cornered = [
        {
            **row,
            "geometry": [
                rotated_corners(*(np.array([n]) for n in row["geometry"][0]))[0]
                .reshape(-1)
                .tolist()
            ],
        }
        for row in rows
    ]
    matched(cornered, entries(images, "segments"))


def test_the_loader_takes_our_key_points(tmp_path: Path) -> None:
    rows, images = read(tmp_path / "out", "keypoints", "pose")
    for image in images:
        image["points"] = [[n for point in pose for n in point[:2]] for pose in image["keypoints"]]
        assert all(point[2] == 2 for pose in image["keypoints"] for point in pose)
    posed = [
        {**row, "geometry": [[n for i, n in enumerate(row["geometry"][0]) if i % 3 < 2]]}
        for row in rows
    ]
    matched(posed, entries(images, "points"))


def test_the_loader_finds_an_empty_image_empty(tmp_path: Path) -> None:
    _, images = read(tmp_path / "out", "box", "detect")
    assert [image["class"] for image in images if image["image"] == "empty.png"] == [[]]
