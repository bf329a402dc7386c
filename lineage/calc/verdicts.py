"""How surely a slice is at fault: its loss beside what its classes lost anyhow, and beside luck.

Two ways. ``did`` (METHODS 6.1) divides a slice's surplus by its standard deviation.
``bayes`` weighs the same surplus by the ratio of two likelihoods: a fault of any size in
this slice against none. Where outcomes are right or wrong, it counts units that became
wrong only: a wrong label takes a right answer away and gives none, while models that
merely differ do as much of the one as of the other, so that half of the scatter goes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from lineage.calc.slices import Tally, Terms

EVIDENCE = 6.0
"""Of ``did``: 5 % of comparisons without a fault come to 5.9 (METHODS 6.1)."""

DEPTH_PRICE = {1: 1.0, 2: 2.5}
Z95 = 1.6448536269514722
"""Of a one-sided bound at 95 %."""

_SHRINK = 20.0
_ENOUGH = 20
_LEAST_CHANCE = 1e-4
_MAD = 1.4826
_FLOOR = -700.0
_PIECE = 1 << 18


class Method(StrEnum):
    """How a slice is weighed."""

    BAYES = "bayes"
    DID = "did"


@dataclass(frozen=True, slots=True)
class Control:
    """What units that did not change lost, by class.

    Parameters
    ----------
    n, mean, variance
        ndarrays of float64, shape (n_classes,): unchanged units; their mean and variance, both drawn
        towards those of all by 20 units' worth.
    overall
        Variance within classes.
    design_effect
        How much more than single units' luck their clusters scatter; at least 1.
    """

    n: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    overall: float
    design_effect: float

    def terms(
        self, observed: np.ndarray, class_code: np.ndarray, *, method: Method, is_count: bool
    ) -> Terms:
        """Say what is expected of changed units.

        Parameters
        ----------
        observed, class_code
            ndarrays of float64 and of int64, shape (n_changed,).
        method
            ``did`` takes one variance for all from the changed units, ``bayes`` each class' own.
        is_count
            Whether outcomes are nought or one.

        Notes
        -----
        All changed units may have lost alike (new labels differ from what was learned): the median over
        classes of what they lost beyond the unchanged is no fault of anybody's. What classes scatter
        about it, beyond luck, is a random effect whose variance is estimated robustly, lest one faulty
        class hide itself.
        """
        n_classes = len(self.n)
        n = np.bincount(class_code, minlength=n_classes).astype(float)
        beyond = np.bincount(class_code, observed, n_classes) / np.maximum(n, 1) - self.mean
        is_told = n >= _ENOUGH if (n >= _ENOUGH).any() else n > 0
        even = is_told if method is Method.DID else is_told * n
        shift = _median(beyond, even)
        expected = self.mean + shift
        beyond = beyond - shift
        if method is Method.DID:
            left = observed - expected[class_code]
            variance = np.full(n_classes, left.var() if len(left) else 0.0)
            luck = np.divide(variance, n, out=np.zeros(n_classes), where=n > 0)
            between = 0.0
            if is_told.sum() > 4:
                middle = beyond[is_told] - np.median(beyond[is_told])
                scale = _MAD * float(np.median(np.abs(middle)))
                between = max(0.0, scale**2 - float(np.median(luck[is_told])))
            return Terms(
                expected, variance, between + variance / (self.n + _SHRINK), observed, is_count
            )
        if is_count:
            expected = np.clip(expected, _LEAST_CHANCE, 1 - _LEAST_CHANCE)
            variance = expected * (1 - expected)
        else:
            variance = self._scattered(observed, expected[class_code])
        own = variance / (self.n + _SHRINK)
        luck = own + np.divide(variance, n, out=np.zeros(n_classes), where=n > 0)
        is_told &= luck > 0
        between = 0.0
        if is_told.sum() > 4:
            scale = _MAD * _median(
                np.abs(beyond) / np.sqrt(np.where(luck > 0, luck, 1)), is_told * n
            )
            between = max(0.0, scale**2 - 1) * _median(luck, is_told * n)
        return Terms(expected, variance, between + own, observed, is_count)

    def _scattered(self, observed: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """Return the variance of each class' units, wider where changed ones scatter more than unchanged."""
        if len(observed) == 0:
            return self.variance
        own = float(np.mean((observed - expected) ** 2))
        if self.overall <= 0:
            # unchanged units that never differ say nothing of luck
            return np.full(len(self.n), own)
        return self.variance * max(1.0, own / self.overall)


def is_lossy(outcome: np.ndarray) -> bool:
    """Tell whether outcomes are right or wrong, or differences of such: -1, 0 and 1 only."""
    pieces = (outcome[at : at + _PIECE] for at in range(0, len(outcome), _PIECE))
    return all(((piece == np.rint(piece)) & (np.abs(piece) <= 1)).all() for piece in pieces)


