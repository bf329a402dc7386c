"""How many labels are wrong, from those that were checked: estimates under unequal chances.

Every checked label stands for 1 / pi labels, pi being its chance of having been
drawn. All is read off sums by group that add up over parts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lineage.calc.intervals import Z95
from lineage.calc.sums import Sums, summed

_N, _WRONG, _SURE, _SURE_WRONG, _W, _WY, _WW, _BB, _BBY, _BBYY = range(10)
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Estimates:
    """Error rates of groups.

    Parameters
    ----------
    group
        ndarray of int64, shape (n_groups,), ascending.
    n
        ndarray of int64, shape (n_groups,): checked labels.
    fraction, lo, hi
        ndarrays of float64, shape (n_groups,): share of wrong labels and its interval.
    sd
        ndarray of float64, shape (n_groups,): standard error of ``fraction``; 0 where nothing was
        found, which is no certainty: use the interval.
    n_effective
        ndarray of float64, shape (n_groups,): labels of one simple random draw from a large lot that
        would say as much; infinite where all were checked.
    """

    group: np.ndarray
    n: np.ndarray
    fraction: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    sd: np.ndarray
    n_effective: np.ndarray


@dataclass(frozen=True, slots=True)
class Totals:
    """Numbers of wrong labels in groups.

    Parameters
    ----------
    group
        ndarray of int64, shape (n_groups,), ascending.
    n_wrong
        ndarray of int64, shape (n_groups,): seen.
    total, lo, hi, sd
        ndarrays of float64, shape (n_groups,): estimated in all, interval and standard error.
    """

    group: np.ndarray
    n_wrong: np.ndarray
    total: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    sd: np.ndarray


@dataclass(frozen=True, slots=True)
class Reviewer:
    """How a reviewer errs.

    Parameters
    ----------
    spurious_fraction
        Share of right labels that are disputed.
    missed_fraction
        Share of wrong labels that pass.
    spurious_sd, missed_sd
        Standard errors of the two.
    """

    spurious_fraction: float
    missed_fraction: float
    spurious_sd: float = 0.0
    missed_sd: float = 0.0

    def seen(self, error_fraction: float) -> float:
        """Return the share of labels that the reviewer disputes where a given share is wrong.

        Examples
        --------
        >>> round(Reviewer(0.01, 0.10).seen(0.03), 4)
        0.0367
        """
        right = (1 - error_fraction) * self.spurious_fraction
        return right + error_fraction * (1 - self.missed_fraction)


def tally(
    group: np.ndarray,
    is_wrong: np.ndarray,
    inclusion_fraction: np.ndarray,
    *,
    image: np.ndarray | None = None,
) -> Sums:
    """Add up checked labels by group; tallies of parts may be added.

    Parameters
    ----------
    group
        ndarray of int64, shape (n,): codes of class, annotator, batch, or their combinations.
    is_wrong
        ndarray of bool (or of float64 in [0, 1], where findings are soft), shape (n,).
    inclusion_fraction
        ndarray of float64, shape (n,), in (0, 1]: each label's chance of being drawn.
    image
        ndarray of int64, shape (n,): where images were drawn and all of their labels checked together.
        The labels of an image must be in one part. None: every label was drawn for itself.

    Notes
    -----
    With b = sqrt(1 - pi) / pi, the variance of sum(w (y - p)) is the sum over what was drawn, labels
    or images, of (sum b (y - p))**2: three second moments, whatever p turns out to be.
    """
    group = np.asarray(group, np.int64)
    y, pi = np.asarray(is_wrong, float), np.asarray(inclusion_fraction, float)
    # what was drawn for certain is known; only the rest is weighed
    is_sure = pi >= 1 - _ROUNDING
    w = np.where(is_sure, 0.0, 1 / pi)
    b = np.where(is_sure, 0.0, np.sqrt(np.maximum(1 - pi, 0)) / pi)
    columns = [np.ones(len(y)), y, is_sure.astype(float), is_sure * y, w, w * y, w * w]
    plain = summed(group, np.stack(columns, axis=1))
    if image is None:
        owner, first = group, b
        second = b * y
    else:
        owner, first, second = _by_image(group, np.asarray(image, np.int64), b, b * y)
    spread = summed(owner, np.stack([first * first, first * second, second * second], axis=1))
    return Sums(plain.key, np.concatenate([plain.value, spread.value], axis=1))


def _by_image(
    group: np.ndarray, image: np.ndarray, b: np.ndarray, by: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    groups, group_code = np.unique(group, return_inverse=True)
    images, image_code = np.unique(image, return_inverse=True)
    n_images = max(len(images), 1)
    found = summed(group_code * n_images + image_code, np.stack([b, by], axis=1))
    return groups[found.key // n_images], found.value[:, 0], found.value[:, 1]


def estimated(tally: Sums, *, level: float = 0.95) -> Estimates:
    """Return error rates with intervals.

    Parameters
    ----------
    tally
        Of `tally`, of one part or of several.
    level
        Of the intervals.

    Notes
    -----
    Hajek's ratio p = sum(w y) / sum(w), with var = sum((1 - pi) w**2 (y - p)**2) / sum(w)**2. The interval
    is Jeffreys' on an effective number of labels, in the manner of Korn and Graubard, with two turns. Half
    a wrong and half a right label are added before, not after, and at the weight that a label of the
    population has on average, sum(w**2) / sum(w); labels that were drawn for certain stand apart and are
    not estimated. With equal chances all of it comes to Beta((x + 1/2) / (1 - pi), (n - x + 1/2) / (1 - pi))
    and n_effective = n / (1 - pi). Without it, a group whose errors were mostly found where nearly all was
    checked would seem to be known almost exactly, however thinly the rest was looked at.

    Where images were drawn, the added label stands for itself: a group without errors cannot show how
    they gather, and is told as if they did not. A group whose labels were all checked has the interval
    [p, p].

    References
    ----------
    Korn and Graubard, Survey Methodology 24(2), 1998, 193-201.
    Hajek, in Foundations of Statistical Inference, 1971, 236.
    """
    from scipy.special import betaincinv

    value = tally.value
    total, wrong = value[:, _W] + value[:, _SURE], value[:, _WY] + value[:, _SURE_WRONG]
    p = wrong / total
    is_whole = value[:, _W] <= 0
    rest = np.where(is_whole, 1.0, value[:, _W])
    typical = np.where(is_whole, 1.0, value[:, _WW] / rest)
    own = (value[:, _WY] + typical / 2) / (rest + typical)
    smooth = (wrong + typical / 2) / (total + typical)
    added = typical * (typical - 1) * (smooth**2 + (1 - smooth) ** 2) / 2
    spread = np.where(is_whole, 1.0, np.maximum(_spread(tally, smooth), 0) + added)
    size = own * (1 - own) * (rest + typical) ** 2 / spread
    tail = (1 - level) / 2
    lo, hi = (betaincinv(own * size, (1 - own) * size, at) for at in (tail, 1 - tail))
    lo = np.where(value[:, _WY] <= 0, 0.0, np.minimum(lo, value[:, _WY] / rest))
    hi = np.where(value[:, _WY] >= rest, 1.0, np.maximum(hi, value[:, _WY] / rest))
    n_effective = smooth * (1 - smooth) * total * (total + typical) / spread
    return Estimates(
        tally.key,
        value[:, _N].astype(np.int64),
        p,
        np.where(is_whole, p, (value[:, _SURE_WRONG] + lo * rest) / total),
        np.where(is_whole, p, (value[:, _SURE_WRONG] + hi * rest) / total),
        np.sqrt(np.maximum(_spread(tally, p), 0)) / total,
        np.where(is_whole, np.inf, n_effective),
    )


def _spread(tally: Sums, p: np.ndarray) -> np.ndarray:
    value = tally.value
    return np.asarray(value[:, _BBYY] - 2 * p * value[:, _BBY] + p * p * value[:, _BB])


def totals(tally: Sums, *, level: float = 0.95) -> Totals:
    """Return how many labels are wrong in all (Horvitz and Thompson).

    Parameters
    ----------
    tally
        Of `tally`, of one part or of several.
    level
        Of the intervals.

    Notes
    -----
    sum(w y), with variance sum((1 - pi) w**2 y**2). What was drawn for certain is counted; the interval of
    the rest is a gamma law's with its moments after half a wrong label is added, as in `estimated`: with
    equal small chances that is Jeffreys' interval of a Poisson count. It never falls below what was seen.

    References
    ----------
    Horvitz and Thompson, JASA 47, 1952, doi:10.1080/01621459.1952.10483446.
    """
    from scipy.special import gammaincinv

    value = tally.value
    seen, sure, rest = value[:, _WRONG], value[:, _SURE_WRONG], value[:, _WY]
    is_whole = value[:, _W] <= 0
    typical = np.where(is_whole, 2.0, value[:, _WW] / np.where(is_whole, 1.0, value[:, _W]))
    mean, spread = rest + typical / 2, value[:, _BBYY] + typical * (typical - 1) / 2
    scale = spread / mean
    tail = (1 - level) / 2
    lo, hi = (gammaincinv(mean / scale, at) * scale for at in (tail, 1 - tail))
    return Totals(
        tally.key,
        seen.astype(np.int64),
        sure + rest,
        np.where(rest <= 0, sure, np.maximum(sure + np.minimum(lo, rest), seen)),
        np.where(is_whole, sure, sure + np.maximum(hi, rest)),
        np.sqrt(value[:, _BBYY]),
    )


def corrected(found: Estimates, reviewer: Reviewer, *, z: float = Z95) -> Estimates:
    """Return error rates freed of the reviewer's own errors (Rogan and Gladen).

    Parameters
    ----------
    found
        Shares of disputed labels.
    reviewer
        How the reviewer errs.
    z
        Normal quantile that belongs to the level of ``found``, for the reviewer's uncertainty.

    Returns
    -------
    Estimates
        Within [0, 1]. NaN where the reviewer is no better than chance; ``n_effective`` stays that of
        the disputes.

    Notes
    -----
    p = (p_seen - f) / (1 - m - f). The distances from p to either bound, and what f and m themselves
    leave open, are added as squares (Zou and Donner).

    References
    ----------
    Rogan and Gladen, American Journal of Epidemiology 107(1), 1978, doi:10.1093/oxfordjournals.aje.a112510.
    Zou and Donner, Statistics in Medicine 27(10), 2008, doi:10.1002/sim.3095.

    Examples
    --------
    >>> seen = estimated(tally(np.zeros(300), np.arange(300) < 11, np.full(300, 0.05)))
    >>> freed = corrected(seen, Reviewer(spurious_fraction=0.01, missed_fraction=0.10))
    >>> round(float(seen.fraction[0]), 4), round(float(freed.fraction[0]), 4)
    (0.0367, 0.03)
    """
    gain = 1 - reviewer.missed_fraction - reviewer.spurious_fraction
    if gain <= 0:
        unknown = np.full(len(found.fraction), np.nan)
        return replace(found, fraction=unknown, lo=unknown, hi=unknown, sd=unknown)
    p, lo, hi = (
        (side - reviewer.spurious_fraction) / gain for side in (found.fraction, found.lo, found.hi)
    )
    likely = np.clip(p, 0, 1)
    spurious, missed = (1 - likely) * reviewer.spurious_sd, likely * reviewer.missed_sd
    own = (spurious**2 + missed**2) / gain**2
    below = np.sqrt((p - lo) ** 2 + z * z * own)
    above = np.sqrt((hi - p) ** 2 + z * z * own)
    return replace(
        found,
        fraction=likely,
        lo=np.clip(p - below, 0, 1),
        hi=np.clip(p + above, 0, 1),
        sd=np.sqrt((found.sd / gain) ** 2 + own),
    )
