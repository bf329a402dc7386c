"""Datumaro reads our CVAT and our VOC, and finds every label with every number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lineage.formats import WriteOptions
from lineage.formats.cvat.write import write as write_cvat
from lineage.formats.runs import mask_of
from lineage.formats.voc.write import write as write_voc
from tests.peers.environments import judged
from tests.peers.truth import KINDS, SIZES, Row, completeness, draw, matched, truth

pytestmark = pytest.mark.slow

STEMS = {Path(name).with_suffix("").as_posix(): name for name in SIZES}


def read(folder: Path, format_name: str) -> tuple[dict[str, list[int]], list[Row]]:
    """Return the sizes (height, width) of the images that datumaro finds, and the annotations."""
    found = judged("datumaro", "datumaro_reads", str(folder), format_name)
    images = {STEMS[image]: size for image, _, size in found["images"]}
    return images, [{**row, "image": STEMS[row["image"]]} for row in found["rows"]]


def test_datumaro_reads_every_kind_of_our_cvat(tmp_path: Path) -> None:
    found = truth(KINDS)
    report = write_cvat(
        tmp_path / "train.xml", found.labels, found.assets, WriteOptions(completeness())
    )
    assert report.n_labels == len(found.rows)
    draw(tmp_path / "images")
    images, rows = read(tmp_path, "cvat")
    assert images == {name: [height, width] for name, (width, height) in SIZES.items()}
    by_type = {
        "bbox": "box", "rotated_bbox": "rotated_box", "polygon": "polygon", "polyline": "polyline",
    }  # fmt: skip
    for type_, kind in by_type.items():
        ours = [row for row in found.rows if row["kind"] == kind]
        matched(ours, [row for row in rows if row["type"] == type_])
    posed = [
        {**row, "geometry": [[n for i, n in enumerate(row["geometry"][0]) if i % 3 < 2]]}
        for row in found.rows
        if row["kind"] == "keypoints"
    ]
    matched(posed, [row for row in rows if row["type"] == "points"])
    tags = sorted((row["image"], row["class"]) for row in rows if row["type"] == "label")
    assert tags == sorted((r["asset"], r["class"]) for r in found.rows if r["kind"] == "class")


def test_datumaro_reads_our_cvats_masks_and_whose_they_are(tmp_path: Path) -> None:
    found = truth(["mask"], annotators=2)
    write_cvat(tmp_path / "train.xml", found.labels, found.assets)
    draw(tmp_path / "images")
    _, rows = read(tmp_path, "cvat")
    theirs = {int(float(row["attributes"]["lineage_annotation"])): row for row in rows}
    assert len(theirs) == len(found.rows)
    for row in found.rows:
        height, width = (int(side) for side in row["geometry"][0])
        y, x = mask_of(np.array(row["geometry"][1]), height, width).nonzero()
        other = theirs[row["annotation"]]
        assert sorted(map(tuple, other["pixels"])) == sorted(
            zip(x.tolist(), y.tolist(), strict=True)
        )
        assert other["attributes"]["lineage_annotator"] == row["annotator"]


def test_datumaro_reads_our_voc(tmp_path: Path) -> None:
    found = truth(["box"])
    report = write_voc(tmp_path / "out", found.labels, found.assets, WriteOptions(completeness()))
    assert report.n_labels == len(found.rows)
    draw(tmp_path / "out" / "JPEGImages")
    images, rows = read(tmp_path / "out", "voc")
    assert images == {name: [height, width] for name, (width, height) in SIZES.items()}
    matched(found.rows, [row for row in rows if row["type"] == "bbox"])
