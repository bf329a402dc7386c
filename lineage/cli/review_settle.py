"""``review adjudicate``, ``review finalize`` and ``review gate``: what was disputed is settled, and lots are decided."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineage.cli import report
from lineage.cli.choice import DryRun
from lineage.cli.session import Session, session_of
from lineage.errors import Usage

if TYPE_CHECKING:
    from lineage.activities.adjudicate import Adjudicated
    from lineage.activities.context import Project

Row = Mapping[str, object]
_Batch = Annotated[str, typer.Option("--batch", help="Tag of the batch that is reviewed.")]
_WAITS = {
    "verdicts": "labels are with reviewers: {who}",
    "adjudication": "are contested: lineage review adjudicate --batch {batch}",
    "draw": "more have to be checked, of {who}: lineage review draw --batch {batch} with a greater --fraction",
    "reviewers": "labels of {who} are to be checked whole: lineage review finalize --batch {batch} --for NAME",
    "finalize": "can be decided: lineage review finalize --batch {batch}",
}


def register_into(group: typer.Typer) -> None:
    """Add the commands of this file."""
    group.command("adjudicate")(adjudicate)
    group.command("finalize")(finalize)
    group.command("gate")(gate)


def adjudicate(
    ctx: typer.Context,
    batch: _Batch,
    people: Annotated[
        list[str] | None,
        typer.Option("--for", metavar="NAME", help="Who may give a fresh opinion; repeatable."),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The senior; gets nothing they had a part in."),
    ] = None,
    decisions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The senior's decisions; with --by.")
    ] = None,
    to: Annotated[str, typer.Option(help="Tool: label-studio or cvat.")] = "label-studio",
    out: Annotated[Path, typer.Option(help="Folder for packets.")] = Path("outbox"),
    iou: Annotated[float, typer.Option(help="Least overlap of two opinions on one object.")] = 0.5,
    posterior: Annotated[float, typer.Option(help="What settles a class.")] = 0.95,
    settled_iou: Annotated[float, typer.Option(help="What settles a place.")] = 0.75,
    dry_run: DryRun = False,
) -> None:
    """Settle what is contested: by the opinions there are, by fresh ones, by a senior last."""
    from lineage.activities import adjudicate as activity

    session = session_of(ctx)
    project = session.open()
    if decisions is not None:
        if by is None:
            raise Usage("usage", "--decisions needs --by NAME: a decision is somebody's")
        _decide(session, project, batch, decisions, by, dry_run=dry_run)
        return
    order = activity.AdjudicateOrder(
        batch, by, tuple(people or ()), to, iou, posterior, settled_iou
    )
    found = activity.adjudicate(project, order, _folder(project, out), is_rehearsal=dry_run)
    names = session.names(project)
    packets = [_named(row, names) for row in found.packets]
    if session.as_json:
        told = {**report.fields(found), "packets": packets}
        report.print_json({**told.pop("counts"), **told})  # type: ignore[dict-item]
        return
    _tell_adjudicated(found, packets, is_dry_run=dry_run)


def _decide(
    session: Session, project: Project, batch: str, path: Path, by: str, *, dry_run: bool
) -> None:
    from lineage.activities import adjudicate_decide

    found = adjudicate_decide.decide(project, batch, path, by, is_rehearsal=dry_run)
    names = session.names(project)
    if session.as_json:
        report.print_json({**report.fields(found), "by": names.get(found.by, found.by)})
        return
    told = ", ".join(f"{n:,} {word}" for word, n in found.by_result.items() if n) or "none"
    report.line(f"{found.n_decisions:,} decisions by {names.get(found.by, found.by)}: {told}")
    if found.n_unsure:
        report.line(f"{found.n_unsure:,} unsure: they stay open")
    if found.late:
        report.line(
            f"{len(found.late):,} came late, for what is settled: {', '.join(found.late[:8])}"
        )


def finalize(
    ctx: typer.Context,
    batch: _Batch,
    people: Annotated[
        list[str] | None,
        typer.Option("--for", metavar="NAME", help="Who checks what goes back; repeatable."),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Decide each annotator's lot: accepted labels become final, failed classes go back whole."""
    from lineage.activities import finalize as activity

    session = session_of(ctx)
    project = session.open()
    found = activity.finalize(project, batch, tuple(people or ()), is_rehearsal=dry_run)
    names = session.names(project)
    told = report.fields(found)
    lots = [_named(row, names) for row in found.lots]
    waits = [_waiting(row, names) for row in found.waits_for]
    asked = [_named(row, names) for row in found.people]
    by = [_named(row, names) for row in found.error.by_annotator]
    error = {**report.fields(found.error), "by_annotator": by}
    if session.as_json:
        report.print_json(
            {**told, "lots": lots, "waits_for": waits, "people": asked, "error": error}
        )
        return
    if lots:
        report.table(
            ("annotator", "labels", "missed", "drawn", "judged", "wrong", "open", "heard", "gate", "more", "back"),
            [
                (r["annotator"], r["n_labels"], r["n_missed"], r["n_drawn"], r["n_judged"], r["n_wrong"], r["n_open"],
                 r["n_heard"], r["decision"], r["n_more"], ", ".join(map(str, _list(r["classes"]))))
                for r in lots
            ],
        )  # fmt: skip
    _tell_error(report.fields(found.error))
    n = found.n_final
    verb = "would become" if dry_run else "became"
    report.line(
        f"{sum(n.values()):,} labels {verb} final: " + ", ".join(f"{k} {v:,}" for k, v in n.items())
    )
    if found.draw:
        report.line(
            f"sent back: {found.n_drawn:,} labels, {found.draw}; lineage review export {found.draw}"
        )
    _tell_waits(batch, waits)
    if found.is_finalised:
        report.line(f"{batch} is final")


