"""Drift from the record: what is kept between runs changes no number, and alarms name who, what and the labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineage.activities import weekly as weekly_counts
from lineage.activities.context import Project
from lineage.activities.drift import Against, Watch, drift_of
from lineage.activities.ingest import ImportOptions, import_labels
from lineage.activities.trace import Choice
from lineage.activities.weekly import Weekly, weekly
from tests.cli.conftest import lineage as run
from tests.conftest import make_batch
from tests.exports import annotation, label_studio, region

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
PEOPLE = ("ann@a.example", "ben@a.example", "cy@a.example", "dee@a.example")
CLASSES = {"cat": ["box"], "dog": ["box"]}


class Tool:
    """A labelling project that grows: answers by person, image and week."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.project = project
        self.path = folder / "export.json"
        self.tasks: dict[str, dict[str, dict[str, Any]]] = {}
        self._key = iter(range(1, 10_000))

    def answer(
        self, image: str, person: str, week: int, classes: list[str], shift: float = 0.0
    ) -> None:
        """Draw boxes of these classes at set places; an answer given again replaces the one before."""
        before = self.tasks.setdefault(image, {}).get(person)
        number = next(self._key) if before is None else before["id"]
        regions = [
            region(f"{number}-{i}", name, 10.0 + 30 * i + shift, 10.0, 20.0, 20.0)
            for i, name in enumerate(classes)
        ]
        at = (START + timedelta(weeks=week)).isoformat()
        self.tasks[image][person] = annotation(
            number, {"email": person}, regions, created_at=at, updated_at=at
        )

    def record(self) -> None:
        """Import the export as it now stands."""
        tasks = [(image, list(people.values())) for image, people in self.tasks.items()]
        label_studio(self.path, tasks)
        import_labels(self.project, [self.path], "b1", options=ImportOptions(is_whole=True))


@pytest.fixture
def tool(project: Project, tmp_path: Path) -> Tool:
    make_batch(project, CLASSES)
    return Tool(project, tmp_path)


def anew(project: Project) -> Weekly:
    """Return the counts as they are without anything kept."""
    cache = project.root / ".lineage" / "cache"
    kept = {path: path.read_bytes() for path in cache.glob("*")}
    for path in kept:
        path.unlink()
    found = weekly(project)
    for path, content in kept.items():
        path.write_bytes(content)
    return found


def assert_same(one: Weekly, other: Weekly) -> None:
    for field in fields(Weekly):
        assert np.array_equal(getattr(one, field.name), getattr(other, field.name)), field.name


@pytest.mark.parametrize("seed", range(3))
def test_what_is_kept_between_runs_changes_no_number(tool: Tool, seed: int) -> None:
    """Answers come new, late, changed and withdrawn; each run after an import equals counting anew."""
    rng = np.random.default_rng(seed)
    for turn in range(4):
        for _ in range(int(rng.integers(1, 9))):
            classes = [str(rng.choice(["cat", "dog"])) for _ in range(int(rng.integers(0, 3)))]
            tool.answer(
                f"i{rng.integers(0, 6)}.png",
                PEOPLE[int(rng.integers(0, 4))],
                int(rng.integers(0, turn + 2)),
                classes,
                float(rng.choice([0.0, 1.0, 3.0])),
            )
        tool.record()
        found = weekly(tool.project)
        assert_same(found, anew(tool.project))
        assert_same(found, weekly(tool.project))


