"""What two annotators said of the same object, for every two who were asked.

`said` writes out, for each unit and each annotator on its image's roster, the class
they gave or that they drew nothing; `pairs` sets every two of them side by side.
Detection, confusion, localisation and drift are counts over those pairs; counts of
different parts add up.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from lineage.calc import state
from lineage.calc.coefficients import Tally, cluster_moments
from lineage.calc.geometry import pairs_inside, pairs_within


@dataclass(frozen=True, slots=True)
class Roster:
    """Who was asked to label what, each once; the images that nobody drew on stand here too.

    Parameters
    ----------
    asset
        ndarray of int64, shape (n,), ascending.
    annotator
        ndarray of int, shape (n,): codes.
    """

    asset: np.ndarray
    annotator: np.ndarray


@dataclass(frozen=True, slots=True)
class Said:
    """Opinions written out: one row for every unit and every annotator who was asked.

    Parameters
    ----------
    unit
        ndarray of int64, shape (n,), ascending.
    annotator
        ndarray of int, shape (n,).
    value
        ndarray of int64, shape (n,): class code; ``n_classes`` for "drew nothing".
    label
        ndarray of int64, shape (n,): row of the label behind it, -1 for nothing.
    """

    unit: np.ndarray
    annotator: np.ndarray
    value: np.ndarray
    label: np.ndarray


@dataclass(frozen=True, slots=True)
class Pairs:
    """Two annotators' opinions on one unit side by side; at least one of them drew something.

    Parameters
    ----------
    unit
        ndarray of int64, shape (m,), ascending.
    first, second
        ndarrays of int, shape (m,): annotators, the smaller code first.
    said_first, said_second
        ndarrays of int64, shape (m,): their values, as `Said`.
    label_first, label_second
        ndarrays of int64, shape (m,): rows of their labels, -1 for nothing.
    """

    unit: np.ndarray
    first: np.ndarray
    second: np.ndarray
    said_first: np.ndarray
    said_second: np.ndarray
    label_first: np.ndarray
    label_second: np.ndarray


def said(
    unit: np.ndarray,
    asset: np.ndarray,
    annotator: np.ndarray,
    class_: np.ndarray,
    roster: Roster,
    *,
    n_classes: int,
) -> Said:
    """Write opinions out.

    Parameters
    ----------
    unit
        ndarray of int64, shape (n,): of each label, from `units.Units`.
    asset, annotator, class_
        ndarrays of int, shape (n,): of the labels.
    roster
        Everybody who was asked; an annotator who is not on it does not count.
    n_classes
        The value of "drew nothing".
    """
    n_units = int(unit.max(initial=-1)) + 1
    asset_of = np.zeros(n_units, np.int64)
    asset_of[unit] = asset
    order = np.argsort(asset_of, kind="stable")
    at_unit, at_roster = pairs_within(asset_of[order], roster.asset)
    units, people = order[at_unit], roster.annotator[at_roster]
    rank = np.lexsort((people, units))
    units, people = units[rank], people[rank]
    n_people = int(max(people.max(initial=-1), annotator.max(initial=-1))) + 1
    key = unit * np.int64(n_people) + annotator
    label_order = np.argsort(key, kind="stable")
    wanted = units * np.int64(n_people) + people
    place = np.minimum(np.searchsorted(key[label_order], wanted), max(len(key) - 1, 0))
    if len(key) == 0:
        return Said(units, people, np.full(len(units), n_classes), np.full(len(units), -1))
    label = label_order[place]
    drew = key[label] == wanted
    return Said(units, people, np.where(drew, class_[label], n_classes), np.where(drew, label, -1))


def pairs(found: Said, *, n_classes: int) -> Pairs:
    """Set every two annotators' opinions on a unit side by side, all but nothing and nothing."""
    a, b = pairs_inside(found.unit)
    told = (found.value[a] < n_classes) | (found.value[b] < n_classes)
    a, b = a[told], b[told]
    return Pairs(
        found.unit[a],
        found.annotator[a],
        found.annotator[b],
        found.value[a],
        found.value[b],
        found.label[a],
        found.label[b],
    )


