"""Adjudication: opinions first, fresh ones next, a senior last; nobody settles a dispute of their own."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineage import columns
from lineage.activities import adjudicate_decide, agreement, trace
from lineage.activities.adjudicate import Adjudicated, AdjudicateOrder, adjudicate
from lineage.activities.adjudicate_decide import decide
from lineage.activities.context import Project, open_project
from lineage.activities.precision import of_ledger
from lineage.activities.record import recording
from lineage.errors import BadInput, Refused
from lineage.terms import ActivityKind
from tests.activities.reviewed import Said, World, flipped, mail, opened

pytestmark = pytest.mark.slow

FRESH = ("f1", "f2", "f3")
FIRST = "i0000.png"
Says = Callable[[str, Said], Said]


def world_of(project: Project, folder: Path, n_images: int = 8) -> World:
    """Return a world whose labels are all right, drawn whole for one reviewer."""
    world = World(project, folder, n_images, n_each=3)
    world.label({"p1": 0.0})
    world.introduce(["r1", *FRESH, "senior"])
    world.draw(["r1"])
    return world


def on(world: World, image: str, wrong: Callable[[Said], Said], people: str = "r1") -> Says:
    """Let some people say something else of one image."""
    truth = world.truth[image]

    def says(person: str, objects: Said) -> Said:
        return wrong(objects) if objects is truth and person in people.split() else objects

    return says


def run(world: World, people: tuple[str, ...] = FRESH, **more: Any) -> Adjudicated:
    order = AdjudicateOrder("b1", people=[mail(p) for p in people], **more)
    return adjudicate(world.project, order, world.folder / "outbox")


def until_settled(world: World, says: Says) -> list[Adjudicated]:
    """Adjudicate and answer until nobody is asked any more."""
    rounds = [run(world)]
    while rounds[-1].counts["n_ordered"]:
        world.answer(says)
        rounds.append(run(world))
    return rounds


def test_what_was_contested_outside_any_draw_is_settled_too(
    project: Project, tmp_path: Path
) -> None:
    world = World(project, tmp_path, 4, n_each=3)
    world.label({"p1": 0.0})
    world.introduce(["r1", *FRESH])
    asset = next(trace.asset_facts(project, 10**6).to_pylist().__iter__())["asset"]
    with recording(world.project, ActivityKind.REVIEW, parameters={}, batch="b1") as activity:
        who = activity.annotator(mail("r1"))
        stage = {"revision": [1], "seq": activity.seq, "by": who, "basis": "remarked"}
        rows = {"revision": [1], "seq": activity.seq, "draw": "round", "asset": [asset], "by": who}
        for name in ("in_review", "contested"):
            said = {**rows, "verdict": "dispute", "kind": "class"}
            if name == "contested":
                activity.append("verdicts", columns.batch_of(columns.SEGMENT_VERDICTS, said, 1))
            moved = {**stage, "stage": name}
            activity.append("stages", columns.batch_of(columns.STAGES, moved, 1))
    assert run(world, ()).counts["n_unasked"] == 1
    rounds = until_settled(world, lambda _, said: said)
    assert rounds[0].counts["n_ordered"] == 1
    assert sum(one.counts["n_stands"] for one in rounds) == 1


def annotation_of(world: World, image: str, place: int) -> int:
    """Return the label of an image's object, by its place in the truth."""
    rows = trace.blame(world.project, image)["annotations"]
    x = 6.4 * world.truth[image][place][1]
    [found] = [
        r["annotation"]
        for r in rows  # type: ignore[attr-defined]
        if r["batch"] == "b1" and abs(r["box"][0] - x) < 1
    ]
    return int(found)


