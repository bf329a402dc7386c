"""The disagreements themselves: brute force, four planted regimes, and the real crowd."""

from __future__ import annotations

import ast
import csv
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.calc import disputes, units
from lineage.calc.disputes import DisputeVerdict, Fresh

N_PEOPLE = 12
REGIMES = {
    "slips": DisputeVerdict.SLIPS,
    "ambiguous": DisputeVerdict.AMBIGUOUS,
    "schools": DisputeVerdict.DEFINITION_SPLIT,
    "biased": DisputeVerdict.BIASED_MINORITY,
}


def world(regime: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return four annotators and their opinions for each of ``n`` units, as METHODS 2.2 plants them."""
    truth = (rng.random(n) < 0.4).astype(np.int64)
    slip = (
        np.clip(rng.beta(3, 97, N_PEOPLE), 0.002, 0.2) if regime == "slips" else np.full(12, 0.005)
    )
    is_border = rng.random(n) < 0.06
    person = np.argsort(rng.random((n, N_PEOPLE)), axis=1)[:, :4]
    said = np.where(rng.random((n, 4)) < slip[person], 1 - truth[:, None], truth[:, None])
    if regime == "ambiguous":
        other = (rng.random((n, 4)) < 0.5).astype(np.int64)
    elif regime == "schools":
        school = person % 2
        other = np.where(rng.random((n, 4)) < 0.95, school, 1 - school)
    elif regime == "biased":
        other = np.where(person < 2, 1, (rng.random((n, 4)) >= 0.97).astype(np.int64))
    else:
        return person, said
    return person, np.where(is_border[:, None], other, said)


def opened(
    regime: str, n_disputes: int, rng: np.random.Generator, n: int = 12_000
) -> tuple[Fresh, disputes.Direction]:
    """Return what ``n_disputes`` re-opened disputes say."""
    person, said = world(regime, n, rng)
    disputed = rng.permutation(np.flatnonzero(said[:, 0] != said[:, 1]))[:n_disputes]
    fresh = disputes.from_fresh(said[disputed, 2], said[disputed, 3], 2)
    unit = np.repeat(np.arange(len(disputed)), 4)
    t = disputes.side_tally(unit, person[disputed].ravel(), said[disputed].ravel() == 0, N_PEOPLE)
    return fresh, disputes.direction(t)


@pytest.mark.parametrize(
    ("regime", "a_fresh", "s"),
    [
        ("slips", 0.944, 0.002),
        ("ambiguous", 0.611, 0.0),
        ("schools", 0.573, 0.442),
        ("biased", 0.823, 0.402),
    ],
)
def test_the_four_regimes_have_the_published_figures(regime: str, a_fresh: float, s: float) -> None:
    # METHODS 2.2, D = 200, sd 0.023 to 0.04: means of twenty draws
    draws = [opened(regime, 200, np.random.default_rng(seed)) for seed in range(20)]
    assert np.mean([fresh.a_fresh for fresh, _ in draws]) == pytest.approx(a_fresh, abs=0.03)
    assert np.mean([found.s for _, found in draws]) == pytest.approx(s, abs=0.05)


def test_forty_opened_disputes_tell_the_regimes_apart() -> None:
    # METHODS 2.2: .983 right with 40 re-opened disputes
    n_right = 0
    for regime, wanted in REGIMES.items():
        for seed in range(15):
            fresh, found = opened(regime, 40, np.random.default_rng(1000 + seed))
            n_right += disputes.verdict(fresh.a_fresh, found.s, found.p) is wanted
    assert n_right / (15 * len(REGIMES)) >= 0.93


@pytest.mark.parametrize(
    ("regime", "published"),
    [("slips", 0.9452), ("ambiguous", 0.6181), ("schools", 0.5767), ("biased", 0.8231)],
)
def test_four_opinions_answer_as_fresh_ones_would(regime: str, published: float) -> None:
    # METHODS 2.2: U-statistic against the direct conditional probability
    _, said = world(regime, 100_000, np.random.default_rng(7))
    unit = np.repeat(np.arange(len(said)), 4)
    found = disputes.from_tally(disputes.fresh_tally(unit, said.ravel(), 2))
    apart = said[:, 0] != said[:, 1]
    direct = (said[apart, 2] == said[apart, 3]).mean()
    assert found.a_fresh == pytest.approx(direct, abs=0.012)
    assert found.a_fresh == pytest.approx(published, abs=0.025)


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), min_size=1, max_size=5))
def test_the_u_statistic_counts_every_quadruple(rows: list[list[int]]) -> None:
    agreed = disputed = 0.0
    for marks in rows:
        quadruples = list(permutations(marks, 4))
        if quadruples:
            apart = [q for q in quadruples if q[0] != q[1]]
            disputed += len(apart) / len(quadruples)
            agreed += sum(q[2] == q[3] for q in apart) / len(quadruples)
    unit = np.repeat(np.arange(len(rows)), [len(marks) for marks in rows])
    t = disputes.fresh_tally(unit, np.concatenate(rows), 3)
    assert t.agreed == pytest.approx(agreed, abs=1e-9)
    assert t.disputed == pytest.approx(disputed, abs=1e-9)


@given(
    st.lists(
        st.tuples(st.integers(0, 7), st.integers(0, 4), st.booleans()),
        max_size=30,
        unique_by=lambda row: row[:2],
    ),
    st.integers(0, 8),
)
def test_tallies_of_parts_add_up(rows: list[tuple[int, int, bool]], cut: int) -> None:
    unit, person = (np.array([row[i] for row in rows], np.int64) for i in range(2))
    side = np.array([row[2] for row in rows], bool)

    def of(mask: np.ndarray) -> tuple[disputes.SideTally, disputes.FreshTally]:
        return (
            disputes.side_tally(unit[mask], person[mask], side[mask], 5),
            disputes.fresh_tally(unit[mask], side[mask].astype(np.int64), 2),
        )

    whole, low, high = of(unit >= 0), of(unit < cut), of(unit >= cut)
    sides, fresh = low[0] + high[0], low[1] + high[1]
    for name in ("n", "u", "uu", "lean", "covariance"):
        np.testing.assert_allclose(getattr(sides, name), getattr(whole[0], name), atol=1e-9)
    assert fresh.agreed == pytest.approx(whole[1].agreed, abs=1e-9)


def test_without_habits_the_test_is_quiet() -> None:
    # METHODS 2.2: rejects 2-3 % at a nominal 1 %
    rejected = [
        opened("ambiguous", 80, np.random.default_rng(seed), 6_000)[1].p < 0.01
        for seed in range(120)
    ]
    assert np.mean(rejected) < 0.07


def test_half_of_the_crowds_missing_boxes_are_a_habit(shared_data: Path) -> None:
    # METHODS 2.2 [real]: units found by two or more, tau .4: A_fresh .620, S .246, chi2 1777
    rows, roster = [], []
    with (shared_data / "crowd_boxes" / "boundingbox_data.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            roster.append((int(row["item"]), int(row["uid"])))
            for (x0, y0), (x1, y1) in ast.literal_eval(row["annotation"]):
                box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
                rows.append((*roster[-1], *box))
    table = np.array(sorted(rows, key=lambda r: r[0]))
    asset, person = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
    people_of: dict[int, list[int]] = {}
    for image, who in roster:
        people_of.setdefault(image, []).append(who)
    asked = np.array([len(people_of[image]) for image in asset.tolist()])
    same = np.zeros(len(table), np.int64)
    found = units.units(asset, person, same, table[:, 2:], n_asked=asked, tau=0.4)
    finders: list[set[int]] = [set() for _ in range(found.n_units)]
    image_of = np.zeros(found.n_units, np.int64)
    image_of[found.unit] = asset
    for u, who in zip(found.unit.tolist(), person.tolist(), strict=True):
        finders[u].add(who)
    opinions = [
        (u, who, who in finders[u])
        for u in range(found.n_units)
        if len(finders[u]) >= 2
        for who in people_of[int(image_of[u])]
    ]
    unit, who, is_found = (np.array(column) for column in zip(*opinions, strict=True))
    fresh = disputes.from_tally(disputes.fresh_tally(unit, is_found.astype(np.int64), 2))
    side = disputes.direction(disputes.side_tally(unit, who, is_found, int(who.max()) + 1))
    assert fresh.a_fresh == pytest.approx(0.620, abs=5e-4)
    assert side.s == pytest.approx(0.246, abs=5e-4)
    assert side.chi2 == pytest.approx(1777, abs=1)


def test_nothing_disputed_is_no_evidence() -> None:
    unit = np.repeat(np.arange(3), 4)
    same = np.zeros(12, np.int64)
    fresh = disputes.from_tally(disputes.fresh_tally(unit, same, 2))
    side = disputes.direction(disputes.side_tally(unit, np.tile(np.arange(4), 3), same == 0, 4))
    assert np.isnan(fresh.a_fresh)
    assert disputes.verdict(fresh.a_fresh, side.s, side.p) is None


def test_a_re_opened_share_is_weighted_back() -> None:
    first, second = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    found = disputes.from_fresh(first, second, 2, inclusion=np.array([0.5, 0.5, 1, 1]))
    assert found.a_fresh == pytest.approx((2 + 1 + 1) / 6)
    assert found.n_disputes == pytest.approx(36 / 10)


def test_one_sided_confusion_is_unbiased_at_small_counts() -> None:
    got = disputes.one_sided_pairs(np.array([1, 2, 1, 10]), np.array([0, 0, 1, 0]))
    np.testing.assert_allclose(got, [np.nan, 1.0, -1.0, 1.0])
