"""What everybody does at once: classes against their own past and against gold; and geometry.

The charts of `lineage.calc.drift` are blind to a drift that all annotators share,
for their control is the pool. Here the control is the past.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from lineage.calc.drift import (
    LEAST_EXPECTED,
    OWN_PRIOR,
    POOL_PRIOR,
    WEEKS_BEFORE,
    Alarm,
    Counts,
    Week,
    advance,
    alarms,
    counted,
    threshold,
)

RATE_RATIO_CLASS, RATE_RATIO_GOLD = 2.0, 4.0
_WEEK_WOBBLE = 0.15
"""How much a class is harder in one week than in another, as a standard deviation of its logarithm."""


@dataclass(frozen=True, slots=True)
class ClassState:
    """What charts of classes against their own past remember between weeks.

    Parameters
    ----------
    n_weeks
        Weeks taken in.
    x, n
        By class: disagreements and comparisons of the weeks before.
    s, trail
        As `CellState`.
    """

    n_weeks: int = 0
    x: Counts = field(default_factory=Counts)
    n: Counts = field(default_factory=Counts)
    s: Counts = field(default_factory=Counts)
    trail: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))


def history(
    state: ClassState,
    week: Week,
    *,
    horizon_weeks: int,
    false_alarm_fraction: float,
    follows_week: bool = True,
    rate_ratio: float = RATE_RATIO_CLASS,
) -> tuple[ClassState, list[Alarm], int]:
    """Chart how often each class is disagreed upon, against its own past.

    Parameters
    ----------
    state
        Of the week before.
    week
        Comparisons: with partners, or with gold as ``said``.
    horizon_weeks, false_alarm_fraction
        T and alpha.
    follows_week
        Scale a class' past by how much harder this week is over all classes; not against gold,
        where everybody's common drift is what is looked for.
    rate_ratio
        R.

    Returns
    -------
    tuple
        As `drift.cells`; an alarm's ``said`` is the class.

    Notes
    -----
    A class' past is an estimate and its weeks differ by themselves, so x is taken as negative
    binomial around E, with shape ``1 / (1 / (x before + 1) + 0.15^2)``: with a plain Poisson law one
    clean world in eleven raises an alarm where one in twenty is promised.
    """
    is_apart = week.said != week.own
    x, n = counted(week.said[is_apart], week.n[is_apart]), counted(week.said, week.n)
    classes = np.union1d(n.key, state.n.key)
    before_x, before_n = state.x.at(classes), state.n.at(classes)
    common = (before_x.sum() + 1) / (before_n.sum() + 50)
    rate = (before_x + POOL_PRIOR * common) / (before_n + POOL_PRIOR)
    now_x, now_n = x.at(classes), n.at(classes)
    factor = np.ones(len(classes))
    if follows_week:
        # the other classes' week; a class is not to hide in a factor that it makes itself
        base = now_n * rate
        others_x, others_e = now_x.sum() - now_x, base.sum() - base
        factor = (others_x + OWN_PRIOR) / (others_e + OWN_PRIOR)
    expected = np.where(now_n > 0, np.maximum(now_n * rate * factor, LEAST_EXPECTED), 0.0)
    after = ClassState(state.n_weeks + 1, state.x + x, state.n + n, state.s, state.trail)
    if after.n_weeks <= WEEKS_BEFORE:
        return after, [], len(classes)
    gain = _gain(now_x, expected, _shape(before_x), rate_ratio)
    told = expected > 0
    now = (classes[told], now_x[told], expected[told])
    s, trail = advance(state.s, state.trail, week.week, now, gain[told])
    after = ClassState(after.n_weeks, after.x, after.n, s, trail)
    h = threshold(len(classes), horizon_weeks, false_alarm_fraction)
    return after, [_class_alarm(a) for a in alarms(s, trail, week.week, h)], len(classes)


def _shape(before: np.ndarray) -> np.ndarray:
    found: np.ndarray = 1 / (1 / (before + 1) + _WEEK_WOBBLE**2)
    return found


def _gain(x: np.ndarray, e: np.ndarray, shape: np.ndarray, rate_ratio: float) -> np.ndarray:
    """Return the log likelihood ratio of negative binomial counts of mean R E against mean E."""
    found: np.ndarray = x * np.log(rate_ratio * (e + shape) / (rate_ratio * e + shape)) + shape * (
        np.log((e + shape) / (rate_ratio * e + shape))
    )
    return found


def _class_alarm(entry: tuple[int, Alarm]) -> Alarm:
    key, alarm = entry
    return replace(alarm, said=key)


def normal_cusum(z: np.ndarray, *, reference: float = 0.5) -> np.ndarray:
    """Return two-sided CUSUMs of standardised weekly means: for geometry.

    Parameters
    ----------
    z
        ndarray of float64, shape (..., n_weeks): NaN for a week without data, which is passed over.
    reference
        k: half the shift, in standard deviations, that is looked for.

    Returns
    -------
    ndarray of float64, shape (2, ..., n_weeks)
        The upward and the downward sum after each week.

    References
    ----------
    Montgomery, "Introduction to Statistical Quality Control", tables of average run lengths: with
    k = 0.5 and h = 4, 168 weeks without a shift, 8.38 with one of one standard deviation.
    """
    sums = np.zeros((2, *z.shape))
    here = np.zeros((2, *z.shape[:-1]))
    for week in range(z.shape[-1]):
        now = z[..., week]
        step = np.stack([now - reference, -now - reference])
        here = np.where(np.isnan(step), here, np.maximum(0, here + step))
        sums[..., week] = here
    return sums
