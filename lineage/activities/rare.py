"""Rare things: how much there is of each class and edge case, how sure we are of it, and what to look at next.

The rule of the order (``docs/rare.md``): first places where a model sees an object of a
rare class and nobody drew one, by how many missed objects an hour is expected to find;
then labels to judge, by how much an hour closes the interval of their error rate. Both
are weighed by rarity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lineage.activities import batches, gold_list, position, rare_order, schemas, trace
from lineage.activities.agreement import agreement_of
from lineage.activities.context import Project
from lineage.activities.rare_counts import places_of, reviewed_of, support_of
from lineage.activities.rare_groups import Groups, Of, groups_of
from lineage.activities.rare_order import Agreed, Found, RareOrder
from lineage.activities.review_log import answers_tag
from lineage.activities.review_model import predictions
from lineage.activities.trace import Choice
from lineage.errors import NotFound, Usage
from lineage.store.read import BatchRow
from lineage.terms import Origin, SchemaState

Row = Mapping[str, object]
_ORIGINS = (Origin.HUMAN.value, Origin.ASSISTED.value, Origin.ADJUDICATED.value)


@dataclass(frozen=True, slots=True)
class Rarity:
    """Classes, edge cases and attribute values, what the next hour should go to first.

    Rows: ``class of name is_rare n_labels n_images share f1 f1_lo f1_hi n_pairs n_gold n_drawn n_judged
    error error_lo error_hi n_places expected_found gain rarity priority rank action why command``; what is
    not known or does not apply is None. ``docs/rare.md`` says what each number is.
    """

    seq: int
    batches: Sequence[str]
    schemas: Sequence[str]
    hours: float
    per_hour: float
    n_labels: int
    rows: Sequence[Row]


def rare(
    project: Project, choice: Choice | None = None, *, order: RareOrder | None = None
) -> Rarity:
    """Return what is rare, how well it is known, and in which order to look at it.

    Parameters
    ----------
    project
        An open project.
    choice
        Batches and schema versions.
    order
        How long, how fast, and what a model says.

    Raises
    ------
    Usage
        ``usage``: hours or speed that are not positive.
    NotFound
        ``no-batch``: not on record, or none is so; ``no-schema``, ``no-asset``.
    """
    asked, how = choice or Choice(), order or RareOrder()
    if how.hours <= 0 or how.per_hour <= 0:
        raise Usage(
            "usage", f"{how.hours:g} hours at {how.per_hour:g} an hour, expected more than 0"
        )
    seq = position.resolve(project, asked.as_of)
    chosen = _batches(project, asked)
    tags = tuple(row.tag for row in chosen)
    refs = list(dict.fromkeys(asked.schema or sorted({row.schema for row in chosen})))
    groups = groups_of([schemas.as_schema(schemas.get(project, ref)) for ref in refs])
    within = Choice(batch=tags, schema=asked.schema, as_of=asked.as_of)
    people = replace(trace.selector_of(project, within), origins=_ORIGINS)
    found = Found(
        groups=groups,
        support=support_of(project.ledger, people, groups, seq),
        reviewed=reviewed_of(project, tags, groups, seq),
        places=None
        if how.model is None
        else places_of(project, people, predictions(project, how.model), groups, seq),
        agreed=_agreed(project, within, groups),
        n_gold=_gold(project, refs, groups),
        order=how,
        tags=tags,
    )
    rows = rare_order.rows_of(found)
    return Rarity(seq, tags, refs, how.hours, how.per_hour, found.support.n_all, rows)


def _batches(project: Project, asked: Choice) -> list[BatchRow]:
    known = {row.tag: row for row in batches.list_all(project)}
    for tag in asked.batch:
        batches.get(project, tag)
    answers = {answers_tag(tag) for tag in known}
    chosen = [
        row
        for tag, row in known.items()
        if (tag in asked.batch if asked.batch else tag not in answers)
        and (not asked.schema or row.schema in asked.schema)
    ]
    if not chosen:
        raise NotFound("no-batch", "no batch is so", hint="lineage batch list")
    return chosen


def _agreed(project: Project, within: Choice, groups: Groups) -> Sequence[Agreed | None]:
    """Return how people agree on each group; on attribute values over all classes."""
    told = agreement_of(project, within, sensitivity=())
    by_class = {str(row["class"]): _of_row(row) for row in told.by_class}
    by_tag = {str(row["tag"]): _of_row(row) for row in told.by_tag}
    return [
        by_class.get(group.class_)
        if group.of is Of.CLASS
        else by_tag.get(next(iter(group.tags)))
        if len(group.tags) == 1
        else None
        for group in groups.rows
    ]


def _of_row(row: Row) -> Agreed:
    return Agreed(row["f1"], row["f1_lo"], row["f1_hi"], row["n_pairs"])  # type: ignore[arg-type]


def _gold(project: Project, refs: Sequence[str], groups: Groups) -> Sequence[int | None]:
    """Return how much gold there is; None for attribute values, which gold does not know."""
    locked = [
        ref for ref in refs if schemas.get(project, ref).state == SchemaState.LOCKED
    ]  # a draft has none
    found: dict[tuple[str, str | None], int] = {}
    if locked:
        for row in gold_list.coverage(project, locked).rows:
            key = (str(row["class"]), None if row["edge_case"] is None else str(row["edge_case"]))
            found[key] = max(found.get(key, 0), int(str(row["n"])))
    return [
        None if group.of is Of.VALUE else found.get((group.class_, group.name), 0)
        for group in groups.rows
    ]
