"""Consensus: published tables, planted truth, the real crowd against its gold, brute force."""

from __future__ import annotations

import ast
import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.calc import consensus, units


def test_the_anaesthetists_of_1979(shared_data: Path) -> None:
    published = json.loads((shared_data / "reference_numbers.json").read_text())
    wanted = published["anaesthetists_dawid_skene"]
    table = np.loadtxt(shared_data / "anaesthetists" / "anesthesia.csv", delimiter=",", skiprows=1)
    unit, person, class_ = (table[:, i].astype(np.int64) - 1 for i in range(3))
    found = consensus.dawid_skene(
        unit, person, class_, 4, prior=(0.0, 0.0), iterations=500, tolerance=1e-9
    )
    np.testing.assert_allclose(found.share, wanted["marginals"], atol=6e-4)
    labels = [int(word) - 1 for word in wanted["labels"].split()]
    assert found.probability.argmax(axis=1).tolist() == labels


def test_bluebirds_whose_annotators_are_partly_inverted(shared_data: Path) -> None:
    import yaml

    folder = shared_data / "bluebirds" / "bluebirds"
    said = yaml.safe_load((folder / "labels.yaml").read_text())
    truth = yaml.safe_load((folder / "gt.yaml").read_text())
    rows = np.array([(u, p, int(c)) for p, marks in said.items() for u, c in marks.items()])
    found = consensus.dawid_skene(*rows.T, 2)
    right = np.array([int(truth[u]) for u in found.unit.tolist()])
    majority = np.bincount(np.searchsorted(found.unit, rows[:, 0]), rows[:, 2]) * 2 > 39
    assert (majority == right).mean() == pytest.approx(0.7593, abs=5e-4)
    assert (found.probability.argmax(axis=1) == right).mean() == pytest.approx(0.8889, abs=0.01)


def planted(
    n: int, rng: np.random.Generator, n_people: int = 20, n_classes: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return truth, annotators and opinions: METHODS 5.1, three of twenty annotators for each unit.

    The rare last class is called by its neighbour's name by 30 % of the annotators.
    """
    share = 1 / np.arange(1, n_classes + 1) ** 1.2
    share /= share.sum()
    share[-1] = 0.01
    share /= share.sum()
    truth = rng.choice(n_classes, n, p=share)
    habit = np.zeros((n_people, n_classes, n_classes))
    for person in range(n_people):
        is_sloppy = rng.random() < 0.15
        right = rng.uniform(0.5, 0.75) if is_sloppy else np.clip(rng.normal(0.92, 0.05), 0.6, 0.99)
        wrong = rng.dirichlet(np.ones(n_classes) * 0.3, n_classes)
        np.fill_diagonal(wrong, 0)
        habit[person] = (1 - right) * wrong / wrong.sum(axis=1, keepdims=True)
        np.fill_diagonal(habit[person], right)
        if person < 0.3 * n_people:
            habit[person, -1] = 0
            habit[person, -1, -2:] = (0.8, 0.2)
    person = np.argsort(rng.random((n, n_people)), axis=1)[:, :3]
    drawn = rng.random((n, 3, 1)) > habit[person, truth[:, None]].cumsum(axis=2)
    return truth, person, np.minimum(drawn.sum(axis=2), n_classes - 1)


def test_a_rare_class_that_a_third_misname_is_recovered() -> None:
    # METHODS 5.1: accuracy/rare recall/rare precision .991/.935/.939; majority .976/.737/.915
    figures = []
    for seed in range(4):
        truth, person, said = planted(6_000, np.random.default_rng(seed))
        unit = np.repeat(np.arange(len(truth)), 3)
        found = consensus.dawid_skene(unit, person.ravel(), said.ravel(), 10)
        got = found.probability.argmax(axis=1)
        rare, called = truth == 9, got == 9
        figures.append(
            ((got == truth).mean(), (got[rare] == 9).mean(), (truth[called] == 9).mean())
        )
    accuracy, recall, precision = np.mean(figures, axis=0)
    assert accuracy > 0.985
    assert recall > 0.88
    assert precision > 0.88


def test_gold_is_believed_and_teaches_the_annotators_habits() -> None:
    # two annotators always swap the classes, one is right: only gold can tell
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 200)
    said = np.stack([truth, 1 - truth, 1 - truth], axis=1)
    unit = np.repeat(np.arange(200), 3)
    person = np.tile(np.arange(3), 200)
    blind = consensus.dawid_skene(unit, person, said.ravel(), 2)
    assert (blind.probability.argmax(axis=1) == truth).mean() < 0.1
    gold = np.arange(60)
    told = consensus.dawid_skene(unit, person, said.ravel(), 2, known=(gold, truth[:60]))
    assert (told.probability.argmax(axis=1) == truth).all()


def test_a_model_tips_what_opinions_leave_open() -> None:
    posterior = np.array([[0.5, 0.5], [0.9, 0.1]])
    model = np.array([[0.2, 0.8], [0.4, 0.6]])
    got = consensus.with_model(posterior, model)
    assert got.argmax(axis=1).tolist() == [1, 0]
    np.testing.assert_allclose(got.sum(axis=1), 1)


def soft_iou(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mean of best overlaps both ways, pixels counted inclusively as the data's own metric."""
    if len(a) == 0 or len(b) == 0:
        return float(len(a) == len(b))
    size = np.clip(
        np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2]) + 1,
        0,
        None,
    )
    both = size.prod(axis=2)

    def area(x: np.ndarray) -> np.ndarray:
        found: np.ndarray = (x[:, 2:] - x[:, :2] + 1).prod(axis=1)
        return found

    table = both / (area(a)[:, None] + area(b)[None] - both)
    return float((table.max(axis=1).mean() + table.max(axis=0).mean()) / 2)


