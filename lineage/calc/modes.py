"""Classes from opinions where it matters who is believed: Dawid and Skene from several beginnings, weighed.

With few opinions on a unit, expectation maximisation settles on the side that it
happens to begin on, and is then sure of it: whoever is believed is reliable.
Where two sides explain all opinions equally well, neither is known to be right.
Each beginning ends in a mode; a mode counts as much as it explains.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lineage.calc import consensus
from lineage.calc.consensus import Posterior

PRIOR = (4.0, 0.2)
"""As in `consensus.dawid_skene`: opinions added on the diagonal, and everywhere."""


def weighed(
    unit: np.ndarray,
    annotator: np.ndarray,
    value: np.ndarray,
    n_values: int,
    starts: Sequence[np.ndarray],
) -> np.ndarray:
    """Return the probability of each value of each unit.

    Parameters
    ----------
    unit
        ndarray of int64, shape (n,): 0, 1, 2 ... without gaps.
    annotator, value
        ndarrays of int, shape (n,): codes.
    n_values
        How many values there are.
    starts
        What to begin from: one or more ndarrays of float64, shape (n_units, n_values).

    Returns
    -------
    ndarray of float64, shape (n_units, n_values)

    Notes
    -----
    A unit is judged by what its annotators said of all others: what is decided of it is no evidence
    for whoever said so.

    Examples
    --------
    Two people agree on 99 units and differ on one: nothing tells who is right.

    >>> unit, annotator = np.repeat(np.arange(100), 2), np.tile([0, 1], 100)
    >>> value = unit % 2
    >>> value[199] = 0
    >>> sides = [shares(unit, value, 100, 2, annotator == side) for side in (0, 1)]
    >>> weighed(unit, annotator, value, 2, sides)[99].round(2).tolist()
    [0.5, 0.5]
    """
    found = [
        consensus.dawid_skene(unit, annotator, value, n_values, prior=PRIOR, start=start)
        for start in starts
    ]
    score = np.array([_score(mode, unit, annotator, value) for mode in found])
    weight = np.exp(score - score.max())
    weight /= weight.sum()
    whole = np.zeros_like(found[0].probability)
    for own, mode in zip(weight, found, strict=True):
        whole += own * _without_itself(mode, unit, annotator, value)
    return whole


def shares(
    unit: np.ndarray, value: np.ndarray, n_units: int, n_values: int, chosen: np.ndarray
) -> np.ndarray:
    """Return the shares of some people's opinions, everybody's where none of them has one.

    Parameters
    ----------
    unit, value
        As `weighed`.
    n_units, n_values
        How many there are.
    chosen
        ndarray of bool, shape (n,): whose opinions to begin from.
    """
    cell = unit * np.int64(n_values) + value
    every, own = (
        np.bincount(cell[rows], minlength=n_units * n_values).reshape(n_units, n_values)
        for rows in (slice(None), chosen)
    )
    counted = np.where(own.sum(axis=1, keepdims=True) > 0, own, every)
    found: np.ndarray = counted / counted.sum(axis=1, keepdims=True)
    return found


def _without_itself(
    mode: Posterior, unit: np.ndarray, annotator: np.ndarray, value: np.ndarray
) -> np.ndarray:
    """Return a mode's probabilities, of each unit by confusions that leave the unit out."""
    n_units, n_values = mode.probability.shape
    said = annotator * np.int64(n_values) + value
    log = np.tile(np.log(mode.share), (n_units, 1))
    for k in range(n_values):
        own = mode.probability[unit, k]
        counts = np.zeros((len(mode.confusion), n_values))
        counts += np.bincount(said, own, counts.size).reshape(counts.shape)
        counts += PRIOR[1] + PRIOR[0] * np.eye(n_values)[k]
        rest = counts.sum(axis=1)[annotator] - own
        log[:, k] += np.bincount(unit, np.log((counts.ravel()[said] - own) / rest), n_units)
    found = np.exp(log - log.max(axis=1, keepdims=True))
    result: np.ndarray = found / found.sum(axis=1, keepdims=True)
    return result


def _score(mode: Posterior, unit: np.ndarray, annotator: np.ndarray, value: np.ndarray) -> float:
    """Return how well a mode explains the opinions: its log posterior, but for a constant."""
    n_units, n_values = mode.probability.shape
    log = np.log(mode.confusion)
    joint = np.tile(np.log(mode.share), (n_units, 1))
    for k in range(n_values):
        joint[:, k] += np.bincount(unit, log[annotator, k, value], n_units)
    highest = joint.max(axis=1)
    explained = (highest + np.log(np.exp(joint - highest[:, None]).sum(axis=1))).sum()
    lean = np.eye(n_values) * PRIOR[0] + PRIOR[1]
    return float(explained + (lean * log).sum() + np.log(mode.share).sum())
