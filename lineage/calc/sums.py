"""Sums by key, sparse and mergeable: what statistics of many slices are kept in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lineage.calc import state


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums by key; ``a + b`` is those of both parts.

    Parameters
    ----------
    key
        ndarray of int64, shape (n,), ascending, each once.
    value
        ndarray of float64, shape (n, n_columns).
    """

    key: np.ndarray
    value: np.ndarray

    def __add__(self, other: Sums) -> Sums:
        return summed(
            np.concatenate([self.key, other.key]), np.concatenate([self.value, other.value])
        )

    def at(self, key: np.ndarray) -> np.ndarray:
        """Return the sums of keys, 0 for those that are not there.

        Parameters
        ----------
        key
            ndarray of int64, shape (m,).

        Returns
        -------
        ndarray of float64, shape (m, n_columns)
        """
        found = np.zeros((len(key), self.value.shape[1]))
        if len(self.key):
            place = np.minimum(np.searchsorted(self.key, key), len(self.key) - 1)
            known = self.key[place] == key
            found[known] = self.value[place[known]]
        return found

    def between(self, low: int, high: int) -> Sums:
        """Return the sums of the keys from ``low`` up to, without, ``high``."""
        rows = slice(*np.searchsorted(self.key, [low, high]))
        return Sums(self.key[rows], self.value[rows])


def summed(key: np.ndarray, value: np.ndarray) -> Sums:
    """Add rows up by key.

    Parameters
    ----------
    key
        ndarray of int64, shape (n,), in any order.
    value
        ndarray of float64, shape (n, n_columns).

    Examples
    --------
    >>> found = summed(np.array([5, 3, 5]), np.array([[1.0], [2.0], [3.0]]))
    >>> found.key.tolist(), found.value.ravel().tolist()
    ([3, 5], [2.0, 4.0])
    """
    keys, code = state.grouped(key)
    columns = [np.bincount(code, column, len(keys)) for column in value.T]
    return Sums(keys, np.stack(columns, axis=1) if len(columns) else np.zeros((len(keys), 0)))


def none(n_columns: int) -> Sums:
    """Return sums of nothing."""
    return Sums(np.zeros(0, np.int64), np.zeros((0, n_columns)))
