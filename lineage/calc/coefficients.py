"""Chance-corrected agreement on nominal opinions, from statistics that add up.

`tally` turns long tables of (unit, class) into a `Tally`; tallies of different
partitions are added; coefficients and intervals are read off the sum. No table
of units by classes is ever made, so twenty million opinions cost their sorting.

Notation as in the literature: r_u opinions on unit u, n_uk of them for class k;
only units with r_u >= 2 say anything about agreement. o_kk is Krippendorff's
coincidence of k with itself, the sum over units of n_uk (n_uk - 1) / (r_u - 1).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from lineage.calc import state


@dataclass(frozen=True, slots=True)
class Tally:
    """What a set of opinions adds up to; ``a + b`` is the tally of both sets.

    Parameters
    ----------
    n_units
        Units with two opinions or more.
    n_rated
        Units with one opinion or more.
    agreeing
        Sum over units of the share of their pairs that agree.
    share
        ndarray of float64, shape (n_classes,): sum over rated units of n_uk / r_u.
    mentions
        ndarray of float64, shape (n_classes,): opinions for each class on units with two or more.
    coincidences
        ndarray of float64, shape (n_classes,): o_kk.
    moments
        ndarray of float64, shape (n_classes, 6): sums over clusters (images) of the products of
        contradicted mentions d, mentions of the class k and all mentions n: dd, dk, dn, kk, kn, nn.
    """

    n_units: int
    n_rated: int
    agreeing: float
    share: np.ndarray
    mentions: np.ndarray
    coincidences: np.ndarray
    moments: np.ndarray

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def tally(
    unit: np.ndarray, class_: np.ndarray, n_classes: int, *, cluster: np.ndarray | None = None
) -> Tally:
    """Count opinions.

    Parameters
    ----------
    unit
        ndarray of int64, shape (n,): what each opinion is about; not negative.
    class_
        ndarray of int, shape (n,): codes below ``n_classes``.
    n_classes
        How many classes there are.
    cluster
        ndarray of int64, shape (n,): image of each opinion, for intervals; units stand for
        themselves if it is left out. All opinions of a cluster must be in one call.

    Examples
    --------
    >>> alpha(tally(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), 2))
    1.0
    """
    if len(unit) == 0:
        zeros = np.zeros(n_classes)
        return Tally(0, 0, 0.0, zeros, zeros, zeros, np.zeros((n_classes, 6)))
    units, dense = np.unique(unit, return_inverse=True)
    r = np.bincount(dense).astype(float)
    cells, n_uk = np.unique(dense * np.int64(n_classes) + class_, return_counts=True)
    at, k, n = cells // n_classes, cells % n_classes, n_uk.astype(float)
    others = np.maximum(r[at] - 1, 1)
    is_shared = r[at] >= 2
    own = np.where(is_shared, n * (n - 1) / others, 0.0)
    mentioned = np.where(is_shared, n, 0.0)
    of_unit = np.zeros(len(units), np.int64)
    of_unit[dense] = dense if cluster is None else cluster
    return Tally(
        n_units=int((r >= 2).sum()),
        n_rated=len(units),
        agreeing=float((own / r[at]).sum()),
        share=np.bincount(k, n / r[at], n_classes),
        mentions=np.bincount(k, mentioned, n_classes),
        coincidences=np.bincount(k, own, n_classes),
        moments=cluster_moments(of_unit[at], k, mentioned - own, mentioned, n_classes),
    )


def cluster_moments(
    cluster: np.ndarray, k: np.ndarray, contradicted: np.ndarray, mentioned: np.ndarray, n: int
) -> np.ndarray:
    """Return the moments of a `Tally` from counts by cluster and class.

    Parameters
    ----------
    cluster, k
        ndarrays of int64, shape (m,): image and class of each count; both may repeat.
    contradicted, mentioned
        ndarrays of float64, shape (m,).
    n
        How many classes there are.
    """
    _, dense = state.grouped(cluster)
    total = np.bincount(dense, mentioned)
    cells, code = state.grouped(dense * np.int64(n) + k)
    d, m = np.bincount(code, contradicted), np.bincount(code, mentioned)
    at, of = cells // n, cells % n
    products = (d * d, d * m, d * total[at], m * m, m * total[at])
    found = np.zeros((n, 6))
    for column, product in enumerate(products):
        found[:, column] = np.bincount(of, product, n)
    # clusters without a mention of k still carry their own mentions
    found[:, -1] = float((total * total).sum())
    return found


def observed(t: Tally) -> float:
    """Return the observed agreement: the mean over units of the share of pairs that agree."""
    return t.agreeing / t.n_units if t.n_units else float("nan")


def alpha(t: Tally) -> float:
    """Return Krippendorff's alpha for nominal opinions, missing ones allowed.

    Notes
    -----
    ``1 - (n - sum o_kk)(n - 1) / (n^2 - sum n_k^2)``. NaN where all opinions are for one class:
    then nothing could have been disagreed upon.

    References
    ----------
    Krippendorff, "Computing Krippendorff's alpha-reliability", 2011.
    """
    n = t.mentions.sum()
    chance = n * n - (t.mentions**2).sum()
    if n < 2 or chance == 0:
        return float("nan")
    return float(1 - (n - t.coincidences.sum()) * (n - 1) / chance)


def alpha_by_class(t: Tally) -> np.ndarray:
    """Return, per class, alpha of that class against the rest.

    Returns
    -------
    ndarray of float64, shape (n_classes,)
        ``1 - D_k (n - 1) / (n_k (n - n_k))``, with D_k the mentions of k that their unit
        contradicts; NaN where a class is never or always mentioned.
    """
    n, k = t.mentions.sum(), t.mentions
    with np.errstate(divide="ignore", invalid="ignore"):
        found = 1 - (k - t.coincidences) * (n - 1) / (k * (n - k))
    return np.where((k > 0) & (k < n), found, np.nan)


def specific_agreement(t: Tally) -> np.ndarray:
    """Return, per class, positive specific agreement: the share of its mentions that are borne out.

    For two annotators this is their F1 on the class.

    Returns
    -------
    ndarray of float64, shape (n_classes,)
        NaN where a class is never mentioned.

    References
    ----------
    Hripcsak and Rothschild, JAMIA 12(3), 2005, doi:10.1197/jamia.M1733.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(t.mentions > 0, t.coincidences / t.mentions, np.nan)


