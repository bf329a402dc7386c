"""Weeks with too few comparisons wait for the next: a rate of five opinions says nothing."""

from __future__ import annotations

import numpy as np

LEAST = 30
"""Comparisons with a partner's label of a class, below which an annotator's week waits."""

WAITING = -1


def told_weeks(
    week: np.ndarray, kind: np.ndarray, n: np.ndarray, *, least: int = LEAST
) -> np.ndarray:
    """Return the week by which enough comparisons of a kind had come.

    Parameters
    ----------
    week
        ndarray of int64, shape (m,), not negative: of each count.
    kind
        ndarray of int64, shape (m,): what a week needs enough of.
    n
        ndarray of int64, shape (m,): comparisons.
    least
        How many a week needs.

    Returns
    -------
    ndarray of int64, shape (m,)
        `WAITING` for what still waits after the last week.

    Notes
    -----
    What waits is chosen by how often was compared, never by what was said, so a chart's false alarms
    stay what they are.

    Examples
    --------
    >>> told_weeks(np.array([1, 2, 3]), np.zeros(3, np.int64), np.array([20, 20, 20]))
    array([ 2,  2, -1])
    """
    found = np.full(len(week), WAITING, np.int64)
    waiting = np.zeros(0, np.int64)
    order = np.argsort(week, kind="stable")
    weeks, starts = np.unique(week[order], return_index=True)
    for at, rows in zip(weeks.tolist(), np.split(order, starts)[1:], strict=True):
        waiting = np.concatenate([waiting, rows])
        _, code = np.unique(kind[waiting], return_inverse=True)
        is_enough = np.bincount(code, n[waiting])[code] >= least
        found[waiting[is_enough]] = at
        waiting = waiting[~is_enough]
    return found
