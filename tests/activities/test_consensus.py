"""Consensus from the record: what opinions agree on, what is left, and what a second run does."""

from __future__ import annotations

import ast
import csv
import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
from scipy.optimize import linear_sum_assignment

from lineage import columns
from lineage.activities import batches, gold, infer, schemas, trace, version
from lineage.activities.agreement import agreement_of
from lineage.activities.consensus import ConsensusOptions, consensus, stage_of
from lineage.activities.consensus_rules import Limits
from lineage.activities.context import Project, open_project
from lineage.activities.export import export
from lineage.activities.ingest import ImportOptions, import_labels
from lineage.activities.migrate import migrate
from lineage.activities.trace import Choice
from lineage.errors import NotFound, Refused, Usage
from lineage.settings import Recipe
from lineage.terms import Stage
from tests.conftest import make_batch
from tests.exports import annotation, label_studio, region

pytestmark = pytest.mark.slow

Json = dict[str, Any]
Drawn = list[tuple[str, float, float, float, float]]
OURS = "consensus-detection"

CAR = ("car", 10.0, 10.0, 20.0, 20.0)
DOG = ("dog", 50.0, 50.0, 20.0, 20.0)


def put(
    project: Project,
    answers: dict[str, dict[str, Drawn]],
    tag: str = "b1",
    *,
    is_whole: bool = False,
    first: int = 1,
) -> None:
    """Import what each person drew on each image: class and percent of 640 x 480 px."""
    key = itertools.count(first)
    tasks = [
        (
            image,
            [
                annotation(
                    next(key),
                    f"{person}@x.example",
                    [region(f"{person}{at}", *drawn) for at, drawn in enumerate(own)],
                )
                for person, own in people.items()
            ],
        )
        for image, people in answers.items()
    ]
    path = label_studio(project.root / f"{tag}-{next(key)}.json", tasks)
    import_labels(project, [path], tag, options=ImportOptions(is_whole=is_whole))


def classes(project: Project, *names: str) -> None:
    make_batch(project, {name: ["box"] for name in names})


def live(project: Project, **choice: Any) -> list[Json]:
    asked = Choice(**{"batch": (OURS,), **choice})
    seq = trace.status(project).checkpoint
    assert seq is not None
    rows: list[Json] = trace.labels(
        project, trace.selector_of(project, asked), seq.size
    ).to_pylist()
    return rows


def size(project: Project) -> int:
    checkpoint = trace.status(project).checkpoint
    assert checkpoint is not None
    return checkpoint.size


def extra_of(project: Project, label: int) -> Json:
    rows = project.ledger.read("revisions", ("annotation", "extra", "labelled_at"))
    told = [row for row in rows.to_pylist() if row["annotation"] == label][-1]
    assert told["labelled_at"] is None
    document: Json = json.loads(told["extra"])
    return document


def test_three_opinions_become_the_median_box_of_a_rule(project: Project) -> None:
    classes(project, "car", "dog")
    drawn = {
        "ann": [("car", 10.0, 10.0, 20.0, 20.0)],
        "bob": [("car", 11.0, 10.0, 20.0, 20.0)],
        "cat": [("car", 10.5, 10.0, 22.0, 20.0)],
    }
    put(project, {"a.png": drawn})
    before = live(project, batch=("b1",))
    found = consensus(project)
    assert (found.counts["n_settled"], found.counts["n_added"]) == (1, 1)
    (label,) = live(project)
    # sides in percent of 640: 10, 11, 10.5 and 30, 31, 32.5
    assert (label["x_min"], label["x_max"]) == (pytest.approx(67.2), pytest.approx(198.4))
    assert (label["class"], label["kind"], label["geometry"]) == ("car", "box", None)
    assert (label["origin"], label["stage"]) == ("consensus", "submitted")
    assert trace.names_of(project)[label["annotator"]] == "lineage-consensus"
    told = extra_of(project, label["annotation"])
    assert sorted(told["derived_from"]) == sorted(row["revision"] for row in before)
    assert (told["n_opinions"], told["n_asked"], told["reasons"]) == (3, 3, [])
    assert told["posterior"] > 0.95
    assert told["iou_median"] == pytest.approx(0.9, abs=0.03)
    # opinions stay as they were
    assert live(project, batch=("b1",)) == before


