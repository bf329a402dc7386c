"""The ``ingest`` stage: schemas, batches and sources as ``params.yaml`` names them, if they are new."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lineage import labelschema
from lineage.activities import batches, gold_batches, schemas
from lineage.activities.batches import BatchOrder
from lineage.activities.context import Project
from lineage.activities.gold_batches import GoldBatch
from lineage.activities.ingest import ImportOptions, ImportReport, import_labels
from lineage.errors import BadInput, Refused
from lineage.settings import IngestBatch, IngestSource, Params, load_params
from lineage.terms import BatchKind, SchemaState, Stage


@dataclass(frozen=True, slots=True)
class Refusal:
    """A batch whose sources could not be imported, and why."""

    batch: str
    slug: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What the stage did; a refused batch holds no other back."""

    schemas: tuple[str, ...]
    batches: tuple[str, ...]
    imports: tuple[ImportReport, ...]
    gold: tuple[GoldBatch, ...]
    refused: tuple[Refusal, ...]


def ingest(project: Project) -> IngestReport:
    """Bring the ledger up to what ``params.yaml`` lists.

    Schema files that are new are added, and locked if a batch that is no pilot uses them; batches
    that are missing are created; sources are imported in the order of the file, those on record
    already changing nothing; what a batch of gold holds is declared gold.

    A batch whose sources fail (a torn file, a closed batch, one that is not ready for volume) is
    reported as refused; the others go in.

    Raises
    ------
    Refused
        ``batch-differs``: a batch on record has another schema, kind or policy than ``params.yaml``
        says.
    StoreFault
        The store or the disk fails: nothing further is tried.
    """
    params = load_params(project.root)
    added = _schemas(project, params)
    created = [order.tag for order in params.ingest if _batch(project, order)]
    reports: list[ImportReport] = []
    declared: list[GoldBatch] = []
    refused: list[Refusal] = []
    for order in params.ingest:
        try:
            reports += _sources(project, order, params)
            if order.gold:
                declared.append(gold_batches.keep(project, order.tag, order.gold_edge_cases))
        except (BadInput, Refused) as exc:
            refused.append(Refusal(order.tag, exc.slug, str(exc), exc.hint))
    return IngestReport(
        tuple(added), tuple(created), tuple(reports), tuple(declared), tuple(refused)
    )


def _schemas(project: Project, params: Params) -> list[str]:
    locked = {order.schema for order in params.ingest if order.kind != BatchKind.PILOT}
    added = []
    known = {row.ref: row for row in schemas.list_all(project)}
    for path in sorted((project.root / params.schemas_dir).glob("*/v*.json")):
        schema = labelschema.load(path)
        row = known.get(schema.ref)
        if row is None or row.digest != schema.digest:
            schemas.add(project, path)
            added.append(schema.ref)
        if schema.ref in locked and (row is None or row.state == SchemaState.DRAFT):
            schemas.lock(project, schema.ref, reason="named by params.yaml")
    return added


def _batch(project: Project, order: IngestBatch) -> bool:
    known = {row.tag: row for row in batches.list_all(project)}
    row = known.get(order.tag)
    policy = {name: float(getattr(order, name)) for name in batches.POLICY}
    if row is None:
        kind = _kind(order)
        batches.create(
            project,
            BatchOrder(
                order.tag, order.task, order.schema, kind, order.vendor, order.priority, policy
            ),
        )
        return True
    if (row.schema, row.kind) != (order.schema, order.kind):
        raise Refused(
            "batch-differs",
            f"batch {order.tag} is on record as {row.kind} under {row.schema}, "
            f"params.yaml says {order.kind} under {order.schema}",
            hint="history is not changed: give the new order a tag of its own",
        )
    stands = batches.policy_of(row)
    differing = [name for name in policy if policy[name] != stands[name]]
    if differing:
        told = (f"{name} {stands[name]:g}, not {policy[name]:g}" for name in differing)
        raise Refused(
            "batch-differs",
            f"the policy of batch {order.tag} is on record, and fixed: {', '.join(told)}",
            hint="take params.yaml back to it, or give the new order a tag of its own",
        )
    return False


def _kind(order: IngestBatch) -> BatchKind:
    if order.kind not in set(BatchKind):
        raise BadInput(
            "batch-kind",
            f"batch {order.tag}: {order.kind!r}, expected one of {', '.join(BatchKind)}",
        )
    return BatchKind(order.kind)


def _sources(project: Project, order: IngestBatch, params: Params) -> list[ImportReport]:
    groups: dict[IngestSource, list[Path]] = {}
    for source in order.sources:
        how = dataclasses.replace(source, path="")
        groups.setdefault(how, []).extend(_paths(project, source.path))
    n_whole = Counter(how.whole for how in groups)
    if n_whole[True] and len(groups) > 1:
        raise BadInput(
            "whole-in-parts",
            f"batch {order.tag} has sources of {len(groups)} sorts, so none of them is whole",
            hint="give each sort a batch of its own, or leave whole out",
        )
    return [
        import_labels(project, _outermost(paths), order.tag, options=_options(project, how, params))
        for how, paths in groups.items()
    ]


def _options(project: Project, how: IngestSource, params: Params) -> ImportOptions:
    if how.stage not in set(Stage):
        raise BadInput("stage", f"{how.stage!r} is no stage, expected one of {', '.join(Stage)}")
    return ImportOptions(
        format=how.format,
        stage=Stage(how.stage),
        is_whole=how.whole,
        identity=how.identity,
        annotator=how.annotator,
        edge_tolerance_px=params.edge_tolerance_px,
        map=None if how.map is None else _paths(project, how.map)[0],
        pixel_base=how.pixel_base,
        task=how.task,
    )


def _outermost(paths: Sequence[Path]) -> list[Path]:
    """Return paths in order, those left out that lie in a folder which is given too."""
    given = set(paths)
    return sorted(path for path in given if given.isdisjoint(path.parents))


def _paths(project: Project, pattern: str) -> Sequence[Path]:
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise BadInput(
            "path-outside",
            f"source {pattern!r} leaves the project",
            hint="put exports into inbox/",
            where="params.yaml: ingest",
        )
    found = sorted(path for path in project.root.glob(pattern) if path.is_file() or path.is_dir())
    if not found:
        raise BadInput(
            "no-such-file",
            f"source {pattern!r} names no file",
            hint="put the export there, or take the source out",
            where="params.yaml: ingest",
        )
    return found
