"""Matches and figures beside the evaluator's own run over the same labels and detections."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

from lineage.calc.detection_units import Fault, faults, image_errors, moved
from lineage.calc.detections import best_threshold, match, objects, precisions

BOX = np.array([[0.0, 0.0, 10.0, 10.0], [100.0, 100.0, 120.0, 130.0]])


def world(seed, *, n_images, n, m, n_classes, decimals=2, crowds=0.1):
    rng = np.random.default_rng(seed)
    image, class_ = rng.integers(n_images, size=n), rng.integers(n_classes, size=n)
    low = rng.integers(0, 200, (n, 2)).astype(float)
    box = np.hstack([low, low + rng.integers(20, 60, (n, 2))])
    near = rng.permutation(n)[: m // 2]
    shifted = box[near] + rng.integers(-9, 9, (len(near), 4))
    anywhere = rng.integers(0, 200, (m - len(near), 2)).astype(float)
    truth = objects(image, class_, box, is_crowd=rng.random(n) < crowds)
    found = objects(
        np.concatenate([image[near], rng.integers(n_images, size=m - len(near))]),
        np.concatenate([class_[near], rng.integers(n_classes, size=m - len(near))]),
        np.vstack([shifted, np.hstack([anywhere, anywhere + 40])]),
        score=np.round(rng.random(m), decimals),
    )
    return truth, found


def summary(truth, found, n_images, n_classes):
    """Run the evaluator as its documentation shows; precision and recall at IoU .5, all areas, 100."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def told(side, at):
        x, y, right, bottom = side.box[at].tolist()
        size = {"bbox": [x, y, right - x, bottom - y], "area": (right - x) * (bottom - y)}
        return size | {"image_id": int(side.image[at]), "category_id": int(side.class_[at])}

    with contextlib.redirect_stdout(io.StringIO()):
        labels = COCO()
        labels.dataset = {
            "images": [{"id": at} for at in range(n_images)],
            "categories": [{"id": at} for at in range(n_classes)],
            "annotations": [
                told(truth, at) | {"id": at + 1, "iscrowd": int(truth.is_crowd[at])}
                for at in range(len(truth))
            ],
        }
        labels.createIndex()
        results = [told(found, at) | {"score": float(found.score[at])} for at in range(len(found))]
        evaluator = COCOeval(labels, labels.loadRes(results), "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
    return (
        evaluator.eval["precision"][0, :, :, 0, 2].mean(axis=0),
        evaluator.eval["recall"][0, :, 0, 2],
    )


@pytest.mark.parametrize("seed", range(3))
def test_recall_of_the_labels_and_average_precision_are_the_evaluators(seed):
    truth, found = world(seed, n_images=20, n=120, m=260, n_classes=3, decimals=1)
    matches = match(truth, found)
    precision, recall = summary(truth, found, 20, 3)
    figures = precisions(truth, found, matches, 3)
    np.testing.assert_allclose(figures[:, 0], precision, atol=1e-12)
    np.testing.assert_allclose(figures[:, 1], recall, atol=1e-12)
    fault = faults(truth, found, matches, threshold=0.0)
    own = [(fault[(truth.class_ == at) & ~truth.is_crowd] == Fault.NONE).mean() for at in range(3)]
    np.testing.assert_allclose(own, recall, atol=1e-12)


@pytest.mark.slow
def test_recall_is_the_evaluators_with_more_than_a_hundred_detections_on_an_image():
    truth, found = world(7, n_images=4, n=300, m=3000, n_classes=2, decimals=3)
    matches = match(truth, found)
    precision, recall = summary(truth, found, 4, 2)
    figures = precisions(truth, found, matches, 2)
    assert not matches.is_counted.all()
    np.testing.assert_allclose(figures, np.column_stack([precision, recall]), atol=1e-12)


def test_a_label_is_found_missed_or_of_another_class():
    truth = objects(np.array([0, 0, 1]), np.array([0, 1, 0]), BOX[[0, 1, 0]])
    found = objects(np.zeros(2), np.zeros(2), BOX, score=np.array([0.9, 0.8]))
    told = faults(truth, found, match(truth, found), threshold=0.5)
    assert told.tolist() == [Fault.NONE, Fault.OTHER_CLASS, Fault.MISSED]


def test_a_detection_below_the_threshold_finds_nothing():
    truth = objects(np.zeros(1), np.zeros(1), BOX[:1])
    found = objects(np.zeros(1), np.zeros(1), BOX[:1], score=np.array([0.3]))
    matches = match(truth, found)
    assert faults(truth, found, matches, threshold=0.3).tolist() == [Fault.NONE]
    assert faults(truth, found, matches, threshold=0.31).tolist() == [Fault.MISSED]


def test_a_crowd_is_neither_missed_nor_a_reason_for_false_alarms():
    truth = objects(np.zeros(1), np.zeros(1), BOX[:1], is_crowd=np.array([True]))
    found = objects(np.zeros(2), np.zeros(2), BOX[[0, 0]] * 0.9, score=np.array([0.9, 0.8]))
    matches = match(truth, found)
    assert matches.is_ignored.all()
    assert faults(truth, found, matches, threshold=0.1).tolist() == [Fault.NONE]
    assert len(image_errors(truth, found, matches, threshold=0.1).image) == 0


def test_nothing_on_either_side_is_no_error():
    none = objects(np.zeros(0), np.zeros(0), np.zeros((0, 4)))
    some = objects(np.zeros(1), np.zeros(1), BOX[:1])
    assert faults(some, none, match(some, none), threshold=0.5).tolist() == [Fault.MISSED]
    assert image_errors(none, some, match(none, some), threshold=0.5).n_false.tolist() == [1]
    assert best_threshold(some, none, match(some, none)) == 0.5
    assert precisions(some, none, match(some, none), 2)[0].tolist() == [0.0, 0.0]


def test_the_threshold_is_the_one_of_the_highest_f1():
    truth = objects(np.array([0, 1]), np.zeros(2), BOX)
    found = objects(
        np.array([0, 1, 1, 2]), np.zeros(4), BOX[[0, 1, 0, 0]], score=np.array([0.9, 0.6, 0.6, 0.2])
    )
    # above .6: 1 right of 1, F1 2/3; from .6 on 2 right of 3, F1 4/5; all 2 of 4, F1 2/3
    assert best_threshold(truth, found, match(truth, found)) == 0.6


def test_the_error_of_an_image_is_one_less_f1():
    truth = objects(np.array([0, 0]), np.zeros(2), BOX)
    found = objects(np.array([0, 0]), np.zeros(2), BOX[[0, 0]], score=np.array([0.9, 0.8]))
    told = image_errors(truth, found, match(truth, found), threshold=0.5)
    assert (told.n_right.tolist(), told.n_false.tolist(), told.n_missed.tolist()) == ([1], [1], [1])
    assert told.error.tolist() == [0.5]


def test_the_order_of_labels_and_classes_changes_no_fault():
    truth, found = world(3, n_images=10, n=60, m=90, n_classes=3)
    told = faults(truth, found, match(truth, found), threshold=0.4)
    order = np.random.default_rng(0).permutation(len(truth))
    turned = truth.where(order)
    assert (told != Fault.NONE).mean() > 0.1
    again = faults(turned, found, match(turned, found), threshold=0.4)
    # labels of equal overlap may change places, their number may not
    assert np.bincount(again, minlength=3).tolist() == np.bincount(told, minlength=3).tolist()


def test_a_truth_that_moved_shows_and_one_that_did_not_does_not():
    truth, found = world(5, n_images=60, n=240, m=300, n_classes=2, crowds=0.0)
    errors = image_errors(truth, found, match(truth, found), threshold=0.0)
    rng = np.random.default_rng(1)
    same = moved(errors, errors, 2, rng, n_replicates=40)
    assert (same.low == 0).all()
    assert (same.high == 0).all()
    box = truth.box.copy()
    box[truth.class_ == 1] += 60.0
    shifted = objects(truth.image, truth.class_, box)
    other = image_errors(shifted, found, match(shifted, found), threshold=0.0)
    told = moved(errors, other, 2, rng, n_replicates=100)
    assert told.high[1] < 0
    assert told.low[0] == told.high[0] == 0
    assert told.old[2] > told.new[2]
