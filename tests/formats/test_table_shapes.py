"""Geometry out of cells: every way to write a box, outlines in every habit, masks."""

from __future__ import annotations

import csv
import io
import json
import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from lineage.formats.coco import rle
from lineage.formats.runs import runs_of
from tests.formats.tables import BOXES, CLASSES, Found, Json, found_in, with_

WAYS = {
    "xyxy": ("x_min", "y_min", "x_max", "y_max"),
    "xywh": ("x_min", "y_min", "box_width", "box_height"),
    "cxcywh": ("cx", "cy", "box_width", "box_height"),
}


def drawn(kind: str, *names: str, **more: object) -> Json:
    """Return a mapping of a kind whose geometry columns are called as their fields."""
    columns = {name: name for name in names}
    return with_({**CLASSES, "kind": kind}, columns=columns, **more)


def written(box: tuple[float, ...], way: str) -> tuple[float, ...]:
    x0, y0, x1, y1 = box
    if way == "xyxy":
        return box
    w, h = x1 - x0, y1 - y0
    return (x0, y0, w, h) if way == "xywh" else (x0 + w / 2, y0 + h / 2, w, h)


SIDES = st.floats(-1e4, 1e4).map(lambda x: round(x, 4))
BOX = st.tuples(SIDES, SIDES, SIDES, SIDES)


@given(
    st.lists(BOX, min_size=1, max_size=6),
    st.sampled_from(sorted(WAYS)),
    st.sampled_from(["px", "fraction", "percent"]),
    st.sampled_from([".", ","]),
    st.sampled_from(["columns", "constants", "assets"]),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60)
def test_random_boxes_come_back_whatever_way_they_are_written(
    boxes: list[tuple[float, ...]],
    way: str,
    unit: str,
    decimal: str,
    sizes: str,
    random: object,
) -> None:
    width, height = 640, 480
    part = {"px": (1.0, 1.0), "fraction": (width, height), "percent": (width / 100, height / 100)}
    names = ["image", "label", "w", "h", *WAYS[way]]
    random.shuffle(names)  # type: ignore[attr-defined]
    text = io.StringIO()
    sheet = csv.writer(text, delimiter=";" if decimal == "," else ",")
    sheet.writerow(names)
    for number, box in enumerate(boxes):
        cells = {"image": f"{number:03}.jpg", "label": "cat", "w": width, "h": height}
        for side, (name, value) in enumerate(zip(WAYS[way], written(box, way), strict=True)):
            cells[name] = repr(value / part[unit][side % 2]).replace(".", decimal)
        sheet.writerow([cells[name] for name in names])
    mapping = drawn("box", *WAYS[way], box=way, unit=unit, decimal=decimal)
    mapping["delimiter"] = ";" if decimal == "," else ","
    if sizes == "columns":
        mapping = with_(mapping, columns={"width": "w", "height": "h"})
    elif sizes == "constants":
        mapping["constants"] = {"width": width, "height": height}
    with tempfile.TemporaryDirectory() as folder:
        found = found_in(
            Path(folder), text.getvalue(), mapping, size_of=lambda name: (width, height)
        )
    assert not found.violations
    assert [row["asset"] for row in found.labels] == [f"{n:03}.jpg" for n in range(len(boxes))]
    exact = way == "xyxy" and unit == "px"
    np.testing.assert_allclose(found.boxes, boxes, rtol=0, atol=0 if exact else 1e-8)


def test_fractions_need_a_size_and_take_it_from_wherever_it_is(tmp_path: Path) -> None:
    rows = (
        "image,label,x1,y1,x2,y2,w,h\na,cat,0,0,1,1,20,10\nb,cat,0,0,1,1,,\nc,cat,0,0,1,1,0,7.5\n"
        "d,cat,0,0,1,1,x,8\n"
    )
    mapping = with_(BOXES, unit="fraction", columns={"width": "w", "height": "h"})
    known = {"b": (30, 40)}
    found = found_in(tmp_path, rows, mapping, size_of=known.get)
    assert found.boxes == [[0, 0, 20, 10], [0, 0, 30, 40]]
    assert {(line, rule) for line, rule, _, _ in found.wrong} == {
        (4, "not-a-size"),
        (5, "not-a-number"),
    }
    sizes = {row["name"]: (row["width"], row["height"]) for row in found.assets}
    # what was known before is not said again
    assert sizes == {"a": (20, 10), "b": (None, None), "c": (None, None), "d": (None, None)}
    unknown = found_in(tmp_path, rows.partition("c,cat")[0], mapping)
    assert unknown.wrong == [(3, "image-size-unknown", "w", "")]


