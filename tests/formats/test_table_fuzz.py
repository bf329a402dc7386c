"""Tables at random: rows as Python's own reader has them, and only clean refusals."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.errors import BadInput, LineageError
from lineage.formats.table import sheet
from lineage.formats.table.draft import draft
from lineage.formats.table.mapping import TableMapping
from lineage.formats.table.sheet import Sheet
from lineage.segments import parquet_writer
from tests.formats.tables import BOXES, CLASSES, Found, Json, found_in, with_


@contextmanager
def blocks_of(n_bytes: int) -> Iterator[None]:
    """Read in blocks of another size for a while."""
    usual, sheet.BLOCK_BYTES = sheet.BLOCK_BYTES, n_bytes
    try:
        yield
    finally:
        sheet.BLOCK_BYTES = usual


CELL = st.text(alphabet='a1",; \n\r\té', max_size=6)
ROWS = st.integers(2, 4).flatmap(
    lambda n: st.lists(st.lists(CELL, min_size=n, max_size=n), min_size=1, max_size=8)
)


@given(ROWS, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.integers(1, 40), st.booleans())
@settings(max_examples=120)
def test_rows_and_their_lines_are_those_of_pythons_reader(
    rows: list[list[str]], end: str, quotes_all: bool, block_bytes: int, is_ended: bool
) -> None:
    text = io.StringIO()
    quoting = csv.QUOTE_ALL if quotes_all else csv.QUOTE_MINIMAL
    names = [f"c{at}" for at in range(len(rows[0]))]
    csv.writer(text, lineterminator=end, quoting=quoting).writerows([names, *rows])
    content = text.getvalue() if is_ended else text.getvalue().removesuffix(end)
    # Python's reader counts a line for every break that it sees, within quotes too
    reader = csv.reader(io.StringIO(content, newline=""))
    lines = [1, *(reader.line_num + 1 for _ in reader)]
    read = list(zip(lines, csv.reader(io.StringIO(content, newline="")), strict=False))
    # a line break that nobody quoted cuts a row in two
    wanted = [(line, row) for line, row in read if len(row) == len(names)][1:]
    odd = [line for line, row in read if row and len(row) != len(names)]
    with tempfile.TemporaryDirectory() as folder, blocks_of(block_bytes):
        path = Path(folder) / "t.csv"
        path.write_bytes(content.encode())
        blocks = list(Sheet(path, TableMapping(kind=None, columns={})).blocks(names, ()))
    found = [
        (line, [cell or "" for cell in row.values()])
        for block in blocks
        for line, row in zip(block.position.tolist(), block.cells.to_pylist(), strict=True)
    ]
    assert found == wanted
    assert [misfit.position for block in blocks for misfit in block.misfits] == odd


MAPPINGS: list[Json] = [
    BOXES,
    with_(BOXES, unit="fraction", columns={"width": "w"}, constants={"height": 10}),
    {**CLASSES, "extra": "rest"},
    {**with_(CLASSES, columns={"labelled_at": "x1", "gold": "y1"}), "attributes": "rest"},
    {"kind": "label", "columns": {"asset": "image", "class": "label", "box": "x1", "points": "y1"}},
    {
        "kind": "polygon",
        "each": "x1",
        "columns": {"asset": "image", "class": ".", "points": "y1[0]"},
    },
    with_(CLASSES, kind="mask", columns={"mask": "y2"}),
    with_(CLASSES, kind="keypoints", columns={"points": ["x1", "y1", "x2", "y2"]}),
]
SEEDS = [
    b'image,label,x1,y1,x2,y2,w\na.jpg,cat,1,2,3,4,9\n"b,""c",dog,.5,1e3,-4,nan,0\n',
    b'image,label,x1,y1,x2,y2,w\r\na,box,"[1,2,3,4]","[[0,0],[1,1],[2,0]]",0,"{""size"":[2,2],""counts"":[0,4]}",1\r\n',
    b'{"image":"a","label":"cat","x1":[[1,2,3,4]],"y1":"2026-01-01T00:00:00Z","x2":3,"y2":4,"w":5}\n{"image":1}\n',
    b'[{"image":"a","label":"cat","x1":1,"y1":2,"x2":3,"y2":4,"w":true}]',
]
EDIT = st.tuples(st.integers(0, 10_000), st.integers(0, 3), st.binary(max_size=4) | st.sampled_from(
    [b'"', b",", b"\n", b"\r", b"[", b"{", b"\\", b"1e999", b"-", b"\xef\xbb\xbf", b"null", b'""', b"\x00"]
))  # fmt: skip


def mangled(seed: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for at, n_gone, put in edits:
        place = at % (len(seed) + 1)
        seed = seed[:place] + put + seed[place + n_gone :]
    return seed


def survives(content: bytes, mapping: Json, block_bytes: int, encoding: str) -> None:
    """Read a file and draft a mapping for it: what comes out is whole, or refused cleanly."""
    with tempfile.TemporaryDirectory() as folder, blocks_of(block_bytes):
        path = Path(folder) / "t.csv"
        path.write_bytes(content)
        try:
            found = Found(path, {**mapping, "encoding": encoding})
        except BadInput:
            found = None
        if found is not None:
            assert all(row["asset"] for row in found.labels)
            assert all(row["class"] for row in found.labels)
            assert all(v["position"] is not None for v in found.violations)
        try:
            draft(path)
        except LineageError:
            return


CASES = (
    st.sampled_from(SEEDS),
    st.lists(EDIT, max_size=6),
    st.sampled_from(MAPPINGS),
    st.sampled_from([16, 1 << 20]),
    st.sampled_from(["utf-8", "latin-1"]),
)


@given(*CASES)
@settings(max_examples=120)
def test_mangled_tables_are_read_or_refused_cleanly(
    seed: bytes, edits: list[tuple[int, int, bytes]], mapping: Json, size: int, encoding: str
) -> None:
    survives(mangled(seed, edits), mapping, size, encoding)


def parquet(folder: Path) -> bytes:
    """Return a Parquet file's bytes."""
    table = pa.table(
        {
            "image": ["a", "b", "c"],
            "label": pa.array(["cat", None, "dog"]).dictionary_encode(),
            "x1": [1.0, None, 3.0],
            "y1": [1, 2, 3],
            "x2": ["9", "9", "x"],
            "y2": [[9], None, []],
        }
    )
    path = folder / "seed.parquet"
    with parquet_writer(path, table.schema) as writer:
        writer.write_table(table)
    return path.read_bytes()


