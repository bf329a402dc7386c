"""What a disputed label needs next: nothing more, a fresh blind opinion, or the senior."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

SETTLED_PROBABILITY, SETTLED_IOU = 0.95, 0.75
AMBIGUOUS_PROBABILITY = 0.80
RARE_LEAST_OPINIONS = 2
_MOST_OPINIONS = 4


class Step(StrEnum):
    """What happens next to a label."""

    FINALISE = "finalise"
    ONE_OPINION = "one_opinion"
    SECOND_OPINION = "second_opinion"
    SENIOR = "senior"


STEPS = tuple(Step)
"""`Adjudication.step` counts in this order."""


@dataclass(frozen=True, slots=True)
class Adjudication:
    """What labels need next.

    Parameters
    ----------
    step
        ndarray of int8, shape (n_units,): places in `STEPS`.
    is_ambiguous
        ndarray of bool, shape (n_units,): four blind opinions leave the class open. Keep the posterior
        with the label, whatever the senior decides.
    """

    step: np.ndarray
    is_ambiguous: np.ndarray

    def units(self, step: Step) -> np.ndarray:
        """Return the places of the units whose next step it is, ndarray of int64."""
        return np.flatnonzero(self.step == STEPS.index(step))


def adjudicated(
    posterior: np.ndarray,
    median_iou: np.ndarray,
    n_opinions: np.ndarray,
    *,
    is_rare: np.ndarray,
    settled_probability: float = SETTLED_PROBABILITY,
    settled_iou: float = SETTLED_IOU,
) -> Adjudication:
    """Apply the rule of METHODS 5.3 to units.

    Parameters
    ----------
    posterior
        ndarray of float64, shape (n_units,): probability of the likeliest class; NaN: nobody can say.
    median_iou
        ndarray of float64, shape (n_units,): median IoU of the pairs of opinions; NaN where there is no
        geometry to compare.
    n_opinions
        ndarray of int, shape (n_units,): independent blind opinions, the first annotator's among them.
    is_rare
        ndarray of bool, shape (n_units,): of a rare class, which no single opinion settles.
    settled_probability, settled_iou
        What a label must reach to be final.

    Notes
    -----
    Up to two opinions that do not settle it ask for a third, three for a fourth. After four, a posterior
    of .8 settles the class (METHODS names the senior only below it), but no outline that is still
    disputed: that goes to the senior as well, without the tag, for its class is clear.

    Examples
    --------
    >>> found = adjudicated(
    ...     np.array([0.99, 0.6, 0.6, 0.6]),
    ...     np.array([0.9, 0.9, 0.9, 0.9]),
    ...     np.array([2, 2, 3, 4]),
    ...     is_rare=np.zeros(4, bool),
    ... )
    >>> [STEPS[place].value for place in found.step]
    ['finalise', 'one_opinion', 'second_opinion', 'senior']
    >>> found.is_ambiguous.tolist()
    [False, False, False, True]
    """
    is_last = n_opinions >= _MOST_OPINIONS
    # written so that a NaN posterior is not enough and a NaN overlap is
    is_clear = posterior >= np.where(is_last, AMBIGUOUS_PROBABILITY, settled_probability)
    is_placed = np.isnan(median_iou) | (median_iou >= settled_iou)
    is_heard = (n_opinions >= 1) & (~is_rare | (n_opinions >= RARE_LEAST_OPINIONS))
    step = np.select(
        [is_clear & is_placed & is_heard, is_last, n_opinions == _MOST_OPINIONS - 1],
        [STEPS.index(Step.FINALISE), STEPS.index(Step.SENIOR), STEPS.index(Step.SECOND_OPINION)],
        STEPS.index(Step.ONE_OPINION),
    )
    return Adjudication(
        step.astype(np.int8), is_last & ~np.asarray(posterior >= AMBIGUOUS_PROBABILITY)
    )
