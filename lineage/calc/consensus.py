"""One label from several opinions: classes by Dawid and Skene, geometry by medians and majorities.

Classes: expectation maximisation over annotators' confusion matrices, with a
prior that leans on the diagonal (MAP), started from the majority; gold enters
as what is known. Geometry, within a unit: coordinate medians for boxes, pixel
majority for masks, geometric medians for key points, the outline nearest to all
others for polygons. None of it may be used where a camp is the majority by
policy: a split definition is settled by people (`lineage.calc.disputes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

QUORUM_FRACTION = 0.3
QUORUM_LEAST = 2
_DIAGONAL, _FLOOR = 4.0, 0.2
_ITERATIONS, _TOLERANCE = 25, 1e-4
_WEISZFELD_STEPS, _WEISZFELD_TOLERANCE_PX = 64, 1e-7


@dataclass(frozen=True, slots=True)
class Posterior:
    """What opinions say of units.

    Parameters
    ----------
    unit
        ndarray of int64, shape (n_units,), ascending.
    probability
        ndarray of float64, shape (n_units, n_classes).
    share
        ndarray of float64, shape (n_classes,): estimated shares of the classes.
    confusion
        ndarray of float64, shape (n_annotators, n_classes, n_classes): chance that an annotator
        says the last index where the middle one is true.
    n_iterations
        Steps taken.
    """

    unit: np.ndarray
    probability: np.ndarray
    share: np.ndarray
    confusion: np.ndarray
    n_iterations: int


def dawid_skene(
    unit: np.ndarray,
    annotator: np.ndarray,
    class_: np.ndarray,
    n_classes: int,
    *,
    known: tuple[np.ndarray, np.ndarray] | None = None,
    weight: np.ndarray | None = None,
    prior: tuple[float, float] = (_DIAGONAL, _FLOOR),
    start: np.ndarray | None = None,
    iterations: int = _ITERATIONS,
    tolerance: float = _TOLERANCE,
) -> Posterior:
    """Estimate the class of each unit and the habits of each annotator together.

    Parameters
    ----------
    unit
        ndarray of int64, shape (n,). An annotator may have several opinions on a unit.
    annotator, class_
        ndarrays of int, shape (n,): codes.
    n_classes
        How many classes there are.
    known
        Units, of those in ``unit``, whose class is known (gold), and those classes.
    weight
        ndarray of float64, shape (n_units,): how many units each stands for, ascending by unit. Units
        of which the same people said the same have the same posterior: one for all of them will do.
    prior
        Opinions added to every annotator's counts: on the diagonal, and everywhere. (0, 0) is the
        maximum likelihood of the original.
    start
        ndarray of float64, shape (n_units, n_classes): probabilities to begin from; the shares of the
        opinions if left out.
    iterations, tolerance
        Most steps, and the change in any probability at which to stop.

    Notes
    -----
    Opinions on units with one opinion say nothing of an annotator; leave them out.

    References
    ----------
    Dawid and Skene, Applied Statistics 28(1), 1979, doi:10.2307/2346806.
    """
    units, at = np.unique(unit, return_inverse=True)
    n_units, n_people = len(units), int(annotator.max(initial=-1)) + 1
    said = annotator.astype(np.int64) * n_classes + class_
    fixed, truth = _known(units, known, n_classes)
    probability = np.stack(
        [np.bincount(at, class_ == k, n_units) for k in range(n_classes)], axis=1
    )
    probability = probability / np.maximum(probability.sum(axis=1, keepdims=True), 1)
    probability = probability if start is None else start.astype(float)
    probability[fixed] = truth
    counted = np.ones((n_units, 1)) if weight is None else weight[:, None]
    share, confusion, n_steps = np.full(n_classes, 1 / n_classes), np.zeros((0, 0, 0)), 0
    while n_steps < iterations:
        n_steps += 1
        share = _share(probability * counted, prior)
        confusion = _confusion(probability * counted, at, said, (n_people, n_classes), prior)
        before = probability
        probability = _expected(share, confusion, at, said, n_units)
        probability[fixed] = truth
        if np.abs(probability - before).max(initial=0) < tolerance:
            break
    return Posterior(units, probability, share, confusion, n_steps)


def _known(
    units: np.ndarray, known: tuple[np.ndarray, np.ndarray] | None, n_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    if known is None:
        return np.zeros(0, np.int64), np.zeros((0, n_classes))
    return np.searchsorted(units, known[0]), np.eye(n_classes)[known[1]]


def _share(probability: np.ndarray, prior: tuple[float, float]) -> np.ndarray:
    # one opinion for each class where there is a prior at all, as in METHODS' reference
    total = probability.sum(axis=0) + (1.0 if any(prior) else 0.0)
    found: np.ndarray = total / total.sum()
    return found


def _confusion(
    probability: np.ndarray,
    at: np.ndarray,
    said: np.ndarray,
    shape: tuple[int, int],
    prior: tuple[float, float],
) -> np.ndarray:
    n_people, n_classes = shape
    counts = np.empty((n_people, n_classes, n_classes))
    for k in range(n_classes):
        column = np.bincount(said, probability[at, k], n_people * n_classes)
        counts[:, k, :] = column.reshape(n_people, n_classes)
    counts += np.eye(n_classes) * prior[0] + prior[1]
    total = counts.sum(axis=2, keepdims=True)
    return np.divide(counts, total, out=np.full_like(counts, 1 / n_classes), where=total > 0)


def _expected(
    share: np.ndarray, confusion: np.ndarray, at: np.ndarray, said: np.ndarray, n_units: int
) -> np.ndarray:
    n_classes = len(share)
    with np.errstate(divide="ignore"):
        log = np.log(confusion)
        found = np.tile(np.log(share), (n_units, 1))
    for k in range(n_classes):
        found[:, k] += np.bincount(at, log[:, k, :].ravel()[said], n_units)
    highest = found.max(axis=1, keepdims=True)
    found = np.exp(found - np.where(np.isfinite(highest), highest, 0))
    total = found.sum(axis=1, keepdims=True)
    return np.where(total > 0, found / np.where(total > 0, total, 1), 1 / n_classes)


def with_model(posterior: np.ndarray, model: np.ndarray, *, weight: float = 0.7) -> np.ndarray:
    """Return posteriors that also heed a model's out-of-fold probabilities.

    Parameters
    ----------
    posterior, model
        ndarrays of float64, shape (n_units, n_classes).
    weight
        Power of the model's probabilities; 0.7 was best of those tried (METHODS 5.1).
    """
    found = posterior * np.maximum(model, 1e-12) ** weight
    result: np.ndarray = found / found.sum(axis=1, keepdims=True)
    return result


def has_quorum(
    n_members: np.ndarray, n_asked: np.ndarray, *, fraction: float = QUORUM_FRACTION
) -> np.ndarray:
    """Tell which units enough annotators drew: two at least, and 30 % of those who were asked.

    Parameters
    ----------
    n_members, n_asked
        ndarrays of int, shape (n_units,).
    fraction
        Another share than 30 %.
    """
    return n_members >= np.maximum(QUORUM_LEAST, fraction * n_asked)


def median_boxes(unit: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return, per unit, the median of each side.

    Parameters
    ----------
    unit
        ndarray of int64, shape (n,): 0, 1, 2 ... without gaps, in any order.
    box
        ndarray of float64, shape (n, k): boxes, or other numbers to take medians of.

    Returns
    -------
    ndarray of float64, shape (n_units, k)

    Examples
    --------
    >>> median_boxes(np.zeros(3, np.int64), np.array([[0.0, 0, 9, 9], [1, 0, 9, 9], [5, 0, 8, 9]]))
    array([[1., 0., 9., 9.]])
    """
    n_each = np.bincount(unit)
    first = np.cumsum(n_each) - n_each
    low, high = first + (n_each - 1) // 2, first + n_each // 2
    found = np.empty((len(n_each), box.shape[1]))
    for side in range(box.shape[1]):
        ordered = box[np.lexsort((box[:, side], unit)), side]
        found[:, side] = (ordered[low] + ordered[high]) / 2
    return found


