"""What stands of earlier consensus runs in a batch, and what becomes of it.

A label of an earlier run is recognised by what it was derived from: it belongs to
the object with most of its opinions. Whatever somebody else has put in its place
since, or taken away, was decided by people and is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import coverage, precision
from lineage.activities.consensus_results import Bases, Results, bases_of
from lineage.activities.consensus_units import Votes
from lineage.activities.prior import CONTENT, content_of
from lineage.activities.select import is_word
from lineage.calc import state
from lineage.calc.assignment import assign
from lineage.segments import Ledger
from lineage.terms import Operation


@dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier runs left in a batch, one row an annotation.

    Parameters
    ----------
    annotation, revision, asset
        ndarrays of int64, shape (n,): the revision is the newest one.
    is_ours
        ndarray of bool, shape (n,): it is of a consensus; else somebody else's word is the last.
    content
        ndarray of uint64, shape (n,): hash over `prior.CONTENT` of the newest one of a consensus.
    bases
        What they rest on.
    owner, source
        ndarrays of int64, shape (m,): rows of this table, and annotations they were derived from.
    """

    annotation: np.ndarray
    revision: np.ndarray
    asset: np.ndarray
    is_ours: np.ndarray
    content: np.ndarray
    bases: Bases
    owner: np.ndarray
    source: np.ndarray


@dataclass(frozen=True, slots=True)
class Change:
    """What a run changes in a batch; rows count in `Results` and `Earlier`.

    Parameters
    ----------
    added
        ndarray of int64: results that are new.
    superseding, superseded
        ndarrays of int64: results that take the place of earlier ones, and those.
    retracted
        ndarray of int64: earlier ones that nothing is left of.
    left
        ndarray of int64: results that people have decided otherwise.
    n_unchanged
        Results that stand already.
    """

    added: np.ndarray
    superseding: np.ndarray
    superseded: np.ndarray
    retracted: np.ndarray
    left: np.ndarray
    n_unchanged: int

    @property
    def n(self) -> int:
        """Number of revisions to write."""
        return len(self.added) + len(self.superseding) + len(self.retracted)


def earlier(
    ledger: Ledger, batch: str, up_to: int, runs: Sequence[int], migrations: Sequence[int]
) -> Earlier | None:
    """Return what earlier runs left in a batch, None for nothing.

    Parameters
    ----------
    ledger
        Where to read.
    batch
        Its tag.
    up_to
        Place in the log.
    runs, migrations
        Places in the log of the activities that were consensus, and that carried labels to another
        schema version: these change no label's maker.
    """
    if not runs:
        return None
    wanted = ("revision", "annotation", "seq", "operation", "asset", "batch", "extra", *CONTENT)
    schema = pa.schema([columns.REVISIONS.field(name) for name in wanted])
    parts = [
        rows.filter(pa.array(is_word(rows["batch"], [batch])))
        for rows in ledger.scan("revisions", wanted, up_to=up_to, after=min(runs) - 1)
    ]
    told = pa.Table.from_batches(parts, schema).unify_dictionaries().combine_chunks()
    annotation, seq = np.asarray(told["annotation"]), np.asarray(told["seq"])
    is_run = np.isin(seq, runs)
    if not is_run.any():
        return None
    newest = state.newest(annotation)
    spoken = np.flatnonzero(~np.isin(seq, migrations))
    last = spoken[state.newest(annotation[spoken])]
    run = np.flatnonzero(is_run)
    run = run[state.newest(annotation[run])]
    newest, last = (rows[np.isin(annotation[rows], annotation[run])] for rows in (newest, last))
    # one row an annotation each: set them side by side
    newest, last, run = (
        rows[np.argsort(annotation[rows], kind="stable")] for rows in (newest, last, run)
    )
    is_ours = is_run[last]
    is_gone = is_word(coverage.one(told["operation"]), [Operation.RETRACT])
    here = ~(is_gone[newest] & is_ours)
    newest, run, is_ours = newest[here], run[here], is_ours[here]
    # a migration may have renamed what is ours
    own = np.where(is_ours, newest, run)
    kept = told.take(pa.array(own)).combine_chunks()
    bases = bases_of(kept["extra"])
    return Earlier(
        annotation=annotation[newest],
        revision=np.asarray(told["revision"])[newest],
        asset=np.asarray(told["asset"])[newest],
        is_ours=is_ours,
        content=content_of(kept.to_batches()[0]) if len(own) else np.zeros(0, np.uint64),
        bases=bases,
        owner=np.repeat(np.arange(len(own)), bases.n_each),
        source=np.asarray(
            precision.of_ledger(ledger, bases.revision, ("annotation",))["annotation"]
        ),
    )


def change(
    new: Results, votes: Votes, old: Earlier | None, considered: np.ndarray | None
) -> Change:
    """Return what becomes of what stands.

    Parameters
    ----------
    new
        The results.
    votes
        The opinions.
    old
        What stands.
    considered
        ndarray of int64: assets that were looked at; None for all.
    """
    n = len(new.unit)
    every, none = np.arange(n), np.zeros(0, np.int64)
    if old is None:
        return Change(every, none, none, none, none, 0)
    forerunner = _forerunners(new, votes, old)
    is_known = forerunner >= 0
    is_left = np.zeros(n, bool)
    is_left[is_known] = ~old.is_ours[forerunner[is_known]]
    mine = np.flatnonzero(is_known & ~is_left)
    before = forerunner[mine]
    same = (_content(new)[mine] == old.content[before]) & (
        new.bases.digest()[mine] == old.bases.digest()[before]
    )
    is_free = old.is_ours.copy()
    is_free[forerunner[is_known]] = False
    if considered is not None:
        is_free &= np.isin(old.asset, considered)
    changed = mine[~same]
    return Change(
        added=every[~is_known],
        superseding=changed,
        superseded=forerunner[changed],
        retracted=np.flatnonzero(is_free),
        left=np.flatnonzero(is_left),
        n_unchanged=int(same.sum()),
    )


def _forerunners(new: Results, votes: Votes, old: Earlier) -> np.ndarray:
    """Return, per result, the earlier one that shares most opinions with it, -1 for none."""
    result_of = np.full(int(votes.unit.max(initial=-1)) + 1, -1, np.int64)
    result_of[new.unit] = np.arange(len(new.unit))
    keys = state.composed(np.concatenate([votes.annotation, old.source]))
    n = len(votes.annotation)
    at = state.row_of(keys[:n], keys[n:])
    known = np.flatnonzero(at >= 0)
    result, owner = result_of[votes.unit[at[known]]], old.owner[known]
    result, owner = result[result >= 0], owner[result >= 0]
    found = np.full(len(new.unit), -1, np.int64)
    _, first, n_shared = np.unique(
        state.composed(result, owner), return_index=True, return_counts=True
    )
    result, owner = result[first], owner[first]
    chosen, _ = assign(result, owner, n_shared.astype(float), close=0.0)
    found[result[chosen]] = owner[chosen]
    return found


def _content(new: Results) -> np.ndarray:
    schema = pa.schema([columns.REVISIONS.field(name) for name in CONTENT])
    values = {name: new.rows[name] for name in CONTENT}
    return content_of(columns.batch_of(schema, values, len(new.unit)))
