"""``init``, ``status``, ``restore``, ``log``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineage.cli import report
from lineage.cli.session import session_of
from lineage.terms import Completeness

if TYPE_CHECKING:
    from lineage.activities.trace import Status


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("init")(init)
    app.command("status")(status)
    app.command("restore")(restore)


def init(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Option(help="Name of the log.")] = None,
) -> None:
    """Make this directory a project: settings, pipeline, Git and DVC."""
    from lineage.activities import project
    from lineage.activities.context import open_project

    session = session_of(ctx)
    done = project.init(session.directory.resolve(), name=name)
    open_project(session.directory)
    if session.as_json:
        report.print_json(done)
        return
    for path in done.written:
        report.line(f"wrote {path}")
    for path in done.kept:
        report.line(f"kept  {path}")
    report.line("next: lineage schema infer EXPORT --name NAME, or lineage schema add FILE")


def status(
    ctx: typer.Context,
    as_of: Annotated[str | None, typer.Option(help="A moment in the past.")] = None,
) -> None:
    """Show where the project stands."""
    from lineage.activities import review_status, trace

    session = session_of(ctx)
    project = session.open()
    found = trace.status(project, trace.Choice(as_of=as_of))
    gates = review_status.gates(project, as_of)
    rows = [
        {
            "tag": row.tag,
            "task": row.task,
            "schema": row.schema,
            "kind": row.kind,
            "state": row.state,
            "n_annotations": n,
            "completeness": found.completeness.get(row.tag, {}),
            "gate": gates.get(row.tag),
        }
        for row, n in found.batches
    ]
    if session.as_json:
        checkpoint = found.checkpoint
        size_root = (
            None if checkpoint is None else {"size": checkpoint.size, "root": checkpoint.root}
        )
        report.print_json(
            {
                "project": found.project,
                "store": found.store,
                "checkpoint": size_root,
                "n_assets": found.n_assets,
                "n_annotators": found.n_annotators,
                "n_annotations": found.n_live,
                "n_revisions": found.n_revisions,
                "stages": found.stages,
                "batches": rows,
                "versions": found.versions,
            }
        )
        return
    _tell_status(found, rows)


def restore(
    ctx: typer.Context,
    discard_store: Annotated[
        bool, typer.Option("--discard-store", help="Throw the store away first (SQLite only).")
    ] = False,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="Put this copy in place, then replay what came since."),
    ] = None,
) -> None:
    """Rebuild the store from the ledger's files."""
    from lineage.activities import rebuild

    session = session_of(ctx)
    done = rebuild.rebuild(session.locate(), session.open, discard=discard_store, source=source)
    if session.as_json:
        report.print_json(done)
        return
    report.line(
        f"store holds {done.n_activities:,} activities and {done.n_revisions:,} revisions, "
        f"{done.n_names:,} annotators by name"
    )


def _tell_status(found: Status, rows: Sequence[Mapping[str, object]]) -> None:
    report.line(f"project     {found.project}   store {found.store}")
    if found.checkpoint is not None:
        report.line(
            f"ledger      {found.checkpoint.size:,} activities, root {found.checkpoint.root[:16]}"
        )
    report.line(
        f"labels      {found.n_live:,} live annotations by {found.n_annotators:,} annotators; "
        f"{found.n_assets:,} images, {found.n_revisions:,} revisions"
    )
    stages = ", ".join(f"{stage} {n:,}" for stage, n in found.stages.items())
    report.line(f"stages      {stages or 'none'}")
    report.line(f"versions    {', '.join(found.versions) or 'none yet: lineage build'}")
    if rows:
        report.line()
        names = ("tag", "task", "schema", "kind", "state", "n_annotations", "gate")
        told_rows = [{**row, "gate": str(row["gate"] or "-").replace("_", " ")} for row in rows]
        report.table(names, [[row[name] for name in names] for row in told_rows])
    told = {tag: n for tag, n in found.completeness.items() if n}
    if told:
        report.line()
        states = [state.value for state in Completeness if any(state in n for n in told.values())]
        table = [(tag, *(n.get(state, 0) for state in states)) for tag, n in told.items()]
        report.table(("images of", *states), table)
