"""How far images are: one answer for each image and class of a chunk."""

from __future__ import annotations

from lineage import columns
from lineage.formats.completeness import States
from lineage.terms import Completeness


def test_what_is_furthest_holds_and_keeps_its_reason() -> None:
    states = States()
    states.add("a", Completeness.SKIPPED, reason="blurred")
    states.add("a", Completeness.NOT_STARTED)
    states.add("b", Completeness.SKIPPED, reason="dark")
    states.add("b", Completeness.COMPLETE_EMPTY)
    states.add("b", Completeness.COMPLETE_EMPTY, class_="car")
    found = states.take()
    assert found.schema == columns.COMPLETENESS
    assert found.to_pylist() == [
        {"asset": "a", "class": None, "state": "skipped", "reason": "blurred"},
        {"asset": "b", "class": None, "state": "complete_empty", "reason": None},
        {"asset": "b", "class": "car", "state": "complete_empty", "reason": None},
    ]
    assert states.take().num_rows == 0
