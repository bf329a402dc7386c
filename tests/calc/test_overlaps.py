"""Overlapping pairs, held against comparing every box with every other."""

from __future__ import annotations

import tracemalloc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lineage.calc.geometry import iou
from lineage.calc.overlaps import overlapping


def boxes(rng: np.random.Generator, n: int, scale: float) -> np.ndarray:
    corner = rng.uniform(-50, 300, (n, 2)) * scale
    size = rng.choice([0.0, 1, 40, 200], (n, 2)) * rng.uniform(0.5, 1, (n, 2)) * scale
    found = np.concatenate([corner, corner + size], axis=1)
    found[rng.random(n) < 0.1] = np.nan
    return found


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 0.5, 0.9]), st.sampled_from([1e-3, 1, 1e5]))
def test_the_pairs_are_those_that_brute_force_finds(seed: int, least: float, scale: float) -> None:
    rng = np.random.default_rng(seed)
    n, m = rng.integers(0, 40, 2)
    groups = np.array([3, 7, 10**12])
    group_a, group_b = rng.choice(groups, n), rng.choice(groups[1:], m)
    box_a, box_b = boxes(rng, n, scale), boxes(rng, m, scale)
    near = rng.random(m) < 0.5
    if n:
        box_b[near] = box_a[rng.integers(0, n, int(near.sum()))] + scale * rng.normal()
    found = overlapping(group_a, box_a, group_b, box_b, least_iou=least)
    every = np.repeat(np.arange(n), m), np.tile(np.arange(m), n)
    overlap = np.nan_to_num(iou(box_a[every[0]], box_b[every[1]]))
    keep = (overlap >= least) & (group_a[every[0]] == group_b[every[1]])
    expected = sorted(zip(every[0][keep].tolist(), every[1][keep].tolist(), strict=True))
    assert sorted(zip(found[0].tolist(), found[1].tolist(), strict=True)) == expected
    assert np.allclose(found[2], iou(box_a[found[0]], box_b[found[1]]))


def test_memory_is_bounded_by_a_block_and_a_crowd_is_no_square() -> None:
    """40,000 boxes of one image: 1.6 billion pairs, of which few are looked at."""
    rng = np.random.default_rng(1)
    n = 40_000
    corner = rng.uniform(0, 20_000, (n, 2))
    box = np.concatenate([corner, corner + 20], axis=1)
    group = np.zeros(n, np.int64)
    tracemalloc.start()
    found = overlapping(group, box, group, box + 1, least_iou=0.5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(np.unique(found[0])) == n
    assert peak < 200e6
