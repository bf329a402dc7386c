"""``rare``: what there is little of, how well it is known, and what to look at next."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineage.cli import report
from lineage.cli.choice import AsOf, Batches, Schemas, choice
from lineage.cli.session import session_of

if TYPE_CHECKING:
    from lineage.activities.rare import Rarity

Row = Mapping[str, object]
_N_NEXT = 5


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("rare")(rare)


def rare(
    ctx: typer.Context,
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Predictions: CSV or Parquet, asset, class, box in px."),
    ] = None,
    hours: Annotated[float, typer.Option(help="Of an expert's time to give away.")] = 1.0,
    per_hour: Annotated[float, typer.Option(help="Labels that an expert judges in one.")] = 60.0,
    batch: Batches = None,
    schema: Schemas = None,
    as_of: AsOf = None,
) -> None:
    """List classes and edge cases by how rare and how unsure they are, and say what to look at next."""
    from lineage.activities.rare import rare as rare_of
    from lineage.activities.rare_order import RareOrder

    session = session_of(ctx)
    asked = choice(batch, None, None, None, schema, None, None, None, as_of)
    found = rare_of(session.open(), asked, order=RareOrder(hours, per_hour, model))
    if session.as_json:
        report.print_json(found)
        return
    _tell(found, has_model=model is not None)


def _tell(found: Rarity, *, has_model: bool) -> None:
    tags, refs = found.batches, ", ".join(found.schemas)
    told = ", ".join(tags) if len(tags) <= _N_NEXT else f"{len(tags)} batches"
    report.line(f"{found.n_labels:,} labels by people in {told}, under {refs}")
    report.line()
    heads = [
        "class",
        "edge case or value",
        "rare",
        "labels",
        "images",
        "F1",
        "gold",
        "drawn",
        "judged",
        "error",
    ]
    rows = [_cells(row) for row in found.rows]
    if has_model:
        heads.append("unlabelled places")
        rows = [[*cells, row["n_places"]] for cells, row in zip(rows, found.rows, strict=True)]
    report.table(
        [*heads, "next"],
        [[*cells, row["action"]] for cells, row in zip(rows, found.rows, strict=True)],
    )
    report.line()
    chosen = [row for row in found.rows if row["priority"] is not None][:_N_NEXT]
    if not chosen:
        report.line("nothing is left to look at: every class and edge case is judged and has gold")
        return
    hours = "hour" if found.hours == 1 else f"{found.hours:g} hours"
    report.line(
        f"what the next {hours} of an expert ({found.per_hour:g} labels an hour) should go to, best first"
    )
    for row in chosen:
        report.line(f"{row['rank']:>3}  {_named(row)}: {row['why']}")
        report.line(f"     {row['command']}")
    if not has_model:
        report.line(
            "what nobody drew no sample of labels can find: --model FILE shows where to look"
        )


def _cells(row: Row) -> list[object]:
    return [
        row["class"],
        row["name"] or "any",
        "rare" if row["is_rare"] else " ",
        row["n_labels"],
        row["n_images"],
        _span(row, "f1"),
        row["n_gold"],
        row["n_drawn"],
        row["n_judged"],
        _span(row, "error"),
    ]


def _span(row: Row, name: str) -> str:
    if row[name] is None:
        return "n too small" if name == "f1" and row["n_pairs"] is not None else "-"
    return f"{row[name]:.3f} ({row[name + '_lo']:.3f} to {row[name + '_hi']:.3f})"


def _named(row: Row) -> str:
    return str(row["class"]) if row["name"] is None else f"{row['class']}, {row['name']}"
