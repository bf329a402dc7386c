"""A senior's decisions come back: what was chosen stands, and what it was chosen from stays on record."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lineage import columns
from lineage.activities import (
    adjudicate_open,
    adjudicate_record,
    adjudicate_senior,
    batches,
    position,
    precision,
    select,
    trace,
)
from lineage.activities.adjudicate_cases import Label
from lineage.activities.adjudicate_record import Result, Settlement
from lineage.activities.adjudicate_senior import Answer, Decision, Question
from lineage.activities.context import Project
from lineage.activities.record import Outcome, recording, source_file
from lineage.activities.trace import Choice
from lineage.errors import BadInput, Refused
from lineage.store import read
from lineage.terms import ActivityKind, Stage

_SHOWN = 8
_LABEL = ("annotation", "class", "kind", "attributes", *columns.BOX, "geometry")


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a senior's decisions; ``activity`` is None where nothing was written.

    Parameters
    ----------
    n_decisions
        That the file holds.
    by_result
        Objects that are settled, by what became of them.
    n_unsure
        Left open as they were.
    late
        Objects that were settled before the decision came.
    """

    activity: str | None
    batch: str
    by: str
    n_decisions: int
    by_result: Mapping[str, int]
    n_unsure: int
    late: Sequence[str]


def decide(
    project: Project, batch: str, path: Path, by: str, *, is_rehearsal: bool = False
) -> Decided:
    """Record a senior's decisions.

    Parameters
    ----------
    project
        An open project.
    batch
        Its tag.
    path
        The sheet that was filled in, or the tool's export.
    by
        The senior, by handle or pseudonym.
    is_rehearsal
        Write nothing.

    Raises
    ------
    NotFound
        ``no-batch``, ``no-annotator``.
    BadInput
        ``no-such-file``, ``decisions-unreadable``, ``decisions-invalid``; ``decisions-unknown``: objects
        that were never put before a senior of this batch.
    Refused
        ``decisions-own``: objects that the senior disputed, labelled or gave an opinion on.
    """
    row = batches.get(project, batch)
    given = adjudicate_senior.decisions(path)
    seq = position.resolve(project, None)
    log = adjudicate_open.activities(project, seq)
    asked = {name: one for name, (_, one) in adjudicate_senior.questions(log, batch).items()}
    _refuse_unknown(given, asked, path)
    senior = known_as(project, by)
    _refuse_own(given, asked, senior, by)
    is_open = _open(project, batch, seq, log)
    late = [one.name for one in given if not is_open & set(asked[one.name].revisions)]
    answers = [one for one in given if one.name not in set(late)]
    unsure = [one for one in answers if one.decision is Decision.UNSURE]
    labels = _labels(project, [asked[one.name] for one in answers])
    settled = [
        _settlement(asked[one.name], one, labels)
        for one in answers
        if one.decision is not Decision.UNSURE
    ]
    done = Outcome()
    if settled and not is_rehearsal:
        parameters = {"batch": batch, "n_unsure": len(unsure), "n_late": len(late)}
        with recording(
            project,
            ActivityKind.ADJUDICATE,
            parameters=parameters,
            batch=batch,
            sources=[source_file(project, path)],
            outcome=done,
        ) as activity:
            who = senior or activity.annotator(by)
            adjudicate_record.settle(activity, (row.tag, row.schema), settled, who)
            activity.outcome["decided"] = [
                {"object": one.name, "decision": one.decision.value} for one in answers
            ]
    n = Counter(one.result.value for one in settled)
    return Decided(
        done.activity, batch, senior or by, len(given), {one.value: n[one.value] for one in Result},
        len(unsure), late,
    )  # fmt: skip


def known_as(project: Project, name: str) -> str | None:
    """Return the pseudonym of a handle; None for somebody who is not on record yet.

    Raises
    ------
    NotFound
        ``no-annotator``: the handle may be any of several people.
    """
    with project.store.reading() as connection:
        people = read.annotators(connection)
    if not any(name in (one.pseudonym, one.name, one.handle) for one in people):
        return None
    return trace.selector_of(project, Choice(annotator=(name,))).annotators[0]


