"""From what was read to rows of the ledger: names become keys, labels become revisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import answers, assetnames, recognise
from lineage.activities.context import Project
from lineage.activities.handles import People, Rehearsed, with_pseudonyms
from lineage.activities.identify import ADD, SUPERSEDE, UNCHANGED, Plan
from lineage.activities.prior import Prior, prior_of
from lineage.activities.recognise import Recognised
from lineage.activities.record import Recording
from lineage.activities.select import Selector, scan
from lineage.activities.spool import Spool
from lineage.formats import TOOLS
from lineage.formats.mentions import rewritten
from lineage.store import read
from lineage.terms import Operation, Stage


@dataclass(frozen=True, slots=True)
class Job:
    """What holds for every label of an import.

    ``author`` is of what is new, where nobody is named; ``given`` are names that the caller gave.
    """

    batch: str
    schema: str
    format: str
    stage: Stage
    is_whole: bool
    identity: str
    author: str | None = None
    given: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Done:
    """What became of the labels."""

    n_assets: int
    n_annotators: int
    n_added: int
    n_superseded: int
    n_retracted: int
    n_unchanged: int
    identity: Mapping[str, object]


def emit(activity: Recording, job: Job, spool: Spool) -> Done:
    """Append what an import read to the activity that records it."""
    project, head = activity.project, activity.head
    images = assetnames.find(spool.assets, project.ledger, head, activity.connection)
    assetnames.append(activity, images, spool.assets)
    people = People(activity, TOOLS.get(job.format, job.format), job.given)
    prior = prior_of(project.ledger, job.batch, head.size)
    found = _recognised(project, job, spool, images.keys, people, prior)
    n_retracted = _write_retractions(activity, job, prior, found.plan)
    _write_revisions(activity, job, spool, images.keys, people, prior, found)
    answers.write_roster(activity, job.batch, spool, images.keys, people.pseudonyms)
    answers.write_completeness(activity, _told(job, spool, images.keys, prior, found.plan))
    return _done(project, images.n_assets, people, found, n_retracted)


def rehearse(project: Project, job: Job, spool: Spool) -> Done:
    """Return what `emit` would do, writing nothing."""
    with project.store.reading() as connection:
        head = read.head(connection)
        images = assetnames.find(spool.assets, project.ledger, head, connection)
        people = Rehearsed(
            read.annotators(connection), TOOLS.get(job.format, job.format), job.given
        )
    for labels in spool.labels():
        people.pseudonyms(labels["annotator"], None)
    for rows in spool.roster():
        people.pseudonyms(rows["annotator"].dictionary_encode(), None)
    prior = prior_of(project.ledger, job.batch, head.size)
    found = _recognised(project, job, spool, images.keys, people, prior)
    answers.news(project, head.size, _told(job, spool, images.keys, prior, found.plan))
    n_retracted = len(found.plan.vanished) if job.is_whole else 0
    return _done(project, images.n_assets, people, found, n_retracted)


def _recognised(
    project: Project,
    job: Job,
    spool: Spool,
    keys: np.ndarray,
    people: People | Rehearsed,
    prior: Prior | None,
) -> Recognised:
    return recognise.recognise(
        spool,
        keys,
        people,
        prior,
        ledger=project.ledger,
        format_name=job.format,
        identity=job.identity,
        is_history=job.author is not None,
    )


def _done(
    project: Project,
    n_assets: int,
    people: People | Rehearsed,
    found: Recognised,
    n_retracted: int,
) -> Done:
    n = np.bincount(found.plan.operation, minlength=3)
    return Done(
        n_assets=n_assets,
        n_annotators=len(people.seen),
        n_added=int(n[ADD]),
        n_superseded=int(n[SUPERSEDE]),
        n_unchanged=int(n[UNCHANGED]),
        n_retracted=n_retracted,
        identity=recognise.report(found, project.root / ".lineage", project.root),
    )


def _write_revisions(
    activity: Recording,
    job: Job,
    spool: Spool,
    keys: np.ndarray,
    people: People,
    prior: Prior | None,
    found: Recognised,
) -> None:
    """Append what is new or changed; labels that follow others of this file come after them."""
    plan, after = found.plan, found.chains.after
    is_changed = plan.operation != UNCHANGED
    depth = found.chains.depth()
    numbers = _Numbers(activity, prior, plan, after)
    for level in range(int(depth.max(initial=0)) + 1):
        done = 0
        is_turn = is_changed & (depth == level)
        for labels in spool.labels():
            rows = slice(done, done + labels.num_rows)
            done += labels.num_rows
            changed = np.flatnonzero(is_turn[rows])
            if len(changed) == 0:
                continue
            chosen = rows.start + changed
            labels = _by(labels.take(pa.array(changed)), job.author)
            labels = with_pseudonyms(labels, people)
            labels = found.kept.put(labels, chosen)
            values = _carried(labels)
            values |= {"extra": rewritten(labels["extra"], people.mentioned)}
            values |= numbers.give(chosen)
            values |= {
                "seq": activity.seq,
                "identity": found.words(chosen),
                "identity_score": pa.array(plan.score[chosen], from_pandas=True),
                "asset": keys[np.asarray(labels["asset"])],
                "stage": job.stage.value,
                "schema": job.schema,
                "batch": job.batch,
            }
            activity.append("revisions", columns.batch_of(columns.REVISIONS, values))
            activity.project.progress("record", done, spool.n_accepted)


def _by(labels: pa.RecordBatch, author: str | None) -> pa.RecordBatch:
    """Return labels of which those that name nobody are the author's."""
    at = labels.schema.get_field_index("annotator")
    named = labels.column(at)
    if author is None or named.null_count == 0:
        return labels
    filled = named.cast(pa.string()).fill_null(author).dictionary_encode()
    return labels.set_column(at, labels.schema.field(at), filled.cast(columns.WORD))


