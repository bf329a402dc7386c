"""A section of a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lineage.pages.tables import Table
from lineage.pages.text import escaped

FOLDER = "{lists}"
"""Stands for the folder of the lists, until the page knows its name."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section.

    Parameters
    ----------
    name
        Of its place on the page.
    title
        Its heading.
    body
        HTML.
    tables
        The tables in it, for their lists.
    """

    name: str
    title: str
    body: str
    tables: Sequence[Table] = ()


def card(title: str, value: str, more: str, means: str) -> str:
    """Return a number with its name and what stands behind it; arguments are HTML but for ``means``."""
    return (
        f'<div class="card" title="{escaped(means)}"><h3>{title}</h3>'
        f'<p class="big">{value}</p><p class="more">{more}</p></div>'
    )
