"""``log``, ``show``, ``blame``, ``list``, ``sql``: asking the record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, cast

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
    Stages,
    Until,
    choice,
)
from lineage.cli.session import session_of

Row = dict[str, object]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("log")(log)
    app.command("show")(show)
    app.command("blame")(blame)
    app.command("labels")(labels)
    app.command("sql")(sql)


def log(
    ctx: typer.Context,
    batch: Batches = None,
    since: Since = None,
    until: Until = None,
    as_of: AsOf = None,
    limit: Annotated[int, typer.Option(help="The newest so many.")] = 50,
) -> None:
    """List what was recorded, newest first."""
    from lineage.activities import trace

    session = session_of(ctx)
    project = session.open()
    names = session.names(project)
    asked = choice(batch, None, None, None, None, None, since, until, as_of)
    entries = list(reversed(trace.log(project, asked)))
    changes = ("n_added", "n_superseded", "n_retracted")
    rows: list[Row] = [
        {
            "seq": entry.seq,
            "activity": entry.activity,
            "kind": entry.kind,
            "agent": names.get(entry.agent, entry.agent),
            "at": entry.at,
            "batch": entry.batch,
            **{name: entry.outcome.get(name, 0) for name in changes},
            "root": entry.root,
        }
        for entry in entries
    ]
    if session.as_json:
        report.print_json({"entries": rows})
        return
    shown = ("seq", "at", "kind", "agent", "batch", *changes)
    table = [[row[name] for name in shown] for row in rows[:limit]]
    report.table([name.removeprefix("n_") for name in shown], table, most=limit)
    if len(rows) > limit:
        report.line(f"... and {len(rows) - limit:,} older: --limit {len(rows)}")


def show(ctx: typer.Context, annotation: int, as_of: AsOf = None) -> None:
    """Show the history of one annotation."""
    from lineage.activities import trace

    session = session_of(ctx)
    project = session.open()
    found = _named(trace.show(project, annotation, as_of), session.names(project))
    if session.as_json:
        report.print_json(found)
        return
    report.line(f"annotation {annotation} on {found['asset']}")
    report.line()
    names = (
        "revision",
        "operation",
        "class",
        "kind",
        "box",
        "attributes",
        "annotator",
        "labelled_at",
    )
    revisions = cast(list[Row], found["revisions"])
    rows = [[_shown(row[name]) for name in names] for row in revisions]
    report.table(names, rows)
    report.line()
    where = ("revision", "schema", "batch", "origin", "seq", "activity")
    report.table(where, [[row[name] for name in where] for row in revisions])
    report.line()
    told = ("revision", "stage", "at", "by", "basis", "comment")
    report.table(told, [[row[name] for name in told] for row in cast(list[Row], found["stages"])])


def blame(ctx: typer.Context, asset: str, as_of: AsOf = None) -> None:
    """Show who is behind every label of an image, field by field."""
    from lineage.activities import trace

    session = session_of(ctx)
    project = session.open()
    found = _named(trace.blame(project, asset, as_of), session.names(project))
    if session.as_json:
        report.print_json(found)
        return
    annotations = cast(list[Row], found["annotations"])
    report.line(f"{found['asset']}: {len(annotations):,} labels")
    names = ("annotation", "class", "box", "stage", "annotator", "schema", "batch", "labelled_at")
    report.table(names, [[_shown(row[name]) for name in names] for row in annotations])
    said = cast(list[Row], found["completeness"])
    if said:
        report.line()
        told = ("batch", "class", "state", "reason")
        report.table(told, [[row[name] for name in told] for row in said])
    late = [(row["annotation"], _last_change(row)) for row in annotations]
    changed = [row for row in late if row[1]]
    if changed:
        report.line()
        report.line("changed since they were added:")
        report.table(("annotation", "fields"), changed)


def labels(
    ctx: typer.Context,
    batch: Batches = None,
    annotator: Annotators = None,
    class_: Classes = None,
    stage: Stages = None,
    schema: Schemas = None,
    asset: Assets = None,
    since: Since = None,
    until: Until = None,
    as_of: AsOf = None,
    limit: Annotated[int, typer.Option(help="The first so many; --json shows all.")] = 50,
) -> None:
    """List the live labels that selectors choose."""
    from lineage.activities import position, trace

    session = session_of(ctx)
    project = session.open()
    asked = choice(batch, annotator, class_, stage, schema, asset, since, until, as_of)
    selector = trace.selector_of(project, asked)
    found = trace.labels(project, selector, position.resolve(project, as_of))
    n_total = found.num_rows
    names = session.names(project)
    rows = (found if session.as_json else found.slice(0, limit)).to_pylist()
    for row in rows:
        row["annotator"] = names.get(row["annotator"], row["annotator"])
        row["box"] = [row.pop(side) for side in ("x_min", "y_min", "x_max", "y_max")]
    if session.as_json:
        report.print_json({"n": n_total, "labels": rows})
        return
    shown = ("annotation", "asset", "class", "kind", "box", "annotator", "batch", "stage")
    report.table(shown, [[_shown(row[name]) for name in shown] for row in rows], most=limit)
    if n_total > len(rows):
        report.line(f"... and {n_total - len(rows):,} more: --limit {n_total}")


def sql(
    ctx: typer.Context,
    query: Annotated[
        str, typer.Argument(help="One statement; the views are labels and revisions.")
    ],
    limit: Annotated[int, typer.Option(help="Rows at most.")] = 10_000,
) -> None:
    """Ask the store in SQL, read-only."""
    from lineage.activities import trace

    session = session_of(ctx)
    names, rows, has_more = trace.sql(session.open(), query, limit=limit)
    if session.as_json:
        report.print_json({"columns": names, "rows": rows, "has_more": has_more})
        return
    report.table(names, rows)
    if has_more:
        report.line(f"... and more than {limit:,}: --limit N")


def _named(value: object, names: Mapping[str, str]) -> Row:
    return cast(Row, _renamed(value, names))


def _renamed(value: object, names: Mapping[str, str]) -> object:
    if isinstance(value, dict):
        return {
            key: names.get(str(item), item)
            if key in ("annotator", "by") and isinstance(item, str)
            else _renamed(item, names)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    return value


def _shown(value: object) -> object:
    if isinstance(value, list):
        return "-" if value[0] is None else "[" + ", ".join(f"{side:.1f}" for side in value) + "]"
    if isinstance(value, dict):
        return ", ".join(f"{name}={item}" for name, item in value.items()) or "-"
    return value


def _last_change(row: Row) -> str:
    fields = cast(dict[str, Row], row["fields"])
    seqs = {name: cast(int, field["seq"]) for name, field in fields.items()}
    first = min(seqs.values())
    late = [
        f"{name} by {fields[name]['annotator']} (seq {seq})"
        for name, seq in seqs.items()
        if seq > first
    ]
    return "; ".join(late)
