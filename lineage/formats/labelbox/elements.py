"""A Labelbox export's elements as `msgspec` types; everything but the essentials may be missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import cast

import msgspec

from lineage.formats.json_stream import Odd, converted

Person = str | dict[str, object] | None
Json = dict[str, object]


class Point(msgspec.Struct, gc=False):
    """A point, px."""

    x: float
    y: float


class Box(msgspec.Struct, gc=False):
    """A rectangle, px."""

    left: float
    top: float
    width: float
    height: float


class Answer(msgspec.Struct, omit_defaults=True, gc=False):
    """A chosen option, with the questions that it raised."""

    name: str | None = None
    value: str | None = None
    feature_id: str | None = None
    feature_schema_id: str | None = None
    classifications: list[Classification] = []


class Text(msgspec.Struct, omit_defaults=True, gc=False):
    """Free text."""

    content: str | None = None


class Classification(msgspec.Struct, omit_defaults=True, gc=False):
    """A question and its answer."""

    name: str | None = None
    value: str | None = None
    feature_id: str | None = None
    feature_schema_id: str | None = None
    radio_answer: Answer | None = None
    checklist_answers: list[Answer] | None = None
    text_answer: Text | None = None

    @property
    def question(self) -> str:
        """What was asked, as people see it."""
        return self.name or self.value or ""


class Object(msgspec.Struct, omit_defaults=True, gc=False):
    """A shape."""

    name: str | None = None
    value: str | None = None
    feature_id: str | None = None
    feature_schema_id: str | None = None
    annotation_kind: str | None = None
    classifications: list[Classification] = []
    bounding_box: Box | None = None
    polygon: list[Point] | None = None
    line: list[Point] | None = None
    point: Point | None = None
    mask: Json | None = None
    composite_mask: Json | None = None
    confidence: float | None = None
    page_number: int | None = None


class Annotations(msgspec.Struct, gc=False):
    """What a label says: shapes, answers about the whole image, relations."""

    objects: list[Object] | dict[str, object] = []
    classifications: list[Classification] = []
    relationships: list[object] = []
    # what videos, documents in slices and conversations have besides
    frames: object = None
    segments: object = None
    groups: object = None


class Details(msgspec.Struct, gc=False):
    """Who and when."""

    created_by: Person = None
    created_at: str | None = None
    updated_at: str | None = None
    content_last_updated_at: str | None = None
    reviews: list[Json] = []


class Performance(msgspec.Struct, gc=False):
    """How long it took, and how it compares."""

    seconds_to_create: float | None = None
    seconds_to_review: float | None = None
    skipped: bool | None = None
    benchmark_reference_label: bool | str | None = None
    benchmark_score: float | None = None
    consensus_score: float | None = None
    consensus_label: bool | str | None = None
    consensus_label_count: int | None = None


class Label(msgspec.Struct, gc=False):
    """One person's, or one model's, work on one image."""

    id: str | None = None
    label_kind: str | None = None
    label_details: Details | None = None
    performance_details: Performance | None = None
    annotations: Annotations | None = None


class ProjectDetails(msgspec.Struct, gc=False):
    """Where an image stands in its project."""

    task_name: str | None = None
    batch_name: str | None = None
    workflow_status: str | None = None
    workflow_history: list[Json] = []


class Project(msgspec.Struct, gc=False):
    """An image's labels in one project."""

    name: str | None = None
    labels: list[Label] = []
    project_details: ProjectDetails | None = None


class Run(msgspec.Struct, gc=False):
    """A model's predictions, and the labels that it was compared with."""

    name: str | None = None
    labels: list[Label] = []
    predictions: list[Label] = []


class Experiment(msgspec.Struct, gc=False):
    """A model."""

    name: str | None = None
    runs: dict[str, Run] = {}


class DataRow(msgspec.Struct, omit_defaults=True, gc=False):
    """An image, by the names that it was given."""

    id: str | None = None
    external_id: str | None = None
    global_key: str | None = None
    row_data: str | None = None


