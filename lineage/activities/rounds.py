"""A review that was done in CVAT goes on record: where its jobs stand, what reviewers remarked, what is right.

CVAT's reviewers see the labels that they judge, so these verdicts are not blind and
belong to no draw: no estimate counts them. What they contest is contested all the
same. A job's stages become stage events as far as the machine lets them
(`rounds_moves`); what it does not let is told, never forced.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.activities import batches, gold, ingest, position, schemas, select
from lineage.activities.batches import BatchOrder
from lineage.activities.context import Project
from lineage.activities.gold import GoldOrder
from lineage.activities.ingest import ImportOptions, ImportReport
from lineage.activities.record import Outcome, Recording, recording
from lineage.activities.review_log import answers_tag
from lineage.activities.rounds_moves import JobLabels, Moves, Placed, moves_of
from lineage.activities.select import Selector
from lineage.activities.trace import Choice
from lineage.formats.cvat_rest.rounds import JobStands, Remark, jobs_and_remarks
from lineage.store import read
from lineage.terms import ActivityKind, BatchKind, DisputeKind, SchemaState, Stage, Verdict

Row = Mapping[str, object]
FORMAT, TOOL = "cvat-rest", "cvat"
_WANTED = ("revision", "annotation", "asset", "annotator", "stage", "extra", *columns.BOX)
_JOB = re.compile(r"cvat job (\d+): ")


@dataclass(frozen=True, slots=True)
class Rounds:
    """What a review in CVAT left on record; ``activity`` is None where nothing was new.

    Rows of ``jobs``: ``job task stage state is_ground_truth n_labels n_in_review n_contested n_final``,
    labels as they stand now. Rows of ``remarks``: ``issue job asset by annotation is_resolved is_own is_new
    comment``; an ``annotation`` that is None is a remark on an image, where nothing is drawn.
    ``n_moved`` counts stage events by stage, ``n_held`` labels of accepted jobs that stay in review: they wait for a
    blind answer that agrees. ``n_own`` are remarks of people on their own labels: questions, no
    verdicts; ``n_unplaced`` those on images that are not on record. ``n_gold`` are labels of
    ground-truth jobs that are gold from now on, None where the schema is a draft.
    """

    activity: str | None
    batch: str
    labels: ImportReport
    jobs: Sequence[Row]
    remarks: Sequence[Row]
    n_verdicts: int
    n_moved: Mapping[str, int]
    n_held: int
    n_own: int
    n_unplaced: int
    n_gold: int | None


def rounds(
    project: Project, path: Path, batch: str, *, options: ImportOptions | None = None
) -> Rounds:
    """Record a folder of CVAT's REST answers: labels, stages of jobs, remarks, ground truth as gold.

    Parameters
    ----------
    project
        An open project.
    path
        The folder; see `lineage.formats.cvat_rest`.
    batch
        Tag of the batch.
    options
        How labels are read; of format `FORMAT`.

    Raises
    ------
    NotFound
        ``no-batch``.
    BadInput
        As `ingest.import_labels`; ``cvat-rest-folder``.
    """
    jobs, remarks = jobs_and_remarks(path)
    imported = ingest.import_labels(
        project, [path], batch, options=options or ImportOptions(format=FORMAT)
    )
    seq = position.resolve(project, None)
    labels = _labels_of(project, batch, seq)
    placed = _placed(project, labels, remarks, seq)
    moves = moves_of(labels, jobs, placed, _said(project, seq))
    new = [one for one in placed if one.is_verdict]
    done = Outcome()
    if new or moves.rows:
        with recording(
            project,
            ActivityKind.REVIEW,
            # its source stands with the import, whose bytes must stay the batch's newest
            parameters={"tool": TOOL, "n_jobs": len(jobs), "n_remarks": len(new)},
            batch=batch,
            outcome=done,
        ) as activity:
            _write_verdicts(activity, labels, new)
            _write_moves(activity, labels, moves)
    if Stage.CONTESTED in moves.stage:
        _make_room(project, batch)
    return Rounds(
        activity=done.activity,
        batch=batch,
        labels=imported,
        jobs=[_job_row(job, labels, moves) for job in jobs],
        remarks=_remark_rows(project, placed, labels),
        n_verdicts=len(new),
        n_moved=dict(Counter(stage.value for _, stage, _, _ in moves.rows)),
        n_held=moves.n_held,
        n_own=sum(one.is_own for one in placed),
        n_unplaced=sum(one.asset is None for one in placed),
        n_gold=_gold(project, batch, labels, jobs),
    )


def _labels_of(project: Project, batch: str, seq: int) -> JobLabels:
    """Return the batch's live labels that name a job."""
    found = select.table(project.ledger, Selector(batches=(batch,)), _WANTED, up_to=seq)
    told = pc.extract_regex(found["extra"].combine_chunks().fill_null(""), r'"job":(?P<job>\d+)')
    found = found.filter(told.is_valid())
    number = pc.struct_field(told.drop_null(), "job").cast(pa.int64())
    box = [np.asarray(found[name].fill_null(float("nan"))) for name in columns.BOX]
    return JobLabels(
        revision=np.asarray(found["revision"]),
        annotation=np.asarray(found["annotation"]),
        asset=np.asarray(found["asset"]),
        job=np.asarray(number),
        annotator=found["annotator"].to_pylist(),
        stage=[Stage(stage) for stage in found["stage"].to_pylist()],
        box=np.stack(box, axis=1),
    )


