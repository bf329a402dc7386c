"""A copy of the embedded store while others write to it, by SQLite's own online backup."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from lineage.errors import BadInput, StoreFault
from lineage.store import APPLICATION_ID

_PAGES = 8192
"""Copied in one step, 32 MiB: whoever waits for the database waits no longer than that takes."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database file of ours says of itself.

    Parameters
    ----------
    origin, version
        Of its log, and of its tables.
    size, root
        Of the log in it; None before the first activity.
    n_revisions, n_stated
        Rows, and how many the log says there are.
    named
        Pseudonyms of the people whom it names.
    problems
        What SQLite's own check finds, nothing where it is whole.
    """

    origin: str
    version: int
    size: int
    root: str | None
    n_revisions: int
    n_stated: int
    named: frozenset[str]
    problems: tuple[str, ...]


def copy(source: Path, target: Path, *, told: Callable[[int, int], None]) -> None:
    """Copy a database as it is at one moment, while others write to it.

    Parameters
    ----------
    source
        A database; its log is read with it.
    target
        A file that is not there; one file in the end, without a log.
    told
        Called with pages done and pages in all.

    Raises
    ------
    StoreFault
        ``backup-failed``: the database cannot be read, or the copy not written.
    """

    def step(status: int, left: int, n: int) -> None:
        told(n - left, n)

    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as reading,
            closing(sqlite3.connect(target)) as writing,
        ):
            # a read transaction: pages of one moment, however many steps it takes
            reading.execute("BEGIN")
            reading.execute("SELECT COUNT(*) FROM store_info").fetchone()
            reading.backup(writing, pages=_PAGES, progress=step, sleep=0.0)
            writing.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as exc:
        target.unlink(missing_ok=True)
        raise StoreFault(
            "backup-failed",
            f"{source} could not be copied to {target}: {exc}",
            hint="lineage status",
        ) from exc


def contents(path: Path) -> Contents:
    """Read what a database file says of itself; the file is not touched.

    Raises
    ------
    BadInput
        ``no-backup``: it is not there, no database, or none of ours.
    """
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
            (mark,) = connection.execute("PRAGMA application_id").fetchone()
            if mark != APPLICATION_ID:
                raise _no_backup(path, "it is another program's")
            return _read(connection)
    except sqlite3.Error as exc:
        raise _no_backup(path, str(exc)) from exc


def _read(connection: sqlite3.Connection) -> Contents:
    problems = [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
    info = dict(connection.execute("SELECT key, value FROM store_info"))
    last = connection.execute("SELECT seq, root FROM log_entry ORDER BY seq DESC LIMIT 1")
    size, root = last.fetchone() or (0, None)
    (n,) = connection.execute("SELECT COUNT(*) FROM revision").fetchone()
    (stated,) = connection.execute("SELECT COALESCE(SUM(n_revisions), 0) FROM log_entry").fetchone()
    named = connection.execute(
        "SELECT a.pseudonym FROM person p JOIN annotator a ON a.id = p.annotator_id"
    )
    return Contents(
        info["origin"],
        int(info["version"]),
        size,
        root,
        n,
        stated,
        frozenset(name for (name,) in named),
        tuple(problems),
    )


def _no_backup(path: Path, said: str) -> BadInput:
    return BadInput(
        "no-backup",
        f"{path} is no backup of a store: {said}",
        hint="one is made with: lineage store backup FILE",
    )
