"""The page that DVC's own plots stand on, so that ``dvc plots`` needs no network either."""

from __future__ import annotations

from lineage.pages.drawing import library

_GLOBALS = "Object.assign(window, {vega, vegaLite, vegaEmbed});"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{refresh_tag}
<title>Plots</title>
<style>body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem; } table { border-spacing: 1rem; }</style>
<script>
JAVASCRIPT
</script>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def plots_page() -> str:
    """Return a template for ``dvc config plots.html_template`` with Vega in it.

    Raises
    ------
    NotFound
        ``extra-missing``: vl-convert is not installed.

    Notes
    -----
    DVC puts its plots where ``{plot_divs}`` stands. Its own page has ``{scripts}`` besides, and fetches
    Vega from another host there; this one has Vega, Vega-Lite and Vega-Embed as vl-convert brings them
    along. They are taken at need and not shipped with us: a megabyte of others' code, under licences of
    its own, that would be another version from the one that draws our charts.
    """
    bundle: str = library().javascript_bundle(_GLOBALS, vl_version="5.21")
    return _PAGE.replace("JAVASCRIPT", bundle)
