"""The side file of provenance: believed where the line it speaks of still stands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lineage import columns
from lineage.errors import BadInput
from lineage.formats import attributions
from lineage.formats.attributions import FILE_NAME, TABLE, Attributions, digests, writing

Row = dict[str, Any]
WHEN = datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)
PLAIN: Row = {
    "revision": 7, "annotator": "p-1", "batch": "b", "schema": "s@1.0", "stage": "final",
    "labelled_at": WHEN, "origin": "human", "class": "cat", "kind": "box", "attributes": '{"a":1}',
}  # fmt: skip


def table(*rows: Row) -> pa.Table:
    full = []
    for at, row in enumerate(rows):
        text = row.pop("text", "0 0.5 0.5 0.1 0.1")
        content = digests([text.encode()])[0]
        full.append({"line": at + 1, "content": content, "annotation": at + 1, **PLAIN, **row})
    values = {name: [row[name] for row in full] for name in TABLE.names}
    return pa.Table.from_batches([columns.batch_of(TABLE, values, len(full))])


def written(folder: Path, *rows: Row) -> Attributions:
    with writing(folder) as append:
        append(table(*rows))
    return Attributions(folder / FILE_NAME)


def asked(
    side: Attributions, files: Sequence[str], lines: Sequence[tuple[int, str]], class_: str = "cat"
) -> list[Any]:
    """Return the annotation of each line, given by number of file and text."""
    found = side.of(
        files,
        np.array([file for file, _ in lines], np.int64),
        texts=[text.encode() for _, text in lines],
        classes=pa.array([class_] * len(lines), pa.string()),
    )
    return found["annotation"].to_pylist()


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    awkward = {"class": 'a "b",\nc', "annotator": "ö;", "attributes": '{"t":"x\\n\\"y"}'}
    side = written(tmp_path, {"file": "a.txt", **awkward}, {"file": "b/a.txt", "labelled_at": None})
    found = side.of(
        ["a.txt", "b/a.txt"],
        np.array([0, 1]),
        texts=[b"0 0.5 0.5 0.1 0.1"] * 2,
        classes=pa.array(['a "b",\nc', "cat"]),
    ).to_pylist()
    assert {name: found[0][name] for name in PLAIN} == {**PLAIN, **awkward}
    assert (found[0]["annotation"], found[1]["annotation"]) == (1, 2)
    assert found[1]["labelled_at"] is None
    side.finish()
    assert (side.n_stale, side.n_elsewhere) == (0, 0)


def test_times_stand_in_the_file_as_the_contract_has_them(tmp_path: Path) -> None:
    written(tmp_path, {"file": "a.txt"})
    assert "2026-03-01T12:00:00.250000Z" in (tmp_path / FILE_NAME).read_text("utf-8")


def test_a_line_that_moved_is_found_and_one_that_was_edited_is_stale(tmp_path: Path) -> None:
    rows = [{"file": "a.txt", "text": f"0 {at}"} for at in range(4)]
    side = written(tmp_path, *rows)
    # the first is gone, the second edited, the others moved up and changed places
    lines = [(0, "0 3"), (0, "0 9"), (0, "0 2")]
    assert asked(side, ["a.txt"], lines) == [4, None, 3]
    assert side.n_stale == 2


def test_equal_lines_are_told_apart_by_their_order(tmp_path: Path) -> None:
    side = written(tmp_path, {"file": "a.txt"}, {"file": "a.txt"}, {"file": "a.txt"})
    text = "0 0.5 0.5 0.1 0.1"
    assert asked(side, ["a.txt"], [(0, text), (0, text)]) == [1, 2]
    assert side.n_stale == 1


def test_the_same_line_under_another_class_is_another_label(tmp_path: Path) -> None:
    side = written(tmp_path, {"file": "a.txt"})
    assert asked(side, ["a.txt"], [(0, "0 0.5 0.5 0.1 0.1")], "dog") == [None]
    assert side.n_stale == 1


def test_files_that_are_gone_are_counted_apart(tmp_path: Path) -> None:
    side = written(tmp_path, *({"file": f"{name}.txt"} for name in "abcd"))
    text = "0 0.5 0.5 0.1 0.1"
    assert asked(side, ["b.txt"], [(0, text)]) == [2]
    assert asked(side, ["c.txt", "c/d.txt"], [(0, text), (1, text)]) == [3, None]
    side.finish()
    assert (side.n_stale, side.n_elsewhere) == (0, 2)


def test_a_file_that_was_sorted_otherwise_is_read_all_the_same(tmp_path: Path) -> None:
    rows = [{"file": f"labels/{name}.txt"} for name in ("b", "a", "a-b/c", "a/c")]
    side = written(tmp_path, *rows)
    files = ["labels/a/c.txt", "labels/a-b/c.txt", "labels/a.txt", "labels/b.txt"]
    assert asked(side, files[:1], [(0, "0 0.5 0.5 0.1 0.1")]) == [4]
    text = "0 0.5 0.5 0.1 0.1"
    assert asked(side, files[1:], [(0, text), (1, text), (2, text)]) == [3, 2, 1]
    side.finish()
    assert (side.n_stale, side.n_elsewhere) == (0, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "alien"}, {"kind": "blob"}, {"attributes": "[1]"}, {"attributes": "{"},
        {"attributes": '{"a":NaN}'}, {"annotation": 0}, {"content": "0c464a70732f0c3"},
        {"content": "0C464A70732F0C3D"}, {"content": "ßßßßßßßß"},
    ],
)  # fmt: skip
def test_a_row_that_says_what_it_may_not_is_not_believed(tmp_path: Path, wrong: Row) -> None:
    side = written(tmp_path, {"file": "a.txt", **wrong})
    assert asked(side, ["a.txt"], [(0, "0 0.5 0.5 0.1 0.1")]) == [None]
    assert side.n_stale == 1


@pytest.mark.parametrize(
    "text",
    ["", "file,line\na,1\n", '"unclosed', "a\nb,c\n", "\0\0\0"],
    ids=["empty", "columns", "quote", "ragged", "nul"],
)
def test_another_file_under_its_name_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(BadInput) as caught:
        Attributions(tmp_path / FILE_NAME).of(
            ["a.txt"], np.array([0]), texts=[b""], classes=pa.array(["cat"])
        )
    assert caught.value.slug == "wrong-shape"


def test_a_number_that_is_none_is_refused(tmp_path: Path) -> None:
    written(tmp_path, {"file": "a.txt"})
    path = tmp_path / FILE_NAME
    path.write_text(path.read_text("utf-8").replace(",7,", ",seven,"), "utf-8")
    with pytest.raises(BadInput) as caught:
        asked(Attributions(path), ["a.txt"], [(0, "0 0.5 0.5 0.1 0.1")])
    assert caught.value.slug == "wrong-shape"


def test_many_rows_are_matched_across_blocks_of_the_file(tmp_path: Path) -> None:
    n_files, n_each = 300, 300
    contents = digests([f"0 {k}".encode() for k in range(n_each)])
    values: dict[str, object] = {
        **PLAIN,
        "file": [f"{at // n_each:04d}.txt" for at in range(n_files * n_each)],
        "line": 1,
        "content": contents * n_files,
        "annotation": [*range(1, n_each + 1)] * n_files,
        "labelled_at": None,
    }
    with writing(tmp_path) as append:
        append(pa.Table.from_batches([columns.batch_of(TABLE, values, n_files * n_each)]))
    assert (tmp_path / FILE_NAME).stat().st_size > 2 * attributions.BLOCK_BYTES
    side = Attributions(tmp_path / FILE_NAME)
    for start in range(0, n_files, 70):
        files = [f"{at:04d}.txt" for at in range(start, min(start + 70, n_files))]
        lines = [(file, f"0 {k}") for file in range(len(files)) for k in range(n_each)]
        assert asked(side, files, lines) == [k + 1 for _ in files for k in range(n_each)]
    side.finish()
    assert (side.n_stale, side.n_elsewhere) == (0, 0)
