"""Reviewers' answers come back: what they make of labels, in parts, twice, late, and with strangers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lineage import columns
from lineage.activities import trace
from lineage.activities.context import Project, open_project
from lineage.activities.gather import Threshold
from lineage.activities.ingest import ImportOptions, import_labels
from lineage.activities.record import recording
from lineage.activities.review_import import ReviewImport, import_answers
from lineage.activities.review_judge import Rule
from lineage.activities.review_log import drawn_of
from lineage.errors import BadInput, Refused
from lineage.terms import ActivityKind, Stage
from tests.activities.reviewing import (
    ANN,
    BOB,
    EVE,
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

pytestmark = pytest.mark.slow


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def back(project: Project, *paths: Path, **more: Any) -> ReviewImport:
    return import_answers(project, paths, "b1", **more)


def verdicts(project: Project) -> list[tuple[object, ...]]:
    """Return what stands: class, verdict, kind, comment."""
    query = (
        "SELECT c.name, v.verdict, v.kind, v.comment FROM verdict v LEFT JOIN revision r ON r.id = "
        "v.revision_id LEFT JOIN label_class c ON c.id = r.class_id ORDER BY v.id"
    )
    return trace.sql(project, query, limit=1000)[1]


def stages(project: Project) -> dict[str, int]:
    return dict(trace.status(project, trace.Choice(batch=("b1",))).stages)


def one_image(project: Project, maker: Maker, things: Sequence[Thing], **more: Any) -> Project:
    """Put one image by Ann on record and draw it for Sara."""
    begun(project, **more)
    maker.record(project, {"i1.png": {ANN: things}})
    drawn(project, (SARA,))
    return project


CASES: list[tuple[list[Thing], list[str]]] = [
    ([thing("cat")], []),
    ([thing("cat", right=0.05)], []),
    ([thing("cat", right=0.2)], ["geometry"]),
    # too far off to be of the object, but near enough to have been meant
    ([thing("cat", right=0.6)], ["geometry"]),
    ([thing("dog")], ["class"]),
    # what it is called comes before where it lies
    ([thing("dog", right=0.2)], ["class"]),
    ([], ["spurious"]),
    ([thing("cat"), thing("owl", 5)], ["missed"]),
    ([thing("cat", 7)], ["missed", "spurious"]),
]
"""What a reviewer draws where an annotator drew a cat, and in what the two differ."""


def test_what_a_blind_answer_makes_of_a_label(project: Project, maker: Maker) -> None:
    begun(project)
    names = [f"i{at}.png" for at in range(len(CASES))]
    maker.record(project, {name: {ANN: [thing("cat")]} for name in names})
    drawn(project, (SARA,))
    path = answered(maker, {SARA: names}, lambda _, name: CASES[names.index(name)][0])
    found = back(project, path)
    assert (found.n_judged, found.n_agree, found.n_pending) == (9, 3, 0)
    query = "SELECT a.name, v.kind FROM verdict v JOIN asset a ON a.id = v.asset_id ORDER BY 1, 2"
    told = {name: [kind for image, kind in trace.sql(project, query, limit=99)[1]
                   if image == name and kind] for name in names}  # fmt: skip
    assert told == {name: kinds for name, (_, kinds) in zip(names, CASES, strict=True)}
    # an object beside it disputes no label
    assert stages(project) == {"in_review": 3, "contested": 6}
    assert found.n_contested == 6


def test_overlaps_are_judged_as_they_are_told(project: Project, maker: Maker) -> None:
    one_image(project, maker, [thing("cat")])
    rule = Rule(Threshold(0.5), geometry_iou=0.5)
    path = answered(maker, {SARA: ["i1.png"]}, lambda *_: [thing("cat", right=0.2)])
    assert back(project, path, rule=rule).by_kind == {}


def test_attributes_are_compared_as_far_as_the_reviewer_filled_them_in(
    project: Project, maker: Maker, tmp_path: Path
) -> None:
    rules = {"type": "object", "properties": {"hidden": {"type": "boolean"}}}
    begun(project, attributes=rules)

    def coco(name: str, told: dict[int, object]) -> Path:
        path = tmp_path / name
        document = {
            "images": [
                {"id": n, "file_name": f"i{n}.png", "width": 640, "height": 480} for n in told
            ],
            "categories": [{"id": 1, "name": "cat"}],
            "annotations": [
                {"id": int(n) + 1, "image_id": n, "category_id": 1, "bbox": [10, 10, 50, 50],
                 "iscrowd": 0, **({} if value is None else {"attributes": {"hidden": value}})}
                for n, value in told.items()
            ],
        }  # fmt: skip
        path.write_text(json.dumps(document))
        return path

    theirs = coco("theirs.json", {0: True, 1: False, 2: None, 3: True, 4: None})
    import_labels(project, [theirs], "b1", options=ImportOptions(annotator=ANN))
    drawn(project, (SARA,))
    own = coco("own.json", {0: True, 1: True, 2: False, 3: None, 4: True})
    found = back(project, own, options=ImportOptions(annotator=SARA))
    assert found.by_kind == {"attributes": 2}
    told = [kind for _, _, kind, _ in verdicts(project)]
    assert told == [None, "attributes", None, None, "attributes"]


def test_answers_may_come_in_parts_and_twice(project: Project, maker: Maker) -> None:
    begun(project)
    maker.record(project, {f"i{n}.png": {ANN: [thing("cat")]} for n in range(6)})
    found = drawn(project)
    packets = packets_of(project, found, maker.folder / "out")
    assert {len(images) for images in packets.values()} == {3}
    first = answered(maker, {SARA: packets[SARA][:2]}, lambda *_: [thing("cat")])
    one = back(project, first)
    assert (one.n_judged, one.n_agree, one.n_pending) == (2, 2, 4)
    size = project.ledger.checkpoint()
    twice = back(project, first)
    assert (twice.activity, twice.n_judged, twice.n_pending) == (None, 0, 4)
    assert project.ledger.checkpoint() == size
    rest = {SARA: packets[SARA], TOM: packets[TOM]}
    last = back(project, answered(maker, rest, lambda *_: [thing("cat")]))
    assert (last.n_judged, last.n_pending) == (4, 0)
    assert len(verdicts(project)) == 6


def test_the_first_verdict_stands_whatever_is_answered_later(
    project: Project, maker: Maker
) -> None:
    one_image(project, maker, [thing("cat")])
    answer = maker.answer(SARA, [thing("dog")])
    back(project, maker.label_studio({"i1.png": [answer]}))
    answer["result"][0]["value"]["rectanglelabels"] = ["cat"]
    found = back(project, maker.label_studio({"i1.png": [answer]}))
    assert (found.n_judged, found.n_changed) == (0, 1)
    assert [row[1:3] for row in verdicts(project)] == [("dispute", "class")]
    assert stages(project) == {"contested": 1}


def test_late_answers_are_kept_and_change_nothing(project: Project, maker: Maker) -> None:
    """Two reviewers are asked in turn; the first one's dispute is settled before the second answers."""
    one_image(project, maker, [thing("cat")])
    back(project, answered(maker, {SARA: ["i1.png"]}, lambda *_: [thing("dog")]))
    settle(project)
    drawn(project, (TOM,), is_again=True)
    assert stages(project) == {"in_review": 1}
    ask_too(project, EVE)
    back(project, answered(maker, {TOM: ["i1.png"]}, lambda *_: [thing("dog")]))
    settle(project)
    found = back(project, answered(maker, {EVE: ["i1.png"]}, lambda *_: [thing("dog")]))
    assert (found.n_judged, found.n_late, found.n_contested) == (1, 1, 0)
    assert stages(project) == {"final": 1}
    assert len(verdicts(project)) == 3


