"""The chances of a review: floors and shares held, and estimates from them that cover the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.activities.review_frame import Frame
from lineage.activities.review_log import Drawn
from lineage.activities.review_plan import fractions_of, rare_classes
from lineage.calc import estimates, sampling
from lineage.calc.intervals import wilson

_NONE = np.zeros(0, np.int64)
NOTHING_DRAWN = Drawn(
    _NONE, _NONE, _NONE.astype(object), _NONE.astype(object), _NONE.astype(object),
    _NONE.astype(float), *[_NONE.astype(bool)] * 3,
)  # fmt: skip


def frame_of(asset: np.ndarray, class_: np.ndarray, n_people: int) -> Frame:
    """Return a frame of labels of which each image's are one person's."""
    n = len(asset)
    classes = [f"c{at}" for at in range(int(class_.max()) + 1)]
    return Frame(
        revision=np.arange(1, n + 1),
        asset=asset,
        class_=class_,
        annotator=asset % n_people,
        box=np.full((n, 4), np.nan),
        is_open=np.ones(n, bool),
        flag=np.zeros(n, np.int64),
        classes=[*classes, "nothing"],
        people=[f"p{at}" for at in range(n_people)],
    )


@given(
    seed=st.integers(0, 1_000),
    fraction=st.floats(0.01, 1.0),
    floor=st.integers(0, 80),
    floor_annotator=st.integers(0, 40),
)
@settings(max_examples=40)
def test_floors_are_met_on_average(
    seed: int, fraction: float, floor: int, floor_annotator: int
) -> None:
    rng = np.random.default_rng(seed)
    asset = np.sort(rng.integers(1, 200, 900))
    frame = frame_of(asset, np.minimum(rng.geometric(0.5, 900) - 1, 5), 4)
    found = fractions_of(
        frame, fraction, floor=floor, floor_annotator=floor_annotator, known=NOTHING_DRAWN
    )
    assert ((found.of_row >= 0) & (found.of_row <= 1)).all()
    # all labels of an image have its chance
    _, at = np.unique(asset, return_inverse=True)
    assert np.array_equal(found.of_image[at], found.of_row)
    for group, least in ((frame.class_, floor), (frame.annotator, floor_annotator)):
        n, drawn = np.bincount(group), np.bincount(group, found.of_row)
        assert (drawn >= np.minimum(n, least) - 1e-6).all()
    assert found.of_row.sum() >= fraction * len(asset) - 1e-6
    assert [row["n"] for row in found.by_class] == np.bincount(frame.class_).tolist()


def test_no_chance_becomes_smaller_than_it_was() -> None:
    frame = frame_of(np.repeat(np.arange(1, 51), 2), np.zeros(100, np.int64), 2)
    known = Drawn(
        np.array([1]), np.array([1]), np.array(["draw-1"], object), np.array(["r"], object),
        np.array(["c0|p1"], object), np.array([0.7]), np.array([False]), np.array([True]), np.array([False]),
    )  # fmt: skip
    found = fractions_of(frame, 0.1, floor=0, floor_annotator=0, known=known)
    assert found.of_image[0] == 0.7
    assert found.of_image[1:] == pytest.approx(np.full(49, 0.1))


def test_a_class_is_rare_where_the_fraction_draws_fewer_than_the_floor() -> None:
    class_ = np.repeat([0, 1, 2], [1000, 100, 10])
    frame = frame_of(np.arange(1, 1111), class_, 1)
    assert rare_classes(frame, 0.1, 50).tolist() == [False, True, True, False]


def test_the_interval_covers_the_planted_errors_of_every_class() -> None:
    """200 keys; images are drawn whole, labels gather on them, the rarest class is 0.4 % of all."""
    rng = np.random.default_rng(3)
    n_images, n_worlds = 4_000, 200
    asset = np.repeat(np.arange(1, n_images + 1), rng.integers(1, 6, n_images))
    class_ = rng.choice(4, len(asset), p=[0.7, 0.25, 0.046, 0.004])
    frame = frame_of(asset, class_, 5)
    rate = np.array([0.02, 0.05, 0.1, 0.15])[class_] * np.where(asset % 5 == 0, 2.0, 0.75)
    wrong = rng.random(len(asset)) < rate
    plan = fractions_of(frame, 0.08, floor=20, floor_annotator=30, known=NOTHING_DRAWN)
    truth = np.append(np.bincount(class_, wrong) / np.bincount(class_), wrong.mean())
    covered = np.zeros(5)
    for world in range(n_worlds):
        u = sampling.fractions(np.arange(n_images + 1), f"key {world}".encode())[asset]
        rows = np.flatnonzero(u < plan.of_row)
        for at, group in enumerate((class_[rows], np.full(len(rows), 4))):
            found = estimates.estimated(
                estimates.tally(group, wrong[rows], plan.of_row[rows], image=asset[rows])
            )
            inside = (found.lo <= truth[found.group]) & (truth[found.group] <= found.hi)
            covered[found.group] += inside
            assert at == 0 or len(found.group) == 1
    _, high = wilson(covered, np.full(5, float(n_worlds)))
    assert (high >= 0.95).all(), covered / n_worlds
    assert covered[4] / n_worlds > 0.92


def test_who_is_inspected_more_closely_has_a_greater_chance_and_floors_hold() -> None:
    frame = frame_of(np.arange(1, 1001), np.zeros(1000, np.int64), 3)
    factors = {"p0": 2.0, "p1": 0.5}
    found = fractions_of(
        frame, 0.1, floor=0, floor_annotator=0, known=NOTHING_DRAWN, factors=factors
    )
    of = [found.of_row[frame.annotator == at] for at in range(3)]
    assert [float(one[0]) for one in of] == pytest.approx([0.2, 0.05, 0.1])
    least = fractions_of(
        frame, 0.1, floor=0, floor_annotator=30, known=NOTHING_DRAWN, factors=factors
    )
    assert least.of_row[frame.annotator == 1].sum() == pytest.approx(30.0)
