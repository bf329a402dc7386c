"""Write Pascal VOC: a folder of one XML file an image, its image sets, and the provenance within."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import pyarrow as pa

from lineage.formats import WriteOptions, WriteReport, by_image
from lineage.formats.by_image import Row
from lineage.formats.cvat.text import escaped, fit, quoted
from lineage.formats.voc import ours
from lineage.formats.voc.objects import Objects, leaf
from lineage.formats.voc.paths import Paths, file_name
from lineage.formats.voc.tree import ANNOTATIONS, IMAGE_SETS
from lineage.terms import Completeness

LABEL_MAP = "labelmap.txt"
_OF_IMAGE = ("asset_digest", "width", "height", "split")
_NO_SPLIT = "default"
_COMPLETE = (Completeness.COMPLETE, Completeness.COMPLETE_EMPTY)


def write(
    path: Path, labels: pa.Table, assets: pa.Table, options: WriteOptions | None = None
) -> WriteReport:
    """Write a data set as Pascal VOC; see `lineage.formats`.

    Parameters
    ----------
    path
        The folder; it appears when it is complete.
    labels, assets
        `columns.DATASET`, `columns.DATASET_ASSETS`, in any order.
    options
        How far images are decides which images without labels have a file.

    Returns
    -------
    WriteReport
        Its losses: ``class``, ``polyline``, ``keypoints``, ``mask`` (labels left out: the format
        has no such kind); ``geometry`` (labels left out: no numbers where some have to be);
        ``image-left-out`` (images whose labels were all left out: a file without objects would
        call them empty); ``image-not-complete`` (images without labels that nobody went through: no
        file); ``unfit-text`` (texts that XML cannot hold as they are); ``label-map`` (classes that
        the list of classes cannot name).

    Notes
    -----
    The same rows give the same bytes. Coordinates are px from 0, the far corner outside the
    box, as the shortest decimals that read back as the same numbers. Polygons and turned boxes stand
    beside the box around them, which is all that most readers look at.
    """
    said = (options or WriteOptions()).completeness
    images = by_image.images(labels, assets, _OF_IMAGE)
    part = path.with_name(path.name + ".part")
    writer = _Writer(part, images)
    try:
        writer.write(images, by_image.of_labels(labels), by_image.of_completeness(said))
        part.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    losses = {name: n for name, n in sorted(writer.objects.losses.items()) if n}
    return WriteReport(writer.objects.n_labels, writer.n_files, losses)


class _Writer:
    """A folder while it is written."""

    def __init__(self, root: Path, images: pa.Table) -> None:
        self.losses: Counter[str] = Counter()
        self.objects = Objects(self.losses)
        self.n_files = 0
        self._root = root
        self._paths = Paths(images["asset"])
        self._made: set[str] = set()
        self._classes: set[str] = set()

    def write(self, images: pa.Table, labelled: by_image.ByImage, said: by_image.ByImage) -> None:
        """Write every image's file, then the lists of images and of classes."""
        sets = self._root / IMAGE_SETS
        sets.mkdir(parents=True)
        (self._root / ANNOTATIONS).mkdir()
        with ExitStack() as stack:
            lists: dict[str, TextIO] = {}
            for image in by_image.rows(images):
                name = str(image["asset"])
                text = self._text(image, labelled.take(name), said.take(name))
                if text is None:
                    continue
                place = self._paths.of(name)
                self._put(place, text)
                split = file_name(str(image["split"] or _NO_SPLIT))
                if split not in lists:
                    file = (sets / f"{split}.txt").open("x", encoding="utf-8", newline="\n")
                    lists[split] = stack.enter_context(file)
                lists[split].write(f"{place}\n")
        with (self._root / LABEL_MAP).open("x", encoding="utf-8", newline="\n") as file:
            file.writelines(self._label_map())

    def _text(self, image: Row, labels: Sequence[Row], states: Sequence[Row]) -> str | None:
        """Return an image's file, None where there must not be one."""
        found = [text for row in labels if (text := self.objects.text(row))]
        if labels and not found:
            self.losses["image-left-out"] += 1
            return None
        if not labels and any(row["state"] not in _COMPLETE for row in states):
            self.losses["image-not-complete"] += 1
            return None
        self._classes.update(str(row["class"]) for row in labels)
        return "".join([*self._head(image, states), *found, "</annotation>\n"])

    def _head(self, image: Row, states: Sequence[Row]) -> Iterator[str]:
        name = str(image["asset"])
        filename = self.objects.fitted(name)
        yield f"<annotation>\n  <folder></folder>\n  <filename>{escaped(filename)}</filename>\n"
        yield "  <source>\n    <database>lineage</database>\n  </source>\n"
        if image["width"] is not None and image["height"] is not None:
            yield f"  <size>\n    <width>{image['width']}</width>\n"
            yield f"    <height>{image['height']}</height>\n  </size>\n"
        yield f"  <segmented>0</segmented>\n  <{ours.TAG}>\n    <pixel_base>0</pixel_base>\n"
        if filename.strip() != name:
            yield f"    {leaf('asset', name)}\n"
        if image["asset_digest"] is not None:
            yield f"    {leaf('digest', str(image['asset_digest']))}\n"
        for row in states:
            told = "".join(
                f" {key}={quoted(self.objects.fitted(str(row[key])))}"
                for key in ("state", "class", "reason", "batch")
                if row[key] is not None
            )
            yield f"    <completeness{told}/>\n"
        yield f"  </{ours.TAG}>\n"

    def _put(self, place: str, text: str) -> None:
        folder = place.rpartition("/")[0]
        home = os.path.join(self._root, ANNOTATIONS)
        if folder not in self._made:
            os.makedirs(os.path.join(home, folder), exist_ok=True)
            self._made.add(folder)
        # an image's file is its own: to find one there would be a fault of ours
        with open(os.path.join(home, f"{place}.xml"), "xb", buffering=0) as file:
            file.write(text.encode())
        self.n_files += 1

    def _label_map(self) -> Iterator[str]:
        yield "# label:color_rgb:parts:actions\n"
        for class_ in sorted(self._classes):
            # the list has neither quotes nor escapes
            if ":" in class_ or fit(class_) != class_.strip() or len(class_.splitlines()) != 1:
                self.losses["label-map"] += 1
            else:
                yield f"{class_}:::\n"
