"""Finalising: planted lots through the gate, each on its own, and what is sent back comes round again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lineage.activities import finalize, finalize_report, readiness, version
from lineage.activities.adjudicate import AdjudicateOrder, adjudicate
from lineage.activities.context import Project, open_project
from lineage.activities.finalize_history import inspections
from lineage.activities.finalize_lots import cells_sent_back, lots_of, stand_of
from lineage.activities.position import resolve
from lineage.calc.lots import Strictness
from lineage.errors import Refused
from lineage.settings import Recipe
from tests.activities.reviewed import World, flipped, mail, opened, truly

pytestmark = pytest.mark.slow

REVIEWERS = ("r1", "r2")
OTHERS = ("f1", "f2", "f3")


def reviewed(project: Project, folder: Path) -> World:
    """Return a world of a good and a bad annotator whose whole work was judged, disputes settled."""
    world = World(project, folder, 80)
    world.label({"good": 0.0, "bad": 0.10})
    world.introduce([*REVIEWERS, *OTHERS])
    world.draw(REVIEWERS, 0.6)
    world.answer()
    settle(world)
    return world


@pytest.fixture(scope="module")
def template(empty_project: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A reviewed world; copied, never changed."""
    folder = tmp_path_factory.mktemp("reviewed")
    return reviewed(opened(empty_project, folder), folder)


@pytest.fixture
def world(template: World, tmp_path: Path) -> World:
    """A reviewed world of a test's own."""
    return template.copied(tmp_path)


def settle(world: World) -> None:
    """Adjudicate until nothing of the batch is open."""
    for _ in range(4):
        order = AdjudicateOrder("b1", people=[mail(p) for p in OTHERS])
        found = adjudicate(world.project, order, world.folder / "outbox")
        if not found.counts["n_open"]:
            return
        if found.counts["n_ordered"]:
            world.answer()
    assert "contested" not in world.stages()


def by_name(project: Project, rows: object) -> dict[str, dict[str, object]]:
    from lineage.activities.trace import names_of

    names = names_of(project)
    assert isinstance(rows, (list, tuple))
    return {names[row["annotator"]].split("@")[0]: dict(row) for row in rows}


def test_a_good_lot_is_final_and_a_bad_one_goes_back(world: World) -> None:
    project = world.project
    before = world.stages()
    rehearsed = finalize.finalize(project, "b1", is_rehearsal=True)
    assert rehearsed.activity is None
    assert world.stages() == before

    found = finalize.finalize(project, "b1")
    lots = by_name(project, found.lots)
    assert (lots["good"]["decision"], lots["bad"]["decision"]) == ("accept", "reject")
    assert lots["good"]["n_heard"] == 55
    assert lots["bad"]["classes"] == ["cat", "dog"]
    assert rehearsed.lots == found.lots
    assert found.n_final == rehearsed.n_final
    # the good lot is final whole; of the bad one only what was judged for itself
    assert found.n_final["lot accepted"] > 0
    assert found.n_sent_back > 0
    assert [row["what"] for row in found.waits_for] == ["reviewers"]
    stages = world.stages()
    assert stages["final"] == 400 - found.n_sent_back
    assert stages["submitted"] == found.n_sent_back
    assert not found.is_finalised

    again = finalize.finalize(project, "b1")
    assert (again.activity, again.draw, again.lots) == (None, None, [])

    back = finalize.finalize(project, "b1", [mail(p) for p in REVIEWERS])
    assert back.n_drawn == found.n_sent_back
    assert back.draw is not None
    assert world.stages()["in_review"] == found.n_sent_back
    assert finalize.finalize(project, "b1", [mail(p) for p in REVIEWERS]).draw is None
    world.answer()
    settle(world)
    last = finalize.finalize(project, "b1")
    assert last.is_finalised
    assert world.stages() == {"final": 400}


