"""Agreement: by class, by pair of annotators, and week by week."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from lineage.pages import charts, definitions
from lineage.pages.definitions import CELL_NUMBERS, CLASS_NUMBERS, MEANS, NUMBERS
from lineage.pages.drawing import drawn
from lineage.pages.overview import alarm_words
from lineage.pages.section import FOLDER, Section
from lineage.pages.tables import Column, Look, Table, html_of, named
from lineage.pages.text import escaped, joined, paragraph
from lineage.pages.values import Quality, Row, number, rows_of

MOST_PEOPLE = 30
MOST_PAIRS = 40
MOST_CLASSES = 24
MOST_DOTS = 60
_TO_COMPARE = (
    "nothing to compare: no image was answered by two people independently. Order overlap: policy "
    "overlap_fraction of a batch, docs/settings.md"
)


def classes(values: Quality) -> Section:
    """Return agreement by class."""
    rows = values.rows("by_class")
    if not rows:
        return Section("classes", "Agreement by class", paragraph(_TO_COMPARE, "note"))
    columns = (Column("class", "class", "of the label schema"), *CLASS_NUMBERS)
    command = f"lineage agreement{values.options}"
    table = Table("by_class", "Agreement by class", columns, rows, f"{command} --class CLASS")
    shown, described = _dots(rows[:MOST_DOTS], "class"), "F1 of each class with its interval"
    chart = "".join(
        _figure(f"by-class-{kind}", charts.dots(shown, width=width), described, kind)
        for kind, width in (("wide", 420), ("narrow", 190))
    )
    note = f"F1 = {MEANS['F1']}. Interval {MEANS['interval']}; IoU from {values.iou_threshold:g}."
    if len(rows) > MOST_DOTS:
        note += f" The {MOST_DOTS} classes with most objects are drawn; the list has all."
    tables = [table]
    tags = values.rows("by_tag")
    if tags:
        of_tag = (Column("tag", "attribute", "value of an attribute, on either label"), *NUMBERS)
        tables.append(
            Table("by_tag", "By attribute, the least agreed first", of_tag, tags, command)
        )
    body = joined([paragraph(note), chart, *(html_of(each, FOLDER) for each in tables)])
    return Section("classes", "Agreement by class", body, tables)


def pairs(values: Quality) -> Section:
    """Return agreement by pair of annotators, and by pair and class."""
    title = "Annotators side by side"
    rows = values.rows("by_pair")
    if not rows:
        return Section("pairs", title, paragraph(_TO_COMPARE, "note"))
    command = f"lineage agreement{values.options} --annotator ANNOTATOR"
    who = (Column("a", "annotator", "one"), Column("b", "other", "the other"))
    of_pair = Table(
        "by_pair",
        "By pair, who agree least first",
        (*who, *NUMBERS),
        named(rows, values.names),
        command,
    )
    cells = (*who, Column("class", "class", "of the label schema"), *CELL_NUMBERS)
    place = {(row["a"], row["b"]): at for at, row in enumerate(rows)}
    by_pair = sorted(
        values.by_pair_class, key=lambda row: place.get((row["a"], row["b"]), len(place))
    )
    of_cell = Table(
        "by_pair_class",
        "By pair and class",
        cells,
        named(by_pair, values.names),
        command,
    )
    shown = _pair_heat(values, rows)
    by_class = _class_heat(values, rows)
    body = joined([*shown, html_of(of_pair, FOLDER), *by_class, html_of(of_cell, FOLDER)])
    return Section("pairs", title, body, (of_pair, of_cell))


def _pair_heat(values: Quality, rows: Sequence[Row]) -> list[str]:
    # by_annotator stands with who agrees least first: of many, those are shown
    people = [str(row["annotator"]) for row in values.rows("by_annotator")]
    people += sorted({str(row[key]) for row in rows for key in ("a", "b")} - set(people))
    shown = sorted(people[:MOST_PEOPLE], key=values.name)
    is_shown = set(shown)
    cells = []
    for row in rows:
        a, b = str(row["a"]), str(row["b"])
        if {a, b} <= is_shown:
            told = definitions.told(row, f"{values.name(a)} and {values.name(b)}")
            cells += [_cell(values.name(x), values.name(y), row, told) for x, y in ((a, b), (b, a))]
    for row in values.rows("by_self"):
        if row["annotator"] in is_shown:
            name = values.name(row["annotator"])
            told = definitions.told(row, f"{name} with themselves")
            cells.append(_cell(name, name, row, told))
    order = [values.name(person) for person in shown]
    note = "F1 of every two annotators; on the diagonal with themselves, where an image came back. "
    note += "Hover for n and the interval; few: n too small."
    if len(people) > len(shown):
        note += f" The {len(shown)} of {len(people)} who agree least; the list has all."
    chart = charts.heat(cells, order, order, turn=True)
    return [paragraph(note), _figure("pair-matrix", chart, "F1 of every two annotators")]


def _class_heat(values: Quality, rows: Sequence[Row]) -> list[str]:
    if not values.by_pair_class:
        return []
    named_ = [str(row["class"]) for row in values.rows("by_class")][:MOST_CLASSES]
    chosen = [(str(row["a"]), str(row["b"])) for row in rows][:MOST_PAIRS]
    cells, order = [], [f"{values.name(a)} · {values.name(b)}" for a, b in chosen]
    for row in values.by_pair_class:
        pair = (str(row["a"]), str(row["b"]))
        if row["class"] in named_ and pair in chosen:
            line = f"{values.name(pair[0])} · {values.name(pair[1])}"
            told = definitions.told(row, f"{line}, {row['class']}", "n_mentions")
            cells.append(_cell(str(row["class"]), line, row, told))
    note = "F1 of every two annotators on each class, who agree least first."
    if len(rows) > len(chosen) or len(values.rows("by_class")) > len(named_):
        note += f" {len(chosen)} of {len(rows)} pairs, {len(named_)} classes; the list has all."
    chart = charts.heat(cells, named_, order, turn=False)
    return [paragraph(note), _figure("pair-class", chart, "F1 by pair and class")]


def weeks(values: Quality) -> Section:
    """Return agreement over time: all, and class by class, with what began and what was alarmed."""
    title = "Week by week"
    rows = values.rows("by_week")
    if not rows:
        return Section("weeks", title, paragraph(_TO_COMPARE, "note"))
    order = weeks_between(str(rows[0]["week"]), str(rows[-1]["week"]))
    schemas = [row for row in values.begins if row["what"] == "schema"]
    marks = [_mark(row) for row in schemas if row["week"] in order]
    batches = [
        _mark(row) for row in values.begins if row["what"] == "batch" and row["week"] in order
    ]
    alarms = [
        {"week": row["week"], "told": alarm_words(row, values)}
        for row in rows_of(values.drift, "alarms")
        if row["week"] in order
    ]
    points = [_point(row, f"week {row['week']}") for row in rows]
    wide, narrow = (
        charts.weeks(
            points,
            order,
            marks=_stacked(marks),
            ticks=_stacked(batches),
            alarms=alarms,
            width=width,
        )
        for width in (640, 270)
    )
    described = "F1 of each week with its interval"
    command = f"lineage agreement{values.options} --since TIME --until TIME"
    columns = (Column("week", "week", "ISO 8601, in which both had spoken"), *NUMBERS)
    tables = [Table("by_week", "By week", columns, rows, command)]
    of_class = (Column("week", "week", "ISO 8601"), Column("class", "class", "of the label schema"))
    of_class_all = (*of_class, *CELL_NUMBERS)
    tables.append(
        Table("by_week_class", "By week and class", of_class_all, values.by_week_class, command)
    )
    began = (
        Column("week", "week", "first in which it has labels that are compared"),
        Column("what", "what", "batch or schema version"),
        Column("name", "which", "its name"),
    )
    tables.append(Table("begins", "What began when", began, values.begins, "lineage log"))
    note = (
        "F1 with its interval; dashed: a schema version's first labels; stroke on the axis: a batch's; "
        "red: an alarm is raised."
    )
    body = joined(
        [
            paragraph(note),
            _figure("weeks-wide", wide, described, "wide"),
            _figure("weeks-narrow", narrow, described, "narrow"),
            *_by_class(values, order, marks),
            *_alarms(values, tables),
            *(html_of(table, FOLDER) for table in tables),
        ]
    )
    return Section("weeks", title, body, tables)


def weeks_between(first: str, last: str) -> list[str]:
    """Return every week from one to another, those without labels too.

    Examples
    --------
    >>> weeks_between("2026-W52", "2027-W01")
    ['2026-W52', '2026-W53', '2027-W01']
    """
    monday, end = (datetime.strptime(f"{week}-1", "%G-W%V-%u") for week in (first, last))
    found = []
    while monday <= end:
        year, week, _ = monday.isocalendar()
        found.append(f"{year}-W{week:02d}")
        monday += timedelta(days=7)
    return found


def _alarms(values: Quality, tables: list[Table]) -> list[str]:
    """Return what there is to say of alarms, and put their list, if there is one, first."""
    if values.drift is None:
        return [paragraph("No charts of drift: lineage drift makes them.", "note")]
    rows = [
        {**row, "told": alarm_words(row, values)}
        for row in named(rows_of(values.drift, "alarms"), values.names)
    ]
    if not rows:
        return [paragraph("No alarm.", "note")]
    columns = (
        Column("week", "raised", "week in which the chart first passed its threshold"),
        Column("change_week", "since", "week in which the change most likely began"),
        Column("family", "family", "what is charted against what: docs/json.md, drift"),
        Column("told", "what", "in words"),
        Column("is_standing", "stands", "in the newest week too"),
        Column("n_units", "n", "seen since the change", Look.COUNT),
        Column("statistic", "CUSUM", "of the chart", Look.FIGURE),
        Column("threshold", "threshold", "that it passed", Look.FIGURE),
        Column("evidence", "annotations", "behind it, the newest first: lineage show N", Look.LIST),
    )
    # the page shows what a person reads, the list has the evidence
    tables.insert(0, Table("alarms", "Alarms", columns, rows, f"lineage drift{values.options}"))
    return []


def _by_class(values: Quality, order: Sequence[str], marks: Sequence[Row]) -> list[str]:
    by_class: dict[str, list[Row]] = {}
    for row in values.by_week_class:
        by_class.setdefault(str(row["class"]), []).append(row)
    names = [str(row["class"]) for row in values.rows("by_class") if row["class"] in by_class]
    if not names:
        return []
    shown = names[:MOST_CLASSES]
    points_of = {
        name: [_point(row, f"{name}, {row['week']}", "n_mentions") for row in by_class[name]]
        for name in shown
    }
    # one axis for all, so that they can be compared
    least = charts.least_of([point for points in points_of.values() for point in points])
    pictures = []
    for at, (name, points) in enumerate(points_of.items()):
        bare = [{**mark, "name": ""} for mark in marks]
        alarms = [
            {"week": row["week"], "told": alarm_words(row, values)}
            for row in rows_of(values.drift, "alarms")
            if row.get("class") == name and row["week"] in order
        ]
        spec = charts.weeks(
            points,
            order,
            marks=bare,
            alarms=alarms,
            width=230,
            height=110,
            title=name,
            least=least,
        )
        pictures.append(drawn(spec, f"week-class-{at}", f"F1 by week of {escaped(name)}"))
    more = (
        "" if len(shown) == len(names) else f" The {len(shown)} with most labels of {len(names)}."
    )
    return [f"<h3>By class</h3>{paragraph(more.strip()) if more else ''}", _grid(pictures)]


def _grid(pictures: Sequence[str]) -> str:
    return '<div class="grid">' + "\n".join(f"<div>{svg}</div>" for svg in pictures) + "</div>"


def _mark(row: Row) -> dict[str, object]:
    return {**row, "told": f"{row['what']} {row['name']} begins, {row['week']}"}


def _stacked(marks: Sequence[Row]) -> list[Row]:
    """Join what begins in one week, for names over one another cannot be read."""
    by_week: dict[object, list[Row]] = {}
    for mark in marks:
        by_week.setdefault(mark["week"], []).append(mark)
    return [
        {
            "week": week,
            "name": ", ".join(str(row["name"]) for row in rows),
            "told": "; ".join(str(row["told"]) for row in rows),
        }
        for week, rows in by_week.items()
    ]


def _point(row: Row, of: str, n: str = "n_pairs") -> dict[str, object]:
    found = {"week": row["week"], "value": row["f1"], "lo": row["f1_lo"], "hi": row["f1_hi"]}
    return {**found, "told": definitions.told(row, of, n)}


def _dots(rows: Sequence[Row], key: str) -> list[Row]:
    return [
        {
            "label": row[key],
            "value": number(row, "f1"),
            "lo": number(row, "f1_lo"),
            "hi": number(row, "f1_hi"),
            "told": definitions.told(row, str(row[key])),
        }
        for row in rows
    ]


def _cell(x: str, y: str, row: Row, told: str) -> dict[str, object]:
    return {"x": x, "y": y, "value": number(row, "f1"), "told": told}


def _figure(name: str, spec: charts.Spec, described: str, kind: str = "") -> str:
    return f'<figure class="chart {kind}">{drawn(spec, name, described)}</figure>'
