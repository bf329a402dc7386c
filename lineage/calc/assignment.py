"""One to one: which of many weighted pairs to keep, and which choices were close.

The pairs kept have the greatest sum of weights. A pair that outweighs the best
other pair of its row and the best other pair of its column together belongs to
that choice whatever the rest is, so most are settled in whole columns; what stays
contested is solved component by component.
"""

from __future__ import annotations

import itertools

import numpy as np


def assign(
    a: np.ndarray, b: np.ndarray, weight: np.ndarray, *, close: float
) -> tuple[np.ndarray, np.ndarray]:
    """Choose pairs so that nobody is in two and the weights' sum is greatest.

    Parameters
    ----------
    a, b
        ndarrays of int64, shape (n,): the two ends of each possible pair; no pair twice.
    weight
        ndarray of float64, shape (n,), greater than 0.
    close
        How much less another choice may weigh to count as almost as good.

    Returns
    -------
    tuple of ndarray
        Indices of the chosen pairs (int64), and whether exchanging the pair for another choice (one
        end free, or swapped with one other pair) would lose less than ``close`` (bool).

    Examples
    --------
    >>> chosen, is_close = assign(
    ...     np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([3.0, 1.0, 1.5]), close=0.6
    ... )
    >>> chosen.tolist(), is_close.tolist()
    ([0], [True])
    """
    if len(a) == 0:
        return np.empty(0, np.int64), np.empty(0, bool)
    a = np.unique(a, return_inverse=True)[1].reshape(-1)
    b = np.unique(b, return_inverse=True)[1].reshape(-1)
    left = np.arange(len(a))
    taken_a, taken_b = np.zeros(a.max() + 1, bool), np.zeros(b.max() + 1, bool)
    chosen = []
    while len(left):
        rivals = _best_other(a[left], weight[left]) + _best_other(b[left], weight[left])
        sure = left[weight[left] > rivals + np.where(rivals > 0, close, 0)]
        if len(sure) == 0:
            break
        chosen.append(sure)
        taken_a[a[sure]] = True
        taken_b[b[sure]] = True
        left = left[~(taken_a[a[left]] | taken_b[b[left]])]
    settled = np.concatenate(chosen) if chosen else np.empty(0, np.int64)
    contested, is_close = _contested(a[left], b[left], weight[left], close)
    doubts = np.concatenate([np.zeros(len(settled), bool), is_close])
    return np.concatenate([settled, left[contested]]), doubts


def _best_other(end: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return, per pair, the greatest weight among the other pairs of its end; 0 where it is alone."""
    order = np.lexsort((-weight, end))
    ordered = end[order]
    is_first = np.ones(len(order), bool)
    is_first[1:] = ordered[1:] != ordered[:-1]
    start = np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))
    second = np.minimum(start + 1, len(order) - 1)
    has_second = (second > start) & (ordered[second] == ordered)
    best = np.where(
        is_first,
        np.where(has_second, weight[order[second]], 0.0),
        weight[order[start]],
    )
    found = np.empty(len(order))
    found[order] = best
    return found


def _contested(
    a: np.ndarray, b: np.ndarray, weight: np.ndarray, close: float
) -> tuple[np.ndarray, np.ndarray]:
    """Choose among pairs of which none is sure; a loop over components, for they are few."""
    if len(a) == 0:
        return np.empty(0, np.int64), np.empty(0, bool)
    from scipy.optimize import linear_sum_assignment
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_a = int(a.max()) + 1
    n = n_a + int(b.max()) + 1
    links = coo_array((np.ones(len(a)), (a, n_a + b)), shape=(n, n))
    component = connected_components(links, directed=False)[1][a]
    order = np.argsort(component, kind="stable")
    bounds = np.flatnonzero(np.diff(component[order], prepend=-1, append=-1))
    chosen, doubts = [], []
    for start, stop in itertools.pairwise(bounds.tolist()):
        rows = order[start:stop]
        names_a, code_a = np.unique(a[rows], return_inverse=True)
        names_b, code_b = np.unique(b[rows], return_inverse=True)
        weights = np.zeros((len(names_a), len(names_b)))
        weights[code_a, code_b] = weight[rows]
        index = np.zeros(weights.shape, np.int64)
        index[code_a, code_b] = rows
        at_a, at_b = linear_sum_assignment(weights, maximize=True)
        is_pair = weights[at_a, at_b] > 0
        at_a, at_b = at_a[is_pair], at_b[is_pair]
        chosen.append(index[at_a, at_b])
        doubts.append(_loss(weights, at_a, at_b) < close)
    return np.concatenate(chosen), np.concatenate(doubts)


def _loss(weights: np.ndarray, at_a: np.ndarray, at_b: np.ndarray) -> np.ndarray:
    """Return, per chosen pair, what the best exchange that gives it up would lose."""
    kept = weights[at_a, at_b]
    among = weights[np.ix_(at_a, at_b)]
    swap = kept[:, None] + kept[None, :] - among - among.T
    is_other = (among + among.T) > 0
    np.fill_diagonal(is_other, False)
    loss = np.where(is_other, swap, np.inf).min(axis=1, initial=np.inf)
    others_a = np.delete(weights, at_a, axis=0)[:, at_b].max(axis=0, initial=0)
    others_b = np.delete(weights, at_b, axis=1)[at_a].max(axis=1, initial=0)
    freed = np.where((others_a > 0) | (others_b > 0), kept - others_a - others_b, np.inf)
    return np.minimum(loss, freed)