@pytest.mark.parametrize(
    "n_cases", [60, pytest.param(5_000, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_mangled_parquet_is_read_or_refused_cleanly(tmp_path: Path, n_cases: int) -> None:
    seed = parquet(tmp_path)
    assert len(found_in(tmp_path, seed, with_(BOXES, columns={"y_max": "x1"})).labels) == 1
    for case in range(n_cases):
        random = Random(case)
        edits = [
            (
                random.randrange(4, len(seed)),
                random.randrange(4),
                random.randbytes(random.randrange(4)),
            )
            for _ in range(random.randrange(1, 5))
        ]
        survives(mangled(seed, edits), BOXES, 1 << 20, "utf-8")


@pytest.mark.slow
@given(*CASES)
@settings(max_examples=10_000)
def test_ten_thousand_mangled_tables_are_read_or_refused_cleanly(
    seed: bytes, edits: list[tuple[int, int, bytes]], mapping: Json, size: int, encoding: str
) -> None:
    survives(mangled(seed, edits), mapping, size, encoding)


@pytest.mark.parametrize("size", [16, 1 << 20])
def test_a_byte_order_mark_within_a_file_is_a_cell_of_its_row(size: int) -> None:
    head = b"image,label,x1,y1,x2,y2,w\n"
    row = b"a.jpg,cat,1,2,3,4,9\n"
    for content in (head + row + b"\xef\xbb\xbf", head + b"\xef\xbb\xbf" + row + row):
        survives(content, MAPPINGS[0], size, "utf-8")
