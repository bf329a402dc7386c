"""Drift charts: METHODS' planted worlds, the promised false alarms, published run lengths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.calc import charts, drift
from lineage.calc.drift import CellState, Counts, Week
from lineage.calc.intervals import wilson

N_PEOPLE, N_CLASSES, N_WEEKS, N_PAIRS = 10, 20, 16, 150
SINCE = 2
"""Weeks are numbered from 0; drift begins in the third."""


@dataclass(frozen=True)
class Fault:
    """What is planted: drifters call this share of class 0 "class 1", from the third week."""

    share: float = 0.0
    n_drifters: int = 3
    n_ramp_weeks: int = 0


def world(rng: np.random.Generator, fault: Fault) -> tuple[list[Week], list[Week]]:
    """Return weeks of comparisons between annotators, and of one of each pair with the truth.

    METHODS 3.1: 150 pairs a class and week; annotators, weeks, classes and their weeks differ in
    difficulty; slips go to neighbours.
    """
    shape = (N_WEEKS, N_CLASSES, N_PAIRS)
    one = rng.integers(0, N_PEOPLE, shape)
    other = (one + rng.integers(1, N_PEOPLE, shape)) % N_PEOPLE
    truth = np.broadcast_to(np.arange(N_CLASSES)[None, :, None], shape)
    of_person, of_week, of_class = (
        np.exp(rng.normal(0, 0.3, n)) for n in (N_PEOPLE, N_WEEKS, N_CLASSES)
    )
    both = np.exp(rng.normal(0, 0.15, (N_WEEKS, N_CLASSES)))
    hard = 0.035 * of_week[:, None, None] * of_class[None, :, None] * both[:, :, None]
    week = np.broadcast_to(np.arange(N_WEEKS)[:, None, None], shape)
    grown = (week >= SINCE).astype(float)
    if fault.n_ramp_weeks:
        grown = np.clip((week - SINCE + 1) / fault.n_ramp_weeks, 0, 1)

    def say(person: np.ndarray) -> np.ndarray:
        slip = rng.random(shape) < np.clip(hard * of_person[person], 0, 0.5)
        step = rng.choice([1, 2, N_CLASSES - 1, N_CLASSES - 2], shape, p=[0.4, 0.2, 0.3, 0.1])
        said = np.where(slip, (truth + step) % N_CLASSES, truth)
        drifts = (truth == 0) & (person < fault.n_drifters)
        return np.where(drifts & (rng.random(shape) < fault.share * grown), 1, said)

    mine, yours = say(one), say(other)
    pairs = [
        week_of(
            w,
            np.concatenate([one[w].ravel(), other[w].ravel()]),
            np.concatenate([yours[w].ravel(), mine[w].ravel()]),
            np.concatenate([mine[w].ravel(), yours[w].ravel()]),
        )
        for w in range(N_WEEKS)
    ]
    gold = [
        week_of(w, one[w, :, :10].ravel(), truth[w, :, :10].ravel(), mine[w, :, :10].ravel())
        for w in range(N_WEEKS)
    ]
    return pairs, gold


def week_of(number: int, person: np.ndarray, said: np.ndarray, own: np.ndarray) -> Week:
    key = (person * N_CLASSES + said) * N_CLASSES + own
    found = drift.counted(key.astype(np.int64))
    rest, c = np.divmod(found.key, N_CLASSES)
    return Week(number, *np.divmod(rest, N_CLASSES), c, found.value)


def charted(weeks: list[Week]) -> list[drift.Alarm]:
    """Return the strongest alarm of the first week that has any."""
    state = CellState(N_CLASSES)
    for week in weeks:
        state, raised, _ = drift.cells(
            state, week, horizon_weeks=N_WEEKS, false_alarm_fraction=0.05
        )
        if raised:
            return raised
    return []


def rated(weeks: list[Week], *, follows_week: bool = True) -> list[drift.Alarm]:
    state = charts.ClassState()
    for week in weeks:
        state, raised, _ = charts.history(
            state,
            week,
            horizon_weeks=N_WEEKS,
            false_alarm_fraction=0.05,
            follows_week=follows_week,
            rate_ratio=charts.RATE_RATIO_CLASS if follows_week else charts.RATE_RATIO_GOLD,
        )
        if raised:
            return raised
    return []


@pytest.mark.slow
def test_clean_worlds_raise_alarms_no_oftener_than_stated() -> None:
    n_worlds, n_alarmed = 200, {"cells": 0, "classes": 0, "gold": 0}
    for seed in range(n_worlds):
        pairs, gold = world(np.random.default_rng(seed), Fault())
        n_alarmed["cells"] += bool(charted(pairs))
        n_alarmed["classes"] += bool(rated(pairs))
        n_alarmed["gold"] += bool(rated(gold, follows_week=False))
    for family, n in n_alarmed.items():
        low, _ = wilson(n, n_worlds)
        assert low <= 0.05, (family, n)


@pytest.mark.parametrize(
    ("fault", "published"),
    [
        (Fault(0.15, 3), 3.8),
        (Fault(0.15, 1), 3.2),
        (Fault(0.25, 3, 4), 4.0),
        (Fault(0.40, 3), 1.5),
    ],
    ids=["three-drift", "one-drifts", "slowly", "strongly"],
)
def test_who_and_what_is_named_within_weeks(fault: Fault, published: float) -> None:
    # METHODS 3.1: mean delay in weeks, first drifting week = 1, and the right name 99-100 %
    delays, changes, n_right, n_worlds = [], [], 0, 12
    for seed in range(n_worlds):
        raised = charted(world(np.random.default_rng(500 + seed), fault)[0])
        if not raised or raised[0].week < SINCE:
            delays.append(N_WEEKS - SINCE)
            continue
        top = raised[0]
        delays.append(top.week - SINCE + 1)
        n_right += top.annotator < fault.n_drifters and (top.said, top.own) == (0, 1)
        changes.append(top.change_week)
        assert top.rate_ratio > 2
    assert np.mean(delays) <= published + 1.0
    assert n_right >= n_worlds - 1
    assert abs(np.median(changes) - SINCE) <= (2 if fault.n_ramp_weeks else 1)


def test_what_everybody_does_is_seen_against_the_past_and_against_gold() -> None:
    # METHODS 3.1: with all ten drifting the cells are blind, class charts see it in 1.2-1.3 weeks
    n_pool, delays = 0, []
    for seed in range(8):
        pairs, gold = world(np.random.default_rng(900 + seed), Fault(0.40, N_PEOPLE))
        n_pool += bool(charted(pairs))
        raised = rated(pairs)
        assert raised
        assert raised[0].said in (0, 1)
        delays.append(raised[0].week - SINCE + 1)
        against = rated(gold, follows_week=False)
        assert against
        assert against[0].said == 0
    assert n_pool <= 2
    assert np.mean(delays) <= 2.5


def test_a_week_costs_a_weeks_data() -> None:
    pairs, _ = world(np.random.default_rng(3), Fault(0.4))
    state = CellState(N_CLASSES)
    found = []
    for week in pairs:
        state, raised, _ = drift.cells(
            state, week, horizon_weeks=N_WEEKS, false_alarm_fraction=0.05
        )
        found.append([(a.annotator, a.said, a.own, round(a.statistic, 9)) for a in raised])
    # a stream at nought leaves nothing behind
    assert set(state.trail[:, 1].astype(int).tolist()) == set(state.s.key.tolist())
    assert (state.s.value > 0).all()
    again = CellState(N_CLASSES)
    for week, wanted in zip(pairs, found, strict=True):
        shuffled = np.random.default_rng(week.week).permutation(len(week.n))
        mixed = Week(
            week.week, *(getattr(week, f)[shuffled] for f in ("annotator", "said", "own", "n"))
        )
        again, raised, _ = drift.cells(
            again, mixed, horizon_weeks=N_WEEKS, false_alarm_fraction=0.05
        )
        assert [(a.annotator, a.said, a.own, round(a.statistic, 9)) for a in raised] == wanted


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), max_size=20))
def test_counts_add_up_like_a_dictionary(rows: list[tuple[int, int]]) -> None:
    total = Counts()
    wanted: dict[int, float] = {}
    for key, value in rows:
        total += Counts(np.array([key]), np.array([float(value)]))
        wanted[key] = wanted.get(key, 0.0) + value
    assert total.at(np.arange(10)).tolist() == [wanted.get(key, 0.0) for key in range(10)]
    assert (np.diff(total.key) > 0).all()


def test_run_lengths_are_the_published_ones() -> None:
    # METHODS 3.2: two-sided CUSUM, k = .5: h = 4: 168 without a shift, 8.38 with one sd; h = 5: 10.4
    rng = np.random.default_rng(0)

    def mean_run(h: float, shift: float, n_weeks: int, n_runs: int = 600) -> float:
        sums = charts.normal_cusum(rng.normal(shift, 1, (n_runs, n_weeks)))
        over = (sums > h).any(axis=0)
        assert over.any(axis=1).mean() > 0.97
        first = np.where(over.any(axis=1), over.argmax(axis=1) + 1, n_weeks)
        return float(first.mean())

    assert mean_run(4, 1.0, 100) == pytest.approx(8.38, rel=0.06)
    assert mean_run(5, 1.0, 100) == pytest.approx(10.4, rel=0.06)
    assert mean_run(4, 0.0, 900) == pytest.approx(168, rel=0.12)


def test_a_week_without_data_is_passed_over() -> None:
    z = np.array([3.0, np.nan, 3.0])
    assert charts.normal_cusum(z)[0].tolist() == [2.5, 2.5, 5.0]
