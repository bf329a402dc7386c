"""Agreement as counts that add up: of one block of images, of all of them, of any slice.

`count` turns a block's pairs of opinions into `Counts`; counts of blocks are added;
numbers are read off the sum. What is told apart (pairs of annotators, batches,
weeks ...) is a `Cut`; F1, alpha on what both found, and place stand in each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from lineage.calc import comparisons, state
from lineage.calc.assignment import assign
from lineage.calc.coefficients import Tally
from lineage.calc.comparisons import Pairs, Places
from lineage.calc.geometry import pairs_inside
from lineage.calc.overlaps import overlapping


@dataclass(frozen=True, slots=True)
class Cut:
    """Agreement along one dimension; ``a + b`` is that of both blocks.

    Parameters
    ----------
    detection
        Mentions and which are borne out, classes taken together, by value.
    mentions, coincidences
        ndarrays of float64, shape (n_values, n_classes): of pairs in which both found the object.
    places
        How boxes lie, by value.
    n_images, n_pairs, n_missing
        ndarrays of float64, shape (n_values,): images, pairs of opinions, and pairs in which one of
        the two drew nothing.
    """

    detection: Tally
    mentions: np.ndarray
    coincidences: np.ndarray
    places: Places
    n_images: np.ndarray
    n_pairs: np.ndarray
    n_missing: np.ndarray

    def __add__(self, other: Cut) -> Cut:
        return Cut(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Counts:
    """Agreement of a set of images; ``a + b`` is that of both sets.

    Parameters
    ----------
    whole
        Everything as one value.
    classes
        Mentions and which are borne out, by class.
    found
        Opinions of all who found an object, by unit: for alpha given that it was found.
    places
        How boxes lie, by class (of the annotator with the smaller code).
    confusion
        ndarray of float64, shape (n_classes + 1, n_classes + 1): ordered pairs, partner's value by own;
        the last is "drew nothing".
    chance
        ndarray of float64, shape (n_classes,): mentions that are borne out when each annotator's
        labels are laid on the next image that both answered for.
    cuts
        By dimension.
    n_units
        ndarray of float64, shape (n_classes + 1,): units on which somebody gave each class; the last
        counts all units.
    n_empty
        Pairs of answers that both drew nothing: they agree, and are counted apart.
    """

    whole: Cut
    classes: Tally
    found: Tally
    places: Places
    confusion: np.ndarray
    chance: np.ndarray
    cuts: Mapping[str, Cut]
    n_units: np.ndarray
    n_empty: int

    def __add__(self, other: Counts) -> Counts:
        plain = {
            f.name: getattr(self, f.name) + getattr(other, f.name)
            for f in fields(self)
            if f.name != "cuts"
        }
        return Counts(
            **plain, cuts={name: cut + other.cuts[name] for name, cut in self.cuts.items()}
        )


def count(
    pairs: Pairs,
    image: np.ndarray,
    overlap: np.ndarray,
    *,
    n_classes: int,
    found: Tally,
    chance: np.ndarray,
    dimensions: Mapping[str, tuple[np.ndarray, np.ndarray, int]],
    n_units: np.ndarray,
    n_empty: int = 0,
) -> Counts:
    """Count a block.

    Parameters
    ----------
    pairs
        Its pairs of opinions.
    image
        ndarray of int64, shape (m,): of each pair.
    overlap
        ndarray of float64, shape (m,): of the two labels, NaN where there are not two places.
    n_classes
        How many classes there are.
    found, chance, n_units, n_empty
        As `Counts`.
    dimensions
        By name: which pairs (rows, which may repeat), the value of each, and the number of values.
    """
    every = np.arange(len(pairs.unit))
    zero = np.zeros(len(pairs.unit), np.int64)
    width = n_classes + 1
    ordered = np.bincount(pairs.said_first * width + pairs.said_second, minlength=width * width)
    table = ordered.reshape(width, width).astype(float)
    return Counts(
        whole=cut(pairs, image, overlap, every, zero, 1, n_classes=n_classes),
        classes=comparisons.detection(pairs, image, n_classes=n_classes),
        found=found,
        places=comparisons.places(np.minimum(pairs.said_first, n_classes - 1), overlap, n_classes),
        confusion=table + table.T,
        chance=chance,
        cuts={
            name: cut(pairs, image, overlap, rows, value, n, n_classes=n_classes)
            for name, (rows, value, n) in dimensions.items()
        },
        n_units=n_units,
        n_empty=n_empty,
    )


def cut(
    pairs: Pairs,
    image: np.ndarray,
    overlap: np.ndarray,
    rows: np.ndarray,
    value: np.ndarray,
    n_values: int,
    *,
    n_classes: int,
) -> Cut:
    """Count a block along one dimension; arguments as `count`."""
    taken = Pairs(*(getattr(pairs, f.name)[rows] for f in fields(pairs)))
    of_image = image[rows]
    both = (taken.said_first < n_classes) & (taken.said_second < n_classes)
    cell = value[both] * np.int64(n_classes)
    first, second = taken.said_first[both], taken.said_second[both]
    n_cells = n_values * n_classes
    mentions = np.bincount(cell + first, minlength=n_cells) + np.bincount(
        cell + second, minlength=n_cells
    )
    same = 2.0 * np.bincount((cell + first)[first == second], minlength=n_cells)
    seen = state.grouped(of_image * np.int64(max(n_values, 1)) + value)[0] % max(n_values, 1)
    return Cut(
        detection=comparisons.detection(
            taken, of_image, n_classes=n_classes, slice_=value, n_slices=n_values, by_class=False
        ),
        mentions=mentions.reshape(n_values, n_classes).astype(float),
        coincidences=same.reshape(n_values, n_classes),
        places=comparisons.places(value, overlap[rows], n_values),
        n_images=np.bincount(seen, minlength=n_values).astype(float),
        n_pairs=np.bincount(value, minlength=n_values).astype(float),
        n_missing=np.bincount(value[~both], minlength=n_values).astype(float),
    )


def alphas(found: Cut) -> np.ndarray:
    """Return, per value, alpha over classes on objects that both found.

    Returns
    -------
    ndarray of float64, shape (n_values,)
        Krippendorff's alpha with every pair of opinions as a unit; NaN where one class is all there is.
    """
    n = found.mentions.sum(axis=1)
    chance = n * n - (found.mentions**2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = 1 - (n - found.coincidences.sum(axis=1)) * (n - 1) / chance
    return np.where(chance > 0, value, np.nan)


def chance_matches(
    image: np.ndarray,
    annotator: np.ndarray,
    class_: np.ndarray,
    box: np.ndarray,
    answers: tuple[np.ndarray, np.ndarray],
    *,
    n_classes: int,
    tau: float,
) -> np.ndarray:
    """Return, per class, mentions that are borne out by the labels of another image.

    Parameters
    ----------
    image, annotator, class_
        ndarrays of int64, shape (n,).
    box
        ndarray of float64, shape (n, 4), px.
    answers
        Images and annotators of every answer, one row an answer.
    n_classes, tau
        How many classes there are, and the least overlap.

    Notes
    -----
    For every two annotators, the images that both answered for are put in order, and the second
    one's labels are laid on the next image's of the first: one shift for each image.
    """
    pair, at_first, at_second = _shifted(*answers)
    n_people = int(max(answers[1].max(initial=-1), annotator.max(initial=-1))) + 1
    sides = []
    for person, where in ((0, at_first), (1, at_second)):
        who = pair // n_people if person == 0 else pair % n_people
        rows, group = _labels_of(image, annotator, who, where, n_people)
        sides.append((rows, group))
    (rows_a, group_a), (rows_b, group_b) = sides
    a, b, overlap = overlapping(group_a, box[rows_a], group_b, box[rows_b], least_iou=tau)
    same = class_[rows_a[a]] == class_[rows_b[b]]
    chosen, _ = assign(a[same], b[same], overlap[same], close=0.0)
    return 2.0 * np.bincount(class_[rows_a[a[same][chosen]]], minlength=n_classes)


def _shifted(image: np.ndarray, annotator: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return, for every pair of people and image of theirs, the image and the one after it."""
    n_people = int(annotator.max(initial=-1)) + 1
    order = np.lexsort((annotator, image))
    image, annotator = image[order], annotator[order]
    a, b = pairs_inside(image)
    pair, shared = annotator[a] * np.int64(n_people) + annotator[b], image[a]
    rank = np.lexsort((shared, pair))
    pair, shared = pair[rank], shared[rank]
    is_last = np.append(pair[1:] != pair[:-1], True) if len(pair) else np.zeros(0, bool)
    first = np.flatnonzero(np.append(True, pair[1:] != pair[:-1])) if len(pair) else pair
    after = np.arange(len(pair)) + 1
    after[is_last] = first
    alone = after == np.arange(len(pair))
    return pair[~alone], shared[~alone], shared[after[~alone]]


def _labels_of(
    image: np.ndarray, annotator: np.ndarray, who: np.ndarray, where: np.ndarray, n_people: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels of people on images, and which of the askings each belongs to."""
    key, wanted = image * np.int64(n_people) + annotator, where * np.int64(n_people) + who
    order = np.argsort(key, kind="stable")
    first = np.searchsorted(key[order], wanted, side="left")
    n = np.searchsorted(key[order], wanted, side="right") - first
    asking = np.repeat(np.arange(len(wanted)), n)
    place = np.repeat(first, n) + np.arange(len(asking)) - np.repeat(np.cumsum(n) - n, n)
    return order[place], asking