def ac1(t: Tally) -> float:
    """Return Gwet's AC1: a companion to alpha over all classes, blind to a rare one.

    References
    ----------
    Gwet, "Handbook of Inter-Rater Reliability", 4th ed., 2014.
    """
    share = t.share / max(t.n_rated, 1)
    return _corrected(t, float((share * (1 - share)).sum() / max(len(share) - 1, 1)))


def fleiss(t: Tally) -> float:
    """Return Fleiss' kappa in Gwet's form, which allows missing opinions."""
    share = t.share / max(t.n_rated, 1)
    return _corrected(t, float((share**2).sum()))


def brennan_prediger(t: Tally) -> float:
    """Return the Brennan-Prediger coefficient: chance is a class drawn evenly."""
    return _corrected(t, 1 / max(len(t.share), 1))


def _corrected(t: Tally, chance: float) -> float:
    seen = observed(t)
    return (seen - chance) / (1 - chance) if chance < 1 else float("nan")


def conger(unit: np.ndarray, annotator: np.ndarray, class_: np.ndarray, n_classes: int) -> float:
    """Return Conger's kappa: chance from each annotator's own shares.

    Parameters
    ----------
    unit, annotator, class_
        ndarrays of int64, shape (n,): codes; an annotator has one opinion on a unit.

    References
    ----------
    Conger, Psychological Bulletin 88(2), 1980, doi:10.1037/0033-2909.88.2.322; with missing
    opinions as in Gwet 2014.
    """
    n_people = int(annotator.max()) + 1
    cells = np.bincount(annotator * np.int64(n_classes) + class_, minlength=n_people * n_classes)
    table = cells.reshape(n_people, n_classes).astype(float)
    table = table[table.sum(axis=1) > 0]
    share = table / table.sum(axis=1, keepdims=True)
    spread = share.var(axis=0, ddof=1) if len(share) > 1 else np.zeros(n_classes)
    chance = float((share.mean(axis=0) ** 2 - spread / len(share)).sum())
    return _corrected(tally(unit, class_, n_classes), chance)


def kappa(confusion: np.ndarray) -> float:
    """Return Cohen's kappa of two annotators.

    Parameters
    ----------
    confusion
        ndarray, shape (n_classes, n_classes): units by the one's class and the other's.

    Examples
    --------
    Feinstein and Cicchetti's two tables: 85 % agree in both.

    >>> round(kappa(np.array([[40, 9], [6, 45]])), 3), round(kappa(np.array([[80, 10], [5, 5]])), 3)
    (0.7, 0.318)
    """
    n = confusion.sum()
    if n == 0:
        return float("nan")
    seen = np.trace(confusion) / n
    chance = float((confusion.sum(axis=0) * confusion.sum(axis=1)).sum() / n**2)
    return float((seen - chance) / (1 - chance)) if chance < 1 else float("nan")


def ac1_error(unit: np.ndarray, class_: np.ndarray, n_classes: int) -> float:
    """Return the standard error of AC1 over units, linearised (Gwet 2014).

    Parameters
    ----------
    unit, class_
        ndarrays of int64, shape (n,).
    """
    t = tally(unit, class_, n_classes)
    units, dense = np.unique(unit, return_inverse=True)
    n = len(units)
    r = np.bincount(dense).astype(float)
    counts = np.bincount(dense * np.int64(n_classes) + class_, minlength=n * n_classes)
    table = counts.reshape(n, n_classes).astype(float)
    is_shared = r >= 2
    pairs = np.where(is_shared, r * (r - 1), 1)
    agreed = np.where(is_shared, (table * (table - 1)).sum(axis=1) / pairs, 0.0)
    share = t.share / n
    chance = float((share * (1 - share)).sum() / (n_classes - 1))
    value = ac1(t)
    own = (n / is_shared.sum()) * (agreed - chance * is_shared) / (1 - chance)
    tilt = table @ (1 - share) / r / (n_classes - 1)
    linear = own - 2 * (1 - value) * (tilt - chance) / (1 - chance)
    return float(np.sqrt(((linear - value) ** 2).sum() / (n * (n - 1))))
