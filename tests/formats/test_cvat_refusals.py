"""What a CVAT file holds that cannot become a row: quarantined with its place, the rest goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.formats.test_cvat_read import BOX, box_of, export, image, only_label, read_one


@pytest.mark.parametrize(
    ("shape", "rule", "path"),
    [
        ('<box label="c" xtl="1" ytl="2" xbr="3"/>', "missing-attribute", "/@ybr"),
        ('<box label="c" xtl="NaN" ytl="2" xbr="3" ybr="4"/>', "not-finite", "/@xtl"),
        ('<box label="c" xtl="1" ytl="-inf" xbr="3" ybr="4"/>', "not-finite", "/@ytl"),
        ('<box label="c" xtl="1" ytl="2" xbr="3,5" ybr="4"/>', "not-a-number", "/@xbr"),
        ('<box label="c" xtl="1" ytl="2" xbr="1_0" ybr="4"/>', "not-a-number", "/@xbr"),
        ('<box label="c" xtl="1" ytl="2" xbr="3" ybr="4" rotation="inf"/>', "not-finite", "/@rotation"),
        ('<polygon label="c" points="1,2;3,4"/>', "too-few-points", "/@points"),
        ('<polygon label="c" points=""/>', "too-few-points", "/@points"),
        ('<polygon label="c" points="1,2;3;4,5"/>', "points", "/@points"),
        ('<polygon label="c" points="1,2;3,4,5;6,7"/>', "not-a-number", "/@points"),
        ('<polyline label="c" points="1,2"/>', "too-few-points", "/@points"),
        ('<points label="c"/>', "missing-attribute", "/@points"),
        ('<ellipse label="c" cx="1" cy="2" rx="nan" ry="4"/>', "not-finite", "/@rx"),
        ('<mask label="c" rle="1,2" left="0" top="0" width="2" height="2"/>', "mask-runs", "/@rle"),
        ('<mask label="c" rle="5,-1" left="0" top="0" width="2" height="2"/>', "mask-runs", "/@rle"),
        ('<mask label="c" rle="4" left="0" top="0" width="2" height="2"/>', "mask-runs", "/@rle"),
        ('<mask label="c" rle="a" left="0" top="0" width="2" height="2"/>', "mask-runs", "/@rle"),
        ('<mask label="c" rle="0,4" left="19" top="0" width="2" height="2"/>', "mask-runs", "/@rle"),
        ('<mask label="c" rle="0,4" left="-1" top="0" width="2" height="2"/>', "mask-runs", "/@rle"),
        ('<mask label="c" rle="0,4" left="0.5" top="0" width="2" height="2"/>', "mask-window", "/@left"),
        (
            '<mask label="c" rle="0,999999999999999999999" left="0" top="0" width="2" height="2"/>',
            "mask-runs",
            "/@rle",
        ),
        (
            '<mask label="c" rle="0,4" left="0" top="0" width="1000000000000000000" height="1"/>',
            "mask-window",
            "/@width",
        ),
        ('<cuboid label="c" xtl1="1" ytl1="1"/>', "unsupported-kind", ""),
        ('<skeleton label="c"><points label="1" outside="1" points="1,2"/></skeleton>', "no-visible-point", ""),
        ('<skeleton label="c"/>', "no-visible-point", ""),
        (
            '<skeleton label="c"><points label="1" points="1,2"/><points label="1" points="1,2"/></skeleton>',
            "duplicate-point",
            "/*[2]/@label",
        ),
        ('<skeleton label="c"><box label="1"/></skeleton>', "unsupported-kind", "/*[1]"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_row_is_a_violation_and_the_rest_goes_on(
    tmp_path: Path, shape: str, rule: str, path: str
) -> None:
    chunk = read_one(export(tmp_path, image(BOX) + image(shape + BOX, name="b.jpg", number=1)))
    assert chunk.labels["asset"].to_pylist() == ["a.jpg", "b.jpg"]
    (row,) = chunk.violations.to_pylist()
    assert (row["rule"], row["path"]) == (rule, f"/annotations/image[2]/*[1]{path}")
    assert (row["position"], row["asset"], row["annotation"]) == (1, "b.jpg", None)
    assert json.loads(row["label"])["label"] == "c"
    assert len(row["value"]) <= 200


def test_inverted_and_outlying_boxes_are_passed_on_as_they_are(tmp_path: Path) -> None:
    row = only_label(tmp_path, '<box label="c" xtl="30" ytl="2" xbr="-3" ybr="2"/>')
    assert box_of(row) == (30.0, 2.0, -3.0, 2.0)


def test_a_shape_without_a_class_is_left_to_the_schema_to_refuse(tmp_path: Path) -> None:
    assert only_label(tmp_path, '<polyline label="" points="1,2;3,4"/>')["class"] is None


@pytest.mark.parametrize(
    ("name", "rule"),
    [("../../etc/passwd", "asset-name"), ("C:\\a.png", "asset-name"), ("a&#9;b", "asset-name"), ("", "image")],
)  # fmt: skip
def test_labels_of_an_image_with_an_impossible_name_are_quarantined(
    tmp_path: Path, name: str, rule: str
) -> None:
    chunk = read_one(export(tmp_path, image(BOX * 2, name=name) + image(BOX)))
    assert chunk.violations["rule"].to_pylist() == [rule, rule]
    assert chunk.assets["name"].to_pylist() == chunk.labels["asset"].to_pylist() == ["a.jpg"]


@pytest.mark.parametrize("width", ["1e18", "wide", "nan", "2.5", "99999999999"])
def test_an_absurd_image_size_is_unknown_and_counted(tmp_path: Path, width: str) -> None:
    path = export(
        tmp_path, f'<image id="{10**18}" name="a" width="{width}" height="0">{BOX}</image>'
    )
    chunk = read_one(path)
    (asset,) = chunk.assets.to_pylist()
    assert (asset["width"], asset["height"]) == (None, 0)
    assert chunk.losses == {"image-size": 1}


def test_a_repeated_image_id_within_a_task_is_counted(tmp_path: Path) -> None:
    path = export(tmp_path, image(BOX) + image(BOX, name="b.jpg"))
    assert read_one(path).losses == {"repeated-image-id": 1}
