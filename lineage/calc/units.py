"""Which labels of several annotators are about the same object: localise first, name later.

All pairs of labels on an image by different annotators whose overlap reaches the
threshold are edges; a connected component in which nobody stands twice is a
unit as it is. Only the others are settled label by label: greedily by weight
under the rule that an annotator stands once in a unit, or, where the image has
only two annotators, by an optimal assignment. Weight is the overlap, plus one
where the classes agree.

References
----------
Tschirschwitz and Rodehorst, KaLOS, arXiv:2603.27197 (greedy, ``category_lenient``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from lineage.calc.assignment import assign
from lineage.calc.geometry import iou, rows_after

Overlap = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Given rows of the labels, pair by pair, their overlap in [0, 1]."""

TAU = 0.5
_BLOCK_PAIRS = 4_000_000


@dataclass(frozen=True, slots=True)
class Edges:
    """Pairs of labels that may be about one object.

    Parameters
    ----------
    a, b
        ndarrays of int64, shape (m,): rows of the labels.
    overlap
        ndarray of float64, shape (m,).
    """

    a: np.ndarray
    b: np.ndarray
    overlap: np.ndarray


@dataclass(frozen=True, slots=True)
class Units:
    """Labels gathered by the object they are about.

    Parameters
    ----------
    unit
        ndarray of int64, shape (n,): the unit of each label, from 0, rising with the asset.
    n_units
        How many there are.
    n_settled
        Units that were cut out of a component in which somebody stood twice.
    """

    unit: np.ndarray
    n_units: int
    n_settled: int


def edges(
    asset: np.ndarray,
    annotator: np.ndarray,
    box: np.ndarray,
    *,
    tau: float | np.ndarray = TAU,
    overlap: Overlap | None = None,
) -> Edges:
    """Return the pairs of labels by different annotators that overlap enough.

    Parameters
    ----------
    asset
        ndarray of int64, shape (n,), ascending.
    annotator
        ndarray of int, shape (n,).
    box
        ndarray of float64, shape (n, 4), px: hulls.
    tau
        Least overlap; one number, or one for each label: then the smaller of a pair's two holds.
    overlap
        Of the shapes themselves, asked only where hulls meet; the hulls' own IoU if left out.
    """
    least = np.broadcast_to(np.asarray(tau, float), (len(asset),))
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for a, b in _pairs(asset):
        keep = annotator[a] != annotator[b]
        a, b = a[keep], b[keep]
        score = iou(box[a], box[b])
        wanted = np.minimum(least[a], least[b])
        if overlap is not None:
            touching = np.flatnonzero(score > 0)
            a, b, wanted = a[touching], b[touching], wanted[touching]
            score = overlap(a, b)
        keep = (score >= wanted) & (score > 0)
        found.append((a[keep], b[keep], score[keep]))
    if not found:
        nothing = np.zeros(0, np.int64)
        return Edges(nothing, nothing, np.zeros(0))
    a, b, score = (np.concatenate(part) for part in zip(*found, strict=True))
    return Edges(a, b, score)