def test_medians_of_the_crowd_come_nearest_to_its_gold(shared_data: Path) -> None:
    # METHODS 5.2 [real]: cluster and coordinate median, tau .4, quorum .3: soft IoU .723
    folder = shared_data / "crowd_boxes"
    gold = {
        int(key): np.array([[*a, *b] for a, b in map(ast.literal_eval, boxes)]).reshape(-1, 4)
        for key, boxes in json.loads((folder / "boundingbox_gold.json").read_text()).items()
    }
    rows, asked = [], {}
    with (folder / "boundingbox_data.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            key = (int(row["item"]), int(row["uid"]))
            asked.setdefault(key[0], []).append(key[1])
            for (x0, y0), (x1, y1) in ast.literal_eval(row["annotation"]):
                rows.append((*key, min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
    table = np.array(sorted(rows, key=lambda r: r[0]))
    asset, person = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
    n_asked = np.array([len(asked[key]) for key in asset.tolist()])
    same = np.zeros(len(table), np.int64)
    found = units.units(asset, person, same, table[:, 2:], n_asked=n_asked, tau=0.4)
    boxes = consensus.median_boxes(found.unit, table[:, 2:])
    n_in, n_of, image = np.bincount(found.unit), np.zeros(found.n_units), np.zeros(found.n_units)
    n_of[found.unit], image[found.unit] = n_asked, asset
    # the table's own rule is a plain share of 30 %
    kept = n_in >= 0.3 * n_of
    scores = [soft_iou(boxes[kept & (image == key)], gold[key]) for key in gold if key in asked]
    assert np.mean(scores) == pytest.approx(0.723, abs=2e-3)


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-50, 50)), min_size=1, max_size=20))
def test_medians_are_medians(rows: list[tuple[int, float]]) -> None:
    _, unit = np.unique([u for u, _ in rows], return_inverse=True)
    values = np.array([[v, -v] for _, v in rows])
    got = consensus.median_boxes(unit, values)
    for u in range(unit.max() + 1):
        np.testing.assert_allclose(got[u], np.median(values[unit == u], axis=0))


def test_a_box_turned_by_a_quarter_is_the_same_box_with_its_sides_exchanged() -> None:
    box = np.array([[5.0, 5, 10, 4, 10], [5, 5, 4, 10, 100], [5, 5, 10, 4, 192]])
    got = consensus.median_rotated(np.zeros(3, np.int64), box)
    np.testing.assert_allclose(got, [[5, 5, 10, 4, 10]])


def test_a_tie_of_masks_shows_the_pixel() -> None:
    masks = np.zeros((2, 2, 2), bool)
    masks[0, 0, 0] = masks[0, 1, 1] = masks[1, 1, 1] = True
    assert consensus.majority_mask(masks).tolist() == [[True, False], [False, True]]
    assert consensus.medoid(np.array([[1, 0.5, 0.6], [0.5, 1, 0.1], [0.6, 0.1, 1]])) == 0


@given(st.lists(st.tuples(st.integers(-20, 20), st.integers(-20, 20)), min_size=1, max_size=7))
def test_no_step_away_from_the_geometric_median_is_shorter(places: list[tuple[int, int]]) -> None:
    points = np.array(places, float)[:, None, :]
    got = consensus.geometric_medians(points, np.ones((len(places), 1), bool))[0]

    def total(at: np.ndarray) -> float:
        return float(np.sqrt(((points[:, 0] - at) ** 2).sum(axis=1)).sum())

    steps = 1e-3 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    assert all(total(got) <= total(got + step) + 1e-4 for step in steps)
    absent = consensus.geometric_medians(points, np.zeros((len(places), 1), bool))
    assert np.isnan(absent).all()


def test_a_quorum_is_two_and_three_in_ten() -> None:
    n = np.array([1, 2, 2, 3, 3])
    asked = np.array([1, 2, 7, 10, 11])
    assert consensus.has_quorum(n, asked).tolist() == [False, True, False, True, False]


@given(st.integers(0, 10**6))
def test_one_unit_with_a_weight_is_as_good_as_many_alike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    said = rng.integers(0, 3, (6, 4))
    n = rng.integers(1, 5, 6)
    unit, person = np.repeat(np.arange(6), 4), np.tile(np.arange(4), 6)
    once = consensus.dawid_skene(unit, person, said.ravel(), 3, weight=n.astype(float))
    many = np.repeat(np.arange(6), n)
    units, people = np.repeat(np.arange(len(many)), 4), np.tile(np.arange(4), len(many))
    often = consensus.dawid_skene(units, people, said[many].ravel(), 3)
    np.testing.assert_allclose(once.probability[many], often.probability, atol=1e-9)
    np.testing.assert_allclose(once.share, often.share, atol=1e-9)
