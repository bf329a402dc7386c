"""The labels of a CVAT project, as its raw label constructor takes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from lineage.formats.cvat.declare import shape_type
from lineage.formats.forms import (
    Class,
    Configuration,
    Field,
    Gap,
    Input,
    colour_of,
    form_of,
    pointer,
)
from lineage.terms import Kind

_MAX_NAME = 64
_INPUTS = {
    Input.ONE: "select",
    Input.SEVERAL: "text",
    Input.YES_NO: "checkbox",
    Input.NUMBER: "number",
    Input.TEXT: "text",
}


def configuration(document: Mapping[str, object]) -> Configuration:
    """Return the labels for a label schema's document.

    Parameters
    ----------
    document
        A label schema, as it is on record.

    Returns
    -------
    Configuration
        JSON, and what the tool does not ask or hold to.

    Notes
    -----
    The tool always answers: an attribute that nobody touched has its first value.
    """
    form = form_of(document)
    gaps = [*form.gaps]
    if form.guidelines or any(c.definition or c.edge_cases for c in form.classes):
        told = "labels have no room for text: put it into the task's guide"
        gaps.append(Gap("/classes", "definition", told))
    labels = [_label(class_, gaps) for class_ in form.classes]
    return Configuration(json.dumps(labels, indent=2, ensure_ascii=False) + "\n", tuple(gaps))


def _label(class_: Class, gaps: list[Gap]) -> dict[str, object]:
    path = pointer("classes", class_.name)
    type_ = shape_type(class_.kinds)
    if type_ == "any":
        gaps.append(Gap(f"{path}/kinds", "kinds", "several: the tool lets every shape be drawn"))
    elif Kind.BOX in class_.kinds and Kind.ROTATED_BOX not in class_.kinds:
        gaps.append(Gap(f"{path}/kinds", "kinds", "the tool lets a box be turned"))
    if len(class_.name) > _MAX_NAME:
        gaps.append(Gap(path, "name", f"the tool takes names of {_MAX_NAME} characters at most"))
    return {
        "name": class_.name,
        "color": colour_of(class_.name),
        "type": type_,
        "attributes": [
            _attribute(one, path + pointer("attributes", "properties", one.name), gaps)
            for one in class_.fields
        ],
    }


def _attribute(asked: Field, path: str, gaps: list[Gap]) -> dict[str, object]:
    gaps += _gaps(asked, path)
    input_type, values = _INPUTS[asked.input], list(asked.values)
    if asked.input is Input.YES_NO:
        values = ["false"]
    elif asked.input is Input.NUMBER:
        input_type, values = _number(asked)
    elif input_type == "text":
        values = [""]
    return {
        "name": asked.name,
        "input_type": input_type,
        # what a person says of one image may change in the next frame of a track
        "mutable": True,
        "values": values,
        "default_value": "" if input_type == "text" else values[0],
    }


def _gaps(asked: Field, path: str) -> Iterator[Gap]:
    if asked.input is Input.SEVERAL:
        yield Gap(path, "array", "asked as text: a JSON list")
    elif asked.input is Input.NUMBER and _number(asked)[0] == "text":
        yield Gap(path, "number", "asked as text: the tool wants whole bounds and steps")
    elif not asked.is_required and asked.input is not Input.TEXT:
        yield Gap(path, "required", "optional: the tool fills in the first value")
    elif asked.is_required and asked.input is not Input.TEXT:
        yield Gap(path, "required", "never missing: the tool fills in the first value")
    if len(asked.name) > _MAX_NAME:
        yield Gap(path, "name", f"the tool takes names of {_MAX_NAME} characters at most")


def _number(asked: Field) -> tuple[str, list[str]]:
    numbers = (asked.minimum, asked.maximum, asked.step)
    if any(number is None or float(number) != int(number) for number in numbers):
        return "text", [""]
    low, high, step = (int(number or 0) for number in numbers)
    if low >= high or high - low < step:
        return "text", [""]
    return "number", [str(low), str(high), str(step)]
