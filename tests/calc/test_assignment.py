"""One to one: the best choice of pairs, held against trying all of them."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.calc.assignment import assign

WEIGHTS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 40)),
    max_size=14,
    unique_by=lambda row: row[:2],
)


def arrays(rows: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    a, b, weight = (
        (np.array(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    )
    return np.asarray(a, np.int64), np.asarray(b, np.int64), np.asarray(weight, float) / 10


def choices(rows: list[tuple[int, int, int]]) -> list[tuple[tuple[int, ...], int]]:
    """Return every choice of pairs without a common end, with its weight."""
    found = []
    for n in range(min(len(rows), 5) + 1):
        for chosen in itertools.combinations(range(len(rows)), n):
            ends_a, ends_b = {rows[i][0] for i in chosen}, {rows[i][1] for i in chosen}
            if len(ends_a) == len(ends_b) == n:
                found.append((chosen, sum(rows[i][2] for i in chosen)))
    return found


@given(WEIGHTS)
@settings(max_examples=60)
def test_no_other_choice_weighs_more(rows: list[tuple[int, int, int]]) -> None:
    chosen, _ = assign(*arrays(rows), close=0.5)
    assert len({rows[i][0] for i in chosen}) == len({rows[i][1] for i in chosen}) == len(chosen)
    assert sum(rows[i][2] for i in chosen) == max(weight for _, weight in choices(rows))


@given(WEIGHTS)
@settings(max_examples=60)
def test_a_sure_pair_has_no_exchange_that_is_almost_as_good(
    rows: list[tuple[int, int, int]],
) -> None:
    """Exchanges give up the pair for others of its ends, and touch at most one further pair."""
    a, b, weight = arrays(rows)
    chosen, is_close = assign(a, b, weight, close=0.45)
    kept = set(chosen.tolist())
    for index, doubt in zip(chosen.tolist(), is_close.tolist(), strict=True):
        losses = [np.inf]
        for other in kept - {index}:
            swaps = [
                rows_.index((rows[x][0], rows[y][1]))
                for x, y in ((index, other), (other, index))
                if (rows[x][0], rows[y][1]) in (rows_ := [row[:2] for row in rows])
            ]
            if swaps:
                gain = sum(weight[i] for i in swaps)
                losses.append(weight[index] + weight[other] - gain)
        free_a = [i for i in range(len(rows)) if b[i] == b[index] and a[i] not in a[list(kept)]]
        free_b = [i for i in range(len(rows)) if a[i] == a[index] and b[i] not in b[list(kept)]]
        if free_a or free_b:
            gain = sum(max((weight[i] for i in side), default=0.0) for side in (free_a, free_b))
            losses.append(weight[index] - gain)
        assert doubt == (min(losses) < 0.45)


def test_many_pairs_that_are_alone_are_all_kept() -> None:
    n = np.arange(10_000)
    chosen, is_close = assign(n, n[::-1].copy(), np.ones(len(n)), close=0.5)
    assert sorted(chosen.tolist()) == n.tolist()
    assert not is_close.any()
