"""What is drawn for review: chances on record, floors, growth without redrawing, nobody's own work."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineage.activities import batches, trace
from lineage.activities.agreement import agreement_of
from lineage.activities.context import Project, open_project
from lineage.activities.review_draw import ReviewOrder, draw
from lineage.activities.review_log import Drawn, answers_tag, drawn_of
from lineage.errors import BadInput, LineageError, NotFound, Refused
from lineage.terms import Stage
from tests.activities.reviewing import (
    ANN,
    BOB,
    EVE,
    SARA,
    TOM,
    Maker,
    begun,
    drawn,
    thing,
)

pytestmark = pytest.mark.slow

NOW = 1_000_000


def labels(n_images: int, people: tuple[str, ...] = (ANN, BOB)) -> dict[str, dict[str, Any]]:
    """Return two cats and a dog on every image, an owl on every fortieth."""
    found = {}
    for n in range(n_images):
        things = [thing("cat"), thing("cat", 1), thing("dog", 2)]
        things += [thing("owl", 3)] if n % 40 == 0 else []
        found[f"i{n:04d}.png"] = {people[n % len(people)]: things}
    return found


@pytest.fixture(scope="module")
def template(empty_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 images by two people; copied by `world`, never changed."""
    root = tmp_path_factory.mktemp("review") / "proj"
    shutil.copytree(empty_project, root)
    project = begun(open_project(root, agent="tess@team.example"))
    Maker(root.parent).record(project, labels(200))
    return root


@pytest.fixture
def world(template: Path, tmp_path: Path) -> Project:
    """A copy of the template, opened."""
    root = tmp_path / "world"
    shutil.copytree(template, root)
    return open_project(root, agent="tess@team.example")


def rows(project: Project) -> Drawn:
    return drawn_of(project, "b1", NOW)


def stages(project: Project) -> dict[str, int]:
    return dict(trace.status(project, trace.Choice(batch=("b1",))).stages)


def test_what_is_drawn_is_on_record_with_its_chance_and_in_review(world: Project) -> None:
    found = drawn(world, fraction=0.2)
    told = rows(world)
    assert found.n_drawn == len(told) > 40
    assert stages(world) == {"submitted": 605 - found.n_drawn, "in_review": found.n_drawn}
    # all three labels of an image, or four: images are drawn whole
    counts = Counter(told.asset.tolist())
    assert set(counts.values()) <= {3, 4}
    assert found.n_images_drawn == len(counts)
    assert set(told.fraction.tolist()) == {0.2}
    people = {name: pseudonym for pseudonym, name in trace.names_of(world).items()}
    strata = {f"{c}|{people[p]}" for c in ("cat", "dog", "owl") for p in (ANN, BOB)}
    assert set(told.stratum.tolist()) <= strata
    assert found.answers == answers_tag("b1") == "b1.review"
    assert {row.tag for row in batches.list_all(world)} == {"b1", "b1.review"}


def test_explaining_a_plan_tells_its_cost_and_writes_nothing(world: Project) -> None:
    before = world.ledger.checkpoint()
    order = ReviewOrder("b1", (), 0.1, floor=4, floor_annotator=0)
    told = draw(world, order, is_explained=True)
    assert (told.activity, told.draw, told.n_labels, told.n_images) == (None, None, 605, 200)
    by = {row["class"]: row for row in told.by_class}
    assert by["owl"]["n"] == 5
    assert by["owl"]["n_planned"] >= 4.0
    assert by["cat"]["n_planned"] == pytest.approx(0.1 * 400, rel=0.25)
    assert by["cat"]["half_width"] < by["owl"]["half_width"]
    assert world.ledger.checkpoint() == before


def test_a_rehearsal_tells_what_the_draw_then_does(world: Project) -> None:
    before = world.ledger.checkpoint()
    order = ReviewOrder("b1", (SARA, TOM), 0.3, floor=0, floor_annotator=0)
    told = draw(world, order, is_rehearsal=True)
    assert world.ledger.checkpoint() == before
    done = draw(world, order)
    assert (told.n_drawn, told.n_images_drawn) == (done.n_drawn, done.n_images_drawn)


def test_a_floor_takes_all_of_a_class_that_has_fewer(world: Project) -> None:
    drawn(world, fraction=0.02, floor=5)
    told = rows(world)
    n = Counter(stratum.split("|")[0] for stratum in told.stratum.tolist())
    assert n["owl"] == 5
    owls = told.fraction[[stratum.startswith("owl") for stratum in told.stratum.tolist()]]
    assert set(owls.tolist()) == {1.0}
    # the others on those images have the image's chance, not their own
    assert n["cat"] < 60


