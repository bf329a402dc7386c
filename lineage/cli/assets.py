"""``assets add``, ``assets list``: images on record, and how far they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineage.cli import report
from lineage.cli.choice import AsOf, Assets, Batches, Classes, choice
from lineage.cli.session import session_of
from lineage.terms import Completeness

_assets = typer.Typer(help="Images: add, list.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(_assets, name="assets")


@_assets.command("add")
def add(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    prefix: Annotated[
        str, typer.Option(help="What names begin with, before the path below DIR.")
    ] = "",
) -> None:
    """Register the images below DIR, with size and digest; DVC's own digests are taken where it has them."""
    from lineage.activities import assets

    session = session_of(ctx)
    done = assets.add(session.open(), folder, prefix=prefix)
    if session.as_json:
        report.print_json(done)
        return
    report.line(
        f"{done.n_images:,} images: {done.n_new:,} new, {done.n_joined:,} already known from labels, "
        f"{done.n_unchanged:,} unchanged; {done.n_from_dvc:,} digests from DVC, {done.n_hashed:,} hashed"
    )
    if done.n_ambiguous:
        report.line(
            f"{done.n_ambiguous:,} images share the end of a name that labels give: registered apart from them"
        )
    if done.unreadable:
        report.table(("file", "problem"), done.unreadable)
        raise typer.Exit(1)


@_assets.command("list")
def list_all(
    ctx: typer.Context,
    state: Annotated[list[Completeness] | None, typer.Option(help="In these states.")] = None,
    batch: Batches = None,
    class_: Classes = None,
    asset: Assets = None,
    as_of: AsOf = None,
    limit: Annotated[
        int | None, typer.Option(min=0, help="So many; 50 by default, all with --json.")
    ] = None,
    offset: Annotated[int, typer.Option(min=0, help="Pass over the first so many.")] = 0,
) -> None:
    """List how far images are, as their tools say: --state not_started is what nobody has labelled."""
    from lineage.activities import assets

    session = session_of(ctx)
    asked = choice(batch, None, class_, None, None, asset, None, None, as_of)
    found = assets.states(session.open(), asked, state or ())
    most = report.MAX_ROWS if limit is None and not session.as_json else limit
    rows = found.slice(offset, most).to_pylist()
    if session.as_json:
        report.print_json({"n": found.num_rows, "assets": rows})
        return
    names = ("asset", "class", "state", "reason", "batch")
    report.table(names, [[row[name] for name in names] for row in rows], most=len(rows))
    n_left = found.num_rows - offset - len(rows)
    if n_left > 0:
        report.line(f"... and {n_left:,} more: --offset {offset + len(rows)}")
