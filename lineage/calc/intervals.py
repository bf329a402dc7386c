"""How sure a number is: intervals for agreement and for shares.

Agreement over many images: the delta method on log(1 - x), clustered by image,
from the moments of a `coefficients.Tally`. Few mentions: Wilson's interval on an
effective number of pairs. Shares: Wilson and Jeffreys.
"""

from __future__ import annotations

import numpy as np

from lineage.calc.coefficients import Tally, alpha_by_class, specific_agreement

Z95 = 1.959963984540054
FEW = 30
"""Fewer agreeing pairs than these are told by Wilson's interval."""

TOO_FEW = 5
"""With fewer mentions than these there is no number."""

_NONE = 1e-9
"""Of the mentions: fewer contradicted ones than these are rounding."""


def alpha_interval(t: Tally, *, z: float = Z95) -> tuple[np.ndarray, np.ndarray]:
    """Return per-class intervals for `coefficients.alpha_by_class`.

    Parameters
    ----------
    t
        A tally whose clusters are images.
    z
        Normal quantile.

    Returns
    -------
    tuple of ndarray of float64, shape (n_classes,)
        Lower and upper bounds; NaN where there is no coefficient.

    Notes
    -----
    The influence of image c on log(1 - alpha_k) is
    ``d_c/D - n_kc/n_k - (n_c - n_kc)/(n - n_k) + n_c/(n - 1)``: linear in the image's three counts,
    so the sum of its squares is read off their second moments.
    """
    n, k = t.mentions.sum(), t.mentions
    d = k - t.coincidences
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.stack([1 / d, 1 / (n - k) - 1 / k, 1 / (n - 1) - 1 / (n - k)])
        return _log_bounds(alpha_by_class(t), _variance(t.moments, weights), z)


def specific_interval(t: Tally, *, z: float = Z95) -> tuple[np.ndarray, np.ndarray]:
    """Return per-class intervals for `coefficients.specific_agreement`; arguments as above.

    Notes
    -----
    Classes with fewer than `FEW` agreeing pairs, or with no other (the logarithm of 1 - 1 has no
    bounds), get Wilson's interval on ``q``, the share of pairs
    with the class that agree, on ``n / deff`` pairs, carried over by ``2 q / (1 + q)``; the design
    effect deff compares the clustered variance with that of independent pairs.
    """
    k, d = t.mentions, t.mentions - t.coincidences
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.stack([1 / d, -1 / k, np.zeros(len(k))])
        variance = _variance(t.moments, weights)
        value = specific_agreement(t)
        low, high = _log_bounds(value, variance, z)
        few_low, few_high = _few_bounds(t, z)
    is_few = (t.coincidences / 2 < FEW) | (d <= _NONE * k)
    return np.where(is_few, few_low, low), np.where(is_few, few_high, high)


def design_effect(t: Tally) -> np.ndarray:
    """Return, per class, how much images inflate the variance of specific agreement, at least 1."""
    k, d = t.mentions, t.mentions - t.coincidences
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.stack([1 / d, -1 / k, np.zeros(len(k))])
        clustered = _variance(t.moments, weights)
        pairs, agreeing = d + t.coincidences / 2, t.coincidences / 2
        # a disagreeing pair has one mention of the class, an agreeing one has two
        alone = d * (1 / d - 1 / k) ** 2 + agreeing * (2 / k) ** 2
        found = np.where((pairs > 0) & (alone > 0), clustered / alone, 1.0)
    return np.where(np.isfinite(found), np.maximum(found, 1.0), 1.0)


def wilson(
    x: np.ndarray | float, n: np.ndarray | float, *, z: float = Z95
) -> tuple[np.ndarray, np.ndarray]:
    """Return Wilson's score interval of a share.

    Parameters
    ----------
    x, n
        Successes and tries; need not be whole (effective numbers); NaN bounds where ``n`` is 0.

    Examples
    --------
    >>> low, high = wilson(8, 10)
    >>> round(float(low), 3), round(float(high), 3)
    (0.49, 0.943)

    References
    ----------
    Wilson, JASA 22, 1927, doi:10.1080/01621459.1927.10502953.
    """
    x, n = np.asarray(x, float), np.asarray(n, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = x / n
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def jeffreys(
    x: np.ndarray | float, n: np.ndarray | float, *, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Return Jeffreys' interval of a share: quantiles of Beta(x + 1/2, n - x + 1/2).

    Examples
    --------
    >>> low, high = jeffreys(0, 10)
    >>> float(low), round(float(high), 3)
    (0.0, 0.217)
    """
    from scipy.special import betaincinv

    x, n = np.asarray(x, float), np.asarray(n, float)
    tail = (1 - level) / 2
    low = np.where(x <= 0, 0.0, betaincinv(x + 0.5, n - x + 0.5, tail))
    high = np.where(x >= n, 1.0, betaincinv(x + 0.5, n - x + 0.5, 1 - tail))
    return low, high


def _variance(moments: np.ndarray, weights: np.ndarray) -> np.ndarray:
    a, b, c = weights
    dd, dk, dn, kk, kn, nn = moments.T
    # a weight of infinity stands before a moment of zero: no contradicted mention at all
    terms = (a * a * dd, 2 * a * b * dk, 2 * a * c * dn, b * b * kk, 2 * b * c * kn, c * c * nn)
    found: np.ndarray = sum(terms, np.zeros(len(dd)))
    return found


def _log_bounds(value: np.ndarray, variance: np.ndarray, z: float) -> tuple[np.ndarray, np.ndarray]:
    spread = z * np.sqrt(np.maximum(variance, 0))
    log = np.log(1 - value)
    return 1 - np.exp(log + spread), 1 - np.exp(log - spread)


def _few_bounds(t: Tally, z: float) -> tuple[np.ndarray, np.ndarray]:
    agreeing = t.coincidences / 2
    pairs = agreeing + t.mentions - t.coincidences
    effect = design_effect(t)
    low, high = wilson(agreeing / effect, pairs / effect, z=z)
    return 2 * low / (1 + low), 2 * high / (1 + high)
