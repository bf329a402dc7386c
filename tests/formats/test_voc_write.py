"""Writing Pascal VOC: what was written reads back equal, trainers find what they look for."""

from __future__ import annotations

import json
import unicodedata
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage import columns
from lineage.formats import Chunk, ReadOptions, WriteOptions, WriteReport
from lineage.formats.voc.paths import Paths
from lineage.formats.voc.read import read
from lineage.formats.voc.shapes import turned_hull
from lineage.formats.voc.write import write
from lineage.terms import Completeness

Row = dict[str, Any]
PLAIN: Row = {
    "asset": "a.jpg", "asset_digest": "sha256:00", "width": 20, "height": 10, "annotation": 1, "revision": 1,
    "class": "cat", "kind": "box", "x_min": 1.0, "y_min": 2.0, "x_max": 3.0, "y_max": 4.0, "geometry": None,
    "attributes": "{}", "annotator": "p-1", "schema": "s@1.0", "batch": "b", "stage": "final",
    "origin": "human", "labelled_at": None, "split": "train",
}  # fmt: skip
POLYGON: Row = {"kind": "polygon", "geometry": [[1.0, 2.0, 3.0, 2.0, 3.0, 4.0]]}
MOMENT = datetime(2025, 3, 4, 5, 6, 7, 80, tzinfo=UTC)


def labels_table(*rows: Row) -> pa.Table:
    full = [{**PLAIN, "annotation": at + 1, **row} for at, row in enumerate(rows)]
    values = {name: [row[name] for row in full] for name in columns.DATASET.names}
    return pa.Table.from_batches([columns.batch_of(columns.DATASET, values, len(full))])


def assets_table(*names: str, split: str = "train") -> pa.Table:
    values = {
        "asset": list(names), "asset_digest": "sha256:00", "width": 20, "height": 10,
        "n_annotations": 0, "split": split,
    }  # fmt: skip
    return pa.Table.from_batches([columns.batch_of(columns.DATASET_ASSETS, values, len(names))])


def states_table(*rows: Row) -> pa.Table:
    full = [{"class": None, "reason": None, "batch": "b", "split": "train", **row} for row in rows]
    values = {name: [row[name] for row in full] for name in columns.DATASET_COMPLETENESS.names}
    batch = columns.batch_of(columns.DATASET_COMPLETENESS, values, len(full))
    return pa.Table.from_batches([batch])


def chunk_of(folder: Path) -> Chunk:
    (chunk,) = read(folder, ReadOptions())
    assert chunk.violations.num_rows == 0
    return chunk


def written(
    tmp_path: Path, *rows: Row, assets: tuple[str, ...] = ("a.jpg",), states: tuple[Row, ...] = ()
) -> tuple[Path, WriteReport]:
    folder = tmp_path / "out"
    options = WriteOptions(completeness=states_table(*states))
    return folder, write(folder, labels_table(*rows), assets_table(*assets), options)


def bytes_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


coordinates = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: value + 0.0)
texts = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]), st.sampled_from("\n\r\t\"'<>& \0\ufffe")
    ),
    max_size=8,
)  # fmt: skip
values = st.one_of(
    st.booleans(), st.none(), st.integers(-(10**12), 10**12), st.floats(-1e9, 1e9), texts,
    st.lists(texts, max_size=2), st.dictionaries(texts, st.booleans(), max_size=2),
)  # fmt: skip
# names that an import gives images; the files that they get must be theirs alone
assets = st.one_of(
    st.sampled_from(["a.jpg", "a.png", "A.jpg", "a", "a.jpg.png", "b c/ä&'\".jpg", "b c/ä&'\".png"]),
    st.sampled_from(["x.xml/y.jpg", "x.jpg", "x.xml", "s3://k/a?b.jpg", ".h.jpg", "__MACOSX/a.jpg", " a.jpg "]),
    st.sampled_from(["é.jpg", "e\u0301.jpg", "w" * 300 + ".jpg", "w" * 300 + "é.jpg", "con//a.jpg"]),
)  # fmt: skip


