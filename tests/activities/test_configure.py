"""What people draw under our configuration is what the schema takes: from schema to tool to ledger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

import pytest

from lineage.activities import batches, configure, schemas
from lineage.activities.context import Project
from lineage.activities.ingest import ImportOptions, ImportReport, import_labels
from lineage.errors import BadInput, NotFound, Refused
from lineage.labelschema import dumps
from tests.exports import annotation, label_studio

Json = dict[str, Any]

SCHEMA: Json = {
    "name": "zoo",
    "version": "1.0",
    "title": "Zoo & <friends>",
    "guidelines": "be kind",
    "classes": {
        'lion <"king">': {
            "definition": "a lion",
            "kinds": ["box", "polygon"],
            "aliases": ["leo"],
            "edge_cases": {"cub": "a cub is a lion"},
            "attributes": {
                "type": "object",
                "properties": {
                    "mood": {"enum": ["calm", "loud & proud", "größe"]},
                    "asleep": {"type": "boolean"},
                    "age": {"type": "integer", "minimum": 0, "maximum": 30},
                    "weight": {"type": "number", "minimum": 0},
                    "grade": {"enum": [1, 2, 3]},
                    "seen": {"type": "array", "items": {"enum": ["tail", "mane"]}},
                    "note": {"type": "string"},
                },
                "required": ["mood", "asleep", "age"],
                "additionalProperties": False,
            },
        },
        "zebra": {
            "kinds": ["box", "rotated_box", "polyline", "keypoints"],
            "attributes": {
                "type": "object",
                "properties": {"asleep": {"type": "boolean"}},
                "required": ["asleep"],
                "additionalProperties": False,
            },
        },
        "rain": {
            "kinds": ["class"],
            "attributes": {"type": "object", "additionalProperties": False},
        },
    },
}
SIZE = {"original_width": 640, "original_height": 480, "image_rotation": 0, "origin": "manual"}
DRAWN = {
    "RectangleLabels": {"x": 10.0, "y": 10.0, "width": 20.0, "height": 20.0, "rotation": 0},
    "PolygonLabels": {"points": [[10, 10], [30, 10], [30, 30]], "closed": True},
    "KeyPointLabels": {"x": 50.0, "y": 50.0, "width": 0.5},
    "VectorLabels": {"vertices": [{"x": 1.0, "y": 2.0}, {"x": 3.0, "y": 4.0}], "closed": False},
}


@pytest.fixture
def zoo(project: Project) -> Project:
    """A project with the schema locked and a batch under it."""
    path = project.root / "zoo.json"
    path.write_text(dumps(SCHEMA))
    schemas.add(project, path)
    schemas.lock(project, "zoo@1.0")
    batches.create(project, batches.BatchOrder("b1", "detection", "zoo@1.0"))
    return project


def imported(project: Project, path: Path) -> ImportReport:
    return import_labels(project, [path], "b1", options=ImportOptions(annotator="ann"))


def answered(control: ET.Element, *, is_last: bool) -> tuple[str, Json]:
    """Return the type and value of what somebody answers in a control, read off the control itself."""
    at = -1 if is_last else 0
    if control.tag == "Choices":
        choices = [choice.attrib["value"] for choice in control]
        several = control.attrib["choice"] == "multiple"
        return "choices", {"choices": choices if several and is_last else [choices[at]]}
    if control.tag == "Number":
        bound = control.attrib.get("max", "7") if is_last else control.attrib["min"]
        return "number", {"number": int(bound)}
    return "textarea", {"text": ["true" if is_last else "seen at dawn"]}


def regions(view: ET.Element, *, is_last: bool) -> list[Json]:
    """Return what somebody makes of a configuration who draws every label once and answers all that is asked."""
    asked = [control for control in view.iter() if "perRegion" in control.attrib]
    found: list[Json] = []
    for control in (element for element in view if element.tag.endswith("Labels")):
        for label in control:
            class_, type_ = label.attrib["value"], control.tag.lower()
            row = {"id": f"r{len(found)}", "to_name": "image", **SIZE}
            value = {**DRAWN[control.tag], type_: [class_]}
            if control.attrib.get("canRotate") == "true":
                value["rotation"] = 30
            found.append(
                {**row, "from_name": control.attrib["name"], "type": type_, "value": value}
            )
            for one in asked:
                if class_ in one.attrib["whenLabelValue"].split(","):
                    answer_type, answer = answered(one, is_last=is_last)
                    answer_row = {
                        "from_name": one.attrib["name"],
                        "type": answer_type,
                        "value": answer,
                    }
                    found.append({**row, **answer_row})
    return found


@pytest.mark.parametrize("is_last", [False, True])
def test_what_label_studio_exports_under_our_configuration_passes_the_schema(
    zoo: Project, is_last: bool
) -> None:
    view = ET.fromstring(configure.configure(zoo, "zoo@1.0", "label-studio", None).config)
    drawn = regions(view, is_last=is_last)
    (whole,) = view.findall("Choices")
    value = {"choices": [choice.attrib["value"] for choice in whole]}
    said = {
        "id": "c",
        "from_name": whole.attrib["name"],
        "to_name": "image",
        "type": "choices",
        "value": value,
    }
    tasks = [("a.png", [annotation(1, "ann@x.example", [*drawn, said])])]
    done = imported(zoo, label_studio(zoo.root / "out.json", tasks))
    assert (done.by_rule, done.n_rejected) == ({}, 0)
    # lion: box and polygon; zebra: upright and turned box, line and point; and the rain
    assert done.n_added == 7


def test_what_cvat_exports_under_our_labels_passes_the_schema(zoo: Project) -> None:
    labels = json.loads(configure.configure(zoo, "zoo@1.0", "cvat", None).config)
    declared, shapes = [], []
    for label in labels:
        attributes = "".join(
            f"<attribute><name>{escape(a['name'])}</name><input_type>{a['input_type']}</input_type></attribute>"
            for a in label["attributes"]
        )
        declared.append(
            f"<label><name>{escape(label['name'])}</name><attributes>{attributes}</attributes></label>"
        )
        told = "".join(
            # what nobody touches has its default, which the tool fills in
            f"<attribute name={quoteattr(a['name'])}>{escape(_touched(a))}</attribute>"
            for a in label["attributes"]
        )
        tag = "tag" if label["type"] == "tag" else "box"
        place = (
            "" if tag == "tag" else ' occluded="0" xtl="1" ytl="2" xbr="30" ybr="40" z_order="0"'
        )
        shapes.append(
            f'<{tag} label={quoteattr(label["name"])} source="manual"{place}>{told}</{tag}>'
        )
    path = zoo.root / "out.xml"
    path.write_text(
        "<annotations><version>1.1</version><meta><task><labels>" + "".join(declared)
        + "</labels></task></meta><image id='0' name='a.png' width='64' height='48'>"
        + "".join(shapes) + "</image></annotations>",
        "utf-8",
    )  # fmt: skip
    done = imported(zoo, path)
    assert (done.by_rule, done.n_rejected, done.n_added) == ({}, 0, 3)


def _touched(attribute: Json) -> str:
    texts = {"seen": '["tail","mane"]', "weight": "12.5", "note": "at dawn"}
    return texts.get(attribute["name"], attribute["default_value"])


def test_a_configuration_is_written_once_and_tells_what_it_does_not_hold(zoo: Project) -> None:
    out = zoo.root / "labels.xml"
    done = configure.configure(zoo, "zoo@1.0", "label-studio", out)
    assert out.read_text("utf-8") == done.config
    assert (done.schema, done.format, done.path) == ("zoo@1.0", "label-studio", out)
    assert "leo" not in done.config
    assert {gap.rule for gap in done.not_expressed} == {"keypoints"}
    with pytest.raises(Refused, match=r"exists"):
        configure.configure(zoo, "zoo@1.0", "label-studio", out)


def test_an_unknown_tool_or_schema_is_refused(zoo: Project) -> None:
    with pytest.raises(BadInput, match=r"no labelling configuration"):
        configure.configure(zoo, "zoo@1.0", "yolo", None)
    with pytest.raises(NotFound):
        configure.configure(zoo, "zoo@2.0", "cvat", None)
