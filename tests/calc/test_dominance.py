"""A slice that is most of what changed is held against what did not, and clean ones are seldom suspected."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lineage.calc.dominance import dominant
from lineage.calc.slices import Attribute
from lineage.calc.suspects import Units, did_rank

N, N_CHANGED, N_CLASSES = 1200, 120, 4


def world(seed: int, *, fault: float, share: float = 1.0, changed: float = 0.0) -> Units:
    """Return units of which one person's labels in one batch are ``share`` of what changed."""
    rng = np.random.default_rng(seed)
    is_changed = np.arange(N) < N_CHANGED
    class_code = rng.integers(0, N_CLASSES, N)
    person, batch = rng.integers(0, 5, N), rng.integers(0, 3, N)
    is_own = np.arange(N) < share * N_CHANGED
    person[is_own], batch[is_own] = 3, 1
    chance = np.array([0.05, 0.1, 0.1, 0.2])[class_code] + changed * is_changed
    outcome = (rng.random(N) < np.where(is_own, chance + fault, chance)).astype(float)
    attributes = (Attribute("annotator", person, 5), Attribute("batch", batch, 3))
    return Units(outcome, is_changed, class_code, N_CLASSES, attributes)


def test_what_a_ranking_cannot_see_stands_out_from_what_did_not_change() -> None:
    units = world(1, fault=0.4)
    assert not any(one.is_evidence for one in did_rank(units).first)
    found, bar = dominant(units, least=10)
    assert found is not None
    assert found.is_evidence
    assert found.gain > bar == pytest.approx(math.log(20))
    # of slices that are the same, the narrowest is told; those of one attribute are its aliases
    assert found.slice.attributes == ("annotator", "batch")
    assert found.slice.values == (3, 1)
    assert {one.attributes for one in found.aliases} == {("annotator",), ("batch",)}
    assert found.n_changed == N_CHANGED
    assert found.effect_low < 0.4 < found.effect + 0.15
    plain = units.outcome[:N_CHANGED].mean() - np.mean(
        [units.outcome[N_CHANGED:][units.class_code[N_CHANGED:] == c].mean() for c in units.class_code[:N_CHANGED]]
    )  # fmt: skip
    assert found.effect == pytest.approx(plain, abs=0.01)
    assert found.n_unchanged == int(
        ((units.attributes[0].code == 3) & (units.attributes[1].code == 1))[N_CHANGED:].sum()
    )


def test_order_of_units_does_not_matter() -> None:
    units = world(2, fault=0.3)
    order = np.random.default_rng(0).permutation(N)
    turned = Units(
        units.outcome[order],
        units.is_changed[order],
        units.class_code[order],
        N_CLASSES,
        tuple(Attribute(one.name, one.code[order], one.n_words) for one in units.attributes),
    )
    (one, _), (other, _) = dominant(units, least=10), dominant(turned, least=10)
    assert one is not None
    assert other is not None
    assert (one.slice, one.n_changed) == (other.slice, other.n_changed)
    assert one.gain == pytest.approx(other.gain)


def test_nothing_is_told_where_no_slice_is_most_of_it_or_nothing_is_left_to_compare_with() -> None:
    assert dominant(world(3, fault=0.4, share=0.1), least=10)[0] is None
    units = world(4, fault=0.4)
    everything = Units(
        units.outcome, np.ones(N, bool), units.class_code, N_CLASSES, units.attributes
    )
    assert dominant(everything, least=10)[0] is None
    nothing = Units(units.outcome, np.zeros(N, bool), units.class_code, N_CLASSES, units.attributes)
    assert dominant(nothing, least=10)[0] is None
    bare = Units(units.outcome, units.is_changed, units.class_code, N_CLASSES, ())
    assert dominant(bare, least=10)[0] is None


def test_errors_that_are_no_counts_are_weighed_too() -> None:
    units = world(5, fault=0.0)
    outcome = np.random.default_rng(5).normal(0, 0.2, N) + 0.3 * units.is_changed
    told = Units(outcome, units.is_changed, units.class_code, N_CLASSES, units.attributes)
    found, _ = dominant(told, least=10)
    assert found is not None
    assert found.is_evidence
    assert found.effect == pytest.approx(0.3, abs=0.05)


def test_unchanged_units_that_never_differ_do_not_hide_a_fault() -> None:
    rng = np.random.default_rng(6)
    is_changed = np.arange(N) < 400
    person = rng.integers(0, 5, N)
    outcome = np.where(is_changed & (person == 3), rng.choice([0.0, 0.4, 1.0], N), 0.0)
    attributes = (Attribute("annotator", person, 5),)
    units = Units(outcome, is_changed, rng.integers(0, N_CLASSES, N), N_CLASSES, attributes)
    first = did_rank(units).first[0]
    assert (first.slice.values, first.is_evidence) == ((3,), True)
    most = Units(outcome, is_changed & (person == 3), units.class_code, N_CLASSES, attributes)
    found, _ = dominant(most, least=10)
    assert found is not None
    assert (found.slice.values, found.is_evidence) == ((3,), True)


@pytest.mark.slow
def test_of_clean_changes_at_most_one_in_twenty_is_suspected() -> None:
    found = [dominant(world(seed, fault=0.0, share=0.8), least=10)[0] for seed in range(1000)]
    n = sum(one is not None and one.is_evidence for one in found)
    assert n <= 50
