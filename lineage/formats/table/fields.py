"""The fields that a mapping fills from columns, and which of them each kind of label needs."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from lineage.terms import Kind


class Holds(StrEnum):
    """What the cells of a field hold."""

    TEXT = "text"
    NUMBER = "a number"
    TIME = "a time"


CORNERS = ("x_min", "y_min", "x_max", "y_max")
CORNER_AND_SIDES = ("x_min", "y_min", "box_width", "box_height")
CENTRE_AND_SIDES = ("cx", "cy", "box_width", "box_height")
CENTRE_AND_RADIUS = ("cx", "cy", "radius")
CENTRE_AND_RADII = ("cx", "cy", "radius_x", "radius_y")

_NUMBERS = (
    *CORNERS,
    "cx",
    "cy",
    "box_width",
    "box_height",
    "radius",
    "radius_x",
    "radius_y",
    "angle",
)

FIELDS: Mapping[str, Holds] = {
    "id": Holds.TEXT,
    "asset": Holds.TEXT,
    "annotator": Holds.TEXT,
    "class": Holds.TEXT,
    "kind": Holds.TEXT,
    **dict.fromkeys(_NUMBERS, Holds.NUMBER),
    "box": Holds.TEXT,
    "points": Holds.TEXT,
    "mask": Holds.TEXT,
    "width": Holds.NUMBER,
    "height": Holds.NUMBER,
    "uri": Holds.TEXT,
    "labelled_at": Holds.TIME,
    "started_at": Holds.TIME,
    "utc_offset": Holds.NUMBER,
    "lead_time_s": Holds.NUMBER,
    "score": Holds.NUMBER,
    "origin": Holds.TEXT,
    "gold": Holds.TEXT,
    "created_by": Holds.TEXT,
    "updated_by": Holds.TEXT,
    "presence": Holds.TEXT,
    "state": Holds.TEXT,
    "reason": Holds.TEXT,
    "attributes": Holds.TEXT,
    "annotation": Holds.TEXT,
}
"""Field to what its cells hold. ``box_width`` is a box's, ``width`` its image's."""

GEOMETRY = (*_NUMBERS, "box", "points", "mask")
"""The fields that say where a label is."""

NOT_CONSTANT = frozenset({"id", "kind", "box", "points", "mask", "attributes", "annotation"})
"""Fields that one value for all rows makes no sense for; the kind has a key of its own."""

SYNONYMS: Mapping[str, str] = {
    "w": "box_width",
    "h": "box_height",
    "x": "x_min or cx",
    "y": "y_min or cy",
    "x1": "x_min",
    "y1": "y_min",
    "x2": "x_max",
    "y2": "y_max",
    "image": "asset",
    "filename": "asset",
    "label": "class",
    "user": "annotator",
    "who": "annotator",
    "worker": "annotator",
    "time": "labelled_at",
    "bbox": "box",
    "polygon": "points",
    "segmentation": "points or mask",
    "confidence": "score",
    "rotation": "angle",
}
"""Words that people try, and the field that they mean; only told, never taken."""

_BOXES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "xyxy": (CORNERS, ("box",)),
    "xywh": (CORNER_AND_SIDES, ("box",)),
    "cxcywh": (CENTRE_AND_SIDES, CENTRE_AND_RADIUS, CENTRE_AND_RADII, ("box",)),
}

BOXES = tuple(_BOXES)
"""The ways to write a box."""


def needed(kind: str, box: str) -> tuple[tuple[str, ...], ...]:
    """Return the sets of fields, any one of which says where a label of a kind is.

    Examples
    --------
    >>> needed("box", "xywh")
    (('x_min', 'y_min', 'box_width', 'box_height'), ('box',))
    >>> needed("class", "xyxy")
    ((),)
    """
    if kind == Kind.BOX:
        return _BOXES[box]
    if kind == Kind.ROTATED_BOX:
        sizes = (CENTRE_AND_SIDES, CENTRE_AND_RADII)
        return tuple((*size, "angle") for size in sizes)
    if kind == Kind.CLASS:
        return ((),)
    return (("mask",),) if kind == Kind.MASK else (("points",),)
