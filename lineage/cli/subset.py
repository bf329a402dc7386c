"""``subset``: a version restricted by what is asked of its labels, saved as a version of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from lineage.cli import report
from lineage.cli.choice import (
    Annotators,
    Assets,
    Batches,
    Classes,
    Schemas,
    Since,
    Stages,
    Until,
)
from lineage.cli.recompute import at_hand
from lineage.cli.session import Session, session_of
from lineage.cli.version import tell
from lineage.errors import Usage

Of = Annotated[
    str | None, typer.Option("--of", metavar="VERSION", help="By default what params.yaml builds.")
]
Vendors = Annotated[list[str] | None, typer.Option("--vendor", help="Of these vendors' batches.")]
Origins = Annotated[list[str] | None, typer.Option("--origin", help="Of these origins.")]
Cases = Annotated[list[str] | None, typer.Option("--edge-case", help="Of these edge cases.")]
Attributes = Annotated[
    list[str] | None,
    typer.Option("--attribute", metavar="NAME=VALUE", help="With this attribute."),
]
Disputed = Annotated[
    bool | None,
    typer.Option("--disputed/--undisputed", help="Opinions differ; or two agree."),
]
Gold = Annotated[bool, typer.Option("--gold", help="Gold alone.")]
Below = Annotated[
    float | None,
    typer.Option("--agreement-below", metavar="F1", help="On images whose opinions agree less."),
]
Least = Annotated[
    float | None,
    typer.Option("--agreement-least", metavar="F1", help="On images whose opinions agree so far."),
]
Opinions = Annotated[
    int | None,
    typer.Option("--opinions-least", metavar="N", help="On images with so many opinions."),
]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="PREDICATE", help="Any of these besides; docs/versions.md."),
]
Without = Annotated[
    list[str] | None,
    typer.Option("--without", metavar="PREDICATE", help="Had these labels never been."),
]
Tag = Annotated[str | None, typer.Option("--tag", help="A name for it.")]
Out = Annotated[Path | None, typer.Option("--out", help="Directory; data/NAME by default.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("subset")(subset)


def subset(
    ctx: typer.Context,
    of: Of = None,
    batch: Batches = None,
    annotator: Annotators = None,
    class_: Classes = None,
    stage: Stages = None,
    schema: Schemas = None,
    asset: Assets = None,
    since: Since = None,
    until: Until = None,
    vendor: Vendors = None,
    origin: Origins = None,
    edge_case: Cases = None,
    attribute: Attributes = None,
    disputed: Disputed = None,
    gold: Gold = False,
    agreement_below: Below = None,
    agreement_least: Least = None,
    opinions_least: Opinions = None,
    where: Where = None,
    without: Without = None,
    tag: Tag = None,
    out: Out = None,
) -> None:
    """Save a subset as a version: selectors, edge cases, disputes, gold, agreement; all must hold."""
    asked: dict[str, list[str] | None] = {
        "batch": batch,
        "annotator": annotator,
        "class": class_,
        "stage": stage,
        "schema": schema,
        "asset": asset,
        **_single(since=since, until=until),
        "vendor": vendor,
        "origin": origin,
        "edge_case": edge_case,
        **_attributes(attribute or []),
        **_single(
            disputed=None if disputed is None else "yes" if disputed else "no",
            gold="yes" if gold else None,
            agreement_below=agreement_below,
            agreement_least=agreement_least,
            opinions_least=opinions_least,
        ),
    }
    _save(session_of(ctx), asked, where or [], without or [], of=of, tag=tag, out=out)


def _save(
    session: Session,
    asked: Mapping[str, list[str] | None],
    where: Sequence[str],
    without: Sequence[str],
    *,
    of: str | None,
    tag: str | None,
    out: Path | None,
) -> None:
    from lineage.activities import predicates, predicates_text
    from lineage.activities.subset import subset as saved

    clauses = [predicates_text.written(name, values) for name, values in asked.items() if values]
    words = predicates.joined((" ".join(clauses),) if clauses else (), where)
    with at_hand(session) as project:
        done = saved(project, words, of=of, without=without, tag=tag, out=out)
    if session.as_json:
        report.print_json({"version": done.manifest, "path": done.path})
        return
    tell(done.manifest)
    report.line(f"written to {done.path}")


def _single(**values: str | float | None) -> dict[str, list[str] | None]:
    return {name: None if value is None else [str(value)] for name, value in values.items()}


def _attributes(words: list[str]) -> dict[str, list[str] | None]:
    found: dict[str, list[str] | None] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals and value):
            raise Usage("usage", f"--attribute {word!r}, expected NAME=VALUE")
        found[f"attribute:{name}"] = [*(found.get(f"attribute:{name}") or []), value]
    return found
