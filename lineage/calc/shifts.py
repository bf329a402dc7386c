"""Who began to draw otherwise, and when: annotators' own offsets, week by week.

A pair's difference is one annotator's habit less the other's, so habits are the
least-squares solution over a week's pairs; who happens to be paired with whom then
does not matter. Each week's habit is set against the same annotator's weeks before:
a lasting habit is a convention (`lineage.calc.conventions`), a changed one is drift.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lineage.calc.charts import normal_cusum
from lineage.calc.drift import WEEKS_BEFORE

REFERENCE, LEAST_THRESHOLD = 0.5, 5.0
LEAST = 30
"""Comparisons that a week of an annotator needs; below, it is passed over."""

_RIDGE = 1e-9


@dataclass(frozen=True, slots=True)
class Differences:
    """A week's differences of one measure: sums over the labels that two annotators drew of the same objects.

    Parameters
    ----------
    first, second
        ndarrays of int64, shape (n,): annotators; each two once, in one direction.
    n
        ndarray of float64, shape (n,): objects.
    total, squared
        ndarrays of float64, shape (n,): sums of ``first's - second's``, and of their squares; of a measure
        that the two share, of that measure.
    """

    first: np.ndarray
    second: np.ndarray
    n: np.ndarray
    total: np.ndarray
    squared: np.ndarray


@dataclass(frozen=True, slots=True)
class Shift:
    """An annotator whose drawing changed.

    Parameters
    ----------
    annotator
        Code.
    week, change_week
        Places among the weeks that were charted: when the alarm was raised, and when the change most
        likely began.
    last_week
        The last week in which the alarm stood.
    statistic, threshold
        Of the CUSUM, in standard deviations.
    size
        Mean habit since the change, less the mean before it.
    n
        Comparisons since the change.
    """

    annotator: int
    week: int
    change_week: int
    last_week: int
    statistic: float
    threshold: float
    size: float
    n: float


def habits(week: Differences, n_annotators: int, *, is_shared: bool) -> np.ndarray:
    """Solve a week's differences for everybody's habits.

    Parameters
    ----------
    week
        Its differences.
    n_annotators
        How many annotators there are.
    is_shared
        Whether the measure is of the two together (how well they lie on one another), so that a pair's
        value is the sum of two habits and not their difference.

    Returns
    -------
    ndarray of float64, shape (3, n_annotators)
        Habit, its variance, and comparisons behind it; NaN, NaN and 0 without any.

    Notes
    -----
    Weighted least squares, of least norm where habits are known up to a constant only: within whoever is
    joined by common objects, habits of a difference add up to nought.
    """
    found = np.full((3, n_annotators), np.nan)
    found[2] = np.bincount(week.first, week.n, n_annotators) + np.bincount(
        week.second, week.n, n_annotators
    )
    people = np.flatnonzero(found[2] > 0)
    if len(people) == 0:
        return found
    at = np.full(n_annotators, -1)
    at[people] = np.arange(len(people))
    i, j = at[week.first], at[week.second]
    sign = 1.0 if is_shared else -1.0
    design = np.zeros((len(people), len(people)))
    np.add.at(design, (i, i), week.n)
    np.add.at(design, (j, j), week.n)
    np.add.at(design, (i, j), sign * week.n)
    np.add.at(design, (j, i), sign * week.n)
    right = np.bincount(i, week.total, len(people)) + sign * np.bincount(j, week.total, len(people))
    inverse = np.linalg.pinv(design, rcond=_RIDGE, hermitian=True)
    habit = inverse @ right
    predicted = habit[i] + sign * habit[j]
    residual = (week.squared - 2 * predicted * week.total + week.n * predicted**2).sum()
    free = max(float(week.n.sum()) - len(people) + 1, 1.0)
    found[0, people] = habit
    found[1, people] = np.diag(inverse) * max(float(residual), 0.0) / free
    return found


def shifts(
    weeks: Sequence[np.ndarray],
    *,
    wobble: float,
    n_streams: int,
    horizon_weeks: int,
    false_alarm_fraction: float,
) -> list[Shift]:
    """Chart everybody's habit of one measure against their own past.

    Parameters
    ----------
    weeks
        Of `habits`, in order of time.
    wobble
        How much a habit differs between weeks without any drift, as a standard deviation.
    n_streams
        Of all measures together, each direction one.
    horizon_weeks, false_alarm_fraction
        T and alpha.

    Notes
    -----
    Two-sided CUSUM with k = 0.5 of ``(habit - mean before) / sd``; h is 5, or ``ln(M T / alpha)`` where
    that is more: with k = 0.5 the sum is the log likelihood ratio of a shift of one standard deviation,
    for which that bound holds (Lorden 1971).
    """
    if not weeks:
        return []
    h = max(LEAST_THRESHOLD, math.log(max(n_streams, 1) * horizon_weeks / false_alarm_fraction))
    habit, variance, n = (np.stack([week[part] for week in weeks], axis=1) for part in range(3))
    is_told = (n >= LEAST) & np.isfinite(habit)
    z = _standardised(habit, variance + wobble**2, is_told)
    sums = normal_cusum(z, reference=REFERENCE)
    found = []
    for side, at in zip(*np.nonzero((sums > h).any(axis=2)), strict=True):
        line = sums[side, at]
        raised = np.flatnonzero(line > h)
        last = int(raised[-1])
        rested = np.flatnonzero(line[: last + 1] <= 0)
        change = int(rested[-1]) + 1 if len(rested) else 0
        since = is_told[at] & (np.arange(len(weeks)) >= change)
        before = is_told[at] & (np.arange(len(weeks)) < change)
        size = float(habit[at, since].mean())
        if before.any():
            size -= float(habit[at, before].mean())
        found.append(
            Shift(int(at), int(raised[0]), change, last, float(line[last]), h, size,
                  float(n[at, since].sum()))
        )  # fmt: skip
    return sorted(found, key=lambda shift: -shift.statistic)


def _standardised(habit: np.ndarray, variance: np.ndarray, is_told: np.ndarray) -> np.ndarray:
    """Return how far each week is from the mean of the weeks before, in standard deviations."""
    weight = np.where(is_told, 1 / np.where(is_told, variance, 1), 0.0)
    known = np.where(is_told, habit, 0.0)
    before = np.cumsum(weight, axis=1) - weight
    total = np.cumsum(weight * known, axis=1) - weight * known
    n_before = np.cumsum(is_told, axis=1) - is_told
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (known - total / before) / np.sqrt(1 / weight + 1 / before)
    return np.where(is_told & (n_before >= WEEKS_BEFORE), z, np.nan)