@pytest.mark.slow
def test_every_label_is_right_once_the_bad_lot_was_checked_whole(world: World) -> None:
    project = world.project
    finalize.finalize(project, "b1", [mail(p) for p in REVIEWERS])
    world.answer()
    settle(world)
    finalize.finalize(project, "b1")
    from lineage.activities.trace import Choice, labels, selector_of

    rows = labels(project, selector_of(project, Choice(batch=("b1",))), resolve(project, None))
    said: dict[str, list[str]] = {}
    for row in sorted(rows.to_pylist(), key=lambda row: (row["asset"], row["y_min"], row["x_min"])):
        said.setdefault(row["asset"], []).append(row["class"])
    assert said == {name: [c for c, _, _ in objects] for name, objects in world.truth.items()}
    assert {row["origin"] for row in rows.to_pylist()} == {"human", "adjudicated"}


def test_a_lot_that_is_too_little_known_waits_and_holds_nobody_back(
    project: Project, tmp_path: Path
) -> None:
    world = World(project, tmp_path, 120)
    world.label({"good": 0.0, "other": 0.0})
    world.introduce(REVIEWERS)
    world.draw(REVIEWERS, 0.5)
    # of one of the two nothing has come back
    images = list(world.truth)
    mine = set(images[0::2])
    world.answer(truly, images=mine)
    found = finalize.finalize(project, "b1")
    lots = by_name(project, found.lots)
    assert lots["good"]["decision"] == "accept"
    assert (lots["other"]["decision"], lots["other"]["n_heard"]) == ("continue", 0)
    assert lots["other"]["n_more"] == 55
    assert world.stages()["final"] == 300
    assert "verdicts" in [row["what"] for row in found.waits_for]
    world.answer()
    found = finalize.finalize(project, "b1")
    assert by_name(project, found.lots)["other"]["decision"] == "accept"
    assert found.is_finalised


def test_what_is_contested_decides_before_the_gate_does(project: Project, tmp_path: Path) -> None:
    world = World(project, tmp_path, 60)
    world.label({"good": 0.0})
    world.introduce([*REVIEWERS, *OTHERS])
    world.draw(REVIEWERS)
    world.answer(lambda _, said: flipped(said) if world.rng.random() < 0.4 else said)
    found = finalize.finalize(project, "b1")
    [lot] = found.lots
    assert (lot["decision"], lot["n_more"], lot["n_wrong"]) == ("continue", 0, 0)
    assert int(str(lot["n_open"])) > 5
    assert [row["what"] for row in found.waits_for] == ["adjudication"]
    assert found.activity is None
    # fresh opinions show that the reviewers were wrong: no error is left
    settle(world)
    found = finalize.finalize(project, "b1")
    [lot] = found.lots
    assert (lot["decision"], lot["n_wrong"]) == ("accept", 0)
    assert found.is_finalised
    assert float(str(found.error.overall["mean"])) < float(str(found.error.disputed["mean"]))


def test_a_verdict_that_comes_after_its_lot_was_accepted_counts_for_its_label(
    project: Project, tmp_path: Path
) -> None:
    world = World(project, tmp_path, 60)
    world.label({"good": 0.0})
    world.introduce([*REVIEWERS, *OTHERS])
    world.draw(REVIEWERS)
    late = list(world.truth)[50:]
    world.answer(images=list(world.truth)[:50])
    found = finalize.finalize(project, "b1")
    assert (found.lots[0]["decision"], world.stages()) == (
        "accept",
        {"final": 250, "in_review": 50},
    )
    assert [row["what"] for row in found.waits_for] == ["verdicts"]
    wrong = world.truth[late[0]]
    world.answer(lambda _, said: flipped(said) if said is wrong else said)
    assert world.stages() == {"final": 250, "in_review": 49, "contested": 1}
    found = finalize.finalize(project, "b1")
    assert (found.n_final["unanimous"], found.lots) == (49, [])
    assert world.stages() == {"final": 299, "contested": 1}
    settle(world)
    assert finalize.finalize(project, "b1").is_finalised