def test_every_annotator_has_a_floor(project: Project, tmp_path: Path) -> None:
    begun(project)
    world = labels(100, (ANN,)) | {"new.png": {EVE: [thing("cat"), thing("dog", 1)]}}
    Maker(tmp_path).record(project, world)
    drawn(project, fraction=0.05, floor_annotator=30)
    people = trace.names_of(project)
    n = Counter(people[stratum.split("|")[1]] for stratum in rows(project).stratum.tolist())
    assert n[EVE] == 2, "all that there is"
    assert 15 < n[ANN] < 60, "30 on average"
    told = rows(project)
    assert told.fraction.min() == pytest.approx(30 / 303)


def test_the_share_that_is_drawn_is_the_chance(project: Project, tmp_path: Path) -> None:
    """Of 1,200 images, the number drawn lies within four standard deviations of the mean."""
    begun(project)
    images = {f"i{n:04d}.png": {ANN: [thing("cat")]} for n in range(1200)}
    Maker(tmp_path).record(project, images)
    found = drawn(project, fraction=0.1)
    assert abs(found.n_drawn - 120) < 4 * np.sqrt(1200 * 0.1 * 0.9)


def test_the_same_order_draws_nothing_more(world: Project) -> None:
    first = drawn(world, fraction=0.2)
    size = world.ledger.checkpoint()
    again = drawn(world, fraction=0.2)
    assert (again.n_drawn, again.activity, again.n_known) == (0, None, first.n_drawn)
    assert world.ledger.checkpoint() == size


def test_a_greater_fraction_adds_and_draws_nothing_again(world: Project, tmp_path: Path) -> None:
    """In two steps or in one, the same labels are drawn, with the same chances."""
    drawn(world, fraction=0.1)
    first = rows(world)
    other = tmp_path / "other"
    shutil.copytree(world.root, other, ignore=shutil.ignore_patterns("store.db*"))
    small = drawn(world, fraction=0.4)
    grown = rows(world)
    assert small.n_known == len(first)
    kept = np.isin(grown.revision, first.revision)
    assert grown.draw[kept].tolist() == first.draw.tolist(), "asked once, by the first draw"
    assert grown.reviewer[kept].tolist() == first.reviewer.tolist()
    assert set(grown.fraction.tolist()) == {0.4}, "the chance of the first is what it now is"
    in_one = draw(
        open_project(other, store_url="sqlite:///other.db", agent="tess@team.example"),
        ReviewOrder("b1", (SARA, TOM), 0.4, floor=0, floor_annotator=0),
    )
    assert in_one.n_drawn + len(first) == len(grown)
    # a smaller one afterwards takes nothing away
    assert drawn(world, fraction=0.05).n_drawn == 0
    assert set(rows(world).fraction.tolist()) == {0.4}


def test_labels_that_come_later_are_drawn_by_the_same_numbers(
    world: Project, tmp_path: Path
) -> None:
    drawn(world, fraction=0.3)
    first = rows(world)
    more = {f"later-{n}.png": {ANN: [thing("cat")]} for n in range(100)}
    folder = tmp_path / "more"
    folder.mkdir()
    Maker(folder).record(world, more)
    found = drawn(world, fraction=0.3)
    assert 10 < found.n_drawn < 50
    assert np.isin(first.revision, rows(world).revision).all()


def test_nobody_reviews_their_own_work_or_what_they_have_seen(
    project: Project, tmp_path: Path
) -> None:
    begun(project)
    maker = Maker(tmp_path)
    maker.record(project, labels(60, (ANN, BOB, SARA)))
    drawn(project, (SARA, TOM, ANN), fraction=1.0)
    people = trace.names_of(project)
    made = {
        (row["revision"], row["annotator"])
        for part in project.ledger.scan("revisions", ("revision", "annotator"))
        for row in part.to_pylist()
    }
    told = rows(project)
    asked = set(zip(told.revision.tolist(), told.reviewer.tolist(), strict=True))
    assert len(asked) == 60 * 3 + 2
    assert not asked & made
    n = Counter(people[one] for one in dict(zip(told.asset, told.reviewer, strict=True)).values())
    assert max(n.values()) - min(n.values()) <= 1, "and everybody has as much"


def test_where_everybody_has_seen_an_image_the_draw_is_refused(world: Project) -> None:
    before = world.ledger.checkpoint()
    with pytest.raises(Refused, match=r"100 of 200 images were seen by everybody") as caught:
        drawn(world, (ANN,))
    assert caught.value.slug == "review-nobody"
    assert f"{ANN} 100" in caught.value.message
    assert world.ledger.checkpoint() == before


def test_somebody_new_is_asked_by_their_mail_address(world: Project) -> None:
    drawn(world, ("Zoe@a.example",), fraction=0.1)
    names = trace.names_of(world)
    assert {names[one] for one in rows(world).reviewer.tolist()} == {"zoe@a.example"}
    with pytest.raises(NotFound) as caught:
        drawn(world, ("zoe",), fraction=0.5)
    assert caught.value.slug == "no-annotator"


