"""Label Studio out and in again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from lineage import columns
from lineage.formats import ReadOptions, WriteReport
from lineage.formats.label_studio.read import read
from lineage.formats.label_studio.write import write, write_tasks
from lineage.formats.runs import geometry_of
from lineage.terms import Kind

SIDE = st.floats(0, 90).map(lambda x: round(x, 3))
WORD = st.sampled_from(["car", "dog", "größe", 'a "b"'])


def dataset(rows: list[dict[str, Any]]) -> tuple[pa.Table, pa.Table]:
    base: dict[str, Any] = {
        "asset": "a.png", "width": 100, "height": 200, "annotator": "a-x", "class": "car", "kind": "box",
        "x_min": None, "y_min": None, "x_max": None, "y_max": None, "geometry": None, "attributes": "{}",
        "schema": "s@1.0", "batch": "b", "stage": "final", "origin": "human", "split": "train",
    }  # fmt: skip
    full = [{**base, "annotation": i + 1, "revision": i + 1, **row} for i, row in enumerate(rows)]
    names = [n for n in columns.DATASET.names if any(n in row for row in full)]
    labels = columns.batch_of(
        columns.DATASET, {n: [row.get(n) for row in full] for n in names}, len(full)
    )
    assets = sorted({row["asset"] for row in full} | {"empty.png"})
    values = {"asset": assets, "width": 100, "height": 200, "n_annotations": 0, "split": "train"}
    images = columns.batch_of(columns.DATASET_ASSETS, values, len(assets))
    return pa.Table.from_batches([labels]), pa.Table.from_batches([images])


def read_back(path: Path) -> list[dict[str, Any]]:
    return [row for chunk in read(path, ReadOptions()) for row in chunk.labels.to_pylist()]


def round_trip(tmp: Path, rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], WriteReport]:
    path = tmp / "out.json"
    report = write(path, *dataset(rows))
    return read_back(path), report


@st.composite
def label(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["class", "box", "rotated_box", "polygon", "mask"]))
    x, y, w, h = draw(SIDE), draw(SIDE), draw(st.floats(1, 10)), draw(st.floats(1, 20))
    row: dict[str, Any] = {
        "kind": kind,
        "class": draw(WORD),
        "asset": draw(st.sampled_from(["a.png", "b/ü 1.png"])),
    }
    row["annotator"] = draw(st.sampled_from(["a-x", "a-y"]))
    if kind != "class":
        row |= {"x_min": x, "y_min": y, "x_max": x + w, "y_max": y + h}
        row["attributes"] = draw(st.sampled_from(["{}", '{"n":2.5,"occluded":"none"}']))
    if kind == "rotated_box":
        row["geometry"] = [[x, y, w, h, draw(st.floats(1, 359))]]
    if kind == "polygon":
        row["geometry"] = [[x, y, x + w, y, x + w, y + h]]
    if kind == "mask":
        mask = np.zeros((200, 100), bool)
        mask[int(y) : int(y + h) + 1, int(x) : int(x + w) + 1] = True
        found = geometry_of(mask)
        assert found is not None
        row["geometry"] = found[0]
    return row


@given(st.lists(label(), max_size=6))
def test_what_goes_out_comes_back(rows: list[dict[str, Any]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        found, report = round_trip(Path(folder), rows)
    assert report.n_labels == len(rows) == len(found)
    assert report.n_assets == len({row["asset"] for row in rows} | {"empty.png"})

    def key(row: dict[str, Any]) -> tuple[str, ...]:
        return (
            row["asset"],
            row["annotator"],
            row["class"],
            row["kind"],
            str(row.get("attributes") or "{}"),
        )

    assert sorted(map(key, found)) == sorted(map(key, rows))
    shaped = {
        json.loads(row["extra"] or "{}").get("meta", {}).get("lineage", {}).get("annotation"): row
        for row in found
    }
    for at, row in enumerate(rows, start=1):
        if row["kind"] == "class":
            continue
        back = shaped[at]
        if row["kind"] == "box":
            sides = [(back[n], row[n]) for n in columns.BOX]
            assert np.allclose(*zip(*sides, strict=True))
        else:
            assert np.allclose(np.concatenate(back["geometry"]), np.concatenate(row["geometry"]))


def test_the_same_rows_give_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    rows = [
        {
            "x_min": i,
            "y_min": 1.5,
            "x_max": i + 3.25,
            "y_max": 9.0,
            "annotation": 9 - i,
            "revision": i,
        }
        for i in range(5)
    ]
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    labels, assets = dataset(rows)
    write(first, labels, assets)
    write(second, labels.take(pa.array([4, 2, 0, 1, 3])), assets.take(pa.array([1, 0])))
    assert first.read_bytes() == second.read_bytes()


def test_two_peoples_work_stays_two_annotations(tmp_path: Path) -> None:
    rows = [
        {"annotator": who, "x_min": 1.0, "y_min": 1.0, "x_max": 5.0, "y_max": 5.0}
        for who in ("a-x", "a-y")
    ]
    path = tmp_path / "out.json"
    write(path, *dataset(rows))
    tasks = json.loads(path.read_text("utf-8"))
    assert [len(task["annotations"]) for task in tasks] == [2, 0]
    carried = tasks[0]["annotations"][0]["result"][0]["meta"]["lineage"]
    assert carried == {
        "annotation": 1,
        "revision": 1,
        "annotator": "a-x",
        "batch": "b",
        "schema": "s@1.0",
        "stage": "final",
    }


def test_pre_labels_are_predictions(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    write_tasks(
        path,
        *dataset([{"x_min": 1.0, "y_min": 1.0, "x_max": 5.0, "y_max": 5.0}]),
        is_prelabels=True,
    )
    task = json.loads(path.read_text("utf-8"))[0]
    assert (len(task["annotations"]), len(task["predictions"])) == (0, 1)


def test_what_cannot_be_carried_is_counted(tmp_path: Path) -> None:
    line = {
        "kind": Kind.POLYLINE.value,
        "geometry": [[0.0, 0.0, 5.0, 5.0]],
        "x_min": 0.0,
        "y_min": 0.0,
        "x_max": 5.0,
        "y_max": 5.0,
    }
    ring = [0.0, 0.0, 5.0, 0.0, 5.0, 5.0]
    parts = {
        "kind": "polygon",
        "geometry": [ring, ring],
        "x_min": 0.0,
        "y_min": 0.0,
        "x_max": 5.0,
        "y_max": 5.0,
    }
    _, report = round_trip(tmp_path, [line, parts])
    assert report.losses == {"polygon-part": 1, "polyline": 1}
    assert report.n_labels == 1
