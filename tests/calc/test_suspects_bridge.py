"""Suspects by way of cells: found where the evidence is plain, and always called weak."""

from __future__ import annotations

import numpy as np
import pytest

from lineage.calc.bridge import Cells, bridge_rank
from lineage.calc.slices import Attribute

N_CLASSES, N_CONTEXTS = 6, 8
CLASS_OF_CELL = np.repeat(np.arange(N_CLASSES), N_CONTEXTS)


def scene(
    seed: int, pull: float, n: int = 20_000, n_gold: int = 40_000
) -> tuple[Cells, np.ndarray, tuple[Attribute, ...]]:
    """Return labels of which batch 3 went wrong, each batch seen in contexts of its own."""
    rng = np.random.default_rng(seed)
    batch, annotator = rng.integers(0, 12, n), rng.integers(0, 5, n)
    context = (batch + rng.integers(0, 3, n)) % N_CONTEXTS
    cell = rng.integers(0, N_CLASSES, n) * N_CONTEXTS + context
    is_changed = rng.random(n) < 0.5
    is_bad = is_changed & (batch == 3)
    share = np.bincount(cell, is_bad, len(CLASS_OF_CELL)) / np.bincount(cell)
    of_gold = rng.integers(0, len(CLASS_OF_CELL), n_gold)
    outcome = (rng.random(n_gold) < 0.05 + pull * share[of_gold]).astype(float)
    outcome -= rng.random(n_gold) < 0.05
    attributes = (Attribute("batch", batch, 12), Attribute("annotator", annotator, 5))
    return Cells(cell, of_gold, outcome, CLASS_OF_CELL), is_changed, attributes


def test_the_batch_whose_cells_lost_is_named_first() -> None:
    found = bridge_rank(*scene(1, 1.0))
    assert (found[0].slice.attributes, found[0].slice.values) == (("batch",), (3,))
    assert found[0].pull > 0
    assert all(one.is_weak for one in found)
    assert [one.gain for one in found] == sorted((one.gain for one in found), reverse=True)


def test_without_a_loss_nothing_stands_out() -> None:
    assert bridge_rank(*scene(2, 0.0))[0].gain < 6


def test_order_does_not_matter() -> None:
    cells, is_changed, attributes = scene(3, 1.0)
    rng = np.random.default_rng(0)
    labels, gold = rng.permutation(len(is_changed)), rng.permutation(len(cells.outcome))
    mixed = Cells(
        cells.of_label[labels], cells.of_gold[gold], cells.outcome[gold], cells.class_code
    )
    moved = tuple(Attribute(one.name, one.code[labels], one.n_words) for one in attributes)
    found = bridge_rank(cells, is_changed, attributes)
    again = bridge_rank(mixed, is_changed[labels], moved)
    assert [one.slice for one in again] == [one.slice for one in found]
    assert [one.gain for one in again] == pytest.approx([one.gain for one in found])


def test_no_cells_in_common_are_no_suspects() -> None:
    cells, is_changed, attributes = scene(4, 1.0)
    assert bridge_rank(cells, np.zeros_like(is_changed), attributes) == ()
    few = Cells(cells.of_label, cells.of_gold[:2], cells.outcome[:2], cells.class_code)
    assert bridge_rank(few, is_changed, attributes) == ()


def test_outcomes_that_are_not_known_are_refused() -> None:
    cells, is_changed, attributes = scene(5, 1.0)
    broken = Cells(cells.of_label, cells.of_gold, cells.outcome * np.nan, cells.class_code)
    with pytest.raises(ValueError, match="finite"):
        bridge_rank(broken, is_changed, attributes)