def test_images_without_labels_are_drawn_too(project: Project, tmp_path: Path) -> None:
    begun(project)
    images = {f"i{n:03d}.png": {ANN: [] if n % 2 else [thing("cat")]} for n in range(80)}
    Maker(tmp_path).record(project, images)
    found = drawn(project, fraction=0.5)
    told = rows(project)
    empty = told.revision == 0
    assert 8 < empty.sum() < 32
    assert {one.split("|")[0] for one in told.stratum[empty].tolist()} == {"nothing"}
    assert found.n_drawn == int((~empty).sum())
    assert drawn(project, fraction=0.5).n_images_drawn == 0


def test_what_a_model_speaks_against_is_drawn_more_often(project: Project, tmp_path: Path) -> None:
    """Nobody drew the owls that the model sees: their images are a stratum of their own."""
    begun(project)
    images = {f"i{n:04d}.png": {ANN: [thing("cat")]} for n in range(400)}
    images |= {"owl.png": {ANN: [thing("owl")]}}
    Maker(tmp_path).record(project, images)
    boxes = {"cat": (12.8, 9.6, 115.2, 105.6), "owl": (300.0, 200.0, 400.0, 300.0)}
    told = ["asset,class,x_min,y_min,x_max,y_max"]
    for n in range(400):
        if n >= 30:
            told.append(f"i{n:04d}.png,cat,{','.join(map(str, boxes['cat']))}")
        if n >= 390:
            told.append(f"i{n:04d}.png,owl,{','.join(map(str, boxes['owl']))}")
    model = tmp_path / "model.csv"
    model.write_text("\n".join(told) + "\n")
    drawn(project, fraction=0.1, floor=10, model=model)
    found = rows(project)
    flag = [one.split("|")[2] if one.count("|") > 1 else "" for one in found.stratum.tolist()]
    n = Counter(flag)
    assert n["rare"] == 10, "all ten images on which it sees an owl that nobody drew"
    of_flag = dict(zip(flag, found.fraction.tolist(), strict=True))
    assert of_flag["unseen"] > 1.4 * of_flag[""]
    assert n["unseen"] >= 1


def test_a_file_that_is_no_predictions_is_refused(world: Project, tmp_path: Path) -> None:
    model = tmp_path / "model.csv"
    cases = [
        ("image,class\ni.png,cat\n", "predictions", "expected asset, class"),
        ("asset,class,x_min\ni.png,cat,1\n", "predictions", "x_max"),
        ("asset,class,x_min,y_min,x_max,y_max\ni0.png,cat,1,2,x,4\n", "predictions", "no box"),
        ("asset,class\nnowhere.png,cat\n", "no-asset", "nowhere.png"),
    ]
    for text, slug, told in cases:
        model.write_text(text)
        with pytest.raises(LineageError) as caught:
            drawn(world, model=model)
        assert caught.value.slug == slug
        assert told in caught.value.message


def test_approvals_are_judged_in_turn(project: Project, tmp_path: Path) -> None:
    begun(project)
    Maker(tmp_path).record(project, labels(40), stage=Stage.FINAL)
    with pytest.raises(Refused, match="no label at stage submitted") as caught:
        drawn(project)
    assert caught.value.slug == "review-nothing"
    found = drawn(project, fraction=0.5, is_again=True)
    told = rows(project)
    assert found.n_drawn == len(told) > 30
    assert told.is_again.all()
    assert stages(project)["in_review"] == found.n_drawn


def test_an_order_that_makes_no_sense_is_refused(world: Project) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"fraction": 0.0}, "more than 0"),
        ({"fraction": 0.6, "factor": 2.0}, "1.2"),
        ({"floor": -1}, "floor below 0"),
        ({"people": ()}, "nobody to ask"),
    ]
    for more, told in cases:
        with pytest.raises(BadInput, match=told) as caught:
            drawn(world, **more)
        assert caught.value.slug == "review-order"


def test_the_policy_of_the_batch_is_the_fraction(project: Project, tmp_path: Path) -> None:
    begun(project)
    policy = {"review_fraction": 0.25}
    batches.create(project, batches.BatchOrder("b2", "detection", "things@1.0", policy=policy))
    Maker(tmp_path).record(project, labels(40), "b2")
    assert draw(project, ReviewOrder("b2"), is_explained=True).fraction == 0.25
    order = ReviewOrder("b2", factor=2.0)
    assert draw(project, order, is_explained=True).fraction == 0.5


def test_reviewers_answers_do_not_count_as_overlap(world: Project, tmp_path: Path) -> None:
    """Who was drawn for review was chosen by class: no sample of opinions."""
    before = agreement_of(world).scope
    drawn(world, fraction=0.5)
    folder = tmp_path / "answers"
    folder.mkdir()
    Maker(folder).record(world, {"i0001.png": {SARA: [thing("dog")]}}, "b1.review")
    assert agreement_of(world).scope["n_answers"] == before["n_answers"]
