"""What an annotation says besides its shape: who, when, how, and the exporter's own keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

import pyarrow as pa

from lineage.formats.coco.elements import Annotation, Plain
from lineage.formats.names import moment
from lineage.formats.texts import canonical
from lineage.terms import Origin

_ORIGINS = frozenset(origin.value for origin in Origin)
_TIMES = ("labelled_at", "annotated_at", "updated_at", "created_at")
_IN_COLUMNS = ("annotation", "annotator", "labelled_at", "origin")
_MOST_ANNOTATIONS = 1 << 63
_NAMING = ("annotator", "attributions", "created_by", "attributes", "others")


def told(
    rows: Sequence[Plain], shapes: Mapping[int, dict[str, object]], fallback: str | None
) -> tuple[dict[str, object], int]:
    """Return the columns that are not geometry, and how many labels tell only naive times.

    Parameters
    ----------
    rows
        Annotations of one group; see `elements.decoded`.
    shapes
        What their geometry leaves over, by position.
    fallback
        The handle for those that name nobody.
    """
    rich = [row for row in rows if isinstance(row, Annotation)]
    if not rich:
        origin, extra = Origin.HUMAN.value, extras(rows, shapes, ())
        return {"annotator": fallback, "attributes": "{}", "origin": origin, "extra": extra}, 0
    people = annotators(rich, fallback)
    when = times(rich)
    values: dict[str, object] = {
        "annotator": people,
        "attributes": attributes(rich),
        "origin": origins(rich, people),
        "labelled_at": when.at,
        "created_by": _handles(rich, "created_by"),
        "updated_by": _handles(rich, "updated_by"),
        "score": pa.array([a.score for a in rich], pa.float64()),
        "annotation": numbers(rich),
        "extra": extras(rich, shapes, when.left_over),
    }
    return values, when.n_naive


def numbers(rows: Sequence[Annotation]) -> list[int | None] | None:
    """Return the ledger's own number of each label that it wrote; None if the chunk has none."""
    if not _is_used(rows, "attributions"):
        return None
    return [_number((a.attributions or {}).get("annotation")) for a in rows]


def annotators(rows: Sequence[Annotation], fallback: str | None) -> list[str | None] | str | None:
    """Return the handle of each annotation's author; one answer if the chunk names nobody."""
    if all(list(map(attrgetter(name), rows)).count(None) == len(rows) for name in _NAMING):
        return fallback
    return [_annotator(a) or fallback for a in rows]


def origins(
    rows: Sequence[Annotation], people: Sequence[str | None] | str | None
) -> list[str] | str:
    """Return how each label came to be; one answer if all came the same way.

    The format knows scores only on detections, so a label with a score and nobody's name is a
    model's; a named person's score is their confidence.
    """
    scores = list(map(attrgetter("score"), rows))
    is_told = _is_used(rows, "attributions")
    if not is_told and scores.count(None) == len(scores):
        return Origin.HUMAN.value
    names = [people] * len(rows) if people is None or isinstance(people, str) else people
    found = [
        Origin.MODEL.value if score is not None and person is None else Origin.HUMAN.value
        for score, person in zip(scores, names, strict=True)
    ]
    for at, annotation in enumerate(rows if is_told else ()):
        told = (annotation.attributions or {}).get("origin")
        if isinstance(told, str) and told in _ORIGINS:
            found[at] = told
    return found


@dataclass(frozen=True, slots=True)
class Times:
    """When labels were made.

    Parameters
    ----------
    at
        Times, None if no annotation of the chunk tells one.
    left_over
        Positions of annotations that tell more times than the one, or none with a zone.
    n_naive
        How many tell only times without a zone, which are no times.
    """

    at: pa.Array | None
    left_over: Sequence[int] = ()
    n_naive: int = 0


