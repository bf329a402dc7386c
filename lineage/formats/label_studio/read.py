"""Label Studio JSON into Arrow, task by task: rows merged into labels, people kept apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lineage import columns
from lineage.errors import BadInput
from lineage.formats import Chunk, ReadOptions
from lineage.formats.json_stream import Odd, decode_group, iter_groups, top_level
from lineage.formats.label_studio import regions
from lineage.formats.label_studio.elements import Answer, Person, Task
from lineage.formats.label_studio.regions import Region
from lineage.formats.names import asset_name, moment
from lineage.formats.refusals import Refusals
from lineage.terms import Kind, Origin, Presence

_IMAGE_KEYS = ("image", "img", "image_url", "url", "picture", "photo")
_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp")
_Sizes = dict[str, tuple[int | None, int | None, str]]


def read(path: Path, options: ReadOptions) -> Iterator[Chunk]:
    """Read a Label Studio export; see `lineage.formats`.

    Raises
    ------
    BadInput
        ``wrong-shape``: no list of tasks (JSON-MIN, a label configuration, one task by itself);
        ``unreadable-json``, ``not-utf8``, ``too-deep``.
    """
    span = top_level(path)
    if "" not in span:
        raise BadInput(
            "wrong-shape",
            f"found an object with the keys {sorted(span)[:8]}, expected a list of tasks",
            hint="export as JSON (not JSON-MIN) from Label Studio",
            where=str(path),
        )
    file = _File(path, options)
    for index, group in iter_groups(path, span[""]):
        for at, task in enumerate(decode_group(group, Task, path, index)):
            file.task(task, index + at)
            if file.n_labels >= options.chunk_rows:
                yield file.take()
    yield file.take()


class _File:
    """What gathers while tasks stream by."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._path = path
        self._fallback = options.fallback_annotator(path)
        self._refusals = Refusals(str(path))
        self._seen: set[object] = set()
        self._start()

    def _start(self) -> None:
        self._labels: dict[str, list[object]] = {name: [] for name in columns.LABELS.names}
        self._roster: list[tuple[object, ...]] = []
        self._assets: _Sizes = {}
        self._losses: Counter[str] = Counter()

    @property
    def n_labels(self) -> int:
        """Labels that wait to be taken."""
        return len(self._labels["asset"])

    def take(self) -> Chunk:
        """Return what gathered as a chunk, and start anew."""
        roster = zip(*self._roster, strict=True) if self._roster else ([] for _ in columns.ROSTER)
        assets = [(name, uri, width, height) for name, (width, height, uri) in self._assets.items()]
        named = zip(*assets, strict=True) if assets else ([], [], [], [])
        chunk = Chunk(
            columns.batch_of(columns.LABELS, self._labels, self.n_labels),
            columns.batch_of(
                columns.ASSETS,
                dict(zip(("name", "uri", "width", "height"), map(list, named), strict=True)),
                len(assets),
            ),
            columns.batch_of(
                columns.ROSTER,
                dict(zip(columns.ROSTER.names, map(list, roster), strict=True)),
                len(self._roster),
            ),
            self._refusals.take(),
            dict(self._losses),
        )
        self._start()
        return chunk

    def task(self, task: Task | Odd, position: int) -> None:
        """Take in one task with all its answers."""
        if isinstance(task, Odd):
            self._refuse(
                "element",
                position,
                "",
                task.problem,
                "a task as Label Studio exports it",
                task.text,
            )
            return
        if task.data is None or (task.annotation_id is not None and not task.answers):
            raise BadInput(
                "wrong-shape",
                "found rows of JSON-MIN or of another file, expected tasks with data and annotations",
                hint="export as JSON (not JSON-MIN) from Label Studio: JSON-MIN has lost ids and times",
                where=f"{self._path}: task {position}",
            )
        uri = _image_of(task.data)
        name = None if uri is None else asset_name(uri)
        if uri is None or name is None:
            text = msgspec.json.encode(task).decode()
            self._refuse(
                "asset-name",
                position,
                "/data",
                uri or sorted(task.data),
                "the image's address",
                text,
            )
            return
        self._assets.setdefault(name, (None, None, uri))
        self._losses["draft"] += len(task.drafts or ())
        if not task.answers:
            self._roster.append((name, None, Presence.PENDING.value, None, None, None))
        for answer in task.answers:
            self._annotation(answer, name, position)
        for prediction in task.predictions or ():
            if isinstance(prediction, Answer):
                self._prediction(prediction, name, position)
            else:
                self._losses["prediction-id-only"] += 1
        self._losses = +self._losses

    def _annotation(self, answer: Answer, asset: str, position: int) -> None:
        annotator = _handle(answer.completed_by) or self._fallback
        at = self._moment(_labelled_text(answer))
        key = None if answer.id is None else str(answer.id)
        if answer.id is not None and answer.id in self._seen:
            text = msgspec.json.encode(answer).decode()
            self._refuse(
                "duplicate-id",
                position,
                "/annotations/id",
                answer.id,
                "an id of its own",
                text,
                asset,
                key,
            )
            return
        self._seen.add(answer.id)
        if answer.is_skipped:
            self._losses["cancelled-region"] += len(answer.result)
            presence = Presence.SKIPPED
        else:
            self._labels_of(answer, asset, position, annotator, at, key)
            presence = Presence.LABELLED if answer.result else Presence.EMPTY
        self._losses["review"] += len(answer.reviews or ())
        self._roster.append((asset, annotator, presence.value, key, at, answer.lead_time))

    def _prediction(self, answer: Answer, asset: str, position: int) -> None:
        key = None if answer.id is None else f"p{answer.id}"
        model = answer.model_version or "model"
        at = self._moment(answer.created_at)
        self._labels_of(answer, asset, position, model, at, key, is_model=True)

    def _labels_of(
        self,
        answer: Answer,
        asset: str,
        position: int,
        annotator: str | None,
        at: object,
        key: str | None,
        *,
        is_model: bool = False,
    ) -> None:
        found, problems = regions.regions(answer.result)
        for problem in problems:
            if problem.is_loss:
                self._losses[problem.rule] += 1
                continue
            source_id = _source_id(key, problem.region)
            self._refuse(
                problem.rule,
                position,
                problem.path,
                problem.value,
                problem.expected,
                problem.text,
                asset,
                source_id,
            )
        for region in found:
            if region.size is not None:
                self._learn(asset, region.size)
            origin = Origin.MODEL if is_model else _origin(answer, region)
            self._label(region, asset, position, annotator, at, key, origin, answer)

    def _label(
        self,
        region: Region,
        asset: str,
        position: int,
        annotator: str | None,
        at: object,
        key: str | None,
        origin: Origin,
        answer: Answer,
    ) -> None:
        hull = region.hull if region.kind is not Kind.CLASS else (None,) * 4
        extra = dict(region.extra)
        for name in ("parent_annotation", "parent_prediction"):
            if getattr(answer, name) is not None:
                extra[name] = getattr(answer, name)
        score = region.score
        row = {
            "asset": asset,
            "annotator": annotator,
            "class": region.class_,
            "kind": region.kind.value,
            **dict(zip(columns.BOX, hull, strict=True)),
            "geometry": region.geometry,
            "attributes": _text(region.attributes) or "{}",
            "origin": origin.value,
            "source_id": _source_id(key, region.id),
            "labelled_at": at,
            "created_by": _handle(answer.last_created_by),
            "updated_by": _handle(answer.updated_by),
            "lead_time_s": answer.lead_time,
            "score": answer.score if score is None and origin is Origin.MODEL else score,
            "extra": _text(extra),
            "position": position,
        }
        for name, column in self._labels.items():
            column.append(row.get(name))

    def _learn(self, asset: str, size: tuple[int, int]) -> None:
        width, height, uri = self._assets[asset]
        if width is None or height is None:
            self._assets[asset] = (*size, uri)

    def _moment(self, text: str | None) -> object:
        found = moment(text)
        if text is not None and found is None:
            self._losses["naive-time"] += 1
        return found

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
        self._refusals.add(
            rule,
            position=position,
            path=path or "/",
            value=value,
            expected=expected,
            label=label,
            asset=asset,
            annotation=annotation,
        )


