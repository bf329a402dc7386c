"""``import``, ``ingest``, ``export``: labels, in and out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from lineage.cli import report
from lineage.cli.choice import (
    Annotators,
    AsOf,
    Assets,
    Batches,
    Classes,
    DryRun,
    Formats,
    FromGit,
    Labeller,
    LabellerOf,
    MapDraft,
    MapFile,
    PixelBase,
    Schemas,
    Since,
    Stages,
    Strict,
    Task,
    Until,
    Whole,
    choice,
)
from lineage.cli.session import session_of
from lineage.errors import BadInput, Usage
from lineage.terms import Stage

if TYPE_CHECKING:
    from lineage.activities.context import Project
    from lineage.activities.ingest import ImportOptions, ImportReport


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("import")(import_)
    app.command("ingest")(ingest)
    app.command("export")(export)


def import_(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="PATH...")],
    batch: Annotated[str | None, typer.Option(help="Tag of the batch.")] = None,
    format: Formats = "auto",
    stage: Annotated[
        Stage, typer.Option(help="The stage that labels come in with.")
    ] = Stage.SUBMITTED,
    whole: Whole = False,
    strict: Strict = False,
    dry_run: DryRun = False,
    identity: Annotated[str, typer.Option(help="auto, id or content.")] = "auto",
    annotator: Labeller = None,
    annotator_of: LabellerOf = None,
    map_file: MapFile = None,
    map_draft: MapDraft = False,
    pixel_base: PixelBase = 0,
    task: Task = "auto",
    from_git: FromGit = False,
    rev: Annotated[str, typer.Option(help="With --from-git: up to this commit.")] = "HEAD",
) -> None:
    """Record the labels of exports (files, folders, archives) in a batch."""
    from lineage.activities.ingest import ImportOptions, import_labels
    from lineage.settings import load_params

    session = session_of(ctx)
    if map_draft:
        _draft_map(files, as_json=session.as_json)
        return
    if batch is None:
        raise Usage("usage", "missing option '--batch'", hint="lineage import --help")
    project = session.open()
    options = ImportOptions(
        format=format,
        stage=stage,
        is_whole=whole,
        is_strict=strict,
        is_dry_run=dry_run,
        identity=identity,
        annotator=annotator,
        annotator_of_file=_pairs(annotator_of or []),
        edge_tolerance_px=load_params(project.root).edge_tolerance_px,
        map=map_file,
        pixel_base=pixel_base,
        task=task,
    )
    if from_git:
        _import_history(project, files, batch, options, rev, as_json=session.as_json)
        return
    done = import_labels(project, files, batch, options=options)
    if session.as_json:
        report.print_json(import_document(done))
    else:
        tell_import(done, is_dry_run=dry_run)
    if done.n_rejected:
        raise typer.Exit(1)


def _import_history(
    project: Project,
    paths: list[Path],
    batch: str,
    options: ImportOptions,
    rev: str,
    *,
    as_json: bool,
) -> None:
    from lineage.activities.history import import_history

    if len(paths) != 1:
        raise Usage("usage", f"--from-git takes one PATH, got {len(paths)}")
    done = import_history(project, paths[0], batch, options=options, revision=rev)
    documents = [
        {**report.fields(c), "done": import_document(c.done)}  # the import's own document
        for c in done.commits
    ]
    if as_json:
        report.print_json({"batch": batch, "n_known": done.n_known, "commits": documents})
    else:
        names = ("commit", "at", "author", "read", "added", "superseded", "retracted", "unchanged",
                 "rejected", "subject")  # fmt: skip
        rows = [
            (c.commit[:10], c.at, c.author, c.done.n_read, c.done.n_added, c.done.n_superseded,
             c.done.n_retracted, c.done.n_unchanged, c.done.n_rejected, c.subject[:40])
            for c in done.commits
        ]  # fmt: skip
        if rows:
            report.table(names, rows)
        known = f"; {done.n_known:,} were on record" if done.n_known else ""
        report.line(f"{len(rows):,} commits recorded in {batch}{known}")
        for at in [c.commit[:10] for c in done.commits[-1:]]:
            report.line(f"ask as of any of them: --as-of commit:{at}")
    if any(c.done.n_rejected for c in done.commits):
        raise typer.Exit(1)


def ingest(ctx: typer.Context) -> None:
    """Import what params.yaml lists and the ledger does not hold yet (the pipeline's first stage)."""
    from lineage.activities import pipeline

    session = session_of(ctx)
    done = pipeline.ingest(session.open())
    if session.as_json:
        report.print_json(
            {
                "schemas": done.schemas,
                "batches": done.batches,
                "imports": [import_document(entry) for entry in done.imports],
                "gold": done.gold,
                "refused": done.refused,
            }
        )
        raise typer.Exit(1 if done.refused else 0)
    rows = [
        (
            i.batch,
            i.format,
            i.schema,
            i.n_read,
            i.n_added,
            i.n_superseded,
            i.n_retracted,
            i.n_unchanged,
            i.n_rejected,
        )
        for i in done.imports
    ]
    names = (
        "batch",
        "format",
        "schema",
        "read",
        "added",
        "superseded",
        "retracted",
        "unchanged",
        "rejected",
    )
    report.table(names, rows)
    for entry in done.imports:
        if entry.by_rule:
            report.line(f"{entry.batch}: {_rules(entry)}; the whole table: {entry.violations_path}")
    for kept in done.gold:
        dropped = f", {kept.n_dropped:,} taken back by hand" if kept.n_dropped else ""
        report.line(
            f"{kept.batch} is gold: {kept.n_written:,} declared, {kept.n_unchanged:,} unchanged{dropped}"
        )
    for refusal in done.refused:
        report.line(f"batch {refusal.batch} was refused: {refusal.message} [{refusal.slug}]")
        report.line(f"  help: {refusal.hint}")
    if done.refused:
        raise typer.Exit(1)


def export(
    ctx: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="OUT")],
    format: Annotated[str, typer.Option(help="coco, label-studio, cvat, voc or yolo.")],
    version: Annotated[
        str | None, typer.Option(help="A dataset version; else the live labels.")
    ] = None,
    people: Annotated[
        str | None,
        typer.Option(
            metavar="RULE",
            help="Whose labels, where several people answered for an image: "
            "consensus, annotator:NAME or final.",
        ),
    ] = None,
    prelabels: Annotated[
        bool, typer.Option("--prelabels", help="As suggestions to begin from (label-studio).")
    ] = False,
    task: Task = "auto",
    names: Annotated[
        bool, typer.Option("--names", help="Write people's names, not pseudonyms.")
    ] = False,
    batch: Batches = None,
    annotator: Annotators = None,
    class_: Classes = None,
    stage: Stages = None,
    schema: Schemas = None,
    asset: Assets = None,
    since: Since = None,
    until: Until = None,
    as_of: AsOf = None,
) -> None:
    """Write labels as a tool's own file or folder, or a zip of it, with their provenance."""
    from lineage.activities import export as exporting

    session = session_of(ctx)
    asked = choice(batch, annotator, class_, stage, schema, asset, since, until, as_of)
    done = exporting.export(
        session.open(),
        out,
        format,
        version=version,
        choice=asked,
        rule=people,
        names=names,
        prelabels=prelabels,
        task=task,
    )
    if session.as_json:
        report.print_json({"path": out, "format": format, **report.fields(done)})
        return
    report.line(f"wrote {out}: {done.n_labels:,} labels on {done.n_assets:,} images, as {format}")
    for what, n in sorted(done.losses.items()):
        report.line(f"  not carried: {what}, {n:,}")
    for what, told in done.notes.items():
        report.line(f"  {what}: {told}")
    for name in done.side_files:
        report.line(f"  beside or within it: {name}")


