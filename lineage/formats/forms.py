"""A label schema as a tool's form: which input asks for each attribute, and what no input can ask.

Tools know five inputs: one of a list, several of a list, yes or no, a number, a text. What JSON Schema
says beyond them is named, rule by rule, so that nobody takes the form for the whole schema; an import
checks it all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from lineage.terms import Kind

Json = Mapping[str, object]


class Input(StrEnum):
    """How a form asks for a value."""

    ONE = "one"
    SEVERAL = "several"
    YES_NO = "yes_no"
    NUMBER = "number"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Gap:
    """What a form does not ask or hold to.

    Parameters
    ----------
    path
        Where the schema says it, as a JSON pointer.
    rule
        The key word.
    told
        What becomes of it.
    """

    path: str
    rule: str
    told: str


@dataclass(frozen=True, slots=True)
class Field:
    """An attribute of a class.

    Parameters
    ----------
    name
        Its name.
    input
        How it is asked for.
    values
        The choices, as text.
    minimum, maximum, step
        Of a number, None where the schema names none.
    is_required
        A label without it is refused.
    """

    name: str
    input: Input
    values: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Class:
    """A class: its kinds of geometry, what it is, and its fields."""

    name: str
    kinds: tuple[str, ...]
    definition: str
    edge_cases: Mapping[str, str]
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """A label schema as tools can ask it."""

    title: str
    guidelines: str
    classes: tuple[Class, ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class Configuration:
    """A tool's labelling configuration, and what of the schema it does not hold."""

    text: str
    gaps: tuple[Gap, ...]


def form_of(document: Json) -> Form:
    """Return the form of a label schema's document, aliases left out."""
    gaps: list[Gap] = []
    shared = document.get("attributes")
    classes = [
        _class(name, rules, shared, gaps)
        for name, rules in cast(Mapping[str, Json], document["classes"]).items()
    ]
    title = document.get("title") or f"{document['name']} {document['version']}"
    return Form(str(title), str(document.get("guidelines") or ""), tuple(classes), tuple(gaps))


def inputs_of(documents: Sequence[Json]) -> dict[str, Field]:
    """Return the field of every attribute name that several schemas ask of regions; see `merged`."""
    classes = [
        class_
        for document in documents
        for class_ in form_of(document).classes
        if set(class_.kinds) != {Kind.CLASS.value}
    ]
    found: dict[str, list[Field]] = {}
    for class_ in classes:
        for one in class_.fields:
            found.setdefault(one.name, []).append(one)
    return {name: merged(fields) for name, fields in found.items()}


def merged(fields: Sequence[Field]) -> Field:
    """Return the one field that can hold what any of several fields of one name can.

    Lists are joined, bounds widened; inputs that differ become a text.
    """
    first, rest = fields[0], fields[1:]
    if all(one == first for one in rest):
        return first
    is_required = all(one.is_required for one in fields)
    if len({one.input for one in fields}) > 1:
        return Field(first.name, Input.TEXT, is_required=is_required)
    low, high = [one.minimum for one in fields], [one.maximum for one in fields]
    steps = {one.step for one in fields}
    return Field(
        first.name,
        first.input,
        tuple(dict.fromkeys(value for one in fields for value in one.values)),
        None if None in low else min(cast(list[float], low)),
        None if None in high else max(cast(list[float], high)),
        steps.pop() if len(steps) == 1 else None,
        is_required,
    )


