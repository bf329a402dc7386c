"""The page: sections in one file with its style and its few lines of script, and the lists beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lineage.pages.agreeing import classes, pairs, weeks
from lineage.pages.batches import batches, schemas
from lineage.pages.defining import definitions
from lineage.pages.definitions import MEANS
from lineage.pages.disputing import disputes
from lineage.pages.drawing import asset
from lineage.pages.overview import overview
from lineage.pages.people import annotators
from lineage.pages.section import FOLDER, Section
from lineage.pages.tables import csv_of
from lineage.pages.text import escaped, joined
from lineage.pages.values import Quality

SECTIONS = (overview, classes, pairs, weeks, definitions, disputes, annotators, batches, schemas)


@dataclass(frozen=True, slots=True)
class Page:
    """A page and its lists.

    Parameters
    ----------
    html
        One document that refers to nothing but its lists.
    lists
        CSV by name, without the ending.
    """

    html: str
    lists: Mapping[str, str]


def quality_page(values: Quality, folder: str) -> Page:
    """Return the quality page.

    Parameters
    ----------
    values
        What is on it.
    folder
        Name of the folder beside the page in which its lists will stand.

    Raises
    ------
    NotFound
        ``extra-missing``: vl-convert is not installed.
    """
    return page_of(
        [section(values) for section in SECTIONS],
        folder,
        title=f"Label quality: {values.project}",
        told=(values.as_of, f"lineage report{values.options}"),
        means=MEANS,
    )


def page_of(
    sections: Sequence[Section],
    folder: str,
    *,
    title: str,
    told: tuple[str, str],
    means: Mapping[str, str],
) -> Page:
    """Return sections as one document.

    Parameters
    ----------
    sections
        In their order.
    folder
        Name of the folder beside the page in which its lists will stand.
    title
        Its heading.
    told
        The place in the log, and the command line that makes the page.
    means
        What its numbers mean, by name.
    """
    links = "".join(f'<a href="#{s.name}">{escaped(s.title)}</a>' for s in sections)
    body = joined(
        f'<section id="{s.name}"><h2>{escaped(s.title)}</h2>\n{s.body}\n</section>'
        for s in sections
    ).replace(f'href="{FOLDER}/', f'href="{escaped(folder)}/')
    terms = "".join(
        f"<dt>{escaped(term)}</dt><dd>{escaped(said)}</dd>" for term, said in means.items()
    )
    as_of, command = told
    html = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escaped(title)}</title>
<style>
{asset("report.css")}</style>
</head>
<body>
<header><h1>{escaped(title)}</h1>
<p>{escaped(as_of)} · <code>{escaped(command)}</code></p></header>
<nav>{links}</nav>
<main>
{body}
<section id="terms"><h2>What the numbers mean</h2><dl class="terms">{terms}</dl></section>
</main>
<script>
{asset("report.js")}</script>
</body>
</html>
"""
    lists = {table.name: csv_of(table) for s in sections for table in s.tables}
    return Page(html, lists)
