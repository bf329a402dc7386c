"""Lasting identity: planted truth, and what must hold of any pairing."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
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
        kind_code=np.zeros(n, np.int32),
        box=np.concatenate([corner, corner + size], axis=1),
        content=rng.integers(1, 2**62, n).astype(np.uint64),
    )


def shuffled(whole: Side, order: np.ndarray) -> Side:
    return Side(
        whole.group[order],
        whole.class_code[order],
        whole.kind_code[order],
        whole.box[order],
        whole.content[order],
    )


SETTLED = {
    How.EXACT: 1.0,
    How.MOVED: 0.2,
    How.RENAMED: 0.8,
    How.MOVED_RENAMED: 0.5,
    How.DISPLACED: 0.0,
}
"""The least overlap of a pair that was recognised so."""


@given(st.integers(0, 2**32 - 1), st.integers(0, 25), st.integers(0, 25))
@settings(max_examples=60)
def test_every_pairing_is_one_to_one_within_its_group(seed: int, n_old: int, n_new: int) -> None:
    rng = np.random.default_rng(seed)
    old, new = side(rng, n_old, 3, 2), side(rng, n_new, 3, 2)
    found = matching.match(old, new)
    assert len(set(found.index_old.tolist())) == len(found.index_old)
    assert len(set(found.index_new.tolist())) == len(found.index_new)
    assert np.array_equal(old.group[found.index_old], new.group[found.index_new])
    score = iou(old.box[found.index_old], new.box[found.index_new])
    for how, overlap, told in zip(found.how.tolist(), score, found.score, strict=True):
        assert overlap >= SETTLED[HOWS[how]]
        assert told == overlap


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_labels_in_another_order_are_paired_alike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    old = side(rng, 20, 2, 2)
    new = shuffled(old, rng.permutation(20))
    new.box[:] += rng.normal(0, 6, new.box.shape)
    new.content[:] += np.uint64(1)
    order_old, order_new = rng.permutation(20), rng.permutation(20)
    first = matching.match(old, new)
    again = matching.match(shuffled(old, order_old), shuffled(new, order_new))
    pairs = zip(order_old[again.index_old], order_new[again.index_new], strict=True)
    assert set(pairs) == set(zip(first.index_old, first.index_new, strict=True))


_CONTENTS = itertools.count(1)


def one(*boxes: list[float], class_: tuple[int, ...] = (), kind: tuple[int, ...] = ()) -> Side:
    """Return labels of one group, none of them equal to any other."""
    n = len(boxes)
    zeros = np.zeros(n, np.int32)
    return Side(
        np.zeros(n, np.int64),
        np.array(class_, np.int32) if class_ else zeros,
        np.array(kind, np.int32) if kind else zeros,
        np.array(boxes, float).reshape(n, 4),
        np.array([next(_CONTENTS) for _ in boxes], np.uint64),
    )


def test_one_great_overlap_outweighs_two_middling_ones() -> None:
    """A went nowhere, B is gone and C is new: not A to C and B to A."""
    old = one([0, 0, 100, 100], [50, 0, 130, 100])
    new = one([0, 0, 96, 100], [0, 0, 60, 100])
    found = matching.match(old, new)
    assert list(zip(found.index_old, found.index_new, strict=True)) == [(0, 0)]


def test_a_box_and_a_polygon_of_one_object_are_kept_apart() -> None:
    place = [0.0, 0, 100, 100]
    old = one(place, place, kind=(0, 1))
    new = one([1.0, 0, 101, 100], [1.0, 0, 101, 100], kind=(1, 0))
    found = matching.match(old, new)
    assert found.index_old.tolist() == [1, 0]
    assert not found.is_ambiguous.any()


def test_what_could_be_either_is_ambiguous() -> None:
    old = one([0, 0, 100, 100], [10, 0, 110, 100])
    new = one([5, 0, 105, 100])
    found = matching.match(old, new)
    assert found.is_ambiguous.tolist() == [True]


def test_a_box_dragged_away_is_recognised_by_its_size_where_it_is_alone() -> None:
    old = one([0, 0, 100, 60], [700, 0, 740, 60])
    assert matching.match(old, one([300, 300, 400, 360])).index_old.tolist() == [0]
    assert len(matching.match(old, one([300, 300, 390, 360])).index_old) == 0
    twice = one([300, 300, 400, 360], [500, 300, 600, 360])
    assert len(matching.match(old, twice).index_old) == 0


def test_points_and_level_lines_have_a_place_though_no_area() -> None:
    old = one([50, 50, 50, 50], [100, 200, 180, 200])
    new = one([100, 201, 181, 201], [51, 51, 51, 51])
    assert matching.match(old, new).index_old.tolist() == [1, 0]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40)
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
