"""Read CVAT's REST answers: job by job, every tag, shape and keyframe a row with its own id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from lineage.formats import Chunk, ReadOptions
from lineage.formats.cvat import attributes, shapes
from lineage.formats.cvat.read import MODEL, ORIGINS
from lineage.formats.cvat.rows import Rows, Told
from lineage.formats.cvat_rest.elements import element_of, keyframes
from lineage.formats.cvat_rest.folder import Drawn, Folder, Job, Label, Sublabel
from lineage.formats.names import asset_name, moment
from lineage.formats.refusals import Refusals
from lineage.terms import Completeness, Origin, Presence

_FILE = "annotations.json"
_STATES = {
    "new": Completeness.NOT_STARTED,
    "in progress": Completeness.IN_PROGRESS,
    "rejected": Completeness.IN_PROGRESS,
    "completed": Completeness.COMPLETE,
}


def read(path: Path, options: ReadOptions) -> Iterator[Chunk]:
    """Read a folder of CVAT's REST answers; see `lineage.formats` and this package.

    Raises
    ------
    BadInput
        ``cvat-rest-folder``, ``unreadable-json``, ``wrong-shape``: see `folder`.
    """
    whole = Folder(path)
    reading = _Reading(whole, options)
    for job, found in whole.annotations():
        if found is None:
            reading.rows.losses["job-without-annotations"] += 1
            continue
        for kind in ("tags", "shapes", "tracks"):
            for index, raw in enumerate(getattr(found, kind)):
                reading.take_in(job, kind, index, raw)
                if len(reading.rows) >= options.chunk_rows:
                    yield reading.rows.take()
        reading.close(job)
    yield reading.rows.take()


def source_id(kind: str, number: int | None, frame: int) -> str | None:
    """Return what a label is called: ids count tags, shapes and tracks apart, a track is many labels.

    Examples
    --------
    >>> source_id("shapes", 69, 0), source_id("tracks", 2, 6)
    ('shape-69', 'track-2@6')
    """
    if number is None:
        return None
    return f"{kind[:-1]}-{number}" + (f"@{frame}" if kind == "tracks" else "")


def named(whole: Folder, job: Job, frame: int) -> tuple[str, str | None, int | None, int | None]:
    """Return an image's name, address, width and height."""
    meta = whole.frames.get(job.task_id)
    plain = f"task_{job.task_id}/frame_{frame:06d}"
    if meta is None or not meta.frames:
        return plain, None, None, None
    if job.mode != "interpolation" and frame < len(meta.frames):
        image = meta.frames[frame]
        name = asset_name(image.name) or plain
        return name, image.name if name != image.name else None, image.width, image.height
    video = meta.frames[0]
    return plain, None, video.width, video.height


