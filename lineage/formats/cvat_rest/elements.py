"""A shape as CVAT's XML would say it, so that both ways out of CVAT have one geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from lineage.formats.cvat.document import Element
from lineage.formats.cvat.shapes import Unreadable
from lineage.formats.cvat_rest.folder import Drawn, Sublabel

_TAGS = {"rectangle": "box", "tag": "tag"}
_N_CORNERS = 4


def element_of(drawn: Drawn, parts: Mapping[int, Sublabel], names: Mapping[int, str]) -> Element:
    """Return a tag or shape as an element.

    Parameters
    ----------
    drawn
        As the server has it.
    parts
        Points of its skeleton, by label id.
    names
        Attributes' names, by id.

    Raises
    ------
    Unreadable
        Its flat list of points is too short for its type, or a point of its skeleton is not declared.
    """
    tag = _TAGS.get(drawn.type, drawn.type)
    element = Element(tag, _numbers(drawn))
    for part in drawn.elements:
        declared = parts.get(part.label_id or 0)
        if declared is None:
            raise Unreadable("unknown-label", "/elements", part.label_id, "a point of the skeleton")
        point = element_of(part, {}, names)
        point.attributes |= {
            "label": declared.name,
            "outside": str(int(part.outside)),
            "occluded": str(int(part.occluded)),
        }
        for value in part.attributes:
            child = Element("attribute", {"name": names.get(value.spec_id, str(value.spec_id))})
            child.text = value.value
            point.children.append(child)
        element.children.append(point)
    return element


def keyframes(track: Drawn) -> tuple[list[Drawn], int]:
    """Return a track's shapes where it is visible, and how many points of skeletons were carried on.

    Notes
    -----
    The server keeps keyframes alone; what it interpolates between them is not in its answers. The
    points of a skeleton have keyframes of their own: one that has none on a frame of the track's stands
    where its last keyframe put it.
    """
    n_carried = 0
    found = []
    frames = sorted({shape.frame for shape in track.shapes})
    by_frame = {shape.frame: shape for shape in track.shapes}
    for frame in frames:
        shape = by_frame[frame]
        if shape.outside:
            continue
        elements = []
        for element in track.elements:
            before = [one for one in element.shapes if one.frame <= frame]
            if not before:
                continue
            newest = max(before, key=lambda one: one.frame)
            n_carried += newest.frame != frame
            values = newest.attributes or element.attributes
            elements.append(
                msgspec.structs.replace(newest, label_id=element.label_id, attributes=values)
            )
        values = [*track.attributes, *shape.attributes]
        found.append(
            msgspec.structs.replace(
                shape,
                id=track.id,
                label_id=track.label_id,
                source=track.source,
                group=track.group,
                attributes=values,
                elements=elements,
            )
        )
    return found, n_carried


def _numbers(drawn: Drawn) -> dict[str, str]:
    points = drawn.points
    if drawn.type in ("rectangle", "ellipse") and len(points) != _N_CORNERS:
        raise Unreadable("points", "/points", f"{len(points)} numbers", "4 numbers")
    if drawn.type == "rectangle":
        given = dict(zip(("xtl", "ytl", "xbr", "ybr"), map(repr, points), strict=True))
    elif drawn.type == "ellipse":
        cx, cy, right, top = points
        given = {"cx": repr(cx), "cy": repr(cy), "rx": repr(right - cx), "ry": repr(cy - top)}
    elif drawn.type == "mask":
        given = _mask(points)
    else:
        if len(points) % 2:
            raise Unreadable("points", "/points", f"{len(points)} numbers", "x, y, x, y ...")
        pairs = zip(points[0::2], points[1::2], strict=True)
        given = {"points": ";".join(f"{x!r},{y!r}" for x, y in pairs)}
    return given | ({"rotation": repr(drawn.rotation)} if drawn.rotation else {})


def _mask(points: Sequence[float]) -> dict[str, str]:
    """Return run lengths and window: behind the runs stand left, top, right and bottom, inclusive."""
    if len(points) <= _N_CORNERS or any(not number.is_integer() for number in points):
        raise Unreadable(
            "mask-runs", "/points", f"{len(points)} numbers", "whole runs, then a window"
        )
    *runs, left, top, right, bottom = (int(number) for number in points)
    window = {"left": left, "top": top, "width": right - left + 1, "height": bottom - top + 1}
    return {"rle": ",".join(map(str, runs))} | {name: str(value) for name, value in window.items()}