def flat(least: int, most: int = 6) -> st.SearchStrategy[list[float]]:
    return st.integers(least, most).flatmap(
        lambda n: st.lists(coordinates, min_size=2 * n, max_size=2 * n)
    )


def around(points: list[float]) -> Row:
    xs, ys = points[::2], points[1::2]
    return {"x_min": min(xs), "y_min": min(ys), "x_max": max(xs), "y_max": max(ys)}


@st.composite
def shapes(draw: st.DrawFn) -> Row:
    kind = draw(st.sampled_from(["box", "rotated_box", "polygon"]))
    if kind == "box":
        return {"kind": kind, **{name: draw(coordinates) for name in columns.BOX}}
    if kind == "polygon":
        parts = draw(st.lists(flat(3), min_size=1, max_size=2))
        return {"kind": kind, "geometry": parts, **around([n for part in parts for n in part])}
    cx, cy = draw(coordinates), draw(coordinates)
    width, height = draw(st.floats(0.5, 1e4)), draw(st.floats(0.5, 1e4))
    turn = draw(st.floats(-360, 360))
    hull = turned_hull([cx, cy, width, height, turn])
    # another module's arithmetic: the same to all but the last digits
    nudged = [value * (1 + 2**-50) for value in hull]
    return {
        "kind": kind,
        "geometry": [[cx, cy, width, height, turn]],
        **dict(zip(columns.BOX, nudged, strict=True)),
    }


@st.composite
def rows(draw: st.DrawFn) -> Row:
    names = st.one_of(st.sampled_from(["pose", "truncated", "difficult", "occluded"]), texts)
    document = draw(st.dictionaries(names, values, max_size=4))
    return {
        **draw(shapes()),
        "asset": draw(assets),
        "class": draw(st.sampled_from(["cat", 'a "b" <c> & d', "größe"])),
        "attributes": json.dumps(
            document, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        ),
        "origin": draw(st.sampled_from(["human", "assisted", "model", "consensus", "ground_truth"])),
        "stage": draw(st.sampled_from(["submitted", "final"])),
        "annotator": draw(st.sampled_from(["p-1", "p-2", "Ann Ö. "])),
        "revision": draw(st.integers(1, 10**15)),
        "labelled_at": draw(st.sampled_from([None, MOMENT])),
    }  # fmt: skip


states = st.builds(
    lambda asset, class_, state, reason: {
        "asset": asset, "class": class_, "state": state.value, "reason": reason,
    },
    assets,
    st.sampled_from([None, "cat", "größe"]),
    st.sampled_from(list(Completeness)),
    st.sampled_from([None, "too dark\n<again>"]),
)  # fmt: skip


sets_of_rows = {
    "given_rows": st.lists(rows(), max_size=6),
    "given_states": st.lists(
        states, max_size=4, unique_by=lambda row: (row["asset"], row["class"])
    ),
    "empty": st.lists(assets, max_size=2, unique=True),
    "seed": st.randoms(use_true_random=False),
}


@given(**sets_of_rows)
@settings(max_examples=50)
def test_what_is_written_reads_back_equal(
    tmp_path_factory: pytest.TempPathFactory, **drawn: Any
) -> None:
    check_round_trip(tmp_path_factory.mktemp("round"), **drawn)


@pytest.mark.slow
@given(**sets_of_rows)
@settings(max_examples=600)
def test_what_is_written_reads_back_equal_for_long(
    tmp_path_factory: pytest.TempPathFactory, **drawn: Any
) -> None:
    check_round_trip(tmp_path_factory.mktemp("round"), **drawn)


