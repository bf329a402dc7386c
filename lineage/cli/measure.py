"""``measure``: the pipeline's stage; every report as a file, and what is required of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineage.cli import report
from lineage.cli.session import session_of

if TYPE_CHECKING:
    from lineage.activities.measure import Measured


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("measure")(measure)


def measure(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for the reports.")] = Path("reports"),
    fail: Annotated[
        bool, typer.Option("--fail/--no-fail", help="Exit with 1 where a requirement fails.")
    ] = True,
) -> None:
    """Measure agreement, drift and gold, hold them against params.yaml, and write the reports."""
    from lineage.activities import measure as activity

    session = session_of(ctx)
    project = session.open()
    found = activity.measure(project)
    folder = out if out.is_absolute() else project.root / out
    files = _files(found)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")
    names = session.names(project)
    gates = [_named(gate.row(), names) for gate in found.gates]
    told = {
        "seq": found.seq,
        "root": found.root,
        "requirements": gates,
        "n_failed": found.n_failed,
        "metrics": activity.metrics_of(found),
        "files": [str(Path(out) / name) for name in files],
    }
    if session.as_json:
        report.print_json(told)
    else:
        _tell(gates, told["files"])
    if fail and found.n_failed:
        raise typer.Exit(1)


def _files(found: Measured) -> dict[str, str]:
    """Return the reports as text by file name; people stand as pseudonyms: reports leave the project."""
    from lineage.activities import measure as activity

    requirements = {
        "seq": found.seq,
        "root": found.root,
        "iou": found.settings.iou,
        "small_iou": found.settings.small_iou,
        "requirements": [gate.row() for gate in found.gates],
    }
    documents: Mapping[str, object] = {
        "agreement.json": found.agreement,
        "drift.json": found.drift,
        "gold.json": found.gold,
        "requirements.json": requirements,
        "metrics.json": activity.metrics_of(found),
    }
    texts = {
        name: json.dumps(report.document(value), indent=1, ensure_ascii=False) + "\n"
        for name, value in documents.items()
    }
    tables = activity.plots_of(found)
    return texts | {f"plots/{name}.csv": _csv(rows, _PLOTS[name]) for name, rows in tables.items()}


_PLOTS: Mapping[str, Sequence[str]] = {
    "f1_by_class": ("class", "f1", "f1_lo", "f1_hi", "alpha", "n_units"),
    "f1_by_week": ("week", "f1", "f1_lo", "f1_hi", "n_pairs"),
    "confusion": ("class", "as_class"),
}


def _csv(rows: Sequence[Mapping[str, object]], names: Sequence[str]) -> str:
    sink = io.StringIO()
    writer = csv.DictWriter(sink, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return sink.getvalue()


def _named(row: dict[str, object], names: Mapping[str, str]) -> dict[str, object]:
    filters = row["filter"]
    if not isinstance(filters, Mapping) or "annotators" not in filters:
        return row
    people = [names.get(person, person) for person in filters["annotators"]]
    return {**row, "filter": {**filters, "annotators": people}}


def _tell(gates: Sequence[Mapping[str, object]], files: object) -> None:
    if gates:
        report.table(
            ("requirement", "of", "metric", "bound", "found", "from", "to", "n", ""),
            [_cells(gate) for gate in gates],
        )
    else:
        report.line("params.yaml requires nothing: measure.requirements, docs/settings.md")
    if isinstance(files, list):
        report.line(f"wrote {', '.join(files)}")


def _cells(gate: Mapping[str, object]) -> tuple[object, ...]:
    filters = gate["filter"]
    of = (
        "; ".join(", ".join(words) for words in filters.values())
        if isinstance(filters, Mapping)
        else ""
    )
    bounds = [
        f"{sign} {gate[key]:g}"
        for key, sign in (("least", ">="), ("most", "<="))
        if gate[key] is not None
    ]
    state = str(gate["state"]).replace("_", " ")
    return (
        gate["name"],
        of or "everything",
        gate["metric"],
        ", ".join(bounds),
        gate["value"],
        gate["lo"],
        gate["hi"],
        gate["n"],
        f"{state}: {gate['reason']}" if gate["reason"] else state,
    )
