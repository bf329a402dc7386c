"""What holds, given a history; against the plainest reading of it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lineage.calc import rules, state


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, bool]]:
    """Return (superseded revision or 0, is a retraction) of revisions 1, 2, 3 ..."""
    rows: list[tuple[int, bool]] = []
    tips: list[int] = []
    for number in range(1, draw(st.integers(0, 30)) + 1):
        if tips and draw(st.booleans()):
            tip = draw(st.sampled_from(tips))
            tips.remove(tip)
            retracts = draw(st.booleans())
            rows.append((tip, retracts))
            if not retracts:
                tips.append(number)
        else:
            rows.append((0, False))
            tips.append(number)
    return rows


@given(histories())
def test_live_is_what_nobody_superseded_and_nobody_retracted(rows: list[tuple[int, bool]]) -> None:
    tips: set[int] = set()
    for number, (before, retracts) in enumerate(rows, 1):
        tips.discard(before)
        if not retracts:
            tips.add(number)
    number = np.arange(1, len(rows) + 1)
    before = np.array([row[0] for row in rows], np.int64)
    found = state.live(number, before, np.array([row[1] for row in rows], bool))
    assert set(number[found].tolist()) == tips


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 4)), max_size=30))
def test_the_newest_event_is_where_a_revision_stands(events: list[tuple[int, int]]) -> None:
    revision = np.array([2, 3, 5, 8, 11])
    entry = np.zeros(5, np.int8)
    expected = {int(number): 0 for number in revision}
    for number, stage in events:
        if number in expected:
            expected[number] = stage
    who = np.array([number for number, _ in events], np.int64)
    what = np.array([stage for _, stage in events], np.int8)
    found = state.current_stage(revision, entry, who, what)
    assert found.tolist() == list(expected.values())
    assert entry.tolist() == [0] * 5


few = st.integers(-2, 3)
many = st.sampled_from([-(2**62), -1, 0, 7, 2**40, 2**62])
rows_of_keys = st.sampled_from([few, many]).flatmap(
    lambda value: st.lists(st.tuples(value, value, few), max_size=20)
)


def as_keys(rows: list[tuple[int, int, int]]) -> list[np.ndarray]:
    return [np.array([row[i] for row in rows], np.int64) for i in range(3)]


@given(rows_of_keys)
def test_one_number_stands_for_several_keys(rows: list[tuple[int, int, int]]) -> None:
    key = state.composed(*as_keys(rows)).tolist()
    assert [[a == b for b in key] for a in key] == [[a == b for b in rows] for a in rows]


@given(rows_of_keys)
def test_the_newest_row_of_a_key_holds(rows: list[tuple[int, int, int]]) -> None:
    expected = {row: i for i, row in enumerate(rows)}
    assert state.newest(*as_keys(rows)).tolist() == sorted(expected.values())


@given(rows_of_keys, st.integers(0, 20))
def test_a_key_is_found_where_it_stands_last(rows: list[tuple[int, int, int]], n: int) -> None:
    key = state.composed(*as_keys(rows))
    place = {row: i for i, row in enumerate(rows[:n])}
    found = state.row_of(key[:n], key[n:])
    assert found.tolist() == [place.get(row, -1) for row in rows[n:]]


numbers = st.sampled_from(
    [-1e9, -3.0, -0.5, 0.0, 5.0, 20.0, 100.5, 103.0, float("nan"), float("inf")]
)


@given(st.lists(numbers, min_size=4, max_size=4), st.sampled_from([0.0, 100.0, 2e6, float("nan")]))
def test_rules_judge_as_their_words_do(box: list[float], side: float) -> None:
    one = np.array([box])
    yes, no = np.array([True]), np.array([False])
    size = np.array([side])
    broken = {
        name
        for name, mask in rules.broken_rules(
            one, size, size, has_box=yes, may_overhang=no, is_flat_allowed=no, edge_tolerance_px=1.0
        ).items()
        if mask[0]
    }
    x0, y0, x1, y1 = box
    expected: set[str] = set()
    if side <= 0 or side > 1e6:
        expected.add("image-size")
    if not np.isfinite(one).all():
        expected.add("not-finite")
    elif max(map(abs, box)) > 1e7:
        expected.add("absurd-coordinate")
    elif x1 < x0 or y1 < y0:
        expected.add("inverted-box")
    else:
        if x1 == x0 or y1 == y0:
            expected.add("zero-area")
        if 0 < side <= 1e6 and (min(x0, y0) < -1 or max(x1, y1) > side + 1):
            expected.add("outside-image")
    assert broken == expected


@given(st.lists(st.integers(-40, 40) | st.integers(-(2**60), 2**60), max_size=60))
def test_values_are_grouped_as_by_a_sort_whatever_they_are(values: list[int]) -> None:
    told = np.array(values, np.int64)
    wanted, code = np.unique(told, return_inverse=True)
    found = state.grouped(told)
    assert found[0].tolist() == wanted.tolist()
    assert found[1].tolist() == code.tolist()
