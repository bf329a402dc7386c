"""What `isolate` found, on a screen: a sentence a suspect, then the table, then what to do to be sure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from lineage.cli import report

if TYPE_CHECKING:
    from lineage.activities.isolate_report import IsolateReport

Row = Mapping[str, object]
_ASKED = {
    "new_labels": "asked of the good model: which labels of the bad run's version does it contradict?",
    "linked": "asked of both models: on which units does the bad one err where the good one did not?",
    "gold": "asked of both models on a gold set that does not say whose labels it stands for: weak evidence",
}


def tell(found: IsolateReport, told: Row, names: Mapping[str, str]) -> None:
    """Tell what was found; ``told`` is the document that ``--json`` prints."""
    report.line(
        f"{found.bad} (version {found.bad_version}) against {found.good} (version "
        f"{found.good_version}): {found.n_changed:,} of {found.n_units:,} units changed"
        if not found.is_weak
        else f"{found.bad} (version {found.bad_version}) against {found.good} (version "
        f"{found.good_version}): {found.n_changed:,} labels changed, {found.n_units:,} gold outcomes"
    )
    report.line(_ASKED[found.mode])
    if found.eval_moved is not None:
        report.line()
        _tell_moved(found.eval_moved)
    report.line()
    rows = cast(Sequence[Row], told["suspects"])
    for row in rows:
        if row["is_evidence"]:
            report.line(_sentence(row, found.mode))
    if not found.evidence:
        report.line(_no_evidence(found))
    if rows:
        report.line()
        report.table(
            ("rank", "slice", "changed", "rise", "at least", "explains", "gain", "evidence"),
            [_cells(row, is_weak=found.is_weak) for row in rows],
        )
    if any(not row["is_evidence"] and cast(float, row["gain"]) > found.threshold for row in rows):
        report.line(
            f"gains above {found.threshold:.1f} without evidence: suspicious beside a suspect above alone, and "
            "not when that one is taken out"
        )
    for row in rows:
        aliases = cast(Sequence[Row], row["aliases"])
        if aliases:
            others = "; ".join(words(one) for one in aliases)
            report.line(f"{row['rank']} cannot be told apart from: {others}")
    for note in cast(Sequence[str], told["notes"]):
        report.line(f"note: {note}")


def _tell_moved(moved: Row) -> None:
    rows = cast(Sequence[Row], moved["classes"])
    whole = next(row for row in rows if row["class"] is None)
    span = f"F1 {_figure(whole['f1_old'])} against {moved['old']}, {_figure(whole['f1_new'])} against {moved['new']}"
    interval = f"{_signed(whole['f1_low'])} to {_signed(whole['f1_high'])}"
    if moved["has_moved"]:
        report.line(
            f"the evaluation set itself moved: the same predictions have {span} ({interval})"
        )
        report.line("  part of the difference is the ruler's: compare both runs against one truth")
        moved_most = sorted(
            (row for row in rows if row["class"] is not None and row["f1_difference"] is not None),
            key=lambda row: -abs(cast(float, row["f1_difference"])),
        )
        report.table(
            ("class", "labels then", "labels now", "F1 then", "F1 now", "difference"),
            [
                (
                    row["class"],
                    row["n_old"],
                    row["n_new"],
                    _figure(row["f1_old"]),
                    _figure(row["f1_new"]),
                    f"{_signed(row['f1_low'])} to {_signed(row['f1_high'])}",
                )
                for row in moved_most[:5]
            ],
        )
    else:
        report.line(f"the evaluation set did not move: {span} ({interval})")


def _sentence(row: Row, mode: str) -> str:
    rise, least = _figure(row["effect"]), _figure(row["effect_lo"])
    share = row["share_explained"]
    who = _whose(cast(Mapping[str, str], row["slice"]))
    if mode == "new_labels":
        whole = f", {_percent(share)} of all it contradicts" if isinstance(share, float) else ""
        return f"{who}: the good model contradicts {rise} more of the changed ones than is usual (at least {least}){whole}"
    whole = f", {_percent(share)} of what became worse" if isinstance(share, float) else ""
    return f"{who}: errors on changed ones rose by {rise} (at least {least}){whole}"


def _whose(slice_: Mapping[str, str]) -> str:
    said = {
        "annotator": "of {}",
        "class": "of class {}",
        "batch": "in batch {}",
        "schema": "under {}",
        "stage": "at stage {}",
        "week": "of {}",
        "tool": "that came by {}",
        "reviewer": "reviewed by {}",
        "vendor": "of vendor {}",
    }
    return "labels " + " ".join(said[name].format(value) for name, value in slice_.items())


def _no_evidence(found: IsolateReport) -> str:
    if found.is_weak and not found.suspects:
        return "no evidence, and no hint either"
    if found.is_weak:
        return "no evidence, only hints: a gold set without provenance proves nothing about labels"
    best = max((one.gain for one in found.suspects), default=None)
    told = "" if best is None else f" (best gain {best:.1f}, evidence from {found.threshold:.1f})"
    return (
        f"no evidence against any slice: luck explains the differences between them as well{told}"
    )


def _cells(row: Row, *, is_weak: bool) -> tuple[object, ...]:
    share = row["share_explained"]
    return (
        row["rank"],
        words(cast(Row, row["slice"])),
        row["n_changed"],
        _figure(row["effect"]),
        _figure(row["effect_lo"]),
        _percent(share) if isinstance(share, float) else None,
        f"{row['gain']:5.1f}",
        "weak" if is_weak else row["is_evidence"],
    )


def words(slice_: Row) -> str:
    """Return a slice in words."""
    return ", ".join(f"{name} {value}" for name, value in slice_.items())


def tell_next(told: Row, again: str) -> None:
    """Tell what verdicts prove so far, and what to do; ``again`` is the command that was given."""
    rows = cast(Sequence[Row], told["suspects"])
    for row in rows:
        proof = cast(Row | None, row["recheck"])
        if proof is not None:
            report.line(
                f"{row['rank']} looked at again: {proof['n_wrong']} of {proof['n']} wrong, of labels like "
                f"them elsewhere {proof['n_wrong_controls']} of {proof['n_controls']}: "
                f"p = {proof['p_value']:.2g}, Fisher's exact test"
            )
    wanted = [row for row in rows if row["is_evidence"]] or list(rows[:1])
    if not wanted:
        return
    report.line()
    written = cast(Row | None, told["check_file"])
    if written is None:
        report.line("look at them again, blind, among others:")
        report.line(f"  {again} --check recheck.csv")
    else:
        n, n_images = written["n_labels"], written["n_images"]
        report.line(f"wrote {written['path']}: {n} labels on {n_images} images, shuffled; next:")
        for one in cast(Sequence[Row], written["batches"]):
            again_ = " --again" if one["is_final"] else ""
            report.line(
                f"  lineage review draw --batch {one['batch']} --only {shlex.quote(str(written['path']))}"
                f"{again_} --for NAME"
            )
        report.line("when the answers are in, this command again tells what they prove")
    if not told["evidence"]:
        return
    report.line("train without them, and see:")
    sayable = [str(row["predicate"]) for row in wanted if row["predicate"] is not None]
    if sayable:
        clauses = " ".join(f"--without {shlex.quote(one)}" for one in sayable)
        report.line(f"  lineage recompute {told['bad_version']} {clauses}")
    for row in wanted:
        if row["predicate"] is None:
            report.line(f"  no words of recompute choose {words(cast(Row, row['slice']))}")


def _figure(value: object) -> str | None:
    return f"{value:.2f}" if isinstance(value, float) else None


def _percent(share: float) -> str:
    return f"{100 * share:.{0 if abs(share) >= 0.1 else 1}f} %"


def _signed(value: object) -> str:
    return f"{value:+.3f}" if isinstance(value, float) else "?"
