"""Batches, schema versions and dataset versions: what there is, and how far it agrees."""

from __future__ import annotations

from lineage.pages.definitions import F1, NUMBERS
from lineage.pages.section import FOLDER, Section
from lineage.pages.tables import Column, Look, Table, html_of
from lineage.pages.text import escaped, figure, joined, paragraph, span
from lineage.pages.values import Quality, count, number

MOST_CARDS = 40
_LABELS = Column("n_labels", "labels", "n: live labels", Look.COUNT)


def batches(values: Quality) -> Section:
    """Return a card for each batch."""
    title = "Batches"
    if not values.batches:
        return Section("batches", title, paragraph("No batch yet: lineage batch create.", "note"))
    agreed = {str(row["batch"]): row for row in values.rows("by_batch")}
    bare = {"n_images": 0, "n_pairs": 0, "n_missing": 0}
    rows = [{**bare, **agreed.get(str(row["tag"]), {}), **row} for row in values.batches]
    cards = []
    for row in rows[-MOST_CARDS:]:
        interval = span(number(row, F1.lo), number(row, F1.hi))
        beside = f"{interval}, n" if interval else "n"
        cards.append(
            f'<div class="person"><h4>{escaped(row["tag"])}</h4><dl>'
            f"<dt>labels</dt><dd>{count(row, 'n_annotations'):,}</dd>"
            f'<dt title="{escaped(F1.means)}">F1</dt>'
            f"<dd>{figure(number(row, F1.key))} <small>{beside} {count(row, 'n_pairs'):,}</small></dd>"
            f"<dt>schema</dt><dd>{escaped(row['schema'])}</dd>"
            f"<dt>state</dt><dd>{escaped(row['state'])}</dd></dl></div>"
        )
    columns = (
        Column("tag", "batch", "its tag"),
        Column("task", "task", "what is labelled"),
        Column("kind", "kind", "archive, pilot or volume"),
        Column("schema", "schema", "under which it is labelled"),
        Column("state", "state", "open or closed"),
        Column("n_annotations", "labels", "n: live labels", Look.COUNT),
        *NUMBERS,
    )
    table = Table("batches", "Batches", columns, rows, "lineage agreement --batch BATCH")
    left = len(rows) - len(cards)
    note = paragraph(f"The newest {len(cards)}; {left} older ones in the list.") if left else ""
    body = joined([note, f'<div class="people">{joined(cards)}</div>', html_of(table, FOLDER)])
    return Section("batches", title, body, (table,))


def schemas(values: Quality) -> Section:
    """Return schema versions with what was labelled under each, and dataset versions."""
    tables = []
    notes = []
    if values.schemas:
        agreed = {str(row["schema"]): row for row in values.rows("by_schema")}
        bare = {"n_images": 0, "n_pairs": 0, "n_missing": 0}
        rows = [{**bare, **agreed.get(str(row["schema"]), {}), **row} for row in values.schemas]
        columns = (
            Column("schema", "schema", "name@version"),
            Column("state", "state", "draft, locked or retired"),
            _LABELS,
            *NUMBERS,
        )
        tables.append(
            Table("schemas", "Label schema versions", columns, rows, "lineage schema list")
        )
    else:
        notes.append(paragraph("No label schema yet: lineage schema add FILE.", "note"))
    if values.versions:
        of_version = (
            Column("version", "version", "its name"),
            Column("tags", "tags", "that it bears"),
            _LABELS,
            Column("n_assets", "images", "n: images in it", Look.COUNT),
        )
        tables.append(
            Table(
                "versions", "Dataset versions", of_version, values.versions, "lineage version list"
            )
        )
    else:
        notes.append(paragraph("No dataset version yet: lineage build.", "note"))
    body = joined([*notes, *(html_of(table, FOLDER) for table in tables)])
    return Section("schemas", "Schema and dataset versions", body, tables)
