"""Review: which labels of a batch are checked blind, and by whom.

Images are drawn, for a reviewer answers for an image whole and all labels on it
are judged: an image has the greatest chance that any of its labels is due by class,
annotator and what a model says. It is drawn where its permanent random number lies
below; so a later draw with greater chances adds to the earlier one, and never draws again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lineage.activities import batches, packets, position, review_only, schemas, trace
from lineage.activities.context import Project
from lineage.activities.finalize_history import inspections
from lineage.activities.record import Outcome, SourceFile, recording, source_file
from lineage.activities.review_assign import Assigned, assigned
from lineage.activities.review_frame import Frame, frame_of
from lineage.activities.review_log import Drawn, answers_tag, drawn_of
from lineage.activities.review_model import flagged, predictions
from lineage.activities.review_packets import packet_key
from lineage.activities.review_plan import Fractions, fractions_of, rare_classes
from lineage.activities.review_record import record
from lineage.activities.trace import Choice
from lineage.calc import sampling
from lineage.calc.plans import ANNOTATOR_LEAST, CLASS_LEAST, MEAN_RATE
from lineage.errors import BadInput, NotFound, Refused
from lineage.store.read import BatchRow
from lineage.terms import ActivityKind, BatchKind, BatchState, DrawReason, SchemaState, Stage

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ReviewOrder:
    """What is to be drawn.

    Parameters
    ----------
    batch
        Whose labels.
    people
        Who is asked, by handle or pseudonym.
    fraction
        Of the labels; None for the batch's policy, or 5 % where it says nothing.
    factor
        By which the fraction is multiplied, besides what the switching rules say of each annotator.
    floor, floor_annotator
        Labels of every class, and of every annotator, that are checked at least.
    model
        File of predictions, see `review_model.predictions`.
    is_again
        Judge approvals in turn: labels that are final.
    shows_labels
        Reviewers are shown the labels: they correct them, and what they say is no estimate of anything.
    only
        CSV file of the annotations to draw, and no others: not by chance, so no estimate of the batch.
    """

    batch: str
    people: Sequence[str] = ()
    fraction: float | None = None
    factor: float = 1.0
    floor: int = CLASS_LEAST
    floor_annotator: int = ANNOTATOR_LEAST
    model: Path | None = None
    is_again: bool = False
    shows_labels: bool = False
    only: Path | None = None


@dataclass(frozen=True, slots=True)
class ReviewDraw:
    """What was drawn; ``activity`` and ``draw`` are None where nothing was written.

    Parameters
    ----------
    activity, draw
        What is on record.
    batch, answers
        Tags of the batch, and of the one into which the answers come.
    fraction
        What was asked for, its factor counted in.
    n_labels, n_images
        What may be drawn or was drawn.
    n_labels_planned, n_images_planned
        How many the plan draws of them on average.
    n_drawn, n_images_drawn
        Labels and images that are newly drawn.
    n_known
        Labels that were drawn before.
    by_class
        Rows ``class n n_planned half_width seen_fraction detected_fraction``, of `plans.Prospect`.
    inspections
        Rows ``annotator rate_factor``, of annotators whose inspection is tightened or reduced.
    people
        Rows ``annotator n_eligible n_images n_labels``.
    """

    activity: str | None
    draw: str | None
    batch: str
    answers: str
    fraction: float
    n_labels: int
    n_images: int
    n_labels_planned: float
    n_images_planned: float
    n_drawn: int
    n_images_drawn: int
    n_known: int
    by_class: Sequence[Row]
    inspections: Sequence[Row]
    people: Sequence[Row]


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The frame, the chance of each row, which rows are new, and of what was drawn the raised chances."""

    frame: Frame
    plan: Fractions
    factors: Mapping[str, float]
    new: np.ndarray
    raised: Drawn
    key: bytes


def review_key(project: Project, batch: str, n_again: int = 0) -> bytes:
    """Return the key of a batch's permanent random numbers.

    Parameters
    ----------
    project
        An open project.
    batch
        Its tag.
    n_again
        Number of the round in which approvals are judged in turn; 0 for the first check.
    """
    purpose = f"review {batch}" + (f" again {n_again}" if n_again else "")
    return sampling.derived(packets.secret(project), purpose)


