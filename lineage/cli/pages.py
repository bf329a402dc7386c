"""``report``: one page with everything about quality, for who has only a browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from lineage.cli.isolate import (
    Errors,
    EvalNew,
    EvalOld,
    FirstClass,
    Mode,
    ModelClasses,
    PredictionsBad,
    PredictionsGood,
    Score,
    Truth,
    Unit,
)
from lineage.cli.session import Session, session_of
from lineage.errors import Usage

if TYPE_CHECKING:
    from lineage.activities.isolate_files import Sources
    from lineage.activities.trace import Choice

How = tuple[Path | None, Path | None, bool]
"""Where a page goes, where images are, and whether people have names on it."""


Out = Annotated[
    Path | None,
    typer.Option(
        help="The page; its lists go into a folder beside it. reports/quality.html, or isolate.html."
    ),
]
Images = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where image files are, besides the project.")
]
Names = Annotated[bool, typer.Option("--names", help="People by name; otherwise by pseudonym.")]
Plots = Annotated[
    bool,
    typer.Option("--dvc-plots", help="Write only a page on which `dvc plots` needs no network."),
]
Iou = Annotated[float, typer.Option(help="Least overlap of two labels of one object.")]
SmallIou = Annotated[float | None, typer.Option(help="The same for objects under 32 x 32 px.")]
Runs = Annotated[
    tuple[str, str] | None,
    typer.Option(
        metavar="BAD GOOD", help="Two pinned runs: a page of the labels to blame, as `isolate`."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("report")(report)


def report(
    ctx: typer.Context,
    out: Out = None,
    images: Images = None,
    shows_names: Names = False,
    dvc_plots: Plots = False,
    iou: Iou = 0.5,
    small_iou: SmallIou = None,
    batch: Batches = None,
    annotator: Annotators = None,
    class_: Classes = None,
    schema: Schemas = None,
    asset: Assets = None,
    since: Since = None,
    until: Until = None,
    as_of: AsOf = None,
    isolate: Runs = None,
    errors: Errors = None,
    predictions_good: PredictionsGood = None,
    predictions_bad: PredictionsBad = None,
    truth: Truth = None,
    model_classes: ModelClasses = None,
    first_class: FirstClass = None,
    mode: Mode = "auto",
    unit: Unit = "auto",
    threshold: Score = None,
    eval_old: EvalOld = None,
    eval_new: EvalNew = None,
) -> None:
    """Write one self-contained HTML page: agreement, weeks, disputes, people; or who made a model worse."""
    from lineage.activities import reporting
    from lineage.activities.isolate_files import Sources

    session = session_of(ctx)
    classes = tuple(model_classes.split(",")) if model_classes else ()
    sources = Sources(
        errors=tuple(errors or ()), predictions_good=predictions_good, predictions_bad=predictions_bad,
        truth=truth, model_classes=classes, first_class=first_class, mode=mode, unit=unit,
        threshold=threshold, eval_old=eval_old, eval_new=eval_new,
    )  # fmt: skip
    asked = choice(batch, annotator, class_, None, schema, asset, since, until, as_of)
    is_named = shows_names and not session.pseudonyms
    if isolate is not None:
        if dvc_plots or asked != choice(*(None,) * 9):
            raise Usage(
                "usage", "--isolate takes all labels of two runs: no selection goes with it"
            )
        _isolated(session, isolate, sources, (out, images, is_named))
    elif sources != Sources():
        raise Usage("usage", "files of outcomes and predictions go with --isolate BAD GOOD")
    elif dvc_plots:
        _plots(reporting.plots_page(session.open()), session)
    else:
        _quality(session, asked, (iou, small_iou), (out, images, is_named))


def _quality(session: Session, asked: Choice, iou: tuple[float, float | None], how: How) -> None:
    """Write the quality page."""
    from lineage.activities import reporting
    from lineage.activities.gather import Threshold

    out, images, is_named = how
    done = reporting.report(
        session.open(),
        asked,
        out=out or reporting.OUT,
        threshold=Threshold(*iou),
        images=images,
        shows_names=is_named,
    )
    if session.as_json:
        told.print_json(done)
        return
    _tell_written(done.path, done.n_bytes, done.lists)
    if done.n_disputed:
        told.line(f"  {done.n_disputed} disputed objects, {done.n_pictured} with their image")
        if done.n_pictured < done.n_disputed:
            told.line("  where the other images are: --images DIR")
    _tell_people(done.names)


def _isolated(session: Session, runs: tuple[str, str], sources: Sources, how: How) -> None:
    """Write the page of suspects."""
    from lineage.activities import isolate_page

    out, images, is_named = how
    done = isolate_page.report(
        session.open(),
        bad=runs[0],
        good=runs[1],
        sources=sources,
        out=out or isolate_page.OUT,
        images=images,
        shows_names=is_named,
    )
    if session.as_json:
        told.print_json(done)
        return
    n = f"{done.n_suspects} suspects"
    told.line(f"evidence; {n}" if done.evidence else f"no evidence; {n}, the likeliest and no more")
    _tell_written(done.path, done.n_bytes, done.lists)
    if done.n_shown:
        told.line(f"  {done.n_shown} labels before and after, {done.n_pictured} with their image")
        if done.n_pictured < done.n_shown:
            told.line("  where the other images are: --images DIR")
    _tell_people(done.names)


def _tell_written(path: Path, n_bytes: int, lists: Sequence[Path]) -> None:
    told.line(f"wrote {path} ({n_bytes / 1e6:.1f} MB) and {len(lists)} lists beside it")


def _tell_people(names: str) -> None:
    told.line(f"  people by {'name' if names == 'handles' else 'pseudonym: --names shows them'}")


def _plots(path: Path, session: Session) -> None:
    if session.as_json:
        told.print_json({"path": path})
        return
    told.line(f"wrote {path}")
    told.line("  let DVC use it: dvc config plots.html_template plots/page.html")
