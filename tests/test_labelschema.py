"""The guideline as data: reading, refusing, comparing, judging, drafting, migrating."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage import columns, labelcheck, labelschema, schemainfer, schemamap
from lineage.errors import BadInput

STREET: dict[str, Any] = {
    "name": "street",
    "version": "1.0",
    "classes": {
        "pedestrian": {
            "definition": "a person on foot",
            "kinds": ["box"],
            "aliases": ["ped"],
            "min_side_px": 4,
            "edge_cases": {"partially_occluded": "box the visible part"},
            "attributes": {
                "type": "object",
                "properties": {"occluded": {"enum": ["no", "partly"]}},
                "required": ["occluded"],
                "additionalProperties": False,
            },
        },
        "car": {"definition": "a car", "kinds": ["box", "polygon"]},
    },
    "attributes": {"type": "object"},
}


def schema(**changes: Any) -> labelschema.LabelSchema:
    return labelschema.from_document({**copy.deepcopy(STREET), **changes}, where="test")


def changed(version: str, edit: Any) -> labelschema.LabelSchema:
    document = copy.deepcopy(STREET)
    document["version"] = version
    edit(document)
    return labelschema.from_document(document, where="test")


def test_identity_is_content_not_layout(tmp_path: Path) -> None:
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    a.write_text(json.dumps(STREET))
    b.write_text(json.dumps(dict(reversed(STREET.items())), indent=4))
    assert labelschema.load(a).digest == labelschema.load(b).digest == schema().digest
    word = changed("1.0", lambda d: d["classes"]["car"].update(definition="a  car"))
    assert word.digest != schema().digest


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda d: d.pop("classes"), "classes"),
        (lambda d: d.update(version="1"), "version"),
        (lambda d: d.update(name="a b"), "name"),
        (lambda d: d["classes"]["car"].update(kinds=["cube"]), "cube"),
        (lambda d: d["classes"]["car"].update(kinds=[]), "kinds"),
        (lambda d: d["classes"]["car"].update(aliases=["ped"]), "already stands for"),
        (lambda d: d["classes"]["car"].update(attributes={"type": "no"}), "no"),
        (lambda d: d["classes"]["car"].update(min_side_px=-1), "min_side_px"),
        (lambda d: d["classes"]["car"].update(colour="red"), "colour"),
    ],
)
def test_what_is_no_schema_is_refused_with_its_place(edit: Any, told: str) -> None:
    with pytest.raises(BadInput, match=told) as caught:
        changed("1.0", edit)
    assert caught.value.slug == "schema-invalid"


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(BadInput, match="3 problems"):
        labelschema.from_document(
            {"name": "x y", "version": "one", "classes": {"a": {"kinds": ["cube"]}}}, where="t"
        )


@pytest.mark.parametrize("text", ["", "[]", "{", '{"name": 1}', "[" * 100_000])
def test_unreadable_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "s.json"
    path.write_text(text)
    with pytest.raises(BadInput):
        labelschema.load(path)


def test_an_address_in_a_schema_is_never_fetched() -> None:
    given_ = changed(
        "1.0",
        lambda d: d["classes"]["car"].update(attributes={"$ref": "http://127.0.0.1:9/x.json"}),
    )
    with pytest.raises(Exception, match=r"127\.0\.0\.1"):
        labelschema.attribute_problems(given_, "car", "{}")


@pytest.mark.parametrize(
    ("level", "edit"),
    [
        ("identical", lambda d: None),
        ("minor", lambda d: d["classes"].update(dog={"kinds": ["box"]})),
        ("minor", lambda d: d["classes"]["car"]["kinds"].append("mask")),
        ("minor", lambda d: d["classes"]["pedestrian"]["aliases"].append("walker")),
        ("minor", lambda d: d["classes"]["pedestrian"].update(min_side_px=2)),
        ("minor", lambda d: d["classes"]["pedestrian"]["edge_cases"].update(group="each")),
        ("minor", lambda d: d["classes"]["pedestrian"]["attributes"].update(required=[])),
        (
            "minor",
            lambda d: d["classes"]["pedestrian"]["attributes"]["properties"]["occluded"][
                "enum"
            ].append("mostly"),
        ),
        ("major", lambda d: d["classes"].pop("car")),
        ("major", lambda d: d["classes"].update(auto=d["classes"].pop("car"))),
        ("major", lambda d: d["classes"]["car"].update(definition="any vehicle")),
        ("major", lambda d: d["classes"]["car"]["kinds"].remove("polygon")),
        ("major", lambda d: d["classes"]["pedestrian"].update(min_side_px=8)),
        (
            "major",
            lambda d: d["classes"]["pedestrian"]["edge_cases"].update(partially_occluded="x"),
        ),
        (
            "major",
            lambda d: d["classes"]["pedestrian"]["attributes"]["properties"]["occluded"][
                "enum"
            ].remove("no"),
        ),
    ],
)
def test_compatibility_is_decided_by_rule(level: str, edit: Any) -> None:
    for version, fits in (("1.1", level != "major"), ("2.0", True), ("0.9", False)):
        found = labelschema.compare(schema(), changed(version, edit))
        assert (found.level, found.version_fits) == (level, fits), version


def labels(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    base: dict[str, Any] = {
        "asset": "a.png", "annotator": "ann", "class": "car", "kind": "box", "x_min": 1.0, "y_min": 1.0,
        "x_max": 20.0, "y_max": 20.0, "attributes": "{}", "origin": "human",
    }  # fmt: skip
    full = [{**base, "position": i, **row} for i, row in enumerate(rows)]
    return columns.batch_of(columns.LABELS, {name: [row[name] for row in full] for name in full[0]})


def rules_broken(rows: list[dict[str, Any]]) -> list[list[str]]:
    batch = labels(rows)
    size = np.full(batch.num_rows, 100.0)
    found = labelcheck.check(schema(), batch, width=size, height=size, source="f")
    broken: list[list[str]] = [[] for _ in rows]
    for row in found.violations.to_pylist():
        broken[row["position"]].append(row["rule"])
        assert row["source"] == "f" and row["expected"] and json.loads(row["label"])  # noqa: PT018
    assert [not b for b in broken] == found.accepted.tolist()
    return [sorted(b) for b in broken]


def test_every_label_and_every_rule_it_breaks_is_in_the_table() -> None:
    good = {"class": "pedestrian", "attributes": '{"occluded":"no"}'}
    assert rules_broken(
        [
            {},
            {"class": "tram"},
            {"class": "pedestrian"},
            {"class": "ped", "attributes": '{"occluded":"no"}'},
            {**good, "x_max": 3.0},
            {"class": "pedestrian", "kind": "polygon", "attributes": '{"occluded":"?","x":1}'},
            {"x_min": float("nan")},
            {"x_max": 150.0},
            {"x_min": 30.0},
        ]
    ) == [
        [],
        ["unknown-class"],
        ["attributes-required"],
        [],
        ["too-small"],
        ["attributes-additionalProperties", "attributes-enum", "kind-not-allowed"],
        ["not-finite"],
        ["outside-image"],
        ["inverted-box"],
    ]


def test_a_draft_takes_every_label_that_it_was_drafted_from() -> None:
    rows = [
        {"class": "dog", "attributes": '{"breed":"pug","n":2}'},
        {"class": "dog", "kind": "polygon", "attributes": "{}"},
        {
            "class": "sky",
            "kind": "class",
            "x_min": None,
            "y_min": None,
            "x_max": None,
            "y_max": None,
        },
    ]
    draft = labelschema.from_document(schemainfer.infer("drafted", [labels(rows)]), where="draft")
    assert draft.classes["dog"]["kinds"] == ["box", "polygon"]
    size = np.full(3, 100.0)
    found = labelcheck.check(draft, labels(rows), width=size, height=size, source="f")
    assert found.accepted.all(), found.violations.to_pylist()


NEW = {
    "name": "street",
    "version": "2.0",
    "classes": {
        "person": {"kinds": ["box"], "attributes": STREET["classes"]["pedestrian"]["attributes"]},
        "vehicle": {"kinds": ["box"]},
        "dog": {"kinds": ["box"]},
        "cat": {"kinds": ["box"]},
    },
}
OLD = {
    "name": "street",
    "version": "1.0",
    "classes": {
        name: {"kinds": ["box", "polygon"]}
        for name in ("pedestrian", "car", "truck", "animal", "fog")
    },
}
MAP: dict[str, Any] = {
    "from": "street@1.0",
    "to": "street@2.0",
    "classes": {
        "pedestrian": "person",
        "car": "vehicle",
        "truck": "vehicle",
        "animal": {"by": "species", "values": {"dog": "dog", "cat": "cat"}},
        "fog": None,
    },
    "attributes": {"pedestrian": {"rename": {"occl": "occluded"}, "drop": ["note"]}},
}


def test_a_map_renames_merges_splits_and_names_what_it_cannot() -> None:
    old, new = (labelschema.from_document(d, where="t") for d in (OLD, NEW))
    class_map = schemamap.parse_map(MAP, where="map")
    schemamap.check_map(class_map, old, new, where="map")
    rows = [
        ("pedestrian", "box", '{"note":"x","occl":"no"}', "person", '{"occluded":"no"}'),
        ("pedestrian", "box", '{"occl":"maybe"}', None, None),
        ("car", "box", "{}", "vehicle", "{}"),
        ("truck", "box", "{}", "vehicle", "{}"),
        ("truck", "polygon", "{}", None, None),
        ("animal", "box", '{"species":"cat"}', "cat", '{"species":"cat"}'),
        ("animal", "box", "{}", None, None),
        ("fog", "box", "{}", None, None),
    ]
    words = [pa.array([row[i] for row in rows]).dictionary_encode() for i in range(3)]
    found = schemamap.apply_map(
        class_map, new, classes=words[0], kinds=words[1], attributes=words[2]
    )
    assert found.is_mapped.tolist() == [row[3] is not None for row in rows]
    carried = zip(found.classes.to_pylist(), found.attributes.to_pylist(), strict=True)
    for row, (class_, attributes), reason in zip(
        rows, carried, found.reasons.to_pylist(), strict=True
    ):
        if row[3] is None:
            assert reason
        else:
            assert (class_, attributes, reason) == (row[3], row[4], None)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda m: m.update(classes={}), "says nothing of it"),
        (lambda m: m["classes"].update(car="spaceship"), "spaceship"),
        (lambda m: m["classes"].update(ghost="person"), "ghost"),
        (lambda m: m["classes"].update(car=7), "expected a class"),
        (lambda m: m.update(extra=1), "extra: unknown"),
        (lambda m: m.update(to="street@3.0"), r"street@3\.0"),
        (lambda m: m.pop("from"), "NAME@VERSION"),
    ],
)
def test_a_map_that_leaves_something_open_is_refused(edit: Any, told: str) -> None:
    document = copy.deepcopy(MAP)
    edit(document)
    old, new = (labelschema.from_document(d, where="t") for d in (OLD, NEW))
    with pytest.raises(BadInput, match=told) as caught:
        schemamap.check_map(schemamap.parse_map(document, where="m"), old, new, where="m")
    assert caught.value.slug == "map-invalid"


@given(st.text(max_size=12))
def test_only_name_and_version_are_a_reference(text: str) -> None:
    try:
        name, version = labelschema.split_ref(text)
    except BadInput:
        return
    assert f"{name}@{version}" == text


FORM = {
    "type": "object",
    "properties": {
        "occluded": {"type": "boolean"},
        "age": {"type": "integer", "minimum": 0},
        "note": {"type": "string"},
        "parts": {"type": "array", "items": {"enum": ["head", "tail"]}},
    },
}


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ({"occluded": "true"}, {"occluded": True}),
        ({"occluded": "False"}, {"occluded": False}),
        ({"age": "3"}, {"age": 3}),
        ({"parts": "head"}, {"parts": ["head"]}),
        ({"parts": '["head","tail"]'}, {"parts": ["head", "tail"]}),
        ({"note": "3"}, {"note": "3"}),
        ({"note": "true", "occluded": "true"}, {"note": "true", "occluded": True}),
        ({"age": "-3"}, {"age": "-3"}),
        ({"age": "NaN"}, {"age": "NaN"}),
        ({"age": "three"}, {"age": "three"}),
        ({"occluded": "yes"}, {"occluded": "yes"}),
    ],
)
def test_a_text_is_read_as_what_the_schema_asks_for_where_it_says_that(
    told: dict[str, Any], read: dict[str, Any]
) -> None:
    document = {
        "name": "s",
        "version": "1.0",
        "classes": {"cat": {"kinds": ["box"], "attributes": FORM}},
    }
    schema = labelschema.from_document(document, where="here")
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    found = labelschema.fitted_attributes(schema, "cat", text)
    assert json.loads(found) == read


def test_a_check_hands_on_the_attributes_as_the_schema_reads_them() -> None:
    document = {
        "name": "s",
        "version": "1.0",
        "classes": {"cat": {"kinds": ["box"], "attributes": FORM}},
    }
    schema = labelschema.from_document(document, where="here")
    texts = ['{"age":"3"}', '{"age":"x"}', '{"age":4}', "{}"]
    values = {
        "asset": "a.jpg", "class": "cat", "kind": "box", "x_min": 0.0, "y_min": 0.0, "x_max": 9.0, "y_max": 9.0,
        "attributes": texts, "origin": "human", "position": list(range(4)),
    }  # fmt: skip
    labels = columns.batch_of(columns.LABELS, values, 4)
    side = np.full(4, 100.0)
    found = labelcheck.check(schema, labels, width=side, height=side, source="here")
    assert found.attributes.to_pylist() == ['{"age":3}', '{"age":"x"}', '{"age":4}', "{}"]
    assert found.accepted.tolist() == [True, False, True, True]
    assert found.violations["value"].to_pylist() == ['"x"']
