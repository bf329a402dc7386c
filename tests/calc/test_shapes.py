"""Geometries compared in whole columns, held against comparing them one by one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage import columns
from lineage.calc.shapes import boxes_within, shapes_within, unequal

NUMBER = st.sampled_from([0.0, 0.5, 1.0, 7.25])
GEOMETRY = st.none() | st.lists(st.lists(NUMBER, max_size=4), max_size=3)
PAIRS = st.lists(st.tuples(GEOMETRY, GEOMETRY), max_size=12)


def column(values: list[list[list[float]] | None]) -> pa.ListArray:
    return pa.array(values, columns.GEOMETRY)


@given(PAIRS)
@settings(max_examples=60)
def test_geometries_are_unequal_where_any_part_or_number_is(
    pairs: list[tuple[object, object]],
) -> None:
    a, b = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = unequal(column(a), column(b))  # type: ignore[arg-type]
    assert found.tolist() == [x != y for x, y in zip(a, b, strict=True)]


@given(PAIRS, st.sampled_from([0.0, 0.5, 6.0]))
@settings(max_examples=60)
def test_polygons_within_a_tolerance(pairs: list[tuple[object, object]], tolerance: float) -> None:
    def within(x: list[list[float]] | None, y: list[list[float]] | None) -> bool:
        if x is None or y is None:
            return x is y
        return [len(part) for part in x] == [len(part) for part in y] and all(
            abs(p - q) <= tolerance
            for u, v in zip(x, y, strict=True)
            for p, q in zip(u, v, strict=True)
        )

    a, b = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    kind = pa.array(["polygon"] * len(a), pa.string())
    found = shapes_within(column(a), column(b), kind, np.full(len(a), tolerance))  # type: ignore[arg-type]
    assert found.tolist() == [within(x, y) for x, y in zip(a, b, strict=True)]  # type: ignore[arg-type]


def one(kind: str, a: list[float], b: list[float], px: float, deg: float = 0.0) -> bool:
    found = shapes_within(
        column([[a]]), column([[b]]), pa.array([kind]), np.array([px]), tolerance_deg=deg
    )
    return bool(found[0])


def test_a_turned_box_may_exchange_its_sides_with_a_quarter_turn() -> None:
    box = [100.0, 80, 60, 20, 30]
    assert one("rotated_box", box, [100, 80, 20, 60, 120], 1e-6)
    assert one("rotated_box", box, [100, 80, 60, 20, 210], 1e-6)
    assert not one("rotated_box", box, [100, 80, 20, 60, 30], 1.0)
    assert one("rotated_box", box, [100, 80, 60, 20, 30.004], 1e-6, deg=0.005)
    assert not one("rotated_box", box, [100, 80, 60, 20, 30.1], 1e-6, deg=0.005)


def test_whether_a_point_is_seen_and_masks_are_never_rounded() -> None:
    assert one("keypoints", [1.0, 2, 2], [1.4, 2, 2], 0.5)
    assert not one("keypoints", [1.0, 2, 2], [1.0, 2, 1], 5)
    assert not one("mask", [1.0, 2, 2], [1.0, 2, 1], 5)


def test_boxes_within_a_tolerance_and_none_at_all() -> None:
    nan = [np.nan] * 4
    a = np.array([[0, 0, 1, 1], [0, 0, 1, 1], nan, nan])
    b = np.array([[0, 0, 1, 1.005], [0, 0, 1, 1.006], nan, [0, 0, 1, 1]])
    assert boxes_within(a, b, np.full(4, 0.005)).tolist() == [True, False, True, False]