def draw(
    project: Project, order: ReviewOrder, *, is_explained: bool = False, is_rehearsal: bool = False
) -> ReviewDraw:
    """Draw labels of a batch for a blind check, and give each image to one reviewer.

    Parameters
    ----------
    project
        An open project.
    order
        What is to be drawn.
    is_explained
        Only say what the plan costs and shows; nobody needs to be named.
    is_rehearsal
        Write nothing.

    Raises
    ------
    BadInput
        ``review-order``: fractions and numbers that make no sense; ``predictions``, ``no-such-file``.
    NotFound
        ``no-batch``, ``no-annotator``, ``no-asset``.
    Refused
        ``review-nothing``: no label waits for review; ``review-nobody``: some images were seen by all who
        are asked; ``batch-closed``.
    """
    row = batches.get(project, order.batch)
    fraction = _fraction(row, order)
    _check(order, fraction, needs_people=not is_explained)
    _refuse_closed(project, order.batch)
    people = _people(project, order.people)
    seq = position.resolve(project, None)
    before = drawn_of(project, order.batch, seq)
    n_again = len(set(before.draw[before.is_again])) + 1 if order.is_again else 0
    known = before.take(np.flatnonzero(~before.is_again & (not order.is_again)))
    chosen = _chosen(project, order, fraction, known, seq, n_again)
    if is_explained:
        return _told(order, fraction, chosen, known, Assigned.nobody())
    given = assigned(project, chosen.frame, chosen.new, people, before, known, seq)
    if is_rehearsal or (len(chosen.new) == 0 and len(chosen.raised) == 0):
        return _told(order, fraction, chosen, known, given)
    answers_batch(project, row)
    done = Outcome()
    with recording(
        project,
        ActivityKind.DRAW,
        parameters=_parameters(order, fraction, chosen, packet_key(project, order.batch)),
        batch=order.batch,
        sources=_sources(project, order),
        outcome=done,
    ) as activity:
        record(
            activity,
            answers_tag(order.batch),
            chosen.frame,
            chosen.new,
            chosen.plan.of_row,
            chosen.raised,
            given,
        )
    return _told(order, fraction, chosen, known, given, done)


def _people(project: Project, names: Sequence[str]) -> tuple[str, ...]:
    """Return pseudonyms; who is new is known by a mail address until the draw is on record."""
    found: list[str] = []
    for name in names:
        try:
            found += trace.selector_of(project, Choice(annotator=(name,))).annotators
        except NotFound:
            # only a mail address is the same person in every tool
            if "@" not in name:
                raise
            found.append(name.lower())
    return tuple(dict.fromkeys(found))


def _fraction(row: BatchRow, order: ReviewOrder) -> float:
    if order.fraction is not None:
        return order.fraction * order.factor
    policy = batches.policy_of(row)["review_fraction"]
    return (policy or MEAN_RATE) * order.factor


def _check(order: ReviewOrder, fraction: float, *, needs_people: bool) -> None:
    problems = []
    if not 0 < fraction <= 1:
        problems.append(f"a fraction of {fraction:g}, expected more than 0, at most 1")
    if order.floor < 0 or order.floor_annotator < 0:
        problems.append("a floor below 0")
    if order.only is not None and (order.model is not None or not needs_people):
        problems.append("a file of labels beside a model or --explain: nothing is left to chance")
    if needs_people and not order.people:
        problems.append("nobody to ask, expected --for NAME")
    if problems:
        raise BadInput("review-order", "; ".join(problems))


def _refuse_closed(project: Project, batch: str) -> None:
    own = [one for one in batches.list_all(project) if one.tag == answers_tag(batch)]
    if own and own[0].state == BatchState.CLOSED:
        raise Refused(
            "batch-closed",
            f"batch {answers_tag(batch)} is closed, and the answers would come into it",
        )


def _chosen(
    project: Project, order: ReviewOrder, fraction: float, known: Drawn, seq: int, n_again: int
) -> _Chosen:
    frame = frame_of(project, order.batch, seq, known, is_again=order.is_again)
    if len(frame.revision) == 0:
        wanted = Stage.FINAL if order.is_again else Stage.SUBMITTED
        raise Refused(
            "review-nothing",
            f"batch {order.batch} has no label at stage {wanted.value}",
            hint="lineage review draw --again judges approvals in turn"
            if not order.is_again
            else f"lineage review draw --batch {order.batch}",
        )
    if order.only is not None:
        return _named(project, order, order.only, frame, known, seq, n_again)
    if order.model is not None:
        rare = rare_classes(frame, fraction, order.floor)
        frame.flag[:] = flagged(frame, predictions(project, order.model), rare)
    # what was sent back with its lot is with a reviewer, and chance did not choose it
    by_chance = known.take(np.flatnonzero(~known.is_sent_back))
    factors = {
        name: one.rate_factor
        for name, one in sorted(inspections(project, seq).items())
        if name in frame.people and one.rate_factor != 1
    }
    plan = fractions_of(
        frame,
        fraction,
        floor=order.floor,
        floor_annotator=order.floor_annotator,
        known=by_chance,
        factors=factors,
    )
    key = review_key(project, order.batch, n_again)
    images, at = np.unique(frame.asset, return_inverse=True)
    is_drawn = (sampling.fractions(images, key) < plan.of_image)[at]
    new = np.flatnonzero(
        is_drawn & frame.is_open & ~np.isin(frame.revision, known.revision[known.revision > 0])
    )
    return _Chosen(frame, plan, factors, new, _raised(by_chance, images, plan.of_image), key)


