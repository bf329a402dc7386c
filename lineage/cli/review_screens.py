"""What ``lineage review`` shows to eyes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lineage.cli import report

if TYPE_CHECKING:
    from lineage.activities.review_draw import ReviewDraw
    from lineage.activities.review_import import ReviewImport
    from lineage.activities.review_status import ReviewStatus

Row = Mapping[str, object]


def named(rows: Sequence[Row], names: Mapping[str, str]) -> list[dict[str, object]]:
    """Return rows in which people have the names to show."""
    return [
        {
            key: names.get(value, value)
            if key in ("annotator", "who") and isinstance(value, str)
            else value
            for key, value in row.items()
        }
        for row in rows
    ]


def explain(found: ReviewDraw, closely: Sequence[Row]) -> None:
    """Tell what a plan costs and can show."""
    report.line(
        f"{found.batch}: {found.n_labels:,} labels on {found.n_images:,} images; at {_percent(found.fraction)} "
        f"and its floors about {found.n_images_planned:,.0f} images with {found.n_labels_planned:,.0f} labels "
        f"are checked, {found.n_known:,} labels are drawn already"
    )
    _tell_inspections(closely)
    report.line()
    heads = ("class", "labels", "checked", "+-", "seen from", "told from")
    report.table(
        heads,
        [
            (
                row["class"], row["n"], f"{row['n_planned']:.0f}", _percent(row["half_width"]),
                _percent(row["seen_fraction"]), _percent(row["detected_fraction"]),
            )
            for row in found.by_class
        ],
    )  # fmt: skip
    report.line()
    report.line(
        "+-: half the interval to expect; seen from: an error rate at which nine draws of ten hold one error;"
    )
    report.line("told from: at which nine of ten say that it is above 1 %. Nothing was written")


def tell_draw(
    found: ReviewDraw, people: Sequence[Row], closely: Sequence[Row], *, is_dry_run: bool
) -> None:
    """Tell what was drawn, and for whom."""
    verb = "would be drawn" if is_dry_run else "drawn"
    report.line(
        f"{found.n_drawn:,} labels on {found.n_images_drawn:,} images {verb} of {found.batch}'s "
        f"{found.n_labels:,} on {found.n_images:,}; {found.n_known:,} were drawn before"
    )
    _tell_inspections(closely)
    if found.n_images_drawn:
        heads = ("annotator", "n_eligible", "n_images", "n_labels")
        report.table(
            ("reviewer", "may have", "images", "labels"),
            [[row[name] for name in heads] for row in people],
        )
    if found.draw is not None:
        report.line(f"packets: lineage review export {found.draw} --to label-studio")
    elif not found.n_images_drawn:
        report.line("a greater --fraction or --floor draws more")


def _tell_inspections(closely: Sequence[Row]) -> None:
    for row in closely:
        report.line(
            f"  {row['annotator']}: {row['rate_factor']:g} times the fraction, by decided lots"
        )


def tell_import(found: ReviewImport, strangers: Sequence[Row]) -> None:
    """Tell what came back, and what was made of it."""
    from lineage.cli import labels

    labels.tell_import(found.labels, is_dry_run=False)
    disputes = ", ".join(f"{kind} {n:,}" for kind, n in found.by_kind.items()) or "none"
    report.line(
        f"judged in {found.batch}: {found.n_judged:,} labels, {found.n_agree:,} agreed; disputes: {disputes}; "
        f"{found.n_contested:,} contested now"
    )
    for n, told in (
        (found.n_empty, "images rightly empty"),
        (found.n_late, "verdicts came after the label was settled: kept, nothing changes"),
        (
            found.n_superseded,
            "verdicts on labels corrected since: kept, the correction is not judged",
        ),
        (
            found.n_changed,
            "of the reviewers' labels were changed after the verdict: the first stands",
        ),
        (found.n_comments, "remarks kept"),
        (found.n_comments_unplaced, "remarks of the table stand beside no verdict"),
        (
            found.n_held,
            "images are not judged, for labels on them were rejected: mend them in the tool, export to the "
            "same file, import again",
        ),
        (found.n_pending, "drawn labels and empty images wait for an answer"),
    ):
        if n:
            report.line(f"  {n:,} {told}")
    if strangers:
        report.line("answers that nobody asked for: recorded, no verdicts")
        report.table(
            ("who", "images", ""),
            [
                (row["annotator"], row["n_images"],
                 "for images of other reviewers" if row["is_asked"] else "was not asked to review")
                for row in strangers
            ],
        )  # fmt: skip
    report.line(f"next: lineage review status --batch {found.batch}")


def tell_status(found: ReviewStatus, names: Mapping[str, str]) -> None:
    """Tell where a batch's review stands."""
    report.line(f"{found.batch}: {_state(found)}; {_decision(found)}")
    report.line()
    report.table(tuple(found.funnel), [tuple(found.funnel.values())])
    report.line()
    _tell_waits(found, names)
    report.line(
        f"drawn {found.n_drawn:,} labels on {found.n_images_drawn:,} images, judged {found.n_done:,} on "
        f"{found.n_images_done:,}; error {_span(found.error)}"
    )
    first, every = found.first_pass, found.rejection
    report.line(
        f"first-pass approval {_percent(first['fraction'])} of {first['n']:,}; "
        f"rejection {_percent(every['fraction'])} of {every['n']:,} verdicts"
    )
    if found.missed["n"]:
        report.line(
            f"missed by all who labelled: {found.missed['n']:,} objects seen, "
            f"{found.missed['total']:,.0f} ({found.missed['lo']:,.0f} to {found.missed['hi']:,.0f}) in the batch"
        )
    if found.again["n"]:
        report.line(
            f"approvals judged again: {found.again['n']:,}, overturned {found.again['n_overturned']:,}"
        )
    if found.n_not_blind:
        report.line(f"{found.n_not_blind:,} verdicts were not blind and are in no estimate")
    if found.by_kind:
        told = ", ".join(f"{kind} {n:,}" for kind, n in found.by_kind.items())
        report.line(f"disputes: {told}")
    for title, rows, key in (
        ("by class", found.by_class, "class"),
        ("by annotator", named(found.by_annotator, names), "annotator"),
    ):
        if rows:
            report.line()
            report.line(f"{title}: share that reviewers dispute, with its 95 % interval")
            report.table(
                (key, "judged", "error", "from", "to"),
                [(row[key], row["n"], *_figures(row)) for row in rows],
            )
    if found.reviewers:
        report.line()
        report.line("by reviewer")
        heads = (
            "annotator",
            "n_images",
            "n_images_done",
            "n_labels",
            "n_agree",
            "n_disputed",
            "n_missed",
        )
        report.table(
            ("reviewer", "images", "done", "judged", "agreed", "disputed", "missed"),
            [[row[name] for name in heads] for row in named(found.reviewers, names)],
        )


