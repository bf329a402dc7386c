"""Agreement on the disagreements: what fresh, blind opinions say about units that were disputed.

Asking whether annotators agree on the units that they disagree on is selection
on the outcome if the same opinions answer. So either two fresh opinions answer
(`from_fresh`), or, where a unit has four or more, the opinions take turns: two
of them make the dispute, two others answer, over all such choices at once
(`FreshTally`). `direction` asks whether annotators take sides by habit. The two
together tell slips from a biased minority, ambiguous units from a split definition.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum

import numpy as np

from lineage.calc.intervals import wilson

AGREE_LEAST = 0.75
HABIT_LEAST = 0.10
P_MOST = 0.01


class DisputeVerdict(StrEnum):
    """What kind of disagreement it is."""

    SLIPS = "slips"
    BIASED_MINORITY = "biased_minority"
    AMBIGUOUS = "ambiguous"
    DEFINITION_SPLIT = "definition_split"


@dataclass(frozen=True, slots=True)
class FreshTally:
    """Sums behind the U-statistic for fresh agreement; ``a + b`` is that of both sets of units.

    Parameters
    ----------
    agreed, disputed, disputed_squared
        Sums over units of the weight of (disputing pair, agreeing other pair), of (disputing pair,
        any other pair), and of the latter's square.
    """

    agreed: float
    disputed: float
    disputed_squared: float

    def __add__(self, other: FreshTally) -> FreshTally:
        return FreshTally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Fresh:
    """Agreement of fresh opinions on disputed units.

    Parameters
    ----------
    a_fresh, lo, hi
        Share of pairs of fresh opinions that agree, with Wilson's interval.
    alpha
        The same, corrected for chance by the fresh opinions' own marginals; NaN where unknown.
    n_disputes
        Disputed units behind it (an effective number for the U-statistic).
    """

    a_fresh: float
    lo: float
    hi: float
    alpha: float
    n_disputes: float


def fresh_tally(unit: np.ndarray, class_: np.ndarray, n_classes: int) -> FreshTally:
    """Sum over units with four or more opinions.

    Parameters
    ----------
    unit
        ndarray of int64, shape (n,).
    class_
        ndarray of int, shape (n,): codes below ``n_classes``, "missing" among them where that is disputed.
    n_classes
        How many.

    Notes
    -----
    With n_k opinions for class k on a unit, m in all and A = sum n_k (n_k - 1), ordered quadruples
    of different opinions in which the first two differ and the last two agree number
    ``sum_k n_k (n_k - 1) [(m-2)(m-3) - A + n_k (n_k - 1) - (n_k - 2)(n_k - 3)]``, those in which the
    first two differ ``(m (m-1) - A)(m-2)(m-3)``.
    """
    if len(unit) == 0:
        return FreshTally(0.0, 0.0, 0.0)
    _, dense = np.unique(unit, return_inverse=True)
    m = np.bincount(dense).astype(float)
    cells, count = np.unique(dense * np.int64(n_classes) + class_, return_counts=True)
    at, n = cells // n_classes, count.astype(float)
    pairs = n * (n - 1)
    a = np.bincount(at, pairs, len(m))
    others = (m - 2) * (m - 3)
    own = pairs * (others[at] - a[at] + pairs - (n - 2) * (n - 3))
    has_four = m >= 4
    scale = np.where(has_four, m * (m - 1) * others, 1.0)
    agreed = np.bincount(at, own, len(m)) / scale
    disputed = (m * (m - 1) - a) * others / scale
    return FreshTally(
        float(agreed[has_four].sum()),
        float(disputed[has_four].sum()),
        float((disputed[has_four] ** 2).sum()),
    )


def fresh_pair(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what units add to `FreshTally` where only two classes are at issue.

    Parameters
    ----------
    one, other
        ndarrays of float64, shape (n_units,): opinions for the one and for the other.

    Returns
    -------
    tuple of ndarray of float64, shape (n_units,)
        ``agreed`` and ``disputed``; 0 below four opinions.
    """
    m = one + other
    pairs = one * (one - 1), other * (other - 1)
    others = (m - 2) * (m - 3)
    has_four = m >= 4
    scale = np.where(has_four, m * (m - 1) * others, 1.0)
    agreed = sum(
        own * (others - pairs[0] - pairs[1] + own - (n - 2) * (n - 3))
        for own, n in zip(pairs, (one, other), strict=True)
    )
    disputed = (m * (m - 1) - pairs[0] - pairs[1]) * others
    return np.where(has_four, agreed / scale, 0.0), np.where(has_four, disputed / scale, 0.0)


