"""What is rare, how well it is known, and what the next hour goes to: by a rule, with a command that works."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.activities import gold, ingest, schemas
from lineage.activities.batches import BatchOrder, create
from lineage.activities.context import Project
from lineage.activities.rare import rare
from lineage.activities.rare_groups import Of, groups_of
from lineage.activities.rare_order import RareOrder
from lineage.activities.trace import Choice
from lineage.calc import priorities
from lineage.errors import NotFound, Usage
from lineage.labelschema import dumps, from_document
from lineage.terms import BatchKind
from tests.cli.conftest import lineage
from tests.exports import annotation, label_studio, region

DOCUMENT = {
    "name": "things",
    "version": "1.0",
    "classes": {
        "car": {
            "kinds": ["box"],
            "edge_cases": {"parked": "with its lights off", "toy": "no car at all"},
            "attributes": {
                "type": "object",
                "properties": {"parked": {"type": "boolean"}, "view": {"enum": ["front", "side"]}},
            },
        },
        "dog": {"kinds": ["box"], "rare": True},
        "owl": {"kinds": ["box"]},
    },
}


def begin(project: Project) -> None:
    path = project.root / "things.json"
    path.write_text(dumps(DOCUMENT))
    schemas.add(project, path)
    schemas.lock(project, "things@1.0")
    create(project, BatchOrder("b1", "detection", "things@1.0", BatchKind.ARCHIVE))


def drawn(project: Project, *, n_images: int = 20, n_dogs: int = 3) -> None:
    """Two people draw four cars on every image, and a dog on the first few."""
    tasks = []
    for at in range(n_images):
        regions = [region(f"c{k}", "car", 20 * k + 1, 1, 10, 10) for k in range(4)]
        regions += [region("d", "dog", 1, 50, 20, 20)] if at < n_dogs else []
        answers = [annotation(10 * at + k, f"p{k}@x.example", regions) for k in range(2)]
        tasks.append((f"{at:02d}.png", answers))
    path = label_studio(project.root / "export.json", tasks)
    ingest.import_labels(project, [path], "b1")


def row(found: Any, class_: str, name: str | None = None) -> dict[str, Any]:
    [one] = [r for r in found.rows if (r["class"], r["name"]) == (class_, name)]
    return dict(one)


def test_a_rare_class_comes_before_a_common_one_of_which_as_little_is_known(
    any_project: Project,
) -> None:
    begin(any_project)
    drawn(any_project)
    found = rare(any_project)
    assert found.n_labels == 166
    dog, car = row(found, "dog"), row(found, "car")
    assert (dog["n_labels"], dog["n_images"], dog["is_rare"]) == (6, 3, True)
    assert (car["n_labels"], car["n_images"], car["is_rare"]) == (160, 20, False)
    assert dog["rank"] < car["rank"]
    assert (dog["action"], dog["command"]) == ("judge", "lineage review draw --batch b1 --for NAME --floor 60")  # fmt: skip
    assert dog["priority"] == pytest.approx(dog["gain"] * dog["rarity"])
    assert car["f1"] == 1.0


def test_a_class_without_labels_has_no_rank_before_others_and_says_so(project: Project) -> None:
    begin(project)
    drawn(project)
    owl = row(rare(project), "owl")
    assert (owl["n_labels"], owl["action"], owl["command"], owl["priority"]) == (0, "none", None, None)  # fmt: skip
    assert "no label" in owl["why"]


def test_edge_cases_are_read_off_attributes_else_known_by_gold_alone() -> None:
    groups = groups_of([from_document(DOCUMENT, where="test")])
    told = {(one.name, one.of): one.tags for one in groups.rows if one.class_ == "car"}
    assert told[("parked", Of.EDGE_CASE)] == {"parked=true"}
    assert told[("toy", Of.EDGE_CASE)] == frozenset()
    values = {name for name, of in told if of is Of.VALUE}
    assert values == {"parked=false", "view=front", "view=side"}
    names = [groups.rows[at].name for at in groups.at("car", '{"parked":true,"view":"side"}')]
    assert names == [None, "parked", "view=side"]
    assert len(groups.at("dog", "{}")) == 1


def test_an_edge_case_that_no_attribute_tells_asks_for_gold(project: Project) -> None:
    begin(project)
    drawn(project)
    toy = row(rare(project), "car", "toy")
    assert (toy["n_labels"], toy["n_gold"], toy["action"]) == (None, 0, "gold")
    gold.add(project, Choice(class_=("car",)), gold.GoldOrder(edge_case="toy"), annotations=[1])
    toy = row(rare(project), "car", "toy")
    assert (toy["n_gold"], toy["action"]) == (1, "none")


def test_what_only_a_model_sees_of_a_rare_class_comes_first(project: Project) -> None:
    begin(project)
    drawn(project, n_images=40)
    # on the first image where a dog is drawn, on thirty where none is, and cars that nobody drew
    rows = ["asset,class,x_min,y_min,x_max,y_max", "00.png,dog,6.4,240,134.4,336"]
    rows += [f"{at:02d}.png,dog,6,240,134,336" for at in range(10, 40)]
    rows += [f"{at:02d}.png,car,500,400,600,470" for at in range(10, 40)]
    model = project.root / "model.csv"
    model.write_text("\n".join(rows))
    found = rare(project, order=RareOrder(model=model))
    dog, car = row(found, "dog"), row(found, "car")
    assert (dog["n_places"], car["n_places"]) == (30, 30)
    assert (dog["rank"], dog["action"]) == (1, "find")
    assert dog["expected_found"] == pytest.approx(0.06 * 30)
    assert dog["command"] == f"lineage review draw --batch b1 --for NAME --model {model}"
    words = shlex.split(dog["command"].replace("NAME", "senior@x.example"))[1:]
    assert lineage(project.root, *words, "--dry-run").code == 0
    # the places lie in the batch that asked about their images
    create(project, BatchOrder("b2", "detection", "things@1.0", BatchKind.ARCHIVE))
    assert row(rare(project, order=RareOrder(model=model)), "dog")["command"] == dog["command"]
    # cars are common: what is missed of them a sample of images finds as well
    assert car["action"] == "judge"


def test_the_command_that_it_names_is_one_that_works(project: Project) -> None:
    begin(project)
    drawn(project)
    words = shlex.split(row(rare(project), "dog")["command"].replace("NAME", "senior@x.example"))
    assert words.pop(0) == "lineage"
    ran = lineage(project.root, *words)
    assert ran.code == 0, ran.err
    found = rare(project)
    dog = row(found, "dog")
    assert (dog["n_drawn"], dog["n_judged"], dog["action"]) == (6, 0, "wait")


def test_judged_labels_are_told_with_their_error_and_close_the_interval(project: Project) -> None:
    begin(project)
    drawn(project)
    before = row(rare(project), "dog")["gain"]
    lineage(project.root, "review", "draw", "--batch", "b1", "--for", "senior@x.example", "--floor", "60")  # fmt: skip
    answers = []
    for at in range(20):
        regions = [region(f"s{k}", "car", 20 * k + 1, 1, 10, 10) for k in range(4)]
        regions += [region("sd", "dog", 1, 50, 20, 20)] if at < 2 else []
        answers.append((f"{at:02d}.png", [annotation(900 + at, "senior@x.example", regions)]))
    path = label_studio(project.root / "answers.json", answers)
    ran = lineage(project.root, "review", "import", str(path), "--batch", "b1")
    assert ran.code == 0, ran.err
    dog = row(rare(project), "dog")
    assert (dog["n_judged"], dog["error"]) == (6, pytest.approx(1 / 3))
    assert dog["error_lo"] <= 1 / 3 <= dog["error_hi"]
    assert dog["gain"] < before
    # blind answers are no support: they were drawn by class
    assert dog["n_labels"] == 6


def test_batches_and_versions_can_be_chosen(project: Project) -> None:
    begin(project)
    drawn(project)
    create(project, BatchOrder("b2", "detection", "things@1.0", BatchKind.ARCHIVE))
    assert rare(project, Choice(batch=("b2",))).n_labels == 0
    assert rare(project, Choice(schema=("things@1.0",))).n_labels == 166
    with pytest.raises(NotFound, match="no batch 'b9'"):
        rare(project, Choice(batch=("b9",)))
    with pytest.raises(Usage, match="0 hours"):
        rare(project, order=RareOrder(hours=0))


def test_a_project_without_a_batch_is_told_so(project: Project) -> None:
    with pytest.raises(NotFound, match="no batch"):
        rare(project)


def test_the_screen_says_what_to_do_next(project: Project) -> None:
    begin(project)
    drawn(project)
    ran = lineage(project.root, "rare", "--batch", "b1", "--hours", "2")
    assert ran.code == 0, ran.err
    assert "what the next 2 hours of an expert (60 labels an hour) should go to" in ran.out
    assert "  1  dog: 0 judged of 6" in ran.out
    document = lineage(project.root, "--json", "rare").json
    assert document["rows"][0]["class"] == "dog"


@given(
    n=st.integers(0, 500),
    share=st.floats(0, 1),
    left=st.integers(0, 5_000),
    more=st.floats(0, 500),
)
def test_judging_never_makes_less_sure_and_a_whole_class_is_known(
    n: int, share: float, left: int, more: float
) -> None:
    wrong, judged, open_ = (np.array([float(v)]) for v in (round(share * n), n, left))
    gain = priorities.sureness_gained(wrong, judged, open_, more)
    now = priorities.half_width(wrong, judged, open_)
    assert -1e-12 <= gain[0] <= now[0] + 1e-12
    everything = priorities.sureness_gained(wrong, judged, open_, float(left))
    assert everything[0] == pytest.approx(now[0])


def test_an_hour_at_a_models_places_finds_what_was_measured() -> None:
    # METHODS 4.2: a thousand places where the model says rare and the label other hold 59.7
    found = priorities.expected_found(np.zeros(1), np.zeros(1), np.array([1000.0]), 1000)
    assert found[0] == pytest.approx(59.7, abs=0.5)
