"""Labelbox exports into Arrow, row by row: an image's labels kept apart by person and project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from lineage.errors import BadInput
from lineage.formats import Chunk, ReadOptions, json_lines
from lineage.formats.json_stream import Odd, decode_group, iter_groups, top_level
from lineage.formats.labelbox import answers, facts, images
from lineage.formats.labelbox.elements import Classification, Label, Object, Project, Row, mended
from lineage.formats.labelbox.facts import Told
from lineage.formats.labelbox.older import newer
from lineage.formats.labelbox.rows import MOST_BYTES, Rows
from lineage.formats.labelbox.shapes import Unreadable, shape_of
from lineage.formats.names import moment
from lineage.formats.refusals import Refusals
from lineage.formats.texts import canonical
from lineage.terms import Completeness, Kind, Presence

_CLASS = Kind.CLASS.value
_NO_HULL = (None, None, None, None)
_EXPECTED = "an object as Labelbox exports it"


def read(path: Path, options: ReadOptions) -> Iterator[Chunk]:
    """Read a Labelbox export, v2 (a data row a line) or v1 (a label an element); see `lineage.formats`.

    Raises
    ------
    BadInput
        ``wrong-shape``: payloads made for uploading, or no Labelbox file at all; ``unreadable-json``,
        ``not-utf8``, ``too-deep``, ``element-too-large``.
    """
    file = _File(path, options)
    for position, row in _elements(path):
        try:
            file.row(row, position)
        except RecursionError as exc:
            raise BadInput(
                "too-deep",
                "answers nest deeper than any tool's",
                hint="this is no export of a labelling tool",
                where=f"{path}: row {position}",
            ) from exc
        if file.rows.is_full(options.chunk_rows):
            yield file.rows.take()
    yield file.rows.take()


def _elements(path: Path) -> Iterator[tuple[int, Row | Odd]]:
    with path.open("rb") as file:
        is_array = file.read(65_536).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
    if not is_array:
        yield from json_lines.elements(path, Row)
        return
    span = top_level(path)[""]
    for index, group in iter_groups(path, span, group_bytes=json_lines.BLOCK_BYTES):
        yield from enumerate(decode_group(group, Row, path, index), index)


class _File:
    """What holds for a whole file while its rows stream by."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self.rows = Rows(Refusals(str(path)))
        self._path = path
        self._fallback = options.fallback_annotator(path)
        self._seen: set[str] = set()
        self._n_rows = 0

    def row(self, row: Row | Odd, position: int) -> None:
        """Take in one image with its labels."""
        removed: list[tuple[str, str, Odd]] = []
        if isinstance(row, Odd):
            left, removed = mended(row)
            if left is None:
                self._refuse("element", position, "/", row.problem, "a data row", label=row.text)
                return
            row = left
        if row.is_older:
            row, refused = newer(row)
            removed += [(path, "", odd) for path, odd in refused]
        elif row.data_row is None:
            self._refuse_stranger(row, position)
            return
        self._n_rows += 1
        labels = [label for project in row.projects.values() for label in project.labels]
        name, uri = images.name_of(row.data_row) if row.data_row else (None, None)
        medium = images.medium_of(row, labels)
        if medium is not None or name is None:
            self._refuse_row(row, position, uri, medium)
            return
        for path, key, odd in removed:
            text = odd.text
            self._refuse("element", position, path, odd.problem, _EXPECTED, text, name, key or None)
        self.rows.add_asset(name, uri, *images.size_of(row.media_attributes))
        about = self._about(row, name)
        states = [
            self._project(project, f"/projects/{key}", name, position, about)
            for key, project in row.projects.items()
        ]
        self._experiments(row, name, position, about)
        state = facts.state_in_all(states)
        if state is not None:
            reason = facts.SKIP_REASON if state is Completeness.SKIPPED else None
            self.rows.states.add(name, state, reason=reason)
        elif row.projects:
            self.rows.losses["done-without-label"] += 1

    def _about(self, row: Row, name: str) -> dict[str, object]:
        data, media = row.data_row, row.media_attributes
        found: dict[str, object] = {}
        if data is not None:
            given = {"data_row": data.id, "external_id": data.external_id, "global_key": data.global_key}  # fmt: skip
            found = {key: value for key, value in given.items() if value and value != name}
        if media is not None and media.exif_rotation not in (None, "1", 1):
            found["exif_rotation"] = media.exif_rotation
            self.rows.notes["exif-rotation"] = (
                "coordinates are taken as of the image as Labelbox shows it"
            )
        return found

    def _project(
        self, project: Project, path: str, asset: str, position: int, about: Mapping[str, object]
    ) -> Completeness | None:
        about = {**about, **facts.about_project(project)}
        state = facts.state_of(project)
        if state is Completeness.NOT_STARTED and not project.labels:
            self.rows.add_answer(asset, None, Presence.PENDING.value, None, None, None)
        for at, label in enumerate(project.labels):
            where = f"{path}/labels/{at}"
            if self._is_repeat(label, where, asset, position):
                continue
            told = facts.told_by(label, about, self._fallback)
            self._label(label, told, where, asset, position, is_asked=not facts.is_model(label))
        return state

    def _experiments(
        self, row: Row, asset: str, position: int, about: Mapping[str, object]
    ) -> None:
        for key, model in row.experiments.items():
            for run_key, run in model.runs.items():
                path = f"/experiments/{key}/runs/{run_key}"
                for at, label in enumerate(run.labels):
                    # a run holds copies of labels that stand in their project, if that is exported too
                    if label.id is None or label.id not in self._seen:
                        self._is_repeat(label, path, asset, position)
                        told = facts.told_by(label, about, self._fallback)
                        self._label(label, told, f"{path}/labels/{at}", asset, position)
                named = " / ".join(name for name in (model.name, run.name) if name)
                for at, label in enumerate(run.predictions):
                    told = facts.predicted_by(label, named or facts.MODEL, about)
                    where = f"{path}/predictions/{at}"
                    self._label(label, told, where, asset, position, is_asked=False)

    def _is_repeat(self, label: Label, path: str, asset: str, position: int) -> bool:
        if label.id is None:
            return False
        if label.id in self._seen:
            text = msgspec.json.encode(label).decode()
            told = "an id of its own"
            self._refuse(
                "duplicate-id", position, f"{path}/id", label.id, told, text, asset, label.id
            )
            return True
        self._seen.add(label.id)
        return False

    def _label(
        self,
        label: Label,
        told: Told,
        path: str,
        asset: str,
        position: int,
        *,
        is_asked: bool = True,
    ) -> None:
        at = moment(told.at)
        if told.at is not None and at is None:
            self.rows.losses["naive-time"] += 1
        presence = Presence.EMPTY if facts.is_empty(label) else Presence.LABELLED
        n_bytes = 0
        if facts.is_skipped(label):
            presence = Presence.SKIPPED
            self._lose_skipped(label)
        elif label.annotations is not None:
            said = label.annotations
            self.rows.losses["relation"] += len(said.relationships)
            extras = _Extras(told.extra, len(said.objects) + len(said.classifications))
            self.rows.losses["extra-too-long"] += extras.n_cut
            n_bytes = extras.n_bytes
            if isinstance(said.objects, list):
                self._objects(said.objects, extras, f"{path}/annotations/objects", asset, position)
            for one in said.classifications:
                self._whole_image(one, extras)
        self.rows.end_label(
            asset, told.annotator, told.origin.value, at, told.lead_time_s, position, n_bytes
        )
        if is_asked:
            self.rows.add_answer(
                asset, told.annotator, presence.value, label.id, at, told.lead_time_s
            )

    def _lose_skipped(self, label: Label) -> None:
        if label.annotations is not None:
            n_objects = len(label.annotations.objects)
            self.rows.losses["skipped-object"] += n_objects + len(label.annotations.classifications)

    def _objects(
        self, objects: list[Object], extras: _Extras, path: str, asset: str, position: int
    ) -> None:
        shapes = self.rows.shapes
        seen: set[str | None] = set()
        for index, found in enumerate(objects):
            key, class_, value = found.feature_id, found.name or found.value, found.value
            try:
                if class_ is None:
                    raise Unreadable("no-class", "/name", None, "the name of a class")
                if key in seen and key is not None:
                    raise Unreadable("duplicate-id", "/feature_id", key, "an id of its own")
                kind, hull, geometry = shape_of(found)
            except Unreadable as exc:
                text = msgspec.json.encode(found).decode()
                where = f"{path}/{index}{exc.path}"
                self._refuse(exc.rule, position, where, exc.value, exc.expected, text, asset, key)
                continue
            seen.add(key)
            asked = found.classifications
            document = canonical(answers.attributes(asked)) if asked else "{}"
            extra = extras.of(found.feature_schema_id, None if value == class_ else value)
            shapes.append((class_, kind, *hull, geometry, document, key, found.confidence, extra))

    def _whole_image(self, asked: Classification, extras: _Extras) -> None:
        """Add the options chosen for an image as its classes; free text is no class."""
        if asked.text_answer is not None:
            self.rows.losses["image-level-text"] += 1
        is_radio = asked.radio_answer is not None
        for answer in answers.options(asked):
            class_ = answers.label_of(answer)
            # a question with one answer keeps its id when the answer changes
            key = asked.feature_id if is_radio else answer.feature_id
            if key is None and asked.feature_id is not None:
                key = f"{asked.feature_id}/{class_}"
            nested = answers.attributes(answer.classifications)
            value = None if answer.value == class_ else answer.value
            extra = extras.of(answer.feature_schema_id, value, asked.question)
            self.rows.shapes.append(
                (class_, _CLASS, *_NO_HULL, None, canonical(nested), key, None, extra)
            )

    def _refuse_stranger(self, row: Row, position: int) -> None:
        """Refuse an element that is no data row: with it the file, if it is the first."""
        hint = "export the project from Labelbox, with label and performance details"
        if row.upload is not None:
            raise BadInput(
                "wrong-shape",
                "found payloads made for uploading into Labelbox, which name no person and no time; "
                "expected an export",
                hint=hint,
                where=f"{self._path}: row {position}",
            )
        if self._n_rows == 0:
            raise BadInput(
                "wrong-shape",
                "found an element without data_row (export v2) and without ID and Label (export v1)",
                hint=f"{hint}; check --format",
                where=f"{self._path}: row {position}",
            )
        text = msgspec.json.encode(row).decode()
        self._refuse("element", position, "/data_row", None, "a data row", text)

    def _refuse_row(self, row: Row, position: int, uri: str | None, medium: str | None) -> None:
        # frames and pages may run to megabytes: what the row is called is enough
        text = msgspec.json.encode(
            {"data_row": row.data_row, "media_attributes": row.media_attributes}
        ).decode()
        if medium is not None:
            expected, path = "a data row that is an image", "/media_attributes"
            self._refuse("unsupported-media", position, path, medium, expected, text)
        else:
            self._refuse("asset-name", position, "/data_row", uri, "the name of an image", text)

    def _refuse(
        self,
        rule: str,
        position: int,
        path: str,
        value: object,
        expected: str,
        label: str,
        asset: str | None = None,
        annotation: str | None = None,
    ) -> None:
        self.rows.refusals.add(
            rule,
            position=position,
            path=path,
            value=value,
            expected=expected,
            label=label,
            asset=asset,
            annotation=annotation,
        )


