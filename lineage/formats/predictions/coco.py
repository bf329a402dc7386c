"""COCO results, ``[{image_id, category_id, bbox, score}]``, and what Ultralytics writes in their form.

Ids mean what the ground truth's file says. Where there is none, an image id is a name, a stem or the number
that a stem is, and a category id the number of a class in the model's order: so Ultralytics' ``save_json``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from lineage.errors import BadInput
from lineage.formats.coco.elements import Annotation, Plain, decoded, text_of
from lineage.formats.coco.shapes import shapes
from lineage.formats.json_stream import Odd, iter_groups, top_level
from lineage.formats.predictions.draft import CHUNK_ROWS, Draft, Found, Rows
from lineage.formats.predictions.known import Key, Known

_PATH = {"image": "/image_id", "class": "/category_id", "box": "/bbox", "score": "/score"}


class _Category(msgspec.Struct, gc=False):
    category_id: Key = None


_CATEGORIES = msgspec.json.Decoder(list[_Category])


def read(path: Path, known: Known) -> Iterator[Found]:
    """Read COCO results; see `lineage.formats.predictions`.

    Raises
    ------
    BadInput
        ``predictions-format``, ``class-numbers``, ``unreadable-json``, ``not-utf8``.
    """
    span = top_level(path).get("")
    if span is None:
        raise BadInput(
            "predictions-format",
            "found an object, expected a list of predictions",
            hint="docs/predictions.md shows the forms that are read",
            where=str(path),
        )
    first = None if known.class_ids else known.first_number(*_numbers(path), str(path))
    draft = Draft(str(path), known, first)
    for index, group in iter_groups(path, span):
        elements = decoded(group, path, index)
        for start in range(0, len(elements), CHUNK_ROWS):
            yield _found(draft, elements[start : start + CHUNK_ROWS], index + start)


def _numbers(path: Path) -> tuple[int | None, int | None]:
    """Return the lowest and the highest category id that is a number."""
    found: set[int] = set()
    for _, group in iter_groups(path, top_level(path)[""]):
        try:
            ids = {one.category_id for one in _CATEGORIES.decode(group)}
        except (msgspec.DecodeError, UnicodeDecodeError):
            ids = {one.category_id for one in decoded(group, path, 0) if isinstance(one, Plain)}
        found |= {key for key in ids if isinstance(key, int)}
    return min(found, default=None), max(found, default=None)


def _found(draft: Draft, elements: Sequence[Plain | Odd], index: int) -> Found:
    """Turn results, the first of which stands at ``index``, into a piece."""
    rows: list[Plain] = []
    place: list[int] = []
    for at, one in enumerate(elements, index):
        if isinstance(one, Odd):
            expected = "image_id, category_id, bbox or segmentation, and score"
            draft.refuse("element", at, f"/{at}", one.problem, expected, one.text)
        else:
            rows.append(one)
            place.append(at)
    told = shapes(rows, np.full((len(rows), 2), np.nan))
    for wrong in told.refused:
        row = rows[wrong.row]
        position, path = place[wrong.row], f"/{place[wrong.row]}{wrong.path}"
        draft.refuse(wrong.rule, position, path, wrong.value, wrong.expected, text_of(row))
    kept = [rows[at] for at in told.rows.tolist()]
    score = [one.score if isinstance(one, Annotation) else None for one in kept]
    return draft.found(
        Rows(
            [_image(one) for one in kept],
            [one.category_id for one in kept],
            told.box,
            np.array(score, np.float64),
            np.array(place, np.int64)[told.rows],
            _PATH,
            kind=told.kind,
            geometry=told.geometry,
        )
    )


def _image(one: Plain) -> Key:
    """Return what names an image: a file's name beside the id says more than a number."""
    others = one.others if isinstance(one, Annotation) else None
    name = (others or {}).get("file_name")
    return name if isinstance(name, str) else one.image_id
