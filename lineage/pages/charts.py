"""Vega-Lite of the charts; rows in, a specification out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lineage.pages.drawing import INK
from lineage.pages.text import FEW, figure

Row = Mapping[str, object]
Spec = dict[str, object]
BLUE, ORANGE, RED = "#3b7dd8", "#d9822b", "#d64545"
_DARK = "#16202a"
_FEW_FILL = "#c3cad1"
_LOW, _MID, _HIGH = "#f2a083", "#f3e7b5", "#9fd3b6"
_ROW_PX, _CELL_PX = 24, 36


def dots(rows: Sequence[Row], *, width: int = 420, title: str = "F1") -> Spec:
    """Return a dot and its whisker for each row.

    Parameters
    ----------
    rows
        ``label, value, lo, hi, told``; a row without a value is named with a note in place of the dot.
    width
        Of the plot, px.
    title
        Of the axis.
    """
    labels = [row["label"] for row in rows]
    y = {
        "field": "label",
        "type": "nominal",
        "sort": labels,
        "axis": {"title": None, "ticks": False},
    }
    scale = {"domain": [least_of(rows), 1.0], "nice": True}
    x = {"type": "quantitative", "scale": scale, "axis": {"title": title, "tickCount": 5}}
    told: Spec = {"field": "told", "type": "nominal"}
    return {
        "width": width,
        "height": {"step": _ROW_PX},
        "data": {"values": list(rows)},
        "layer": [
            {
                "transform": [{"filter": "isValid(datum.lo)"}],
                "mark": {"type": "rule", "color": BLUE, "strokeWidth": 2, "opacity": 0.55},
                "encoding": {"y": y, "x": {"field": "lo", **x}, "x2": {"field": "hi"}},
            },
            {
                "transform": [{"filter": "isValid(datum.value)"}],
                "mark": {"type": "point", "filled": True, "color": BLUE, "size": 70, "opacity": 1},
                "encoding": {"y": y, "x": {"field": "value", **x}, "description": told},
            },
            {
                "transform": [{"filter": "!isValid(datum.value)"}],
                "mark": {"type": "text", "align": "left", "color": INK, "x": 4, "opacity": 0.7},
                "encoding": {"y": y, "text": {"value": FEW}, "description": told},
            },
        ],
    }


def least_of(rows: Sequence[Row]) -> float:
    """Return where an axis begins: at a half, or lower where an interval does."""
    return max(0.0, min([0.5, *(_low(row) for row in rows)]))


def _low(row: Row) -> float:
    found = row.get("lo") if isinstance(row.get("lo"), float) else row.get("value")
    return float(found) if isinstance(found, float) else 1.0


def heat(rows: Sequence[Row], columns: Sequence[str], lines: Sequence[str], *, turn: bool) -> Spec:
    """Return a matrix of coloured cells with their value in them.

    Parameters
    ----------
    rows
        ``x, y, value, told``; a cell without a value is grey.
    columns, lines
        Order of ``x`` and of ``y``.
    turn
        Write the names of columns upwards.
    """
    cells = [{**row, "text": _cell(row["value"])} for row in rows]
    angle = {"labelAngle": -90} if turn else {"labelAngle": -40}
    x: Spec = {
        "field": "x",
        "type": "nominal",
        "sort": list(columns),
        "scale": {"domain": list(columns)},
        "axis": {"title": None, "orient": "top", "ticks": False, "domain": False, **angle},
    }
    y = {
        "field": "y",
        "type": "nominal",
        "sort": list(lines),
        "scale": {"domain": list(lines)},
        "axis": {"title": None, "ticks": False, "domain": False, "labelLimit": 220},
    }
    colour = {
        "field": "value",
        "type": "quantitative",
        "scale": {"domain": [0.6, 0.85, 1.0], "range": [_LOW, _MID, _HIGH], "clamp": True},
        "legend": None,
    }
    box = {"type": "rect", "cornerRadius": 2, "width": 34, "height": 24}
    told: Spec = {"field": "told", "type": "nominal"}
    return {
        "width": {"step": _CELL_PX},
        "height": {"step": 26},
        "data": {"values": cells},
        "encoding": {"x": x, "y": y},
        "layer": [
            {
                "transform": [{"filter": "isValid(datum.value)"}],
                "mark": box,
                "encoding": {"color": colour, "description": told},
            },
            {
                "transform": [{"filter": "!isValid(datum.value)"}],
                "mark": {**box, "color": _FEW_FILL},
                "encoding": {"description": told},
            },
            {
                "mark": {"type": "text", "color": _DARK, "fontSize": 10.5},
                "encoding": {"text": {"field": "text", "type": "nominal"}, "description": told},
            },
        ],
    }


def _cell(value: object) -> str:
    return figure(value).lstrip("0") if isinstance(value, float) else "few"


def weeks(
    rows: Sequence[Row],
    order: Sequence[str],
    *,
    marks: Sequence[Row] = (),
    ticks: Sequence[Row] = (),
    alarms: Sequence[Row] = (),
    width: int = 620,
    height: int = 200,
    title: str | None = None,
    least: float | None = None,
) -> Spec:
    """Return a series over weeks, with what began and what was alarmed.

    Parameters
    ----------
    rows
        ``week, value, lo, hi, told``.
    order
        Every week, oldest first.
    marks
        ``week, name, told``: a dashed line where something began.
    ticks
        ``week, told``: a short stroke on the axis where less began.
    alarms
        ``week, told``: a triangle above the axis.
    width, height
        Of the plot, px.
    title
        Above it.
    least
        Where the axis begins; None for where the rows ask for it.
    """
    # of many weeks only as many are named as there is room for
    several = len({week[:4] for week in order}) > 1
    every = max(1, -(-len(order) * (60 if several else 34) // width))
    named = [week for at, week in enumerate(order) if at % every == 0]
    x: Spec = {
        "field": "week",
        "type": "ordinal",
        "scale": {"domain": list(order)},
        "axis": {
            "title": None,
            "values": named,
            "labelAngle": 0,
            "labelExpr": "datum.label" if several else "substring(datum.label, 5)",
            "grid": False,
        },
    }
    scale = {"domain": [least_of(rows) if least is None else least, 1.0], "nice": True}
    y = {"type": "quantitative", "scale": scale, "axis": {"title": "F1", "tickCount": 5}}
    told: Spec = {"field": "told", "type": "nominal"}
    spec: Spec = {
        "width": width,
        "height": height,
        "layer": [
            *_marked(marks, x, told),
            {
                "data": {"values": [row for row in rows if row["lo"] is not None]},
                "mark": {"type": "rule", "color": BLUE, "strokeWidth": 2, "opacity": 0.45},
                "encoding": {"x": x, "y": {"field": "lo", **y}, "y2": {"field": "hi"}},
            },
            {
                "data": {"values": [row for row in rows if row["value"] is not None]},
                "mark": {
                    "type": "line",
                    "color": BLUE,
                    "strokeWidth": 1.5,
                    "point": {"size": 45, "filled": True, "color": BLUE},
                },
                "encoding": {"x": x, "y": {"field": "value", **y}, "description": told},
            },
            *_signed(ticks, x, told, {**_TICK, "y": height - 5}),
            *_signed(alarms, x, told, {**_ALARM, "y": height - 19}),
        ],
    }
    return {**spec, "title": title} if title else spec


def _marked(marks: Sequence[Row], x: Spec, told: Spec) -> list[Spec]:
    if not marks:
        return []
    data = {"values": list(marks)}
    name = {"field": "name", "type": "nominal"}
    return [
        {
            "data": data,
            "mark": {"type": "rule", "color": ORANGE, "strokeDash": [4, 3], "strokeWidth": 1.5},
            "encoding": {"x": x, "description": told},
        },
        {
            "data": data,
            "mark": {"type": "text", "color": ORANGE, "align": "center", "y": -7},
            "encoding": {"x": x, "text": name, "description": told},
        },
    ]


_TICK: Spec = {
    "type": "tick",
    "orient": "vertical",
    "size": 10,
    "thickness": 3,
    "color": ORANGE,
    "opacity": 1,
}
_ALARM: Spec = {
    "type": "point",
    "shape": "triangle-up",
    "filled": True,
    "size": 90,
    "color": RED,
    "opacity": 1,
}


def _signed(rows: Sequence[Row], x: Spec, told: Spec, mark: Spec) -> list[Spec]:
    if not rows:
        return []
    encoding = {"x": x, "description": told}
    return [{"data": {"values": list(rows)}, "mark": mark, "encoding": encoding}]
