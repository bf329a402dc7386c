"""``run ...``: training runs, pinned to exactly what they were given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, cast

import typer

from lineage.cli import report
from lineage.cli.choice import Annotators, Assets, Batches, Classes, Schemas, Stages
from lineage.cli.session import session_of
from lineage.errors import Usage

_run = typer.Typer(
    help="Training runs: pin, verify, and which of them consumed a label.", no_args_is_help=True
)

Run = Annotated[str, typer.Argument(help="Name of the run.")]
Data = Annotated[Path | None, typer.Option(help="The version's files; data/dataset by default.")]
_LINES = ("version", "digest", "pin", "seq", "log_root", "at", "by", "git_commit")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(_run, name="run")


@_run.command("pin")
def pin(
    ctx: typer.Context,
    run: Run,
    version: Annotated[
        str | None,
        typer.Option(help="Name, start of the digest, or tag; by default what --data holds."),
    ] = None,
    subset: Annotated[
        list[str] | None,
        typer.Option(metavar="WORDS", help="Only labels that are so: 'class=car batch=w01,w02'."),
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON, YAML or CSV: what came of the run.")
    ] = None,
    data: Data = None,
    no_data: Annotated[
        bool, typer.Option("--no-data", help="The files are not here; compare nothing.")
    ] = False,
) -> None:
    """Pin a run to a dataset version, once its files are found to be that version's."""
    from lineage.activities import runs
    from lineage.activities.runs_metrics import read_metrics

    session = session_of(ctx)
    project = session.open()
    values = None if metrics is None else read_metrics(metrics)
    folder = project.root / runs.DATA if data is None else data
    pinned = runs.pin(
        project,
        run,
        version=version or runs.version_in(project, folder),
        where=tuple(subset or ()),
        data=folder,
        is_checked=not no_data,
    )
    if values is not None:
        runs.record_metrics(project, run, values)
    if session.as_json:
        shown = _shown(runs.get(project, run), session.names(project))
        kept = {"pin": shown, "findings": [], "ok": True}
        report.print_json({**{n: pinned[n] for n in ("run", "version", "digest")}, **kept})
        return
    _tell_pin(runs.get(project, run), session.names(project))


@_run.command("metrics")
def metrics(ctx: typer.Context, run: Run, file: Path) -> None:
    """Put on record what came of a run; once."""
    from lineage.activities import runs
    from lineage.activities.runs_metrics import read_metrics

    session = session_of(ctx)
    project = session.open()
    found = _shown(runs.record_metrics(project, run, read_metrics(file)), session.names(project))
    if session.as_json:
        report.print_json({"run": found})
        return
    _tell_pin(found, session.names(project))
    report.line(f"metrics: {_short(found['metrics'])}")


@_run.command("list")
def list_all(ctx: typer.Context) -> None:
    """List every pinned run."""
    from lineage.activities import runs

    session = session_of(ctx)
    project = session.open()
    names = session.names(project)
    found = [_shown(pinned, names) for pinned in runs.list_all(project)]
    if session.as_json:
        report.print_json({"runs": found})
        return
    if not found:
        report.line("no run is pinned yet: lineage run pin RUN --version V")
        return
    rows = [
        (
            r["run"],
            r["version"],
            report.moment(datetime.fromisoformat(str(r["at"]))),
            *_size(r, names),
            _short(r["metrics"]),
        )
        for r in found
    ]
    report.table(("run", "version", "at", "annotations", "images", "subset", "metrics"), rows)


@_run.command("show")
def show(ctx: typer.Context, run: Run) -> None:
    """Show a run's pin: version, position, part, files, metrics."""
    from lineage.activities import runs

    session = session_of(ctx)
    project = session.open()
    names = session.names(project)
    found = _shown(runs.get(project, run), names)
    if session.as_json:
        report.print_json({"run": found})
        return
    _tell_pin(found, names)
    report.line()
    for name in _LINES:
        report.line(f"{name.replace('_', ' '):<12}{found.get(name) or '-'}")
    for title in ("checkpoint", "parameters", "writer"):
        report.line(f"{title:<12}{_short(found.get(title)) or '-'}")
    data = cast(Mapping[str, object] | None, found["data"])
    if data is not None:
        report.line()
        report.line(f"files, as compared, in {data['path']}:")
        files = cast(Sequence[Mapping[str, object]], data["files"])
        report.table(("file", "sha256"), [(f["path"], f["sha256"]) for f in files])
    if found["metrics"]:
        report.line()
        told = cast(Mapping[str, object], found["metrics"])
        report.table(("metric", "value"), [(n, f"{v:.6g}") for n, v in told.items()])