def settle(project: Project) -> None:
    """Let somebody who judged nothing decide that the contested label stands."""
    with recording(project, ActivityKind.ADJUDICATE, parameters={}, batch="b1") as activity:
        values = {
            "revision": [1],
            "seq": activity.seq,
            "stage": Stage.FINAL.value,
            "by": activity.annotator("judge@a.example"),
            "basis": "it stands",
        }
        activity.append("stages", columns.batch_of(columns.STAGES, values, 1))


def ask_too(project: Project, person: str) -> None:
    """Ask a further person about what is in review, as a lot that is checked whole does."""
    with recording(project, ActivityKind.DRAW, parameters={"reason": "review"}, batch="b1") as one:
        values = {
            "seq": one.seq,
            "draw": f"draw-{one.seq}",
            "asset": [1],
            "revision": [1],
            "batch": "b1.review",
            "annotator": one.annotator(person),
            "reason": "review",
            "stratum": "cat|x",
            "inclusion_fraction": 1.0,
        }
        one.append("draws", columns.batch_of(columns.SEGMENT_DRAWS, values, 1))


def test_what_was_corrected_meanwhile_is_judged_as_it_was_drawn(
    project: Project, maker: Maker
) -> None:
    begun(project)
    answer = maker.answer(ANN, [thing("cat")])
    import_labels(project, [maker.label_studio({"i1.png": [answer]})], "b1")
    drawn(project, (SARA,))
    answer["result"][0]["value"]["rectanglelabels"] = ["dog"]
    import_labels(project, [maker.label_studio({"i1.png": [answer]})], "b1")
    found = back(project, answered(maker, {SARA: ["i1.png"]}, lambda *_: [thing("dog")]))
    assert (found.n_judged, found.by_kind) == (1, {"class": 1})
    assert (found.n_superseded, found.n_contested) == (1, 0)
    assert stages(project) == {"submitted": 1}


