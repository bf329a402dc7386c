"""Finalising a batch: each annotator's lot on its own, accepted by what was checked of it, or sent back.

What an accepted lot holds becomes final: labels that a reviewer agreed with as
unanimous, the others with their lot. Of a rejected lot the classes in which something
was wrong are checked whole; the rest of it is a lot again. A lot that nothing can be
said of yet waits, and holds nobody else's back. Start reading at `finalize`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lineage import columns
from lineage.activities import batches, finalize_sent_back, position, trace
from lineage.activities.context import Project
from lineage.activities.finalize_error import Error, error_of
from lineage.activities.finalize_history import Decided, inspections
from lineage.activities.finalize_lots import (
    Checked,
    Lot,
    Stand,
    accepted,
    cells_sent_back,
    counts_of,
    lots_of,
    stand_of,
)
from lineage.activities.record import Outcome, Recording, recording
from lineage.activities.trace import Choice
from lineage.calc.lots import Inspection, LotDecision, LotTest
from lineage.terms import ActivityKind, Stage

Row = Mapping[str, object]
_CHUNK_ROWS = 100_000
UNANIMOUS, LOT_ACCEPTED = "unanimous", "lot accepted"


@dataclass(frozen=True, slots=True)
class Finalized:
    """What became of a batch; ``activity`` is None where nothing was written.

    Parameters
    ----------
    activity, draw
        What is on record; the draw of what was sent back.
    batch
        Its tag.
    is_finalised
        Nothing of it waits any more.
    n_final
        Labels that became final, by basis: ``unanimous``, ``lot accepted``.
    n_sent_back
        Labels that went back to be checked whole, and await a draw.
    n_drawn
        Of them, drawn now.
    stages
        Live labels by stage, afterwards.
    lots
        Rows ``annotator n_labels n_missed n_drawn n_judged n_wrong n_open n_heard log_ratio decision n_more classes
        strictness``: those of which nothing was decided before.
    error
        See `finalize_error.Error`.
    people
        Rows ``annotator n_eligible n_images n_labels`` of who is asked.
    waits_for
        See `waits_for`.
    """

    activity: str | None
    draw: str | None
    batch: str
    is_finalised: bool
    n_final: Mapping[str, int]
    n_sent_back: int
    n_drawn: int
    stages: Mapping[str, int]
    lots: Sequence[Row]
    error: Error
    people: Sequence[Row]
    waits_for: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Moves:
    """Labels that become final: ndarrays of int64, revisions by basis."""

    unanimous: np.ndarray
    with_lot: np.ndarray

    def __len__(self) -> int:
        return len(self.unanimous) + len(self.with_lot)


def finalize(
    project: Project,
    batch: str,
    people: Sequence[str] = (),
    *,
    test: LotTest | None = None,
    is_rehearsal: bool = False,
) -> Finalized:
    """Decide the lots of a batch that can be decided, and make final what is accepted.

    Parameters
    ----------
    project
        An open project.
    batch
        Its tag.
    people
        Who checks what is sent back, by handle or pseudonym; without them it waits.
    test
        Other terms of the gate.
    is_rehearsal
        Write nothing.

    Raises
    ------
    NotFound
        ``no-batch``, ``no-annotator``.
    Refused
        ``review-nobody``: some images were seen by everybody who could check them again.
    """
    row = batches.get(project, batch)
    asked = trace.selector_of(project, Choice(annotator=tuple(people))).annotators
    seq = position.resolve(project, None)
    stand = stand_of(project, batch, seq)
    lots = lots_of(project, batch, stand, test)
    decided = [lot for lot in lots if lot.decision is not LotDecision.CONTINUE]
    after = _after(stand, batch, decided)
    moves = moves_of(after)
    strictness = inspections(project, seq)
    done = Outcome()
    if (decided or len(moves)) and not is_rehearsal:
        parameters = {"batch": batch}
        with recording(
            project, ActivityKind.FINALIZE, parameters=parameters, batch=batch, outcome=done
        ) as activity:
            _record(activity, decided, moves)
    back = finalize_sent_back.nothing()
    if asked and not is_rehearsal:
        back = finalize_sent_back.draw(project, row, asked)
    if not is_rehearsal:
        after = stand_of(project, batch, position.resolve(project, None))
    cells = cells_sent_back(after) & after.checked.is_at(Stage.SUBMITTED)
    left = [lot for lot in lots if is_rehearsal or lot.decision is LotDecision.CONTINUE]
    return Finalized(
        activity=done.activity,
        draw=back.draw,
        batch=batch,
        is_finalised=is_finalised(after),
        n_final={UNANIMOUS: len(moves.unanimous), LOT_ACCEPTED: len(moves.with_lot)},
        n_sent_back=int(cells.sum()),
        n_drawn=back.n_labels,
        stages=counts_of(after.checked),
        lots=[row_of(lot, strictness) for lot in lots],
        error=error_of(project, batch, stand),
        people=back.people,
        waits_for=waits_for(after, left),
    )


def moves_of(stand: Stand) -> Moves:
    """Return the labels that may become final as things stand."""
    checked, is_back = stand.checked, cells_sent_back(stand)
    is_in = accepted(stand)
    # of what went back everything is judged for itself
    unanimous = checked.is_at(Stage.IN_REVIEW) & checked.is_agreed & (is_in | is_back)
    with_lot = checked.is_at(Stage.SUBMITTED) & is_in & ~is_back
    return Moves(np.sort(checked.revision[unanimous]), np.sort(checked.revision[with_lot]))


def is_finalised(stand: Stand) -> bool:
    """Tell whether nothing of a batch waits any more; one without labels was never finalised."""
    waiting = [Stage.SUBMITTED, Stage.IN_REVIEW, Stage.CONTESTED]
    checked = stand.checked
    is_waiting = any(checked.is_at(stage).any() for stage in waiting) or _n_missed(checked) > 0
    return len(checked.revision) > 0 and not is_waiting


def waits_for(stand: Stand, lots: Sequence[Lot]) -> list[Row]:
    """Return what a batch waits for: rows ``what n who``, people by pseudonym.

    ``verdicts`` of reviewers; ``adjudication`` of what is contested; ``draw``: more of a lot has to be
    checked; ``reviewers`` for what went back; ``finalize``: what can be decided.
    """
    checked, drawn = stand.checked, stand.drawn
    in_review = checked.is_at(Stage.IN_REVIEW)
    pending = checked.revision[in_review & ~checked.is_agreed]
    asked = drawn.reviewer[np.isin(drawn.revision, pending)]
    back = cells_sent_back(stand) & checked.is_at(Stage.SUBMITTED)
    undecided = [lot for lot in lots if lot.decision is LotDecision.CONTINUE]
    short = {lot.annotator: lot.n_more - _n_coming(checked, lot) for lot in undecided}
    short = {person: n for person, n in short.items() if n > 0}
    able = [lot.annotator for lot in lots if lot.decision is not LotDecision.CONTINUE]
    n_able = len(able) or int(len(moves_of(stand)) > 0)
    found: list[tuple[str, int, Sequence[str]]] = [
        ("verdicts", len(pending), sorted(set(asked.tolist()))),
        ("adjudication", int(checked.is_at(Stage.CONTESTED).sum()) + _n_missed(checked), []),
        ("draw", sum(short.values()), sorted(short)),
        ("reviewers", int(back.sum()), _people(checked, back)),
        ("finalize", n_able, able),
    ]
    return [{"what": what, "n": n, "who": list(who)} for what, n, who in found if n]


def row_of(lot: Lot, strictness: Mapping[str, Inspection]) -> Row:
    """Return a lot as reports have it."""
    return {
        "annotator": lot.annotator,
        "n_labels": lot.n_labels,
        "n_missed": lot.n_missed,
        "n_drawn": lot.n_drawn,
        "n_judged": lot.n_judged,
        "n_wrong": lot.n_wrong,
        "n_open": lot.n_open,
        "n_heard": lot.n_heard,
        "log_ratio": lot.log_ratio,
        "decision": lot.decision.value,
        "n_more": lot.n_more,
        "classes": list(lot.classes) if lot.decision is LotDecision.REJECT else [],
        "strictness": strictness.get(lot.annotator, Inspection()).strictness.value,
    }


def _n_missed(checked: Checked) -> int:
    """Return how many objects were told as missed, and nobody has settled it."""
    return len(np.unique(checked.annotation[(checked.revision == 0) & checked.is_open]))


def _people(checked: Checked, mask: np.ndarray) -> list[str]:
    return [checked.people[code] for code in np.unique(checked.annotator[mask]).tolist()]


def _n_coming(checked: Checked, lot: Lot) -> int:
    """Return how many labels of a lot are with reviewers, or with whoever settles disputes."""
    return lot.n_drawn - lot.n_judged + lot.n_open


def _after(stand: Stand, batch: str, decided: Sequence[Lot]) -> Stand:
    """Return where a review stands once lots are decided."""
    new = [
        Decided(
            stand.seq,
            batch,
            lot.annotator,
            lot.decision is LotDecision.ACCEPT,
            () if lot.decision is LotDecision.ACCEPT else lot.classes,
        )
        for lot in decided
    ]
    return replace(stand, decided=[*stand.decided, *new])


def _record(activity: Recording, decided: Sequence[Lot], moves: Moves) -> None:
    agent = activity.annotator(activity.project.agent)
    for basis, revisions in ((UNANIMOUS, moves.unanimous), (LOT_ACCEPTED, moves.with_lot)):
        for start in range(0, len(revisions), _CHUNK_ROWS):
            part = revisions[start : start + _CHUNK_ROWS]
            values = {
                "revision": part,
                "seq": activity.seq,
                "stage": Stage.FINAL.value,
                "by": agent,
                "basis": basis,
            }
            activity.append("stages", columns.batch_of(columns.STAGES, values, len(part)))
    activity.outcome["lots"] = [
        {
            "annotator": lot.annotator,
            "decision": lot.decision.value,
            "n_labels": lot.n_labels,
            "n_missed": lot.n_missed,
            "n_heard": lot.n_heard,
            "n_judged": lot.n_judged,
            "n_wrong": lot.n_wrong,
            "n_open": lot.n_open,
            "log_ratio": lot.log_ratio,
            "classes": list(lot.classes) if lot.decision is LotDecision.REJECT else [],
        }
        for lot in decided
    ]
    activity.outcome["n_final"] = len(moves)
    n_rejected = sum(lot.decision is LotDecision.REJECT for lot in decided)
    activity.outcome["decision"] = {
        "n_accepted": len(decided) - n_rejected,
        "n_rejected": n_rejected,
    }