def detection(
    found: Pairs,
    cluster: np.ndarray,
    *,
    n_classes: int,
    slice_: np.ndarray | None = None,
    n_slices: int = 1,
    by_class: bool = True,
) -> Tally:
    """Count mentions and which of them the other annotator bears out, for F1 with its interval.

    Parameters
    ----------
    found
        Pairs.
    cluster
        ndarray of int64, shape (m,): image of each pair.
    n_classes
        How many classes there are.
    slice_
        ndarray of int64, shape (m,): what to tell apart (batch, week, pair of annotators), codes below
        ``n_slices``.
    by_class
        Tell classes apart too.

    Returns
    -------
    Tally
        Over ``n_slices * n_classes`` cells, slice by slice (``n_slices`` where classes are not told
        apart). `coefficients.specific_agreement` of it is F1 (= positive specific agreement), a
        missed object counting against it; `intervals.specific_interval` its interval.
    """
    width = n_classes if by_class else 1
    base = np.zeros(len(found.unit), np.int64) if slice_ is None else slice_ * np.int64(width)
    is_borne_out = found.said_first == found.said_second
    cells, clusters, contradicted = [], [], []
    for value in (found.said_first, found.said_second):
        rows = np.flatnonzero(value < n_classes)
        cells.append(base[rows] + (value[rows] if by_class else 0))
        clusters.append(cluster[rows])
        contradicted.append(~is_borne_out[rows])
    cell, image, wrong = (np.concatenate(part) for part in (cells, clusters, contradicted))
    n = n_slices * width
    mentions = np.bincount(cell, minlength=n).astype(float)
    borne_out = mentions - np.bincount(cell, wrong.astype(float), n)
    n_units = len(state.grouped(found.unit)[0])
    return Tally(
        n_units=n_units,
        n_rated=n_units,
        agreeing=float(is_borne_out.sum()),
        share=mentions,
        mentions=mentions,
        coincidences=borne_out,
        moments=cluster_moments(image, cell, wrong.astype(float), np.ones(len(cell)), n),
    )


def borne_out(found: Pairs, cluster: np.ndarray, value: np.ndarray, n_values: int) -> Tally:
    """Count the first side's mentions alone, and which of them the second bears out.

    Parameters
    ----------
    found
        Pairs; the first of each drew something.
    cluster
        ndarray of int64, shape (m,): image of each pair.
    value
        ndarray of int64, shape (m,): what to tell apart, codes below ``n_values``.

    Returns
    -------
    Tally
        Over ``n_values`` cells, as `detection`.
    """
    wrong = (found.said_first != found.said_second).astype(float)
    mentions = np.bincount(value, minlength=n_values).astype(float)
    n_units = len(np.unique(found.unit))
    return Tally(
        n_units=n_units,
        n_rated=n_units,
        agreeing=float(len(wrong) - wrong.sum()),
        share=mentions,
        mentions=mentions,
        coincidences=mentions - np.bincount(value, wrong, n_values),
        moments=cluster_moments(cluster, value, wrong, np.ones(len(value)), n_values),
    )


@dataclass(frozen=True, slots=True)
class Places:
    """Sums of how well matched labels lie on one another; ``a + b`` is those of both parts.

    Parameters
    ----------
    n, total, n_loose
        ndarrays of float64, shape (n_cells,): pairs of labels, the sum of their overlap, and how many
        overlap by less than 0.75.
    """

    n: np.ndarray
    total: np.ndarray
    n_loose: np.ndarray

    def __add__(self, other: Places) -> Places:
        return Places(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


LOOSE_IOU = 0.75


def places(cell: np.ndarray, overlap: np.ndarray, n_cells: int) -> Places:
    """Sum overlaps of matched pairs by cell.

    Parameters
    ----------
    cell
        ndarray of int64, shape (m,).
    overlap
        ndarray of float64, shape (m,): of the two labels; NaN where one drew nothing or there is no
        place (whole-image classes).
    """
    known = ~np.isnan(overlap)
    cell, overlap = cell[known], overlap[known]
    return Places(
        np.bincount(cell, minlength=n_cells).astype(float),
        np.bincount(cell, overlap, n_cells),
        np.bincount(cell, (overlap < LOOSE_IOU).astype(float), n_cells),
    )


def directed(found: Pairs) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return every pair in both directions: annotator, what the partner said, what they said, row.

    Returns
    -------
    tuple of ndarray of int64, shape (2 m,)
    """
    row = np.arange(len(found.unit))
    return (
        np.concatenate([found.first, found.second]).astype(np.int64),
        np.concatenate([found.said_second, found.said_first]),
        np.concatenate([found.said_first, found.said_second]),
        np.concatenate([row, row]),
    )
