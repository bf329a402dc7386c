"""Outlines and masks in one cell: JSON of several habits, or numbers with signs between them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import chain

import numpy as np

from lineage.formats.coco import rle
from lineage.formats.table.paths import decoded
from lineage.terms import Kind

_PLAIN = re.compile(r"[-+0-9.eE,;\s]*")
_LEAST = {Kind.POLYGON: 3, Kind.POLYLINE: 2, Kind.KEYPOINTS: 1}
_SEEN, _ABSENT = 2.0, 0.0
_MAX_MASK_PX = 1 << 28

Part = list[float]


def parts_of(text: str, kind: Kind) -> list[Part]:
    """Return an outline's numbers as `lineage.columns` has them, in the cell's own unit.

    Parameters
    ----------
    text
        ``x,y;x,y``, the same with spaces, or JSON: points as pairs or as objects with x and y,
        flat lists, and for a polygon several of these.
    kind
        Polygon, polyline or key points; of these, a third number is what can be seen of each.

    Raises
    ------
    ValueError
        It is no outline.

    Examples
    --------
    >>> parts_of("0,0; 4,0; 4,3", Kind.POLYGON)
    [[0.0, 0.0, 4.0, 0.0, 4.0, 3.0]]
    >>> parts_of('[{"x": 1, "y": 2}, {"x": 3, "y": 4}]', Kind.KEYPOINTS)
    [[1.0, 2.0, 2.0, 3.0, 4.0, 2.0]]
    """
    if _PLAIN.fullmatch(text):
        points = [_point(word, kind) for word in _groups(text, kind)]
        parts = [points]
    else:
        value = decoded(text)
        if not isinstance(value, list):
            raise ValueError("no list of points")
        is_several = kind is not Kind.KEYPOINTS and all(_is_part(one) for one in value)
        parts = [_points(one, kind) for one in (value if is_several and value else [value])]
    least = _LEAST[kind]
    if any(len(part) < least for part in parts):
        raise ValueError(f"{min(map(len, parts))} points")
    return [list(chain.from_iterable(part)) for part in parts]


def _groups(text: str, kind: Kind) -> list[list[float]]:
    """Return the numbers of a plain text, point by point."""
    if ";" in text:
        words = [re.split(r"[,\s]+", word.strip()) for word in text.split(";") if word.strip()]
        return [[float(number) for number in word] for word in words]
    numbers = [float(number) for number in re.split(r"[,\s]+", text.strip()) if number]
    if len(numbers) % 2 or kind is Kind.KEYPOINTS:
        raise ValueError(f"{len(numbers)} numbers without a ; between points")
    return [numbers[at : at + 2] for at in range(0, len(numbers), 2)]


def _is_part(value: object) -> bool:
    """Tell whether a value is an outline by itself, and no point of one."""
    if not isinstance(value, list) or not value:
        return False
    return isinstance(value[0], (list, dict)) or (len(value) >= 6 and _is_number(value[0]))


def _points(value: object, kind: Kind) -> list[Part]:
    if not isinstance(value, list):
        raise ValueError("no list of points")
    if value and all(_is_number(one) for one in value):
        if len(value) % 2 or kind is Kind.KEYPOINTS:
            raise ValueError(f"{len(value)} numbers, not told apart into points")
        value = [value[at : at + 2] for at in range(0, len(value), 2)]
    return [_point(one, kind) for one in value]


def _point(value: object, kind: Kind) -> Part:
    if isinstance(value, dict):
        value = [value.get("x"), value.get("y"), *([value["v"]] if "v" in value else [])]
    if not isinstance(value, list) or not 2 <= len(value) <= 3:
        raise ValueError(f"a point of {len(value) if isinstance(value, list) else value!r}")
    if kind is not Kind.KEYPOINTS:
        if len(value) == 3:
            raise ValueError("a point of 3 numbers")
        return [_number(value[0]), _number(value[1])]
    if value[0] is None or value[1] is None:
        return [0.0, 0.0, _ABSENT]
    seen = _number(value[2]) if len(value) == 3 else _SEEN
    if seen not in (0.0, 1.0, 2.0):
        raise ValueError(f"a point that is {seen:g} to be seen, expected 0, 1 or 2")
    return [_number(value[0]), _number(value[1]), seen]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: object) -> float:
    is_text = isinstance(value, str) and "_" not in value
    if isinstance(value, (str, int, float)) and (is_text or _is_number(value)):
        found = float(value)
        if math.isfinite(found):
            return found
    raise ValueError(f"{value!r} as a coordinate")


def mask_of(
    text: str, size: Sequence[float]
) -> tuple[list[Part], tuple[float, float, float, float]]:
    """Return geometry and hull of a mask in COCO's run lengths.

    Parameters
    ----------
    text
        ``{"size": [height, width], "counts": ...}``, counts as a list or compressed.
    size
        Width and height of its image, px, NaN where unknown.

    Raises
    ------
    ValueError
        It is none, or not its image's.
    """
    value = decoded(text)
    if not isinstance(value, dict) or not isinstance(value.get("counts"), (str, list)):
        raise ValueError("no object with size and counts")
    told = value.get("size")
    if not isinstance(told, list) or len(told) != 2 or not all(_is_whole(n) for n in told):
        raise ValueError(f"size {told!r}")
    height, width = int(told[0]), int(told[1])
    if not 0 < height * width <= _MAX_MASK_PX or height < 0:
        raise ValueError(f"a mask of {height} x {width} px")
    if not any(math.isnan(side) for side in size) and (height, width) != (size[1], size[0]):
        raise ValueError(
            f"a mask of {height} x {width} px, its image has {size[1]:g} x {size[0]:g}"
        )
    counts = value["counts"]
    if isinstance(counts, list) and not all(_is_whole(n) for n in counts):
        raise ValueError("a run that is no whole number")
    try:
        runs = rle.counts_of(counts, height, width)
    except (OverflowError, UnicodeError) as exc:
        raise ValueError(str(exc)) from exc
    hull = rle.hull(runs, height)
    if hull is None:
        raise ValueError("no pixel")
    return [[float(height), float(width)], np.asarray(runs, np.float64).tolist()], hull


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
