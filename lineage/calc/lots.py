"""Whether a lot is good enough: sequential and fixed acceptance plans, and how strictly to look next.

A lot is what one annotator did in one batch. The sequential test judges its checked
labels one after the other and stops as soon as the risks allow; the fixed plans say
what the same risks cost without stopping.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import reduce

import numpy as np

from lineage.calc.estimates import Reviewer
from lineage.calc.gold import bounds, log_ratio

_ROUNDING = 1e-9


class LotDecision(StrEnum):
    """What the test says of a lot."""

    ACCEPT = "accept"
    REJECT = "reject"
    CONTINUE = "continue"


DECISIONS = tuple(LotDecision)
"""`Gates.decision` counts in this order."""


@dataclass(frozen=True, slots=True)
class LotTest:
    """Terms of the sequential test.

    Parameters
    ----------
    good, bad
        Error rates: acceptable (AQL), and to be rejected (LTPD).
    alpha, beta
        Risks of rejecting the one and of accepting the other.
    n_most
        Labels after which an undecided lot is rejected.
    """

    good: float = 0.01
    bad: float = 0.05
    alpha: float = 0.05
    beta: float = 0.10
    n_most: int = 400

    @property
    def bounds(self) -> tuple[float, float]:
        """At or below the first accept, at or above the second reject.

        Examples
        --------
        >>> [round(bound, 2) for bound in LotTest().bounds]
        [-2.25, 2.89]
        """
        return bounds(self.alpha, self.beta)

    def log_ratio(self, n_wrong: np.ndarray | float, n: np.ndarray | float) -> np.ndarray:
        """Return the log likelihood ratio of a bad lot against a good one."""
        return log_ratio(n_wrong, n, good=self.good, bad=self.bad)

    def seen_by(self, reviewer: Reviewer) -> LotTest:
        """Return the same test of what a reviewer who errs will dispute.

        Examples
        --------
        >>> terms = LotTest().seen_by(Reviewer(spurious_fraction=0.01, missed_fraction=0.10))
        >>> round(terms.good, 4), round(terms.bad, 4)
        (0.0189, 0.0545)
        """
        return replace(self, good=reviewer.seen(self.good), bad=reviewer.seen(self.bad))


@dataclass(frozen=True, slots=True)
class Gates:
    """What became of lots.

    Parameters
    ----------
    decision
        ndarray of int8, shape (n_lots,): places in `DECISIONS`.
    n, n_wrong
        ndarrays of int64, shape (n_lots,): labels heard until then, and the wrong ones among them.
    log_ratio
        ndarray of float64, shape (n_lots,): where the test stood then.
    """

    decision: np.ndarray
    n: np.ndarray
    n_wrong: np.ndarray
    log_ratio: np.ndarray


def gates(
    lot: np.ndarray, is_wrong: np.ndarray, n_labels: np.ndarray, *, test: LotTest | None = None
) -> Gates:
    """Run the sequential test over many lots at once.

    Parameters
    ----------
    lot
        ndarray of int, shape (n,): codes 0, 1, 2 ... of the checked labels.
    is_wrong
        ndarray of bool, shape (n,): a reviewer's finding, in the order of the draw within each lot.
    n_labels
        ndarray of int, shape (n_lots,): how many labels each lot has in all.
    test
        Other terms than AQL 1 %, LTPD 5 %.

    Notes
    -----
    The test is for labels that had equal chances. Where strata were drawn at unequal fractions, give it
    those whose permanent random number lies below the lot's smallest fraction, in the order of that
    number, which is no order of anybody's work.

    A lot smaller than the test needs (55 clean labels for the default terms) that was checked whole is
    known, not estimated: it is accepted where its rate is likelier of a good lot than of a bad one.

    Examples
    --------
    >>> found = gates(np.repeat([0, 1], 60), np.arange(120) % 60 > 57, np.array([500, 60]))
    >>> [DECISIONS[place].value for place in found.decision], found.n.tolist()
    (['accept', 'accept'], [55, 55])
    """
    test = test or LotTest()
    order = np.argsort(lot, kind="stable")
    lots, wrong = np.asarray(lot)[order], np.asarray(is_wrong, bool)[order].astype(np.int64)
    n_lots = len(n_labels)
    n_each = np.bincount(lots, minlength=n_lots)
    first = np.cumsum(n_each) - n_each
    heard = np.arange(len(lots)) - first[lots] + 1
    total = np.concatenate([[0], np.cumsum(wrong)])
    n_wrong = total[1:] - total[first][lots]
    ratio = test.log_ratio(n_wrong, heard)
    low, high = test.bounds
    is_end = (ratio <= low) | (ratio >= high) | (heard >= test.n_most) | (heard >= n_labels[lots])
    # each lot stands where it ended, or at the last label that is there
    end = first + n_each - 1
    ends = np.flatnonzero(is_end)[::-1]
    end[lots[ends]] = ends
    has_any = n_each > 0
    decision = np.full(n_lots, DECISIONS.index(LotDecision.CONTINUE), np.int8)
    found = Gates(decision, *(np.zeros(n_lots, kind) for kind in (np.int64, np.int64, float)))
    for column, values in ((found.n, heard), (found.n_wrong, n_wrong), (found.log_ratio, ratio)):
        column[has_any] = values[end[has_any]]
    is_over = has_any.copy()
    is_over[has_any] = is_end[end[has_any]]
    is_good = np.where(found.n >= n_labels, found.log_ratio <= 0, found.log_ratio <= low)
    decision[is_over & is_good] = DECISIONS.index(LotDecision.ACCEPT)
    decision[is_over & ~is_good] = DECISIONS.index(LotDecision.REJECT)
    return found


@dataclass(frozen=True, slots=True)
class Characteristic:
    """What a sequential test does with lots of given error rates.

    Parameters
    ----------
    error_fraction
        ndarray of float64, shape (n_rates,).
    accepted, undecided
        ndarrays of float64, shape (n_rates,): chances of accepting, and of reaching the last label
        undecided, which rejects.
    n_mean
        ndarray of float64, shape (n_rates,): labels that it takes on average.
    """

    error_fraction: np.ndarray
    accepted: np.ndarray
    undecided: np.ndarray
    n_mean: np.ndarray


def characteristic(error_fraction: np.ndarray, test: LotTest | None = None) -> Characteristic:
    """Return what the test does, exactly, with large lots.

    Parameters
    ----------
    error_fraction
        ndarray of float64, shape (n_rates,).
    test
        Other terms than AQL 1 %, LTPD 5 %.

    Notes
    -----
    The chances of every count of wrong labels are carried from label to label; what passes a bound is
    taken out. No simulation.

    Examples
    --------
    >>> found = characteristic(np.array([0.005, 0.01, 0.03, 0.05, 0.10]))
    >>> found.n_mean.round().astype(int).tolist()
    [68, 85, 111, 71, 29]
    >>> found.accepted[[1, 3]].round(3).tolist()
    [0.97, 0.1]
    """
    test = test or LotTest()
    p = np.asarray(error_fraction, float)[:, None]
    low, high = test.bounds
    count = np.arange(test.n_most + 1)
    alive = np.zeros((len(p), test.n_most + 1))
    alive[:, 0] = 1
    accepted, n_mean = np.zeros(len(p)), np.zeros(len(p))
    for n in range(1, test.n_most + 1):
        n_mean += alive.sum(axis=1)
        more = alive[:, :-1] * p
        alive *= 1 - p
        alive[:, 1:] += more
        ratio = test.log_ratio(count, n)
        accepted += alive[:, ratio <= low].sum(axis=1)
        alive[:, (ratio <= low) | (ratio >= high)] = 0
    return Characteristic(p[:, 0], accepted, alive.sum(axis=1), n_mean)


def accepted_by_fixed(error_fraction: np.ndarray, n: int, n_wrong_most: int) -> np.ndarray:
    """Return the chance that a fixed plan accepts large lots.

    Parameters
    ----------
    error_fraction
        ndarray of float64, shape (n_rates,).
    n, n_wrong_most
        Labels that are checked, and how many of them may be wrong; fewer than ``n``.
    """
    from scipy.special import betainc

    # the binomial law's lower tail
    p = 1 - np.asarray(error_fraction, float)
    return np.asarray(betainc(n - n_wrong_most, n_wrong_most + 1, p))


def rate_accepted(probability: float, n: int, n_wrong_most: int) -> float:
    """Return the error rate of the large lots that a fixed plan accepts with a given chance.

    Examples
    --------
    Code letter J at AQL 1 % (Z1.4, table X-J: 1.03, 3.33, 6.52 %):

    >>> [round(100 * rate_accepted(chance, 80, 2), 2) for chance in (0.95, 0.50, 0.10)]
    [1.03, 3.33, 6.52]
    """
    from scipy.special import betaincinv

    return 1 - float(betaincinv(n - n_wrong_most, n_wrong_most + 1, probability))


def fixed_plan(n_labels: int, test: LotTest | None = None) -> tuple[int, int]:
    """Return the smallest fixed plan that keeps the risks on a lot of a given size.

    Parameters
    ----------
    n_labels
        Labels of the lot.
    test
        Other terms than AQL 1 %, LTPD 5 %; ``n_most`` is of no account.

    Returns
    -------
    tuple of int
        How many labels to check, and how many of them may be wrong.

    Examples
    --------
    >>> fixed_plan(1000), fixed_plan(200)
    ((128, 3), (89, 2))
    """
    test = test or LotTest()
    n_good = math.floor(test.good * n_labels + _ROUNDING)
    n_bad = math.ceil(test.bad * n_labels - _ROUNDING)
    for n in range(1, n_labels):
        most = int(np.searchsorted(_below(n_labels, n_good, n), 1 - test.alpha))
        bad = _below(n_labels, n_bad, n)
        if bad[min(most, len(bad) - 1)] <= test.beta:
            return n, most
    return n_labels, n_good


def _below(n_labels: int, n_wrong: int, n: int) -> np.ndarray:
    """Return the chances of at most 0, 1, 2 ... wrong labels among n (hypergeometric)."""
    from scipy.special import gammaln

    def ways(whole: int, part: np.ndarray | int) -> np.ndarray:
        return np.asarray(gammaln(whole + 1) - gammaln(part + 1.0) - gammaln(whole - part + 1.0))

    count = np.arange(min(n_wrong, n) + 1)
    rest = n - count
    is_possible = rest <= n_labels - n_wrong
    log = ways(n_wrong, count) + ways(n_labels - n_wrong, np.where(is_possible, rest, 0))
    chance = np.where(is_possible, np.exp(log - ways(n_labels, n)), 0)
    return np.minimum(np.cumsum(chance), 1.0)


class Strictness(StrEnum):
    """How closely the next lot is looked at."""

    NORMAL = "normal"
    TIGHTENED = "tightened"
    REDUCED = "reduced"


RATE_FACTOR = {Strictness.NORMAL: 1.0, Strictness.TIGHTENED: 2.0, Strictness.REDUCED: 0.5}
_WINDOW, _MOST_REJECTED = 5, 2
_TO_NORMAL, _TO_REDUCED = 5, 10


@dataclass(frozen=True, slots=True)
class Inspection:
    """How closely an annotator's next lot is looked at, and what led there.

    Parameters
    ----------
    strictness
        In force for the next lot.
    recent
        Whether the last lots under this strictness were accepted, newest last, at most five.
    n_accepted
        Lots accepted in a row under this strictness.
    """

    strictness: Strictness = Strictness.NORMAL
    recent: tuple[bool, ...] = ()
    n_accepted: int = 0

    @property
    def rate_factor(self) -> float:
        """By what to multiply the review fraction."""
        return RATE_FACTOR[self.strictness]

    def after(self, is_accepted: bool) -> Inspection:
        """Return the inspection after one more lot.

        Notes
        -----
        Normal to tightened when two of the last five lots were rejected, and back after five accepted
        in a row; normal to reduced after ten accepted in a row, and back at the first rejection. What
        was counted under one strictness does not count under the next, as in Z1.4.
        """
        recent = (*self.recent, is_accepted)[-_WINDOW:]
        n_accepted = self.n_accepted + 1 if is_accepted else 0
        match self.strictness:
            case Strictness.NORMAL if recent.count(False) >= _MOST_REJECTED:
                return Inspection(Strictness.TIGHTENED)
            case Strictness.NORMAL if n_accepted >= _TO_REDUCED:
                return Inspection(Strictness.REDUCED)
            case Strictness.TIGHTENED if n_accepted >= _TO_NORMAL:
                return Inspection(Strictness.NORMAL)
            case Strictness.REDUCED if not is_accepted:
                return Inspection(Strictness.NORMAL)
        return Inspection(self.strictness, recent, n_accepted)


def inspected(is_accepted: Iterable[bool], start: Inspection | None = None) -> Inspection:
    """Return the inspection after lots, oldest first.

    Examples
    --------
    >>> inspected([True, False, True, False]).strictness.value
    'tightened'
    >>> inspected([True] * 10).rate_factor
    0.5
    """
    return reduce(Inspection.after, is_accepted, start or Inspection())
