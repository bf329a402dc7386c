"""``simulate``: a world with planted faults, to try things on, and people who answer packets in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineage.cli import report
from lineage.cli.session import session_of

_group = typer.Typer(invoke_without_command=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(_group, name="simulate")


@_group.callback()
def simulate(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(help="Where exports and images go.")] = Path("inbox"),
    truth: Annotated[Path, typer.Option(help="Where the planted truth goes.")] = Path(
        "world/truth.json"
    ),
    images: Annotated[
        int | None, typer.Option(help="Number of images, in place of params.yaml's.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed, in place of params.yaml's.")] = None,
    pixels: Annotated[bool, typer.Option(help="Draw the images.")] = True,
    keep: Annotated[bool, typer.Option("--keep", help="Leave a world that stands there.")] = False,
) -> None:
    """Draw street scenes and let annotators with habits label them, by simulate in params.yaml."""
    if ctx.invoked_subcommand is not None:
        return
    from lineage import simulate as world
    from lineage.cli.progress import drawn
    from lineage.settings import load_params

    session = session_of(ctx)
    root = session.directory
    if keep and (root / out / "label_studio").exists():
        report.print_json({"kept": out}) if session.as_json else report.line(
            f"{out} stands already"
        )
        return
    overrides = {"n_images": images, "seed": seed, "draw_pixels": None if pixels else False}
    given = {name: value for name, value in overrides.items() if value is not None}
    settings = world.from_params({**load_params(root).simulate, **given})
    done = world.simulate(root / out, settings, truth=root / truth, progress=drawn(session.quiet))
    if session.as_json:
        report.print_json(done)
        return
    report.line(
        f"{done.n_images:,} images, {done.n_labels:,} labels by {done.n_annotators} annotators "
        f"in {done.n_files:,} exports below {out}"
    )


@_group.command("answer")
def answer(
    ctx: typer.Context,
    packets: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Packets: of a draw, or for a senior.")
    ],
    out: Annotated[Path, typer.Option(help="Where their exports go.")],
    error: Annotated[
        float, typer.Option(help="Of objects, those left out or called something else.")
    ] = 0.02,
    seed: Annotated[
        int | None, typer.Option(help="Of the people, in place of the world's: they err elsewhere.")
    ] = None,
) -> None:
    """Let simulated people answer packets: exports of their tools."""
    from lineage import simulate as world
    from lineage.settings import load_params

    session = session_of(ctx)
    root = session.directory
    settings = world.from_params(load_params(root).simulate)
    folders = [root / folder for folder in packets]
    done = world.answer(folders, root / out, settings, error_fraction=error, seed=seed)
    files = [path.relative_to(root) if path.is_relative_to(root) else path for path in done.files]
    if session.as_json:
        report.print_json({**report.fields(done), "files": files})
        return
    told = []
    if done.n_decisions or not done.n_images:
        told.append(f"{done.n_decisions:,} decisions")
    if done.n_images:
        told.append(f"{done.n_labels:,} labels on {done.n_images:,} images")
    report.line(f"{done.n_packets:,} packets answered: " + ", ".join(told))
    for path in files:
        report.line(f"wrote {path.as_posix()}")
