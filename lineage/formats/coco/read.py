"""COCO into Arrow, streamed: images and categories first, wherever they stand, then annotations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.errors import BadInput
from lineage.formats import Chunk, ReadOptions
from lineage.formats.coco import facts, states
from lineage.formats.coco.elements import (
    Annotation,
    Category,
    Id,
    Image,
    Plain,
    decoded,
    text_of,
    whole,
)
from lineage.formats.coco.images import Images
from lineage.formats.coco.shapes import shapes
from lineage.formats.completeness import States
from lineage.formats.json_stream import Odd, Span, iter_groups, top_level
from lineage.formats.refusals import Refusals
from lineage.terms import Origin, Presence

_ARRAYS = ("images", "categories", "annotations")
_OTHER_TASKS = {"segments_info": "panoptic segmentation", "caption": "captions"}
_BITMAP_IDS = 1 << 27
_NONE = -1


def read(path: Path, options: ReadOptions) -> Iterator[Chunk]:
    """Read a COCO file; see `lineage.formats`.

    Raises
    ------
    BadInput
        ``wrong-shape``: detection results, panoptic segments, captions, or no COCO at all;
        ``unreadable-json``, ``not-utf8``, ``too-deep``, ``element-too-large``.
    """
    spans = _spans(path)
    file = _File(path, options)
    # what images say of classes needs their names
    file.read_categories(spans.get("categories"))
    yield from file.read_images(spans.get("images"))
    if "annotations" in spans:
        for index, group in iter_groups(path, spans["annotations"]):
            elements = decoded(group, path, index)
            for start in range(0, len(elements), options.chunk_rows):
                yield file.chunk(elements[start : start + options.chunk_rows], index + start)
    yield file.farewell()


def _spans(path: Path) -> dict[str, Span]:
    spans = top_level(path)
    told = "an array" if "" in spans else f"an object with the keys {sorted(spans)[:8]}"
    if not {"images", "annotations"} & set(spans):
        raise BadInput(
            "wrong-shape",
            f"found {told}, expected an object with images, categories and annotations",
            hint="detection results alone are no dataset; check --format",
            where=str(path),
        )
    for name in _ARRAYS:
        if name in spans and spans[name].opens_with != "[":
            raise BadInput(
                "wrong-shape",
                f"found {spans[name].opens_with!r} where {name!r} begins, expected an array",
                hint="check --format",
                where=f"{path}: byte {spans[name].start:,}",
            )
    return spans


@dataclass(slots=True)
class _Seen:
    """Which ids came already: a bitmap for small numbers, a set for the rest."""

    bitmap: np.ndarray = field(default_factory=lambda: np.zeros(1 << 16, bool))
    others: set[Id] = field(default_factory=set)

    def repeats(self, ids: Sequence[Id]) -> np.ndarray:
        """Return which ids came before, here or earlier, and remember all; null ids never do."""
        try:
            values = np.asarray(pa.array(ids, pa.int64()).to_numpy(zero_copy_only=True))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            values = np.array([_NONE])
        if len(values) == 0:
            return np.zeros(0, bool)
        if values.min() < 0 or values.max() >= _BITMAP_IDS:
            return np.array([self._is_repeat(key) for key in ids], bool)
        self._grow(int(values.max()))
        found: np.ndarray = self.bitmap[values]
        if (np.diff(values) <= 0).any():
            is_first = np.zeros(len(values), bool)
            is_first[np.unique(values, return_index=True)[1]] = True
            found |= ~is_first
        self.bitmap[values] = True
        return found

    def _is_repeat(self, key: Id) -> bool:
        if key is None:
            return False
        if isinstance(key, int) and 0 <= key < _BITMAP_IDS:
            self._grow(key)
            found, self.bitmap[key] = bool(self.bitmap[key]), True
            return found
        found = key in self.others
        self.others.add(key)
        return found

    def _grow(self, key: int) -> None:
        if key >= len(self.bitmap):
            grown = np.zeros(max(key + 1, 2 * len(self.bitmap)), bool)
            grown[: len(self.bitmap)] = self.bitmap
            self.bitmap = grown


class _File:
    """What holds for a whole file while its annotations stream by."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._path = path
        self._fallback = options.fallback_annotator(path)
        self._refusals = Refusals(str(path))
        self._losses: Counter[str] = Counter()
        self._images = Images()
        self._sizes = np.zeros((0, 2))
        self._classes: list[str] = []
        self._class_of: dict[Id, int] = {}
        self._seen = _Seen()
        self._is_labelled = np.zeros(0, bool)
        self._states = States()
        self._said_of: list[int] = []
        self._rostered: dict[str | None, set[int]] = {}

    def read_images(self, span: Span | None) -> Iterator[Chunk]:
        """Take in the images, handing their facts on as chunks without labels."""
        if span is not None:
            for index, group in iter_groups(self._path, span):
                found = whole(group, Image, self._path, index)
                assets = self._images.learn(found, index, self._refusals)
                if any(key in group for key in states.KEYS):
                    self._learn_states(found)
                yield self._bare(assets)
        self._sizes = self._images.sizes()
        self._is_labelled = np.zeros(len(self._images), bool)

    def _learn_states(self, found: Sequence[Image | Odd]) -> None:
        for image in found:
            number = None if isinstance(image, Odd) else self._images.number_of.get(image.id)
            if number is None or isinstance(image, Odd):
                continue
            said, n_unknown = states.said_of(image, self._class_of, self._classes)
            self._losses["completeness-unread"] += n_unknown
            for class_, state, reason in said:
                self._states.add(self._images.names[number], state, class_=class_, reason=reason)
                self._said_of.append(number)

    def read_categories(self, span: Span | None) -> None:
        """Take in the classes; names may repeat, and then two ids are one class."""
        if span is None:
            return
        number_of: dict[str, int] = {}
        for index, group in iter_groups(self._path, span):
            for at, category in enumerate(whole(group, Category, self._path, index), index):
                if isinstance(category, Odd) or category.name is None:
                    told = category.problem if isinstance(category, Odd) else "no name"
                    where = f"{self._path}: /categories/{at}"
                    raise BadInput(
                        "wrong-shape", f"a category that cannot be read: {told}", where=where
                    )
                number = number_of.setdefault(category.name, len(number_of))
                if self._class_of.setdefault(category.id, number) != number:
                    told = f"category id {category.id!r} stands for two names, {category.name!r} is one"
                    where = f"{self._path}: /categories/{at}"
                    raise BadInput("wrong-shape", f"{told}; expected one", where=where)
        self._classes = list(number_of)

    def chunk(self, elements: Sequence[Plain | Odd], position: int) -> Chunk:
        """Turn annotations, the first of which stands at ``position``, into a chunk."""
        rows, place = self._told(elements, position)
        self._refuse_other_tasks(rows, place)
        image = np.array([self._images.number_of.get(a.image_id, _NONE) for a in rows], np.int64)
        class_ = np.array([self._class_of.get(a.category_id, _NONE) for a in rows], np.int64)
        is_repeat = self._seen.repeats([a.id for a in rows])
        is_bad = is_repeat | (image == _NONE) | (class_ == _NONE)
        if is_bad.any():
            for at in np.flatnonzero(is_bad).tolist():
                self._refuse_reference(rows[at], int(place[at]), is_repeat=bool(is_repeat[at]))
            rows = [rows[at] for at in np.flatnonzero(~is_bad).tolist()]
            place, image, class_ = place[~is_bad], image[~is_bad], class_[~is_bad]
        found = shapes(rows, self._sizes[image])
        for one in found.refused:
            index, row = int(place[one.row]), rows[one.row]
            self._refuse(
                one.rule, row, index, path=one.path, value=one.value, expected=one.expected
            )
        extra = found.extra
        if len(found.rows) < len(rows):
            rows = [rows[at] for at in found.rows.tolist()]
            place, image, class_ = place[found.rows], image[found.rows], class_[found.rows]
            new = {row: at for at, row in enumerate(found.rows.tolist())}
            extra = {new[row]: values for row, values in extra.items()}
        geometry: dict[str, object] = {"kind": found.kind, "geometry": found.geometry}
        geometry |= {name: found.box[:, i] for i, name in enumerate(columns.BOX)}
        labels = self._labels(rows, geometry, image=image, class_=class_, place=place, extra=extra)
        roster = self._roster(image, labels)
        no_assets = columns.empty(columns.ASSETS)
        return Chunk(labels, no_assets, roster, self._refusals.take(), self._take_losses())

    def farewell(self) -> Chunk:
        """Return the last chunk: what the whole file adds up to."""
        is_told = self._is_labelled.copy()
        is_told[self._said_of] = True
        n_bare = int((~is_told).sum())
        if n_bare:
            self._losses["image-without-labels"] += n_bare
        return self._bare(columns.empty(columns.ASSETS))

    def _told(
        self, elements: Sequence[Plain | Odd], position: int
    ) -> tuple[list[Plain], np.ndarray]:
        rows = [element for element in elements if not isinstance(element, Odd)]
        place = np.arange(position, position + len(elements))
        if len(rows) < len(elements):
            is_odd = np.array([isinstance(element, Odd) for element in elements], bool)
            for index, element in zip(place.tolist(), elements, strict=True):
                if isinstance(element, Odd):
                    self._refusals.add(
                        "element",
                        position=index,
                        path=f"/annotations/{index}",
                        value=element.problem,
                        expected="an annotation as COCO has them",
                        label=element.text,
                    )
            place = place[~is_odd]
        return rows, place

    def _refuse_other_tasks(self, rows: Sequence[Plain], place: np.ndarray) -> None:
        for at, annotation in enumerate(rows):
            if not isinstance(annotation, Annotation) or annotation.others is None:
                continue
            if annotation.bbox is not None:
                continue
            for key, task in _OTHER_TASKS.items():
                if key in annotation.others:
                    raise BadInput(
                        "wrong-shape",
                        f"the file is COCO {task}, expected object instances or key points",
                        hint="export instances",
                        where=f"{self._path}: /annotations/{place[at]}",
                    )

    def _refuse_reference(self, row: Plain, index: int, *, is_repeat: bool) -> None:
        if is_repeat:
            rule, path, value, expected = "duplicate-id", "/id", row.id, "an id of its own"
        elif row.image_id not in self._images.number_of:
            rule, path, value, expected = (
                "unknown-image",
                "/image_id",
                row.image_id,
                "one image's id",
            )
        else:
            rule, path, value = "unknown-category", "/category_id", row.category_id
            expected = "the id of a category"
        self._refuse(rule, row, index, path=path, value=value, expected=expected)

    def _refuse(
        self, rule: str, row: Plain, index: int, *, path: str, value: object, expected: str
    ) -> None:
        number = self._images.number_of.get(row.image_id)
        self._refusals.add(
            rule,
            position=index,
            path=path,
            value=value,
            expected=expected,
            label=text_of(row),
            asset=None if number is None else self._images.names[number],
            annotation=None if row.id is None else str(row.id),
        )

    def _labels(
        self,
        rows: Sequence[Plain],
        geometry: Mapping[str, object],
        *,
        image: np.ndarray,
        class_: np.ndarray,
        place: np.ndarray,
        extra: Mapping[int, dict[str, object]],
    ) -> pa.RecordBatch:
        self._is_labelled[image] = True
        told, n_naive = facts.told(rows, extra, self._fallback)
        self._losses["naive-time"] += n_naive
        values: dict[str, object] = {
            **geometry,
            **told,
            "asset": _words(image, self._images.names),
            "class": _words(class_, self._classes),
            "source_id": _texts([a.id for a in rows]),
            "position": place,
        }
        return columns.batch_of(columns.LABELS, values, len(rows))

    def _roster(self, image: np.ndarray, labels: pa.RecordBatch) -> pa.RecordBatch:
        """Return who answered for which image, each pair once in a file; a model is not asked."""
        is_asked = ~np.asarray(
            [how == Origin.MODEL for how in labels["origin"].dictionary.to_pylist()], bool
        )
        is_asked = (
            is_asked[np.asarray(labels["origin"].indices)] if len(image) else np.zeros(0, bool)
        )
        people = [*labels["annotator"].dictionary.to_pylist(), None]
        code = np.asarray(labels["annotator"].indices.fill_null(len(people) - 1))
        fresh: list[tuple[int, str | None]] = []
        for at in np.unique(code[is_asked]).tolist():
            known = self._rostered.setdefault(people[at], set())
            numbers = set(np.unique(image[is_asked & (code == at)]).tolist()) - known
            known |= numbers
            fresh += [(number, people[at]) for number in numbers]
        fresh.sort(key=lambda pair: (pair[0], pair[1] or ""))
        values = {
            "asset": [self._images.names[number] for number, _ in fresh],
            "annotator": [person for _, person in fresh],
            "presence": Presence.LABELLED.value,
        }
        return columns.batch_of(columns.ROSTER, values, len(fresh))

    def _bare(self, assets: pa.RecordBatch) -> Chunk:
        no_labels, no_roster = columns.empty(columns.LABELS), columns.empty(columns.ROSTER)
        losses = self._take_losses()
        return Chunk(
            no_labels, assets, no_roster, self._refusals.take(), losses, self._states.take()
        )

    def _take_losses(self) -> dict[str, int]:
        losses, self._losses = {name: n for name, n in self._losses.items() if n}, Counter()
        return losses


def _texts(ids: Sequence[Id]) -> pa.Array:
    try:
        return pa.array(ids, pa.int64()).cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if key is None else str(key) for key in ids], pa.string())


def _words(number: np.ndarray, names: Sequence[str]) -> pa.DictionaryArray:
    used, codes = np.unique(number, return_inverse=True)
    dictionary = pa.array([names[n] for n in used.tolist()], pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), dictionary)
