"""``erase``: a person is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lineage.cli import report
from lineage.cli.session import session_of

if TYPE_CHECKING:
    from lineage.activities.erase import EraseReport

_TOLD = {
    "verdicts": "comments of verdicts",
    "stages": "comments of stage events",
    "gold": "comments of gold",
    "revisions": "labels' extra words",
    "quarantine": "refused labels",
}


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("erase")(erase)


def erase(
    ctx: typer.Context,
    annotator: Annotated[str, typer.Argument(help="Handle or pseudonym.")],
    also: Annotated[
        list[str] | None,
        typer.Option(help="A word that names them too; others' text that has it goes."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell, and change nothing.")] = False,
) -> None:
    """Forget a person: name, contact, salt and free text; labels, digests and proofs stay."""
    from lineage.activities import erase as erasing

    session = session_of(ctx)
    done = erasing.erase(session.open(), annotator, also=also or (), is_dry_run=dry_run)
    if session.as_json:
        report.print_json(done)
        return
    _tell(done)


def _tell(done: EraseReport) -> None:
    if done.is_repeat:
        report.line(f"{done.annotator} is forgotten already: nothing was left to erase")
    else:
        verb = "would go" if done.is_dry_run else "gone"
        name = "name, contact and salt" if done.n_names else "no name (none is known here)"
        report.line(f"{done.annotator}: {verb}: {name}")
        for part, n in done.n_texts.items():
            report.line(f"  {n:,} {_TOLD[part]}")
        if done.files:
            verb = "would be" if done.is_dry_run else "were"
            report.line(f"  {len(done.files):,} parts of segments {verb} written anew")
    if done.activity is not None:
        report.line(
            f"on record as activity {done.seq}; labels, digests and proofs stay as they are"
        )
    if not done.is_scrubbed:
        report.line(
            "somebody is reading the store: its free pages are scrubbed when it is opened next"
        )
    report.line()
    report.line("not reached:")
    report.table(("what", "where", "help"), [(b.kind, b.where, b.cure) for b in done.beyond])