def _named(
    project: Project, order: ReviewOrder, path: Path, frame: Frame, known: Drawn, seq: int, n_again: int
) -> _Chosen:  # fmt: skip
    """Choose the labels that a file names, as far as they wait for review."""
    wanted = review_only.named_in(path)
    is_named = review_only.rows_of(project, frame, wanted, seq)
    is_known = np.isin(frame.revision, known.revision[known.revision > 0])
    new = np.flatnonzero(is_named & frame.is_open & ~is_known)
    if len(new) == 0:
        raise Refused(
            "review-nothing",
            f"of {len(wanted):,} labels that {path} names, none waits for review in batch {order.batch}; "
            f"{int((is_named & is_known).sum()):,} were drawn before",
            hint="lineage review draw --again takes labels that are final",
        )
    key = review_key(project, order.batch, n_again)
    nobody = known.take(np.zeros(0, np.int64))
    return _Chosen(frame, review_only.certain(frame, new), {}, new, nobody, key)


def _raised(known: Drawn, images: np.ndarray, chance: np.ndarray) -> Drawn:
    """Return what was drawn before and has a greater chance now."""
    if len(images) == 0 or len(known) == 0:
        return known.take(np.zeros(0, np.int64))
    at = np.minimum(np.searchsorted(images, known.asset), len(images) - 1)
    now = np.where(images[at] == known.asset, chance[at], known.fraction)
    rows = np.flatnonzero(now > known.fraction)
    found = known.take(rows)
    found.fraction[:] = now[rows]
    return found


def answers_batch(project: Project, row: BatchRow) -> None:
    """Create the batch into which the blind answers of a batch come, where it is missing."""
    tag = answers_tag(row.tag)
    if any(one.tag == tag for one in batches.list_all(project)):
        return
    # a draft schema takes answers from pilots only
    is_draft = schemas.get(project, row.schema).state == SchemaState.DRAFT
    kind = BatchKind.PILOT if is_draft else BatchKind.ARCHIVE
    batches.create(project, batches.BatchOrder(tag, row.task, row.schema, kind))


def _parameters(
    order: ReviewOrder, fraction: float, chosen: _Chosen, packet_key: bytes
) -> dict[str, object]:
    return {
        "reason": DrawReason.REVIEW,
        "batch": order.batch,
        "fraction": fraction,
        "factor": order.factor,
        "factors": dict(chosen.factors),
        "floor": order.floor,
        "floor_annotator": order.floor_annotator,
        "is_again": order.is_again,
        "shows_labels": order.shows_labels,
        **({} if order.only is None else {"is_only": True}),
        "n": len(chosen.new),
        "key": sampling.key_name(chosen.key),
        "packet_key": sampling.key_name(packet_key),
    }


def _sources(project: Project, order: ReviewOrder) -> list[SourceFile]:
    files = [path for path in (order.model, order.only) if path is not None]
    return [source_file(project, path) for path in files]


def _told(
    order: ReviewOrder,
    fraction: float,
    chosen: _Chosen,
    known: Drawn,
    given: Assigned,
    done: Outcome | None = None,
) -> ReviewDraw:
    frame, plan = chosen.frame, chosen.plan
    is_label = frame.revision > 0
    return ReviewDraw(
        activity=None if done is None else done.activity,
        draw=None if done is None or len(chosen.new) == 0 else f"draw-{done.seq}",
        batch=order.batch,
        answers=answers_tag(order.batch),
        fraction=fraction,
        n_labels=int(is_label.sum()),
        n_images=len(plan.of_image),
        n_labels_planned=round(float(plan.of_row[is_label].sum()), 1),
        n_images_planned=round(float(plan.of_image.sum()), 1),
        n_drawn=int((frame.revision[chosen.new] > 0).sum()),
        n_images_drawn=len(np.unique(frame.asset[chosen.new])),
        n_known=len(np.unique(known.revision[known.revision > 0])),
        by_class=plan.by_class,
        inspections=[
            {"annotator": name, "rate_factor": factor} for name, factor in chosen.factors.items()
        ],
        people=given.rows(frame, chosen.new),
    )
