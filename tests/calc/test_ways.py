"""Ways of reading a definition: the U-statistic against brute force, and camps of any number."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.calc import disputes, ways
from lineage.calc.comparisons import Pairs
from lineage.calc.geometry import pairs_inside


def brute(alike: dict[tuple[int, int], bool], m: int) -> tuple[float, float]:
    """Return the mean over disjoint pairs of opinions of (first differs and second agrees), and of differing."""
    pairs = list(combinations(range(m), 2))
    both = [
        (not alike[one]) and alike[other]
        for one in pairs
        for other in pairs
        if not set(one) & set(other)
    ]
    apart = [not alike[one] for one in pairs]
    return float(np.mean(both)), float(np.mean(apart))


@given(st.integers(4, 6), st.integers(0, 2**15 - 1))
def test_fresh_agreement_counts_every_choice_of_two_and_two(m: int, bits: int) -> None:
    a, b = pairs_inside(np.zeros(m, np.int64))
    alike = np.array([bits >> k & 1 for k in range(len(a))], bool)
    found = ways.quarrels(np.zeros(len(a), np.int64), alike, (a, b), np.zeros(m, np.int64))
    agreed, disputed = brute(
        {(int(i), int(j)): bool(v) for i, j, v in zip(a, b, alike, strict=True)}, m
    )
    assert found.agreed[0] == pytest.approx(agreed)
    assert found.disputed[0] == pytest.approx(disputed)


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=7), min_size=1, max_size=6))
def test_where_to_agree_is_to_say_the_same_it_is_the_tally_of_classes(
    units: list[list[int]],
) -> None:
    unit = np.repeat(np.arange(len(units)), [len(said) for said in units])
    value = np.concatenate([np.array(said) for said in units])
    a, b = pairs_inside(unit)
    nothing = (value[a] == 3) & (value[b] == 3)
    a, b = a[~nothing], b[~nothing]
    found = ways.quarrels(unit[a], value[a] == value[b], (a, b), unit)
    wanted = disputes.fresh_tally(unit, value, 4)
    assert found.agreed.sum() == pytest.approx(wanted.agreed)
    assert found.disputed.sum() == pytest.approx(wanted.disputed)


def test_what_is_made_of_a_partners_box() -> None:
    # two classes; boxes of area 100 and 200, a class confusion, one left out
    pairs = Pairs(
        unit=np.array([0, 1, 2]),
        first=np.array([0, 0, 0]),
        second=np.array([1, 1, 1]),
        said_first=np.array([0, 0, 1]),
        said_second=np.array([0, 1, 2]),
        label_first=np.array([0, 2, 4]),
        label_second=np.array([1, 3, -1]),
    )
    overlap, area = np.array([0.5, 0.9, np.nan]), np.array([100.0, 200, 50, 50, 70])
    person, partner, label, way = ways.ways(pairs, overlap, area, 2)
    told = sorted(zip(person.tolist(), partner.tolist(), label.tolist(), way.tolist(), strict=True))
    smaller, larger, nothing = 4, 3, 2
    assert told == [
        (0, 0, 1, smaller),
        (0, 1, 3, 0),
        (1, 0, 0, larger),
        (1, 0, 2, 1),
        (1, 1, 4, nothing),
    ]
    assert ways.is_alike(pairs, overlap).tolist() == [False, False, False]
    assert ways.is_alike(pairs, np.array([0.9, 0.9, np.nan])).tolist() == [True, False, False]


def test_camps_are_as_many_as_there_are_readings() -> None:
    readings = np.array([[0.9, 0.05, 0.05], [0.1, 0.85, 0.05], [0.1, 0.05, 0.85]])
    rng = np.random.default_rng(1)
    member = np.array([0, 0, 0, 0, 1, 2, 2])
    shares = np.abs(readings[member] + rng.normal(0, 0.02, (7, 3)))
    shares /= shares.sum(axis=1, keepdims=True)
    n = np.full(7, 100.0)
    assert ways.camps(shares, n).tolist() == [0, 0, 0, 0, 2, 1, 1]
    assert ways.camps(shares[:4], n[:4]).tolist() == [0, 0, 0, 0]
    n[0] = 5
    assert ways.camps(shares, n).tolist() == [-1, 0, 0, 0, 2, 1, 1]
    assert ways.camps(shares[:1], np.array([100.0])).tolist() == [0]
