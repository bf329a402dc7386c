"""``lineage batch ...``: labels ordered together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineage.cli import report
from lineage.cli.session import session_of
from lineage.terms import BatchKind

if TYPE_CHECKING:
    from lineage.activities.handoff import Packed
    from lineage.activities.readiness import Override, Readiness

_batch = typer.Typer(
    help="Batches: create, list, show, check, override, pack, close.", no_args_is_help=True
)

Tag = Annotated[str, typer.Argument(metavar="TAG")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(_batch, name="batch")


@_batch.command("create")
def create(
    ctx: typer.Context,
    tag: Tag,
    task: Annotated[str, typer.Option(help="What is to be labelled.")],
    schema: Annotated[str, typer.Option(help="NAME@VERSION")],
    kind: Annotated[BatchKind, typer.Option(help="What it holds.")] = BatchKind.ARCHIVE,
    vendor: Annotated[str | None, typer.Option(help="Who labels.")] = None,
    priority: Annotated[int, typer.Option(help="Higher comes first.")] = 0,
    overlap: Annotated[float, typer.Option(help="Fraction labelled twice, in [0, 1].")] = 0.0,
    review: Annotated[float, typer.Option(help="Fraction re-checked, in [0, 1].")] = 0.0,
    gold: Annotated[float, typer.Option(help="Fraction with hidden gold, in [0, 1].")] = 0.0,
    agreement_least: Annotated[
        float, typer.Option(help="Lower end of F1's interval that its pilot has to reach.")
    ] = 0.8,
) -> None:
    """Create a batch under a locked schema (a pilot may use a draft); its policy is fixed by this."""
    from lineage.activities import batches

    session = session_of(ctx)
    policy = {
        "overlap_fraction": overlap,
        "review_fraction": review,
        "gold_fraction": gold,
        "agreement_least": agreement_least,
    }
    order = batches.BatchOrder(tag, task, schema, kind, vendor, priority, policy)
    row = batches.create(session.open(), order)
    if session.as_json:
        report.print_json(row)
        return
    report.line(f"batch {row.tag} is open: {row.task}, {row.kind}, under {row.schema}")
    if kind is BatchKind.VOLUME:
        report.line(f"  what it lacks before labels may come in: lineage batch check {row.tag}")


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
def show(ctx: typer.Context, tag: Tag) -> None:
    """Show one batch, its policy, what it holds, and who let it in unready."""
    from lineage.activities import batches, readiness, trace

    session = session_of(ctx)
    project = session.open()
    row = batches.get(project, tag)
    found = trace.status(project, trace.Choice(batch=(tag,)))
    overrides = readiness.overrides_of(project, tag)
    names = session.names(project)
    if session.as_json:
        report.print_json(
            {
                **report.fields(row),
                "n_annotations": found.n_live,
                "stages": found.stages,
                "overrides": [_override(one, names) for one in overrides],
            }
        )
        return
    for name in ("tag", "task", "schema", "kind", "state", "vendor", "priority"):
        report.line(f"{name:<12}{getattr(row, name) if getattr(row, name) is not None else '-'}")
    policy = ", ".join(f"{name} {value:g}" for name, value in row.policy.items())
    report.line(f"{'policy':<12}{policy or '-'}")
    stages = ", ".join(f"{stage} {n:,}" for stage, n in found.stages.items())
    report.line(f"{'labels':<12}{found.n_live:,} live ({stages or 'none'})")
    _tell_overrides(overrides, names)


@_batch.command("check")
def check(ctx: typer.Context, tag: Tag) -> None:
    """Tell whether a batch is ready for volume, and what to do; exit 1 where it is not."""
    from lineage.activities import readiness

    session = session_of(ctx)
    project = session.open()
    found = readiness.check(project, tag)
    names = session.names(project)
    if session.as_json:
        report.print_json(_readiness(found, names))
    else:
        _tell_readiness(found, names)
    if not found.is_ready:
        raise typer.Exit(1)


@_batch.command("override")
def override(
    ctx: typer.Context,
    tag: Tag,
    reason: Annotated[str, typer.Option(help="Why it cannot wait, for the record.")],
) -> None:
    """Let labels into a volume batch that is not ready: on record, by name, for what it lacks now."""
    from lineage.activities import readiness

    session = session_of(ctx)
    project = session.open()
    found = readiness.override(project, tag, reason=reason)
    if session.as_json:
        report.print_json(_readiness(found, session.names(project)))
        return
    without = ", ".join(one.name for one in found.conditions if one.is_overridden)
    report.line(f"batch {tag} takes labels without: {without}")


@_batch.command("pack")
def pack(
    ctx: typer.Context,
    tag: Tag,
    out: Annotated[Path | None, typer.Option(help="Folder to write; outbox/pack-TAG else.")] = None,
    to: Annotated[str, typer.Option(help="label-studio or cvat.")] = "label-studio",
    zip_too: Annotated[bool, typer.Option("--zip", help="A zip beside the folder too.")] = False,
    images: Annotated[
        Path | None, typer.Option(help="Folder of image files, looked in first.")
    ] = None,
) -> None:
    """Write what whoever labels a batch needs: configuration, guideline, examples, policy."""
    from lineage.activities import handoff

    session = session_of(ctx)
    project = session.open()
    folder = project.root / (out or Path("outbox") / f"pack-{tag}")
    done = handoff.pack(project, tag, folder, handoff.PackOptions(to, zip_too, images))
    if session.as_json:
        report.print_json(done)
        return
    _tell_pack(done)


@_batch.command("close")
def close(
    ctx: typer.Context,
    tag: Tag,
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


def _readiness(found: Readiness, names: Mapping[str, str]) -> dict[str, object]:
    return {
        **report.fields(found),
        "overrides": [_override(one, names) for one in found.overrides],
    }


def _override(one: Override, names: Mapping[str, str]) -> dict[str, object]:
    """Return an override by the name to show."""
    return {**report.fields(one), "by": names.get(one.by, one.by)}


def _tell_readiness(found: Readiness, names: Mapping[str, str]) -> None:
    rows = [
        (one.name, "overridden" if one.is_overridden else _STATES[one.state], one.told)
        for one in found.conditions
    ]
    report.table(("condition", "state", ""), rows)
    _tell_overrides(found.overrides, names)
    report.line()
    if found.is_ready:
        report.line(f"batch {found.batch} is ready for volume")
        return
    if found.is_refused:
        report.line(f"batch {found.batch} is not ready: labels that come in are refused")
    elif found.kind == BatchKind.VOLUME:
        report.line(f"batch {found.batch} is not ready, and overridden: labels may come in")
    else:
        report.line(
            f"batch {found.batch} is not ready for volume; its kind is {found.kind}, "
            "so labels may come in"
        )
    # several conditions may have one cure
    cures: dict[str, list[str]] = {}
    for one in found.conditions:
        if one.hint:
            cures.setdefault(one.hint, []).append(one.name)
    for hint, conditions in cures.items():
        report.line(f"  {', '.join(conditions)}: {hint}")
    if found.is_refused:
        report.line(f"  without: lineage batch override {found.batch} --reason WHY")


_STATES: Mapping[str, str] = {"met": "met", "unmet": "not met", "too_few": "n too small"}


def _tell_overrides(overrides: Sequence[Override], names: Mapping[str, str]) -> None:
    for one in overrides:
        report.line(
            f"{'override':<12}{report.moment(one.at)} by {names.get(one.by, one.by)}: {one.reason} "
            f"(without {', '.join(one.conditions)})"
        )


def _tell_pack(done: Packed) -> None:
    for name in done.files:
        if not name.startswith("examples/"):
            report.line(f"wrote {done.path / name}")
    n_pictures = sum(name.startswith("examples/") for name in done.files)
    if n_pictures:
        report.line(f"wrote {done.path / 'examples'}: {n_pictures} pictures")
    if done.zip is not None:
        report.line(f"wrote {done.zip}")
    report.line()
    shown: dict[tuple[object, object], list[Mapping[str, object]]] = {
        (row["class"], row["edge_case"]): [] for row in (*done.examples, *done.without_example)
    }
    for row in done.examples:
        shown[row["class"], row["edge_case"]].append(row)
    report.table(
        ("class", "edge case", "examples", "with a picture"),
        [
            (class_, case, len(rows), sum(row["picture"] is not None for row in rows))
            for (class_, case), rows in shown.items()
        ],
    )
    if any(row["picture"] is None for row in done.examples):
        report.line("where the other images are: --images DIR")
    if done.hidden:
        report.line(
            f"{len(done.hidden):,} images are hidden gold and not shown: {_some(done.hidden)}"
        )
    if any(row["is_new"] for row in done.examples):
        report.line("what is shown is on record as shown: gold draw passes it over from now on")
    for note in done.notes:
        report.line(note)


def _some(names: Sequence[str]) -> str:
    rest = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + rest
