"""``lineage restore``: the store again, from the ledger's files alone, or from a copy and what came since."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from lineage.activities import backup
from lineage.activities.context import Project
from lineage.activities.restore import RestoreReport
from lineage.errors import BadInput, Refused
from lineage.segments import sync_directory, sync_file
from lineage.store import backup as copies
from lineage.store import read

_SUFFIXES = ("", "-wal", "-shm")


def rebuild(
    located: Project,
    opened: Callable[[], Project],
    *,
    discard: bool = False,
    source: Path | None = None,
) -> RestoreReport:
    """Bring the store in step with the ledger, from nothing or from a copy if asked to.

    Parameters
    ----------
    located
        As `context.locate` returns it: a store that cannot be opened is what this is for.
    opened
        Opens the project, which replays what the store lacks.
    discard
        Move the embedded store away first; it is removed when the new one stands.
    source
        A copy that is put in its place, then brought in step; implies ``discard``.

    Raises
    ------
    Refused
        ``store-not-embedded``: ``discard`` was asked of a PostgreSQL store.
    BadInput
        ``no-backup``, or ``backup-unfit``: the copy is damaged, or of another log.
    """
    moved: list[tuple[Path, Path]] = []
    if discard or source is not None:
        store = located.store
        if store.path is None:
            raise Refused(
                "store-not-embedded",
                f"{store.label} is not lineage's to throw away",
                hint="drop the database yourself, create it empty, then: lineage restore",
            )
        if source is not None:
            _refuse_unfit(located, source)
        with store.exclusive():
            moved = _moved_away(store.path)
            try:
                if source is not None:
                    _put_in_place(located, source, store.path)
            except BaseException:
                _put_back(moved)
                raise
    try:
        project = opened()
    except BaseException:
        _put_back(moved)
        raise
    for old, _ in moved:
        _remove(old)
    with project.store.reading() as connection:
        head = read.head(connection)
        n_names = sum(row.handle is not None for row in read.annotators(connection))
    return RestoreReport(head.size, head.revision, n_names, project.ledger.checkpoint())


def _refuse_unfit(located: Project, source: Path) -> None:
    # the present store may be what is broken: the copy is held against the ledger alone
    found = copies.contents(source)
    problems = backup.problems(located, found)
    if problems:
        raise BadInput(
            "backup-unfit",
            f"{source} cannot be put back: {'; '.join(problems)}",
            hint="take another copy; or from the ledger alone: lineage restore --discard-store",
        )


def _moved_away(path: Path) -> list[tuple[Path, Path]]:
    moved = []
    for suffix in _SUFFIXES:
        file = path.with_name(path.name + suffix)
        if file.exists():
            old = file.with_name(file.name + ".old")
            _remove(old)
            moved.append((file.rename(old), file))
    return moved


def _put_in_place(located: Project, source: Path, path: Path) -> None:
    aside = path.with_name(path.name + ".new")
    aside.unlink(missing_ok=True)
    aside.touch(mode=0o600)
    copies.copy(source, aside, told=lambda n, of: located.progress("copy", n, of))
    sync_file(aside)
    aside.replace(path)
    sync_directory(path.parent)


def _put_back(moved: list[tuple[Path, Path]]) -> None:
    for old, path in moved:
        if old.exists():
            _remove(path)
            old.rename(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
