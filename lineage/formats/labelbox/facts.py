"""What a label says besides its shapes: who, when, how well, and how far its image is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lineage.formats.labelbox.elements import Details, Json, Label, Performance, Person, Project
from lineage.formats.mentions import mention
from lineage.terms import Completeness, Origin

MODEL = "model"
"""Who made predictions, where the export does not name the model."""

SKIP_REASON = "skipped in Labelbox"
_NOT_STARTED, _DONE = "TO_LABEL", "DONE"
_PEOPLE = frozenset({"created_by", "reviewed_by", "updated_by", "assigned_to"})
_MODELS = ("model", "prediction")
_NO_DETAILS, _NO_PERFORMANCE = Details(), Performance()


@dataclass(frozen=True, slots=True)
class Told:
    """What holds for every shape and answer of one label.

    Parameters
    ----------
    annotator
        Handle; None where the export names nobody.
    origin
        As the export tells it.
    at
        When it was made, as text.
    lead_time_s
        How long it took.
    extra
        What has no column.
    """

    annotator: str | None
    origin: Origin
    at: str | None
    lead_time_s: float | None
    extra: Mapping[str, object]


def told_by(label: Label, about: Mapping[str, object], fallback: str | None) -> Told:
    """Read what a label of a project says.

    Parameters
    ----------
    label
        The label.
    about
        What its row and project say: goes into ``extra`` as it is.
    fallback
        The handle where the label names nobody.
    """
    details = label.label_details or _NO_DETAILS
    performance = label.performance_details or _NO_PERFORMANCE
    return Told(
        annotator=handle(details.created_by) or fallback,
        origin=_origin(label, performance),
        at=details.created_at,
        lead_time_s=performance.seconds_to_create,
        extra={**about, **_extra(label, details, performance)},
    )


def predicted_by(label: Label, model: str, about: Mapping[str, object]) -> Told:
    """Read what a prediction says."""
    details = label.label_details or _NO_DETAILS
    return Told(model, Origin.MODEL, details.created_at, None, {**about, "label": label.id})


def handle(person: Person) -> str | None:
    """Return a person's handle."""
    if isinstance(person, dict):
        person = next((p for k in ("email", "id") if isinstance(p := person.get(k), str)), None)
    return person or None


def about_project(project: Project) -> dict[str, object]:
    """Return what a project says of an image, as ``extra`` has it."""
    found: dict[str, object] = {"project": project.name} if project.name else {}
    details = project.project_details
    if details is None:
        return found
    for name in ("task_name", "batch_name", "workflow_status"):
        if (value := getattr(details, name)) is not None:
            found[name] = value
    if details.workflow_history:
        found["workflow_history"] = _with_mentions(details.workflow_history)
    return found


def is_skipped(label: Label) -> bool:
    """Tell whether the annotator skipped the image."""
    performance = label.performance_details
    return bool(performance is not None and performance.skipped)


def is_model(label: Label) -> bool:
    """Tell whether a label says that no person made it."""
    return any(word in (label.label_kind or "").lower() for word in _MODELS)


def is_empty(label: Label) -> bool:
    """Tell whether a label says that nothing is there."""
    found = label.annotations
    return found is None or not (found.objects or found.classifications)


def state_of(project: Project) -> Completeness | None:
    """Return how far an image is in a project; None where the project does not say.

    Without a workflow, a label that was handed in speaks for itself. Images that a
    workflow calls done and that have no label are nobody's answer.
    """
    labels = [label for label in project.labels if not is_model(label)]
    details = project.project_details
    workflow = None if details is None else details.workflow_status
    if labels and all(map(is_skipped, labels)):
        return Completeness.SKIPPED
    if workflow is not None and workflow.upper() not in (_NOT_STARTED, _DONE):
        return Completeness.IN_PROGRESS
    if not labels:
        is_done = workflow is not None and workflow.upper() == _DONE
        return None if is_done else Completeness.NOT_STARTED
    if workflow is not None and workflow.upper() == _NOT_STARTED:
        return Completeness.IN_PROGRESS
    if all(is_skipped(label) or is_empty(label) for label in labels):
        return Completeness.COMPLETE_EMPTY
    return Completeness.COMPLETE


def state_in_all(states: Iterable[Completeness | None]) -> Completeness | None:
    """Return how far an image is that stands in several projects: done if it is done in each."""
    found = {state for state in states if state is not None}
    if len(found) < 2:
        return next(iter(found), None)
    if found == {Completeness.COMPLETE, Completeness.COMPLETE_EMPTY}:
        return Completeness.COMPLETE
    return Completeness.IN_PROGRESS


def _origin(label: Label, performance: Performance) -> Origin:
    reference = performance.benchmark_reference_label
    if reference is True or (isinstance(reference, str) and reference == label.id):
        return Origin.GROUND_TRUTH
    return Origin.MODEL if is_model(label) else Origin.HUMAN


def _extra(label: Label, details: Details, performance: Performance) -> dict[str, object]:
    found: dict[str, object] = {
        "label": label.id,
        "updated_at": details.updated_at,
        "content_last_updated_at": details.content_last_updated_at,
        "reviews": _with_mentions(details.reviews) or None,
        "seconds_to_review": performance.seconds_to_review,
        "benchmark_score": performance.benchmark_score,
        "benchmark": _benchmark(performance),
        "consensus_score": performance.consensus_score,
        "consensus_label": performance.consensus_label,
        "consensus_label_count": performance.consensus_label_count,
    }
    if label.label_kind not in (None, "Default"):
        found["label_kind"] = label.label_kind
    return {name: value for name, value in found.items() if value is not None}


def _benchmark(performance: Performance) -> str | None:
    reference = performance.benchmark_reference_label
    return reference if isinstance(reference, str) else None


def _with_mentions(entries: Sequence[Json]) -> list[Json]:
    for entry in entries:
        for name in _PEOPLE & entry.keys():
            value = entry[name]
            found = handle(value) if isinstance(value, (str, dict)) else None
            # the entry is this label's own: nobody else sees it
            entry[name] = None if found is None else mention(found)
    return list(entries)
