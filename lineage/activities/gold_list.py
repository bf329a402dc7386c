"""What gold there is: label by label, by class and edge case, and what a schema version lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lineage.activities import gold, gold_rules, position, schemas, trace
from lineage.activities.context import Project
from lineage.activities.trace import Choice
from lineage.errors import NotFound
from lineage.segments import Ledger
from lineage.store import read
from lineage.terms import SchemaState

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class GoldList:
    """The gold that stands.

    Rows of ``gold``: ``annotation revision asset class schema edge_case annotator batch
    newer_revision comment``; ``newer_revision`` is the annotation's newest where it was corrected or
    retracted since, else None. Rows of ``by``: ``schema class edge_case n n_images n_newer``.
    """

    n: int
    by: Sequence[Row]
    gold: Sequence[Row]


@dataclass(frozen=True, slots=True)
class GoldCoverage:
    """How much gold holds under schema versions.

    Rows: ``schema class edge_case n n_images is_missing``; with ``edge_case`` None all gold of the
    class.
    """

    n_missing: int
    rows: Sequence[Row]


def gold_list(
    project: Project, choice: Choice | None = None, *, annotations: Sequence[int] = ()
) -> GoldList:
    """Return the gold that stands.

    Parameters
    ----------
    project
        An open project.
    choice
        Which gold; its schemas are those under which it is gold.
    annotations
        Of these, these alone.
    """
    asked = choice or Choice()
    seq = position.resolve(project, asked.as_of)
    told = gold.chosen_of(
        gold.standing(project.ledger, seq), trace.selector_of(project, asked), annotations
    )
    newer = _newer(project.ledger, told, seq)
    with project.store.reading() as connection:
        names = read.asset_names(connection, set(told["asset"].to_pylist()))
    wanted = ["annotation", "revision", "asset", "class", "schema", "edge_case", "annotator",
              "batch", "comment"]  # fmt: skip
    rows = [
        {**row, "asset": names[row["asset"]], "newer_revision": later or None}
        for row, later in zip(told.select(wanted).to_pylist(), newer.tolist(), strict=True)
    ]
    n: Counter[tuple[str, str, str]] = Counter()
    n_newer: Counter[tuple[str, str, str]] = Counter()
    images: dict[tuple[str, str, str], set[str]] = {}
    for row in rows:
        key = (row["schema"], row["class"], row["edge_case"] or "")
        n[key] += 1
        n_newer[key] += row["newer_revision"] is not None
        images.setdefault(key, set()).add(row["asset"])
    by = [
        {
            "schema": key[0],
            "class": key[1],
            "edge_case": key[2] or None,
            "n": n[key],
            "n_images": len(images[key]),
            "n_newer": n_newer[key],
        }
        for key in sorted(n)
    ]
    return GoldList(len(rows), by, rows)


def coverage(
    project: Project, refs: Sequence[str] = (), *, least: int = 1, task: str | None = None
) -> GoldCoverage:
    """Return how much gold there is for each class and edge case.

    Parameters
    ----------
    project
        An open project.
    refs
        Schema versions; none for all that are locked.
    least
        How many gold labels it takes for a class or an edge case not to be missing.
    task
        Gold of batches of this task alone, which is all that holds for it; None for every task.

    Raises
    ------
    NotFound
        ``no-schema``: not on record, or no version is locked.
    """
    known = {row.ref: row for row in schemas.list_all(project)}
    asked = [schemas.get(project, ref) for ref in refs]
    asked = asked or [row for row in known.values() if row.state == SchemaState.LOCKED]
    if not asked:
        raise NotFound("no-schema", "no label schema is locked", hint="lineage schema lock REF")
    told = gold.standing(project.ledger, position.resolve(project, None))
    if task is not None:
        with project.store.reading() as connection:
            tags = [row.tag for row in read.batches(connection) if row.task == task]
        told = told.filter(pa.array(np.isin(told["batch"].to_pylist(), tags)))
    rows: list[Row] = []
    for version in asked:
        schema = schemas.as_schema(version)
        refs_that_hold = [
            ref
            for ref in set(told["schema"].to_pylist())
            if gold_rules.holds(schemas.as_schema(known[ref]), schema)
        ]
        here = told.filter(pa.array(np.isin(told["schema"].to_pylist(), refs_that_hold)))
        of = [here[name].to_pylist() for name in ("class", "edge_case", "annotation", "asset")]
        labels: dict[tuple[str, str | None], set[int]] = {}
        images: dict[tuple[str, str | None], set[int]] = {}
        for class_, case, annotation, asset in zip(*of, strict=True):
            for key in dict.fromkeys([(class_, None), (class_, case)]):
                labels.setdefault(key, set()).add(annotation)
                images.setdefault(key, set()).add(asset)
        for class_ in schema.classes:
            for case in (None, *gold_rules.cases_of(schema, class_)):
                n = len(labels.get((class_, case), ()))
                rows.append(
                    {
                        "schema": schema.ref,
                        "class": class_,
                        "edge_case": case,
                        "n": n,
                        "n_images": len(images.get((class_, case), ())),
                        "is_missing": n < least,
                    }
                )
    return GoldCoverage(sum(bool(row["is_missing"]) for row in rows), rows)


def _newer(ledger: Ledger, told: pa.Table, seq: int) -> np.ndarray:
    """Return the newest revision of each gold label's annotation, 0 where it is the gold one."""
    annotation, revision = np.asarray(told["annotation"]), np.asarray(told["revision"])
    own, code = np.unique(annotation, return_inverse=True)
    newest = np.zeros(len(own), np.int64)
    assets = np.unique(np.asarray(told["asset"]))
    for rows in ledger.scan("revisions", ("annotation", "revision"), up_to=seq, assets=assets):
        number = np.asarray(rows["annotation"])
        at = np.minimum(np.searchsorted(own, number), max(len(own) - 1, 0))
        here = np.flatnonzero(own[at] == number) if len(own) else np.zeros(0, np.int64)
        # of repeated indices, NumPy keeps the last assignment: the newest revision
        newest[at[here]] = np.asarray(rows["revision"])[here]
    found: np.ndarray = np.where(newest[code] > revision, newest[code], 0)
    return found