def gather(
    asset: np.ndarray, annotator: np.ndarray, class_: np.ndarray, found: Edges, n_asked: np.ndarray
) -> Units:
    """Turn edges into units.

    Parameters
    ----------
    asset
        ndarray of int64, shape (n,), ascending.
    annotator, class_
        ndarrays of int, shape (n,).
    found
        What `edges` returned.
    n_asked
        ndarray of int64, shape (n,): annotators on the roster of each label's image.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(asset)
    links = coo_array((np.ones(len(found.a), np.int8), (found.a, found.b)), shape=(n, n))
    _, component = connected_components(links, directed=False)
    component = component.astype(np.int64)
    twice = _repeating(component, annotator)
    n_settled = 0
    if twice.any():
        weight = found.overlap + (class_[found.a] == class_[found.b])
        rows = np.flatnonzero(twice[component[found.a]])
        paired = n_asked[found.a[rows]] == 2
        name = np.full(n, -1, np.int64)
        _assigned(rows[paired], found, annotator, weight, name)
        _greedy(rows[~paired], found, annotator, weight, name)
        loose = twice[component]
        alone = loose & (name < 0)
        # names are rows: of a unit's first label, or a label's own
        name[alone] = np.flatnonzero(alone)
        component[loose] = n + name[loose]
        n_settled = len(np.unique(component[loose]))
    return _numbered(asset, component, n_settled)


def units(
    asset: np.ndarray,
    annotator: np.ndarray,
    class_: np.ndarray,
    box: np.ndarray,
    *,
    n_asked: np.ndarray,
    tau: float | np.ndarray = TAU,
    overlap: Overlap | None = None,
) -> Units:
    """Gather labels into units; arguments as `edges` and `gather`.

    Examples
    --------
    >>> box = np.array([[0.0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60]])
    >>> zero = np.zeros(3, np.int64)
    >>> units(zero, np.array([0, 1, 1]), zero, box, n_asked=zero + 2).unit
    array([0, 0, 1])
    """
    found = edges(asset, annotator, box, tau=tau, overlap=overlap)
    return gather(asset, annotator, class_, found, n_asked)


def _pairs(asset: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield all pairs of rows on one image, the earlier row first, in blocks of bounded size."""
    n = len(asset)
    if n == 0:
        return
    n_after = rows_after(asset)
    total = np.cumsum(n_after)
    at = 0
    while at < n:
        done = int(total[at - 1]) if at else 0
        stop = max(int(np.searchsorted(total, done + _BLOCK_PAIRS, side="right")), at + 1)
        count = n_after[at:stop]
        a = np.repeat(np.arange(at, stop), count)
        first = np.repeat(np.cumsum(count) - count, count)
        yield a, a + 1 + np.arange(len(a)) - first
        at = stop


def _repeating(component: np.ndarray, annotator: np.ndarray) -> np.ndarray:
    """Tell, per component, whether somebody has two labels in it."""
    twice = np.zeros(int(component.max(initial=-1)) + 1, bool)
    order = np.lexsort((annotator, component))
    c, who = component[order], annotator[order]
    is_again = (c[1:] == c[:-1]) & (who[1:] == who[:-1])
    twice[c[1:][is_again]] = True
    return twice


def _greedy(
    rows: np.ndarray, found: Edges, annotator: np.ndarray, weight: np.ndarray, name: np.ndarray
) -> None:
    """Join labels by falling weight, nobody twice in a unit; a loop, for these are few."""
    members: dict[int, list[int]] = {}
    people: dict[int, set[int]] = {}
    unit_of: dict[int, int] = {}
    order = rows[np.argsort(-weight[rows], kind="stable")]
    a, b = found.a[order].tolist(), found.b[order].tolist()
    who_a, who_b = annotator[found.a[order]].tolist(), annotator[found.b[order]].tolist()
    for x, y, of_x, of_y in zip(a, b, who_a, who_b, strict=True):
        for row, person in ((x, of_x), (y, of_y)):
            if row not in unit_of:
                unit_of[row] = row
                members[row], people[row] = [row], {person}
        one, other = unit_of[x], unit_of[y]
        if one == other or people[one] & people[other]:
            continue
        for row in members[other]:
            unit_of[row] = one
        members[one] += members.pop(other)
        people[one] |= people.pop(other)
    if unit_of:
        name[list(unit_of)] = list(unit_of.values())


def _assigned(
    rows: np.ndarray, found: Edges, annotator: np.ndarray, weight: np.ndarray, name: np.ndarray
) -> None:
    """Pair the labels of two annotators so that the weight is greatest."""
    # the person with the smaller code on one side, the other on the other
    swap = annotator[found.a[rows]] > annotator[found.b[rows]]
    left = np.where(swap, found.b[rows], found.a[rows])
    right = np.where(swap, found.a[rows], found.b[rows])
    chosen, _ = assign(left, right, weight[rows], close=0.0)
    name[left[chosen]] = name[right[chosen]] = left[chosen]


def _numbered(asset: np.ndarray, component: np.ndarray, n_settled: int) -> Units:
    """Return units numbered from 0 in order of their first label, so that they rise with the asset."""
    _, first, code = np.unique(component, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return Units(rank[code], len(first), n_settled)
