"""The ``<meta>`` that a written file opens with: every label, its attributes, and their types."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lineage.formats.cvat import attributes
from lineage.formats.cvat.text import escaped
from lineage.formats.forms import colour_of
from lineage.terms import Kind

_TYPES = {
    Kind.BOX: "rectangle",
    Kind.ROTATED_BOX: "rectangle",
    Kind.POLYGON: "polygon",
    Kind.POLYLINE: "polyline",
    Kind.KEYPOINTS: "points",
    Kind.MASK: "mask",
    Kind.CLASS: "tag",
}


@dataclass(frozen=True, slots=True)
class Input:
    """An attribute of a label: its input type, and the choices that the tool needs for it."""

    input_type: str
    values: str


@dataclass(frozen=True, slots=True)
class Label:
    """A label: the tool's word for its shapes, and its attributes by name."""

    shape_type: str
    inputs: Mapping[str, Input]


def labels_of(
    kinds: Iterable[tuple[str, str]], documents: Iterable[tuple[str, str]]
) -> dict[str, Label]:
    """Infer the labels of a data set.

    Parameters
    ----------
    kinds
        Distinct (class, kind).
    documents
        Distinct (class, attributes).
    """
    found: dict[str, set[str]] = {}
    for class_, kind in kinds:
        found.setdefault(class_, set()).add(kind)
    values: dict[str, dict[str, list[object]]] = {class_: {} for class_ in found}
    for class_, document in documents:
        for name, value in json.loads(document).items():
            if name in attributes.OURS:
                continue
            values[class_].setdefault(name, []).append(value)
    return {
        class_: Label(
            shape_type(found[class_]),
            {name: _input(values[class_][name]) for name in sorted(values[class_])},
        )
        for class_ in sorted(found)
    }


def shape_type(kinds: Iterable[str]) -> str:
    """Return the tool's word for shapes of these kinds, ``any`` for several words."""
    types = {_TYPES[Kind(kind)] for kind in kinds}
    return types.pop() if len(types) == 1 else "any"


def _input(values: list[object]) -> Input:
    found = {attributes.input_type_of(value) for value in values}
    input_type = found.pop() if len(found) == 1 else attributes.TEXT
    if input_type == attributes.CHECKBOX:
        return Input(input_type, "false")
    if input_type == attributes.NUMBER:
        numbers = [value for value in values if isinstance(value, (int, float))]
        step = "1" if all(isinstance(value, int) for value in numbers) else "0.01"
        bounds = [attributes.text_from_value(bound) for bound in (min(numbers), max(numbers))]
        return Input(input_type, "\n".join([*bounds, step]))
    return Input(input_type, "")


def opening(labels: Mapping[str, Label], n_images: int) -> Iterator[str]:
    """Yield the lines from the XML declaration to the end of ``<meta>``."""
    yield '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
    yield "  <meta>\n    <task>\n"
    yield f"      <size>{n_images}</size>\n      <mode>annotation</mode>\n      <labels>\n"
    for name, label in labels.items():
        yield f"        <label>\n          <name>{escaped(name)}</name>\n"
        yield f"          <color>{colour_of(name)}</color>\n"
        yield f"          <type>{label.shape_type}</type>\n          <attributes>\n"
        for attribute, declared in label.inputs.items():
            # what a person says of one image may change in the next frame of a track
            yield _attribute(attribute, declared, mutable=True)
        for word in attributes.LINEAGE:
            yield _attribute(attributes.PREFIX + word, Input(attributes.TEXT, ""), mutable=False)
        yield "          </attributes>\n        </label>\n"
    yield "      </labels>\n      <owner></owner>\n      <assignee></assignee>\n"
    yield "    </task>\n  </meta>\n"


def _attribute(name: str, declared: Input, *, mutable: bool) -> str:
    default = escaped(declared.values.partition("\n")[0])
    return (
        f"            <attribute>\n              <name>{escaped(name)}</name>\n"
        f"              <mutable>{mutable}</mutable>\n"
        f"              <input_type>{declared.input_type}</input_type>\n"
        f"              <default_value>{default}</default_value>\n"
        f"              <values>{escaped(declared.values)}</values>\n"
        "            </attribute>\n"
    )
