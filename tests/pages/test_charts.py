"""Charts: specifications that render, say on hover what they show, and carry no address."""

from __future__ import annotations

import re
import sys

import pytest

from lineage.errors import NotFound
from lineage.pages import charts
from lineage.pages.agreeing import weeks_between
from lineage.pages.drawing import drawn

POINT = {"label": "car & <b>", "value": 0.8, "lo": 0.7, "hi": 0.9, "told": "car & <b>: n = 12"}
FEW = {"label": "dog", "value": None, "lo": None, "hi": None, "told": "dog: n too small"}
SPECS = {
    "dots": charts.dots([POINT, FEW]),
    "heat": charts.heat(
        [
            {"x": "a", "y": "b", "value": 0.8, "told": POINT["told"]},
            {"x": "b", "y": "a", "value": None, "told": FEW["told"]},
        ],
        ["a", "b"],
        ["a", "b"],
        turn=True,
    ),
    "weeks": charts.weeks(
        [{**POINT, "week": "2026-W10"}, {**FEW, "week": "2026-W11"}],
        ["2026-W10", "2026-W11"],
        marks=[{"week": "2026-W11", "name": "s@2.0", "told": FEW["told"]}],
        ticks=[{"week": "2026-W10", "told": "batch b1 begins"}],
        alarms=[{"week": "2026-W11", "told": "alarm"}],
        title="all",
    ),
}


@pytest.mark.parametrize("name", SPECS)
def test_a_chart_is_drawn_and_tells_on_hover_what_it_shows(name: str) -> None:
    svg = drawn(SPECS[name], name, "a chart")
    titles = re.findall(r"<title>([^<]*)</title>", svg)
    assert "car &amp; &lt;b&gt;: n = 12" in titles
    assert "dog: n too small" in titles
    assert "NaN" not in svg
    assert "http" not in svg
    assert all(found.startswith(f"{name}-") for found in re.findall(r'\bid="([^"]*)"', svg))


def test_text_takes_the_colour_of_the_page() -> None:
    svg = drawn(SPECS["dots"], "dots", "a chart")
    assert "currentColor" in svg
    assert "#010203" not in svg


def test_a_cell_with_too_little_behind_it_has_no_colour_of_agreement() -> None:
    svg = drawn(SPECS["heat"], "heat", "a chart")
    fills = re.findall(r'aria-label="dog: n too small"[^>]*fill="([^"]*)"', svg)
    assert fills
    assert fills[0] == "#c3cad1"


def test_an_axis_begins_at_a_half_unless_an_interval_begins_lower() -> None:
    assert charts.least_of([POINT, FEW]) == 0.5
    assert charts.least_of([{**POINT, "lo": 0.25}]) == 0.25
    assert charts.least_of([]) == 0.5


def test_weeks_without_labels_stand_on_the_axis_too() -> None:
    assert weeks_between("2026-W10", "2026-W12") == ["2026-W10", "2026-W11", "2026-W12"]


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(NotFound, match="vl-convert") as caught:
        drawn(SPECS["dots"], "dots", "a chart")
    assert caught.value.slug == "extra-missing"
    assert "lineage[report]" in caught.value.hint
