"""What a review says of a batch's errors, held against two hundred worlds in which they are planted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from lineage.calc import estimates, plans, sampling
from lineage.calc.estimates import Estimates
from lineage.calc.intervals import wilson
from lineage.simulate.settings import CLASSES, SHARES

N_WORLDS, N_PEOPLE, MEAN_OBJECTS = 200, 8, 6.0
RAREST = CLASSES.index("wheelchair_user")


@dataclass(frozen=True)
class World:
    """Labels of a batch, and which of them are wrong."""

    image: np.ndarray
    class_: np.ndarray
    annotator: np.ndarray
    is_wrong: np.ndarray


def planted(seed: int, n_images: int) -> World:
    """Return a batch in which everybody errs on every class at a rate of its own, and on bad days twice as much."""
    rng = np.random.default_rng([5, seed])
    n_labels = rng.poisson(MEAN_OBJECTS, n_images)
    image = np.repeat(np.arange(n_images), n_labels)
    class_ = rng.choice(len(CLASSES), len(image), p=np.array(SHARES) / sum(SHARES))
    annotator = (np.arange(n_images) // 10 % N_PEOPLE)[image]
    of_class = np.geomspace(0.01, 0.10, len(CLASSES))
    of_person = np.array([0.5, 0.5, 0.7, 0.8, 1.0, 1.0, 1.5, 4.0])
    rate = np.minimum(of_class * of_person[:, None] * rng.uniform(0.5, 1.5, (N_PEOPLE, 1)), 0.5)
    day = np.where(rng.random(n_images) < 0.1, 2.0, 1.0)
    chance = np.minimum(rate[annotator, class_] * day[image], 0.9)
    return World(image, class_, annotator, rng.random(len(image)) < chance)


def chances(world: World, fraction: float) -> np.ndarray:
    """Return each label's chance: the greatest that its image has by class and annotator, as a review plans."""
    cell = world.class_ * N_PEOPLE + world.annotator
    cells, at, count = np.unique(cell, return_inverse=True, return_counts=True)
    class_, annotator = cells // N_PEOPLE, cells % N_PEOPLE
    least = np.maximum(
        plans.floor_fractions(count, class_, plans.CLASS_LEAST),
        plans.floor_fractions(count, annotator, plans.ANNOTATOR_LEAST),
    )
    expected = np.full(len(count), plans.PRIOR_ERROR_FRACTION)
    plan = plans.planned(count, expected, base_fraction=fraction, floor_fraction=least)
    of_image = np.zeros(int(world.image.max()) + 1)
    np.maximum.at(of_image, world.image, plan.fraction[at])
    found: np.ndarray = of_image[world.image]
    return found


def reviewed(world: World, seed: int, fraction: float) -> tuple[Estimates, Estimates]:
    """Return what a review of a world says: of all, and by class."""
    pi = chances(world, fraction)
    key = sampling.derived(b"a secret", f"review {seed}")
    images = np.unique(world.image)
    is_drawn = sampling.fractions(images, key)[np.searchsorted(images, world.image)] < pi
    rows = np.flatnonzero(is_drawn)
    is_wrong, image = world.is_wrong[rows], world.image[rows]
    found = [
        estimates.estimated(estimates.tally(group, is_wrong, pi[rows], image=image))
        for group in (np.zeros(len(rows), np.int64), world.class_[rows])
    ]
    return found[0], found[1]


def covered(n_worlds: int, n_images: int, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Tell of which worlds, and of which of their classes, the interval holds the share of wrong labels."""
    overall, by_class = np.zeros(n_worlds, bool), np.zeros((n_worlds, len(CLASSES)), bool)
    for seed in range(n_worlds):
        world = planted(seed, n_images)
        whole, classes = reviewed(world, seed, fraction)
        truth = world.is_wrong.mean()
        overall[seed] = whole.lo[0] <= truth <= whole.hi[0]
        n = np.bincount(world.class_, minlength=len(CLASSES))
        truths = np.bincount(world.class_, world.is_wrong, len(CLASSES)) / n
        assert classes.group.tolist() == list(range(len(CLASSES)))
        # of a class that was checked whole the interval is the share itself
        by_class[seed] = (classes.lo <= truths + 1e-12) & (truths - 1e-12 <= classes.hi)
    return overall, by_class


@pytest.mark.slow
def test_the_error_is_in_the_interval_in_nineteen_worlds_of_twenty_for_the_rarest_class_too() -> (
    None
):
    overall, by_class = covered(N_WORLDS, 12_000, 0.05)
    for name, held in (("all", overall), *zip(CLASSES, by_class.T, strict=True)):
        low, high = wilson(held.sum(), N_WORLDS, z=2.6)
        assert low <= 0.95 <= high, f"{name}: {held.mean():.3f}"


def test_the_rarest_class_is_covered_in_small_batches() -> None:
    overall, by_class = covered(40, 1_500, 0.1)
    for held in (overall, by_class[:, RAREST]):
        assert wilson(held.sum(), len(held), z=2.6)[1] >= 0.95


def test_without_the_weights_the_rare_classes_would_be_taken_for_all() -> None:
    is_held = np.zeros(40, bool)
    for seed in range(40):
        world = planted(seed, 3_000)
        pi = chances(world, 0.05)
        key = sampling.derived(b"a secret", f"review {seed}")
        rows = np.flatnonzero(sampling.fractions(np.unique(world.image), key)[
            np.searchsorted(np.unique(world.image), world.image)] < pi)  # fmt: skip
        every, same = np.zeros(len(rows), np.int64), np.full(len(rows), len(rows) / len(pi))
        found = estimates.estimated(estimates.tally(every, world.is_wrong[rows], same))
        is_held[seed] = found.lo[0] <= world.is_wrong.mean() <= found.hi[0]
    assert wilson(is_held.sum(), 40, z=2.6)[1] < 0.95
