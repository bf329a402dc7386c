"""Import: exports go in, and every label is on record with who, when, and under which guideline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lineage.activities import batches, emit, recognise, record, repeats
from lineage.activities.context import Project
from lineage.activities.readiness import refuse_unready
from lineage.activities.record import Outcome, SourceFile, recording
from lineage.activities.sizes import KnownSizes
from lineage.activities.spool import Spool, fill
from lineage.errors import BadInput, Refused
from lineage.formats import TASKS, ReadOptions, sources
from lineage.formats.sources import Found, Piece
from lineage.labelschema import LabelSchema
from lineage.segments import Checkpoint, Ledger, scratch
from lineage.settings import load_yaml
from lineage.store import read
from lineage.terms import ActivityKind, Stage
from lineage.vcs.history import Commit


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
    map
        The mapping file of tables; with it, ``auto`` is ``table``.
    pixel_base
        Number of the first pixel in formats that do not say, 0 or 1.
    task
        What rows mean where a format does not declare it: one of `formats.TASKS`.
    commit
        The commit of a history from Git that the files are of: it stands in the record, its author
        made what is new or changed in it where the files name nobody, and no bytes are a repeat.
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
    map: Path | None = None
    pixel_base: int = 0
    task: str = "auto"
    commit: Commit | None = None


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did; ``docs/json.md`` gives the meaning of every number."""

    activity: str | None
    batch: str
    format: str
    format_reason: str
    schema: str
    sources: tuple[SourceFile, ...]
    passed_over: Mapping[str, int]
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
    notes: Mapping[str, str]
    identity: Mapping[str, object]
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
        Files, folders and archives of one format; see `formats.sources`.
    batch
        Tag of the batch.
    options
        How.

    Raises
    ------
    NotFound
        ``no-batch``.
    BadInput
        ``no-such-file``, ``mixed-formats``, ``nothing-to-import``, ``archive-...``, or the file's
        own failure; nothing was recorded.
    Refused
        ``batch-closed``, ``schema-not-locked``, ``batch-not-ready``: a volume batch lacks something
        (`readiness.check`), or ``strict``: labels violate the schema and ``is_strict`` was asked for;
        nothing was recorded.
    """
    how = options or ImportOptions()
    started = project.clock()
    target = batches.get(project, batch)
    told, asked = read_options(project.root, how)
    files = tuple(repeats.source(project, path, how.commit) for path in paths)
    given = [Piece(path, file.path) for path, file in zip(paths, files, strict=True)]
    files += tuple(record.source_file(project, path) for path in _besides(paths, how, told))
    with project.store.reading() as connection:
        known = repeats.newest(connection, batch, files, how, target.schema)
    if known is not None and all(
        sources.is_whole(path, repeats.format_of(known)) for path in paths
    ):
        return _repeat(project, batch, known, files)
    schema = batches.schema_for_import(project, target)
    refuse_unready(project, target)
    with scratch.room(project.root / ".lineage", "import-") as folder:
        found = sources.find(given, scratch=folder / "unpacked", format=asked)
        spool = _read(project, found, folder, told, schema, how.edge_tolerance_px)
        job = _job(how, target, found.format)
        if how.is_strict and spool.n_rejected and not how.is_dry_run:
            raise _strict(spool, _keep_violations(project, spool))
        if how.is_dry_run:
            done, outcome = emit.rehearse(project, job, spool), Outcome()
            kept = _keep_violations(project, spool)
        else:
            done, outcome = _record(project, job, spool, files, how, found)
            kept = _violations_path(spool, outcome)
    return ImportReport(
        activity=outcome.activity,
        batch=batch,
        format=found.format,
        format_reason=found.reason,
        schema=target.schema,
        sources=files,
        passed_over=found.passed_over,
        n_read=spool.n_read,
        n_rejected=spool.n_rejected,
        by_rule=dict(sorted(spool.by_rule.items())),
        violations_path=kept,
        losses=dict(sorted(spool.losses.items())),
        notes=dict(sorted(spool.notes.items())),
        checkpoint=outcome.checkpoint or project.ledger.checkpoint(),
        is_repeat=False,
        seconds=(project.clock() - started).total_seconds(),
        n_assets=done.n_assets,
        n_annotators=done.n_annotators,
        n_added=done.n_added,
        n_superseded=done.n_superseded,
        n_retracted=done.n_retracted,
        n_unchanged=done.n_unchanged,
        identity=done.identity,
    )


def _job(how: ImportOptions, target: read.BatchRow, format_name: str) -> emit.Job:
    author = None if how.commit is None else how.commit.author
    given = {how.annotator, *how.annotator_of_file.values(), author} - {None}
    return emit.Job(
        batch=target.tag,
        schema=target.schema,
        format=format_name,
        stage=how.stage,
        is_whole=how.is_whole,
        identity=how.identity,
        author=author,
        given=frozenset(str(name) for name in given),
    )


def _read(
    project: Project,
    found: Found,
    folder: Path,
    told: ReadOptions,
    schema: LabelSchema,
    tolerance_px: float,
) -> Spool:
    with sources.named_as_given(found.unpacked):
        return fill(
            folder,
            found.pieces,
            found.format,
            options=told,
            schema=schema,
            edge_tolerance_px=tolerance_px,
            progress=project.progress,
        )


def _record(
    project: Project,
    job: emit.Job,
    spool: Spool,
    files: Sequence[SourceFile],
    how: ImportOptions,
    found: Found,
) -> tuple[emit.Done, Outcome]:
    outcome = Outcome()
    with recording(
        project,
        ActivityKind.IMPORT,
        parameters=repeats.parameters(job, how, files),
        batch=job.batch,
        sources=files,
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
            identity={name: done.identity[name] for name in recognise.LOGGED},
            by_rule=dict(spool.by_rule),
            losses=dict(spool.losses),
            notes=dict(spool.notes),
            passed_over=dict(found.passed_over),
        )
    return done, outcome


def read_options(root: Path, how: ImportOptions) -> tuple[ReadOptions, str]:
    """Return what readers of a project are told, and the format to look for.

    Raises
    ------
    BadInput
        ``pixel-base``, ``task``, ``map-format``: a mapping file for something that is no table;
        ``settings-unreadable``: the mapping file.
    """
    if how.pixel_base not in (0, 1):
        raise BadInput("pixel-base", f"pixel base {how.pixel_base!r}, expected 0 or 1")
    if how.task not in TASKS:
        raise BadInput("task", f"task {how.task!r}, expected one of {', '.join(TASKS)}")
    format = "table" if how.map is not None and how.format == "auto" else how.format
    if how.map is not None and format != "table":
        raise BadInput(
            "map-format",
            f"a mapping file is for tables, and the format is {format}",
            hint="leave --map or --format out",
        )
    options = ReadOptions(
        annotator=how.annotator,
        annotator_of_file=dict(how.annotator_of_file),
        size_of=KnownSizes(Ledger(root / "ledger")),
        pixel_base=how.pixel_base,
        task=how.task,
        mapping=None if how.map is None else load_yaml(how.map),
    )
    return options, format


def _besides(paths: Sequence[Path], how: ImportOptions, told: ReadOptions) -> list[Path]:
    """Return the files that are read besides those that are named, the mapping file last."""
    found = [beside for path in paths for beside in sources.read_besides(path)]
    roster = (told.mapping or {}).get("roster", "rows")
    if isinstance(roster, str) and roster != "rows":
        found += [path.parent / roster for path in paths if (path.parent / roster).is_file()]
    return found if how.map is None else [*found, how.map]


def _repeat(
    project: Project,
    batch: str,
    entry: read.ActivityRow,
    files: tuple[SourceFile, ...],
) -> ImportReport:
    def total(name: str) -> int:
        return int(str(entry.outcome.get(name, 0)))

    return ImportReport(
        activity=None,
        batch=batch,
        format=repeats.format_of(entry),
        format_reason="as on record",
        schema=str(entry.parameters["schema"]),
        sources=files,
        passed_over={},
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
        notes={},
        identity=recognise.unasked("digest", "the same bytes are on record"),
        checkpoint=project.ledger.checkpoint(),
        is_repeat=True,
        seconds=0.0,
    )


def _violations_path(spool: Spool, outcome: Outcome) -> str | None:
    if not spool.by_rule or outcome.seq is None:
        return None
    return f"ledger/segments/{outcome.seq:08d}.quarantine.parquet"


def _keep_violations(project: Project, spool: Spool) -> str | None:
    if not spool.by_rule:
        return None
    kept = project.root / ".lineage" / "violations.parquet"
    spool.keep_violations(kept)
    return kept.relative_to(project.root).as_posix()


def _strict(spool: Spool, kept: str | None) -> Refused:
    rules = ", ".join(f"{rule} {n:,}" for rule, n in spool.by_rule.most_common())
    return Refused(
        "strict",
        f"{spool.n_rejected:,} of {spool.n_read:,} labels violate the schema ({rules}); "
        "nothing was recorded",
        hint=f"the complete table is in {kept}; without --strict the others go in",
    )
