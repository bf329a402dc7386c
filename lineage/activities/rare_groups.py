"""What rarity is told of: classes, their edge cases, and the values of their attributes, as the schemas name them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

import numpy as np

from lineage.activities import gold_rules
from lineage.labelschema import LabelSchema

MOST_VALUES = 50
"""An attribute with more values than these is no set of cases."""


class Of(StrEnum):
    """What a group is."""

    CLASS = "class"
    EDGE_CASE = "edge_case"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Group:
    """A class, or a part of it.

    Parameters
    ----------
    class_
        Its name.
    of
        What it is.
    name
        The edge case, or ``attribute=value``; None: the whole class.
    tags
        Attribute values as ``name=value``, any of which puts a label into it.
    is_rare
        The schema calls the class rare.
    """

    class_: str
    of: Of
    name: str | None = None
    tags: frozenset[str] = frozenset()
    is_rare: bool = False


@dataclass(slots=True)
class Groups:
    """Groups, and which of them a label is in by its class and its attributes' document.

    Parameters
    ----------
    rows
        In the order of the schemas; a class before its parts.
    """

    rows: Sequence[Group]
    _at: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)

    def at(self, class_: str, document: str) -> np.ndarray:
        """Return the groups of labels of a class with these attributes; ndarray of int64."""
        key = (class_, document)
        if key not in self._at:
            tags = set(_tags(document))
            self._at[key] = np.array(
                [
                    at
                    for at, group in enumerate(self.rows)
                    if group.class_ == class_ and (group.of is Of.CLASS or group.tags & tags)
                ],
                np.int64,
            )
        return self._at[key]

    def by_class(self) -> Mapping[str, int]:
        """Return where each class as a whole stands."""
        return {row.class_: at for at, row in enumerate(self.rows) if row.of is Of.CLASS}


def groups_of(schemas: Sequence[LabelSchema]) -> Groups:
    """Return the groups that some versions name, each once; the newest version says what is rare.

    Notes
    -----
    A label is of an edge case where one of its attributes has the case's name for its value, or is
    called so and is true. An edge case that no attribute can say is known of gold alone.
    """
    found: dict[tuple[str, Of, str | None], Group] = {}
    for schema in schemas:
        for class_, entry in schema.classes.items():
            is_rare = bool(entry.get("rare"))
            values = list(_values(schema, entry))
            parts = [Group(class_, Of.CLASS, None, frozenset(), is_rare)]
            for case in gold_rules.cases_of(schema, class_):
                tags = {
                    f"{name}={value}"
                    for name, value in values
                    if value == case or (name == case and value == "true")
                }
                parts.append(Group(class_, Of.EDGE_CASE, case, frozenset(tags), is_rare))
            for name, value in values:
                tag = f"{name}={value}"
                if not any(tag in part.tags for part in parts):
                    parts.append(Group(class_, Of.VALUE, tag, frozenset({tag}), is_rare))
            found |= {(part.class_, part.of, part.name): part for part in parts}
    order = list(dict.fromkeys(class_ for class_, _, _ in found))
    return Groups(sorted(found.values(), key=lambda group: order.index(group.class_)))


def _values(schema: LabelSchema, entry: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the attributes of a class and the values that each may have, as text."""
    whole = cast(Mapping[str, Mapping[str, object]], schema.document.get("attributes", {}))
    own = cast(Mapping[str, Mapping[str, object]], entry.get("attributes", {}))
    properties = {**whole.get("properties", {}), **own.get("properties", {})}
    for name, rule in sorted(properties.items()):
        told = cast(Mapping[str, object], rule)
        values = cast(Sequence[object], told.get("enum", ()))
        if not values and told.get("type") == "boolean":
            values = (False, True)
        if len(values) <= MOST_VALUES:
            yield from ((name, _word(value)) for value in values if isinstance(value, (str, bool)))


def _tags(document: str) -> Iterator[str]:
    for name, value in json.loads(document).items():
        if isinstance(value, (str, bool)):
            yield f"{name}={_word(value)}"


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
