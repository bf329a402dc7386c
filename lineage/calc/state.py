"""What holds, given a history: which revisions are live, and in which stage they stand.

Revision numbers are handed out 1, 2, 3 ... without gaps, so "superseded" is one
scatter into an array of flags; no sort and no join.
"""

from __future__ import annotations

import numpy as np


def live(revision: np.ndarray, supersedes: np.ndarray, is_retract: np.ndarray) -> np.ndarray:
    """Tell which revisions nobody supersedes and that do not retract.

    Parameters
    ----------
    revision
        ndarray of int64, shape (n,), ascending: numbers of the revisions known so far.
    supersedes
        ndarray of int64, shape (n,): number of the revision each one replaces, 0 for none.
    is_retract
        ndarray of bool, shape (n,).

    Returns
    -------
    ndarray of bool, shape (n,)

    Examples
    --------
    >>> live(np.array([1, 2, 3]), np.array([0, 0, 1]), np.array([False, False, False]))
    array([False,  True,  True])
    """
    if len(revision) == 0:
        return np.zeros(0, bool)
    alive = np.zeros(int(revision[-1]) + 1, bool)
    alive[revision] = ~is_retract
    replaced = supersedes[supersedes > 0]
    alive[replaced[replaced < len(alive)]] = False
    return alive[revision]


def current_stage(
    revision: np.ndarray,
    entry_stage: np.ndarray,
    event_revision: np.ndarray,
    event_stage: np.ndarray,
) -> np.ndarray:
    """Return the stage in which each revision stands: its newest event's, or the one it came in with.

    Parameters
    ----------
    revision
        ndarray of int64, shape (n,), ascending.
    entry_stage
        ndarray of int, shape (n,): codes.
    event_revision, event_stage
        ndarrays of shape (m,), oldest event first; events of revisions not asked for are passed over.

    Returns
    -------
    ndarray, shape (n,)
    """
    stage = entry_stage.copy()
    if len(revision) == 0 or len(event_revision) == 0:
        return stage
    at = np.searchsorted(revision, event_revision)
    at = np.minimum(at, len(revision) - 1)
    known = revision[at] == event_revision
    # of repeated indices, NumPy keeps the last assignment: the newest event
    stage[at[known]] = event_stage[known]
    return stage
