"""Percent into px: what a result row's value means, shape by shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from lineage.calc.geometry import rotated_corners
from lineage.formats.label_studio import brush
from lineage.formats.runs import geometry_of
from lineage.terms import Kind

Hull = tuple[float, float, float, float]
_ELLIPSE_POINTS = 72
_UNREAD = ("imageDataURL", "maskDataURL", "sequence")
_SHAPES = ("points", "rle", "width", "radiusX", "vertices", *_UNREAD)


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape in px: its kind, hull, geometry, and what its kind has no room for."""

    kind: Kind
    hull: Hull
    geometry: list[list[float]] | None
    extra: dict[str, object]


class Unreadable(ValueError):
    """A value that cannot become a shape: where, what stands there, what should."""

    def __init__(self, rule: str, path: str, value: object, expected: str) -> None:
        super().__init__(expected)
        self.rule, self.path, self.value, self.expected = rule, path, value, expected


def has_geometry(value: dict[str, object]) -> bool:
    """Tell whether a value holds a shape."""
    return any(key in value for key in _SHAPES)


def shape(value: dict[str, object], width: float | None, height: float | None) -> Shape:
    """Turn a value into a shape.

    Parameters
    ----------
    value
        As the export has it, percent of the original size.
    width, height
        The original size, px.

    Raises
    ------
    Unreadable
        It has no form that is known, or the size is missing.
    """
    for kind in _UNREAD:
        if kind in value:
            raise Unreadable(
                "unsupported-kind",
                f"/value/{kind}",
                kind,
                "a rectangle, ellipse, polygon, vector, key point or brush stroke",
            )
    if not width or not height or width <= 0 or height <= 0:
        raise Unreadable(
            "image-size", "/original_width", f"{width} x {height}", "the image's size in px"
        )
    if "rle" in value:
        return _brush(value, int(width), int(height))
    if "points" in value:
        return _polygon(value, width, height)
    if "vertices" in value:
        return _vector(value, width, height)
    if "radiusX" in value:
        return _ellipse(value, width, height)
    if "height" in value:
        return _rectangle(value, width, height)
    x, y = _number(value, "x") * width / 100, _number(value, "y") * height / 100
    return Shape(Kind.KEYPOINTS, (x, y, x, y), [[x, y, 2.0]], {"point_width": value.get("width")})


def _rectangle(value: dict[str, object], image_width: float, image_height: float) -> Shape:
    x, y = _number(value, "x") * image_width / 100, _number(value, "y") * image_height / 100
    width = _number(value, "width") * image_width / 100
    height = _number(value, "height") * image_height / 100
    rotation = _number(value, "rotation") % 360 if value.get("rotation") else 0.0
    extra: dict[str, object] = {}
    if width < 0 or height < 0:
        extra["drawn_backwards"] = True
    if rotation == 0:
        x, width = (x + width, -width) if width < 0 else (x, width)
        y, height = (y + height, -height) if height < 0 else (y, height)
        return Shape(Kind.BOX, (x, y, x + width, y + height), None, extra)
    angle = math.radians(rotation)
    # the tool turns about the top-left corner; the centre goes with it
    cx = x + width / 2 * math.cos(angle) - height / 2 * math.sin(angle)
    cy = y + width / 2 * math.sin(angle) + height / 2 * math.cos(angle)
    turned = [cx, cy, abs(width), abs(height), rotation]
    corners = rotated_corners(*(np.array([number]) for number in turned))[0]
    return Shape(Kind.ROTATED_BOX, _hull(corners), [turned], extra)


def _ellipse(value: dict[str, object], width: float, height: float) -> Shape:
    cx, cy = _number(value, "x") * width / 100, _number(value, "y") * height / 100
    rx, ry = _number(value, "radiusX") * width / 100, _number(value, "radiusY") * height / 100
    rotation = _number(value, "rotation") if value.get("rotation") else 0.0
    points = ellipse_points(cx, cy, rx, ry, rotation)
    original = {"cx": cx, "cy": cy, "rx": rx, "ry": ry, "rotation_deg": rotation}
    return Shape(Kind.POLYGON, _hull(points), [points.reshape(-1).tolist()], {"ellipse": original})


def ellipse_points(cx: float, cy: float, rx: float, ry: float, rotation_deg: float) -> np.ndarray:
    """Return 72 points of an ellipse turned clockwise about its centre, shape (72, 2), px."""
    around = np.linspace(0, 2 * np.pi, _ELLIPSE_POINTS, endpoint=False)
    angle = math.radians(rotation_deg)
    x, y = rx * np.cos(around), ry * np.sin(around)
    turned_x = cx + x * math.cos(angle) - y * math.sin(angle)
    turned_y = cy + x * math.sin(angle) + y * math.cos(angle)
    return np.stack([turned_x, turned_y], axis=1)


def _polygon(value: dict[str, object], width: float, height: float) -> Shape:
    points = value["points"]
    try:
        pairs = np.array(points, dtype=np.float64).reshape(-1, 2)
    except (TypeError, ValueError) as exc:
        raise Unreadable("geometry", "/value/points", points, "pairs of numbers") from exc
    if len(pairs) < 3:
        raise Unreadable(
            "too-few-points", "/value/points", f"{len(pairs)} points", "three points or more"
        )
    pixels = pairs * np.array([width, height]) / 100
    extra: dict[str, object] = {"closed": False} if value.get("closed") is False else {}
    return Shape(Kind.POLYGON, _hull(pixels), [pixels.reshape(-1).tolist()], extra)


def _vector(value: dict[str, object], width: float, height: float) -> Shape:
    vertices = value["vertices"]
    if not isinstance(vertices, list) or not all(isinstance(v, dict) for v in vertices):
        raise Unreadable("geometry", "/value/vertices", vertices, "points with x and y")
    is_closed = bool(value.get("closed"))
    least = 3 if is_closed else 2
    if len(vertices) < least:
        told = f"{len(vertices)} points"
        raise Unreadable("too-few-points", "/value/vertices", told, f"{least} points or more")
    pairs = np.array([[_number(v, "x"), _number(v, "y")] for v in vertices])
    pixels = pairs * np.array([width, height]) / 100
    # the bend between two points has no place in the ledger, the points do
    extra: dict[str, object] = {}
    if any(v.get("isBezier") for v in vertices):
        extra["bezier"] = True
    kind = Kind.POLYGON if is_closed else Kind.POLYLINE
    return Shape(kind, _hull(pixels), [pixels.reshape(-1).tolist()], extra)


def _brush(value: dict[str, object], width: int, height: int) -> Shape:
    try:
        mask = brush.decoded_mask(cast(Sequence[int], value["rle"]), height, width)
    except (ValueError, TypeError, OverflowError) as exc:
        raise Unreadable(
            "geometry", "/value/rle", str(exc), "a brush stroke of the image's size"
        ) from exc
    found = geometry_of(mask)
    if found is None:
        raise Unreadable("zero-area", "/value/rle", "no pixel", "a stroke with a pixel")
    return Shape(Kind.MASK, found[1], found[0], {})


def _number(value: dict[str, object], key: str) -> float:
    number = value.get(key)
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise Unreadable("geometry", f"/value/{key}", number, "a number")
    return float(number)


def _hull(points: np.ndarray) -> Hull:
    low, high = points.min(axis=0), points.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])
