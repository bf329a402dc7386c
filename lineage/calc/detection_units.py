"""Errors per label and per image and class, and whether a ground truth that moved moved the figures.

Over the matches of `lineage.calc.detections`, which are an evaluator's own: here they are counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from lineage.calc.detections import Matches, Objects, match

_REPLICATES_AT_ONCE = 20


class Fault(IntEnum):
    """What is wrong with a label in a model's eyes."""

    NONE = 0
    MISSED = 1
    OTHER_CLASS = 2


@dataclass(frozen=True, slots=True)
class ImageErrors:
    """Errors per image and class, where there is a label or a detection.

    Parameters
    ----------
    image, class_
        ndarrays of int64, shape (p,), rising by image, then class.
    n_right, n_false, n_missed
        ndarrays of int64, shape (p,): labels that were found, detections that match nothing, labels
        that were not found.
    """

    image: np.ndarray
    class_: np.ndarray
    n_right: np.ndarray
    n_false: np.ndarray
    n_missed: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """Return 1 - F1 of each image and class: 0 where all is right, 1 where nothing is."""
        wrong = self.n_false + self.n_missed
        return np.asarray(wrong / np.maximum(2 * self.n_right + wrong, 1), np.float64)


def faults(truth: Objects, found: Objects, matches: Matches, *, threshold: float) -> np.ndarray:
    """Return the `Fault` of every label.

    Parameters
    ----------
    truth, found, matches
        As `detections.match` took and gave them.
    threshold
        Score below which a detection is none.

    Returns
    -------
    ndarray of int8, shape (n,)
        Crowds have none. A label that nothing of its class matches is of another class to the model if,
        with classes set aside, a detection of another class does.
    """
    partner = matches.partner_of_truth
    is_found = partner >= 0
    is_found[is_found] = found.score[partner[is_found]] >= threshold
    told = np.where(is_found | truth.is_crowd, Fault.NONE, Fault.MISSED).astype(np.int8)
    if not (told == Fault.MISSED).any():
        return told
    # only images that miss something are asked again
    is_asked = np.isin(truth.image, truth.image[told == Fault.MISSED])
    images = np.unique(truth.image[is_asked])
    shown = np.flatnonzero((found.score >= threshold) & np.isin(found.image, images))
    rows = np.flatnonzero(is_asked)
    again = match(truth.where(rows).of_one_class(), found.where(shown).of_one_class())
    other = again.partner_of_truth
    met = np.flatnonzero(other >= 0)
    differs = truth.class_[rows[met]] != found.class_[shown[other[met]]]
    is_other = np.zeros(len(truth), bool)
    is_other[rows[met]] = differs
    told[is_other & (told == Fault.MISSED)] = Fault.OTHER_CLASS
    return told


def image_errors(
    truth: Objects, found: Objects, matches: Matches, *, threshold: float
) -> ImageErrors:
    """Count what is right, false and missed per image and class; crowds count nowhere."""
    n_classes = 1 + max(int(truth.class_.max(initial=0)), int(found.class_.max(initial=0)))
    is_asked = ~truth.is_crowd
    partner = matches.partner_of_truth
    is_right = partner >= 0
    is_right[is_right] = found.score[partner[is_right]] >= threshold
    is_false = matches.is_counted & ~matches.is_ignored & (matches.partner_of_found < 0)
    is_false &= found.score >= threshold
    key = (truth.image * n_classes + truth.class_)[is_asked]
    key_false = (found.image * n_classes + found.class_)[is_false]
    pairs, place = np.unique(np.concatenate([key, key_false]), return_inverse=True)
    right = is_right[is_asked]

    def counted(rows: np.ndarray) -> np.ndarray:
        return np.bincount(rows, minlength=len(pairs))

    of_truth = place[: len(key)]
    return ImageErrors(
        pairs // n_classes,
        pairs % n_classes,
        counted(of_truth[right]),
        counted(place[len(key) :]),
        counted(of_truth[~right]),
    )


