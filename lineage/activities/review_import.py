"""Reviewers' answers come back: recorded as opinions, then held against what was drawn.

The answers go into a batch of their own like any export, in parts, twice, or late.
Whatever is drawn, answered and not yet judged is judged; the first verdict on a
label by a reviewer in a draw stands for ever, whatever they answer afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import draws, ingest, position
from lineage.activities.context import Project
from lineage.activities.gather import Threshold
from lineage.activities.ingest import ImportOptions, ImportReport
from lineage.activities.record import Outcome, recording
from lineage.activities.review_comments import Comments, comments_of
from lineage.activities.review_jobs import Jobs, Judgement, jobs_of, judged, strangers_of
from lineage.activities.review_judge import Rule
from lineage.activities.review_log import answers_tag, drawn_of, verdicts_of
from lineage.errors import Refused
from lineage.terms import ActivityKind, Stage, Verdict

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ReviewImport:
    """What came back and what was made of it.

    Parameters
    ----------
    activity
        On record; None where nothing was judged anew.
    batch, answers
        Tags of the batch, and of the one with the answers.
    labels
        What `ingest.import_labels` says of the files.
    n_judged, n_agree
        Labels with a new verdict, and those of them with which the reviewer agrees.
    by_kind
        Disputes by `terms.DisputeKind`; ``missed`` are objects that nobody drew.
    n_contested
        Labels that are contested from now on.
    n_late
        Verdicts on labels that were settled before: kept, and nothing changes.
    n_superseded
        Verdicts on labels that were corrected since they were drawn: kept, the correction is not judged.
    n_empty
        Images on which the reviewer found nothing either.
    n_held
        Images that are not judged because labels of the answer were rejected.
    n_pending
        Drawn labels and images that wait for an answer.
    n_changed
        Labels of reviewers that they changed after the verdict: the first stands.
    n_comments, n_comments_unplaced
        Remarks that stand beside a verdict, and those of the table that do not.
    strangers
        Rows ``annotator n_images is_asked``: answers nobody asked for, which are no verdicts; ``is_asked``
        tells reviewers of the batch, who answered for somebody else's images, from others.
    """

    activity: str | None
    batch: str
    answers: str
    labels: ImportReport
    n_judged: int
    n_agree: int
    by_kind: Mapping[str, int]
    n_contested: int
    n_late: int
    n_superseded: int
    n_empty: int
    n_held: int
    n_pending: int
    n_changed: int
    n_comments: int
    n_comments_unplaced: int
    strangers: Sequence[Row]


def import_answers(
    project: Project,
    paths: Sequence[Path],
    batch: str,
    *,
    options: ImportOptions | None = None,
    comments: Path | None = None,
    rule: Rule | None = None,
) -> ReviewImport:
    """Record reviewers' answers, and judge what was drawn by them.

    Parameters
    ----------
    project
        An open project.
    paths
        Exports of the reviewers' tool.
    batch
        Tag of the batch that is reviewed.
    options
        As for any import.
    comments
        A table of remarks, see `review_comments.comments_of`.
    rule
        When labels are of one object, and when they lie on it alike.

    Raises
    ------
    BadInput, NotFound, Refused
        As `ingest.import_labels`; ``review-not-drawn``: nothing of the batch was drawn;
        ``review-comments``.
    """
    seq = position.resolve(project, None)
    # what was contested in a tool has fresh opinions and no draw
    if answers_tag(batch) not in draws.fresh_batches(project.ledger, seq):
        raise Refused(
            "review-not-drawn",
            f"nothing of batch {batch} was drawn for review",
            hint=f"lineage review draw --batch {batch} --for NAME",
        )
    told = comments_of(project, comments)
    labels = ingest.import_labels(project, paths, answers_tag(batch), options=options)
    return _judge(project, batch, labels, told, rule or Rule(Threshold()))


def _judge(
    project: Project, batch: str, labels: ImportReport, comments: Comments, rule: Rule
) -> ReviewImport:
    seq = position.resolve(project, None)
    drawn = drawn_of(project, batch, seq)
    before = verdicts_of(project, drawn.draw.tolist(), seq)
    jobs = jobs_of(project, batch, drawn, before, seq)
    found = judged(project, batch, jobs, comments, rule, seq)
    done = Outcome()
    tally = _tally(found)
    if found:
        parameters = {
            "batch": batch,
            "import": labels.activity,
            "iou": rule.threshold.tau,
            "geometry_iou": rule.geometry_iou,
        }
        with recording(
            project, ActivityKind.REVIEW, parameters=parameters, batch=batch, outcome=done
        ) as activity:
            activity.append("verdicts", _verdicts(activity.seq, found))
            activity.append("stages", _stages(activity.seq, found))
            activity.outcome.update(tally)
    return ReviewImport(
        activity=done.activity,
        batch=batch,
        answers=answers_tag(batch),
        labels=labels,
        n_judged=tally["n_judged"],
        n_agree=tally["n_agree"],
        by_kind=dict(sorted(Counter(one.kind for one in found if one.kind).items())),
        n_contested=tally["n_contested"],
        n_late=sum(one.is_late for one in found),
        n_superseded=sum(one.is_superseded for one in found),
        n_empty=sum(one.revision == 0 and not one.kind for one in found),
        n_held=jobs.n_held,
        n_pending=_n_pending(jobs),
        n_changed=jobs.n_changed,
        n_comments=sum(one.comment is not None for one in found),
        n_comments_unplaced=len(comments.unplaced) + comments.n_unknown,
        strangers=strangers_of(project, batch, jobs, seq),
    )


def _tally(found: Sequence[Judgement]) -> dict[str, int]:
    of_label = [one for one in found if one.revision]
    return {
        "n_judged": len(of_label),
        "n_agree": sum(not one.kind for one in of_label),
        "n_contested": sum(one.is_contested for one in found),
        "n_missed": sum(one.revision == 0 and bool(one.kind) for one in found),
    }


def _n_pending(jobs: Jobs) -> int:
    drawn = jobs.drawn
    n_due = len(
        np.unique(np.stack([drawn.revision, np.where(drawn.revision, 0, drawn.asset)]), axis=1).T
    )
    done = np.flatnonzero(jobs.is_answered | jobs.is_judged)
    told = drawn.take(done)
    return n_due - len(
        np.unique(np.stack([told.revision, np.where(told.revision, 0, told.asset)]), axis=1).T
    )


def _verdicts(seq: int, found: Sequence[Judgement]) -> pa.RecordBatch:
    return columns.batch_of(
        columns.SEGMENT_VERDICTS,
        {
            "revision": pa.array([one.revision or None for one in found], pa.int64()),
            "seq": seq,
            "draw": [one.draw for one in found],
            "asset": np.array([one.asset for one in found], np.int64),
            "by": [one.reviewer for one in found],
            "verdict": [(Verdict.DISPUTE if one.kind else Verdict.AGREE).value for one in found],
            "kind": [one.kind or None for one in found],
            "opinion": pa.array([one.opinion or None for one in found], pa.int64()),
            "comment": pa.array([one.comment for one in found], pa.string()),
        },
        len(found),
    )


def _stages(seq: int, found: Sequence[Judgement]) -> pa.RecordBatch:
    moved = [one for one in found if one.is_contested]
    return columns.batch_of(
        columns.STAGES,
        {
            "revision": np.array([one.revision for one in moved], np.int64),
            "seq": seq,
            "stage": Stage.CONTESTED.value,
            "by": [one.reviewer for one in moved],
            "basis": [f"disputed: {one.kind}" for one in moved],
            "comment": pa.array([one.comment for one in moved], pa.string()),
        },
        len(moved),
    )
