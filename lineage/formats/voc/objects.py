"""Labels as VOC's objects: one element a label, with its provenance and what trainers want to find."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from lineage import columns
from lineage.formats.by_image import Row
from lineage.formats.cvat.text import escaped, fit
from lineage.formats.voc import facts, ours, shapes
from lineage.terms import Kind

_KINDS = (Kind.BOX, Kind.POLYGON, Kind.ROTATED_BOX)
_MAX_KEPT = 4096
_MOST_WHOLE = 1e15
Rings = list[list[float]]


class _Said(NamedTuple):
    """An attribute document as XML: what stands before the place, what behind, what is filled in."""

    before: str
    behind: str
    filled: str


class Objects:
    """Labels to text, and what that loses.

    Parameters
    ----------
    losses
        Where it is counted.
    """

    def __init__(self, losses: Counter[str]) -> None:
        self.losses = losses
        self.n_labels = 0
        self._documents: dict[str, _Said] = {}

    def fitted(self, text: str) -> str:
        """Return text that XML can hold, and count what it cannot."""
        found = fit(text)
        self.losses["unfit-text"] += found != text
        return found

    def text(self, row: Row) -> str | None:
        """Return a label's element, None where the format cannot carry it, which is counted."""
        kind = Kind(str(row["kind"]))
        if kind not in _KINDS:
            self.losses[kind.value] += 1
            return None
        place = _place(kind, row)
        if place is None:
            self.losses["geometry"] += 1
            return None
        self.n_labels += 1
        class_ = self.fitted(str(row["class"]))
        self.losses["unfit-text"] += class_ != class_.strip()
        said = self._said(str(row["attributes"]))
        told = "".join(
            f"      {leaf(word, text)}\n" for word in ours.WORDS if (text := _told(row[word]))
        )
        if kind is Kind.ROTATED_BOX:
            told += f"      <rotation_deg>{_number(_geometry(row)[0][4])}</rotation_deg>\n"
        return (
            f"  <object>\n    <name>{escaped(class_)}</name>\n{said.before}{place}{said.behind}"
            f"    <{ours.TAG}>\n{told}{said.filled}    </{ours.TAG}>\n  </object>\n"
        )

    def _said(self, document: str) -> _Said:
        found = self._documents.get(document)
        if found is None:
            found = _said(json.loads(document))
            if len(self._documents) < _MAX_KEPT:
                self._documents[document] = found
        return found


def leaf(tag: str, value: object) -> str:
    """Return an element that `ours.value_of` reads as ``value``.

    Examples
    --------
    >>> leaf("value", "left"), leaf("value", 3)
    ('<value>left</value>', '<value type="json">3</value>')
    """
    if isinstance(value, str) and value and value == value.strip() and fit(value) == value:
        return f"<{tag}>{escaped(value)}</{tag}>"
    # white space, emptiness and types do not survive as text, nor does what XML cannot hold
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return f'<{tag} type="{ours.AS_JSON}">{escaped(text)}</{tag}>'


def _said(values: dict[str, object]) -> _Said:
    rest = dict(values)
    lines: list[str] = []
    filled: list[str] = []
    for tag in (facts.POSE, "truncated", "occluded", "difficult"):
        text = _voiced(tag, values.get(tag))
        if text is not None:
            del rest[tag]
        elif tag in ours.UNSAID:
            text = ours.UNSAID[tag]
            filled.append(tag)
        if text is not None:
            lines.append(f"    <{tag}>{escaped(text)}</{tag}>\n")
    behind = "".join(
        f"      <attribute>\n        {leaf('name', name)}\n        {leaf('value', value)}\n      </attribute>\n"
        for name, value in rest.items()
    )
    return _Said(
        "".join(lines),
        f"    <attributes>\n{behind}    </attributes>\n" if behind else "",
        f"      <filled>{' '.join(filled)}</filled>\n" if filled else "",
    )


def _voiced(tag: str, value: object) -> str | None:
    """Return the text that VOC's own element has for an attribute, None where it has none for it."""
    if tag != facts.POSE:
        return str(int(value)) if isinstance(value, bool) else None
    is_plain = isinstance(value, str) and value and value == value.strip() and fit(value) == value
    return str(value) if is_plain else None


def _place(kind: Kind, row: Row) -> str | None:
    geometry = _geometry(row)
    corners = [value for name in columns.BOX if isinstance(value := row[name], float)]
    hull = corners if len(corners) == len(columns.BOX) else None
    if kind is Kind.BOX:
        return None if hull is None else _bndbox(hull)
    if kind is Kind.ROTATED_BOX:
        if not geometry or len(geometry[0]) != len(shapes.ROTATED):
            return None
        return _bndbox(hull or shapes.turned_hull(geometry[0])) + _robndbox(geometry[0])
    if not geometry or any(len(part) < 6 or len(part) % 2 for part in geometry):
        return None
    return _bndbox(hull or shapes.hull_of(geometry)) + "".join(map(_polygon, geometry))


def _geometry(row: Row) -> Rings:
    geometry: Rings = row["geometry"] or []  # type: ignore[assignment]
    return geometry


def _bndbox(corners: Sequence[float]) -> str:
    lines = zip(shapes.BOX, corners, strict=True)
    inner = "".join(f"      <{tag}>{_number(value)}</{tag}>\n" for tag, value in lines)
    return f"    <bndbox>\n{inner}    </bndbox>\n"


def _polygon(points: Sequence[float]) -> str:
    pairs = zip(points[0::2], points[1::2], strict=True)
    inner = "".join(
        f"      <x{at}>{_number(x)}</x{at}>\n      <y{at}>{_number(y)}</y{at}>\n"
        for at, (x, y) in enumerate(pairs, start=1)
    )
    return f"    <polygon>\n{inner}    </polygon>\n"


def _robndbox(values: Sequence[float]) -> str:
    *rest, rotation = values
    lines = zip(shapes.ROTATED, (*rest, math.radians(rotation)), strict=True)
    inner = "".join(f"      <{tag}>{_number(value)}</{tag}>\n" for tag, value in lines)
    return f"    <robndbox>\n{inner}    </robndbox>\n"


def _number(value: float) -> str:
    # many readers know whole pixels only: what is whole is written so
    return str(int(value)) if value.is_integer() and abs(value) < _MOST_WHOLE else repr(value)


def _told(value: object) -> str:
    if isinstance(value, datetime):
        told = value.astimezone(UTC).isoformat(timespec="microseconds")
        return told.replace("+00:00", "Z")
    return "" if value is None else str(value)
