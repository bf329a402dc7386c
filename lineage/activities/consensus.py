"""Consensus: one label from several opinions, on record as what it is, a rule's work.

Each task and schema is a question of its own, and its answers stand in a batch of
their own, so that nothing is overwritten and a dataset version asks for them by
name (``origins: [consensus]``). A run looks at all opinions anew and writes what
has changed since the last one. Start reading at `consensus`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import (
    batches,
    collect,
    consensus_earlier,
    consensus_list,
    consensus_record,
    consensus_results,
    consensus_scopes,
    schemas,
)
from lineage.activities.consensus_earlier import Change, Earlier
from lineage.activities.consensus_gold import known_of
from lineage.activities.consensus_results import Results
from lineage.activities.consensus_rules import (
    Decided,
    Limits,
    Reason,
    decided,
    habits_of,
    words_of_reason,
)
from lineage.activities.consensus_scopes import Scope
from lineage.activities.consensus_units import Gathered, collected
from lineage.activities.context import Project
from lineage.activities.gather import Threshold
from lineage.activities.opinions import Opinions
from lineage.activities.record import Outcome, recording
from lineage.activities.trace import Choice
from lineage.errors import Refused, Usage
from lineage.labelschema import LabelSchema
from lineage.store import read
from lineage.store.read import BatchRow
from lineage.terms import ActivityKind, BatchKind, Completeness, Stage

Row = dict[str, object]
TAU = 0.4
"""Least overlap of two opinions on one object: best on real crowd boxes (METHODS 5.2)."""

_STAGES = (Stage.SUBMITTED, Stage.IN_REVIEW, Stage.FINAL)
_COUNTS = (
    "n_images", "n_opinions", "n_units", "n_gold", "n_settled", "n_for_review", "n_single", "n_added",
    "n_superseded", "n_retracted", "n_unchanged", "n_left_to_people",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ConsensusOptions:
    """How a consensus is to be found.

    Parameters
    ----------
    iou
        Least overlap of two opinions on one object.
    limits
        From where on a label is settled.
    stage
        In which stage settled labels come in; those for review come in ``in_review``.
    batch
        Tag of the batch that they come into; None for ``consensus-TASK``, made when missing.
    is_rehearsal
        Write nothing.
    is_listed
        Tell of every object in the report's table.
    """

    iou: float = TAU
    limits: Limits = field(default_factory=Limits)
    stage: Stage = Stage.SUBMITTED
    batch: str | None = None
    is_rehearsal: bool = False
    is_listed: bool = True


@dataclass(frozen=True, slots=True)
class ConsensusReport:
    """What a consensus found and wrote; ``docs/consensus.md`` gives the meaning of every number.

    ``table`` is `columns.CONSENSUS`, an object a row.
    """

    iou_threshold: float
    quorum_fraction: float
    posterior: float
    counts: Mapping[str, int]
    by_reason: Mapping[str, int]
    batches: Sequence[Row]
    habits: Sequence[Row]
    table: pa.Table


@dataclass(frozen=True, slots=True)
class _Found:
    """What was gathered and decided in a scope; ``version`` is of each object, into ``schemas``."""

    opinions: Opinions
    gathered: Gathered
    decided: Decided
    is_known: np.ndarray
    image_version: Mapping[int, int]
    version: np.ndarray
    schemas: Sequence[LabelSchema]


def consensus(
    project: Project, choice: Choice | None = None, options: ConsensusOptions | None = None
) -> ConsensusReport:
    """Find the labels that independent opinions agree on, and record what has changed.

    Parameters
    ----------
    project
        An open project.
    choice
        Batches, schemas and images whose opinions count.
    options
        How.

    Raises
    ------
    Usage
        ``usage``: a limit outside [0, 1], or a choice of anything but batches, schemas and images.
    Refused
        ``consensus-batch``: the batch to write to holds other things, or is one for several schema
        versions; ``consensus-overtaken``: something was recorded meanwhile; ``batch-closed``,
        ``schema-retired``, ``schema-changed``.
    """
    asked, how = choice or Choice(), options or ConsensusOptions()
    _refuse(asked, how)
    rows, tables, habits = [], [], []
    reasons: Counter[str] = Counter()
    scopes = consensus_scopes.scopes(project, asked)
    if how.batch is not None and len(scopes) > 1:
        raise Refused(
            "consensus-batch",
            f"{len(scopes)} tasks and schemas cannot share batch {how.batch}",
            hint="--batch chooses opinions of one",
        )
    for scope in scopes:
        found = _found(project, scope, asked, how)
        if found is None:
            continue
        habits += habits_of(found.gathered.disputes, found.opinions.words)
        n_recorded = 0
        targets = consensus_scopes.targets(project, scope, found.schemas, how.batch)
        # of a version that no opinion is under any more, nothing is left
        stale = consensus_scopes.left_behind(project, scope, targets) if how.batch is None else []
        places = [*enumerate(targets), *((-1, batch) for batch in stale)]
        for version, target in places:
            row, n_own = _settle(project, found, (version, target), asked, how, n_recorded)
            n_recorded += n_own
            rows.append(row)
            if how.is_listed:
                here = np.flatnonzero(found.version == version)
                listed = (found.opinions, found.gathered, found.decided)
                tables.append(consensus_list.table_of(project, listed, here, target))
            reasons.update(_reasons(found, version))
    empty = pa.Table.from_batches([columns.empty(columns.CONSENSUS)])
    return ConsensusReport(
        iou_threshold=how.iou,
        quorum_fraction=how.limits.quorum_fraction,
        posterior=how.limits.posterior,
        counts={name: sum(int(str(row[name])) for row in rows) for name in _COUNTS},
        by_reason={word: reasons[word] for word in map(_word, Reason) if reasons[word]},
        batches=rows,
        habits=habits,
        table=pa.concat_tables([empty, *tables]).unify_dictionaries(),
    )


def stage_of(word: str) -> Stage:
    """Return a stage that settled labels may come in with.

    Raises
    ------
    Usage
        ``usage``: another word.
    """
    if word not in _STAGES:
        raise Usage("usage", f"--stage {word!r}, expected one of {', '.join(_STAGES)}")
    return Stage(word)


def _refuse(asked: Choice, how: ConsensusOptions) -> None:
    limits = {
        "--iou": how.iou,
        "--quorum": how.limits.quorum_fraction,
        "--posterior": how.limits.posterior,
    }
    for name, value in limits.items():
        if not 0 <= value <= 1:
            raise Usage("usage", f"{name} {value!r}, expected a fraction in [0, 1]")
    if asked != Choice(batch=asked.batch, schema=asked.schema, asset=asked.asset):
        raise Usage(
            "usage",
            "a consensus is of all opinions on an image, whoever's, of whatever class and time",
            hint="--batch, --schema and --asset choose among them",
        )


def _found(project: Project, scope: Scope, asked: Choice, how: ConsensusOptions) -> _Found | None:
    opinions = collect.load(project, Choice(batch=scope.tags, asset=asked.asset))
    if len(opinions.answers.image) == 0:
        return None
    gathered = collected(opinions, Threshold(how.iou), project.progress)
    refs, image_version = consensus_scopes.versions(project, opinions)
    known_schemas = [schemas.as_schema(schemas.get(project, ref)) for ref in refs]
    version = np.array([image_version[i] for i in gathered.objects.image.tolist()], np.int64)
    standing = (version, known_schemas)
    known = known_of(project, gathered, opinions.words, standing, seq=opinions.seq, tau=how.iou)
    is_known = np.zeros(len(version), bool)
    is_known[known[0]] = True
    made = decided(gathered, opinions.words, known, standing, how.limits)
    return _Found(opinions, gathered, made, is_known, image_version, version, known_schemas)


def _settle(
    project: Project,
    found: _Found,
    target: tuple[int, BatchRow],
    asked: Choice,
    how: ConsensusOptions,
    n_recorded: int,
) -> tuple[Row, int]:
    """Record what changes in a batch; return its row of the report and how many activities it took."""
    version, batch = target
    seq, objects = found.opinions.seq, found.gathered.objects
    here = found.version == version
    chosen = np.flatnonzero(here & found.decided.is_written)
    words = found.opinions.words
    new = consensus_results.results(
        objects,
        found.gathered.votes,
        found.decided,
        chosen,
        {"class": words.classes, "kind": words.kinds, "attributes": words.attributes},
    )
    with project.store.reading() as connection:
        log = read.activities(connection)
    runs, migrations = (
        [entry.seq for entry in log if entry.kind == kind]
        for kind in (ActivityKind.CONSENSUS, ActivityKind.MIGRATE)
    )
    old = consensus_earlier.earlier(project.ledger, batch.tag, seq, runs, migrations)
    is_whole = asked == Choice()
    looked_at = np.array([i for i, v in found.image_version.items() if v == version], np.int64)
    done = consensus_earlier.change(
        new, found.gathered.votes, old, None if is_whole else np.array(list(found.image_version))
    )
    said = _said(found, looked_at, here, new.unit[done.left])
    news = consensus_record.completeness(project.ledger, batch.tag, seq, said, is_whole=is_whole)
    counts = _counts(found, here, looked_at, done)
    activity, n_own = None, 0
    if not how.is_rehearsal and (done.n or len(np.asarray(news["asset"]))):
        activity, n_own = _record(
            project, batch, (new, old, done), news, counts, how, seq + n_recorded
        )
    row: Row = {
        "batch": batch.tag,
        "task": batch.task,
        "schema": batch.schema,
        "activity": activity,
    }
    return {**row, **counts}, n_own


def _said(
    found: _Found, looked_at: np.ndarray, here: np.ndarray, left: np.ndarray
) -> dict[int, Completeness]:
    """Return how far each image is: what people have decided is not for review."""
    image = found.gathered.objects.image
    is_open = here & (found.decided.reason != 0)
    is_open[left] = False
    open_images = set(image[is_open].tolist())
    drawn = set(image[here].tolist())
    return {
        asset: Completeness.IN_PROGRESS
        if asset in open_images
        else (Completeness.COMPLETE if asset in drawn else Completeness.COMPLETE_EMPTY)
        for asset in looked_at.tolist()
    }


def _counts(found: _Found, here: np.ndarray, looked_at: np.ndarray, done: Change) -> dict[str, int]:
    objects, reason = found.gathered.objects, found.decided.reason
    return {
        "n_images": len(looked_at),
        "n_opinions": int(objects.n_opinions[here].sum()),
        "n_units": int(here.sum()),
        "n_gold": int((here & found.is_known).sum()),
        "n_settled": int((here & (reason == 0)).sum()),
        "n_for_review": int((here & (reason != 0)).sum()),
        "n_single": int((here & (objects.n_opinions == 1)).sum()),
        "n_added": len(done.added),
        "n_superseded": len(done.superseding),
        "n_retracted": len(done.retracted),
        "n_unchanged": done.n_unchanged,
        "n_left_to_people": len(done.left),
    }


def _record(
    project: Project,
    batch: BatchRow,
    written: tuple[Results, Earlier | None, Change],
    news: Mapping[str, object],
    counts: Mapping[str, int],
    how: ConsensusOptions,
    expected: int,
) -> tuple[str | None, int]:
    """Record a run; return its activity and how many it took with the batch's making."""
    n_own = 0
    if batch.id == 0:
        order = batches.BatchOrder(batch.tag, batch.task, batch.schema, BatchKind(batch.kind))
        batches.create(project, order)
        n_own += 1
    outcome = Outcome()
    parameters = {
        "iou": how.iou,
        "quorum": how.limits.quorum_fraction,
        "posterior": how.limits.posterior,
        "stage": how.stage.value,
        "schema": batch.schema,
    }
    with recording(
        project, ActivityKind.CONSENSUS, parameters=parameters, batch=batch.tag, outcome=outcome
    ) as activity:
        if activity.head.size != expected + n_own:
            raise Refused(
                "consensus-overtaken",
                "something was recorded while opinions were being read",
                hint="lineage consensus again",
            )
        new, old, done = written
        consensus_record.write(activity, (batch.tag, batch.schema), new, old, done, how.stage)
        n_news = len(np.asarray(news["asset"]))
        values = {**news, "seq": activity.seq, "batch": batch.tag}
        activity.append(
            "completeness", columns.batch_of(columns.SEGMENT_COMPLETENESS, values, n_news)
        )
        activity.outcome.update(counts)
    return outcome.activity, n_own + 1


def _reasons(found: _Found, version: int) -> Counter[str]:
    reason = found.decided.reason[found.version == version]
    return Counter({_word(one): int(((reason & int(one)) != 0).sum()) for one in Reason})


def _word(reason: Reason) -> str:
    return words_of_reason(reason)[0]
