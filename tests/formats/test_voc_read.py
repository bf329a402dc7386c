"""Reading Pascal VOC: the traps of the format, by hand, and the real files of several tools."""

from __future__ import annotations

import json
import math
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineage import labelcheck
from lineage.formats import Chunk, ReadOptions
from lineage.formats.cvat.read import read as read_cvat
from lineage.formats.voc.read import read
from lineage.labelschema import from_document

Row = dict[str, Any]
BOX = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox>"
CAT = f"<object><name>cat</name>{BOX}</object>"


def document(*objects: str, filename: str | None = "a.jpg", more: str = "") -> str:
    named = "" if filename is None else f"<filename>{filename}</filename>"
    size = "" if "<size>" in more else "<size><width>20</width><height>10</height></size>"
    return f"<annotation><folder>f</folder>{named}{size}{more}{''.join(objects)}</annotation>"


def put(folder: Path, text: str, name: str = "a.xml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def chunks_of(path: Path, **options: Any) -> list[Chunk]:
    return list(read(path, ReadOptions(**options)))


def labels_of(path: Path, **options: Any) -> list[Row]:
    return [row for chunk in chunks_of(path, **options) for row in chunk.labels.to_pylist()]


def only_chunk(folder: Path, text: str, **options: Any) -> Chunk:
    (chunk,) = chunks_of(put(folder, text), **options)
    return chunk


def only_label(folder: Path, text: str, **options: Any) -> Row:
    (row,) = only_chunk(folder, text, **options).labels.to_pylist()
    return dict(row)


def box_of(row: Row) -> list[float]:
    return [row[name] for name in ("x_min", "y_min", "x_max", "y_max")]


def test_a_plain_object_is_a_box_of_a_class(tmp_path: Path) -> None:
    (chunk,) = chunks_of(put(tmp_path, document(CAT)), annotator="ann")
    (row,) = chunk.labels.to_pylist()
    assert (row["asset"], row["class"], row["kind"], row["annotator"]) == ("a.jpg", "cat", "box", "ann")  # fmt: skip
    assert box_of(row) == [1, 2, 3, 4]
    assert (row["attributes"], row["origin"], row["position"], row["file"]) == ("{}", "human", 0, None)  # fmt: skip
    assert row["source_id"] is None
    assert row["annotation"] is None
    assert chunk.assets.to_pylist() == [
        {"name": "a.jpg", "uri": None, "width": 20, "height": 10, "digest": None, "n_bytes": None}
    ]
    assert chunk.roster.select(["asset", "annotator", "presence"]).to_pylist() == [
        {"asset": "a.jpg", "annotator": "ann", "presence": "labelled"}
    ]
    assert chunk.completeness.to_pylist() == [
        {"asset": "a.jpg", "class": None, "state": "complete", "reason": None}
    ]
    assert chunk.losses == {}


def test_corners_are_found_by_name_in_any_order_and_may_be_fractions(tmp_path: Path) -> None:
    place = "<bndbox><ymax>4.5</ymax><xmax> 3e0 </xmax><xmin>-0.25</xmin><ymin>2</ymin></bndbox>"
    row = only_label(tmp_path, document(f"<object>{place}<name> big cat\n</name></object>"))
    assert box_of(row) == [-0.25, 2, 3, 4.5]
    assert row["class"] == "big cat"


def test_where_pixels_count_from_is_the_callers_to_say_and_is_noted(tmp_path: Path) -> None:
    # the numbers look 1-based and inclusive here: the file spans its image whole
    place = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>20</xmax><ymax>10</ymax></bndbox>"
    text = document(f"<object><name>cat</name>{place}</object>")
    as_they_are = only_chunk(tmp_path, text)
    assert box_of(as_they_are.labels.to_pylist()[0]) == [1, 1, 20, 10]
    assert as_they_are.notes["pixel-base"].startswith("0:")
    from_one = only_chunk(tmp_path, text, pixel_base=1)
    assert box_of(from_one.labels.to_pylist()[0]) == [0, 0, 20, 10]
    assert from_one.notes["pixel-base"].startswith("1:")


SCHEMA = from_document(
    {"name": "s", "version": "1.0", "classes": {"cat": {"kinds": ["box"]}}}, where="s"
)


def rules_of(chunk: Chunk) -> list[str]:
    size = np.full(chunk.labels.num_rows, 1000.0)
    checked = labelcheck.check(SCHEMA, chunk.labels, width=size, height=size, source="f")
    return [str(rule) for rule in checked.violations["rule"].to_pylist()]


def test_swapped_corners_and_flat_boxes_go_on_and_the_schema_check_refuses_them(
    tmp_path: Path,
) -> None:
    swapped = "<bndbox><xmin>3</xmin><ymin>2</ymin><xmax>1</xmax><ymax>4</ymax></bndbox>"
    flat = "<bndbox><xmin>3</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox>"
    objects = [f"<object><name>cat</name>{place}</object>" for place in (swapped, flat, BOX)]
    chunk = only_chunk(tmp_path, document(*objects))
    assert [box_of(row) for row in chunk.labels.to_pylist()] == [
        [3, 2, 1, 4], [3, 2, 3, 4], [1, 2, 3, 4],
    ]  # fmt: skip
    assert rules_of(chunk) == ["inverted-box", "zero-area"]


def test_flags_are_yes_or_no_the_pose_is_text_and_oddities_stay_what_they_are(
    tmp_path: Path,
) -> None:
    def attributes(inner: str) -> object:
        text = document(f"<object><name>cat</name>{inner}{BOX}</object>")
        return json.loads(only_label(tmp_path, text)["attributes"])

    assert attributes(
        "<pose>Left</pose><truncated>1</truncated><difficult>0</difficult><occluded>true</occluded>"
    ) == {"pose": "Left", "truncated": True, "difficult": False, "occluded": True}
    assert attributes("<pose>Unspecified</pose><difficult></difficult><truncated/>") == {
        "pose": "Unspecified"
    }
    assert attributes("<truncated>Unspecified</truncated>") == {"truncated": "Unspecified"}


def test_attributes_by_name_stay_the_texts_that_they_are(tmp_path: Path) -> None:
    inner = "".join(
        f"<attribute><name>{name}</name><value>{value}</value></attribute>"
        for name, value in (("age", "007"), ("ok", "true"), ("note", "a &lt; b"), ("age", "8"))
    )
    chunk = only_chunk(
        tmp_path,
        document(f"<object><name>cat</name>{BOX}<attributes>{inner}</attributes></object>"),
    )
    (row,) = chunk.labels.to_pylist()
    assert json.loads(row["attributes"]) == {"age": "8", "ok": "true", "note": "a < b"}
    assert chunk.losses == {"repeated-attribute": 1}


def test_the_files_annotator_is_its_labels_and_an_owner_is_nobody(tmp_path: Path) -> None:
    source = "<source><database>D</database><annotation>PASCAL VOC2007</annotation>{}</source>"
    owner = "<owner><flickrid>x</flickrid><name>Label Studio</name></owner>"
    named = document(CAT, more=source.format("<annotator> ann </annotator>") + owner)
    assert only_label(tmp_path, named, annotator="flag")["annotator"] == "ann"
    unnamed = document(CAT, more=source.format("<annotator/>") + owner)
    assert only_label(tmp_path, unnamed)["annotator"] is None
    assert only_label(tmp_path, unnamed, annotator="flag")["annotator"] == "flag"
    by_file = only_label(tmp_path, unnamed, annotator_of_file={"a.xml": "bob"})
    assert by_file["annotator"] == "bob"


@pytest.mark.parametrize(
    ("filename", "file", "name", "uri", "losses"),
    [
        ("a.jpg", "a.xml", "a.jpg", None, {}),
        ("a", "a.xml", "a", None, {}),
        ("n02_1.b", "n02_1.b.xml", "n02_1.b", None, {}),
        ("sub/a.JPEG", "a.XML", "sub/a.JPEG", None, {}),
        ("sub\\a.png", "a.xml", "sub/a.png", None, {}),
        ("a.jpg", "a.jpg.xml", "a.jpg", None, {}),
        ("b.jpg", "a.xml", "a", "b.jpg", {"filename-differs": 1}),
        ("%s.JPEG", "n1.xml", "n1", "%s.JPEG", {"filename-differs": 1}),
        ("C:\\me\\a.jpg", "a.xml", "a", "C:\\me\\a.jpg", {"filename-differs": 1}),
        ("../a.jpg", "a.xml", "a", "../a.jpg", {"filename-differs": 1}),
        ("  ", "a.xml", "a", None, {"filename-missing": 1}),
        (None, "a.b.xml", "a.b", None, {"filename-missing": 1}),
    ],
)
def test_the_files_own_name_says_which_image_it_is_about(
    tmp_path: Path, filename: str | None, file: str, name: str, uri: str | None, losses: object
) -> None:
    (chunk,) = chunks_of(put(tmp_path, document(CAT, filename=filename), file))
    assert chunk.labels["asset"].to_pylist() == [name]
    assert chunk.assets.select(["name", "uri"]).to_pylist() == [{"name": name, "uri": uri}]
    assert chunk.losses == losses


@pytest.mark.parametrize(
    ("size", "known", "losses"),
    [
        ("<width>20</width><height>10</height><depth/>", (20, 10), {}),
        ("<width>20.0</width><height> 10 </height>", (20, 10), {}),
        ("<width>0</width><height>0</height><depth>0</depth>", (None, None), {}),
        ("<width>20</width><height>0</height>", (None, None), {}),
        ("<width></width>", (None, None), {}),
        ("<width>wide</width><height>-3</height>", (None, None), {"image-size": 2}),
        ("<width>20.5</width><height>inf</height>", (None, None), {"image-size": 2}),
    ],
)
def test_a_size_of_nought_or_none_is_unknown(
    tmp_path: Path, size: str, known: object, losses: object
) -> None:
    chunk = only_chunk(tmp_path, document(CAT, more=f"<size>{size}</size>"))
    (row,) = chunk.assets.to_pylist()
    assert (row["width"], row["height"]) == known
    assert chunk.losses == losses


def test_parts_and_what_else_stands_there_are_kept_and_parts_are_counted(tmp_path: Path) -> None:
    part = f"<part><name>head</name>{BOX}</part>"
    more = f"{part}<actions><walking>1</walking></actions><level id='7'>3</level><level>4</level>"
    chunk = only_chunk(tmp_path, document(f"<object z='1'><name>cat</name>{BOX}{more}</object>"))
    (row,) = chunk.labels.to_pylist()
    corners = {"xmin": "1", "ymin": "2", "xmax": "3", "ymax": "4"}
    assert json.loads(row["extra"]) == {
        "xml": {
            "@z": "1",
            "actions": {"walking": "1"},
            "level": [{"@id": "7", "#text": "3"}, "4"],
            "part": [{"name": "head", "bndbox": corners}],
        }
    }
    assert chunk.losses == {"part": 1}


def test_what_the_root_says_besides_is_kept_where_it_is_an_attribute_and_counted_where_not(
    tmp_path: Path,
) -> None:
    text = document(CAT, more="<weather>rain</weather>").replace(
        "<annotation>", '<annotation verified="yes">'
    )
    chunk = only_chunk(tmp_path, text)
    assert json.loads(chunk.labels["extra"][0].as_py()) == {"image": {"verified": "yes"}}
    assert chunk.losses == {"unknown-element": 1}


ROTATED = (
    "<object><type>robndbox</type><name>cat</name><pose>Unspecified</pose><robndbox><cx>10</cx><cy>5</cy>"
    "<w>8</w><h>2</h><angle>1.5707963267948966</angle></robndbox></object>"
)


def test_a_turned_box_has_its_angle_in_radians_clockwise_about_its_centre(tmp_path: Path) -> None:
    row = only_label(tmp_path, document(ROTATED))
    assert row["kind"] == "rotated_box"
    assert row["geometry"] == [[10, 5, 8, 2, 90]]
    assert box_of(row) == pytest.approx([9, 1, 11, 9])
    assert row["extra"] is None
    moved = only_label(tmp_path, document(ROTATED), pixel_base=1)
    assert moved["geometry"] == [[9, 4, 8, 2, 90]]


def test_turning_clockwise_takes_the_right_end_down(tmp_path: Path) -> None:
    text = document(ROTATED.replace("1.5707963267948966", str(math.pi / 4)))
    row = only_label(tmp_path, text)
    side = (8 + 2) / 2 / math.sqrt(2)
    assert box_of(row) == pytest.approx([10 - side, 5 - side, 10 + side, 5 + side])
    assert row["geometry"][0][4] == pytest.approx(45)


NUMBERED = "<x2>5</x2><x1>1</x1><y1>2</y1><y2>2</y2><x3>3</x3><y3>7.5</y3>"
POINTED = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in ((1, 2), (5, 2), (3, 7.5)))