def _tell_waits(found: ReviewStatus, names: Mapping[str, str]) -> None:
    for row in named(found.waits_for, names):
        who = f", by {row['who']}" if row["who"] else ""
        report.line(f"waits for {row['what']}: {row['n']:,}{who}")


def tell_overview(found: Sequence[ReviewStatus], names: Mapping[str, str]) -> None:
    """Tell where every review stands, and what it waits for."""
    report.table(
        ("batch", "state", "drawn", "judged", "contested", "final", "error", "decision"),
        [
            (one.batch, _state(one), one.n_drawn, one.n_done, one.n_contested, one.n_final,
             _span(one.error), _decision(one))
            for one in found
        ],
    )  # fmt: skip
    for one in found:
        if one.waits_for:
            report.line()
            report.line(one.batch)
            _tell_waits(one, names)


def _decision(found: ReviewStatus) -> str:
    if found.decision is None:
        return "no lot decided yet"
    return (
        f"{found.decision['n_accepted']:,} lots accepted, {found.decision['n_rejected']:,} rejected"
    )


def _state(found: ReviewStatus) -> str:
    return (found.state or "no labels").replace("_", " ")


def _span(row: Row) -> str:
    if row["mean"] is None:
        return "not known yet"
    small = f", n = {row['n']:,} too small" if row["is_small"] else ""
    return f"{_percent(row['mean'])} ({_percent(row['lo'])} to {_percent(row['hi'])}{small})"


def _figures(row: Row) -> tuple[str, str, str]:
    if row["is_small"]:
        return ("n too small", _percent(row["lo"]), _percent(row["hi"]))
    return (_percent(row["mean"]), _percent(row["lo"]), _percent(row["hi"]))


def _percent(value: object) -> str:
    return f"{100 * value:.1f} %" if isinstance(value, (int, float)) else "-"
