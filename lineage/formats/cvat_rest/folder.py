"""What the server answered, typed: jobs, tasks, labels, frames, issues, and annotations job by job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from lineage.errors import BadInput

T = TypeVar("T")


class User(msgspec.Struct):
    """A person, as CVAT refers to one."""

    username: str


class Job(msgspec.Struct):
    """A job: frames of a task, a stage and a state."""

    id: int
    task_id: int
    stage: str
    state: str
    start_frame: int
    stop_frame: int
    type: str = "annotation"
    mode: str = "annotation"
    """``interpolation`` for videos."""
    assignee: User | None = None
    updated_date: str | None = None

    @property
    def is_ground_truth(self) -> bool:
        """Whether its shapes say what is right."""
        return self.type == "ground_truth"


class Task(msgspec.Struct):
    """A task."""

    id: int
    owner: User | None = None
    assignee: User | None = None
    subset: str = ""


class Attribute(msgspec.Struct):
    """An attribute that a label declares."""

    id: int
    name: str
    input_type: str = "text"


class Sublabel(msgspec.Struct):
    """A point of a skeleton."""

    id: int
    name: str
    attributes: list[Attribute] = []


class Label(Sublabel):
    """A class."""

    sublabels: list[Sublabel] = []


class Image(msgspec.Struct):
    """A frame's image."""

    name: str
    width: int | None = None
    height: int | None = None


class Meta(msgspec.Struct):
    """A task's images, by frame; of a video one entry for all."""

    frames: list[Image] = []


class Issue(msgspec.Struct):
    """A reviewer's remark on a place of a frame."""

    id: int
    job: int
    frame: int
    position: list[float] = []
    owner: User | None = None
    resolved: bool = False
    created_date: str | None = None


class Comment(msgspec.Struct):
    """What somebody wrote under an issue."""

    id: int
    issue: int
    message: str
    owner: User | None = None
    created_date: str | None = None


class Value(msgspec.Struct):
    """An attribute's value."""

    spec_id: int
    value: str


class Drawn(msgspec.Struct):
    """A tag, a shape, an element of a skeleton, or what a track's shapes share."""

    frame: int
    id: int | None = None
    label_id: int | None = None
    type: str = "tag"
    points: list[float] = []
    rotation: float = 0.0
    occluded: bool = False
    outside: bool = False
    z_order: int = 0
    group: int | None = None
    source: str = "manual"
    attributes: list[Value] = []
    elements: list[Drawn] = []
    shapes: list[Drawn] = []


class Annotations(msgspec.Struct):
    """A job's annotations, each as its bytes until it is looked at."""

    tags: list[msgspec.Raw] = []
    shapes: list[msgspec.Raw] = []
    tracks: list[msgspec.Raw] = []


class _Page(msgspec.Struct):
    results: list[msgspec.Raw]


class _Whole(msgspec.Struct):
    job: dict[str, msgspec.Raw] | None = None


class Folder:
    """The folder; small answers are held, annotations are decoded job by job.

    Parameters
    ----------
    path
        The folder.

    Raises
    ------
    BadInput
        ``cvat-rest-folder``: a file by itself, or one that has to be there is not;
        ``unreadable-json``, ``wrong-shape``.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise BadInput(
                "cvat-rest-folder",
                f"{path.name} is one of CVAT's REST answers, expected the folder with jobs, tasks, "
                "labels and annotations",
                hint="name the folder that it stands in",
                where=str(path),
            )
        self.path = path
        self.jobs = sorted(self._page("jobs", Job), key=lambda job: job.id)
        self.tasks = {task.id: task for task in self._page("tasks", Task)}
        self.labels = {label.id: label for label in self._page("labels", Label)}
        self.issues = sorted(self._page("issues", Issue, is_needed=False), key=lambda one: one.id)
        self.comments = sorted(
            self._page("comments", Comment, is_needed=False), key=lambda one: one.id
        )
        self.frames: Mapping[int, Meta] = {}
        if (path / "frames.json").is_file():
            self.frames = self._decoded(path / "frames.json", dict[int, Meta])

    def annotations(self) -> Iterator[tuple[Job, Annotations | None]]:
        """Yield every job with its annotations; None where the folder has none of it."""
        path = self.path / "annotations.json"
        by_job = self._decoded(self._needed(path), _Whole).job
        if by_job is None:
            raise BadInput(
                "wrong-shape",
                'no annotations by job, expected {"job": {ID: ...}}: a task\'s repeat those of its jobs '
                "and name no job",
                hint="docs/formats.md says how to fetch them",
                where=str(path),
            )
        for job in self.jobs:
            raw = by_job.get(str(job.id))
            yield job, None if raw is None else self._converted(raw, Annotations, path)

    def _page(self, name: str, kind: type[T], *, is_needed: bool = True) -> list[T]:
        path = self.path / f"{name}.json"
        if not is_needed and not path.is_file():
            return []
        page = self._decoded(self._needed(path), _Page)
        return [self._converted(raw, kind, path) for raw in page.results]

    def _needed(self, path: Path) -> Path:
        if not path.is_file():
            raise BadInput(
                "cvat-rest-folder",
                f"no {path.name} among CVAT's REST answers in {self.path.name}",
                hint="docs/formats.md says what belongs into the folder",
                where=str(self.path),
            )
        return path

    def _decoded(self, path: Path, kind: type[T]) -> T:
        return self._converted(path.read_bytes(), kind, path)

    def _converted(self, raw: bytes | msgspec.Raw, kind: type[T], path: Path) -> T:
        try:
            return msgspec.json.decode(raw, type=kind)
        except msgspec.ValidationError as exc:
            raise BadInput(
                "wrong-shape",
                f"{exc}, expected what CVAT's server answers",
                hint="docs/formats.md says how to fetch it",
                where=str(path),
            ) from exc
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise BadInput(
                "unreadable-json", f"no JSON: {exc}", hint="fetch it again", where=str(path)
            ) from exc
