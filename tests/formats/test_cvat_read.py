"""Reading CVAT XML: every kind of shape, who made it, and what cannot become a row."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from lineage.formats import Chunk, ReadOptions
from lineage.formats.cvat.read import read

Row = dict[str, Any]
ASSIGNED = "<owner><username>olga</username><email>o@x.org</email></owner><assignee><username>anna</username><email/></assignee>"
NOBODY = "<owner></owner><assignee></assignee>"


def export(tmp_path: Path, body: str, *, meta: str = f"<task><id>7</id>{ASSIGNED}</task>") -> Path:
    path = tmp_path / "export.xml"
    path.write_text(
        f'<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>'
        f"<meta>{meta}<dumped>2025-06-20 15:34:40.219955+00:00</dumped></meta>{body}</annotations>",
        encoding="utf-8",
    )
    return path


def image(shapes: str, *, name: str = "a.jpg", number: int = 0, more: str = "") -> str:
    return f'<image id="{number}" name="{name}" width="20" height="10" {more}>{shapes}</image>'


def read_one(path: Path, options: ReadOptions | None = None) -> Chunk:
    chunks = list(read(path, options or ReadOptions()))
    assert len(chunks) == 1
    return chunks[0]


def only_label(tmp_path: Path, shape: str, *, meta: str | None = None) -> Row:
    path = export(tmp_path, image(shape), **({} if meta is None else {"meta": meta}))
    chunk = read_one(path)
    assert chunk.violations.num_rows == 0
    row: Row
    (row,) = chunk.labels.to_pylist()
    row["extra"] = json.loads(row["extra"] or "{}")
    return row


def box_of(row: Row) -> tuple[Any, ...]:
    return row["x_min"], row["y_min"], row["x_max"], row["y_max"]


BOX = (
    '<box label="cat" source="manual" occluded="0" xtl="1.5" ytl="2" xbr="3" ybr="4" z_order="0"/>'
)


def test_a_box_is_read_as_it_stands_and_nothing_is_invented(tmp_path: Path) -> None:
    row = only_label(tmp_path, BOX)
    assert box_of(row) == (1.5, 2.0, 3.0, 4.0)
    assert (row["kind"], row["class"], row["annotator"]) == ("box", "cat", "anna")
    assert row["geometry"] is None
    assert row["source_id"] is row["labelled_at"] is row["created_by"] is None
    assert row["extra"] == {"annotator_from": "assignee"}


@pytest.mark.parametrize("rotation", ["0", "360", "-720.0"])
def test_a_rotation_by_whole_turns_is_none(tmp_path: Path, rotation: str) -> None:
    row = only_label(
        tmp_path, f'<box label="c" xtl="1" ytl="2" xbr="3" ybr="4" rotation="{rotation}"/>'
    )
    assert row["kind"] == "box"


def test_a_box_turns_clockwise_about_its_centre(tmp_path: Path) -> None:
    row = only_label(tmp_path, '<box label="c" xtl="4" ytl="4" xbr="10" ybr="6" rotation="90"/>')
    assert row["kind"] == "rotated_box"
    assert row["geometry"] == [[7.0, 5.0, 6.0, 2.0, 90.0]]
    assert box_of(row) == pytest.approx((6, 2, 8, 8))
    tilted = only_label(tmp_path, '<box label="c" xtl="0" ytl="4" xbr="10" ybr="4" rotation="30"/>')
    # with y pointing down, clockwise moves the right end of a level line down
    assert box_of(tilted) == pytest.approx(
        (5 - 5 * math.cos(math.pi / 6), 4 - 2.5, 5 + 5 * math.cos(math.pi / 6), 4 + 2.5)
    )


def test_polygons_and_polylines_keep_their_points(tmp_path: Path) -> None:
    row = only_label(tmp_path, '<polygon label="c" points="1,2;3.5,4;6,-5"/>')
    assert row["geometry"] == [[1.0, 2.0, 3.5, 4.0, 6.0, -5.0]]
    assert (row["kind"], box_of(row)) == ("polygon", (1.0, -5.0, 6.0, 4.0))
    row = only_label(tmp_path, '<polyline label="c" points="1,2;3,4"/>')
    assert (row["kind"], row["geometry"]) == ("polyline", [[1.0, 2.0, 3.0, 4.0]])


def test_points_are_seen_key_points(tmp_path: Path) -> None:
    row = only_label(tmp_path, '<points label="c" occluded="1" points="1,2;3,4"/>')
    assert (row["kind"], row["geometry"]) == ("keypoints", [[1.0, 2.0, 2.0, 3.0, 4.0, 2.0]])
    assert row["extra"]["occluded"] is True


def test_an_ellipse_becomes_a_polygon_and_keeps_its_parameters(tmp_path: Path) -> None:
    row = only_label(tmp_path, '<ellipse label="c" cx="9" cy="5" rx="4" ry="2" rotation="90"/>')
    (points,) = row["geometry"]
    assert (row["kind"], len(points)) == ("polygon", 144)
    assert box_of(row) == pytest.approx((7, 1, 11, 9))
    assert row["extra"]["ellipse"] == {"cx": 9, "cy": 5, "rx": 4, "ry": 2, "rotation": 90}
    for x, y in zip(points[0::2], points[1::2], strict=True):
        assert ((x - 9) / 2) ** 2 + ((y - 5) / 4) ** 2 == pytest.approx(1)


def test_a_mask_runs_row_by_row_within_its_window(tmp_path: Path) -> None:
    # rows of the 3 x 2 window: .## / #..   (an odd number of runs is usual)
    row = only_label(
        tmp_path,
        '<mask label="c" rle="1, 3, 2" left="4" top="7" width="3" height="2"/>',
    )
    size, counts = row["geometry"]
    assert (row["kind"], size) == ("mask", [10.0, 20.0])
    bits = [bit for i, n in enumerate(counts) for bit in [i % 2] * int(n)]
    assert len(bits) == 200
    set_ = {(at // 10, at % 10) for at, bit in enumerate(bits) if bit}
    assert set_ == {(5, 7), (6, 7), (4, 8)}
    assert box_of(row) == (4.0, 7.0, 7.0, 9.0)


SKELETON_META = (
    "<task><labels><label><name>hand</name><type>skeleton</type></label>"
    + "".join(
        f"<label><name>{name}</name><type>points</type><parent>hand</parent></label>"
        for name in ("wrist", "thumb", "index")
    )
    + "</labels></task>"
)


def test_a_skeletons_points_come_in_the_order_of_its_label(tmp_path: Path) -> None:
    row = only_label(
        tmp_path,
        '<skeleton label="hand" z_order="2"><points label="index" outside="1" occluded="0" points="9,9"/>'
        '<points label="wrist" outside="0" occluded="1" points="1,2"><attribute name="t">x</attribute></points>'
        '<attribute name="side">left</attribute></skeleton>',
        meta=SKELETON_META,
    )
    assert row["geometry"] == [[1.0, 2.0, 1.0, 0.0, 0.0, 0.0, 9.0, 9.0, 0.0]]
    assert box_of(row) == (1.0, 2.0, 1.0, 2.0)
    assert row["extra"]["names"] == ["wrist", "thumb", "index"]
    assert row["extra"]["point_attributes"] == {"wrist": {"t": "x"}}
    assert (json.loads(row["attributes"]), row["extra"]["z_order"]) == ({"side": "left"}, 2)


def test_a_tag_is_a_class_without_a_box(tmp_path: Path) -> None:
    row = only_label(tmp_path, '<tag label="blurry" source="manual"/>')
    assert (row["kind"], row["geometry"], box_of(row)) == ("class", None, (None,) * 4)


INPUTS = "".join(
    f"<attribute><name>{name}</name><mutable>False</mutable><input_type>{kind}</input_type></attribute>"
    for name, kind in [
        ("hidden", "checkbox"),
        ("age", "number"),
        ("code", "text"),
        ("pose", "select"),
    ]
)


def test_attributes_have_the_types_that_their_label_declares(tmp_path: Path) -> None:
    meta = f"<task><labels><label><name>cat</name><attributes>{INPUTS}</attributes></label></labels></task>"
    given = {"hidden": "true", "age": "-2.50", "code": "007", "pose": "v\u00e9 ", "new": "1"}
    shape = "".join(f'<attribute name="{name}">{text}</attribute>' for name, text in given.items())
    row = only_label(tmp_path, BOX.replace("/>", f">{shape}</box>"), meta=meta)
    assert (
        row["attributes"] == '{"age":-2.5,"code":"007","hidden":true,"new":"1","pose":"v\u00e9 "}'
    )


@pytest.mark.parametrize("text", ["maybe", "2,5", "nan", "1e999", "1_0", ""])
def test_an_attribute_that_does_not_fit_its_type_stays_text(tmp_path: Path, text: str) -> None:
    meta = f"<task><labels><label><name>cat</name><attributes>{INPUTS}</attributes></label></labels></task>"
    shape = f'<attribute name="hidden">{text}</attribute><attribute name="age">{text}</attribute>'
    row = only_label(tmp_path, BOX.replace("/>", f">{shape}</box>"), meta=meta)
    assert json.loads(row["attributes"]) == {"hidden": text, "age": text}


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        ("manual", "human"),
        ("semi-auto", "assisted"),
        ("Ground truth", "ground_truth"),
        ("consensus", "consensus"),
        ("file", "human"),
        ("the vendor's tool", "human"),
    ],
)
def test_the_source_tells_the_origin_and_is_kept(tmp_path: Path, source: str, origin: str) -> None:
    row = only_label(tmp_path, BOX.replace("manual", source))
    assert (row["origin"], row["annotator"]) == (origin, "anna")
    assert row["extra"].get("source", "manual") == source


def test_an_automatic_label_is_a_models_and_on_nobodys_roster(tmp_path: Path) -> None:
    chunk = read_one(export(tmp_path, image(BOX.replace("manual", "auto"))))
    (row,) = chunk.labels.to_pylist()
    assert (row["origin"], row["annotator"]) == ("model", "model")
    assert chunk.roster.num_rows == 0
    assert chunk.losses == {}


def test_what_is_not_the_default_goes_to_extra(tmp_path: Path) -> None:
    shape = BOX.replace('occluded="0"', 'occluded="1" group_id="3" quality="good"').replace(
        'z_order="0"', 'z_order="-2"'
    )
    (row,) = read_one(
        export(tmp_path, image(shape, more='subset="Train" task_id="7"'))
    ).labels.to_pylist()
    assert json.loads(row["extra"]) == {
        "annotator_from": "assignee", "occluded": True, "z_order": -2, "group_id": 3,
        "subset": "Train", "task_id": "7", "xml": {"quality": "good"},
    }  # fmt: skip


def test_the_assignee_comes_first_then_the_flag_then_the_owner(tmp_path: Path) -> None:
    flag = ReadOptions(annotator="frida")
    owned = "<job><id>1</id><owner><username>olga</username></owner><assignee></assignee></job>"

    def who(meta: str, options: ReadOptions) -> tuple[Any, ...]:
        (row,) = read_one(export(tmp_path, image(BOX), meta=meta), options).labels.to_pylist()
        return row["annotator"], json.loads(row["extra"] or "{}").get("annotator_from")

    assert who(f"<job>{ASSIGNED}</job>", flag) == ("anna", "assignee")
    assert who(owned, flag) == ("frida", "flag")
    assert who(owned, ReadOptions(annotator_of_file={"export.xml": "fred"})) == ("fred", "flag")
    assert who(owned, ReadOptions()) == ("olga", "owner")
    assert who(f"<task>{NOBODY}</task>", ReadOptions()) == (None, None)
    assert who("", ReadOptions()) == (None, None)


def test_in_a_project_each_task_has_its_own_person_and_ids_repeat(tmp_path: Path) -> None:
    tasks = "".join(
        f"<task><id>{number}</id><owner></owner><assignee>{who}</assignee></task>"
        for number, who in [
            (1, "<username>anna</username>"),
            (2, "<username>ben</username>"),
            (3, ""),
        ]
    )
    meta = f"<project><id>1</id><tasks>{tasks}</tasks><owner><username>olga</username></owner></project>"
    images = "".join(
        image(BOX, name=f"{number}.jpg", more=f'task_id="{number}"') for number in (1, 2, 3)
    )
    chunk = read_one(export(tmp_path, images, meta=meta))
    assert chunk.labels["annotator"].to_pylist() == ["anna", "ben", None]
    assert chunk.labels["position"].to_pylist() == [0, 1, 2]
    assert chunk.losses == {}


def test_an_image_without_shapes_is_empty_only_where_the_export_says_completed(
    tmp_path: Path,
) -> None:
    unknown = read_one(export(tmp_path, image("")))
    assert (unknown.roster.num_rows, unknown.losses) == (0, {"image-without-labels": 1})
    assert unknown.assets.to_pylist()[0]["name"] == "a.jpg"
    done = read_one(
        export(tmp_path, image(""), meta=f"<job><state>completed</state>{ASSIGNED}</job>")
    )
    (answer,) = done.roster.to_pylist()
    assert (answer["asset"], answer["annotator"], answer["presence"]) == ("a.jpg", "anna", "empty")
    nobody = read_one(
        export(tmp_path, image(""), meta=f"<job><state>completed</state>{NOBODY}</job>")
    )
    assert nobody.roster.num_rows == 0


def test_a_labelled_image_is_on_its_annotators_roster_once(tmp_path: Path) -> None:
    chunk = read_one(export(tmp_path, image(BOX * 3)))
    (answer,) = chunk.roster.to_pylist()
    assert (answer["annotator"], answer["presence"]) == ("anna", "labelled")


def test_asset_names_keep_their_folders_and_spaces(tmp_path: Path) -> None:
    chunk = read_one(export(tmp_path, image(BOX, name="day 1\\caf\u00e9/b c.png")))
    (asset,) = chunk.assets.to_pylist()
    assert asset["name"] == "day 1/caf\u00e9/b c.png"
    assert (asset["uri"], asset["width"], asset["height"]) == ("day 1\\caf\u00e9/b c.png", 20, 10)


TRACKS = """
<track id="4" label="car" source="manual" group_id="2"><attribute name="colour">red</attribute>
<box frame="12" outside="0" occluded="0" keyframe="1" xtl="1" ytl="2" xbr="3" ybr="4" z_order="0"/>
<box frame="13" outside="0" occluded="0" keyframe="0" xtl="1" ytl="2" xbr="3" ybr="4" z_order="0">
<attribute name="colour">blue</attribute></box>
<box frame="14" outside="1" occluded="0" keyframe="1" xtl="1" ytl="2" xbr="3" ybr="4" z_order="0"/>
<box frame="14" outside="1" occluded="0" keyframe="1" xtl="1" ytl="2" xbr="3" ybr="4" z_order="0"/>
<box frame="12" outside="0" occluded="0" keyframe="1" xtl="1" ytl="2" xbr="3" ybr="4" z_order="0"/>
<box frame="soon" outside="0" xtl="1" ytl="2" xbr="3" ybr="4"/>
</track>"""


def test_a_tracks_interpolated_shapes_are_told_from_key_frames(tmp_path: Path) -> None:
    size = "<original_size><width>25</width><height>20</height></original_size>"
    meta = f"<task><id>5</id><name>clip 1</name>{ASSIGNED}{size}</task>"
    chunk = read_one(export(tmp_path, TRACKS, meta=meta))
    rows = chunk.labels.to_pylist()
    assert [row["asset"] for row in rows] == ["clip 1/frame_000012", "clip 1/frame_000013"]
    assert [row["origin"] for row in rows] == ["human", "interpolated"]
    assert [row["attributes"] for row in rows] == ['{"colour":"red"}', '{"colour":"blue"}']
    assert json.loads(rows[1]["extra"]) == {
        "annotator_from": "assignee", "frame": 13, "track": "4", "group_id": 2,
    }  # fmt: skip
    assert chunk.losses == {"outside": 2}
    assert chunk.violations["rule"].to_pylist() == ["duplicate-frame", "frame"]
    assert chunk.assets["width"].to_pylist() == [25, 25]


def test_our_own_attributes_are_provenance_and_name_the_annotator(tmp_path: Path) -> None:
    ours = {
        "annotation": "12",
        "revision": "30",
        "annotator": "p-1",
        "batch": "b",
        "schema": "s@1.0",
    }
    shape = "".join(f'<attribute name="lineage_{k}">{v}</attribute>' for k, v in ours.items())
    shape += '<attribute name="lineage_stage"></attribute><attribute name="lineage_x">1</attribute>'
    row = only_label(tmp_path, BOX.replace("/>", f">{shape}</box>"), meta=f"<task>{NOBODY}</task>")
    assert row["attributes"] == '{"lineage_x":"1"}'
    assert row["annotator"] == "p-1"
    assert row["extra"]["lineage"] == ours | {"annotation": 12, "revision": 30}
    assert row["extra"]["annotator_from"] == "lineage"


def test_chunks_are_bounded_and_never_split_an_image(tmp_path: Path) -> None:
    images = "".join(image(BOX * 3, name=f"{n}.jpg", number=n) for n in range(7))
    images += image(BOX * 9, name="many.jpg", number=7) + image("", name="none.jpg", number=8)
    chunks = list(read(export(tmp_path, images), ReadOptions(chunk_rows=7)))
    assert [chunk.labels.num_rows for chunk in chunks] == [6, 6, 6, 3, 9, 0]
    seen: set[str] = set()
    for chunk in chunks:
        names = set(chunk.labels["asset"].to_pylist())
        assert not names & seen
        seen |= names
    assert len(seen) == 8


def independent_count(path: Path) -> tuple[int, int]:
    root = ET.parse(path).getroot()
    shapes = [s for parent in root if parent.tag in ("image", "track") for s in parent]
    return len({i.get("name") for i in root.iter("image")}), sum(
        s.tag != "attribute" and s.get("outside") != "1" for s in shapes
    )


@pytest.mark.parametrize(
    ("name", "n_assets", "n_labels"),
    [
        ("cats_two_tools/cvat.xml", 14, 24),
        ("voc100/cvat_format/annotations.xml", 100, 273),
        ("tool_exports_small/cvat_dataset/for_images/export_project/annotations.xml", 2, 12),
        ("tool_exports_small/cvat_dataset/for_images/export_task/train.xml", 2, 4),
        ("tool_exports_small/cvat_dataset/for_video/annotations.xml", 2, 3),
    ],
)
def test_real_exports_are_read_whole(
    shared_data: Path, name: str, n_assets: int, n_labels: int
) -> None:
    path = shared_data / name
    chunk = read_one(path)
    assert chunk.violations.num_rows == 0
    assert (chunk.assets.num_rows, chunk.labels.num_rows) == (n_assets, n_labels)
    counted = independent_count(path)
    assert counted[1] == n_labels
    assert counted[0] in (n_assets, 0)


def test_the_cats_are_their_owners_by_guess_and_the_guess_is_on_record(shared_data: Path) -> None:
    chunk = read_one(shared_data / "cats_two_tools/cvat.xml")
    (person,) = set(chunk.labels["annotator"].to_pylist())
    assert person.startswith("user-")
    assert set(chunk.labels["extra"].to_pylist()) == {'{"annotator_from":"owner"}'}
