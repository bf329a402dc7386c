"""An object's place: its box, polygon or turned box, in px from 0 and half-open.

Elements are found by name, in any order. Numbers are taken as they stand: swapped corners and boxes
without area are the schema check's to refuse, with the label that has them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from xml.etree.ElementTree import Element

from lineage.terms import Kind

BOX = ("xmin", "ymin", "xmax", "ymax")
ROTATED = ("cx", "cy", "w", "h", "angle")
PLACES = ("bndbox", "polygon", "robndbox")
_EPSILON_PX = 1e-6
_BOX_KIND = Kind.BOX.value
Hull = tuple[float, float, float, float]


class Shape(NamedTuple):
    """A geometry as `lineage.columns` has it; a tuple, for one is made for every label.

    ``is_odd``: the object also has a box, and it is not the one around its outline.
    """

    kind: str
    box: Hull
    geometry: list[list[float]] | None = None
    is_odd: bool = False


@dataclass(slots=True)
class Unreadable(ValueError):
    """An object that cannot become a row.

    Parameters
    ----------
    rule, path, value, expected
        As in `columns.VIOLATIONS`; ``path`` is relative to the object.
    """

    rule: str
    path: str
    value: object
    expected: str


def box_of(element: Element, base: int) -> Hull:
    """Return the corners of a ``<bndbox>``.

    Parameters
    ----------
    element
        It.
    base
        Number of the first pixel; 1 also means that the last pixel is included.

    Raises
    ------
    Unreadable
        ``missing-element``, ``not-a-number``, ``not-finite``.
    """
    texts = [element.findtext(name) for name in BOX]
    try:
        x_min, y_min, x_max, y_max = map(float, texts)  # type: ignore[arg-type]
        # a sum is finite only where its terms are; Python reads 1_0 as ten, which no tool means
        is_plain = math.isfinite(x_min + y_min + x_max + y_max) and "_" not in "".join(texts)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        is_plain = False
    if not is_plain:
        x_min, y_min, x_max, y_max = (_number(element, name) for name in BOX)
    return x_min - base, y_min - base, x_max, y_max


def shape_of(element: Element, base: int, rotation_deg: float | None = None) -> Shape:
    """Read an object's place, by the most exact of what it has: turned box, polygon, box.

    Parameters
    ----------
    element
        The object.
    base
        See `box_of`; corners of outlines only move by it.
    rotation_deg
        What `write` says the angle was in degrees; it holds while the angle is still that one.

    Raises
    ------
    Unreadable
        ``missing-element``, ``not-a-number``, ``not-finite``, ``too-few-points``, ``points``.
    """
    box = element.find("bndbox")
    turned = element.find("robndbox")
    if turned is not None:
        cx, cy, width, height, angle = (_number(turned, name, "/robndbox") for name in ROTATED)
        is_told = rotation_deg is not None and math.radians(rotation_deg) == angle
        rotation = rotation_deg if is_told and rotation_deg is not None else math.degrees(angle)
        if not math.isfinite(rotation):
            raise Unreadable("not-finite", "/robndbox/angle", angle, "an angle in radians")
        values = [cx - base, cy - base, width, height, rotation]
        return _outlined(Kind.ROTATED_BOX, [values], turned_hull(values), box, base)
    polygons = element.findall("polygon")
    if polygons:
        parts = [_points(polygon, f"/polygon[{at + 1}]") for at, polygon in enumerate(polygons)]
        if base:
            parts = [[value - base for value in part] for part in parts]
        return _outlined(Kind.POLYGON, parts, hull_of(parts), box, base)
    if box is None:
        told = ", ".join(child.tag for child in element)
        raise Unreadable("missing-element", "/bndbox", told, f"one of {', '.join(PLACES)}")
    return Shape(_BOX_KIND, box_of(box, base))


def _outlined(
    kind: Kind, geometry: list[list[float]], hull: Hull, box: Element | None, base: int
) -> Shape:
    if box is None:
        return Shape(kind.value, hull, geometry)
    given = box_of(box, base)
    gap = max(abs(a - b) for a, b in zip(given, hull, strict=True))
    # the same hull to the last digits but one is the one that was written, and is kept as it was
    scale = max(1.0, *map(abs, hull))
    if gap <= _EPSILON_PX * scale:
        return Shape(kind.value, given, geometry)
    # whole pixels, the last of them included: such boxes are off by less than two
    return Shape(kind.value, hull, geometry, gap >= 2)


def hull_of(parts: Sequence[Sequence[float]]) -> Hull:
    """Return the box around the parts of a polygon, each flat x0, y0, x1, y1 ..."""
    xs, ys = [x for part in parts for x in part[::2]], [y for part in parts for y in part[1::2]]
    return min(xs), min(ys), max(xs), max(ys)


def turned_hull(values: Sequence[float]) -> Hull:
    """Return the box around a turned box of centre, width, height and degrees."""
    cx, cy, width, height, rotation = values
    cosine, sine = abs(math.cos(math.radians(rotation))), abs(math.sin(math.radians(rotation)))
    x = (abs(width) * cosine + abs(height) * sine) / 2
    y = (abs(width) * sine + abs(height) * cosine) / 2
    return cx - x, cy - y, cx + x, cy + y


def _points(polygon: Element, path: str) -> list[float]:
    """Read a polygon: x1, y1, x2, y2 ... by number, or <pt> and <point> of x and y in order."""
    pairs = [child for child in polygon if child.tag in ("pt", "point")]
    if pairs:
        flat = [_number(pair, axis, path) for pair in pairs for axis in ("x", "y")]
    else:
        given = {child.tag for child in polygon}
        n = len(given) // 2
        if given != {f"{axis}{at}" for at in range(1, n + 1) for axis in "xy"}:
            told = ", ".join(child.tag for child in polygon)
            raise Unreadable("points", path, told, "x1, y1, x2, y2 ... or <pt> of x and y")
        texts = {child.tag: child for child in polygon}
        flat = [_finite(texts[f"{axis}{at}"], path) for at in range(1, n + 1) for axis in "xy"]
    if len(flat) < 6:
        raise Unreadable("too-few-points", path, f"{len(flat) // 2} points", "3 or more")
    return flat


def _number(element: Element, name: str, path: str = "/bndbox") -> float:
    child = element.find(name)
    if child is None:
        told = ", ".join(child.tag for child in element)
        raise Unreadable("missing-element", f"{path}/{name}", told, f"the element {name}")
    return _finite(child, path)


def _finite(element: Element, path: str) -> float:
    text = (element.text or "").strip()
    try:
        value = float(text)
    except ValueError:
        value = None
    if value is None or "_" in text:
        raise Unreadable("not-a-number", f"{path}/{element.tag}", text, "a number")
    if not math.isfinite(value):
        raise Unreadable("not-finite", f"{path}/{element.tag}", text, "a finite number")
    return value
