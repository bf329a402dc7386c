"""What an answer says besides its shapes: who, when, how; and what `write` said before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from lineage.formats.label_studio.elements import Answer, Person, Task
from lineage.formats.label_studio.regions import Region
from lineage.formats.mentions import mention
from lineage.terms import Completeness, Origin

MODEL = "model"
"""Who made predictions, where the export does not name the model."""

SKIP_REASON = "cancelled in Label Studio"
_IN_COLUMNS = frozenset({"annotation", "annotator", "labelled_at", "origin"})
_OF_REVIEW = ("accepted", "created_at", "comment")
_ORIGINS = {origin.value: origin for origin in Origin}
_STATES = {state.value: state for state in Completeness}
_MOST_ANNOTATIONS = 1 << 63


def handle(person: Person) -> str | None:
    """Return a person's handle: by e-mail where there is one."""
    if isinstance(person, dict):
        found = person.get("email") or person.get("username") or person.get("id")
        return None if found is None else str(found)
    return None if person is None or person == "" else str(person)


def author(answer: Answer, region: Region | None) -> str | None:
    """Return who answered: whom the tool names, else whom `write` named."""
    told = handle(answer.completed_by) or text(answer.lineage or {}, "annotator")
    return told or (None if region is None else text(region.ours, "annotator"))


def labelled_text(answer: Answer) -> str | None:
    """Return when the annotator worked, as text."""
    # somebody else's later edit does not move the moment at which the annotator worked
    editor = _key(answer.updated_by)
    if editor is not None and editor != _key(answer.completed_by):
        return answer.created_at or answer.updated_at
    return answer.updated_at or answer.created_at


def origin_of(answer: Answer, region: Region, *, is_model: bool) -> Origin:
    """Return how a label came to be.

    What `write` said of it stands, unless somebody has worked on it in the tool since; nobody
    can work on a prediction.
    """
    told = _ORIGINS.get(text(region.ours, "origin") or "")
    if is_model:
        return told or Origin.MODEL
    if answer.ground_truth:
        return Origin.GROUND_TRUTH
    return Origin.ASSISTED if region.is_assisted else told or Origin.HUMAN


def annotation_of(region: Region) -> int | None:
    """Return the ledger's own number of a label that it wrote."""
    number = region.ours.get("annotation")
    if isinstance(number, bool) or not isinstance(number, int):
        return None
    return number if 0 < number < _MOST_ANNOTATIONS else None


def extra_of(answer: Answer, region: Region) -> dict[str, object]:
    """Return what has no column."""
    found = dict(region.extra)
    for name in ("parent_annotation", "parent_prediction"):
        if getattr(answer, name) is not None:
            found[name] = getattr(answer, name)
    if answer.reviews:
        found["reviews"] = [_review(review) for review in answer.reviews]
    rest = {name: value for name, value in region.ours.items() if name not in _IN_COLUMNS}
    return found | ({"lineage": rest} if rest else {})


def states_of(task: Task) -> Iterator[tuple[Completeness, str | None, str | None]]:
    """Yield how far an image is: state, class (None for all) and reason.

    Of a file that `write` made and nobody has touched, what the ledger knew then.
    """
    if task.ours is not None:
        told = task.ours.get("completeness")
        for row in told if isinstance(told, list) else ():
            state = _STATES.get(text(row, "state") or "") if isinstance(row, dict) else None
            if state is not None:
                yield state, text(row, "class"), text(row, "reason")
        return
    state = _state(task)
    yield state, None, SKIP_REASON if state is Completeness.SKIPPED else None


def text(document: Mapping[str, object], name: str) -> str | None:
    """Return the text under a name, None where there is none."""
    found = document.get(name)
    return found if isinstance(found, str) and found else None


def _state(task: Task) -> Completeness:
    if not task.answers:
        return Completeness.IN_PROGRESS if task.drafts else Completeness.NOT_STARTED
    given = [answer for answer in task.answers if not answer.is_skipped]
    if not given:
        return Completeness.SKIPPED
    if any(answer.rows for answer in given):
        return Completeness.COMPLETE
    # somebody is at work on an image that another called empty
    return Completeness.IN_PROGRESS if task.drafts else Completeness.COMPLETE_EMPTY


def _review(review: object) -> object:
    if not isinstance(review, dict):
        return review
    found = {name: review[name] for name in _OF_REVIEW if review.get(name) is not None}
    person = handle(cast(Person, review.get("created_by")))
    return found | ({} if person is None else {"created_by": mention(person)})


def _key(person: Person) -> object:
    return person.get("id") if isinstance(person, dict) else person
