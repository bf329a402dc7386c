"""From what was read to rows of the ledger: names become keys, labels become revisions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.activities import identify
from lineage.activities.context import Project
from lineage.activities.identify import ADD, SUPERSEDE, UNCHANGED, Plan, Prior
from lineage.activities.record import Recording
from lineage.activities.select import Selector, is_word, scan
from lineage.activities.spool import Spool
from lineage.store import read
from lineage.terms import AgentKind, Identity, Operation, Origin, Stage

_HANDLES = ("annotator", "created_by", "updated_by")


@dataclass(frozen=True, slots=True)
class Job:
    """What holds for every label of an import."""

    batch: str
    schema: str
    format: str
    stage: Stage
    is_whole: bool
    identity: str


@dataclass(frozen=True, slots=True)
class Done:
    """What became of the labels."""

    n_assets: int
    n_annotators: int
    n_added: int
    n_superseded: int
    n_retracted: int
    n_unchanged: int
    identity: str
    reason: str


def emit(activity: Recording, job: Job, spool: Spool) -> Done:
    """Append what an import read to the activity that records it."""
    keys = _assets(activity, spool)
    people = _People(activity, job.format)
    prior = identify.prior_of(activity.project.ledger, job.batch, activity.head.size)
    plan = _plan(spool, keys, people, prior, job.identity)
    n_retracted = _write_retractions(activity, job, prior, plan)
    _write_revisions(activity, job, spool, keys, people, prior, plan)
    _write_roster(activity, job, spool, keys, people)
    return _done(spool, people, plan, n_retracted)


def rehearse(project: Project, job: Job, spool: Spool) -> Done:
    """Return what `emit` would do, writing nothing."""
    with project.store.reading() as connection:
        head = read.head(connection)
        known = read.asset_keys(connection, list(spool.assets.names))
        names = {(row.handle, row.tool): row.pseudonym for row in read.annotators(connection)}
    fresh = iter(range(head.asset + 1, head.asset + 1 + len(spool.assets)))
    keys = np.array([known.get(name) or next(fresh) for name in spool.assets.names], np.int64)
    people = _Rehearsed(names, job.format)
    for labels in spool.labels():
        people.pseudonyms(labels["annotator"], None)
    for rows in spool.roster():
        people.pseudonyms(rows["annotator"].dictionary_encode(), None)
    prior = identify.prior_of(project.ledger, job.batch, head.size)
    plan = _plan(spool, keys, people, prior, job.identity)
    return _done(spool, people, plan, len(plan.vanished) if job.is_whole else 0)


class _Rehearsed:
    """Handles to pseudonyms, where those who are new need none yet."""

    def __init__(self, names: dict[tuple[str | None, str | None], str], tool: str) -> None:
        self._names = names
        self._tool = tool
        self.seen: set[str] = set()

    def pseudonyms(self, words: pa.DictionaryArray, is_model: np.ndarray | None) -> pa.Array:
        """Return the pseudonym behind every handle."""
        found = [self._one(handle) for handle in words.dictionary.to_pylist()]
        return _recoded(words, found, self._one(None))

    def _one(self, handle: str | None) -> str:
        if handle is None:
            return "unknown"
        key = (handle.lower(), "") if "@" in handle else (handle, self._tool)
        self.seen.add(handle)
        return self._names.get(key, f"new:{handle}")


class _People:
    """Handles to pseudonyms, made where they are new."""

    def __init__(self, activity: Recording, tool: str) -> None:
        self._activity = activity
        self._tool = tool
        self.seen: set[str] = set()

    def pseudonyms(self, words: pa.DictionaryArray, is_model: np.ndarray | None) -> pa.Array:
        """Return the pseudonym behind every handle; ``is_model`` tells software from people."""
        codes = np.asarray(words.indices.fill_null(-1))
        models = set() if is_model is None else set(np.unique(codes[is_model]).tolist())
        used = set(np.unique(codes).tolist())
        found = [
            self._one(handle, is_model=code in models) if code in used else ""
            for code, handle in enumerate(words.dictionary.to_pylist())
        ]
        nobody = self._activity.annotator(None) if -1 in used else ""
        return _recoded(words, found, nobody)

    def one(self, handle: str | None) -> str:
        """Return one handle's pseudonym."""
        return self._one(handle, is_model=False)

    def _one(self, handle: str | None, *, is_model: bool) -> str:
        if handle is not None:
            self.seen.add(handle)
        kind = AgentKind.MODEL if is_model else AgentKind.PERSON
        return self._activity.annotator(handle, tool=self._tool, kind=kind)