class _Extras:
    """The ``extra`` of one label's shapes: the same but for their class, so made once for each.

    It is repeated for every shape: what would make a chunk of one label is cut, and counted.
    """

    def __init__(self, of_label: Mapping[str, object], n_shapes: int) -> None:
        self._of_label = dict(of_label)
        self.n_cut = 0
        encoded = msgspec.json.encode(self._of_label, order="sorted")
        while self._of_label and len(encoded) * n_shapes > MOST_BYTES:
            longest = max(self._of_label, key=lambda name: len(repr(self._of_label[name])))
            del self._of_label[longest]
            self.n_cut += 1
            encoded = msgspec.json.encode(self._of_label, order="sorted")
        # what the shapes add is text: their label tells whether the fast encoder's numbers will do
        self._is_plain = encoded == canonical(self._of_label).encode()
        self.n_bytes = len(encoded)
        self._made: dict[tuple[str | None, str | None, str | None], bytes | None] = {}

    def of(
        self, schema: str | None, value: str | None, question: str | None = None
    ) -> bytes | None:
        """Return the text for a shape or answer of a class."""
        key = (schema, value, question)
        if key in self._made:
            return self._made[key]
        document = dict(self._of_label)
        for name, text in zip(("feature_schema_id", "value", "question"), key, strict=True):
            if text is not None:
                document[name] = text
        found = None
        if document and self._is_plain:
            found = msgspec.json.encode(document, order="sorted")
        elif document:
            found = canonical(document).encode()
        self._made[key] = found
        return found