def class_errors(
    image: np.ndarray, class_: np.ndarray, said: np.ndarray, n_classes: int
) -> ImageErrors:
    """Count as `image_errors` does where whole images have classes, and a model says one of each.

    Parameters
    ----------
    image, class_
        ndarrays of int64, shape (n,): labels.
    said
        ndarray of int64, shape (n_images,): the model's class of every image, -1 where it says none. It is
        false where no label of the image is of that class.
    n_classes
        How many there are.

    Examples
    --------
    Of two images with classes 0 and 1 a model says 0 both times:

    >>> told = class_errors(np.array([0, 1]), np.array([0, 1]), np.array([0, 0]), 2)
    >>> told.n_right.tolist(), told.n_false.tolist(), told.n_missed.tolist()
    ([1, 0, 0], [0, 1, 0], [0, 0, 1])
    """
    is_right = said[image] == class_
    is_met = np.zeros(len(said), bool)
    is_met[image[is_right]] = True
    false = np.flatnonzero((said >= 0) & ~is_met)
    keys = [
        image[is_right] * n_classes + class_[is_right],
        false * n_classes + said[false],
        image[~is_right] * n_classes + class_[~is_right],
    ]
    pairs = np.unique(np.concatenate(keys))
    counts = [np.bincount(np.searchsorted(pairs, key), minlength=len(pairs)) for key in keys]
    return ImageErrors(pairs // n_classes, pairs % n_classes, *counts)


@dataclass(frozen=True, slots=True)
class Moved:
    """A figure of every class against an older and a newer truth, and how sure the difference is.

    Parameters
    ----------
    old, new
        ndarrays of float64, shape (n_classes + 1,): the last is of all classes; NaN without labels.
    low, high
        ndarrays of float64, the same shape: 95 % interval of new less old, images resampled in pairs.
    """

    old: np.ndarray
    new: np.ndarray
    low: np.ndarray
    high: np.ndarray


def moved(
    old: ImageErrors,
    new: ImageErrors,
    n_classes: int,
    rng: np.random.Generator,
    *,
    figure: str = "recall",
    n_replicates: int = 1000,
) -> Moved:
    """Compare a figure of the same detections against two truths of the same images.

    Parameters
    ----------
    old, new
        Counts against either truth; images share their codes.
    n_classes
        How many there are.
    rng
        Draws the images.
    figure
        ``recall`` or ``f1``.
    n_replicates
        Of the bootstrap, whose unit is the image.

    References
    ----------
    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile intervals).
    """
    from scipy.sparse import csr_array

    images = np.unique(np.concatenate([old.image, new.image]))
    parts = []
    for side in (old, new):
        rows = np.searchsorted(images, side.image)
        for counts in (side.n_right, side.n_false, side.n_missed):
            shape = (len(images), n_classes)
            parts.append(csr_array((counts.astype(np.float64), (rows, side.class_)), shape=shape))
    totals = [np.asarray(part.sum(axis=0)).reshape(1, -1) for part in parts]
    then, now = _figure(totals[:3], figure)[0], _figure(totals[3:], figure)[0]
    differences = [np.zeros((0, n_classes + 1))]
    # the weights of all replicates at once would not fit
    for start in range(0, n_replicates if len(images) else 0, _REPLICATES_AT_ONCE):
        n_now = min(_REPLICATES_AT_ONCE, n_replicates - start)
        drawn = rng.integers(len(images), size=(n_now, len(images)))
        weights = np.stack([np.bincount(one, minlength=len(images)) for one in drawn])
        sums = [(part.T @ weights.T.astype(np.float64)).T for part in parts]
        differences.append(_figure(sums[3:], figure) - _figure(sums[:3], figure))
    found = np.concatenate(differences)
    low, high = np.full(n_classes + 1, np.nan), np.full(n_classes + 1, np.nan)
    for at in range(n_classes + 1):
        known = found[~np.isnan(found[:, at]), at]
        if len(known):
            low[at], high[at] = np.quantile(known, [0.025, 0.975])
    return Moved(then, now, low, high)


def _figure(counts: list[np.ndarray], figure: str) -> np.ndarray:
    """Return recall or F1 of each class and of all, shape (replicates, n_classes + 1)."""
    right, false, missed = (np.column_stack([one, one.sum(axis=1)]) for one in counts)
    below = right + missed if figure == "recall" else 2 * right + false + missed
    above = right if figure == "recall" else 2 * right
    n_labels = right + missed
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(n_labels > 0, above / below, np.nan))
