"""CVAT's shapes: one element to a kind, a hull and a geometry."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

from lineage.formats.cvat import masks
from lineage.formats.cvat.document import Element
from lineage.terms import Kind

N_ELLIPSE_VERTICES = 72
_BOX_KIND = Kind.BOX.value
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Frame:
    """What a shape stands in: the image's size in px where it is known, and its skeletons' points."""

    width: int | None
    height: int | None
    parts: tuple[str, ...] = ()


class Shape(NamedTuple):
    """A shape's geometry as `lineage.columns` has it; ``extra`` is what has no place in it.

    A tuple, for one is made for every label.
    """

    kind: str
    box: Box | None
    geometry: list[list[float]] | None = None
    extra: dict[str, object] | None = None


class Unreadable(ValueError):
    """A shape that cannot become a row.

    Parameters
    ----------
    rule, path, value, expected
        As in `columns.VIOLATIONS`; ``path`` is relative to the shape.
    """

    def __init__(self, rule: str, path: str, value: object, expected: str) -> None:
        super().__init__(expected)
        self.rule = rule
        self.path = path
        self.value = value
        self.expected = expected


def shape_of(element: Element, frame: Frame) -> Shape:
    """Read a shape.

    Raises
    ------
    Unreadable
        Its kind is not supported, or its numbers are missing, not finite or too few.
    """
    reader = _READERS.get(element.tag)
    if reader is None:
        raise Unreadable("unsupported-kind", "", element.tag, f"one of {', '.join(_READERS)}")
    return reader(element, frame)


def hull(points: Sequence[float]) -> Box:
    """Return the box around flat ``x0, y0, x1, y1 ...``."""
    xs, ys = points[0::2], points[1::2]
    return min(xs), min(ys), max(xs), max(ys)


def turned(points: Sequence[float], centre: tuple[float, float], degrees: float) -> list[float]:
    """Return flat points turned clockwise (as seen, y pointing down) about a centre."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    cx, cy = centre
    flat: list[float] = []
    for x, y in zip(points[0::2], points[1::2], strict=True):
        flat += [cx + (x - cx) * cosine - (y - cy) * sine, cy + (x - cx) * sine + (y - cy) * cosine]
    return flat


def _box(element: Element, frame: Frame) -> Shape:
    attributes = element.attributes
    x_min, y_min = _number(attributes, "xtl"), _number(attributes, "ytl")
    x_max, y_max = _number(attributes, "xbr"), _number(attributes, "ybr")
    rotation = _number(attributes, "rotation") if "rotation" in attributes else 0.0
    if rotation % 360 == 0:
        return Shape(_BOX_KIND, (x_min, y_min, x_max, y_max))
    centre = (x_min + x_max) / 2, (y_min + y_max) / 2
    corners = turned([x_min, y_min, x_max, y_min, x_max, y_max, x_min, y_max], centre, rotation)
    return Shape(
        Kind.ROTATED_BOX.value, hull(corners), [[*centre, x_max - x_min, y_max - y_min, rotation]]
    )


def _polygon(element: Element, frame: Frame) -> Shape:
    points = _points(element, 3)
    return Shape(Kind.POLYGON.value, hull(points), [points])


def _polyline(element: Element, frame: Frame) -> Shape:
    points = _points(element, 2)
    return Shape(Kind.POLYLINE.value, hull(points), [points])


def _keypoints(element: Element, frame: Frame) -> Shape:
    points = _points(element, 1)
    flat = [n for x, y in zip(points[0::2], points[1::2], strict=True) for n in (x, y, 2.0)]
    return Shape(Kind.KEYPOINTS.value, hull(points), [flat])


def _ellipse(element: Element, frame: Frame) -> Shape:
    attributes = element.attributes
    given = {name: _number(attributes, name) for name in ("cx", "cy", "rx", "ry")}
    given["rotation"] = _number(attributes, "rotation") if "rotation" in attributes else 0.0
    cx, cy, rx, ry, rotation = given.values()
    angles = [2 * math.pi * i / N_ELLIPSE_VERTICES for i in range(N_ELLIPSE_VERTICES)]
    upright = [n for t in angles for n in (cx + rx * math.cos(t), cy + ry * math.sin(t))]
    points = turned(upright, (cx, cy), rotation) if rotation % 360 else upright
    return Shape(Kind.POLYGON.value, hull(points), [points], {"ellipse": given})


