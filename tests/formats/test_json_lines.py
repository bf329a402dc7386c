"""NDJSON: documents by line, and every way in which a file of lines can be broken."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import BadInput
from lineage.formats import json_lines
from lineage.formats.json_stream import Odd


class Thing(msgspec.Struct):
    x: float = 0


def things(path: Path, block_bytes: int = 64) -> list[tuple[int, object]]:
    return list(json_lines.elements(path, Thing, block_bytes=block_bytes))


@given(
    st.lists(st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=40))),
    st.sampled_from(["\n", "\r\n", "\n\n", " \n\t\n"]),
    st.booleans(),
    st.integers(1, 200),
)
def test_documents_come_back_whatever_the_blocks(
    tmp_path_factory: pytest.TempPathFactory,
    values: list[tuple[float, str]],
    newline: str,
    ends: bool,
    block_bytes: int,
) -> None:
    path = tmp_path_factory.mktemp("lines") / "x.ndjson"
    lines = [json.dumps({"x": x, "other": other}) for x, other in values]
    text = newline.join(lines) + (newline if ends else "")
    path.write_bytes(text.encode())
    if not lines:
        with pytest.raises(BadInput):
            things(path, block_bytes)
        return
    found = things(path, block_bytes)
    assert [thing.x for _, thing in found if isinstance(thing, Thing)] == [x for x, _ in values]
    # the index is that of the line, blank ones counted
    step = newline.count("\n")
    assert [at for at, _ in found] == [step * i for i in range(len(values))]


def test_a_document_that_does_not_fit_is_odd_and_the_others_come(tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson"
    path.write_text('{"x": 1}\n{"x": "one"}\n7\n{"x": NaN}\n{"x": 2}\n')
    found = things(path, 1 << 20)
    assert [at for at, _ in found] == [0, 1, 2, 3, 4]
    odd = found[1][1]
    assert isinstance(odd, Odd)
    assert json.loads(odd.text) == {"x": "one"}
    assert isinstance(found[2][1], Odd)
    assert isinstance(found[3][1], Thing)
    assert isinstance(found[4][1], Thing)


def test_one_document_over_several_lines_is_that_document(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("\ufeff\n" + json.dumps({"x": 4, "y": [1, 2]}, indent=2) + "\n")
    assert [thing for _, thing in things(path)] == [Thing(4)]
    path.write_text(json.dumps({"x": "four"}, indent=2))
    assert isinstance(things(path)[0][1], Odd)


def test_a_byte_order_mark_and_blank_lines_before_the_first_are_no_document(tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson"
    path.write_bytes(b'\xef\xbb\xbf\n\n{"x": 1}\n{"x": 2}')
    assert things(path) == [(2, Thing(1)), (3, Thing(2))]


@pytest.mark.parametrize(
    ("content", "slug", "where", "told"),
    [
        (b"", "unreadable-json", "", "empty"),
        (b" \n\n", "unreadable-json", "", "empty"),
        (b'{"x": 1}\n{"x": ', "unreadable-json", "line 2", "the file ends within a document"),
        (b'{"x": 1}\n{"x": 2', "unreadable-json", "line 2", "the file ends within a document"),
        (b'{"x": 1}\n{"x" 2}\n{"x": 3}\n', "unreadable-json", "line 2", "no JSON document"),
        (b'{"x": 1} {"x": 2}\n', "unreadable-json", "line 1", "no JSON document"),
        (b'{"x": 1,\n{"x": 2}\n', "unreadable-json", "", "line 2 column 1"),
        (b"<xml/>\n", "unreadable-json", "line 1", "no JSON document"),
        (b'{"x": 1}\n{"x": 2, "y": "\xe9"\n', "not-utf8", "line 2", "0xe9"),
        ('{"x": 1}\n'.encode("utf-16"), "not-utf8", "", "UTF-16"),
        (b'{"x": 1}\n{"y": ' + b"[" * 50_000 + b"\n", "too-deep", "line 2", "deeper"),
    ],
)
def test_broken_files_are_refused_with_the_line(
    tmp_path: Path, content: bytes, slug: str, where: str, told: str
) -> None:
    path = tmp_path / "x.ndjson"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=told) as caught:
        things(path, 1 << 20)
    assert caught.value.slug == slug
    assert str(path) in caught.value.where
    assert where in caught.value.where


def test_a_line_without_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_lines, "MAX_ELEMENT_BYTES", 1000)
    path = tmp_path / "x.ndjson"
    path.write_text('{"x": 1}\n{"y": "' + "a" * 5000 + '"}\n')
    with pytest.raises(BadInput) as caught:
        things(path)
    assert caught.value.slug == "element-too-large"
    path.write_text('{"y":\n"' + "a" * 5000 + '"}\n')
    with pytest.raises(BadInput) as caught:
        things(path)
    assert caught.value.slug == "element-too-large"