def gate(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(help="The report's file.")] = Path("reports/review.json"),
) -> None:
    """Write the state of review of every batch: the pipeline's stage."""
    from lineage.activities import finalize_report

    session = session_of(ctx)
    project = session.open()
    found = finalize_report.gate(project)
    path = out if out.is_absolute() else project.root / out
    path.parent.mkdir(parents=True, exist_ok=True)
    told = report.fields(found)
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf-8", newline="\n")
    if session.as_json:
        report.print_json({**told, "path": str(out)})
        return
    names = session.names(project)
    rows = [row for row in found.batches if row["n_drawn"] or row["kind"] == "volume"]
    if rows:
        report.table(
            ("batch", "kind", "gate", "drawn", "judged", "error", "from", "to"),
            [(r["batch"], r["kind"], str(r["state"] or "-").replace("_", " "), r["n_drawn"], r["n_done"], *_error(r)) for r in rows],
        )  # fmt: skip
    else:
        report.line("nothing was drawn for review yet: lineage review draw")
    for row in rows:
        _tell_waits(str(row["batch"]), [_waiting(one, names) for one in _list(row["waits_for"])])
    report.line(f"wrote {out}")


def _tell_adjudicated(found: Adjudicated, packets: Sequence[Row], *, is_dry_run: bool) -> None:
    n, batch = found.counts, found.batch
    would = "would be " if is_dry_run else ""
    if not n["n_open"]:
        report.line(f"nothing of {batch} is contested")
        return
    report.line(
        f"{n['n_open']:,} open. By their opinions {would}settled: {n['n_stands']:,} stand, "
        f"{n['n_replaced']:,} replaced, {n['n_rejected']:,} rejected; of missed objects {n['n_added']:,} "
        f"added, {n['n_dismissed']:,} dismissed"
    )
    if n["n_ordered"] or n["n_waiting"]:
        report.line(
            f"one more opinion: {n['n_ordered']:,} {would}asked for now, {n['n_waiting']:,} awaited"
        )
    if n["n_unasked"]:
        report.line(f"{n['n_unasked']:,} want one more opinion of somebody new: --for NAME")
    if n["n_asked"] or n["n_with_senior"]:
        report.line(
            f"for a senior: {n['n_asked']:,} {would}asked now, {n['n_with_senior']:,} asked before; "
            f"{n['n_ambiguous']:,} ambiguous"
        )
    for row in packets:
        report.line(f"wrote {row['path']}: {row['n_images']} images for {row['annotator']}")
    if packets:
        report.line(f"answers: lineage review import EXPORT --batch {batch}; then this again")
    for path in found.files:
        report.line(f"wrote {path}")
    if found.files:
        report.line(f"then: lineage review adjudicate --batch {batch} --decisions FILE --by NAME")


def _folder(project: Project, out: Path) -> Path:
    return out if out.is_absolute() else project.root / out


def _list(value: object) -> list[Row]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _named(row: Row, names: Mapping[str, str]) -> Row:
    person = str(row["annotator"])
    return {**row, "annotator": names.get(person, person)}


def _waiting(row: Row, names: Mapping[str, str]) -> Row:
    return {**row, "who": [names.get(str(who), str(who)) for who in _list(row["who"])]}


def _tell_waits(batch: str, waits: Sequence[Row]) -> None:
    for row in waits:
        who = ", ".join(map(str, _list(row["who"]))) or "nobody yet"
        told = _WAITS[str(row["what"])].format(who=who, batch=batch)
        report.line(f"{batch} waits: {row['n']:,} {told}")


def _tell_error(error: Mapping[str, object]) -> None:
    overall = error["overall"]
    if not isinstance(overall, Mapping) or overall["mean"] is None:
        report.line("nothing is judged yet")
        return
    how = (
        "the reviewers' own errors taken out"
        if error["is_corrected"]
        else "uncorrected for what reviewers miss"
    )
    report.line(
        f"error {100 * overall['mean']:.2f} % ({100 * overall['lo']:.2f} to {100 * overall['hi']:.2f}), "
        f"from {overall['n']:,} labels, {how}"
    )


def _error(row: Row) -> tuple[object, object, object]:
    error = row["error"]
    if not isinstance(error, Mapping):
        return None, None, None
    overall = error["overall"]
    found = [
        None if overall[key] is None else f"{100 * overall[key]:.2f} %"
        for key in ("mean", "lo", "hi")
    ]
    return found[0], found[1], found[2]