def control(
    is_changed: np.ndarray,
    class_code: np.ndarray,
    outcome: np.ndarray,
    n_classes: int,
    *,
    cluster: np.ndarray | None = None,
    only_losses: bool = False,
) -> Control:
    """Learn from units that did not change; of all, when every unit did.

    Parameters
    ----------
    is_changed, class_code, outcome
        ndarrays of bool, of integers and of float64, shape (n_units,).
    n_classes
        How many classes there are.
    cluster
        ndarray of integers, shape (n_units,): units that share their luck.
    only_losses
        Whether gains count as nought.
    """
    is_whole = bool(is_changed.all())
    n, total, squares = np.zeros((3, n_classes))
    pieces = [slice(at, at + _PIECE) for at in range(0, len(outcome), _PIECE)]

    def taken(piece: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = np.flatnonzero(is_changed[piece] == is_whole)
        value = outcome[piece][at]
        return at, class_code[piece][at], np.maximum(value, 0.0) if only_losses else value

    for piece in pieces:
        _, class_, value = taken(piece)
        n += np.bincount(class_, minlength=n_classes)
        total += np.bincount(class_, value, n_classes)
        squares += np.bincount(class_, value * value, n_classes)
    n_all = max(float(n.sum()), 1.0)
    mean = (total + _SHRINK * total.sum() / n_all) / (n + _SHRINK)
    if is_whole:
        mean = np.full(n_classes, total.sum() / n_all)
    squares = np.maximum(squares - 2 * mean * total + n * mean**2, 0.0)
    overall = float(squares.sum()) / n_all
    variance = (squares + _SHRINK * overall) / (n + _SHRINK)
    effect = 1.0
    if cluster is not None and overall > 0:
        sums = np.zeros(int(cluster.max()) + 1)
        for piece in pieces:
            at, class_, value = taken(piece)
            np.add.at(sums, cluster[piece][at], value - mean[class_])
        effect = max(1.0, float((sums**2).sum() / squares.sum()))
    return Control(np.zeros(n_classes) if is_whole else n, mean, variance, overall, effect)


def gains(one: Tally, method: Method, design_effect: float, is_count: bool) -> np.ndarray:
    """Return the gain of every slice of a combination of attributes.

    Parameters
    ----------
    one
        Its sums.
    method, design_effect, is_count
        As of `Control`.

    Returns
    -------
    ndarray of float64, shape (n_slices,)
        Logarithm of the evidence, less those of the number of slices and of the price of two attributes.

    Notes
    -----
    ``did``: ``sign(z) z^2 / 2``. ``bayes``: the logarithm of a likelihood ratio that averages over faults,
    whose mean over comparisons without a fault is 1 for every slice, however small; counts are
    binomial and a fault makes anything from none to all of the rest wrong, other outcomes are normal and a
    fault is of one unit's standard deviation. What a class' units share (its random effect, the
    error of its control) makes them worth fewer: counts and size shrink by the ratio of variances.
    """
    price = math.log(max(len(one.key), 1)) + math.log(DEPTH_PRICE[len(one.at)])
    return evidence(one, method, design_effect, is_count) - price


def evidence(one: Tally, method: Method, design_effect: float, is_count: bool) -> np.ndarray:
    """Return the logarithm of each slice's evidence, as `gains` tells."""
    whole = one.variance * design_effect + one.shared
    is_told = whole > 0
    z = np.zeros(len(one.n))
    z[is_told] = (one.observed - one.expected)[is_told] / np.sqrt(whole[is_told])
    if method is Method.DID:
        return np.sign(z) * z**2 / 2
    worth = np.divide(one.variance, whole, out=np.ones(len(whole)), where=is_told)
    if is_count:
        return _counted(one.observed * worth, one.n * worth, one.expected / one.n)
    from scipy.special import log_ndtr

    n = one.n * worth
    drawn = n / (n + 1)
    return math.log(2) + log_ndtr(z * np.sqrt(drawn)) - np.log1p(n) / 2 + z**2 / 2 * drawn


def threshold(tallies: Sequence[Tally], method: Method, false_evidence_fraction: float) -> float:
    """Return the gain above which there is evidence.

    Notes
    -----
    ``bayes``: every slice's ratio has mean 1 without a fault, and so has their mean weighted by price; by
    Markov's inequality the greatest weighted one exceeds ``w / alpha``, with w the weights' sum, at most
    alpha of the time, whatever the slices have in common.
    """
    if method is Method.DID:
        return EVIDENCE
    weight = sum(1 / DEPTH_PRICE[len(one.at)] for one in tallies if len(one.key))
    return math.log(max(weight, 1.0) / false_evidence_fraction)


def _counted(wrong: np.ndarray, n: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Return ln of the mean over p in (chance, 1) of the binomial likelihood at p, over that at chance."""
    from scipy.special import betaincc, betaln

    right = n - wrong
    with np.errstate(divide="ignore"):
        tail = np.log(betaincc(wrong + 1, right + 1, chance))
    whole = tail + betaln(wrong + 1, right + 1) - np.log1p(-chance)
    found: np.ndarray = whole - wrong * np.log(chance) - right * np.log1p(-chance)
    return np.maximum(found, _FLOOR)


def _median(value: np.ndarray, weight: np.ndarray) -> float:
    """Return the weighted median, between the two middle values where there are two."""
    at = np.flatnonzero(weight)
    if len(at) == 0:
        return 0.0
    at = at[np.argsort(value[at], kind="stable")]
    share = weight[at].astype(float)
    middle = np.cumsum(share) - share / 2
    return float(np.interp(share.sum() / 2, middle, value[at]))
