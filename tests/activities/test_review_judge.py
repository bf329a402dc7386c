"""Judging a blind answer, as arrays: what holds whatever was drawn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage import columns
from lineage.activities.gather import Threshold
from lineage.activities.review_judge import WANTED, Found, Rule, Side, held_against
from lineage.segments import TABLES

Drawn = list[tuple[int, int, int]]
"""Pair, class, and place out of sixteen that do not touch."""

drawings = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 15)),
    max_size=20,
    unique_by=lambda one: (one[0], one[2]),
)
RULE = Rule(Threshold())


def side(drawn: Drawn, first: int) -> Side:
    """Return labels as a side, numbered from ``first``."""
    n = len(drawn)
    number = np.arange(first, first + n)
    left, top = ([100.0 * f(place) for _, _, place in drawn] for f in (_column, _row))
    values: dict[str, object] = {
        "revision": number,
        "annotation": number,
        "asset": [pair for pair, _, _ in drawn],
        "annotator": "a",
        "class": [f"c{class_}" for _, class_, _ in drawn],
        "kind": "box",
        "x_min": left,
        "y_min": top,
        "x_max": [x + 50 for x in left],
        "y_max": [y + 50 for y in top],
        "attributes": "{}",
        "stage": "submitted",
    }
    schema = pa.schema([TABLES["revisions"].field(name) for name in WANTED])
    rows = pa.Table.from_batches([columns.batch_of(schema, values, n)])
    return Side(rows, np.array([pair for pair, _, _ in drawn], np.int64), np.arange(n))


def _column(place: int) -> int:
    return place % 4


def _row(place: int) -> int:
    return place // 4


def judged(theirs: Drawn, own: Drawn) -> Found:
    return held_against(side(theirs, 1), side(own, 1_000), 4, RULE)


@given(drawings)
@settings(max_examples=40)
def test_the_same_answer_agrees_with_all(drawn: Drawn) -> None:
    found = judged(drawn, drawn)
    assert (found.kind == "").all()
    assert sorted(found.revision.tolist()) == list(range(1, len(drawn) + 1))
    assert (found.opinion == found.revision + 999).all()


@given(drawings, drawings)
@settings(max_examples=60)
def test_every_label_is_judged_once_and_by_its_place(theirs: Drawn, own: Drawn) -> None:
    found = judged(theirs, own)
    assert Counter(found.revision[found.revision > 0].tolist()) == Counter(
        range(1, len(theirs) + 1)
    )
    assert Counter(found.opinion[found.opinion > 0].tolist()) == Counter(
        range(1_000, 1_000 + len(own))
    )
    said = {(pair, place): class_ for pair, class_, place in own}
    drew = {(pair, place): class_ for pair, class_, place in theirs}
    expected = Counter(
        "missed"
        if key not in drew
        else "spurious"
        if key not in said
        else ""
        if said[key] == drew[key]
        else "class"
        for key in said.keys() | drew.keys()
    )
    assert Counter(found.kind.tolist()) == expected


def test_nothing_on_either_side_is_no_verdict() -> None:
    found = judged([], [])
    assert len(found.kind) == 0
