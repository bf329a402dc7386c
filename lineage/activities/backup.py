"""``lineage store backup`` and ``verify``: a copy of the store, and whether it is what the ledger says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lineage.activities.context import Project
from lineage.errors import Refused
from lineage.identity import log_leaf, merkle_root
from lineage.segments import file_sha256, sync_directory, sync_file
from lineage.segments.files import disk
from lineage.store import backup as copies
from lineage.store import erase, migrations
from lineage.store.backup import Contents


@dataclass(frozen=True, slots=True)
class BackupReport:
    """A copy of the store, held against the ledger.

    Parameters
    ----------
    path
        The file.
    sha256, n_bytes
        Of it.
    size, root
        Of the log in it.
    n_behind
        Activities that the ledger has and it lacks: they are replayed when it is put back.
    n_revisions
        Rows in it.
    version
        Of its tables.
    n_forgotten
        People in it who were erased since.
    problems
        What is wrong with it, in words; nothing where it is whole.
    """

    path: Path
    sha256: str
    n_bytes: int
    size: int
    root: str | None
    n_behind: int
    n_revisions: int
    version: int
    n_forgotten: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether it can be put back."""
        return not self.problems


def backup(project: Project, path: Path) -> BackupReport:
    """Copy the store while others may write to it, and verify the copy.

    Raises
    ------
    Refused
        ``store-not-copied``: it is a PostgreSQL store; ``file-exists``.
    StoreFault
        ``backup-failed``, ``disk-full``.
    """
    source = project.store.path
    if source is None:
        raise Refused(
            "store-not-copied",
            f"{project.store.label} is a server's, expected an embedded store",
            hint="pg_dump --format=custom --file=FILE DATABASE; or keep ledger/ alone: lineage "
            "restore makes the store from it",
        )
    target = path.absolute()
    if target.exists():
        raise Refused(
            "file-exists", f"{path} stands there already", hint="remove it, or name another"
        )
    aside = target.with_name(f".{target.name}.{os.getpid()}.part")
    with disk(aside):
        # it names people: for nobody's eyes but its owner's
        aside.touch(mode=0o600)
    try:
        copies.copy(source, aside, told=lambda n, of: project.progress("backup", n, of))
        with disk(target):
            sync_file(aside)
            aside.rename(target)
            sync_directory(target.parent)
    finally:
        aside.unlink(missing_ok=True)
    return verify(project, path)


def verify(project: Project, path: Path) -> BackupReport:
    """Hold a copy of any age against the ledger as it is now.

    Parameters
    ----------
    project
        As `context.locate` returns it, or opened.
    path
        The copy.

    Raises
    ------
    BadInput
        ``no-backup``.
    """
    found = copies.contents(path)
    positions = project.ledger.positions()
    gone: set[str] = set()
    if project.store.exists():
        with project.store.reading(check=False) as connection:
            gone = erase.forgotten(connection)
    return BackupReport(
        path=path,
        sha256=file_sha256(path),
        n_bytes=path.stat().st_size,
        size=found.size,
        root=found.root,
        n_behind=max(0, len(positions) - found.size),
        n_revisions=found.n_revisions,
        version=found.version,
        n_forgotten=len(found.named & gone),
        problems=tuple(problems(project, found)),
    )


def problems(project: Project, found: Contents) -> list[str]:
    """Return what keeps a copy from being put back, in words."""
    n_here = len(project.ledger.positions())
    wrong = [f"SQLite finds: {said}" for said in found.problems]
    origin = project.settings.origin
    if found.origin != origin:
        return [*wrong, f"it holds the log {found.origin!r}, this project's is {origin!r}"]
    if found.version > migrations.newest():
        wrong.append(
            f"its tables are of version {found.version}, this lineage knows up to "
            f"{migrations.newest()}"
        )
    if found.n_revisions != found.n_stated:
        wrong.append(f"it holds {found.n_revisions:,} revisions, its log says {found.n_stated:,}")
    if found.size > n_here:
        return [
            *wrong,
            f"it knows {found.size:,} activities, the ledger's files here are of {n_here:,}",
        ]
    leaves = [log_leaf(project.ledger.header(seq)) for seq in range(1, found.size + 1)]
    root = merkle_root(leaves).hex() if leaves else None
    if root != found.root:
        wrong.append(
            f"its log has root {found.root}, the ledger's at {found.size:,} activities is {root}"
        )
    return wrong
