"""``lineage gold ...``: what is right, declared; who is how often wrong; and what no gold covers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineage.cli import report
from lineage.cli.choice import (
    Annotators,
    AsOf,
    Assets,
    Batches,
    Classes,
    DryRun,
    Schemas,
    Since,
    Stages,
    Until,
    choice,
)
from lineage.cli.session import Session, session_of

if TYPE_CHECKING:
    from lineage.activities.gold import GoldChange

_gold = typer.Typer(help="Gold: add, drop, list, coverage, score, draw.", no_args_is_help=True)

_LABEL = ("annotation", "asset", "class", "edge_case", "schema", "annotator", "newer_revision")

Annotations = Annotated[list[int] | None, typer.Option("--annotation", help="These annotations.")]
GoldSchemas = Annotated[
    list[str] | None, typer.Option("--schema", help="Gold under these versions.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(_gold, name="gold")


@_gold.command("add")
def add(
    ctx: typer.Context,
    annotation: Annotations = None,
    edge_case: Annotated[
        str | None, typer.Option(help="Edge case of their class, as the schema names it.")
    ] = None,
    edge_case_from: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ATTRIBUTE:VALUE=CASE", help="Edge case of the labels with this attribute."
        ),
    ] = None,
    under: Annotated[
        str | None,
        typer.Option(
            metavar="NAME@VERSION", help="Right under this version; else the label's own."
        ),
    ] = None,
    comment: Annotated[str | None, typer.Option(help="For the record.")] = None,
    dry_run: DryRun = False,
    batch: Batches = None,
    annotator: Annotators = None,
    class_: Classes = None,
    stage: Stages = None,
    schema: Schemas = None,
    asset: Assets = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Declare live labels gold: what is right, under a label schema version."""
    from lineage.activities import gold

    session = session_of(ctx)
    asked = choice(batch, annotator, class_, stage, schema, asset, since, until, None)
    order = gold.GoldOrder(under, edge_case, tuple(edge_case_from or ()), comment)
    found = gold.add(
        session.open(), asked, order, annotations=annotation or (), is_rehearsal=dry_run
    )
    _tell_change(session, found, "gold" if not dry_run else "would be gold")


@_gold.command("drop")
def drop(
    ctx: typer.Context,
    annotation: Annotations = None,
    reason: Annotated[str | None, typer.Option(help="Why, for the record.")] = None,
    dry_run: DryRun = False,
    batch: Batches = None,
    annotator: Annotators = None,
    class_: Classes = None,
    schema: GoldSchemas = None,
    asset: Assets = None,
) -> None:
    """Take gold back: nobody is scored against it any more."""
    from lineage.activities import gold

    session = session_of(ctx)
    asked = choice(batch, annotator, class_, None, schema, asset, None, None, None)
    found = gold.drop(
        session.open(), asked, annotations=annotation or (), reason=reason, is_rehearsal=dry_run
    )
    _tell_change(session, found, "gold no more" if not dry_run else "would be gold no more")


@_gold.command("list")
def list_all(
    ctx: typer.Context,
    annotation: Annotations = None,
    labels: Annotated[bool, typer.Option("--labels", help="Label by label.")] = False,
    batch: Batches = None,
    annotator: Annotators = None,
    class_: Classes = None,
    schema: GoldSchemas = None,
    asset: Assets = None,
    as_of: AsOf = None,
) -> None:
    """List the gold that stands, by schema version, class and edge case."""
    from lineage.activities.gold_list import gold_list

    session = session_of(ctx)
    project = session.open()
    asked = choice(batch, annotator, class_, None, schema, asset, None, None, as_of)
    found = gold_list(project, asked, annotations=annotation or ())
    names = session.names(project)
    rows = [_named(row, names) for row in found.gold]
    if session.as_json:
        report.print_json({"n": found.n, "by": found.by, "gold": rows})
        return
    if not found.n:
        report.line("no gold yet: lineage gold add --annotation N, or --batch TAG ...")
        return
    if labels:
        report.table(_LABEL, [[str(row[name] or "-") for name in _LABEL] for row in rows])
        return
    heads = ("schema", "class", "edge_case", "n", "n_images", "n_newer")
    report.table(
        ("schema", "class", "edge case", "labels", "images", "corrected since"),
        [[row[name] for name in heads] for row in found.by],
    )