def from_tally(t: FreshTally) -> Fresh:
    """Return fresh agreement by the U-statistic, NaN where no unit was disputed."""
    if t.disputed <= 0:
        return Fresh(np.nan, np.nan, np.nan, np.nan, 0.0)
    value = min(max(t.agreed / t.disputed, 0.0), 1.0)
    n = t.disputed**2 / t.disputed_squared
    low, high = wilson(value * n, n)
    return Fresh(value, float(low), float(high), np.nan, n)


def from_fresh(
    first: np.ndarray, second: np.ndarray, n_classes: int, *, inclusion: np.ndarray | None = None
) -> Fresh:
    """Return agreement of two fresh opinions on each disputed unit.

    Parameters
    ----------
    first, second
        ndarrays of int, shape (n,): the two fresh opinions on each unit.
    n_classes
        How many classes there are.
    inclusion
        ndarray of float64, shape (n,): probability with which each disputed unit was re-opened.
    """
    if len(first) == 0:
        return Fresh(np.nan, np.nan, np.nan, np.nan, 0.0)
    weight = np.ones(len(first)) if inclusion is None else 1 / np.asarray(inclusion, float)
    total = weight.sum()
    value = float((weight * (first == second)).sum() / total)
    mentioned = np.bincount(first, weight, n_classes) + np.bincount(second, weight, n_classes)
    share = mentioned / (2 * total)
    n_opinions = 2 * len(first)
    chance = (1 - (share**2).sum()) * n_opinions / (n_opinions - 1)
    alpha = 1 - (1 - value) / chance if chance > 0 else np.nan
    n = total**2 / (weight**2).sum()
    low, high = wilson(value * n, n)
    return Fresh(value, float(low), float(high), float(alpha), float(n))


@dataclass(frozen=True, slots=True)
class SideTally:
    """Sums behind `Direction`; ``a + b`` is that of both sets of units.

    Parameters
    ----------
    n, u, uu
        ndarrays of float64, shape (n_annotators,): opinions on disputed units, and sums of their
        standardised sides and of the squares.
    lean
        ndarray of float64, shape (n_annotators,): T_i, the sum of (z - p).
    covariance
        ndarray of float64, shape (n_annotators, n_annotators): of T when the opinions on each
        unit are dealt out at random.
    """

    n: np.ndarray
    u: np.ndarray
    uu: np.ndarray
    lean: np.ndarray
    covariance: np.ndarray

    def __add__(self, other: SideTally) -> SideTally:
        return SideTally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Direction:
    """Whether annotators take their sides by habit.

    Parameters
    ----------
    s
        Unbiased estimate of the mean of (2 theta - 1)^2, theta being the chance with which an
        annotator takes their usual side. The square root of a positive ``s`` estimates, a little
        low, the share of disputes that are about the definition.
    s_of, lean, n
        ndarrays of float64, shape (n_annotators,): each annotator's own S (NaN below two opinions),
        mean lean towards the first side, and number of opinions.
    chi2, df, p
        Test of no habit at all.
    """

    s: float
    s_of: np.ndarray
    lean: np.ndarray
    n: np.ndarray
    chi2: float
    df: int
    p: float