def _recoded(words: pa.DictionaryArray, found: list[str], nobody: str) -> pa.DictionaryArray:
    indices = words.indices.fill_null(len(found))
    return pa.DictionaryArray.from_arrays(indices, pa.array([*found, nobody], pa.string()))


def _done(spool: Spool, people: _People | _Rehearsed, plan: Plan, n_retracted: int) -> Done:
    n = np.bincount(plan.operation, minlength=3)
    return Done(
        n_assets=len(spool.assets),
        n_annotators=len(people.seen),
        n_added=int(n[ADD]),
        n_superseded=int(n[SUPERSEDE]),
        n_unchanged=int(n[UNCHANGED]),
        n_retracted=n_retracted,
        identity=plan.used,
        reason=plan.reason,
    )


def _assets(activity: Recording, spool: Spool) -> np.ndarray:
    names = list(spool.assets.names)
    known = read.asset_keys(activity.connection, names)
    facts = read.asset_facts(activity.connection, known.values())
    keys = np.empty(len(names), np.int64)
    n_assets = activity.head.asset
    rows: list[tuple[object, ...]] = []
    for index, name in enumerate(names):
        uri, digest, n_bytes = spool.assets.facts[index]
        seen = (uri, *spool.assets.size(index), digest, n_bytes)
        is_new = name not in known
        n_assets += is_new
        keys[index] = n_assets if is_new else known[name]
        have = facts.get(int(keys[index]), {})
        if is_new or _teaches(seen, have):
            rows.append((int(keys[index]), activity.seq, is_new, name, *seen))
    for start in range(0, len(rows), 65_536):
        values = zip(*rows[start : start + 65_536], strict=True)
        named = dict(zip(columns.SEGMENT_ASSETS.names, map(list, values), strict=True))
        activity.append("assets", columns.batch_of(columns.SEGMENT_ASSETS, named))
    return keys


def _teaches(seen: tuple[object, ...], have: dict[str, object]) -> bool:
    # an address may change with every export; only what was unknown is news
    names = ("uri", "width", "height", "digest", "n_bytes")
    pairs = zip(names, seen, strict=True)
    return any(value is not None and have.get(name) is None for name, value in pairs)


def _plan(
    spool: Spool, keys: np.ndarray, people: _People | _Rehearsed, prior: Prior | None, identity: str
) -> Plan:
    if prior is None:
        return identify.all_new(spool.n_accepted)
    pieces = [
        identify.keys_of(batch, keys[np.asarray(batch["asset"])])
        for batch in (_with_people(batch, people) for batch in spool.labels())
    ]
    return identify.plan(identify.join(pieces), prior, identity=identity)


def _with_people(batch: pa.RecordBatch, people: _People | _Rehearsed) -> pa.RecordBatch:
    is_model = is_word(batch["origin"], [Origin.MODEL])
    for name in _HANDLES:
        position = batch.schema.get_field_index(name)
        column = batch.column(position)
        if name == "annotator":
            named = people.pseudonyms(column, is_model)
        elif column.null_count == len(column):
            continue
        else:
            named = people.pseudonyms(column, None)
            named = pc.if_else(
                pc.is_valid(column), named.cast(pa.string()), None
            ).dictionary_encode()
        batch = batch.set_column(position, batch.schema.field(position), named.cast(columns.WORD))
    return batch