@_gold.command("coverage")
def coverage(
    ctx: typer.Context,
    schema: Annotated[
        list[str] | None, typer.Option(help="Of these versions; else of all that are locked.")
    ] = None,
    least: Annotated[int, typer.Option(min=1, help="Gold labels that are enough.")] = 1,
    require: Annotated[bool, typer.Option("--require", help="Exit 1 where one has fewer.")] = False,
) -> None:
    """Tell which classes and edge cases have gold that holds, and which have none."""
    from lineage.activities.gold_list import coverage as coverage_of

    session = session_of(ctx)
    found = coverage_of(session.open(), schema or (), least=least)
    if session.as_json:
        report.print_json({"n_missing": found.n_missing, "least": least, "coverage": found.rows})
    else:
        report.table(
            ("schema", "class", "edge case", "labels", "images", ""),
            [
                [
                    row["schema"],
                    row["class"],
                    row["edge_case"] or "any",
                    row["n"],
                    row["n_images"],
                    "missing" if row["is_missing"] else " ",
                ]
                for row in found.rows
            ],
        )
        told = f"{found.n_missing} of {len(found.rows)}" if found.n_missing else "none"
        report.line(f"{told} missing, at {least} gold label{'s' if least > 1 else ''} each")
    if require and found.n_missing:
        raise typer.Exit(1)


