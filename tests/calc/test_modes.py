"""Who is believed: sides that explain as much are both kept, evidence from other units decides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.calc import consensus, modes


def sides(
    unit: np.ndarray, annotator: np.ndarray, value: np.ndarray, n_values: int
) -> list[np.ndarray]:
    n_units = int(unit.max()) + 1
    return [
        modes.shares(unit, value, n_units, n_values, annotator == one)
        for one in np.unique(annotator)
    ]


def two_sided(n_same: int, n_apart: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return two people's opinions: the same on most units, the other class each time on the rest."""
    n = n_same + n_apart
    first = np.arange(n) % 2
    second = np.where(np.arange(n) < n_same, first, 1 - first)
    return np.repeat(np.arange(n), 2), np.tile([0, 1], n), np.stack([first, second], 1).ravel()


def test_nobody_is_believed_for_having_been_looked_at_first() -> None:
    unit, annotator, value = two_sided(180, 20)
    apart = slice(180, 200)
    one_sided = consensus.dawid_skene(
        unit, annotator, value, 2, start=sides(unit, annotator, value, 2)[0]
    )
    # one beginning leans to its own side
    assert one_sided.probability[apart].max(axis=1).min() > 0.65
    found = modes.weighed(unit, annotator, value, 2, sides(unit, annotator, value, 2))
    assert np.abs(found[apart] - 0.5).max() < 0.05
    assert found[:180].max(axis=1).min() > 0.95


def test_a_reviewer_whom_others_bear_out_is_believed() -> None:
    unit, annotator, value = two_sided(180, 20)
    # the second person also agrees with a third, on as many units
    n = 200
    more = np.arange(n) + n
    unit = np.concatenate([unit, np.repeat(more, 2)])
    annotator = np.concatenate([annotator, np.tile([1, 2], n)])
    value = np.concatenate([value, np.repeat(np.arange(n) % 2, 2)])
    found = modes.weighed(unit, annotator, value, 2, sides(unit, annotator, value, 2))
    second = value[:400].reshape(-1, 2)[180:, 1]
    assert found[np.arange(180, 200), second].min() > 0.8


def test_a_unit_is_no_evidence_for_what_is_decided_of_it() -> None:
    # a third opinion on the one disputed unit, by somebody of whom little else is known
    unit, annotator, value = two_sided(40, 1)
    for said in (0, 1):
        u, a, v = np.append(unit, 40), np.append(annotator, 2), np.append(value, said)
        found = modes.weighed(u, a, v, 2, sides(u, a, v, 2))
        assert found[40].argmax() == said
        # as much as somebody is worth of whom nothing is known: 4.2 to 0.2
        assert found[40].max() == pytest.approx(4.2 / 4.4, abs=0.02)


@given(st.permutations(range(3)), st.integers(0, 2**32 - 1))
def test_names_of_people_and_values_do_not_matter(order: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    unit, annotator = np.repeat(np.arange(30), 3), np.tile(np.arange(3), 30)
    truth = rng.integers(0, 3, 30)
    value = np.where(rng.random(90) < 0.8, truth[unit], rng.integers(0, 3, 90))
    turned = np.array(order)
    one = modes.weighed(unit, annotator, value, 3, sides(unit, annotator, value, 3))
    other = modes.weighed(
        unit, turned[annotator], turned[value], 3, sides(unit, annotator, turned[value], 3)
    )
    assert np.allclose(one, other[:, turned], atol=1e-5)
    assert np.allclose(one.sum(axis=1), 1)


def test_a_side_that_said_nothing_of_a_unit_begins_from_all() -> None:
    unit, value = np.array([0, 0, 1]), np.array([0, 1, 1])
    found = modes.shares(unit, value, 2, 2, np.array([True, False, False]))
    assert found.tolist() == [[1.0, 0.0], [0.0, 1.0]]
