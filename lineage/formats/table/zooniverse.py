"""A first mapping for Zooniverse's classification exports: one row an answer, tasks and marks in JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lineage.formats.names import is_image
from lineage.formats.table.paths import decoded
from lineage.terms import Kind

_NEEDED = ("classification_id", "user_name", "annotations", "subject_ids")
_KEPT = ("workflow_version", "user_ip", "expert")
_FIELDS_OF_MARK = {
    "cx": "x",
    "cy": "y",
    "radius": "r",
    "radius_x": "rx",
    "radius_y": "ry",
    "angle": "angle",
    "points": "points",
    "box_width": "width",
    "box_height": "height",
}
_NOTHING = frozenset({"NOTHINGHERE", "NOTHING", "NTHNGHR", "NONE", "BLANK"})
"""Choices by which people say that there is nothing to see."""

_Json = Mapping[str, object]


def draft(columns: Mapping[str, Sequence[str]]) -> dict[str, object] | None:
    """Return a mapping document, None where a table is no such export.

    Parameters
    ----------
    columns
        By name, some cells.

    Notes
    -----
    Of the tasks, marks are taken for the labels where there are any, else choices from a list of
    species, else the first question; answers to the other questions are kept beside.
    """
    if any(name not in columns for name in _NEEDED):
        return None
    answers = [_decoded(cell) for cell in columns["annotations"]]
    values: dict[str, list[object]] = {}
    for answer in answers:
        for one in answer if isinstance(answer, list) else []:
            if isinstance(one, dict) and isinstance(one.get("task"), str):
                values.setdefault(one["task"], []).append(one.get("value"))
    marks = {task: _objects(given) for task, given in values.items()}
    drawn = next((t for t, m in marks.items() if any("tool" in one for one in m)), None)
    chosen = next((t for t, m in marks.items() if any("choice" in one for one in m)), None)
    asked = next(iter(values), None)
    columns_ = {"id": "classification_id", "asset": _asset(columns), "annotator": "user_name"}
    found: dict[str, object] = {"kind": Kind.CLASS.value}
    task = drawn or chosen or asked
    if drawn is not None:
        found = _of_marks(marks[drawn], columns_)
    elif chosen is not None:
        columns_["class"] = ".choice"
        words = {str(one.get("choice")) for one in marks[chosen]}
        if nothing := sorted(words & _NOTHING):
            found["values"] = {"class": dict.fromkeys(nothing)}
    if drawn or chosen:
        found["each"] = f"annotations[task={task}].value"
    elif task is not None:
        columns_["class"] = f"annotations[task={task}].value"
    columns_ |= _times(columns)
    if any(columns.get("gold_standard", ())):
        columns_["gold"] = "gold_standard"
    found["columns"] = columns_
    extra = {name: name for name in _KEPT if name in columns}
    others = [
        t for t, given in values.items() if t != task and any(isinstance(v, str) for v in given)
    ]
    extra |= {other: f"annotations[task={other}].value" for other in others}
    found["extra"] = extra
    return found


def _of_marks(marks: Sequence[_Json], columns: dict[str, str]) -> dict[str, object]:
    """Return what tools draw, and add the fields of their marks."""
    kinds: dict[str, str | None] = {}
    for mark in marks:
        kinds.setdefault(str(mark.get("tool")), _kind(mark))
    columns["class"] = ".tool_label" if any("tool_label" in mark for mark in marks) else ".tool"
    is_round = any("r" in mark or "rx" in mark for mark in marks)
    for field, key in _FIELDS_OF_MARK.items():
        if any(key in mark for mark in marks):
            named = {"cx": "x_min", "cy": "y_min"}.get(field, field) if not is_round else field
            columns[named] = f".{key}"
    form = "cxcywh" if is_round else "xywh"
    # a corner and sides, beside circles, is no box of this form
    if is_round:
        columns.pop("box_width", None)
        columns.pop("box_height", None)
        kinds = {tool: _kind_beside_circles(tool, kind, marks) for tool, kind in kinds.items()}
    return {
        "kind": ".tool",
        "box": form,
        # its angles are counted against the clock
        "rotation": "counterclockwise",
        "values": {"kind": dict(sorted(kinds.items()))},
    }


def _kind(mark: _Json) -> str | None:
    """Return what kind a mark is, None for what labels have no kind for."""
    if "rx" in mark:
        return Kind.ROTATED_BOX.value
    if "r" in mark or ("width" in mark and "height" in mark):
        return Kind.BOX.value
    # vertices of a curve are not on it
    is_outline = "points" in mark and mark.get("tool_label") != "Bezier"
    return Kind.POLYGON.value if is_outline else None


def _kind_beside_circles(tool: str, kind: str | None, marks: Sequence[_Json]) -> str | None:
    has_corner = any(str(mark.get("tool")) == tool and "width" in mark for mark in marks)
    return None if has_corner else kind


def _asset(columns: Mapping[str, Sequence[str]]) -> str:
    """Return the path of the image's file name if subjects have one, else the subject's number."""
    keys: set[str] = set()
    for cell in columns.get("subject_data", ())[:50]:
        document = _decoded(cell)
        for subject in document.values() if isinstance(document, dict) else []:
            for key, value in subject.items() if isinstance(subject, dict) else []:
                if isinstance(value, str) and is_image(value):
                    keys.add(key)
    only = keys.pop() if len(keys) == 1 else ""
    is_plain = only and not set(only) & set('.[]"*')
    return f"subject_data.*.{only}" if is_plain else "subject_ids"


def _times(columns: Mapping[str, Sequence[str]]) -> dict[str, str]:
    cells = columns.get("metadata", ())
    document = _decoded(cells[0]) if cells else None
    if isinstance(document, dict) and "finished_at" in document:
        started = {"started_at": "metadata.started_at"} if "started_at" in document else {}
        return {"labelled_at": "metadata.finished_at", **started}
    return {"labelled_at": "created_at"} if "created_at" in columns else {}


def _objects(values: Sequence[object]) -> list[_Json]:
    lists = [value for value in values if isinstance(value, list)]
    return [one for value in lists for one in value if isinstance(one, dict)]


def _decoded(cell: str) -> object:
    try:
        return decoded(cell)
    except ValueError:
        return None
