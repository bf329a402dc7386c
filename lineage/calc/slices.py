"""Slices of provenance: every value of every attribute, and every pair of values of two.

Counted without ever holding more than a piece of the labels as pairs: changed units are
laid out by class once, and a combination of attributes is then one pass of `numpy.bincount`
per class over narrow codes. What is summed about a slice is what its evidence needs: units,
what was to be expected of them, how widely that scatters, and what was observed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

_PIECE = 1 << 20
_DENSE = 1 << 16
"""Combinations with more words than this are renumbered first, so that a class costs what it holds."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """What is known of every unit's provenance in one respect.

    Parameters
    ----------
    name
        Such as ``annotator``.
    code
        ndarray of integers, shape (n_units,): below ``n_words``; negative where not known, and then
        the unit is in no slice of this attribute.
    n_words
        How many values there are.
    """

    name: str
    code: np.ndarray
    n_words: int


@dataclass(frozen=True, slots=True)
class Slice:
    """Units that share a value of one attribute, or of each of two."""

    attributes: tuple[str, ...]
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Changed units, by class.

    Parameters
    ----------
    row
        ndarray of int64, shape (n,): places among all units; ascending within a class.
    start
        ndarray of int64, shape (n_classes + 1,): where a class begins.
    codes
        ndarrays of int32, by attribute, shape (n,); unknown is the last word.
    n_words
        By attribute, with the word for unknown where one was needed.
    is_partial
        By attribute: whether it has that word.
    names
        Of the attributes.
    """

    row: np.ndarray
    start: np.ndarray
    codes: tuple[np.ndarray, ...]
    n_words: tuple[int, ...]
    is_partial: tuple[bool, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.row)

    @property
    def n_by_class(self) -> np.ndarray:
        """Changed units of each class: ndarray of int64, shape (n_classes,)."""
        return np.diff(self.start)

    @property
    def class_code(self) -> np.ndarray:
        """Class of each changed unit: ndarray of int64, shape (n,)."""
        return np.repeat(np.arange(len(self.start) - 1), self.n_by_class)

    def combinations(self, depth: int) -> list[tuple[int, ...]]:
        """Return attributes by number, alone and in pairs up to ``depth``."""
        every = range(len(self.codes))
        return [at for k in range(1, depth + 1) for at in itertools.combinations(every, k)]

    def size(self, at: tuple[int, ...]) -> int:
        """Return how many slices a combination could have."""
        return int(np.prod([self.n_words[one] for one in at], dtype=object))

    def key(self, at: tuple[int, ...], where: slice | np.ndarray) -> np.ndarray:
        """Return the slice's number of some units."""
        found = self.codes[at[0]][where].astype(np.int64)
        for one in at[1:]:
            found *= self.n_words[one]
            found += self.codes[one][where]
        return found

    def slice_of(self, at: tuple[int, ...], key: int) -> Slice:
        """Return the slice of a number."""
        values = []
        for one in reversed(at):
            key, value = divmod(key, self.n_words[one])
            values.append(value)
        return Slice(tuple(self.names[one] for one in at), tuple(reversed(values)))

    def member(self, at: tuple[int, ...], key: int) -> np.ndarray:
        """Return the places, among changed units, of a slice's.

        Returns
        -------
        ndarray of int64
        """
        is_in = np.ones(len(self), bool)
        for one, value in zip(at, self.slice_of(at, key).values, strict=True):
            is_in &= self.codes[one] == value
        return np.flatnonzero(is_in)

    def without(self, places: np.ndarray) -> Layout:
        """Return the layout less some places."""
        keep = np.ones(len(self), bool)
        keep[places] = False
        kept = np.concatenate([[0], np.cumsum(keep)])[self.start]
        codes = tuple(code[keep] for code in self.codes)
        return Layout(self.row[keep], kept, codes, self.n_words, self.is_partial, self.names)


@dataclass(frozen=True, slots=True)
class Terms:
    """What is expected of a unit of each class, and what was observed of every changed unit.

    Parameters
    ----------
    expected, variance, spread
        ndarrays of float64, shape (n_classes,): mean and variance of one unit without a fault; variance
        of what all units of a class share.
    observed
        ndarray of float64, shape (n,), as the layout has the units.
    is_count
        Whether it is nought or one.
    """

    expected: np.ndarray
    variance: np.ndarray
    spread: np.ndarray
    observed: np.ndarray
    is_count: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """Slices of one combination of attributes with enough changed units, and their sums.

    Parameters
    ----------
    at
        Attributes, by number.
    key
        ndarray of int64, shape (n_slices,): ascending.
    n, expected, variance, shared, observed
        ndarrays of float64, shape (n_slices,): units; sums of their expectations, of their variances, of
        what they share by class (``n^2`` times its spread), and of what was observed.
    """

    at: tuple[int, ...]
    key: np.ndarray
    n: np.ndarray
    expected: np.ndarray
    variance: np.ndarray
    shared: np.ndarray
    observed: np.ndarray


