"""Whether the evaluation set itself moved: before labels are blamed, the yardstick is looked at."""

from __future__ import annotations

from lineage.pages.drawing import drawn
from lineage.pages.effects import effects
from lineage.pages.section import FOLDER, Section
from lineage.pages.suspect_values import Suspicion
from lineage.pages.tables import Column, Look, Table, html_of
from lineage.pages.text import command_line, figure, joined, paragraph, span
from lineage.pages.values import Row, number, rows_of

MOST_BARS = 20
_ALL = "all classes"


def evaluation(values: Suspicion) -> Section:
    """Return whether the same predictions score otherwise against the newer ground truth."""
    title = "Did the evaluation set move?"
    told = values.eval_moved
    if told is None:
        words = (
            "Not asked. Where the evaluation set was labelled anew as well, a figure may fall because the "
            "truth moved, and no training label is to blame. To ask:"
        )
        options = "--predictions-bad FILE --eval-old V --eval-new V"
        asks = f"{paragraph(words, 'note')}\n{command_line(f'{values.command} {options}')}"
        return Section("evaluation", title, asks)
    rows = [{**row, "class": row["class"] or _ALL} for row in rows_of(told, "classes")]
    total: Row = next((row for row in rows if row["class"] == _ALL), {})
    lo, hi = number(total, "f1_low"), number(total, "f1_high")
    figures = (
        f"The bad run's predictions on {told.get('n_images')} images score F1 "
        f"{figure(number(total, 'f1_new'), '-')} against {told.get('new')} and "
        f"{figure(number(total, 'f1_old'), '-')} against {told.get('old')}"
        + (f", a difference between {figure(lo)} and {figure(hi)}." if span(lo, hi) else ".")
    )
    if not told.get("has_moved"):
        answer = "No: the model scores alike against both, so what fell is not the yardstick."
    elif (number(total, "f1_difference") or 0.0) < 0:
        answer = (
            "Yes: the ground truth moved. Part of the fall is no fault of the model; compare both runs "
            "against one truth before blaming labels."
        )
    else:
        answer = (
            "Yes: the ground truth moved, in the model's favour. The fall is greater than it looks; compare "
            "both runs against one truth."
        )
    kind = "answer" if told.get("has_moved") else "answer none"
    # of classes of whole images there is no average precision
    columns = [one for one in _COLUMNS if any(row.get(one.key) is not None for row in rows)]
    caption = "The same predictions against both truths"
    table = Table("evaluation", caption, columns, rows, values.command)
    parts = [paragraph(answer, kind), paragraph(figures), _bars(rows), html_of(table, FOLDER)]
    return Section("evaluation", title, joined(parts), (table,))


def _bars(rows: list[dict[str, object]]) -> str:
    found = []
    for row in rows:
        value, lo, hi = (number(row, f"f1_{key}") for key in ("difference", "low", "high"))
        if value is None:
            continue
        is_off = lo is not None and hi is not None and (lo > 0 or hi < 0)
        told = f"{row['class']}: {value:+.3f}, {span(lo, hi)}"
        kind = "evidence" if is_off else "none"
        found.append({"label": row["class"], "value": value, "lo": lo, "hi": hi, "kind": kind, "told": told})  # fmt: skip
    if not found:
        return ""
    found.sort(key=lambda row: (row["label"] != _ALL, -abs(float(str(row["value"])))))
    spec = effects(found[:MOST_BARS], title="F1 against the newer truth, less against the older")
    svg = drawn(spec, "moved", "difference of F1 by class with its interval")
    return f'<figure class="chart">{svg}</figure>'


_COLUMNS = (
    Column("class", "class", "of the labels"),
    Column("n_old", "labels, old", "n: labels of the older truth", Look.COUNT),
    Column("n_new", "labels, new", "n: labels of the newer truth", Look.COUNT),
    Column("ap50_old", "AP50, old", "average precision at IoU 0.5 against the older truth", Look.FIGURE),
    Column("ap50_new", "AP50, new", "the same against the newer truth", Look.FIGURE),
    Column("recall_old", "recall, old", "share of labels that were found", Look.FIGURE),
    Column("recall_new", "recall, new", "the same against the newer truth", Look.FIGURE),
    Column("f1_old", "F1, old", "against the older truth", Look.FIGURE),
    Column("f1_new", "F1, new", "against the newer truth", Look.FIGURE),
    Column("f1_difference", "F1, difference", "new less old; images resampled in pairs, 95 %", Look.FIGURE, "f1_low", "f1_high"),
)  # fmt: skip