def _carried(labels: pa.RecordBatch) -> dict[str, object]:
    names = [name for name in columns.REVISIONS.names if name in labels.schema.names]
    return {name: labels[name] for name in names}


class _Numbers:
    """The numbers of revisions and annotations, given out as labels are written."""

    def __init__(
        self, activity: Recording, prior: Prior | None, plan: Plan, after: np.ndarray
    ) -> None:
        self._prior, self._plan, self._after = prior, plan, after
        self._n_revisions = activity.head.revision + activity.n_revisions
        self._n_annotations = activity.head.annotation
        # of labels that others of this file follow: their revision and annotation
        self._leaders = np.unique(after[after >= 0])
        self._given = np.zeros((len(self._leaders), 2), np.int64)
        rows = plan.prior[self._leaders]
        if prior is not None:
            known = np.flatnonzero(rows >= 0)
            self._given[known, 0] = prior.revision[rows[known]]
            self._given[known, 1] = prior.annotation[rows[known]]

    def give(self, chosen: np.ndarray) -> dict[str, object]:
        """Return numbers, operation and forerunner of some labels, rows ascending."""
        is_add = self._plan.operation[chosen] == ADD
        revision = self._n_revisions + 1 + np.arange(len(chosen))
        annotation = self._n_annotations + np.cumsum(is_add)
        supersedes = np.zeros(len(chosen), np.int64)
        rows = self._plan.prior[chosen]
        if self._prior is not None:
            known = rows >= 0
            supersedes[known] = self._prior.revision[rows[known]]
            annotation[known] = self._prior.annotation[rows[known]]
        follows = np.flatnonzero(self._after[chosen] >= 0)
        at = np.searchsorted(self._leaders, self._after[chosen[follows]])
        supersedes[follows], annotation[follows] = self._given[at].T
        at = np.flatnonzero(np.isin(chosen, self._leaders))
        self._given[np.searchsorted(self._leaders, chosen[at])] = np.stack(
            [revision[at], annotation[at]], axis=1
        )
        self._n_revisions += len(chosen)
        self._n_annotations += int(is_add.sum())
        return {
            "revision": revision,
            "annotation": annotation,
            "operation": _words(is_add, Operation.ADD, Operation.SUPERSEDE),
            "supersedes": pa.array(supersedes, mask=is_add),
        }


def _words(mask: np.ndarray, if_true: str, if_false: str) -> pa.DictionaryArray:
    codes = pa.array(np.where(mask, 0, 1).astype(np.int32))
    return pa.DictionaryArray.from_arrays(codes, pa.array([str(if_true), str(if_false)]))


def _told(
    job: Job, spool: Spool, keys: np.ndarray, prior: Prior | None, plan: Plan
) -> answers.Told:
    if prior is None or job.is_whole:
        left, live = np.empty(0, np.int64), None
    else:
        left, live = np.sort(prior.revision[plan.vanished]), prior.live
    return answers.Told(job.batch, job.is_whole, spool, keys, left, live)


def _write_retractions(activity: Recording, job: Job, prior: Prior | None, plan: Plan) -> int:
    if prior is None or not job.is_whole or len(plan.vanished) == 0:
        return 0
    gone = np.sort(prior.revision[plan.vanished])
    names = [name for name in columns.REVISIONS.names if name != "identity_score"]
    n_done = 0
    for batch in _rows_of(activity, job, prior, gone, names):
        n = batch.num_rows
        values: dict[str, object] = {name: batch[name] for name in names}
        values |= {
            "revision": activity.head.revision + 1 + n_done + np.arange(n),
            "supersedes": batch["revision"],
            "seq": activity.seq,
            "operation": Operation.RETRACT.value,
            "identity": plan.used,
        }
        activity.append("revisions", columns.batch_of(columns.REVISIONS, values))
        n_done += n
    return n_done


def _rows_of(
    activity: Recording, job: Job, prior: Prior, gone: np.ndarray, names: list[str]
) -> Iterator[pa.RecordBatch]:
    selector = Selector(batches=(job.batch,))
    ledger, up_to = activity.project.ledger, activity.head.size
    for batch in scan(ledger, selector, names, up_to=up_to, live=prior.live):
        mask = np.isin(np.asarray(batch["revision"]), gone)
        if mask.any():
            yield batch.filter(pa.array(mask))
