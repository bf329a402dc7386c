"""The page for DVC's plots: DVC fills it in, and it fetches nothing."""

from __future__ import annotations

import pytest
from dvc_render.html import HTML

from lineage.pages.plots import plots_page


@pytest.mark.slow
def test_dvc_fills_the_page_in_and_nothing_is_fetched() -> None:
    document = HTML(plots_page(), refresh_seconds=5)
    document.with_scripts('<script src="https://elsewhere.example/vega.js"></script>')
    document.with_element("<div>the plot</div>")
    page = document.embed()
    assert "<div>the plot</div>" in page
    assert 'http-equiv="refresh"' in page
    assert "elsewhere.example" not in page
    assert page.count("<script") == page.count("</script>") == 1
    assert "vegaEmbed" in page
