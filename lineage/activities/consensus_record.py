"""The rows that a consensus writes, and how far it says that images are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import coverage, precision
from lineage.activities.consensus_earlier import Change, Earlier
from lineage.activities.consensus_results import Results, words_of
from lineage.activities.record import Recording
from lineage.segments import Ledger
from lineage.terms import AgentKind, Completeness, Identity, Operation, Stage

HANDLE = "lineage-consensus"
_CHUNK_ROWS = 100_000


def write(
    activity: Recording,
    batch: tuple[str, str],
    new: Results,
    old: Earlier | None,
    done: Change,
    stage: Stage,
) -> None:
    """Append a run's revisions to the activity that records it; ``batch`` is its tag and schema."""
    agent = activity.annotator(HANDLE, kind=AgentKind.RULE)
    who = {
        "annotator": agent,
        "batch": batch[0],
        "schema": batch[1],
        "seq": activity.seq,
    }
    first = activity.head.revision + 1
    if old is not None:
        first = _retract(activity, old.revision[done.retracted], first)
    at = np.concatenate([done.superseding, done.added])
    supersedes = np.zeros(len(at), np.int64)
    annotation = activity.head.annotation + 1 + np.arange(len(at)) - len(done.superseding)
    if old is not None:
        supersedes[: len(done.superseding)] = old.revision[done.superseded]
        annotation[: len(done.superseding)] = old.annotation[done.superseded]
    is_add = np.arange(len(at)) >= len(done.superseding)
    for start in range(0, len(at), _CHUNK_ROWS):
        part = slice(start, start + _CHUNK_ROWS)
        rows, adds = at[part], is_add[part]
        is_settled = new.bases.reason[rows] == 0
        values = {
            **new.take(rows),
            **who,
            "revision": first + start + np.arange(len(rows)),
            "annotation": annotation[part],
            "operation": _either(adds, Operation.ADD, Operation.SUPERSEDE),
            "supersedes": pa.array(supersedes[part], mask=adds),
            "identity": _either(adds, Identity.NEW, Identity.CONTENT),
            "stage": _either(is_settled, stage, Stage.IN_REVIEW),
        }
        activity.append("revisions", columns.batch_of(columns.REVISIONS, values, len(rows)))


def completeness(
    ledger: Ledger, batch: str, up_to: int, said: Mapping[int, Completeness], *, is_whole: bool
) -> dict[str, object]:
    """Return the columns of the completeness rows that are news: ``asset`` and ``state``.

    Parameters
    ----------
    ledger, batch, up_to
        Where to read what stands.
    said
        State of every image that was looked at.
    is_whole
        All images were: of those on record that were not, nothing can be said any more.
    """
    known = coverage.completeness(ledger, (batch,), up_to)
    stood = dict(zip(known["asset"].to_pylist(), known["state"].to_pylist(), strict=True))
    news = {asset: word for asset, word in said.items() if stood.get(asset) != word.value}
    if is_whole:
        gone = {
            asset: Completeness.NOT_STARTED
            for asset, word in stood.items()
            if asset not in said and word != Completeness.NOT_STARTED
        }
        news |= gone
    return {
        "asset": np.array(list(news), np.int64),
        "state": [word.value for word in news.values()],
    }


def _retract(activity: Recording, revisions: np.ndarray, first: int) -> int:
    if len(revisions) == 0:
        return first
    kept_out = ("revision", "identity_score")
    names = [name for name in columns.REVISIONS.names if name not in kept_out]
    table = precision.of_ledger(activity.project.ledger, revisions, names)
    n = len(revisions)
    values: dict[str, object] = {name: table[name].combine_chunks() for name in names}
    values |= {
        "revision": first + np.arange(n),
        "supersedes": revisions,
        "seq": activity.seq,
        "operation": Operation.RETRACT.value,
        "identity": Identity.CONTENT.value,
    }
    activity.append("revisions", columns.batch_of(columns.REVISIONS, values, n))
    return first + n


def _either(mask: np.ndarray, if_true: str, if_false: str) -> pa.DictionaryArray:
    return words_of(np.where(mask, 0, 1), [str(if_true), str(if_false)])