def check_round_trip(
    folder: Path, given_rows: list[Row], given_states: list[Row], empty: list[str], seed: Random
) -> None:
    table, said = labels_table(*given_rows), states_table(*given_states)
    images = assets_table(*empty)
    report = write(folder / "1", table, images, WriteOptions(completeness=said))
    assert (report.n_labels, report.side_files) == (len(given_rows), ())
    assert set(report.losses) <= {"image-not-complete"}
    labelled = {row["asset"] for row in given_rows}
    of_image: dict[str, dict[str | None, Row]] = {}
    for state in given_states:
        of_image.setdefault(state["asset"], {})[state["class"]] = state
    wholly = {"complete", "complete_empty"}
    bare = {
        name
        for name in set(empty) - labelled
        if all(row["state"] in wholly for row in of_image.get(name, {}).values())
    }
    assert report.n_assets == len(labelled | bare)
    if not labelled | bare:
        return
    chunk = chunk_of(folder / "1")
    assert chunk.losses == {}
    assert sorted(chunk.assets["name"].to_pylist()) == sorted(labelled | bare)
    found = sorted(chunk.labels.to_pylist(), key=lambda row: row["annotation"])
    for row, back in zip(table.to_pylist(), found, strict=True):
        for name in ("asset", "annotator", "class", "kind", *columns.BOX, "geometry", "origin"):
            assert back[name] == row[name], name
        for name in ("attributes", "labelled_at", "annotation"):
            assert back[name] == row[name], name
        ours = ("revision", "batch", "schema", "stage")
        assert json.loads(back["extra"]) == {"lineage": {name: row[name] for name in ours}}
    told = {(row["asset"], row["class"]): row for row in chunk.completeness.to_pylist()}
    for name in labelled | bare:
        for class_, state in of_image.get(name, {}).items():
            assert told.pop((name, class_)) == {
                k: state[k] for k in ("asset", "class", "state", "reason")
            }
    assert {(a, row["state"]) for (a, _), row in told.items()} == {
        (name, "complete_empty") for name in bare if name not in of_image
    }
    order = list(range(len(given_rows)))
    seed.shuffle(order)
    write(
        folder / "2",
        table.take(pa.array(order, pa.int64())),
        images.take(pa.array(range(len(empty))[::-1], pa.int64())),
        WriteOptions(completeness=said.take(pa.array(range(len(given_states))[::-1], pa.int64()))),
    )
    assert bytes_of(folder / "1") == bytes_of(folder / "2")


def test_the_layout_is_the_devkits(tmp_path: Path) -> None:
    folder, report = written(
        tmp_path,
        {"asset": "a/1.jpg"},
        {"asset": "a/2.jpg", "split": "val"},
        {"asset": "3.jpg", "class": "a:b", "split": ""},
    )
    assert sorted(bytes_of(folder)) == [
        "Annotations/3.xml", "Annotations/a.xml", "Annotations/a/1.xml", "Annotations/a/2.xml",
        "ImageSets/Main/default.txt", "ImageSets/Main/train.txt", "ImageSets/Main/val.txt",
        "labelmap.txt",
    ]  # fmt: skip
    assert (folder / "ImageSets/Main/train.txt").read_text() == "a\na/1\n"
    assert (folder / "ImageSets/Main/val.txt").read_text() == "a/2\n"
    assert (folder / "labelmap.txt").read_text() == "# label:color_rgb:parts:actions\ncat:::\n"
    assert report.losses == {"label-map": 1}
    assert (report.n_labels, report.n_assets) == (3, 4)


def test_trainers_find_what_they_read_and_nothing_of_it_is_taken_for_said(tmp_path: Path) -> None:
    folder, _ = written(
        tmp_path,
        {"x_min": 1.5},
        {"attributes": '{"difficult":true,"occluded":false,"pose":"Left","truncated":"a bit"}'},
    )
    bare, said = ET.parse(folder / "Annotations/a.xml").getroot().iterfind("object")
    assert [bare.findtext(tag) for tag in ("name", "pose", "truncated", "difficult", "occluded")] == [
        "cat", "Unspecified", "0", "0", None,
    ]  # fmt: skip
    assert [bare.findtext(f"bndbox/{tag}") for tag in ("xmin", "ymin", "xmax", "ymax")] == [
        "1.5", "2", "3", "4",
    ]  # fmt: skip
    assert [said.findtext(tag) for tag in ("pose", "truncated", "difficult", "occluded")] == [
        "Left", "0", "1", "0",
    ]  # fmt: skip
    assert chunk_of(folder).labels["attributes"].to_pylist() == [
        "{}", '{"difficult":true,"occluded":false,"pose":"Left","truncated":"a bit"}',
    ]  # fmt: skip


