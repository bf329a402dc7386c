"""What `write` said of shapes before: their numbers, origins, and which are parts of one label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lineage.formats.cvat.attributes import PREFIX
from lineage.formats.cvat.document import Element
from lineage.formats.cvat.shapes import Shape
from lineage.terms import Kind, Origin

_ORIGINS = {origin.value: origin for origin in Origin}
_ANNOTATION = PREFIX + "annotation"
_IN_PARTS = frozenset({Kind.POLYGON.value, Kind.POLYLINE.value})

Drawn = tuple[Shape, Element]


def annotation_of(written: Mapping[str, object]) -> int | None:
    """Return the ledger's own number of a label that it wrote."""
    number = written.get("annotation")
    return number if isinstance(number, int) and number > 0 else None


def origin_of(written: Mapping[str, object], source: str) -> Origin:
    """Return how a shape came to be whose ``source`` is no word of the tool's for anything else.

    A shape that somebody drew is theirs; of one that was read from a file, what `write` said stands.
    """
    if source.lower() == "manual":
        return Origin.HUMAN
    return _ORIGINS.get(str(written.get("origin")), Origin.HUMAN)


def joined(drawn: Iterable[Drawn]) -> list[Drawn]:
    """Put the parts of a label together again that `write` made shapes of one group."""
    found: list[Drawn] = []
    at_of: dict[tuple[str, ...], int] = {}
    for shape, element in drawn:
        key = _key(shape, element) if "group_id" in element.attributes else None
        at = None if key is None else at_of.get(key)
        if at is not None:
            whole, first = found[at]
            found[at] = (_with_part(whole, shape), first)
            continue
        if key is not None:
            at_of[key] = len(found)
        found.append((shape, element))
    return found


def _key(shape: Shape, element: Element) -> tuple[str, ...] | None:
    if shape.kind not in _IN_PARTS:
        return None
    given = element.attributes
    for child in element.children:
        if child.attributes.get("name") == _ANNOTATION and child.text:
            return given["group_id"], child.text, given.get("label", ""), shape.kind
    return None


def _with_part(whole: Shape, part: Shape) -> Shape:
    if whole.box is None or part.box is None:
        return whole
    (x0, y0, x1, y1), (a0, b0, a1, b1) = whole.box, part.box
    box = (min(x0, a0), min(y0, b0), max(x1, a1), max(y1, b1))
    return whole._replace(box=box, geometry=[*(whole.geometry or ()), *(part.geometry or ())])
