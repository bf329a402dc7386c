"""``agreement``: do independent annotators agree, on what, and who does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from lineage.cli import disagreement, report
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
from lineage.cli.session import session_of


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("agreement")(agreement)


def agreement(
    ctx: typer.Context,
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
    """Measure how independent opinions agree: by class, pair, annotator, batch, week and attribute."""
    from lineage.activities.agreement import agreement_of
    from lineage.activities.gather import Threshold

    session = session_of(ctx)
    project = session.open()
    asked = choice(batch, annotator, class_, None, schema, asset, since, until, as_of)
    found = report.fields(agreement_of(project, asked, threshold=Threshold(iou, small_iou)))
    names = session.names(project)
    told = {key: report.named(value, names) for key, value in found.items()}
    if session.as_json:
        report.print_json(told)
        return
    _tell(told)


def _tell(told: Mapping[str, object]) -> None:
    overall, scope = told["overall"], told["scope"]
    if not isinstance(overall, dict) or not isinstance(scope, dict):
        raise TypeError("no report of agreement")
    if not overall["n_images"]:
        report.line("nothing to compare: no image was answered by two people independently")
        report.line("  order overlap: policy overlap_fraction of a batch, docs/settings.md")
        return
    report.line(
        f"{scope['n_labels']:,} labels by two people or more on {overall['n_images']:,} images: "
        f"F1 {_span(overall)}, by chance {_figure(overall['f1_chance'])}; "
        f"alpha on what both found {_figure(overall['alpha'])}; mean IoU {_figure(overall['iou_mean'])}"
    )
    report.line(
        f"IoU from {told['iou_threshold']}; F1 = share of mentions that the other bears out"
    )
    for title, key, of in _TABLES:
        rows = told[key]
        if isinstance(rows, list) and rows:
            report.line()
            report.line(title)
            report.table((*of, *_HEADS), [_cells(row, of) for row in rows])
    confusion = told["confusion"]
    if isinstance(confusion, list) and confusion:
        report.line()
        report.line("taken for one another, most often first")
        rows = [(row["class"], row["as_class"] or "nothing", row["n"]) for row in confusion[:10]]
        report.table(("class", "as", "n"), rows)
    disagreement.tell(told)


_TABLES: Sequence[tuple[str, str, tuple[str, ...]]] = (
    ("by class", "by_class", ("class",)),
    ("by pair, who agree least first", "by_pair", ("a", "b")),
    ("by annotator, who agrees least first", "by_annotator", ("annotator",)),
    ("by attribute, the least agreed first", "by_tag", ("tag",)),
    ("by batch", "by_batch", ("batch",)),
    ("by schema version", "by_schema", ("schema",)),
    ("by week", "by_week", ("week",)),
    ("with themselves, where an image came back", "by_self", ("annotator",)),
)
_HEADS = ("pairs", "F1", "from", "to", "alpha", "IoU", "missing")
_KEYS = ("n_pairs", "f1", "f1_lo", "f1_hi", "alpha", "iou_mean", "n_missing")


def _cells(row: Mapping[str, object], of: Sequence[str]) -> list[object]:
    cells = [row[key] for key in (*of, *_KEYS)]
    if row["f1"] is None:
        cells[len(of) + 1] = "n too small"
    return cells


def _span(row: Mapping[str, object]) -> str:
    if row["f1"] is None:
        return "n too small"
    return f"{_figure(row['f1'])} ({_figure(row['f1_lo'])} to {_figure(row['f1_hi'])})"


def _figure(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "n too small"
