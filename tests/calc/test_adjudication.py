"""The rule of METHODS 5.3, against its words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.calc.adjudication import STEPS, Step, adjudicated


def _one(posterior: float, iou: float, n: int, *, is_rare: bool = False) -> tuple[Step, bool]:
    found = adjudicated(
        np.array([posterior]), np.array([iou]), np.array([n]), is_rare=np.array([is_rare])
    )
    return STEPS[found.step[0]], bool(found.is_ambiguous[0])


@pytest.mark.parametrize(
    ("posterior", "iou", "n", "step"),
    [
        (0.95, 0.75, 2, Step.FINALISE),
        (0.95, np.nan, 1, Step.FINALISE),
        (0.94, 0.90, 1, Step.ONE_OPINION),
        (0.94, 0.90, 2, Step.ONE_OPINION),
        (0.99, 0.74, 2, Step.ONE_OPINION),
        (0.94, 0.90, 3, Step.SECOND_OPINION),
        (0.99, 0.74, 3, Step.SECOND_OPINION),
        (0.95, 0.75, 3, Step.FINALISE),
        (0.80, 0.75, 4, Step.FINALISE),
        (0.79, 0.90, 4, Step.SENIOR),
        (0.79, 0.90, 7, Step.SENIOR),
        (0.99, 0.74, 4, Step.SENIOR),
        (np.nan, np.nan, 0, Step.ONE_OPINION),
    ],
)
def test_a_label_gets_the_step_of_the_rule(posterior, iou, n, step) -> None:
    assert _one(posterior, iou, n)[0] is step


def test_a_rare_class_is_never_final_on_one_opinion() -> None:
    assert _one(1.0, np.nan, 1, is_rare=True)[0] is Step.ONE_OPINION
    assert _one(1.0, np.nan, 1)[0] is Step.FINALISE
    assert _one(1.0, np.nan, 2, is_rare=True)[0] is Step.FINALISE


def test_only_an_open_class_is_ambiguous() -> None:
    assert _one(0.79, 0.9, 4) == (Step.SENIOR, True)
    assert _one(np.nan, np.nan, 4) == (Step.SENIOR, True)
    assert _one(0.99, 0.5, 4) == (Step.SENIOR, False)
    assert _one(0.5, 0.9, 3) == (Step.SECOND_OPINION, False)


def test_units_of_a_step_are_found() -> None:
    found = adjudicated(
        np.array([0.99, 0.5, 0.99]),
        np.full(3, np.nan),
        np.array([2, 4, 2]),
        is_rare=np.zeros(3, bool),
    )
    assert found.units(Step.FINALISE).tolist() == [0, 2]
    assert found.units(Step.SENIOR).tolist() == [1]
    assert found.units(Step.ONE_OPINION).tolist() == []


_share = st.floats(0, 1)


@given(_share, _share | st.just(np.nan), st.integers(0, 8), st.booleans())
def test_every_label_comes_to_an_end(posterior, iou, n, is_rare) -> None:
    # whatever is said, four opinions end in a decision, and more certainty never asks for more
    step, is_ambiguous = _one(posterior, iou, n, is_rare=is_rare)
    assert (step in (Step.FINALISE, Step.SENIOR)) or n < 4
    assert (step is Step.SENIOR) <= (n >= 4)
    assert is_ambiguous <= (step is Step.SENIOR)
    surer, _ = _one(1.0, iou, n, is_rare=is_rare)
    assert step is not Step.FINALISE or surer is Step.FINALISE
