"""What CVAT knows of a review: where each job stands, and what reviewers remarked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lineage.formats.cvat_rest.folder import Folder, Job
from lineage.formats.cvat_rest.read import named
from lineage.formats.names import moment

_N_CORNERS = 4


@dataclass(frozen=True, slots=True)
class JobStands:
    """Where a job stands.

    Parameters
    ----------
    job, task
        Their numbers in CVAT.
    stage
        ``annotation``, ``validation`` or ``acceptance``.
    state
        ``new``, ``in progress``, ``completed`` or ``rejected``.
    is_ground_truth
        Its shapes say what is right.
    n_issues
        Of reviewers, whether resolved or not.
    """

    job: int
    task: int
    stage: str
    state: str
    is_ground_truth: bool
    n_issues: int


@dataclass(frozen=True, slots=True)
class Remark:
    """A reviewer's issue, and the first comment and those that answer it.

    Parameters
    ----------
    issue, job
        Their numbers in CVAT.
    asset
        The image's name; None: the job is not in the folder.
    box
        Hull of the place, px; None where it has none.
    by
        The reviewer's handle; None: CVAT does not say.
    is_resolved
        Somebody declared it settled; CVAT does not say who.
    at
        When it was raised.
    comments
        Who wrote what, in order.
    """

    issue: int
    job: int
    asset: str | None
    box: tuple[float, float, float, float] | None
    by: str | None
    is_resolved: bool
    at: datetime | None
    comments: tuple[tuple[str | None, str], ...]

    @property
    def text(self) -> str:
        """All comments as one text; who answered is not said, for what goes on record names nobody."""
        told = [
            message if by in (None, self.by) else f"answer: {message}"
            for by, message in self.comments
        ]
        return "\n".join(told)


def jobs_and_remarks(path: Path) -> tuple[list[JobStands], list[Remark]]:
    """Return where a folder's jobs stand, and what reviewers remarked; both in CVAT's order of ids.

    Raises
    ------
    BadInput
        As `read.read`.
    """
    whole = Folder(path)
    by_id = {job.id: job for job in whole.jobs}
    n_issues = dict.fromkeys(by_id, 0)
    said: dict[int, list[tuple[str | None, str]]] = {}
    for comment in whole.comments:
        by = None if comment.owner is None else comment.owner.username
        said.setdefault(comment.issue, []).append((by, comment.message))
    remarks = []
    for issue in whole.issues:
        job = by_id.get(issue.job)
        if job is not None:
            n_issues[job.id] += 1
        remarks.append(
            Remark(
                issue=issue.id,
                job=issue.job,
                asset=None if job is None else named(whole, job, issue.frame)[0],
                box=_hull(issue.position),
                by=None if issue.owner is None else issue.owner.username,
                is_resolved=issue.resolved,
                at=moment(issue.created_date),
                comments=tuple(said.get(issue.id, ())),
            )
        )
    return [_stands(job, n_issues[job.id]) for job in whole.jobs], remarks


def _stands(job: Job, n_issues: int) -> JobStands:
    return JobStands(job.id, job.task_id, job.stage, job.state, job.is_ground_truth, n_issues)


def _hull(position: list[float]) -> tuple[float, float, float, float] | None:
    if len(position) < _N_CORNERS or len(position) % 2:
        return None
    xs, ys = position[0::2], position[1::2]
    return min(xs), min(ys), max(xs), max(ys)
