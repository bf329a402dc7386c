"""Every reader against bent files: whole tables or a clean refusal, in bounded memory; never anything else.

A small true file of each format (what our own writers make of a random data set, or one made by
hand) is bent: values and elements replaced, taken out, doubled; numbers made odd; bytes flipped,
cut and put in. ``LINEAGE_FUZZ_CASES`` says how many cases a reader gets in the slow run.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage import formats
from lineage.errors import LineageError
from lineage.formats import READERS, ReadOptions, WriteOptions
from lineage.formats.sources import Piece, find
from lineage.terms import Kind
from tests.formats.rest_folders import comment, issue, job, rest_folder, shape
from tests.formats.test_labelbox_fuzz import NEWER, OLDER, bent
from tests.formats.worlds import World, worlds

CASES = int(os.environ.get("LINEAGE_FUZZ_CASES", "1500"))
QUICK = 20
GROWTH_BYTES = 400 << 20
TABLE = "id,image,who,label,x1,y1,x2,y2,when\n1,a.png,ann,cat,1,2,30,40,2026-03-01T10:00:00Z\n2,b.png,bo,dog,5.5,6,70,80,\n"
MAPPING = {
    "kind": "box",
    "columns": {
        "id": "id", "asset": "image", "annotator": "who", "class": "label", "x_min": "x1",
        "y_min": "y1", "x_max": "x2", "y_max": "y2", "labelled_at": "when",
    },
}  # fmt: skip
ODD = [
    "", "NaN", "-inf", "1e999", "-1", "0", "99999999999999999999", "0x1", "1,5", "\ufffe", "<", "&", "&x;",
    '"', "\x00", "é" * 50, "../../x", "true", "None", " ", "1e-320",
]  # fmt: skip
KINDS = {
    "yolo": st.sampled_from([Kind.BOX, Kind.POLYGON, Kind.ROTATED_BOX]).flatmap(
        lambda k: worlds(kinds=(k,))
    )
}
ENTITY = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;&x;">]>'


def made(name: str, world: World, folder: Path) -> Path:
    """Write a true file or folder of a format."""
    if name == "labelbox":
        path = folder / "x.ndjson"
        rows = NEWER if world.labels.num_rows % 2 else OLDER
        path.write_text("\n".join(map(json.dumps, rows)))
        return path
    if name == "cvat-rest":
        return rest_folder(
            folder / "rest",
            [job(1, "acceptance", "completed", (0, 1)), job(2, "validation", "new", (2, 3))],
            {
                1: {
                    "version": 0,
                    "tags": [],
                    "tracks": [],
                    "shapes": [shape(1, 0, [1, 2, 30, 40])],
                },
                2: {"version": 0, "tags": [], "tracks": [], "shapes": [shape(2, 3, [5, 5, 9, 9])]},
            },
            issues=[issue(1, 1, 0, [5.0, 5.0])],
            comments=[comment(1, 1, "too wide")],
        )
    if name == "table":
        path = folder / "x.csv"
        path.write_text(TABLE)
        return path
    path = folder / f"x{ {'cvat': '.xml', 'voc': '', 'yolo': ''}.get(name, '.json') }"
    formats.writer(name)(path, world.labels, world.assets, WriteOptions(world.completeness))
    return path


def bend(path: Path, random: Random) -> None:
    """Bend a file, or one or two files of a folder."""
    files = [path]
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
        files = random.sample(files, min(len(files), random.choice([1, 1, 2])))
    for file in files:
        if random.random() < 0.1 and path.is_dir():
            file.unlink()
            continue
        content = file.read_bytes()
        for _ in range(random.choice([1, 1, 2, 4])):
            content = random.choice(WAYS)(content, random)
        file.write_bytes(content)


def _document(content: bytes, random: Random) -> bytes:
    """Replace or take out a value of a JSON document, or an element of a line of it."""
    try:
        return json.dumps(bent(json.loads(content), random)).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return _token(content, random)


def _token(content: bytes, random: Random) -> bytes:
    """Make a word or number odd."""
    words = list(re.finditer(rb"[^\s\"'<>=,;/]+", content))
    if not words:
        return b"x"
    word = random.choice(words)
    odd = random.choice(ODD).encode("utf-8", "surrogatepass")
    return content[: word.start()] + odd + content[word.end() :]


def _line(content: bytes, random: Random) -> bytes:
    """Take a line out, double it, or put it elsewhere."""
    lines = content.split(b"\n")
    at = random.randrange(len(lines))
    line = lines[at]
    how = random.randrange(3)
    if how == 0:
        del lines[at]
    elif how == 1:
        lines.insert(at, line)
    else:
        lines.insert(random.randrange(len(lines) + 1), lines.pop(at))
    return b"\n".join(lines)


def _cut(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def _flip(content: bytes, random: Random) -> bytes:
    if not content:
        return b"\xff"
    at = random.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << random.randrange(8))]) + content[at + 1 :]


def _put(content: bytes, random: Random) -> bytes:
    piece = random.choice(
        [b"\xef\xbb\xbf", b"\x00", b"\xff\xfe", b"[" * 600, b"<a>" * 600, ENTITY, b"\r"]
    )
    at = random.choice([0, random.randrange(len(content) + 1)])
    return content[:at] + piece + content[at:]


WAYS: list[Callable[[bytes, Random], bytes]] = [
    _document, _document, _token, _token, _token, _line, _line, _cut, _flip, _put,
]  # fmt: skip


def read_or_refused(name: str, path: Path, scratch: Path) -> None:
    """Read, and hold what comes out to its schemas."""
    options = ReadOptions(mapping=MAPPING if name == "table" else None, size_of=lambda _: (90, 60))
    try:
        found = find([Piece(path, "x")], scratch=scratch, format=name)
        for piece in found.pieces:
            for chunk in formats.reader(name)(piece.path, options):
                tables: list[Any] = [
                    chunk.labels, chunk.assets, chunk.roster, chunk.violations, chunk.completeness,
                ]  # fmt: skip
                for table in tables:
                    table.validate(full=True)
                assert all(n >= 0 for n in chunk.losses.values())
                assert None not in chunk.violations["rule"].to_pylist()
    except LineageError as exc:
        refusal = exc
    else:
        return
    assert refusal.slug
    assert str(refusal)


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def fuzz(name: str, n_cases: int, folder: Path) -> None:
    n_done = 0

    @given(world=KINDS.get(name, worlds()), seed=st.integers(0, 1 << 32))
    @settings(max_examples=n_cases, database=None)
    def case(world: World, seed: int) -> None:
        nonlocal n_done
        room = folder / "case"
        shutil.rmtree(room, ignore_errors=True)
        room.mkdir()
        path = made(name, world, room)
        bend(path, Random(seed))
        read_or_refused(name, path, room / "scratch")
        n_done += 1

    before = resident_bytes()
    case()
    assert n_done >= n_cases
    assert resident_bytes() - before < GROWTH_BYTES


@pytest.mark.parametrize("name", sorted(READERS))
def test_a_bent_file_is_read_whole_or_refused(name: str, tmp_path: Path) -> None:
    fuzz(name, QUICK, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("name", sorted(READERS))
def test_a_bent_file_is_read_whole_or_refused_ten_thousand_times(name: str, tmp_path: Path) -> None:
    fuzz(name, CASES, tmp_path)
