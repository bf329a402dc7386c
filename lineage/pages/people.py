"""Annotators: what each did, and how far others, the gold and they themselves bear it out."""

from __future__ import annotations

from lineage.pages.definitions import CELL_NUMBERS, F1, MEANS, NUMBERS
from lineage.pages.section import FOLDER, Section
from lineage.pages.tables import Column, Look, Table, html_of, named
from lineage.pages.text import FEW, escaped, figure, joined, paragraph, span
from lineage.pages.values import Quality, Row, count, number, rows_of

MOST_CARDS = 40


def annotators(values: Quality) -> Section:
    """Return a card for each annotator, and the tables behind them."""
    title = "Annotators"
    if not values.volumes:
        return Section("annotators", title, paragraph("Nobody has labelled anything yet.", "note"))
    agreed = {str(row["annotator"]): row for row in values.rows("by_annotator")}
    own = {str(row["annotator"]): row for row in values.rows("by_self")}
    gold = {str(row["annotator"]): row for row in rows_of(values.gold, "annotators")}
    by_class: dict[str, list[Row]] = {}
    for row in values.by_annotator_class:
        by_class.setdefault(str(row["annotator"]), []).append(row)
    known = [str(row["annotator"]) for row in values.volumes]
    order = [*agreed, *(person for person in known if person not in agreed)]
    volume = {str(row["annotator"]): count(row, "n_labels") for row in values.volumes}
    cards = []
    for person in order[:MOST_CARDS]:
        lines = [
            _line("labels", f"{volume.get(person, 0):,}", "live labels that they made last"),
            _line("F1 with others", _f1(agreed.get(person)), MEANS["F1"]),
            _line("F1 with themselves", _f1(own.get(person), "no image came back"), MEANS["F1"]),
            _line("gold errors", _gold(gold.get(person)), MEANS["gold errors"]),
        ]
        told = "".join(
            _line(str(row["class"]), _f1(row, n="n_mentions"), MEANS["F1"])
            for row in by_class.get(person, ())
        )
        more = f'<dl class="more">{told}</dl>' if told else ""
        cards.append(
            f'<div class="person"><h4>{escaped(values.name(person))}</h4>'
            f"<dl>{''.join(lines)}</dl>{more}</div>"
        )
    left = len(order) - MOST_CARDS
    notes = []
    if left > 0:
        notes.append(paragraph(f"The {MOST_CARDS} who agree least; {left} more in the lists."))
    if values.gold is None:
        notes.append(
            paragraph("No gold scores: lineage gold add, then lineage gold score.", "note")
        )
    tables = _tables(values)
    body = joined(
        [
            *notes,
            f'<div class="people">{joined(cards)}</div>',
            *(html_of(t, FOLDER) for t in tables),
        ]
    )
    return Section("annotators", title, body, tables)


def _tables(values: Quality) -> list[Table]:
    command = f"lineage agreement{values.options} --annotator ANNOTATOR"
    who = Column("annotator", "annotator", "by pseudonym, unless the page was made with --names")
    rows = {str(row["annotator"]): row for row in values.rows("by_annotator")}
    bare = {"n_images": 0, "n_pairs": 0, "n_missing": 0}
    volumes = [{**bare, **rows.get(str(row["annotator"]), {}), **row} for row in values.volumes]
    labels = Column("n_labels", "labels", "n: live labels that they made last", Look.COUNT)
    found = [
        Table("by_annotator", "By annotator", (who, labels, *NUMBERS), volumes, command),
        Table("by_self", "With themselves, where an image came back", (who, *NUMBERS), values.rows("by_self"), command),
        Table(
            "by_annotator_class",
            "By annotator and class",
            (who, Column("class", "class", "of the label schema"), *CELL_NUMBERS),
            values.by_annotator_class,
            command,
        ),
    ]  # fmt: skip
    if values.gold is not None:
        columns = (
            who,
            Column("n", "judgements", "n: against gold", Look.COUNT),
            Column("n_wrong", "wrong", "of them", Look.COUNT),
            Column("error_mean", "errors", MEANS["gold errors"], Look.FIGURE, "error_lo", "error_hi", FEW),
            Column("decision", "decision", "of the sequential test: docs/json.md, gold score"),
        )  # fmt: skip
        rows_ = rows_of(values.gold, "annotators")
        found.append(Table("gold", "Against gold", columns, rows_, "lineage gold score"))
    return [
        Table(t.name, t.caption, t.columns, named(t.rows, values.names), t.command)
        for t in found
        if t.rows
    ]


def _line(head: str, told: str, means: str) -> str:
    return f'<dt title="{escaped(means)}">{escaped(head)}</dt><dd>{told}</dd>'


def _f1(row: Row | None, none: str = FEW, n: str = "n_pairs") -> str:
    if row is None:
        return f'<span class="few">{escaped(none)}</span>'
    value = number(row, F1.key)
    if value is None:
        return f'<span class="few">{FEW}</span> <small>n {count(row, n):,}</small>'
    interval = span(number(row, F1.lo), number(row, F1.hi))
    return _with_n(value, interval, count(row, n))


def _gold(row: Row | None) -> str:
    if row is None:
        return '<span class="few">no gold judged</span>'
    value, lo, hi = (number(row, key) for key in ("error_mean", "error_lo", "error_hi"))
    return _with_n(value, span(lo, hi), count(row, "n"))


def _with_n(value: float | None, interval: str, n: int) -> str:
    beside = f"{interval}, n {n:,}" if interval else f"n {n:,}"
    return f"{figure(value)} <small>{beside}</small>"
