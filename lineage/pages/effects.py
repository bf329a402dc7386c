"""Vega-Lite of effects: a bar from nought, and the interval about its end."""

from __future__ import annotations

from collections.abc import Sequence

from lineage.pages.charts import RED, Row, Spec
from lineage.pages.drawing import INK

_FAINT = "#9aa7b5"
_ROW_PX, _BAR_PX = 28, 14


def effects(rows: Sequence[Row], *, width: int = 420, title: str) -> Spec:
    """Return a bar and its whisker for each row.

    Parameters
    ----------
    rows
        ``label, value, lo, hi, kind, told``; kind is ``evidence`` or ``none``, and picks the colour.
    width
        Of the plot, px.
    title
        Of the axis.
    """
    y = {
        "field": "label",
        "type": "nominal",
        "sort": [row["label"] for row in rows],
        "axis": {"title": None, "ticks": False, "domain": False, "labelLimit": 320},
    }
    axis = {"title": title, "tickCount": 5}
    x = {"type": "quantitative", "scale": {"zero": True, "padding": 6}, "axis": axis}
    told: Spec = {"field": "told", "type": "nominal"}
    colour = {
        "field": "kind",
        "type": "nominal",
        "scale": {"domain": ["evidence", "none"], "range": [RED, _FAINT]},
        "legend": None,
    }
    whiskers = [{"filter": "isValid(datum.lo)"}]
    return {
        "width": width,
        "height": {"step": _ROW_PX},
        "data": {"values": list(rows)},
        "layer": [
            {
                "mark": {"type": "bar", "height": _BAR_PX, "opacity": 0.75},
                "encoding": {
                    "y": y,
                    "x": {"field": "value", **x},
                    "color": colour,
                    "description": told,
                },
            },
            {
                "transform": whiskers,
                "mark": {"type": "rule", "color": INK, "strokeWidth": 1.5},
                "encoding": {"y": y, "x": {"field": "lo", **x}, "x2": {"field": "hi"}},
            },
            *[
                {
                    "transform": whiskers,
                    "mark": {"type": "tick", "color": INK, "size": 9, "thickness": 1.5},
                    "encoding": {"y": y, "x": {"field": end, **x}},
                }
                for end in ("lo", "hi")
            ],
            {
                "mark": {"type": "rule", "color": INK, "opacity": 0.5, "strokeWidth": 1},
                "encoding": {"x": {"datum": 0, **x}},
            },
        ],
    }
