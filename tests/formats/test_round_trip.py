"""What each format holds: written, found by its content, read back, and compared with what went out."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage import columns, formats
from lineage.formats import Chunk, ReadOptions, WriteOptions, WriteReport, sources
from lineage.terms import Completeness, Kind
from tests.formats.worlds import Row, World, worlds

DOCS = Path(__file__).resolve().parent.parent.parent / "docs" / "formats.md"
_OF_LABEL = ("annotator", "annotation", "origin", "times", "stage")
_COLUMN = {
    "annotator": "annotator",
    "annotation": "annotation",
    "origin": "origin",
    "times": "labelled_at",
}
_PX = 1e-6
_NUMBERS = count()
SILENT_IS_EMPTY = formats.TREES
"""Formats whose writers take an image without labels, of which nothing is said, for looked at."""

DONE = (Completeness.COMPLETE, Completeness.COMPLETE_EMPTY)
_ENDINGS = {"cvat": ".xml", **dict.fromkeys(formats.TREES, "")}


@dataclass(frozen=True)
class Holds:
    """What comes back of labels of some kinds.

    Parameters
    ----------
    geometry
        ``exact``: to the last bit; ``rounded``: within a millionth of a pixel; ``polygon``, ``box``: as
        one; ``visible``: points that are there, as seen; ``joined``: rounded, parts as one ring;
        ``padded``: rounded, followed by absent points; ``lost``: labels left out.
    attributes
        ``exact``; ``scalars``: lists as the text of their JSON; ``text``: yes and no as text, a list
        of one as its word; ``turned``: exact, and a ``rotation`` besides; ``lost``.
    annotator, annotation, origin, times, stage, completeness
        ``exact``, ``side file`` (exact, from a file beside or within), ``files`` (of images that have a
        file), ``lost``.
    """

    geometry: str
    attributes: str = "exact"
    annotator: str = "exact"
    annotation: str = "exact"
    origin: str = "exact"
    times: str = "exact"
    stage: str = "exact"
    completeness: str = "exact"


_CVAT = {"attributes": "scalars", "completeness": "side file"}
_FILES = {"completeness": "files"}


def lost(completeness: str = "exact") -> Holds:
    return Holds(*["lost"] * 7, completeness)


HOLDS: dict[str, dict[Kind, Holds]] = {
    "label-studio": {
        Kind.CLASS: Holds("exact", "lost"),
        Kind.BOX: Holds("rounded", "text"),
        Kind.ROTATED_BOX: Holds("rounded", "text"),
        Kind.POLYGON: Holds("rounded", "text"),
        Kind.POLYLINE: Holds("rounded", "text"),
        Kind.MASK: Holds("exact", "text"),
        Kind.KEYPOINTS: Holds("visible", "text"),
    },
    "cvat": {
        Kind.CLASS: Holds("exact", **_CVAT),
        Kind.BOX: Holds("exact", **_CVAT),
        Kind.ROTATED_BOX: Holds("rounded", **_CVAT),
        Kind.POLYGON: Holds("exact", **_CVAT),
        Kind.POLYLINE: Holds("exact", **_CVAT),
        Kind.MASK: Holds("exact", **_CVAT),
        Kind.KEYPOINTS: Holds("visible", **_CVAT),
    },
    "coco": {
        Kind.CLASS: lost(),
        Kind.BOX: Holds("rounded"),
        Kind.ROTATED_BOX: Holds("polygon", "turned"),
        Kind.POLYGON: Holds("exact"),
        Kind.POLYLINE: lost(),
        Kind.MASK: Holds("exact"),
        Kind.KEYPOINTS: Holds("exact"),
    },
    "voc": {
        Kind.CLASS: lost("files"),
        Kind.BOX: Holds("exact", **_FILES),
        Kind.ROTATED_BOX: Holds("exact", **_FILES),
        Kind.POLYGON: Holds("exact", **_FILES),
        Kind.POLYLINE: lost("files"),
        Kind.MASK: lost("files"),
        Kind.KEYPOINTS: lost("files"),
    },
    "yolo": {
        Kind.CLASS: lost("side file"),
        Kind.BOX: Holds("rounded", *["side file"] * 7),
        Kind.ROTATED_BOX: Holds("rounded", *["side file"] * 7),
        Kind.POLYGON: Holds("joined", *["side file"] * 7),
        Kind.POLYLINE: lost("side file"),
        Kind.MASK: Holds("box", *["side file"] * 7),
        Kind.KEYPOINTS: Holds("padded", *["side file"] * 7),
    },
}
"""What docs/formats.md says in its table, as data; `test_the_page_says_what_is_held` holds the two together."""


_NO_FORM = (Kind.CLASS, Kind.POLYLINE)
# a YOLO set has one task, and with it one kind of rows
_OF_TASK = ((Kind.BOX, Kind.MASK), (Kind.ROTATED_BOX,), (Kind.POLYGON,), (Kind.KEYPOINTS,))
ROUNDS = [
    *[(name, tuple(Kind)) for name in HOLDS if name != "yolo"],
    *[("yolo", (*kinds, *_NO_FORM)) for kinds in _OF_TASK],
]
"""Formats, and kinds that may stand side by side in a data set of theirs."""


def written(folder: Path, format_name: str, world: World) -> tuple[Path, WriteReport]:
    path = folder / f"out{_ENDINGS.get(format_name, '.json')}"
    write = formats.writer(format_name)
    return path, write(path, world.labels, world.assets, WriteOptions(world.completeness))


def read_back(path: Path, format_name: str, world: World) -> list[Chunk]:
    options = ReadOptions(size_of=world.sizes.get)
    chunks = list(formats.reader(format_name)(path, options))
    assert [row for chunk in chunks for row in chunk.violations.to_pylist()] == []
    return chunks


def rows_of(chunks: list[Chunk]) -> list[Row]:
    return [row for chunk in chunks for row in chunk.labels.to_pylist()]


def find(document: Any, key: str) -> Iterator[Any]:
    """Yield whatever stands under a key, however deep."""
    if isinstance(document, dict):
        for name, value in document.items():
            if name == key:
                yield value
            yield from find(value, key)


def same_geometry(how: str, row: Row, back: Row) -> bool:
    if how in ("polygon", "box"):
        hull = [[one[name] for name in columns.BOX] for one in (row, back)]
        return back["kind"] == how and np.allclose(*hull, rtol=0, atol=_PX)
    if back["kind"] != row["kind"]:
        return False
    if row["kind"] == Kind.CLASS:
        return back["geometry"] is None and back["x_min"] is None
    mine, theirs = [
        [[one[name] for name in columns.BOX], *(one["geometry"] or [])] for one in (row, back)
    ]
    if how == "joined":
        mine, theirs = (mine, theirs) if len(mine) == 2 else (mine[:1], theirs[:1])
    if how == "padded":
        n = len(row["geometry"][0])
        assert not any(theirs[1][n:])
        theirs = [theirs[0], theirs[1][:n]]
    if how == "visible":
        flat = row["geometry"][0]
        points = zip(flat[0::3], flat[1::3], flat[2::3], strict=True)
        mine = [mine[0], [n for x, y, v in points if v for n in (x, y, 2.0)]]
        how = "rounded"
    if how == "exact":
        return mine == theirs
    return len(mine) == len(theirs) and all(
        len(a) == len(b) and np.allclose(a, b, rtol=0, atol=_PX)
        for a, b in zip(mine, theirs, strict=True)
    )


def as_text(value: Any) -> Any:
    """Return a value as it comes back from a form: what is neither text nor number is a text."""
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, list):
        return value[0] if len(value) == 1 else value
    return value


def lists_as_text(value: Any) -> Any:
    """Return a value as it comes back where a list is the text of its JSON."""
    return json.dumps(value, separators=(",", ":")) if isinstance(value, list) else value


_READINGS = {"text": as_text, "scalars": lists_as_text}


def same_attributes(how: str, row: Row, back: Row) -> bool:
    mine, theirs = (json.loads(one["attributes"]) for one in (row, back))
    if how == "lost":
        return theirs == {}
    if how == "turned":
        mine = {"rotation": row["geometry"][0][4], **mine}
    if how in _READINGS:
        mine = {name: _READINGS[how](value) for name, value in mine.items()}
    return set(mine) == set(theirs) and all(_is_same(mine[name], theirs[name]) for name in mine)


def _is_same(mine: Any, theirs: Any) -> bool:
    if isinstance(mine, float) and isinstance(theirs, float):
        return mine == theirs or math.isclose(mine, theirs, rel_tol=0)
    return type(mine) is type(theirs) and mine == theirs


def same_fact(name: str, how: str, row: Row, back: Row) -> bool:
    if how == "lost":
        return True
    if name == "stage":
        return row["stage"] in set(find(json.loads(back["extra"] or "{}"), "stage"))
    return bool(row[_COLUMN[name]] == back[_COLUMN[name]])


def compare(format_name: str, world: World, chunks: list[Chunk]) -> None:
    """Hold what came back to what went out, as far as the format holds it."""
    found = {row["annotation"]: row for row in rows_of(chunks)}
    held = [row for row in world.rows if HOLDS[format_name][Kind(row["kind"])].geometry != "lost"]
    assert len(rows_of(chunks)) == len(held)
    for row in held:
        holds = HOLDS[format_name][Kind(row["kind"])]
        back = found[row["annotation"]]
        assert (back["asset"], back["class"]) == (row["asset"], row["class"])
        assert same_geometry(holds.geometry, row, back), (row, back)
        assert same_attributes(holds.attributes, row, back), (row, back)
        for name in _OF_LABEL:
            assert same_fact(name, getattr(holds, name), row, back), (name, row, back)
    compare_images(format_name, world, chunks)


def compare_images(format_name: str, world: World, chunks: list[Chunk]) -> None:
    """Hold what came back of images; where each has a file, those without one are not said to be done."""
    states, expected = (
        {(said["asset"], said["class"]): (said["state"], said["reason"]) for said in rows}
        for rows in (
            [said for chunk in chunks for said in chunk.completeness.to_pylist()],
            world.completeness.to_pylist(),
        )
    )
    named = {row["name"] for chunk in chunks for row in chunk.assets.to_pylist()}
    if format_name in formats.TREES:
        assert named <= set(world.sizes)
        done = {name for (name, _), (state, _) in states.items() if state in DONE}
        said = {name for name, _ in expected}
        may_be_done = {name for (name, _), (state, _) in expected.items() if state in DONE}
        may_be_done |= {row["asset"] for row in world.rows}
        if format_name in SILENT_IS_EMPTY:
            may_be_done |= set(world.sizes) - said
        assert done <= may_be_done
        kinds = HOLDS[format_name]
        filed = {r["asset"] for r in world.rows if kinds[Kind(r["kind"])].geometry != "lost"}
        filed |= done - {row["asset"] for row in world.rows}
        expected = {key: said for key, said in expected.items() if key[0] in filed}
    else:
        assert named == set(world.sizes)
    assert {key: states.get(key) for key in expected} == expected


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("round_trip")


def round_trip(folder: Path, format_name: str, world: World) -> None:
    with_scratch = folder / str(next(_NUMBERS))
    with_scratch.mkdir()
    path, report = written(with_scratch, format_name, world)
    if report.n_labels:
        found = sources.find([sources.Piece(path, path.name)], scratch=with_scratch)
        assert found.format == format_name
    # a YOLO set without a row has no classes, and cannot be read
    if report.n_labels or (report.n_assets and format_name != "yolo"):
        compare(format_name, world, read_back(path, format_name, world))


@pytest.mark.parametrize(("format_name", "kinds"), ROUNDS)
@settings(max_examples=12)
@given(data=st.data())
def test_what_goes_out_comes_back(
    folder: Path, format_name: str, kinds: tuple[Kind, ...], data: st.DataObject
) -> None:
    round_trip(folder, format_name, data.draw(worlds(kinds, may_overhang=format_name != "yolo")))


@pytest.mark.slow
@pytest.mark.parametrize(("format_name", "kinds"), ROUNDS)
@settings(max_examples=150)
@given(data=st.data())
def test_what_goes_out_comes_back_at_length(
    folder: Path, format_name: str, kinds: tuple[Kind, ...], data: st.DataObject
) -> None:
    round_trip(
        folder,
        format_name,
        data.draw(worlds(kinds, max_labels=12, may_overhang=format_name != "yolo")),
    )


@pytest.mark.parametrize("format_name", HOLDS)
@pytest.mark.parametrize("kind", list(Kind))
@settings(max_examples=4)
@given(data=st.data())
def test_what_a_format_has_no_place_for_is_counted(
    folder: Path, format_name: str, kind: Kind, data: st.DataObject
) -> None:
    world = data.draw(
        worlds([kind], min_labels=1, max_labels=3, may_overhang=format_name != "yolo")
    )
    scratch = folder / str(next(_NUMBERS))
    scratch.mkdir()
    _, report = written(scratch, format_name, world)
    if HOLDS[format_name][kind].geometry == "lost":
        assert (report.n_labels, report.losses[kind.value]) == (0, len(world.rows))
    else:
        assert report.n_labels == len(world.rows)


@pytest.mark.parametrize(("format_name", "kinds"), ROUNDS)
@settings(max_examples=4)
@given(data=st.data())
def test_the_same_rows_give_the_same_bytes(
    folder: Path, format_name: str, kinds: tuple[Kind, ...], data: st.DataObject
) -> None:
    world = data.draw(worlds(kinds, min_labels=2))
    seen = []
    for order in (slice(None), slice(None, None, -1)):
        scratch = folder / str(next(_NUMBERS))
        scratch.mkdir()
        labels = world.labels.take(np.arange(world.labels.num_rows)[order])
        assets = world.assets.take(np.arange(world.assets.num_rows)[order])
        written(scratch, format_name, World(labels, assets, world.completeness))
        files = sorted(path for path in scratch.rglob("*") if path.is_file())
        seen.append([(path.relative_to(scratch), path.read_bytes()) for path in files])
    assert seen[0] == seen[1]


def test_the_page_says_what_is_held() -> None:
    text = DOCS.read_text("utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| ([a-z_, ]+) \|(.+)\|$", text, re.M)
    told = {
        (format_name, kind): Holds(*(cell.strip() for cell in cells.split("|")))
        for format_name, kinds, cells in rows
        if format_name in formats.WRITERS and cells.count("|") == len(fields(Holds)) - 1
        for kind in kinds.strip().split(", ")
    }
    held = {
        (name, kind.value): holds for name, kinds in HOLDS.items() for kind, holds in kinds.items()
    }
    assert told == held


def test_every_writer_is_held_to_something() -> None:
    assert set(HOLDS) == set(formats.WRITERS)
