"""Schemas as tools' forms: what each input asks, what no input can, and the two configurations."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from lineage.errors import BadInput
from lineage.formats import configuration
from lineage.formats.cvat import config as cvat
from lineage.formats.forms import Field, Input, form_of, inputs_of, merged
from lineage.formats.label_studio import config as label_studio


def schema(**classes: Any) -> dict[str, Any]:
    return {"name": "s", "version": "1.0", "classes": classes}


def class_(*kinds: str, properties: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"kinds": list(kinds or ("box",)), **more}
    if properties is not None:
        required = found.pop("required", [])
        found["attributes"] = {"type": "object", "properties": properties, "required": required}
    return found


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"enum": ["a", "b"]}, Field("x", Input.ONE, ("a", "b"))),
        ({"enum": ["a", None]}, Field("x", Input.ONE, ("a",))),
        ({"enum": [1, 2.5]}, Field("x", Input.ONE, ("1", "2.5"))),
        ({"const": "a"}, Field("x", Input.ONE, ("a",))),
        ({"type": "boolean"}, Field("x", Input.YES_NO)),
        ({"enum": [True, False]}, Field("x", Input.YES_NO)),
        ({"type": ["boolean", "null"]}, Field("x", Input.YES_NO)),
        ({"type": "integer", "minimum": 0, "maximum": 9}, Field("x", Input.NUMBER, (), 0, 9, 1)),
        ({"type": "number", "multipleOf": 0.5}, Field("x", Input.NUMBER, (), None, None, 0.5)),
        ({"type": "string"}, Field("x", Input.TEXT)),
        ({"type": "array", "items": {"enum": ["a"]}}, Field("x", Input.SEVERAL, ("a",))),
        ({"type": "array", "items": {"type": "number"}}, Field("x", Input.TEXT)),
        ({"type": "object"}, Field("x", Input.TEXT)),
        ({}, Field("x", Input.TEXT)),
        (True, Field("x", Input.TEXT)),
    ],
)
def test_every_rule_has_an_input(rules: Any, field: Field) -> None:
    form = form_of(schema(cat=class_(properties={"x": rules})))
    assert form.classes[0].fields == (field,)


def test_what_no_input_can_ask_is_named_rule_by_rule() -> None:
    properties = {"x": {"type": "string", "pattern": "^a", "maxLength": 3}, "y": {"oneOf": []}}
    cat = class_(properties=properties, required=["x", "z"], min_side_px=4, aliases=["puss"])
    cat["attributes"]["dependentRequired"] = {}
    gaps = {gap.path: gap.rule for gap in form_of(schema(**{"a/b": cat})).gaps}
    assert gaps == {
        "/classes/a~1b/min_side_px": "min_side_px",
        "/classes/a~1b/attributes/dependentRequired": "dependentRequired",
        "/classes/a~1b/attributes/required": "required",
        "/classes/a~1b/attributes/properties/x/pattern": "pattern",
        "/classes/a~1b/attributes/properties/x/maxLength": "maxLength",
        "/classes/a~1b/attributes/properties/y": "any",
        "/classes/a~1b/attributes/properties/y/oneOf": "oneOf",
    }


def test_shared_attributes_are_asked_of_every_class_and_their_gaps_told_once() -> None:
    document = schema(cat=class_(), dog=class_(properties={"tail": {"type": "boolean"}}))
    document["attributes"] = {"properties": {"note": {"type": "string", "format": "uri"}}}
    form = form_of(document)
    assert [[f.name for f in c.fields] for c in form.classes] == [["note"], ["tail"]]
    assert [gap.path for gap in form.gaps] == ["/attributes/properties/note/format"]


def test_fields_of_one_name_are_joined() -> None:
    ones = [Field("x", Input.ONE, ("a", "b"), is_required=True), Field("x", Input.ONE, ("b", "c"))]
    assert merged(ones) == Field("x", Input.ONE, ("a", "b", "c"))
    numbers = [Field("x", Input.NUMBER, (), 0, 9, 1), Field("x", Input.NUMBER, (), -1, None, 1)]
    assert merged(numbers) == Field("x", Input.NUMBER, (), -1, None, 1)
    assert merged([ones[0], numbers[0]]) == Field("x", Input.TEXT)
    assert merged([ones[0]]) is ones[0]


def test_inputs_of_several_schemas_leave_whole_image_classes_aside() -> None:
    old = schema(cat=class_(properties={"x": {"enum": ["a"]}}))
    new = schema(
        cat=class_(properties={"x": {"enum": ["b"]}}),
        fog=class_("class", properties={"x": {"type": "number"}}),
    )
    assert inputs_of([old, new]) == {"x": Field("x", Input.ONE, ("a", "b"))}


EVERYTHING = schema(
    car=class_(
        "box", "polygon", definition="a car", edge_cases={"cut_off": "box what is seen"},
        aliases=["auto"],
        properties={"doors": {"type": "integer", "minimum": 0, "maximum": 5}, "taxi": {"type": "boolean"}},
        required=["doors"],
    ),
    **{"größe <&\">": class_("rotated_box", "mask", properties={
        "doors": {"type": "integer", "minimum": 2, "maximum": 9},
        "note": {"type": "string"},
        "parts": {"type": "array", "items": {"enum": ["hood", "wheel\n2"]}},
    })},
    lane=class_("polyline"),
    pose=class_("keypoints"),
    foggy=class_("class", properties={"deg": {"type": "number"}}),
)  # fmt: skip


def test_label_studio_draws_every_kind_under_a_control_of_its_own() -> None:
    found = label_studio.configuration({**EVERYTHING, "title": "Big", "guidelines": "be kind"})
    view = ET.fromstring(found.text)
    drawn = {
        e.attrib["name"]: (e.tag, [child.attrib["value"] for child in e])
        for e in view
        if "name" in e.attrib
    }
    odd = 'größe <&">'
    assert drawn == {
        "image": ("Image", []),
        "label-box": ("RectangleLabels", ["car"]),
        "label-rotated-box": ("RectangleLabels", [odd]),
        "label-polygon": ("PolygonLabels", ["car"]),
        "label-polyline": ("VectorLabels", ["lane"]),
        "label-keypoints": ("KeyPointLabels", ["pose"]),
        "label-mask": ("BrushLabels", [odd]),
        "label-class": ("Choices", ["foggy"]),
    }
    assert [h.attrib["value"] for h in view.findall("Header")] == ["Big", "Guidelines: be kind"]
    hints = {label.attrib["value"]: label.attrib.get("hint") for label in view.iter("Label")}
    assert hints["car"] == "a car; cut off: box what is seen"
    colours = {
        label.attrib["background"] for label in view.iter("Label") if label.attrib["value"] == "car"
    }
    assert len(colours) == 1
    assert "auto" not in found.text
    boxes = view.find("RectangleLabels[@name='label-box']")
    assert boxes is not None
    assert boxes.attrib["canRotate"] == "false"


def test_label_studio_asks_attributes_of_the_regions_that_have_them() -> None:
    found = label_studio.configuration(EVERYTHING)
    asked = {
        e.attrib["name"]: e for e in ET.fromstring(found.text).iter() if "perRegion" in e.attrib
    }
    assert {name: e.tag for name, e in asked.items()} == {
        "doors": "Number", "taxi": "Choices", "note": "TextArea", "parts": "Choices",
    }  # fmt: skip
    doors, taxi, parts = (asked[name].attrib for name in ("doors", "taxi", "parts"))
    assert (doors["min"], doors["max"], doors["step"]) == ("0", "9", "1")
    assert doors["whenLabelValue"] == 'car,größe <&">'
    assert "required" not in doors
    assert (taxi["whenLabelValue"], taxi["choice"]) == ("car", "single-radio")
    assert [c.attrib["value"] for c in asked["taxi"]] == ["true", "false"]
    assert (parts["choice"], [c.attrib["value"] for c in asked["parts"]]) == (
        "multiple",
        ["hood", "wheel\n2"],
    )
    gaps = {(gap.path, gap.rule) for gap in found.gaps}
    assert gaps == {
        ("/attributes/doors", "classes"),
        ("/classes/foggy/attributes", "class"),
        ("/classes", "keypoints"),
    }


def test_label_studio_cannot_ask_what_has_a_controls_name_or_a_comma() -> None:
    properties = {"image": {"type": "string"}, "x": {"type": "string"}}
    found = label_studio.configuration(schema(**{"a,b": class_(properties=properties)}))
    assert [(gap.path, gap.rule) for gap in found.gaps] == [
        ("/attributes/image", "name"),
        ("/attributes/x", "classes"),
    ]
    (area,) = ET.fromstring(found.text).iter("TextArea")
    assert "whenLabelValue" not in area.attrib


def test_cvat_takes_labels_with_their_attributes() -> None:
    found = cvat.configuration(EVERYTHING)
    labels = {label["name"]: label for label in json.loads(found.text)}
    assert {name: label["type"] for name, label in labels.items()} == {
        "car": "any", 'größe <&">': "any", "lane": "polyline", "pose": "points", "foggy": "tag",
    }  # fmt: skip
    attributes = {a["name"]: a for a in labels["car"]["attributes"]}
    assert attributes["doors"] == {
        "name": "doors", "input_type": "number", "mutable": True, "values": ["0", "5", "1"], "default_value": "0",
    }  # fmt: skip
    assert (attributes["taxi"]["input_type"], attributes["taxi"]["values"]) == (
        "checkbox",
        ["false"],
    )
    others = {a["name"]: a["input_type"] for a in labels['größe <&">']["attributes"]}
    assert others == {"doors": "number", "note": "text", "parts": "text"}
    assert labels["foggy"]["attributes"][0]["input_type"] == "text"


def test_cvat_tells_what_it_fills_in_and_what_it_lets_pass() -> None:
    document = schema(
        car=class_("box", properties={"a": {"enum": ["x", "y"]}, "n": {"type": "integer"}}, required=["a"]),
        **{"z" * 65: class_("box", "rotated_box", properties={"a": {"enum": ["x"]}})},
    )  # fmt: skip
    told = [(gap.path, gap.rule) for gap in cvat.configuration(document).gaps]
    assert told == [
        ("/classes/car/kinds", "kinds"),
        ("/classes/car/attributes/properties/a", "required"),
        ("/classes/car/attributes/properties/n", "number"),
        (f"/classes/{'z' * 65}", "name"),
        (f"/classes/{'z' * 65}/attributes/properties/a", "required"),
    ]


def test_one_class_alone_is_a_configuration_of_one_control() -> None:
    text = label_studio.configuration(schema(cat=class_())).text
    assert [e.tag for e in ET.fromstring(text)] == ["Header", "Image", "RectangleLabels"]


def test_a_tool_without_a_configuration_is_refused() -> None:
    with pytest.raises(BadInput, match=r"no labelling configuration for 'voc'"):
        configuration("voc")
