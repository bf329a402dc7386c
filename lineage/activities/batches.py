"""Batches: labels ordered together, under one guideline, each with a gate of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lineage.activities import schemas
from lineage.activities.context import Project
from lineage.activities.record import recording
from lineage.errors import BadInput, NotFound, Refused
from lineage.labelschema import LabelSchema
from lineage.settings import is_safe_name
from lineage.store import read
from lineage.store.read import BatchRow
from lineage.terms import ActivityKind, BatchKind, BatchState, SchemaState

POLICY: Mapping[str, float] = {
    "overlap_fraction": 0.0,
    "review_fraction": 0.0,
    "gold_fraction": 0.0,
    "agreement_least": 0.8,
}
"""What a policy says, and what holds where an order does not say it; all in [0, 1]."""


@dataclass(frozen=True, slots=True)
class BatchOrder:
    """What a new batch is to be.

    Parameters
    ----------
    tag
        Its name: letters, digits and ``. _ -``.
    task
        What is to be labelled, in a word or two.
    schema
        ``name@version``.
    kind
        ``archive`` (labels that exist already), ``pilot`` or ``volume``.
    vendor
        Who labels.
    priority
        Higher comes first.
    policy
        Values of `POLICY`: the fractions of images that are labelled twice and that have gold, of
        labels that are re-checked, and what agreement a pilot has to reach.
    """

    tag: str
    task: str
    schema: str
    kind: BatchKind = BatchKind.ARCHIVE
    vendor: str | None = None
    priority: int = 0
    policy: Mapping[str, float] | None = None


def create(project: Project, order: BatchOrder) -> BatchRow:
    """Create a batch.

    Raises
    ------
    BadInput
        ``batch-tag`` or ``batch-policy``.
    NotFound
        ``no-schema``.
    Refused
        ``batch-exists``, or ``schema-not-locked``: only a pilot may work under a draft.
    """
    if not is_safe_name(order.tag):
        raise BadInput(
            "batch-tag", f"{order.tag!r} is no batch tag, expected letters, digits and . _ - only"
        )
    policy = _policy(order.policy or {})
    if any(row.tag == order.tag for row in list_all(project)):
        raise Refused(
            "batch-exists",
            f"there is a batch {order.tag} already",
            hint=f"lineage batch show {order.tag}",
        )
    row = schemas.get(project, order.schema)
    _refuse_unlocked(row, order.kind)
    parameters = {"tag": order.tag, "task": order.task, "schema": order.schema, "kind": order.kind}
    with recording(
        project, ActivityKind.BATCH_CREATE, parameters=parameters, batch=order.tag
    ) as activity:
        activity.add(
            "batches",
            {
                "id": activity.head.batch + 1,
                "tag": order.tag,
                "task": order.task,
                "schema_id": row.id,
                "kind": order.kind.value,
                "vendor": order.vendor,
                "priority": order.priority,
                "policy": policy,
            },
        )
    return get(project, order.tag)


def policy_of(row: BatchRow) -> dict[str, float]:
    """Return a batch's policy; what one of an earlier release does not say is as `POLICY` has it."""
    return {name: float(str(row.policy.get(name, value))) for name, value in POLICY.items()}


def close(project: Project, tag: str, *, reason: str = "") -> BatchRow:
    """Close a batch: what it holds stays, nothing further comes in.

    Raises
    ------
    NotFound
        ``no-batch``.
    """
    row = get(project, tag)
    if row.state != BatchState.CLOSED:
        parameters = {"tag": tag, "reason": reason}
        with recording(
            project, ActivityKind.BATCH_CLOSE, parameters=parameters, batch=tag
        ) as activity:
            activity.add(
                "states",
                {
                    "subject": "batch",
                    "subject_id": row.id,
                    "state": BatchState.CLOSED.value,
                    "reason": reason,
                },
            )
    return get(project, tag)


def list_all(project: Project) -> Sequence[BatchRow]:
    """Return every batch, those of high priority first."""
    with project.store.reading() as connection:
        return read.batches(connection)


def get(project: Project, tag: str) -> BatchRow:
    """Return one batch.

    Raises
    ------
    NotFound
        ``no-batch``.
    """
    for row in list_all(project):
        if row.tag == tag:
            return row
    raise NotFound(
        "no-batch",
        f"no batch {tag!r} on record",
        hint=f"lineage batch create {tag} --task TASK --schema NAME@VERSION",
    )


def schema_for_import(project: Project, row: BatchRow) -> LabelSchema:
    """Return the schema by which the labels that come into a batch are judged.

    Raises
    ------
    Refused
        ``batch-closed``, ``schema-not-locked``, ``schema-retired`` or ``schema-changed``.
    """
    if row.state == BatchState.CLOSED:
        raise Refused("batch-closed", f"batch {row.tag} is closed", hint="create another batch")
    schema = schemas.get(project, row.schema)
    _refuse_unlocked(schema, BatchKind(row.kind))
    schemas.refuse_changed(project, schema)
    return schemas.as_schema(schema)


def _policy(given: Mapping[str, float]) -> dict[str, float]:
    wrong = [f"{name}: unknown" for name in given if name not in POLICY]
    wrong += [
        f"{name}: {value!r}"
        for name, value in given.items()
        if name in POLICY and not 0 <= value <= 1
    ]
    if wrong:
        raise BadInput(
            "batch-policy",
            f"{'; '.join(wrong)} in the policy, expected fractions in [0, 1] of {', '.join(POLICY)}",
        )
    return {**POLICY, **given}


def _refuse_unlocked(row: read.SchemaRow, kind: BatchKind) -> None:
    if row.state == SchemaState.DRAFT and kind is not BatchKind.PILOT:
        raise Refused(
            "schema-not-locked",
            f"{row.ref} is a draft; only a pilot batch may use one",
            hint=f"lineage schema lock {row.ref}, or --kind pilot",
        )
    if row.state == SchemaState.RETIRED:
        raise Refused("schema-retired", f"{row.ref} is retired", hint="use a newer version")
