"""A data set as one COCO file, streamed; the provenance of each label beside it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.formats import WriteOptions, WriteReport, by_image
from lineage.formats.by_image import Row
from lineage.formats.coco import outlines
from lineage.terms import Kind

_SLICE_ROWS = 16_384
_WITHOUT_FORM = (Kind.CLASS, Kind.POLYLINE)
_OF_IMAGE = ("asset_digest", "width", "height", "split")
_OF_STATE = ("class", "state", "reason", "batch")
_ATTRIBUTIONS = (
    "annotation", "revision", "annotator", "batch", "schema", "stage", "labelled_at", "origin",
)  # fmt: skip


class _Attributions(msgspec.Struct, gc=False):
    annotation: int
    revision: int
    annotator: str
    batch: str
    schema: str
    stage: str
    labelled_at: str | None
    origin: str


class _Written(msgspec.Struct, gc=False, omit_defaults=True):
    id: int
    image_id: int
    category_id: int
    bbox: list[float]
    area: float
    segmentation: list[list[float]] | dict[str, object]
    iscrowd: int
    attributes: msgspec.Raw
    attributions: _Attributions
    keypoints: list[float] | None = None
    num_keypoints: int | None = None


def write(
    path: Path, labels: pa.Table, assets: pa.Table, options: WriteOptions | None = None
) -> WriteReport:
    """Write a data set as COCO; see `lineage.formats`.

    Parameters
    ----------
    path
        The file.
    labels, assets
        `columns.DATASET`, `columns.DATASET_ASSETS`, in any order.
    options
        How far images are goes into each image's ``completeness``.

    Returns
    -------
    WriteReport
        Its losses: ``class``, ``polyline`` (labels left out: the format has no such kind);
        ``rotated-box-as-polygon`` (written as four points, the angle in the attributes).

    Notes
    -----
    The same rows give the same bytes. Annotation ids are the ledger's; images are numbered by
    name and categories by name, both from 1. Numbers are the shortest decimals that read back as
    the same. ``iscrowd`` is 0 throughout, for masks too: crowds are no kind of the ledger.
    """
    kinds = labels["kind"].cast(pa.string())
    has_form = pc.invert(pc.is_in(kinds, pa.array([kind.value for kind in _WITHOUT_FORM])))
    counted = Counter(kinds.to_pylist())
    losses = {kind.value: counted[kind] for kind in _WITHOUT_FORM if counted[kind]}
    if counted[Kind.ROTATED_BOX]:
        losses["rotated-box-as-polygon"] = counted[Kind.ROTATED_BOX]
    said = (options or WriteOptions()).completeness
    images = by_image.images(labels, assets, _OF_IMAGE)
    number_of = {name: at for at, name in enumerate(images["asset"].to_pylist(), start=1)}
    classes = sorted(set(labels["class"].cast(pa.string()).to_pylist()))
    category_of = {name: at for at, name in enumerate(classes, start=1)}
    written = labels.filter(has_form)
    written = written.sort_by([("asset", "ascending"), ("annotation", "ascending")])
    with path.open("wb") as file:
        file.write(
            b'{"info":{"description":"labels from the lineage ledger"},\n"licenses":[],\n"images":['
        )
        _write_array(file, _image_entries(images, said))
        file.write(b'],\n"categories":[')
        _write_array(file, [_categories(category_of, written)])
        file.write(b'],\n"annotations":[')
        slices = range(0, written.num_rows, _SLICE_ROWS)
        _write_array(
            file,
            (_entries(written.slice(at, _SLICE_ROWS), number_of, category_of) for at in slices),
        )
        file.write(b"]}\n")
    return WriteReport(written.num_rows, images.num_rows, losses)


def _write_array(file: BinaryIO, groups: Iterable[Sequence[object]]) -> None:
    opening = b"\n"
    for group in groups:
        if group:
            file.write(opening + b",\n".join(map(msgspec.json.encode, group)))
            opening = b",\n"


def _image_entries(images: pa.Table, said: pa.Table) -> Iterable[list[dict[str, object]]]:
    states = by_image.of_completeness(said)
    for start in range(0, images.num_rows, _SLICE_ROWS):
        rows = images.slice(start, _SLICE_ROWS).to_pylist()
        yield [
            _image(row, number, states.take(row["asset"]))
            for number, row in enumerate(rows, start + 1)
        ]


def _image(row: Row, number: int, states: Sequence[Row]) -> dict[str, object]:
    known = {
        "width": row["width"],
        "height": row["height"],
        "digest": row["asset_digest"],
        "split": row["split"] or None,
        "completeness": [_told(state, _OF_STATE) for state in states] or None,
    }
    return {"id": number, "file_name": row["asset"], **_told(known, known)}


def _told(values: Row, names: Iterable[str]) -> dict[str, object]:
    return {name: values[name] for name in names if values[name] is not None}


def _categories(category_of: Mapping[str, int], written: pa.Table) -> list[dict[str, object]]:
    """Return the classes; those with key points say how many points at most, unnamed."""
    n_points: Counter[str] = Counter()
    posed = written.filter(pc.equal(written["kind"].cast(pa.string()), Kind.KEYPOINTS.value))
    classes, lists = posed["class"].to_pylist(), posed["geometry"].to_pylist()
    for class_, geometry in zip(classes, lists, strict=True):
        n_points[class_] = max(n_points[class_], len(geometry[0]) // 3)
    found: list[dict[str, object]] = []
    for name, number in category_of.items():
        entry: dict[str, object] = {"id": number, "name": name, "supercategory": ""}
        if n_points[name]:
            entry |= {"keypoints": [str(i) for i in range(1, n_points[name] + 1)], "skeleton": []}
        found.append(entry)
    return found


def _entries(
    rows: pa.Table, number_of: Mapping[str, int], category_of: Mapping[str, int]
) -> list[_Written]:
    box = np.stack([rows[name].to_numpy() for name in columns.BOX], axis=1)
    extents = outlines.extents(box)
    kinds = _words(rows["kind"])
    geometry = rows["geometry"].to_pylist()
    attributes = _words(rows["attributes"])
    by_kind = {kind: [at for at, name in enumerate(kinds) if name == kind] for kind in Kind}
    for at, ring, rotation in _turned(by_kind[Kind.ROTATED_BOX], geometry):
        geometry[at] = ring
        attributes[at] = _with_rotation(attributes[at], rotation)
    outlined = sorted(by_kind[Kind.POLYGON] + by_kind[Kind.ROTATED_BOX])
    area = extents[:, 2] * extents[:, 3]
    area[outlined] = outlines.polygon_areas([geometry[at] for at in outlined])
    segmentation: list[list[list[float]] | dict[str, object]] = [[] for _ in kinds]
    for at in outlined:
        segmentation[at] = geometry[at]
    for at in by_kind[Kind.MASK]:
        segmentation[at], area[at] = outlines.mask(geometry[at])
    found = [
        _Written(
            told.annotation, image, category, bbox, px, outline, 0, msgspec.Raw(text.encode()), told
        )
        for told, image, category, bbox, px, outline, text in zip(
            _attributions(rows),
            [number_of[name] for name in rows["asset"].to_pylist()],
            [category_of[name] for name in _words(rows["class"])],
            extents.tolist(),
            area.tolist(),
            segmentation,
            attributes,
            strict=True,
        )
    ]
    for at in by_kind[Kind.KEYPOINTS]:
        found[at].keypoints = geometry[at][0]
        found[at].num_keypoints = sum(v > 0 for v in geometry[at][0][2::3])
    return found


def _attributions(rows: pa.Table) -> list[_Attributions]:
    told = {name: _words(rows[name]) for name in _ATTRIBUTIONS if name != "labelled_at"}
    told["labelled_at"] = _moments(rows["labelled_at"])
    return [
        _Attributions(*values)
        for values in zip(*(told[name] for name in _ATTRIBUTIONS), strict=True)
    ]


def _words(column: pa.ChunkedArray) -> list[Any]:
    values = column.combine_chunks()
    if not pa.types.is_dictionary(values.type):
        return list(values.to_pylist())
    # one string for each distinct value, not for each row
    words = values.dictionary.to_pylist()
    return [words[code] for code in values.indices.to_pylist()]


def _moments(column: pa.ChunkedArray) -> list[str | None]:
    values = column.combine_chunks()
    texts = np.datetime_as_string(values.cast(pa.int64()).fill_null(0).to_numpy().view("M8[us]"))
    return [
        None if lacks else f"{text}Z"
        for text, lacks in zip(texts.tolist(), values.is_null().to_pylist(), strict=True)
    ]


def _turned(
    chosen: list[int], geometry: Sequence[outlines.Rings]
) -> Iterable[tuple[int, outlines.Rings, float]]:
    rings, rotations = outlines.turned([geometry[at] for at in chosen])
    return zip(chosen, rings, rotations, strict=True)


def _with_rotation(attributes: str, rotation: float) -> str:
    values = {"rotation": rotation} | json.loads(attributes)
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
