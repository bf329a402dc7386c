"""An open project: its settings, store and ledger, and the outside world made explicit."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from lineage.activities import restore
from lineage.errors import NotFound
from lineage.progress import Progress, silent
from lineage.segments import Ledger
from lineage.segments.signing import Signing
from lineage.settings import ProjectSettings, load_project
from lineage.store import Patience, Store

CONFIG = Path(".lineage") / "config.toml"
_PATIENCE = Patience()


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Project:
    """A project's directory, opened.

    Parameters
    ----------
    root
        The directory that holds ``.lineage``.
    settings, store, ledger
        What `open_project` found there.
    agent
        Handle of whoever runs the command, for the record.
    clock
        Returns the present as an aware time.
    entropy
        Returns so many random bytes: pseudonyms, salts and activity ids.
    progress
        Told how far long work is.
    """

    root: Path
    settings: ProjectSettings
    store: Store
    ledger: Ledger
    agent: str = "unknown"
    clock: Callable[[], datetime] = _now
    entropy: Callable[[int], bytes] = os.urandom
    progress: Progress = field(default=silent)

    @property
    def address_book(self) -> Path:
        """The file that keeps people's names when the store is lost; never tracked."""
        return self.root / ".lineage" / "people.json"


def find_root(start: Path) -> Path:
    """Return the nearest directory at or above ``start`` that is a project.

    Raises
    ------
    NotFound
        ``no-project``: there is none.
    """
    for folder in (start, *start.parents):
        if (folder / CONFIG).is_file():
            return folder
    raise NotFound(
        "no-project",
        f"no {CONFIG} in {start} or above it",
        hint="make this directory a project with: lineage init",
    )


def locate(
    start: Path,
    *,
    store_url: str | None = None,
    agent: str = "unknown",
    progress: Progress = silent,
    patience: Patience = _PATIENCE,
) -> Project:
    """Return the project at or above ``start`` as it lies there: nothing is read, finished or replayed.

    For whoever must see faults that opening would refuse or mend; parameters as of `open_project`.

    Raises
    ------
    NotFound
        ``no-project``.
    """
    root = find_root(start.resolve())
    settings = load_project(root)
    store = Store(store_url or settings.store_url, root, patience=patience)
    key = None if settings.signing_key is None else root / settings.signing_key
    ledger = Ledger(root / "ledger", signing=Signing(key, settings.verifiers))
    return Project(root, settings, store, ledger, agent, progress=progress)


def open_project(
    start: Path,
    *,
    store_url: str | None = None,
    agent: str = "unknown",
    progress: Progress = silent,
    patience: Patience = _PATIENCE,
) -> Project:
    """Open the project at or above ``start`` and bring its store in step with its ledger.

    Parameters
    ----------
    start
        A directory.
    store_url
        In place of the one in the settings.
    agent
        Handle of whoever asks.
    progress
        Told how far a restore is.
    patience
        How to wait for another process that writes.

    Raises
    ------
    NotFound
        ``no-project``.
    LineageError
        Whatever `restore.bring_in_step` raises.
    """
    project = locate(start, store_url=store_url, agent=agent, progress=progress, patience=patience)
    restore.bring_in_step(
        project.store,
        project.ledger,
        origin=project.settings.origin,
        address_book=project.address_book,
        progress=progress,
    )
    return project
