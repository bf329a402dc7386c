"""``lineage restore``: the store again, from the ledger's files alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lineage.activities import context
from lineage.activities.context import Project
from lineage.activities.restore import RestoreReport
from lineage.errors import Refused
from lineage.settings import load_project
from lineage.store import Store, read

_SUFFIXES = ("", "-wal", "-shm")


def rebuild(start: Path, opened: Callable[[], Project], *, discard: bool = False) -> RestoreReport:
    """Bring the store in step with the ledger, from nothing if asked to.

    Parameters
    ----------
    start
        A directory of the project.
    opened
        Opens the project, which replays what the store lacks.
    discard
        Move the embedded store away first; it is removed when the new one stands.

    Raises
    ------
    Refused
        ``store-not-embedded``: ``discard`` was asked of a PostgreSQL store.
    """
    moved: list[tuple[Path, Path]] = []
    if discard:
        root = context.find_root(start.resolve())
        store = Store(load_project(root).store_url, root)
        if store.path is None:
            raise Refused(
                "store-not-embedded",
                f"{store.label} is not lineage's to throw away",
                hint="drop the database yourself, create it empty, then: lineage restore",
            )
        with store.exclusive():
            for suffix in _SUFFIXES:
                path = store.path.with_name(store.path.name + suffix)
                if path.exists():
                    moved.append((path.rename(path.with_name(path.name + ".old")), path))
    try:
        project = opened()
    except BaseException:
        for old, path in moved:
            old.replace(path)
        raise
    for old, _ in moved:
        old.unlink()
    with project.store.reading() as connection:
        head = read.head(connection)
        n_names = sum(row.handle is not None for row in read.annotators(connection))
    return RestoreReport(head.size, head.revision, n_names, project.ledger.checkpoint())
