"""Where the review of a batch stands: the funnel, what it waits for, and what the verdicts say so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lineage.activities import batches, position
from lineage.activities.context import Project
from lineage.activities.review_estimates import estimated, first_verdicts
from lineage.activities.review_log import (
    Drawn,
    Verdicts,
    answers_tag,
    drawn_of,
    verdicts_of,
)
from lineage.activities.select import Selector, live_state, scan
from lineage.store import read
from lineage.terms import ActivityKind, Stage

Row = Mapping[str, object]
NOT_DRAWN, IN_REVIEW, CONTESTED, TO_FINALIZE, FINAL = (
    "not_drawn",
    "in_review",
    "contested",
    "to_finalize",
    "final",
)
_OVER = (Stage.FINAL.value, Stage.REJECTED.value)


@dataclass(frozen=True, slots=True)
class ReviewStatus:
    """Where a batch's review stands.

    Parameters
    ----------
    batch
        Its tag.
    state
        The gate in a word: ``not_drawn``, ``in_review`` (answers are awaited), ``contested``,
        ``to_finalize``, ``final``; None for a batch without labels.
    n_drawn, n_done
        Labels that were drawn, and those of them with a verdict.
    n_images_drawn, n_images_done
        The same of images, those on which nothing was drawn counted in.
    n_contested, n_final, n_rejected
        Live labels that stand there.
    funnel
        Live labels by stage, those in review parted into ``pending`` and ``judged``.
    error
        Share of labels that reviewers dispute, of all labels of the batch as they were submitted:
        ``n mean lo hi is_small``.
    by_class, by_annotator
        Rows ``class`` or ``annotator``, then as ``error``.
    missed
        Objects that nobody drew: ``n`` seen, and ``total lo hi`` in the whole batch.
    first_pass
        ``n n_approved fraction``: the first verdict on each label, for ever.
    rejection
        ``n n_disputed fraction``: all verdicts.
    again
        ``n n_overturned``: approvals that a later review judged in turn.
    n_not_blind
        Verdicts by reviewers who were shown the labels; they are in no estimate.
    reviewers
        Rows ``annotator n_images n_images_done n_labels n_agree n_disputed n_missed``.
    by_kind
        Disputes by `terms.DisputeKind`.
    waits_for
        Rows ``what who n``.
    decision
        What the newest ``review finalize`` decided, ``n_accepted n_rejected`` lots; None before.
    """

    batch: str
    state: str | None
    n_drawn: int
    n_done: int
    n_images_drawn: int
    n_images_done: int
    n_contested: int
    n_final: int
    n_rejected: int
    funnel: Mapping[str, int]
    error: Row
    by_class: Sequence[Row]
    by_annotator: Sequence[Row]
    missed: Row
    first_pass: Row
    rejection: Row
    again: Row
    n_not_blind: int
    reviewers: Sequence[Row]
    by_kind: Mapping[str, int]
    waits_for: Sequence[Row]
    decision: Row | None


def status(project: Project, batch: str, as_of: str | None = None) -> ReviewStatus:
    """Return where the review of a batch stands, or stood.

    Raises
    ------
    NotFound
        ``no-batch``.
    """
    row = batches.get(project, batch)
    seq = position.resolve(project, as_of)
    drawn = drawn_of(project, row.tag, seq)
    said = verdicts_of(project, drawn.draw.tolist(), seq)
    stages = _stages(project, seq, (row.tag,)).get(row.tag, Counter())
    is_judged = _is_judged(drawn, said)
    is_label = drawn.revision > 0
    judged = np.unique(said.revision[said.revision > 0])
    state = _state(stages, is_judged)
    in_review = _judged_in_review(project, seq, judged)
    waits = _waits(row.tag, state, stages, drawn, is_judged)
    found = estimated(project, drawn, said, seq)
    first = first_verdicts(said)
    n_first, n_all = len(first), int((said.revision > 0).sum())
    approved, disputed = int((~said.is_dispute[first]).sum()), int(
        (said.is_dispute & (said.revision > 0)).sum()
    )  # fmt: skip
    return ReviewStatus(
        batch=row.tag,
        state=state,
        n_drawn=len(np.unique(drawn.revision[is_label])),
        n_done=len(judged),
        n_images_drawn=len(np.unique(drawn.asset)),
        n_images_done=len(np.setdiff1d(drawn.asset[is_judged], drawn.asset[~is_judged])),
        n_contested=stages[Stage.CONTESTED.value],
        n_final=stages[Stage.FINAL.value],
        n_rejected=stages[Stage.REJECTED.value],
        funnel={
            "submitted": stages[Stage.SUBMITTED.value],
            "pending": stages[Stage.IN_REVIEW.value] - in_review,
            "judged": in_review,
            "contested": stages[Stage.CONTESTED.value],
            "final": stages[Stage.FINAL.value],
            "rejected": stages[Stage.REJECTED.value],
        },
        error=found.error,
        by_class=found.by["class"],
        by_annotator=found.by["annotator"],
        missed=found.missed,
        first_pass={"n": n_first, "n_approved": approved, "fraction": _share(approved, n_first)},
        rejection={"n": n_all, "n_disputed": disputed, "fraction": _share(disputed, n_all)},
        again=_again(drawn, said),
        n_not_blind=int(
            np.isin(said.draw.astype(str), drawn.draw[~drawn.is_blind].astype(str)).sum()
        ),
        reviewers=_reviewers(drawn, said, is_judged),
        by_kind=dict(sorted(Counter(said.kind[said.is_dispute].tolist()).items())),
        waits_for=waits,
        decision=_decision(project, row.tag, seq),
    )


def reviewed_batches(project: Project, as_of: str | None = None) -> list[str]:
    """Return the tags of the batches of which something was drawn for review."""
    seq = position.resolve(project, as_of)
    tags = [row.tag for row in batches.list_all(project)]
    asked = [tag for tag in tags if answers_tag(tag) in tags]
    return [tag for tag in asked if len(drawn_of(project, tag, seq))]


def gates(project: Project, as_of: str | None = None) -> dict[str, str | None]:
    """Return every batch's gate in a word, by tag; None where there is nothing to review.

    A batch of blind answers has none.
    """
    seq = position.resolve(project, as_of)
    tags = [row.tag for row in batches.list_all(project)]
    stages = _stages(project, seq, ())
    found: dict[str, str | None] = {}
    for tag in tags:
        is_judged = np.zeros(0, bool)
        if answers_tag(tag) in tags:
            drawn = drawn_of(project, tag, seq)
            is_judged = _is_judged(drawn, verdicts_of(project, drawn.draw.tolist(), seq))
        found[tag] = _state(stages.get(tag, Counter()), is_judged)
    return found | {answers_tag(tag): None for tag in tags if answers_tag(tag) in found}


def _state(stages: Mapping[str, int], is_judged: np.ndarray) -> str | None:
    n = sum(stages.values())
    if n == 0 and len(is_judged) == 0:
        return None
    if n and all(stage in _OVER for stage, k in stages.items() if k):
        return FINAL
    if not is_judged.all():
        return IN_REVIEW
    if stages.get(Stage.CONTESTED.value):
        return CONTESTED
    return TO_FINALIZE if len(is_judged) else NOT_DRAWN


def _waits(
    tag: str,
    state: str | None,
    stages: Mapping[str, int],
    drawn: Drawn,
    is_judged: np.ndarray,
) -> list[Row]:
    found: list[Row] = []
    if state == NOT_DRAWN:
        n = stages.get(Stage.SUBMITTED.value, 0)
        found.append({"what": f"a draw: lineage review draw --batch {tag}", "who": None, "n": n})
    pending = drawn.take(np.flatnonzero(~is_judged))
    for name in sorted(set(pending.reviewer.tolist())):
        n = len(np.unique(pending.asset[pending.reviewer == name]))
        found.append({"what": "answers for images", "who": name, "n": n})
    if stages.get(Stage.CONTESTED.value):
        n = stages[Stage.CONTESTED.value]
        told = f"settlement of contested labels: lineage review adjudicate --batch {tag}"
        found.append({"what": told, "who": None, "n": n})
    if state == TO_FINALIZE:
        n = sum(k for stage, k in stages.items() if stage not in _OVER)
        told = f"a decision: lineage review finalize --batch {tag}"
        found.append({"what": told, "who": None, "n": n})
    return found


def _stages(project: Project, seq: int, tags: Sequence[str]) -> dict[str, Counter[str]]:
    """Count live labels by batch and stage."""
    found: dict[str, Counter[str]] = {}
    for rows in scan(project.ledger, Selector(batches=tuple(tags)), ("batch", "stage"), up_to=seq):
        cell = np.stack([np.asarray(rows["batch"].indices), np.asarray(rows["stage"].indices)])
        told, n = np.unique(cell, axis=1, return_counts=True)
        batch, stage = rows["batch"].dictionary.to_pylist(), rows["stage"].dictionary.to_pylist()
        for (b, s), count in zip(told.T.tolist(), n.tolist(), strict=True):
            found.setdefault(batch[b], Counter())[stage[s]] += count
    return found


def _is_judged(drawn: Drawn, said: Verdicts) -> np.ndarray:
    """Tell which drawn rows have a verdict by the reviewer who was asked."""
    told = set(
        zip(said.draw.tolist(), said.revision.tolist(), np.where(said.revision, 0, said.asset).tolist(),
            said.reviewer.tolist(), strict=True)
    )  # fmt: skip
    asked = zip(drawn.draw.tolist(), drawn.revision.tolist(),
                np.where(drawn.revision, 0, drawn.asset).tolist(), drawn.reviewer.tolist(), strict=True)  # fmt: skip
    return np.array([one in told for one in asked], bool)


def _judged_in_review(project: Project, seq: int, judged: np.ndarray) -> int:
    if len(judged) == 0:
        return 0
    live = live_state(project.ledger, seq)
    is_there = live.stage[judged - 1] == live.stages.index(Stage.IN_REVIEW.value)
    return int((is_there & live.is_live[judged - 1]).sum())


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _again(drawn: Drawn, said: Verdicts) -> Row:
    names = sorted(set(drawn.draw[drawn.is_again].tolist()))
    rows = np.isin(said.draw.astype(str), names) & (said.revision > 0)
    return {"n": int(rows.sum()), "n_overturned": int((rows & said.is_dispute).sum())}


def _reviewers(drawn: Drawn, said: Verdicts, is_judged: np.ndarray) -> list[Row]:
    found: list[Row] = []
    for name in sorted({*drawn.reviewer.tolist(), *said.reviewer.tolist()}):
        asked, own = drawn.reviewer == name, said.reviewer == name
        of_label = own & (said.revision > 0)
        found.append(
            {
                "annotator": name,
                "n_images": len(np.unique(drawn.asset[asked])),
                "n_images_done": len(
                    np.setdiff1d(drawn.asset[asked & is_judged], drawn.asset[asked & ~is_judged])
                ),
                "n_labels": int(of_label.sum()),
                "n_agree": int((of_label & ~said.is_dispute).sum()),
                "n_disputed": int((of_label & said.is_dispute).sum()),
                "n_missed": int((own & (said.revision == 0) & said.is_dispute).sum()),
            }
        )
    return found


def _decision(project: Project, batch: str, seq: int) -> Row | None:
    with project.store.reading() as connection:
        told = [
            entry.outcome.get("decision")
            for entry in read.activities(connection)
            if entry.kind == ActivityKind.FINALIZE and entry.batch == batch and entry.seq <= seq
        ]
    return told[-1] if told and isinstance(told[-1], Mapping) else None
