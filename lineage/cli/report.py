"""Values become text for eyes, or the one JSON document for scripts."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from lineage.errors import LineageError

MAX_ROWS = 50

Cell = object


def document(value: object) -> object:
    """Return a value in JSON's terms: times ISO 8601 UTC, no NaN, tuples as lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: document(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): document(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [document(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        return value.as_posix()
    return value


def fields(value: object) -> dict[str, object]:
    """Return a report's fields in JSON's terms."""
    found = document(value)
    if not isinstance(found, dict):
        raise TypeError(f"{type(value).__name__} is no report")
    return found


def print_json(value: object) -> None:
    """Print the one JSON document of a command."""
    sys.stdout.write(json.dumps(document(value), ensure_ascii=False, indent=1) + "\n")


def line(text: str = "") -> None:
    """Print a line."""
    sys.stdout.write(text + "\n")


def table(
    names: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    more: str = "--json shows all",
    most: int = MAX_ROWS,
) -> None:
    """Print a table, its first ``most`` rows, numbers to the right; ``more`` says how to see the rest."""
    shown = [
        [
            _number(value) if name in _NUMBERS else _cell(value)
            for name, value in zip(names, row, strict=True)
        ]
        for row in rows[:most]
    ]
    right = [
        bool(rows) and all(isinstance(row[i], (int, float)) or row[i] is None for row in rows)
        for i in range(len(names))
    ]
    widths = [max(len(row[i]) for row in [list(names), *shown]) for i in range(len(names))]
    for row in [list(names), *shown]:
        cells = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        )
        line("  ".join(cells).rstrip())
    if len(rows) > most:
        line(f"... and {len(rows) - most:,} more: {more}")


_NUMBERS = frozenset({"annotation", "revision", "newer_revision", "seq"})
"""Columns whose values name something: they are typed again, so nothing stands between their digits."""


def _number(value: Cell) -> str:
    return str(value) if isinstance(value, int) else _cell(value)


def named(value: object, names: Mapping[str, str]) -> object:
    """Return a value in which people, wherever they stand as pseudonyms, have the names to show."""
    if isinstance(value, Mapping):
        return {key: named(item, names) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [named(item, names) for item in value]
    if isinstance(value, Path):
        return str(value)
    return names.get(value, value) if isinstance(value, str) else value


def moment(value: object) -> str:
    """Return a time for eyes, to the second, in UTC."""
    if not isinstance(value, datetime):
        return "-"
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def failure(error: LineageError, *, as_json: bool) -> None:
    """Tell of a failure: as JSON on standard output, as text on standard error."""
    if as_json:
        fields = ("slug", "message", "hint", "where")
        print_json({"error": {name: getattr(error, name) or None for name in fields}})
        return
    sys.stderr.write(f"lineage: {error} [{error.slug}]\n")
    if error.hint:
        sys.stderr.write(f"  help: {error.hint}\n")


def _cell(value: Cell) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    if isinstance(value, datetime):
        return moment(value)
    return str(value)
