"""Histories without some of their revisions, beside a dictionary of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lineage.calc.counterfactual import live_without

REVISIONS = st.lists(
    st.tuples(st.integers(1, 5), st.booleans(), st.booleans()), min_size=1, max_size=30
)


@given(REVISIONS, st.booleans())
def test_what_stands_is_what_a_dictionary_of_histories_says(
    told: list[tuple[int, bool, bool]], is_reverted: bool
) -> None:
    annotation, is_retract, is_match = (np.array(column) for column in zip(*told, strict=True))
    histories: dict[int, list[int]] = {}
    for at, number in enumerate(annotation.tolist()):
        histories.setdefault(number, []).append(at)
    is_live = np.zeros(len(told), bool)
    expected = set()
    for history in histories.values():
        newest = history[-1]
        if is_retract[newest]:
            continue
        is_live[newest] = True
        left = [at for at in history if not is_match[at]]
        if not is_match[newest]:
            expected.add(newest)
        elif is_reverted and left and not is_retract[left[-1]]:
            expected.add(left[-1])
    found = live_without(annotation, is_retract, is_live, is_match, is_reverted=is_reverted)
    assert set(np.flatnonzero(found).tolist()) == expected


def test_without_any_revision_nothing_stands() -> None:
    none = np.zeros(0, bool)
    assert len(live_without(np.zeros(0, np.int64), none, none, none, is_reverted=True)) == 0
