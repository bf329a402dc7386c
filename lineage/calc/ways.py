"""The ways in which one definition is read: left out, named otherwise, or drawn to another extent.

Two opinions on a unit agree where they say the same and, both having drawn, drew much
the same. What an annotator makes of the objects that a partner calls c is one of: c to the
same extent, c larger, c smaller, nothing, or another class. The shares of those ways are the
annotator's reading of the definition; people whose readings are alike are a camp.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lineage.calc.comparisons import Pairs, directed

SAME_EXTENT_IOU = 0.8
CAMP_WIDTH = 0.3
"""Readings within a camp differ by no more than this share of the objects."""

LEAST = 20
"""Comparisons that an annotator needs before they stand in a camp."""


@dataclass(frozen=True, slots=True)
class Quarrels:
    """How far opinions on units differ; one row a unit.

    Parameters
    ----------
    n_pairs, n_apart
        ndarrays of float64, shape (n_units,): pairs of opinions on it, and those that differ.
    agreed, disputed
        ndarrays of float64, shape (n_units,): its part of `disputes.FreshTally`, 0 below four opinions.
    """

    n_pairs: np.ndarray
    n_apart: np.ndarray
    agreed: np.ndarray
    disputed: np.ndarray


def is_alike(found: Pairs, overlap: np.ndarray) -> np.ndarray:
    """Tell which pairs of opinions say the same of the same extent.

    Parameters
    ----------
    found
        Pairs.
    overlap
        ndarray of float64, shape (m,): NaN where there are not two places.
    """
    is_same = found.said_first == found.said_second
    return is_same & ~(overlap < SAME_EXTENT_IOU)


def quarrels(
    unit: np.ndarray,
    alike: np.ndarray,
    seats: tuple[np.ndarray, np.ndarray],
    opinion_unit: np.ndarray,
) -> Quarrels:
    """Count, unit by unit, which pairs of opinions differ, and which fresh ones then agree.

    Parameters
    ----------
    unit
        ndarray of int64, shape (m,), ascending: of each pair; 0, 1, 2 ...
    alike
        ndarray of bool, shape (m,): the pair agrees.
    seats
        Two ndarrays of int64, shape (m,): the rows of the pair's opinions.
    opinion_unit
        ndarray of int64, shape (n,): unit of each opinion.

    Notes
    -----
    With e agreeing and d differing pairs on a unit, and a_v and b_v of them at opinion v, pairs of a
    differing and a disjoint agreeing pair number ``d e - sum_v a_v b_v``: the U-statistic of METHODS
    2.2 for any relation of agreement, and the same as there where agreeing is saying the same.
    """
    n_opinions, n_units = len(opinion_unit), int(opinion_unit.max(initial=-1)) + 1
    m = np.bincount(opinion_unit, minlength=n_units).astype(float)
    n_pairs = m * (m - 1) / 2
    apart = np.bincount(unit, ~alike, n_units)
    at_opinion = [
        np.bincount(seats[0], mask, n_opinions) + np.bincount(seats[1], mask, n_opinions)
        for mask in (alike, ~alike)
    ]
    # two who both drew nothing agree, and are no pair
    at_opinion[0] = (m[opinion_unit] - 1) - at_opinion[1]
    touching = np.bincount(opinion_unit, at_opinion[0] * at_opinion[1], n_units)
    has_four = m >= 4
    others = np.where(has_four, (m - 2) * (m - 3) / 2, 1.0)
    scale = np.where(has_four, n_pairs, 1.0)
    agreed = np.where(has_four, (apart * (n_pairs - apart) - touching) / (scale * others), 0.0)
    return Quarrels(n_pairs, apart, agreed, np.where(has_four, apart / scale, 0.0))


def ways(
    found: Pairs, overlap: np.ndarray, area: np.ndarray, n_classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return what each annotator made of what each partner drew.

    Parameters
    ----------
    found
        Pairs.
    overlap
        ndarray of float64, shape (m,).
    area
        ndarray of float64, shape (n_labels,), px^2; NaN for whole-image classes.
    n_classes
        How many classes there are.

    Returns
    -------
    tuple of ndarray of int64, shape (k,)
        Annotator, the partner's class, the partner's label (row), and the way: a class below
        ``n_classes``, ``n_classes`` for nothing, then `n_classes` + 1 larger, + 2 smaller, + 3 alike.
    """
    person, partner, own, row = directed(found)
    label = np.concatenate([found.label_second, found.label_first])
    mine = np.concatenate([found.label_first, found.label_second])
    rows = np.flatnonzero(label >= 0)
    person, partner, own, row, label, mine = (
        part[rows] for part in (person, partner, own, row, label, mine)
    )
    is_same = own == partner
    differs = is_same & (overlap[row] < SAME_EXTENT_IOU)
    larger = differs & (area[mine] > area[label])
    way = np.where(is_same, n_classes + 3, own)
    way = np.where(differs, n_classes + 2, way)
    return person, partner, label, np.where(larger, n_classes + 1, way)


def camps(shares: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Group annotators who read a definition alike.

    Parameters
    ----------
    shares
        ndarray of float64, shape (n_annotators, n_ways): each row adds up to 1.
    n
        ndarray of float64, shape (n_annotators,): comparisons behind each row.

    Returns
    -------
    ndarray of int64, shape (n_annotators,)
        The camp, 0 for the largest; -1 for people with fewer than `LEAST` comparisons.

    Notes
    -----
    Complete linkage, cut where two readings differ by more than `CAMP_WIDTH` in total variation, so
    that no two people of a camp treat more than that share of the objects otherwise. The number of
    camps follows; a camp of one is as good as any, which silhouettes cannot say.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import pdist

    found = np.full(len(n), -1, np.int64)
    known = np.flatnonzero(n >= LEAST)
    if len(known) < 2:
        found[known] = 0
        return found
    distance = pdist(shares[known], "cityblock") / 2
    group = fcluster(linkage(distance, "complete"), CAMP_WIDTH, "distance")
    _, first, code, size = np.unique(
        group, return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(size), np.int64)
    rank[np.lexsort((first, -size))] = np.arange(len(size))
    found[known] = rank[code]
    return found
