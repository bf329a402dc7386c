"""Tables of the page of suspects, and what their numbers mean."""

from __future__ import annotations

from lineage.pages.suspect_values import Relabelled, Slice, Suspicion
from lineage.pages.suspect_words import PEOPLE, slice_words
from lineage.pages.tables import Column, Look, Table, named

MEANS = {
    "unit": "a label, or an image and class, of which it is known what the models made of it",
    "changed": "its label differs between the two versions in class, place or attributes, came, or went",
    "gain": "how much better a fault of the slice explains the outcomes than none does (a logarithm), less the price of having looked at so many slices",
    "effect": "mean rise of the error on the slice's changed units, beyond what units of the same classes show",
    "at least": "lower bound of the effect that holds with 95 %",
    "share": "the effect times the changed units, of the whole loss",
    "evidence": "the gain passes a threshold that is calibrated on these units, so that clean differences pass it in at most 5 % of cases",
    "cannot be told apart": "slices that hold nearly the same changed units (Jaccard index of at least 0.8): the outcomes cannot say which of them it is",
    "step": "1: found at first; later ones when the units of those before are taken out",
    "blind re-check": "labels of the slice and matched controls, judged by somebody who does not know which is which; p: the chance of so many wrong ones were the slice like the controls",
}
_CHANGES = {
    "n_added": "added",
    "n_retracted": "gone",
    "n_reclassed": "other class",
    "n_moved": "moved",
    "n_attributes": "attributes",
}
_CUTS = ("annotator", "batch", "class", "schema")


def suspect_table(values: Suspicion) -> Table:
    """Return the suspects, likeliest first."""
    rows = [
        {
            "rank": one.rank,
            "slice": _clauses(one.slice, values),
            "is_evidence": one.is_evidence,
            "n_changed": one.n_changed,
            "effect": one.effect,
            "effect_lo": one.effect_lo,
            "gain": one.gain,
            "share": one.share,
            "step": one.step,
            "aliases": [slice_words(alias, values.names) for alias in one.aliases] or None,
            "n_check": one.n_check,
            "n_controls": one.n_controls,
        }
        for one in values.suspects
    ]
    columns = (
        Column("rank", "rank", "likeliest first", Look.COUNT),
        Column("slice", "slice", "values that its labels share"),
        Column("is_evidence", "evidence", MEANS["evidence"]),
        Column("n_changed", "changed", "n: changed units of the slice", Look.COUNT),
        Column("effect", "effect", MEANS["effect"], Look.FIGURE),
        Column("effect_lo", "at least", MEANS["at least"], Look.FIGURE),
        Column("gain", "gain", MEANS["gain"], Look.FIGURE),
        Column("share", "share", MEANS["share"], Look.FIGURE),
        Column("step", "step", MEANS["step"], Look.COUNT),
        Column("n_check", "to re-check", "labels to look at again", Look.COUNT),
        Column("n_controls", "controls", "matched labels beside them", Look.COUNT),
        Column("aliases", "cannot be told apart from", MEANS["cannot be told apart"]),
    )
    return Table("suspects", "Suspects, likeliest first", columns, rows, values.command)  # fmt: skip


def _clauses(slice_: Slice, values: Suspicion) -> list[str]:
    return [
        f"{name}={values.name(value) if name in PEOPLE else value}"
        for name, value in slice_.items()
    ]


def flow_table(values: Suspicion) -> Table:
    """Return changed labels by batch and annotator, most first."""
    rows = sorted(
        named(values.flows, values.names),
        key=lambda row: (-int(str(row["n"])), str(row["batch"]), str(row["annotator"])),
    )
    columns = (
        Column("batch", "batch", "in which the label stands"),
        Column("annotator", "annotator", "who made it last, or made what went away"),
        Column("n", "changed", "n: changed labels", Look.COUNT),
    )
    return Table(
        "flows", "Changed labels by batch and annotator", columns, rows, values.diff_command
    )


def label_table(values: Suspicion) -> Table:
    """Return the labels that are shown."""
    rows = [
        {"suspect": one.rank, **_row(each, values)} for one in values.suspects for each in one.shown
    ]
    columns = (
        Column("suspect", "suspect", "rank of the suspect", Look.COUNT),
        Column("annotation", "annotation", "the ledger's number: lineage show N"),
        Column("asset", "image", "name of the image"),
        Column("change", "change", "the weightiest that applies"),
        Column("before", "before", "its class for the good run", none="not labelled"),
        Column("after", "after", "its class for the bad run", none="no longer labelled"),
        Column("before_by", "before by", "who made it then"),
        Column("after_by", "after by", "who made it last"),
    )
    return Table("changed_labels", "The labels shown above", columns, rows, "lineage show N")


def _row(each: Relabelled, values: Suspicion) -> dict[str, object]:
    before, after = each.before, each.after
    return {
        "annotation": each.annotation,
        "asset": each.asset,
        "change": each.change,
        "before": before.class_ if before else None,
        "after": after.class_ if after else None,
        "before_by": values.name(before.annotator) if before else None,
        "after_by": values.name(after.annotator) if after else None,
    }


def change_tables(values: Suspicion) -> tuple[Table, ...]:
    """Return what changed by annotator, batch, class and schema version."""
    counts = tuple(
        Column(key, head, f"n: labels, {head}", Look.COUNT) for key, head in _CHANGES.items()
    )
    return tuple(
        Table(
            f"changes_by_{name}",
            f"Changes by {name}, most first",
            (Column(name, name, f"{name} of the newer side, or of what went away"), *counts),
            named(values.changes[name], values.names),
            values.diff_command,
        )
        for name in _CUTS
        if values.changes.get(name)
    )
