"""Where a review stands: the funnel, what it waits for, and an error estimate that covers the truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from lineage import columns
from lineage.activities import batches, trace
from lineage.activities.context import Project
from lineage.activities.record import recording
from lineage.activities.review_draw import ReviewOrder, draw
from lineage.activities.review_import import import_answers
from lineage.activities.review_log import drawn_of
from lineage.activities.review_status import gates, reviewed_batches, status
from lineage.errors import NotFound
from lineage.terms import ActivityKind, Stage
from tests.activities.reviewing import (
    ANN,
    BOB,
    SARA,
    TOM,
    Maker,
    Thing,
    answered,
    begun,
    drawn,
    packets_of,
    thing,
)


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def truth(name: str) -> list[Thing]:
    return [thing("cat"), thing("dog", 1), thing("bus", 2)]


def batch_of(project: Project, maker: Maker, n_images: int) -> Project:
    """Ann and Bob label in turn; Bob calls every dog a cat."""
    begun(project)
    images = {}
    for n in range(n_images):
        name = f"i{n:04d}.png"
        bobs = [thing("cat"), thing("cat", 1), thing("bus", 2)]
        images[name] = {BOB: bobs} if n % 2 else {ANN: truth(name)}
    maker.record(project, images)
    return project


def test_the_funnel_and_what_it_waits_for(project: Project, maker: Maker) -> None:
    batch_of(project, maker, 20)
    assert gates(project) == {"b1": "not_drawn"}
    assert reviewed_batches(project) == []
    before, size = status(project, "b1"), len(trace.log(project))
    assert (before.state, before.n_drawn, before.error["mean"]) == ("not_drawn", 0, None)
    assert before.waits_for[0]["n"] == 60
    found = drawn(project)
    packets = packets_of(project, found, maker.folder / "out")
    half = status(project, "b1")
    assert half.funnel == {
        "submitted": 0, "pending": 60, "judged": 0, "contested": 0, "final": 0, "rejected": 0,
    }  # fmt: skip
    assert sorted(row["n"] for row in half.waits_for) == [10, 10]
    import_answers(project, [answered(maker, {SARA: packets[SARA]}, lambda _, n: truth(n))], "b1")
    part = status(project, "b1")
    names = trace.names_of(project)
    assert [(names[str(row["who"])], row["n"]) for row in part.waits_for if row["who"]] == [
        (TOM, 10)
    ]
    assert part.state == gates(project)["b1"] == "in_review"
    # pending work is in no denominator
    assert part.first_pass["n"] == part.rejection["n"] == part.error["n"] == part.n_done == 30
    assert sum(part.funnel.values()) == 60
    import_answers(project, [answered(maker, {TOM: packets[TOM]}, lambda _, n: truth(n))], "b1")
    done = status(project, "b1")
    assert done.state == gates(project)["b1"] == "contested"
    assert gates(project)["b1.review"] is None
    assert (done.n_drawn, done.n_done, done.n_contested) == (60, 60, 10)
    assert (done.n_images_drawn, done.n_images_done) == (20, 20)
    assert done.by_kind == {"class": 10}
    assert done.first_pass == {"n": 60, "n_approved": 50, "fraction": 50 / 60}
    assert done.rejection == {"n": 60, "n_disputed": 10, "fraction": 10 / 60}
    assert reviewed_batches(project) == ["b1"]
    assert status(project, "b1", str(size)) == before


def test_where_all_was_judged_the_error_is_known_exactly(project: Project, maker: Maker) -> None:
    batch_of(project, maker, 20)
    packets = packets_of(project, drawn(project), maker.folder / "out")
    import_answers(project, [answered(maker, packets, lambda _, n: truth(n))], "b1")
    found = status(project, "b1")
    assert found.error == {
        "n": 60, "mean": pytest.approx(1 / 6), "lo": pytest.approx(1 / 6), "hi": pytest.approx(1 / 6),
        "is_small": False,
    }  # fmt: skip
    by = {row["class"]: row for row in found.by_class}
    assert (by["cat"]["n"], by["cat"]["mean"]) == (30, pytest.approx(1 / 3))
    assert (by["dog"]["mean"], by["dog"]["is_small"]) == (0.0, True)
    names = trace.names_of(project)
    of = {names[str(row["annotator"])]: row["mean"] for row in found.by_annotator}
    assert of == {ANN: 0.0, BOB: pytest.approx(1 / 3)}
    assert {row["n_images_done"] for row in found.reviewers} == {10}


def test_the_estimate_covers_what_is_planted(project: Project, maker: Maker) -> None:
    """A fifth of 600 images is checked; the truth is one label in six, all of them Bob's."""
    batch_of(project, maker, 600)
    packets = packets_of(project, drawn(project, fraction=0.2), maker.folder / "out")
    import_answers(project, [answered(maker, packets, lambda _, n: truth(n))], "b1")
    error = status(project, "b1").error
    assert 250 < error["n"] < 470
    assert error["lo"] < 1 / 6 < error["hi"]
    assert error["hi"] - error["lo"] < 0.12


