"""The place that opinions agree on: every kind against what it is defined as, whatever the order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage import columns
from lineage.activities.consensus_shapes import fused, line_overlap
from lineage.activities.opinions import Labels
from lineage.calc import consensus
from lineage.formats.runs import geometry_of, mask_of
from lineage.terms import Kind

Shape = Sequence[Sequence[float]]


def labels(
    kinds: Sequence[int], boxes: Sequence[Sequence[float]], shapes: Sequence[Shape | None]
) -> Labels:
    n = len(kinds)
    none = np.zeros(n, np.int64)
    return Labels(
        image=none, annotator=np.arange(n), class_=none, kind=np.array(kinds, np.int64), batch=none,
        schema=none, attributes=none, annotation=np.arange(n), revision=np.arange(n), week=none,
        box=np.array(boxes, float).reshape(-1, 4), geometry=pa.array(shapes, columns.GEOMETRY),
    )  # fmt: skip


def one_of(
    kind: Kind, shapes: Sequence[Shape], boxes: Sequence[Sequence[float]], likeness: Sequence[float]
) -> tuple[list[float], Shape]:
    """Return the box and geometry of one object, the same whatever the order of its opinions."""
    n = len(shapes)
    found = []
    for order in (np.arange(n), np.arange(n)[::-1]):
        rows = labels([0] * n, boxes, shapes).take(order)
        told = np.array(likeness, float)[order]
        box, geometry = fused(rows, np.zeros(n, np.int64), told, 1, [kind])
        found.append((box[0].tolist(), geometry.to_pylist()[0]))
    assert found[0] == found[1]
    return found[0]


def hull(shape: Shape) -> list[float]:
    points = np.concatenate([np.array(part).reshape(-1, 2) for part in shape])
    return [*points.min(axis=0).tolist(), *points.max(axis=0).tolist()]


def test_of_outlines_the_one_most_like_the_others_is_taken_whole() -> None:
    shapes = [[[0.0, 0, 10, 0, 10, 10]], [[0.0, 0, 11, 0, 11, 11]], [[0.0, 0, 30, 0, 30, 30]]]
    box, geometry = one_of(Kind.POLYGON, shapes, [hull(s) for s in shapes], [1.0, 1.1, 0.4])
    assert (box, geometry) == ([0, 0, 11, 11], shapes[1])


def test_of_two_outlines_the_larger_is_taken() -> None:
    shapes = [[[0.0, 0, 10, 0, 10, 10]], [[0.0, 0, 11, 0, 11, 11]]]
    _, geometry = one_of(Kind.POLYGON, shapes, [hull(s) for s in shapes], [0.8, 0.8])
    assert geometry == shapes[1]


def test_turned_boxes_have_the_hull_of_their_median() -> None:
    shapes = [[[50.0, 50, 20, 10, 0]], [[50.0, 50, 20, 10, 180]], [[52.0, 50, 10, 20, 90]]]
    box, geometry = one_of(Kind.ROTATED_BOX, shapes, [[0, 0, 100, 100]] * 3, [1, 1, 1])
    assert geometry[0][:4] == pytest.approx([50, 50, 20, 10])
    assert geometry[0][4] % 180 == pytest.approx(0)
    assert box == pytest.approx([40, 45, 60, 55])


def test_key_points_are_medians_and_seen_where_most_saw_them() -> None:
    shapes = [
        [[10.0, 10, 2, 0, 0, 0, 5, 5, 1]],
        [[12.0, 10, 2, 30, 30, 2, 5, 5, 2]],
        [[11.0, 10, 1, 0, 0, 0, 5, 5, 0]],
    ]
    box, geometry = one_of(Kind.KEYPOINTS, shapes, [[0, 0, 40, 40]] * 3, [1, 1, 1])
    points = np.array(geometry[0]).reshape(-1, 3)
    assert points[0] == pytest.approx([11, 10, 2], abs=1e-5)
    assert points[1].tolist() == [0, 0, 0]
    # one each for hidden, seen and absent: what shows more
    assert points[2].tolist() == [5, 5, 2]
    assert box == pytest.approx([5, 5, 11, 10], abs=1e-5)


MASKS = st.lists(
    st.lists(st.booleans(), min_size=12, max_size=12).filter(any), min_size=1, max_size=5
)


@given(MASKS)
def test_masks_are_the_majority_of_their_pixels(bits: list[list[bool]]) -> None:
    masks = np.array(bits).reshape(-1, 4, 3)
    told = [geometry_of(mask) for mask in masks]
    shapes, boxes = zip(*[one for one in told if one is not None], strict=True)
    box, geometry = one_of(Kind.MASK, shapes, boxes, [1.0] * len(shapes))
    got = mask_of(np.array(geometry[1]), 4, 3)
    wanted = consensus.majority_mask(masks)
    if wanted.any():
        assert (got == wanted).all()
        expected = geometry_of(wanted)
        assert expected is not None
        assert tuple(box) == expected[1]
    else:
        # nothing that half of them show: the largest stands in for it
        assert got.tolist() in masks.tolist()


@given(MASKS)
def test_runs_are_the_majority_without_drawing(bits: list[list[bool]]) -> None:
    masks = np.array(bits).reshape(-1, 4, 3)
    told = [geometry_of(mask) for mask in masks]
    runs = [np.array(one[0][1], np.int64) for one in told if one is not None]
    (found,) = consensus.majority_runs(np.zeros(len(runs), np.int64), runs)
    assert found.sum() == 12
    assert (mask_of(found, 4, 3) == consensus.majority_mask(masks)).all()


def test_masks_of_another_size_do_not_count() -> None:
    small, large = np.ones((2, 2), bool), np.zeros((4, 4), bool)
    large[1:3, 1:3] = True
    told = [geometry_of(mask) for mask in (large, large, small)]
    shapes, boxes = zip(*[one for one in told if one is not None], strict=True)
    box, geometry = one_of(Kind.MASK, shapes, boxes, [1.0, 1.0, 1.0])
    assert (geometry[0], box) == ([4, 4], [1, 1, 3, 3])


def test_a_line_is_the_same_in_either_direction_and_less_alike_the_farther_it_runs() -> None:
    shapes = [
        [[0.0, 0, 50, 0, 100, 0]], [[100.0, 0, 0, 0]], [[0.0, 5, 100, 5]], [[0.0, 0, 100, 100]],
    ]  # fmt: skip
    rows = labels([0] * 4, [hull(shape) for shape in shapes], shapes)
    same, near, far = line_overlap(rows, np.array([0, 0, 0]), np.array([1, 2, 3])).tolist()
    assert same == pytest.approx(1)
    assert 1 > near > far > 0
    assert near == pytest.approx(1 / (1 + 5 / 10), rel=0.01)


def test_kinds_side_by_side_stay_apart_and_an_object_without_labels_has_no_place() -> None:
    rows = labels(
        [0, 1, 1, 2],
        [[0, 0, 9, 9], [0, 0, 10, 10], [0, 0, 11, 11], [np.nan] * 4],
        [None, [[0.0, 0, 10, 0, 10, 10]], [[0.0, 0, 11, 0, 11, 11]], None],
    )
    kinds = [Kind.BOX, Kind.POLYGON, Kind.CLASS]
    box, geometry = fused(rows, np.array([1, 0, 0, 3]), np.array([0, 0.8, 0.8, 0]), 4, kinds)
    assert box[:2].tolist() == [[0, 0, 11, 11], [0, 0, 9, 9]]
    assert np.isnan(box[2:]).all()
    assert geometry.to_pylist() == [[[0, 0, 11, 0, 11, 11]], None, None, None]
