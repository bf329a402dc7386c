"""CVAT in: how far images are, as jobs and tasks say, and what `write` said before."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lineage import columns
from lineage.errors import BadInput
from lineage.formats import ReadOptions, WriteOptions
from lineage.formats.cvat.read import read
from lineage.formats.cvat.write import write
from lineage.formats.side_files import completeness_path
from tests.formats.test_cvat_read import ASSIGNED, BOX, NOBODY, export, image, only_label
from tests.formats.test_cvat_write import NO_BOX, assets_table, labels_table

States = dict[tuple[str, str | None], tuple[str, str | None]]
AT = datetime(2026, 3, 2, 10, 0, 0, 250_000, tzinfo=UTC)


def states(path: Path) -> States:
    rows = [row for c in read(path, ReadOptions()) for row in c.completeness.to_pylist()]
    return {(row["asset"], row["class"]): (row["state"], row["reason"]) for row in rows}


def labels(path: Path) -> list[dict[str, Any]]:
    return [row for c in read(path, ReadOptions()) for row in c.labels.to_pylist()]


@pytest.mark.parametrize(
    ("meta", "labelled", "bare"),
    [
        ("<job><state>completed</state></job>", "complete", "complete_empty"),
        ("<job><state>new</state></job>", "in_progress", "not_started"),
        ("<job><stage>annotation</stage><state>in progress</state></job>", "in_progress", "in_progress"),
        ("<job><stage>validation</stage><state>rejected</state></job>", "in_progress", "in_progress"),
        ("<task><status>completed</status></task>", "complete", "complete_empty"),
        ("<task><status>validation</status></task>", "in_progress", "in_progress"),
        # what a task is from the start says nothing, and neither does silence
        ("<task><status>annotation</status></task>", None, None),
        ("<task></task>", None, None),
        ("", None, None),
    ],
)  # fmt: skip
def test_how_far_images_are_is_what_their_job_says(
    tmp_path: Path, meta: str, labelled: str | None, bare: str | None
) -> None:
    path = export(tmp_path, image(BOX) + image("", name="b.jpg", number=1), meta=meta)
    told = {"a.jpg": labelled, "b.jpg": bare}
    assert states(path) == {(a, None): (s, None) for a, s in told.items() if s is not None}


def test_each_task_of_a_project_speaks_for_its_own_images(tmp_path: Path) -> None:
    tasks = "<task><id>1</id><status>completed</status></task><task><id>2</id></task>"
    images = image("", more='task_id="1"') + image("", name="b.jpg", number=1, more='task_id="2"')
    path = export(tmp_path, images, meta=f"<project><tasks>{tasks}</tasks></project>")
    assert states(path) == {("a.jpg", None): ("complete_empty", None)}
    losses = [chunk.losses for chunk in read(path, ReadOptions())]
    assert losses == [{"image-without-labels": 1}]


def test_an_image_that_is_told_of_is_no_loss(tmp_path: Path) -> None:
    (chunk,) = read(export(tmp_path, image(""), meta="<job><state>new</state></job>"), ReadOptions())  # fmt: skip
    assert chunk.losses == {}
    assert chunk.roster.num_rows == 0


def ours(**words: str) -> str:
    told = "".join(f'<attribute name="lineage_{k}">{v}</attribute>' for k, v in words.items())
    return BOX.replace("/>", f">{told}</box>")


def test_our_numbers_origins_and_times_come_back(tmp_path: Path) -> None:
    shape = ours(annotation="12", annotator="a-x", origin="consensus", labelled_at="2026-03-02T10:00:00.250000Z")  # fmt: skip
    meta = f"<task>{NOBODY}</task>"
    row = only_label(tmp_path, shape.replace('source="manual"', 'source="file"'), meta=meta)
    assert (row["annotation"], row["annotator"], row["origin"], row["labelled_at"]) == (
        12,
        "a-x",
        "consensus",
        AT,
    )
    # what somebody has drawn since is theirs, whatever it was
    row = only_label(tmp_path, shape, meta=f"<task>{ASSIGNED}</task>")
    assert (row["annotation"], row["annotator"], row["origin"]) == (12, "anna", "human")


@pytest.mark.parametrize(
    "words", [{"annotation": "twelve"}, {"annotation": "-1"}, {"annotation": "0"}, {"annotation": "9" * 30},
              {"origin": "heaven"}, {"labelled_at": "yesterday"}],
)  # fmt: skip
def test_what_is_not_ours_is_not_believed(tmp_path: Path, words: dict[str, str]) -> None:
    shape = ours(**words).replace('source="manual"', 'source="file"')
    row = only_label(tmp_path, shape, meta=f"<task>{NOBODY}</task>")
    assert (row["annotation"], row["origin"], row["labelled_at"]) == (None, "human", None)


def test_what_we_wrote_comes_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.xml"
    ring, other = [0.0, 0.0, 1.0, 0.0, 1.0, 1.0], [5.0, 5.0, 6.0, 5.0, 6.0, 7.0]
    rows: list[dict[str, Any]] = [
        {"labelled_at": AT, "origin": "assisted"},
        {"origin": "model", "annotator": "m-1"},
        {"kind": "polygon", "geometry": [ring, other]},
        {"kind": "polyline", "geometry": [ring, other]},
        {"kind": "polygon", "geometry": [ring]},
        {"kind": "class", **NO_BOX},
    ]
    write(path, labels_table(*rows), assets_table("a.jpg"))
    found = labels(path)
    assert [(r["annotation"], r["annotator"], r["origin"], r["labelled_at"]) for r in found] == [
        (1, "p-1", "assisted", AT), (2, "m-1", "model", None), (3, "p-1", "human", None),
        (4, "p-1", "human", None), (5, "p-1", "human", None), (6, "p-1", "human", None),
    ]  # fmt: skip
    assert [row["geometry"] for row in found[2:5]] == [[ring, other], [ring, other], [ring]]
    assert [found[2][side] for side in columns.BOX] == [0.0, 0.0, 6.0, 7.0]


def test_groups_that_people_made_stay_apart(tmp_path: Path) -> None:
    shape = '<polygon label="c" points="0,0;1,0;1,1" group_id="4"/>'
    path = export(tmp_path, image(shape * 2))
    assert len(labels(path)) == 2


def said(*rows: tuple[str, str | None, str, str | None]) -> pa.Table:
    names = ("asset", "class", "state", "reason")
    values: dict[str, object] = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    values |= {"batch": "b", "split": "train"}
    batch = columns.batch_of(columns.DATASET_COMPLETENESS, values, len(rows))
    return pa.Table.from_batches([batch])


def test_the_completeness_file_beside_it_is_read_with_it(tmp_path: Path) -> None:
    path = tmp_path / "out.xml"
    told: States = {
        ("a.jpg", None): ("in_progress", None),
        ("a.jpg", "dog"): ("complete_empty", None),
        ("z,\n.jpg", None): ("skipped", 'too "dark", they said'),
    }
    options = WriteOptions(said(*((*key, *state) for key, state in told.items())))
    write(path, labels_table({}), assets_table("a.jpg", "z.jpg"), options)
    assert states(path) == told
    chunks = list(read(path, ReadOptions(chunk_rows=2)))
    n_rows = [chunk.completeness.num_rows for chunk in chunks]
    assert (sum(n_rows), max(n_rows)) == (3, 2)
    completeness_path(path).unlink()
    assert states(path) == {}


@pytest.mark.parametrize("content", [b"", b"asset,state\na.jpg,complete\n", b'asset,class,state,reason\n"a', b"\xff\xfe\x00"])  # fmt: skip
def test_a_completeness_file_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    path = export(tmp_path, image(BOX))
    completeness_path(path).write_bytes(content)
    with pytest.raises(BadInput) as caught:
        states(path)
    assert caught.value.slug == "wrong-shape"
    assert caught.value.where == str(completeness_path(path))


def test_states_that_are_none_are_left_alone(tmp_path: Path) -> None:
    path = export(tmp_path, image(BOX))
    completeness_path(path).write_text("asset,class,state,reason\na.jpg,,finished,\n,,complete,\n")
    assert states(path) == {}


@pytest.mark.parametrize("name", ["cats_two_tools/cvat.xml", "voc100/cvat_format/annotations.xml"])
def test_real_exports_say_nothing_of_how_far_they_are(shared_data: Path, name: str) -> None:
    found = labels(shared_data / name)
    assert states(shared_data / name) == {}
    assert all(row["annotation"] is None for row in found)
    assert json.loads(found[0]["extra"])["annotator_from"] in ("assignee", "owner")
