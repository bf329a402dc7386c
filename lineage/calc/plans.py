"""Whom and what to check: strata to inclusion fractions, and what a plan costs and can show.

A stratum is a cell of class x annotator x whatever a model says of the label; the
caller composes them and counts. Strata that promise more errors per hour get more,
rare classes and new people get no less than a floor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lineage.calc.intervals import jeffreys

PRIOR_ERROR_FRACTION, _PRIOR_N = 0.06, 20.0
CLASS_LEAST, ANNOTATOR_LEAST = 60, 30
LEAST_RATE, MEAN_RATE, MOST_RATE = 0.01, 0.05, 0.30
_POWER = 0.90
_LARGE = 1e9
_BISECTIONS = 40


@dataclass(frozen=True, slots=True)
class Plan:
    """Which part of each stratum is checked.

    Parameters
    ----------
    fraction
        ndarray of float64, shape (n_strata,), in [0, 1].
    n_budget, n_least, n_expected
        Labels that were asked for, that the floors ask for, and that will be drawn on average.
    """

    fraction: np.ndarray
    n_budget: float
    n_least: float
    n_expected: float

    @property
    def is_over_budget(self) -> bool:
        """The floors alone ask for more than the budget."""
        return self.n_least > self.n_budget


def error_means(
    n_wrong: np.ndarray, n: np.ndarray, *, prior: float = PRIOR_ERROR_FRACTION
) -> np.ndarray:
    """Return what error rates to expect, from what was checked so far.

    Parameters
    ----------
    n_wrong, n
        ndarrays of float64, shape (n_strata,).
    prior
        What to expect of a stratum that nobody has looked at; worth twenty labels.

    Examples
    --------
    >>> error_means(np.array([0, 0, 30]), np.array([0, 100, 100])).round(3).tolist()
    [0.06, 0.01, 0.26]
    """
    return np.asarray((n_wrong + prior * _PRIOR_N) / (np.asarray(n, float) + _PRIOR_N))


def floor_fractions(count: np.ndarray, group: np.ndarray, least: int | np.ndarray) -> np.ndarray:
    """Return the fraction of each stratum that gives its group as many labels as it must have.

    Parameters
    ----------
    count
        ndarray of int64, shape (n_strata,): labels of each stratum in the period.
    group
        ndarray of int, shape (n_strata,): the class, or the annotator, that a stratum is of.
    least
        Labels that each group must have, or an ndarray of int, shape (n_groups,); all of the group
        where it has fewer.

    Notes
    -----
    Of several floors the greatest holds: ``np.maximum``.

    Examples
    --------
    >>> floor_fractions(np.array([500, 100, 30]), np.array([0, 0, 1]), 60).tolist()
    [0.1, 0.1, 1.0]
    """
    n = np.bincount(group, count)
    fraction = np.divide(least, n, out=np.ones(len(n)), where=n > 0)
    return np.asarray(np.minimum(fraction, 1.0)[group])


def planned(
    count: np.ndarray,
    error_mean: np.ndarray,
    *,
    base_fraction: float,
    floor_fraction: np.ndarray | float = 0.0,
    cost: np.ndarray | float = 1.0,
) -> Plan:
    """Divide a budget among strata: Neyman's allocation above the floors.

    Parameters
    ----------
    count
        ndarray of int64, shape (n_strata,): labels of each stratum.
    error_mean
        ndarray of float64, shape (n_strata,): expected error rates, as of `error_means`.
    base_fraction
        The budget, as a fraction of all labels.
    floor_fraction
        No stratum gets less: of `floor_fractions`, or a rate that an annotator has earned.
    cost
        What a check costs in a stratum, in any unit.

    Notes
    -----
    n_h = min(N_h, max(lambda N_h sqrt(p_h (1 - p_h) / c_h), floor_h)), with the lambda that spends the
    budget exactly. Floors that ask for more than the budget get it: see ``is_over_budget``.

    References
    ----------
    Neyman, Journal of the Royal Statistical Society 97(4), 1934, doi:10.2307/2342192.

    Examples
    --------
    >>> plan = planned(
    ...     np.array([9000, 900, 100]),
    ...     np.array([0.02, 0.2, 0.1]),
    ...     base_fraction=0.05,
    ...     floor_fraction=np.array([0.0, 0.0, 0.6]),
    ... )
    >>> plan.fraction.round(3).tolist(), round(plan.n_expected)
    ([0.038, 0.109, 0.6], 500)
    """
    n = np.asarray(count, float)
    p = np.clip(error_mean, 1 / _LARGE, 1 - 1 / _LARGE)
    pull = np.sqrt(p * (1 - p) / cost)
    least = np.broadcast_to(np.clip(floor_fraction, 0, 1), n.shape)
    budget = base_fraction * float(n.sum())
    n_least = float((n * least).sum())
    fraction = np.clip(_strength(n, pull, least, budget) * pull, least, 1)
    return Plan(fraction, budget, n_least, float((n * fraction).sum()))


def _strength(n: np.ndarray, pull: np.ndarray, least: np.ndarray, budget: float) -> float:
    """Return the lambda that spends the budget: what is drawn grows in straight pieces with it."""
    if len(n) == 0:
        return 0.0
    turn = np.concatenate([least / pull, 1 / pull])
    order = np.argsort(turn, kind="stable")
    at = turn[order]
    # above its floor a stratum grows with its slope, above its whole it stays
    slope = np.cumsum(np.concatenate([n * pull, -n * pull])[order])
    drawn = (n * least).sum() + np.concatenate([[0], np.cumsum(slope[:-1] * np.diff(at))])
    return float(np.interp(budget, drawn, at))


def adaptive_fractions(error_mean: np.ndarray) -> np.ndarray:
    """Return which part of each annotator's labels to check, more of those who err more.

    Parameters
    ----------
    error_mean
        ndarray of float64, shape (n_annotators,): posterior means of error rates.

    Returns
    -------
    ndarray of float64, shape (n_annotators,)
        1 % for all and 4 % more on average, shared by the rates to the power 1.5, at most 30 %.

    Examples
    --------
    >>> adaptive_fractions(np.array([0.02, 0.02, 0.02, 0.20])).round(3).tolist()
    [0.015, 0.015, 0.015, 0.156]
    """
    pull = np.asarray(error_mean, float) ** 1.5
    total = pull.sum()
    share = pull / total if total > 0 else np.full(len(pull), 1 / max(len(pull), 1))
    fraction = LEAST_RATE + (MEAN_RATE - LEAST_RATE) * len(pull) * share
    return np.clip(fraction, LEAST_RATE, MOST_RATE)


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a plan will cost and show of groups: its operating characteristic.

    Parameters
    ----------
    group
        ndarray of int64, shape (n_groups,), ascending.
    n, n_checked, cost
        ndarrays of float64, shape (n_groups,): labels, those drawn on average, and their cost.
    n_effective
        ndarray of float64, shape (n_groups,): labels of one simple random draw that would say as much.
    half_width
        ndarray of float64, shape (n_groups,): half the width of the interval to expect.
    seen_fraction
        ndarray of float64, shape (n_groups,): smallest error rate of which a single wrong label is
        drawn nine times out of ten; above 1 where even all wrong would not do.
    detected_fraction
        ndarray of float64, shape (n_groups,): smallest error rate whose interval lies, nine times out of
        ten, above the acceptable rate.
    """

    group: np.ndarray
    n: np.ndarray
    n_checked: np.ndarray
    cost: np.ndarray
    n_effective: np.ndarray
    half_width: np.ndarray
    seen_fraction: np.ndarray
    detected_fraction: np.ndarray


