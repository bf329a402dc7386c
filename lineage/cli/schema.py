"""``lineage schema ...``: guidelines on record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineage.cli import report
from lineage.cli.choice import Formats, MapFile, PixelBase, Task
from lineage.cli.session import session_of

_schema = typer.Typer(
    help="Label schemas: add, lock, list, show, diff, infer, export, migrate.", no_args_is_help=True
)

Ref = Annotated[str, typer.Argument(metavar="NAME@VERSION")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(_schema, name="schema")


@_schema.command("add")
def add(ctx: typer.Context, file: Path) -> None:
    """Put a schema file on record as a draft."""
    from lineage.activities import schemas

    session = session_of(ctx)
    row = schemas.add(session.open(), file)
    if session.as_json:
        report.print_json(_document(row))
    else:
        report.line(f"{row.ref} is on record as {row.state}, digest {row.digest[:16]}")


@_schema.command("lock")
def lock(
    ctx: typer.Context,
    ref: Ref,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
) -> None:
    """Lock a draft: volume work may begin, and a changed file is refused from now on."""
    from lineage.activities import schemas

    session = session_of(ctx)
    row = schemas.lock(session.open(), ref, reason=reason)
    if session.as_json:
        report.print_json(_document(row))
    else:
        report.line(f"{row.ref} is locked, digest {row.digest[:16]}")


@_schema.command("retire")
def retire(
    ctx: typer.Context,
    ref: Ref,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
) -> None:
    """Retire a version: what was labelled under it stays, no new batch may use it."""
    from lineage.activities import schemas

    session = session_of(ctx)
    row = schemas.retire(session.open(), ref, reason=reason)
    if session.as_json:
        report.print_json(_document(row))
    else:
        report.line(f"{row.ref} is retired")


@_schema.command("list")
def list_all(ctx: typer.Context) -> None:
    """List every version on record."""
    from lineage.activities import schemas

    session = session_of(ctx)
    rows = schemas.list_all(session.open())
    if session.as_json:
        report.print_json({"schemas": [_document(row) for row in rows]})
        return
    if not rows:
        report.line("no label schema yet: lineage schema add FILE")
        return
    report.table(
        ("schema", "state", "classes", "digest"),
        [(row.ref, row.state, len(row.document["classes"]), row.digest[:16]) for row in rows],  # type: ignore[arg-type]
    )


@_schema.command("show")
def show(ctx: typer.Context, ref: Ref) -> None:
    """Show a version as it stands on record."""
    from lineage import labelschema
    from lineage.activities import schemas

    session = session_of(ctx)
    row = schemas.get(session.open(), ref)
    if session.as_json:
        report.print_json({**_document(row), "document": row.document})
    else:
        report.line(f"# {row.ref}, {row.state}, digest {row.digest}")
        report.line(labelschema.dumps(row.document).rstrip())


@_schema.command("diff")
def diff(ctx: typer.Context, old: Ref, new: Ref) -> None:
    """Compare two versions by rule: what is minor, what is major and needs a migration map."""
    from lineage.activities import schemas

    session = session_of(ctx)
    found = schemas.compare(session.open(), old, new)
    if session.as_json:
        report.print_json({"from": old, "to": new, **report.fields(found)})
        return
    report.line(f"{old} to {new}: {found.level}")
    if found.changes:
        report.table(
            ("level", "path", "change"), [(c.level, c.path, c.change) for c in found.changes]
        )
    if not found.version_fits:
        report.line(
            f"the numbers do not tell: a {found.level} change needs a new {found.level} version"
        )


@_schema.command("infer")
def infer(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="EXPORT...")],
    name: Annotated[str, typer.Option(help="Name of the schema.")],
    format: Formats = "auto",
    map_file: MapFile = None,
    pixel_base: PixelBase = 0,
    task: Task = "auto",
    out: Annotated[Path | None, typer.Option(help="Where to write the draft.")] = None,
) -> None:
    """Draft a schema from what exports hold: classes, kinds, attribute values seen."""
    from lineage.activities import infer as inference
    from lineage.activities.ingest import ImportOptions, read_options

    session = session_of(ctx)
    how = ImportOptions(format=format, map=map_file, pixel_base=pixel_base, task=task)
    told, asked = read_options(session.directory, how)
    path = inference.infer(session.directory, files, name=name, format=asked, out=out, options=told)
    if session.as_json:
        report.print_json({"path": path})
    else:
        report.line(
            f"wrote {path}; read it, write the definitions, then: lineage schema add {path}"
        )


@_schema.command("export")
def export(
    ctx: typer.Context,
    ref: Ref,
    format: Annotated[str, typer.Option(help="label-studio or cvat.")],
    out: Annotated[Path | None, typer.Option(help="Where to write it; else it is shown.")] = None,
) -> None:
    """Write the tool's own labelling configuration, so that the schema is what annotators see."""
    from lineage.activities import configure

    session = session_of(ctx)
    done = configure.configure(session.open(), ref, format, out)
    if session.as_json:
        report.print_json(done)
        return
    if out is None:
        report.line(done.config.rstrip())
        return
    report.line(f"wrote {out}: {ref} as {format} asks it")
    if done.not_expressed:
        report.line("the tool does not ask or hold to:")
        report.table(
            ("path", "rule", "what becomes of it"),
            [(gap.path, gap.rule, gap.told) for gap in done.not_expressed],
        )


@_schema.command("migrate")
def migrate(
    ctx: typer.Context,
    old: Ref,
    new: Ref,
    map_file: Annotated[Path, typer.Option("--map", help="YAML: what became of every class.")],
    batch: Annotated[list[str] | None, typer.Option(help="Only these batches.")] = None,
) -> None:
    """Carry labels from one version to the next, as an activity of its own."""
    from lineage.activities import migrate as migration

    session = session_of(ctx)
    done = migration.migrate(session.open(), old, new, map_file, batches=tuple(batch or ()))
    if session.as_json:
        report.print_json(done)
        return
    report.line(
        f"{done.n_migrated:,} labels carried from {old} to {new}; "
        f"{done.n_for_review:,} cannot be mapped and stay under {old}"
    )
    rows = [
        (row["annotation"], row["asset"], row["class"], row["reason"]) for row in done.for_review
    ]
    if rows:
        report.table(("annotation", "asset", "class", "reason"), rows)


def _document(row: object) -> dict[str, object]:
    names = ("name", "version", "state", "digest")
    return {name: getattr(row, name) for name in names}