class Media(msgspec.Struct, omit_defaults=True, gc=False):
    """What kind of file it is, and its size in px."""

    width: float | None = None
    height: float | None = None
    mime_type: str | None = None
    asset_type: str | None = None
    exif_rotation: str | int | None = None


class Row(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """An image with all its labels; or, in the older export, one label of it (`older`)."""

    data_row: DataRow | None = None
    media_attributes: Media | None = None
    projects: dict[str, Project] = {}
    experiments: dict[str, Experiment] = {}
    # the older export
    label_id: object = msgspec.field(default=None, name="ID")
    row_id: str | None = msgspec.field(default=None, name="DataRow ID")
    labeled_data: str | None = msgspec.field(default=None, name="Labeled Data")
    label: object = msgspec.field(default=None, name="Label")
    created_by: Person = msgspec.field(default=None, name="Created By")
    created_at: str | None = msgspec.field(default=None, name="Created At")
    updated_at: str | None = msgspec.field(default=None, name="Updated At")
    seconds_to_label: float | None = msgspec.field(default=None, name="Seconds to Label")
    seconds_to_create: float | None = msgspec.field(default=None, name="Seconds to Create")
    seconds_to_review: float | None = msgspec.field(default=None, name="Seconds to Review")
    external_id: str | None = msgspec.field(default=None, name="External ID")
    global_key: str | None = msgspec.field(default=None, name="Global Key")
    project_name: str | None = msgspec.field(default=None, name="Project Name")
    agreement: float | None = msgspec.field(default=None, name="Agreement")
    benchmark_agreement: float | None = msgspec.field(default=None, name="Benchmark Agreement")
    benchmark_id: str | None = msgspec.field(default=None, name="Benchmark ID")
    reviews: list[Json] = msgspec.field(default_factory=list, name="Reviews")
    is_skipped: bool | None = msgspec.field(default=None, name="Skipped")
    media: Json = msgspec.field(default_factory=dict, name="Media Attributes")
    media_type: str | None = None
    # payloads made for uploading have these
    upload: object = msgspec.field(default=None, name="dataRow")

    @property
    def is_older(self) -> bool:
        """Whether the row comes from export v1."""
        return self.data_row is None and (
            self.label_id is not None or self.labeled_data is not None
        )


def mended(odd: Odd) -> tuple[Row | None, list[tuple[str, str, Odd]]]:
    """Take the objects that do not fit their type out of a row, so that the others go in.

    Returns
    -------
    row
        What is left; None where that fits no better.
    list of tuple
        Of each object that was taken out: its place, its label's id, and itself.
    """
    document = json.loads(odd.text)
    removed: list[tuple[str, str, Odd]] = []
    for path, key, objects in _object_lists(document):
        kept = []
        for at, given in enumerate(objects):
            found = converted(given, Object)
            if isinstance(found, Odd):
                removed.append((f"{path}/{at}", key, found))
            else:
                kept.append(given)
        objects[:] = kept
    row = converted(document, Row)
    return (None, []) if isinstance(row, Odd) else (row, removed)


def _object_lists(document: object) -> Iterator[tuple[str, str, list[object]]]:
    if not isinstance(document, dict):
        return
    for key, project in _items(document.get("projects")):
        labels = project.get("labels") if isinstance(project, dict) else None
        for at, label in enumerate(labels if isinstance(labels, list) else ()):
            annotations = label.get("annotations") if isinstance(label, dict) else None
            objects = annotations.get("objects") if isinstance(annotations, dict) else None
            if isinstance(objects, list):
                path = f"/projects/{key}/labels/{at}/annotations/objects"
                yield path, str(label.get("id")), objects


def _items(value: object) -> list[tuple[str, object]]:
    return list(cast(Json, value).items()) if isinstance(value, dict) else []
