"""The chances of a review: strata of a frame, their floors and Neyman's share, and the chance of each image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lineage.activities.review_frame import RARE, UNSEEN, Frame
from lineage.activities.review_log import Drawn
from lineage.calc import plans, state

Row = Mapping[str, object]
ERRORS_BY_FLAG = {UNSEEN: 0.2, RARE: 0.5}
"""What share of labels to expect wrong where a model speaks against them, before anybody has looked."""


@dataclass(frozen=True, slots=True)
class Fractions:
    """The chances of being drawn.

    Parameters
    ----------
    of_image
        ndarray of float64, shape (n_images,): by asset, ascending.
    of_row
        ndarray of float64, shape (n,): of each row of the frame, which is that of its image.
    by_class
        Rows ``class n n_planned half_width seen_fraction detected_fraction``.
    """

    of_image: np.ndarray
    of_row: np.ndarray
    by_class: Sequence[Row]


def fractions_of(
    frame: Frame,
    fraction: float,
    *,
    floor: int,
    floor_annotator: int,
    known: Drawn,
    factors: Mapping[str, float] | None = None,
) -> Fractions:
    """Return the chance of every image and label of a frame.

    Parameters
    ----------
    frame
        The labels.
    fraction
        Of them that the plan may spend.
    floor, floor_annotator
        Labels of each class and of each annotator; all where there are fewer. The images of `RARE` have
        the floor of a class.
    known
        What was drawn before: no chance becomes smaller than it was.
    factors
        By annotator, 1 where nothing is said: 2 where their inspection is tightened, 0.5 where it is
        reduced. Floors hold all the same.
    """
    cell = state.composed(frame.class_, frame.annotator, frame.flag)
    _, first, at, count = np.unique(
        cell, return_index=True, return_inverse=True, return_counts=True
    )
    class_, annotator, flag = (
        column[first] for column in (frame.class_, frame.annotator, frame.flag)
    )
    least = np.maximum(
        plans.floor_fractions(count, class_, floor),
        plans.floor_fractions(count, annotator, floor_annotator),
    )
    is_rare = (flag == RARE).astype(np.int64)
    least = np.where(
        is_rare, np.maximum(least, plans.floor_fractions(count, is_rare, floor)), least
    )
    expected = np.full(len(count), plans.PRIOR_ERROR_FRACTION)
    for value, share in ERRORS_BY_FLAG.items():
        expected[flag == value] = share
    plan = plans.planned(count, expected, base_fraction=fraction, floor_fraction=least)
    factor = np.array([(factors or {}).get(name, 1.0) for name in frame.people])
    share = np.clip(np.maximum(plan.fraction * factor[annotator], least), 0, 1)
    images, image = np.unique(frame.asset, return_inverse=True)
    chance = np.zeros(len(images))
    np.maximum.at(chance, image, share[at])
    seat = np.searchsorted(images, known.asset)
    here = np.flatnonzero(np.isin(known.asset, images))
    np.maximum.at(chance, seat[here], known.fraction[here])
    of_row = chance[image]
    return Fractions(chance, of_row, _by_class(frame, of_row, expected[at]))


def rare_classes(frame: Frame, fraction: float, floor: int) -> np.ndarray:
    """Tell which classes are rare: those of which the fraction alone would draw fewer than the floor.

    Returns
    -------
    ndarray of bool, shape (n_classes,)
    """
    n = np.bincount(frame.class_, minlength=len(frame.classes))
    found: np.ndarray = n * fraction < floor
    found[-1] = False
    return found


def _by_class(frame: Frame, chance: np.ndarray, expected: np.ndarray) -> list[Row]:
    # labels of one class and one chance are a stratum, whatever gave it to them
    cell = np.stack([frame.class_.astype(float), chance, expected])
    strata, count = np.unique(cell, axis=1, return_counts=True)
    found = plans.prospect(count, strata[1], strata[2], group=strata[0].astype(np.int64))
    figures = (found.half_width, found.seen_fraction, found.detected_fraction)
    return [
        {
            "class": frame.classes[class_],
            "n": int(found.n[at]),
            "n_planned": round(float(found.n_checked[at]), 1),
            "half_width": round(float(figures[0][at]), 4),
            "seen_fraction": round(min(float(figures[1][at]), 1.0), 4),
            "detected_fraction": round(min(float(figures[2][at]), 1.0), 4),
        }
        for at, class_ in enumerate(found.group.tolist())
    ]
