"""YOLO in, hostile: whatever stands in a folder, a reader refuses it cleanly or gives sound rows."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage import columns
from lineage.errors import LineageError
from lineage.formats.yolo.naming import cleaned, label_path, names
from lineage.formats.yolo.numbers import parse
from tests.formats.yolo_folders import Found, folder

SIZE = {f"{name}.jpg": (200, 100) for name in "abc"}
numbers = st.one_of(
    st.sampled_from(
        ["0", "1", "0.5", "-1", "1e-3", "nan", "inf", "1e999", "+.5", "0x1", "1_0", "0,5", "½", ""]
    ),
    st.floats(-0.1, 1.1).map(repr),
    st.integers(-1, 3).map(str),
)
rows = st.one_of(
    st.lists(numbers, max_size=14).map(" ".join),
    st.lists(st.floats(0, 1).map(lambda n: f"{n:.6f}"), min_size=4, max_size=12).map(
        lambda values: " ".join(["0", *values])
    ),
    st.text(max_size=12),
)
texts = st.one_of(
    st.lists(rows, max_size=8).map(lambda lines: "\n".join(lines).encode("utf-8", "replace")),
    st.binary(max_size=60),
)
documents = st.one_of(
    st.sampled_from(
        [
            b"names: [cat, dog]", b"names: {0: cat, 1: dog}\nkpt_shape: [2, 3]", b"names: [cat]\ntask: obb",
            b"names: [cat]\nkpt_shape: [1, 2]", b"names: [cat]\ntrain: train.txt", b"names: {1: dog}\ntrain: ../..",
            b"names: [cat]\npath: /\ntrain: etc\nval: [images, ./labels, 5]\ntask: segment",
        ]
    ),
    st.binary(max_size=40).map(lambda tail: b"names: [cat]\n" + tail),
    st.text(st.sampled_from("names: [{}]\n-,&*a!'\"#0\t"), max_size=40).map(str.encode),
)  # fmt: skip
lists = st.lists(
    st.one_of(st.sampled_from(["./images/a.jpg", "b.jpg", "../c.jpg", "/x/images/c.jpg"]), st.text(max_size=8)),
    max_size=4,
).map(lambda lines: "\n".join(lines).encode("utf-8", "replace"))  # fmt: skip


def read_or_refused(root: Path, task: str) -> Found | str:
    """Return what a folder holds, or the slug of its refusal."""
    try:
        return Found(root, size_of=SIZE.get, task=task, chunk_rows=3)
    except LineageError as exc:
        return exc.slug


def check(root: Path, task: str) -> None:
    """Read a folder: only clean refusals, and of what is read every row is sound."""
    seen = read_or_refused(root, task)
    if isinstance(seen, str):
        assert seen in ("wrong-shape", "not-utf8", "yolo-task")
        return
    for row in seen.labels:
        assert row["class"]
        assert row["asset"] in SIZE
        assert all(math.isfinite(row[name]) for name in columns.BOX)
        assert all(math.isfinite(n) for part in row["geometry"] or () for n in part)
    for row in seen.violations:
        assert row["source"].startswith(str(root))
    assert not any(".." in row["name"].split("/") for row in seen.rows["assets"])


def made(folder_: Path, data: st.DataObject) -> None:
    files: dict[str, str | bytes] = {
        "data.yaml": data.draw(documents),
        "train.txt": data.draw(lists),
    }
    for name in "abc":
        files[f"labels/{name}.txt"] = data.draw(texts)
    check(folder(folder_, files), data.draw(st.sampled_from(["auto", "auto", "segment", "obb"])))


@given(data=st.data())
@settings(max_examples=60)
def test_whatever_stands_in_a_folder_is_read_or_refused_cleanly(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    made(tmp_path_factory.mktemp("fuzz"), data)


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=10_000)
def test_whatever_stands_in_a_folder_is_read_or_refused_cleanly_at_length(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    made(tmp_path_factory.mktemp("fuzz"), data)


@given(st.lists(st.lists(rows, max_size=6), max_size=5))
@settings(max_examples=50)
def test_bulk_parsing_reads_what_reading_line_by_line_reads(files: list[list[str]]) -> None:
    contents = ["\n".join(lines).encode("utf-8", "replace") for lines in files]
    found = parse(contents)
    lines = [
        (at, number, line.split())
        for at, text in enumerate(contents)
        for number, line in enumerate(
            text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        )
        if line.split()
    ]
    assert list(zip(found.file.tolist(), found.line.tolist(), strict=True)) == [
        (at, number) for at, number, _ in lines
    ]
    assert found.n_columns.tolist() == [len(words) for _, _, words in lines]
    for word, value, is_number in zip(
        (word for _, _, words in lines for word in words),
        found.values.tolist(),
        found.is_number.tolist(),
        strict=True,
    ):
        told = plain_number(word)
        assert is_number == (told is not None)
        assert told is None or told == value or (math.isnan(told) and math.isnan(value))


def plain_number(word: bytes) -> float | None:
    """Return what Python reads, but for the liberties that it takes with signs of other scripts."""
    if not word.isascii() or b"_" in word:
        return None
    try:
        return float(word)
    except ValueError:
        return None


@given(
    st.text(max_size=20), st.lists(st.sampled_from(["images", "labels", "train", "..", "", "a.b"]))
)
def test_paths_never_lead_out(tail: str, parts: list[str]) -> None:
    path = "/".join([*parts, tail])
    inside = cleaned(path)
    assert not {"", ".", ".."} & set(inside)
    if inside:
        assert label_path("/".join(inside)).endswith(".txt")
        assert names("/".join(inside))[2] == "/".join(inside)


def test_a_damaged_set_of_every_task_is_read_or_refused_cleanly(tmp_path: Path) -> None:
    chance = random.Random(7)
    good = b"".join(
        b"%d %s\n" % (chance.randrange(2), b" ".join(b"%.6f" % chance.random() for _ in range(n)))
        for n in (4, 4, 5, 6, 8, 8, 10, 12)
    )
    for number in range(30):
        text = bytearray(good)
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(text))
            text[at : at + chance.randrange(3)] = bytes([chance.randrange(256)])
        root = folder(tmp_path / str(number), {"labels/a.txt": bytes(text)})
        check(root, chance.choice(["auto", "detect", "segment", "obb"]))
