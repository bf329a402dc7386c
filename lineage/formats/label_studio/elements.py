"""A Label Studio export's elements as `msgspec` types; everything but the essentials may be missing."""

from __future__ import annotations

import msgspec

Person = int | str | dict[str, object] | None


class Result(msgspec.Struct, gc=False):
    """One row of an answer: a shape, its label, an attribute of it, or a relation."""

    value: dict[str, object] | None = None
    type: str = ""
    id: str | int | None = None
    from_name: str | None = None
    to_name: str | None = None
    origin: str | None = None
    original_width: float | None = None
    original_height: float | None = None
    image_rotation: float | None = None
    score: float | None = None
    meta: dict[str, object] | None = None
    parentID: str | int | None = None  # noqa: N815 - the tool's own spelling
    hidden: bool | None = None


class Answer(msgspec.Struct, gc=False):
    """An annotation, or a prediction."""

    result: list[Result] | None = None
    id: int | str | None = None
    completed_by: Person = None
    was_cancelled: bool | None = None
    skipped: bool | None = None
    ground_truth: bool | None = None
    created_at: str | None = None
    updated_at: str | None = None
    lead_time: float | None = None
    updated_by: Person = None
    last_created_by: Person = None
    parent_annotation: int | str | None = None
    parent_prediction: int | str | None = None
    reviews: list[dict[str, object]] | None = None
    history: list[object] | None = None
    model_version: str | None = None
    score: float | None = None
    # what `write` says of an answer; the tool drops it
    lineage: dict[str, object] | None = None

    @property
    def rows(self) -> list[Result]:
        """What was answered."""
        return self.result or []

    @property
    def is_skipped(self) -> bool:
        """Whether the annotator skipped the task."""
        return bool(self.was_cancelled or self.skipped)


class Task(msgspec.Struct, gc=False):
    """An image and all that was said of it."""

    data: dict[str, object] | None = None
    id: int | str | None = None
    annotations: list[Answer] | None = None
    completions: list[Answer] | None = None
    predictions: list[Answer | int | str] | None = None
    drafts: list[object] | None = None
    meta: object = None
    created_at: str | None = None
    # only rows of a JSON-MIN export, and only webhook events have these
    annotation_id: int | None = None
    action: str | None = None

    @property
    def answers(self) -> list[Answer]:
        """The people's answers, under either of their names."""
        return self.annotations or self.completions or []

    @property
    def ours(self) -> dict[str, object] | None:
        """What `write` says of the image, if nobody has touched the task since.

        The tool keeps it, but dates every task.
        """
        told = self.meta.get("lineage") if isinstance(self.meta, dict) else None
        return told if isinstance(told, dict) and self.created_at is None else None
