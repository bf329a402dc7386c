"""``dispute``: which disagreements to reopen, and fresh, blind opinions on them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineage.cli import report
from lineage.cli.choice import Batches, Schemas, Since, Until, choice
from lineage.cli.session import session_of

_group = typer.Typer(no_args_is_help=True, help="Disputes: list, open, packet.")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(_group, name="dispute")


@_group.command("list")
def list_(
    ctx: typer.Context,
    class_: Annotated[str | None, typer.Option("--class", help="Only of this class.")] = None,
    iou: Annotated[float, typer.Option(help="Least overlap of two labels of one object.")] = 0.5,
    batch: Batches = None,
    schema: Schemas = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """List what people said against each other, and which of it is most worth reopening."""
    from lineage.activities.disputes_screen import screen
    from lineage.activities.gather import Threshold

    session = session_of(ctx)
    asked = choice(batch, None, None, None, schema, None, since, until, None)
    rows = screen(session.open(), asked, threshold=Threshold(iou))
    rows = [row for row in rows if class_ is None or class_ in (row["class"], row["as_class"])]
    if session.as_json:
        report.print_json({"disputes": rows})
        return
    if not rows:
        report.line("nobody disputes anything: no object of which two people said different things")
        return
    report.table(
        ("class", "against", "objects", "one-sided", "q", "fresh agree", "verdict", ""),
        [
            (
                row["class"] or "nothing",
                row["as_class"] or "nothing",
                row["n"],
                row["one_sided"],
                row["q"],
                row["a_fresh"],
                str(row["verdict"] or "-").replace("_", " "),
                "open it" if row["is_worth_opening"] else "",
            )
            for row in rows
        ],
    )
    report.line(
        "one-sided: how far two people's confusions go one way (0 chance, 1 always); q below 0.05 is no chance"
    )
    report.line("lineage dispute open --class A --as-class B --for NAME --for NAME --batch TAG")


@_group.command("open")
def open_(
    ctx: typer.Context,
    class_: Annotated[str, typer.Option("--class", help="What the one said.")],
    as_class: Annotated[
        str, typer.Option("--as-class", help="What the other said; nothing: drew nothing.")
    ],
    people: Annotated[list[str], typer.Option("--for", help="Who is asked; two or more.")],
    batch: Annotated[str, typer.Option(help="Into which the answers come; made if missing.")],
    n: Annotated[int, typer.Option("-n", min=1, help="Disputed objects to draw.")] = 40,
    decoys: Annotated[
        float, typer.Option(help="Share of each packet that nobody disputed; 0.3 at least.")
    ] = 0.3,
    to: Annotated[str, typer.Option(help="Tool: label-studio or cvat.")] = "label-studio",
    out: Annotated[Path, typer.Option(help="Folder for packets.")] = Path("outbox"),
    iou: Annotated[float, typer.Option(help="Least overlap of two labels of one object.")] = 0.5,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report, write nothing.")] = False,
) -> None:
    """Draw disputed objects and write blind packets: images, and nothing that shows what is at issue."""
    from lineage.activities.disputed import NOTHING
    from lineage.activities.gather import Threshold
    from lineage.activities.reopen import DisputeOrder, reopen

    session = session_of(ctx)
    project = session.open()
    one, other = (None if word == NOTHING else word for word in (class_, as_class))
    order = DisputeOrder(one, other, tuple(people), batch, n, decoys, to)
    folder = out if out.is_absolute() else project.root / out
    found = reopen(project, order, folder, threshold=Threshold(iou), is_rehearsal=dry_run)
    names = session.names(project)
    told = report.named(report.fields(found), names)
    if session.as_json:
        report.print_json(told)
        return
    verb = "would be drawn" if dry_run else "drawn"
    report.line(
        f"{found.n_drawn} of {found.n_disputes} disputed objects {verb}, on {found.n_images} images, for {batch}; "
        f"{found.n_open} are new to two of the people"
    )
    report.table(
        ("who", "may see", "disputed", "undisputed"),
        [
            (names.get(str(r["annotator"]), r["annotator"]), r["n_eligible"], r["n_disputed"], r["n_decoys"])
            for r in found.people
        ],
    )  # fmt: skip
    _tell_packets(found.packets, batch, to)


@_group.command("packet")
def packet(
    ctx: typer.Context,
    draw: Annotated[str, typer.Argument(help="Of lineage dispute open.")],
    out: Annotated[Path, typer.Option(help="Folder for packets.")] = Path("outbox"),
) -> None:
    """Write a draw's packets again, byte for byte."""
    from lineage.activities.reopen import write_packets

    session = session_of(ctx)
    project = session.open()
    found = write_packets(project, draw, out if out.is_absolute() else project.root / out)
    names = session.names(project)
    if session.as_json:
        report.print_json(
            {"draw": draw, "packets": [report.named(report.fields(one), names) for one in found]}
        )
        return
    _tell_packets(found, None, None)


def _tell_packets(packets: object, batch: str | None, tool: str | None) -> None:
    for one in packets if isinstance(packets, tuple) else ():
        report.line(f"wrote {one.path}: {one.n_images} images")
    if batch and tool and packets:
        report.line(
            f"answers: lineage import EXPORT --batch {batch} --format {tool}; then lineage agreement"
        )
