"""First mappings: what is told from names and a look at cells, and what is left to a person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lineage.errors import BadInput
from lineage.formats.table.draft import draft
from lineage.formats.table.mapping import KEYS, parse
from tests.formats.tables import Found


def drafted(folder: Path, content: str | bytes) -> dict[str, Any]:
    path = folder / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = draft(path)
    # what a person is shown, and gives back
    again: dict[str, Any] = yaml.safe_load(yaml.safe_dump(found, sort_keys=False))
    assert again == found
    assert list(found) == [key for key in KEYS if key in found]
    return found


def read_back(folder: Path, content: str | bytes, **options: Any) -> Found:
    return Found(folder / "table.csv", drafted(folder, content), **options)


def test_corners_are_told_by_name_and_read_at_once(tmp_path: Path) -> None:
    rows = "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,64,48,cat,1,2,3,4\n"
    assert drafted(tmp_path, rows) == {
        "kind": "box",
        "box": "xyxy",
        "unit": "px",
        "columns": {
            "asset": "filename", "class": "class", "x_min": "xmin", "y_min": "ymin",
            "x_max": "xmax", "y_max": "ymax", "width": "width", "height": "height",
        },
    }  # fmt: skip
    found = read_back(tmp_path, rows)
    assert found.boxes == [[1, 2, 3, 4]]
    assert found.assets[0]["width"] == 64


def test_names_decide_and_not_their_order(tmp_path: Path) -> None:
    rows = "Y2,Label,X2,Y1,Image Name,X1\n4,cat,3,2,a.jpg,1\n"
    assert read_back(tmp_path, rows).boxes == [[1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("names", "cells", "form"),
    [
        ("x,y,width,height", "1,2,3,4", "xywh"),
        ("bbox_x,bbox_y,bbox_width,bbox_height", "1,2,3,4", "xywh"),
        ("x_center,y_center,w,h", "2.5,4,3,4", "cxcywh"),
        ("x,y,r", "5,5,2", "cxcywh"),
    ],
)
def test_sides_and_radii_tell_the_form(tmp_path: Path, names: str, cells: str, form: str) -> None:
    rows = f"image,label,{names}\na,cat,{cells}\n"
    assert drafted(tmp_path, rows)["box"] == form
    wanted = [3, 3, 7, 7] if names == "x,y,r" else [1, 2, 4, 6]
    assert read_back(tmp_path, rows).boxes == [wanted]


def test_cells_tell_fractions_decimal_commas_and_delimiters(tmp_path: Path) -> None:
    rows = "image;label;xmin;ymin;xmax;ymax\na;cat;0,5;0;1;0,25\n"
    found = drafted(tmp_path, rows)
    assert (found["unit"], found["decimal"], found["delimiter"]) == ("fraction", ",", ";")
    assert read_back(tmp_path, rows, size_of=lambda name: (10, 20)).boxes == [[5, 0, 10, 5]]
    assert drafted(tmp_path, "image\tlabel\na b\tc\n")["delimiter"] == "\t"
    assert "delimiter" not in drafted(tmp_path, "image,label\na b c,d\n")


def test_the_encoding_is_proposed_where_utf_8_is_not_it(tmp_path: Path) -> None:
    assert drafted(tmp_path, "image,label\nä,ö\n".encode("latin-1"))["encoding"] == "latin-1"
    assert drafted(tmp_path, "image,label\n“a”,ö\n".encode("cp1252"))["encoding"] == "windows-1252"
    assert "encoding" not in drafted(tmp_path, "image,label\nä,ö\n")


def test_lists_of_boxes_are_told_by_a_look(tmp_path: Path) -> None:
    rows = ',uid,item,annotation,err\n0,7,9,"[([1.0, 2.0], [3.0, 4.0])]",0.5\n1,8,9,[],0.5\n'
    assert drafted(tmp_path, rows) == {
        "kind": "box",
        "each": "annotation",
        "columns": {"id": "", "asset": "item", "annotator": "uid", "box": "."},
        "constants": {"class": "object"},
        "extra": ["err"],
    }
    assert read_back(tmp_path, rows).boxes == [[1, 2, 3, 4]]


def test_outlines_masks_and_boxes_of_coco_are_told_by_their_cells(tmp_path: Path) -> None:
    rows = 'id,image_id,category_id,bbox\n1,7,cat,"[10, 20, 5, 5]"\n'
    assert read_back(tmp_path, rows).boxes == [[10, 20, 15, 25]]
    rows = 'image,label,segmentation\na,cat,"[[0,0,4,0,4,3]]"\n'
    assert drafted(tmp_path, rows)["kind"] == "polygon"
    rows = 'image,label,segmentation\na,cat,"{""size"":[2,2],""counts"":[0,4]}"\n'
    assert drafted(tmp_path, rows)["kind"] == "mask"
    assert read_back(tmp_path, rows).boxes == [[0, 0, 2, 2]]


def test_times_that_count_seconds_are_seen(tmp_path: Path) -> None:
    head = "image,label,created_at\na,cat,"
    assert "time" not in drafted(tmp_path, head + "2017-01-06 20:36:55 UTC\n")
    assert drafted(tmp_path, head + "1483734995\n")["time"] == "unix"
    assert drafted(tmp_path, head + "1483734995123\n")["time"] == "unix_ms"
    assert "time" not in drafted(tmp_path, head + "2017-01-06T20:36:55Z\n")


def test_a_class_that_sounds_like_nothing_is_proposed_as_nothing(tmp_path: Path) -> None:
    found = drafted(tmp_path, "image,label\na,cat\nb,NOTHINGHERE\nc,none\n")
    assert found["values"] == {"class": {"NOTHINGHERE": None, "none": None}}


def test_what_is_not_recognised_is_kept_beside_and_what_is_missing_is_left_to_a_person(
    tmp_path: Path,
) -> None:
    found = drafted(tmp_path, "foo,bar\n1,2\n")
    assert found == {"kind": "class", "columns": {}, "extra": ["foo", "bar"]}
    with pytest.raises(BadInput, match=r"columns\.asset: missing; columns\.class: missing"):
        parse(found, "map.yaml")


def test_a_file_without_names_is_given_some_to_replace(tmp_path: Path) -> None:
    found = drafted(tmp_path, "1,-1,0,4,4,8\n2,-1,0,4,4,8\n")
    assert found["header"] == [f"column_{n}" for n in range(1, 7)]
    assert found["columns"] == {}


def test_ndjson_is_drafted_too(tmp_path: Path) -> None:
    rows = (
        json.dumps({"image": "a", "label": "cat", "bbox": [1, 2, 3, 4], "worker_id": "007"}) + "\n"
    )
    found = read_back(tmp_path, rows)
    assert found.boxes == [[1, 2, 3, 4]]
    assert found.labels[0]["annotator"] == "007"


MARKS = [
    {"tool": 0, "tool_label": "Galaxy", "x": 10, "y": 10, "r": 2},
    {"tool": 1, "tool_label": "Disk", "x": 10, "y": 10, "rx": 4, "ry": 2, "angle": 90},
    {"tool": 2, "tool_label": "Bezier", "points": [{"x": 0, "y": 0}] * 3, "closed": True},
    {"tool": 3, "tool_label": "Frame", "x": 1, "y": 1, "width": 2, "height": 2},
]


def zoo(folder: Path, tasks: list[dict[str, Any]], subject: dict[str, str] | None = None) -> str:
    import csv
    import io

    text = io.StringIO()
    names = [
        "classification_id",
        "user_name",
        "created_at",
        "annotations",
        "subject_data",
        "subject_ids",
    ]
    data = {"77": subject or {"Filename": "x.jpg", "site": "b"}}
    row = ["1", "ann", "2017-01-06 20:36:55 UTC", json.dumps(tasks), json.dumps(data), "77"]
    csv.writer(text).writerows([names, row])
    return text.getvalue()


def test_marks_of_zooniverse_become_what_they_are(tmp_path: Path) -> None:
    tasks = [{"task": "T1", "value": "Yes"}, {"task": "T0", "value": MARKS}]
    rows = zoo(tmp_path, tasks)
    found = drafted(tmp_path, rows)
    assert found["each"] == "annotations[task=T0].value"
    assert found["values"]["kind"] == {"0": "box", "1": "rotated_box", "2": None, "3": None}
    assert found["columns"]["asset"] == "subject_data.*.Filename"
    read = read_back(tmp_path, rows)
    assert [row["kind"] for row in read.labels] == ["box", "rotated_box"]
    assert read.boxes[0] == [8, 8, 12, 12]
    assert read.losses["left-out: 2"] == read.losses["left-out: 3"] == 1
    assert read.extra() == {"T1": "Yes"}
    frames = drafted(tmp_path, zoo(tmp_path, [{"task": "T0", "value": MARKS[3:]}]))
    assert frames["box"] == "xywh"


def test_a_question_of_zooniverse_is_a_class(tmp_path: Path) -> None:
    rows = zoo(tmp_path, [{"task": "T0", "value": "Yes"}], {"a": "x.jpg", "b": "y.jpg"})
    found = read_back(tmp_path, rows)
    assert [(row["asset"], row["class"]) for row in found.labels] == [("77", "Yes")]
    assert found.labels[0]["labelled_at"].isoformat() == "2017-01-06T20:36:55+00:00"