def test_an_agent_that_is_no_person_makes_it(project: Project) -> None:
    classes(project, "car")
    put(project, {"a.png": {"ann": [CAR], "bob": [CAR]}})
    consensus(project)
    _, kinds, _ = trace.sql(project, "SELECT count(*) FROM annotator WHERE kind = 'rule'", limit=1)
    assert kinds == [(1,)]
    entry = trace.log(project)[-1]
    assert (entry.kind, entry.batch) == ("consensus", OURS)


def test_what_one_person_drew_is_listed_and_not_written(project: Project) -> None:
    classes(project, "car", "dog")
    put(project, {"a.png": {"ann": [CAR, DOG], "bob": [CAR], "cat": []}})
    found = consensus(project)
    assert (found.counts["n_single"], found.by_reason["quorum"]) == (1, 1)
    assert [label["class"] for label in live(project)] == ["car"]
    (row,) = [row for row in found.table.to_pylist() if row["reasons"] == "quorum"]
    assert (row["class"], row["n_opinions"], row["n_asked"]) == ("dog", 1, 3)
    assert (row["next_step"], row["posterior"], row["is_written"]) == ("opinion", None, False)


def test_existence_is_decided_by_a_share_of_those_who_were_asked(project: Project) -> None:
    classes(project, "car")
    drawn: dict[str, Drawn] = {name: [CAR] if name in "ab" else [] for name in "abcdefg"}
    put(project, {"a.png": drawn})
    assert consensus(project).by_reason == {"quorum": 1}
    lower = ConsensusOptions(limits=Limits(quorum_fraction=0.25))
    assert consensus(project, options=lower).counts["n_added"] == 1


def test_places_that_differ_are_written_for_review(project: Project) -> None:
    classes(project, "car")
    put(project, {"a.png": {"ann": [CAR], "bob": [("car", 14.0, 10.0, 20.0, 20.0)]}})
    found = consensus(project, options=ConsensusOptions(stage=Stage.FINAL))
    assert found.by_reason == {"geometry": 1}
    assert [label["stage"] for label in live(project)] == ["in_review"]


def test_classes_that_differ_are_written_for_review_and_their_name_does_not_hang_on_chance(
    project: Project,
) -> None:
    classes(project, "dog", "car")
    put(project, {"a.png": {"ann": [("dog", *CAR[1:])], "bob": [CAR]}})
    found = consensus(project)
    assert found.by_reason == {"posterior": 1}
    assert found.table["posterior"].to_pylist()[0] == pytest.approx(0.5)
    assert [label["class"] for label in live(project)] == ["car"]


def test_nothing_new_writes_nothing(project: Project) -> None:
    classes(project, "car", "dog")
    put(project, {"a.png": {"ann": [CAR, DOG], "bob": [CAR]}})
    consensus(project)
    before = size(project)
    found = consensus(project)
    assert (found.counts["n_unchanged"], found.batches[0]["activity"]) == (1, None)
    assert size(project) == before


def test_a_rehearsal_writes_nothing(project: Project) -> None:
    classes(project, "car")
    put(project, {"a.png": {"ann": [CAR], "bob": [CAR]}})
    before = size(project)
    found = consensus(project, options=ConsensusOptions(is_rehearsal=True))
    assert (found.counts["n_added"], size(project)) == (1, before)
    with pytest.raises(NotFound):
        batches.get(project, OURS)


def test_a_changed_opinion_supersedes_the_consensus_that_rests_on_it(project: Project) -> None:
    classes(project, "car", "dog")
    put(project, {"a.png": {"ann": [CAR], "bob": [CAR]}, "b.png": {"ann": [DOG], "bob": [DOG]}})
    consensus(project)
    before = {label["class"]: label for label in live(project)}
    moved = ("car", 11.0, 10.0, 20.0, 20.0)
    put(project, {"a.png": {"ann": [CAR], "bob": [moved]}})
    found = consensus(project)
    assert (found.counts["n_superseded"], found.counts["n_added"]) == (1, 0)
    after = {label["class"]: label for label in live(project)}
    assert after["car"]["annotation"] == before["car"]["annotation"]
    assert after["car"]["x_min"] == pytest.approx(67.2)
    assert after["dog"] == before["dog"]


