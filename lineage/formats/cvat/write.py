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
import pyarrow.compute as pc

from lineage.formats import WriteOptions, WriteReport
from lineage.formats.cvat import attributes, masks
from lineage.formats.cvat.declare import Label, labels_of, opening
from lineage.formats.cvat.text import escaped, fit, quoted
from lineage.terms import Kind, Origin

_SLICE_ROWS = 16_384
_SOURCES = {
    Origin.HUMAN: "manual",
    Origin.ASSISTED: "semi-auto",
    Origin.MODEL: "auto",
    Origin.INTERPOLATED: "interpolated",
    Origin.CONSENSUS: "consensus",
    Origin.GROUND_TRUTH: "Ground truth",
}
_OF_IMAGE = ("asset", "width", "height", "split")
Row = dict[str, object]


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
        Its losses: ``labelled_at``, ``asset_digest``; ``keypoint-visibility`` (labels with a point that is
        not plainly seen; absent points are left out), ``polygon-parts`` (written as polygons of
        one group), ``attribute-type`` (values written as text), ``unfit-text`` (texts with characters that
        XML cannot hold), ``reserved-attribute`` (named like one of ours), ``geometry`` (labels left out: a mask that does not fill its image, key points
        that are all absent, nothing where something has to be).

    Notes
    -----
    The same rows give the same bytes. Coordinates are the shortest decimals that read back as the
    same numbers. An image's ``subset`` is its split.
    """
    labels = labels.sort_by([("asset", "ascending"), ("annotation", "ascending")])
    images = _images(labels, assets)
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
    losses["labelled_at"] += labels.num_rows - labels["labelled_at"].null_count
    losses["asset_digest"] += assets.num_rows - assets["asset_digest"].null_count
    return WriteReport(
        shapes.n_labels, images.num_rows, {k: n for k, n in sorted(losses.items()) if n}
    )


def _images(labels: pa.Table, assets: pa.Table) -> pa.Table:
    """Images by name, those that only labels mention too."""
    known = pc.is_in(labels["asset"], value_set=pa.array(assets["asset"].to_pylist(), pa.string()))
    others = labels.filter(pc.invert(known)).select(_OF_IMAGE)
    tables = [
        pa.table(
            {
                name: table[name].cast(pa.string()) if name == "split" else table[name]
                for name in _OF_IMAGE
            }
        )
        for table in (assets, others)
    ]
    grouped = pa.concat_tables(tables).group_by("asset", use_threads=False)
    found = grouped.aggregate([(name, "first") for name in _OF_IMAGE[1:]])
    return found.rename_columns({f"{name}_first": name for name in _OF_IMAGE[1:]}).sort_by("asset")


def _distinct(labels: pa.Table, *names: str) -> list[tuple[str, str]]:
    plain = pa.table({name: labels[name].cast(pa.string()) for name in names})
    rows = plain.group_by(list(names), use_threads=False).aggregate([])
    return list(zip(*(rows[name].to_pylist() for name in names), strict=True))


def _rows(table: pa.Table) -> Iterator[Row]:
    for start in range(0, table.num_rows, _SLICE_ROWS):
        yield from table.slice(start, _SLICE_ROWS).to_pylist()


def _write_images(file: TextIO, images: pa.Table, labels: pa.Table, shapes: _Shapes) -> None:
    rows = _rows(labels)
    row = next(rows, None)
    for number, image in enumerate(_rows(images)):
        size = "".join(
            f' {side}="{image[side]}"' for side in ("width", "height") if image[side] is not None
        )
        name = shapes.fitted(str(image["asset"]))
        subset = "" if image["split"] is None else f" subset={quoted(str(image['split']))}"
        file.write(f'  <image id="{number}" name={quoted(name)}{subset}{size}>\n')
        while row is not None and row["asset"] == image["asset"]:
            file.writelines(shapes.lines(row))
            row = next(rows, None)
        file.write("  </image>\n")


class _Shapes:
    """Labels to lines of XML, and what that loses."""

    def __init__(self, declared: Mapping[str, Label]) -> None:
        self.losses: Counter[str] = Counter()
        self.n_labels = 0
        self._declared = declared
        self._documents: dict[tuple[object, object], tuple[str, bool]] = {}

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
        class_ = self.fitted(str(row["class"]))
        source = _SOURCES[Origin(str(row["origin"]))]
        head = f"label={quoted(class_)} source={quoted(source)}"
        group = f' group_id="{row["annotation"]}"' if len(places) > 1 else ""
        self.losses["polygon-parts"] += len(places) > 1
        told = self._attributes(row)
        for tag, place in places:
            rank = "" if kind is Kind.CLASS else ' occluded="0"'
            order = "" if kind is Kind.CLASS else ' z_order="0"'
            yield f"    <{tag} {head}{rank}{place}{order}{group}>\n{told}    </{tag}>\n"

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
        key = row["class"], row["attributes"]
        if key not in self._documents:
            self._documents[key] = self._document(str(row["class"]), str(row["attributes"]))
        theirs, is_lossy = self._documents[key]
        self.losses["attribute-type"] += is_lossy
        ours = (_attribute(attributes.PREFIX + word, str(row[word])) for word in attributes.LINEAGE)
        return theirs + "".join(ours)

    def _document(self, class_: str, document: str) -> tuple[str, bool]:
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


def _attribute(name: str, text: str) -> str:
    return f"      <attribute name={quoted(name)}>{escaped(text)}</attribute>\n"
