"""Acceptance plans: METHODS 4's figures, brute force, and the switching rules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lineage.calc import lots
from lineage.calc.estimates import Reviewer
from lineage.calc.lots import DECISIONS, Inspection, LotDecision, LotTest, Strictness

RATES = np.array([0.005, 0.01, 0.03, 0.05, 0.10])


def test_the_sequential_test_is_as_short_and_as_safe_as_measured() -> None:
    # METHODS 4.1, simulated with 8,000 lots a rate; here computed exactly
    found = lots.characteristic(RATES)
    assert found.n_mean == pytest.approx([68, 85, 111, 70, 29], abs=1.1)
    assert found.accepted[1] == pytest.approx(0.968, abs=0.004)
    assert found.accepted[3] == pytest.approx(0.102, abs=0.004)
    assert (found.n_mean < 132).all()


def test_the_exact_figures_are_those_of_a_simulation() -> None:
    rng = np.random.default_rng(5)
    exact = lots.characteristic(np.array([0.03]))
    n_lots = 2000
    wrong = rng.random((n_lots, 400)) < 0.03
    found = lots.gates(np.repeat(np.arange(n_lots), 400), wrong.ravel(), np.full(n_lots, 100_000))
    accepted = found.decision == DECISIONS.index(LotDecision.ACCEPT)
    assert not (found.decision == DECISIONS.index(LotDecision.CONTINUE)).any()
    assert accepted.mean() == pytest.approx(exact.accepted[0], abs=0.035)
    assert found.n.mean() == pytest.approx(exact.n_mean[0], rel=0.06)
    undecided = (found.n == 400) & (found.log_ratio > LotTest().bounds[0])
    assert not accepted[undecided].any()


def test_the_bounds_and_the_ratio_are_walds() -> None:
    test = LotTest()
    assert test.bounds == pytest.approx((-2.25, 2.89), abs=0.005)
    assert test.log_ratio(3, 60) == pytest.approx(3 * np.log(5) + 57 * np.log(0.95 / 0.99))


def _one_by_one(wrong: list[bool], n_labels: int, test: LotTest) -> tuple[LotDecision, int]:
    low, high = test.bounds
    x = 0
    for n, is_wrong in enumerate(wrong, start=1):
        x += is_wrong
        ratio = float(test.log_ratio(x, n))
        if ratio >= high:
            return LotDecision.REJECT, n
        if ratio <= low or (n >= n_labels and ratio <= 0):
            return LotDecision.ACCEPT, n
        if n >= test.n_most or n >= n_labels:
            return LotDecision.REJECT, n
    return LotDecision.CONTINUE, len(wrong)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(st.booleans() | st.just(False), max_size=90), st.integers(1, 120)),
        min_size=1,
        max_size=5,
    ),
    st.integers(20, 80),
    st.randoms(use_true_random=False),
)
def test_many_lots_are_judged_as_each_by_itself(streams, n_most, random) -> None:
    test = LotTest(n_most=n_most)
    streams = [(wrong[:size], size) for wrong, size in streams]
    queue = [(lot, list(wrong)) for lot, (wrong, _) in enumerate(streams)]
    lot, flat = [], []
    while any(rest for _, rest in queue):
        at, rest = random.choice([pair for pair in queue if pair[1]])
        lot.append(at)
        flat.append(rest.pop(0))
    found = lots.gates(
        np.array(lot, np.int64),
        np.array(flat, bool),
        np.array([size for _, size in streams]),
        test=test,
    )
    expected = [_one_by_one(wrong, size, test) for wrong, size in streams]
    assert [DECISIONS[place] for place in found.decision] == [decision for decision, _ in expected]
    assert found.n.tolist() == [n for _, n in expected]
    assert found.n_wrong.tolist() == [
        sum(wrong[:n]) for (wrong, _), (_, n) in zip(streams, expected, strict=True)
    ]


def test_a_lot_without_checked_labels_waits() -> None:
    found = lots.gates(np.zeros(0, np.int64), np.zeros(0, bool), np.array([10, 20]))
    assert found.decision.tolist() == [DECISIONS.index(LotDecision.CONTINUE)] * 2
    assert found.n.tolist() == [0, 0]


def test_a_small_lot_that_was_checked_whole_is_decided() -> None:
    clean = lots.gates(np.zeros(20, np.int64), np.zeros(20, bool), np.array([20]))
    flawed = lots.gates(np.zeros(20, np.int64), np.arange(20) == 7, np.array([20]))
    part = lots.gates(np.zeros(19, np.int64), np.zeros(19, bool), np.array([20]))
    words = [DECISIONS[found.decision[0]].value for found in (clean, flawed, part)]
    assert words == ["accept", "reject", "continue"]


def test_the_test_allows_for_a_reviewer_who_errs() -> None:
    # a reviewer who disputes 3 % of right labels would have good lots rejected
    test, reviewer = LotTest(), Reviewer(spurious_fraction=0.03, missed_fraction=0.05)
    seen = np.array([reviewer.seen(0.01), reviewer.seen(0.05)])
    plain = lots.characteristic(seen, test)
    fair = lots.characteristic(seen, LotTest(n_most=1500).seen_by(reviewer))
    assert plain.accepted[0] < 0.35
    assert fair.accepted[0] > 0.94
    assert fair.accepted[1] < 0.11


@pytest.mark.parametrize(
    ("n_labels", "good", "bad", "plan"),
    [
        # METHODS 4.2: hypergeometric designs, alpha .05, beta .10
        (1000, 0.01, 0.05, (128, 3)),
        (1000, 0.02, 0.08, (96, 4)),
        (1000, 0.05, 0.15, (67, 6)),
        (200, 0.01, 0.05, (89, 2)),
        (200, 0.02, 0.08, (73, 3)),
        (200, 0.05, 0.15, (56, 5)),
    ],
)
def test_fixed_plans_are_the_smallest_that_keep_the_risks(n_labels, good, bad, plan) -> None:
    found = lots.fixed_plan(n_labels, LotTest(good=good, bad=bad))
    assert found == plan
    n, most = found
    n_good, n_bad = round(good * n_labels), round(bad * n_labels)
    assert stats.hypergeom.cdf(most, n_labels, n_good, n) >= 0.95
    assert stats.hypergeom.cdf(most, n_labels, n_bad, n) <= 0.10


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 150))
def test_a_fixed_plan_exists_for_every_lot(n_labels: int) -> None:
    n, most = lots.fixed_plan(n_labels)
    n_good, n_bad = n_labels // 100, -(-n_labels // 20)
    assert 1 <= n <= n_labels
    assert stats.hypergeom.cdf(most, n_labels, n_good, n) >= 0.95
    assert stats.hypergeom.cdf(most, n_labels, n_bad, n) <= 0.10 + 1e-9


@pytest.mark.parametrize(
    ("n", "most", "published"),
    [
        # code letters J, K, L, M at AQL 1 %; J from METHODS 4.2 (Z1.4, table X-J), the others by root
        (80, 2, (1.03, 3.33, 6.52)),
        (125, 3, None),
        (200, 5, None),
        (315, 7, None),
    ],
)
def test_the_published_plans_have_their_characteristic(n, most, published) -> None:
    found = [lots.rate_accepted(chance, n, most) for chance in (0.95, 0.50, 0.10)]
    assert stats.binom.cdf(most, n, found) == pytest.approx([0.95, 0.50, 0.10])
    assert lots.accepted_by_fixed(np.array(found), n, most) == pytest.approx([0.95, 0.50, 0.10])
    if published is not None:
        assert 100 * np.array(found) == pytest.approx(published, abs=0.005)


def test_the_fixed_plan_of_132_has_the_sequential_tests_risks() -> None:
    # METHODS 4.1: 132 labels, at most three wrong
    found = lots.accepted_by_fixed(np.array([0.01, 0.05]), 132, 3)
    assert found[0] > 0.95
    assert found[1] < 0.105


def test_lots_are_looked_at_more_closely_after_rejections_and_less_after_a_clean_record() -> None:
    assert lots.inspected([True] * 9).strictness is Strictness.NORMAL
    assert lots.inspected([True] * 10).strictness is Strictness.REDUCED
    assert lots.inspected([True] * 10 + [False]).strictness is Strictness.NORMAL
    assert lots.inspected([False, True, True, True, False]).strictness is Strictness.TIGHTENED
    assert lots.inspected([False, True, True, True, True, False]).strictness is Strictness.NORMAL
    tightened = [False, False]
    assert lots.inspected([*tightened, *[True] * 4]).strictness is Strictness.TIGHTENED
    assert lots.inspected([*tightened, *[True] * 5]).strictness is Strictness.NORMAL
    broken = [*tightened, True, True, True, True, False, True, True, True, True]
    assert lots.inspected(broken).strictness is Strictness.TIGHTENED
    factors = [lots.RATE_FACTOR[strictness] for strictness in Strictness]
    assert factors == [1.0, 2.0, 0.5]


def test_what_was_counted_under_one_strictness_does_not_count_under_the_next() -> None:
    # back from reduced by a rejection: one more is not yet the second of five
    assert lots.inspected([True] * 10 + [False, False]).strictness is Strictness.NORMAL
    assert lots.inspected([True] * 10 + [False, False, False]).strictness is Strictness.TIGHTENED


@given(st.lists(st.booleans(), max_size=40), st.lists(st.booleans(), max_size=40))
def test_an_inspection_is_all_that_is_remembered(before, after) -> None:
    state = lots.inspected(before)
    assert lots.inspected(after, state) == lots.inspected([*before, *after])
    assert len(state.recent) <= 5
    assert lots.inspected([]) == Inspection()
