"""Four ways of reading one definition, planted in a world: found for what it is, and with whom.

From the third week alice draws the full extent of a partially occluded pedestrian, bruno the visible
part as the guideline says, erin leaves it out and femi calls it a cyclist. What is asked here is asked
of the first five weeks' labels alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest

from lineage.activities import disagreements, gather
from lineage.activities.gather import Threshold
from lineage.activities.opinions import Opinions
from lineage.calc import conventions, disputes
from lineage.calc.conventions import N_LEAST, Convention
from lineage.calc.disputes import Direction, DisputeVerdict, Fresh
from lineage.calc.units import TAU
from lineage.simulate.scenes import PARTIALLY
from lineage.simulate.settings import CLASSES, PEOPLE
from tests.quality import worlds
from tests.quality.worlds import FIRST_WEEK, SPLIT

PEDESTRIAN, CYCLIST, MISSING = CLASSES.index("pedestrian"), CLASSES.index("cyclist"), len(CLASSES)
N_ENOUGH = 20
"""Disputes from which METHODS 2.2 tells the four kinds apart in seven of eight cases."""

EIGHT: Mapping[str, object] = {
    **SPLIT,
    "annotators": {
        "alice": "full_extent", "bruno": "visible_part", "chen": "skip", "dalia": "as_cyclist",
        "erin": "skip", "femi": "as_cyclist", "goran": "full_extent", "hana": "visible_part",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Read:
    """How partially occluded pedestrians were read."""

    fresh: Fresh
    direction: Direction
    convention: Convention
    camps: Mapping[str, int]
    rows: list[dict[str, object]]

    @property
    def verdict(self) -> DisputeVerdict | None:
        return disputes.verdict(self.fresh.a_fresh, self.direction.s, self.direction.p)

    def leaning_away(self) -> set[str]:
        """Return who takes the side of "no pedestrian" as a rule."""
        return {name for name, lean in zip(PEOPLE, self.direction.lean, strict=True) if lean < -0.3}


def between(found: Opinions, first: int, last: int) -> Opinions:
    """Return what was said in some weeks of the world, counted from 1."""
    kept = []
    for side in (found.labels, found.answers):
        week = side.week - FIRST_WEEK + 1
        kept.append(side.take(np.flatnonzero((week >= first) & (week <= last))))
    return replace(found, labels=kept[0], answers=kept[1])


def read(found: Opinions) -> Read:
    (block,) = found.blocks()
    side_by_side = gather.gathered(block, Threshold())
    said, labels = side_by_side.said, side_by_side.labels
    # somebody's tag chooses the objects, nobody's side
    is_tagged = (said.label >= 0) & (said.value == PEDESTRIAN)
    is_tagged &= labels.attributes[said.label] == PARTIALLY
    rows = np.flatnonzero(np.isin(said.unit, said.unit[is_tagged]))
    unit, who, value, label = (
        column[rows] for column in (said.unit, said.annotator, said.value, said.label)
    )
    n = len(PEOPLE)
    is_pedestrian = value == PEDESTRIAN
    drew = label >= 0
    offsets = conventions.offset_tally(unit[drew], who[drew], labels.box[label[drew]], n)
    convention = conventions.convention(offsets)
    asked = np.bincount(who, minlength=n)
    shares = [np.bincount(who[value == what], minlength=n) / asked for what in (MISSING, CYCLIST)]
    # an offset past which boxes are not of one object is worth leaving it out; of few boxes it says nothing
    is_told = convention.n >= N_LEAST
    sides = np.where(is_told[:, None], convention.effect, 0.0) / (1 - TAU)
    camp = conventions.camps(np.column_stack([sides, *shares]))
    return Read(
        fresh=disputes.from_tally(disputes.fresh_tally(unit, is_pedestrian.astype(np.int64), 2)),
        direction=disputes.direction(disputes.side_tally(unit, who, is_pedestrian, n)),
        convention=convention,
        camps=dict(zip(PEOPLE, camp.tolist(), strict=True)),
        rows=disagreements.rows_of(
            disagreements.disputes_of(said, n, len(found.words.classes)), found.words, {}
        ),
    )


def world(*faults: Mapping[str, object]) -> Opinions:
    made = worlds.settings(3, 45_000, *faults, opinions_per_overlap=4, gold_fraction=0)
    return worlds.opinions(made)


@pytest.fixture(scope="module")
def four() -> Opinions:
    """Four of eight read it in four ways, the other four as bruno does."""
    return world(SPLIT)


def test_four_ways_are_a_split_definition_by_week_five(four: Opinions) -> None:
    found = read(between(four, 3, 5))
    assert found.verdict is DisputeVerdict.DEFINITION_SPLIT
    assert found.fresh.hi < disputes.AGREE_LEAST
    assert found.leaning_away() == {"erin", "femi"}


def test_the_four_camps_are_the_four_ways(four: Opinions) -> None:
    camps = read(between(four, 3, 5)).camps
    assert len(set(camps.values())) == 4
    alone = [name for name in PEOPLE if list(camps.values()).count(camps[name]) == 1]
    assert alone == ["alice", "erin", "femi"]
    assert camps["bruno"] == camps["chen"] == 0


def test_where_the_sides_are_put_tells_the_full_extent_from_the_visible_part(
    four: Opinions,
) -> None:
    found = read(between(four, 3, 5)).convention
    assert found.is_convention
    assert np.flatnonzero(found.n < N_LEAST).tolist() == [PEOPLE.index("erin")]
    left, right = np.where(found.n < N_LEAST, np.nan, found.effect[:, [0, 2]].T)
    assert int(np.nanargmin(left)) == int(np.nanargmax(right)) == PEOPLE.index("alice")
    assert right[0] - left[0] > 0.4


def test_over_a_whole_class_it_looks_like_people_each_with_a_habit(four: Opinions) -> None:
    # one in eight, diluted by all that is not occluded: right as far as it goes, and names whom to ask
    rows = read(between(four, 3, 5)).rows
    for class_, as_class, who in (("pedestrian", None, "erin"), ("pedestrian", "cyclist", "femi")):
        row = next(r for r in rows if (r["class"], r["as_class"]) == (class_, as_class))
        assert row["verdict"] == DisputeVerdict.BIASED_MINORITY
        camps = row["camps"]
        assert isinstance(camps, list)
        smaller = set(min(camps, key=len))
        assert who in smaller
        assert smaller <= {"alice", "erin", "femi"}


def test_there_is_nothing_before_it_begins(four: Opinions) -> None:
    found = read(between(four, 1, 2))
    assert found.verdict is DisputeVerdict.SLIPS
    assert not found.convention.is_convention
    assert found.leaning_away() == set()


def test_eight_people_in_four_ways_are_four_camps_of_two() -> None:
    found = read(between(world(EIGHT), 3, 5))
    assert found.verdict is DisputeVerdict.DEFINITION_SPLIT
    ways = {**EIGHT}["annotators"]
    assert isinstance(ways, dict)
    by_camp: dict[int, set[str]] = {}
    for name, camp in found.camps.items():
        by_camp.setdefault(camp, set()).add(ways[name])
    assert sorted(map(sorted, by_camp.values())) == sorted([way] for way in set(ways.values()))
    assert found.leaning_away() == {"chen", "dalia", "erin", "femi"}


def test_without_a_fault_nothing_is_found() -> None:
    found = read(world())
    assert found.verdict is DisputeVerdict.SLIPS
    assert not found.convention.is_convention
    # a handful of disputed objects can look like anything
    told = [row for row in found.rows if int(str(row["n"])) >= N_ENOUGH]
    assert len(told) > 8
    assert {row["verdict"] for row in told} == {DisputeVerdict.SLIPS}
