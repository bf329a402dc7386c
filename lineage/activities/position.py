"""As of when: a place in the log from a number, a time, a dataset version, its tag, or a Git revision."""

from __future__ import annotations

import re
from datetime import datetime
from typing import cast

from lineage import vcs
from lineage.activities.context import Project
from lineage.errors import BadInput, NotFound
from lineage.segments import parse_checkpoint
from lineage.store import read

_GIT = "git:"


def resolve(project: Project, as_of: str | None) -> int:
    """Return the place in the log that ``as_of`` stands for; None is the newest.

    Parameters
    ----------
    project
        An open project.
    as_of
        A number of activities, an ISO 8601 time with its zone, the name or tag of a dataset version,
        or ``git:REVISION``: where the checkpoint stood in that commit.

    Raises
    ------
    NotFound
        ``as-of``: it is none of these.
    BadInput
        ``naive-time``: a time without a zone; ``as-of-future``: a place that is not reached yet.
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
            moment = aware(as_of)
            entries = read.activities(connection)
            return max((entry.seq for entry in entries if entry.at <= moment), default=0)
    raise NotFound(
        "as-of",
        f"{as_of!r} is no place in the log, time, version, tag or git:REVISION",
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
            "naive-time", f"{text!r} names no zone, expected an aware time", hint=f"{text}Z for UTC"
        )
    return moment


def _in_git(project: Project, revision: str) -> int:
    content = vcs.file_at(project.root, revision, "ledger/checkpoint")
    return parse_checkpoint(content, f"{_GIT}{revision}").size
