"""What holds, given a history: which revisions are live, and in which stage they stand.

Revision numbers are handed out 1, 2, 3 ... without gaps, so "superseded" is one
scatter into an array of flags; no sort and no join.
"""

from __future__ import annotations

import numpy as np

_LARGEST = 2**62
_DENSE = 16


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


def composed(*keys: np.ndarray) -> np.ndarray:
    """Return one integer a row that is equal where all keys are.

    Parameters
    ----------
    *keys
        ndarrays of int, shape (n,).

    Returns
    -------
    ndarray of int64, shape (n,)

    Notes
    -----
    Numbers hold within one call only: rows to be compared have to be composed together.

    Examples
    --------
    >>> composed(np.array([7, 7, 9]), np.array([-1, 0, 0]))
    array([0, 1, 5])
    """
    total = np.zeros(len(keys[0]), np.int64)
    n_values = 1
    for key in keys:
        one, width = _from_zero(key)
        if n_values * width > _LARGEST:
            # what no longer fits is numbered anew: both factors are then below the number of rows
            total, n_values = _numbered(total)
            one, width = _numbered(one)
        total = total * width + one
        n_values *= width
    return total


def newest(*keys: np.ndarray) -> np.ndarray:
    """Return which rows hold where later ones replace earlier ones of the same key.

    Parameters
    ----------
    *keys
        ndarrays of int, shape (n,), oldest row first.

    Returns
    -------
    ndarray of int64
        Positions of the last row of each distinct key, ascending.

    Examples
    --------
    >>> newest(np.array([1, 2, 1]), np.array([5, 5, 5]))
    array([1, 2])
    """
    key = composed(*keys)
    if _is_dense(key):
        last = _last_rows(key, int(key.max()) + 1)
        return np.sort(last[last >= 0])
    order = np.argsort(key, kind="stable")
    ends = np.flatnonzero(np.diff(key[order], append=-1))
    return np.sort(order[ends])


def grouped(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different values, ascending, and which of them each one is.

    Parameters
    ----------
    values
        ndarray of int, shape (n,).

    Returns
    -------
    tuple of ndarray of int64
        Shapes (m,) and (n,): as ``np.unique(values, return_inverse=True)``, without a sort where the
        values lie close together.

    Examples
    --------
    >>> grouped(np.array([7, 5, 7]))
    (array([5, 7]), array([1, 0, 1]))
    """
    if len(values) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    low = int(values.min())
    width = int(values.max()) - low + 1
    if width > _DENSE * len(values):
        found, code = np.unique(values, return_inverse=True)
        return found.astype(np.int64), code
    is_there = np.zeros(width, bool)
    is_there[values - low] = True
    number = np.cumsum(is_there) - 1
    return np.flatnonzero(is_there) + low, number[values - low]


def row_of(known: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Return where each asked key stands among the known ones.

    Parameters
    ----------
    known, asked
        ndarrays of int64, shapes (n,) and (m,), composed together.

    Returns
    -------
    ndarray of int64, shape (m,)
        Position in ``known``, the last where it recurs, -1 where it is not.
    """
    if len(known) == 0 or len(asked) == 0:
        return np.full(len(asked), -1, np.int64)
    if _is_dense(known) and _is_dense(asked):
        last = _last_rows(known, int(max(known.max(), asked.max())) + 1)
        return last[asked]
    order = np.argsort(known, kind="stable")
    # one to the right of the last equal key
    at = np.maximum(np.searchsorted(known[order], asked, side="right") - 1, 0)
    found = order[at]
    return np.where(known[found] == asked, found, -1)


def _is_dense(key: np.ndarray) -> bool:
    """Tell whether a table of every possible key is cheaper than a sort."""
    return len(key) > 0 and int(key.max()) <= _DENSE * len(key)


def _last_rows(key: np.ndarray, width: int) -> np.ndarray:
    last = np.full(width, -1, np.int64)
    # of repeated indices, NumPy keeps the last assignment: the newest row
    last[key] = np.arange(len(key))
    return last


def _from_zero(key: np.ndarray) -> tuple[np.ndarray, int]:
    if len(key) == 0:
        return key.astype(np.int64), 1
    low, high = int(key.min()), int(key.max())
    if high - low > _LARGEST:
        return _numbered(key)
    return key.astype(np.int64) - low, high - low + 1


def _numbered(key: np.ndarray) -> tuple[np.ndarray, int]:
    values, number = np.unique(key, return_inverse=True)
    return number.astype(np.int64), max(len(values), 1)
