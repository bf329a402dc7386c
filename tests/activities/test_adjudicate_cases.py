"""Cases from opinions laid down by hand: what is one object, what stands, what nobody can say."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from lineage import columns
from lineage.activities.adjudicate_cases import Case, cases
from lineage.activities.adjudicate_open import Open
from lineage.activities.adjudicate_senior import question_of
from lineage.activities.adjudicate_weigh import Weighed
from lineage.activities.opinions import Labels, Words
from lineage.terms import DisputeKind

WORDS = Words(["p", "r", "f"], ["cat", "dog"], ["box"], ["b", "b.review"], ["s@1.0"], ["{}"])


def weighed(
    rows: list[tuple[int, int, int, float]], probability: list[list[float]], n_asked: int = 2
) -> Weighed:
    """Lay down labels of (unit, annotator, class, shift); revision and annotation are 10 times their place."""
    unit, person, class_ = (np.array([row[at] for row in rows], np.int64) for at in range(3))
    shift = np.array([row[3] for row in rows])
    number = 10 * np.arange(1, len(rows) + 1)
    zero = np.zeros(len(rows), np.int64)
    box = np.stack([shift, zero, shift + 100, zero + 100], axis=1).astype(float)
    labels = Labels(
        zero, person, class_, zero, np.minimum(person, 1), zero, zero, number, number, zero, box,
        pa.nulls(len(rows), columns.GEOMETRY),
    )  # fmt: skip
    n_units = len(probability)
    said_unit = np.repeat(np.arange(n_units), n_asked)
    annotator = np.tile(np.arange(n_asked), n_units)
    value = np.full(len(said_unit), 2)
    for u, w, k, _ in rows:
        value[u * n_asked + w] = k
    pairs = [(a, b) for a in range(len(rows)) for b in range(a) if unit[a] == unit[b]]
    first, second = (np.array([pair[at] for pair in pairs], np.int64) for at in range(2))
    apart = np.abs(shift[first] - shift[second])
    overlap = (100 - apart) / (100 + apart)
    return Weighed(
        labels, unit, said_unit, annotator, value, np.array(probability), (first, second, overlap),
        WORDS, 0.9, "b.review",
    )  # fmt: skip


def contested(revision: int, opinion: int | None = None) -> Open:
    return Open(revision, revision, 1, False, DisputeKind.CLASS, frozenset({"r"}), opinion)


def missed(opinion: int, by: str = "r") -> Open:
    return Open(opinion, opinion, 1, True, DisputeKind.MISSED, frozenset({by}), opinion)


def test_a_label_stands_where_what_is_likeliest_says_as_much_in_its_place() -> None:
    found = weighed([(0, 0, 0, 0.0), (0, 1, 1, 4.0)], [[0.97, 0.02, 0.01]])
    [case] = cases(found, [contested(10, 20)], 0.75)
    assert (case.has_stood, case.certainty) == (True, 0.97)
    assert case.posterior == {"cat": 0.97, "dog": 0.02, None: 0.01}
    assert case.iou_median == pytest.approx(96 / 104)
    assert case.derived_from == [10, 20]
    [other] = cases(
        weighed([(0, 0, 0, 0.0), (0, 1, 1, 4.0)], [[0.1, 0.9, 0.0]]), [contested(10)], 0.75
    )
    assert not other.has_stood
    assert other.label is not None
    assert (other.label.class_, other.label.box, other.label.like) == ("dog", (4, 0, 104, 100), 20)


def test_a_right_class_in_another_place_does_not_stand() -> None:
    rows = [(0, 0, 0, 0.0), (0, 1, 0, 30.0), (0, 2, 0, 30.0)]
    [case] = cases(weighed(rows, [[0.99, 0.01, 0.0]], 3), [contested(10)], 0.75)
    assert not case.has_stood
    assert case.label is not None
    assert case.label.box == (30, 0, 130, 100)


def test_what_is_likeliest_nothing_has_no_label() -> None:
    [case] = cases(weighed([(0, 0, 0, 0.0)], [[0.01, 0.01, 0.98]]), [contested(10)], 0.75)
    assert (case.label, case.has_stood, math.isnan(case.iou_median)) == (None, False, True)
    assert [one.class_ for one in case.opinions] == ["cat", None]


def test_two_who_missed_one_object_are_one_case() -> None:
    rows = [(0, 1, 0, 0.0), (0, 2, 0, 2.0)]
    found = cases(weighed(rows, [[0.99, 0.01, 0.0]], 3), [missed(10), missed(20, "f")], 0.75)
    assert [len(case.objects) for case in found] == [2]
    assert found[0].label is not None
    assert found[0].label.box == (1, 0, 101, 100)


def test_what_was_told_as_missed_and_has_a_label_is_settled_with_that_label() -> None:
    rows = [(0, 0, 0, 0.0), (0, 1, 1, 4.0)]
    found = cases(weighed(rows, [[0.5, 0.5, 0.0]]), [contested(10), missed(20)], 0.75)
    assert [case.object.is_missed for case in found] == [False, True]
    assert (found[1].label, found[1].certainty) == (None, 1.0)
    assert found[0].label is not None


def test_of_what_nobody_is_on_record_for_nothing_can_be_said() -> None:
    found = weighed([(0, 0, 0, 0.0)], [[0.9, 0.1, 0.0]])
    for case in (*cases(found, [contested(999)], 0.75), *cases(None, [contested(10)], 0.75)):
        assert math.isnan(case.certainty)
        assert (case.opinions, case.label) == ((), None)


def question(case: Case, key: bytes) -> tuple[int | None, int | None, bool]:
    one = question_of(case, key, is_ambiguous=False)
    return one.a, one.b, one.is_original_a


def test_the_order_of_candidates_is_dealt_by_the_key_alone() -> None:
    found = weighed([(0, 0, 0, 0.0), (0, 1, 1, 4.0)], [[0.5, 0.5, 0.0]])
    [case] = cases(found, [contested(10, 20)], 0.75)
    dealt = {question(case, bytes([n]) * 32) for n in range(40)}
    assert dealt == {(10, 20, True), (20, 10, False)}
    assert question(case, b"k" * 32) == question(case, b"k" * 32)
    alone = weighed([(0, 1, 0, 0.0)], [[0.5, 0.0, 0.5]])
    [case] = cases(alone, [missed(10)], 0.75)
    assert {question(case, bytes([n]) * 32)[:2] for n in range(40)} == {(None, 10), (10, None)}


def test_against_a_label_stands_the_likeliest_other_and_of_one_class_the_reviewers() -> None:
    rows = [(0, 0, 0, 0.0), (0, 1, 0, 30.0), (0, 2, 1, 0.0)]
    for probability, other in (([0.5, 0.5, 0.0], 30), ([0.9, 0.1, 0.0], 30)):
        [case] = cases(weighed(rows, [probability], 3), [contested(10, 20)], 0.75)
        assert {10, other} == set(question(case, b"k")[:2])
    [case] = cases(weighed(rows[:2], [[0.9, 0.1, 0.0]]), [contested(10, 20)], 0.75)
    assert {10, 20} == set(question(case, b"k")[:2])
