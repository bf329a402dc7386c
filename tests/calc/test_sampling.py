"""Keyed hashes as random numbers: even, independent of order and of each other, and nested."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.calc.sampling import chosen, derived, fractions, key_name

IDS = st.lists(st.integers(0, 2**62), max_size=50)


@given(IDS, st.randoms(use_true_random=False))
def test_a_number_depends_on_its_id_and_the_key_alone(ids: list[int], shuffle: object) -> None:
    known = dict(zip(ids, fractions(np.array(ids, np.int64), b"k").tolist(), strict=True))
    again = [*ids, *ids[:3]]
    shuffle.shuffle(again)  # type: ignore[attr-defined]
    found = fractions(np.array(again, np.int64), b"k")
    assert found.tolist() == [known[one] for one in again]
    assert np.all((found >= 0) & (found < 1))


def test_numbers_are_even_and_keys_have_nothing_to_do_with_each_other() -> None:
    from scipy.stats import kstest

    ids = np.arange(40_000)
    one, other = (fractions(ids, derived(b"secret", name)) for name in ("a", "b"))
    assert kstest(one, "uniform").pvalue > 0.01
    assert abs(float(np.corrcoef(one, other)[0, 1])) < 4 / np.sqrt(len(ids))
    # neighbours share a hash, and no more than that
    assert abs(float(np.corrcoef(one[:-1], one[1:])[0, 1])) < 4 / np.sqrt(len(ids))


@pytest.mark.parametrize("fraction", [0.01, 0.2, 0.9])
def test_a_larger_draw_holds_the_smaller(fraction: float) -> None:
    ids = np.arange(1, 5_000)
    small, large = chosen(ids, fraction, b"k"), chosen(ids, min(1.0, 1.5 * fraction), b"k")
    assert np.all(large[small])
    assert abs(small.mean() - fraction) < 4 * np.sqrt(fraction / len(ids))
    assert chosen(ids, 1.0, b"k").all()
    assert not chosen(ids, 0.0, b"k").any()


def test_each_id_may_have_a_fraction_of_its_own() -> None:
    ids = np.arange(2_000)
    own = np.where(ids < 1_000, 0.5, 0.0)
    found = chosen(ids, own, b"k")
    assert 400 < found.sum() < 600
    assert not found[1_000:].any()


def test_the_name_of_a_key_is_not_the_key() -> None:
    key = derived(b"secret", "spring")
    assert key != derived(b"secret", "autumn")
    assert key_name(key) not in key.hex()
    assert key_name(key) == key_name(derived(b"secret", "spring"))
