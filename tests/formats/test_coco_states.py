"""COCO in: how far images are, class by class, and the ledger's own numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lineage import columns
from lineage.formats import ReadOptions, WriteOptions
from lineage.formats.coco.read import read
from lineage.formats.coco.write import write
from tests.exports import coco
from tests.formats.test_coco_read import found_in

Json = dict[str, Any]
States = dict[tuple[str, str | None], tuple[str, str | None]]


def states(path: Path) -> States:
    rows = [row for c in read(path, ReadOptions()) for row in c.completeness.to_pylist()]
    found = {(row["asset"], row["class"]): (row["state"], row["reason"]) for row in rows}
    assert len(found) == len(rows)
    return found


def with_images(tmp_path: Path, *images: Json) -> Path:
    """Write a file of two classes whose images say what they are told to."""
    path = coco(tmp_path / "x.json", [(1, "a.jpg", "car", [1, 1, 5, 5]), (2, "b.jpg", "dog", [1, 1, 5, 5])])  # fmt: skip
    document = json.loads(path.read_text())
    for image, more in zip(document["images"], images, strict=False):
        image |= more
    document["images"].append({"id": 9, "file_name": "bare.jpg", "width": 5, "height": 5})
    path.write_text(json.dumps(document))
    return path


def test_lvis_says_which_classes_are_not_there_and_which_are_not_all_labelled(
    tmp_path: Path,
) -> None:
    path = with_images(
        tmp_path,
        {"neg_category_ids": [2], "not_exhaustive_category_ids": [1]},
        {"neg_category_ids": [1], "not_exhaustive_category_ids": []},
    )
    assert states(path) == {
        ("a.jpg", "dog"): ("complete_empty", None),
        ("a.jpg", "car"): ("in_progress", None),
        ("b.jpg", "car"): ("complete_empty", None),
    }
    # of the third image nobody says anything: it is no negative
    assert found_in(path).losses["image-without-labels"] == 1


def test_categories_may_stand_behind_the_images(tmp_path: Path) -> None:
    path = with_images(tmp_path, {"neg_category_ids": [2]})
    document = json.loads(path.read_text())
    categories = document.pop("categories")
    path.write_text(json.dumps(document | {"categories": categories}))
    assert states(path) == {("a.jpg", "dog"): ("complete_empty", None)}


def test_words_that_mean_nothing_are_counted(tmp_path: Path) -> None:
    path = with_images(
        tmp_path,
        {"neg_category_ids": [2, 77, [1], None], "not_exhaustive_category_ids": "none"},
        {"completeness": [{"state": "complete"}, {"state": "finished"}, 7, {"class": 3, "state": "complete"}]},
    )  # fmt: skip
    assert states(path) == {
        ("a.jpg", "dog"): ("complete_empty", None),
        ("b.jpg", None): ("complete", None),
    }
    assert found_in(path).losses["completeness-unread"] == 6


def test_the_key_in_a_name_is_no_statement(tmp_path: Path) -> None:
    path = with_images(tmp_path, {"license": '"completeness"', "flickr_url": "neg_category_ids"})
    assert states(path) == {}


def labels(*rows: Json) -> pa.Table:
    plain: Json = {
        "asset": "a.jpg", "width": 640, "height": 480, "class": "car", "kind": "box", "x_min": 1.0, "y_min": 1.0,
        "x_max": 9.0, "y_max": 9.0, "attributes": "{}", "annotator": "a-x", "schema": "s@1.0", "batch": "b",
        "stage": "final", "origin": "human", "split": "train", "revision": 7,
    }  # fmt: skip
    full = [{**plain, "annotation": at, **row} for at, row in enumerate(rows, start=40)]
    values = {name: [row.get(name) for row in full] for name in columns.DATASET.names}
    return pa.Table.from_batches([columns.batch_of(columns.DATASET, values, len(full))])


def images(*names: str) -> pa.Table:
    values = {"asset": list(names), "width": 640, "height": 480, "n_annotations": 0, "split": "train"}  # fmt: skip
    return pa.Table.from_batches([columns.batch_of(columns.DATASET_ASSETS, values, len(names))])


def test_what_we_wrote_comes_back_with_numbers_and_completeness(tmp_path: Path) -> None:
    told: States = {
        ("a.jpg", None): ("in_progress", None),
        ("a.jpg", "dog"): ("complete_empty", None),
        ("b.jpg", None): ("skipped", "blurred"),
    }
    values: dict[str, object] = {
        "asset": [asset for asset, _ in told], "class": [class_ for _, class_ in told],
        "state": [state for state, _ in told.values()], "reason": [why for _, why in told.values()],
        "batch": "b", "split": "train",
    }  # fmt: skip
    said = columns.batch_of(columns.DATASET_COMPLETENESS, values, len(told))
    path = tmp_path / "out.json"
    options = WriteOptions(pa.Table.from_batches([said]))
    write(path, labels({}, {"origin": "consensus"}), images("a.jpg", "b.jpg", "c.jpg"), options)
    assert states(path) == told
    found = found_in(path)
    assert [(r["annotation"], r["annotator"], r["origin"]) for r in found.labels] == [
        (40, "a-x", "human"),
        (41, "a-x", "consensus"),
    ]
    assert "annotation" not in found.extra()["attributions"]
    # an image of which something is said is no loss, the one of which nothing is said is
    assert found.losses == {"image-without-labels": 1}


@pytest.mark.parametrize("number", ["4", True, 0, -3, 1 << 80, 4.5, [4], None])
def test_a_number_that_is_none_is_not_believed(tmp_path: Path, number: object) -> None:
    path = coco(tmp_path / "x.json", [(1, "a.jpg", "car", [1, 1, 5, 5])], attributions={"annotation": number})  # fmt: skip
    (row,) = found_in(path).labels
    assert row["annotation"] is None


def test_files_that_say_nothing_pay_nothing(shared_data: Path) -> None:
    path = shared_data / "taco" / "v3-a35e9445.json"
    assert states(path) == {}
    assert all(row["annotation"] is None for row in found_in(path).labels)
