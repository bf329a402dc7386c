"""Which questions a consensus answers, under which schema version, and where its answers go."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lineage.activities import batches, schemas, trace
from lineage.activities.context import Project
from lineage.activities.opinions import Opinions
from lineage.activities.trace import Choice
from lineage.errors import Refused
from lineage.labelschema import LabelSchema
from lineage.store import read
from lineage.store.read import BatchRow
from lineage.terms import ActivityKind, BatchKind, BatchState, SchemaState


@dataclass(frozen=True, slots=True)
class Scope:
    """A task under a schema: the batches whose opinions are compared."""

    task: str
    schema: str
    tags: tuple[str, ...]


def scopes(project: Project, asked: Choice) -> list[Scope]:
    """Return the scopes of the chosen batches; what a consensus wrote to holds no opinions."""
    trace.selector_of(project, asked)
    known, (imported, written) = batches.list_all(project), _used(project)
    by_scope: dict[tuple[str, str], list[str]] = {}
    for row in sorted(known, key=lambda row: row.id):
        is_chosen = (not asked.batch or row.tag in asked.batch) and (
            not asked.schema or row.schema in asked.schema
        )
        if is_chosen and row.tag in imported - written:
            by_scope.setdefault((row.task, row.schema.split("@")[0]), []).append(row.tag)
    return [Scope(task, schema, tuple(own)) for (task, schema), own in sorted(by_scope.items())]


def versions(project: Project, opinions: Opinions) -> tuple[list[str], dict[int, int]]:
    """Return the schema versions in force, oldest first, and of each image the newest among its opinions."""
    with project.store.reading() as connection:
        of_batch = {row.tag: row.schema for row in read.batches(connection)}
    words = opinions.words
    batch_refs = [of_batch[tag] for tag in words.batches]
    refs = sorted({*batch_refs, *words.schemas}, key=_number)
    rank = {ref: at for at, ref in enumerate(refs)}
    answered = np.array([rank[ref] for ref in batch_refs], np.int64)[opinions.answers.batch]
    labelled = np.array([rank[ref] for ref in words.schemas], np.int64)[opinions.labels.schema]
    image = np.concatenate([opinions.answers.image, opinions.labels.image])
    version = np.concatenate([answered, labelled])
    order = np.lexsort((version, image))
    last = order[np.flatnonzero(np.diff(image[order], append=-1))]
    used = np.unique(version[last])
    code = np.searchsorted(used, version[last])
    return [refs[at] for at in used.tolist()], dict(
        zip(image[last].tolist(), code.tolist(), strict=True)
    )


def targets(
    project: Project, scope: Scope, under: Sequence[LabelSchema], batch: str | None
) -> list[BatchRow]:
    """Return, per schema version, the batch to write to, with id 0 where it is still to be made.

    Raises
    ------
    Refused
        ``consensus-batch``, ``batch-closed``, ``schema-retired``, ``schema-changed``.
    """
    known, (imported, written) = batches.list_all(project), _used(project)
    by_tag = {row.tag: row for row in known}
    found: list[BatchRow] = []
    for schema in under:
        for tag in _names(scope, schema.ref) if batch is None else [batch]:
            row = by_tag.get(tag) or _ordered(project, scope, schema, tag)
            is_ours = tag in written or tag not in imported
            if (row.schema, row.task) == (schema.ref, scope.task) and is_ours:
                break
        else:
            raise Refused(
                "consensus-batch",
                f"batch {tag} cannot take the consensus of {scope.task!r} under {schema.ref}: it "
                "holds opinions, or is of another task or schema version",
                hint="--batch-out NEW, with --batch or --schema where there are several",
            )
        if row.id:
            batches.schema_for_import(project, row)
        found.append(row)
        by_tag[tag] = row
    return found


def left_behind(project: Project, scope: Scope, taken: Sequence[BatchRow]) -> list[BatchRow]:
    """Return the open batches of earlier runs that no version in force goes to now.

    Those that somebody named are theirs.
    """
    _, written = _used(project)
    tags = {row.tag for row in taken}
    return [
        row
        for row in batches.list_all(project)
        if row.tag in written - tags
        and (row.task, row.schema.split("@")[0]) == (scope.task, scope.schema)
        and row.tag in _names(scope, row.schema)
        and row.state == BatchState.OPEN
    ]


def _ordered(project: Project, scope: Scope, schema: LabelSchema, tag: str) -> BatchRow:
    """Return a batch that is still to be made; a draft's opinions are a pilot's."""
    is_draft = schemas.get(project, schema.ref).state == SchemaState.DRAFT
    kind = BatchKind.PILOT if is_draft else BatchKind.ARCHIVE
    return BatchRow(
        id=0, tag=tag, task=scope.task, schema=schema.ref, kind=kind.value, vendor=None,
        priority=0, policy={}, state=BatchState.OPEN,
    )  # fmt: skip


def _names(scope: Scope, ref: str) -> list[str]:
    """Return the tags that a batch of a scope and schema version may have, the plain one first."""
    task = re.sub(r"[^A-Za-z0-9._-]+", "-", scope.task).strip("-.") or "task"
    return [f"consensus-{task}", f"consensus-{task}-{ref.replace('@', '-')}"]


def _used(project: Project) -> tuple[set[str | None], set[str | None]]:
    """Return the batches that labels were imported into, and those that a consensus wrote to."""
    with project.store.reading() as connection:
        done = read.activities(connection)
    imported, written = (
        {entry.batch for entry in done if entry.kind == kind}
        for kind in (ActivityKind.IMPORT, ActivityKind.CONSENSUS)
    )
    return imported, written


def _number(ref: str) -> tuple[int, ...]:
    return tuple(int(part) for part in ref.split("@")[1].split("."))
