"""``lineage batch ...``: labels ordered together."""

from __future__ import annotations

from typing import Annotated

import typer

from lineage.cli import report
from lineage.cli.session import session_of
from lineage.terms import BatchKind

_batch = typer.Typer(help="Batches: create, list, show, close.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(_batch, name="batch")


@_batch.command("create")
def create(
    ctx: typer.Context,
    tag: str,
    task: Annotated[str, typer.Option(help="What is to be labelled.")],
    schema: Annotated[str, typer.Option(help="NAME@VERSION")],
    kind: Annotated[BatchKind, typer.Option(help="What it holds.")] = BatchKind.ARCHIVE,
    vendor: Annotated[str | None, typer.Option(help="Who labels.")] = None,
    priority: Annotated[int, typer.Option(help="Higher comes first.")] = 0,
    overlap: Annotated[float, typer.Option(help="Fraction labelled twice, in [0, 1].")] = 0.0,
    review: Annotated[float, typer.Option(help="Fraction re-checked, in [0, 1].")] = 0.0,
) -> None:
    """Create a batch under a locked schema (a pilot may use a draft)."""
    from lineage.activities import batches

    session = session_of(ctx)
    policy = {"overlap_fraction": overlap, "review_fraction": review}
    order = batches.BatchOrder(tag, task, schema, kind, vendor, priority, policy)
    row = batches.create(session.open(), order)
    if session.as_json:
        report.print_json(row)
    else:
        report.line(f"batch {row.tag} is open: {row.task}, {row.kind}, under {row.schema}")


@_batch.command("list")
def list_all(ctx: typer.Context) -> None:
    """List every batch, those of high priority first."""
    from lineage.activities import batches

    session = session_of(ctx)
    rows = batches.list_all(session.open())
    if session.as_json:
        report.print_json({"batches": rows})
        return
    if not rows:
        report.line("no batch yet: lineage batch create TAG --task TASK --schema NAME@VERSION")
        return
    names = ("tag", "task", "schema", "kind", "state", "vendor", "priority")
    report.table(names, [[getattr(row, name) for name in names] for row in rows])


@_batch.command("show")
def show(ctx: typer.Context, tag: str) -> None:
    """Show one batch, its policy and what it holds."""
    from lineage.activities import batches, trace

    session = session_of(ctx)
    project = session.open()
    row = batches.get(project, tag)
    found = trace.status(project, trace.Choice(batch=(tag,)))
    if session.as_json:
        report.print_json(
            {**report.fields(row), "n_annotations": found.n_live, "stages": found.stages}
        )
        return
    for name in ("tag", "task", "schema", "kind", "state", "vendor", "priority"):
        report.line(f"{name:<12}{getattr(row, name) if getattr(row, name) is not None else '-'}")
    policy = ", ".join(f"{name} {value:g}" for name, value in row.policy.items())
    report.line(f"{'policy':<12}{policy or '-'}")
    stages = ", ".join(f"{stage} {n:,}" for stage, n in found.stages.items())
    report.line(f"{'labels':<12}{found.n_live:,} live ({stages or 'none'})")


@_batch.command("close")
def close(
    ctx: typer.Context,
    tag: str,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
) -> None:
    """Close a batch: what it holds stays, nothing further comes in."""
    from lineage.activities import batches

    session = session_of(ctx)
    row = batches.close(session.open(), tag, reason=reason)
    if session.as_json:
        report.print_json(row)
    else:
        report.line(f"batch {row.tag} is closed")
