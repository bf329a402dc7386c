"""Read CVAT XML: images and tracks as they stream by, shapes to rows, in px as CVAT has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from lineage.errors import BadInput
from lineage.formats import Chunk, ReadOptions
from lineage.formats.cvat import attributes, document, ours, shapes
from lineage.formats.cvat.aside import said_beside
from lineage.formats.cvat.document import Element
from lineage.formats.cvat.meta import Meta, Task, meta_from_element
from lineage.formats.cvat.rows import Rows, Told
from lineage.formats.names import asset_name, moment
from lineage.formats.refusals import Refusals
from lineage.terms import Completeness, Origin, Presence

MODEL = "model"
"""Who made labels of source ``auto``: CVAT does not name the model."""

ORIGINS = {
    "auto": Origin.MODEL,
    "semi-auto": Origin.ASSISTED,
    "ground truth": Origin.GROUND_TRUTH,
    "consensus": Origin.CONSENSUS,
    "interpolated": Origin.INTERPOLATED,
}
"""Origin by CVAT's free text `source`, in lower case; what is not here is a person's."""

_BOX = {"xtl", "ytl", "xbr", "ybr", "rotation"}
_MASK = {"rle", "left", "top", "width", "height"}
_GEOMETRY = _BOX | _MASK | {"points", "cx", "cy", "rx", "ry"}
_TOLD = {"label", "source", "occluded", "z_order", "group_id", "frame", "outside", "keyframe"}
_KNOWN = _GEOMETRY | _TOLD
_IMAGE = {"id", "name", "width", "height", "subset", "task_id"}
_ID_BYTES = 64 << 20
_MAX_KEPT = 4096


def read(path: Path, options: ReadOptions) -> Iterator[Chunk]:
    """Read a CVAT file; see `lineage.formats` and this package.

    Raises
    ------
    BadInput
        ``unreadable-xml``, ``not-utf8``, ``xml-forbidden``, ``too-deep``, ``too-large``,
        ``wrong-shape``: see `document.elements`; or ``<meta>`` comes after what it is about, or the
        completeness file beside it is none.
    """
    file = _File(path, options)
    for element in document.elements(path):
        size = len(element.children)
        if file.rows and len(file.rows) + size > options.chunk_rows and element.tag != "meta":
            yield file.rows.take()
        file.take_in(element)
    for asset, class_, state, reason in said_beside(path):
        file.rows.states.add(asset, state, class_=class_, reason=reason)
        if len(file.rows) >= options.chunk_rows:
            yield file.rows.take()
    yield file.rows.take()


class _File:
    """What holds for a whole file while its images stream by."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self.rows = Rows(Refusals(str(path)))
        self._path = path
        self._fallback = options.fallback_annotator(path)
        self._meta = Meta()
        self._n_images = 0
        self._n_tracks = 0
        self._ids: dict[tuple[str | None, str | None], bytearray] = {}
        self._id_bytes = _ID_BYTES
        self._extras: dict[tuple[object, ...], str | None] = {}
        self._documents: dict[tuple[object, ...], str] = {}

    def take_in(self, element: Element) -> None:
        """Read one child of the root."""
        if element.tag == "image":
            self._n_images += 1
            self._image(element)
        elif element.tag == "track":
            self._n_tracks += 1
            self._track(element)
        elif element.tag == "meta":
            if self._position() >= 0:
                raise BadInput(
                    "wrong-shape",
                    f"<meta> stands after {self._position() + 1} images or tracks, expected it before",
                    hint="export as 'CVAT for images 1.1', one file at a time",
                    where=str(self._path),
                )
            self._meta = meta_from_element(element)
        elif element.tag != "version":
            self.rows.losses["unknown-element"] += 1

    def _position(self) -> int:
        return self._n_images + self._n_tracks - 1

    def _image(self, image: Element) -> None:
        given = image.attributes
        path = f"/annotations/image[{self._n_images}]"
        uri = given.get("name", "")
        name = asset_name(uri) if uri else None
        if name is None:
            self._refuse_image(image, path, uri)
            return
        width, height = self._size(given.get("width")), self._size(given.get("height"))
        self.rows.add_asset(name, uri if uri != name else None, width, height)
        if self._is_repeat(given):
            self.rows.losses["repeated-image-id"] += 1
        self.rows.losses.update(["unknown-image-attribute"] * len(given.keys() - _IMAGE))
        task = self._meta.task_of(given.get("task_id"))
        told = _place(given)
        drawn: list[tuple[shapes.Shape, Element]] = []
        for index, element in enumerate(image.children):
            where = f"{path}/*[{index + 1}]"
            shape = self._shape(element, where, name, (width, height))
            if shape is not None:
                drawn.append((shape, element))
        for shape, element in ours.joined(drawn):
            self._label(shape, element, name, task, told, {})
        self._answer(image, name, task)

    def _answer(self, image: Element, name: str, task: Task | None) -> None:
        """Say how far an image is, where its task does, and who found nothing there."""
        state = None if task is None else task.state
        if image.children:
            if state is not None:
                is_new = state is Completeness.NOT_STARTED
                self.rows.states.add(name, Completeness.IN_PROGRESS if is_new else state)
            return
        if state is not None:
            is_done = state is Completeness.COMPLETE
            self.rows.states.add(name, Completeness.COMPLETE_EMPTY if is_done else state)
        person, basis = self._author(task, {})
        if state is Completeness.COMPLETE and person is not None and basis != "owner":
            at = None if task is None else task.updated_at
            self.rows.add_answer(name, person, Presence.EMPTY, at)
        elif state is None:
            self.rows.losses["image-without-labels"] += 1

    def _track(self, track: Element) -> None:
        given = track.attributes
        task = self._meta.task_of(given.get("task_id"))
        stem = (task.name if task else "") or self._meta.source or self._path.stem
        size = (None, None) if task is None else (self._size(task.width), self._size(task.height))
        inherited = _texts(track)
        told = _place(given)
        seen: set[int] = set()
        shaped = (child for child in track.children if child.tag != "attribute")
        for index, element in enumerate(shaped):
            path = f"/annotations/track[{self._n_tracks}]/*[{index + 1}]"
            # a track's shapes leave to it what holds for all of them
            for key in ("label", "source", "group_id"):
                if key in given:
                    element.attributes.setdefault(key, given[key])
            if element.attributes.get("outside") == "1":
                self.rows.losses["outside"] += 1
                continue
            frame = _natural(element.attributes.get("frame", ""))
            name = None if frame is None else asset_name(f"{stem}/frame_{frame:06d}")
            if frame is None or name is None:
                seen_frame = f"{stem} / {element.attributes.get('frame')}"
                self._refuse(element, "frame", f"{path}/@frame", seen_frame, "a frame number", None)
                continue
            if frame in seen:
                self._refuse(
                    element, "duplicate-frame", f"{path}/@frame", frame, "each frame once", name
                )
                continue
            seen.add(frame)
            self.rows.add_asset(name, None, *size)
            shape = self._shape(element, path, name, size)
            if shape is not None:
                about = {**told, "track": given.get("id"), "frame": frame}
                self._label(shape, element, name, task, about, inherited)

    def _shape(
        self, element: Element, path: str, asset: str, size: tuple[int | None, int | None]
    ) -> shapes.Shape | None:
        parts: tuple[str, ...] = ()
        if element.tag == "skeleton":
            parts = self._meta.parts.get(element.attributes.get("label", ""), ())
        try:
            return shapes.shape_of(element, shapes.Frame(*size, parts))
        except shapes.Unreadable as exc:
            self._refuse(element, exc.rule, path + exc.path, exc.value, exc.expected, asset)
            return None

    def _label(
        self,
        shape: shapes.Shape,
        element: Element,
        asset: str,
        task: Task | None,
        told: Mapping[str, object],
        inherited: Mapping[str, str],
    ) -> None:
        given = element.attributes
        theirs, written = attributes.split_ours({**inherited, **_texts(element)})
        source = given.get("source", "manual")
        origin = ORIGINS.get(source.lower()) or ours.origin_of(written, source)
        if given.get("keyframe") == "0":
            origin = Origin.INTERPOLATED
        annotator, basis = self._author(task, written)
        if origin is Origin.MODEL:
            annotator, basis = str(written.get("annotator") or MODEL), None
        class_ = given.get("label") or None
        self.rows.add_label(
            shape,
            Told(
                asset=asset,
                annotator=annotator,
                class_=class_,
                attributes=self._document(theirs, class_) if theirs else "{}",
                origin=origin.value,
                extra=self._extra(given, source, basis, told, (shape.extra or {}, written)),
                position=self._position(),
                labelled_at=moment(written.get("labelled_at")) if written else None,
                annotation=ours.annotation_of(written) if written else None,
                answered_at=None if task is None else task.updated_at,
            ),
        )

    def _author(
        self, task: Task | None, written: Mapping[str, object]
    ) -> tuple[str | None, str | None]:
        if task is not None and task.assignee is not None:
            return task.assignee, "assignee"
        if self._fallback is not None:
            return self._fallback, "flag"
        if written.get("annotator"):
            return str(written["annotator"]), "lineage"
        if task is not None and task.owner is not None:
            return task.owner, "owner"
        return None, None

    def _document(self, theirs: Mapping[str, str], class_: str | None) -> str:
        key = (class_, *theirs.items())
        if key in self._documents:
            return self._documents[key]
        inputs = self._meta.inputs.get(("", class_ or ""), {})
        text = attributes.dumps(
            {
                name: attributes.value_from_text(text, inputs.get(name))
                for name, text in theirs.items()
            }
        )
        if len(self._documents) < _MAX_KEPT:
            self._documents[key] = text
        return text

    def _extra(
        self,
        given: Mapping[str, str],
        source: str,
        basis: str | None,
        told: Mapping[str, object],
        rare: tuple[Mapping[str, object], Mapping[str, object]],
    ) -> str | None:
        shape, written = rare
        others = given.keys() - _KNOWN
        occluded, z_order, group = (
            given.get("occluded"),
            given.get("z_order"),
            given.get("group_id"),
        )
        key = (occluded, z_order, group, source, basis, *told.items())
        is_common = not (shape or written or others or "track" in told)
        if is_common and key in self._extras:
            return self._extras[key]
        extra: dict[str, object] = {**told, **shape}
        if basis is not None:
            extra["annotator_from"] = basis
        if occluded not in (None, "0"):
            extra["occluded"] = True if occluded == "1" else occluded
        if z_order not in (None, "0"):
            extra["z_order"] = _number_or_text(z_order)
        if group is not None:
            extra["group_id"] = _number_or_text(group)
        if source != "manual":
            extra["source"] = source
        if written:
            extra["lineage"] = dict(written)
        if others:
            extra["xml"] = {name: given[name] for name in others}
        text = attributes.dumps(extra) if extra else None
        # groups are many, everything else is few: a bound on what is kept costs nothing
        if is_common and len(self._extras) < _MAX_KEPT:
            self._extras[key] = text
        return text

    def _refuse(
        self,
        element: Element,
        rule: str,
        path: str,
        value: object,
        expected: str,
        asset: str | None,
    ) -> None:
        self.rows.refusals.add(
            rule,
            position=self._position(),
            path=path,
            value=value,
            expected=expected,
            label=attributes.dumps(_raw(element)),
            asset=asset,
        )

    def _refuse_image(self, image: Element, path: str, uri: str) -> None:
        rule = "asset-name" if uri else "image"
        expected = "a name within a folder" if uri else "an image with a name"
        # without children the image itself is all there is to quarantine
        for element in image.children or [image]:
            self._refuse(element, rule, f"{path}/@name", uri, expected, None)

    def _size(self, text: str | None) -> int | None:
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            value = 0.5
        if value.is_integer() and abs(value) < 2**31:
            return int(value)
        self.rows.losses["image-size"] += 1
        return None

    def _is_repeat(self, given: Mapping[str, str]) -> bool:
        number = _natural(given.get("id", ""))
        if number is None:
            return False
        seen = self._ids.setdefault((given.get("task_id"), given.get("subset")), bytearray())
        if number >= len(seen):
            n_more = max(number + 1 - len(seen), len(seen))
            # ids only serve to warn: an absurd one is not worth the memory
            if n_more > self._id_bytes:
                return False
            self._id_bytes -= n_more
            seen.extend(bytes(n_more))
        is_repeat = bool(seen[number])
        seen[number] = 1
        return is_repeat


def _place(given: Mapping[str, str]) -> dict[str, object]:
    return {key: given[key] for key in ("subset", "task_id") if key in given}


def _texts(element: Element) -> dict[str, str]:
    return {
        child.attributes.get("name", ""): child.text
        for child in element.children
        if child.tag == "attribute"
    }


def _raw(element: Element) -> dict[str, object]:
    raw: dict[str, object] = {"tag": element.tag, **element.attributes}
    if element.text.strip():
        raw["text"] = element.text
    if element.children:
        raw["children"] = [_raw(child) for child in element.children]
    return raw


def _natural(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _number_or_text(text: str) -> int | str:
    magnitude = _natural(text.removeprefix("-"))
    if magnitude is None:
        return text
    return -magnitude if text.startswith("-") else magnitude
