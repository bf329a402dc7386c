"""Write CVAT for images 1.1: one task, images by name, and the provenance of each shape beside it."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import TextIO

import pyarrow as pa

from lineage.formats import WriteOptions, WriteReport, by_image, side_files
from lineage.formats.by_image import Row
from lineage.formats.cvat import attributes, masks
from lineage.formats.cvat.declare import Label, labels_of, opening
from lineage.formats.cvat.text import escaped, fit, quoted
from lineage.terms import Kind, Origin

_SOURCES = {
    Origin.HUMAN: "manual",
    Origin.ASSISTED: "semi-auto",
    Origin.MODEL: "auto",
    Origin.INTERPOLATED: "interpolated",
    Origin.CONSENSUS: "consensus",
    Origin.GROUND_TRUTH: "Ground truth",
    Origin.ADJUDICATED: "file",
}
_WORDS = ("annotator", "batch", "schema", "stage", "origin")
_MAX_KEPT = 4096


def write(
    path: Path, labels: pa.Table, assets: pa.Table, options: WriteOptions | None = None
) -> WriteReport:
    """Write a data set as CVAT XML; see `lineage.formats`.

    Parameters
    ----------
    path
        The file; it appears when it is complete.
    labels, assets
        `columns.DATASET`, `columns.DATASET_ASSETS`, in any order.

    Returns
    -------
    WriteReport
        Its losses: ``asset_digest``; ``keypoint-visibility`` (labels with a point that is
        not plainly seen; absent points are left out), ``polygon-parts`` (written as polygons of
        one group), ``attribute-type`` (values written as text), ``unfit-text`` (texts with characters that
        XML cannot hold), ``reserved-attribute`` (named like one of ours), ``geometry`` (labels left out: a mask that does not fill its image, key points
        that are all absent, nothing where something has to be).

    Notes
    -----
    The same rows give the same bytes. Coordinates are the shortest decimals that read back as the
    same numbers. An image's ``subset`` is its split. How far images are stands in a file beside
    it, ``<name>.completeness.csv``.
    """
    images = by_image.images(labels, assets, ("width", "height", "split"))
    declared = labels_of(
        _distinct(labels, "class", "kind"), _distinct(labels, "class", "attributes")
    )
    shapes = _Shapes(declared)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(opening(declared, images.num_rows))
            _write_images(file, images, labels, shapes)
            file.write("</annotations>\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    losses = shapes.losses
    written: tuple[str, ...] = ()
    if options is not None and options.completeness.num_rows:
        beside = side_files.completeness_path(path)
        side_files.write_completeness(beside, options.completeness)
        written = (beside.name,)
    losses["asset_digest"] += assets.num_rows - assets["asset_digest"].null_count
    return WriteReport(
        shapes.n_labels,
        images.num_rows,
        {k: n for k, n in sorted(losses.items()) if n},
        written,
    )


def _distinct(labels: pa.Table, *names: str) -> list[tuple[str, str]]:
    plain = pa.table({name: labels[name].cast(pa.string()) for name in names})
    rows = plain.group_by(list(names), use_threads=False).aggregate([])
    return list(zip(*(rows[name].to_pylist() for name in names), strict=True))


def _write_images(file: TextIO, images: pa.Table, labels: pa.Table, shapes: _Shapes) -> None:
    labelled = by_image.of_labels(labels)
    for number, image in enumerate(by_image.rows(images)):
        size = "".join(
            f' {side}="{image[side]}"' for side in ("width", "height") if image[side] is not None
        )
        name = shapes.fitted(str(image["asset"]))
        subset = f" subset={quoted(str(image['split']))}" if image["split"] else ""
        file.write(f'  <image id="{number}" name={quoted(name)}{subset}{size}>\n')
        for row in labelled.take(str(image["asset"])):
            file.writelines(shapes.lines(row))
        file.write("  </image>\n")


class _Shapes:
    """Labels to lines of XML, and what that loses."""

    def __init__(self, declared: Mapping[str, Label]) -> None:
        self.losses: Counter[str] = Counter()
        self.n_labels = 0
        self._declared = declared
        self._documents: dict[tuple[str, str], tuple[str, bool]] = {}
        self._heads: dict[tuple[str, str], str] = {}
        self._words: dict[tuple[object, ...], str] = {}

    def fitted(self, text: str) -> str:
        """Return text that XML can hold, and count what it cannot."""
        found = fit(text)
        self.losses["unfit-text"] += found != text
        return found

    def lines(self, row: Row) -> Iterator[str]:
        """Yield a label's elements."""
        kind = Kind(str(row["kind"]))
        places = list(self._places(kind, row))
        if not places:
            self.losses["geometry"] += 1
            return
        self.n_labels += 1
        head = self._head(str(row["class"]), str(row["origin"]))
        group = f' group_id="{row["annotation"]}"' if len(places) > 1 else ""
        self.losses["polygon-parts"] += len(places) > 1
        told = self._attributes(row)
        for tag, place in places:
            rank = "" if kind is Kind.CLASS else ' occluded="0"'
            order = "" if kind is Kind.CLASS else ' z_order="0"'
            yield f"    <{tag} {head}{rank}{place}{order}{group}>\n{told}    </{tag}>\n"

    def _head(self, class_: str, origin: str) -> str:
        fitted = self.fitted(class_)
        head = self._heads.get((class_, origin))
        if head is None:
            head = f"label={quoted(fitted)} source={quoted(_SOURCES[Origin(origin)])}"
            self._heads[class_, origin] = head
        return head

    def _places(self, kind: Kind, row: Row) -> Iterator[tuple[str, str]]:
        geometry: list[list[float]] = row["geometry"] or []  # type: ignore[assignment]
        if kind is Kind.CLASS:
            yield "tag", ""
        elif kind is Kind.BOX:
            corners = [row[name] for name in ("x_min", "y_min", "x_max", "y_max")]
            if None not in corners:
                yield "box", ' xtl="{!r}" ytl="{!r}" xbr="{!r}" ybr="{!r}"'.format(*corners)
        elif kind is Kind.ROTATED_BOX:
            for cx, cy, width, height, rotation in geometry:
                corners = [cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2]
                turn = f' rotation="{rotation!r}"'
                yield "box", ' xtl="{!r}" ytl="{!r}" xbr="{!r}" ybr="{!r}"'.format(*corners) + turn
        elif kind is Kind.KEYPOINTS:
            yield from self._keypoints(geometry)
        elif kind is Kind.MASK:
            yield from _mask(geometry)
        else:
            for points in geometry:
                yield kind.value, f' points="{_pairs(points)}"'

    def _keypoints(self, geometry: list[list[float]]) -> Iterator[tuple[str, str]]:
        flat = list(chain.from_iterable(geometry))
        visible = flat[2::3]
        self.losses["keypoint-visibility"] += any(v != 2 for v in visible)
        present = [i for i, v in enumerate(visible) if v > 0]
        if present:
            points = [n for i in present for n in flat[3 * i : 3 * i + 2]]
            yield "points", f' points="{_pairs(points)}"'

    def _attributes(self, row: Row) -> str:
        theirs = ""
        if row["attributes"] != "{}":
            theirs, is_lossy = self._document(str(row["class"]), str(row["attributes"]))
            self.losses["attribute-type"] += is_lossy
        return theirs + self._ours(row)

    def _ours(self, row: Row) -> str:
        """Return what the ledger says of a label; few labels differ in more than two numbers and a time."""
        words = tuple(row[word] for word in _WORDS)
        told = self._words.get(words)
        if told is None:
            told = "".join(
                _attribute(attributes.PREFIX + word, str(value))
                for word, value in zip(_WORDS, words, strict=True)
            )
            if len(self._words) < _MAX_KEPT:
                self._words[words] = told
        at = by_image.moment_text(row["labelled_at"])
        when = "" if at is None else _ours("labelled_at", at)
        return (
            _ours("annotation", row["annotation"])
            + _ours("revision", row["revision"])
            + told
            + when
        )

    def _document(self, class_: str, document: str) -> tuple[str, bool]:
        found = self._documents.get((class_, document))
        if found is None:
            found = self._told(class_, document)
            if len(self._documents) < _MAX_KEPT:
                self._documents[class_, document] = found
        return found

    def _told(self, class_: str, document: str) -> tuple[str, bool]:
        inputs = self._declared[class_].inputs
        lines: list[str] = []
        is_lossy = False
        for name, value in json.loads(document).items():
            if name in attributes.OURS:
                # the place is taken by what the ledger says of this very label
                self.losses["reserved-attribute"] += 1
                continue
            text = self.fitted(attributes.text_from_value(value))
            lines.append(_attribute(self.fitted(name), text))
            read = attributes.value_from_text(text, inputs[name].input_type)
            is_lossy |= type(read) is not type(value)
        return "".join(lines), is_lossy


def _mask(geometry: list[list[float]]) -> Iterator[tuple[str, str]]:
    if len(geometry) != 2 or len(geometry[0]) != 2:
        return
    height, width = (int(side) for side in geometry[0])
    try:
        runs, window = masks.window_from_runs(geometry[1], height=height, width=width)
    except ValueError:
        # it does not fill its image or shows nothing: counted by the caller as left out
        return
    sides = (
        f' left="{window.left}" top="{window.top}" width="{window.width}" height="{window.height}"'
    )
    yield "mask", f' rle="{", ".join(map(str, runs))}"' + sides


def _pairs(points: list[float]) -> str:
    return ";".join(f"{x!r},{y!r}" for x, y in zip(points[0::2], points[1::2], strict=True))


def _ours(word: str, value: object) -> str:
    return f'      <attribute name="{attributes.PREFIX}{word}">{value}</attribute>\n'


def _attribute(name: str, text: str) -> str:
    return f"      <attribute name={quoted(name)}>{escaped(text)}</attribute>\n"
