"""Suspects from gold that has no provenance: by way of what labels and gold objects resemble.

A gold object was labelled by nobody of the suspects, but it lies in a *cell*, a class in
a context (site, camera, cluster of an embedding), as every training label does. A slice
whose changed labels fill some cells and not others is suspected when just those cells
lost. Much else differs between cells, so the evidence is weak whatever its size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lineage.calc.slices import Attribute, Layout, Slice, distinct, lay_out
from lineage.calc.verdicts import DEPTH_PRICE

LEAST = 50
_LEAST_GOLD = 3
_OWN = 0.5
_BLOCK = 1 << 22
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Cells:
    """Where labels and gold objects lie.

    Parameters
    ----------
    of_label
        ndarray of integers, shape (n_units,): cell of every label of the bad version.
    of_gold
        ndarray of integers, shape (n_gold,).
    outcome
        ndarray of float64, shape (n_gold,): error of the bad run less that of the good one.
    class_code
        ndarray of integers, shape (n_cells,): class of every cell.
    """

    of_label: np.ndarray
    of_gold: np.ndarray
    outcome: np.ndarray
    class_code: np.ndarray


@dataclass(frozen=True, slots=True)
class BridgeSuspect:
    """A slice, how well its changed labels lie where gold lost, and that this is weak evidence.

    Parameters
    ----------
    slice
        Attributes and values.
    n_changed
        Its changed labels.
    gain
        Logarithm of the likelihood ratio, less the price of having looked at so many slices.
    pull
        How much the loss of a cell grows with the share of its labels that the slice changed.
    is_weak
        True, always: a slice is known here by its cells only.
    """

    slice: Slice
    n_changed: int
    gain: float
    pull: float
    is_weak: bool = True


def bridge_rank(
    cells: Cells,
    is_changed: np.ndarray,
    attributes: Sequence[Attribute],
    *,
    depth: Literal[1, 2] = 2,
    least: int = LEAST,
    n_first: int = 10,
) -> tuple[BridgeSuspect, ...]:
    """Rank slices of changed labels by how their shares of cells go with what the cells lost.

    Parameters
    ----------
    cells
        Labels, gold objects, and what these lost.
    is_changed
        ndarray of bool, shape (n_units,).
    attributes
        Provenance of labels.
    depth
        Attributes of a slice at most.
    least
        Changed labels that a slice needs.
    n_first
        How many to return.

    Notes
    -----
    A cell's mean loss is regressed on a slice's share of its labels (half of it that of the cell's whole
    class: what a model learns wrongly of a class, it learns everywhere), beside a constant and the share of
    all changed labels; cells scatter by luck, by themselves and with their class, each with a variance by
    moments. ``gain = sign(t) t^2 / 2 - ln(slices of the combination) - ln{1, 2.5}[attributes]``.
    """
    n_cells = len(cells.class_code)
    if not np.isfinite(cells.outcome).all():
        raise ValueError("outcomes must be finite; leave the other gold objects out")
    held = np.bincount(cells.of_label, minlength=n_cells).astype(float)
    n_gold = np.bincount(cells.of_gold, minlength=n_cells)
    used = np.flatnonzero((held > 0) & (n_gold >= _LEAST_GOLD))
    layout = lay_out(is_changed, cells.of_label, n_cells, attributes)
    if len(used) < _LEAST_GOLD or len(layout) == 0:
        return ()
    mean = np.bincount(cells.of_gold, cells.outcome, n_cells)[used] / n_gold[used]
    shares = _Shares(cells.class_code, held, used)
    everything = shares(layout.n_by_class[None].astype(float))[0]
    plain = np.stack([np.ones(len(used)), everything], axis=1)
    root = _whitener(mean, plain, float(cells.outcome.var()) / n_gold[used], cells.class_code[used])
    base = np.linalg.qr(root @ plain)[0]
    left = root @ mean
    left = left - base @ (base.T @ left)
    found = []
    for at in layout.combinations(depth):
        key, n = distinct(layout, at, slice(None))
        key, n = key[n >= least], n[n >= least]
        if len(key) == 0:
            continue
        price = math.log(len(key)) + math.log(DEPTH_PRICE[len(at)])
        for keys, counts in _blocks(layout, at, key, n_cells):
            x = shares(counts) @ root.T
            x -= (x @ base) @ base.T
            power = (x**2).sum(axis=1)
            is_told = power > _TINY
            t = np.zeros(len(keys))
            t[is_told] = (x @ left)[is_told] / np.sqrt(power[is_told])
            gain = np.sign(t) * t**2 / 2 - price
            for one in np.argsort(-gain, kind="stable")[:n_first]:
                pull = float(t[one] / math.sqrt(power[one])) if is_told[one] else math.nan
                found.append(
                    BridgeSuspect(
                        layout.slice_of(at, int(keys[one])),
                        int(counts[one].sum()),
                        float(gain[one]),
                        pull,
                    )
                )
    return tuple(sorted(found, key=lambda one: -one.gain)[:n_first])


@dataclass(frozen=True, slots=True)
class _Shares:
    """Turns labels by cell into shares of the cells that are used, half of them of their classes."""

    class_code: np.ndarray
    held: np.ndarray
    used: np.ndarray

    def __call__(self, counts: np.ndarray) -> np.ndarray:
        order = np.argsort(self.class_code, kind="stable")
        starts = np.flatnonzero(np.diff(self.class_code[order], prepend=-1))
        of_class = np.cumsum(np.diff(self.class_code[order], prepend=-1) > 0) - 1
        place = np.empty(len(order), np.int64)
        place[order] = of_class
        classes = np.add.reduceat(counts[:, order], starts, axis=1)
        held = np.add.reduceat(self.held[order], starts)
        own = counts[:, self.used] / self.held[self.used]
        whole = (classes / np.maximum(held, 1))[:, place[self.used]]
        found: np.ndarray = _OWN * own + (1 - _OWN) * whole
        return found


def _whitener(
    mean: np.ndarray, plain: np.ndarray, luck: np.ndarray, class_code: np.ndarray
) -> np.ndarray:
    """Return the matrix that makes cells' losses independent and of variance one.

    Variances of a cell's own and of a class' effect are by moments of what the plain regression leaves.
    """
    weight = 1 / np.maximum(luck, _TINY)
    scaled = plain * np.sqrt(weight)[:, None]
    fit = np.linalg.lstsq(scaled, mean * np.sqrt(weight), rcond=None)[0]
    left = mean - plain @ fit
    n = np.bincount(class_code, weight)
    drift = np.divide(np.bincount(class_code, weight * left), n, out=np.zeros(len(n)), where=n > 0)
    within = left - drift[class_code]
    free = max(len(mean) - int((n > 0).sum()), 1)
    own = max(0.0, float((weight * within**2).sum()) / free - 1) * len(mean) / float(weight.sum())
    lucky = 1 / np.maximum(np.bincount(class_code, 1 / (luck + own + _TINY)), _TINY)
    is_class = n > 0
    shared = max(0.0, float(np.mean(drift[is_class] ** 2 - lucky[is_class])))
    whole = np.diag(luck + own + _TINY) + shared * (class_code[:, None] == class_code)
    found: np.ndarray = np.linalg.inv(np.linalg.cholesky(whole))
    return found


def _blocks(
    layout: Layout, at: tuple[int, ...], key: np.ndarray, n_cells: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return slices in blocks, with the changed labels of each by cell."""
    found = []
    step = max(1, _BLOCK // n_cells)
    keys, cell = layout.key(at, slice(None)), layout.class_code
    slot = np.minimum(np.searchsorted(key, keys), len(key) - 1)
    is_held = key[slot] == keys
    slot, cell = slot[is_held], cell[is_held]
    for low in range(0, len(key), step):
        part = key[low : low + step]
        is_in = (slot >= low) & (slot < low + len(part))
        pair = (slot[is_in] - low) * n_cells + cell[is_in]
        counts = np.bincount(pair, minlength=len(part) * n_cells)
        found.append((part, counts.reshape(len(part), n_cells).astype(float)))
    return found
