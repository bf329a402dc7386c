"""``lineage review rounds``: a review that was done in CVAT, from its REST answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineage.cli import report
from lineage.cli.choice import Labeller, Strict, Whole
from lineage.cli.session import session_of

if TYPE_CHECKING:
    from lineage.activities.rounds import Rounds


def register_into(group: typer.Typer) -> None:
    """Add the command of this file to those of ``review``."""
    group.command("rounds")(rounds)


def rounds(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(help="Folder with CVAT's REST answers.")],
    batch: Annotated[str, typer.Option(help="Batch that the labels belong to.")],
    annotator: Labeller = None,
    whole: Whole = False,
    strict: Strict = False,
) -> None:
    """Record jobs, stages, reviewers' issues and ground truth of CVAT as its REST interface tells them."""
    from lineage.activities.ingest import ImportOptions
    from lineage.activities.rounds import FORMAT
    from lineage.activities.rounds import rounds as rounds_of
    from lineage.cli.labels import import_document
    from lineage.settings import load_params

    session = session_of(ctx)
    project = session.open()
    options = ImportOptions(
        format=FORMAT,
        is_whole=whole,
        is_strict=strict,
        annotator=annotator,
        edge_tolerance_px=load_params(project.root).edge_tolerance_px,
    )
    found = rounds_of(project, path, batch, options=options)
    if session.as_json:
        told = {**report.fields(found), "labels": import_document(found.labels)}
        report.print_json({**told, "remarks": _named(found, session.names(project))})
    else:
        _tell(found, session.names(project))
    if found.labels.n_rejected:
        raise typer.Exit(1)


def _tell(found: Rounds, names: Mapping[str, str]) -> None:
    labels = found.labels
    report.line(
        f"{labels.n_read:,} labels of {len(found.jobs)} jobs: {labels.n_added:,} added, "
        f"{labels.n_superseded:,} superseded, {labels.n_unchanged:,} unchanged, "
        f"{labels.n_rejected:,} rejected"
    )
    for rule, n in sorted(labels.by_rule.items()):
        report.line(f"  {rule} {n:,}")
    if "mask-size" in labels.by_rule:
        report.line(
            "  masks need the size of their image: put frames.json into the folder, docs/formats.md"
        )
    report.line()
    heads = ("job", "task", "stage", "state", "n_labels", "n_in_review", "n_contested", "n_final")
    report.table(
        ("job", "task", "stage", "state", "labels", "in review", "contested", "final", ""),
        [
            (*(row[name] for name in heads), "ground truth" if row["is_ground_truth"] else " ")
            for row in found.jobs
        ],
        most=len(found.jobs),
    )  # fmt: skip
    if found.remarks:
        report.line()
        report.table(
            ("issue", "image", "by", "on", "", "remark"),
            [_remark(row) for row in _named(found, names)],
        )
    report.line()
    moved = ", ".join(f"{n:,} {stage}" for stage, n in found.n_moved.items()) or "none"
    report.line(
        f"stage events: {moved}; verdicts: {found.n_verdicts:,} new (not blind: no estimate counts them)"
    )
    if found.n_held:
        report.line(
            f"  {found.n_held:,} labels of accepted jobs stay in review: they take a blind answer that agrees"
        )
        report.line(f"  lineage review draw --batch {found.batch} --for NAME")
    if found.n_own:
        report.line(f"  {found.n_own:,} remarks of people on their own labels are no verdicts")
    _tell_gold(found)


def _tell_gold(found: Rounds) -> None:
    if not any(row["is_ground_truth"] for row in found.jobs):
        return
    if found.n_gold is None:
        report.line(
            "ground truth is no gold yet: the schema is a draft (lineage schema lock), then once more"
        )
        return
    report.line(
        f"ground truth: {found.n_gold:,} labels gold from now on; who errs: lineage gold score --batch {found.batch}"
    )


def _remark(row: Mapping[str, object]) -> tuple[object, ...]:
    on = "the image" if row["annotation"] is None else f"annotation {row['annotation']}"
    told = "own label" if row["is_own"] else "resolved" if row["is_resolved"] else "open"
    text = " / ".join(str(row["comment"]).splitlines())
    return (row["issue"], row["asset"] or "not in the folder", row["by"], on, told, text[:70])


def _named(found: Rounds, names: Mapping[str, str]) -> list[dict[str, object]]:
    """Return the remarks, reviewers by the name to show."""
    return [{**row, "by": names.get(str(row["by"]), row["by"])} for row in found.remarks]
