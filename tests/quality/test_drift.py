"""Drift charts on simulated worlds: who began what, when; and silence where nothing was planted."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lineage.calc import charts, drift
from lineage.calc.drift import Alarm, CellState
from lineage.calc.intervals import wilson
from lineage.simulate.settings import CLASSES, PEOPLE
from tests.quality import worlds
from tests.quality.worlds import FIRST_WEEK, SPLIT

N_WEEKS, ALPHA = 8, 0.05
MISSING = len(CLASSES)
HURRIED: Mapping[str, object] = {"kind": "hurried", "annotator": "goran", "from_week": 4}


def cell_alarms(weeks: list[drift.Week]) -> list[list[Alarm]]:
    """Return the alarms of each week, strongest first."""
    state, found = CellState(MISSING + 1), []
    for week in weeks:
        state, raised, _ = drift.cells(
            state, week, horizon_weeks=N_WEEKS, false_alarm_fraction=ALPHA
        )
        found.append(raised)
    return found


def class_alarms(weeks: list[drift.Week]) -> list[list[Alarm]]:
    state, found = charts.ClassState(), []
    for week in weeks:
        state, raised, _ = charts.history(
            state, week, horizon_weeks=N_WEEKS, false_alarm_fraction=ALPHA
        )
        found.append(raised)
    return found


def planted(seed: int, *faults: Mapping[str, object], **more: float) -> list[drift.Week]:
    return worlds.compared(worlds.opinions(worlds.settings(seed, 20_000, *faults, **more)))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_who_begins_to_hurry_is_named_within_two_weeks(seed: int) -> None:
    found = cell_alarms(planted(seed, HURRIED))
    # weeks are counted from 1 in a fault's settings, from 0 here
    assert not any(found[:3])
    raised = next(alarms for alarms in found if alarms)
    assert found.index(raised) in (3, 4)
    assert PEOPLE[raised[0].annotator] == "goran"
    assert raised[0].own == MISSING
    assert abs(raised[0].change_week - FIRST_WEEK - 3) <= 1
    strong = {a.annotator for alarms in found for a in alarms if a.statistic > 2 * a.threshold}
    assert strong == {PEOPLE.index("goran")}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_split_definition_names_who_skips_and_who_renames_by_week_five(seed: int) -> None:
    found = cell_alarms(planted(seed, SPLIT))
    assert not any(found[:2])
    pedestrian, cyclist = CLASSES.index("pedestrian"), CLASSES.index("cyclist")
    named = {(PEOPLE[a.annotator], a.said, a.own) for alarms in found[2:5] for a in alarms}
    assert {("femi", pedestrian, cyclist), ("erin", pedestrian, MISSING)} <= named


@pytest.mark.parametrize(
    "more",
    [{"gold_fraction": 0}, {"gold_fraction": 0.02}, {"opinions_per_overlap": 4}],
    ids=["two-opinions", "hidden-gold-for-all", "four-opinions"],
)
def test_a_world_without_a_fault_is_quiet(more: Mapping[str, float]) -> None:
    weeks = planted(5, **more)
    assert len(weeks) == N_WEEKS
    assert not any(cell_alarms(weeks))
    assert not any(class_alarms(weeks))


@pytest.mark.slow
def test_of_200_worlds_without_a_fault_no_more_raise_an_alarm_than_stated() -> None:
    n_worlds, n_alarmed = 200, {"cells": 0, "classes": 0}
    for seed in range(1_000, 1_000 + n_worlds):
        world = worlds.settings(seed, 3_000, overlap_fraction=1.0, gold_fraction=0)
        weeks = worlds.compared(worlds.opinions(world))
        n_alarmed["cells"] += any(cell_alarms(weeks))
        n_alarmed["classes"] += any(class_alarms(weeks))
    for family, n in n_alarmed.items():
        low, high = wilson(n, n_worlds)
        assert low <= ALPHA, f"{family}: {n} of {n_worlds}, {low:.3f} to {high:.3f}"
