"""Weeks with too few comparisons wait: nothing is lost, nothing comes early, little waits for ever."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lineage.calc.volumes import LEAST, WAITING, told_weeks

ROWS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(1, 40)), max_size=40)


@given(ROWS, st.randoms(use_true_random=False))
def test_every_kind_comes_in_portions_that_are_large_enough(
    rows: list[tuple[int, int, int]], shuffle: object
) -> None:
    shuffle.shuffle(rows)  # type: ignore[attr-defined]
    week, kind, n = np.array(rows, np.int64).reshape(-1, 3).T
    told = told_weeks(week, kind, n)
    for one in np.unique(kind):
        own = kind == one
        waiting = own & (told == WAITING)
        assert n[waiting].sum() < LEAST
        for at in np.unique(told[own & ~waiting]):
            portion = own & (told == at)
            assert n[portion].sum() >= LEAST
            assert week[portion].max() == at
            before = portion & (week < at)
            assert n[before].sum() < LEAST, "it would have been enough a week earlier"


def test_weeks_that_are_full_do_not_wait() -> None:
    week = np.array([3, 4, 5])
    assert told_weeks(week, np.zeros(3, np.int64), np.full(3, LEAST)).tolist() == [3, 4, 5]
