"""A planted world all the way: exports, import, and what the commands' activities then say of it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from lineage.activities import gold, gold_score
from lineage.activities.agreement import AgreementReport, agreement_of
from lineage.activities.collect import load
from lineage.activities.context import Project, open_project
from lineage.activities.drift import DriftReport, drift_of
from lineage.activities.gold_score import GoldScores
from lineage.activities.trace import Choice
from lineage.simulate.settings import PEOPLE
from tests.quality import worlds
from tests.quality.worlds import SPLIT

HURRIED: Mapping[str, object] = {"kind": "hurried", "annotator": "goran", "from_week": 4}
SPLIT_DEFINITION = ("pedestrian", "occluded=partially")
Row = Mapping[str, object]


@dataclass(frozen=True)
class Found:
    """What is told of a world, with people by their own names."""

    project: Project
    names: Mapping[str, str]
    agreement: AgreementReport
    drift: DriftReport
    gold: GoldScores

    def who(self, pseudonym: object) -> str:
        return next(name for name, own in self.names.items() if own == pseudonym)

    def of(self, rows: object, name: str) -> Row:
        assert isinstance(rows, list)
        return next(row for row in rows if row["annotator"] == self.names[name])


def found_of(root: Path, n_images: int, *faults: Mapping[str, object]) -> Found:
    project = open_project(root, agent="tess@team.example")
    names = worlds.recorded(project, worlds.settings(7, n_images, *faults))
    gold.add(project, Choice(batch=("gold",)))
    return Found(
        project, names, agreement_of(project), drift_of(project), gold_score.score(project)
    )


@pytest.fixture(scope="module")
def planted(empty_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Found:
    root = tmp_path_factory.mktemp("planted") / "proj"
    shutil.copytree(empty_project, root)
    return found_of(root, 20_000, SPLIT, HURRIED)


@pytest.fixture(scope="module")
def honest(empty_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Found:
    root = tmp_path_factory.mktemp("honest") / "proj"
    shutil.copytree(empty_project, root)
    return found_of(root, 20_000)


@pytest.mark.slow
def test_the_ledger_holds_the_opinions_that_the_world_has(project: Project) -> None:
    world = worlds.settings(9, 500, SPLIT, overlap_fraction=0.3)
    names = worlds.recorded(project, world)
    wanted, found = worlds.opinions(world), load(project)
    numbers = {name: at for at, name in enumerate(found.words.annotators)}
    # who skipped all there was left no trace in CVAT
    assert 0.98 < len(found.answers.image) / len(wanted.answers.image) <= 1
    for who in PEOPLE:
        n = int((found.labels.annotator == numbers[names[who]]).sum())
        n_wanted = int((wanted.labels.annotator == PEOPLE.index(who)).sum())
        assert n == pytest.approx(n_wanted, abs=4 + n_wanted * 0.02)
    weeks = {int(week) for week in found.labels.week}
    assert weeks == {worlds.FIRST_WEEK + at for at in range(8)}


@pytest.mark.slow
def test_the_hurried_one_agrees_least_with_others_and_with_themselves(planted: Found) -> None:
    by_annotator = list(planted.agreement.by_annotator)
    assert planted.who(by_annotator[0]["annotator"]) == "goran"
    assert float(str(by_annotator[0]["f1_hi"])) < float(str(by_annotator[1]["f1_lo"]))
    assert planted.who(next(iter(planted.agreement.by_self))["annotator"]) == "goran"


@pytest.mark.slow
def test_the_hurried_one_is_flagged_by_the_gold(planted: Found, honest: Found) -> None:
    # from the week in which the hurry begins: a sequential test that has accepted is over
    since = Choice(since="2026-01-26T00:00:00+00:00")
    rows = list(gold_score.score(planted.project, since).annotators)
    goran = planted.of(rows, "goran")
    assert goran["decision"] == "flag"
    assert goran is rows[0]
    usual = honest.of(list(honest.gold.annotators), "goran")
    assert float(str(goran["error_lo"])) > 3 * float(str(usual["error_hi"]))


@pytest.mark.slow
def test_the_gold_shows_who_reads_the_definition_otherwise(planted: Found) -> None:
    told = {planted.who(row["annotator"]): row for row in planted.gold.annotators}
    # a pedestrian in four is partially occluded, an object in four a pedestrian
    assert int(str(told["femi"]["n_misclassed"])) > 2 * int(str(told["hana"]["n_misclassed"]))
    assert int(str(told["erin"]["n_missed"])) > 2 * int(str(told["hana"]["n_missed"]))


@pytest.mark.slow
def test_drift_names_each_of_those_who_began_something(planted: Found) -> None:
    alarms = [row for row in planted.drift.alarms if row["family"] == "annotator"]
    strongest = [
        row for row in alarms if float(str(row["statistic"])) > 3 * float(str(row["threshold"]))
    ]
    assert {planted.who(row["annotator"]) for row in strongest} <= {"erin", "femi", "goran"}
    began = {
        (planted.who(row["annotator"]), row["class"], row["as_class"]): row["change_week"]
        for row in alarms
    }
    assert began["femi", "pedestrian", "cyclist"] in ("2026-W04", "2026-W05")
    assert began["erin", "pedestrian", None] in ("2026-W04", "2026-W05")
    assert began["goran", "car", None] in ("2026-W05", "2026-W06")


@pytest.mark.slow
def test_the_split_is_one_finding_with_four_camps_by_week_five(planted: Found) -> None:
    weeks = tuple(f"w{week:02d}-{tool}" for week in (3, 4, 5) for tool in ("ls", "cvat"))
    found = agreement_of(planted.project, Choice(batch=weeks))
    row = next(r for r in found.splits if (r["class"], r["tag"]) == SPLIT_DEFINITION)
    assert row["verdict"] == "definition_split"
    camps = row["camps"]
    assert isinstance(camps, list)
    way = {}
    for camp in camps:
        for pseudonym in camp["annotators"]:
            way[planted.who(pseudonym)] = next(iter(camp["ways"]))
    others = dict.fromkeys(("bruno", "chen", "dalia", "goran", "hana"), "alike")
    assert len(camps) == 4
    assert way == {**others, "alice": "larger", "erin": "nothing", "femi": "cyclist"}


@pytest.mark.slow
def test_the_full_extent_is_a_convention_of_one(planted: Found) -> None:
    row = next(r for r in planted.agreement.conventions if r["is_convention"])
    assert row["class"] == "pedestrian"
    camps = row["camps"]
    assert isinstance(camps, list)
    assert [[planted.who(name) for name in camp["annotators"]] for camp in camps[1:]] == [["alice"]]


@pytest.mark.slow
def test_the_split_class_is_the_most_disputed_one(planted: Found) -> None:
    rows = {(row["class"], row["as_class"]): row for row in planted.agreement.disputes}
    assert rows["cyclist", "pedestrian"]["verdict"] in ("biased_minority", "definition_split")
    camps = rows["cyclist", "pedestrian"]["camps"]
    assert isinstance(camps, list)
    assert [planted.who(name) for name in min(camps, key=len)] == ["femi"]


@pytest.mark.slow
def test_nothing_is_found_where_nothing_was_planted(honest: Found) -> None:
    low, high = (honest.agreement.by_annotator[at] for at in (0, -1))
    assert float(str(high["f1"])) - float(str(low["f1"])) < 0.02
    told = [row for row in honest.agreement.disputes if int(str(row["n"])) >= 20]
    assert {row["verdict"] for row in told} <= {"slips", None}
    assert {row["verdict"] for row in honest.agreement.splits} <= {"slips"}
    assert not any(row["is_convention"] for row in honest.agreement.conventions)
    assert all(float(str(row["error_hi"])) < 0.1 for row in honest.gold.annotators)


@pytest.mark.slow
def test_no_alarm_is_raised_where_nothing_was_planted(honest: Found) -> None:
    assert list(honest.drift.alarms) == []
