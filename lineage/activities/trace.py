"""Asking the record: where a project stands, what happened, and who made this label."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import coverage, position, schemas, select
from lineage.activities.context import Project
from lineage.activities.select import LiveState, Selector
from lineage.errors import BadInput, NotFound
from lineage.segments import Checkpoint
from lineage.store import read
from lineage.store.query import read_only
from lineage.store.read import ActivityRow, BatchRow
from lineage.terms import Operation

Row = dict[str, object]
_FIELDS = ("class", "kind", "box", "attributes")


@dataclass(frozen=True, slots=True)
class Choice:
    """A selection in the words of the command line, before names are looked up.

    Parameters
    ----------
    batch, annotator, class_, stage, schema, asset
        Values; annotators by handle or pseudonym, assets by name.
    since, until
        ISO 8601 times on ``labelled_at``.
    as_of
        See `position.resolve`.
    """

    batch: tuple[str, ...] = ()
    annotator: tuple[str, ...] = ()
    class_: tuple[str, ...] = ()
    stage: tuple[str, ...] = ()
    schema: tuple[str, ...] = ()
    asset: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    as_of: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """Where a project stands."""

    project: str
    store: str
    checkpoint: Checkpoint | None
    n_assets: int
    n_annotators: int
    n_revisions: int
    n_live: int
    stages: Mapping[str, int]
    batches: Sequence[tuple[BatchRow, int]]
    completeness: Mapping[str, Mapping[str, int]]
    versions: Sequence[str]


def selector_of(project: Project, choice: Choice) -> Selector:
    """Look the names of a choice up.

    Raises
    ------
    NotFound
        ``no-annotator``, ``no-asset``, ``no-batch`` or ``no-schema``.
    BadInput
        ``naive-time``, ``time-unreadable``.
    """
    with project.store.reading() as connection:
        known = {row.tag for row in read.batches(connection)}
        people = read.annotators(connection)
        assets = [key for name in choice.asset for key, _ in _assets(connection, name)]
    for tag in choice.batch:
        if tag not in known:
            raise NotFound("no-batch", f"no batch {tag!r} on record", hint="lineage batch list")
    for ref in choice.schema:
        schemas.get(project, ref)
    return Selector(
        batches=choice.batch,
        annotators=tuple(_pseudonym(people, name) for name in choice.annotator),
        classes=choice.class_,
        stages=choice.stage,
        schemas=choice.schema,
        assets=tuple(assets),
        since=None if choice.since is None else position.aware(choice.since),
        until=None if choice.until is None else position.aware(choice.until),
    )


def names_of(project: Project) -> dict[str, str]:
    """Return, per pseudonym, the name to show: the handle where the address book has it."""
    with project.store.reading() as connection:
        return {row.pseudonym: row.name for row in read.annotators(connection)}


def status(project: Project, choice: Choice | None = None) -> Status:
    """Return where the project stands, or stood."""
    asked = choice or Choice()
    seq = position.resolve(project, asked.as_of)
    selector = selector_of(project, asked)
    stages: Counter[str] = Counter()
    by_batch: Counter[str] = Counter()
    people: Counter[str] = Counter()
    tallies = {"stage": stages, "batch": by_batch, "annotator": people}
    for batch in select.scan(project.ledger, selector, list(tallies), up_to=seq):
        for name, tally in tallies.items():
            for entry in batch[name].value_counts().to_pylist():
                tally[entry["values"]] += entry["counts"]
    said = coverage.completeness(project.ledger, selector.batches, seq)
    with project.store.reading() as connection:
        counts = read.counts(connection, seq)
        return Status(
            project=project.settings.origin,
            store=project.store.label,
            checkpoint=project.ledger.checkpoint(),
            n_assets=counts["asset"],
            n_annotators=len(people),
            n_revisions=counts["revision"],
            n_live=sum(stages.values()),
            stages=dict(stages),
            batches=[(row, by_batch[row.tag]) for row in read.batches(connection)],
            completeness=coverage.counted_by_batch(said),
            versions=[tag for row in read.versions(connection) for tag in _titles(row)],
        )


def log(project: Project, choice: Choice | None = None) -> Sequence[ActivityRow]:
    """Return the log's entries, oldest first, as far as ``as_of`` and of the chosen batches."""
    asked = choice or Choice()
    seq = position.resolve(project, asked.as_of)
    with project.store.reading() as connection:
        entries = [entry for entry in read.activities(connection) if entry.seq <= seq]
    if asked.since is not None:
        entries = [entry for entry in entries if entry.at >= position.aware(str(asked.since))]
    if asked.until is not None:
        entries = [entry for entry in entries if entry.at < position.aware(str(asked.until))]
    return [entry for entry in entries if not asked.batch or entry.batch in asked.batch]


