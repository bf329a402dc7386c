"""``lineage review ...``: what is checked blind and by whom, what comes back, and what a batch still owes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineage.cli import report, review_rounds, review_screens, review_settle
from lineage.cli.choice import AsOf, DryRun, Formats, Labeller, LabellerOf, Strict
from lineage.cli.session import session_of
from lineage.errors import Usage

if TYPE_CHECKING:
    from lineage.activities.review_status import ReviewStatus

Row = Mapping[str, object]
_group = typer.Typer(
    no_args_is_help=True,
    help="Review: draw, export, import, adjudicate, finalize, status, gate, rounds.",
)
_Batch = Annotated[str, typer.Option("--batch", help="Tag of the batch that is reviewed.")]
_Model = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Predictions: CSV or Parquet, asset, class, box in px."),
]
_Only = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="These labels and no others: CSV, column annotation."),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this file, of those that settle, and of reviews done elsewhere."""
    review_settle.register_into(_group)
    review_rounds.register_into(_group)
    app.add_typer(_group, name="review")


@_group.command("draw")
def draw(
    ctx: typer.Context,
    batch: _Batch,
    people: Annotated[
        list[str] | None,
        typer.Option("--for", metavar="NAME", help="Who reviews; may be repeated. New: by mail."),
    ] = None,
    fraction: Annotated[
        float | None, typer.Option(help="Of the labels; else the batch's policy, or 0.05.")
    ] = None,
    factor: Annotated[
        float, typer.Option(help="Multiplies the fraction, besides the switching rules.")
    ] = 1.0,
    floor: Annotated[int, typer.Option(min=0, help="Labels of every class at least.")] = 60,
    floor_annotator: Annotated[
        int, typer.Option(min=0, help="Labels of every annotator at least.")
    ] = 30,
    model: _Model = None,
    again: Annotated[
        bool, typer.Option("--again", help="Labels that are final: judge approvals in turn.")
    ] = False,
    show_labels: Annotated[
        bool, typer.Option("--show-labels", help="Not blind: packets hold the labels.")
    ] = False,
    only: _Only = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Only say what it costs and can show.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Draw labels for a blind check: by class, annotator and model, each image to one reviewer."""
    from lineage.activities import review_draw

    session = session_of(ctx)
    project = session.open()
    order = review_draw.ReviewOrder(
        batch=batch,
        people=tuple(people or ()),
        fraction=fraction,
        factor=factor,
        floor=floor,
        floor_annotator=floor_annotator,
        model=model,
        is_again=again,
        shows_labels=show_labels,
        only=only,
    )
    found = review_draw.draw(project, order, is_explained=explain, is_rehearsal=dry_run)
    names = session.names(project)
    people_told = review_screens.named(found.people, names)
    closely = review_screens.named(found.inspections, names)
    told = {**report.fields(found), "people": people_told, "inspections": closely}
    if session.as_json:
        report.print_json(told)
        return
    if explain:
        review_screens.explain(found, closely)
    else:
        review_screens.tell_draw(found, people_told, closely, is_dry_run=dry_run)


@_group.command("export")
def export(
    ctx: typer.Context,
    draw: Annotated[str, typer.Argument(help="Of lineage review draw.")],
    to: Annotated[str, typer.Option(help="Tool: label-studio or cvat.")] = "label-studio",
    out: Annotated[Path, typer.Option(help="Folder for packets.")] = Path("outbox"),
) -> None:
    """Write a draw's packets, one a reviewer: images, and nothing about their labels. Repeatable."""
    from lineage.activities import review_packets

    session = session_of(ctx)
    project = session.open()
    folder = out if out.is_absolute() else project.root / out
    found = review_packets.export(project, draw, folder, tool=to)
    names = session.names(project)
    rows = [
        {
            "annotator": names.get(one.annotator, one.annotator),
            "path": one.path.as_posix(),
            "n_images": one.n_images,
        }
        for one in found
    ]
    if session.as_json:
        report.print_json({"draw": draw, "tool": to, "packets": rows})
        return
    for row in rows:
        report.line(f"wrote {row['path']}: {row['n_images']} images for {row['annotator']}")
    if not rows:
        report.line(
            f"{draw} asks about images that its reviewers have already: nothing to hand out"
        )
        return
    report.line("answers: lineage review import EXPORT --batch BATCH")


@_group.command("import")
def import_(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="PATH...")],
    batch: _Batch,
    format: Formats = "auto",
    comments: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Remarks: CSV, asset, class, comment.")
    ] = None,
    iou: Annotated[float, typer.Option(help="Least overlap of two labels of one object.")] = 0.5,
    geometry_iou: Annotated[
        float, typer.Option(help="Below it they differ in where the object is.")
    ] = 0.75,
    annotator: Labeller = None,
    annotator_of: LabellerOf = None,
    strict: Strict = False,
) -> None:
    """Record reviewers' answers and judge what was drawn: agree, or dispute, and in what."""
    from lineage.activities.gather import Threshold
    from lineage.activities.ingest import ImportOptions
    from lineage.activities.review_import import import_answers
    from lineage.activities.review_judge import Rule
    from lineage.cli.labels import import_document
    from lineage.settings import load_params

    session = session_of(ctx)
    project = session.open()
    options = ImportOptions(
        format=format,
        is_strict=strict,
        annotator=annotator,
        annotator_of_file=_pairs(annotator_of or []),
        edge_tolerance_px=load_params(project.root).edge_tolerance_px,
    )
    rule = Rule(Threshold(iou), geometry_iou)
    found = import_answers(project, files, batch, options=options, comments=comments, rule=rule)
    strangers = review_screens.named(found.strangers, session.names(project))
    if session.as_json:
        told = {**report.fields(found), "labels": import_document(found.labels)}
        report.print_json({**told, "strangers": strangers})
    else:
        review_screens.tell_import(found, strangers)
    if found.labels.n_rejected:
        raise typer.Exit(1)