def test_sizes_that_contradict_each_other_are_all_handed_on(tmp_path: Path) -> None:
    rows = "image,label,w,h\na,cat,10,20\na,cat,10,20\na,dog,11,20\na,dog,,\n"
    found = found_in(tmp_path, rows, with_(CLASSES, columns={"width": "w", "height": "h"}))
    assert [(row["width"], row["height"]) for row in found.assets] == [(10, 20), (11, 20)]


@pytest.mark.parametrize(
    ("names", "cells"),
    [
        (("cx", "cy", "radius"), "50,40,10"),
        (("cx", "cy", "radius_x", "radius_y"), "50,40,10,10"),
        (("cx", "cy", "box_width", "box_height"), "50,40,20,20"),
    ],
)
def test_circles_become_the_box_around_them(
    tmp_path: Path, names: tuple[str, ...], cells: str
) -> None:
    rows = f"image,label,{','.join(names)}\na,cat,{cells}\n"
    assert found_in(tmp_path, rows, drawn("box", *names, box="cxcywh")).boxes == [[40, 30, 60, 50]]


@pytest.mark.parametrize(("rotation", "sign"), [("clockwise", 1), ("counterclockwise", -1)])
@pytest.mark.parametrize("is_radii", [True, False])
def test_a_rotated_box_turns_in_pixels_the_way_the_mapping_says(
    tmp_path: Path, rotation: str, sign: int, is_radii: bool
) -> None:
    # 40 x 20 px about (100, 50) in an image that is not square, told in fractions
    sides = ("radius_x", "radius_y") if is_radii else ("box_width", "box_height")
    w, h = (20 / 400, 10 / 100) if is_radii else (40 / 400, 20 / 100)
    rows = f"image,label,cx,cy,{sides[0]},{sides[1]},angle\na,cat,0.25,0.5,{w},{h},30\n"
    mapping = drawn(
        "rotated_box", "cx", "cy", *sides, "angle",
        unit="fraction", rotation=rotation, constants={"width": 400, "height": 100},
    )  # fmt: skip
    found = found_in(tmp_path, rows, mapping)
    (numbers,) = found.labels[0]["geometry"]
    np.testing.assert_allclose(numbers, [100, 50, 40, 20, sign * 30])
    cos, sin = math.cos(math.pi / 6), math.sin(math.pi / 6)
    reach_x, reach_y = 20 * cos + 10 * sin, 20 * sin + 10 * cos
    np.testing.assert_allclose(
        found.boxes[0], [100 - reach_x, 50 - reach_y, 100 + reach_x, 50 + reach_y]
    )


@pytest.mark.parametrize(
    "cell",
    [
        "((1, 2.5), (30, 40))",
        "[[1,2.5],[30,40]]",
        "1 2.5 30 40",
        "1;2.5;30;4e1",
        "{1,2.5:30,40}",
        "(+1.0,2.5,30.,40)",
    ],
)
def test_corners_in_one_cell_are_read_whatever_stands_around_them(
    tmp_path: Path, cell: str
) -> None:
    rows = f'image,label,box\na,cat,"{cell}"\n'
    assert found_in(tmp_path, rows, drawn("box", "box")).boxes == [[1, 2.5, 30, 40]]
    rows += 'b,dog,\n"c",dog,"1,2,3"\nd,dog,"x1=1,2,3,4"\ne,dog,"1-2,3,4,5"\nf,dog,"1,2,3,1e999"\n'
    found = found_in(tmp_path, rows, drawn("box", "box"))
    assert found.boxes == [[1, 2.5, 30, 40]]
    assert [(line, rule) for line, rule, _, _ in found.wrong] == [
        (3, "not-a-box"),
        (4, "not-a-box"),
        (5, "not-a-box"),
        (6, "not-a-box"),
        (7, "not-finite"),
    ]


def test_a_box_cell_is_of_the_form_and_unit_of_the_mapping(tmp_path: Path) -> None:
    rows = 'image,label,box\na,cat,"[10, 20, 30, 40]"\n'
    mapping = drawn(
        "box", "box", box="xywh", unit="percent", constants={"width": 200, "height": 50}
    )
    assert found_in(tmp_path, rows, mapping).boxes == [[20, 10, 80, 30]]


SQUARE = [[0, 0, 4, 0, 4, 3]]


