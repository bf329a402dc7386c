"""Real sheets: what their publishers say of them, counted against what comes in."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from lineage.formats.table.draft import draft
from tests.formats.tables import Found, Json

BCCD = """
kind: box
box: xyxy
unit: px
columns: {asset: filename, class: cell_type, x_min: xmin, y_min: ymin, x_max: xmax, y_max: ymax}
"""
CROWD = """
kind: box
each: annotation
columns: {id: "", asset: item, annotator: uid, box: .}
constants: {class: object}
"""
MICHIGAN = """
kind: class
each: annotations[task=T3].value
columns:
  id: classification_id
  asset: subject_ids
  annotator: user_name
  class: .choice
  labelled_at: created_at
  started_at: metadata.started_at
  utc_offset: metadata.utc_offset
  gold: gold_standard
attributes:
  how_many: .answers.HOWMANYANIMALSDOYOUSEE
  weather: 'annotations[task_label="What are the weather conditions in this image?"].value'
extra: {workflow_version: workflow_version, image: subject_data.*.image1}
values: {class: {NOTHINGHERE: null}}
"""
CLUSTERS = """
kind: .tool
box: cxcywh
rotation: counterclockwise
each: annotations[task=T0].value
columns:
  id: classification_id
  asset: subject_data.*.IMG_COLOR
  annotator: user_name
  class: .tool_label
  labelled_at: metadata.finished_at
  gold: gold_standard
  cx: .x
  cy: .y
  radius: .r
  radius_x: .rx
  radius_y: .ry
  angle: .angle
  points: .points
extra: {workflow_version: workflow_version, frame: .frame}
values: {kind: {"0": box, "1": box, "2": box, "3": rotated_box, "4": null, "5": polyline, "6": polygon}}
"""
OPEN_IMAGES = """
kind: box
unit: fraction
columns: {asset: ImageID, class: LabelName, x_min: XMin, y_min: YMin, x_max: XMax, y_max: YMax,
  score: Confidence, origin: Source}