def test_another_opinion_joins_the_object_and_keeps_its_number(project: Project) -> None:
    classes(project, "car")
    put(project, {"a.png": {"ann": [CAR], "bob": [CAR]}})
    consensus(project)
    (before,) = live(project)
    put(project, {"a.png": {"cat": [CAR]}}, first=100)
    found = consensus(project)
    assert found.counts["n_superseded"] == 1
    (after,) = live(project)
    assert after["annotation"] == before["annotation"]
    assert extra_of(project, after["annotation"])["n_opinions"] == 3


def test_what_vanished_is_retracted_on_the_images_that_were_looked_at(project: Project) -> None:
    classes(project, "car", "dog")
    both: dict[str, Drawn] = {"ann": [CAR, DOG], "bob": [CAR, DOG]}
    put(project, {"a.png": both, "b.png": both}, is_whole=True)
    consensus(project)
    less: dict[str, Drawn] = {"ann": [CAR], "bob": [CAR]}
    put(project, {"a.png": less, "b.png": less}, is_whole=True)
    found = consensus(project, Choice(asset=("a.png",)))
    assert found.counts["n_retracted"] == 1
    assert len(live(project)) == 3
    assert consensus(project).counts["n_retracted"] == 1
    assert [label["class"] for label in live(project)] == ["car", "car"]


def test_what_people_made_of_a_consensus_label_stays(project: Project) -> None:
    classes(project, "car", "dog")
    put(project, {"a.png": {"ann": [CAR, DOG], "bob": [CAR, DOG]}})
    consensus(project)
    path = project.root / "back.json"
    export(project, path, "coco", choice=Choice(batch=(OURS,)))
    document = json.loads(path.read_text())
    kept = [entry for entry in document["annotations"] if entry["category_id"] == 1]
    assert len(kept) == 1
    kept[0]["bbox"][0] += 5
    # somebody moved the car and took the dog away
    path.write_text(json.dumps({**document, "annotations": kept}))
    import_labels(project, [path], OURS, options=ImportOptions(is_whole=True))
    by_people = live(project)
    assert [label["class"] for label in by_people] == ["car"]
    found = consensus(project)
    assert (found.counts["n_left_to_people"], found.counts["n_added"]) == (2, 0)
    assert live(project) == by_people


def test_gold_tells_the_class_against_a_majority(project: Project) -> None:
    classes(project, "car", "dog")
    # two swap the classes, one is right: only gold can tell
    answers = {}
    for at in range(12):
        right, wrong = ("car", "dog") if at % 2 else ("dog", "car")
        place = (10.0, 10.0, 20.0, 20.0)
        answers[f"i{at:02}.png"] = {
            "ann": [(right, *place)],
            "bob": [(wrong, *place)],
            "cat": [(wrong, *place)],
        }
    put(project, answers)
    ann = Choice(batch=("b1",), annotator=("ann@x.example",), asset=tuple(list(answers)[:6]))
    gold.add(project, ann)
    found = consensus(project)
    assert found.counts["n_gold"] == 6
    told = {label["asset"]: label["class"] for label in live(project)}
    assert told == {f"i{at:02}.png": "car" if at % 2 else "dog" for at in range(12)}


def test_gold_that_is_no_opinion_lies_on_its_object(project: Project) -> None:
    classes(project, "car", "dog")
    put(project, {"a.png": {"ann": [CAR], "bob": [CAR], "cat": [("dog", *CAR[1:])]}})
    batches.create(project, batches.BatchOrder("truth", "gold", "things@1.0"))
    put(project, {"a.png": {"zoe": [("dog", 10.5, 10.0, 20.0, 20.0)]}}, "truth", first=50)
    gold.add(project, Choice(batch=("truth",)))
    found = consensus(project)
    assert found.counts["n_gold"] == 1
    assert [label["class"] for label in live(project)] == ["dog"]


