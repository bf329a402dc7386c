"""Sparse tallies by dispute are those of `disputes`, dispute by dispute, however parts are cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.calc import disputes, sides, sums

OPINIONS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(0, 4), st.booleans()),
    max_size=60,
    unique_by=lambda row: row[:3],
)


def columns(rows: list[tuple[int, int, int, bool]]) -> tuple[np.ndarray, ...]:
    table = np.array(rows, np.int64).reshape(-1, 4)
    return table[:, 0], table[:, 1], table[:, 2], table[:, 3].astype(bool)


@given(OPINIONS)
def test_each_dispute_is_as_if_it_were_alone(rows: list[tuple[int, int, int, bool]]) -> None:
    dispute, unit, person, is_first = columns(rows)
    found = sides.sides(dispute, unit, person, is_first, 5)
    for one in range(3):
        own = dispute == one
        alone = disputes.side_tally(unit[own], person[own], is_first[own], 5)
        who, direction = found.direction(one)
        wanted = disputes.direction(alone)
        assert who.tolist() == np.flatnonzero(alone.n).tolist()
        assert direction.s == pytest.approx(wanted.s, nan_ok=True)
        assert direction.chi2 == pytest.approx(wanted.chi2, abs=1e-9)
        assert direction.p == pytest.approx(wanted.p, abs=1e-9)
        shares = [is_first[own & (unit == u)].mean() for u in np.unique(unit[own])]
        assert found.n_units(one) == sum(0 < share < 1 for share in shares)


@given(OPINIONS, st.integers(0, 6))
def test_parts_add_up(rows: list[tuple[int, int, int, bool]], cut: int) -> None:
    dispute, unit, person, is_first = columns(rows)
    whole = sides.sides(dispute, unit, person, is_first, 5)
    head = unit < cut
    parts = [
        sides.sides(dispute[part], unit[part], person[part], is_first[part], 5)
        for part in (head, ~head)
    ]
    both = parts[0] + parts[1]
    for name in ("people", "shared", "units"):
        one, other = getattr(whole, name), getattr(both, name)
        assert np.array_equal(one.key, other.key)
        assert np.allclose(one.value, other.value)


def test_sums_of_nothing_and_of_keys_that_are_not_there() -> None:
    empty = sums.none(2)
    found = empty + sums.summed(np.array([4, 2, 4]), np.array([[1.0, 10], [2, 20], [3, 30]]))
    assert found.at(np.array([4, 3, 2])).tolist() == [[4, 40], [0, 0], [2, 20]]
    assert found.between(3, 5).key.tolist() == [4]
    assert empty.at(np.array([1])).tolist() == [[0, 0]]
