"""What holds for one run of the command line, and the project that it works in."""

from __future__ import annotations

import getpass
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import typer

from lineage.errors import Usage

if TYPE_CHECKING:
    from lineage.activities.context import Project
    from lineage.store import Patience


@dataclass(frozen=True, slots=True)
class Session:
    """The words that stand before a command.

    Parameters
    ----------
    directory
        Where to work.
    as_json, quiet, pseudonyms
        The flags.
    """

    directory: Path
    as_json: bool
    quiet: bool
    pseudonyms: bool

    def open(self) -> Project:
        """Open the project, its store brought in step with its ledger."""
        from lineage.activities.context import open_project

        return self._opened(open_project)

    def locate(self) -> Project:
        """Return the project as it lies there, nothing finished or replayed."""
        from lineage.activities.context import locate

        return self._opened(locate)

    def _opened(self, way: Callable[..., Project]) -> Project:
        from lineage.cli.progress import drawn

        return way(
            self.directory,
            store_url=os.environ.get("LINEAGE_STORE"),
            agent=self._agent(),
            progress=drawn(self.quiet),
            patience=self._patience(),
        )

    def names(self, project: Project) -> dict[str, str]:
        """Return the name to show for every pseudonym."""
        from lineage.activities.trace import names_of

        return {} if self.pseudonyms else names_of(project)

    def _patience(self) -> Patience:
        from lineage.store import LIMIT_S, Patience

        given = os.environ.get("LINEAGE_BUSY_TIMEOUT_S", f"{LIMIT_S:g}")
        try:
            limit_s = float(given)
        except ValueError:
            raise Usage(
                "busy-timeout", f"LINEAGE_BUSY_TIMEOUT_S is {given!r}, expected a number of seconds"
            ) from None
        path = click.get_current_context(silent=True)
        command = "lineage" if path is None else path.command_path
        return Patience(limit_s, command=command, tell=_unsaid if self.quiet else _on_stderr)

    def _agent(self) -> str:
        given = os.environ.get("LINEAGE_AGENT")
        if given:
            return given
        from lineage import vcs

        return vcs.committer(self.directory) or f"{getpass.getuser()}@{socket.gethostname()}"


def _on_stderr(told: str) -> None:
    print(told, file=sys.stderr, flush=True)


def _unsaid(told: str) -> None:
    """Say nothing: ``--quiet``."""


def session_of(ctx: typer.Context) -> Session:
    """Return the session that a command runs in."""
    found = ctx.find_object(Session)
    return found or Session(Path("."), as_json=False, quiet=False, pseudonyms=False)