def test_a_split_definition_is_left_to_the_guideline(project: Project) -> None:
    classes(project, "car", "dog", "van")
    answers: dict[str, dict[str, Drawn]] = {}
    for at in range(30):
        place = (10.0, 10.0, 20.0, 20.0)
        # four say car and two say van, always the same: a camp is the majority by policy
        ways = dict.fromkeys("abcd", "car") | dict.fromkeys("ef", "van")
        answers[f"i{at}.png"] = {person: [(way, *place), DOG] for person, way in ways.items()}
    put(project, answers)
    found = consensus(project)
    assert found.by_reason == {"definition_split": 30}
    assert {label["class"] for label in live(project)} == {"dog"}
    (habit,) = found.habits
    assert {habit["class"], habit["as_class"]} == {"car", "van"}
    assert (habit["verdict"], habit["is_left"]) == ("definition_split", True)
    left = found.table.filter(pc.invert(found.table["is_settled"]))
    assert set(left["next_step"].to_pylist()) == {"guideline"}


def test_an_image_that_all_found_empty_is_complete_and_one_for_review_is_not(
    project: Project,
) -> None:
    classes(project, "car")
    put(
        project,
        {
            "empty.png": {"ann": [], "bob": []},
            "open.png": {"ann": [CAR], "bob": []},
            "done.png": {"ann": [CAR], "bob": [CAR]},
        },
    )
    consensus(project)
    said = trace.status(project).completeness[OURS]
    assert said == {"complete": 1, "complete_empty": 1, "in_progress": 1}


def test_a_version_of_consensus_holds_every_object_once(project: Project) -> None:
    classes(project, "car", "dog")
    put(
        project,
        {
            "empty.png": {"ann": [], "bob": []},
            "open.png": {"ann": [CAR], "bob": []},
            "done.png": {"ann": [CAR, DOG], "bob": [CAR, ("dog", 54.0, 50.0, 20.0, 20.0)]},
        },
    )
    version.build(project, Recipe(), tag="before")
    found = consensus(project, options=ConsensusOptions(stage=Stage.FINAL))
    version.build(project, Recipe(), tag="after")
    # what people made is the same version as before
    digests = [version.get(project, tag)["digest"] for tag in ("before", "after")]
    assert digests[0] == digests[1]
    version.build(project, Recipe(classes=("car",)), tag="cars")
    assert [entry["batch"] for entry in version.labels_of(project, "cars").excluded] == [OURS]
    version.build(project, Recipe(origins=("consensus",), stages=("final",)), tag="settled")
    built = version.labels_of(project, "settled")
    assert [row["class"] for row in built.labels.to_pylist()] == ["car"]
    assert built.labels.num_rows == found.counts["n_settled"]
    # what people drew and nothing was settled of is no negative
    assert built.assets["asset"].to_pylist() == ["done.png", "empty.png"]
    version.build(project, Recipe(origins=("consensus",)), tag="written")
    assert version.labels_of(project, "written").labels.num_rows == 2


def test_consensus_leaves_where_a_format_holds_one_set_an_image(project: Project) -> None:
    classes(project, "car", "dog")
    put(
        project,
        {
            "empty.png": {"ann": [], "bob": []},
            "one.png": {"ann": [CAR, DOG]},
            "two.png": {"ann": [CAR], "bob": [CAR]},
        },
    )
    with pytest.raises(Refused) as refusal:
        export(project, project.root / "out", "yolo", rule="consensus")
    assert refusal.value.slug == "undecided-images"
    assert "lineage consensus" in refusal.value.hint
    consensus(project)
    done = export(project, project.root / "out", "yolo", rule="consensus")
    assert (done.n_labels, done.n_assets, done.rule) == (3, 3, "consensus")


def test_a_consensus_is_no_opinion(project: Project) -> None:
    classes(project, "car", "dog")
    answers: dict[str, dict[str, Drawn]] = {
        f"i{at}.png": {"ann": [CAR], "bob": [CAR, DOG]} for at in range(6)
    }
    put(project, answers)
    before = agreement_of(project)
    consensus(project)
    after = agreement_of(project)
    assert after.by_class == before.by_class
    assert after.by_annotator == before.by_annotator


