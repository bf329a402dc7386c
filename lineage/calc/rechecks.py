"""From suspicion to proof: whom to show a suspected slice's labels beside, and what their answers prove.

A ranking picks the slice that looks worst, so the outcomes that raised it cannot also
confirm it. Some of its labels are checked again, blind, mixed among others of the same
classes; only what the checkers say of the two counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

N_SUSPECTS, N_CONTROLS = 40, 100


@dataclass(frozen=True, slots=True)
class Recheck:
    """Units to be checked again.

    Parameters
    ----------
    suspects, controls
        ndarrays of int64: units, ascending; shuffle them together before anybody sees them.
    n_unchanged
        Controls that are unchanged units, because too few others of their class were changed.
    n_unmatched
        Suspects' share of controls, by class, that could not be filled at all.
    """

    suspects: np.ndarray
    controls: np.ndarray
    n_unchanged: int
    n_unmatched: int


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a blind re-check says of a suspected slice.

    Parameters
    ----------
    suspect_fraction, control_fraction
        Wrong among its labels, and among the controls; NaN of none.
    p_value
        One-sided: how probable so many of the wrong ones would lie in the slice if it were like the rest.
    """

    suspect_fraction: float
    control_fraction: float
    p_value: float


def matched_controls(
    rng: np.random.Generator,
    is_suspect: np.ndarray,
    *,
    is_changed: np.ndarray,
    class_code: np.ndarray,
    is_excluded: np.ndarray | None = None,
    n_suspects: int = N_SUSPECTS,
    n_controls: int = N_CONTROLS,
) -> Recheck:
    """Draw labels of a suspected slice, and others of the same classes.

    Parameters
    ----------
    rng
        Source of chance.
    is_suspect, is_changed
        ndarrays of bool, shape (n_units,): the slice; what changed between the versions. Only what is both
        is suspected.
    class_code
        ndarray of integers, shape (n_units,).
    is_excluded
        ndarray of bool, shape (n_units,): no controls, such as other suspects' units and aliases'.
    n_suspects, n_controls
        How many of each at most.

    Returns
    -------
    Recheck

    Notes
    -----
    Controls come from labels that changed elsewhere, which differ from the suspects by the slice only;
    from unchanged ones where those do not suffice. Classes are shared out by largest remainders.
    """
    pool = np.flatnonzero(is_suspect & is_changed)
    suspects = np.sort(rng.choice(pool, min(n_suspects, len(pool)), replace=False))
    is_open = ~is_suspect if is_excluded is None else ~is_suspect & ~is_excluded
    wanted = _shared_out(n_controls, np.bincount(class_code[suspects]))
    parts, n_unchanged, n_unmatched = [], 0, 0
    for class_ in np.flatnonzero(wanted):
        is_kin = is_open & (class_code == class_)
        n = int(wanted[class_])
        for is_wanted in (is_changed, ~is_changed):
            kin = np.flatnonzero(is_kin & is_wanted)
            drawn = rng.choice(kin, min(n, len(kin)), replace=False)
            parts.append(drawn)
            n -= len(drawn)
            n_unchanged += int((~is_changed[drawn]).sum())
        n_unmatched += n
    controls = np.sort(np.concatenate([np.zeros(0, np.int64), *parts]))
    return Recheck(suspects, controls, n_unchanged, n_unmatched)


def confirm(
    n_wrong_suspects: int, n_suspects: int, n_wrong_controls: int, n_controls: int
) -> Confirmation:
    """Hold what checkers found in a slice against what they found beside it: Fisher's exact test.

    Examples
    --------
    The lady who tasted tea, with three cups of four right:

    >>> round(confirm(3, 4, 1, 4).p_value, 4)
    0.2429

    References
    ----------
    Fisher, The Design of Experiments, 1935, chapter 2.
    """
    if not (0 <= n_wrong_suspects <= n_suspects and 0 <= n_wrong_controls <= n_controls):
        raise ValueError("wrong labels are a part of those checked")
    from scipy.stats import hypergeom

    wrong = n_wrong_suspects + n_wrong_controls
    law = hypergeom(n_suspects + n_controls, wrong, n_suspects)
    return Confirmation(
        n_wrong_suspects / n_suspects if n_suspects else float("nan"),
        n_wrong_controls / n_controls if n_controls else float("nan"),
        min(1.0, float(law.sf(n_wrong_suspects - 1))),
    )


def _shared_out(n: int, weight: np.ndarray) -> np.ndarray:
    """Return whole shares of ``n`` in proportion to weights, by largest remainders."""
    total = weight.sum()
    if total == 0:
        return np.zeros(len(weight), np.int64)
    exact = n * weight / total
    share = np.floor(exact).astype(np.int64)
    left = n - int(share.sum())
    share[np.argsort(share - exact, kind="stable")[:left]] += 1
    return share