@_group.command("status")
def status(
    ctx: typer.Context,
    batch: Annotated[str | None, typer.Option(help="Else all that are under review.")] = None,
    as_of: AsOf = None,
) -> None:
    """Show the funnel of a batch's review, what it waits for, and the error estimate so far."""
    from lineage.activities import review_status

    session = session_of(ctx)
    project = session.open()
    tags = [batch] if batch is not None else review_status.reviewed_batches(project, as_of)
    found = [review_status.status(project, tag, as_of) for tag in tags]
    names = session.names(project)
    if session.as_json:
        rows = [_status_document(one, names) for one in found]
        report.print_json(
            {**rows[0], "batches": []}
            if batch is not None
            else {**dict.fromkeys(_STATUS_KEYS), "batches": rows}
        )
        return
    if not found:
        report.line("no batch is under review: lineage review draw --batch TAG --for NAME")
    elif batch is not None:
        review_screens.tell_status(found[0], names)
    else:
        review_screens.tell_overview(found, names)


_STATUS_KEYS = (
    "batch", "state", "n_drawn", "n_done", "n_images_drawn", "n_images_done", "n_contested", "n_final",
    "n_rejected", "funnel", "error", "by_class", "by_annotator", "missed", "first_pass", "rejection", "again",
    "n_not_blind", "reviewers", "by_kind", "waits_for", "decision",
)  # fmt: skip


def _pairs(words: Sequence[str]) -> dict[str, str]:
    wrong = [word for word in words if "=" not in word]
    if wrong:
        raise Usage("usage", f"{wrong[0]!r} is no FILE=NAME", hint="lineage review import --help")
    return dict((word.rsplit("=", 1)[0], word.rsplit("=", 1)[1]) for word in words)


def _status_document(found: ReviewStatus, names: Mapping[str, str]) -> dict[str, object]:
    people = {
        name: review_screens.named(getattr(found, name), names)
        for name in ("by_annotator", "reviewers", "waits_for")
    }
    return {**report.fields(found), **people}
