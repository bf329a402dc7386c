"""Lasting identity: planted truth, and what must hold of any pairing."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lineage.calc import matching
from lineage.calc.geometry import iou, pairs_within
from lineage.calc.matching import HOWS, How, Side


def side(rng: np.random.Generator, n: int, n_groups: int, n_classes: int) -> Side:
    corner = rng.uniform(0, 900, (n, 2))
    size = rng.uniform(20, 120, (n, 2))
    return Side(
        group=rng.integers(0, n_groups, n),
        class_code=rng.integers(0, n_classes, n).astype(np.int32),
        box=np.concatenate([corner, corner + size], axis=1),
        content=rng.integers(1, 2**62, n).astype(np.uint64),
    )


def shuffled(whole: Side, order: np.ndarray) -> Side:
    return Side(whole.group[order], whole.class_code[order], whole.box[order], whole.content[order])


def test_planted_identities_are_found_again() -> None:
    """After moves, renamings, deletions and a shuffle, 99 % of the survivors keep their identity."""
    rng = np.random.default_rng(5)
    n = 20_000
    old = side(rng, n, n_groups=4_000, n_classes=6)
    kept = np.flatnonzero(rng.random(n) > 0.1)
    order = rng.permutation(kept)
    new = shuffled(old, order)
    is_moved = rng.random(len(order)) < 0.3
    is_renamed = ~is_moved & (rng.random(len(order)) < 0.05)
    box, code, content = new.box.copy(), new.class_code.copy(), new.content.copy()
    box[is_moved] += rng.normal(0, 2.5, (int(is_moved.sum()), 4))
    code[is_renamed] = (code[is_renamed] + 1) % 6
    content[is_moved | is_renamed] += np.uint64(1)
    found = matching.match(old, Side(new.group, code, box, content))
    truth = order[found.index_new]
    assert len(found.index_new) >= 0.99 * len(order)
    assert (found.index_old == truth).mean() >= 0.999
    renamed = {HOWS.index(How.RENAMED), HOWS.index(How.MOVED_RENAMED)}
    is_told = np.isin(found.how, list(renamed))
    assert (is_told == is_renamed[found.index_new]).mean() >= 0.999


@given(st.integers(0, 2**32 - 1), st.integers(0, 25), st.integers(0, 25))
def test_every_pairing_is_one_to_one_within_its_group(seed: int, n_old: int, n_new: int) -> None:
    rng = np.random.default_rng(seed)
    old, new = side(rng, n_old, 3, 2), side(rng, n_new, 3, 2)
    found = matching.match(old, new)
    assert len(set(found.index_old.tolist())) == len(found.index_old)
    assert len(set(found.index_new.tolist())) == len(found.index_new)
    assert np.array_equal(old.group[found.index_old], new.group[found.index_new])
    score = iou(old.box[found.index_old], new.box[found.index_new])
    is_exact = found.how == HOWS.index(How.EXACT)
    assert (score[~is_exact] >= 0.5).all()


@given(st.integers(0, 2**32 - 1))
def test_no_pair_above_the_threshold_is_left_lying(seed: int) -> None:
    rng = np.random.default_rng(seed)
    old, new = side(rng, 15, 2, 1), side(rng, 15, 2, 1)
    near = rng.permutation(15)[:6]
    new.box[:6] = old.box[near] + rng.normal(0, 3, (6, 4))
    new.group[:6] = old.group[near]
    found = matching.match(old, new)
    for i in np.setdiff1d(np.arange(15), found.index_old):
        for j in np.setdiff1d(np.arange(15), found.index_new):
            if old.group[i] == new.group[j]:
                assert iou(old.box[[i]], new.box[[j]])[0] < 0.5


@given(
    st.lists(st.integers(0, 5), max_size=20).map(sorted),
    st.lists(st.integers(0, 5), max_size=20).map(sorted),
)
def test_pairs_within_groups_are_all_of_them(a: list[int], b: list[int]) -> None:
    rows = pairs_within(np.array(a, np.int64), np.array(b, np.int64))
    expected = [(i, j) for i, x in enumerate(a) for j, y in enumerate(b) if x == y]
    assert list(zip(*(r.tolist() for r in rows), strict=True)) == expected


def plain_iou(a: list[int], b: list[int]) -> float:
    cells = [
        {(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])} for box in (a, b)
    ]
    union = len(cells[0] | cells[1])
    return len(cells[0] & cells[1]) / union if union else 0.0


@given(*[st.lists(st.integers(0, 12), min_size=4, max_size=4)] * 2)
def test_overlap_equals_counting_pixels(a: list[int], b: list[int]) -> None:
    boxes = [[*sorted((box[0], box[2])), *sorted((box[1], box[3]))] for box in (a, b)]
    tidy = [[x0, y0, x1, y1] for x0, x1, y0, y1 in boxes]
    got = iou(np.array([tidy[0]], float), np.array([tidy[1]], float))[0]
    assert got == plain_iou(*tidy)