def test_a_later_run_reads_only_what_is_new(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(30):
        tool.answer(f"i{n}.png", PEOPLE[0], 0, ["cat"])
        tool.answer(f"i{n}.png", PEOPLE[1], 0, ["cat"])
    tool.record()
    weekly(tool.project)
    seen: list[int] = []
    load = weekly_counts.collect.load

    def watched(*args: Any, **more: Any) -> Any:
        found = load(*args, **more)
        seen.append(len(found.labels))
        return found

    monkeypatch.setattr(weekly_counts.collect, "load", watched)
    tool.answer("i3.png", PEOPLE[2], 1, ["dog"])
    tool.record()
    assert len(weekly(tool.project).weeks()) == 2
    assert seen == [2, 3]


def test_a_kept_file_that_is_torn_or_of_another_log_is_counted_anew(tool: Tool) -> None:
    for n in range(8):
        tool.answer(f"i{n}.png", PEOPLE[0], 0, ["cat"])
        tool.answer(f"i{n}.png", PEOPLE[1], 0, ["dog"])
    tool.record()
    found = weekly(tool.project)
    (path,) = (tool.project.root / ".lineage" / "cache").glob("weekly-*.npz")
    content = path.read_bytes()
    for torn in (b"", content[: len(content) // 2], b"not a zip"):
        path.write_bytes(torn)
        assert_same(weekly(tool.project), found)
    other = dict(np.load(path))
    np.savez(path, **{**other, "root": np.array("0" * 64), "said": other["said"][:0]})
    assert_same(weekly(tool.project), found)


def test_as_of_an_earlier_place_the_later_does_not_show(tool: Tool) -> None:
    tool.answer("a.png", PEOPLE[0], 0, ["cat"])
    tool.answer("a.png", PEOPLE[1], 0, ["cat"])
    tool.record()
    before = weekly(tool.project)
    tool.answer("b.png", PEOPLE[0], 1, ["cat"])
    tool.answer("b.png", PEOPLE[1], 1, ["cat"])
    tool.record()
    weekly(tool.project)
    assert_same(weekly(tool.project, Choice(as_of=str(before.seq))), before)


def world(tool: Tool, weeks: int, drifts: Any) -> Iterator[None]:
    """Forty images a week, each by two people; ``drifts(person, week)`` says who calls cats dogs."""
    rng = np.random.default_rng(5)
    for week in range(weeks):
        for n in range(40):
            pair = rng.choice(4, 2, replace=False)
            for person in pair.tolist():
                classes = ["cat", "cat", "dog"]
                if drifts(person, week):
                    classes[0] = "dog"
                tool.answer(f"w{week}-{n}.png", PEOPLE[person], week, classes)
        yield


def names(project: Project) -> dict[str, str]:
    from lineage.store import read

    with project.store.reading() as connection:
        return {row.pseudonym: str(row.handle) for row in read.annotators(connection)}


def test_who_begins_to_call_cats_dogs_is_named_dated_and_shown(tool: Tool) -> None:
    for _ in world(tool, 6, lambda person, week: person == 2 and week >= 3):
        pass
    tool.record()
    found = drift_of(tool.project)
    first = found.alarms[0]
    assert (names(tool.project)[str(first["annotator"])], first["class"], first["as_class"]) == (
        PEOPLE[2],
        "cat",
        "dog",
    )
    assert (first["family"], first["change_week"], first["is_standing"]) == (
        "annotator",
        "2026-W05",
        True,
    )
    evidence = first["evidence"]
    assert isinstance(evidence, list)
    # of every cat called dog, the newest fifty
    assert len(evidence) == 50
    with tool.project.store.reading() as connection:
        from sqlalchemy import text

        rows = connection.execute(
            text("SELECT annotation, class, annotator, asset FROM labels WHERE annotation IN "
                 f"({','.join(map(str, evidence))})")
        ).all()  # fmt: skip
    assert {(row[1], names(tool.project)[row[2]]) for row in rows} == {("dog", PEOPLE[2])}
    assert all(row[3] >= "w3" for row in rows)
    same = [row for row in found.alarms if (row["class"], row["as_class"]) == ("cat", "dog")]
    assert [row["annotator"] for row in same] == [first["annotator"]]


def test_where_nobody_drifts_there_is_no_alarm(tool: Tool) -> None:
    for _ in world(tool, 5, lambda person, week: False):
        pass
    tool.record()
    found = drift_of(tool.project)
    assert found.alarms == []
    assert found.n_streams > 0
    assert found.weeks == ["2026-W02", "2026-W03", "2026-W04", "2026-W05", "2026-W06"]


def test_what_everybody_begins_only_the_gold_shows(tool: Tool) -> None:
    for _ in world(tool, 5, lambda person, week: week >= 3):
        pass
    tool.record()
    assert drift_of(tool.project).alarms == []
    counts = weekly(tool.project)
    cat, dog = (counts.classes.index(name) for name in ("cat", "dog"))
    first = int(counts.weeks()[0])
    said = [[first + week, who, cat, cat, 40] for week in range(3) for who in range(4)]
    said += [
        [first + week, who, cat, own, 20]
        for week in (3, 4)
        for who in range(4)
        for own in (cat, dog)
    ]
    apart = [
        [first + week, who, cat, dog, 1, 10 * week + who, 0] for week in (3, 4) for who in range(4)
    ]
    gold = Against(counts.annotators, counts.classes, np.array(said), np.array(apart))
    found = drift_of(tool.project, gold=gold)
    told = next(row for row in found.alarms if row["family"] == "class_gold")
    assert (told["class"], told["change_week"], told["annotator"]) == ("cat", "2026-W05", None)
    assert sorted(told["evidence"]) == [30, 31, 32, 33, 40, 41, 42, 43]  # type: ignore[call-overload]


def test_who_begins_to_draw_wider_is_found_with_the_boxes_that_show_it(tool: Tool) -> None:
    rng = np.random.default_rng(3)
    for week in range(7):
        for n in range(50):
            for person in rng.choice(4, 2, replace=False).tolist():
                wider = 1.5 if person == 1 and week >= 4 else 0.0
                shift = float(rng.normal(0, 0.3)) + wider
                tool.answer(f"w{week}-{n}.png", PEOPLE[person], week, ["cat", "dog"], shift)
    tool.record()
    found = [row for row in drift_of(tool.project).alarms if row["family"] == "geometry"]
    sides = {
        row["measure"]: row
        for row in found
        if names(tool.project)[str(row["annotator"])] == PEOPLE[1]
    }
    assert {"left", "right"} <= sides.keys()
    assert sides["left"]["shift"] == pytest.approx(1.5 / 20 * 3 / 4, rel=0.35)
    assert sides["left"]["change_week"] in ("2026-W05", "2026-W06", "2026-W07")
    evidence = sides["left"]["evidence"]
    assert isinstance(evidence, list)
    assert 0 < len(evidence) <= 50


def test_the_promise_grows_with_the_weeks_and_is_met_by_alarms_only(tool: Tool) -> None:
    for _ in world(tool, 6, lambda person, week: person == 2 and week >= 3):
        pass
    tool.record()
    strict = drift_of(tool.project, watch=Watch(4, 1e-6))
    assert strict.horizon_weeks == 6
    loose = drift_of(tool.project, watch=Watch(4, 0.5))
    assert len(loose.alarms) >= len(strict.alarms)
    told = loose.alarms[0]
    assert float(str(told["threshold"])) < float(str(told["statistic"]))
    ratio = np.log(0.5 / 1e-6)
    assert float(str(strict.alarms[0]["threshold"])) == pytest.approx(
        float(str(told["threshold"])) + ratio
    )


def test_the_command_says_who_and_fails_where_asked(tool: Tool) -> None:
    for _ in world(tool, 6, lambda person, week: person == 2 and week >= 3):
        pass
    tool.record()
    root = tool.project.root
    told = run(root, "drift")
    assert told.code == 0
    assert "cy@a.example" in told.out
    assert "cat (others) called dog" in told.out
    assert run(root, "drift", "--fail-on-alarm").code == 1
    assert (
        run(root, "drift", "--fail-on-alarm", "--class", "dog", "--annotator", PEOPLE[0]).code == 0
    )
    hidden = run(root, "--pseudonyms", "drift")
    assert "cy@a.example" not in hidden.out


def test_an_empty_ledger_has_nothing_to_compare(project: Project) -> None:
    assert drift_of(project).weeks == []
    assert "nothing to compare" in run(project.root, "drift").out