def _draft_map(files: list[Path], *, as_json: bool) -> None:
    from lineage.formats.table.draft import draft
    from lineage.settings import dump_yaml

    if len(files) != 1:
        raise Usage("usage", f"--map-draft is of one file, {len(files)} are given")
    if not files[0].is_file():
        raise BadInput("no-such-file", f"no file {files[0]}", hint="check the path")
    drafted = draft(files[0])
    if as_json:
        report.print_json({"map": drafted})
    else:
        report.line(dump_yaml(drafted).rstrip())


def _pairs(words: list[str]) -> dict[str, str]:
    wrong = [word for word in words if "=" not in word]
    if wrong:
        raise BadInput("annotator-of", f"{wrong[0]!r}, expected FILE=NAME")
    return {file: name for file, _, name in (word.partition("=") for word in words)}


def import_document(done: ImportReport) -> dict[str, object]:
    """Return the document that ``--json`` promises of an import."""
    found = report.fields(done)
    by_rule, path = found.pop("by_rule"), found.pop("violations_path")
    n = sum(by_rule.values()) if isinstance(by_rule, dict) else 0
    checkpoint = done.checkpoint
    found["violations"] = {"n": n, "by_rule": by_rule, "path": path}
    found["checkpoint"] = (
        None if checkpoint is None else {"size": checkpoint.size, "root": checkpoint.root}
    )
    return found


