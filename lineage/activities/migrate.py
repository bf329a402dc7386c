"""Labels carried from one schema version to the next, by a mapping on record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from lineage import columns, schemamap
from lineage.activities import schemas, select, trace
from lineage.activities.context import Project
from lineage.activities.record import Outcome, Recording, recording, source_file
from lineage.activities.select import Selector
from lineage.errors import Refused
from lineage.labelschema import LabelSchema
from lineage.schemamap import ClassMap, Mapped
from lineage.settings import load_yaml
from lineage.terms import ActivityKind, Identity, Operation, SchemaState

_REVIEW_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class MigrateReport:
    """What a migration did; ``for_review`` lists at most 1,000 of the labels that it left."""

    activity: str | None
    n_migrated: int
    n_for_review: int
    for_review: tuple[Mapping[str, object], ...]
    by_reason: Mapping[str, int]


def migrate(
    project: Project, old: str, new: str, map_file: Path, *, batches: Sequence[str] = ()
) -> MigrateReport:
    """Carry live labels under one version over to another, as an activity of its own.

    Parameters
    ----------
    project
        An open project.
    old, new
        ``name@version``; the new one must be locked.
    map_file
        YAML; see `lineage.schemamap`.
    batches
        Only these; all by default.

    Returns
    -------
    MigrateReport
        Every label that cannot be mapped stays under the old version and is listed for re-review.

    Raises
    ------
    BadInput
        ``map-invalid``, ``settings-unreadable``.
    Refused
        ``schema-not-locked``, ``nothing-to-migrate``.
    """
    before, after = schemas.get(project, old), schemas.get(project, new)
    if after.state != SchemaState.LOCKED:
        raise Refused(
            "schema-not-locked",
            f"{new} is {after.state}, labels move to locked versions only",
            hint=f"lineage schema lock {new}",
        )
    schemas.refuse_any_changed(project)
    class_map = schemamap.parse_map(load_yaml(map_file), where=str(map_file))
    target = schemas.as_schema(after)
    schemamap.check_map(class_map, schemas.as_schema(before), target, where=str(map_file))
    outcome = Outcome()
    left: list[pa.RecordBatch] = []
    parameters = {"from": old, "to": new, "map": class_map.document, "batches": list(batches)}
    with recording(
        project,
        ActivityKind.MIGRATE,
        parameters=parameters,
        sources=[source_file(project, map_file)],
        outcome=outcome,
    ) as activity:
        rows = _rows(project, Selector(schemas=(old,), batches=tuple(batches)), activity.head.size)
        n_migrated = _carry(activity, rows, class_map, target, left)
        n_left = sum(batch.num_rows for batch in left)
        if n_migrated + n_left == 0:
            raise Refused(
                "nothing-to-migrate", f"no live label stands under {old}", hint="lineage status"
            )
        activity.outcome.update(n_superseded=n_migrated, n_for_review=n_left)
    return _report(project, outcome, n_migrated, left)


def _rows(project: Project, selector: Selector, seq: int) -> Iterator[pa.RecordBatch]:
    return select.scan(project.ledger, selector, columns.REVISIONS.names, up_to=seq)


def _carry(
    activity: Recording,
    rows: Iterator[pa.RecordBatch],
    class_map: ClassMap,
    target: LabelSchema,
    left: list[pa.RecordBatch],
) -> int:
    n_done = 0
    for batch in rows:
        mapped = schemamap.apply_map(
            class_map,
            target,
            classes=batch["class"],
            kinds=batch["kind"],
            attributes=batch["attributes"],
        )
        if not mapped.is_mapped.all():
            left.append(_left(batch, mapped))
        chosen = pa.array(mapped.is_mapped)
        kept = batch.filter(chosen)
        n = kept.num_rows
        values: dict[str, object] = {name: kept[name] for name in columns.REVISIONS.names}
        values |= {
            "revision": activity.head.revision + 1 + n_done + np.arange(n),
            "seq": activity.seq,
            "operation": Operation.SUPERSEDE.value,
            "supersedes": kept["revision"],
            "identity": Identity.ID.value,
            "identity_score": None,
            "class": mapped.classes.filter(chosen),
            "source_class": kept["class"],
            "attributes": mapped.attributes.filter(chosen),
            "schema": target.ref,
        }
        activity.append("revisions", columns.batch_of(columns.REVISIONS, values, n))
        n_done += n
    return n_done


def _left(batch: pa.RecordBatch, mapped: Mapped) -> pa.RecordBatch:
    columns_ = [batch["annotation"], batch["asset"], batch["class"], mapped.reasons]
    found = pa.RecordBatch.from_arrays(columns_, ["annotation", "asset", "class", "reason"])
    return found.filter(pa.array(~mapped.is_mapped))


def _report(
    project: Project, outcome: Outcome, n_migrated: int, left: list[pa.RecordBatch]
) -> MigrateReport:
    facts = trace.asset_facts(project, outcome.seq or 0)
    names = dict(zip(facts["asset"].to_pylist(), facts["name"].to_pylist(), strict=True))
    by_reason: dict[str, int] = {}
    rows: list[Mapping[str, object]] = []
    for batch in left:
        for entry in batch["reason"].value_counts().to_pylist():
            by_reason[entry["values"]] = by_reason.get(entry["values"], 0) + entry["counts"]
        for row in batch.slice(0, max(_REVIEW_ROWS - len(rows), 0)).to_pylist():
            rows.append({**row, "asset": names[row["asset"]]})
    n_left = sum(batch.num_rows for batch in left)
    return MigrateReport(outcome.activity, n_migrated, n_left, tuple(rows), by_reason)