def prospect(
    count: np.ndarray,
    fraction: np.ndarray,
    error_mean: np.ndarray,
    *,
    group: np.ndarray,
    acceptable: float = 0.01,
    cost: np.ndarray | float = 1.0,
    level: float = 0.95,
) -> Prospect:
    """Return what a plan will cost and show of each class (or annotator, or of all).

    Parameters
    ----------
    count, fraction, error_mean
        ndarrays of float64, shape (n_strata,): labels, inclusion fractions, expected error rates.
    group
        ndarray of int, shape (n_strata,): what a stratum is of.
    acceptable
        The error rate that a group must exceed to be of interest.
    cost
        What a check costs in a stratum.
    level
        Of the intervals.

    Notes
    -----
    Errors are taken to lie evenly over the strata of a group, so the figures promise less than a plan
    whose strata are well chosen will show. n_effective is N**2 / sum(N_h (1 / pi_h - 1)), n / (1 - pi)
    where all have one chance; 0 where a stratum is not looked at, for then nothing is known of the group.

    Examples
    --------
    >>> found = prospect(
    ...     np.array([20_000.0]), np.array([0.05]), np.array([0.06]), group=np.array([0])
    ... )
    >>> float(found.n_checked[0]), round(float(found.half_width[0]), 4)
    (1000.0, 0.0144)
    >>> round(float(found.seen_fraction[0]), 5), round(float(found.detected_fraction[0]), 4)
    (0.00224, 0.0224)
    """
    groups, at = np.unique(group, return_inverse=True)

    def by_group(value: np.ndarray) -> np.ndarray:
        return np.bincount(at, value, len(groups))

    n_each = np.asarray(count, float)
    n, drawn = by_group(n_each), by_group(n_each * fraction)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = by_group(np.where(n_each > 0, n_each * (1 / np.asarray(fraction, float) - 1), 0))
        n_effective = np.where(n > 0, n * n / spread, 0)
        expected = np.where(n > 0, by_group(n_each * error_mean) / n, np.nan)
        # every error escapes by itself with the group's mean chance
        seen = np.log(1 - _POWER) / np.log1p(-drawn / n) / n
    known = np.clip(n_effective, 1 / _LARGE, _LARGE)
    lo, hi = jeffreys(expected * known, known, level=level)
    return Prospect(
        groups.astype(np.int64),
        n,
        drawn,
        by_group(n_each * fraction * cost),
        n_effective,
        np.where(np.isinf(n_effective), 0, (hi - lo) / 2),
        np.where(drawn >= n, 1 / np.maximum(n, 1), seen),
        _detected(known, acceptable, (1 - level) / 2),
    )


def _detected(n: np.ndarray, acceptable: float, tail: float) -> np.ndarray:
    """Return the error rate whose interval on n labels clears the acceptable one with `_POWER`."""
    from scipy.special import betainc, betaincinv

    # the fewest wrong labels whose lower bound lies above: between low and high
    low, high = np.zeros(len(n)), np.ceil(n)
    for _ in range(_BISECTIONS):
        middle = np.floor((low + high) / 2)
        x = np.minimum(middle, n)
        is_above = betainc(x + 0.5, n - x + 0.5, acceptable) < tail
        low, high = np.where(is_above, low, middle), np.where(is_above, middle, high)
    # of few labels not even all wrong may show it
    x = np.minimum(high, n)
    is_shown = (n >= 1) & (betainc(x + 0.5, n - x + 0.5, acceptable) < tail)
    rest = np.maximum(n - high + 1, 1 / _LARGE)
    return np.where(is_shown, betaincinv(np.maximum(high, 1), rest, _POWER), 1.0)