def show(project: Project, annotation: int, as_of: str | None = None) -> Row:
    """Return the history of one annotation: every revision and every stage, oldest first.

    Raises
    ------
    NotFound
        ``no-annotation``.
    """
    seq = None if as_of is None else position.resolve(project, as_of)
    with project.store.reading() as connection:
        rows = _until(read.annotation_revisions(connection, annotation), seq)
        events = _until(read.annotation_stages(connection, annotation), seq)
        entries = _behind(connection, rows)
    if not rows:
        raise NotFound(
            "no-annotation",
            f"no annotation {annotation} on record",
            hint="lineage blame ASSET lists an image's annotations",
        )
    _stand(rows, events)
    stages = [
        _entry_stage(row, entries[cast(int, row["seq"])])
        for row in rows
        if row["operation"] != Operation.RETRACT
    ]
    return {
        "annotation": annotation,
        "asset": rows[0]["asset"],
        "revisions": [_revision(row, entries[cast(int, row["seq"])].activity) for row in rows],
        "stages": [*stages, *events],
    }


def blame(project: Project, asset: str, as_of: str | None = None) -> Row:
    """Return who is behind every live label of an image, field by field, and how far it is.

    Raises
    ------
    NotFound
        ``no-asset``.
    BadInput
        ``ambiguous-asset``: several images' names end so.
    """
    seq = None if as_of is None else position.resolve(project, as_of)
    with project.store.reading() as connection:
        found = _assets(connection, asset)
        if len(found) > 1:
            names = ", ".join(name for _, name in found)
            raise BadInput(
                "ambiguous-asset", f"{asset!r} may be any of {names}", hint="give the whole name"
            )
        rows = _until(read.asset_revisions(connection, found[0][0]), seq)
        events = _until(read.asset_stages(connection, found[0][0]), seq)
        said = _until(read.asset_completeness(connection, found[0][0]), seq)
        entries = _behind(connection, rows)
    _stand(rows, events)
    histories: dict[int, list[Row]] = {}
    for row in rows:
        histories.setdefault(cast(int, row["annotation"]), []).append(row)
    live = [h for h in histories.values() if h[-1]["operation"] != Operation.RETRACT]
    return {
        "asset": found[0][1],
        "annotations": [_blamed(history, entries) for history in live],
        "completeness": _standing(said),
    }


def sql(
    project: Project, query: str, *, limit: int
) -> tuple[list[str], list[tuple[object, ...]], bool]:
    """Answer a query on the store, which it cannot change.

    Returns
    -------
    tuple
        Column names, at most ``limit`` rows, and whether there were more.

    Raises
    ------
    BadInput
        ``sql``: the database refuses the query.
    """
    return read_only(project.store, query, limit=limit)


def labels(
    project: Project, selector: Selector, seq: int, live: LiveState | None = None
) -> pa.Table:
    """Return the labels that a selector chooses as rows of `columns.DATASET`, the split left empty."""
    wanted = [n for n in columns.DATASET.names if n in columns.REVISIONS.names]
    table = select.table(project.ledger, selector, wanted, up_to=seq, live=live)
    facts = asset_facts(project, seq)
    key = table["asset"].to_numpy()
    at = pa.array(np.searchsorted(facts["asset"].to_numpy(), key))
    values: dict[str, object] = {name: table[name] for name in wanted}
    values |= {
        "asset": facts["name"].take(at),
        "asset_digest": facts["digest"].take(at),
        "width": facts["width"].take(at),
        "height": facts["height"].take(at),
        "split": "",
    }
    return pa.Table.from_batches([columns.batch_of(columns.DATASET, values, table.num_rows)])


def completeness(project: Project, selector: Selector, seq: int) -> pa.Table:
    """Return how far images are as rows of `columns.DATASET_COMPLETENESS`, the split left empty.

    Of a selector, batches, assets and classes count (`coverage.chosen`).
    """
    rows = coverage.completeness(project.ledger, selector.batches, seq)
    return coverage.named(coverage.chosen(rows, selector), asset_facts(project, seq))


