"""Result rows into labels: several rows may speak of one region, one row may name several classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain

import msgspec

from lineage.formats.label_studio.elements import Result
from lineage.formats.label_studio.values import Hull, Shape, Unreadable, has_geometry, shape
from lineage.terms import Kind

_ATTRIBUTES = ("choices", "text", "rating", "number", "taxonomy", "datetime")
_NOWHERE: Hull = (0.0, 0.0, 0.0, 0.0)
_MAX_SIDE_PX = 1 << 31
_NO_WORD: Mapping[str, object] = {}
_NOT_LABELS = ("relation", "pairwise", "ranker")


@dataclass(frozen=True, slots=True)
class Region:
    """One label, its geometry in px."""

    id: str | None
    class_: str
    kind: Kind
    hull: Hull
    geometry: list[list[float]] | None
    attributes: dict[str, object]
    extra: dict[str, object]
    score: float | None
    is_assisted: bool
    size: tuple[int, int] | None
    ours: Mapping[str, object] = field(default_factory=dict)
    """What `write` said of it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Rows that do not become a label; ``is_loss``: they never were one."""

    rule: str
    path: str
    value: object
    expected: str
    text: str
    region: str | None = None
    is_loss: bool = False


@dataclass(slots=True)
class _Gathered:
    rows: list[Result] = field(default_factory=list)


Size = tuple[float | None, float | None]


def regions(
    results: list[Result], known_size: Callable[[], tuple[int, int] | None]
) -> tuple[list[Region], list[Problem]]:
    """Merge an answer's rows.

    Parameters
    ----------
    results
        The rows.
    known_size
        Gives the image's width and height in px, for rows that do not.

    Returns
    -------
    tuple of list
        The labels in the order of their first rows, and what did not become one.
    """
    groups: dict[str, _Gathered] = {}
    problems: list[Problem] = []
    for at, row in enumerate(results):
        if row.type in _NOT_LABELS or row.value is None:
            what = row.type if row.type in _NOT_LABELS else "row-without-value"
            problems.append(Problem(what, "", "", "", "", is_loss=True))
            continue
        # a row without an id stands for itself
        key = str(row.id) if row.id is not None else f"#{at}"
        groups.setdefault(key, _Gathered()).rows.append(row)
    found: list[Region] = []
    for key, group in groups.items():
        name = None if group.rows[0].id is None else key
        try:
            found += _group(name, group.rows, known_size, problems)
        except Unreadable as exc:
            text = _text(group.rows)
            problems.append(Problem(exc.rule, exc.path, exc.value, exc.expected, text, name))
    return _joined(found), problems


def _group(
    name: str | None,
    rows: list[Result],
    known_size: Callable[[], tuple[int, int] | None],
    problems: list[Problem],
) -> list[Region]:
    # rows that ask something of a region repeat its geometry
    shapes = [row for row in rows if has_geometry(row.value or {})]
    if not shapes:
        return [label for row in rows for label in _whole_image(name, row, problems)]
    first = shapes[0]
    size = _size(first, known_size)
    drawn = shape(first.value or {}, *size)
    for other in shapes[1:]:
        if shape(other.value or {}, *_size(other, known_size)).hull != drawn.hull:
            told = "one shape for one region"
            problems.append(Problem("duplicate-id", "/id", name, told, _text([other]), name))
    classes = list(dict.fromkeys(chain.from_iterable(map(_classes, rows))))
    if not classes:
        raise Unreadable("no-class", "/value", first.type, "a label of the region")
    attributes = {
        str(row.from_name or row.type): value
        for row in rows
        if (value := _attribute(row)) is not None
    }
    extra = _extra(first, drawn)
    is_assisted = any((row.origin or "").startswith("prediction") for row in rows)
    return [
        Region(
            # a region of several classes is several labels; the first keeps the region's own id
            id=name if at == 0 or name is None else f"{name}#{class_}",
            class_=class_,
            kind=drawn.kind,
            hull=drawn.hull,
            geometry=drawn.geometry,
            attributes=attributes,
            extra=extra,
            score=first.score,
            is_assisted=is_assisted,
            size=(int(size[0] or 0), int(size[1] or 0)),
            ours=_ours(first, class_),
        )
        for at, class_ in enumerate(classes)
    ]


def _size(row: Result, known_size: Callable[[], tuple[int, int] | None]) -> Size:
    width, height = row.original_width, row.original_height
    if width is None or height is None:
        return known_size() or (width, height)
    # infinity is no size, and NaN is less than nothing
    return (width, height) if width < _MAX_SIDE_PX and height < _MAX_SIDE_PX else (None, None)


def _joined(found: list[Region]) -> list[Region]:
    """Put the parts of a label together again that `write` made regions of their own."""
    parts = [region for region in found if isinstance(region.ours.get("part_of"), int)]
    if not parts:
        return found
    at_of = {
        (region.ours["annotation"], region.class_, region.kind): at
        for at, region in enumerate(found)
        if isinstance(region.ours.get("annotation"), int)
    }
    joined: set[int] = set()
    for part in parts:
        at = at_of.get((part.ours["part_of"], part.class_, part.kind))
        if at is not None:
            found[at] = _with_part(found[at], part)
            joined.add(id(part))
    return [region for region in found if id(region) not in joined]


def _with_part(whole: Region, part: Region) -> Region:
    ours, theirs = whole.geometry or [], part.geometry or []
    (x0, y0, x1, y1), (a0, b0, a1, b1) = whole.hull, part.hull
    return replace(
        whole,
        hull=(min(x0, a0), min(y0, b0), max(x1, a1), max(y1, b1)),
        geometry=[ours[0] + theirs[0]] if whole.kind is Kind.KEYPOINTS else ours + theirs,
    )


def _ours(row: Result, class_: str) -> Mapping[str, object]:
    told = None if row.meta is None else row.meta.get("lineage")
    if not isinstance(told, dict):
        return _NO_WORD
    # one row may say several classes of an image
    by_class = told.get("classes")
    found = by_class.get(class_) if isinstance(by_class, dict) else told
    return found if isinstance(found, dict) else _NO_WORD


def _whole_image(name: str | None, row: Result, problems: list[Problem]) -> list[Region]:
    value = row.value or {}
    if row.type in ("choices", "taxonomy"):
        classes = _words(value.get(row.type), row.type)
    elif row.type.endswith("labels"):
        raise Unreadable("geometry", "/value", sorted(value), "a shape")
    else:
        problems.append(Problem(f"image-level-{row.type or 'row'}", "", "", "", "", is_loss=True))
        return []
    width, height = _size(row, lambda: None)
    size = (int(width), int(height)) if width and height and min(width, height) > 0 else None
    extra: dict[str, object] = {} if row.from_name is None else {"from_name": row.from_name}
    return [
        Region(
            id=None if name is None else f"{name}/{class_}",
            class_=class_,
            kind=Kind.CLASS,
            hull=_NOWHERE,
            geometry=None,
            attributes={},
            extra=extra,
            score=row.score,
            is_assisted=str(row.origin or "").startswith("prediction"),
            size=size,
            ours=_ours(row, class_),
        )
        for class_ in classes
    ]


def _classes(row: Result) -> list[str]:
    value = row.value or {}
    found = value.get(row.type) if row.type.endswith("labels") else None
    if not isinstance(found, list):
        named = (value[key] for key in value if key.endswith("labels"))
        found = next((words for words in named if isinstance(words, list)), [])
    return [str(word) for word in found]


def _attribute(row: Result) -> object:
    value = row.value or {}
    for key in _ATTRIBUTES:
        if key in value:
            found = value[key]
            if key == "taxonomy":
                found = _words(found, key)
            return found[0] if isinstance(found, list) and len(found) == 1 else found
    return None


def _words(value: object, key: str) -> list[str]:
    """Return choices as words; a path down a taxonomy is one word."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unreadable("element", f"/value/{key}", value, "a list")
    return [" / ".join(map(str, word)) if isinstance(word, list) else str(word) for word in value]


def _extra(row: Result, drawn: Shape) -> dict[str, object]:
    extra = {name: value for name, value in drawn.extra.items() if value is not None}
    meta = {name: value for name, value in (row.meta or {}).items() if name != "lineage"}
    if meta:
        extra["meta"] = meta
    if row.image_rotation:
        extra["image_rotation"] = row.image_rotation
    if row.parentID:
        extra["parent_region"] = row.parentID
    if row.hidden:
        extra["hidden"] = True
    return extra


def _text(rows: list[Result]) -> str:
    return msgspec.json.encode(rows).decode()
