"""Agreement from the record: who counts as an opinion, and what the numbers then are."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage.activities import batches, trace
from lineage.activities.agreement import AgreementReport, agreement_of
from lineage.activities.context import Project
from lineage.activities.gather import Threshold
from lineage.activities.ingest import ImportOptions, import_labels
from lineage.activities.trace import Choice
from tests.cli.conftest import lineage as run
from tests.conftest import make_batch
from tests.exports import annotation, label_studio, region

BOXES = [(10.0, 10.0, 20.0, 20.0), (50.0, 50.0, 20.0, 20.0), (80.0, 10.0, 15.0, 15.0)]


def drawn(classes: list[str], *, shift: float = 0.0) -> list[dict[str, object]]:
    return [
        region(f"r{i}", class_, BOXES[i][0] + shift, *BOXES[i][1:])
        for i, class_ in enumerate(classes)
    ]


def put(
    project: Project, tmp_path: Path, answers: dict[str, dict[int, list[str]]], tag: str = "b1"
) -> None:
    """Import what each person drew on each image: classes at set places."""
    key = iter(range(1, 1000))
    tasks = [
        (
            image,
            [annotation(next(key), person, drawn(classes)) for person, classes in people.items()],
        )
        for image, people in answers.items()
    ]
    import_labels(project, [label_studio(tmp_path / f"{tag}.json", tasks)], tag)


def of_class(found: AgreementReport, name: str) -> dict[str, object]:
    return next(dict(row) for row in found.by_class if row["class"] == name)


def test_f1_counts_what_was_missed_and_what_was_named_otherwise(
    project: Project, tmp_path: Path
) -> None:
    make_batch(project, {"cat": ["box"], "dog": ["box"]})
    answers = {f"i{n}.png": {1: ["cat", "dog", "cat"], 2: ["cat", "cat"]} for n in range(5)}
    put(project, tmp_path, answers)
    found = agreement_of(project)
    # an image: cat/cat, dog/cat, cat/nothing; so cats: 4 mentions, 2 borne out
    assert found.overall["f1"] == pytest.approx(2 / 5)
    assert of_class(found, "cat")["f1"] == pytest.approx(2 / 4)
    assert of_class(found, "dog")["f1"] == 0
    assert of_class(found, "cat")["n_missing"] == 5
    assert found.outcomes == {"match": 5, "label_mismatch": 5, "missing": 5, "extra": 0}
    assert found.confusion[0]["n"] == 5
    assert len(found.by_pair) == 1
    assert found.overall["n_images"] == 5


def test_few_labels_give_no_number(project: Project, tmp_path: Path) -> None:
    make_batch(project, {"cat": ["box"]})
    put(project, tmp_path, {"a.png": {1: ["cat"], 2: ["cat"]}})
    assert agreement_of(project).overall["f1"] is None


def test_a_task_labelled_once_and_an_image_that_nobody_else_saw_do_not_count(
    project: Project, tmp_path: Path
) -> None:
    make_batch(project, {"cat": ["box"]})
    put(project, tmp_path, {"a.png": {1: ["cat"]}, "b.png": {2: ["cat"]}})
    found = agreement_of(project)
    assert (found.overall["n_images"], found.by_class) == (0, [])


def test_two_empty_answers_are_counted_apart(project: Project, tmp_path: Path) -> None:
    make_batch(project, {"cat": ["box"]})
    answers: dict[str, dict[int, list[str]]] = {"empty.png": {1: [], 2: []}}
    answers |= {f"i{n}.png": {1: ["cat"], 2: ["cat"]} for n in range(3)}
    put(project, tmp_path, answers)
    found = agreement_of(project)
    assert (found.overall["f1"], found.overall["n_empty_pairs"]) == (1.0, 1)


def test_who_drew_nothing_missed_it(project: Project, tmp_path: Path) -> None:
    make_batch(project, {"cat": ["box"]})
    put(project, tmp_path, {f"i{n}.png": {1: ["cat"], 2: []} for n in range(6)})
    assert agreement_of(project).overall["f1"] == 0


def test_other_tasks_are_other_questions(project: Project, tmp_path: Path) -> None:
    make_batch(project, {"cat": ["box"], "dog": ["box"]})
    batches.create(project, batches.BatchOrder("dogs", "dogs only", "things@1.0"))
    put(project, tmp_path, {"a.png": {1: ["cat"]}})
    put(project, tmp_path, {"a.png": {2: ["dog"]}}, "dogs")
    assert agreement_of(project).overall["n_images"] == 0


def test_people_of_different_batches_of_one_task_are_compared(
    project: Project, tmp_path: Path
) -> None:
    make_batch(project, {"cat": ["box"]})
    batches.create(project, batches.BatchOrder("b2", "detection", "things@1.0"))
    answers = {f"i{n}.png": ["cat"] for n in range(6)}
    put(project, tmp_path, {image: {1: classes} for image, classes in answers.items()})
    put(project, tmp_path, {image: {2: classes} for image, classes in answers.items()}, "b2")
    assert agreement_of(project).overall["f1"] == 1
    assert agreement_of(project, Choice(batch=("b1",))).overall["n_images"] == 0


def test_a_person_is_held_against_themselves_where_an_image_came_back(
    project: Project, tmp_path: Path
) -> None:
    make_batch(project, {"cat": ["box"], "dog": ["box"]})
    batches.create(project, batches.BatchOrder("again", "detection", "things@1.0"))
    put(project, tmp_path, {f"i{n}.png": {1: ["cat", "dog"]} for n in range(5)})
    put(project, tmp_path, {f"i{n}.png": {1: ["cat", "cat"]} for n in range(5)}, "again")
    found = agreement_of(project)
    assert found.overall["n_images"] == 0
    assert len(found.by_self) == 1
    assert found.by_self[0]["f1"] == pytest.approx(0.5)


def test_a_model_has_no_opinion(project: Project, tmp_path: Path) -> None:
    make_batch(project, {"cat": ["box"]})
    prediction = {"id": 9, "model_version": "m1", "result": drawn(["cat"])}
    tasks = [
        (f"i{n}.png", [annotation(n + 1, 1, drawn(["cat"])), annotation(n + 51, 2, drawn(["cat"]))])
        for n in range(5)
    ]
    path = label_studio(tmp_path / "b1.json", tasks, predictions=[prediction])
    import_labels(project, [path], "b1")
    found = agreement_of(project)
    assert {row["annotator"] for row in found.by_annotator} == {
        person for row in found.by_pair for person in (row["a"], row["b"])
    }
    assert len(found.by_annotator) == 2


def test_a_correction_by_another_person_takes_no_opinion_away(
    project: Project, tmp_path: Path
) -> None:
    make_batch(project, {"cat": ["box"], "dog": ["box"]})
    mapping = tmp_path / "map.yaml"
    mapping.write_text(
        "kind: box\ncolumns: {id: id, asset: image, annotator: who, class: label, x_min: x1, "
        "y_min: y1, x_max: x2, y_max: y2}\n"
    )
    head = "id,image,who,label,x1,y1,x2,y2\n"
    rows = [
        f"a{n},i{n}.png,ann,cat,10,10,50,50\nb{n},i{n}.png,bo,cat,10,10,50,50\n" for n in range(5)
    ]
    table = tmp_path / "labels.csv"
    table.write_text(head + "".join(rows))
    options = ImportOptions(format="table", map=mapping)
    import_labels(project, [table], "b1", options=options)
    before = agreement_of(project).overall["f1"]
    corrected = "".join(rows).replace("b0,i0.png,bo,cat", "b0,i0.png,chief,dog")
    table.write_text(head + corrected)
    import_labels(project, [table], "b1", options=options)
    after = agreement_of(project)
    assert before == after.overall["f1"] == 1


def test_the_threshold_may_be_another_for_small_objects(project: Project, tmp_path: Path) -> None:
    make_batch(project, {"cat": ["box"]})
    tasks = []
    for n in range(5):
        small = [region("s", "cat", 10, 10, 3, 3)], [region("s", "cat", 11.2, 10, 3, 3)]
        tasks.append(
            (f"i{n}.png", [annotation(n * 2 + i + 1, i + 1, r) for i, r in enumerate(small)])
        )
    import_labels(project, [label_studio(tmp_path / "b1.json", tasks)], "b1")
    assert agreement_of(project).overall["f1"] == 0
    loose = agreement_of(project, threshold=Threshold(0.5, small=0.3))
    assert loose.overall["f1"] == 1
    assert [row["f1"] for row in loose.sensitivity] == [1.0, 0.0, 0.0]


def test_whole_image_classes_and_several_at_once(project: Project, tmp_path: Path) -> None:
    make_batch(project, {"sunny": ["class"], "rain": ["class"], "fog": ["class"]})

    def choose(*names: str) -> list[dict[str, object]]:
        value = {"choices": list(names)}
        return [
            {"id": "c", "from_name": "w", "to_name": "image", "type": "choices", "value": value}
        ]

    one = [
        (
            f"i{n}.png",
            [annotation(2 * n + 1, 1, choose("sunny")), annotation(2 * n + 2, 2, choose("rain"))],
        )
        for n in range(5)
    ]
    import_labels(project, [label_studio(tmp_path / "b1.json", one)], "b1")
    found = agreement_of(project)
    assert (found.overall["f1"], found.overall["n_missing"]) == (0.0, 0)
    batches.create(project, batches.BatchOrder("multi", "weather", "things@1.0"))
    both = [
        (
            f"m{n}.png",
            [
                annotation(2 * n + 1, 1, choose("fog", "rain")),
                annotation(2 * n + 2, 2, choose("rain")),
            ],
        )
        for n in range(5)
    ]
    import_labels(project, [label_studio(tmp_path / "m.json", both)], "multi")
    several = agreement_of(project, Choice(batch=("multi",)))
    assert of_class(several, "rain")["f1"] == 1
    assert of_class(several, "fog")["f1"] == 0


def test_the_command_tells_it_in_words(project: Project, tmp_path: Path) -> None:
    make_batch(project, {"cat": ["box"], "dog": ["box"]})
    bare = run(project.root, "agreement")
    assert "nothing to compare" in bare.out
    put(project, tmp_path, {f"i{n}.png": {1: ["cat", "dog"], 2: ["cat", "cat"]} for n in range(5)})
    told = run(project.root, "agreement")
    assert told.code == 0, told.err
    assert "F1 0.500" in told.out
    assert "by class" in told.out
    one = run(project.root, "--json", "agreement", "--annotator", "1", "--class", "cat").json
    assert [row["class"] for row in one["by_class"]] == ["cat"]
    assert len(one["by_annotator"]) == 1


def test_a_definition_read_in_two_ways_is_called_that_with_its_camps(
    project: Project, tmp_path: Path
) -> None:
    make_batch(project, {"cat": ["box"], "dog": ["box"]})
    # people 1 and 2 call the first box of every image a cat, 3 and 4 a dog; the others are plain
    answers = {
        f"i{n}.png": {
            person: ["cat" if person < 3 else "dog", "dog", "cat"] for person in (1, 2, 3, 4)
        }
        for n in range(40)
    }
    put(project, tmp_path, answers)
    found = agreement_of(project)
    [dispute] = found.disputes
    assert (dispute["class"], dispute["as_class"], dispute["n"]) == ("cat", "dog", 40)
    assert dispute["verdict"] == "definition_split"
    names = trace.names_of(project)
    camps = dispute["camps"]
    assert isinstance(camps, list)
    assert [{names[person][-1] for person in camp} for camp in camps] == [{"1", "2"}, {"3", "4"}]
    told = run(project.root, "agreement")
    assert "rewrite its guideline" in told.out
    assert "label-studio:1" in told.out


def test_slips_of_anybody_are_slips(project: Project, tmp_path: Path) -> None:
    make_batch(project, {"cat": ["box"], "dog": ["box"]})
    answers = {
        f"i{n}.png": {person: ["dog" if n % 5 == person else "cat"] for person in range(5)}
        for n in range(60)
    }
    put(project, tmp_path, answers)
    [dispute] = agreement_of(project).disputes
    assert dispute["verdict"] == "slips"
    assert dispute["camps"] == []


def test_two_opinions_make_a_dispute_and_no_verdict(project: Project, tmp_path: Path) -> None:
    make_batch(project, {"cat": ["box"], "dog": ["box"]})
    put(project, tmp_path, {f"i{n}.png": {1: ["cat"], 2: ["dog"]} for n in range(6)})
    [dispute] = agreement_of(project).disputes
    assert (dispute["n"], dispute["verdict"], dispute["a_fresh"]) == (6, None, None)
