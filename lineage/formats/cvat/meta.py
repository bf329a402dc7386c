"""What ``<meta>`` says: tasks, their people, and the labels with their attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lineage.formats.cvat.document import Element
from lineage.formats.names import moment
from lineage.terms import Completeness

_HOLDERS = ("task", "job", "project")
_STATES = {
    "new": Completeness.NOT_STARTED,
    "in progress": Completeness.IN_PROGRESS,
    "in_progress": Completeness.IN_PROGRESS,
    "rejected": Completeness.IN_PROGRESS,
    "validation": Completeness.IN_PROGRESS,
    "completed": Completeness.COMPLETE,
}
"""The tool's words for the state of a job and the status of a task; ``annotation`` is what a task is from the start."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task, or a job that was exported alone.

    Parameters
    ----------
    name
        Empty where the export has none (jobs).
    assignee, owner
        Handles; None where the export names nobody.
    state
        How far all its images are, `COMPLETE` whether or not they have shapes; None where the
        export does not say.
    updated_at
        When it was last changed; None where the export does not say, or not in an aware time.
    width, height
        Of a video's frames, px.
    """

    name: str
    assignee: str | None
    owner: str | None
    state: Completeness | None
    updated_at: datetime | None
    width: str | None
    height: str | None


@dataclass(frozen=True, slots=True)
class Meta:
    """A file's ``<meta>``.

    Parameters
    ----------
    tasks
        By id.
    inputs
        Input types of attributes, by (skeleton or empty, label).
    parts
        Names of a skeleton's points in order, by skeleton.
    source
        The video's file, empty for images.
    """

    tasks: Mapping[str, Task] = field(default_factory=dict)
    inputs: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    source: str = ""

    def task_of(self, task_id: str | None) -> Task | None:
        """Return the task of an image: the one it names, or the file's only one."""
        if task_id is not None and task_id in self.tasks:
            return self.tasks[task_id]
        return next(iter(self.tasks.values())) if len(self.tasks) == 1 else None


def meta_from_element(element: Element) -> Meta:
    """Read ``<meta>``."""
    tasks: dict[str, Task] = {}
    inputs: dict[tuple[str, str], Mapping[str, str]] = {}
    parts: dict[str, tuple[str, ...]] = {}
    for holder in element.children:
        if holder.tag not in _HOLDERS:
            continue
        if holder.tag == "project":
            listed = holder.child("tasks")
            found = (
                [] if listed is None else [task for task in listed.children if task.tag == "task"]
            )
        else:
            found = [holder]
        for task in found:
            # an id may be missing in a file written by hand, and must not hide another task then
            tasks[task.word("id") or f"#{len(tasks)}"] = _task(task)
        for label in _labels(holder):
            # names are taken to the letter, as shapes repeat them
            parent, name = label.text_of("parent"), label.text_of("name")
            inputs[parent, name] = _inputs(label)
            if parent:
                parts[parent] = (*parts.get(parent, ()), name)
    return Meta(tasks, inputs, parts, element.word("source"))


def _task(element: Element) -> Task:
    size = element.child("original_size")
    return Task(
        name=element.word("name"),
        assignee=_handle(element.child("assignee")),
        owner=_handle(element.child("owner")),
        state=_state(element),
        updated_at=moment(element.word("updated") or None),
        width=None if size is None else size.word("width"),
        height=None if size is None else size.word("height"),
    )


def _state(element: Element) -> Completeness | None:
    words = (element.word("state"), element.word("status"))
    return next((_STATES[word] for word in map(str.lower, words) if word in _STATES), None)


def _handle(element: Element | None) -> str | None:
    if element is None:
        return None
    return element.word("username") or element.word("email") or element.text.strip() or None


def _labels(holder: Element) -> list[Element]:
    labels = holder.child("labels")
    return [] if labels is None else [label for label in labels.children if label.tag == "label"]


def _inputs(label: Element) -> Mapping[str, str]:
    declared = label.child("attributes")
    if declared is None:
        return {}
    return {entry.text_of("name"): entry.word("input_type") for entry in declared.children}
