"""``drift``: who began to label otherwise, on what, since when, and the labels that show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from lineage.cli import report
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

_SHOWN_LABELS = 5
Row = Mapping[str, object]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("drift")(drift)


def drift(
    ctx: typer.Context,
    weeks: Annotated[int, typer.Option(min=1, help="Weeks over which the promise holds.")] = 16,
    false_alarms: Annotated[
        float, typer.Option(min=1e-6, max=1.0, help="Chance of any alarm in them without drift.")
    ] = 0.05,
    fail_on_alarm: Annotated[
        bool, typer.Option("--fail-on-alarm", help="Exit with 1 where an alarm stands.")
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
    """Say who drifts from the others, from their own past, or from the gold, and since when."""
    from lineage.activities.drift import Watch, drift_of
    from lineage.activities.drift_gold import gold_of
    from lineage.activities.gather import Threshold

    session = session_of(ctx)
    project = session.open()
    asked = choice(batch, annotator, class_, None, schema, asset, since, until, as_of)
    threshold = Threshold(iou, small_iou)
    found = drift_of(
        project,
        asked,
        threshold=threshold,
        watch=Watch(weeks, false_alarms),
        gold=gold_of(project, asked, threshold),
    )
    told = report.fields(found)
    names = session.names(project)
    alarms = [
        {**row, "annotator": names.get(str(row["annotator"]), row["annotator"])}
        for row in found.alarms
    ]
    if session.as_json:
        report.print_json({**told, "alarms": alarms})
    else:
        _tell(told, alarms)
    if fail_on_alarm and any(row["is_standing"] for row in alarms):
        raise typer.Exit(1)


def _tell(told: Mapping[str, object], alarms: Sequence[Row]) -> None:
    weeks = told["weeks"]
    if not isinstance(weeks, Sequence) or not weeks:
        report.line("nothing to compare: no image was answered by two people independently")
        report.line("  order overlap: policy overlap_fraction of a batch, docs/settings.md")
        return
    report.line(
        (
            f"{len(weeks)} weeks, {weeks[0]} to {weeks[-1]}"
            if len(weeks) > 1
            else f"one week, {weeks[0]}"
        )
        + f"; {told['n_compared']:,} comparisons, "
        f"{told['n_streams']:,} streams charted"
    )
    if told["n_waiting"]:
        report.line(
            f"  {told['n_waiting']:,} directed comparisons wait: fewer than 30 of an annotator and class so far"
        )
    report.line(
        f"without drift, a chance of {told['false_alarm_fraction']} that anything is alarmed within "
        f"{told['horizon_weeks']} weeks"
    )
    report.line()
    if not alarms:
        report.line("no alarm")
        return
    report.table(
        ("who", "what", "since", "alarm", "stands", "times", "n", "S", "from"),
        [_cells(row) for row in alarms],
    )
    for row in alarms[:10]:
        evidence = row["evidence"]
        if isinstance(evidence, Sequence) and evidence:
            shown = ", ".join(str(number) for number in evidence[:_SHOWN_LABELS])
            more = len(evidence) - _SHOWN_LABELS
            report.line(
                f"{row['annotator'] or 'everybody'}, {_what(row)}: see labels {shown}"
                + (f" and {more} more (--json)" if more > 0 else "")
            )
    report.line("lineage show LABEL tells one label's history")


def _cells(row: Row) -> tuple[object, ...]:
    ratio = row["rate_ratio"]
    return (
        row["annotator"] or "everybody",
        _what(row),
        row["change_week"],
        row["week"],
        "yes" if row["is_standing"] else f"until {row['last_week']}",
        f"{ratio:.1f}" if isinstance(ratio, float) else "",
        row["n_units"],
        f"{row['statistic']:.1f}",
        f"{row['threshold']:.1f}",
    )


def _what(row: Row) -> str:
    side = "gold" if str(row["family"]).endswith("_gold") else "others"
    if row["measure"] is not None:
        shift = row["shift"]
        size = f" {shift:+.3f}" if isinstance(shift, float) else ""
        if row["measure"] == "overlap":
            return f"how well boxes lie (logit IoU{size})"
        return f"{row['measure']} side of boxes ({size.strip()} of their size)"
    seen = row["class"] or "nothing"
    if row["is_directed"]:
        return f"{seen} ({side}) called {row['as_class'] or 'nothing'}"
    return f"{seen} disagreed upon more than before" if side == "others" else f"{seen} against gold"
