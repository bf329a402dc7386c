"""Charts become pictures: Vega-Lite to SVG by vl-convert, without a browser and without a network."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import resources
from types import ModuleType

from lineage.errors import NotFound

INK = "#010203"
"""Stands in charts for the page's text colour, which differs between light and dark."""

CONFIG: Mapping[str, object] = {
    "background": None,
    # vl-convert brings this font along: text is measured alike on every machine
    "font": "Liberation Sans, Arial, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "tickColor": INK,
        "domainColor": INK,
        "gridColor": INK,
        "gridOpacity": 0.12,
        "domainOpacity": 0.4,
        "tickOpacity": 0.4,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "labelLimit": 150,
    },
    "title": {"color": INK, "fontSize": 12, "anchor": "start", "fontWeight": "bold"},
}


def library() -> ModuleType:
    """Return vl-convert.

    Raises
    ------
    NotFound
        ``extra-missing``: it is not installed.
    """
    try:
        import vl_convert
    except ImportError as exc:
        raise NotFound(
            "extra-missing",
            "drawing charts takes vl-convert-python, which is not installed",
            hint="pip install 'lineage[report]'",
        ) from exc
    return vl_convert


def drawn(spec: Mapping[str, object], name: str, described: str) -> str:
    """Return a chart as SVG to stand within a page.

    Parameters
    ----------
    spec
        Vega-Lite. A mark's ``description`` is shown on hover.
    name
        Of the chart, once a page: its ids begin with it.
    described
        What it shows, for who cannot see it.

    Raises
    ------
    NotFound
        ``extra-missing``: vl-convert is not installed.
    """
    svg: str = library().vegalite_to_svg(json.dumps({**spec, "config": CONFIG}), vl_version="5.21")
    svg = svg.replace(INK, "currentColor")
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = svg.replace("url(#", f"url(#{name}-")
    svg = _HOVERED.sub(_with_title, svg)
    opening = f'<svg role="img" aria-label="{described}" '
    return svg.replace("<svg ", opening, 1)


_HOVERED = re.compile(
    r'<(?P<tag>path|text|rect|line)(?P<before>[^>]*?) aria-label="(?P<told>[^"]*)"'
    r'(?P<after>[^>]*? role="graphics-symbol"[^>]*?)(?:/>|>(?P<inner>[^<]*)</(?P=tag)>)'
)


def _with_title(found: re.Match[str]) -> str:
    tag, told = found["tag"], found["told"]
    return (
        f'<{tag}{found["before"]} aria-label="{told}"{found["after"]}>'
        f"<title>{told}</title>{found['inner'] or ''}</{tag}>"
    )


def asset(name: str) -> str:
    """Return one of the page's own files."""
    return resources.files("lineage").joinpath(f"data/templates/{name}").read_text("utf-8")
