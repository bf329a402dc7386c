"""The mapping document: everything that is wrong with one is said at once."""

from __future__ import annotations

import re
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.errors import BadInput
from lineage.formats.table.fields import FIELDS
from lineage.formats.table.mapping import KEYS, TableMapping, parse
from tests.formats.tables import BOXES, CLASSES, with_


def problems(document: dict[str, Any]) -> str:
    with pytest.raises(BadInput) as caught:
        parse(document, "map.yaml")
    assert caught.value.slug == "mapping-invalid"
    assert caught.value.where == "map.yaml"
    return str(caught.value)


CONTRACT = """
kind: box
box: xyxy
unit: px
columns: {id: id, asset: image, annotator: who, class: label, x_min: x1, y_min: y1, x_max: x2,
  y_max: y2, labelled_at: time, width: w, height: h}
constants: {annotator: vendor-a}
roster: rows
"""


def test_the_mapping_of_the_contract_is_read() -> None:
    found = parse(yaml.safe_load(CONTRACT), "map.yaml")
    assert (found.kind, found.box, found.unit, found.roster) == ("box", "xyxy", "px", "rows")
    assert found.columns["x_max"] == ("x2",)
    assert found.constants == {"annotator": "vendor-a"}


def test_what_is_not_said_is_as_the_documentation_has_it() -> None:
    found = parse(BOXES, "map.yaml")
    assert found == TableMapping(kind=found.kind, columns=found.columns)
    assert (found.decimal, found.delimiter, found.encoding, found.time) == (
        ".",
        ",",
        "utf-8",
        "iso",
    )


def test_everything_wrong_is_told_at_once_with_the_nearest_word() -> None:
    told = problems(
        {
            "kind": "boxes!",
            "boxx": 1,
            "unit": "inch",
            "columns": {"asset": 7, "lable": "label", "w": "w", "x_min": ["a", "b"]},
            "constants": {"score": "high", "id": "1", "nobody": 1, "annotator": 1.5},
            "attributes": {"a": 3},
            "types": {"b": "colour"},
            "decimal": ";",
            "delimiter": "||",
            "encoding": "ebcdic",
            "header": "image,label",
            "skip_rows": -1,
            "zone": "Mars/Base",
            "time": "sometimes",
            "asset_pattern": "{}{}",
            "state_of": "batch",
        }
    )
    for part in (
        "boxx: unknown, did you mean 'box'?",
        "unit: 'inch', expected px or fraction or percent",
        "columns.asset: 7, expected a column; put it into quotes",
        "columns.lable: unknown, is that class?",
        "columns.w: unknown, is that box_width?",
        "columns.x_min: ['a', 'b'], expected a column",
        "constants.score: 'high', expected a number",
        "constants.id: cannot be the same for every row",
        "constants.nobody: unknown",
        "constants.annotator: 1.5, expected text; put it into quotes",
        "attributes.a: 3, expected the column it comes from; put it into quotes",
        "types.b: 'colour', expected text or integer",
        "decimal: ';', expected . or ,",
        "delimiter: '||', expected one character",
        "encoding: 'ebcdic', expected utf-8 or latin-1",
        "skip_rows: -1, expected how many",
        "zone: 'Mars/Base', expected a zone",
        "time: 'sometimes', expected iso",
        "asset_pattern: '{}{}', expected a name with one {} in it",
        "state_of: 'batch', expected image or class",
        "columns.asset: missing",
        "columns.class: missing",
    ):
        assert part in told, part
    assert told.startswith("map.yaml: ")