def side_tally(
    unit: np.ndarray, annotator: np.ndarray, is_first: np.ndarray, n_annotators: int
) -> SideTally:
    """Sum over units on which both sides were taken.

    Parameters
    ----------
    unit
        ndarray of int64, shape (n,).
    annotator
        ndarray of int, shape (n,): codes; at most one opinion of each on a unit.
    is_first
        ndarray of bool, shape (n,): the opinion takes the first of the two sides.
    n_annotators
        How many annotators there are.
    """
    from scipy.sparse import coo_array

    zeros = np.zeros(n_annotators)
    if len(unit) == 0:
        return SideTally(zeros, zeros, zeros, zeros, np.zeros((n_annotators, n_annotators)))
    _, dense = np.unique(unit, return_inverse=True)
    m = np.bincount(dense).astype(float)
    p = np.bincount(dense, is_first.astype(float)) / m
    rows = np.flatnonzero((p[dense] > 0) & (p[dense] < 1))
    at, who, z = dense[rows], annotator[rows], is_first[rows].astype(float)
    spread = p * (1 - p)
    side = (z - p[at]) / np.sqrt(spread[at])
    of_unit = np.where(spread > 0, spread * m / np.maximum(m - 1, 1), 0.0)
    seats = coo_array((np.ones(len(rows)), (at, who)), shape=(len(m), n_annotators)).tocsr()
    shared = seats.T @ (seats * (of_unit / m)[:, None])
    covariance = np.diag(np.bincount(who, of_unit[at], n_annotators)) - shared.toarray()
    return SideTally(
        n=np.bincount(who, minlength=n_annotators).astype(float),
        u=np.bincount(who, side, n_annotators),
        uu=np.bincount(who, side * side, n_annotators),
        lean=np.bincount(who, z - p[at], n_annotators),
        covariance=covariance,
    )


def direction(t: SideTally) -> Direction:
    """Return whether annotators take sides by habit.

    Notes
    -----
    ``S_i = ((sum u)^2 - sum u^2) / (n_i (n_i - 1))``, S their mean weighted by n_i; the test is
    ``T' V^+ T``, of the family of Cochran, Mantel and Haenszel, with one degree of freedom less
    than there are annotators. It rejects 2 to 3 % at a nominal 1 % (METHODS 2.2).
    """
    from scipy.stats import chi2 as chi2_law

    with np.errstate(divide="ignore", invalid="ignore"):
        s_of = np.where(t.n > 1, (t.u**2 - t.uu) / (t.n * (t.n - 1)), np.nan)
        lean = np.where(t.n > 0, t.lean / t.n, np.nan)
    counted = t.n > 1
    active = np.flatnonzero(t.n > 0)
    df = max(len(active) - 1, 0)
    if not counted.any() or df == 0:
        return Direction(np.nan, s_of, lean, t.n, 0.0, df, 1.0)
    s = float((t.n[counted] * s_of[counted]).sum() / t.n[counted].sum())
    inner = np.linalg.pinv(t.covariance[np.ix_(active, active)], hermitian=True)
    statistic = float(t.lean[active] @ inner @ t.lean[active])
    return Direction(s, s_of, lean, t.n, statistic, df, float(chi2_law.sf(statistic, df)))


def verdict(a_fresh: float, s: float, p: float) -> DisputeVerdict | None:
    """Tell the four kinds of disagreement apart; None without evidence.

    Parameters
    ----------
    a_fresh
        Agreement of fresh opinions.
    s, p
        Directional consistency and its test.
    """
    if np.isnan(a_fresh) or np.isnan(s):
        return None
    is_habit = s > HABIT_LEAST and p < P_MOST
    if a_fresh >= AGREE_LEAST:
        return DisputeVerdict.BIASED_MINORITY if is_habit else DisputeVerdict.SLIPS
    return DisputeVerdict.DEFINITION_SPLIT if is_habit else DisputeVerdict.AMBIGUOUS


def one_sided_pairs(forth: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Return, per annotator pair, how one-sided their confusion of two classes is.

    A screen that needs no fresh opinions: it ranks which pairs of classes to open.

    Parameters
    ----------
    forth, back
        ndarrays, shape (n,): how often the one says a where the other says b, and the reverse.

    Returns
    -------
    ndarray of float64, shape (n,)
        ``((x - y)^2 - (x + y)) / ((x + y)(x + y - 1))``, unbiased for the squared difference of the
        two shares; NaN below two confusions.
    """
    x, y = np.asarray(forth, float), np.asarray(back, float)
    n = x + y
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(n >= 2, ((x - y) ** 2 - n) / (n * (n - 1)), np.nan)
