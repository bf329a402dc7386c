"""What came of a run: numbers by name, from the file that a trainer leaves."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path

from lineage.errors import BadInput, NotFound
from lineage.settings import load_yaml

_NAMES = ("metric", "name")


def read_metrics(path: Path) -> dict[str, float]:
    """Return the numbers of a JSON, YAML or CSV file by name.

    Parameters
    ----------
    path
        JSON or YAML: a mapping of names to numbers, nested ones joined by dots. CSV: two columns ``metric``
        (or ``name``) and ``value``, or a table with a row for each epoch, of which the last holds.

    Raises
    ------
    NotFound
        ``no-such-file``.
    BadInput
        ``metrics-unreadable``: no such form, or a value that is no finite number; all of them are named.
    """
    if not path.is_file():
        raise NotFound("no-such-file", f"no file {path}", hint="check the path")
    where = str(path)
    ending = path.suffix.lower()
    if ending in (".yaml", ".yml"):
        return flattened(load_yaml(path), where)
    try:
        text = path.read_text("utf-8-sig")
        if ending == ".csv":
            return flattened(_of_csv(list(csv.DictReader(text.splitlines())), where), where)
        if ending == ".json":
            document = json.loads(text)
            return flattened(document if isinstance(document, dict) else {"": document}, where)
    except (UnicodeDecodeError, json.JSONDecodeError, csv.Error) as exc:
        raise _unreadable(f"not readable: {exc}", where) from exc
    raise _unreadable(f"the name ends in {ending!r}, expected .json, .yaml, .yml or .csv", where)


def flattened(document: Mapping[str, object], where: str) -> dict[str, float]:
    """Return a mapping of numbers with nested names joined by dots.

    Raises
    ------
    BadInput
        ``metrics-unreadable``.

    Examples
    --------
    >>> flattened({"map": {"50": 0.61}, "epochs": 12}, "here")
    {'map.50': 0.61, 'epochs': 12}
    """
    found: dict[str, float] = {}
    wrong: list[str] = []
    _flatten(document, "", found, wrong)
    if wrong or not found:
        raise _unreadable(
            f"{len(wrong)} values are no finite numbers: {', '.join(wrong[:20])}"
            if wrong
            else "no number in it",
            where,
        )
    return found


def _flatten(
    document: Mapping[str, object], prefix: str, found: dict[str, float], wrong: list[str]
) -> None:
    for key, value in document.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            _flatten(value, f"{name}.", found, wrong)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            wrong.append(f"{name}={value!r}"[:80])
        elif not math.isfinite(value):
            wrong.append(f"{name}={value!r}")
        else:
            found[name] = value


def _of_csv(rows: list[dict[str, str]], where: str) -> dict[str, object]:
    if not rows:
        raise _unreadable("no row below the header", where)
    # some trainers pad their columns with blanks
    table = [{str(k).strip(): _value(v) for k, v in row.items()} for row in rows]
    key = next((name for name in _NAMES if set(table[0]) == {name, "value"}), None)
    if key is None:
        return table[-1]
    return {str(row[key]): row["value"] for row in table}


def _value(text: object) -> object:
    try:
        number = float(str(text))
    except ValueError:
        return str(text).strip()
    return int(number) if str(text).strip().lstrip("+-").isdigit() else number


def _unreadable(told: str, where: str) -> BadInput:
    return BadInput("metrics-unreadable", told, hint="docs/runs.md says what is read", where=where)
