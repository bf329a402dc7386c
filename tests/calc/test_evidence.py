"""Ids as evidence: what content says of them."""

from __future__ import annotations

import numpy as np
import pytest

from lineage.calc import evidence, matching
from lineage.calc.matching import Pairing, Side


def side(lefts: list[float], contents: list[int], classes: list[int] | None = None) -> Side:
    """Return boxes of 10 px on one image, by their left edge."""
    n = len(lefts)
    left = np.array(lefts, float)
    zeros = np.zeros(n, np.int32)
    return Side(
        np.zeros(n, np.int64),
        zeros if classes is None else np.array(classes, np.int32),
        zeros,
        np.stack([left, np.zeros(n), left + 10, np.full(n, 10.0)], axis=1),
        np.array(contents, np.uint64),
    )


OLD = side([0, 100, 200, 300], [1, 2, 3, 4])


@pytest.mark.parametrize(
    ("new", "hint", "agree", "against", "refuted"),
    [
        # unchanged, moved a little, moved beyond recognition
        (side([0, 102, 250, 300], [1, 9, 8, 4]), [0, 1, 2, 3], 3, 0, []),
        # two ids exchanged between labels that did not change
        (side([0, 100, 200, 300], [1, 2, 3, 4]), [1, 0, 2, 3], 2, 2, [0, 1]),
        # a label that looks like another that nobody claims
        (side([0, 100, 202], [1, 2, 9]), [0, 1, 3], 2, 1, [2]),
        # the one that looks like it is claimed by a better hint
        (side([0, 100, 202, 201], [1, 2, 9, 8]), [0, 1, 3, 2], 3, 0, []),
        # unchanged under an id that names nobody
        (side([0, 100], [1, 2]), [0, -1], 1, 1, []),
    ],
)
def test_content_agrees_is_against_or_is_silent(
    new: Side, hint: list[int], agree: int, against: int, refuted: list[int]
) -> None:
    pairing = Pairing(OLD, new)
    hints = np.array(hint, np.int64)
    evidence.confirm(pairing, hints)
    matching.exact(pairing)
    is_named = np.ones(len(OLD), bool), np.ones(len(new), bool)
    verdict = evidence.weigh(pairing, hints, is_named)
    assert (verdict.n_agree, verdict.n_against) == (agree, against)
    assert np.flatnonzero(verdict.is_refuted).tolist() == refuted


def test_a_hint_is_heeded_only_while_both_ends_are_free() -> None:
    new = side([0, 100], [1, 2])
    pairing = Pairing(OLD, new)
    matching.exact(pairing)
    evidence.heed(pairing, np.array([3, 2]))
    assert pairing.of_new.tolist() == [0, 1]


def test_hints_are_honest_until_one_in_ten_is_contradicted() -> None:
    nobody = np.zeros(1, bool)
    assert evidence.Verdict(10, 9, 1, nobody).is_honest
    assert not evidence.Verdict(10, 8, 1, nobody).is_honest
    assert evidence.Verdict(1, 0, 0, nobody).is_honest
    assert not evidence.Verdict(0, 0, 0, nobody).is_honest
