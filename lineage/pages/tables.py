"""Tables: the same rows as a table on the page and as the CSV beside it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lineage.pages.text import FEW, escaped, figure, span
from lineage.pages.values import Row

MOST_ROWS = 200
"""Rows of a table on the page; the CSV has all."""

_MOST_LISTED = 4
_SHORT = 30
"""Characters that stand on one line."""


class Look(StrEnum):
    """How a column's values are shown."""

    WORD = "word"
    COUNT = "count"
    FIGURE = "figure"
    LIST = "list"
    CHANCE = "chance"


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Parameters
    ----------
    key
        Of the rows.
    head, means
        Its name, and the definition that is shown on hover.
    look
        How its values are shown.
    lo, hi
        Keys of the interval, shown beside the value.
    none
        What stands where there is no value.
    """

    key: str
    head: str
    means: str
    look: Look = Look.WORD
    lo: str = ""
    hi: str = ""
    none: str = "-"

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that it shows."""
        return tuple(key for key in (self.key, self.lo, self.hi) if key)


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Parameters
    ----------
    name
        Of its CSV and its place on the page: letters and ``_``.
    caption
        What it shows.
    columns, rows
        What stands in it.
    command
        The command line that prints it.
    """

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    command: str


def csv_of(table: Table) -> str:
    """Return a table as CSV, every row and every digit."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    keys = [key for column in table.columns for key in column.keys]
    writer.writerow(keys)
    writer.writerows([_exact(row.get(key)) for key in keys] for row in table.rows)
    return out.getvalue()


def html_of(table: Table, folder: str) -> str:
    """Return a table as HTML.

    Parameters
    ----------
    table
        A table.
    folder
        Where its CSV stands, as the page refers to it.
    """
    shown = table.rows[:MOST_ROWS]
    heads = "".join(_head(column) for column in table.columns)
    body = "\n".join(
        "<tr>" + "".join(_cell(column, row) for column in table.columns) + "</tr>" for row in shown
    )
    left = len(table.rows) - len(shown)
    more = f". The first {len(shown):,}; {left:,} more in the list." if left else ""
    return (
        f'<figure class="table" id="list-{table.name}">\n'
        f'<div class="scroll"><table data-list="{table.name}">\n'
        f"<caption>{escaped(table.caption)}{more}</caption>\n"
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>\n"
        f'<figcaption>n = {len(table.rows):,} rows · <a href="{escaped(folder)}/{table.name}.csv">'
        f"{table.name}.csv</a> · <code>{escaped(table.command)}</code></figcaption>\n</figure>"
    )


def _head(column: Column) -> str:
    kind = "" if column.look is Look.WORD else ' class="n"'
    return f'<th scope="col"{kind} title="{escaped(column.means)}">{escaped(column.head)}</th>'


def _cell(column: Column, row: Row) -> str:
    value = row.get(column.key)
    data = f' data-v="{escaped(_exact(value))}"'
    if column.look is Look.LIST and isinstance(value, (list, tuple)):
        left = f" … +{len(value) - _MOST_LISTED}" if len(value) > _MOST_LISTED else ""
        told = " ".join(escaped(_exact(part)) for part in value[:_MOST_LISTED])
        return f'<td class="short"{data}>{told}{left}</td>'
    if column.look is Look.WORD and isinstance(value, (list, tuple)):
        told = ", ".join(f"<span>{escaped(_exact(part))}</span>" for part in value)
        kind = "long" if len(value) > 1 else "short"
        return f'<td class="{kind}"{data}>{told}</td>'
    if column.look in (Look.WORD, Look.LIST):
        told = _word(value, column.none)
        kind = "short" if len(told) <= _SHORT else "long"
        return f'<td class="{kind}"{data}>{escaped(told)}</td>'
    if value is None:
        kind = "n few" if column.none == FEW else "n"
        return f'<td class="{kind}"{data}>{escaped(column.none)}</td>'
    if column.look is Look.COUNT and isinstance(value, (int, float)):
        return f'<td class="n"{data}>{value:,.0f}</td>'
    told = figure(float(str(value)))
    if column.look is Look.CHANCE and told == "0.00":
        told = "below 0.01"
    lo, hi = (_float(row, key) for key in (column.lo, column.hi))
    beside = f" <small>{span(lo, hi)}</small>" if span(lo, hi) else ""
    return f'<td class="n"{data}>{told}{beside}</td>'


def _float(row: Row, key: str) -> float | None:
    value = row.get(key) if key else None
    return float(value) if isinstance(value, (int, float)) else None


def _exact(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return ";".join(_exact(part) for part in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def _word(value: object, none: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return none if value is None else _exact(value) or none


def named(rows: Sequence[Row], names: Mapping[str, str]) -> list[Row]:
    """Return rows in which people have the names to show."""
    return [
        {
            key: names.get(str(value), value) if key in _PEOPLE else value
            for key, value in row.items()
        }
        for row in rows
    ]


_PEOPLE = ("a", "b", "annotator")