@pytest.mark.slow
def test_reviewers_own_errors_are_taken_out_once_they_are_known(
    project: Project, tmp_path: Path
) -> None:
    world = World(project, tmp_path, 120)
    world.label({"p1": 0.10, "p2": 0.10})
    world.introduce([*REVIEWERS, *OTHERS])
    world.draw(REVIEWERS)
    rng = np.random.default_rng(3)
    # reviewers dispute two of a hundred right labels
    world.answer(
        lambda _, said: flipped(said, int(rng.integers(5))) if rng.random() < 0.1 else said
    )
    before = finalize.finalize(project, "b1", is_rehearsal=True).error
    assert (before.is_corrected, before.reviewers["missed_fraction"]) == (False, None)
    settle(world)
    after = finalize.finalize(project, "b1", is_rehearsal=True).error
    assert after.is_corrected
    assert 0.0 < float(str(after.reviewers["spurious_fraction"])) < 0.04
    planted = sum(map(len, world.wrong.values())) / 600
    lo, mean, hi = (float(str(after.overall[key])) for key in ("lo", "mean", "hi"))
    assert lo <= planted <= hi
    assert abs(mean - planted) < abs(float(str(before.overall["mean"])) - planted)
    assert {row["class"] for row in after.by_class} == {"cat", "dog"}


@pytest.mark.slow
def test_late_labels_are_a_lot_of_their_own(project: Project, tmp_path: Path) -> None:
    world = World(project, tmp_path, 60)
    world.label({"good": 0.0})
    world.introduce(REVIEWERS)
    world.draw(REVIEWERS)
    world.answer()
    assert finalize.finalize(project, "b1").is_finalised
    for n in range(60, 80):
        world.truth[f"i{n:04d}.png"] = [("cat", 2.0, 5.0)]
    old = dict(list(world.truth.items())[:60])
    world.truth = dict(list(world.truth.items())[60:])
    world.label({"good": 0.0})
    found = finalize.finalize(project, "b1")
    [lot] = found.lots
    assert (lot["n_labels"], lot["decision"], found.is_finalised) == (20, "continue", False)
    assert world.stages() == {"final": 300, "submitted": 20}
    world.truth |= old
    world.draw(REVIEWERS)
    world.answer()
    # fewer than the test needs, but all of them
    found = finalize.finalize(project, "b1")
    assert (by_name(project, found.lots)["good"]["decision"], found.is_finalised) == (
        "accept",
        True,
    )


def test_switching_follows_the_decisions_on_record(world: World) -> None:
    project = world.project
    finalize.finalize(project, "b1")
    found = inspections(project, resolve(project, None))
    assert {one.strictness for one in found.values()} == {Strictness.NORMAL}
    assert sorted(one.n_accepted for one in found.values()) == [0, 1]
    assert world.stages()["final"] > 0


def test_the_gates_report_is_the_same_again_and_names_nobody(world: World) -> None:
    project = world.project
    finalize.finalize(project, "b1")
    one, other = finalize_report.gate(project), finalize_report.gate(project)
    assert one == other
    assert "@" not in str(one)
    rows = {row["batch"]: row for row in one.batches}
    assert set(rows) == {"b1", "trial"}
    assert rows["b1"]["is_finalised"] is False
    assert [row["what"] for row in rows["b1"]["waits_for"]] == ["reviewers"]  # type: ignore[attr-defined]
    assert rows["trial"]["n_drawn"] == 0
    assert set(one.metrics) == {"b1"}


def test_a_version_takes_volume_batches_once_they_are_final(
    project: Project, tmp_path: Path
) -> None:
    world = World(project, tmp_path, 12)
    world.label({"good": 0.0})
    world.introduce(REVIEWERS)
    with pytest.raises(Refused, match="no image"):
        version.build(project, Recipe(require_final=True))
    world.draw(REVIEWERS)
    world.answer()
    finalize.finalize(project, "b1")
    manifest = version.build(project, Recipe(require_final=True))
    assert manifest["n_annotations"] == 60
    told = {row["batch"]: row["reason"] for row in manifest["excluded"]}  # type: ignore[attr-defined]
    assert told["trial"] == "no label of it is final"
    assert "blind answers" in told["b1.review"]
    every = version.build(project, Recipe())
    assert every["n_annotations"] == 62
    assert version.get(project, str(manifest["name"]))["recipe"]["require_final"] is True


