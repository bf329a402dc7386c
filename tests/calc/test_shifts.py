"""Habits of drawing by week: recovered from differences, and charted against the past."""

from __future__ import annotations

import numpy as np
import pytest

from lineage.calc.intervals import wilson
from lineage.calc.shifts import Differences, habits, shifts

N_PEOPLE, N_WEEKS, N_PAIRS = 8, 16, 40


def week_of(
    rng: np.random.Generator, habit: np.ndarray, *, is_shared: bool = False, sd: float = 0.05
) -> Differences:
    """Return what every two annotators' common objects of a week show of their habits."""
    first, second = np.triu_indices(len(habit), 1)
    sign = 1 if is_shared else -1
    value = (habit[first] + sign * habit[second])[:, None] + rng.normal(
        0, sd, (len(first), N_PAIRS)
    )
    n = np.full(len(first), float(N_PAIRS))
    return Differences(first, second, n, value.sum(axis=1), (value**2).sum(axis=1))


def alarms(rng: np.random.Generator, drift: float) -> list[int]:
    """Return who is alarmed where annotator 2 shifts from week 6 on."""
    standing = rng.normal(0, 0.03, N_PEOPLE)
    weeks = []
    for week in range(N_WEEKS):
        habit = standing + rng.normal(0, 0.002, N_PEOPLE)
        habit[2] += drift * (week >= 6)
        weeks.append(habits(week_of(rng, habit), N_PEOPLE, is_shared=False))
    found = shifts(
        weeks,
        wobble=0.005,
        n_streams=2 * N_PEOPLE,
        horizon_weeks=N_WEEKS,
        false_alarm_fraction=0.05,
    )
    return [shift.annotator for shift in found]


@pytest.mark.parametrize("is_shared", [False, True])
def test_habits_are_recovered_whoever_met_whom(is_shared: bool) -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(0, 0.05, N_PEOPLE)
    week = week_of(rng, truth, is_shared=is_shared)
    keep = rng.random(len(week.n)) < 0.6
    part = Differences(*(getattr(week, name)[keep] for name in Differences.__slots__))
    habit, variance, n = habits(part, N_PEOPLE, is_shared=is_shared)
    wanted = truth if is_shared else truth - truth.mean()
    assert np.all(np.abs(habit - wanted) < 4 * np.sqrt(variance))
    assert n.sum() == 2 * part.n.sum()


def test_two_people_share_their_difference() -> None:
    one = Differences(
        np.array([0]), np.array([1]), np.array([4.0]), np.array([0.8]), np.array([0.17])
    )
    habit, _, n = habits(one, 3, is_shared=False)
    assert habit[:2].tolist() == pytest.approx([0.1, -0.1])
    assert np.isnan(habit[2])
    assert n.tolist() == [4, 4, 0]


def test_nothing_compared_is_nothing_known() -> None:
    none = np.zeros(0)
    habit, _, n = habits(
        Differences(none.astype(int), none.astype(int), none, none, none), 2, is_shared=False
    )
    assert np.isnan(habit).all()
    assert n.tolist() == [0, 0]
    assert shifts([], wobble=0.1, n_streams=1, horizon_weeks=16, false_alarm_fraction=0.05) == []


def test_a_shift_is_found_named_and_dated() -> None:
    rng = np.random.default_rng(2)
    standing = rng.normal(0, 0.03, N_PEOPLE)
    weeks = []
    for week in range(N_WEEKS):
        habit = standing.copy()
        habit[2] += 0.04 * (week >= 6)
        weeks.append(habits(week_of(rng, habit), N_PEOPLE, is_shared=False))
    found = shifts(weeks, wobble=0.005, n_streams=16, horizon_weeks=16, false_alarm_fraction=0.05)
    assert found[0].annotator == 2
    assert abs(found[0].change_week - 6) <= 1
    assert found[0].week - 6 <= 3
    assert found[0].size == pytest.approx(0.04, abs=0.012)


def test_standing_habits_alarm_no_oftener_than_promised() -> None:
    n = 300
    alarmed = sum(bool(alarms(np.random.default_rng(seed), 0.0)) for seed in range(n))
    low, _ = wilson(float(alarmed), float(n))
    assert low <= 0.05, f"{alarmed} of {n}"


def test_most_shifts_of_the_size_that_matters_are_found() -> None:
    found = sum(2 in alarms(np.random.default_rng(seed), 0.03) for seed in range(40))
    assert found >= 38