def _refuse_unknown(given: Sequence[Answer], asked: Mapping[str, Question], path: Path) -> None:
    unknown = [one.name for one in given if one.name not in asked]
    if unknown:
        raise BadInput(
            "decisions-unknown",
            f"{len(unknown)} of {len(given)} objects were never put before a senior of this batch: "
            + _listed(unknown),
            hint="decisions name objects as the packet of lineage review adjudicate does",
            where=str(path),
        )


def _refuse_own(
    given: Sequence[Answer], asked: Mapping[str, Question], senior: str | None, by: str
) -> None:
    own = [one.name for one in given if senior in asked[one.name].people]
    if own:
        raise Refused(
            "decisions-own",
            f"{by} gave one of the opinions on {len(own)} of {len(given)} objects: {_listed(own)}",
            hint="let somebody else decide these; nothing was recorded",
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")


def _open(project: Project, batch: str, seq: int, log: list[read.ActivityRow]) -> frozenset[int]:
    """Return the revisions that are contested, and the opinions on missed objects that nobody settled."""
    live = select.live_state(project.ledger, seq)
    contested = live.is_live & (live.stage == list(Stage).index(Stage.CONTESTED))
    done = adjudicate_open.settled_missed(log, batch)
    missed = {
        revision
        for _, one in adjudicate_senior.questions(log, batch).values()
        if one.is_missed and not done & set(one.revisions)
        for revision in one.revisions
    }
    return frozenset((np.flatnonzero(contested) + 1).tolist()) | missed


def _labels(project: Project, asked: Sequence[Question]) -> dict[int, Mapping[str, object]]:
    wanted = sorted({n for one in asked for n in (one.a, one.b, *one.revisions) if n is not None})
    table = precision.of_ledger(project.ledger, np.array(wanted, np.int64), _LABEL)
    return dict(zip(wanted, table.to_pylist(), strict=True))


def _settlement(
    one: Question, answer: Answer, labels: Mapping[int, Mapping[str, object]]
) -> Settlement:
    is_original = (answer.decision is Decision.A) is one.is_original_a
    chosen = one.a if answer.decision is Decision.A else one.b
    if answer.decision is Decision.BOTH_WRONG:
        chosen = None
        result = Result.DISMISSED if one.is_missed else Result.REJECTED
    elif is_original:
        result = Result.DISMISSED if one.is_missed else Result.STANDS
    elif one.is_missed:
        result = Result.ADDED
    else:
        result = Result.REJECTED if chosen is None else Result.REPLACED
    told: dict[str, object] = {"n_opinions": len(one.people)}
    comment = answer.comment
    if one.is_ambiguous:
        soft = {name or "nothing": p for name, p in one.soft.items()}
        told |= {"is_ambiguous": True, "soft": soft}
        comment = "; ".join([*([comment] if comment else []), f"ambiguous: {json.dumps(soft, ensure_ascii=False)}"])  # fmt: skip
    is_written = chosen is not None and result in (Result.ADDED, Result.REPLACED)
    return Settlement(
        revisions=one.revisions,
        annotation=int(str(labels[one.revisions[0]]["annotation"])),
        asset=one.asset,
        result=result,
        basis="senior",
        derived_from=one.opinions,
        label=_label(chosen, labels[chosen]) if is_written and chosen is not None else None,
        # one of the two was something: what is there has no label
        is_unfinished=answer.decision is Decision.BOTH_WRONG,
        told=told,
        comment=comment,
    )


def _label(revision: int, row: Mapping[str, object]) -> Label:
    sides = [row[name] for name in columns.BOX]
    geometry = row["geometry"]
    return Label(
        str(row["class"]),
        str(row["kind"]),
        str(row["attributes"]),
        None if sides[0] is None else tuple(float(str(side)) for side in sides),
        geometry if isinstance(geometry, list) else None,
        revision,
    )
