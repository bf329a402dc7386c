"""What the next hour of an expert's time is best spent on: how much surer it makes, of how rare a thing.

A judged label makes the error rate of its class surer; the same label says more where
few were judged, and matters more where few exist. Objects that nobody drew cannot be
found among labels of their class at all: there a model's word leads, and what counts
is how many an hour finds.
"""

from __future__ import annotations

import numpy as np

PRIOR_FRACTION = 0.06
"""Share of wrong labels before anything is judged (METHODS 4.1); found per place where only a model sees one (4.2)."""

PRIOR_N = 10.0
"""How many judged labels the prior counts for."""

_Z90 = 1.6448536269514722


def half_width(n_wrong: np.ndarray, n: np.ndarray, n_left: np.ndarray) -> np.ndarray:
    """Return half of the 90 % interval of error rates, with the prior counted in.

    Parameters
    ----------
    n_wrong, n
        ndarrays of float64, shape (n_groups,): wrong ones among judged labels.
    n_left
        ndarray of float64, shape (n_groups,): labels that are not judged; with none left the rate is known.

    Examples
    --------
    >>> half_width(np.array([0.0, 6, 6]), np.array([0.0, 100, 100]), np.array([1e4, 1e4, 0])).round(3)
    array([0.124, 0.037, 0.   ])
    """
    p = posterior(n_wrong, n)
    is_left = np.sqrt(n_left / np.maximum(n + n_left, 1))
    return np.asarray(_Z90 * np.sqrt(p * (1 - p) / (n + PRIOR_N)) * is_left)


def posterior(n_hits: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return the mean share of hits after ``n`` judgements, the prior counted in; arguments as in `half_width`.

    Examples
    --------
    >>> posterior(np.array([0.0, 2.0]), np.array([0.0, 10.0])).round(2)
    array([0.06, 0.13])
    """
    return np.asarray((n_hits + PRIOR_FRACTION * PRIOR_N) / (n + PRIOR_N))


def sureness_gained(
    n_wrong: np.ndarray, n: np.ndarray, n_left: np.ndarray, n_more: float
) -> np.ndarray:
    """Return by how much the interval of an error rate is expected to close.

    Parameters
    ----------
    n_wrong, n
        ndarrays of float64, shape (n_groups,): wrong ones among judged labels.
    n_left
        ndarray of float64, shape (n_groups,): labels that can still be judged.
    n_more
        How many an expert judges in the time there is.

    Returns
    -------
    ndarray of float64, shape (n_groups,)
        Half-width now less half-width after ``min(n_more, n_left)`` judgements at the rate seen so far;
        0 where nothing is left. A small class can be judged whole, and is then known.

    Examples
    --------
    Sixty labels of a class of which nothing is known, of one of which much is, and of one of which
    three are left, all that there are:

    >>> zero = np.zeros(3)
    >>> sureness_gained(zero, np.array([0.0, 500, 0]), np.array([1e4, 1e4, 3]), 60).round(3)
    array([0.077, 0.   , 0.124])
    """
    more = np.minimum(n_left, n_more)
    # at the rate seen so far, what comes has as many wrong ones
    after = half_width(n_wrong + more * posterior(n_wrong, n), n + more, n_left - more)
    return np.asarray(half_width(n_wrong, n, n_left) - after)


def rarity(n_labels: np.ndarray, n_all: float) -> np.ndarray:
    """Return the weight of rare things: one over the root of their share of all labels.

    Parameters
    ----------
    n_labels
        ndarray of float64, shape (n_groups,): labels of each.
    n_all
        Labels of all.

    Notes
    -----
    The root, and not the share itself, is what keeps a class of ten labels from taking every hour: it
    is the allocation by the root of a stratum's size (METHODS 4.2), turned round.

    Examples
    --------
    >>> rarity(np.array([10_000.0, 100, 0]), 10_000)
    array([  1.,  10., 100.])
    """
    return np.asarray(np.sqrt(max(n_all, 1.0) / np.maximum(n_labels, 1.0)))


def expected_found(
    n_found: np.ndarray, n_looked: np.ndarray, n_places: np.ndarray, n_more: float
) -> np.ndarray:
    """Return how many missed objects an expert is expected to find where only a model sees one.

    Parameters
    ----------
    n_found, n_looked
        ndarrays of float64, shape (n_groups,): missed objects found at such places before, and places
        that were looked at.
    n_places
        ndarray of float64, shape (n_groups,): places that wait.
    n_more
        How many an expert looks at in the time there is.

    Examples
    --------
    Of a thousand places sixty, where nothing is known (METHODS 4.2 finds 59.7):

    >>> expected_found(np.zeros(1), np.zeros(1), np.array([1000.0]), 1000)
    array([60.])
    """
    return np.asarray(posterior(n_found, n_looked) * np.minimum(n_places, n_more))
