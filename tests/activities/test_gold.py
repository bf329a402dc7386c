"""Gold: declared and taken back, bound to a schema version, and people scored against it."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml

from lineage.activities import batches, gold, schemas, trace
from lineage.activities.context import Project, open_project
from lineage.activities.gather import Threshold
from lineage.activities.gold import GoldOrder
from lineage.activities.gold_against import against_gold
from lineage.activities.gold_list import coverage, gold_list
from lineage.activities.gold_score import GoldScores, score
from lineage.activities.ingest import ImportOptions, import_labels
from lineage.activities.trace import Choice
from lineage.errors import BadInput, LineageError, NotFound, Refused, Usage
from lineage.labelschema import dumps
from lineage.store import read
from tests.conftest import make_batch
from tests.exports import annotation, label_studio, region

pytestmark = pytest.mark.slow

Row = Mapping[str, object]
MAKER = 9
PLACES = [(10.0, 10.0, 20.0, 20.0), (50.0, 50.0, 20.0, 20.0), (80.0, 10.0, 15.0, 15.0)]
ALL = Choice(batch=("gold",))


Said = Sequence[str] | Sequence[dict[str, object]]
Answers = Mapping[str, Mapping[int, Said]]


def at(place: int, class_: str, *, shift: float = 0.0) -> dict[str, object]:
    """Return a box of a class at one of the set places, moved to the right by a share of its width."""
    x, y, w, h = PLACES[place]
    return region(f"r{place}", class_, x + shift * w, y, w, h)


def put(project: Project, answers: Answers, tag: str = "b1", *, day: int = 2) -> None:
    """Import what each person drew on each image: classes at the set places in turn, or regions."""
    key = iter(range(1, 100_000))
    tasks = []
    for n, (image, people) in enumerate(answers.items()):
        told = []
        for person, said in people.items():
            regions = [
                one if isinstance(one, dict) else at(place, one) for place, one in enumerate(said)
            ]
            when = f"2026-03-{day:02d}T{10 + n // 60:02d}:{n % 60:02d}:00.000000Z"
            told.append(annotation(next(key), person, regions, created_at=when, updated_at=when))
        tasks.append((image, told))
    import_labels(project, [label_studio(project.root / f"{tag}.json", tasks)], tag)


def two_batches(project: Project, classes: Mapping[str, Sequence[str]] | None = None) -> None:
    """Make the batches ``gold`` and ``b1`` of one task."""
    make_batch(project, {name: list(kinds) for name, kinds in (classes or CATS_AND_DOGS).items()})
    batches.create(project, batches.BatchOrder("gold", "detection", "things@1.0"))


CATS_AND_DOGS = {"cat": ["box"], "dog": ["box"]}


def row_of(project: Project, found: GoldScores, person: int) -> Row:
    names = trace.names_of(project)
    return next(
        row for row in found.annotators if names[str(row["annotator"])] == f"label-studio:{person}"
    )


def counts_of(row: Row) -> tuple[object, ...]:
    return tuple(row[n] for n in ("n", "n_missed", "n_misclassed", "n_misplaced", "n_extra"))


def test_planted_errors_are_found_with_an_interval_that_holds_them(project: Project) -> None:
    two_batches(project)
    n, n_wrong = 120, {1: 0, 2: 6, 3: 36}
    truth: Answers = {f"i{i:03d}.png": {MAKER: ["cat"]} for i in range(n)}
    put(project, truth, "gold")
    put(
        project,
        {
            f"i{i:03d}.png": {
                person: ["dog" if i % n < wrong else "cat"] for person, wrong in n_wrong.items()
            }
            for i in range(n)
        },
    )
    gold.add(project, ALL)
    found = score(project)
    assert len(found.annotators) == 3
    for person, wrong in n_wrong.items():
        row = row_of(project, found, person)
        # a whole answer is judged twice: the label, and that nothing stands beside it
        assert counts_of(row) == (2 * n, 0, wrong, 0, 0)
        low, high = row["error_lo"], row["error_hi"]
        assert isinstance(low, float)
        assert isinstance(high, float)
        assert low - 1e-4 <= wrong / (2 * n) <= high
    assert row_of(project, found, 1)["decision"] == "accept"
    assert row_of(project, found, 3)["decision"] == "flag"
    assert found.annotators[0] == row_of(project, found, 3)
    assert found.confusion == [{"class": "cat", "as_class": "dog", "n": 42}]
    assert found.by_class[0]["n_wrong"] == 42


def test_each_way_to_be_wrong_is_told_apart(project: Project) -> None:
    two_batches(project)
    put(project, {"a.png": {MAKER: ["cat", "cat"]}}, "gold")
    put(
        project,
        {
            "a.png": {
                1: ["cat", "cat"],
                2: ["cat", "dog"],
                3: ["cat"],
                4: [at(0, "cat"), at(1, "cat", shift=0.6)],
                5: ["cat", "cat", "cat"],
                6: [],
            }
        },
    )
    gold.add(project, ALL)
    found = score(project)
    told = {person: counts_of(row_of(project, found, person)) for person in range(1, 7)}
    assert told == {
        1: (3, 0, 0, 0, 0),
        2: (3, 0, 1, 0, 0),
        3: (3, 1, 0, 0, 0),
        4: (3, 0, 0, 1, 0),
        5: (3, 0, 0, 0, 1),
        6: (3, 2, 0, 0, 0),
    }
    assert [row_of(project, found, person)["n_wrong"] for person in range(1, 7)] == [
        0, 1, 1, 1, 1, 2,
    ]  # fmt: skip
    loose = score(project, threshold=Threshold(0.2))
    assert counts_of(row_of(project, loose, 4)) == (3, 0, 0, 0, 0)


def test_who_made_the_gold_is_not_scored_against_it(project: Project) -> None:
    make_batch(project, CATS_AND_DOGS)
    put(project, {"a.png": {1: ["cat"], 2: ["dog"]}})
    one, other = sorted(row["annotation"] for row in labels(project))
    gold.add(project, Choice(), annotations=[one])
    assert len(score(project).annotators) == 1
    gold.add(project, Choice(), annotations=[other])
    # now each is held against the other, and nobody against themselves
    assert [row["n_misclassed"] for row in score(project).annotators] == [1, 1]


def labels(project: Project) -> list[dict[str, object]]:
    from lineage.activities.select import Selector

    return trace.labels(project, Selector(), 10_000).to_pylist()


def test_beside_gold_that_is_not_whole_nothing_is_extra(project: Project) -> None:
    two_batches(project)
    put(project, {"a.png": {MAKER: ["cat", "cat"]}}, "gold")
    put(project, {"a.png": {1: ["cat", "cat", "dog"]}})
    first = min(row["annotation"] for row in labels(project) if row["batch"] == "gold")
    gold.add(project, Choice(), annotations=[first])
    assert counts_of(score(project).annotators[0]) == (1, 0, 0, 0, 0)
    gold.add(project, ALL)
    assert counts_of(score(project).annotators[0]) == (3, 0, 0, 0, 1)


def test_several_things_beside_one_answer_are_one_judgement(project: Project) -> None:
    two_batches(project)
    put(project, {"a.png": {MAKER: ["cat"]}}, "gold")
    put(project, {"a.png": {1: ["cat", "dog", "dog"]}})
    gold.add(project, ALL)
    found = score(project).annotators[0]
    assert (found["n"], found["n_wrong"], found["n_extra"]) == (2, 1, 2)
    told = against_gold(project)
    assert told.is_trial.sum() == 2
    assert (told.said == told.nothing).sum() == 2


def test_an_image_that_the_maker_left_empty_is_gold_too(project: Project) -> None:
    two_batches(project)
    put(project, {"a.png": {MAKER: ["cat"]}, "empty.png": {MAKER: []}}, "gold")
    put(project, {"a.png": {1: ["cat"], 2: ["cat"]}, "empty.png": {1: [], 2: ["dog"]}})
    gold.add(project, ALL)
    found = score(project)
    assert counts_of(row_of(project, found, 1)) == (3, 0, 0, 0, 0)
    assert counts_of(row_of(project, found, 2)) == (3, 0, 0, 0, 1)
    # as soon as something of the batch is no gold, an empty image may only be one not looked at
    gold.drop(project, Choice(class_=("cat",)))
    put(project, {"b.png": {MAKER: ["dog"]}}, "gold", day=3)
    gold.add(project, Choice(batch=("gold",), class_=("dog",)))
    assert score(project).annotators == []


def test_what_was_asked_elsewhere_is_not_held_against_gold(project: Project) -> None:
    two_batches(project)
    batches.create(project, batches.BatchOrder("dogs", "dogs only", "things@1.0"))
    put(project, {"a.png": {MAKER: ["cat"]}}, "gold")
    put(project, {"a.png": {1: ["dog"]}}, "dogs")
    gold.add(project, ALL)
    assert score(project).annotators == []


def test_a_correction_by_another_person_takes_no_opinion_away(project: Project) -> None:
    make_batch(project, CATS_AND_DOGS)
    table = project.root / "labels.csv"
    mapping = project.root / "map.yaml"
    mapping.write_text(
        "kind: box\ncolumns: {id: id, asset: image, annotator: who, class: label, x_min: x1, "
        "y_min: y1, x_max: x2, y_max: y2}\n"
    )
    options = ImportOptions(format="table", map=mapping)
    head, row = "id,image,who,label,x1,y1,x2,y2\n", "a,i.png,ann,dog,10,10,50,50\n"
    table.write_text(head + row)
    import_labels(project, [table], "b1", options=options)
    table.write_text(head + row.replace("ann,dog", "chief,cat"))
    import_labels(project, [table], "b1", options=options)
    gold.add(project, Choice(annotator=("chief",)))
    [found] = score(project).annotators
    assert trace.names_of(project)[str(found["annotator"])].endswith("ann")
    # the chief gave no answer of their own: beside what they corrected nothing is judged
    assert counts_of(found) == (1, 0, 1, 0, 0)


def test_gold_is_what_was_declared_whatever_becomes_of_its_annotation(project: Project) -> None:
    two_batches(project)
    put(project, {"a.png": {MAKER: ["cat"]}}, "gold")
    put(project, {"a.png": {1: ["cat"]}})
    gold.add(project, ALL)
    put(project, {"a.png": {MAKER: ["dog"]}}, "gold", day=3)
    [row] = gold_list(project).gold
    assert row["class"] == "cat"
    assert isinstance(row["newer_revision"], int)
    assert gold_list(project).by[0]["n_newer"] == 1
    assert score(project).annotators[0]["n_wrong"] == 0
    # declared again, what was declared last counts, once
    gold.add(project, ALL)
    [found] = score(project).annotators
    assert (found["n"], found["n_misclassed"]) == (2, 1)


def test_what_is_gold_already_is_not_written_again(project: Project) -> None:
    two_batches(project)
    put(project, {"a.png": {MAKER: ["cat", "dog"]}}, "gold")
    first = gold.add(project, ALL, is_rehearsal=True)
    assert (first.activity, first.n_written) == (None, 2)
    assert gold_list(project).n == 0
    first = gold.add(project, Choice(batch=("gold",), class_=("cat",)))
    again = gold.add(project, ALL)
    assert (first.n_written, again.n_written, again.n_unchanged) == (1, 1, 1)
    n = len(trace.log(project))
    assert gold.add(project, ALL).activity is None
    assert len(trace.log(project)) == n


def test_gold_that_is_taken_back_can_be_declared_anew(project: Project) -> None:
    two_batches(project)
    put(project, {"a.png": {MAKER: ["cat"]}}, "gold")
    put(project, {"a.png": {1: ["dog"]}})
    gold.add(project, ALL)
    gold.drop(project, Choice(class_=("cat",)), reason="too blurred to tell")
    assert (gold_list(project).n, score(project).annotators) == (0, [])
    with pytest.raises(Refused, match="no gold"):
        gold.drop(project, ALL)
    assert gold.add(project, ALL).n_written == 1
    assert score(project).annotators[0]["n_misclassed"] == 1


@pytest.mark.parametrize(
    ("choice", "annotations", "error", "slug"),
    [
        (Choice(), [], Usage, "usage"),
        (Choice(class_=("dog",)), [], Refused, "gold-none-chosen"),
        (ALL, [1, 77, 78], NotFound, "no-annotation"),
    ],
)
def test_nothing_chosen_is_refused(
    project: Project, choice: Choice, annotations: list[int], error: type[LineageError], slug: str
) -> None:
    two_batches(project)
    put(project, {"a.png": {MAKER: ["cat"]}}, "gold")
    with pytest.raises(error) as caught:
        gold.add(project, choice, annotations=annotations)
    assert caught.value.slug == slug
    if annotations:
        assert "77, 78" in caught.value.message


def version(project: Project, number: str, document: dict[str, object]) -> None:
    """Put a version of ``things`` on record, locked, with a batch of its own."""
    path = project.root / f"v{number}.json"
    path.write_text(dumps({"name": "things", "version": number, **document}))
    schemas.add(project, path)
    schemas.lock(project, f"things@{number}")
    batches.create(project, batches.BatchOrder(f"of-{number}", "detection", f"things@{number}"))


def classes(**rules: object) -> dict[str, object]:
    return {"classes": {name: {"kinds": ["box"], **more} for name, more in rules.items()}}  # type: ignore[dict-item]


CASES = {"behind_glass": "a cat behind glass is a cat"}


def test_gold_holds_for_minor_versions_and_not_for_major_ones(project: Project) -> None:
    version(project, "1.0", classes(cat={}, dog={}))
    version(project, "1.1", classes(cat={"edge_cases": CASES}, dog={}, fox={}))
    version(project, "2.0", classes(cat={"definition": "any feline"}, dog={}, fox={}))
    batches.create(project, batches.BatchOrder("gold", "detection", "things@1.0"))
    put(project, {"a.png": {MAKER: ["cat", "dog"]}}, "gold")
    for person, tag in enumerate(("of-1.0", "of-1.1", "of-2.0"), start=1):
        put(project, {"a.png": {person: ["cat", "dog", "dog"]}}, tag)
    gold.add(project, ALL)
    found = score(project)
    assert len(found.annotators) == 2
    assert counts_of(row_of(project, found, 2)) == (3, 0, 0, 0, 1)
    rows = {
        (row["schema"], row["class"]): row["n"]
        for row in coverage(project).rows
        if row["edge_case"] is None
    }
    assert [rows[f"things@{v}", "cat"] for v in ("1.0", "1.1", "2.0")] == [1, 1, 0]
    # under the major version it is declared by itself, and then holds there too
    gold.add(project, ALL, GoldOrder(schema="things@2.0"))
    assert len(score(project).annotators) == 3


def test_a_class_that_a_version_does_not_know_is_not_asked_for(project: Project) -> None:
    version(project, "1.0", classes(cat={}, dog={}))
    version(project, "1.1", classes(cat={}, dog={}, fox={}))
    put(project, {"a.png": {MAKER: ["cat", "fox"]}}, "of-1.1")
    put(project, {"a.png": {1: ["cat"]}}, "of-1.0")
    gold.add(project, Choice(batch=("of-1.1",)))
    # nor is the gold whole to who could not name the fox
    assert counts_of(score(project).annotators[0]) == (1, 0, 0, 0, 0)
    gold.drop(project, Choice(batch=("of-1.1",)))
    # and gold under 1.0 does not say that there was no fox
    gold.add(project, Choice(batch=("of-1.0",)))
    assert counts_of(score(project).annotators[0]) == (1, 0, 0, 0, 0)


def test_a_version_that_calls_itself_minor_and_redefines_is_held_to_what_it_does(
    project: Project,
) -> None:
    version(project, "1.0", classes(cat={}))
    version(project, "1.1", classes(cat={"definition": "only kittens"}))
    put(project, {"a.png": {MAKER: ["cat"]}}, "of-1.0")
    put(project, {"a.png": {1: []}}, "of-1.1")
    gold.add(project, Choice(batch=("of-1.0",)))
    assert score(project).annotators == []


def test_a_draft_and_a_retired_version_take_no_gold(project: Project) -> None:
    two_batches(project)
    put(project, {"a.png": {MAKER: ["cat"]}}, "gold")
    path = project.root / "draft.json"
    path.write_text(dumps({"name": "things", "version": "1.1", **classes(cat={}, dog={})}))
    schemas.add(project, path)
    with pytest.raises(Refused, match="is a draft"):
        gold.add(project, ALL, GoldOrder(schema="things@1.1"))
    schemas.retire(project, "things@1.0")
    with pytest.raises(Refused, match="is retired"):
        gold.add(project, ALL)


def test_what_breaks_the_schema_is_refused_and_all_of_it_is_told(project: Project) -> None:
    version(project, "1.0", classes(cat={}, dog={}))
    needs = {"attributes": {"type": "object", "required": ["fur"]}}
    version(project, "2.0", classes(cat=needs))
    put(project, {f"{n}.png": {MAKER: ["cat", "dog"]} for n in range(7)}, "of-1.0")
    with pytest.raises(BadInput) as caught:
        gold.add(project, Choice(batch=("of-1.0",)), GoldOrder(schema="things@2.0"))
    assert caught.value.slug == "gold-invalid"
    for told in ("no class 'dog'", "'fur' is a required property", "and 2 more"):
        assert told in caught.value.message
    assert gold_list(project).n == 0


def occluded(project: Project) -> None:
    """Make batches under a schema with edge cases, and labels with an attribute."""
    rules = {
        "type": "object",
        "properties": {"hidden": {"enum": ["no", "partly"]}, "far": {"type": "boolean"}},
    }
    cat = {"edge_cases": {"partly_hidden": "box what is seen", "far_off": ""}, "attributes": rules}
    version(project, "1.0", classes(cat=cat, dog={"attributes": rules}))
    mapping = project.root / "map.yaml"
    mapping.write_text(
        "kind: box\ncolumns: {asset: image, annotator: who, class: label, x_min: x1, y_min: y1, "
        "x_max: x2, y_max: y2}\nattributes: [hidden, far]\ntypes: {far: boolean}\n"
    )
    with (project.root / "labels.csv").open("w") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "who", "label", "x1", "y1", "x2", "y2", "hidden", "far"])
        for n in range(4):
            hidden = "partly" if n < 3 else "no"
            rows.writerow([f"{n}.png", "ann", "cat", 1, 1, 9, 9, hidden, str(n == 3).lower()])
        rows.writerow(["0.png", "ann", "dog", 20, 1, 29, 9, "partly", "false"])
    options = ImportOptions(format="table", map=mapping)
    import_labels(project, [project.root / "labels.csv"], "of-1.0", options=options)


def test_edge_cases_are_read_from_attributes(project: Project) -> None:
    occluded(project)
    cats = Choice(class_=("cat",))
    rules = ("hidden:partly=partly_hidden", "far:true=far_off")
    with pytest.raises(BadInput) as caught:
        gold.add(project, Choice(batch=("of-1.0",)), GoldOrder(edge_case_from=rules))
    assert caught.value.slug == "gold-edge-case"
    assert "dog has no edge case 'partly_hidden' in things@1.0, which knows none" in str(
        caught.value
    )
    gold.add(project, cats, GoldOrder(edge_case_from=rules))
    told = {row["edge_case"]: row["n"] for row in gold_list(project).by}
    assert told == {"partly_hidden": 3, "far_off": 1}
    # to say nothing of edge cases leaves what was said; to name another says so
    assert gold.add(project, cats).n_unchanged == 4
    changed = gold.add(project, cats, GoldOrder(edge_case="far_off"))
    assert (changed.n_written, changed.n_unchanged) == (3, 1)
    assert [row["edge_case"] for row in gold_list(project).by] == ["far_off"]


def test_an_edge_case_that_the_class_has_not_is_refused_with_those_it_has(project: Project) -> None:
    occluded(project)
    with pytest.raises(BadInput, match="which knows far_off, partly_hidden"):
        gold.add(project, Choice(class_=("cat",)), GoldOrder(edge_case="behind_glass"))
    for words in ("hidden", "hidden:partly", ":partly=x", "hidden:=x"):
        with pytest.raises(Usage, match="ATTRIBUTE:VALUE=EDGE_CASE"):
            gold.add(project, Choice(class_=("cat",)), GoldOrder(edge_case_from=(words,)))
    both = GoldOrder(edge_case="far_off", edge_case_from=("far:true=far_off",))
    with pytest.raises(Usage, match="exclude"):
        gold.add(project, Choice(class_=("cat",)), both)


def test_coverage_tells_which_classes_and_edge_cases_have_none(project: Project) -> None:
    occluded(project)
    rules = ("hidden:partly=partly_hidden",)
    gold.add(project, Choice(class_=("cat",)), GoldOrder(edge_case_from=rules))
    found = coverage(project)
    told = {(row["class"], row["edge_case"]): (row["n"], row["is_missing"]) for row in found.rows}
    assert told == {
        ("cat", None): (4, False),
        ("cat", "partly_hidden"): (3, False),
        ("cat", "far_off"): (0, True),
        ("dog", None): (0, True),
    }
    assert found.n_missing == 2
    assert coverage(project, ["things@1.0"], least=4).n_missing == 3
    with pytest.raises(NotFound, match=r"things@9\.9"):
        coverage(project, ["things@9.9"])


def test_errors_are_told_by_edge_case(project: Project) -> None:
    occluded(project)
    gold.add(project, Choice(class_=("cat",)), GoldOrder(edge_case_from=("far:true=far_off",)))
    table = (project.root / "labels.csv").read_text().replace(",ann,", ",bo,")
    (project.root / "bo.csv").write_text(table.replace("3.png,bo,cat", "3.png,bo,dog"))
    options = ImportOptions(format="table", map=project.root / "map.yaml")
    import_labels(project, [project.root / "bo.csv"], "of-1.0", options=options)
    told = {
        row["edge_case"]: (row["n"], row["n_misclassed"]) for row in score(project).by_edge_case
    }
    assert told == {"far_off": (1, 1), None: (3, 0)}


def choose(*names: str) -> list[dict[str, object]]:
    value = {"choices": list(names)}
    return [{"id": "c", "from_name": "w", "to_name": "image", "type": "choices", "value": value}]


def test_of_whole_image_classes_one_is_right_or_not(project: Project) -> None:
    two_batches(project, {"sunny": ["class"], "rain": ["class"], "fog": ["class"]})
    put(project, {f"{n}.png": {MAKER: choose("sunny")} for n in range(6)}, "gold")
    put(project, {f"{n}.png": {1: choose("sunny"), 2: choose("fog")} for n in range(6)})
    gold.add(project, ALL)
    found = score(project)
    assert counts_of(row_of(project, found, 1)) == (6, 0, 0, 0, 0)
    assert counts_of(row_of(project, found, 2)) == (6, 0, 6, 0, 0)


def test_of_several_classes_at_once_each_is_judged_and_what_is_beside(project: Project) -> None:
    two_batches(project, {"sunny": ["class"], "rain": ["class"], "fog": ["class"]})
    put(project, {"0.png": {MAKER: choose("rain", "fog")}}, "gold")
    put(project, {"0.png": {1: choose("rain", "fog"), 2: choose("rain", "sunny")}})
    gold.add(project, ALL)
    found = score(project)
    assert counts_of(row_of(project, found, 1)) == (3, 0, 0, 0, 0)
    assert counts_of(row_of(project, found, 2)) == (3, 1, 0, 0, 1)


def test_answers_are_chosen_by_class_annotator_batch_and_time(project: Project) -> None:
    two_batches(project)
    batches.create(project, batches.BatchOrder("b2", "detection", "things@1.0"))
    names = [f"{n}.png" for n in range(6)]
    put(project, {name: {MAKER: ["cat", "dog"]} for name in names}, "gold")
    put(project, {name: {1: ["cat", "cat"]} for name in names[:3]}, day=2)
    put(project, {name: {1: ["cat", "cat"], 2: ["cat"]} for name in names[3:]}, "b2", day=9)
    gold.add(project, ALL)
    assert row_of(project, score(project), 1)["n_wrong"] == 6
    dogs = row_of(project, score(project, Choice(class_=("dog",))), 1)
    assert counts_of(dogs) == (6, 0, 6, 0, 0)
    assert len(score(project, Choice(batch=("b1",))).annotators) == 1
    person = str(row_of(project, score(project), 2)["annotator"])
    [only] = score(project, Choice(annotator=(person,))).annotators
    assert only["annotator"] == person
    for choice, week in ((Choice(since="2026-03-08T00:00:00Z"), None), (Choice(), "2026-W11")):
        assert row_of(project, score(project, choice, week=week), 1)["n_misclassed"] == 3
    assert score(project, Choice(until="2026-03-01T00:00:00Z")).annotators == []
    with pytest.raises(BadInput, match="2026-11"):
        score(project, week="2026-11")


def test_few_judgements_give_no_rate_and_no_decision(project: Project) -> None:
    two_batches(project)
    put(project, {"a.png": {MAKER: ["cat", "cat", "cat"]}}, "gold")
    put(project, {"a.png": {1: ["dog", "dog", "dog"]}})
    gold.add(project, ALL)
    [row] = score(project).annotators
    assert (row["n"], row["n_wrong"], row["error_mean"], row["decision"]) == (
        4,
        3,
        None,
        "continue",
    )
    assert score(project).by_class[0]["error"] is None


def test_the_decision_falls_in_the_order_of_the_answers(project: Project) -> None:
    two_batches(project, {"sunny": ["class"], "rain": ["class"]})
    names = [f"{n:02d}.png" for n in range(30)]
    put(project, {name: {MAKER: choose("sunny")} for name in names}, "gold")
    # in the file the images stand in order of time; by name the errors would come first
    said = {name: {1: choose("rain" if n < 2 else "sunny")} for n, name in enumerate(names)}
    put(project, dict(reversed(said.items())))
    gold.add(project, ALL)
    [row] = score(project).annotators
    assert (row["decision"], row["after"]) == ("accept", 19)


def test_comparisons_say_whose_and_of_what(project: Project) -> None:
    two_batches(project)
    put(project, {"a.png": {MAKER: ["cat", "dog"]}}, "gold")
    put(project, {"a.png": {1: ["dog"]}}, day=9)
    gold.add(project, ALL)
    found = against_gold(project)
    by = {row["annotation"]: row for row in labels(project)}
    assert len(found) == 3
    names = [*found.words.classes, None]
    for at in range(len(found)):
        if found.gold[at]:
            assert by[int(found.gold[at])]["class"] == names[found.said[at]]
            assert by[int(found.gold[at])]["batch"] == "gold"
        if found.annotation[at] and found.own[at] < found.nothing:
            assert by[int(found.annotation[at])]["class"] == names[found.own[at]]
            assert by[int(found.annotation[at])]["batch"] == "b1"
    assert set(found.batch.tolist()) == {found.words.batches.index("b1")}
    np.testing.assert_array_equal(found.at_us, 1_773_050_400_000_000)
    pairs = {(names[s], names[o]) for s, o in zip(found.said, found.own, strict=True)}
    assert pairs == {("cat", "dog"), ("dog", None), (None, None)}


def test_restored_from_its_segments_the_gold_is_the_same(any_project: Project) -> None:
    project = any_project
    two_batches(project)
    put(project, {f"{n}.png": {MAKER: ["cat", "dog"]} for n in range(3)}, "gold")
    put(project, {f"{n}.png": {1: ["cat", "cat"]} for n in range(3)})
    gold.add(project, ALL, GoldOrder(comment="agreed in the meeting"))
    gold.drop(project, Choice(class_=("dog",)), reason="no longer a class of its own")
    query = (
        "SELECT g.revision_id, s.version, g.edge_case, g.is_gold, g.comment FROM gold g "
        "JOIN label_schema s ON s.id = g.schema_id ORDER BY g.id"
    )
    before = trace.sql(project, query, limit=100)[1], score(project), gold_list(project)
    assert len(before[0]) == 9
    other = project.root.parent / "restored"
    shutil.copytree(project.root, other, ignore=shutil.ignore_patterns("store.db*"))
    anew = open_project(other, store_url="sqlite:///anew.db")
    told = trace.sql(anew, query, limit=100)[1]
    assert [tuple(map(str, row[:3])) for row in told] == [
        tuple(map(str, row[:3])) for row in before[0]
    ]
    assert [(bool(row[3]), row[4]) for row in told] == [(bool(r[3]), r[4]) for r in before[0]]
    assert (score(anew), gold_list(anew)) == before[1:]


def test_without_gold_there_is_nobody_to_score(project: Project) -> None:
    assert score(project).annotators == []
    assert len(against_gold(project)) == 0
    with pytest.raises(NotFound, match="no label schema is locked"):
        coverage(project)


def test_people_who_see_bluebirds_the_wrong_way_round_are_flagged(
    project: Project, shared_data: Path
) -> None:
    folder = shared_data / "bluebirds" / "bluebirds"
    said, truth = (
        yaml.load((folder / name).read_text(), yaml.CSafeLoader)
        for name in ("labels.yaml", "gt.yaml")
    )
    make_batch(project, {"indigo": ["class"], "blue": ["class"]})
    batches.create(project, batches.BatchOrder("gold", "detection", "things@1.0"))
    mapping = project.root / "map.yaml"
    mapping.write_text("kind: class\ncolumns: {asset: image, annotator: who, class: label}\n")
    options = ImportOptions(format="table", map=mapping)
    for tag, rows in (("b1", said), ("gold", {"truth": truth})):
        path = project.root / f"{tag}.csv"
        with path.open("w") as file:
            out = csv.writer(file)
            out.writerow(["image", "who", "label"])
            for person, seen in rows.items():
                out.writerows(
                    [f"{n}.jpg", f"p{person}", "blue" if is_blue else "indigo"]
                    for n, is_blue in seen.items()
                )
        import_labels(project, [path], tag, options=options)
    gold.add(project, ALL)
    found = score(project)
    assert len(found.annotators) == 39
    names = {row.pseudonym: row.handle for row in people(project)}
    for row in found.annotators:
        seen = said[int(str(names[str(row["annotator"])]).removeprefix("p"))]
        wrong = sum(seen[n] != truth[n] for n in seen)
        assert (row["n"], row["n_wrong"]) == (108, wrong)
    inverted = [row for row in found.annotators if int(str(row["n_wrong"])) > 54]
    assert len(inverted) > 2
    for row in inverted:
        assert row["decision"] == "flag"
        assert float(str(row["error_hi"])) > 0.5


def people(project: Project) -> list[read.AnnotatorRow]:
    with project.store.reading() as connection:
        return read.annotators(connection)


def test_where_a_label_of_the_maker_was_refused_the_gold_is_not_whole(project: Project) -> None:
    two_batches(project)
    truth = [at(0, "cat"), at(1, "zebra")]
    put(project, {"a.png": {MAKER: truth}, "b.png": {MAKER: [at(0, "zebra")]}}, "gold")
    put(project, {name: {1: ["cat", "cat"]} for name in ("a.png", "b.png")})
    gold.add(project, ALL)
    assert counts_of(score(project).annotators[0]) == (1, 0, 0, 0, 0)


def test_what_software_made_of_an_image_is_whole_though_nobody_asked_it(project: Project) -> None:
    make_batch(project, CATS_AND_DOGS)
    prediction = {"id": 9, "model_version": "m1", "result": [at(0, "cat")]}
    tasks = [("a.png", [annotation(1, 1, [at(0, "cat"), at(1, "dog")])])]
    path = label_studio(project.root / "b1.json", tasks, predictions=[prediction])
    import_labels(project, [path], "b1")
    gold.add(project, Choice(annotator=("m1",)))
    assert counts_of(score(project).annotators[0]) == (2, 0, 0, 0, 1)


def test_who_has_gold_elsewhere_and_left_an_image_empty_here_made_no_gold_here(
    project: Project,
) -> None:
    two_batches(project)
    put(project, {"a.png": {MAKER: ["cat"]}}, "gold")
    put(project, {"b.png": {MAKER: [], 2: ["cat"]}, "c.png": {2: ["dog"]}})
    put(project, {"b.png": {1: ["dog"]}}, "gold", day=3)
    gold.add(project, Choice(annotator=("9", "2")))
    # person 2 said that there is a cat, and person 9, whose gold is in another batch, nothing
    assert score(project, Choice(batch=("gold",))).scope["n_judgements"] == 2