def median_rotated(unit: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return, per unit, the median of turned boxes.

    Parameters
    ----------
    unit
        ndarray of int64, shape (n,): 0, 1, 2 ... without gaps, in any order.
    box
        ndarray of float64, shape (n, 5): centre, width, height (px), clockwise rotation (degrees).

    Returns
    -------
    ndarray of float64, shape (n_units, 5)
        Rotation in [0, 180).

    Notes
    -----
    A box turned by 180 degrees is the same box, and one turned by 90 has width and height
    exchanged: each box is first written as near to the unit's first one as its four spellings allow.
    """
    n_units = int(unit.max(initial=-1)) + 1
    first = np.full(n_units, -1, np.int64)
    first[unit[::-1]] = np.arange(len(unit))[::-1]
    turn = box[:, 4] - box[first[unit], 4]
    n_quarters = np.round(turn / 90).astype(np.int64)
    near = box.copy()
    near[:, 4] = box[:, 4] - 90 * n_quarters
    swapped = n_quarters % 2 == 1
    near[swapped, 2], near[swapped, 3] = box[swapped, 3], box[swapped, 2]
    found = median_boxes(unit, near)
    found[:, 4] %= 180
    return found


def majority_mask(masks: np.ndarray) -> np.ndarray:
    """Return the pixels that at least half of the masks show.

    Parameters
    ----------
    masks
        ndarray of bool, shape (n_masks, height, width).

    Notes
    -----
    A tie shows the pixel: the larger support.
    """
    found: np.ndarray = 2 * masks.sum(axis=0) >= len(masks)
    return found


def majority_runs(unit: np.ndarray, runs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return, per unit, the run lengths of the pixels that at least half of its masks show.

    Parameters
    ----------
    unit
        ndarray of int64, shape (n,), ascending: 0, 1, 2 ... without gaps.
    runs
        n masks as `lineage.columns` has them: background, foreground, background ... Those of a unit
        are of one image.

    Returns
    -------
    list of ndarray of int64

    Notes
    -----
    `majority_mask` without drawing a pixel: how many masks show a place changes only where a run ends.

    Examples
    --------
    >>> one, other, third = np.array([2, 4, 4]), np.array([3, 5, 2]), np.array([10])
    >>> majority_runs(np.zeros(3, np.int64), [one, other, third])
    [array([3, 3, 4])]
    """
    found = []
    for rows in np.split(np.arange(len(unit)), np.flatnonzero(np.diff(unit)) + 1):
        ends = [np.cumsum(runs[row]) for row in rows.tolist()]
        # a mask's odd ends are where it begins to show, its even ones where it stops
        place = np.concatenate([own[:-1] for own in ends])
        step = np.concatenate([1 - 2 * (np.arange(len(own) - 1) % 2) for own in ends])
        order = np.argsort(place, kind="stable")
        places, first = np.unique(place[order], return_index=True)
        shown = np.cumsum(np.add.reduceat(step[order], first)) if len(places) else step
        is_in = 2 * shown >= len(rows)
        turns = places[np.diff(is_in.astype(np.int8), prepend=0) != 0]
        found.append(np.diff(np.concatenate([[0], turns, [int(ends[0][-1])]])))
    return found


def medoid(similarity: np.ndarray) -> int:
    """Return which member is most like all others.

    Parameters
    ----------
    similarity
        ndarray of float64, shape (n, n), symmetric: IoU of each pair.
    """
    return int(np.argmax(similarity.sum(axis=1)))


def geometric_medians(points: np.ndarray, is_present: np.ndarray) -> np.ndarray:
    """Return, per key point, the place whose distances to the annotators' places add up to least.

    Parameters
    ----------
    points
        ndarray of float64, shape (n_annotators, n_points, 2), px.
    is_present
        ndarray of bool, shape (n_annotators, n_points).

    Returns
    -------
    ndarray of float64, shape (n_points, 2)
        NaN for a point that nobody placed.

    Notes
    -----
    Weiszfeld's steps with Vardi and Zhang's rule at a member's own place,
    doi:10.1073/pnas.97.4.1423.
    """
    n_points = points.shape[1]
    found = np.full((n_points, 2), np.nan)
    for at in range(n_points):
        placed = points[is_present[:, at], at]
        if len(placed):
            found[at] = _geometric_median(placed)
    return found


def _geometric_median(placed: np.ndarray) -> np.ndarray:
    here = np.median(placed, axis=0)
    for _ in range(_WEISZFELD_STEPS):
        distance = np.sqrt(((placed - here) ** 2).sum(axis=1))
        apart = distance > 0
        if not apart.any():
            return here
        pull = (placed[apart] - here) / distance[apart, None]
        mean = (placed[apart] / distance[apart, None]).sum(axis=0) / (1 / distance[apart]).sum()
        n_here = len(placed) - int(apart.sum())
        strength = float(np.sqrt((pull.sum(axis=0) ** 2).sum()))
        stay = min(1.0, n_here / strength) if strength > 0 else 1.0
        there = (1 - stay) * mean + stay * here
        if np.abs(there - here).max() < _WEISZFELD_TOLERANCE_PX:
            return np.asarray(there)
        here = there
    return np.asarray(here)
