"""The mapping document: which column is what. Checked whole, every problem at once.

A key that nobody reads is a decision nobody made, so unknown ones are refused with
the nearest known one. Numbers and yes-or-no words that YAML has already turned into
something else (``33.10``, ``no``) are refused where text is meant: they have to be quoted.
"""

from __future__ import annotations

import codecs
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta, timezone, tzinfo
from enum import StrEnum
from typing import cast
from zoneinfo import ZoneInfo

from lineage.errors import BadInput
from lineage.formats.table import fields
from lineage.formats.table.check import Check, near, quoted
from lineage.formats.table.fields import FIELDS, Holds
from lineage.terms import Completeness, Kind, Origin, Presence

Scalar = str | int | float | bool | None

KEYS = (
    "kind",
    "box",
    "unit",
    "each",
    "columns",
    "constants",
    "attributes",
    "extra",
    "types",
    "values",
    "roster",
    "state_of",
    "asset_pattern",
    "rotation",
    "time",
    "zone",
    "decimal",
    "delimiter",
    "encoding",
    "header",
    "skip_rows",
    "nulls",
)
"""Every key of a mapping, in the order in which a draft writes them."""

REST = "rest"
ENCODINGS = ("utf-8", "latin-1", "windows-1252")
TYPES = ("text", "integer", "number", "boolean", "json")
TIMES = ("iso", "unix", "unix_ms")
_KINDS = frozenset(kind.value for kind in Kind)
_PATTERN = re.compile(r"[^{}]*\{(?::[0-9a-zA-Z<>^=]*)?\}[^{}]*")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")
_WORDS: Mapping[str, type[StrEnum]] = {
    "kind": Kind,
    "origin": Origin,
    "presence": Presence,
    "state": Completeness,
}


@dataclass(frozen=True, slots=True)
class TableMapping:
    """A mapping that has been checked; ``docs/formats.md`` says what each key means.

    Parameters
    ----------
    kind
        What every row is, None where ``columns`` name a column that says so.
    columns
        By field, the column or path, or for ``points`` several of them.
    attributes, extra
        By name, the column or path; None takes every column that nothing else does.
    zone
        Of times that name none; None where there is none to take.
    """

    kind: Kind | None
    columns: Mapping[str, tuple[str, ...]]
    box: str = "xyxy"
    unit: str = "px"
    each: str | None = None
    constants: Mapping[str, str | float] = field(default_factory=dict)
    attributes: Mapping[str, str] | None = field(default_factory=dict)
    extra: Mapping[str, str] | None = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, Scalar]] = field(default_factory=dict)
    roster: str = "rows"
    state_of: str = "image"
    asset_pattern: str | None = None
    rotation: str = "clockwise"
    time: str = "iso"
    zone: tzinfo | None = None
    decimal: str = "."
    delimiter: str = ","
    encoding: str = "utf-8"
    header: tuple[str, ...] | None = None
    skip_rows: int = 0
    nulls: tuple[str, ...] = ()


def parse(document: Mapping[str, object], where: str) -> TableMapping:
    """Check a mapping document.

    Parameters
    ----------
    document
        As YAML gives it.
    where
        What to call it in messages.

    Raises
    ------
    BadInput
        ``mapping-invalid``, with everything that is wrong.
    """
    check = _Check()
    check.known(document, KEYS)
    columns = check.columns(document.get("columns"))
    kind = check.kind(document.get("kind"), columns)
    values = check.values(document.get("values"))
    found = TableMapping(
        kind=kind,
        columns=columns,
        box=check.word(document, "box", "xyxy", fields.BOXES),
        unit=check.word(document, "unit", "px", ("px", "fraction", "percent")),
        each=check.text(document, "each"),
        constants=check.constants(document.get("constants")),
        attributes=check.sources(document.get("attributes"), "attributes"),
        extra=check.sources(document.get("extra"), "extra"),
        types=check.types(document.get("types")),
        values=values,
        roster=check.text(document, "roster") or "rows",
        state_of=check.word(document, "state_of", "image", ("image", "class")),
        asset_pattern=check.text(document, "asset_pattern"),
        rotation=check.word(document, "rotation", "clockwise", ("clockwise", "counterclockwise")),
        time=check.text(document, "time") or "iso",
        zone=check.zone(check.text(document, "zone")),
        decimal=check.word(document, "decimal", ".", (".", ",")),
        delimiter=check.text(document, "delimiter") or ",",
        encoding=check.encoding(document.get("encoding")),
        header=check.texts(document.get("header"), "header"),
        skip_rows=check.count(document, "skip_rows"),
        nulls=check.texts(document.get("nulls"), "nulls") or (),
    )
    check.together(found, document)
    if check.problems:
        raise BadInput(
            "mapping-invalid",
            f"{len(check.problems)} problems: " + "; ".join(check.problems),
            hint="docs/formats.md lists every key; lineage import --map-draft FILE writes a first one",
            where=where,
        )
    return found