def test_strangers_are_recorded_counted_and_no_verdicts(project: Project, maker: Maker) -> None:
    begun(project)
    maker.record(project, {f"i{n}.png": {ANN: [thing("cat")]} for n in range(2)})
    found = drawn(project)
    packets = packets_of(project, found, maker.folder / "out")
    mine, others = packets[SARA][0], packets[TOM][0]
    path = maker.label_studio(
        {
            mine: [maker.answer(SARA, [thing("cat")]), maker.answer(BOB, [thing("dog")])],
            others: [maker.answer(SARA, [thing("dog")])],
            "elsewhere.png": [maker.answer(BOB, [thing("dog")])],
        }
    )
    came = back(project, path)
    names = trace.names_of(project)
    told = {
        names[str(one["annotator"])]: (one["n_images"], one["is_asked"]) for one in came.strangers
    }
    assert told == {BOB: (2, False), SARA: (1, True)}
    assert (came.n_judged, came.n_agree, came.by_kind, came.n_pending) == (1, 1, {}, 1)
    # nothing is lost: the opinions are on record
    assert came.labels.n_added == 4


def test_answers_of_which_labels_were_rejected_are_not_judged(
    project: Project, maker: Maker
) -> None:
    """A label that could not be recorded must not pass for one that the reviewer did not draw."""
    one_image(project, maker, [thing("cat"), thing("dog", 1)])
    bad = maker.answer(SARA, [thing("cat"), thing("zebra", 1)])
    path = maker.label_studio({"i1.png": [bad]})
    came = back(project, path)
    assert (came.labels.n_rejected, came.n_judged, came.n_held, came.n_pending) == (1, 0, 1, 2)
    assert stages(project) == {"in_review": 2}
    # other files do not free it
    assert back(project, maker.label_studio({"x.png": [maker.answer(SARA, [])]})).n_held == 1
    bad["result"][1]["value"]["rectanglelabels"] = ["dog"]
    mended = maker.label_studio({"i1.png": [bad]})
    shutil.copy(mended, path)
    came = back(project, path)
    assert (came.n_judged, came.n_agree, came.n_held) == (2, 2, 0)


def test_remarks_stand_beside_verdicts(project: Project, maker: Maker, tmp_path: Path) -> None:
    one_image(project, maker, [thing("cat"), thing("dog", 1), thing("bus", 2)])
    answer = maker.answer(SARA, [thing("owl"), thing("dog", 1)])
    answer["result"][0]["meta"] = {"text": ["ears", "beak"]}
    table = tmp_path / "remarks.csv"
    table.write_text(
        "asset,class,comment\ni1.png,bus,there is none\ni1.png,owl,rare\n"
        "i1.png,zebra,lost\nnowhere.png,,lost too\n"
    )
    found = back(project, maker.label_studio({"i1.png": [answer]}), comments=table)
    assert [row[3] for row in verdicts(project)] == ["ears; beak; rare", None, "there is none"]
    assert (found.n_comments, found.n_comments_unplaced) == (2, 2)
    query = "SELECT stage, comment, basis FROM stage_event WHERE stage = 'contested' ORDER BY id"
    assert trace.sql(project, query, limit=9)[1] == [
        ("contested", "ears; beak; rare", "disputed: class"),
        ("contested", "there is none", "disputed: spurious"),
    ]
    table.write_text("name,remark\n")
    with pytest.raises(BadInput) as caught:
        back(project, maker.label_studio({}), comments=table)
    assert caught.value.slug == "review-comments"


