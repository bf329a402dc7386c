"""Read Pascal VOC: one file or a folder of them, objects to rows, in px from 0."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from lineage.errors import BadInput
from lineage.formats import Chunk, ReadOptions
from lineage.formats.names import asset_name
from lineage.formats.refusals import Refusals
from lineage.formats.voc import document, facts, ours, shapes
from lineage.formats.voc.document import word
from lineage.formats.voc.ours import Provenance, Written
from lineage.formats.voc.rows import Row, Rows
from lineage.formats.voc.tree import Document, Tree
from lineage.terms import Completeness, Kind, Origin, Presence

_PLAIN = {"name", "bndbox", facts.POSE, *facts.FLAGS}
_OF_ROOT = {
    "folder",
    "filename",
    "path",
    "source",
    "owner",
    "size",
    "segmented",
    "object",
    ours.TAG,
}
_BOX, _HUMAN, _MODEL = Kind.BOX.value, Origin.HUMAN.value, Origin.MODEL.value
_QUARANTINED_BYTES = 1 << 16
_BASES = {
    0: "0: coordinates as they stand, the far corner outside the box",
    1: "1: the first pixel is number 1, and the last one belongs to the box",
}


def read(path: Path, options: ReadOptions) -> Iterator[Chunk]:
    """Read a VOC file, or a folder of them; see `lineage.formats` and this package.

    Parameters
    ----------
    path
        An XML file, or a folder: a file in it that cannot be read is a violation, the others go in.
    options
        ``pixel_base`` is taken for granted, and noted.

    Raises
    ------
    BadInput
        ``wrong-shape``: a folder without XML files. Of a single file also: see
        `document.root_of` and `document.refuse_others`; ``asset-name``: its image has no name.
    """
    reader = _Reader(path, options)
    if not path.is_dir():
        reader.take_in(reader.image(Document(str(path), None)))
        yield reader.take()
        return
    tree = Tree(path)
    n_documents = 0
    for found in tree.documents():
        n_documents += 1
        image = reader.opened(found)
        n_more = 0 if image is None else len(image.objects)
        if reader.rows.is_full(options.chunk_rows, n_more):
            yield reader.take()
        if image is not None:
            reader.take_in(image)
    if not n_documents:
        raise BadInput(
            "wrong-shape",
            "there is no XML file in the folder or below it, expected one for each image",
            hint="name the folder that Annotations is in",
            where=str(path),
        )
    for name in tree.unlabelled():
        if reader.rows.is_full(options.chunk_rows, 1):
            yield reader.take()
        reader.add_unlabelled(name)
    reader.rows.losses["mask-image"] += tree.n_masks
    reader.rows.losses["repeated-image"] += reader.n_repeated()
    yield reader.take()


@dataclass(slots=True)
class _Image:
    """A file that can be read."""

    at: Document
    name: str
    uri: str | None
    root: Element
    objects: Sequence[Element]
    written: Written | None
    n_unknown: int


@dataclass(frozen=True, slots=True)
class _About:
    """What holds for all objects of an image; ``told`` are the attributes of the root."""

    name: str
    person: str | None
    base: int
    file: str | None
    told: Mapping[str, str]


class _Reader:
    """What holds for a whole source while its files go by."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self.rows = Rows(Refusals(str(path)))
        self._source = str(path)
        self._fallback = options.fallback_annotator(path)
        self._base = options.pixel_base
        self._notes = {"pixel-base": _BASES[options.pixel_base]}
        self._attributes = facts.Attributes(self.rows.losses)
        self._seen = array("q")

    def take(self) -> Chunk:
        """Return what gathered, and start anew."""
        return self.rows.take(self._notes)

    def n_repeated(self) -> int:
        """Return how many files speak of an image that another spoke of."""
        names = np.frombuffer(self._seen, np.int64) if len(self._seen) else np.empty(0, np.int64)
        return len(names) - len(np.unique(names))

    def add_unlabelled(self, name: str) -> None:
        """Take in an image of which there is no file."""
        asset = asset_name(name)
        if asset is None:
            self.rows.losses["image-set-name"] += 1
            return
        self.rows.add_asset(asset)
        self.rows.states.add(asset, Completeness.NOT_STARTED)

    def opened(self, at: Document) -> _Image | None:
        """Return a file's image; one that cannot be read is noted whole, as a violation."""
        try:
            return self.image(at)
        except BadInput as exc:
            self._quarantine(at, exc)
            return None

    def _quarantine(self, at: Document, exc: BadInput) -> None:
        with open(at.path, "rb") as file:
            n_bytes = os.fstat(file.fileno()).st_size
            text = file.read(_QUARANTINED_BYTES).decode("utf-8", "replace")
        self.rows.n_quarantined += len(text)
        self.rows.refusals.source = f"{self._source}/{at.file}"
        self.rows.refusals.add(
            exc.slug,
            position=None,
            path="",
            value=exc.message,
            expected="a Pascal VOC file of one image",
            label=ours.dumps({"file": at.file, "n_bytes": n_bytes, "text": text}),
            asset=_stem(at),
        )

    def image(self, at: Document) -> _Image:
        """Return a file's image; whatever may refuse the file does it here.

        Raises
        ------
        BadInput
            As `read` has it.
        """
        root = document.root_of(at.path)
        objects = root.findall("object")
        unknown = [child for child in root if child.tag not in _OF_ROOT]
        document.refuse_others(root, objects, unknown, at.path)
        filename = word(root, "filename")
        written = ours.written_of(root, filename)
        name, uri = self._name(at, filename, written)
        return _Image(at, name, uri, root, objects, written, len(unknown))

    def _name(self, at: Document, filename: str, written: Written | None) -> tuple[str, str | None]:
        """Return an image's name, and what its file calls it where that is something else."""
        if written is not None and written.asset is not None:
            return written.asset, None
        stem = _stem(at)
        name = asset_name(filename) if filename else None
        base = "" if name is None else name.rpartition("/")[2]
        if name is not None and stem in (base, base.rpartition(".")[0]):
            return name, None
        # the devkit and every trainer pair image and file by the file's own name: so does this
        if asset_name(stem) is None:
            raise BadInput(
                "asset-name",
                f"neither <filename> {filename!r} nor the file's own name is the name of an image",
                hint="rename the file after its image",
                where=at.path,
            )
        self.rows.losses["filename-differs" if filename else "filename-missing"] += 1
        return stem, filename or None

    def take_in(self, image: _Image) -> None:
        """Read an image's objects."""
        rows, root, written = self.rows, image.root, image.written
        size = root.find("size")
        sides = self._size(size, "width"), self._size(size, "height")
        known = sides if None not in sides else (None, None)
        digest = None if written is None else written.digest
        rows.add_asset(image.name, image.uri, size=known, digest=digest)
        rows.losses["unknown-element"] += image.n_unknown
        rows.refusals.source = (
            self._source if image.at.file is None else f"{self._source}/{image.at.file}"
        )
        self._seen.append(hash(image.name))
        about = _About(
            image.name,
            word(root.find("source"), "annotator") or self._fallback,
            self._base_of(written),
            image.at.file,
            root.attrib,
        )
        is_answered = False
        for position, element in enumerate(image.objects):
            is_answered |= self._object(element, position, about)
        if is_answered or not image.objects:
            presence = Presence.LABELLED if is_answered else Presence.EMPTY
            rows.add_answer(about.name, about.person, presence)
        self._complete(image)

    def _base_of(self, written: Written | None) -> int:
        if written is None or written.pixel_base is None:
            return self._base
        if written.pixel_base != self._base:
            self._notes["pixel-base-told"] = (
                f"{written.pixel_base}, where a file says so itself (lineage wrote it)"
            )
        return written.pixel_base

    def _size(self, size: Element | None, side: str) -> int | None:
        """Return one side of the image in px; 0, as tools write where they do not know, is none."""
        text = word(size, side)
        if not text:
            return None
        if text.isascii() and text.isdigit() and len(text) < 10:
            return int(text) or None
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if value.is_integer() and 0 <= value < 2**31:
            return int(value) or None
        self.rows.losses["image-size"] += 1
        return None

    def _complete(self, image: _Image) -> None:
        """Note how far an image is: what a file of ours says, else that somebody went through it."""
        states, written = self.rows.states, image.written
        if written is not None:
            self.rows.losses["completeness-state"] += written.n_unread
            for class_, (state, reason) in written.states.items():
                states.add(image.name, state, reason=reason, class_=class_)
            if written.states or image.objects:
                return
        is_empty = not image.objects
        states.add(image.name, Completeness.COMPLETE_EMPTY if is_empty else Completeness.COMPLETE)

    def _object(self, element: Element, position: int, about: _About) -> bool:
        """Read an object, and tell whether the file's own annotator answered with it."""
        given = {child.tag: child for child in element}
        is_plain = len(given) == len(element) and given.keys() <= _PLAIN and "bndbox" in given
        try:
            if not is_plain or element.attrib or about.told:
                return self._add(element, given, position, about)
            self._add_plain(given, position, about)
        except shapes.Unreadable as exc:
            self.rows.refusals.add(
                exc.rule,
                position=position,
                path=f"/annotation/object[{position + 1}]{exc.path}",
                value=exc.value,
                expected=exc.expected,
                label=ours.dumps(document.plain(element)),
                asset=about.name,
            )
        return True

    def _add_plain(self, given: Mapping[str, Element], position: int, about: _About) -> None:
        # most objects are no more than this, and a folder has millions
        x_min, y_min, x_max, y_max = shapes.box_of(given["bndbox"], about.base)
        class_ = (given["name"].text or "").strip() or None if "name" in given else None
        self.rows.labels.append(
            (
                about.name, about.person, class_, _BOX, x_min, y_min, x_max, y_max, None,
                self._attributes.plain(given), _HUMAN, None, None, None, position, about.file, None,
            )
        )  # fmt: skip

    def _add(
        self, element: Element, given: Mapping[str, Element], position: int, about: _About
    ) -> bool:
        losses = self.rows.losses
        if len(given) != len(element):
            tag = facts.repeated(element)
            if tag is not None:
                raise shapes.Unreadable("repeated-element", f"/{tag}[2]", tag, f"one {tag}")
            losses["part"] += len(element.findall(facts.PART))
        else:
            losses["part"] += facts.PART in given
        told = ours.provenance_of(given.get(ours.TAG))
        shape = shapes.shape_of(element, about.base, told.rotation_deg)
        score, tag = facts.score_of(given)
        extra = self._extra(element, given, tag, about, told)
        person = told.told.get("annotator") or about.person
        # the format knows no scores; detectors that write it do, and name nobody
        origin = told.origin or (_MODEL if score is not None and person is None else _HUMAN)
        losses["box-differs"] += shape.is_odd
        losses["naive-time"] += told.labelled_at is None and "labelled_at" in told.told
        if origin != _MODEL and person != about.person:
            self.rows.add_answer(about.name, person, Presence.LABELLED)
        self.rows.labels.append(
            Row(
                asset=about.name,
                annotator=person,
                class_=word(element, "name") or None,
                kind=shape.kind,
                x_min=shape.box[0],
                y_min=shape.box[1],
                x_max=shape.box[2],
                y_max=shape.box[3],
                geometry=shape.geometry,
                attributes=self._attributes.of(given, told.filled),
                origin=origin,
                labelled_at=told.labelled_at,
                score=score,
                extra=extra,
                position=position,
                file=about.file,
                annotation=told.annotation,
            )
        )
        return origin != _MODEL and person == about.person

    def _extra(
        self,
        element: Element,
        given: Mapping[str, Element],
        read_: str | None,
        about: _About,
        told: Provenance,
    ) -> str | None:
        """Return what an object and its file say that has no column, as JSON."""
        extra: dict[str, object] = {}
        if element.attrib or not given.keys() <= facts.READ:
            self.rows.losses["too-deep"] += document.is_too_deep(element)
            if others := facts.others_of(element, read=read_):
                extra["xml"] = others
        if about.told:
            extra["image"] = about.told
        if rest := told.rest():
            extra["lineage"] = rest
        return ours.dumps(extra) if extra else None


def _stem(at: Document) -> str:
    """Return the name of a file without its folder and ending."""
    name = (at.file or at.path).rpartition("/")[2]
    return name[:-4] if name[-4:].lower() == ".xml" else name
