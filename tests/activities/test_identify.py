"""Which annotation is it: planted truth, ids that lie, and what becomes of every label."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from lineage import columns
from lineage.activities import identify
from lineage.activities.identify import ADD, SUPERSEDE, UNCHANGED, Plan
from lineage.activities.prior import Keys, Prior, keys_of
from lineage.activities.select import LiveState
from lineage.calc.matching import HOWS
from tests import planted
from tests.planted import IDS, judge, plant

LEAST = 0.99


def told(ids: str, judged: planted.Judged, plan: Plan) -> str:
    share, low, high = judged.share()
    changed = plan.is_inferred & (plan.operation == SUPERSEDE)
    return (
        f"ids {ids}: right {share:.5f} [{low:.5f}, {high:.5f}] of {len(judged.is_right):,} labels; "
        f"by {plan.used}; {int(changed.sum()):,} inferred, "
        f"{int((changed & plan.is_ambiguous).sum()):,} ambiguous; {judged.table()}"
    )


@pytest.mark.parametrize("ids", IDS)
def test_planted_identities_are_found_again(ids: str) -> None:
    found = plant(11, 9_000, ids=ids)
    plan = identify.plan(found.new, found.prior())
    judged = judge(found, plan.prior)
    assert judged.share()[1] >= LEAST, told(ids, judged, plan)


@pytest.mark.slow
@pytest.mark.parametrize("ids", IDS)
def test_planted_identities_are_found_again_among_many(
    ids: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = plant(12, 200_000, ids=ids)
    plan = identify.plan(found.new, found.prior())
    judged = judge(found, plan.prior)
    with capsys.disabled():
        print("\n" + told(ids, judged, plan))
    assert len(judged.is_right) >= 200_000
    assert judged.share()[1] >= LEAST


@pytest.mark.slow
@pytest.mark.parametrize(("edited", "spread", "least"), [(0.2, 0.2, 0.99), (0.5, 0.4, 0.975)])
def test_crowds_and_heavy_edits_cost_little(
    edited: float, spread: float, least: float, capsys: pytest.CaptureFixture[str]
) -> None:
    found = plant(13, 200_000, ids="lost", edited=edited, spread=spread)
    plan = identify.plan(found.new, found.prior())
    judged = judge(found, plan.prior)
    with capsys.disabled():
        print(f"\nedited {edited}, spread {spread}, {told('lost', judged, plan)}")
    assert judged.share()[1] >= least


def test_what_is_ambiguous_is_wrong_more_often_than_what_is_not() -> None:
    found = plant(14, 30_000, ids="lost", edited=0.5, spread=0.3)
    plan = identify.plan(found.new, found.prior())
    is_wrong = plan.prior != found.truth
    inferred = plan.is_inferred & (plan.operation == SUPERSEDE)
    doubtful = is_wrong[inferred & plan.is_ambiguous]
    sure = is_wrong[inferred & ~plan.is_ambiguous]
    assert len(doubtful) < 0.1 * inferred.sum()
    assert doubtful.mean() > 10 * sure.mean()


def labels(rows: list[tuple[str, str, str, list[float] | None, str | None, int]]) -> Keys:
    """Return keys of (image, annotator, class, box, id, own number)."""
    images = ["a.png", "b.png"]
    boxes = [row[3] or [None] * 4 for row in rows]
    values: dict[str, object] = {
        "asset": [row[0] for row in rows],
        "annotator": [row[1] for row in rows],
        "class": [row[2] for row in rows],
        "kind": ["class" if row[3] is None else "box" for row in rows],
        "attributes": "{}",
        "origin": "human",
        "source_id": pa.array([row[4] for row in rows], pa.string()),
        "position": list(range(len(rows))),
    }
    values |= {name: [box[i] for box in boxes] for i, name in enumerate(columns.BOX)}
    batch = columns.batch_of(columns.LABELS, values, len(rows))
    asset = np.array([1 + images.index(row[0]) for row in rows], np.int64)
    return keys_of(batch, asset, np.array([row[5] for row in rows], np.int64))


def prior(keys: Keys) -> Prior:
    number = 1 + np.arange(len(keys))
    numbered = dataclasses.replace(keys, number=number)
    return Prior(numbered, number, number, LiveState(np.ones(len(keys), bool), np.zeros(0)))


A, B, C = [10.0, 10, 60, 50], [200.0, 10, 260, 90], [400.0, 300, 500, 380]
OLD = [
    ("a.png", "ann", "car", A, "1", 0),
    ("a.png", "ann", "car", B, "2", 0),
    ("a.png", "ann", "dog", C, "3", 0),
]


def moved(box: list[float], by: float) -> list[float]:
    return [box[0] + by, box[1], box[2] + by, box[3]]


def test_ids_carry_a_label_across_any_change() -> None:
    new = labels(
        [
            ("a.png", "ann", "car", A, "1", 0),
            ("a.png", "ann", "dog", moved(B, 300), "2", 0),
            ("a.png", "ann", "dog", C, "3", 0),
        ]
    )
    plan = identify.plan(new, prior(labels(OLD)))
    assert (plan.used, plan.prior.tolist()) == ("id", [0, 1, 2])
    assert plan.operation.tolist() == [UNCHANGED, SUPERSEDE, UNCHANGED]
    assert not plan.is_inferred.any()


def test_swapped_ids_are_seen_through() -> None:
    new = labels(
        [
            ("a.png", "ann", "car", A, "2", 0),
            ("a.png", "ann", "car", B, "1", 0),
            ("a.png", "ann", "dog", C, "3", 0),
        ]
    )
    plan = identify.plan(new, prior(labels(OLD)))
    assert (plan.used, plan.operation.tolist()) == ("content", [UNCHANGED] * 3)
    assert plan.reason == "1 of 3 known ids agree with content, 2 are contradicted by it"


def test_one_lie_among_honest_ids_is_corrected_alone() -> None:
    old = [("a.png", "ann", "car", moved(A, 100.0 * i), str(i + 1), 0) for i in range(40)]
    new = [(*row[:4], row[4], 0) for row in old]
    new[7], new[8] = (*new[7][:4], "9", 0), (*new[8][:3], moved(old[8][3], 5), "8", 0)
    new[20] = ("a.png", "ann", "car", [0.0, 300, 30, 350], "21", 0)
    plan = identify.plan(labels(new), prior(labels(old)))
    assert plan.used == "id"
    assert plan.prior.tolist() == list(range(40))
    assert HOWS[plan.how[20]] == "named"


def test_an_id_that_is_not_on_record_is_a_new_label_while_ids_are_honest() -> None:
    new = labels([*OLD[:2], ("a.png", "ann", "dog", moved(C, 20), "9", 0)])
    plan = identify.plan(new, prior(labels(OLD)))
    assert (plan.used, plan.operation.tolist(), plan.vanished.tolist()) == ("id", [2, 2, ADD], [2])
    bare = labels([*OLD[:2], ("a.png", "ann", "dog", moved(C, 20), None, 0)])
    assert identify.plan(bare, prior(labels(OLD))).prior.tolist() == [0, 1, 2]


def test_our_own_numbers_count_before_the_tools_ids() -> None:
    new = labels(
        [
            ("a.png", "ann", "dog", moved(A, 300), "77", 1),
            ("a.png", "ann", "car", B, "78", 2),
            ("a.png", "ann", "dog", C, "79", 3),
        ]
    )
    plan = identify.plan(new, prior(labels(OLD)))
    assert (plan.used, plan.prior.tolist()) == ("id", [0, 1, 2])
    assert plan.reason.startswith("2 of 3 known annotation numbers agree with content")


def test_a_number_of_another_image_or_of_two_labels_names_nothing() -> None:
    new = labels(
        [
            ("b.png", "ann", "car", A, None, 1),
            ("a.png", "ann", "car", B, None, 2),
            ("a.png", "ann", "car", moved(B, 100), None, 2),
        ]
    )
    plan = identify.plan(new, prior(labels(OLD)))
    assert plan.prior.tolist() == [-1, 1, -1]


def test_an_id_joins_across_annotators_and_content_does_not() -> None:
    new = [("a.png", "bob", "car", moved(A, 3), "1", 0), *OLD[1:]]
    plan = identify.plan(labels(new), prior(labels(OLD)))
    assert plan.operation.tolist() == [SUPERSEDE, UNCHANGED, UNCHANGED]
    bare = [(*row[:4], None, 0) for row in new]
    plan = identify.plan(labels(bare), prior(labels(OLD)))
    assert plan.operation.tolist() == [ADD, UNCHANGED, UNCHANGED]
    assert plan.vanished.tolist() == [0]


def test_nobody_named_is_no_other_person_in_a_file_of_ours_alone() -> None:
    nameless = ("a.png", "unknown", "car", moved(A, 3), None, 0)
    new = [nameless, *((*row[:4], None, i) for i, row in enumerate(OLD[1:], start=2))]
    plan = identify.plan(labels(new), prior(labels(OLD)))
    assert plan.operation.tolist() == [SUPERSEDE, UNCHANGED, UNCHANGED]
    plan = identify.plan(labels([nameless, *OLD[1:]]), prior(labels(OLD)))
    assert plan.operation.tolist() == [ADD, UNCHANGED, UNCHANGED]


def test_an_equal_label_that_names_nobody_is_no_correction() -> None:
    new = [(row[0], "unknown", *row[2:]) for row in OLD]
    plan = identify.plan(labels(new), prior(labels(OLD)))
    assert plan.operation.tolist() == [UNCHANGED] * 3


def test_whole_image_classes_are_paired_by_class_then_by_being_left() -> None:
    old = [("a.png", "ann", word, None, None, 0) for word in ("day", "rain", "indoor")]
    new = [("a.png", "ann", word, None, None, 0) for word in ("indoor", "night", "rain")]
    plan = identify.plan(labels(new), prior(labels(old)))
    assert plan.prior.tolist() == [2, 0, 1]
    assert plan.is_ambiguous.tolist() == [False, True, False]
    two = [*new[:1], ("a.png", "ann", "snow", None, None, 0), new[1]]
    plan = identify.plan(labels(two), prior(labels(old)))
    assert plan.prior.tolist() == [2, -1, -1]


def test_of_two_labels_alike_each_goes_with_one() -> None:
    twins = [("a.png", "ann", "car", A, None, 0)] * 2
    plan = identify.plan(labels(twins), prior(labels(twins)))
    assert plan.operation.tolist() == [UNCHANGED, UNCHANGED]
    plan = identify.plan(labels(twins * 2), prior(labels(twins)))
    assert sorted(plan.operation.tolist()) == [ADD, ADD, UNCHANGED, UNCHANGED]