def _image_of(data: dict[str, object]) -> str | None:
    texts = {key: value for key, value in data.items() if isinstance(value, str) and value}
    for key in _IMAGE_KEYS:
        if key in texts:
            return texts[key]
    images = [
        t for t in texts.values() if t.lower().split("?")[0].endswith(_ENDINGS) or "/data/" in t
    ]
    if len(images) == 1:
        return images[0]
    return next(iter(texts.values())) if len(texts) == 1 else None


def _handle(person: Person) -> str | None:
    if isinstance(person, dict):
        found = person.get("email") or person.get("username") or person.get("id")
        return None if found is None else str(found)
    return None if person is None or person == "" else str(person)


def _labelled_text(answer: Answer) -> str | None:
    # somebody else's later edit does not move the moment at which the annotator worked
    editor = _key(answer.updated_by)
    if editor is not None and editor != _key(answer.completed_by):
        return answer.created_at or answer.updated_at
    return answer.updated_at or answer.created_at


def _key(person: Person) -> object:
    return person.get("id") if isinstance(person, dict) else person


def _origin(answer: Answer, region: Region) -> Origin:
    if answer.ground_truth:
        return Origin.GROUND_TRUTH
    return Origin.ASSISTED if region.is_assisted else Origin.HUMAN


def _source_id(key: str | None, region: str | None) -> str | None:
    return None if key is None or region is None else f"{key}/{region}"


def _text(document: dict[str, object]) -> str | None:
    if not document:
        return None
    return msgspec.json.encode(document, order="sorted").decode()
