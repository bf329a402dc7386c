"""Outcomes of labels under one run and two, from files of predictions."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from lineage import columns
from lineage.activities.outcomes import eval_moved, judge, read_outcomes, read_predictions
from lineage.formats.predictions import Known

ASSETS = ("one.jpg", "two.jpg", "three.jpg")
KNOWN = Known(ASSETS, ("cat", "dog"))


def labels(*rows, kind="box"):
    """Return `columns.DATASET` of (annotation, asset, class, box or None, attributes)."""
    values = {name: [] for name in ("annotation", "asset", "class", "attributes", *columns.BOX)}
    for annotation, asset, class_, box, *rest in rows:
        told = [annotation, asset, class_, *(rest or ["{}"]), *(box or [None] * 4)]
        for name, value in zip(values, told, strict=True):
            values[name].append(value)
    n = len(rows)
    same = dict.fromkeys(("annotator", "schema", "batch", "stage", "origin", "split"), "x")
    batch = columns.batch_of(
        columns.DATASET, {**values, **same, "kind": kind, "revision": np.arange(1, n + 1)}, n
    )
    return pa.Table.from_batches([batch])


def run(tmp_path, told, name="p.json"):
    path = tmp_path / name
    path.write_text(told if isinstance(told, str) else json.dumps(told))
    return read_predictions(path, KNOWN)


def output(*found):
    boxes, names, scores = zip(*found, strict=True) if found else ((), (), ())
    return {"boxes": boxes, "labels": names, "scores": scores}


BOX = [0.0, 0.0, 10.0, 10.0]
FAR = [50.0, 50.0, 70.0, 80.0]
LABELS = labels(
    (1, "one.jpg", "cat", BOX),
    (2, "one.jpg", "dog", FAR),
    (3, "two.jpg", "cat", BOX),
    (4, "three.jpg", "cat", BOX),
)
GOOD = {"one": output((BOX, "cat", 0.9), (FAR, "dog", 0.8)), "two": output((BOX, "cat", 0.7))}
BAD = {"one": output((BOX, "cat", 0.9), (FAR, "cat", 0.9)), "two": output()}


def by_annotation(table):
    return {row["annotation"]: row for row in table.to_pylist()}


def test_two_runs_give_an_error_each_and_say_what_is_wrong(tmp_path):
    found = judge(LABELS, run(tmp_path, GOOD), run(tmp_path, BAD))
    rows = by_annotation(found.labels)
    assert {key: (row["good"], row["bad"], row["bad_fault"]) for key, row in rows.items()} == {
        1: (0.0, 0.0, None),
        2: (0.0, 1.0, "other_class"),
        3: (0.0, 1.0, "missed"),
    }
    assert found.n_not_shown == 1
    assert "1 labels are on images" in " ".join(found.notes)
    units = {(r["asset"], r["class"]): (r["good"], r["bad"]) for r in found.images.to_pylist()}
    assert units == {
        ("one.jpg", "cat"): (0.0, pytest.approx(1 / 3)),
        ("one.jpg", "dog"): (0.0, 1.0),
        ("two.jpg", "cat"): (0.0, 1.0),
    }


def test_one_run_gives_disagreement_and_no_error_of_a_pair(tmp_path):
    found = judge(LABELS, run(tmp_path, BAD))
    rows = by_annotation(found.labels)
    assert {key: (r["disagrees"], r["good"], r["bad"]) for key, r in rows.items()} == {
        1: (0.0, None, None),
        2: (1.0, None, None),
        3: (1.0, None, None),
    }


def test_an_image_without_labels_counts_its_false_detections(tmp_path):
    found = judge(
        LABELS.slice(0, 1),
        run(tmp_path, {"one": output((BOX, "cat", 0.9)), "three": output((FAR, "dog", 0.95))}),
    )
    units = {(r["asset"], r["class"]): r["disagrees"] for r in found.images.to_pylist()}
    assert units[("three.jpg", "dog")] == 1.0


def test_crowds_have_no_outcome_and_are_counted(tmp_path):
    crowd = labels((1, "one.jpg", "cat", BOX), (2, "one.jpg", "dog", FAR, '{"iscrowd":1}'))
    found = judge(crowd, run(tmp_path, GOOD))
    assert (found.n_crowd, found.labels["annotation"].to_pylist()) == (1, [1])


def test_images_that_are_classified_are_judged_by_their_likeliest_class(tmp_path):
    whole = labels(
        (1, "one.jpg", "cat", None),
        (2, "two.jpg", "dog", None),
        (3, "three.jpg", "cat", None),
        kind="class",
    )
    good = run(
        tmp_path, "asset,class,score\none,cat,0.9\none,dog,0.1\ntwo,cat,0.4\ntwo,dog,0.6\n", "g.csv"
    )
    bad = run(tmp_path, "asset,class,score\none,cat,0.3\none,dog,0.7\n", "b.csv")
    rows = by_annotation(judge(whole, good, bad).labels)
    assert {key: (r["good"], r["bad"], r["bad_fault"]) for key, r in rows.items()} == {
        1: (0.0, 1.0, "wrong_class"),
        2: (0.0, None, None),
    }


def test_no_labels_and_no_predictions_are_no_outcomes(tmp_path):
    assert judge(LABELS, run(tmp_path, "[]")).n_not_shown == 4
    found = judge(LABELS.slice(0, 0), run(tmp_path, GOOD))
    assert (len(found.labels), len(found.images)) == (0, 3)


def test_a_table_of_outcomes_stands_beside_what_is_worked_out(tmp_path):
    path = tmp_path / "e.csv"
    path.write_text("annotation,disagrees\n1,1\n99,0\n")
    found = read_outcomes(path, KNOWN, np.array([1, 2]))
    assert found.labels["annotation"].to_pylist() == [1]
    assert found.violations["rule"].to_pylist() == ["unknown-annotation"]


def test_a_ground_truth_that_moved_is_told_class_by_class(tmp_path):
    # forty images, all found; in the newer truth every dog stands elsewhere
    names = [f"{at}.jpg" for at in range(40)]
    old = [
        (2 * at + k, name, c, b)
        for at, name in enumerate(names)
        for k, (c, b) in enumerate((("cat", BOX), ("dog", FAR)))
    ]
    new = [(a, n, c, BOX if c == "dog" and a % 4 == 1 else b) for a, n, c, b in old]
    path = tmp_path / "p.json"
    path.write_text(json.dumps({n: output((BOX, "cat", 0.9), (FAR, "dog", 0.9)) for n in names}))
    found = read_predictions(path, Known(tuple(names)))
    told = eval_moved(found, labels(*old), labels(*new), np.random.default_rng(0), n_replicates=60)
    rows = {row["class"]: row for row in told["classes"]}
    assert told["has_moved"] is True
    assert (rows["cat"]["recall_difference"], rows["cat"]["recall_high"]) == (0.0, 0.0)
    assert (rows["dog"]["recall_old"], rows["dog"]["recall_new"]) == (1.0, 0.5)
    assert rows["dog"]["recall_high"] < 0
    assert (rows["dog"]["ap50_old"], rows[None]["ap50_old"]) == (1.0, 1.0)
    still = eval_moved(found, labels(*old), labels(*old), np.random.default_rng(0), n_replicates=20)
    assert still["has_moved"] is False


def test_classes_of_whole_images_that_moved_are_told_by_accuracy(tmp_path):
    # forty images, half of them dogs, all told right; in the newer truth ten dogs are cats
    said = ["cat" if at % 2 else "dog" for at in range(40)]
    names = [f"{at}.jpg" for at in range(40)]
    old = [(at, names[at], said[at], None) for at in range(40)]
    new = [(at, name, "cat" if at % 4 == 0 else class_, None) for at, name, class_, _ in old]
    path = tmp_path / "p.csv"
    rows = [f"{name},{class_},0.9\n" for name, class_ in zip(names, said, strict=True)]
    path.write_text("".join(["asset,class,score\n", *rows]))
    found = read_predictions(path, Known(tuple(names)))
    truths = [labels(*rows, kind="class") for rows in (old, new)]
    told = eval_moved(found, *truths, np.random.default_rng(0), n_replicates=60)
    by_class = {row["class"]: row for row in told["classes"]}
    assert told["has_moved"] is True
    assert told["threshold"] is None
    assert [by_class[None][name] for name in ("n_old", "n_new", "ap50_old")] == [40, 40, None]
    assert (by_class[None]["recall_old"], by_class[None]["recall_new"]) == (1.0, 0.75)
    assert (by_class[None]["f1_new"], by_class["cat"]["n_new"]) == (0.75, 30)
    assert by_class["cat"]["recall_new"] == pytest.approx(20 / 30)
    assert (by_class["dog"]["recall_new"], by_class["dog"]["f1_new"]) == (
        1.0,
        pytest.approx(20 / 30),
    )
    still = eval_moved(found, truths[0], truths[0], np.random.default_rng(0), n_replicates=20)
    assert still["has_moved"] is False


def test_with_the_ground_truths_file_all_its_images_were_shown(tmp_path):
    truth = tmp_path / "truth.json"
    images = [{"id": 1, "file_name": "one.jpg"}, {"id": 2, "file_name": "folder/two.jpg"}]
    truth.write_text(json.dumps({"images": images, "categories": [{"id": 1, "name": "cat"}]}))
    path = tmp_path / "p.json"
    path.write_text('[{"image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 10], "score": 0.9}]')
    found = judge(LABELS, read_predictions(path, Known(ASSETS, truth=truth)))
    rows = {key: row["disagrees"] for key, row in by_annotation(found.labels).items()}
    assert rows == {1: 0.0, 2: 1.0, 3: 1.0}
    assert found.n_not_shown == 1
