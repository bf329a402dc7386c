"""Conventions of drawing and camps, against METHODS' planted worlds."""

from __future__ import annotations

import numpy as np
import pytest

from lineage.calc import conventions
from tests.calc import test_disputes

N_PEOPLE = 8


def drawn(
    n: int, rng: np.random.Generator, *, is_convention: bool, affected: float = 0.2
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return units, annotators and boxes: three of eight annotators draw each of ``n`` objects.

    METHODS 2.3: four conventions on a fifth of the objects, or the same spread at random.
    """
    person = np.argsort(rng.random((n, N_PEOPLE)), axis=1)[:, :3]
    is_affected = rng.random(n) < affected
    low, right, top = (
        rng.uniform(0.2, 0.5, n),
        rng.uniform(0.15, 0.35, n),
        rng.uniform(0.1, 0.25, n),
    )
    way = person % 4 if is_convention else rng.integers(0, 4, (n, 3))
    offset = rng.normal(0, 0.04, (n, 3, 4))
    hit = is_affected[:, None]
    offset[:, :, 3] += (hit & (way == 1)) * low[:, None]
    offset[:, :, 2] += (hit & (way == 2)) * right[:, None]
    offset[:, :, 1] -= (hit & (way == 3)) * top[:, None]
    size = rng.uniform(20, 200, (n, 1, 2))
    corner = rng.uniform(0, 1000, (n, 1, 2))
    box = np.concatenate([corner, corner + size], axis=2) + offset * np.tile(size, (1, 1, 2))
    unit = np.repeat(np.arange(n), 3)
    return unit, person.ravel(), box.reshape(-1, 4)


def agreement_of(a: np.ndarray, b: np.ndarray) -> float:
    """Return the adjusted Rand index of two groupings (Hubert and Arabie 1985)."""
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)

    def pairs(x: np.ndarray) -> float:
        return float((x * (x - 1) / 2).sum())

    both, one, other = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    chance = one * other / pairs(np.array([len(a)]))
    return (both - chance) / ((one + other) / 2 - chance)


@pytest.mark.parametrize(("n", "least"), [(1000, 0.95), (500, 0.85)])
def test_four_conventions_are_found_and_named(n: int, least: float) -> None:
    # METHODS 2.3: share .15-.17; k=4 and ARI .93/.97 with 500 objects, 1.0/1.0 with 1000
    shares, scores = [], []
    for seed in range(12):
        t = conventions.offset_tally(*drawn(n, np.random.default_rng(seed), is_convention=True), 8)
        found = conventions.convention(t)
        assert found.is_convention
        shares.append(found.share)
        scores.append(agreement_of(np.arange(8) % 4, conventions.camps(found.effect)))
    assert np.mean(shares) == pytest.approx(0.16, abs=0.03)
    assert np.mean(scores) >= least


def test_noise_of_the_same_size_is_no_convention() -> None:
    # METHODS 2.3: .000, at most .008
    for seed in range(30):
        t = conventions.offset_tally(
            *drawn(1000, np.random.default_rng(seed), is_convention=False), 8
        )
        found = conventions.convention(t)
        assert not found.is_convention
        assert found.share < 0.012


def test_two_schools_are_told_apart_from_forty_disputes() -> None:
    # METHODS 2.2: ARI of two camps .835/.983/1.0 at 20/40/80 disputes
    for n_disputes, least in ((40, 0.9), (80, 0.97)):
        scores = []
        for seed in range(25):
            _, found = test_disputes.opened("schools", n_disputes, np.random.default_rng(seed))
            scores.append(agreement_of(np.arange(12) % 2, conventions.two_camps(found.lean)))
        assert np.mean(scores) >= least


def test_parts_add_up_to_the_whole() -> None:
    unit, person, box = drawn(200, np.random.default_rng(1), is_convention=True)
    whole = conventions.convention(conventions.offset_tally(unit, person, box, 8))
    part = unit % 3
    tallies = [
        conventions.offset_tally(unit[part == p], person[part == p], box[part == p], 8)
        for p in range(3)
    ]
    got = conventions.convention(tallies[0] + tallies[1] + tallies[2])
    assert got.share == pytest.approx(whole.share)
    np.testing.assert_allclose(got.effect, whole.effect)
    assert got.n_units == whole.n_units


def test_nothing_drawn_is_no_convention() -> None:
    nothing = np.zeros(0, np.int64)
    t = conventions.offset_tally(nothing, nothing, np.zeros((0, 4)), 3)
    assert not conventions.convention(t).is_convention
    assert conventions.camps(np.zeros((2, 4))).tolist() == [0, 1]
    assert conventions.two_camps(np.array([np.nan, 0.5])).tolist() == [-1, 0]


def test_the_silhouette_of_two_tight_pairs_is_near_one() -> None:
    points = np.array([[0.0], [0.1], [10.0], [10.1]])
    good, bad = np.array([1, 1, 2, 2]), np.array([1, 2, 1, 2])
    assert conventions._silhouette(points, good) == pytest.approx(0.99, abs=0.01)
    assert conventions._silhouette(points, bad) < 0
