"""Requirements: resolved with what they inherit, held against filters, and told apart by how they stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lineage.activities import gold
from lineage.activities.agreement import agreement_of
from lineage.activities.context import Project
from lineage.activities.ingest import import_labels
from lineage.activities.measure import Measured, measure
from lineage.activities.requirements import Gate, GateState
from lineage.activities.trace import Choice
from lineage.errors import BadInput, NotFound
from lineage.settings import load_params
from lineage.settings.requirements import MeasureSettings, Metric, Requirement, Size
from tests.cli.conftest import lineage as run
from tests.conftest import make_batch
from tests.exports import annotation, label_studio, region

RULES: dict[str, object] = {"type": "object", "properties": {"occluded": {"enum": ["no", "yes"]}}}


def choice(key: str, value: str) -> dict[str, object]:
    return {**region(key, "cat", 10.0, 10.0, 20.0, 20.0), "from_name": "occluded", "type": "choices",
            "value": {"choices": [value]}}  # fmt: skip


@pytest.fixture
def known(project: Project, tmp_path: Path) -> Project:
    """Twenty images by two people: cats agree, small dogs are called cats by person 2, occluded cats missed."""
    make_batch(project, {"cat": ["box"], "dog": ["box"]}, attributes=RULES)
    tasks = []
    for n in range(20):
        answers = []
        for person in (1, 2):
            boxes = [
                region(f"a{person}{n}", "cat", 10.0, 10.0, 20.0, 20.0),
                choice(f"a{person}{n}", "no"),
                region(f"b{person}{n}", "dog" if person == 1 else "cat", 60.0, 60.0, 3.0, 3.0),
            ]
            if person == 1:
                boxes += [
                    region(f"c{person}{n}", "cat", 10.0, 50.0, 20.0, 20.0),
                    choice(f"c{person}{n}", "yes"),
                ]
            answers.append(annotation(10 * n + person, person, boxes))
        tasks.append((f"i{n}.png", answers))
    import_labels(project, [label_studio(tmp_path / "all.json", tasks)], "b1")
    return project


def gate(found: Measured, name: str) -> Gate:
    return next(one for one in found.gates if one.requirement.name == name)


def held(project: Project, *requirements: Requirement) -> list[Gate]:
    return list(measure(project, MeasureSettings(requirements=requirements)).gates)


def test_a_requirement_is_about_the_labels_that_pass_its_filter(known: Project) -> None:
    found = held(
        known,
        Requirement("all", Metric.F1, least=0.9),
        Requirement("cats", Metric.F1, least=0.6, classes=("cat",)),
        Requirement("small", Metric.F1, least=0.1, sizes=(Size.SMALL,)),
        Requirement("large", Metric.F1, least=0.1, sizes=(Size.LARGE,)),
        Requirement("hidden", Metric.F1, most=0.5, attributes=("occluded=yes",)),
        Requirement("plain", Metric.F1, least=1.0, attributes=("occluded=no",)),
        Requirement("missed", Metric.MISSING_FRACTION, most=0.1),
        Requirement("polygons", Metric.F1, least=0.1, kinds=("polygon",)),
    )
    # an image: cat and cat, dog and cat, cat and nothing: 5 mentions, 2 borne out
    told = {one.requirement.name: (one.value, one.n, one.state) for one in found}
    assert told == {
        "all": (pytest.approx(2 / 5), 100, GateState.FAILED),
        # mentions of cats: two borne out, the one for a dog, the one that is missed
        "cats": (pytest.approx(2 / 4), 80, GateState.FAILED),
        "small": (0.0, 40, GateState.FAILED),
        "large": (pytest.approx(2 / 3), 60, GateState.PASSED),
        "hidden": (0.0, 20, GateState.PASSED),
        "plain": (1.0, 40, GateState.PASSED),
        "missed": (pytest.approx(1 / 5), 100, GateState.FAILED),
        "polygons": (None, 0, GateState.NOT_APPLICABLE),
    }


def test_without_a_filter_the_numbers_are_those_of_agreement(known: Project) -> None:
    whole = agreement_of(known).overall
    for metric, key in ((Metric.F1, "f1"), (Metric.F1_LO, "f1_lo"), (Metric.IOU_MEAN, "iou_mean")):
        [found] = held(known, Requirement("x", metric, least=0.0))
        assert found.value == pytest.approx(whole[key])


def test_alpha_is_of_what_both_found(known: Project) -> None:
    [found] = held(known, Requirement("x", Metric.ALPHA, least=0.9))
    # 20 pairs cat/cat, 20 dog/cat: n = 80, 60 cats and 20 dogs, 40 contradicted mentions
    wanted = 1 - (80 - 40) * 79 / (80**2 - 60**2 - 20**2)
    assert found.value == pytest.approx(wanted)
    assert found.state is GateState.FAILED


def test_too_little_is_not_applicable_and_no_failure(known: Project) -> None:
    found = measure(
        known,
        MeasureSettings(
            requirements=(
                Requirement("few", Metric.F1, least=0.99, attributes=("occluded=yes",), least_n=21),
                Requirement("gold", Metric.GOLD_ERROR, most=0.0),
                Requirement("flagged", Metric.N_FLAGGED, most=0.0),
            )
        ),
    )
    assert {one.state for one in found.gates} == {GateState.NOT_APPLICABLE}
    assert found.n_failed == 0
    assert gate(found, "few").reason == "20 mentions, fewer than 21"


def test_gold_and_people_may_be_required_of_too(known: Project, tmp_path: Path) -> None:
    gold.add(known, Choice(annotator=("1",)))
    bad, good = held(
        known,
        Requirement("second", Metric.GOLD_ERROR, most=0.4, annotators=("2",)),
        Requirement("cats", Metric.GOLD_ERROR, most=0.6, classes=("cat",)),
    )
    # an image: of three gold labels person 2 misses one and misnames one, and draws nothing beside them
    assert (bad.value, bad.n, bad.state) == (pytest.approx(2 / 4), 80, GateState.FAILED)
    assert good.state is GateState.PASSED
    with pytest.raises(NotFound):
        held(known, Requirement("x", Metric.F1, least=0.1, annotators=("nobody",)))


def written(project: Project, text: str) -> MeasureSettings:
    (project.root / "params.yaml").write_text(text)
    return load_params(project.root).measure


def test_what_a_requirement_does_not_say_its_base_says(project: Project) -> None:
    found = written(
        project,
        """
