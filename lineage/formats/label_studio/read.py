"""Label Studio JSON into Arrow, task by task: rows merged into labels, people kept apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from lineage.errors import BadInput
from lineage.formats import Chunk, ReadOptions
from lineage.formats.json_stream import Odd, decode_group, iter_groups, top_level
from lineage.formats.label_studio import facts, images, regions
from lineage.formats.label_studio.elements import Answer, Task
from lineage.formats.label_studio.regions import Region
from lineage.formats.label_studio.rows import Rows
from lineage.formats.names import asset_name, moment
from lineage.formats.refusals import Refusals
from lineage.formats.texts import canonical
from lineage.terms import Kind, Presence

_GROUP_BYTES = 1 << 18
_NO_HULL = (None, None, None, None)


def read(path: Path, options: ReadOptions) -> Iterator[Chunk]:
    """Read a Label Studio export; see `lineage.formats`.

    Raises
    ------
    BadInput
        ``wrong-shape``: no list of tasks (JSON-MIN, webhook events, a label configuration, one task
        by itself); ``unreadable-json``, ``not-utf8``, ``too-deep``.
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
    for index, group in iter_groups(path, span[""], group_bytes=_GROUP_BYTES):
        for at, task in enumerate(decode_group(group, Task, path, index)):
            file.task(task, index + at)
            if len(file.rows) >= options.chunk_rows:
                yield file.rows.take()
    yield file.rows.take()


class _File:
    """What holds for a whole file while its tasks stream by."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self.rows = Rows(Refusals(str(path)))
        self._path = path
        self._size_of = options.size_of
        self._fallback = options.fallback_annotator(path)
        self._seen: set[object] = set()

    def task(self, task: Task | Odd, position: int) -> None:
        """Take in one task with all its answers."""
        if isinstance(task, Odd):
            expected = "a task as Label Studio exports it"
            self._refuse("element", position, "", task.problem, expected, task.text)
            return
        if task.data is None or (task.annotation_id is not None and not task.answers):
            raise self._stranger(task, position)
        uri, medium = images.address_of(task.data)
        name = None if uri is None else asset_name(uri)
        if uri is None or name is None:
            text = msgspec.json.encode(task).decode()
            if medium is not None:
                expected = "a task about one image"
                self._refuse("unsupported-media", position, "/data", medium, expected, text)
            else:
                self._refuse("asset-name", position, "/data", uri, "the image's address", text)
            return
        self.rows.add_asset(name, uri)
        self.rows.losses["draft"] += len(task.drafts or ())
        for state, class_, reason in facts.states_of(task):
            self.rows.states.add(name, state, class_=class_, reason=reason)
        if not task.answers and task.ours is None:
            self.rows.roster.append((name, None, Presence.PENDING.value, None, None, None))
        for answer in task.answers:
            self._annotation(answer, name, position, is_ours=task.ours is not None)
        for prediction in task.predictions or ():
            if isinstance(prediction, Answer):
                self._labels_of(prediction, name, position, is_model=True)
            else:
                self.rows.losses["prediction-id-only"] += 1

    def _annotation(self, answer: Answer, asset: str, position: int, *, is_ours: bool) -> None:
        key = None if answer.id is None else str(answer.id)
        if answer.id is not None and answer.id in self._seen:
            text = msgspec.json.encode(answer).decode()
            told, path = "an id of its own", "/annotations/id"
            self._refuse("duplicate-id", position, path, answer.id, told, text, asset, key)
            return
        self._seen.add(answer.id)
        self.rows.losses["history"] += len(answer.history or ())
        found: list[Region] = []
        if answer.is_skipped:
            self.rows.losses["cancelled-region"] += len(answer.rows)
            presence = Presence.SKIPPED
        else:
            found = self._labels_of(answer, asset, position, is_model=False)
            presence = Presence.LABELLED if answer.rows else Presence.EMPTY
        if not found:
            self.rows.losses["review"] += len(answer.reviews or ())
        person = facts.author(answer, found[0] if found else None) or self._fallback
        if person is not None or not is_ours:
            at = self._moment(facts.labelled_text(answer))
            self.rows.roster.append((asset, person, presence.value, key, at, answer.lead_time))

    def _labels_of(
        self, answer: Answer, asset: str, position: int, *, is_model: bool
    ) -> list[Region]:
        prefix = "p" if is_model else ""
        key = None if answer.id is None else f"{prefix}{answer.id}"
        # what overflows is refused with whatever is not finite
        with np.errstate(over="ignore", invalid="ignore"):
            found, problems = regions.regions(answer.rows, lambda: self._size_of(asset))
        for problem in problems:
            if problem.is_loss:
                self.rows.losses[problem.rule] += 1
                continue
            self._refuse(
                problem.rule,
                position,
                problem.path,
                problem.value,
                problem.expected,
                problem.text,
                asset,
                _source_id(key, problem.region),
            )
        told = answer.created_at if is_model else facts.labelled_text(answer)
        at = self._moment(told) if is_model else moment(told)
        people = (facts.handle(answer.last_created_by), facts.handle(answer.updated_by))
        for region in found:
            if region.size is not None:
                self.rows.learn(asset, region.size)
            self._label(region, answer, asset, position, key, at, people, is_model=is_model)
        return found

    def _label(
        self,
        region: Region,
        answer: Answer,
        asset: str,
        position: int,
        key: str | None,
        at: object,
        people: tuple[str | None, str | None],
        *,
        is_model: bool,
    ) -> None:
        author = facts.author(answer, region) or self._fallback
        if is_model:
            author = facts.text(region.ours, "annotator") or answer.model_version or facts.MODEL
        if region.ours and (is_model or at is None or answer.lineage is not None):
            at = moment(region.ours.get("labelled_at")) or at
        extra = facts.extra_of(answer, region)
        score = answer.score if region.score is None and is_model else region.score
        self.rows.labels.append(
            (
                asset,
                author,
                region.class_,
                region.kind.value,
                *(_NO_HULL if region.kind is Kind.CLASS else region.hull),
                region.geometry,
                canonical(region.attributes) if region.attributes else "{}",
                facts.origin_of(answer, region, is_model=is_model).value,
                _source_id(key, region.id),
                at,
                *people,
                answer.lead_time,
                score,
                canonical(extra) if extra else None,
                position,
                facts.annotation_of(region),
            )
        )

    def _moment(self, text: str | None) -> object:
        found = moment(text)
        if text is not None and found is None:
            self.rows.losses["naive-time"] += 1
        return found

    def _stranger(self, task: Task, position: int) -> BadInput:
        what, hint = "elements of another file", "check --format"
        if task.action is not None:
            what = f"webhook events ({task.action} ...)"
            hint = "events tell what happened, not what stands: export the project as JSON"
        elif task.annotation_id is not None:
            what = "rows of JSON-MIN, which has lost region ids, origins and skipped tasks"
            hint = "export as JSON (not JSON-MIN) from Label Studio"
        return BadInput(
            "wrong-shape",
            f"found {what}, expected tasks with data and annotations",
            hint=hint,
            where=f"{self._path}: task {position}",
        )

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
            path=path or "/",
            value=value,
            expected=expected,
            label=label,
            asset=asset,
            annotation=annotation,
        )


def _source_id(key: str | None, region: str | None) -> str | None:
    return None if key is None or region is None else f"{key}/{region}"
