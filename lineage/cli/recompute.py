"""``recompute``: a version again, from the ledger alone; or as it would have been without some labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineage.cli import report
from lineage.cli.session import Session, session_of
from lineage.errors import Usage

if TYPE_CHECKING:
    from lineage.activities.context import Project
    from lineage.activities.recompute import Recomputed


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("recompute")(recompute)


def recompute(
    ctx: typer.Context,
    version: Annotated[
        str | None, typer.Argument(help="Name, start of the digest, or tag.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every version on record.")] = False,
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PREDICATE", help='Had these labels never been: "annotator=A batch=B".'
        ),
    ] = None,
    revert: Annotated[
        bool, typer.Option("--revert", help="Their earlier revisions stand in their place.")
    ] = False,
    tag: Annotated[str | None, typer.Option(help="With --without: a name for it.")] = None,
    out: Annotated[Path | None, typer.Option(help="Keep the files in this directory.")] = None,
) -> None:
    """Rebuild a version from the ledger and compare: digest, bytes, writer. Needs no store."""
    session = session_of(ctx)
    if (version is None) != every or (every and (out is not None or without)):
        raise Usage("usage", "name a version, or ask for --all of them without --out and --without")
    if (revert or tag is not None) and not without:
        raise Usage("usage", "--revert and --tag go with --without")
    if version is not None and without:
        _without(session, version, without, revert, tag, out)
        return
    from lineage.activities import ledger_only
    from lineage.activities.recompute import recompute as recomputed
    from lineage.activities.version import list_all

    with ledger_only.opened(session.locate()) as project:
        names = [str(row["name"]) for row in list_all(project)] if version is None else [version]
        found = [recomputed(project, name, out=out) for name in names]
    documents = [_document(one) for one in found]
    if session.as_json:
        report.print_json({"versions": documents} if every else documents[0])
    else:
        _tell(found)
    if not all(one.is_as_promised for one in found):
        raise typer.Exit(1)


@contextmanager
def at_hand(session: Session) -> Iterator[Project]:
    """Give the project on its store where it has one, on its ledger alone where it has none."""
    from lineage.activities import ledger_only

    found = session.locate()
    if found.store.exists():
        yield session.open()
    else:
        with ledger_only.opened(found) as project:
            yield project


def _without(
    session: Session,
    version: str,
    words: Sequence[str],
    revert: bool,
    tag: str | None,
    out: Path | None,
) -> None:
    from lineage.activities import recompute_without
    from lineage.cli.version import tell

    with at_hand(session) as project:
        done = recompute_without.without(
            project, version, words, is_reverted=revert, tag=tag, out=out
        )
    if session.as_json:
        told = report.fields(done)
        report.print_json({"version": told.pop("manifest"), **told})
        return
    tell(done.manifest)
    report.line()
    report.line(
        f"of {done.of}: {done.n_left_out:,} labels left out, {done.n_reverted:,} in an earlier "
        f"revision, {done.n_images_gone:,} images gone; written to {done.path}"
    )
    report.line(f"what changed: lineage diff {done.of} {done.manifest['name']}")


def _document(done: Recomputed) -> dict[str, object]:
    told = report.fields(done)
    differs = told.pop("differs")
    same = {"digest": done.is_digest_same, "bytes": done.is_same_bytes}
    return {**told, "identical": same, "differs": differs}


def _tell(found: Sequence[Recomputed]) -> None:
    names = ("version", "tags", "seq", "images", "annotations", "digest", "bytes")
    rows = [
        (
            one.version,
            ", ".join(one.tags),
            one.seq,
            one.n_assets,
            one.n_annotations,
            "same" if one.is_digest_same else "differs",
            "same" if one.is_same_bytes else "differ",
        )
        for one in found
    ]
    report.table(names, rows, most=len(rows))
    for one in found:
        for difference in one.differs:
            where = f" of {difference.where}" if difference.where else ""
            report.line()
            report.line(f"{one.version}: {difference.what}{where} differs: {difference.means}")
            report.line(f"  recorded {difference.expected}")
            report.line(f"  here     {difference.found}")
