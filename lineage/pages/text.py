"""Words and numbers as a page shows them; every text from outside is escaped here."""

from __future__ import annotations

import html
from collections.abc import Iterable

FEW = "n too small"
NOTHING = "nothing drawn"


def escaped(value: object) -> str:
    """Return a text safe within an element and within a quoted attribute.

    Examples
    --------
    >>> escaped('<a "b" & c>')
    '&lt;a &quot;b&quot; &amp; c&gt;'
    """
    return html.escape(str(value), quote=True)


def figure(value: float | None, none: str = FEW) -> str:
    """Return a share or coefficient to two decimals, or what stands in its place.

    Examples
    --------
    >>> figure(0.9134), figure(-0.004), figure(None)
    ('0.91', '0.00', 'n too small')
    """
    return none if value is None else f"{round(value, 2) + 0.0:.2f}"


def span(lo: float | None, hi: float | None) -> str:
    """Return an interval, empty without one.

    Examples
    --------
    >>> span(0.855, 0.9484), span(None, None)
    ('0.85 to 0.95', '')
    """
    return "" if lo is None or hi is None else f"{figure(lo)} to {figure(hi)}"


def with_span(value: float | None, lo: float | None, hi: float | None) -> str:
    """Return a number with its interval.

    Examples
    --------
    >>> with_span(0.9, 0.8, 0.95), with_span(None, None, None)
    ('0.90 (0.80 to 0.95)', 'n too small')
    """
    told = span(lo, hi)
    return figure(value) + (f" ({told})" if told and value is not None else "")


def named_class(value: object) -> str:
    """Return a class, or that nothing was drawn."""
    return NOTHING if value is None else str(value)


def paragraph(words: str, kind: str = "") -> str:
    """Return an escaped paragraph."""
    opening = f'<p class="{kind}">' if kind else "<p>"
    return f"{opening}{escaped(words)}</p>"


def command_line(words: str) -> str:
    """Return words to be typed in a terminal, on a line of their own."""
    return f'<p class="command"><code>{escaped(words)}</code></p>'


def joined(parts: Iterable[str]) -> str:
    """Return pieces of HTML, one a line."""
    return "\n".join(part for part in parts if part)