def test_missed_objects_are_counted_and_estimated(project: Project, maker: Maker) -> None:
    begun(project)
    maker.record(project, {f"i{n:03d}.png": {ANN: [thing("cat")]} for n in range(200)})
    packets = packets_of(project, drawn(project, fraction=0.3), maker.folder / "out")

    def says(_: str, name: str) -> Sequence[Thing]:
        return [thing("cat"), *([thing("owl", 4)] if int(name[1:4]) % 4 == 0 else [])]

    import_answers(project, [answered(maker, packets, says)], "b1")
    missed = status(project, "b1").missed
    assert 5 < missed["n"] < 30
    assert missed["total"] == pytest.approx(missed["n"] / 0.3)
    assert missed["lo"] < 50 < missed["hi"]


def test_a_later_review_judges_approvals_in_turn(project: Project, maker: Maker) -> None:
    begun(project)
    images = {f"i{n}.png": {ANN: [thing("cat")]} for n in range(10)}
    maker.record(project, images, stage=Stage.FINAL)
    assert gates(project) == {"b1": "final"}
    found = drawn(project, is_again=True)
    packets = packets_of(project, found, maker.folder / "out")
    says = answered(maker, packets, lambda _, n: [thing("dog" if n < "i3" else "cat")])
    import_answers(project, [says], "b1")
    told = status(project, "b1")
    assert told.again == {"n": 10, "n_overturned": 3}
    assert told.error["mean"] is None, "no estimate of what was submitted"
    assert told.n_contested == 3


def test_each_batch_stands_by_itself(project: Project, maker: Maker) -> None:
    batch_of(project, maker, 4)
    batches.create(project, batches.BatchOrder("b2", "detection", "things@1.0"))
    maker.record(project, {"x.png": {ANN: [thing("cat")]}}, "b2")
    drawn(project)
    draw(project, ReviewOrder("b2", (SARA,), fraction=1.0, floor=0, floor_annotator=0))
    import_answers(project, [answered(maker, {SARA: ["x.png"]}, lambda *_: [thing("cat")])], "b2")
    assert gates(project) == {
        "b1": "in_review", "b1.review": None, "b2": "to_finalize", "b2.review": None,
    }  # fmt: skip
    assert status(project, "b2").waits_for[0]["n"] == 1


def test_a_batch_that_is_not_on_record_has_no_status(project: Project) -> None:
    with pytest.raises(NotFound):
        status(project, "nowhere")


def test_what_was_sent_back_counts_in_no_estimate(project: Project, maker: Maker) -> None:
    """A rejected lot is checked whole: chance chose the first part of it only."""
    batch_of(project, maker, 100)
    found = drawn(project, fraction=0.2)
    packets = packets_of(project, found, maker.folder / "out")
    import_answers(project, [answered(maker, packets, lambda _, n: truth(n))], "b1")
    before = status(project, "b1")
    known_ = drawn_of(project, "b1", 10**6)
    rest = [
        (row["revision"], row["asset"])
        for part in project.ledger.scan("revisions", ("revision", "asset", "batch"))
        for row in part.to_pylist()
        if row["batch"] == "b1" and row["revision"] not in known_.revision
    ]
    parameters = {"reason": "review", "batch": "b1", "is_again": False, "is_sent_back": True}
    with recording(project, ActivityKind.DRAW, parameters=parameters, batch="b1") as activity:
        values = {
            "seq": activity.seq,
            "draw": f"draw-{activity.seq}",
            "asset": [asset for _, asset in rest],
            "revision": [revision for revision, _ in rest],
            "batch": "b1.review",
            "annotator": activity.annotator(SARA),
            "reason": "review",
            "stratum": "cat|x",
            "inclusion_fraction": 1.0,
        }
        activity.append("draws", columns.batch_of(columns.SEGMENT_DRAWS, values, len(rest)))
        events = {
            "revision": [revision for revision, _ in rest],
            "seq": activity.seq,
            "stage": Stage.IN_REVIEW.value,
            "by": activity.annotator("tess@team.example"),
            "basis": "sent back",
        }
        activity.append("stages", columns.batch_of(columns.STAGES, events, len(rest)))
    names = sorted({f"i{asset - 1:04d}.png" for _, asset in rest})
    import_answers(project, [answered(maker, {SARA: names}, lambda *_: [])], "b1")
    after = status(project, "b1")
    assert after.n_done == after.n_drawn == 300
    assert after.error == before.error
    # nor do its chances draw anything further
    assert drawn(project, fraction=0.2).activity is None