class _Check(Check):
    """Takes a mapping apart."""

    def kind(self, value: object, columns: dict[str, tuple[str, ...]]) -> Kind | None:
        """Return what every row is; a word that is no kind is the column that says so."""
        if isinstance(value, str) and value in _KINDS:
            return Kind(value)
        if isinstance(value, str) and value and "kind" not in columns:
            columns["kind"] = (value,)
        elif value is not None or "kind" not in columns:
            told = "twice, as a column too" if "kind" in columns else f"{value!r}"
            self.problems.append(f"kind: {told}, expected {', '.join(Kind)}, or a column")
        return None

    def columns(self, value: object) -> dict[str, tuple[str, ...]]:
        """Return by field where its cells stand."""
        found: dict[str, tuple[str, ...]] = {}
        for name, told in self.mapping(value, "columns").items():
            if name not in FIELDS:
                self.problems.append(f"columns.{name}: unknown, {_meant(name)}")
            elif isinstance(told, str):
                found[name] = (told,)
            elif name == "points" and _is_texts(told) and len(cast(list[str], told)) % 2 == 0:
                found[name] = tuple(cast(list[str], told))
            else:
                expected = (
                    "a column, or x and y columns in turn" if name == "points" else "a column"
                )
                self.problems.append(f"columns.{name}: {told!r}, expected {expected}{quoted(told)}")
        return found

    def constants(self, value: object) -> dict[str, str | float]:
        """Return by field the value of rows whose cells are empty."""
        found: dict[str, str | float] = {}
        for name, told in self.mapping(value, "constants").items():
            path = f"constants.{name}"
            is_number = isinstance(told, (int, float)) and not isinstance(told, bool)
            if name not in FIELDS:
                self.problems.append(f"{path}: unknown, {_meant(name)}")
            elif name in fields.NOT_CONSTANT:
                self.problems.append(f"{path}: cannot be the same for every row")
            elif FIELDS[name] is Holds.NUMBER:
                if is_number:
                    found[name] = float(cast(float, told))
                else:
                    self.problems.append(f"{path}: {told!r}, expected a number")
            elif isinstance(told, str) or (is_number and isinstance(told, int)):
                found[name] = str(told)
            else:
                self.problems.append(f"{path}: {told!r}, expected text{quoted(told)}")
        return found

    def sources(self, value: object, key: str) -> dict[str, str] | None:
        """Return columns by the name they are carried under, None for the rest of them."""
        if value == REST:
            return None
        if isinstance(value, Mapping):
            for name, told in value.items():
                if not isinstance(name, str) or not isinstance(told, str):
                    expected = f"the column it comes from{quoted(told)}"
                    self.problems.append(f"{key}.{name}: {told!r}, expected {expected}")
            return {n: c for n, c in value.items() if isinstance(n, str) and isinstance(c, str)}
        return {name: name for name in self.texts(value, key) or ()}

    def types(self, value: object) -> dict[str, str]:
        """Return by attribute what its cells are."""
        document = self.mapping(value, "types")
        return {
            name: self.word(document, name, "text", TYPES, prefix="types.") for name in document
        }

    def values(self, value: object) -> dict[str, dict[str, Scalar]]:
        """Return by field or attribute what its cells stand for."""
        found: dict[str, dict[str, Scalar]] = {}
        for name, told in self.mapping(value, "values").items():
            words: dict[str, Scalar] = {}
            for cell, meaning in self.mapping(told, f"values.{name}").items():
                path = f"values.{name}.{cell}"
                if isinstance(cell, (bool, float)) or cell is None:
                    self.problems.append(f"{path}: a cell is text{quoted(cell)}")
                elif (problem := _meaning_problem(name, meaning)) is not None:
                    self.problems.append(f"{path}: {meaning!r}, expected {problem}")
                words[str(cell)] = cast(Scalar, meaning)
            found[str(name)] = words
        return found

    def zone(self, name: str | None) -> tzinfo | None:
        """Return a time zone by name or offset."""
        if name is None:
            return None
        if found := _OFFSET.fullmatch(name):
            sign = -1 if found[1] == "-" else 1
            offset = sign * timedelta(hours=int(found[2]), minutes=int(found[3]))
            if abs(offset) < timedelta(hours=24):
                return timezone(offset)
        if name in ("UTC", "Z"):
            return timezone(timedelta(0))
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            self.problems.append(f"zone: {name!r}, expected a zone like Europe/Paris, or +02:00")
            return None

    def encoding(self, value: object) -> str:
        """Return an encoding by one of its names."""
        try:
            name = codecs.lookup(str("utf-8" if value is None else value)).name
        except LookupError:
            name = ""
        known = {codecs.lookup(word).name: word for word in ENCODINGS}
        if name not in known:
            self.problems.append(f"encoding: {value!r}, expected {' or '.join(ENCODINGS)}")
        return known.get(name, "utf-8")

    def together(self, found: TableMapping, document: Mapping[str, object]) -> None:
        """Note what does not fit together."""
        for name in ("asset", "class"):
            if name not in found.columns and name not in found.constants:
                self.problems.append(f"columns.{name}: missing")
        if found.kind is not None:
            self._geometry(found, found.kind)
        if not found.columns:
            self.problems.append("columns: none is named")
        if found.header == ():
            self.problems.append("header: [], expected the columns' names")
        if found.time not in TIMES and "%" not in found.time:
            expected = f"{', '.join(TIMES)}, or a format like '%d.%m.%Y %H:%M'"
            self.problems.append(f"time: {found.time!r}, expected {expected}")
        sign = found.delimiter
        if len(sign) != 1 or not sign.isascii() or sign in '"\r\n':
            self.problems.append(f"delimiter: {sign!r}, expected one character")
        if found.asset_pattern is not None and not _PATTERN.fullmatch(found.asset_pattern):
            expected = "a name with one {} in it"
            self.problems.append(f"asset_pattern: {found.asset_pattern!r}, expected {expected}")
        if found.attributes is None and found.extra is None:
            self.problems.append("extra: attributes take the rest already")
        if "attributes" in found.columns and document.get("attributes") is not None:
            self.problems.append("attributes: a column holds them already")
        self._named(found)

    def _named(self, found: TableMapping) -> None:
        """Note types and values of what is neither attribute nor field; the rest is any column."""
        names = None if found.attributes is None else [*found.attributes]
        for key, listed in (("types", found.types), ("values", found.values)):
            words = [*_WORDS, "class", "gold"] if key == "values" else []
            for name in listed:
                if names is not None and name not in (*words, *names):
                    self.problems.append(
                        f"{key}.{name}: no attribute, {near(name, (*words, *names))}"
                    )

    def _geometry(self, found: TableMapping, kind: Kind) -> None:
        given = {name for name in (*found.columns, *found.constants) if name in fields.GEOMETRY}
        ways = fields.needed(kind, found.box)
        told = f"kind {kind}" if kind is not Kind.BOX else f"a box as {found.box}"
        way = max(ways, key=lambda names: (len(given & set(names)), -len(names)))
        if missing := [name for name in way if name not in given]:
            self.problems.append(f"columns: {told} needs {', '.join(missing)}")
        if surplus := sorted(given - set(way)):
            self.problems.append(f"columns: {told} has no use for {', '.join(surplus)}")


def _meaning_problem(name: object, meaning: object) -> str | None:
    """Return what was expected instead of a value's meaning, None where it is as it should be."""
    if meaning is not None and not isinstance(meaning, (str, int, float, bool)):
        return "one word, number, true or false"
    if name in _WORDS:
        words = _WORDS[str(name)]
        is_known = meaning in [word.value for word in words]
        return None if meaning is None or is_known else f"one of {', '.join(words)}"
    if name == "gold":
        return None if isinstance(meaning, bool) else "true or false"
    if name == "class":
        return None if meaning is None or isinstance(meaning, str) else "a class, or nothing"
    return None


def _meant(name: object) -> str:
    tried = str(name).lower()
    words = [tried, *difflib.get_close_matches(tried, fields.SYNONYMS, n=1, cutoff=0.8)]
    word = next((fields.SYNONYMS[word] for word in words if word in fields.SYNONYMS), None)
    return f"is that {word}?" if word else near(name, FIELDS)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)
