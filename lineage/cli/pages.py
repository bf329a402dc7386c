"""``report``: one page with everything about quality, for who has only a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineage.cli import report as told
from lineage.cli.choice import (
    Annotators,
    AsOf,
    Assets,
    Batches,
    Classes,
    Schemas,
    Since,
    Until,
    choice,
)
from lineage.cli.session import Session, session_of


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("report")(report)


def report(
    ctx: typer.Context,
    out: Annotated[
        Path, typer.Option(help="The page; its lists go into a folder beside it.")
    ] = Path("reports/quality.html"),
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where image files are, besides the project.")
    ] = None,
    shows_names: Annotated[
        bool, typer.Option("--names", help="People by name; otherwise by pseudonym.")
    ] = False,
    dvc_plots: Annotated[
        bool,
        typer.Option(
            "--dvc-plots", help="Write only a page on which `dvc plots` needs no network."
        ),
    ] = False,
    iou: Annotated[float, typer.Option(help="Least overlap of two labels of one object.")] = 0.5,
    small_iou: Annotated[
        float | None, typer.Option(help="The same for objects under 32 x 32 px.")
    ] = None,
    batch: Batches = None,
    annotator: Annotators = None,
    class_: Classes = None,
    schema: Schemas = None,
    asset: Assets = None,
    since: Since = None,
    until: Until = None,
    as_of: AsOf = None,
) -> None:
    """Write one self-contained HTML page: agreement, weeks, disputes with pictures, annotators, batches."""
    from lineage.activities import reporting
    from lineage.activities.gather import Threshold

    session = session_of(ctx)
    project = session.open()
    if dvc_plots:
        _plots(reporting.plots_page(project), session)
        return
    done = reporting.report(
        project,
        choice(batch, annotator, class_, None, schema, asset, since, until, as_of),
        out=out,
        threshold=Threshold(iou, small_iou),
        images=images,
        shows_names=shows_names and not session.pseudonyms,
    )
    if session.as_json:
        told.print_json(done)
        return
    told.line(
        f"wrote {done.path} ({done.n_bytes / 1e6:.1f} MB) and {len(done.lists)} lists beside it"
    )
    if done.n_disputed:
        told.line(f"  {done.n_disputed} disputed objects, {done.n_pictured} with their image")
        if done.n_pictured < done.n_disputed:
            told.line("  where the other images are: --images DIR")
    told.line(
        f"  people by {'name' if done.names == 'handles' else 'pseudonym: --names shows them'}"
    )


def _plots(path: Path, session: Session) -> None:
    if session.as_json:
        told.print_json({"path": path})
        return
    told.line(f"wrote {path}")
    told.line("  let DVC use it: dvc config plots.html_template plots/page.html")
