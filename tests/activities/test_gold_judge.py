"""Judging by gold, on arrays: every gold label is judged once, and no label serves twice."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from lineage import columns
from lineage.activities.gather import Threshold
from lineage.activities.gold_judge import GOLD, OWN, Judged, judge
from lineage.activities.opinions import Labels, Words

WORDS = Words(["gold", "own"], ["cat", "dog"], ["box"], ["b"], ["s"], ["{}"])
Box = tuple[int, int, int, int, int, int]
boxes = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 1), st.integers(0, 30), st.integers(0, 30),
        st.integers(1, 20), st.integers(1, 20),
    ),
    max_size=14,
)  # fmt: skip
"""Pair, class, corner and sides of each."""


def labels(gold: list[Box], own: list[Box]) -> Labels:
    """Return labels of both sides, by pair."""
    rows = [(*box, GOLD) for box in gold] + [(*box, OWN) for box in own]
    table = np.array(rows, np.int64).reshape(len(rows), 7)
    table = table[np.lexsort((table[:, 6], table[:, 0]))]
    corner, side = table[:, 2:4], table[:, 4:6]
    zero = np.zeros(len(table), np.int64)
    return Labels(
        image=table[:, 0],
        annotator=table[:, 6],
        class_=table[:, 1],
        kind=zero,
        batch=zero,
        schema=zero,
        attributes=zero,
        annotation=np.arange(len(table)),
        revision=np.arange(len(table)),
        week=zero,
        box=np.concatenate([corner, corner + side], axis=1).astype(float),
        geometry=pa.nulls(len(table), columns.GEOMETRY),
    )


@given(boxes, boxes, st.lists(st.booleans(), min_size=3, max_size=3))
def test_every_gold_label_is_judged_once_and_no_label_serves_twice(
    gold: list[Box], own: list[Box], is_whole: list[bool]
) -> None:
    given = labels(gold, own)
    whole = np.array(is_whole)
    found = judge(given, whole, WORDS, Threshold())
    judged = found.gold[found.gold >= 0]
    assert sorted(judged.tolist()) == np.flatnonzero(given.annotator == GOLD).tolist()
    used = found.own[found.own >= 0].tolist()
    assert len(used) == len(set(used))
    assert set(used) <= set(np.flatnonzero(given.annotator == OWN).tolist())
    # beside a whole answer every label is told, beside another none
    is_extra = found.outcome == Judged.EXTRA
    assert whole[found.pair[is_extra]].all()
    of_whole = np.flatnonzero((given.annotator == OWN) & whole[given.image])
    assert set(of_whole.tolist()) <= set(used)
    # and it is one judgement more for each whole answer
    beside = found.is_trial & (found.gold < 0)
    assert np.bincount(found.pair[beside], minlength=3).tolist() == whole.astype(int).tolist()
    assert found.is_trial[found.gold >= 0].all()


@given(boxes)
def test_who_says_what_gold_says_is_right(gold: list[Box]) -> None:
    apart = list(
        {(pair, x // 10, y // 10): (pair, c, x, y, w, h) for pair, c, x, y, w, h in gold}.values()
    )
    found = judge(labels(apart, apart), np.ones(3, bool), WORDS, Threshold())
    assert (found.outcome == Judged.RIGHT).all()
    assert len(found.outcome) == len(apart) + 3
