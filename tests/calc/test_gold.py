"""Gold scores: METHODS' simulated figures, and the test's promised risks."""

from __future__ import annotations

import numpy as np
import pytest

from lineage.calc import gold
from lineage.calc.gold import GoldDecision


@pytest.mark.parametrize(
    ("n", "raw", "shrunk"), [(10, 5.70, 2.87), (40, 3.00, 2.19), (160, 1.54, 1.38)]
)
def test_borrowed_strength_makes_smaller_errors(n: int, raw: float, shrunk: float) -> None:
    # METHODS 4.1: root mean square error in percentage points, 20 annotators of Beta(2, 48)
    rng = np.random.default_rng(0)
    plain, ours, covered = [], [], []
    for _ in range(100):
        truth = rng.beta(2, 48, 20)
        seen = rng.poisson(n, 20) + 2
        wrong = rng.binomial(seen, truth)
        found = gold.scores(wrong, seen)
        plain.append(((wrong / seen - truth) ** 2).mean())
        ours.append(((found.mean - truth) ** 2).mean())
        covered.append(((found.lo <= truth) & (truth <= found.hi)).mean())
    assert 100 * np.sqrt(np.mean(plain)) == pytest.approx(raw, rel=0.1)
    assert 100 * np.sqrt(np.mean(ours)) < shrunk * 1.06
    assert np.mean(covered) > 0.85


def test_the_sequential_test_keeps_its_risks_and_is_short() -> None:
    # METHODS 4.1: p0 = 2 %, p1 = 10 %, alpha .05, beta .20: 29 gold labels on average
    rng = np.random.default_rng(1)
    flagged, lengths = {}, {}
    for rate in (0.02, 0.10):
        results = [gold.decide(rng.random(400) < rate) for _ in range(2000)]
        flagged[rate] = np.mean([decision is GoldDecision.FLAG for decision, _ in results])
        lengths[rate] = np.mean([n for _, n in results])
    assert flagged[0.02] < 0.05 + 0.015
    assert flagged[0.10] > 0.80 - 0.03
    assert lengths[0.10] == pytest.approx(29, abs=5) or lengths[0.02] == pytest.approx(29, abs=5)


def test_too_little_gold_decides_nothing() -> None:
    assert gold.decide(np.zeros(3, bool)) == (GoldDecision.CONTINUE, 3)
    assert gold.decide(np.ones(5, bool)) == (GoldDecision.FLAG, 2)
    nobody = gold.scores(np.zeros(2), np.zeros(2))
    assert np.isnan(nobody.mean).all()


def test_a_clean_record_of_two_is_no_proof() -> None:
    found = gold.scores(np.array([0, 0, 8]), np.array([2, 200, 100]))
    assert found.hi[0] > found.hi[1]
    assert found.mean[0] > found.mean[1]
