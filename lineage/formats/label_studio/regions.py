"""Result rows into labels: several rows may speak of one region, one row may name several classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import msgspec

from lineage.formats.label_studio.elements import Result
from lineage.formats.label_studio.values import Hull, Shape, Unreadable, has_geometry, shape
from lineage.terms import Kind

_ATTRIBUTES = ("choices", "text", "rating", "number", "taxonomy", "datetime")
_NOWHERE: Hull = (0.0, 0.0, 0.0, 0.0)
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


def regions(results: list[Result]) -> tuple[list[Region], list[Problem]]:
    """Merge an answer's rows.

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
            found += _group(name, group.rows, problems)
        except Unreadable as exc:
            text = _text(group.rows)
            problems.append(Problem(exc.rule, exc.path, exc.value, exc.expected, text, name))
    return found, problems


def _group(name: str | None, rows: list[Result], problems: list[Problem]) -> list[Region]:
    shapes = [row for row in rows if has_geometry(row.value or {})]
    if not shapes:
        return [label for row in rows for label in _whole_image(name, row, problems)]
    first = shapes[0]
    size = (first.original_width, first.original_height)
    drawn = shape(first.value or {}, *size)
    for other in shapes[1:]:
        if shape(other.value or {}, other.original_width, other.original_height).hull != drawn.hull:
            told = "one shape for one region"
            problems.append(Problem("duplicate-id", "/id", name, told, _text([other]), name))
    classes = list(dict.fromkeys(label for row in rows for label in _classes(row)))
    if not classes:
        raise Unreadable("no-class", "/value", first.type, "a label of the region")
    attributes = {
        str(row.from_name or row.type): value
        for row in rows
        if row not in shapes and (value := _attribute(row)) is not None
    }
    extra = _extra(first, drawn)
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
            is_assisted=any(str(row.origin or "").startswith("prediction") for row in rows),
            size=(int(size[0] or 0), int(size[1] or 0)),
        )
        for at, class_ in enumerate(classes)
    ]


def _whole_image(name: str | None, row: Result, problems: list[Problem]) -> list[Region]:
    value = row.value or {}
    if row.type == "choices":
        classes = [str(word) for word in cast(list[object], value.get("choices") or [])]
    elif row.type == "taxonomy":
        paths = cast(list[list[object]], value.get("taxonomy") or [])
        classes = [" / ".join(map(str, path)) for path in paths]
    elif row.type.endswith("labels"):
        raise Unreadable("geometry", "/value", sorted(value), "a shape")
    else:
        problems.append(Problem(f"image-level-{row.type or 'row'}", "", "", "", "", is_loss=True))
        return []
    known = row.original_width and row.original_height
    size = (int(row.original_width or 0), int(row.original_height or 0)) if known else None
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
        )
        for class_ in classes
    ]


def _classes(row: Result) -> list[str]:
    value = row.value or {}
    keys = (row.type, *(key for key in value if key.endswith("labels")))
    for key in keys:
        found = value.get(key)
        if key.endswith("labels") and isinstance(found, list):
            return [str(word) for word in found]
    return []


def _attribute(row: Result) -> object:
    value = row.value or {}
    for key in _ATTRIBUTES:
        if key in value:
            found = value[key]
            if key == "taxonomy" and isinstance(found, list):
                found = [" / ".join(map(str, path)) for path in found]
            return found[0] if isinstance(found, list) and len(found) == 1 else found
    return None


def _extra(row: Result, drawn: Shape) -> dict[str, object]:
    extra = {name: value for name, value in drawn.extra.items() if value is not None}
    if row.meta:
        extra["meta"] = row.meta
    if row.image_rotation:
        extra["image_rotation"] = row.image_rotation
    if row.parentID:
        extra["parent_region"] = row.parentID
    if row.hidden:
        extra["hidden"] = True
    return extra


def _text(rows: list[Result]) -> str:
    return msgspec.json.encode(rows).decode()