def _placed(
    project: Project, labels: JobLabels, remarks: Sequence[Remark], seq: int
) -> list[Placed]:
    """Place every remark; one that is on record already in the same words is not new."""
    names = sorted({remark.asset for remark in remarks if remark.asset is not None})
    with project.store.reading() as connection:
        keys = read.asset_keys(connection, names)
    people = _people(project)
    known = {
        (draw, comment)
        for rows in project.ledger.scan("verdicts", ("draw", "comment"), up_to=seq)
        for draw, comment in zip(rows["draw"].to_pylist(), rows["comment"].to_pylist(), strict=True)
    }
    found = []
    for remark in remarks:
        asset = keys.get(remark.asset or "")
        row = labels.at(remark, asset)
        author = None if row is None else labels.annotator[row]
        is_own = author is not None and remark.by is not None and people.get(remark.by) == author
        is_new = (_draw(remark), _comment(remark)) not in known
        found.append(Placed(remark, asset, row, is_own, is_new))
    return found


def _said(project: Project, seq: int) -> dict[int, str]:
    """Return, by job, what the newest stage event that names it said."""
    found: dict[int, str] = {}
    for rows in project.ledger.scan("stages", ("basis",), up_to=seq):
        for basis in rows["basis"].unique().to_pylist():
            told = _JOB.match(basis)
            if told is not None:
                found[int(told[1])] = basis
    return found


def _write_verdicts(activity: Recording, labels: JobLabels, remarks: Sequence[Placed]) -> None:
    on = [one.row is not None for one in remarks]
    values = {
        "seq": activity.seq,
        "revision": pa.array(
            [None if one.row is None else int(labels.revision[one.row]) for one in remarks],
            pa.int64(),
        ),
        "draw": [_draw(one.remark) for one in remarks],
        "asset": [one.asset for one in remarks],
        "by": [activity.annotator(one.remark.by, tool=TOOL) for one in remarks],
        "verdict": Verdict.DISPUTE.value,
        # in what a remark on a label differs is in its words alone
        "kind": [None if is_on else DisputeKind.MISSED.value for is_on in on],
        "comment": [_comment(one.remark) for one in remarks],
    }
    activity.append("verdicts", columns.batch_of(columns.SEGMENT_VERDICTS, values, len(remarks)))


def _write_moves(activity: Recording, labels: JobLabels, moves: Moves) -> None:
    agent = activity.annotator(activity.project.agent)
    values = {
        "seq": activity.seq,
        "revision": [int(labels.revision[at]) for at, _, _, _ in moves.rows],
        "stage": [stage.value for _, stage, _, _ in moves.rows],
        "by": [
            agent if by is None else activity.annotator(by, tool=TOOL) for _, _, by, _ in moves.rows
        ],
        "basis": [basis for _, _, _, basis in moves.rows],
    }
    activity.append("stages", columns.batch_of(columns.STAGES, values, len(moves.rows)))
    activity.outcome["n_moved"] = dict(Counter(stage.value for _, stage, _, _ in moves.rows))


def _make_room(project: Project, batch: str) -> None:
    """Make the batch into which the fresh opinions come that settle what is contested."""
    row, tag = batches.get(project, batch), answers_tag(batch)
    if all(one.tag != tag for one in batches.list_all(project)):
        is_draft = schemas.get(project, row.schema).state == SchemaState.DRAFT
        kind = BatchKind.PILOT if is_draft else BatchKind.ARCHIVE
        batches.create(project, BatchOrder(tag, row.task, row.schema, kind))


def _gold(project: Project, batch: str, labels: JobLabels, jobs: Sequence[JobStands]) -> int | None:
    """Declare the labels of ground-truth jobs gold; return how many are so from now on."""
    true = [job.job for job in jobs if job.is_ground_truth]
    chosen = labels.annotation[np.isin(labels.job, true)].tolist()
    if not chosen:
        return 0
    if schemas.get(project, batches.get(project, batch).schema).state != SchemaState.LOCKED:
        return None
    told = "ground-truth jobs of CVAT: " + ", ".join(str(number) for number in true)
    order = GoldOrder(comment=told)
    return gold.add(project, Choice(batch=(batch,)), order, annotations=chosen).n_written


def _draw(remark: Remark) -> str:
    return f"cvat-issue-{remark.issue}"


def _comment(remark: Remark) -> str:
    return remark.text + (" (resolved in CVAT)" if remark.is_resolved else "")


def _job_row(job: JobStands, labels: JobLabels, moves: Moves) -> Row:
    own = np.flatnonzero(labels.job == job.job)
    n = Counter(moves.stage[at].value for at in own)
    return {
        "job": job.job,
        "task": job.task,
        "stage": job.stage,
        "state": job.state,
        "is_ground_truth": job.is_ground_truth,
        "n_labels": len(own),
        **{f"n_{stage.value}": n[stage.value] for stage in (Stage.IN_REVIEW, Stage.CONTESTED, Stage.FINAL)},
    }  # fmt: skip


def _remark_rows(project: Project, placed: Sequence[Placed], labels: JobLabels) -> list[Row]:
    people = _people(project)
    return [
        {
            "issue": one.remark.issue,
            "job": one.remark.job,
            "asset": one.remark.asset,
            "by": None if one.remark.by is None else people.get(one.remark.by),
            "annotation": None if one.row is None else int(labels.annotation[one.row]),
            "is_resolved": one.remark.is_resolved,
            "is_own": one.is_own,
            "is_new": one.is_verdict,
            "comment": one.remark.text,
        }
        for one in placed
    ]


def _people(project: Project) -> dict[str | None, str]:
    """Return the pseudonym of everybody whom CVAT names, by handle."""
    with project.store.reading() as connection:
        known = read.annotators(connection)
    return {row.handle: row.pseudonym for row in known if row.tool in (TOOL, "")}
