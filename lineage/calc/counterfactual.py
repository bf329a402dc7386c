"""Which revisions would be live had some labels never been."""

from __future__ import annotations

import numpy as np


def live_without(
    annotation: np.ndarray,
    is_retract: np.ndarray,
    is_live: np.ndarray,
    is_match: np.ndarray,
    *,
    is_reverted: bool,
) -> np.ndarray:
    """Tell which revisions stand once the live ones that match are taken away.

    Parameters
    ----------
    annotation
        ndarray of int64, shape (n,): of each revision, oldest first.
    is_retract, is_live, is_match
        ndarrays of bool, shape (n,).
    is_reverted
        Where a live revision goes, the newest earlier one of its annotation that does not match stands
        in its place, unless it took the annotation back.

    Returns
    -------
    ndarray of bool, shape (n,)

    Notes
    -----
    What was retracted stays retracted: a retraction is no label, and says not who asked for it.

    Examples
    --------
    >>> number, no = np.array([1, 1, 2]), np.zeros(3, bool)
    >>> live, match = np.array([False, True, True]), np.array([False, True, True])
    >>> live_without(number, no, live, match, is_reverted=False)
    array([False, False, False])
    >>> live_without(number, no, live, match, is_reverted=True)
    array([ True, False, False])
    """
    stands = is_live & ~is_match
    gone = np.flatnonzero(is_live & is_match)
    if not is_reverted or len(gone) == 0:
        return stands
    n = int(annotation.max()) + 1
    is_touched = np.zeros(n, bool)
    is_touched[annotation[gone]] = True
    # a live revision is the newest of its annotation: all others of it are earlier
    earlier = np.flatnonzero(is_touched[annotation] & ~is_match)
    last = np.full(n, -1, np.int64)
    # of repeated indices, NumPy keeps the last assignment: the newest revision
    last[annotation[earlier]] = earlier
    rows = last[last >= 0]
    stands[rows[~is_retract[rows]]] = True
    return stands