measure:
  iou: 0.4
  requirements:
    floor: {abstract: true, metric: f1_lo, least: 0.8, least_n: 50}
    cats: {base: floor, classes: cat}
    kittens: {base: cats, sizes: [small], least: 0.6}
""",
    )
    assert found.iou == 0.4
    assert found.requirements == (
        Requirement("cats", Metric.F1_LO, least=0.8, classes=("cat",), least_n=50),
        Requirement(
            "kittens", Metric.F1_LO, least=0.6, classes=("cat",), sizes=("small",), least_n=50
        ),
    )


def test_everything_that_is_wrong_is_told_at_once(project: Project) -> None:
    with pytest.raises(BadInput) as caught:
        written(
            project,
            """
measure:
  requirements:
    a: {base: b, metric: f1, least: 1}
    b: {base: a}
    c: {base: nothing, metric: f1, least: 1}
    d: {metric: kappa, least: 1}
    e: {metric: f1}
    f: {metric: alpha, least: 0.8, classes: cat}
    g: {metric: f1, least: high, sizes: tiny, attributes: occluded, colour: red}
    h: 3
""",
        )
    told = str(caught.value)
    for part in (
        "a.base: a > b > a goes in a circle",
        "c.base: no requirement 'nothing'",
        "d.metric: 'kappa', expected one of f1",
        "requirements.e: expected least or most",
        "f.classes: alpha is not told apart by classes",
        "g.least: 'high'",
        "g.sizes: 'tiny'",
        "g.attributes: 'occluded', expected name=value",
        "g.colour: unknown",
        "h: 3, expected a mapping",
    ):
        assert part in told, part


def test_the_command_writes_reports_and_fails_where_a_requirement_does(known: Project) -> None:
    root = known.root
    (root / "params.yaml").write_text(
        "measure:\n  requirements:\n    all: {metric: f1, least: 0.9}\n    people: {metric: f1, least: 0.1, annotators: '2'}\n"
    )
    told = run(root, "measure")
    assert told.code == 1
    assert "failed" in told.out
    assert run(root, "measure", "--no-fail").code == 0
    before = {path: path.read_bytes() for path in sorted((root / "reports").rglob("*.*"))}
    assert len(before) == 8
    run(root, "measure")
    assert {path: path.read_bytes() for path in before} == before, "the same ledger, other bytes"
    gates = json.loads((root / "reports" / "requirements.json").read_text())["requirements"]
    assert [row["state"] for row in gates] == ["failed", "passed"]
    # reports leave the project: people stand as pseudonyms there, and by name on the screen
    assert gates[1]["filter"]["annotators"][0].startswith("a-")
    assert run(root, "--json", "measure", "--no-fail").json["requirements"][1]["filter"] == {
        "annotators": ["label-studio:2"]
    }
    assert "label-studio" not in "".join(
        path.read_text() for path in (root / "reports").rglob("*.*")
    )