@pytest.mark.parametrize("points", [NUMBERED, POINTED, POINTED.replace("pt>", "point>")])
def test_a_polygon_is_read_in_each_of_its_spellings(tmp_path: Path, points: str) -> None:
    chunk = only_chunk(
        tmp_path, document(f"<object><name>cat</name><polygon>{points}</polygon></object>")
    )
    (row,) = chunk.labels.to_pylist()
    assert (row["kind"], row["geometry"]) == ("polygon", [[1, 2, 5, 2, 3, 7.5]])
    assert box_of(row) == [1, 2, 5, 7.5]
    assert chunk.losses == {}


def test_points_are_in_order_of_their_numbers_even_past_nine(tmp_path: Path) -> None:
    points = "".join(f"<x{i}>{i}</x{i}><y{i}>{i * i}</y{i}>" for i in (10, 2, 11, 1, *range(3, 10)))
    row = only_label(
        tmp_path, document(f"<object><name>cat</name><polygon>{points}</polygon></object>")
    )
    assert row["geometry"] == [[n for i in range(1, 12) for n in (float(i), float(i * i))]]


@pytest.mark.parametrize(
    ("corners", "losses"),
    [((1, 2, 5, 8), {}), ((0, 1, 6, 8), {}), ((1, 2, 9, 8), {"box-differs": 1})],
)
def test_a_polygon_outweighs_its_box_and_a_box_that_is_another_is_counted(
    tmp_path: Path, corners: tuple[int, ...], losses: object
) -> None:
    names = ("xmin", "ymin", "xmax", "ymax")
    box = "".join(f"<{n}>{c}</{n}>" for n, c in zip(names, corners, strict=True))
    text = document(
        f"<object><name>cat</name><bndbox>{box}</bndbox><polygon>{NUMBERED}</polygon></object>"
    )
    chunk = only_chunk(tmp_path, text)
    assert box_of(chunk.labels.to_pylist()[0]) == [1, 2, 5, 7.5]
    assert chunk.losses == losses


