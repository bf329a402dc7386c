"""Counts of agreement: whatever the blocks, the same; and what chance gives."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

from lineage.calc import agreement, coefficients, comparisons, units
from lineage.calc.agreement import Counts
from lineage.calc.coefficients import tally
from lineage.calc.comparisons import Roster

N_CLASSES, N_PEOPLE = 4, 5


def world(n_images: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Return image, annotator, class and box of labels; two of five people draw each image."""
    rows = []
    for image in range(n_images):
        objects = rng.uniform(0, 400, (rng.integers(0, 8), 2))
        classes = rng.integers(0, N_CLASSES, len(objects))
        for person in rng.choice(N_PEOPLE, 2, replace=False):
            for (x, y), class_ in zip(objects, classes, strict=True):
                if rng.random() < 0.9:
                    said = class_ if rng.random() < 0.9 else rng.integers(0, N_CLASSES)
                    corner = np.array([x, y]) + rng.normal(0, 2, 2)
                    rows.append((image, person, said, *corner, *(corner + 40)))
    table = np.array(rows)
    return (*(table[:, i].astype(np.int64) for i in range(3)), table[:, 3:])


def counts_of(labels: tuple[np.ndarray, ...], asked: np.ndarray) -> Counts:
    image, person, class_, box = labels
    n_asked = np.full(len(image), 2)
    found = units.units(image, person, class_, box, n_asked=n_asked)
    roster = Roster(asked[:, 0], asked[:, 1])
    said = comparisons.said(found.unit, image, person, class_, roster, n_classes=N_CLASSES)
    pairs = comparisons.pairs(said, n_classes=N_CLASSES)
    image_of = np.zeros(found.n_units, np.int64)
    image_of[found.unit] = image
    drew = said.label >= 0
    every = np.arange(len(pairs.unit))
    key = pairs.first * N_PEOPLE + pairs.second
    return agreement.count(
        pairs,
        image_of[pairs.unit],
        np.full(len(pairs.unit), np.nan),
        n_classes=N_CLASSES,
        found=tally(said.unit[drew], said.value[drew], N_CLASSES, cluster=image[said.label[drew]]),
        chance=np.zeros(N_CLASSES),
        dimensions={"pair": (every, key, N_PEOPLE**2)},
        n_units=np.zeros(N_CLASSES + 1),
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_blocks_add_up_whatever_way_they_are_cut(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = world(60, rng)
    asked = np.unique(np.stack(labels[:2], axis=1), axis=0)
    whole = counts_of(labels, asked)
    cuts = np.sort(rng.integers(0, 60, 3))
    parts = []
    for low, high in zip([0, *cuts], [*cuts, 60], strict=True):
        rows = (labels[0] >= low) & (labels[0] < high)
        seats = (asked[:, 0] >= low) & (asked[:, 0] < high)
        if rows.any():
            parts.append(counts_of(tuple(part[rows] for part in labels), asked[seats]))
    total = reduce(lambda a, b: a + b, parts)
    assert total.confusion.tolist() == whole.confusion.tolist()
    for name in ("mentions", "coincidences"):
        found, wanted = (getattr(c.cuts["pair"].detection, name) for c in (total, whole))
        assert found.tolist() == wanted.tolist()
    np.testing.assert_allclose(total.classes.moments, whole.classes.moments)
    assert total.cuts["pair"].n_images.tolist() == whole.cuts["pair"].n_images.tolist()
    assert coefficients.alpha(total.found) == pytest.approx(coefficients.alpha(whole.found))
    np.testing.assert_allclose(agreement.alphas(total.whole), agreement.alphas(whole.whole))


def test_alpha_of_a_cut_is_krippendorffs() -> None:
    labels = world(40, np.random.default_rng(4))
    asked = np.unique(np.stack(labels[:2], axis=1), axis=0)
    found = counts_of(labels, asked)
    # with two annotators, every unit that both found is one pair
    assert agreement.alphas(found.whole)[0] == pytest.approx(coefficients.alpha(found.found))


def test_chance_is_what_the_next_image_gives() -> None:
    box = np.array([[0.0, 0, 10, 10]] * 4)
    image, person = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    answers = (image, person)
    same = agreement.chance_matches(
        image, person, np.zeros(4, np.int64), box, answers, n_classes=2, tau=0.5
    )
    # aligned scenes: the other image's box is borne out every time
    assert same.tolist() == [4, 0]
    far = box + np.array([0, 0, 500, 500])[:, None]
    apart = agreement.chance_matches(
        image, person, np.array([0, 0, 1, 1]), far, answers, n_classes=2, tau=0.5
    )
    assert apart.tolist() == [0, 0]


def test_one_common_image_has_no_chance() -> None:
    one = np.zeros(2, np.int64)
    got = agreement.chance_matches(
        one, np.array([0, 1]), one, np.zeros((2, 4)), (one, np.array([0, 1])), n_classes=1, tau=0.5
    )
    assert got.tolist() == [0]