def history(world: World, annotation: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    found: dict[str, Any] = dict(trace.show(world.project, annotation))
    names = trace.names_of(world.project)
    revisions = [{**row, "annotator": names[row["annotator"]]} for row in found["revisions"]]
    return revisions, [{**row, "by": names[row["by"]]} for row in found["stages"]]


def extra_of(world: World, revision: int) -> dict[str, Any]:
    table = of_ledger(world.project.ledger, np.array([revision]), ("extra",))
    found: dict[str, Any] = json.loads(table["extra"][0].as_py())
    return found


def test_one_more_opinion_shows_that_the_reviewer_is_wrong_and_the_label_stands(
    project: Project, tmp_path: Path
) -> None:
    world = world_of(project, tmp_path)
    says = on(world, FIRST, flipped)
    world.answer(says)
    rounds = until_settled(world, says)
    assert rounds[0].counts["n_ordered"] == 1
    assert rounds[-1].counts["n_stands"] == 1
    revisions, stages = history(world, annotation_of(world, FIRST, 0))
    assert len(revisions) == 1
    assert [row["stage"] for row in stages] == ["submitted", "in_review", "contested", "final"]
    assert (stages[-1]["by"], stages[-1]["basis"]) == (
        "lineage-adjudication",
        "adjudicated: opinions",
    )
    assert run(world).counts["n_open"] == 0
    assert run(world).activity is None


def test_a_label_that_opinions_speak_against_is_replaced_and_stays_on_record(
    project: Project, tmp_path: Path
) -> None:
    world = world_of(project, tmp_path)
    # the annotator called a cat a dog: all others see what is there
    before = agreement.agreement_of(project).overall
    truth = world.truth[FIRST]
    world.truth[FIRST] = flipped(truth)
    world.answer()
    rounds = until_settled(world, lambda _, said: said)
    assert rounds[-1].counts["n_replaced"] == 1
    annotation = annotation_of(world, FIRST, 0)
    revisions, stages = history(world, annotation)
    assert [row["class"] for row in revisions] == [truth[0][0], world.truth[FIRST][0][0]]
    assert [row["operation"] for row in revisions] == ["add", "supersede"]
    assert (revisions[1]["origin"], revisions[1]["stage"]) == ("adjudicated", "final")
    assert revisions[1]["annotator"] == "lineage-adjudication"
    mine = [row["stage"] for row in stages if row["revision"] == revisions[0]["revision"]]
    assert mine == ["submitted", "in_review", "contested", "rejected"]
    told = extra_of(world, revisions[1]["revision"])
    assert told["basis"] == "opinions"
    assert revisions[0]["revision"] in told["derived_from"]
    assert len(told["derived_from"]) == told["n_opinions"] == rounds[-1].objects[0]["n_opinions"]
    # opinions are what they were: what was derived from them is none
    assert agreement.agreement_of(project).overall == before


def test_what_nobody_else_sees_is_rejected_and_what_was_missed_is_added(
    project: Project, tmp_path: Path
) -> None:
    world = world_of(project, tmp_path)
    truth = list(world.truth[FIRST])
    world.truth[FIRST] = [*truth[1:], ("cat", 70.0, 60.0)]
    world.answer()
    found = until_settled(world, lambda _, said: said)[-1].counts
    n = {key: sum(r.counts[key] for r in [run(world)]) for key in ("n_open",)}
    assert n == {"n_open": 0}
    assert found["n_rejected"] + found["n_added"] >= 1
    rows = trace.blame(project, FIRST)["annotations"]
    own = {
        (round(r["box"][0] / 6.4), r["class"], r["stage"])
        for r in rows  # type: ignore[attr-defined]
        if r["batch"] == "b1"
    }
    assert (2, truth[0][0], "rejected") in own
    assert (70, "cat", "final") in own
    assert len(own) == 4


def test_what_one_reviewer_imagined_is_dismissed_once(project: Project, tmp_path: Path) -> None:
    world = world_of(project, tmp_path)
    says = on(world, FIRST, lambda said: [*said, ("dog", 70.0, 60.0)])
    world.answer(says)
    rounds = until_settled(world, says)
    assert rounds[-1].counts["n_dismissed"] == 1
    assert run(world).counts["n_open"] == 0
    assert "contested" not in world.stages()


@pytest.mark.slow
def test_two_who_disagree_on_the_place_are_settled_in_between(
    project: Project, tmp_path: Path
) -> None:
    world = world_of(project, tmp_path)

    def shifted(said: Said) -> Said:
        class_, x, y = said[0]
        return [(class_, x + 2.5, y), *said[1:]]

    says = on(world, FIRST, shifted, "r1 f1 f2 f3")
    world.answer(says)
    rounds = until_settled(world, says)
    assert rounds[0].objects[0]["kind"] == "geometry"
    assert rounds[-1].counts["n_replaced"] + rounds[-1].counts["n_asked"] == 1


@pytest.mark.slow
def test_attributes_are_settled_like_classes(any_project: Project, tmp_path: Path) -> None:
    world = World(any_project, tmp_path, 8, n_each=3)
    world.label({"p1": 0.0})
    world.introduce(["r1", *FRESH])
    world.draw(["r1"])
    world.hidden = {"r1": FIRST, "f1": FIRST, "f2": FIRST, "f3": FIRST}
    world.answer()
    rounds = until_settled(world, lambda _, said: said)
    assert rounds[0].objects[0]["kind"] == "attributes"
    assert rounds[0].counts["n_ordered"] == 3
    assert sum(one.counts["n_replaced"] for one in rounds) == 3
    revisions, _ = history(world, annotation_of(world, FIRST, 0))
    assert [row["attributes"] for row in revisions] == [{}, {"view": "hidden"}]
    assert revisions[0]["class"] == revisions[1]["class"]


def test_people_are_asked_one_after_another_and_nobody_who_has_seen_it(
    project: Project, tmp_path: Path
) -> None:
    world = world_of(project, tmp_path)
    world.answer(on(world, FIRST, flipped))
    nobody = run(world, ("p1", "r1"))
    assert (nobody.counts["n_ordered"], nobody.counts["n_unasked"]) == (0, 1)
    assert run(world, ()).counts["n_unasked"] == 1
    rehearsed = adjudicate(
        project, AdjudicateOrder("b1", people=[mail("f1")]), tmp_path, is_rehearsal=True
    )
    assert (rehearsed.activity, rehearsed.counts["n_ordered"]) == (None, 1)
    first = run(world, ("f1", "f2"))
    assert first.counts["n_ordered"] == 1
    [packet] = first.packets
    tasks = json.loads(Path(str(packet["path"])).read_text())
    # a decoy goes with it, and nothing but images
    assert len(tasks) == 2
    assert all(list(task) == ["data"] and list(task["data"]) == ["image"] for task in tasks)
    again = run(world, ("f1", "f2"))
    assert (again.counts["n_ordered"], again.counts["n_waiting"], again.activity) == (0, 1, None)


@pytest.fixture(scope="module")
def split_template(empty_project: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world in which four people say four things of one object; copied, never changed."""
    folder = tmp_path_factory.mktemp("split")
    world = world_of(opened(empty_project, folder), folder)

    def says(person: str, said: Said) -> Said:
        if said is not world.truth[FIRST]:
            return said
        _, x, y = said[0]
        other = {"r1": flipped(said)[:1], "f1": [("bus", x, y)], "f2": []}
        return [*other[person], *said[1:]]

    world.answer(says)
    for person in ("f1", "f2"):
        assert run(world, (person,)).counts["n_ordered"] == 1
        world.answer(says)
    return world


@pytest.fixture
def split(split_template: World, tmp_path: Path) -> World:
    """What four people say four things of, of a test's own."""
    return split_template.copied(tmp_path)


def sheet(path: Path, decision: str, comment: str = "") -> Path:
    """Fill in a sheet."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    filled = path.with_name("filled.csv")
    with filled.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "decision": decision, "comment": comment} for row in rows)
    return filled


def asked(world: World, tool: str = "cvat", **more: Any) -> Path:
    """Put what four opinions leave open before a senior, and return the packet."""
    found = run(world, tool=tool, **more)
    assert found.counts["n_asked"] + found.counts["n_with_senior"] == 1
    return Path(found.files[0])


def candidates(path: Path) -> dict[str, str]:
    with path.open(newline="") as file:
        [row] = csv.DictReader(file)
    return {side: row[side].split(" ")[0] for side in "AB"}


def test_a_senior_sees_two_candidates_and_no_names(split: World) -> None:
    world, project = split, split.project
    path = asked(world, "label-studio")
    [task] = json.loads(path.read_text())
    assert set(task["data"]) == {"image", "object", "told"}
    assert re.fullmatch(r"[0-9a-f]{12}", task["data"]["object"])
    regions = task["predictions"][0]["result"]
    assert sorted(r["value"]["rectanglelabels"][0] for r in regions) == ["A", "B"]
    text = path.read_text() + path.with_name("config.xml").read_text()
    names = trace.names_of(project)
    assert not [n for pair in names.items() for n in pair if n in text]
    for word in ("A", "B", "both wrong", "unsure"):
        assert f'<Choice value="{word}"/>' in text
    # the same again, and nothing new on record
    before = path.read_bytes()
    path.unlink()
    again = run(world)
    assert again.activity is None
    assert path.read_bytes() == before


def test_a_seniors_choice_stands_with_what_was_left_open(split: World) -> None:
    world, project = split, split.project
    path = asked(world)
    assert (path.parent / "pictures").is_dir()
    classes = candidates(path)
    word = next(s for s, class_ in classes.items() if class_ != world.truth[FIRST][0][0])
    filled = sheet(path, word, "it has a tail")
    assert decide(project, "b1", filled, mail("senior"), is_rehearsal=True).activity is None
    found = decide(project, "b1", filled, mail("senior"))
    assert found.by_result["replaced"] == 1
    revisions, stages = history(world, annotation_of(world, FIRST, 0))
    assert (revisions[-1]["class"], revisions[-1]["annotator"]) == (classes[word], mail("senior"))
    told = extra_of(world, revisions[-1]["revision"])
    assert told["basis"] == "senior"
    assert told["is_ambiguous"] is True
    assert sum(told["soft"].values()) == pytest.approx(1, abs=1e-3)
    # the fourth drew nothing
    assert (len(told["derived_from"]), told["n_opinions"]) == (3, 4)
    assert stages[-1]["comment"].startswith("it has a tail; ambiguous: ")
    late = decide(project, "b1", filled, mail("senior"))
    assert (late.activity, len(late.late)) == (None, 1)


@pytest.mark.parametrize(
    ("word", "stage"), [("original", "final"), ("both wrong", "rejected"), ("unsure", "contested")]
)
def test_a_senior_may_keep_reject_or_leave_open(split: World, word: str, stage: str) -> None:
    world, project = split, split.project
    path = asked(world)
    original = world.truth[FIRST][0][0]
    sides = {class_: side for side, class_ in candidates(path).items()}
    found = decide(
        project, "b1", sheet(path, sides[original] if word == "original" else word), mail("senior")
    )
    revisions, stages = history(world, annotation_of(world, FIRST, 0))
    assert len(revisions) == 1
    assert stages[-1]["stage"] == stage
    assert found.n_unsure == (word == "unsure")
    # an object without a label makes its image no negative
    told = trace.blame(project, FIRST)["completeness"]
    state = [row["state"] for row in told if row["batch"] == "b1"]  # type: ignore[attr-defined]
    assert ("in_progress" in state) is (word == "both wrong")


def test_the_tools_own_export_brings_decisions_back(split: World, tmp_path: Path) -> None:
    world, project = split, split.project
    [task] = json.loads(asked(world, "label-studio").read_text())
    result = [
        {"from_name": "decision", "type": "choices", "value": {"choices": ["A"]}},
        {"from_name": "comment", "type": "textarea", "value": {"text": ["clear"]}},
    ]
    task["annotations"] = [{"result": result, "was_cancelled": False}]
    path = tmp_path / "decided.json"
    path.write_text(json.dumps([task]))
    found = decide(project, "b1", path, mail("senior"))
    assert (found.n_decisions, sum(found.by_result.values())) == (1, 1)


@pytest.mark.parametrize("person", ["r1", "p1", "f2"])
def test_nobody_settles_what_they_had_a_part_in(split: World, person: str) -> None:
    world, project = split, split.project
    assert run(world, by=mail(person)).counts["n_asked"] == 0
    filled = sheet(asked(world), "A")
    n = len(trace.log(project))
    with pytest.raises(Refused, match="gave one of the opinions on 1 of 1") as caught:
        decide(project, "b1", filled, mail(person))
    assert caught.value.slug == "decisions-own"
    assert len(trace.log(project)) == n


def test_the_store_refuses_a_dispute_that_its_reviewer_settles(
    split: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, project = split, split.project
    filled = sheet(asked(world), "A")
    monkeypatch.setattr(adjudicate_decide, "_refuse_own", lambda *_: None)
    with pytest.raises(Refused) as caught:
        decide(project, "b1", filled, mail("r1"))
    assert caught.value.slug == "stage-own-dispute"


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("object,decision\nffffffffffff,A\n", "decisions-unknown"),
        ("object,decision\n{0},maybe\n", "decisions-invalid"),
        ("object,decision\n{0},A\n{0},B\n", "decisions-invalid"),
        ("nothing,of,this\n1,2,3\n", "decisions-unreadable"),
        ('[{{"data": 3}}]', "decisions-unreadable"),
        ("[", "decisions-unreadable"),
    ],
)
def test_decisions_that_cannot_be_meant_change_nothing(
    split: World, tmp_path: Path, text: str, slug: str
) -> None:
    world, project = split, split.project
    with asked(world).open(newline="") as file:
        [row] = csv.DictReader(file)
    path = tmp_path / "given.csv"
    path.write_text(text.format(row["object"]))
    n = len(trace.log(project))
    with pytest.raises(BadInput) as caught:
        decide(project, "b1", path, mail("senior"))
    assert caught.value.slug == slug
    assert len(trace.log(project)) == n


def test_a_store_rebuilt_from_segments_has_the_same_open_and_settled(
    split: World, tmp_path: Path
) -> None:
    world, project = split, split.project
    path = asked(world)
    root = tmp_path / "again"
    shutil.copytree(project.root, root, ignore=shutil.ignore_patterns("store.db*"))
    again = open_project(root, store_url="sqlite:///other.db", agent="tess@team.example")
    filled = sheet(path, "both wrong")
    found = [decide(p, "b1", filled, mail("senior")) for p in (project, again)]
    assert found[0].by_result == found[1].by_result
    one, other = (trace.show(p, annotation_of(world, FIRST, 0))["stages"] for p in (project, again))
    assert [row["stage"] for row in one] == [row["stage"] for row in other]  # type: ignore[attr-defined]
