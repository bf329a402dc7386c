"""Opinions side by side: brute force, and the properties that a detection score must have."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.calc import coefficients, comparisons, intervals, outcomes, units
from lineage.calc.comparisons import Roster
from lineage.calc.outcomes import Outcome

Box = tuple[float, float, float, float]
Drawn = dict[int, dict[int, list[tuple[int, Box]]]]
"""Image, annotator, and what they drew: class and box."""


def compared(
    drawn: Drawn, n_classes: int = 2, tau: float = 0.5
) -> tuple[comparisons.Pairs, np.ndarray]:
    """Return pairs of opinions, and the image of each."""
    rows = [
        (image, person, class_, box)
        for image, people in sorted(drawn.items())
        for person, objects in people.items()
        for class_, box in objects
    ]
    asset, person, class_ = (np.array([row[i] for row in rows], np.int64) for i in range(3))
    box = np.array([row[3] for row in rows], float).reshape(-1, 4)
    asked = [(image, who) for image, people in sorted(drawn.items()) for who in sorted(people)]
    roster = Roster(*(np.array(column, np.int64) for column in zip(*asked, strict=True)))
    n_asked = np.array([len(drawn[image]) for image in asset.tolist()], np.int64)
    found = units.units(asset, person, class_, box, n_asked=n_asked, tau=tau)
    said = comparisons.said(found.unit, asset, person, class_, roster, n_classes=n_classes)
    pairs = comparisons.pairs(said, n_classes=n_classes)
    image_of = np.zeros(found.n_units, np.int64)
    image_of[found.unit] = asset
    return pairs, image_of[pairs.unit]


def f1(drawn: Drawn, n_classes: int = 2) -> float:
    """Return F1 over all classes together."""
    pairs, image = compared(drawn, n_classes)
    t = comparisons.detection(pairs, image, n_classes=n_classes, by_class=False)
    return float(coefficients.specific_agreement(t)[0])


SQUARE: Box = (0, 0, 10, 10)
FAR: Box = (100, 100, 110, 110)


@pytest.mark.parametrize("n_people", [2, 3, 4])
def test_identical_sets_score_one(n_people: int) -> None:
    # the best-known open package gives 0.33 for five equal boxes
    assert f1({0: {person: [(0, SQUARE)] * 5 for person in range(n_people)}}) == 1


def test_a_missed_object_lowers_the_score() -> None:
    assert f1({0: {0: [(0, SQUARE), (0, FAR)], 1: [(0, SQUARE)]}}) == pytest.approx(2 / 3)


def test_a_duplicate_lowers_the_score() -> None:
    assert f1({0: {0: [(0, SQUARE)], 1: [(0, SQUARE), (0, SQUARE)]}}) == pytest.approx(2 / 3)


def test_another_name_lowers_the_score() -> None:
    assert f1({0: {0: [(0, SQUARE)], 1: [(1, SQUARE)]}}) == 0


def test_a_task_labelled_once_has_no_score() -> None:
    assert np.isnan(f1({0: {0: [(0, SQUARE)]}}))


def test_two_empty_answers_are_no_pair_and_cost_nothing() -> None:
    pairs, _ = compared({0: {0: [], 1: []}, 1: {0: [(0, SQUARE)], 1: [(0, SQUARE)]}})
    assert len(pairs.unit) == 1
    assert f1({0: {0: [], 1: []}, 1: {0: [(0, SQUARE)], 1: [(0, SQUARE)]}}) == 1


def test_who_was_not_asked_has_missed_nothing() -> None:
    asked = {0: {0: [(0, SQUARE)], 1: [(0, SQUARE)], 2: []}}
    not_asked = {0: {0: [(0, SQUARE)], 1: [(0, SQUARE)]}}
    assert f1(asked) == pytest.approx(0.5)
    assert f1(not_asked) == 1


objects = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from([SQUARE, (0, 0, 10, 9), (20, 0, 30, 10), (21, 0, 31, 10), FAR]),
    ),
    max_size=4,
)
worlds = st.dictionaries(
    st.integers(0, 3), st.dictionaries(st.integers(0, 3), objects, min_size=1), min_size=1
)


@given(worlds)
def test_counts_are_those_of_every_two_annotators(drawn: Drawn) -> None:
    pairs, image = compared(drawn)
    t = comparisons.detection(pairs, image, n_classes=2)
    mentions, agreed = np.zeros(2), np.zeros(2)
    for people in drawn.values():
        for one, other in combinations(sorted(people), 2):
            for class_, _ in people[one] + people[other]:
                mentions[class_] += 1
    assert t.mentions.tolist() == mentions.tolist()
    for a, b in zip(pairs.said_first.tolist(), pairs.said_second.tolist(), strict=True):
        if a == b:
            agreed[a] += 2
    assert t.coincidences.tolist() == agreed.tolist()
    assert (pairs.first < pairs.second).all()
    annotators, partner, own, row = comparisons.directed(pairs)
    assert len(annotators) == 2 * len(pairs.unit)
    n = len(pairs.unit)
    assert partner[:n].tolist() == pairs.said_second.tolist()
    assert partner[n:].tolist() == own[:n].tolist() == pairs.said_first.tolist()
    assert row.tolist() == 2 * list(range(n))
    assert len(own) == len(annotators)


@given(worlds)
def test_slices_add_up_and_the_order_of_annotators_does_not_matter(drawn: Drawn) -> None:
    pairs, image = compared(drawn)
    whole = comparisons.detection(pairs, image, n_classes=2)
    sliced = comparisons.detection(pairs, image, n_classes=2, slice_=image % 2, n_slices=2)
    assert sliced.mentions.reshape(2, 2).sum(axis=0).tolist() == whole.mentions.tolist()
    np.testing.assert_allclose(
        sliced.moments[:2, :5] + sliced.moments[2:, :5], whole.moments[:, :5]
    )
    low, high = intervals.specific_interval(whole)
    value = coefficients.specific_agreement(whole)
    known = ~np.isnan(value) & ~np.isnan(low)
    assert ((low[known] <= value[known] + 1e-9) & (value[known] <= high[known] + 1e-9)).all()


def test_how_well_boxes_lie_on_one_another() -> None:
    overlap = np.array([1.0, 0.5, np.nan, 0.8])
    found = comparisons.places(np.array([0, 0, 0, 1]), overlap, 2)
    assert (found.n.tolist(), found.total.tolist(), found.n_loose.tolist()) == (
        [2, 1],
        [1.5, 0.8],
        [1, 0],
    )
    assert (found + found).n.tolist() == [4, 2]


def test_the_four_outcomes() -> None:
    box = np.array([SQUARE, (20, 0, 30, 10), FAR], float)
    zero = np.zeros(3, np.int64)
    other = np.array([SQUARE, (20, 0, 30, 9), (50, 50, 60, 60)], float)
    found = outcomes.outcomes(
        zero, np.array([0, 0, 0]), box, zero, np.array([0, 1, 0]), other, tau=0.4
    )
    assert found.first.tolist() == [Outcome.MATCH, Outcome.LABEL_MISMATCH, Outcome.MISSING]
    assert found.second.tolist() == [Outcome.MATCH, Outcome.LABEL_MISMATCH, Outcome.EXTRA]
    assert found.partner_of_first.tolist() == [0, 1, -1]
    assert found.overlap[1] == pytest.approx(0.9)


def test_a_class_of_its_own_is_matched_before_a_better_place_under_another_name() -> None:
    one = np.array([SQUARE], float)
    other = np.array([SQUARE, (0, 0, 10, 6)], float)
    found = outcomes.outcomes(
        np.zeros(1, np.int64),
        np.array([1]),
        one,
        np.zeros(2, np.int64),
        np.array([0, 1]),
        other,
        tau=0.5,
    )
    assert found.second.tolist() == [Outcome.EXTRA, Outcome.MATCH]