def _tell_ambiguous(identity: Mapping[str, object]) -> None:
    listed = cast(list[Mapping[str, object]], identity["ambiguous"])
    shown = ", ".join(
        f"{row['annotation']} ({row['class']} on {row['asset']})" for row in listed[:3]
    )
    more = ", ..." if int(str(identity["n_ambiguous"])) > 3 else ""
    n = f"{identity['n_ambiguous']:,}"
    report.line(f"{n} identities are ambiguous: annotation {shown}{more}")
    whole = identity["path"] or "in the document that --json prints"
    report.line(f"  the whole list: {whole}")


def _rules(done: ImportReport) -> str:
    return ", ".join(f"{rule} {n:,}" for rule, n in done.by_rule.items())


def tell_import(done: ImportReport, *, is_dry_run: bool) -> None:
    """Tell of an import."""
    what = "would be recorded" if is_dry_run else "recorded"
    if done.is_repeat:
        report.line(
            f"these bytes are on record already: {done.n_unchanged:,} labels unchanged, nothing done"
        )
        return
    report.line(
        f"{done.n_read:,} labels of {done.n_annotators:,} annotators on {done.n_assets:,} images read "
        f"as {done.format} in {done.seconds:.1f} s ({done.format_reason})"
    )
    if done.passed_over:
        told_over = ", ".join(f"{what} {n:,}" for what, n in done.passed_over.items())
        report.line(f"passed over: {told_over}")
    for name, taken in done.notes.items():
        report.line(f"  {name}: {taken}")
    told = (
        ("added", done.n_added),
        ("superseded", done.n_superseded),
        ("retracted", done.n_retracted),
    )
    report.line(
        f"{what} in {done.batch}: "
        + ", ".join(f"{n:,} {word}" for word, n in told)
        + f"; {done.n_unchanged:,} unchanged, {done.n_rejected:,} rejected"
    )
    if done.identity["used"] != "new":
        report.line(f"annotations recognised by {done.identity['used']}: {done.identity['reason']}")
    if done.identity["n_ambiguous"]:
        _tell_ambiguous(done.identity)
    for name, n in done.losses.items():
        report.line(f"  not carried: {name}, {n:,}")
    if done.by_rule:
        report.line(f"violations: {_rules(done)}")
        report.line(f"  the whole table: {done.violations_path}")
    if done.checkpoint is not None and not is_dry_run:
        report.line(f"checkpoint {done.checkpoint.size} {done.checkpoint.root[:16]}")