def test_missed_is_what_none_of_the_annotators_drew(project: Project, maker: Maker) -> None:
    """Each annotator's labels are judged by the one answer; what either has was not missed."""
    begun(project)
    both = {ANN: [thing("cat"), thing("dog", 1)], BOB: [thing("cat"), thing("bus", 2)]}
    maker.record(project, {"i1.png": both})
    drawn(project, (SARA,))
    said = [thing("cat"), thing("dog", 1), thing("bus", 2), thing("owl", 3)]
    found = back(project, answered(maker, {SARA: ["i1.png"]}, lambda *_: said))
    assert (found.n_judged, found.n_agree, found.by_kind) == (4, 4, {"missed": 1})


@pytest.mark.parametrize(
    ("said", "n_empty", "kinds"), [([], 1, {}), ([thing("owl")], 0, {"missed": 1})]
)
def test_an_empty_image_is_judged_too(
    project: Project, maker: Maker, said: list[Thing], n_empty: int, kinds: dict[str, int]
) -> None:
    one_image(project, maker, [])
    path = answered(maker, {SARA: ["i1.png"]}, lambda *_: said)
    found = back(project, path)
    assert (found.n_judged, found.n_empty, found.by_kind, found.n_pending) == (0, n_empty, kinds, 0)
    assert back(project, path).activity is None


def test_nothing_comes_back_to_a_batch_that_was_not_drawn(project: Project, maker: Maker) -> None:
    begun(project)
    maker.record(project, {"i1.png": {ANN: [thing("cat")]}})
    with pytest.raises(Refused) as caught:
        back(project, answered(maker, {SARA: ["i1.png"]}, lambda *_: []))
    assert caught.value.slug == "review-not-drawn"


@pytest.mark.parametrize("tool", ["label-studio", "cvat"])
def test_a_loop_through_the_files_of_a_tool(project: Project, maker: Maker, tool: str) -> None:
    begun(project)
    truth = {f"dir/i{n}.png": [thing("cat"), thing("dog", 1 + n % 5)] for n in range(12)}
    wrong = {**truth, "dir/i3.png": [thing("owl"), thing("dog", 4)]}
    maker.record(project, {name: {ANN: things} for name, things in wrong.items()})
    packets = packets_of(project, drawn(project), maker.folder / "out", tool)
    if tool == "cvat":
        paths = [
            maker.cvat(person, {name: truth[name] for name in images})
            for person, images in packets.items()
        ]
    else:
        paths = [answered(maker, packets, lambda _, name: truth[name])]
    found = back(project, *paths)
    assert (found.n_judged, found.n_agree, found.by_kind) == (24, 23, {"class": 1})
    assert (found.n_pending, found.strangers) == (0, [])
    assert stages(project) == {"in_review": 23, "contested": 1}


def test_restored_from_its_segments_the_review_is_the_same(
    any_project: Project, maker: Maker
) -> None:
    project = begun(any_project)
    maker.record(project, {f"i{n}.png": {ANN: [thing("cat")]} for n in range(8)})
    drawn(project, fraction=0.3)
    drawn(project)
    told = drawn_of(project, "b1", 10**6)
    assert len(told) == 8
    names, images = trace.names_of(project), [f"i{at - 1}.png" for at in told.asset.tolist()]
    packets: dict[str, list[str]] = {}
    for person, image in zip(told.reviewer.tolist(), images, strict=True):
        packets.setdefault(names[person], []).append(image)
    answers = answered(
        maker, packets, lambda _, name: [thing("cat" if name < "i4" else "dog"), thing("owl", 3)]
    )
    back(project, answers)
    queries = (
        "SELECT draw, asset_id, revision_id, annotator_id, stratum, inclusion_fraction FROM draw ORDER BY id",
        "SELECT revision_id, draw, asset_id, annotator_id, verdict, kind, opinion_id FROM verdict ORDER BY id",
        "SELECT revision_id, stage, annotator_id, basis FROM stage_event ORDER BY id",
    )
    before = [list(map(tuple, trace.sql(project, one, limit=1000)[1])) for one in queries]
    assert [len(rows) for rows in before[1:]] == [16, 12]
    assert len(before[0]) > 8, "what was drawn first has a greater chance since"
    other = project.root.parent / "restored"
    shutil.copytree(project.root, other, ignore=shutil.ignore_patterns("store.db*"))
    anew = open_project(other, store_url="sqlite:///anew.db")
    assert [list(map(tuple, trace.sql(anew, one, limit=1000)[1])) for one in queries] == before