@pytest.mark.parametrize(
    "cell",
    [
        "0,0;4,0;4,3",
        "0,0 4,0 4,3",
        "0 0; 4 0; 4 3;",
        "0 0 4 0 4 3",
        "[[0,0],[4,0],[4,3]]",
        "[0, 0, 4, 0, 4, 3]",
        "[(0, 0), (4, 0), (4, 3)]",
        '[{"x": 0, "y": 0}, {"x": 4, "y": 0}, {"y": 3, "x": "4"}]',
        "[[0,0,4,0,4,3]]",
        "[[[0,0],[4,0],[4,3]]]",
    ],
)
def test_outlines_are_read_in_every_habit(tmp_path: Path, cell: str) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([["image", "label", "points"], ["a", "cat", cell]])
    for kind in ("polygon", "polyline"):
        found = found_in(tmp_path, text.getvalue(), drawn(kind, "points"))
        assert found.labels[0]["geometry"] == SQUARE
        assert found.boxes == [[0, 0, 4, 3]]


def test_parts_of_a_polygon_stay_parts_and_units_hold_for_points(tmp_path: Path) -> None:
    rows = 'image,label,points\na,cat,"[[0,0,0.5,0,0.5,0.5],[[0.8,0.8],[1,0.8],[1,1]]]"\n'
    mapping = drawn("polygon", "points", unit="fraction", constants={"width": 100, "height": 200})
    found = found_in(tmp_path, rows, mapping)
    first, second = found.labels[0]["geometry"]
    assert first == [0, 0, 50, 0, 50, 100]
    assert second == [80, 160, 100, 160, 100, 200]
    assert found.boxes == [[0, 0, 100, 200]]


@pytest.mark.parametrize(
    "cell",
    ["", "0,0;4,0", "0 0 4", "1,2,3;4,5,6;7,8,9", "[[0,0],[1,1],[2]]", "{}", "[", "[[0,0],[1,1],[2,null]]",
     "[[0,0],[1,1],[2,1e999]]", "[[0,0],[1,1],[2,true]]", "[]", "x", "e", "1;2;3", "[" * 600],
)  # fmt: skip
def test_what_is_no_outline_is_refused_with_its_cell(tmp_path: Path, cell: str) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([["image", "label", "points"], ["a", "cat", cell]])
    found = found_in(tmp_path, text.getvalue(), drawn("polygon", "points"))
    assert not found.labels
    assert [(line, rule, path) for line, rule, path, _ in found.wrong] == [
        (2, "not-points", "points")
    ]


def test_key_points_say_what_is_seen(tmp_path: Path) -> None:
    rows = (
        'image,label,points\na,cat,"1,2;3,4,1;9,9,0"\nb,cat,"[{""x"":1,""y"":2,""v"":1},[null,null]]"\n'
        'c,cat,"1,2,0;"\nd,cat,"1,2,7;"\ne,cat,"[1,2,2,3,4,2]"\n'
    )
    found = found_in(tmp_path, rows, drawn("keypoints", "points"))
    assert [row["geometry"] for row in found.labels] == [
        [[1, 2, 2, 3, 4, 1, 9, 9, 0]],
        [[1, 2, 1, 0, 0, 0]],
    ]
    assert found.boxes == [[1, 2, 3, 4], [1, 2, 1, 2]]
    assert [(line, rule) for line, rule, _, _ in found.wrong] == [
        (4, "too-few-points"),
        (5, "not-points"),
        (6, "not-points"),
    ]


def test_every_coordinate_may_have_a_column_of_its_own(tmp_path: Path) -> None:
    rows = (
        "image,label,x1,y1,x2,y2,x3,y3,x4,y4\na,cat,0,0,4,0,4,3,0,3\nb,cat,0,0,4,0,4,3,,\n"
        "c,cat,0,0,4,0,,,,\nd,cat,0,0,4,,4,3,0,3\ne,cat,0,0,,,4,3,0,3\nf,cat,0,0,4,z,4,3,0,3\n"
    )
    names = [f"{axis}{n}" for n in range(1, 5) for axis in "xy"]
    mapping = with_(CLASSES, kind="polygon", columns={"points": names})
    found = found_in(tmp_path, rows, mapping)
    assert [row["geometry"] for row in found.labels] == [[[0, 0, 4, 0, 4, 3, 0, 3]], SQUARE]
    assert [(line, rule) for line, rule, _, _ in found.wrong] == [
        (4, "too-few-points"),
        (5, "missing-value"),
        (6, "missing-value"),
        (7, "not-a-number"),
    ]
    points = found_in(tmp_path, rows.partition("c,cat")[0], with_(mapping, kind="keypoints"))
    assert points.labels[1]["geometry"] == [[0, 0, 2, 4, 0, 2, 4, 3, 2, 0, 0, 0]]