def lay_out(
    is_changed: np.ndarray, class_code: np.ndarray, n_classes: int, attributes: Sequence[Attribute]
) -> Layout:
    """Take the changed units out, by class.

    Parameters
    ----------
    is_changed, class_code
        ndarrays of bool and of integers, shape (n_units,).
    n_classes
        How many classes there are.
    attributes
        Their provenance.
    """
    row = np.flatnonzero(is_changed)
    class_ = class_code[row]
    narrow = class_.astype(np.uint16) if n_classes <= np.iinfo(np.uint16).max else class_
    row = row[np.argsort(narrow, kind="stable")]
    start = np.concatenate([[0], np.cumsum(np.bincount(class_, minlength=n_classes))])
    codes, n_words, is_partial = [], [], []
    for attribute in attributes:
        code = attribute.code[row].astype(np.int32)
        is_unknown = code < 0
        is_partial.append(bool(is_unknown.any()))
        code[is_unknown] = attribute.n_words
        codes.append(code)
        n_words.append(attribute.n_words + is_partial[-1])
    names = tuple(attribute.name for attribute in attributes)
    return Layout(row, start, tuple(codes), tuple(n_words), tuple(is_partial), names)


def tally(layout: Layout, at: tuple[int, ...], terms: Terms, *, least: int) -> Tally:
    """Sum up a combination's slices.

    Parameters
    ----------
    layout
        Changed units.
    at
        Attributes, by number.
    terms
        What is summed.
    least
        Changed units that a slice needs.
    """
    size = layout.size(at)
    known: np.ndarray | None = None
    if size > _DENSE:
        known, n = distinct(layout, at, slice(None))
        known = known[n >= least]
        size = len(known)
    n, expected, variance, shared = np.zeros((4, size))
    for class_, pieces in _pieces(layout):
        units = np.zeros(size, np.int64)
        for piece in pieces:
            units += _count(layout.key(at, piece), known, size)
        n += units
        expected += units * terms.expected[class_]
        variance += units * terms.variance[class_]
        shared += units.astype(float) ** 2 * terms.spread[class_]
    observed = _observed(layout, at, terms, known, size)
    keep = n >= least
    key = np.arange(size) if known is None else known
    keep &= ~_is_unknown(layout, at, key)
    sums = (array[keep] for array in (n, expected, variance, shared, observed))
    return Tally(at, key[keep], *sums)


def distinct(
    layout: Layout, at: tuple[int, ...], where: slice | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return which slices of a combination some units lie in, and how many units each.

    Returns
    -------
    tuple of ndarray of int64
        Numbers of slices, ascending; units.
    """
    size = layout.size(at)
    n_units = len(layout) if isinstance(where, slice) else len(where)
    if size > max(_DENSE, 4 * n_units):
        return np.unique(layout.key(at, where), return_counts=True)
    counts = np.zeros(size, np.int64)
    for start in range(0, n_units, _PIECE):
        part = slice(start, min(start + _PIECE, n_units))
        counts += np.bincount(
            layout.key(at, part if isinstance(where, slice) else where[part]), minlength=size
        )
    key = np.flatnonzero(counts)
    return key, counts[key]


def _is_unknown(layout: Layout, at: tuple[int, ...], key: np.ndarray) -> np.ndarray:
    found = np.zeros(len(key), bool)
    for one in reversed(at):
        key, value = np.divmod(key, layout.n_words[one])
        if layout.is_partial[one]:
            found |= value == layout.n_words[one] - 1
    return found


def _pieces(layout: Layout) -> Iterator[tuple[int, list[slice]]]:
    """Yield each class that has units, and its places in pieces."""
    for class_ in np.flatnonzero(layout.n_by_class):
        low, high = int(layout.start[class_]), int(layout.start[class_ + 1])
        starts = range(low, high, _PIECE)
        yield int(class_), [slice(start, min(start + _PIECE, high)) for start in starts]


def _count(
    key: np.ndarray, known: np.ndarray | None, size: int, weight: np.ndarray | None = None
) -> np.ndarray:
    if known is None:
        return np.bincount(key, weight, size)
    if size == 0:
        return np.zeros(0, np.int64)
    at = np.minimum(np.searchsorted(known, key), size - 1)
    is_kept = known[at] == key
    return np.bincount(at[is_kept], None if weight is None else weight[is_kept], size)


def _observed(
    layout: Layout, at: tuple[int, ...], terms: Terms, known: np.ndarray | None, size: int
) -> np.ndarray:
    found = np.zeros(size)
    if terms.is_count:
        hits = np.flatnonzero(terms.observed)
        for start in range(0, len(hits), _PIECE):
            found += _count(layout.key(at, hits[start : start + _PIECE]), known, size)
        return found
    for start in range(0, len(layout), _PIECE):
        piece = slice(start, min(start + _PIECE, len(layout)))
        found += _count(layout.key(at, piece), known, size, terms.observed[piece])
    return found
