"""History that happened elsewhere: the commits of a label file become activities of their own time.

Each commit is imported whole: its author is the agent, its time the activity's,
and what it added or changed is its author's where the file names nobody. So blame
and diff work on labels that were never here, and `--as-of commit:SHA` is the file
as that commit has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from lineage.activities.context import Project
from lineage.activities.ingest import ImportOptions, ImportReport, import_labels
from lineage.errors import Refused, Usage
from lineage.segments import scratch
from lineage.store import read
from lineage.vcs.history import Commit, history_of


@dataclass(frozen=True, slots=True)
class CommitReport:
    """What a commit did to the labels."""

    commit: str
    author: str
    at: datetime
    subject: str
    path: str
    n_passed_over: int
    done: ImportReport


@dataclass(frozen=True, slots=True)
class HistoryReport:
    """What became of a history.

    Parameters
    ----------
    batch
        Tag.
    commits
        Those that were recorded now, oldest first.
    n_known
        Commits that were on record already.
    """

    batch: str
    commits: Sequence[CommitReport]
    n_known: int


def import_history(
    project: Project,
    path: Path,
    batch: str,
    *,
    options: ImportOptions | None = None,
    revision: str = "HEAD",
) -> HistoryReport:
    """Record every commit of a label file or folder as an activity.

    Parameters
    ----------
    project
        An open project.
    path
        In a work tree of any Git repository.
    batch
        Tag of a batch that holds this history and nothing else.
    options
        How to read; every commit is whole, whatever is said here.
    revision
        Up to which commit.

    Raises
    ------
    NotFound
        ``no-batch``, ``git-revision``, ``git-file``.
    BadInput
        A commit's files cannot be read; the commits before it are on record.
    Refused
        ``history-differs``: the batch holds other labels, or commits that are not in this history.
    Usage
        ``usage``: a dry run of a history.
    """
    how = replace(options or ImportOptions(), is_whole=True)
    if how.is_dry_run:
        raise Usage("usage", "a history has no --dry-run: each commit builds on the one before")
    with history_of(path, revision) as history:
        known = _known(project, batch)
        new = _after(history.commits, known, batch)
        reports = []
        with scratch.room(project.root / ".lineage", "history-") as folder:
            for number, commit in enumerate(history.commits, start=1):
                if commit not in new:
                    continue
                project.progress("commits", number, len(history.commits))
                place, n_passed = history.write(commit, folder)
                reports.append(
                    _record(project, place, batch, replace(how, commit=commit), n_passed)
                )
    return HistoryReport(batch, tuple(reports), len(known))


def _record(
    project: Project, place: Path, batch: str, how: ImportOptions, n_passed: int
) -> CommitReport:
    commit = how.commit
    if commit is None:
        raise ValueError("a commit is needed")

    def then() -> datetime:
        return commit.at

    # the activity is the author's, at the author's time
    then_and_there = replace(project, agent=commit.author, clock=then)
    done = import_labels(then_and_there, [place], batch, options=how)
    return CommitReport(
        commit=commit.sha,
        author=commit.author,
        at=commit.at,
        subject=commit.subject,
        path=commit.path,
        n_passed_over=n_passed,
        done=done,
    )


def _known(project: Project, batch: str) -> list[str | None]:
    """Return the commits behind a batch's imports, oldest first; None for an import of another sort."""
    with project.store.reading() as connection:
        entries = read.activities(connection)
    return [
        str(entry.parameters["commit"]) if "commit" in entry.parameters else None
        for entry in entries
        if entry.batch == batch and entry.kind in ("import", "migrate")
    ]


def _after(commits: Sequence[Commit], known: Sequence[str | None], batch: str) -> Sequence[Commit]:
    """Return the commits that follow those on record."""
    if [commit.sha for commit in commits[: len(known)]] != list(known):
        stranger = next(
            (sha for at, sha in enumerate(known) if at >= len(commits) or commits[at].sha != sha),
            None,
        )
        told = "labels of another source" if stranger is None else f"commit {stranger[:10]}"
        raise Refused(
            "history-differs",
            f"batch {batch} holds {told}, which this history has not at that place",
            hint="import the history into a batch of its own",
        )
    return commits[len(known) :]
