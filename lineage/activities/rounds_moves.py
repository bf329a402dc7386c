"""Where CVAT's jobs and reviewers' remarks let labels go, by the machine of ``docs/review.md``.

A job at validation is looked at: its labels are in review. One at acceptance and
completed is a lot that somebody accepted: labels that were never in review become
final, those that were stay, for they take a blind answer that agrees. A job that was
rejected goes back into review whole. What a reviewer remarked on is contested, also
where CVAT calls the issue resolved: it does not say who settled it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from lineage.calc.geometry import iou
from lineage.formats.cvat_rest.rounds import JobStands, Remark
from lineage.terms import STAGE_MOVES, Stage


@dataclass(frozen=True, slots=True)
class JobLabels:
    """Live labels of a batch that came from jobs of CVAT.

    Parameters
    ----------
    revision, annotation, asset, job
        ndarrays of int64, shape (n,).
    annotator, stage
        Pseudonyms and stages, n of each.
    box
        ndarray of float64, shape (n, 4), px; NaN where there is no place.
    """

    revision: np.ndarray
    annotation: np.ndarray
    asset: np.ndarray
    job: np.ndarray
    annotator: Sequence[str]
    stage: Sequence[Stage]
    box: np.ndarray

    def at(self, remark: Remark, asset: int | None) -> int | None:
        """Return the row that a remark lies on: of its job and image, the one that it overlaps most."""
        here = np.flatnonzero((self.job == remark.job) & (self.asset == (asset or 0)))
        if remark.box is None or len(here) == 0:
            return None
        overlap = np.nan_to_num(iou(self.box[here], np.tile(remark.box, (len(here), 1))))
        return int(here[overlap.argmax()]) if overlap.max() > 0 else None


@dataclass(frozen=True, slots=True)
class Placed:
    """A remark and what it is about.

    Parameters
    ----------
    remark
        As CVAT has it.
    asset
        Key of its image; None: the image is not on record.
    row
        Of `JobLabels`; None: nothing lies there.
    is_own
        Its author made the label.
    is_new
        Not on record yet in these words.
    """

    remark: Remark
    asset: int | None
    row: int | None
    is_own: bool
    is_new: bool

    @property
    def is_verdict(self) -> bool:
        """Whether it is to be written as one."""
        return self.is_new and not self.is_own and self.asset is not None


@dataclass(slots=True)
class Moves:
    """Stage events to write, in order, and where every label stands after them.

    Parameters
    ----------
    stage
        Of every label.
    rows
        Label's row, stage, the handle of who moved it (None: whoever imports) and why.
    n_held
        Labels of accepted jobs that stay in review.
    """

    stage: list[Stage]
    rows: list[tuple[int, Stage, str | None, str]] = field(default_factory=list)
    n_held: int = 0

    def go(self, at: int, stage: Stage, by: str | None, basis: str) -> None:
        """Move a label where the machine lets it."""
        if stage in STAGE_MOVES[self.stage[at]]:
            self.stage[at] = stage
            self.rows.append((at, stage, by, basis))


def target(job: JobStands) -> Stage | None:
    """Return the stage that a job's labels are to be in, None where it says nothing.

    Examples
    --------
    >>> target(JobStands(12, 9, "validation", "new", is_ground_truth=False, n_issues=0)).value
    'in_review'
    >>> target(JobStands(29, 23, "acceptance", "completed", is_ground_truth=False, n_issues=0)).value
    'final'
    """
    if job.is_ground_truth:
        return None
    if job.stage == "acceptance" and job.state == "completed":
        return Stage.FINAL
    if job.stage in ("validation", "acceptance") or job.state == "rejected":
        return Stage.IN_REVIEW
    return None


def moves_of(
    labels: JobLabels, jobs: Sequence[JobStands], remarks: Sequence[Placed], said: Mapping[int, str]
) -> Moves:
    """Return the stage events that bring labels where CVAT has them.

    Parameters
    ----------
    labels
        Where they stand.
    jobs
        Where they are to go.
    remarks
        All that are placed; those to be written contest their label.
    said
        By job, as what it was entered before: a job that did not move since moves nothing again.
    """
    moves = Moves(list(labels.stage))
    contested = {one.row for one in remarks if one.is_verdict and one.row is not None}
    for job in jobs:
        wanted, basis = target(job), basis_of(job)
        if wanted is None:
            continue
        is_known = said.get(job.job) == basis
        for at in np.flatnonzero(labels.job == job.job).tolist():
            if wanted is Stage.FINAL and moves.stage[at] is Stage.IN_REVIEW:
                moves.n_held += 1
            elif at in contested:
                continue
            elif not is_known or moves.stage[at] is Stage.SUBMITTED:
                moves.go(at, wanted, None, basis)
    for one in remarks:
        if one.is_verdict and one.row is not None:
            basis = f"cvat issue {one.remark.issue}" + (
                " (resolved)" if one.remark.is_resolved else ""
            )
            moves.go(one.row, Stage.IN_REVIEW, None, basis)
            moves.go(one.row, Stage.CONTESTED, one.remark.by, basis)
    return moves


def basis_of(job: JobStands) -> str:
    """Return how stage events name what a job said.

    Examples
    --------
    >>> basis_of(JobStands(12, 9, "validation", "new", is_ground_truth=False, n_issues=0))
    'cvat job 12: validation, new'
    """
    return f"cvat job {job.job}: {job.stage}, {job.state}"
