"""As of when: a place in the log from a number, a time, a dataset version, its tag, a Git revision or a commit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import cast

from lineage import vcs
from lineage.activities.context import Project
from lineage.errors import BadInput, NotFound, Refused
from lineage.segments import parse_checkpoint
from lineage.store import read
from lineage.terms import ActivityKind

_GIT = "git:"
_COMMIT = "commit:"
_MIN_SHA = 4
_LABELLING = (ActivityKind.IMPORT, ActivityKind.MIGRATE)


def resolve(project: Project, as_of: str | None) -> int:
    """Return the place in the log that ``as_of`` stands for; None is the newest.

    Parameters
    ----------
    project
        An open project.
    as_of
        A number of activities, an ISO 8601 time with its zone, the name or tag of a dataset version,
        ``git:REVISION``: where the checkpoint stood in that commit, or ``commit:SHA``: where the log
        stood after that commit of a history that was imported from Git.

    Raises
    ------
    NotFound
        ``as-of``: it is none of these.
    BadInput
        ``naive-time``: a time without a zone; ``as-of-future``: a place that is not reached yet.
    Refused
        ``as-of-out-of-order``: what was recorded up to the place that the time stands for is in part
        of a later time, as when a history from Git came in behind other labels.
    """
    with project.store.reading() as connection:
        size = read.head(connection).size
        if as_of is None:
            return size
        if as_of.isdigit():
            if int(as_of) > size:
                raise BadInput(
                    "as-of-future", f"the log has {size} activities, asked as of {as_of}"
                )
            return int(as_of)
        if as_of.startswith(_GIT):
            return _in_git(project, as_of.removeprefix(_GIT))
        for row in read.versions(connection):
            if as_of == row["name"] or as_of in cast(list[str], row["tags"]):
                return int(str(row["seq"]))
        if re.match(r"\d{4}-\d\d", as_of):
            return _at(aware(as_of), list(read.activities(connection)))
        if as_of.startswith(_COMMIT):
            return _after_commit(as_of.removeprefix(_COMMIT), list(read.activities(connection)))
    raise NotFound(
        "as-of",
        f"{as_of!r} is no place in the log, time, version, tag, git:REVISION or commit:SHA",
        hint="lineage log, or lineage version list",
    )


def aware(text: str) -> datetime:
    """Return an ISO 8601 time that names its zone.

    Raises
    ------
    BadInput
        ``naive-time``: it names none; ``time-unreadable``: it is no time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise BadInput(
            "time-unreadable", f"{text!r} is no ISO 8601 time", hint="2026-03-01T00:00:00Z"
        ) from exc
    if moment.tzinfo is None:
        raise BadInput(
            "naive-time",
            f"{text!r} names no zone, expected an aware time",
            hint=f"{moment.isoformat()}Z for UTC",
        )
    return moment


def _at(moment: datetime, entries: Sequence[read.ActivityRow]) -> int:
    place = max((entry.seq for entry in entries if entry.at <= moment), default=0)
    later = [
        entry.seq
        for entry in entries
        if entry.seq < place and entry.at > moment and entry.kind in _LABELLING
    ]
    if later:
        raise Refused(
            "as-of-out-of-order",
            f"activity {place} happened by {moment.isoformat()}, but activity {later[0]}, recorded "
            "before it, happened later: no place in the log stands for that time",
            hint="ask by a place in the log (lineage log), or by commit:SHA",
        )
    return place


def _after_commit(sha: str, entries: Sequence[read.ActivityRow]) -> int:
    found = [
        entry
        for entry in entries
        if len(sha) >= _MIN_SHA and str(entry.parameters.get("commit", "")).startswith(sha)
    ]
    if len({entry.parameters["commit"] for entry in found}) != 1:
        told = "no imported history has" if not found else "several commits begin with"
        raise NotFound("as-of", f"{told} commit {sha!r}", hint="lineage log")
    return max(entry.seq for entry in found)


def _in_git(project: Project, revision: str) -> int:
    content = vcs.file_at(project.root, revision, "ledger/checkpoint")
    return parse_checkpoint(content, f"{_GIT}{revision}").size
