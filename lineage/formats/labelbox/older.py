"""Export v1, a row a label, put into the form of v2."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import msgspec

from lineage.formats.json_stream import Odd
from lineage.formats.labelbox.elements import (
    Annotations,
    Classification,
    DataRow,
    Details,
    Json,
    Label,
    Media,
    Object,
    Performance,
    Project,
    Row,
)

_KNOWN = frozenset({"objects", "classifications", "relationships"})
_SHAPES = {"bbox": "bounding_box", "polygon": "polygon", "line": "line", "point": "point"}
_NAMES = {
    "title": "name",
    "value": "value",
    "featureId": "feature_id",
    "schemaId": "feature_schema_id",
    "page": "page_number",
}
_REVIEW = {"createdBy": "created_by", "createdAt": "created_at", "labelId": "label_id"}


def newer(row: Row) -> tuple[Row, list[tuple[str, Odd]]]:
    """Return a row of v1 as one of v2, and its objects that cannot be.

    Notes
    -----
    ``Seconds to Label`` counts the time of review in, ``Seconds to Create`` does not and goes before. An
    agreement of -1 is none. An object without a shape is a mask, of which the export gives
    the address.
    """
    said, refused = _annotations(row.label)
    label = Label(
        id=None if row.label_id is None else str(row.label_id),
        label_details=Details(
            created_by=row.created_by,
            created_at=row.created_at,
            updated_at=row.updated_at,
            reviews=[_renamed(review, _REVIEW) for review in row.reviews],
        ),
        performance_details=Performance(
            seconds_to_create=row.seconds_to_label
            if row.seconds_to_create is None
            else row.seconds_to_create,
            seconds_to_review=row.seconds_to_review,
            skipped=row.is_skipped or row.label == "Skip",
            benchmark_reference_label=row.benchmark_id,
            benchmark_score=_share(row.benchmark_agreement),
            consensus_score=_share(row.agreement),
        ),
        annotations=said,
    )
    found = Row(
        data_row=DataRow(row.row_id, row.external_id, row.global_key, row.labeled_data),
        media_attributes=_media(row),
        projects={"": Project(name=row.project_name, labels=[label])},
    )
    return found, refused


def _annotations(label: object) -> tuple[Annotations, list[tuple[str, Odd]]]:
    if isinstance(label, list) or (isinstance(label, dict) and "frames" in label):
        return Annotations(frames=label), []
    if label in (None, "Skip") or label == {}:
        return Annotations(), []
    if not isinstance(label, dict) or not label.keys() & _KNOWN:
        text = json.dumps(label, ensure_ascii=False)
        return Annotations(), [("/Label", Odd(text, "neither objects nor classifications"))]
    objects: list[Object] = []
    refused: list[tuple[str, Odd]] = []
    for at, given in enumerate(_listed(label.get("objects"))):
        try:
            objects.append(msgspec.convert(_object(given), Object))
        except msgspec.ValidationError as exc:
            told = Odd(json.dumps(given, ensure_ascii=False), str(exc))
            refused.append((f"/Label/objects/{at}", told))
    said: list[Classification] = []
    for at, given in enumerate(_flat(label.get("classifications"))):
        try:
            said.append(msgspec.convert(_classification(given), Classification))
        except msgspec.ValidationError as exc:
            told = Odd(json.dumps(given, ensure_ascii=False), str(exc))
            refused.append((f"/Label/classifications/{at}", told))
    relations = _listed(label.get("relationships"))
    return Annotations(objects=objects, classifications=said, relationships=relations), refused


def _object(given: object) -> object:
    if not isinstance(given, dict):
        return given
    found = _renamed(given, _NAMES | _SHAPES, only=True)
    found["classifications"] = list(map(_classification, _flat(given.get("classifications"))))
    if "geometry" in given:
        found["annotation_kind"] = "GeoShape"
    elif "data" in given:
        found["annotation_kind"] = "TextEntity"
    elif not given.keys() & _SHAPES.keys() and "instanceURI" in given:
        found["mask"] = {"url": given["instanceURI"]}
    return found


def _classification(given: object) -> object:
    if not isinstance(given, dict):
        return given
    found = _renamed(given, _NAMES, only=True)
    answer = given.get("answer", given.get("answers"))
    if isinstance(answer, list):
        found["checklist_answers"] = list(map(_answer, answer))
    elif isinstance(answer, dict):
        found["radio_answer"] = _answer(answer)
    elif answer is not None:
        found["text_answer"] = {"content": answer}
    return found


def _answer(given: object) -> object:
    if not isinstance(given, dict):
        return given
    nested = list(map(_classification, _flat(given.get("classifications"))))
    return _renamed(given, _NAMES, only=True) | {"classifications": nested}


def _renamed(given: Mapping[str, object], names: Mapping[str, str], *, only: bool = False) -> Json:
    return {
        names.get(name, name): value
        for name, value in given.items()
        if not only or (name in names and value is not None)
    }


def _media(row: Row) -> Media | None:
    given: Json = {
        "width": row.media.get("width"),
        "height": row.media.get("height"),
        "mime_type": row.media.get("mimeType", row.media.get("mime_type")),
        "asset_type": row.media_type,
    }
    try:
        return msgspec.convert(given, Media)
    except msgspec.ValidationError:
        return None


def _share(value: float | None) -> float | None:
    return None if value is None or value < 0 else value


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _flat(value: object) -> Iterator[object]:
    """Yield classifications, which stand in lists within lists here and there."""
    for one in _listed(value):
        if isinstance(one, list):
            yield from _flat(one)
        else:
            yield one
