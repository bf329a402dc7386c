"""How definitions are read: in which ways, by which camps, and with which habits of drawing."""

from __future__ import annotations

from collections.abc import Mapping

from lineage.pages.definitions import MEANS
from lineage.pages.section import FOLDER, Section
from lineage.pages.tables import Column, Look, Table, html_of
from lineage.pages.text import FEW, joined, paragraph
from lineage.pages.values import Quality, Row, count, number, rows_of

_CLASS = Column("class", "class", "of the label schema")
_TAG = Column("tag", "attribute", "labels with this attribute value; - for the class as a whole")
_SIDES = ("left", "top", "right", "bottom")


def definitions(values: Quality) -> Section:
    """Return which definitions are read in several ways, and which boxes are drawn in several."""
    title = "How definitions are read"
    splits, conventions = values.rows("splits"), values.rows("conventions")
    if not splits and not conventions:
        words = "No definition has disputed objects enough to tell how it is read."
        return Section("definitions", title, paragraph(words, "note"))
    command = f"lineage agreement{values.options}"
    parts, tables = [], []
    if splits:
        tables.append(_splits(values, command))
        parts.append(html_of(tables[-1], FOLDER))
    camps = [camp for row in splits for camp in _camps_of(row, values)]
    if camps:
        columns = (
            _CLASS,
            _TAG,
            Column("camp", "camp", "number of the camp"),
            Column("annotators", "who", "annotators who treat the objects alike"),
            Column("n", "comparisons", "n: of their labels with those of others", Look.COUNT),
            Column("ways", "how", "share of the objects that they treat so"),
        )
        table = Table("camps", "The camps: who treats such objects how", columns, camps, command)
        tables.append(table)
        parts.append(html_of(table, FOLDER))
    if conventions:
        tables.append(_conventions(values, command))
        parts.append(html_of(tables[-1], FOLDER))
    return Section("definitions", title, joined(parts), tables)


def _splits(values: Quality, command: str) -> Table:
    rows = [{**row, "n_camps": len(rows_of(row, "camps")) or None} for row in values.rows("splits")]
    columns = (
        _CLASS,
        _TAG,
        Column("n_units", "objects", "n: objects of the definition", Look.COUNT),
        Column("n", "disputed", "of them, read in more than one way", Look.COUNT),
        Column(
            "a_fresh",
            "fresh agree",
            MEANS["fresh agree"],
            Look.FIGURE,
            "a_fresh_lo",
            "a_fresh_hi",
            FEW,
        ),
        Column("s", "habit", MEANS["habit"], Look.FIGURE),
        Column("p", "p", MEANS["p"], Look.CHANCE),
        Column("verdict", "verdict", "see the disputes below; - without evidence"),
        Column("n_camps", "camps", "groups of annotators who treat such objects alike", Look.COUNT),
        Column("advice", "what to do", "next step"),
        Column("examples", "annotations", "to look at: lineage show N", Look.LIST),
    )
    caption = "Definitions, the most disputed first"
    return Table("definitions_read", caption, columns, rows, command)


def _camps_of(row: Row, values: Quality) -> list[Row]:
    found: list[Row] = []
    for at, camp in enumerate(rows_of(row, "camps")):
        ways = camp.get("ways")
        told = ways.items() if isinstance(ways, Mapping) else ()
        found.append(
            {
                "class": row["class"],
                "tag": row["tag"],
                "camp": at + 1,
                "annotators": _people(camp, values),
                "n": count(camp, "n"),
                "ways": ", ".join(f"{way} {share:.0%}" for way, share in told),
            }
        )
    return found


def _conventions(values: Quality, command: str) -> Table:
    rows = [
        {**row, "who": "; ".join(_drawn(camp, values) for camp in rows_of(row, "camps")) or None}
        for row in values.rows("conventions")
    ]
    columns = (
        _CLASS,
        Column("n_units", "objects", "n: objects that several drew", Look.COUNT),
        Column(
            "share", "of habit", "share of the scatter of sides that is by annotator", Look.FIGURE
        ),
        Column("f", "F", "between annotators over within", Look.FIGURE),
        Column("p", "p", MEANS["p"], Look.CHANCE),
        Column("is_convention", "convention", "annotators draw the class by rules of their own"),
        Column("who", "who draws how", "sides, in % of the object's size, to the right or down"),
    )
    return Table("conventions", "Habits of drawing", columns, rows, command)


def _drawn(camp: Row, values: Quality) -> str:
    sides = ", ".join(f"{side} {100 * (number(camp, side) or 0.0):+.1f}" for side in _SIDES)
    return f"{', '.join(_people(camp, values))}: {sides}"


def _people(camp: Row, values: Quality) -> list[str]:
    people = camp.get("annotators")
    return [values.name(person) for person in (people if isinstance(people, (list, tuple)) else ())]