def times(rows: Sequence[Annotation]) -> Times:
    """Return when each label was made: of what it tells, the first that names its zone."""
    told = [list(map(attrgetter(name), rows)) for name in _TIMES]
    if _is_used(rows, "attributions"):
        told.insert(0, [_text((a.attributions or {}).get("labelled_at")) for a in rows])
    told = [texts for texts in told if texts.count(None) < len(rows)]
    if not told:
        return Times(None)
    distinct = sorted({text for texts in told for text in texts if text is not None})
    moments = [moment(text) for text in distinct]
    code = {text: at for at, text in enumerate(distinct) if moments[at] is not None}
    found = [code.get(text) for text in told[0]]
    for texts in told[1:]:
        found = [
            old if old is not None else code.get(t) for old, t in zip(found, texts, strict=True)
        ]
    n_told = [sum(text is not None for text in row) for row in zip(*told, strict=True)]
    left_over = [at for at, n in enumerate(n_told) if n > 1 or (n and found[at] is None)]
    n_naive = sum(found[at] is None for at in left_over)
    values = pa.array(moments, pa.timestamp("us", tz="UTC"))
    return Times(values.take(pa.array(found, pa.int64())), left_over, n_naive)


def attributes(rows: Sequence[Annotation]) -> list[str] | str:
    """Return each annotation's attributes as a canonical JSON object; one if there are none."""
    if not _is_used(rows, "attributes"):
        return "{}"
    return [canonical(_without_annotator(a)) if a.attributes else "{}" for a in rows]


def extras(
    rows: Sequence[Plain],
    shapes: Mapping[int, dict[str, object]],
    left_over: Sequence[int],
) -> list[str | None] | None:
    """Return what else each annotation says, as canonical JSON; None if the chunk says no more.

    Parameters
    ----------
    rows
        Annotations.
    shapes
        What their geometry leaves over, by position.
    left_over
        Positions of those whose times are to be kept as told.
    """
    touched = {*shapes, *left_over}
    names = ("iscrowd", "ignore", "attributions", "others")
    for name in names if rows and isinstance(rows[0], Annotation) else names[:2]:
        if _is_used(rows, name):
            touched.update(at for at, value in enumerate(map(attrgetter(name), rows)) if value)
    if not touched:
        return None
    found: list[str | None] = [None] * len(rows)
    dated = set(left_over)
    for at in touched:
        extra = _extra(rows[at], shapes.get(at), keeps_times=at in dated)
        found[at] = canonical(extra) if extra else None
    return found


def _handle(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value) or None


def _number(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value < _MOST_ANNOTATIONS else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _handles(rows: Sequence[Annotation], name: str) -> list[str | None] | None:
    return list(map(_handle, map(attrgetter(name), rows))) if _is_used(rows, name) else None


def _is_used(rows: Sequence[Plain], name: str) -> bool:
    """Tell whether any annotation has a value other than null, zero, or empty in a field."""
    return any(map(attrgetter(name), rows))


def _annotator(annotation: Annotation) -> str | None:
    a = annotation
    return (
        _handle(a.annotator)
        or _nested(a.attributions)
        or _handle(a.created_by)
        or _nested(a.attributes)
        or (_nested(a.others.get("extra")) if a.others else None)
    )


def _nested(values: object) -> str | None:
    return _handle(values.get("annotator")) if isinstance(values, dict) else None


def _without_annotator(annotation: Annotation) -> dict[str, object]:
    """Return the attributes without the name of the author, where they are what names it."""
    a, values = annotation, annotation.attributes or {}
    if "annotator" not in values or _annotator(a) != _nested(values):
        return values
    return {name: value for name, value in values.items() if name != "annotator"}


def _extra(
    annotation: Plain, shape: dict[str, object] | None, *, keeps_times: bool
) -> dict[str, object]:
    a = annotation
    extra = dict(shape or {})
    if a.iscrowd:
        extra["iscrowd"] = int(a.iscrowd)
    if a.ignore:
        extra["ignore"] = int(a.ignore)
    if not isinstance(a, Annotation):
        return extra
    if a.attributions:
        rest = {name: value for name, value in a.attributions.items() if name not in _IN_COLUMNS}
        extra |= {"attributions": rest} if rest else {}
    if keeps_times:
        extra |= {name: text for name in _TIMES if (text := getattr(a, name)) is not None}
    return extra | (a.others or {})
