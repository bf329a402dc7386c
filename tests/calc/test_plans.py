"""Plans: METHODS 4's designs, the budget, the floors, and what a plan promises."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lineage.calc import plans


def _world() -> tuple[np.ndarray, np.ndarray]:
    # METHODS 4.2: 200,000 labels, 20 classes by Zipf, the rarest .3 %, errors 3 % to 15 %
    share = 1 / np.arange(1, 21) ** 1.35
    share /= share.sum()
    share[-1] = 0.003
    share /= share.sum()
    return np.round(200_000 * share), np.linspace(0.03, 0.15, 20)


def _errors_pp(n: np.ndarray, p: np.ndarray, fraction: np.ndarray) -> tuple[float, float]:
    """Return the standard error of the rarest class and overall, percentage points, by arithmetic."""
    each = p * (1 - p) / (n * fraction) * (1 - fraction)
    return 100 * float(np.sqrt(each[-1])), 100 * float(np.sqrt(((n / n.sum()) ** 2 * each).sum()))


def test_the_designs_have_the_errors_that_were_measured() -> None:
    n, p = _world()
    one = np.full(20, 0.02)
    rare, overall = _errors_pp(n, p, one)
    assert n[-1] * 0.02 == pytest.approx(12, abs=0.5)
    # METHODS 4.2: 10.8 pp, .339 (the whole without strata); Neyman by the true rates 20, 7.8, .324
    assert rare == pytest.approx(10.8, rel=0.06)
    assert overall == pytest.approx(0.339, rel=0.03)
    neyman = plans.planned(n, p, base_fraction=0.02)
    rare, overall = _errors_pp(n, p, neyman.fraction)
    assert n[-1] * neyman.fraction[-1] == pytest.approx(20, abs=1)
    assert rare == pytest.approx(7.8, rel=0.06)
    assert overall == pytest.approx(0.324, rel=0.03)


@pytest.mark.parametrize(
    ("least", "rare", "overall"),
    # METHODS 4.2 adds the floor to the proportional part (68 and 106 rare labels, 4.0 and 3.1 pp)
    # where the rule that it prescribes takes the greater: 60 and 100
    [(60, 4.0, 0.330), (100, 3.1, 0.342)],
)
def test_a_floor_is_free_overall_and_decides_for_the_rare_class(least, rare, overall) -> None:
    n, p = _world()
    floor = plans.floor_fractions(n, np.arange(20), least)
    plan = plans.planned(
        n, plans.error_means(np.zeros(20), np.zeros(20)), base_fraction=0.02, floor_fraction=floor
    )
    found_rare, found_overall = _errors_pp(n, p, plan.fraction)
    assert n[-1] * plan.fraction[-1] == pytest.approx(least)
    assert plan.n_expected == pytest.approx(4000, abs=0.1)
    assert found_rare == pytest.approx(rare, rel=0.10)
    assert found_overall == pytest.approx(overall, rel=0.04)


def test_missed_rare_labels_are_found_where_a_model_says_so() -> None:
    # METHODS 4.2: 4,000 anywhere find 1.8 of 90, 1,000 of them among the flagged ones 59.7
    flagged = 63 + 0.005 * (200_000 - 90)
    n, missed = np.array([flagged, 200_000 - flagged]), np.array([63, 27])
    plain = plans.planned(n, np.full(2, 0.06), base_fraction=0.02)
    assert (missed * plain.fraction).sum() == pytest.approx(1.8)
    floor = plans.floor_fractions(n, np.array([0, 1]), np.array([1000, 0]))
    plan = plans.planned(n, np.full(2, 0.06), base_fraction=0.02, floor_fraction=floor)
    assert plan.n_expected == pytest.approx(4000, abs=0.1)
    assert (missed * plan.fraction).sum() == pytest.approx(59.7, abs=0.05)


_strata = st.lists(
    st.tuples(
        st.integers(0, 5000),
        st.floats(0, 1),
        st.sampled_from([0.0, 0.01, 0.2, 1.0]),
        st.floats(1, 60),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=120, deadline=None)
@given(_strata, st.floats(0, 1))
def test_the_budget_is_spent_exactly_unless_the_floors_ask_for_more(strata, base) -> None:
    n, p, floor, cost = (np.array(column, float) for column in zip(*strata, strict=True))
    plan = plans.planned(n, p, base_fraction=base, floor_fraction=floor, cost=cost)
    assert ((plan.fraction >= floor) & (plan.fraction <= 1)).all()
    budget = base * n.sum()
    if plan.is_over_budget:
        assert plan.fraction == pytest.approx(floor)
        assert plan.n_expected > budget
    else:
        assert plan.n_expected == pytest.approx(budget, rel=1e-6, abs=1e-3)
    # between floor and whole, all strata are looked at in proportion to their pull
    pull = np.sqrt(np.clip(p, 1e-9, 1 - 1e-9) * (1 - np.clip(p, 1e-9, 1 - 1e-9)) / cost)
    free = (plan.fraction > floor * (1 + 1e-9)) & (plan.fraction < 1) & (n > 0) & (pull > 1e-3)
    if free.sum() > 1:
        strength = plan.fraction[free] / pull[free]
        assert strength == pytest.approx(strength[0], rel=1e-6)


def test_a_plan_of_nothing_is_nothing() -> None:
    plan = plans.planned(np.zeros(0), np.zeros(0), base_fraction=0.05)
    assert plan.fraction.tolist() == []
    assert not plan.is_over_budget
    assert plans.adaptive_fractions(np.zeros(0)).tolist() == []


def test_floors_of_classes_and_annotators_hold_together() -> None:
    # class 0 has 1,000 labels by two people, class 1 has 40 by one of them
    count, class_, person = np.array([900, 100, 40]), np.array([0, 0, 1]), np.array([0, 1, 0])
    floor = np.maximum(
        plans.floor_fractions(count, class_, plans.CLASS_LEAST),
        plans.floor_fractions(count, person, plans.ANNOTATOR_LEAST),
    )
    plan = plans.planned(count, np.full(3, 0.06), base_fraction=0.01, floor_fraction=floor)
    assert plan.is_over_budget
    drawn = count * plan.fraction
    assert drawn[2] == 40
    assert drawn[:2].sum() >= 60
    assert drawn[1] == pytest.approx(30)


def test_those_who_err_more_are_looked_at_more_within_bounds() -> None:
    found = plans.adaptive_fractions(np.array([0.001] * 30 + [0.4]))
    assert found[:30] == pytest.approx(0.01, abs=0.001)
    assert found[-1] == 0.30
    assert plans.adaptive_fractions(np.full(7, 0.06)) == pytest.approx(0.05)
    assert plans.adaptive_fractions(np.zeros(3)) == pytest.approx(0.05)


def test_adaptive_rates_catch_more_errors_for_the_same_hours() -> None:
    # METHODS 4.1: 20 annotators of Beta(1.2, 28.8), 400 labels a week for 12 weeks: 7.9 % against 5.0 %
    rng = np.random.default_rng(0)
    caught, wrong, checked, made = 0, 0.0, 0, 0
    for _ in range(150):
        p = rng.beta(1.2, 28.8, 20)
        seen, n = np.zeros(20), np.zeros(20)
        for _ in range(12):
            rate = plans.adaptive_fractions((seen + 1.2) / (n + 30))
            drawn = rng.binomial(400, rate)
            found = rng.binomial(drawn, p)
            seen, n = seen + found, n + drawn
            caught, wrong = caught + int(found.sum()), wrong + 400 * p.sum()
            checked, made = checked + int(drawn.sum()), made + 8000
    assert caught / wrong == pytest.approx(0.079, abs=0.004)
    assert checked / made == pytest.approx(0.05, abs=0.001)


def _one(n: float, fraction: float, error: float, **more: float) -> plans.Prospect:
    return plans.prospect(
        np.array([n]), np.array([fraction]), np.array([error]), group=np.array([0]), **more
    )


def test_a_plan_detects_what_it_promises_nine_times_in_ten() -> None:
    found = _one(20_000, 0.05, 0.06)
    rng = np.random.default_rng(1)
    n_wrong = round(float(found.seen_fraction[0]) * 20_000)
    assert (rng.binomial(n_wrong, 0.05, 20_000) > 0).mean() == pytest.approx(0.9, abs=0.01)
    rate = float(found.detected_fraction[0])
    n = float(found.n_effective[0])
    assert n == pytest.approx(1000 / 0.95)
    x = np.arange(200)
    lower = stats.beta.ppf(0.025, x + 0.5, n - x + 0.5)
    least = int(np.flatnonzero(lower > 0.01)[0])
    assert stats.binom.sf(least - 1, round(n), rate) == pytest.approx(0.9, abs=0.005)


def test_a_larger_plan_sees_more_and_costs_more() -> None:
    founds = [_one(20_000, fraction, 0.06, cost=12.0) for fraction in (0.01, 0.05, 0.2, 1.0)]
    for small, large in pairwise(founds):
        assert small.cost[0] < large.cost[0]
        assert small.half_width[0] > large.half_width[0]
        assert small.seen_fraction[0] > large.seen_fraction[0]
        assert small.detected_fraction[0] > large.detected_fraction[0]
    assert founds[0].cost[0] == pytest.approx(200 * 12)
    assert founds[-1].half_width[0] == 0
    assert founds[-1].seen_fraction[0] == 1 / 20_000
    assert founds[-1].detected_fraction[0] == pytest.approx(0.01, abs=1e-4)


def test_a_stratum_that_is_not_looked_at_leaves_its_group_unknown() -> None:
    found = plans.prospect(
        np.array([900, 100, 50, 0]),
        np.array([0.1, 0.0, 1.0, 0.0]),
        np.full(4, 0.06),
        group=np.array([2, 2, 5, 7]),
    )
    assert found.group.tolist() == [2, 5, 7]
    assert found.n_effective[0] == 0
    assert found.detected_fraction[0] == 1
    assert found.half_width[0] > 0.4
    assert np.isinf(found.n_effective[1])
    assert found.n.tolist() == [1000, 50, 0]
    assert found.n_checked.tolist() == [90, 50, 0]


def test_a_handful_of_labels_cannot_show_a_low_rate() -> None:
    assert _one(40, 0.05, 0.06, acceptable=0.4).detected_fraction[0] == 1
    assert _one(40, 0.05, 0.06).seen_fraction[0] > 1
