"""``store ...``: the embedded store as a file: copied, and held against the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineage.cli import report
from lineage.cli.session import session_of

if TYPE_CHECKING:
    from lineage.activities.backup import BackupReport

_store = typer.Typer(help="The store as a file: backup, verify.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="The copy.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(_store, name="store")


@_store.command("backup")
def backup(ctx: typer.Context, file: File) -> None:
    """Copy the store while others may write to it, and verify the copy."""
    from lineage.activities import backup as backups

    session = session_of(ctx)
    _tell(backups.backup(session.open(), file), as_json=session.as_json)


@_store.command("verify")
def verify(ctx: typer.Context, file: File) -> None:
    """Hold a copy of any age against the ledger; nothing is changed."""
    from lineage.activities import backup as backups

    session = session_of(ctx)
    _tell(backups.verify(session.locate(), file), as_json=session.as_json)


def _tell(done: BackupReport, *, as_json: bool) -> None:
    if as_json:
        report.print_json({"ok": done.ok, **report.fields(done)})
    else:
        report.line(
            f"{done.path}: {done.n_revisions:,} revisions of {done.size:,} activities, "
            f"{done.n_bytes:,} bytes"
        )
        if done.n_behind:
            report.line(f"{done.n_behind:,} later activities are replayed when it is put back")
        if done.n_forgotten:
            report.line(
                f"it names {done.n_forgotten:,} people who were erased since: delete it, and make another"
            )
        for problem in done.problems:
            report.line(f"wrong: {problem}")
        if done.ok:
            report.line(f"whole; put it back with: lineage restore --from {done.path}")
    if not done.ok:
        raise typer.Exit(1)