def asset_facts(project: Project, seq: int) -> pa.Table:
    """Return every image with what was known of it at a place in the log, by key, ascending."""
    names = ("name", "uri", "width", "height", "digest", "n_bytes")
    table = project.ledger.read("assets", ("asset", *names), up_to=seq).combine_chunks()
    if table.num_rows == 0:
        return table
    key = table["asset"].to_numpy()
    order = np.argsort(key, kind="stable")
    last = np.flatnonzero(np.diff(key[order], append=-1))
    out = {"asset": pa.array(key[order][last])}
    for name in names:
        is_known = table[name].is_valid().to_numpy()[order]
        # the newest known value of each image: carry positions forward within its rows
        at = np.where(is_known, np.arange(len(order)), -1)
        first = np.concatenate([[0], last[:-1] + 1])
        newest = np.maximum.reduceat(at, first)
        rows = pa.array(np.where(newest < 0, 0, order[newest]), mask=newest < 0)
        out[name] = table[name].combine_chunks().take(rows)
    return pa.table(out)


def _titles(row: Mapping[str, object]) -> list[str]:
    return cast(list[str], row["tags"]) or [str(row["name"])]


def _until(rows: list[Row], seq: int | None) -> list[Row]:
    return rows if seq is None else [row for row in rows if cast(int, row["seq"]) <= seq]


def _behind(connection: read.Connection, rows: Sequence[Row]) -> dict[int, ActivityRow]:
    return {
        e.seq: e for e in read.activities(connection, seqs={cast(int, row["seq"]) for row in rows})
    }


def _pseudonym(people: Sequence[read.AnnotatorRow], name: str) -> str:
    found = [p for p in people if name in (p.pseudonym, p.name, p.handle)]
    if len(found) == 1:
        return found[0].pseudonym
    if found:
        told = ", ".join(p.name for p in found)
        raise NotFound("no-annotator", f"{name!r} may be any of {told}", hint="give the whole name")
    known = [p.handle or p.pseudonym for p in people]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    raise NotFound(
        "no-annotator",
        f"no annotator {name!r} on record" + (f"; near it: {', '.join(near)}" if near else ""),
        hint="lineage sql 'SELECT * FROM person'",
    )


def _assets(connection: read.Connection, name: str) -> list[tuple[int, str]]:
    found = read.find_assets(connection, name)
    if not found:
        raise NotFound(
            "no-asset", f"no asset {name!r} on record", hint="lineage sql 'SELECT name FROM asset'"
        )
    return found


def _box(row: Mapping[str, object]) -> list[object] | None:
    box = [row[name] for name in columns.BOX]
    return None if box[0] is None else box


def _revision(row: Row, activity: str) -> Row:
    names = (
        "revision",
        "seq",
        "class",
        "kind",
        "annotator",
        "batch",
        "schema",
        "origin",
        "labelled_at",
    )
    return {
        **{name: row[name] for name in names},
        "box": _box(row),
        "attributes": json.loads(str(row["attributes"])),
        "stage": row["stage"],
        "activity": activity,
        "supersedes": row["supersedes"],
        "operation": row["operation"],
    }


def _stand(rows: Sequence[Row], events: Sequence[Row]) -> None:
    newest = {event["revision"]: event["stage"] for event in events}
    for row in rows:
        row["stage"] = newest.get(row["revision"], row["entry_stage"])


def _standing(said: Sequence[Row]) -> list[Row]:
    names = ("class", "state", "reason", "batch")
    newest = {(row["batch"], row["class"]): {n: row[n] for n in names} for row in said}
    return sorted(newest.values(), key=lambda row: (str(row["batch"]), str(row["class"] or "")))


def _entry_stage(row: Row, entry: ActivityRow) -> Row:
    return {
        "revision": row["revision"],
        "seq": row["seq"],
        "stage": row["entry_stage"],
        "at": entry.at,
        "by": entry.agent,
        "basis": entry.kind,
        "comment": None,
    }


def _blamed(history: list[Row], entries: Mapping[int, ActivityRow]) -> Row:
    newest = history[-1]
    fields: dict[str, Row] = {}
    values: dict[str, object] = {}
    for row in history:
        seen = {**row, "box": _box(row)}
        for name in _FIELDS:
            if name not in fields or seen[name] != values[name]:
                values[name] = seen[name]
                fields[name] = {
                    "annotator": row["annotator"],
                    "activity": entries[cast(int, row["seq"])].activity,
                    "seq": row["seq"],
                }
    names = ("annotation", "class", "stage", "annotator", "schema", "batch", "labelled_at")
    return {
        **{name: newest[name] for name in names},
        "box": _box(newest),
        "activity": entries[cast(int, newest["seq"])].activity,
        "fields": fields,
    }