def test_opinions_of_two_schema_versions_go_to_a_batch_each(project: Project) -> None:
    classes(project, "car")
    document = json.loads((project.root / "things.json").read_text())
    document["version"] = "1.1"
    document["classes"]["dog"] = document["classes"]["car"]
    newer = project.root / "things11.json"
    newer.write_text(json.dumps(document))
    schemas.add(project, newer)
    schemas.lock(project, "things@1.1")
    batches.create(project, batches.BatchOrder("b2", "detection", "things@1.1"))
    put(project, {"a.png": {"ann": [CAR], "bob": [CAR]}})
    put(project, {"b.png": {"ann": [DOG], "bob": [DOG]}}, "b2")
    found = consensus(project)
    told = [(row["batch"], row["schema"], row["n_added"]) for row in found.batches]
    assert told == [(OURS, "things@1.0", 1), (f"{OURS}-things-1.1", "things@1.1", 1)]
    with pytest.raises(Refused) as refusal:
        consensus(project, options=ConsensusOptions(batch="mine"))
    assert refusal.value.slug == "consensus-batch"
    one = consensus(project, Choice(schema=("things@1.1",)), ConsensusOptions(batch="mine"))
    assert [row["batch"] for row in one.batches] == ["mine"]
    # a batch that somebody named is left to them
    assert consensus(project).counts["n_retracted"] == 0


def test_a_batch_of_opinions_takes_no_consensus(project: Project) -> None:
    classes(project, "car")
    put(project, {"a.png": {"ann": [CAR], "bob": [CAR]}})
    with pytest.raises(Refused, match="holds opinions") as refusal:
        consensus(project, options=ConsensusOptions(batch="b1"))
    assert refusal.value.slug == "consensus-batch"
    batches.create(project, batches.BatchOrder(OURS, "detection", "things@1.0"))
    batches.close(project, OURS)
    with pytest.raises(Refused) as refusal:
        consensus(project)
    assert refusal.value.slug == "batch-closed"


@pytest.mark.parametrize(
    ("choice", "options"),
    [
        (Choice(class_=("car",)), ConsensusOptions()),
        (Choice(since="2026-01-01T00:00:00Z"), ConsensusOptions()),
        (Choice(), ConsensusOptions(iou=1.5)),
        (Choice(), ConsensusOptions(limits=Limits(quorum_fraction=-0.1))),
    ],
)
def test_what_makes_no_sense_is_refused(
    project: Project, choice: Choice, options: ConsensusOptions
) -> None:
    classes(project, "car")
    with pytest.raises(Usage):
        consensus(project, choice, options)
    with pytest.raises(Usage):
        stage_of("contested")


def test_nothing_answered_twice_is_nothing_to_settle(project: Project) -> None:
    classes(project, "car")
    put(project, {"a.png": {"ann": [CAR]}})
    found = consensus(project)
    assert (found.counts["n_images"], found.table.num_rows, list(found.batches)) == (0, 0, [])


def test_whole_image_classes_are_voted_on_without_a_place(project: Project) -> None:
    make_batch(project, {"day": ["class"], "night": ["class"]})
    table = project.root / "t.csv"
    rows = [
        f"i{at}.png,{person},{'night' if person == 'c' and at == 0 else 'day'}"
        for at in range(8)
        for person in "abc"
    ]
    table.write_text("image,who,label\n" + "\n".join(rows) + "\n")
    mapping = project.root / "map.yaml"
    mapping.write_text("kind: class\ncolumns: {asset: image, annotator: who, class: label}\n")
    import_labels(project, [table], "b1", options=ImportOptions(map=mapping))
    found = consensus(project)
    assert (found.counts["n_units"], found.counts["n_added"]) == (8, 8)
    labels = live(project)
    assert {(label["class"], label["kind"], label["x_min"]) for label in labels} == {
        ("day", "class", None)
    }
    assert set(found.table["iou_median"].to_pylist()) == {None}


