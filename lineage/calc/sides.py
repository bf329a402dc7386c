"""Sides taken in many disputes at once: the tallies of `lineage.calc.disputes`, by dispute.

A dispute is a number; its units are those on which both of its sides were taken.
Sums are sparse, over the annotators who took part, so that hundreds of classes and
people cost what was said and not what could have been.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lineage.calc.disputes import Direction, FreshTally, SideTally, direction
from lineage.calc.geometry import pairs_inside
from lineage.calc.sums import Sums, none, summed


@dataclass(frozen=True, slots=True)
class Sides:
    """Sums behind `Direction`, by dispute; ``a + b`` is those of both parts.

    Parameters
    ----------
    n_people
        Codes of annotators.
    people
        By ``dispute * n_people + annotator``: opinions, sums of standardised sides, of their squares,
        and of (z - p), as `SideTally`.
    shared
        By ``(dispute * n_people + annotator) * n_people + other``: their covariance.
    units
        By dispute: units on which both sides were taken.
    """

    n_people: int
    people: Sums
    shared: Sums
    units: Sums

    def __add__(self, other: Sides) -> Sides:
        return Sides(
            self.n_people,
            self.people + other.people,
            self.shared + other.shared,
            self.units + other.units,
        )

    def n_units(self, dispute: int) -> int:
        """Return how many units are disputed so."""
        return int(self.units.at(np.array([dispute]))[0, 0])

    def direction(self, dispute: int) -> tuple[np.ndarray, Direction]:
        """Return the annotators who took part in a dispute, and whether they take sides by habit."""
        base = dispute * self.n_people
        own = self.people.between(base, base + self.n_people)
        who = own.key - base
        n, u, uu, lean = own.value.T
        of_pair = (own.key[:, None] * self.n_people + who[None, :]).ravel()
        covariance = self.shared.at(of_pair)[:, 0].reshape(len(who), len(who))
        return who, direction(SideTally(n, u, uu, lean, covariance))


def sides(
    dispute: np.ndarray,
    unit: np.ndarray,
    annotator: np.ndarray,
    is_first: np.ndarray,
    n_people: int,
) -> Sides:
    """Sum sides by dispute.

    Parameters
    ----------
    dispute, unit
        ndarrays of int64, shape (n,), not negative: an opinion on a unit counts in each dispute about it.
    annotator
        ndarray of int, shape (n,): codes below ``n_people``; one opinion of each on a dispute's unit.
    is_first
        ndarray of bool, shape (n,): it takes the first of the two sides.
    n_people
        How many annotators there are.
    """
    if len(unit) == 0:
        return Sides(n_people, none(4), none(1), none(1))
    order = np.lexsort((annotator, unit, dispute))
    dispute, unit, annotator = dispute[order], unit[order], annotator[order].astype(np.int64)
    z = is_first[order].astype(float)
    starts = np.ones(len(unit), bool)
    starts[1:] = (dispute[1:] != dispute[:-1]) | (unit[1:] != unit[:-1])
    dense = np.cumsum(starts) - 1
    m = np.bincount(dense).astype(float)
    p = np.bincount(dense, z) / m
    rows = np.flatnonzero((p[dense] > 0) & (p[dense] < 1))
    at, who, z, about = dense[rows], annotator[rows], z[rows], dispute[rows]
    side = (z - p[at]) / np.sqrt(p[at] * (1 - p[at]))
    # of the sides dealt out at random within a unit: variance, and covariance of two of them
    spread = p[at] * (1 - p[at]) * m[at] / (m[at] - 1)
    a, b = pairs_inside(at)
    seat = about * n_people + who
    shared_key = np.concatenate(
        [seat * n_people + who, seat[a] * n_people + who[b], seat[b] * n_people + who[a]]
    )
    across = -spread[a] / m[at[a]]
    shared = np.concatenate([spread * (1 - 1 / m[at]), across, across])
    is_unit = np.ones(len(at), bool)
    is_unit[1:] = at[1:] != at[:-1]
    columns = np.stack([np.ones(len(z)), side, side * side, z - p[at]], axis=1)
    return Sides(
        n_people,
        summed(seat, columns),
        summed(shared_key, shared[:, None]),
        summed(about[is_unit], np.ones((int(is_unit.sum()), 1))),
    )


def fresh_sums(dispute: np.ndarray, agreed: np.ndarray, disputed: np.ndarray) -> Sums:
    """Sum units' parts of `FreshTally` by dispute.

    Parameters
    ----------
    dispute
        ndarray of int64, shape (n,).
    agreed, disputed
        ndarrays of float64, shape (n,): see `disputes.fresh_tally`.
    """
    return summed(dispute, np.stack([agreed, disputed, disputed**2], axis=1))


def fresh_of(sums: Sums, dispute: int) -> FreshTally:
    """Return one dispute's tally."""
    return FreshTally(*sums.at(np.array([dispute]))[0].tolist())