def _write_revisions(
    activity: Recording,
    job: Job,
    spool: Spool,
    keys: np.ndarray,
    people: _People,
    prior: Prior | None,
    plan: Plan,
) -> None:
    n_revisions = activity.head.revision + activity.n_revisions
    n_annotations = activity.head.annotation
    done = 0
    for labels in spool.labels():
        rows = slice(done, done + labels.num_rows)
        done += labels.num_rows
        changed = np.flatnonzero(plan.operation[rows] != UNCHANGED)
        if len(changed) == 0:
            continue
        labels = _with_people(labels.take(pa.array(changed)), people)
        chosen = np.arange(rows.start, rows.stop)[changed]
        is_add = plan.operation[chosen] == ADD
        fresh = n_annotations + np.cumsum(is_add)
        supersedes, annotation = _succession(prior, plan, chosen, fresh)
        values = _carried(labels)
        values |= {
            "revision": n_revisions + 1 + np.arange(len(chosen)),
            "annotation": annotation,
            "seq": activity.seq,
            "operation": _words(is_add, Operation.ADD, Operation.SUPERSEDE),
            "supersedes": pa.array(supersedes, mask=is_add),
            "identity": _identities(plan, chosen),
            "identity_score": pa.array(plan.score[chosen], from_pandas=True),
            "asset": keys[np.asarray(labels["asset"])],
            "stage": job.stage.value,
            "schema": job.schema,
            "batch": job.batch,
        }
        activity.append("revisions", columns.batch_of(columns.REVISIONS, values))
        activity.project.progress("record", done, spool.n_accepted)
        n_revisions += len(chosen)
        n_annotations += int(is_add.sum())


def _carried(labels: pa.RecordBatch) -> dict[str, object]:
    names = [name for name in columns.REVISIONS.names if name in labels.schema.names]
    return {name: labels[name] for name in names}


def _succession(
    prior: Prior | None, plan: Plan, chosen: np.ndarray, fresh: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if prior is None:
        return np.zeros(len(chosen), np.int64), fresh
    rows = plan.prior[chosen]
    is_add = rows < 0
    return np.where(is_add, 0, prior.revision[rows]), np.where(
        is_add, fresh, prior.annotation[rows]
    )


def _identities(plan: Plan, chosen: np.ndarray) -> pa.DictionaryArray:
    codes = np.where(plan.operation[chosen] == ADD, 0, np.where(plan.is_inferred[chosen], 2, 1))
    words = [Identity.NEW.value, Identity.ID.value, Identity.CONTENT.value]
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(words))


def _words(mask: np.ndarray, if_true: str, if_false: str) -> pa.DictionaryArray:
    codes = pa.array(np.where(mask, 0, 1).astype(np.int32))
    return pa.DictionaryArray.from_arrays(codes, pa.array([str(if_true), str(if_false)]))


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


def _write_roster(
    activity: Recording, job: Job, spool: Spool, keys: np.ndarray, people: _People
) -> None:
    ledger, up_to = activity.project.ledger, activity.head.size
    known: dict[tuple[int, str], str] = {}
    for batch in ledger.scan("roster", ("asset", "annotator", "batch", "presence"), up_to=up_to):
        ours = batch.filter(pa.array(is_word(batch["batch"], [job.batch])))
        pairs = zip(ours["asset"].to_pylist(), ours["annotator"].to_pylist(), strict=True)
        known.update(zip(pairs, ours["presence"].to_pylist(), strict=True))
    for rows in spool.roster():
        if rows.num_rows == 0:
            continue
        asset = keys[[spool.assets.names[name] for name in rows["asset"].to_pylist()]]
        person = people.pseudonyms(rows["annotator"].dictionary_encode(), None)
        pairs = zip(asset.tolist(), person.to_pylist(), strict=True)
        told = zip(pairs, rows["presence"].to_pylist(), strict=True)
        news = np.array([known.get(pair) != presence for pair, presence in told], bool)
        values = {name: rows[name] for name in columns.ROSTER.names}
        values |= {"asset": asset, "annotator": person, "batch": job.batch, "seq": activity.seq}
        batch = columns.batch_of(columns.SEGMENT_ROSTER, values)
        activity.append("roster", batch.filter(pa.array(news)))
