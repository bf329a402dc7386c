"""The disagreements themselves: what is taken for what, what to do about it, and what it looks like."""

from __future__ import annotations

from collections.abc import Sequence

from lineage.pages.crops import colours_of, crop
from lineage.pages.definitions import MEANS
from lineage.pages.section import FOLDER, Section
from lineage.pages.tables import Column, Look, Table, html_of
from lineage.pages.text import FEW, NOTHING, escaped, joined, named_class, paragraph
from lineage.pages.values import Disputed, Quality, Row, count

_VALUES = (
    Column(
        "class", "class", "what the one said; nothing drawn: looked, and drew nothing", none=NOTHING
    ),
    Column("as_class", "against", "what the other said", none=NOTHING),
)


def disputes(values: Quality) -> Section:
    """Return confusion pairs, the disputes with their verdicts, and examples."""
    title = "The disagreements themselves"
    confusion, rows = values.rows("confusion"), values.rows("disputes")
    if not confusion and not rows:
        return Section("disputes", title, paragraph("No two opinions differ.", "note"))
    command = f"lineage agreement{values.options}"
    taken = Table(
        "confusion",
        "Taken for one another, most often first",
        (*_VALUES, Column("n", "pairs", "n: pairs of opinions of which one says the one and the other the other", Look.COUNT)),
        confusion,
        command,
    )  # fmt: skip
    told = [
        {**row, "camp": _camp(row, 0, values), "other_camp": _camp(row, 1, values)} for row in rows
    ]
    columns = (
        *_VALUES,
        Column("n", "objects", "n: objects on which somebody said the one and somebody the other", Look.COUNT),
        Column("a_fresh", "fresh agree", MEANS["fresh agree"], Look.FIGURE, "a_fresh_lo", "a_fresh_hi", FEW),
        Column("s", "habit", MEANS["habit"], Look.FIGURE),
        Column("p", "p", MEANS["p"], Look.CHANCE),
        Column("verdict", "verdict", "slips, biased_minority, ambiguous, definition_split; - without evidence"),
        Column("camp", "lean to the one", "who takes the first side by habit"),
        Column("other_camp", "lean to the other", "who takes the second side by habit"),
        Column("advice", "what to do", "next step"),
    )  # fmt: skip
    table = Table("disputes", "Disputes, the most objects first", columns, told, command)
    objects = _objects(values)
    parts = [html_of(taken, FOLDER), html_of(table, FOLDER), _examples(values, rows)]
    if objects.rows:
        parts.append(html_of(objects, FOLDER))
    return Section(
        "disputes", title, joined(parts), (taken, table, *([objects] if objects.rows else ()))
    )


def _camp(row: Row, side: int, values: Quality) -> list[str] | None:
    camps = row.get("camps")
    if not isinstance(camps, (list, tuple)) or len(camps) <= side:
        return None
    return [values.name(person) for person in camps[side]]


def _examples(values: Quality, rows: Sequence[Row]) -> str:
    if not values.disputed:
        return ""
    people = {opinion.annotator for each in values.disputed for opinion in each.opinions}
    colours = colours_of([values.name(person) for person in people])
    by_person = {person: colours[values.name(person)] for person in people}
    parts = ["<h3>What it looks like</h3>"]
    n_bare = sum(each.picture is None for each in values.disputed)
    if n_bare:
        parts.append(
            paragraph(
                f"No image file was found of {n_bare} of {len(values.disputed)} objects: --images DIR "
                "says where they are. Their outlines stand on an empty frame.",
                "note",
            )
        )
    for row in rows:
        of_row = [each for each in values.disputed if _is_of(each, row)]
        if of_row:
            heading = f"{named_class(row['class'])} against {named_class(row['as_class'])}"
            words = str(row["advice"])
            advice = f"{count(row, 'n'):,} objects. {words[:1].upper()}{words[1:]}."
            crops = "\n".join(crop(each, by_person, values) for each in of_row)
            parts.append(
                f'<section class="dispute"><h4>{escaped(heading)}</h4>{paragraph(advice)}'
                f'<div class="crops">{crops}</div></section>'
            )
    return joined(parts)


def _is_of(disputed: Disputed, row: Row) -> bool:
    return (disputed.class_, disputed.as_class) == (row.get("class"), row.get("as_class"))


def _objects(values: Quality) -> Table:
    """Return the drawn objects as a list of opinions."""
    rows = [
        {
            "class": each.class_,
            "as_class": each.as_class,
            "asset": each.asset,
            "annotator": values.name(opinion.annotator),
            "said": named_class(opinion.class_),
            "annotation": opinion.annotation,
        }
        for each in values.disputed
        for opinion in each.opinions
    ]
    columns = (
        *_VALUES,
        Column("asset", "image", "name of the image"),
        Column("annotator", "annotator", "who was asked"),
        Column("said", "said", "what they said of the object"),
        Column("annotation", "annotation", "the ledger's number: lineage show N"),
    )
    return Table(
        "disputed_objects",
        "The objects drawn above, opinion by opinion",
        columns,
        rows,
        "lineage blame IMAGE",
    )
