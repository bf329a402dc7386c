"""Masks against pixels set one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.formats.cvat.masks import MAX_MASK_PX, Window, runs_from_window, window_from_runs


def runs_of(bits: np.ndarray) -> list[int]:
    runs, current = [0], False
    for bit in bits.tolist():
        if bit == current:
            runs[-1] += 1
        else:
            runs.append(1)
            current = bit
    return runs


@st.composite
def pictures(draw: st.DrawFn) -> np.ndarray:
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    bits = draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    picture = np.array(bits).reshape(height, width)
    picture[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = True
    return picture


@given(picture=pictures())
@settings(max_examples=200, deadline=None)
def test_a_mask_survives_both_ways_and_lies_in_its_smallest_window(picture: np.ndarray) -> None:
    height, width = picture.shape
    ours = runs_of(picture.T.ravel())
    theirs, window = window_from_runs(ours, height=height, width=width)
    rows, columns = np.nonzero(picture)
    assert window == Window(
        columns.min(), rows.min(), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1
    )
    crop = picture[window.top :, window.left :][: window.height, : window.width]
    assert theirs == runs_of(crop.ravel())
    back, box = runs_from_window(theirs, window, height=height, width=width)
    assert back.tolist() == ours
    assert box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


@given(picture=pictures(), left=st.integers(0, 3), top=st.integers(0, 3), more=st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_a_window_may_be_wider_than_its_mask(
    picture: np.ndarray, left: int, top: int, more: int
) -> None:
    height, width = picture.shape
    whole = np.zeros((top + height + more, left + width + more), bool)
    whole[top : top + height, left : left + width] = picture
    found, _ = runs_from_window(
        runs_of(picture.ravel()),
        Window(left, top, width, height),
        height=whole.shape[0],
        width=whole.shape[1],
    )
    assert found.tolist() == runs_of(whole.T.ravel())


def test_runs_of_no_pixels_in_between_are_harmless() -> None:
    found, box = runs_from_window([1, 1, 0, 1, 1, 0], Window(0, 0, 2, 2), height=2, width=2)
    assert found.tolist() == [1, 2, 1]
    assert box == (0.0, 0.0, 2.0, 2.0)


@pytest.mark.parametrize(
    ("runs", "window"),
    [
        ([3], Window(0, 0, 2, 2)),
        ([4], Window(0, 0, 2, 2)),
        ([], Window(0, 0, 2, 2)),
        ([0, 5, -1], Window(0, 0, 2, 2)),
        ([0, 4], Window(3, 0, 2, 2)),
        ([0, 4], Window(0, 3, 2, 2)),
        ([0, 4], Window(0, -1, 2, 2)),
        ([0, 4], Window(0, 0, -2, -2)),
        ([], Window(0, 0, 0, 2)),
        ([0, 2 * MAX_MASK_PX], Window(0, 0, MAX_MASK_PX, 2)),
        ([0, 10**30], Window(0, 0, 2, 2)),
    ],
)
def test_runs_that_do_not_fit_are_refused(runs: list[int], window: Window) -> None:
    with pytest.raises(ValueError, match=r"run|window|pixel"):
        runs_from_window(runs, window, height=4, width=4)


@pytest.mark.parametrize("runs", [[15.0], [16.0], [0.0, 17.0], [-1.0, 17.0]])
def test_a_mask_that_does_not_fill_its_image_is_not_written(runs: list[float]) -> None:
    with pytest.raises(ValueError, match=r"run|pixel"):
        window_from_runs(runs, height=4, width=4)
