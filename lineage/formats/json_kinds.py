"""Whose JSON a document is, by the keys that stand at its beginning.

Only the head of a file is looked at. A head that is cut off in the middle of a value is closed where
the last whole value ended, so that the keys seen until then can be read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from lineage.formats.looks import Look, Role

NOT_JSON = "broken JSON"
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|["{}\[\],]', re.DOTALL)
_CLOSER = {"{": "}", "[": "]"}
_AS_COCO = "convert it to COCO with the tool that wrote it"
_AS_CVAT = "in CVAT: Export task dataset, CVAT for images 1.1"
_AS_LABEL_STUDIO = "in Label Studio: Export, JSON; other forms have lost ids, people or times"

_OF_CLASS_LISTS = {"labels", "label_colors", "info", "categories"}

_Signs = Sequence[tuple[tuple[str, ...], Look]]

_COCO = Look(Role.EXPORT, "coco", "COCO: an object with images, annotations and categories")
_TASKS = Look(
    Role.EXPORT, "label-studio", "Label Studio: a list of tasks with data and annotations"
)
_LABELBOX_V2 = Look(Role.EXPORT, "labelbox", "Labelbox export v2: data rows with projects")
_LABELBOX_V1 = Look(
    Role.EXPORT, "labelbox", "Labelbox export v1: rows with 'DataRow ID' and 'Label'"
)
_CVAT_REST = Look(
    Role.EXPORT, "cvat-rest", "CVAT's REST answers: jobs, tasks, labels, annotations, issues"
)
_UPLOAD = Look(
    Role.FOREIGN,
    "Labelbox upload payloads",
    hint="they name no person and no time; in Labelbox: Export v2",
)
_WEBHOOKS = Look(Role.FOREIGN, "Label Studio webhooks", hint=_AS_LABEL_STUDIO)

_OBJECTS: _Signs = (
    (("data_row", "projects"), _LABELBOX_V2),
    (("DataRow ID",), _LABELBOX_V1),
    (("Labeled Data", "Label"), _LABELBOX_V1),
    (("action", "project"), _WEBHOOKS),
    (
        ("data", "annotations"),
        Look(Role.FOREIGN, "one Label Studio task by itself", hint=_AS_LABEL_STUDIO),
    ),
    (("shapes", "imagePath"), Look(Role.FOREIGN, "LabelMe JSON", hint=_AS_COCO)),
    (("imagePath",), Look(Role.FOREIGN, "LabelMe JSON", hint=_AS_COCO)),
    (("version", "flags", "shapes"), Look(Role.FOREIGN, "LabelMe JSON", hint=_AS_COCO)),
    (("items", "categories"), Look(Role.FOREIGN, "Datumaro JSON", hint="datum convert -f coco")),
    (("dm_format_version",), Look(Role.FOREIGN, "Datumaro JSON", hint="datum convert -f coco")),
    (
        ("tags", "videoSettings"),
        Look(Role.FOREIGN, "VoTT JSON", hint="in VoTT: export as VoTT CSV"),
    ),
    (("count", "results"), _CVAT_REST),
    (("shapes", "tracks"), Look(Role.FOREIGN, "CVAT's REST annotations", hint=_AS_CVAT)),
    (("_via_img_metadata",), Look(Role.FOREIGN, "VGG Image Annotator JSON", hint=_AS_COCO)),
    (("item", "annotations"), Look(Role.FOREIGN, "V7 Darwin JSON", hint=_AS_COCO)),
    (("objects", "size"), Look(Role.FOREIGN, "Supervisely JSON", hint=_AS_COCO)),
    (("LabelName", "Subcategory"), Look(Role.BESIDE, "class hierarchy")),
)
"""Keys that an object must all have, the surest first."""

_ELEMENTS: _Signs = (
    (("data_row", "projects"), _LABELBOX_V2),
    (("DataRow ID",), _LABELBOX_V1),
    (("Labeled Data", "Label"), _LABELBOX_V1),
    (("action", "project"), _WEBHOOKS),
    (("action", "tasks"), _WEBHOOKS),
    (("data", "annotations"), _TASKS),
    (("data", "completions"), _TASKS),
    (("data", "predictions"), _TASKS),
    (
        ("annotation_id", "annotator"),
        Look(Role.FOREIGN, "Label Studio JSON-MIN", hint=_AS_LABEL_STUDIO),
    ),
    (("dataRow", "uuid"), _UPLOAD),
    (("dataRow", "schemaId"), _UPLOAD),
    (("dataRow", "name"), _UPLOAD),
    (("image", "annotations"), Look(Role.FOREIGN, "CreateML JSON", hint=_AS_COCO)),
    (
        ("image_id", "category_id"),
        Look(Role.FOREIGN, "COCO detection results", hint="results without images are no dataset"),
    ),
    (("label_hash", "data_units"), Look(Role.FOREIGN, "Encord JSON", hint=_AS_COCO)),
    (("shapes", "tracks"), Look(Role.FOREIGN, "the annotations of a CVAT backup", hint=_AS_CVAT)),
    (("data",), _TASKS),
)
"""Keys that the first element of a list must all have, the surest first."""


def look(text: str) -> Look:
    """Tell what a text is that begins with a brace or bracket.

    Parameters
    ----------
    text
        A file's beginning.

    Returns
    -------
    Look
        Unknown also where it is no JSON.
    """
    documents, is_whole = _documents(text)
    if not documents:
        return Look(Role.UNKNOWN, NOT_JSON)
    first = documents[0]
    if isinstance(first, list):
        return _list(first)
    if len(documents) > 1:
        return _lines(documents)
    if isinstance(first, dict):
        return _object(first, is_whole=is_whole)
    return Look(Role.UNKNOWN, "JSON value", "by itself")


def _documents(text: str) -> tuple[list[object], bool]:
    """Return the JSON documents that a text begins with, and whether the first is not cut off."""
    decoder = json.JSONDecoder()
    found: list[object] = []
    at = 0
    while at < len(text) and len(found) < 8:
        try:
            document, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            if not found:
                return _closed(text), False
            break
        found.append(document)
        while at < len(text) and text[at] in " \t\r\n":
            at += 1
    return found, True


def _closed(text: str) -> list[object]:
    open_: list[str] = []
    cut, closers = 0, ""
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign == '"' or len(open_) > 64:
            break  # a string without an end: what follows are its letters
        if sign in _CLOSER:
            open_.append(_CLOSER[sign])
        elif sign in ("}", "]"):
            if not open_ or open_.pop() != sign:
                break
        elif sign != ",":
            continue
        cut = token.start() if sign == "," else token.end()
        closers = "".join(reversed(open_))
    try:
        return [json.loads(text[:cut] + closers)]
    except (ValueError, RecursionError):
        return []


def _list(rows: list[object]) -> Look:
    if not rows:
        return Look(Role.EXPORT, "label-studio", "an empty list, Label Studio's export of no task")
    first = rows[0]
    if not isinstance(first, dict):
        return Look(Role.UNKNOWN, "JSON list", f"of {type(first).__name__}")
    found = _match(first, _ELEMENTS)
    answers = first.get("annotations") or first.get("completions")
    if found is None and isinstance(answers, list) and _has(answers, "result"):
        return _TASKS
    if found is None and all(not isinstance(value, (dict, list)) for value in first.values()):
        told = f"a JSON list of rows with the keys {_keys(first)}"
        return (
            Look(Role.EXPORT, "table", told)
            if first
            else Look(Role.UNKNOWN, "JSON list", "of nothing")
        )
    return found or Look(Role.UNKNOWN, "JSON list", f"of objects with the keys {_keys(first)}")


def _lines(documents: list[object]) -> Look:
    first = documents[0]
    if not isinstance(first, dict):
        return Look(Role.UNKNOWN, "JSON values", "that are no objects")
    found = _match(first, _OBJECTS) or _match(first, _ELEMENTS)
    if found is not None and (found.what == "labelbox" or found.role == Role.FOREIGN):
        return found
    return Look(Role.EXPORT, "table", f"NDJSON: one object a line, with the keys {_keys(first)}")


def _object(document: Mapping[str, object], *, is_whole: bool) -> Look:
    annotations = document.get("annotations")
    if isinstance(document.get("images"), list) or _has(annotations, "image_id"):
        if _has(annotations, "segments_info"):
            return Look(Role.FOREIGN, "COCO panoptic segmentation", hint="export instances")
        if _has(annotations, "caption"):
            return Look(Role.FOREIGN, "COCO captions", hint="export instances")
        return _COCO
    found = _match(document, _OBJECTS)
    if found is not None:
        return found
    if is_whole and document and document.keys() <= _OF_CLASS_LISTS:
        return Look(Role.BESIDE, "class list")
    values = list(document.values())
    if values and all(isinstance(v, dict) and {"type", "inputs"} <= v.keys() for v in values):
        return Look(Role.BESIDE, "label configuration")
    inner = values[0] if values else None
    pages = list(inner.values()) if isinstance(inner, dict) else []
    if document.keys() <= {"job", "task"} and _has(pages, "shapes"):
        return _CVAT_REST
    return Look(Role.UNKNOWN, "JSON object", f"with the keys {_keys(document)}")


def _match(document: Mapping[str, object], signs: _Signs) -> Look | None:
    return next((found for keys, found in signs if all(key in document for key in keys)), None)


def _has(rows: object, key: str) -> bool:
    return isinstance(rows, list) and bool(rows) and isinstance(rows[0], dict) and key in rows[0]


def _keys(document: Mapping[str, object]) -> str:
    more = ", ..." if len(document) > 6 else ""
    return ", ".join(repr(str(key)[:40]) for key in list(document)[:6]) + more
