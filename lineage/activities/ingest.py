"""Import: exports go in, and every label is on record with who, when, and under which guideline."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lineage import formats
from lineage.activities import batches, emit, record
from lineage.activities.context import Project
from lineage.activities.record import Outcome, SourceFile, recording
from lineage.activities.spool import Spool, fill
from lineage.errors import BadInput, Refused
from lineage.formats import ReadOptions
from lineage.segments import Checkpoint
from lineage.store import read
from lineage.terms import ActivityKind, Stage


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How an import is to be done (CONTRACT, ``import``).

    Parameters
    ----------
    format
        A name of `formats.READERS`, or ``auto``.
    stage
        In which stage the labels come in.
    is_whole
        The files hold all labels of their batch: what is not in them is retracted.
    is_strict
        Refuse everything if one label violates its schema.
    is_dry_run
        Report and record nothing.
    identity
        ``auto``, ``id`` or ``content``.
    annotator, annotator_of_file
        Handles for exports that name nobody.
    edge_tolerance_px
        How far a label may hang over the edge of its image.
    """

    format: str = "auto"
    stage: Stage = Stage.SUBMITTED
    is_whole: bool = False
    is_strict: bool = False
    is_dry_run: bool = False
    identity: str = "auto"
    annotator: str | None = None
    annotator_of_file: Mapping[str, str] = field(default_factory=dict)
    edge_tolerance_px: float = 1.0


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did; ``docs/json.md`` gives the meaning of every number."""

    activity: str | None
    batch: str
    format: str
    schema: str
    sources: tuple[SourceFile, ...]
    n_assets: int
    n_annotators: int
    n_read: int
    n_added: int
    n_superseded: int
    n_retracted: int
    n_unchanged: int
    n_rejected: int
    by_rule: Mapping[str, int]
    violations_path: str | None
    losses: Mapping[str, int]
    identity: Mapping[str, str]
    checkpoint: Checkpoint | None
    is_repeat: bool
    seconds: float


def import_labels(
    project: Project, paths: Sequence[Path], batch: str, *, options: ImportOptions | None = None
) -> ImportReport:
    """Record the labels of export files in a batch, as one activity.

    Parameters
    ----------
    project
        An open project.
    paths
        Files of one format.
    batch
        Tag of the batch.
    options
        How.

    Raises
    ------
    NotFound
        ``no-batch``.
    BadInput
        ``no-such-file``, ``mixed-formats``, or the file's own failure; nothing was recorded.
    Refused
        ``batch-closed``, ``schema-not-locked``, or ``strict``: labels violate the schema and
        ``is_strict`` was asked for; nothing was recorded.
    """
    how = options or ImportOptions()
    started = project.clock()
    target = batches.get(project, batch)
    sources = tuple(record.source_file(project, path) for path in paths)
    format_name = _format_of(paths, how.format)
    with project.store.reading() as connection:
        if _is_repeat(connection, batch, sources, how, target.schema):
            return _repeat(project, connection, batch, format_name, target.schema, sources)
    schema = batches.schema_for_import(project, target)
    folder = Path(tempfile.mkdtemp(prefix="import-", dir=project.root / ".lineage"))
    try:
        spool = fill(
            folder,
            [(path, source.path) for path, source in zip(paths, sources, strict=True)],
            format_name,
            options=ReadOptions(how.annotator, dict(how.annotator_of_file)),
            schema=schema,
            edge_tolerance_px=how.edge_tolerance_px,
            progress=project.progress,
        )
        job = emit.Job(batch, target.schema, format_name, how.stage, how.is_whole, how.identity)
        if how.is_dry_run or (how.is_strict and spool.n_rejected):
            kept = _keep_violations(project, spool)
            if not how.is_dry_run:
                raise _strict(spool, kept)
            done, outcome = emit.rehearse(project, job, spool), Outcome()
        else:
            done, outcome = _record(project, job, spool, sources, how)
            kept = _violations_path(spool, outcome)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return ImportReport(
        activity=outcome.activity,
        batch=batch,
        format=format_name,
        schema=target.schema,
        sources=sources,
        n_read=spool.n_read,
        n_rejected=spool.n_rejected,
        by_rule=dict(sorted(spool.by_rule.items())),
        violations_path=kept,
        losses=dict(sorted(spool.losses.items())),
        checkpoint=outcome.checkpoint or project.ledger.checkpoint(),
        is_repeat=False,
        seconds=(project.clock() - started).total_seconds(),
        n_assets=done.n_assets,
        n_annotators=done.n_annotators,
        n_added=done.n_added,
        n_superseded=done.n_superseded,
        n_retracted=done.n_retracted,
        n_unchanged=done.n_unchanged,
        identity={"used": done.identity, "reason": done.reason},
    )


def _record(
    project: Project,
    job: emit.Job,
    spool: Spool,
    sources: Sequence[SourceFile],
    how: ImportOptions,
) -> tuple[emit.Done, Outcome]:
    outcome = Outcome()
    with recording(
        project,
        ActivityKind.IMPORT,
        parameters=_parameters(job, how),
        batch=job.batch,
        sources=sources,
        outcome=outcome,
    ) as activity:
        done = emit.emit(activity, job, spool)
        for violations in spool.violations():
            activity.append("quarantine", violations)
        activity.outcome.update(
            n_read=spool.n_read,
            n_assets=done.n_assets,
            n_annotators=done.n_annotators,
            n_added=done.n_added,
            n_superseded=done.n_superseded,
            n_retracted=done.n_retracted,
            n_unchanged=done.n_unchanged,
            n_rejected=spool.n_rejected,
            identity={"used": done.identity, "reason": done.reason},
            by_rule=dict(spool.by_rule),
            losses=dict(spool.losses),
        )
    return done, outcome


def _parameters(job: emit.Job, how: ImportOptions) -> dict[str, object]:
    return {
        "format": job.format,
        "schema": job.schema,
        "stage": how.stage.value,
        "whole": how.is_whole,
        "identity": how.identity,
        "annotator_given": how.annotator is not None or bool(how.annotator_of_file),
        "edge_tolerance_px": how.edge_tolerance_px,
    }


def _is_repeat(
    connection: read.Connection,
    batch: str,
    sources: Sequence[SourceFile],
    how: ImportOptions,
    schema: str,
) -> bool:
    # Only the batch's newest import may be skipped by its bytes: an older export that comes back
    # takes the batch back to what it says.
    seen = read.source_digests(connection, batch)
    newest = max(seen.values(), default=0)
    if any(seen.get(source.digest) != newest for source in sources):
        return False
    entry = next(
        (a for a in read.activities(connection, after=newest - 1) if a.seq == newest), None
    )
    asked = {"schema": schema, "stage": how.stage.value, "whole": how.is_whole}
    return entry is not None and all(entry.parameters.get(k) == v for k, v in asked.items())


def _repeat(
    project: Project,
    connection: read.Connection,
    batch: str,
    format_name: str,
    schema: str,
    sources: tuple[SourceFile, ...],
) -> ImportReport:
    seen = read.source_digests(connection, batch)
    seqs = {seen[source.digest] for source in sources}
    entries = [a.outcome for a in read.activities(connection) if a.seq in seqs]

    def total(name: str) -> int:
        return sum(int(str(outcome.get(name, 0))) for outcome in entries)

    return ImportReport(
        activity=None,
        batch=batch,
        format=format_name,
        schema=schema,
        sources=sources,
        n_assets=total("n_assets"),
        n_annotators=total("n_annotators"),
        n_read=total("n_read"),
        n_added=0,
        n_superseded=0,
        n_retracted=0,
        n_unchanged=total("n_read") - total("n_rejected"),
        n_rejected=total("n_rejected"),
        by_rule={},
        violations_path=None,
        losses={},
        identity={"used": "digest", "reason": "the same bytes are on record"},
        checkpoint=project.ledger.checkpoint(),
        is_repeat=True,
        seconds=0.0,
    )


def _format_of(paths: Sequence[Path], asked: str) -> str:
    if not paths:
        raise BadInput("no-such-file", "no file to import", hint="lineage import FILE --batch TAG")
    if asked != "auto":
        formats.reader(asked)
        return asked
    found = {path: formats.sniff(path) for path in paths}
    if len(set(found.values())) > 1:
        told = ", ".join(f"{path.name}: {name}" for path, name in found.items())
        raise BadInput(
            "mixed-formats",
            f"files of one import must have one format, found {told}",
            hint="import each format by itself",
        )
    return next(iter(found.values()))


def _violations_path(spool: Spool, outcome: Outcome) -> str | None:
    if not spool.by_rule or outcome.seq is None:
        return None
    return f"ledger/segments/{outcome.seq:08d}.quarantine.parquet"


def _keep_violations(project: Project, spool: Spool) -> str | None:
    if not spool.by_rule:
        return None
    kept = project.root / ".lineage" / "violations.parquet"
    shutil.move(spool.violations_path, kept)
    return kept.relative_to(project.root).as_posix()


def _strict(spool: Spool, kept: str | None) -> Refused:
    rules = ", ".join(f"{rule} {n:,}" for rule, n in spool.by_rule.most_common())
    return Refused(
        "strict",
        f"{spool.n_rejected:,} of {spool.n_read:,} labels violate the schema ({rules}); "
        "nothing was recorded",
        hint=f"the complete table is in {kept}; without --strict the others go in",
    )