def test_a_kind_that_is_none_is_the_column_that_says_so() -> None:
    assert parse({**CLASSES, "kind": "shape"}, "").columns["kind"] == ("shape",)
    assert parse({**CLASSES, "kind": "shape"}, "").kind is None
    assert "kind: twice" in problems({**with_(CLASSES, columns={"kind": "a"}), "kind": "b"})
    assert "kind: None" in problems({"columns": CLASSES["columns"]})
    assert "kind: 3" in problems({**CLASSES, "kind": 3})


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({**BOXES, "box": "xywh"}, "a box as xywh needs box_width, box_height"),
        ({**BOXES, "box": "xywh"}, "a box as xywh has no use for x_max, y_max"),
        ({**BOXES, "kind": "polygon"}, "kind polygon needs points"),
        ({**BOXES, "kind": "class"}, "kind class has no use for x_max, x_min, y_max, y_min"),
        (with_(BOXES, columns={"box": "b"}), "a box as xyxy has no use for box"),
        ({**CLASSES, "kind": "mask"}, "kind mask needs mask"),
        ({**CLASSES, "kind": "rotated_box"}, "needs cx, cy, box_width, box_height, angle"),
        (with_(CLASSES, kind="polygon", columns={"points": ["a", "b", "c"]}), "x and y columns in turn"),
        ({**CLASSES, "attributes": "rest", "extra": "rest"}, "attributes take the rest already"),
        (with_(CLASSES, columns={"attributes": "a"}, attributes=["b"]), "a column holds them already"),
        ({**CLASSES, "attributes": ["a"], "types": {"aa": "text"}}, "types.aa: no attribute, did you mean 'a'?"),
        ({**CLASSES, "values": {"colour": {}}}, "values.colour: no attribute"),
        ({**CLASSES, "values": {"origin": {"x": "person"}}}, "'person', expected one of human"),
        ({**CLASSES, "values": {"gold": {"x": "yes"}}}, "'yes', expected true or false"),
        ({**CLASSES, "values": {"class": {"x": 1}}}, "1, expected a class, or nothing"),
        ({**CLASSES, "values": {"class": {33.10: "x"}}}, "a cell is text; put it into quotes"),
        ({**CLASSES, "values": {"class": {True: "x"}}}, "a cell is text; put it into quotes"),
        ({**CLASSES, "values": {"kind": {"x": [1]}}}, "expected one word, number, true or false"),
        ({**CLASSES, "values": 1}, "values: 1, expected a mapping"),
        ({**CLASSES, "columns": ["a"]}, "columns: ['a'], expected a mapping"),
        ({**CLASSES, "nulls": [1]}, "nulls: [1], expected a list of texts; put it into quotes"),
        ({**CLASSES, "delimiter": '"'}, "expected one character"),
        ({**CLASSES, "asset_pattern": "{0.__class__}"}, "a name with one {} in it"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_refused(document: dict[str, Any], told: str) -> None:
    assert told in problems(document)


@pytest.mark.parametrize(
    ("zone", "meant"),
    [
        ("UTC", timezone(timedelta(0))),
        ("+05:30", timezone(timedelta(hours=5, minutes=30))),
        ("-0200", timezone(timedelta(hours=-2))),
        ("Europe/Paris", ZoneInfo("Europe/Paris")),
    ],
)
def test_zones_have_names_or_offsets(zone: str, meant: object) -> None:
    assert parse({**CLASSES, "zone": zone}, "").zone == meant
    for odd in ("../etc/passwd", "+99:00", ""):
        assert "zone" in problems({**CLASSES, "zone": odd})


def test_cells_that_yaml_reads_as_numbers_are_their_text() -> None:
    found = parse({**CLASSES, "values": {"class": {0: "cat", "007": "dog"}}}, "")
    assert found.values == {"class": {"0": "cat", "007": "dog"}}


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
WORDS = ("asset", "class", "points", "x_min", "origin", "gold", "a", "score", "attributes")


@given(
    st.dictionaries(
        st.sampled_from(KEYS),
        ANY | st.dictionaries(st.sampled_from(WORDS), ANY | st.just("c"), max_size=4),
        max_size=8,
    )
)
@settings(max_examples=100)
def test_any_document_is_read_or_refused_cleanly(document: dict[str, Any]) -> None:
    try:
        found = parse(document, "map.yaml")
    except BadInput:
        problems(document)
        return
    assert found.kind is not None or "kind" in found.columns


DOCUMENTED = (Path(__file__).parents[2] / "docs" / "formats.md").read_text("utf-8")
TABLES = DOCUMENTED.partition("## Tables")[2].partition("\n## ")[0]


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", TABLES, re.DOTALL))
def test_every_documented_mapping_is_one(text: str) -> None:
    assert parse(yaml.safe_load(text), "docs/formats.md")


def test_every_key_and_field_is_documented() -> None:
    words = set(re.findall(r"[a-z_]+", TABLES))
    assert not {*KEYS, *FIELDS} - words
