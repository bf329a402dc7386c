"""Files of any size, a group at a time: the same elements as Python's own parser finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage.errors import BadInput
from lineage.formats import json_stream
from lineage.formats.json_stream import Odd, decode_group, iter_groups, top_level

TEXT = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ['"', "\\", '\\"', "\\\\", '{"', "],[", "a,b:c", "é\u2028", "\\u0022"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
STYLES = st.sampled_from([{}, {"indent": 2}, {"separators": (",", ":")}, {"ensure_ascii": False}])
SIZES = st.integers(1, 70)
QUICK = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Point(msgspec.Struct):
    x: float


def stored(folder: Path, text: str | bytes) -> Path:
    path = folder / "document.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def all_elements(path: Path) -> list[object]:
    return [one for span in top_level(path).values() for one in elements_of(path, span)]


def elements_of(path: Path, span: json_stream.Span, **sizes: int) -> list[object]:
    found: list[object] = []
    for index, group in iter_groups(path, span, **sizes):
        assert index == len(found)
        found += json.loads(group)
    return found


@QUICK
@given(values=st.lists(VALUES, max_size=8), style=STYLES, block=SIZES, group=SIZES)
def test_an_array_comes_back_element_by_element_whatever_the_block_size(
    tmp_path: Path, values: list[object], style: dict[str, Any], block: int, group: int
) -> None:
    path = stored(tmp_path, json.dumps(values, **style))
    span = top_level(path, block_bytes=block)[""]
    assert elements_of(path, span, block_bytes=block, group_bytes=group) == values


@QUICK
@given(
    document=st.dictionaries(TEXT, st.lists(VALUES, max_size=5) | VALUES, max_size=5),
    style=STYLES,
    block=SIZES,
)
def test_every_value_of_an_object_is_found_whatever_the_block_size(
    tmp_path: Path, document: dict[str, object], style: dict[str, Any], block: int
) -> None:
    text = json.dumps(document, **style).encode()
    path = stored(tmp_path, text)
    spans = top_level(path, block_bytes=block)
    assert set(spans) == set(document)
    for key, span in spans.items():
        assert json.loads(text[span.start : span.stop]) == document[key]
        assert text[span.start : span.start + 1].decode("ascii", "replace") == span.opens_with
        if isinstance(document[key], list):
            assert elements_of(path, span, block_bytes=block, group_bytes=9) == document[key]


@pytest.mark.parametrize("n_backslashes", range(9))
@pytest.mark.parametrize("block", [1, 2, 3, 4, 5, 7, 64, 4096])
def test_runs_of_backslashes_may_straddle_blocks(
    tmp_path: Path, n_backslashes: int, block: int
) -> None:
    values = ["\\" * n_backslashes, '"' + "\\" * n_backslashes + '",[', {"\\" * n_backslashes: '"'}]
    path = stored(tmp_path, json.dumps(values))
    span = top_level(path, block_bytes=block)[""]
    assert elements_of(path, span, block_bytes=block) == values


def test_groups_stay_near_the_size_asked_for(tmp_path: Path) -> None:
    path = stored(tmp_path, json.dumps([{"x": i} for i in range(2000)]))
    groups = [
        g for _, g in iter_groups(path, top_level(path)[""], block_bytes=4096, group_bytes=512)
    ]
    assert max(map(len, groups)) < 1024
    assert len(groups) > 20


def test_a_byte_order_mark_is_no_part_of_the_document(tmp_path: Path) -> None:
    path = stored(tmp_path, b"\xef\xbb\xbf" + b'{"a": [1, 2]}')
    assert elements_of(path, top_level(path)["a"]) == [1, 2]


@pytest.mark.parametrize("text", ['{"a": [1, 2', '[{"x": "abc', "[", '{"a"', '["\\'])
def test_a_truncated_file_is_refused_with_its_last_byte(tmp_path: Path, text: str) -> None:
    path = stored(tmp_path, text)
    with pytest.raises(BadInput, match=f"ends at byte {len(text)}") as caught:
        all_elements(path)
    assert caught.value.slug == "unreadable-json"
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "   ", "7", "hello", '"text"'])
def test_what_is_neither_object_nor_array_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput) as caught:
        top_level(stored(tmp_path, text))
    assert caught.value.slug == "unreadable-json"


def test_a_document_a_line_is_refused_and_called_ndjson(tmp_path: Path) -> None:
    path = stored(tmp_path, '{"a": [1]}\n{"a": [2]}\n')
    with pytest.raises(BadInput) as caught:
        top_level(path)
    assert caught.value.slug == "unreadable-json"
    assert "NDJSON" in caught.value.hint


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf16_and_utf32_are_refused(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(BadInput) as caught:
        top_level(stored(tmp_path, '{"a": []}'.encode(encoding)))
    assert caught.value.slug == "not-utf8"


def test_latin1_bytes_are_refused_with_their_value(tmp_path: Path) -> None:
    path = stored(tmp_path, '[{"x": 1}, {"x": "café"}]'.encode("latin-1"))
    ((index, group),) = iter_groups(path, top_level(path)[""])
    with pytest.raises(BadInput, match="0xe9") as caught:
        decode_group(group, dict, path, index)
    assert caught.value.slug == "not-utf8"


def test_a_hundred_thousand_brackets_are_refused_without_a_traceback(tmp_path: Path) -> None:
    for text in ("[" * 100_000, '{"a": ' + "[" * 100_000, '{"a":' * 100_000):
        path = stored(tmp_path, text)
        with pytest.raises(BadInput) as caught:
            all_elements(path)
        assert caught.value.slug == "too-deep"


def test_an_element_without_end_is_refused_before_memory_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_stream, "MAX_ELEMENT_BYTES", 1000)
    path = stored(tmp_path, json.dumps(["a", "b" * 5000]))
    with pytest.raises(BadInput) as caught:
        elements_of(path, top_level(path)[""], block_bytes=256)
    assert caught.value.slug == "element-too-large"


def test_an_array_is_expected_where_groups_are_asked_for(tmp_path: Path) -> None:
    path = stored(tmp_path, '{"a": {"b": 1}, "c": null}')
    for span in top_level(path).values():
        with pytest.raises(BadInput, match="expected an array"):
            list(iter_groups(path, span))


def test_only_the_element_that_does_not_fit_comes_back_as_odd(tmp_path: Path) -> None:
    found = decode_group(b'[{"x": 1}, {"x": "one"}, 3]', Point, tmp_path, 0)
    assert found[0] == Point(1.0)
    assert [type(one) for one in found[1:]] == [Odd, Odd]
    assert json.loads(found[1].text) == {"x": "one"}  # type: ignore[union-attr]
    assert "str" in found[1].problem  # type: ignore[union-attr]


def test_nan_and_infinity_that_python_writes_are_read(tmp_path: Path) -> None:
    found = decode_group(b'[{"x": NaN}, {"x": -Infinity}, {"x": 2}]', Point, tmp_path, 0)
    assert found[0].x != found[0].x  # type: ignore[union-attr]
    assert found[1:] == [Point(float("-inf")), Point(2.0)]


def test_a_group_that_is_no_json_is_refused(tmp_path: Path) -> None:
    path = stored(tmp_path, "[1, 2 3, nope]")
    ((index, group),) = iter_groups(path, top_level(path)[""])
    with pytest.raises(BadInput) as caught:
        decode_group(group, int, path, index)
    assert caught.value.slug == "unreadable-json"
