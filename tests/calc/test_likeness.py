"""Overlap of every kind of shape: pixels counted one by one, and published values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.calc import likeness
from lineage.calc.geometry import iou
from lineage.formats.runs import runs_of

masks = st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=4, max_size=4)


def as_geometry(mask: np.ndarray) -> list[list[float]]:
    return [[float(side) for side in mask.shape], runs_of(mask).astype(float).tolist()]


@given(masks, masks)
def test_masks_share_the_pixels_that_both_show(
    one: list[list[bool]], other: list[list[bool]]
) -> None:
    a, b = np.array(one), np.array(other)
    union = (a | b).sum()
    wanted = (a & b).sum() / union if union else 0.0
    got = likeness.mask_iou([as_geometry(a)], [as_geometry(b)])
    assert got[0] == pytest.approx(wanted)


def test_masks_agree_with_pycocotools() -> None:
    from pycocotools import mask as peer

    rng = np.random.default_rng(0)
    pairs = [(rng.random((40, 60)) < 0.3, rng.random((40, 60)) < 0.3) for _ in range(20)]
    got = likeness.mask_iou(*([as_geometry(m) for m in side] for side in zip(*pairs, strict=True)))
    for at, (a, b) in enumerate(pairs):
        encoded = [peer.encode(np.asfortranarray(m.astype(np.uint8))) for m in (a, b)]
        wanted = peer.iou([encoded[0]], [encoded[1]], [0])[0, 0]
        assert got[at] == pytest.approx(wanted)


def test_masks_of_other_images_share_nothing() -> None:
    a, b = np.ones((2, 3), bool), np.ones((3, 2), bool)
    assert likeness.mask_iou([as_geometry(a)], [as_geometry(b)]).tolist() == [0.0]


upright = st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(1, 9), st.integers(1, 9))


@given(upright, upright, st.integers(0, 3))
def test_a_box_turned_by_quarters_overlaps_as_its_upright_spelling(
    one: tuple[int, int, int, int], other: tuple[int, int, int, int], n_quarters: int
) -> None:
    a, b = np.array([[*one, 0.0]]), np.array([[*other, 0.0]])
    turned = b.copy()
    turned[0, 4] = 90.0 * n_quarters
    if n_quarters % 2:
        turned[0, 2:4] = b[0, 3], b[0, 2]
    corners = [
        np.array([[x - w / 2, y - h / 2, x + w / 2, y + h / 2]]) for x, y, w, h in (one, other)
    ]
    assert likeness.rotated_iou(a, turned)[0] == pytest.approx(iou(*corners)[0], abs=1e-9)
    assert likeness.rotated_iou(a, a)[0] == pytest.approx(1)


def test_a_turned_box_scores_less() -> None:
    a = np.array([[50.0, 50, 40, 10, 0]])
    turned = [a + np.array([0, 0, 0, 0, turn]) for turn in (0, 10, 30, 90)]
    scores = [likeness.rotated_iou(a, b)[0] for b in turned]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == pytest.approx(1)
    assert scores[3] == pytest.approx(100 / 700)


def test_polygons_of_several_parts_and_crossing_outlines() -> None:
    square = [[0.0, 0, 4, 0, 4, 4, 0, 4]]
    halves = [[0.0, 0, 2, 0, 2, 4, 0, 4], [2.0, 0, 4, 0, 4, 4, 2, 4]]
    bow = [[0.0, 0, 4, 4, 4, 0, 0, 4]]
    got = likeness.polygon_iou([square, square, square], [square, halves, bow])
    np.testing.assert_allclose(got, [1, 1, 0.5])


def test_polygons_agree_with_counting_pixels() -> None:
    from PIL import Image, ImageDraw

    rng = np.random.default_rng(1)
    for _ in range(5):
        shapes, drawn = [], []
        for _ in range(2):
            angle = np.sort(rng.uniform(0, 2 * np.pi, 12))
            radius = rng.uniform(150, 250, 12)
            points = np.stack([300 + radius * np.cos(angle), 300 + radius * np.sin(angle)], axis=1)
            picture = Image.new("1", (600, 600))
            ImageDraw.Draw(picture).polygon([tuple(p) for p in points.tolist()], fill=1)
            shapes.append([points.ravel().tolist()])
            drawn.append(np.array(picture))
        wanted = (drawn[0] & drawn[1]).sum() / (drawn[0] | drawn[1]).sum()
        assert likeness.polygon_iou([shapes[0]], [shapes[1]])[0] == pytest.approx(wanted, abs=0.01)


def test_a_point_that_only_one_placed_counts_against_them() -> None:
    a = np.array([[[0.0, 0, 2], [5, 5, 1]]])
    b = np.array([[[0.0, 0, 2], [5, 5, 0]]])
    area = np.array([100.0])
    assert likeness.keypoint_similarity(a, b, area)[0] == pytest.approx(0.5)
    assert likeness.keypoint_similarity(b, b, area)[0] == pytest.approx(1)
    nobody = np.zeros((1, 2, 3))
    assert likeness.keypoint_similarity(nobody, nobody, area)[0] == 1


def test_a_spread_is_learnt_from_redundant_labels() -> None:
    rng = np.random.default_rng(2)
    size = rng.uniform(20, 200, 4000)
    sigma = np.array([0.02, 0.1])
    offset = rng.normal(0, 1, (4000, 2, 2)) * sigma[None, :, None] * size[:, None, None]
    np.testing.assert_allclose(likeness.own_sigma(offset, size), sigma, rtol=0.05)
