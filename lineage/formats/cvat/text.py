"""Text as XML 1.0 can hold it."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

_UNFIT = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARK = "\ufffd"


def fit(text: str) -> str:
    """Return ``text`` with every character that XML has no place for as U+FFFD."""
    return _UNFIT.sub(_MARK, text)


def escaped(text: str) -> str:
    """Return ``text`` as the content of an element."""
    # a bare carriage return would be read as a line feed
    return escape(fit(text), {"\r": "&#13;"})


def quoted(text: str) -> str:
    """Return ``text`` as the value of an attribute, with its quotes."""
    return quoteattr(fit(text))
