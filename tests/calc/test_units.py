"""Gathering several annotators' labels by object: published figures, properties, brute force."""

from __future__ import annotations

import ast
import csv
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.calc import coefficients, units
from lineage.calc.geometry import iou
from lineage.calc.units import Units

Labels = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def gathered(found: Labels, n_people: int, *, tau: float = 0.5) -> Units:
    asset, annotator, class_, box = found
    n_asked = np.full(len(asset), n_people)
    return units.units(asset, annotator, class_, box, n_asked=n_asked, tau=tau)


def identical(n_boxes: int, n_people: int) -> Labels:
    """Return the same ``n_boxes`` equal boxes, drawn by everybody."""
    n = n_boxes * n_people
    box = np.tile([[10.0, 10, 30, 30]], (n, 1))
    return np.zeros(n, np.int64), np.repeat(np.arange(n_people), n_boxes), np.zeros(n, int), box


@pytest.mark.parametrize("n_people", [2, 3, 5])
def test_identical_sets_pair_off_even_where_all_boxes_are_equal(n_people: int) -> None:
    found = gathered(identical(5, n_people), n_people)
    assert found.n_units == 5
    assert (np.bincount(found.unit) == n_people).all()


def test_real_crowd_boxes_have_the_published_alpha(shared_data: Path) -> None:
    # METHODS 1.2: alpha with "missing" as a category, as papers print it, at three thresholds
    rows, roster = [], []
    with (shared_data / "crowd_boxes" / "boundingbox_data.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            roster.append(int(row["item"]))
            for (x0, y0), (x1, y1) in ast.literal_eval(row["annotation"]):
                box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
                rows.append((int(row["item"]), int(row["uid"]), *box))
    table = np.array(sorted(rows, key=lambda r: r[0]))
    asset, annotator = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
    asked = np.bincount(roster)[asset]
    same = np.zeros(len(table), np.int64)
    assert (len(roster), len(table)) == (1723, 7533)
    for tau, published in ((0.25, 0.4441), (0.5, 0.4346), (0.75, 0.2353)):
        found = units.units(asset, annotator, same, table[:, 2:], n_asked=asked, tau=tau)
        n_in, n_of = np.bincount(found.unit), np.zeros(found.n_units, np.int64)
        n_of[found.unit] = asked
        unit = np.repeat(np.arange(found.n_units), n_of)
        said = np.concatenate(
            [np.repeat([0, 1], [n, m - n]) for n, m in zip(n_in, n_of, strict=True)]
        )
        alpha = coefficients.alpha(coefficients.tally(unit, said, 2))
        assert alpha == pytest.approx(published, abs=5e-5)


boxes = st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(2, 6), st.integers(2, 6))
images = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 1), boxes),
    max_size=14,
)


def table_of(rows: list[tuple[int, int, int, tuple[int, int, int, int]]]) -> Labels:
    rows = sorted(rows, key=lambda r: r[0])
    asset, annotator, class_ = (np.array([r[i] for r in rows], np.int64) for i in range(3))
    box = np.array([(x, y, x + w, y + h) for *_, (x, y, w, h) in rows], float).reshape(-1, 4)
    return asset, annotator, class_, box


@given(images)
def test_nobody_stands_twice_in_a_unit_and_no_unit_spans_images(
    rows: list[tuple[int, int, int, tuple[int, int, int, int]]],
) -> None:
    asset, annotator, class_, box = table_of(rows)
    found = gathered((asset, annotator, class_, box), 3, tau=0.3)
    pairs = {(u, p) for u, p in zip(found.unit.tolist(), annotator.tolist(), strict=True)}
    assert len(pairs) == len(rows)
    for u in range(found.n_units):
        assert len(set(asset[found.unit == u].tolist())) == 1
    assert (np.diff([asset[found.unit == u][0] for u in range(found.n_units)]) >= 0).all()


@given(images, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(
    rows: list[tuple[int, int, int, tuple[int, int, int, int]]], random: object
) -> None:
    # with distinct weights; equal ones may be paired off either way
    asset, annotator, class_, box = table_of(rows)
    edges = units.edges(asset, annotator, box, tau=0.3)
    weight = np.round(edges.overlap + (class_[edges.a] == class_[edges.b]), 12)
    if len(np.unique(weight)) < len(weight):
        return
    order = np.lexsort((np.arange(len(asset))[::-1], asset))
    before = gathered((asset, annotator, class_, box), 3, tau=0.3)
    shuffled = gathered((asset[order], annotator[order], class_[order], box[order]), 3, tau=0.3)
    after = np.empty(len(asset), np.int64)
    after[order] = shuffled.unit
    together = np.stack([before.unit, after], axis=1) if len(asset) else np.zeros((0, 2))
    assert len(np.unique(together, axis=0)) == before.n_units == shuffled.n_units


@given(st.lists(boxes, min_size=1, max_size=4), st.lists(boxes, min_size=1, max_size=4))
def test_two_annotators_are_paired_as_well_as_any_pairing_could(
    mine: list[tuple[int, int, int, int]], yours: list[tuple[int, int, int, int]]
) -> None:
    rows = [(0, 0, 0, b) for b in mine] + [(0, 1, 0, b) for b in yours]
    asset, annotator, class_, box = table_of(rows)
    found = gathered((asset, annotator, class_, box), 2, tau=0.2)
    overlap = np.array(
        [[iou(box[[i]], box[[j]])[0] for j in range(len(box))] for i in range(len(box))]
    )
    weight = np.where(overlap >= 0.2, overlap + 1, 0.0)[: len(mine), len(mine) :]

    def total(pairs: list[tuple[int, int]]) -> float:
        return sum(weight[i, j] for i, j in pairs)

    small, large = sorted((len(mine), len(yours)))
    best = max(
        total(list(zip(range(small), p, strict=True)))
        if len(mine) <= len(yours)
        else total(list(zip(p, range(small), strict=True)))
        for p in permutations(range(large), small)
    )
    got = 0.0
    for u in range(found.n_units):
        members = np.flatnonzero(found.unit == u)
        if len(members) == 2:
            got += weight[members[0], members[1] - len(mine)]
    assert got == pytest.approx(best)


def test_a_block_of_pairs_may_end_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    asset = np.sort(rng.integers(0, 20, 200))
    corner = rng.uniform(0, 50, (200, 2))
    found = (asset, rng.integers(0, 3, 200), rng.integers(0, 2, 200))
    box = np.concatenate([corner, corner + rng.uniform(5, 40, (200, 2))], axis=1)
    whole = units.edges(asset, found[1], box, tau=0.3)
    monkeypatch.setattr(units, "_BLOCK_PAIRS", 7)
    cut = units.edges(asset, found[1], box, tau=0.3)
    np.testing.assert_array_equal(np.stack([cut.a, cut.b]), np.stack([whole.a, whole.b]))


def test_a_threshold_may_depend_on_the_object() -> None:
    box = np.array([[0.0, 0, 10, 10], [0, 0, 10, 4], [0, 20, 100, 120], [0, 20, 100, 60]])
    zero, person = np.zeros(4, np.int64), np.array([0, 1, 0, 1])
    area = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
    tau = np.where(area < 1000, 0.3, 0.6)
    found = units.units(zero, person, zero, box, n_asked=zero + 2, tau=tau)
    assert found.unit.tolist() == [0, 0, 1, 2]