def pointer(*parts: str) -> str:
    """Return the JSON pointer that goes down by ``parts``.

    Examples
    --------
    >>> pointer("classes", "a/b")
    '/classes/a~1b'
    """
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def text_of(value: object) -> str:
    """Return a value as a form shows it: a text as it is, all else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def colour_of(name: str) -> str:
    """Return the colour that a class keeps from one file to the next, whatever stands beside it.

    Examples
    --------
    >>> colour_of("car")
    '#2b2961'
    """
    return "#" + hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:6]


_OF_CLASS = ("definition", "kinds", "aliases", "edge_cases", "attributes", "rare")
_OF_OBJECT = ("type", "properties", "required", "additionalProperties", "title", "description")
_SILENT = ("title", "description", "default", "examples", "$comment")
_ASKED: Mapping[Input, tuple[str, ...]] = {
    Input.ONE: ("enum", "const", "type"),
    Input.SEVERAL: ("type", "items", "uniqueItems"),
    Input.YES_NO: ("type", "enum", "const"),
    Input.NUMBER: ("type", "minimum", "maximum", "multipleOf"),
    Input.TEXT: ("type",),
}


def _class(name: str, rules: Json, shared: object, gaps: list[Gap]) -> Class:
    path = pointer("classes", name)
    for rule in rules:
        if rule not in _OF_CLASS:
            gaps.append(Gap(f"{path}/{rule}", rule, "checked on import only"))
    own = rules.get("attributes")
    asked = own if isinstance(own, Mapping) else shared
    at = f"{path}/attributes" if isinstance(own, Mapping) else "/attributes"
    fields = _fields(asked, at, gaps) if isinstance(asked, Mapping) else ()
    return Class(
        name,
        tuple(cast(list[str], rules["kinds"])),
        str(rules.get("definition") or ""),
        cast(Mapping[str, str], rules.get("edge_cases") or {}),
        fields,
    )


def _fields(rules: Json, path: str, gaps: list[Gap]) -> tuple[Field, ...]:
    properties = cast(Mapping[str, object], rules.get("properties") or {})
    required = cast(list[str], rules.get("required") or [])
    for rule in rules:
        if rule not in _OF_OBJECT:
            _note(gaps, Gap(f"{path}/{rule}", rule, "checked on import only"))
    for name in required:
        if name not in properties:
            _note(gaps, Gap(f"{path}/required", "required", f"{name!r} has no rules to ask it by"))
    return tuple(
        _field(name, asked, path + pointer("properties", name), name in required, gaps)
        for name, asked in properties.items()
    )


def _field(name: str, asked: object, path: str, is_required: bool, gaps: list[Gap]) -> Field:
    rules = cast(Json, asked) if isinstance(asked, Mapping) else {}
    input_, values = _input(rules)
    if input_ is Input.TEXT and rules.get("type") != "string":
        _note(
            gaps, Gap(path, str(rules.get("type") or "any"), "asked as text, which is read as JSON")
        )
    for rule in rules:
        if rule not in _ASKED[input_] and rule not in _SILENT:
            _note(gaps, Gap(f"{path}/{rule}", rule, "checked on import only"))
    step = _number(rules.get("multipleOf"))
    if step is None and _types(rules) == ["integer"]:
        step = 1
    return Field(
        name,
        input_,
        values,
        _number(rules.get("minimum")),
        _number(rules.get("maximum")),
        step,
        is_required,
    )


def _input(rules: Json) -> tuple[Input, tuple[str, ...]]:
    listed = [rules["const"]] if "const" in rules else rules.get("enum")
    if isinstance(listed, list):
        values = [value for value in listed if value is not None]
        if values and all(isinstance(value, bool) for value in values):
            return Input.YES_NO, ()
        texts = [value if isinstance(value, str) else text_of(value) for value in values]
        return Input.ONE, tuple(dict.fromkeys(texts))
    types = _types(rules)
    if types == ["boolean"]:
        return Input.YES_NO, ()
    if types in (["integer"], ["number"], ["integer", "number"]):
        return Input.NUMBER, ()
    items = rules.get("items")
    if types == ["array"] and isinstance(items, Mapping):
        input_, values_of_items = _input(items)
        if input_ is Input.ONE and not items.keys() - {*_ASKED[Input.ONE], *_SILENT}:
            return Input.SEVERAL, values_of_items
    return Input.TEXT, ()


def _types(rules: Json) -> list[str]:
    """Return the types that a value may have, null aside: a form leaves out what is null."""
    told = rules.get("type")
    types = told if isinstance(told, list) else [told]
    return sorted(str(type_) for type_ in types if type_ not in (None, "null"))


def _number(value: object) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _note(gaps: list[Gap], gap: Gap) -> None:
    # shared attributes are asked of every class and told once
    if gap not in gaps:
        gaps.append(gap)