def test_the_order_of_imports_does_not_change_the_result(
    empty_project: Path, tmp_path: Path
) -> None:
    people = ("ann", "bob", "cat")
    told = []
    for order in (people, people[::-1]):
        root = tmp_path / order[0]
        shutil.copytree(empty_project, root)
        project = open_project(root, agent="tess@team.example")
        classes(project, "dog", "car")
        for person in order:
            at = people.index(person)
            answers: dict[str, dict[str, Drawn]] = {
                f"i{i}.png": {
                    person: [
                        ("car" if (i + at) % 2 else "dog", 10.0 + at * (i % 3), 10.0, 20.0, 20.0),
                        ("dog", 50.0 + at % 2, 50.0, 20.0, 20.0 + at),
                    ][: 1 + (i + at) % 2]
                }
                for i in range(5)
            }
            put(project, answers, first=100 * at + 1)
        consensus(project)
        held = ("asset", "class", "x_min", "y_min", "x_max", "y_max", "stage")
        told.append([tuple(label[name] for name in held) for label in live(project)])
    assert told[0] == told[1]
    assert told[0]


def test_three_annotators_of_a_real_export(project: Project, shared_data: Path) -> None:
    path = shared_data / "three_annotators" / "label_studio.json"
    draft = infer.infer(project.root, [path], name="real")
    schemas.add(project, draft)
    schemas.lock(project, "real@0.1")
    batches.create(project, batches.BatchOrder("b1", "real", "real@0.1"))
    import_labels(project, [path], "b1")
    found = consensus(project)
    assert (found.counts["n_images"], found.counts["n_opinions"]) == (5, 91)
    written = found.counts["n_units"] - found.by_reason["quorum"]
    assert found.counts["n_added"] == written == len(live(project, batch=("consensus-real",)))
    assert {row["n_asked"] for row in found.table.to_pylist()} == {3}
    assert consensus(project).counts["n_unchanged"] == written