@_run.command("verify")
def verify(
    ctx: typer.Context,
    run: Run,
    data: Data = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Rebuild the version from the ledger, too.")
    ] = False,
) -> None:
    """Look whether a pin still holds."""
    from lineage.activities import runs_verify

    session = session_of(ctx)
    verdict = runs_verify.verify(session.open(), run, data=data, is_deep=deep)
    if session.as_json:
        report.print_json({**report.fields(verdict), "ok": verdict.ok})
    else:
        looked = ", ".join(name for name, is_done in verdict.checked.items() if is_done)
        left = ", ".join(name for name, is_done in verdict.checked.items() if not is_done)
        n = len(verdict.findings)
        found = "as it was pinned" if n == 0 else "one finding" if n == 1 else f"{n} findings"
        report.line(f"run {run}, version {verdict.version}: {found}")
        report.line(f"looked at {looked}" + (f"; not at {left}" if left else ""))
        for finding in verdict.findings:
            report.line()
            report.line(f"{finding.kind}: {finding.where}")
            report.line(f"  expected {finding.expected}")
            report.line(f"  found    {finding.found}")
            report.line(f"  help     {finding.cure}")
    if not verdict.ok:
        raise typer.Exit(1)


@_run.command("affected")
def affected(
    ctx: typer.Context,
    annotator: Annotators = None,
    batch: Batches = None,
    schema: Schemas = None,
    class_: Classes = None,
    stage: Stages = None,
    asset: Assets = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORDS", help="In words: 'annotator=A gold=no'; several: any of them."
        ),
    ] = None,
) -> None:
    """List every run that consumed any label that is all of this."""
    from lineage.activities import handles, predicates_text, runs_affected

    session = session_of(ctx)
    given = {
        "annotator": annotator,
        "batch": batch,
        "schema": schema,
        "class": class_,
        "stage": stage,
        "asset": asset,
    }
    clauses = [predicates_text.written(name, values) for name, values in given.items() if values]
    words = [" ".join([*clauses, text]) for text in where or [""]]
    if not any(words):
        raise Usage(
            "run-affected", "no label is asked for", hint="lineage run affected --annotator A"
        )
    project = session.open()
    predicate, rows = runs_affected.affected(project, [text.strip() for text in words])
    names = session.names(project)
    selector = [handles.named_in(text, names) for text in predicate.words]
    if session.as_json:
        report.print_json({"selector": " or ".join(selector), "runs": rows})
        return
    n = "one run" if len(rows) == 1 else f"{len(rows) or 'no'} runs"
    report.line(f"{n} consumed labels with {' or '.join(selector)}")
    table = [(r.run, r.version, r.n_annotations, _percent(r.fraction)) for r in rows]
    if table:
        report.table(("run", "version", "annotations", "share"), table)
    if any(r.n_annotations is None for r in rows):
        report.line("a run without a number is pinned to a version that is not here: git pull")


def _shown(pinned: Mapping[str, object], names: Mapping[str, str]) -> dict[str, object]:
    return {**pinned, "by": names.get(str(pinned["by"]), pinned["by"])}


def _tell_pin(found: Mapping[str, object], names: Mapping[str, str]) -> None:
    n_annotations, n_assets, part = _size(found, names)
    told = f", of it {part}" if part else ""
    report.line(
        f"run {found['run']} is pinned to version {found['version']}{told}: {n_annotations:,} "
        f"annotations on {n_assets:,} images, as of ledger position {found['seq']}"
    )


def _size(found: Mapping[str, object], names: Mapping[str, str]) -> tuple[int, int, str | None]:
    from lineage.activities import handles

    subset = cast(Mapping[str, object] | None, found["subset"])
    told = found if subset is None else subset
    n_annotations, n_assets = (cast(int, told[name]) for name in ("n_annotations", "n_assets"))
    words = None if subset is None else " or ".join(cast(Sequence[str], subset["where"]))
    return n_annotations, n_assets, words and handles.named_in(words, names)


def _short(values: object) -> str | None:
    if not isinstance(values, Mapping) or not values:
        return None
    told = [f"{name}={value}" for name, value in values.items()]
    return ", ".join(told[:4]) + (f" and {len(told) - 4} more" if len(told) > 4 else "")


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.2f} %"