class _Reading:
    """What holds for a folder while its jobs go by."""

    def __init__(self, whole: Folder, options: ReadOptions) -> None:
        self.rows = Rows(Refusals(str(whole.path / _FILE)))
        self._whole = whole
        self._options = options
        self._position = -1
        self._drawn_on: set[int] = set()
        self._parts: dict[int, dict[int, Sublabel]] = {}
        self._names: dict[int, str] = {}
        self._inputs: dict[int, str] = {}
        for label in whole.labels.values():
            self._parts[label.id] = {part.id: part for part in label.sublabels}
            for declaring in (label, *label.sublabels):
                self._names |= {one.id: one.name for one in declaring.attributes}
                self._inputs |= {one.id: one.input_type for one in declaring.attributes}

    def take_in(self, job: Job, kind: str, index: int, raw: msgspec.Raw) -> None:
        """Read one tag, shape or track."""
        path = f"/job/{job.id}/{kind}/{index}"
        self._position += 1
        try:
            one = msgspec.json.decode(raw, type=Drawn)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            self._refuse("wrong-shape", path, exc, "a tag, shape or track", raw)
            return
        found = [one]
        if kind == "tracks":
            found, n_carried = keyframes(one)
            self.rows.losses.update({"carried-point": n_carried} if n_carried else {})
            hidden = sum(shape.outside for shape in one.shapes)
            self.rows.losses.update({"outside": hidden} if hidden else {})
        for drawn in found:
            self._label(job, kind, drawn, path, raw)

    def close(self, job: Job) -> None:
        """Say how far the images of a job are, and who found nothing there."""
        drawn_on, self._drawn_on = self._drawn_on, set()
        if job.is_ground_truth:
            # of which frames of its span the job is made is not told
            return
        state = _STATES.get(job.state)
        if job.stage != "annotation" and job.state != "rejected":
            state = Completeness.COMPLETE
        for frame in range(job.start_frame, job.stop_frame + 1):
            name, uri, width, height = named(self._whole, job, frame)
            self.rows.add_asset(name, uri, width, height)
            if state is None:
                self.rows.losses["unknown-state"] += frame not in drawn_on
            elif frame in drawn_on:
                is_new = state is Completeness.NOT_STARTED
                self.rows.states.add(name, Completeness.IN_PROGRESS if is_new else state)
            elif state is not Completeness.COMPLETE:
                self.rows.states.add(name, state)
            else:
                self.rows.states.add(name, Completeness.COMPLETE_EMPTY)
                person, basis = self._author(job)
                if person is not None and basis != "owner":
                    at = moment(job.updated_date)
                    self.rows.add_answer(name, person, Presence.EMPTY, at)

    def _label(self, job: Job, kind: str, drawn: Drawn, path: str, raw: msgspec.Raw) -> None:
        name, uri, width, height = named(self._whole, job, drawn.frame)
        label = self._whole.labels.get(drawn.label_id or 0)
        if label is None:
            self._refuse("unknown-label", f"{path}/label_id", drawn.label_id, "a label of labels.json", raw, name)  # fmt: skip
            return
        size = (width, height) if width and height else self._options.size_of(name)
        parts = self._parts[label.id]
        width_px, height_px = size or (None, None)
        frame = shapes.Frame(width_px, height_px, tuple(part.name for part in parts.values()))
        try:
            shape = shapes.shape_of(element_of(drawn, parts, self._names), frame)
        except shapes.Unreadable as exc:
            self._refuse(exc.rule, path + exc.path, exc.value, exc.expected, raw, name)
            return
        origin = ORIGINS.get(drawn.source.lower(), Origin.HUMAN)
        origin = Origin.GROUND_TRUTH if job.is_ground_truth else origin
        annotator, basis = self._author(job)
        if origin is Origin.MODEL:
            annotator, basis = MODEL, None
        self._drawn_on.add(drawn.frame)
        self.rows.add_asset(name, uri, width, height)
        self.rows.add_label(
            shape,
            Told(
                asset=name,
                annotator=annotator,
                class_=label.name,
                attributes=self._attributes(drawn, label),
                origin=origin.value,
                extra=_extra(job, kind, drawn, basis, shape.extra or {}),
                position=self._position,
                answered_at=moment(job.updated_date),
                source_id=source_id(kind, drawn.id, drawn.frame),
            ),
        )

    def _author(self, job: Job) -> tuple[str | None, str | None]:
        task = self._whole.tasks.get(job.task_id)
        if job.assignee is not None:
            return job.assignee.username, "assignee"
        if job.is_ground_truth:
            return None, None
        if task is not None and task.assignee is not None:
            return task.assignee.username, "task assignee"
        fallback = self._options.fallback_annotator(self._whole.path)
        if fallback is not None:
            return fallback, "flag"
        if task is not None and task.owner is not None:
            return task.owner.username, "owner"
        return None, None

    def _attributes(self, drawn: Drawn, label: Label) -> str:
        known = {one.id for one in label.attributes}
        unknown = sum(value.spec_id not in known for value in drawn.attributes)
        self.rows.losses.update({"unknown-attribute": unknown} if unknown else {})
        return attributes.dumps(
            {
                self._names[value.spec_id]: attributes.value_from_text(
                    value.value, self._inputs[value.spec_id]
                )
                for value in drawn.attributes
                if value.spec_id in known
            }
        )

    def _refuse(
        self,
        rule: str,
        path: str,
        value: object,
        expected: str,
        raw: msgspec.Raw,
        asset: str | None = None,
    ) -> None:
        self.rows.refusals.add(
            rule,
            position=self._position,
            path=path,
            value=value,
            expected=expected,
            label=bytes(raw).decode("utf-8", "replace"),
            asset=asset,
        )


def _extra(
    job: Job, kind: str, drawn: Drawn, basis: str | None, shape: Mapping[str, object]
) -> str:
    extra: dict[str, object] = {"job": job.id, "task_id": job.task_id, **shape}
    if basis is not None:
        extra["annotator_from"] = basis
    if kind == "tracks":
        extra |= {"track": drawn.id, "frame": drawn.frame}
    if drawn.occluded:
        extra["occluded"] = True
    if drawn.z_order:
        extra["z_order"] = drawn.z_order
    if drawn.group:
        extra["group_id"] = drawn.group
    if drawn.source != "manual":
        extra["source"] = drawn.source
    return attributes.dumps(extra)