def test_what_somebody_changes_in_a_filled_place_is_read(tmp_path: Path) -> None:
    folder, _ = written(
        tmp_path, {}, {"kind": "rotated_box", "geometry": [[5.0, 5.0, 4.0, 2.0, 30.0]]}
    )
    path = folder / "Annotations/a.xml"
    text = path.read_text()
    text = text.replace("<difficult>0", "<difficult>1", 1).replace("<xmax>3<", "<xmax>7<", 1)
    path.write_text(text.replace("<angle>0.5235987755982988<", "<angle>0.5<"))
    box, turned = chunk_of(folder).labels.to_pylist()
    assert json.loads(box["attributes"]) == {"difficult": True}
    assert box["x_max"] == 7
    assert turned["geometry"][0][4] == pytest.approx(28.6478897565)


@pytest.mark.parametrize("rotation", [1.5, 2.3, 61.3, -7.3, 359.9])
def test_an_angle_survives_the_way_through_radians_to_the_last_digit(
    tmp_path: Path, rotation: float
) -> None:
    geometry = [[5.0, 5.0, 4.0, 2.0, rotation]]
    folder, _ = written(tmp_path, {"kind": "rotated_box", "geometry": geometry})
    assert chunk_of(folder).labels["geometry"].to_pylist() == [geometry]


def test_kinds_that_the_format_has_not_are_counted_and_their_image_is_not_called_empty(
    tmp_path: Path,
) -> None:
    points = {"geometry": [[1.0, 2.0, 3.0, 4.0]], "kind": "polyline"}
    folder, report = written(
        tmp_path,
        points,
        {"kind": "mask", "geometry": [[10.0, 20.0], [200.0]]},
        {},
        {**points, "asset": "b.jpg"},
        {"kind": "class", "asset": "c.jpg"},
        {"kind": "keypoints", "geometry": [[1.0, 1.0, 2.0]], "asset": "c.jpg"},
        {"kind": "polygon", "geometry": [[1.0, 2.0]], "asset": "c.jpg"},
        {"x_min": None, "asset": "c.jpg"},
        states=({"asset": "b.jpg", "state": "complete"},),
    )
    assert report.losses == {
        "class": 1, "geometry": 2, "image-left-out": 2, "keypoints": 1, "mask": 1, "polyline": 2,
    }  # fmt: skip
    assert (report.n_labels, report.n_assets) == (1, 1)
    assert list(bytes_of(folder / "Annotations")) == ["a.xml"]
    assert (folder / "ImageSets/Main/train.txt").read_text() == "a\n"


@pytest.mark.parametrize("state", list(Completeness))
def test_only_who_was_gone_through_gets_a_file_without_objects(
    tmp_path: Path, state: Completeness
) -> None:
    folder, report = written(
        tmp_path,
        {"asset": "labelled.jpg"},
        assets=("a.jpg", "silent.jpg"),
        states=(
            {"asset": "a.jpg", "state": state.value},
            {"asset": "labelled.jpg", "state": state.value, "reason": "why"},
        ),
    )
    is_whole = state in (Completeness.COMPLETE, Completeness.COMPLETE_EMPTY)
    assert (folder / "Annotations/a.xml").exists() is is_whole
    assert report.losses == ({} if is_whole else {"image-not-complete": 1})
    rows = {row["asset"]: row for row in chunk_of(folder).completeness.to_pylist()}
    assert rows["silent.jpg"]["state"] == "complete_empty"
    assert (rows["labelled.jpg"]["state"], rows["labelled.jpg"]["reason"]) == (state.value, "why")
    assert rows.get("a.jpg", {}).get("state") == (state.value if is_whole else None)


