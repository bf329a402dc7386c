"""One id several times in one table: a label and its corrections, in the order of their times.

The first row of a chain adds or continues the annotation, every later one supersedes the one
before it, whoever made it. Rows that the record has been told of already are passed over: all
up to the one that equals the live revision or, where none does, those that are no newer than it.
Where times are missing or equal, an order would be invented, and such an id names nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lineage.activities.identify import SUPERSEDE, UNCHANGED, Plan
from lineage.activities.prior import Keys, Prior, shared_codes
from lineage.calc.matching import HOWS, How

NEVER = np.iinfo(np.int64).min
"""Stands for a time that nobody gives."""


@dataclass(frozen=True, slots=True)
class Chains:
    """Which labels stand in for their chains, and which follow.

    Parameters
    ----------
    heads
        ndarray of int64, ascending: the labels whose annotation is to be found; those without a chain,
        and one of each.
    after
        ndarray of int64, shape (n,): per label the one of this file that it supersedes, -1 for none.
    told
        ndarray of int64: labels that the record knows already, or that repeat the one before.
    """

    heads: np.ndarray
    after: np.ndarray
    told: np.ndarray

    def depth(self) -> np.ndarray:
        """Return how many labels of this file come before each in its chain."""
        depth = np.zeros(len(self.after), np.int64)
        rows = np.flatnonzero(self.after >= 0)
        while len(rows):
            deeper = depth[self.after[rows]] + 1
            is_news = deeper > depth[rows]
            depth[rows] = deeper
            rows = rows[is_news]
        return depth


def none(n: int) -> Chains:
    """Return what holds where no id recurs."""
    return Chains(np.arange(n), np.full(n, -1, np.int64), np.empty(0, np.int64))


def find(
    new: Keys, at: np.ndarray, prior: Prior | None, prior_at: Callable[[np.ndarray], np.ndarray]
) -> Chains:
    """Return the chains of a table.

    Parameters
    ----------
    new
        Labels as read.
    at
        ndarray of int64, shape (n,): microseconds of ``labelled_at``, the least number for none.
    prior
        What is on record.
    prior_at
        Gives the same for rows of ``prior``.
    """
    n = len(new)
    id_new, id_old = _ids(new, prior)
    order = np.lexsort((np.arange(n), at, id_new))
    order = order[id_new[order] >= 0]
    order = order[_is_chain(id_new[order], at[order])]
    if len(order) == 0:
        return none(n)
    first = np.flatnonzero(np.diff(id_new[order], prepend=-1))
    chain = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(order))))
    live = _live_rows(id_new[order][first], id_old)
    is_told = _told(new, at, order, chain, live, prior, prior_at)
    is_repeat = np.zeros(len(order), bool)
    words = shared_codes(new.annotator, new.annotator)[1]
    before, here = order[:-1], order[1:]
    is_repeat[1:] = (chain[1:] == chain[:-1]) & (new.content[here] == new.content[before])
    is_repeat[1:] &= words[here] == words[before]
    is_left = ~is_told & ~is_repeat
    # where everything is on record, the newest row stands in for its chain
    is_last = np.append(chain[1:] != chain[:-1], True)
    is_left |= is_last & ~np.isin(chain, chain[is_left])
    kept, of = order[is_left], chain[is_left]
    is_follower = np.append(False, of[1:] == of[:-1])
    after = np.full(n, -1, np.int64)
    after[kept[is_follower]] = kept[np.flatnonzero(is_follower) - 1]
    is_head = np.ones(n, bool)
    is_head[order] = False
    is_head[kept[~is_follower]] = True
    return Chains(np.flatnonzero(is_head), after, order[~is_left])


def expand(plan: Plan, chains: Chains) -> Plan:
    """Return the plan of all labels, given that of the heads."""
    n = len(chains.after)
    operation = np.full(n, UNCHANGED, np.int8)
    prior, how = np.full(n, -1, np.int64), np.full(n, -1, np.int8)
    score, is_ambiguous = np.full(n, np.nan), np.zeros(n, bool)
    for whole, part in (
        (operation, plan.operation),
        (prior, plan.prior),
        (how, plan.how),
        (score, plan.score),
        (is_ambiguous, plan.is_ambiguous),
    ):
        whole[chains.heads] = part
    followers = chains.after >= 0
    operation[followers], how[followers] = SUPERSEDE, HOWS.index(How.NAMED)
    return Plan(operation, prior, how, score, is_ambiguous, plan.vanished, plan.used, plan.reason)


def _ids(new: Keys, prior: Prior | None) -> tuple[np.ndarray, np.ndarray]:
    """Return a number for each (asset, id), shared by both sides, -1 where there is no id."""
    old_ids = pa.array([], pa.string()) if prior is None else prior.keys.source_id
    old_asset = np.empty(0, np.int64) if prior is None else prior.keys.asset
    words = pa.concat_arrays([old_ids, new.source_id]).dictionary_encode()
    code = np.asarray(words.indices.fill_null(-1)).astype(np.int64)
    asset = np.concatenate([old_asset, new.asset])
    key = np.where(code < 0, -1, asset * max(len(words.dictionary), 1) + code)
    return key[len(old_ids) :], key[: len(old_ids)]


def _is_chain(ids: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Tell which rows, sorted by id and time, share their id with others at other times."""
    _, code, n_uses = np.unique(ids, return_inverse=True, return_counts=True)
    code = code.reshape(-1)
    is_bad = at == NEVER
    is_bad[1:] |= (code[1:] == code[:-1]) & (at[1:] == at[:-1])
    n_bad = np.bincount(code, weights=is_bad, minlength=len(n_uses))
    return (n_uses[code] > 1) & (n_bad[code] == 0)


def _live_rows(ids: np.ndarray, id_old: np.ndarray) -> np.ndarray:
    """Return, per id, the one prior row that has it, -1 for none or several."""
    found, first, n_uses = np.unique(id_old, return_index=True, return_counts=True)
    if len(found) == 0:
        return np.full(len(ids), -1, np.int64)
    at = np.minimum(np.searchsorted(found, ids), len(found) - 1)
    return np.where((found[at] == ids) & (n_uses[at] == 1), first[at], -1)


def _told(
    new: Keys,
    at: np.ndarray,
    order: np.ndarray,
    chain: np.ndarray,
    live: np.ndarray,
    prior: Prior | None,
    prior_at: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Tell which rows of chains the record knows of."""
    row = live[chain]
    if prior is None or (row < 0).all():
        return np.zeros(len(order), bool)
    known = np.flatnonzero(row >= 0)
    old, ours = row[known], order[known]
    words_old, words_new = shared_codes(prior.keys.annotator, new.annotator)
    is_equal = np.zeros(len(order), bool)
    is_equal[known] = (new.content[ours] == prior.keys.content[old]) & (
        words_new[ours] == words_old[old]
    )
    is_older = np.zeros(len(order), bool)
    is_older[known] = at[ours] <= prior_at(old)
    # up to the last that equals the live revision, or else up to the last that is no newer
    place = np.arange(len(order))
    has_equal = np.zeros(len(live), bool)
    has_equal[chain[is_equal]] = True
    marks = np.where(has_equal[chain], is_equal, is_older)
    last = np.full(len(live), -1, np.int64)
    np.maximum.at(last, chain[marks], place[marks])
    return place <= last[chain]