def _mask(element: Element, frame: Frame) -> Shape:
    attributes = element.attributes
    if frame.width is None or frame.height is None:
        raise Unreadable(
            "mask-size", "/../@width", None, "an image whose width and height are given"
        )
    window = masks.Window(
        *(_whole(attributes, name) for name in ("left", "top", "width", "height"))
    )
    text = _given(attributes, "rle")
    try:
        runs = [int(run) for run in text.split(",")]
    except ValueError as exc:
        raise Unreadable("mask-runs", "/@rle", text, "whole numbers with commas between") from exc
    try:
        counts, box = masks.runs_from_window(runs, window, height=frame.height, width=frame.width)
    except ValueError as exc:
        expected = f"runs that fill a window within {frame.width} x {frame.height}, some of it set"
        raise Unreadable("mask-runs", "/@rle", exc, expected) from exc
    size = [float(frame.height), float(frame.width)]
    return Shape(Kind.MASK.value, box, [size, counts.astype(float).tolist()])


def _skeleton(element: Element, frame: Frame) -> Shape:
    given: dict[str, tuple[float, float, float]] = {}
    attributes: dict[str, dict[str, str]] = {}
    for index, part in enumerate(child for child in element.children if child.tag != "attribute"):
        path, name = f"/*[{index + 1}]", part.attributes.get("label", "")
        if part.tag != "points":
            raise Unreadable("unsupported-kind", path, part.tag, "points")
        if name in given:
            raise Unreadable("duplicate-point", f"{path}/@label", name, "each point once")
        points = _points(part, 1)
        if len(points) != 2:
            raise Unreadable("too-many-points", f"{path}/@points", len(points) // 2, "one point")
        given[name] = (points[0], points[1], _visibility(part))
        told = {a.attributes.get("name", ""): a.text for a in part.children}
        if told:
            attributes[name] = told
    names = [*frame.parts, *(name for name in given if name not in frame.parts)]
    seen = [n for x, y, v in given.values() if v > 0 for n in (x, y)]
    if not seen:
        raise Unreadable(
            "no-visible-point", "", len(given), "a skeleton with a point that is not outside"
        )
    flat = [n for name in names for n in given.get(name, (0.0, 0.0, 0.0))]
    extra: dict[str, object] = {"names": names}
    if attributes:
        extra["point_attributes"] = attributes
    return Shape(Kind.KEYPOINTS.value, hull(seen), [flat], extra)


def _tag(element: Element, frame: Frame) -> Shape:
    return Shape(Kind.CLASS.value, None)


def _visibility(part: Element) -> float:
    if part.attributes.get("outside") == "1":
        return 0.0
    return 1.0 if part.attributes.get("occluded") == "1" else 2.0


def _given(attributes: dict[str, str], name: str) -> str:
    found = attributes.get(name)
    if found is None:
        raise Unreadable("missing-attribute", f"/@{name}", "nothing", f"the attribute {name}")
    return found


def _number(attributes: dict[str, str], name: str) -> float:
    return _finite(_given(attributes, name), name)


def _finite(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = None
    # Python reads 1_0 as ten; no tool means that
    if value is None or "_" in text:
        raise Unreadable("not-a-number", f"/@{name}", text, "a number")
    if not isfinite(value):
        raise Unreadable("not-finite", f"/@{name}", text, "a finite number")
    return value


def _whole(attributes: dict[str, str], name: str) -> int:
    value = _number(attributes, name)
    if not value.is_integer() or abs(value) > masks.MAX_MASK_PX:
        raise Unreadable("mask-window", f"/@{name}", attributes[name], "a whole number of px")
    return int(value)


def _points(element: Element, least: int) -> list[float]:
    text = _given(element.attributes, "points")
    flat: list[float] = []
    for pair in text.split(";") if text else ():
        x, comma, y = pair.partition(",")
        if not comma:
            raise Unreadable("points", "/@points", pair, "x,y;x,y;...")
        flat += [_finite(x, "points"), _finite(y, "points")]
    if len(flat) < 2 * least:
        raise Unreadable(
            "too-few-points", "/@points", f"{len(flat) // 2} points", f"{least} or more"
        )
    return flat


_READERS: dict[str, Callable[[Element, Frame], Shape]] = {
    "box": _box,
    "polygon": _polygon,
    "polyline": _polyline,
    "points": _keypoints,
    "ellipse": _ellipse,
    "mask": _mask,
    "skeleton": _skeleton,
    "tag": _tag,
}
