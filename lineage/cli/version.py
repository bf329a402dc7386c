"""``build``, ``version ...``, ``diff``: frozen sets of labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, cast

import typer

from lineage.cli import report
from lineage.cli.choice import Annotators, AsOf, Batches, Classes, Schemas, Since, Stages, Until
from lineage.cli.session import session_of

_version = typer.Typer(help="Dataset versions: list, show, tag.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name, start of the digest, or tag.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("build")(build)
    app.command("diff")(diff)
    app.add_typer(_version, name="version")


def build(
    ctx: typer.Context,
    tag: Annotated[str | None, typer.Option(help="A name for the version.")] = None,
    out: Annotated[Path | None, typer.Option(help="Directory; data/dataset by default.")] = None,
    batch: Batches = None,
    annotator: Annotators = None,
    class_: Classes = None,
    stage: Stages = None,
    schema: Schemas = None,
    since: Since = None,
    until: Until = None,
    as_of: AsOf = None,
) -> None:
    """Freeze a dataset version by the recipe of params.yaml; selectors override it."""
    from lineage.activities import version
    from lineage.settings import load_params

    session = session_of(ctx)
    project = session.open()
    recipe = load_params(project.root).recipe
    given = {
        "batches": batch,
        "annotators": annotator,
        "classes": class_,
        "stages": stage,
        "schemas": schema,
    }
    words: dict[str, object] = {name: tuple(found) for name, found in given.items() if found}
    times = {"since": since, "until": until, "as_of": as_of}
    words |= {name: text for name, text in times.items() if text is not None}
    chosen = dataclasses.replace(recipe, **words)  # type: ignore[arg-type]
    manifest = version.build(project, chosen, tag=tag, out=out)
    if session.as_json:
        report.print_json({"version": manifest})
        return
    tell(manifest)


def diff(
    ctx: typer.Context,
    old: Annotated[str, typer.Argument(metavar="A")],
    new: Annotated[str, typer.Argument(metavar="B")],
    out: Annotated[
        Path | None, typer.Option(help="Write the full table here (.parquet or .csv).")
    ] = None,
    match: Annotated[
        str, typer.Option(help="annotation; or iou, for versions whose identities were lost.")
    ] = "annotation",
) -> None:
    """Compare two dataset versions (or places in the log), annotation by annotation."""
    from lineage.activities import export, version
    from lineage.calc.changes import counted_by

    session = session_of(ctx)
    project = session.open()
    names = session.names(project)
    difference = version.diff(project, old, new, match=match)
    found = difference.found
    by = counted_by(found)
    for row in by["annotator"]:
        row["annotator"] = names.get(str(row["annotator"]), row["annotator"])
    if out is not None:
        export.write_table(found.table, out)
    if session.as_json:
        how = {"match": match, "n_ambiguous": difference.n_ambiguous}
        report.print_json({"from": old, "to": new, **how, **found.counts, "by": by, "path": out})
        return
    told = ", ".join(f"{n:,} {name.removeprefix('n_')}" for name, n in found.counts.items())
    report.line(f"{old} to {new}: {told}")
    if difference.n_ambiguous:
        report.line(f"{difference.n_ambiguous:,} pairs are ambiguous: another was almost as good")
    rows = found.table.slice(0, report.MAX_ROWS).to_pylist()
    if rows:
        report.line()
        shown = ("annotation", "asset", "change", "class_from", "class_to", "annotator", "batch")
        table = [
            [names.get(str(r[n]), r[n]) if n == "annotator" else r[n] for n in shown] for r in rows
        ]
        report.table(shown, table)
        if found.table.num_rows > len(rows):
            report.line(f"... and {found.table.num_rows - len(rows):,} more: --out FILE.csv")
    for dimension, counted in by.items():
        if len(counted) > 1:
            report.line()
            names_of_n = [name for name in counted[0] if name != dimension]
            kinds = [name for name in names_of_n if any(row[name] for row in counted)]
            head = (dimension, *(kind.removeprefix("n_") for kind in kinds))
            report.table(head, [[row[dimension], *(row[k] for k in kinds)] for row in counted])


@_version.command("list")
def list_all(ctx: typer.Context) -> None:
    """List every dataset version, oldest first."""
    from lineage.activities import version

    session = session_of(ctx)
    rows = version.list_all(session.open())
    if session.as_json:
        report.print_json({"versions": rows})
        return
    if not rows:
        report.line("no version yet: lineage build")
        return
    names = ("version", "tags", "seq", "images", "annotations", "digest")
    table = [
        (
            r["name"],
            ", ".join(cast(list[str], r["tags"])),
            r["seq"],
            r["n_assets"],
            r["n_annotations"],
            str(r["digest"])[:24],
        )
        for r in rows
    ]
    report.table(names, table)


@_version.command("show")
def show(ctx: typer.Context, name: Name) -> None:
    """Show a dataset version: recipe, counts, files, what was left out and why."""
    from lineage.activities import version

    session = session_of(ctx)
    manifest = version.get(session.open(), name)
    if session.as_json:
        report.print_json(
            {"version": {**manifest, "tag": next(iter(cast(list[str], manifest["tags"])), None)}}
        )
        return
    tell(manifest)
    report.line()
    report.line(f"digest      {manifest['digest']}")
    report.line(f"log root    {manifest['log_root']}")
    report.line(f"tags        {', '.join(cast(list[str], manifest['tags'])) or '-'}")
    report.line(f"commit      {manifest['git_commit'] or 'not committed yet'}")
    for title in ("recipe", "subset", "counterfactual", "writer", "dvc"):
        if title not in manifest:
            continue
        told = cast(Mapping[str, object], manifest[title] or {})
        report.line(
            f"{title:<12}"
            + (", ".join(f"{k}={v}" for k, v in told.items() if v not in ([], None)) or "-")
        )
    for name_, counted in cast(Mapping[str, Mapping[str, int]], manifest["counts"]).items():
        report.line()
        report.table((name_, "annotations"), list(counted.items()))
    report.line()
    files = cast(list[Mapping[str, object]], manifest["files"])
    report.table(("file", "rows", "sha256"), [(f["path"], f["n_rows"], f["sha256"]) for f in files])


@_version.command("tag")
def tag(ctx: typer.Context, name: Name, new_tag: str) -> None:
    """Give a version a tag; a tag is never moved."""
    from lineage.activities import version

    session = session_of(ctx)
    manifest = version.tag(session.open(), name, new_tag)
    if session.as_json:
        report.print_json({"version": manifest})
    else:
        report.line(f"{new_tag} stands for {manifest['name']}")


def tell(manifest: Mapping[str, object]) -> None:
    """Print what a version holds, and what was left out of it."""
    report.line(
        f"version {manifest['name']}: {manifest['n_annotations']:,} annotations on "
        f"{manifest['n_assets']:,} images, as of ledger position {manifest['seq']}"
    )
    splits = cast(Mapping[str, Mapping[str, int]], manifest["splits"])
    table = [(name, n["n_assets"], n["n_annotations"]) for name, n in splits.items()]
    report.table(("split", "images", "annotations"), table)
    states = cast(Mapping[str, int], manifest.get("completeness", {}))
    if states:
        told = ", ".join(f"{n:,} {state}" for state, n in states.items())
        report.line(f"images of these batches, as their tools say: {told}")
    if n_incomplete := cast(int, manifest.get("n_incomplete", 0)):
        report.line(f"left out: {n_incomplete:,} images without labels that nobody finished")
    if n_withheld := cast(int, manifest.get("n_withheld", 0)):
        report.line(f"left out: {n_withheld:,} images whose labels the recipe leaves out")
    for entry in cast(list[Mapping[str, str]], manifest["excluded"]):
        report.line(f"left out: batch {entry['batch']}, {entry['reason']}")