def test_several_polygons_are_parts_and_move_with_the_pixel_base(tmp_path: Path) -> None:
    second = NUMBERED.replace(">5<", ">9<")
    text = document(
        f"<object><name>cat</name><polygon>{NUMBERED}</polygon><polygon>{second}</polygon></object>"
    )
    row = only_label(tmp_path, text, pixel_base=1)
    assert row["geometry"] == [[0, 1, 4, 1, 2, 6.5], [0, 1, 8, 1, 2, 6.5]]
    assert box_of(row) == [0, 1, 8, 6.5]


def test_a_score_without_a_name_is_a_models_and_nobody_is_asked(tmp_path: Path) -> None:
    scored = CAT.replace("</object>", "<confidence>0.9</confidence></object>")
    chunk = only_chunk(tmp_path, document(scored))
    (row,) = chunk.labels.to_pylist()
    assert (row["origin"], row["score"], row["extra"]) == ("model", 0.9, None)
    assert chunk.roster.num_rows == 0
    named = only_chunk(tmp_path, document(scored), annotator="ann")
    assert named.labels["origin"].to_pylist() == ["human"]
    assert named.roster.num_rows == 1
    vague = CAT.replace("</object>", "<score>high</score></object>")
    (row,) = only_chunk(tmp_path, document(vague)).labels.to_pylist()
    assert (row["origin"], row["score"]) == ("human", None)
    assert json.loads(row["extra"]) == {"xml": {"score": "high"}}