def test_masks_are_read_as_run_lengths_of_coco(tmp_path: Path) -> None:
    mask = np.zeros((6, 5), bool)
    mask[1:3, 2:4] = True
    compressed = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    counts = runs_of(mask).tolist()
    cells = [
        {"size": [6, 5], "counts": compressed["counts"].decode()},
        {"size": [6, 5], "counts": counts},
        {"size": [6, 5], "counts": rle.compressed(np.array(counts))},
        {"size": [5, 6], "counts": counts},
        {"size": [6, 5], "counts": [29]},
        {"size": [6, 5], "counts": [30]},
        {"size": [6, 5], "counts": "é"},
        {"size": [1 << 40, 1 << 40], "counts": []},
        {"counts": counts},
        [1, 2],
    ]
    text = io.StringIO()
    rows = [["a", "cat", json.dumps(cell)] for cell in cells]
    csv.writer(text).writerows([["image", "label", "mask"], *rows, ["a", "cat", ""]])
    mapping = drawn("mask", "mask", constants={"width": 5, "height": 6})
    found = found_in(tmp_path, text.getvalue(), mapping)
    assert found.boxes == [[2, 1, 4, 3]] * 3
    assert [row["geometry"] for row in found.labels] == [[[6, 5], counts]] * 3
    assert [(line, rule) for line, rule, _, _ in found.wrong] == [
        (line, "not-a-mask") for line in range(5, 13)
    ]


def test_the_kind_may_stand_in_a_column(tmp_path: Path) -> None:
    rows = (
        "image,label,what,cx,cy,w,h,angle,outline\na,cat,rect,10,10,4,2,,\na,cat,turned,10,10,4,2,90,\n"
        'a,cat,polygon,,,,,,"0,0;4,0;4,3"\na,cat,class,,,,,,\na,cat,arrow,1,1,1,1,1,\na,cat,skip,1,1,1,1,1,\n'
        "a,cat,mask,,,,,,\na,cat,,1,1,1,1,1,\n"
    )
    columns = {
        "cx": "cx", "cy": "cy", "box_width": "w", "box_height": "h", "angle": "angle",
        "points": "outline",
    }  # fmt: skip
    values = {"kind": {"rect": "box", "turned": "rotated_box", "skip": None}}
    mapping = with_(CLASSES, kind="what", box="cxcywh", columns=columns, values=values)
    found = found_in(tmp_path, rows, mapping)
    assert [row["kind"] for row in found.labels] == ["box", "rotated_box", "polygon", "class"]
    np.testing.assert_allclose(found.boxes[:2], [[8, 9, 12, 11], [9, 8, 11, 12]])
    assert [row["geometry"] for row in found.labels][2:] == [SQUARE, None]
    assert found.boxes[3] == [None] * 4
    assert found.losses == {"left-out: skip": 1}
    assert found.wrong == [
        (6, "unsupported-kind", "what", "arrow"),
        (8, "unsupported-kind", "what", "mask"),
        (9, "unsupported-kind", "what", ""),
    ]


def test_a_row_without_class_and_box_is_an_answer_that_found_nothing(tmp_path: Path) -> None:
    rows = "image,label,x1,y1,x2,y2\na,cat,1,2,3,4\nb,,,,,\na,,,,,\nc,cat,,,,\n"
    found = found_in(tmp_path, rows, BOXES)
    assert len(found.labels) == 1
    # a class that is nowhere is half a label
    assert {(line, rule) for line, rule, _, _ in found.wrong} == {(5, "missing-value")}
    assert found.roster == [("a", None, "labelled"), ("c", None, "labelled"), ("b", None, "empty")]


def test_a_constant_class_labels_only_what_has_a_place(tmp_path: Path) -> None:
    rows = "image,x1,y1,x2,y2\na,1,2,3,4\nb,,,,\n"
    mapping = with_(BOXES, constants={"class": "thing"})
    del mapping["columns"]["class"]
    found = found_in(tmp_path, rows, mapping)
    assert (found.classes, found.violations) == (["thing"], [])
    assert ("b", None, "empty") in found.roster


@pytest.mark.parametrize("way", ["xywh", "cxcywh"])
def test_sums_that_overflow_are_refused(tmp_path: Path, way: str) -> None:
    rows = f"image,label,{','.join(WAYS[way])}\na,cat,1.7e308,0,1.7e308,1\n"
    found = found_in(tmp_path, rows, drawn("box", *WAYS[way], box=way))
    assert not found.labels
    assert [rule for _, rule, _, _ in found.wrong] == ["not-finite"]


def test_no_drawn_label_comes_without_its_box(tmp_path: Path) -> None:
    found: Found = found_in(tmp_path, "image,label,box\na,cat,\n", drawn("box", "box"))
    assert [rule for _, rule, _, _ in found.wrong] == ["not-a-box"]
