"""What became of each object of one annotator beside another's: match, label mismatch, missing, extra.

Two optimal assignments, as CVAT's quality report makes them: first within
classes, then across classes over what is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from lineage.calc.assignment import assign
from lineage.calc.overlaps import overlapping


class Outcome(IntEnum):
    """Of an object."""

    MATCH = 0
    LABEL_MISMATCH = 1
    MISSING = 2
    EXTRA = 3


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of both annotators' objects.

    Parameters
    ----------
    first, second
        ndarrays of int8, shapes (n,) and (m,): `Outcome` of each object; one that only the first
        has is missing (from the second), one that only the second has is extra.
    partner_of_first, partner_of_second
        ndarrays of int64, shapes (n,) and (m,): row of the partner, -1 for none.
    overlap
        ndarray of float64, shape (n,): with the partner, NaN for none.
    """

    first: np.ndarray
    second: np.ndarray
    partner_of_first: np.ndarray
    partner_of_second: np.ndarray
    overlap: np.ndarray


def outcomes(
    group_first: np.ndarray,
    class_first: np.ndarray,
    box_first: np.ndarray,
    group_second: np.ndarray,
    class_second: np.ndarray,
    box_second: np.ndarray,
    *,
    tau: float,
) -> Outcomes:
    """Compare two annotators' objects.

    Parameters
    ----------
    group_first, group_second
        ndarrays of int64, shapes (n,) and (m,): image (and pair of annotators) of each object.
    class_first, class_second
        ndarrays of int, shapes (n,) and (m,): codes.
    box_first, box_second
        ndarrays of float64, shapes (n, 4) and (m, 4), px.
    tau
        Least overlap of one object.

    Examples
    --------
    >>> zero, box = np.zeros(1, np.int64), np.array([[0.0, 0, 9, 9]])
    >>> outcomes(zero, zero, box, zero, zero + 1, box, tau=0.5).first.tolist()
    [1]
    """
    a, b, overlap = overlapping(group_first, box_first, group_second, box_second, least_iou=tau)
    n, m = len(group_first), len(group_second)
    partner_first, partner_second = np.full(n, -1, np.int64), np.full(m, -1, np.int64)
    shared = np.full(n, np.nan)
    first, second = np.full(n, Outcome.MISSING, np.int8), np.full(m, Outcome.EXTRA, np.int8)
    is_same = class_first[a] == class_second[b]
    for wanted, outcome in ((is_same, Outcome.MATCH), (~is_same, Outcome.LABEL_MISMATCH)):
        rows = np.flatnonzero(wanted & (partner_first[a] < 0) & (partner_second[b] < 0))
        chosen, _ = assign(a[rows], b[rows], overlap[rows], close=0.0)
        at = rows[chosen]
        partner_first[a[at]], partner_second[b[at]] = b[at], a[at]
        shared[a[at]] = overlap[at]
        first[a[at]] = outcome
        second[b[at]] = outcome
    return Outcomes(first, second, partner_first, partner_second, shared)