def test_one_class_that_nobody_went_through_keeps_an_image_from_being_called_empty(
    tmp_path: Path,
) -> None:
    states_ = [
        {"asset": "a.jpg", "class": class_, "state": state}
        for class_, state in (("cat", "complete_empty"), ("dog", "in_progress"))
    ]
    folder, report = written(tmp_path, states=tuple(states_))
    assert report.losses == {"image-not-complete": 1}
    assert list(bytes_of(folder / "Annotations")) == []


def test_of_batches_that_differ_the_least_is_what_holds_for_the_file(tmp_path: Path) -> None:
    folder, _ = written(
        tmp_path,
        {},
        states=(
            {"asset": "a.jpg", "state": "complete", "batch": "b"},
            {"asset": "a.jpg", "state": "in_progress", "batch": "c"},
        ),
    )
    assert chunk_of(folder).completeness["state"].to_pylist() == ["in_progress"]


def test_each_annotators_labels_stand_side_by_side_under_their_names(tmp_path: Path) -> None:
    folder, _ = written(tmp_path, {"annotator": "p-1"}, {"annotator": "p-2"}, {"annotator": "p-1"})
    chunk = chunk_of(folder)
    assert chunk.labels["annotator"].to_pylist() == ["p-1", "p-2", "p-1"]
    assert sorted(chunk.roster["annotator"].to_pylist()) == ["p-1", "p-2"]
    assert set(chunk.roster["presence"].to_pylist()) == {"labelled"}


def test_the_base_that_a_file_of_ours_names_outweighs_the_flag(tmp_path: Path) -> None:
    folder, _ = written(tmp_path, {})
    (chunk,) = read(folder, ReadOptions(pixel_base=1))
    assert chunk.labels["x_min"].to_pylist() == [1.0]
    assert chunk.notes["pixel-base-told"].startswith("0,")


def test_facts_of_the_image_come_back(tmp_path: Path) -> None:
    folder, _ = written(tmp_path, {"asset": "s3://b/é?.jpg"})
    (row,) = [r for r in chunk_of(folder).assets.to_pylist() if r["name"].startswith("s3")]
    assert (row["name"], row["width"], row["height"], row["digest"]) == ("s3://b/é?.jpg", 20, 10, "sha256:00")  # fmt: skip


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    broken = labels_table({"origin": "human"}, {"attributes": "{"})
    with pytest.raises(json.JSONDecodeError):
        write(tmp_path / "out", broken, assets_table("a.jpg"))
    assert list(tmp_path.iterdir()) == []


def test_no_labels_and_no_images_are_a_folder_too(tmp_path: Path) -> None:
    folder, report = written(tmp_path, assets=())
    assert (report.n_labels, report.n_assets, report.losses) == (0, 0, {})
    assert list(bytes_of(folder)) == ["labelmap.txt"]


@given(
    names=st.lists(
        st.one_of(assets, st.text(st.sampled_from("aA./é\u0301x<:"), min_size=1, max_size=6)),
        unique=True,
        max_size=12,
    )
)
@settings(max_examples=200)
def test_every_image_has_a_file_of_its_own_and_none_is_a_folder(names: list[str]) -> None:
    paths = Paths(pa.chunked_array([names], pa.string()))
    found = [unicodedata.normalize("NFC", f"{paths.of(name)}.xml").casefold() for name in names]
    assert len(set(found)) == len(found)
    folders = {path[:at] for path in found for at, sign in enumerate(path) if sign == "/"}
    assert not folders & set(found)
    parts = [part for path in found for part in path.split("/")]
    assert all(part and part not in (".", "..") and part[0] != "." for part in parts)
    assert all(len(part.encode()) < 255 and part == part.strip() for part in parts)
