"""A mapping met with a file: in which column, or how deep in one, every field's cells stand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lineage.errors import BadInput
from lineage.formats.table.check import near
from lineage.formats.table.fields import FIELDS, Holds
from lineage.formats.table.mapping import TableMapping
from lineage.formats.table.paths import Step, steps_of
from lineage.terms import Kind

ATTRIBUTE, EXTRA, POINT = "attributes.", "extra.", "points."
"""How keys of attributes, extras and coordinates begin; the others are fields."""

_HEAD = re.compile(r"[^.\[]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where cells stand.

    Parameters
    ----------
    column
        Of the file; None for values within what ``each`` yields.
    steps
        Into its JSON; none for the cell itself.
    told
        As the mapping writes it.
    """

    column: str | None
    steps: tuple[Step, ...]
    told: str

    @property
    def is_cell(self) -> bool:
        """Whether it is a column's cell, whole."""
        return self.column is not None and not self.steps


@dataclass(frozen=True, slots=True)
class Plan:
    """Where everything stands.

    Parameters
    ----------
    places
        By key: a field, or a name that begins with `ATTRIBUTE`, `EXTRA` or `POINT`.
    each
        What a row is taken apart into, None where it is one label.
    wanted
        Columns to read.
    numbers
        Those of them that hold numbers and nothing else.
    """

    places: Mapping[str, Place]
    each: Place | None
    wanted: tuple[str, ...]
    numbers: tuple[str, ...]

    def told(self, key: str) -> str:
        """Return what the mapping calls the cells of a key."""
        return self.places[key].told if key in self.places else key


def plan_of(mapping: TableMapping, columns: Sequence[str], *, is_open: bool, where: str) -> Plan:
    """Find every field's cells.

    Parameters
    ----------
    mapping
        What is where.
    columns
        The columns that the file has, or has shown so far.
    is_open
        Whether others may turn up.
    where
        The file, for messages.

    Raises
    ------
    BadInput
        ``no-such-column``, with everything that is not there.
    """
    asked: dict[str, str] = {} if mapping.each is None else {"each": mapping.each}
    for name, told in mapping.columns.items():
        asked |= {name: told[0]} if len(told) == 1 else _numbered(told)
    for prefix, sources in ((ATTRIBUTE, mapping.attributes), (EXTRA, mapping.extra)):
        asked |= {prefix + name: told for name, told in (sources or {}).items()}
    has_each = mapping.each is not None
    found = {
        key: _place(told, columns, is_open=is_open, within=has_each and key != "each")
        for key, told in asked.items()
    }
    # a kind that is spelt wrong is taken for a column's name
    known = {"kind": [*columns, *map(str, Kind)]}
    missing = [
        f"{key}: {asked[key]!r}, {near(asked[key], known.get(key, columns))}"
        for key, place in found.items()
        if place is None
    ]
    places = {key: place for key, place in found.items() if place is not None}
    used = {place.column for place in places.values()}
    if mapping.attributes is None or mapping.extra is None:
        prefix = ATTRIBUTE if mapping.attributes is None else EXTRA
        rest = [name for name in columns if name and name not in used]
        places |= {prefix + name: Place(name, (), name) for name in rest}
    if mapping.attributes is None:
        words = [key.removeprefix(ATTRIBUTE) for key in places if key.startswith(ATTRIBUTE)]
        others = ("class", "kind", "origin", "presence", "state", "gold")
        missing += [
            f"values.{name}: no attribute, {near(name, words)}"
            for name in dict.fromkeys((*mapping.values, *mapping.types))
            if name not in (*words, *others)
        ]
    if missing:
        raise BadInput(
            "no-such-column",
            f"{len(missing)} of the mapping: " + "; ".join(missing),
            hint="columns are named as the file's first row names them",
            where=where,
        )
    each = places.pop("each", None)
    columns_used = [place.column for place in (*places.values(), each) if place is not None]
    wanted = tuple(dict.fromkeys(name for name in columns_used if name is not None))
    texts = {place.column for key, place in places.items() if not _is_number(key) or place.steps}
    texts |= {each.column} if each is not None else set()
    return Plan(places, each, wanted, tuple(name for name in wanted if name not in texts))


def _numbered(columns: Sequence[str]) -> dict[str, str]:
    return {f"{POINT}{at}": name for at, name in enumerate(columns)}


def _is_number(key: str) -> bool:
    return key.startswith(POINT) or FIELDS.get(key) is Holds.NUMBER


def _place(told: str, columns: Sequence[str], *, is_open: bool, within: bool) -> Place | None:
    if told in columns:
        # of several columns without a name none is meant
        return Place(told, (), told) if told or list(columns).count("") == 1 else None
    if within and told[:1] in (".", "["):
        steps = steps_of(told)
        return None if steps is None else Place(None, steps, told)
    heads = [name for name in columns if name and told.startswith((name + ".", name + "["))]
    head = max(heads, key=len, default="")
    if not head and is_open and (match := _HEAD.match(told)):
        head = match[0]
    steps = steps_of(told[len(head) :]) if head else None
    return None if steps is None else Place(head, steps, told)
