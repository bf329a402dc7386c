"""``consensus``: one label from several opinions, and what is left for people to decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineage.cli import report
from lineage.cli.choice import Assets, Batches, DryRun, Schemas, choice
from lineage.cli.session import session_of

if TYPE_CHECKING:
    from lineage.activities.consensus import ConsensusReport

_COUNTS = ("n_images", "n_units", "n_settled", "n_for_review", "n_added", "n_superseded",
           "n_retracted", "n_unchanged")  # fmt: skip
_HEADS = ("batch", "images", "objects", "settled", "review", "added", "superseded", "retracted",
          "unchanged")  # fmt: skip
_TOLD = {
    "quorum": "too few of those who were asked drew it; nothing is written",
    "definition_split": "its classes are read in two ways: the guideline decides; nothing is written",
    "unsaid": "nobody gave the class that is the likeliest; nothing is written",
    "schema": "what was decided breaks the schema version; nothing is written",
    "posterior": "the class is not certain enough; written in review",
    "geometry": "the places differ too much; written in review",
}


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("consensus")(consensus)


def consensus(
    ctx: typer.Context,
    iou: Annotated[float, typer.Option(help="Least overlap of two labels of one object.")] = 0.4,
    quorum: Annotated[
        float, typer.Option(help="Share of those asked who have to have drawn it, two at least.")
    ] = 0.3,
    posterior: Annotated[float, typer.Option(help="Least probability of a settled class.")] = 0.95,
    stage: Annotated[
        str, typer.Option(help="Of settled labels: submitted, in_review or final.")
    ] = "submitted",
    batch_out: Annotated[
        str | None,
        typer.Option(metavar="TAG", help="Where labels come into; else consensus-TASK."),
    ] = None,
    dry_run: DryRun = False,
    out: Annotated[
        Path | None, typer.Option(help="Every object, with why: a .csv or .parquet file.")
    ] = None,
    batch: Batches = None,
    schema: Schemas = None,
    asset: Assets = None,
) -> None:
    """Find the labels that independent opinions agree on, and record what has changed."""
    from lineage.activities import consensus as finding
    from lineage.activities.consensus_rules import Limits
    from lineage.activities.export import refuse_table, write_table

    session = session_of(ctx)
    project = session.open()
    limits, settled = Limits(quorum, posterior), finding.stage_of(stage)
    how = finding.ConsensusOptions(
        iou, limits, settled, batch_out, is_rehearsal=dry_run, is_listed=out is not None
    )
    if out is not None:
        refuse_table(out)
    asked = choice(batch, None, None, None, schema, asset, None, None, None)
    found = finding.consensus(project, asked, how)
    if out is not None:
        write_table(found.table, out)
    if session.as_json:
        report.print_json(_document(found, out))
    else:
        _tell(found, out, is_dry_run=dry_run)


def _document(found: ConsensusReport, out: Path | None) -> Mapping[str, object]:
    return {
        "iou_threshold": found.iou_threshold,
        "quorum_fraction": found.quorum_fraction,
        "posterior": found.posterior,
        **found.counts,
        "by_reason": found.by_reason,
        "batches": found.batches,
        "habits": found.habits,
        "path": out,
    }


def _tell(found: ConsensusReport, out: Path | None, *, is_dry_run: bool) -> None:
    _tell_counts(found.counts, found.by_reason, is_dry_run=is_dry_run)
    if found.counts["n_images"]:
        report.line()
        rows = [[row["batch"], *(row[name] for name in _COUNTS)] for row in found.batches]
        report.table(_HEADS, rows)
    _tell_habits(found.habits)
    if out is not None:
        report.line()
        report.line(f"wrote {out}: every object, with why it is settled or for review")


def _tell_counts(
    counts: Mapping[str, int], by_reason: Mapping[str, int], *, is_dry_run: bool
) -> None:
    if not counts["n_images"]:
        report.line("nothing to settle: no image was answered by two people independently")
        report.line("  order overlap: policy overlap_fraction of a batch, docs/settings.md")
        return
    would = "; nothing was written (--dry-run)" if is_dry_run else ""
    report.line(
        f"{counts['n_opinions']:,} opinions on {counts['n_units']:,} objects of "
        f"{counts['n_images']:,} images: {counts['n_settled']:,} settled, "
        f"{counts['n_for_review']:,} for review{would}"
    )
    if counts["n_gold"]:
        report.line(f"gold told the class of {counts['n_gold']:,}")
    if counts["n_left_to_people"]:
        report.line(
            f"{counts['n_left_to_people']:,} were changed or taken away by people since, and stay so"
        )
    if by_reason:
        report.line()
        report.line("for review, by reason; an object may have several")
        report.table(
            ("reason", "objects", "what it means"),
            [(name.replace("_", " "), n, _TOLD[name]) for name, n in by_reason.items()],
        )
        if counts["n_single"]:
            report.line(f"of these {counts['n_single']:,} were drawn by one person only")


def _tell_habits(rows: Sequence[Mapping[str, object]]) -> None:
    if not rows:
        return
    report.line()
    report.line("people take sides by habit between these; a vote sides with the larger camp")
    report.table(
        ("class", "against", "objects", "verdict", "left for review"),
        [
            (
                row["class"] or "nothing",
                row["as_class"] or "nothing",
                row["n"],
                str(row["verdict"] or "-").replace("_", " "),
                "yes" if row["is_left"] else "no",
            )
            for row in rows
        ],
    )
    report.line("  who leans where, and what to do: lineage agreement")