def test_a_volume_batch_is_left_out_and_named_until_nothing_of_it_waits(
    project: Project, tmp_path: Path
) -> None:
    world = World(project, tmp_path, 12, kind="volume")
    readiness.override(project, "b1", reason="a trial")
    world.label({"good": 0.0})
    world.introduce(REVIEWERS)
    early = version.build(project, Recipe())
    assert early["counts"]["batch"] == {"trial": 2}  # type: ignore[index]
    assert early["excluded"] == [
        {"batch": "b1", "reason": "a volume batch that is not finalised: 60 submitted"}
    ]
    assert version.build(project, Recipe(require_final=None))["n_annotations"] == 62
    world.draw(REVIEWERS, 0.5)
    world.answer()
    finalize.finalize(project, "b1")
    told = version.build(project, Recipe())["excluded"]
    assert "a volume batch that is not finalised" in str(told)
    world.draw(REVIEWERS)
    world.answer()
    assert finalize.finalize(project, "b1").is_finalised
    assert version.build(project, Recipe())["counts"]["batch"]["b1"] == 60  # type: ignore[index]


def test_a_version_of_before_there_was_review_is_built_as_it_was(
    project: Project, tmp_path: Path
) -> None:
    world = World(project, tmp_path, 4, kind="volume")
    readiness.override(project, "b1", reason="a trial")
    world.label({"good": 0.0})
    manifest = dict(version.build(project, Recipe(require_final=None), tag="old"))
    path = project.ledger.root / "versions" / f"{manifest['name']}.json"
    document = json.loads(path.read_text())
    del document["recipe"]["require_final"]
    path.write_text(json.dumps(document))
    again = version.labels_of(project, "old")
    assert again.labels.num_rows == manifest["n_annotations"] == 20


def test_a_store_rebuilt_from_segments_stands_where_the_first_did(
    world: World, tmp_path: Path
) -> None:
    project = world.project
    finalize.finalize(project, "b1", [mail(p) for p in REVIEWERS])
    before = world.stages()
    root = tmp_path / "again"
    shutil.copytree(project.root, root, ignore=shutil.ignore_patterns("store.db*"))
    again = open_project(root, store_url="sqlite:///other.db", agent="tess@team.example")
    seq = resolve(project, None)
    one, other = stand_of(project, "b1", seq), stand_of(again, "b1", seq)
    assert np.array_equal(cells_sent_back(one), cells_sent_back(other))
    assert one.decided == other.decided
    for name in ("revision", "stage", "is_judged", "is_disputed", "is_agreed", "chance"):
        assert np.array_equal(
            getattr(one.checked, name), getattr(other.checked, name), equal_nan=name == "chance"
        ), name
    told = [lots_of(p, "b1", s) for p, s in ((project, one), (again, other))]
    assert [lot.decision for lot in told[0]] == [lot.decision for lot in told[1]]
    world.project = again
    assert world.stages() == before


def test_what_was_missed_counts_against_the_lot(project: Project, tmp_path: Path) -> None:
    world = World(project, tmp_path, 60)
    whole = dict(world.truth)
    # one of five objects of every second image is not drawn
    world.truth = {
        name: said[1:] if n % 2 == 0 else said for n, (name, said) in enumerate(whole.items())
    }
    world.label({"blind": 0.0})
    world.truth = whole
    world.introduce([*REVIEWERS, *OTHERS])
    world.draw(REVIEWERS)
    world.answer()
    found = finalize.finalize(project, "b1", is_rehearsal=True)
    [lot] = found.lots
    assert (lot["n_labels"], lot["n_missed"], lot["n_open"]) == (270, 30, 30)
    assert (lot["decision"], lot["n_more"]) == ("continue", 0)
    settle(world)
    found = finalize.finalize(project, "b1")
    [lot] = found.lots
    assert (lot["n_wrong"], lot["n_open"], lot["decision"]) == (30, 0, "reject")
    assert found.error.overall["mean"] == 0
    # everything was judged for itself: nothing is left to go back
    assert found.is_finalised
    assert world.stages() == {"final": 300}
