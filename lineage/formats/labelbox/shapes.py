"""An object's geometry as `lineage.columns` has it, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from lineage.formats.labelbox.elements import Object, Point
from lineage.terms import Kind

Hull = tuple[float, float, float, float]
Shape = tuple[str, Hull, list[list[float]] | None]

_BOX = Kind.BOX.value
_KINDS = "a bounding box, polygon, polyline or point"


class Unreadable(ValueError):
    """An object that cannot become a shape.

    Parameters
    ----------
    rule, path, value, expected
        As in `columns.VIOLATIONS`; ``path`` is relative to the object.
    """

    def __init__(self, rule: str, path: str, value: object, expected: str) -> None:
        super().__init__(expected)
        self.rule, self.path, self.value, self.expected = rule, path, value, expected


def shape_of(found: Object) -> Shape:
    """Return kind, hull and geometry.

    Raises
    ------
    Unreadable
        ``mask-url``, ``unsupported-kind``, ``too-few-points``, ``not-finite``.
    """
    box = found.bounding_box
    if box is not None:
        hull = (box.left, box.top, box.left + box.width, box.top + box.height)
        if not isfinite(sum(hull)):
            raise Unreadable("not-finite", "/bounding_box", hull, "finite numbers")
        return _BOX, hull, None
    if found.polygon is not None:
        flat = _flat(found.polygon, "/polygon")
        # newer exports repeat the first point as the last, older ones do not
        if len(flat) > 6 and flat[:2] == flat[-2:]:
            flat = flat[:-2]
        return _outline(Kind.POLYGON, flat, "/polygon", least=3)
    if found.line is not None:
        return _outline(Kind.POLYLINE, _flat(found.line, "/line"), "/line", least=2)
    if found.point is not None:
        x, y = _flat([found.point], "/point")
        return Kind.KEYPOINTS.value, (x, y, x, y), [[x, y, 2.0]]
    raise _without_shape(found)


def _outline(kind: Kind, flat: list[float], path: str, *, least: int) -> Shape:
    if len(flat) < 2 * least:
        raise Unreadable("too-few-points", path, f"{len(flat) // 2} points", f"{least} or more")
    xs, ys = flat[0::2], flat[1::2]
    return kind.value, (min(xs), min(ys), max(xs), max(ys)), [flat]


def _flat(points: Sequence[Point], path: str) -> list[float]:
    flat = [number for point in points for number in (point.x, point.y)]
    if not isfinite(sum(flat)):
        raise Unreadable("not-finite", path, flat, "finite numbers")
    return flat


def _without_shape(found: Object) -> Unreadable:
    mask = found.mask or found.composite_mask
    if mask is None:
        told = found.annotation_kind or "no shape"
        return Unreadable("unsupported-kind", "", told, _KINDS)
    url = mask.get("url") or mask.get("instanceURI")
    if url is None:
        return Unreadable("unsupported-kind", "/mask", sorted(mask), _KINDS)
    # whoever holds the address may fetch the mask, so its query is not repeated
    told = str(url).partition("?")[0]
    return Unreadable(
        "mask-url", "/mask/url", told, "a shape within the file, not the address of one"
    )