asset_pattern: "{}.jpg"
attributes: {occluded: IsOccluded, group: IsGroupOf}
types: {occluded: boolean, group: boolean}
values: {origin: {xclick: human}, occluded: {"-1": null}, group: {"-1": null}}
"""
VOTT = """
kind: box
columns: {asset: image, class: label, x_min: xmin, y_min: ymin, x_max: xmax, y_max: ymax}
"""
DUCKS = """
kind: class
header: [image, person, mark]
skip_rows: 1
delimiter: " "
columns: {asset: image, annotator: person, class: mark}
values: {class: {"0": other, "1": duck}}
"""
DOCTORS = """
kind: class
columns: {asset: item, annotator: rater, class: rating}
"""


def read(path: Path, mapping: str, **options: Any) -> Found:
    document: Json = yaml.safe_load(mapping)
    return Found(path, document, **options)


def test_blood_cells_come_in_all_4_888(shared_data: Path) -> None:
    found = read(shared_data / "bccd" / "test.csv", BCCD)
    assert Counter(found.classes) == {"RBC": 4155, "WBC": 372, "Platelets": 361}
    assert len(found.assets) == len(found.roster) == 364
    # columns stand as xmin, xmax, ymin, ymax
    assert found.boxes[0] == [260, 177, 491, 376]
    flat = [r["asset"] for r, b in zip(found.labels, found.boxes, strict=True) if b[0] == b[2]]
    assert flat == ["BloodImage_00338.jpg", "BloodImage_00343.jpg"]
    assert not found.violations


def test_a_crowds_1_723_answers_hold_7_533_boxes(shared_data: Path) -> None:
    found = read(shared_data / "crowd_boxes" / "boundingbox_data.csv", CROWD)
    assert (len(found.labels), len(found.answers), len(found.violations)) == (7533, 1723, 0)
    assert len({row["annotator"] for row in found.labels}) == 196
    assert len({row["source_id"] for row in found.labels}) == 7533
    assert found.labels[0]["source_id"] == "0/0"
    # what a model thinks of an answer is no label
    assert found.losses == {"column-not-carried: pred_uerr": 1723}


def test_camera_traps_2_000_answers_of_31_people(shared_data: Path) -> None:
    found = read(shared_data / "camera_trap" / "michigan-sample.csv", MICHIGAN, chunk_rows=500)
    people = {row["annotator"] for row in found.answers}
    assert (len(found.answers), len(people)) == (2000, 31)
    assert sum(person.startswith("not-logged-in-") for person in people) == 15
    assert Counter(row["presence"] for row in found.answers) == {"labelled": 1875, "empty": 125}
    assert Counter(found.classes)["DEER"] == 805
    assert Counter(row["origin"] for row in found.labels)["ground_truth"] == 37
    # "463.55" is two integers
    assert {found.extra(row)["workflow_version"] for row in range(len(found.labels))} == {"463.55"}


def test_times_of_camera_traps_stand_in_two_forms(shared_data: Path) -> None:
    found = read(shared_data / "camera_trap" / "michigan-sample.csv", MICHIGAN)
    first = found.answers[0]
    # created_at "2017-01-06 20:36:55 UTC", started_at "2017-01-06T20:36:21.468Z"
    assert first["answered_at"].isoformat() == "2017-01-06T20:36:55+00:00"
    assert first["lead_time_s"] == pytest.approx(33.532)
    assert not found.losses.keys() & {"naive-time", "ambiguous-time"}


def test_marks_of_galaxies_come_in_by_what_drew_them(shared_data: Path) -> None:
    path = shared_data / "camera_trap" / "ap-aas229-test-classifications.csv"
    found = read(path, CLUSTERS)
    assert Counter(row["kind"] for row in found.labels) == {
        "box": 93,
        "rotated_box": 3,
        "polygon": 2,
    }
    assert len(found.answers) == 63
    assert Counter(row["presence"] for row in found.answers)["empty"] == 12
    assert {found.extra(row)["workflow_version"] for row in range(98)} == {
        "44.19",
        "49.26",
        "57.37",
    }
    # a Bezier's points are not on it; a line has its ends in other keys than points
    assert found.losses["left-out: 4"] == 2
    assert [(rule, value) for _, rule, _, value in found.wrong] == [("not-points", "")]
    turned = next(row for row in found.labels if row["kind"] == "rotated_box")
    assert turned["geometry"][0][4] == pytest.approx(30.256437163529277)


def test_open_images_are_fractions_of_sizes_that_must_be_known(shared_data: Path) -> None:
    folder = shared_data / "tool_exports_small" / "open_images_dataset" / "v6" / "annotations"
    path = folder / "test-annotations-bbox.csv"
    assert [rule for _, rule, _, _ in read(path, OPEN_IMAGES).wrong] == ["image-size-unknown"]
    found = read(path, OPEN_IMAGES, size_of=lambda name: (100, 200))
    assert found.boxes == [[70, 0, 80, 100]]
    assert found.labels[0]["asset"] == "c.jpg"
    assert json.loads(found.labels[0]["attributes"]) == {"group": True, "occluded": True}
    train = read(
        folder / "oidv6-train-annotations-bbox.csv", OPEN_IMAGES, size_of=lambda _: (10, 10)
    )
    assert train.labels[0]["attributes"] == "{}"


def test_a_verified_absence_is_no_label(shared_data: Path) -> None:
    folder = shared_data / "tool_exports_small" / "open_images_dataset" / "v6" / "annotations"
    path = folder / "oidv6-train-annotations-human-imagelabels.csv"
    found = Found(path, draft(path))
    assert [(row["asset"], row["class"]) for row in found.labels] == [("a.jpg", "/m/0")]
    assert [(r["asset"], r["class"], r["state"]) for r in found.completeness] == [
        ("a.jpg", "/m/0", "complete"),
        ("b.jpg", "/m/0", "complete_empty"),
    ]


def test_vott_quotes_its_cells(shared_data: Path) -> None:
    path = shared_data / "tool_exports_small" / "vott_csv_dataset" / "dataset" / "train-export.csv"
    found = read(path, VOTT)
    assert found.boxes == [[6.7, 10.3, 10, 15], [1, 2, 2, 4], [13.7, 20.2, 45.6, 63.6]]


def test_ducks_have_no_names_of_columns(shared_data: Path) -> None:
    found = read(shared_data / "bluebirds" / "ducks" / "labels.txt", DUCKS)
    assert len(found.labels) == len(found.roster) == 9600
    assert len({row["asset"] for row in found.labels}) == 240
    assert len({row["annotator"] for row in found.labels}) == 53


def test_the_doctor_who_rated_three_times_did(shared_data: Path) -> None:
    found = read(shared_data / "anaesthetists" / "anesthesia.csv", DOCTORS)
    assert Counter(row["annotator"] for row in found.labels) == {
        "1.0": 135, "2.0": 45, "3.0": 45, "4.0": 45, "5.0": 45,
    }  # fmt: skip
    assert len(found.roster) == 45 * 5


@pytest.mark.parametrize(
    ("path", "n_labels"),
    [
        ("bccd/test.csv", 4888),
        ("crowd_boxes/boundingbox_data.csv", 7533),
        ("anaesthetists/anesthesia.csv", 315),
        ("camera_trap/michigan-sample.csv", 1875),
        ("camera_trap/michigan-flattened.csv", 1875),
        ("camera_trap/ap-aas229-test-classifications.csv", 98),
        ("camera_trap/ap-aas229-test-markings.csv", 80),
        ("tool_exports_small/vott_csv_dataset/dataset/test-export.csv", 2),
        ("tool_exports_small/open_images_dataset/v6/annotations/test-annotations-bbox.csv", 1),
        ("tool_exports_small/open_images_dataset/v6/annotations/train-annotations-object-segmentation.csv", 1),
    ],
)  # fmt: skip
def test_the_first_mapping_of_a_real_sheet_reads_it_whole(
    shared_data: Path, path: str, n_labels: int
) -> None:
    found = Found(shared_data / path, draft(shared_data / path), size_of=lambda name: (640, 480))
    assert len(found.labels) == n_labels
    assert not found.violations