@_gold.command("score")
def score(
    ctx: typer.Context,
    iou: Annotated[float, typer.Option(help="Least overlap with a gold object.")] = 0.5,
    small_iou: Annotated[
        float | None, typer.Option(help="The same for objects under 32 x 32 px.")
    ] = None,
    week: Annotated[
        str | None, typer.Option(metavar="YYYY-Www", help="Answers of this week only.")
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
    """Score annotators against gold: how often they err, and whether to accept, flag or wait."""
    from lineage.activities.gather import Threshold
    from lineage.activities.gold_score import score as score_of

    session = session_of(ctx)
    project = session.open()
    asked = choice(batch, annotator, class_, None, schema, asset, since, until, as_of)
    found = report.fields(score_of(project, asked, threshold=Threshold(iou, small_iou), week=week))
    names = session.names(project)
    found["annotators"] = [_named(row, names) for row in _rows(found, "annotators")]
    if session.as_json:
        report.print_json(found)
        return
    _tell_scores(found)


@_gold.command("draw")
def draw(
    ctx: typer.Context,
    batch: Annotated[str, typer.Option(help="Batch into which the answers come.")],
    people: Annotated[list[str], typer.Option("--for", metavar="NAME", help="Who is to answer.")],
    fraction: Annotated[
        float, typer.Option(help="Of each one's images in the batch, in (0, 1].")
    ] = 0.02,
    images: Annotated[
        int | None, typer.Option(min=1, help="For each, in place of a fraction.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the lists.")] = Path("outbox"),
    dry_run: DryRun = False,
) -> None:
    """Draw images with gold for people who have not seen them, to be put among their other work."""
    from lineage.activities import gold_draw

    session = session_of(ctx)
    project = session.open()
    folder = out if out.is_absolute() else project.root / out
    found = gold_draw.draw(
        project, batch, people, folder, fraction=fraction, n_images=images, is_rehearsal=dry_run
    )
    names = session.names(project)
    told = {**report.fields(found), "people": [_named(row, names) for row in found.people]}
    if session.as_json:
        report.print_json(told)
        return
    heads = ("annotator", "n_wanted", "n_eligible", "n_drawn")
    report.table(
        ("annotator", "wanted", "not seen yet", "drawn"),
        [[row[name] for name in heads] for row in _rows(told, "people")],
    )
    report.line()
    report.table(
        ("class", "edge case", "images drawn for it"),
        [[row["class"] or "nothing", row["edge_case"], row["n"]] for row in found.by],
    )
    for file in found.files:
        report.line(f"wrote {file}")
    if found.files:
        report.line("  mix these images among the others of the batch: alone they would tell")


def _tell_change(session: Session, found: GoldChange, told: str) -> None:
    if session.as_json:
        report.print_json(found)
        return
    report.line(
        f"{found.n_written:,} label{'' if found.n_written == 1 else 's'} {told}, "
        f"{found.n_unchanged:,} unchanged"
    )
    if found.by:
        heads = ("schema", "class", "edge_case", "n")
        rows = [[row[name] for name in heads] for row in found.by]
        report.table(("schema", "class", "edge case", "labels"), rows)


def _tell_scores(found: Mapping[str, object]) -> None:
    scope, people = found["scope"], _rows(found, "annotators")
    if not isinstance(scope, dict):
        raise TypeError("no report of scores")
    if not people:
        report.line("nobody to score: no answer by others to images with gold")
        report.line("  lineage gold list; lineage gold draw puts gold before people, docs/gold.md")
        return
    report.line(
        f"{scope['n_judgements']:,} judgements on {scope['n_gold']:,} gold labels and "
        f"{scope['n_images']:,} images; IoU from {found['iou_threshold']}"
    )
    report.line()
    report.line("by annotator, who errs most first; error with its 90 % interval")
    heads = ("annotator", "judged", "wrong", "error", "from", "to", *_WRONG, "decision")
    report.table(
        heads,
        [
            (
                row["annotator"], row["n"], row["n_wrong"], *_rate(row, "error_mean"),
                *(row[f"n_{name}"] for name in _WRONG), _decision(row),
            )
            for row in people
        ],
    )  # fmt: skip
    for title, key, of in (
        ("by class of gold", "by_class", ("class",)),
        ("by edge case", "by_edge_case", ("class", "edge_case")),
    ):
        rows = _rows(found, key)
        if key == "by_edge_case" and all(row["edge_case"] is None for row in rows):
            continue
        report.line()
        report.line(title)
        report.table(
            (*(name.replace("_", " ") for name in of), *heads[1:-1]),
            [
                (*(row[name] for name in of), row["n"], row["n_wrong"], *_rate(row, "error"),
                 *(row[f"n_{name}"] for name in _WRONG))
                for row in rows
            ],
        )  # fmt: skip
    confusion = _rows(found, "confusion")
    if confusion:
        report.line()
        report.line("gold taken for something else, most often first")
        told = [[row["class"] or "nothing", row["as_class"] or "nothing", row["n"]]
                for row in confusion[:10]]  # fmt: skip
        report.table(("gold", "as", "n"), told)


_WRONG = ("missed", "misclassed", "misplaced", "extra")


def _rate(row: Mapping[str, object], name: str) -> tuple[object, ...]:
    lo, hi = row["error_lo"], row["error_hi"]
    if row[name] is None:
        return ("n too small", None, None)
    return (f"{row[name]:.3f}", f"{lo:.3f}", f"{hi:.3f}")


def _decision(row: Mapping[str, object]) -> str:
    if row["error_mean"] is None:
        return "n too small"
    if row["decision"] == "continue":
        return "wait for more"
    return f"{row['decision']} (after {row['after']:,})"


def _named(row: Mapping[str, object], names: Mapping[str, str]) -> dict[str, object]:
    """Return a row in which the annotator has the name to show."""
    return {**row, "annotator": names.get(str(row["annotator"]), row["annotator"])}


def _rows(found: Mapping[str, object], key: str) -> Sequence[Mapping[str, object]]:
    rows = found[key]
    return rows if isinstance(rows, list) else []
