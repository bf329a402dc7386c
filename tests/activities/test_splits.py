"""One edge case read in four ways is one split with its four camps; slips and habits of drawing are told apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineage.activities import trace
from lineage.activities.agreement import AgreementReport, agreement_of
from lineage.activities.context import Project
from lineage.activities.ingest import import_labels
from lineage.activities.trace import Choice
from tests.conftest import make_batch
from tests.exports import annotation, label_studio, region

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
RULES: dict[str, object] = {
    "type": "object",
    "properties": {"occluded": {"enum": ["none", "partially"]}},
}
WAYS = {
    1: "visible",
    2: "visible",
    3: "full",
    4: "full",
    5: "skip",
    6: "skip",
    7: "other",
    8: "other",
}


def drawn(person: int, key: int, *, is_occluded: bool, way: str) -> list[dict[str, Any]]:
    """Return what a person draws of one pedestrian, and of a plain bus beside."""
    found = [region(f"b{key}", "bus", 60.0, 60.0, 30.0, 30.0)]
    if is_occluded and way == "skip":
        return found
    class_ = "cyclist" if is_occluded and way == "other" else "pedestrian"
    width = 20.0 if is_occluded and way == "full" else 12.0
    box = region(f"p{key}", class_, 10.0, 10.0, width, 20.0)
    value = "partially" if is_occluded else "none"
    told = {**box, "from_name": "occluded", "type": "choices", "value": {"choices": [value]}}
    return [*found, box, told] if class_ == "pedestrian" else [*found, box]


@pytest.fixture
def split(project: Project, tmp_path: Path) -> Project:
    """120 images, half of them with an occluded pedestrian, each seen by four of eight people."""
    make_batch(
        project,
        {"pedestrian": ["box"], "cyclist": ["box"], "bus": ["box"]},
        attributes=RULES,
    )
    rng = np.random.default_rng(4)
    tasks, key = [], iter(range(1, 10_000))
    for n in range(120):
        at = (START + timedelta(weeks=n // 30)).isoformat()
        answers = []
        for person in sorted(rng.choice(8, 4, replace=False) + 1):
            number = next(key)
            way = WAYS[int(person)] if n >= 30 else "visible"
            boxes = drawn(int(person), number, is_occluded=n % 2 == 0, way=way)
            answers.append(annotation(number, int(person), boxes, created_at=at, updated_at=at))
        tasks.append((f"i{n}.png", answers))
    import_labels(project, [label_studio(tmp_path / "all.json", tasks)], "b1")
    return project


def camps(project: Project, found: AgreementReport) -> list[set[int]]:
    names = trace.names_of(project)
    row = next(r for r in found.splits if r["tag"] == "occluded=partially")
    told = row["camps"]
    assert isinstance(told, list)
    return [{int(names[person].split(":")[-1]) for person in camp["annotators"]} for camp in told]


def test_four_ways_are_one_split_with_four_camps(split: Project) -> None:
    found = agreement_of(split)
    row = next(r for r in found.splits if r["tag"] == "occluded=partially")
    assert (row["class"], row["verdict"]) == ("pedestrian", "definition_split")
    assert sorted(camps(split, found), key=min) == [{1, 2}, {3, 4}, {5, 6}, {7, 8}]
    told = row["camps"]
    assert isinstance(told, list)
    for way in ("larger", "nothing", "cyclist"):
        assert any(camp["ways"].get(way, 0.0) > 0.3 for camp in told), way
    assert not [r for r in found.splits if r["tag"] == "occluded=none"]
    assert not [r for r in found.splits if r["class"] == "bus"]
    examples = row["examples"]
    assert isinstance(examples, list)
    assert 0 < len(examples) <= 12


def test_before_they_part_there_is_no_split(split: Project) -> None:
    found = agreement_of(split, Choice(until="2026-01-12T00:00:00Z"))
    assert (found.overall["n_images"], found.splits) == (30, [])
    later = agreement_of(split, Choice(since="2026-01-12T00:00:00Z"))
    assert later.overall["n_images"] == 90
    assert sorted(map(len, camps(split, later))) == [2, 2, 2, 2]


def test_slips_are_no_camps(project: Project, tmp_path: Path) -> None:
    make_batch(project, {"cat": ["box"], "dog": ["box"]})
    rng = np.random.default_rng(2)
    tasks, key = [], iter(range(1, 10_000))
    for n in range(150):
        answers = []
        for person in range(1, 5):
            number = next(key)
            class_ = "dog" if rng.random() < 0.08 else "cat"
            answers.append(
                annotation(number, person, [region(f"r{number}", class_, 10.0, 10.0, 20.0, 20.0)])
            )
        tasks.append((f"i{n}.png", answers))
    import_labels(project, [label_studio(tmp_path / "all.json", tasks)], "b1")
    rows = agreement_of(project).splits
    assert {(row["class"], row["verdict"]) for row in rows} == {("cat", "slips"), ("dog", "slips")}
    assert all(row["camps"] == [] for row in rows)


def test_a_habit_of_drawing_is_a_convention_with_its_camps(
    project: Project, tmp_path: Path
) -> None:
    make_batch(project, {"cat": ["box"]})
    rng = np.random.default_rng(3)
    tasks, key = [], iter(range(1, 20_000))
    for n in range(260):
        answers = []
        for person in range(1, 5):
            number = next(key)
            extent = 26.0 if person > 2 else 20.0
            box = region(f"r{number}", "cat", 10 + rng.normal(0, 0.3), 10.0, extent, 20.0)
            answers.append(annotation(number, person, [box]))
        tasks.append((f"i{n}.png", answers))
    import_labels(project, [label_studio(tmp_path / "all.json", tasks)], "b1")
    [row] = agreement_of(project).conventions
    assert row["is_convention"]
    assert float(str(row["share"])) > 0.3
    told = row["camps"]
    assert isinstance(told, list)
    names = trace.names_of(project)
    people = [{int(names[p].split(":")[-1]) for p in camp["annotators"]} for camp in told]
    assert sorted(people, key=min) == [{1, 2}, {3, 4}]
    wide = next(camp for camp, who in zip(told, people, strict=True) if 3 in who)
    assert wide["right"] == pytest.approx(4 / 23 * 6 / 4 / 2 * 4 / 3, rel=0.25)
