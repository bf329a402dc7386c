"""Settling what blind reviewers dispute: by the opinions there are, by fresh ones, and by a senior last.

What the opinions leave in no doubt is settled by rule; else one more person is asked, who
has seen none of it, then another; what four opinions leave open goes to a senior as two
candidates without names. Nobody settles a dispute of their own, no opinion is overwritten,
and every label that comes of it says what it was derived from. Start reading at `adjudicate`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lineage.activities import (
    adjudicate_cases,
    adjudicate_fresh,
    adjudicate_open,
    adjudicate_packet,
    adjudicate_record,
    adjudicate_senior,
    batches,
    packets,
    position,
    select,
    trace,
)
from lineage.activities.adjudicate_cases import Case
from lineage.activities.adjudicate_decide import known_as
from lineage.activities.adjudicate_fresh import Orders
from lineage.activities.adjudicate_open import Open
from lineage.activities.adjudicate_record import Result, Settlement
from lineage.activities.adjudicate_senior import Question
from lineage.activities.adjudicate_weigh import weighed
from lineage.activities.context import Project
from lineage.activities.gather import Threshold
from lineage.activities.record import Outcome, recording
from lineage.activities.review_draw import answers_batch
from lineage.activities.review_log import answers_tag, drawn_of, verdicts_of
from lineage.activities.trace import Choice
from lineage.calc import adjudication, sampling
from lineage.calc.adjudication import SETTLED_IOU, SETTLED_PROBABILITY, STEPS, Step
from lineage.terms import ActivityKind

Row = Mapping[str, object]
COUNTS = (
    "n_open", "n_stands", "n_rejected", "n_replaced", "n_added", "n_dismissed", "n_ambiguous", "n_ordered",
    "n_waiting", "n_unasked", "n_asked", "n_with_senior",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AdjudicateOrder:
    """What is to be settled, and who may be asked.

    Parameters
    ----------
    batch
        Its tag.
    by
        The senior, by handle or pseudonym; what they had a part in is not put before them.
    people
        Who may give fresh opinions.
    tool
        For which packets are written.
    iou
        Least overlap of two opinions on one object.
    posterior, iou_settled
        What opinions must reach to settle an object.
    """

    batch: str
    by: str | None = None
    people: Sequence[str] = ()
    tool: str = "label-studio"
    iou: float = 0.5
    posterior: float = SETTLED_PROBABILITY
    iou_settled: float = SETTLED_IOU


@dataclass(frozen=True, slots=True)
class Adjudicated:
    """What became of the open objects; ``activity`` is None where nothing was written.

    Parameters
    ----------
    counts
        By the names of `COUNTS`; ``docs/review.md`` says what each is.
    objects
        Rows ``annotation asset kind n_opinions certainty step result``.
    packets
        Rows ``annotator path n_images`` of fresh opinions.
    files
        The senior's packet.
    """

    activity: str | None
    batch: str
    counts: Mapping[str, int]
    objects: Sequence[Row]
    packets: Sequence[Row]
    files: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Found:
    """Every case of a batch, its next step, and what was put before seniors earlier."""

    cases: Sequence[Case]
    steps: Sequence[Step]
    is_ambiguous: Sequence[bool]
    asked: Mapping[str, tuple[int, Question]]
    plain: np.ndarray
    seq: int


def adjudicate(
    project: Project, order: AdjudicateOrder, out: Path, *, is_rehearsal: bool = False
) -> Adjudicated:
    """Settle what the opinions settle, and ask for what is wanting.

    Parameters
    ----------
    project
        An open project.
    order
        What is to be settled, and who may be asked.
    out
        Folder for packets.
    is_rehearsal
        Write nothing.

    Raises
    ------
    NotFound
        ``no-batch``, ``no-annotator``.
    BadInput
        ``packet-tool``.
    Refused
        ``packet-exists``.
    """
    packets.refuse_unknown_tool(order.tool)
    row = batches.get(project, order.batch)
    people = trace.selector_of(project, Choice(annotator=tuple(order.people))).annotators
    by = None if order.by is None else known_as(project, order.by)
    found = _found(project, order)
    key = sampling.derived(packets.secret(project), f"review {order.batch} fresh")
    settled = [
        _settlement(case)
        for case, step in zip(found.cases, found.steps, strict=True)
        if step is Step.FINALISE
    ]
    wanting = [c for c, s in zip(found.cases, found.steps, strict=True) if s in (Step.ONE_OPINION, Step.SECOND_OPINION)]  # fmt: skip
    orders = adjudicate_fresh.ordered(
        project, order.batch, wanting, people, found.plain, key=key, up_to=found.seq
    )
    questions, n_with_senior = _questions(project, order.batch, found, by)
    told = _Told(order.batch, found, settled, orders, len(wanting), len(questions), n_with_senior)
    if is_rehearsal or not (settled or orders.given or questions):
        files = [] if is_rehearsal else _senior_packets(project, order, found, out)
        return told.report(None, [], files)
    if orders.given:
        answers_batch(project, row)
    done = Outcome()
    parameters = {
        "batch": order.batch, "people": list(people), "iou": order.iou, "posterior": order.posterior,
        "iou_settled": order.iou_settled, "key": sampling.key_name(key),
    }  # fmt: skip
    with recording(
        project, ActivityKind.ADJUDICATE, parameters=parameters, batch=order.batch, outcome=done
    ) as activity:
        adjudicate_record.settle(activity, (row.tag, row.schema), settled, None)
        if orders.given:
            rows = adjudicate_fresh.rows_of(orders, order.batch, activity.seq)
            activity.append("draws", rows)
        activity.outcome["asked"] = [one.row() for one in questions]
    written: list[Row] = []
    if orders.given:
        folder = out / f"draw-{done.seq}"
        written = [
            {"annotator": one.annotator, "path": str(one.path), "n_images": one.n_images}
            for one in packets.write(
                project, folder, order.tool, orders.images(), answers_tag(order.batch), key=key
            )
        ]
    asked = {one.name: (done.seq or 0, one) for one in questions}
    files = _senior_packets(project, order, replace(found, asked={**found.asked, **asked}), out)
    return told.report(done.activity, written, files)


def _found(project: Project, order: AdjudicateOrder) -> _Found:
    seq = position.resolve(project, None)
    live = select.live_state(project.ledger, seq)
    drawn = drawn_of(project, order.batch, seq)
    every = project.ledger.read("verdicts", ("draw",), up_to=seq)["draw"].unique().to_pylist()
    said = adjudicate_open.of_batch(
        verdicts_of(project, every, seq),
        np.unique(drawn.draw.astype(str)),
        project,
        order.batch,
        seq,
    )
    objects = adjudicate_open.open_objects(project, order.batch, seq, live, said)
    judged = np.unique(np.concatenate([said.asset, [one.asset for one in objects]])).astype(
        np.int64
    )
    open_assets = [one.asset for one in objects]
    cases: list[Case] = []
    if objects:
        together = weighed(
            project, order.batch, judged, seq, verdicts=said, threshold=Threshold(order.iou)
        )
        cases = adjudicate_cases.cases(together, objects, order.iou_settled)
    n_opinions = np.array([len(case.opinions) for case in cases], np.int64)
    rule = adjudication.adjudicated(
        np.array([case.certainty for case in cases], float),
        np.array([case.iou_median for case in cases], float),
        n_opinions,
        # whoever was disputed has been heard by two: as of a rare class, nobody settles it alone
        is_rare=np.ones(len(cases), bool),
        settled_probability=order.posterior,
        settled_iou=order.iou_settled,
    )
    log = adjudicate_open.activities(project, seq)
    return _Found(
        cases,
        [STEPS[at] for at in rule.step.tolist()],
        rule.is_ambiguous.tolist(),
        adjudicate_senior.questions(log, order.batch),
        judged[~np.isin(judged, open_assets)],
        seq,
    )


def _settlement(case: Case) -> Settlement:
    one = case.object
    result = (
        (Result.DISMISSED if case.label is None else Result.ADDED)
        if one.is_missed
        else Result.STANDS
        if case.has_stood
        else Result.REJECTED
        if case.label is None
        else Result.REPLACED
    )
    told: dict[str, object] = {
        "posterior": round(case.certainty, 6),
        "n_opinions": len(case.opinions),
    }
    if not np.isnan(case.iou_median):
        told["iou_median"] = round(case.iou_median, 4)
    return Settlement(
        tuple(each.revision for each in case.objects), one.annotation, one.asset, result, "opinions",
        case.derived_from, label=case.label if result in (Result.ADDED, Result.REPLACED) else None, told=told,
    )  # fmt: skip


def _questions(
    project: Project, batch: str, found: _Found, by: str | None
) -> tuple[list[Question], int]:
    """Return what is to be put before a senior, and how much lies there already."""
    key = sampling.derived(packets.secret(project), f"review {batch} senior")
    new, n_known = [], 0
    for case, step, is_ambiguous in zip(found.cases, found.steps, found.is_ambiguous, strict=True):
        if step is not Step.SENIOR:
            continue
        one = adjudicate_senior.question_of(case, key, is_ambiguous=is_ambiguous)
        if one.name in found.asked:
            n_known += 1
        elif by is None or by not in one.people:
            new.append(one)
    return new, n_known


def _senior_packets(
    project: Project, order: AdjudicateOrder, found: _Found, out: Path
) -> list[str]:
    """Write the packets of everything that a senior has yet to decide: as they were asked, so the same again."""
    key = sampling.derived(packets.secret(project), f"review {order.batch} senior")
    is_open = {one.revision for case in found.cases for one in case.objects}
    by_seq: dict[int, list[Question]] = {}
    for seq, one in found.asked.values():
        by_seq.setdefault(seq, []).append(one)
    files: list[str] = []
    for seq, asked in sorted(by_seq.items()):
        if any(set(one.revisions) & is_open for one in asked):
            folder = out / f"senior-{seq}"
            written = adjudicate_packet.write(project, asked, folder, order.tool, key=key)
            files += [str(path) for path in written if path.suffix != ".svg"]
    return files


@dataclass(frozen=True, slots=True)
class _Told:
    """What a run is to report."""

    batch: str
    found: _Found
    settled: Sequence[Settlement]
    orders: Orders
    n_wanting: int
    n_asked: int
    n_with_senior: int

    def report(
        self, activity: str | None, written: Sequence[Row], files: Sequence[str]
    ) -> Adjudicated:
        """Return the report."""
        n = Counter(one.result for one in self.settled)
        n_ordered = sum(len(own) for own in self.orders.given.values())
        counts = {
            "n_open": sum(len(case.objects) for case in self.found.cases),
            **{f"n_{one.value}": n[one] for one in Result},
            "n_ambiguous": sum(self.found.is_ambiguous),
            "n_ordered": n_ordered,
            "n_waiting": self.orders.n_waiting,
            "n_unasked": self.n_wanting - n_ordered - self.orders.n_waiting,
            "n_asked": self.n_asked,
            "n_with_senior": self.n_with_senior,
        }
        by_revision = {one.revisions: one.result.value for one in self.settled}
        rows = [
            _row(case.object, case, step, by_revision.get(tuple(o.revision for o in case.objects)))
            for case, step in zip(self.found.cases, self.found.steps, strict=True)
        ]
        return Adjudicated(
            activity,
            self.batch,
            {name: counts.get(name, 0) for name in COUNTS},
            rows,
            written,
            files,
        )


def _row(one: Open, case: Case, step: Step, result: str | None) -> Row:
    return {
        "annotation": one.annotation,
        "asset": one.asset,
        "kind": one.kind.value,
        "n_opinions": len(case.opinions),
        "certainty": None if np.isnan(case.certainty) else round(case.certainty, 4),
        "step": step.value,
        "result": result,
    }