def test_a_file_without_objects_was_looked_at_and_is_empty(tmp_path: Path) -> None:
    chunk = only_chunk(tmp_path, document(), annotator="ann")
    assert chunk.labels.num_rows == 0
    assert chunk.assets["name"].to_pylist() == ["a.jpg"]
    assert chunk.roster.select(["annotator", "presence"]).to_pylist() == [
        {"annotator": "ann", "presence": "empty"}
    ]
    assert chunk.completeness["state"].to_pylist() == ["complete_empty"]


@pytest.mark.parametrize(
    ("inner", "rule", "path"),
    [
        ("<name>c</name>", "missing-element", "/bndbox"),
        (BOX.replace("<ymax>4</ymax>", ""), "missing-element", "/bndbox/ymax"),
        (BOX.replace(">4<", "><"), "not-a-number", "/bndbox/ymax"),
        (BOX.replace(">4<", ">4,5<"), "not-a-number", "/bndbox/ymax"),
        (BOX.replace(">4<", ">1_0<"), "not-a-number", "/bndbox/ymax"),
        (BOX.replace(">4<", ">nan<"), "not-finite", "/bndbox/ymax"),
        (BOX.replace(">1<", ">-inf<"), "not-finite", "/bndbox/xmin"),
        (BOX + BOX, "repeated-element", "/bndbox[2]"),
        ("<name>a</name><name>b</name>" + BOX, "repeated-element", "/name[2]"),
        (f"<polygon>{NUMBERED}</polygon><polygon><x1>1</x1><y1>1</y1></polygon>", "too-few-points", "/polygon[2]"),
        ("<polygon><x1>1</x1><y2>1</y2></polygon>", "points", "/polygon[1]"),
        ("<polygon><x1>1</x1><y1>1</y1><x3>1</x3><y3>1</y3></polygon>", "points", "/polygon[1]"),
        ("<polygon><pt><x>1</x></pt></polygon>", "missing-element", "/polygon[1]/y"),
        ("<polygon/>", "too-few-points", "/polygon[1]"),
        ("<robndbox><cx>1</cx><cy>1</cy><w>1</w><h>1</h></robndbox>", "missing-element", "/robndbox/angle"),
        (
            "<robndbox><cx>1</cx><cy>1</cy><w>1</w><h>1</h><angle>1e308</angle></robndbox>",
            "not-finite",
            "/robndbox/angle",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_a_row_is_a_violation_and_the_rest_goes_on(
    tmp_path: Path, inner: str, rule: str, path: str
) -> None:
    text = document(CAT, f"<object><name>dog</name>{inner}</object>".replace("<name>dog</name><name>", "<name>"), CAT)  # fmt: skip
    chunk = only_chunk(tmp_path, text)
    assert chunk.labels["position"].to_pylist() == [0, 2]
    (row,) = chunk.violations.to_pylist()
    assert (row["rule"], row["path"]) == (rule, f"/annotation/object[2]{path}")
    assert (row["position"], row["asset"]) == (1, "a.jpg")
    assert row["source"] == str(tmp_path / "a.xml")
    assert json.loads(row["label"])["name"] is not None
    assert chunk.completeness["state"].to_pylist() == ["complete"]


def test_an_image_whose_objects_are_all_refused_was_not_empty(tmp_path: Path) -> None:
    chunk = only_chunk(tmp_path, document("<object><name>cat</name></object>"))
    assert chunk.roster["presence"].to_pylist() == ["labelled"]
    assert chunk.completeness["state"].to_pylist() == ["complete"]


def test_an_object_without_a_class_goes_on_and_the_schema_check_refuses_it(tmp_path: Path) -> None:
    chunk = only_chunk(
        tmp_path, document(f"<object>{BOX}</object>", f"<object><name/>{BOX}</object>")
    )
    assert chunk.labels["class"].to_pylist() == [None, None]
    assert rules_of(chunk) == ["unknown-class"] * 2


# real files


def rounded(rows: list[Row]) -> Counter[object]:
    return Counter((row["asset"], row["class"], *map(round, box_of(row))) for row in rows)


def test_voc100_is_the_same_in_voc_imagenet_xml_and_cvat(shared_data: Path) -> None:
    home = shared_data / "voc100"
    (cvat,) = (home / "cvat_format").glob("*.xml")
    truth = [row for c in read_cvat(cvat, ReadOptions()) for row in c.labels.to_pylist()]
    for name in ("pascalvoc_format", "imagenet_format"):
        chunks = chunks_of(home / name)
        rows = [row for chunk in chunks for row in chunk.labels.to_pylist()]
        assert (len(rows), len({row["class"] for row in rows})) == (273, 20)
        assert sum(chunk.assets.num_rows for chunk in chunks) == 100
        assert rounded(rows) == rounded(truth)
        assert all(chunk.violations.num_rows == 0 for chunk in chunks)
    files = {row["file"] for row in labels_of(home / "imagenet_format")}
    assert "Annotations/2007_000027.xml" in files


def test_bccd_comes_in_whole_with_its_two_flat_boxes(shared_data: Path) -> None:
    (chunk,) = chunks_of(shared_data / "bccd")
    assert chunk.labels.num_rows == 4888
    assert Counter(chunk.labels["class"].to_pylist()) == {"RBC": 4155, "WBC": 372, "Platelets": 361}
    assert chunk.assets.num_rows == 364
    assert chunk.completeness["state"].to_pylist() == ["complete"] * 364
    flat = [
        row["asset"]
        for row in chunk.labels.to_pylist()
        if row["x_min"] == row["x_max"] or row["y_min"] == row["y_max"]
    ]
    assert flat == ["BloodImage_00338.jpg", "BloodImage_00343.jpg"]


def test_label_studios_voc_export_names_one_annotator_a_file(
    shared_data: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(shared_data / "label_studio_live" / "export_VOC.zip") as archive:
        archive.extractall(tmp_path)
    (chunk,) = chunks_of(tmp_path)
    assert chunk.labels.num_rows == 34
    assert set(chunk.labels["annotator"].to_pylist()) <= {"1", "2", "3"}
    assert chunk.assets.num_rows == 12
    assert chunk.losses == {}


def test_datumaros_small_files_come_in_with_parts_and_an_image_not_started(
    shared_data: Path,
) -> None:
    (chunk,) = chunks_of(shared_data / "tool_exports_small" / "voc_dataset" / "voc_dataset1")
    cat, person = chunk.labels.to_pylist()
    assert (cat["class"], person["class"]) == ("cat", "person")
    assert [part["name"] for part in json.loads(person["extra"])["xml"]["part"]] == ["head"]
    assert json.loads(person["extra"])["xml"]["actions"]["walking"] == "1"
    states = {row["asset"]: row["state"] for row in chunk.completeness.to_pylist()}
    assert states == {"2007_000001.jpg": "complete", "2007_000002": "not_started"}
    (chunk,) = chunks_of(shared_data / "tool_exports_small" / "voc_dataset" / "voc_dataset2")
    assert chunk.completeness["state"].to_pylist().count("complete_empty") == 1
    assert "@.jpg" in chunk.assets["name"].to_pylist()
    assert json.loads(chunk.labels["attributes"][0].as_py())["occluded"] is True


def test_roboflows_folders_come_in_by_split(shared_data: Path) -> None:
    rows = labels_of(shared_data / "tool_exports_small" / "roboflow_dataset" / "voc")
    assert [(row["file"], row["class"], box_of(row)) for row in rows[:2]] == [
        ("train/train_001.xml", "label_0", [2, 1, 5, 2]),
        ("train/train_002.xml", "label_1", [0, 0, 2, 4]),
    ]
    assert len(rows) == 4
