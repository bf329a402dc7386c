"""Splits: stable for ever, whatever else changes."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.calc import splits
from lineage.errors import BadInput

FRACTIONS = {"train": 0.8, "val": 0.1, "test": 0.1}
names = st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=40, unique=True)


def words(keys: list[str], fractions: dict[str, float], salt: str = "lineage") -> list[str]:
    codes = splits.split_codes(keys, fractions, salt=salt)
    return [str(word) for word in splits.split_words(codes, fractions).to_pylist()]


@given(names, st.permutations(list(FRACTIONS)))
def test_the_order_in_which_splits_are_listed_is_of_no_account(
    keys: list[str], order: list[str]
) -> None:
    assert words(keys, FRACTIONS) == words(keys, {name: FRACTIONS[name] for name in order})


@given(names, names)
def test_an_image_keeps_its_split_whoever_joins(keys: list[str], others: list[str]) -> None:
    alone = dict(zip(keys, words(keys, FRACTIONS), strict=True))
    together = dict(zip(others + keys, words(others + keys, FRACTIONS), strict=True))
    assert alone.items() <= together.items()


def test_a_place_is_what_the_documentation_says() -> None:
    keys = [f"img-{i}" for i in range(500)]
    expected = []
    for key in keys:
        place = int.from_bytes(hashlib.sha256(b"s\0" + key.encode()).digest()[:8], "big") / 2**64
        expected.append("test" if place < 0.1 else "train" if place < 0.9 else "val")
    assert words(keys, FRACTIONS, "s") == expected


def test_shares_come_out_as_asked_and_salts_are_independent() -> None:
    keys = [f"img-{i:06d}" for i in range(50_000)]
    first, second = (np.array(words(keys, FRACTIONS, salt)) for salt in ("a", "b"))
    for name, share in FRACTIONS.items():
        assert abs((first == name).mean() - share) < 0.01
    assert abs(((first == "test") & (second == "test")).mean() - 0.01) < 0.003


@pytest.mark.parametrize("fractions", [{}, {"a": 0.5}, {"a": 1.2, "b": -0.2}])
def test_shares_that_are_no_shares_are_refused(fractions: dict[str, float]) -> None:
    with pytest.raises(BadInput, match="expected 1") as caught:
        splits.split_codes(["x"], fractions, salt="s")
    assert caught.value.slug == "split-fractions"


def test_a_group_never_straddles_splits() -> None:
    keys = splits.group_keys(["s1/a.png", "s1/b.png", "s2/a.png", "loose.png"], r"^(s\d)/")
    assert keys == ["s1", "s1", "s2", "loose.png"]
    for pattern in ("(", "no group", "(two)(groups)"):
        with pytest.raises(BadInput) as caught:
            splits.group_keys(["x"], pattern)
        assert caught.value.slug == "split-pattern"
