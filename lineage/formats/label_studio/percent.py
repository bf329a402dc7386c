"""Px into percent: what a label's geometry is as values of result rows, shape by shape."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import cast

import numpy as np

from lineage.formats.by_image import Row
from lineage.formats.label_studio import brush
from lineage.formats.runs import mask_of
from lineage.terms import Kind

Value = dict[str, object]

TYPES: Mapping[str, str] = {
    Kind.BOX: "rectanglelabels",
    Kind.ROTATED_BOX: "rectanglelabels",
    Kind.POLYGON: "polygonlabels",
    Kind.POLYLINE: "vectorlabels",
    Kind.KEYPOINTS: "keypointlabels",
    Kind.MASK: "brushlabels",
}
"""The tool's word for rows of a kind, which is also the key of their classes."""

_POINT_WIDTH = 0.5


def values(row: Row, width: int, height: int, losses: Counter[str]) -> list[Value]:
    """Return a label's shape as the tool's values; several where it has no shape of several parts.

    Parameters
    ----------
    row
        A row of `columns.DATASET` that has geometry.
    width, height
        Of its image, px.
    losses
        Where what the tool has no place for is counted.
    """
    kind = str(row["kind"])
    geometry = cast(list[list[float]], row["geometry"])
    across, down = 100 / width, 100 / height
    if kind == Kind.BOX:
        x0, y0, x1, y1 = (cast(float, row[side]) for side in ("x_min", "y_min", "x_max", "y_max"))
        sides = {"width": (x1 - x0) * across, "height": (y1 - y0) * down, "rotation": 0}
        return [{"x": x0 * across, "y": y0 * down, **sides}]
    if kind == Kind.ROTATED_BOX:
        return [_turned(geometry[0], across, down)]
    if kind == Kind.MASK:
        rows, columns = (int(side) for side in geometry[0])
        mask = mask_of(np.array(geometry[1]), rows, columns)
        return [{"format": "rle", "rle": brush.encoded_mask(mask)}]
    if kind == Kind.KEYPOINTS:
        return _points(geometry[0], across, down, losses)
    losses["polygon-part" if kind == Kind.POLYGON else "polyline-part"] += len(geometry) - 1
    form = _polygon if kind == Kind.POLYGON else _path
    return [
        form([(x * across, y * down) for x, y in zip(part[0::2], part[1::2], strict=True)])
        for part in geometry
    ]


def _polygon(points: list[tuple[float, float]]) -> Value:
    return {"points": [list(point) for point in points], "closed": True}


def _path(points: list[tuple[float, float]]) -> Value:
    vertices = [
        {
            "id": f"p{at}",
            "x": x,
            "y": y,
            "prevPointId": f"p{at - 1}" if at else None,
            "isBezier": False,
        }
        for at, (x, y) in enumerate(points)
    ]
    return {"vertices": vertices, "closed": False}


def _points(flat: list[float], across: float, down: float, losses: Counter[str]) -> list[Value]:
    points = list(zip(flat[0::3], flat[1::3], flat[2::3], strict=True))
    losses["keypoint-visibility"] += any(v != 2 for _, _, v in points)
    present = [(x, y) for x, y, v in points if v]
    losses["keypoint-apart"] += len(present) > 1
    return [{"x": x * across, "y": y * down, "width": _POINT_WIDTH} for x, y in present]


def _turned(numbers: list[float], across: float, down: float) -> Value:
    cx, cy, width, height, rotation = numbers
    angle = math.radians(rotation)
    # the tool turns about the top-left corner, in px
    x = cx - width / 2 * math.cos(angle) + height / 2 * math.sin(angle)
    y = cy - width / 2 * math.sin(angle) - height / 2 * math.cos(angle)
    return {
        "x": x * across,
        "y": y * down,
        "width": width * across,
        "height": height * down,
        "rotation": rotation,
    }