def crowd(folder: Path, table: Path, roster: Path) -> dict[str, list[list[float]]]:
    """Write the real crowd's boxes as a table and who was asked as another; return the gold by image."""
    boxes, asked = ["image,who,x1,y1,x2,y2"], ["image,who"]
    with (folder / "boundingbox_data.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            who = f"{row['item']}.png,u{row['uid']}"
            asked.append(who)
            for (x0, y0), (x1, y1) in ast.literal_eval(row["annotation"]):
                sides = min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
                boxes.append(",".join([who, *map(str, sides)]))
    table.write_text("\n".join(boxes) + "\n")
    roster.write_text("\n".join(asked) + "\n")
    gold_boxes = json.loads((folder / "boundingbox_gold.json").read_text())
    images = {line.split(".")[0] for line in asked}
    return {
        f"{key}.png": [[*a, *b] for a, b in map(ast.literal_eval, own)]
        for key, own in gold_boxes.items()
        if key in images
    }


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return IoU of every two boxes, pixels counted inclusively as the data's own metric."""
    if len(a) == 0 or len(b) == 0:
        return np.zeros((len(a), len(b)))
    low, high = (
        np.maximum(a[:, None, :2], b[None, :, :2]),
        np.minimum(a[:, None, 2:], b[None, :, 2:]),
    )
    both = np.clip(high - low + 1, 0, None).prod(axis=2)
    area_a, area_b = ((x[:, 2:] - x[:, :2] + 1).prod(axis=1) for x in (a, b))
    found: np.ndarray = both / (area_a[:, None] + area_b[None] - both)
    return found


def soft(table: np.ndarray) -> float:
    if 0 in table.shape:
        return float(table.shape[0] == table.shape[1])
    return float((table.max(axis=1).mean() + table.max(axis=0).mean()) / 2)


def f1_of(table: np.ndarray, tau: float) -> float:
    if sum(table.shape) == 0:
        return 1.0
    rows, cols = linear_sum_assignment(np.where(table >= tau, table, 0), maximize=True)
    return float(2 * (table[rows, cols] >= tau).sum() / sum(table.shape))


def test_a_real_crowds_consensus_comes_as_near_to_its_gold_as_methods_says(
    project: Project, shared_data: Path
) -> None:
    # METHODS 5.2 [real]: mean best overlap .723, F1 at .5 and .75 .820 and .621
    make_batch(project, {"thing": ["box"]})
    table, mapping = project.root / "crowd.csv", project.root / "map.yaml"
    known = crowd(shared_data / "crowd_boxes", table, project.root / "roster.csv")
    mapping.write_text(
        "kind: box\nbox: xyxy\nunit: px\nroster: roster.csv\nconstants: {class: thing}\n"
        "columns: {asset: image, annotator: who, x_min: x1, y_min: y1, x_max: x2, y_max: y2}\n"
    )
    import_labels(project, [table], "b1", options=ImportOptions(map=mapping))
    found = consensus(project)
    written: dict[str, list[list[float]]] = {name: [] for name in known}
    for row in live(project):
        if row["asset"] in written:
            written[row["asset"]].append([row[side] for side in columns.BOX])
    tables = [
        overlaps(*(np.array(side[name], float).reshape(-1, 4) for side in (written, known)))
        for name in known
    ]
    f1 = [np.mean([f1_of(one, tau) for one in tables]) for tau in (0.5, 0.75)]
    assert np.mean([soft(one) for one in tables]) == pytest.approx(0.723, abs=2e-3)
    assert f1 == pytest.approx([0.820, 0.621], abs=5e-3)
    # the table's own rule is a plain share of 30 %; ours asks for two
    assert found.counts["n_units"] == found.counts["n_added"] + found.by_reason["quorum"]


def test_what_is_recorded_meanwhile_stops_a_run(project: Project) -> None:
    classes(project, "car")
    put(project, {"a.png": {"ann": [CAR], "bob": [CAR]}})

    def meddle(phase: str, done: int, total: int | None) -> None:
        if phase == "gather":
            batches.create(project, batches.BatchOrder("late", "detection", "things@1.0"))

    with pytest.raises(Refused) as refusal:
        consensus(replace(project, progress=meddle))
    assert refusal.value.slug == "consensus-overtaken"
    assert live(project) == []
    assert consensus(project).counts["n_added"] == 1


def test_outlines_are_taken_whole_and_come_back_the_same(project: Project) -> None:
    make_batch(project, {"car": ["polygon"]})
    outlines = {
        "ann": [[10, 10], [30, 10], [30, 30], [10, 30]],
        "bob": [[11, 10], [31, 10], [31, 30], [11, 30]],
        "cat": [[10.5, 10], [30.5, 10], [30.5, 30], [10.5, 30]],
    }
    tasks = [
        (
            "a.png",
            [
                annotation(
                    at,
                    f"{person}@x.example",
                    [
                        {
                            **region(person, "car", 0, 0, 1, 1),
                            "type": "polygonlabels",
                            "value": {"points": points, "polygonlabels": ["car"]},
                        }
                    ],
                )
                for at, (person, points) in enumerate(outlines.items(), start=1)
            ],
        )
    ]
    import_labels(project, [label_studio(project.root / "p.json", tasks)], "b1")
    found = consensus(project)
    assert found.counts["n_settled"] == 1
    (label,) = live(project)
    (middle,) = [row for row in live(project, batch=("b1",)) if row["x_min"] == 67.2]
    assert (label["kind"], label["geometry"]) == ("polygon", middle["geometry"])
    assert consensus(project).counts["n_unchanged"] == 1


def test_opinions_carried_to_another_version_take_their_consensus_along(project: Project) -> None:
    classes(project, "car")
    put(project, {"a.png": {"ann": [CAR], "bob": [CAR]}})
    consensus(project)
    document = json.loads((project.root / "things.json").read_text())
    document["version"] = "1.1"
    newer = project.root / "things11.json"
    newer.write_text(json.dumps(document))
    schemas.add(project, newer)
    schemas.lock(project, "things@1.1")
    carried = project.root / "map.yaml"
    carried.write_text("from: things@1.0\nto: things@1.1\n")
    migrate(project, "things@1.0", "things@1.1", carried)
    found = consensus(project)
    told = [(row["batch"], row["n_added"], row["n_retracted"]) for row in found.batches]
    assert told == [(f"{OURS}-things-1.1", 1, 0), (OURS, 0, 1)]
    version.build(project, Recipe(origins=("consensus",)), tag="v")
    built = version.labels_of(project, "v").labels.to_pylist()
    assert [row["schema"] for row in built] == ["things@1.1"]
    assert consensus(project).counts["n_unchanged"] == 1
