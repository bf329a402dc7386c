"""Label Studio's own SDK judges our tasks by our configuration, and converts them to what they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow as pa
import pytest

from lineage import columns
from lineage.formats import WriteOptions
from lineage.formats.label_studio.config import configuration
from lineage.formats.label_studio.write import write
from lineage.formats.runs import mask_of
from tests.peers.environments import judged
from tests.peers.truth import CLASSES, KINDS, Row, Truth, completeness, matched, truth

pytestmark = pytest.mark.slow

ASKED = {
    "occluded": {"enum": ["none", "partly"]},
    "age": {"type": "integer", "minimum": 0},
    "taxi": {"type": "boolean"},
    "note": {"type": "string"},
    "parts": {"type": "array", "items": {"enum": ["hood", "wheel"]}},
}
ANSWER = {"occluded": "none", "age": 3, "taxi": True, "note": "x", "parts": ["hood", "wheel"]}


def with_attributes(found: Truth) -> Truth:
    """Give every box an answer to everything that is asked."""
    texts = [json.dumps(ANSWER) if row["kind"] == "box" else "{}" for row in found.rows]
    values = {name: found.labels[name] for name in columns.DATASET.names} | {"attributes": texts}
    labels = columns.batch_of(columns.DATASET, values, len(texts))
    return Truth(pa.Table.from_batches([labels]), found.assets, found.rows)


def read(folder: Path, found: Truth, kinds: tuple[str, ...], *, prelabels: bool = False) -> Any:
    """Return what the SDK makes of a data set under a schema of these kinds."""
    rules = {"kinds": list(kinds), "attributes": {"properties": ASKED}}
    schema = {"name": "s", "version": "1.0", "classes": dict.fromkeys(CLASSES, rules)}
    (folder / "config.xml").write_text(configuration(schema).text, "utf-8")
    options = WriteOptions(completeness(), prelabels, [schema])
    report = write(folder / "tasks.json", found.labels, found.assets, options)
    assert report.n_labels == len(found.rows)
    words = [str(folder / name) for name in ("tasks.json", "config.xml", "scratch")]
    return judged("label_studio", "label_studio_reads", *words)


@pytest.mark.parametrize("prelabels", [False, True])
def test_every_region_fits_our_configuration(tmp_path: Path, prelabels: bool) -> None:
    found = with_attributes(truth(KINDS, n_each=1, annotators=2))
    assert read(tmp_path, found, KINDS, prelabels=prelabels)["wrong"] == []


def test_a_region_under_another_name_would_not_fit(tmp_path: Path) -> None:
    found = truth(["box"], n_each=1)
    wrong = read(tmp_path, found, ("polygon",))["wrong"]
    assert len(wrong) >= len(found.rows)


def test_the_sdk_decodes_our_masks(tmp_path: Path) -> None:
    found = truth(["mask"])
    masks = read(tmp_path, found, ("mask",))["masks"]
    assert len(masks) == len(found.rows)
    for row in found.rows:
        height, width = (int(side) for side in row["geometry"][0])
        mask = mask_of(np.array(row["geometry"][1]), height, width)
        assert masks[f"L{row['annotation']}"] == np.flatnonzero(mask.reshape(-1)).tolist()


def test_the_sdk_makes_our_boxes_and_polygons_of_our_tasks(tmp_path: Path) -> None:
    kinds = ("box", "polygon", "class")
    found = truth(kinds)
    of_coco = coco(read(tmp_path, found, kinds))
    matched(of(found, "box"), [row for row in of_coco if row["kind"] == "box"])
    matched(of(found, "polygon"), [row for row in of_coco if row["kind"] == "polygon"])


def test_the_sdk_turns_our_boxes_as_we_do_where_percent_are_square(tmp_path: Path) -> None:
    # elsewhere it turns them in percent (label-studio 5223): no oracle
    found = truth(["rotated_box"], n_each=8)
    square = [
        row for row in coco(read(tmp_path, found, ("rotated_box",))) if row["image"] == "square.png"
    ]
    hulls = [
        {**row, "kind": "box"} for row in of(found, "rotated_box") if row["asset"] == "square.png"
    ]
    assert len(hulls) == 8
    matched(hulls, square)


def test_the_sdk_makes_voc_of_our_tasks_in_whole_pixels(tmp_path: Path) -> None:
    kinds = ("box", "class")
    found = truth(kinds)
    files = read(tmp_path, found, kinds)["voc"]
    theirs = sorted(
        (
            _name(root.findtext("filename", "")).split("/")[-1],
            entry.findtext("name"),
            *(int(entry.findtext(f"bndbox/{side}", "")) for side in ("xmin", "ymin")),
        )
        for root in map(ET.fromstring, files.values())
        for entry in root.findall("object")
    )
    ours = sorted(
        (row["asset"].split("/")[-1], row["class"], int(row["x_min"]), int(row["y_min"]))
        for row in of(found, "box")
    )
    assert theirs == ours


def of(found: Truth, kind: str) -> list[Row]:
    """Return the rows of a kind."""
    return [row for row in found.rows if row["kind"] == kind]


def coco(read_back: Any) -> list[Row]:
    """Return what the SDK's COCO says, as rows for `matched`."""
    names = {image["id"]: _name(image["file_name"]) for image in read_back["coco"]["images"]}
    classes = {c["id"]: c["name"] for c in read_back["coco"]["categories"]}
    rows = []
    for entry in read_back["coco"]["annotations"]:
        x, y, width, height = entry["bbox"]
        points, kind = [x, y, x + width, y + height], "box"
        if entry["segmentation"]:
            points, kind = entry["segmentation"][0], "polygon"
        rows.append(
            {
                "image": names[entry["image_id"]],
                "class": classes[entry["category_id"]],
                "kind": kind,
                "points": points,
            }
        )
    return rows


def _name(path: str) -> str:
    return unquote(path.split("d=")[-1])
