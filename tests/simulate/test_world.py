"""The simulated world: the same bytes for the same seed, and its faults where it says."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from defusedxml import ElementTree

from lineage.errors import LineageError
from lineage.simulate import from_params, simulate

FAULTS = [
    {
        "kind": "definition_split", "class": "pedestrian", "edge_case": "partially_occluded",
        "from_week": 3,
        "annotators": {"alice": "full_extent", "bruno": "visible_part", "erin": "skip", "femi": "as_cyclist"},
    },
    {"kind": "hurried", "annotator": "goran", "from_week": 1},
    {"kind": "wrong_schema", "batch": "w05-cvat", "schema": "street@1.0"},
]  # fmt: skip


def make(folder: Path, **settings: Any) -> dict[str, Any]:
    world = from_params({"n_images": 200, "faults": FAULTS, "draw_pixels": False, **settings})
    simulate(folder / "inbox", world, truth=folder / "truth.json")
    found: dict[str, Any] = json.loads((folder / "truth.json").read_text())
    return found


def digest(folder: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        whole.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()


def labels(folder: Path) -> Counter[tuple[str, str]]:
    """Count (annotator, class) over all exports, by the standard parsers."""
    found: Counter[tuple[str, str]] = Counter()
    for path in (folder / "inbox" / "label_studio").glob("*.json"):
        for task in json.loads(path.read_text()):
            for answer in task["annotations"]:
                who = answer["completed_by"]["email"].split("@")[0]
                boxes = [r for r in answer["result"] if r["type"] == "rectanglelabels"]
                found.update((who, row["value"]["rectanglelabels"][0]) for row in boxes)
    for path in (folder / "inbox" / "cvat").glob("*.xml"):
        root = ElementTree.parse(path).getroot()
        who = root.findtext(".//assignee/username") or root.findtext(".//assignee") or ""
        for box in root.iter("box"):
            found[who, box.get("label")] += 1
    return found


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        make(tmp_path / name, seed=seed, draw_pixels=True, n_images=40)
    assert digest(tmp_path / "a") == digest(tmp_path / "b") != digest(tmp_path / "c")
    assert len(list((tmp_path / "a" / "inbox" / "images").rglob("*.png"))) == 40


def test_eight_people_work_and_one_class_is_rare(tmp_path: Path) -> None:
    make(tmp_path, n_images=6_000)
    found = labels(tmp_path)
    people = {who for who, _ in found}
    assert people == {"alice", "bruno", "chen", "dalia", "erin", "femi", "goran", "hana"}
    n_rare = sum(n for (_, class_), n in found.items() if class_ == "wheelchair_user")
    assert 0.002 < n_rare / found.total() < 0.004


def test_the_planted_faults_are_in_the_labels(tmp_path: Path) -> None:
    truth = make(tmp_path / "faulty", n_images=3_000)
    clean = make(tmp_path / "clean", n_images=3_000, faults=[])
    assert clean["labels"] == []
    assert [fault["n_labels"] > 20 for fault in truth["faults"]] == [True] * 3
    faulty, honest = labels(tmp_path / "faulty"), labels(tmp_path / "clean")
    assert faulty["femi", "cyclist"] > honest["femi", "cyclist"]
    assert faulty["femi", "pedestrian"] < honest["femi", "pedestrian"]
    assert faulty["erin", "pedestrian"] < honest["erin", "pedestrian"]
    assert faulty["chen", "pedestrian"] == honest["chen", "pedestrian"]


@pytest.mark.parametrize(
    "params",
    [
        {"n_images": -1},
        {"overlap_fraction": 10},
        {"gold_fraction": -0.1},
        {"opinions_per_overlap": 9},
        {"opinions_per_overlap": 2.5},
        {"faults": [{"kind": "meteor"}]},
        {"faults": [{"kind": "hurried", "annotator": "nobody", "from_week": 1}]},
    ],
)
def test_settings_that_mean_nothing_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(LineageError):
        from_params(params)


def test_a_world_that_stands_is_not_overwritten(tmp_path: Path) -> None:
    make(tmp_path, n_images=10)
    before = digest(tmp_path)
    with pytest.raises(LineageError) as caught:
        make(tmp_path, n_images=10)
    assert caught.value.slug == "world-exists"
    assert digest(tmp_path) == before


def answers(folder: Path) -> list[tuple[str, str, int]]:
    """Return (image, annotator, week) of every answer of the weekly exports, by the standard parsers."""
    found: list[tuple[str, str, int]] = []
    for path in sorted((folder / "inbox" / "label_studio").glob("*.json")):
        for task in json.loads(path.read_text()):
            name = task["data"]["image"].split("=")[1]
            found += [
                (name, answer["completed_by"]["email"].split("@")[0], int(path.stem[1:3]))
                for answer in task["annotations"]
            ]
    for path in sorted((folder / "inbox" / "cvat").glob("*.xml")):
        week, who = path.stem.split("-")
        root = ElementTree.parse(path).getroot()
        found += [(image.get("name") or "", who, int(week[1:3])) for image in root.iter("image")]
    return found


def test_the_overlap_is_as_large_as_was_asked_and_crosses_the_crews(tmp_path: Path) -> None:
    asked = {"n_images": 2_000, "repeat_fraction": 0, "gold_fraction": 0, "overlap_fraction": 0.2}
    crew_a = {"alice", "bruno", "chen", "dalia"}
    for name, n, cross in (("two", 2, 0.5), ("four", 4, 0.5), ("all", 8, 0.0), ("own", 2, 0.0)):
        make(tmp_path / name, **asked, opinions_per_overlap=n, cross_overlap_fraction=cross)
        people: dict[str, list[str]] = {}
        for image, who, _ in answers(tmp_path / name):
            people.setdefault(image, []).append(who)
        assert len(people) == 2_000
        assert all(len(set(who)) == len(who) for who in people.values())
        several = [set(who) for who in people.values() if len(who) > 1]
        assert {len(who) for who in several} == {n}
        assert len(several) == pytest.approx(400, abs=60)
        crossing = sum(bool(who & crew_a) and bool(who - crew_a) for who in several)
        wanted = {"two": 0.5, "four": 0.875, "all": 1.0, "own": 0.0}[name]
        assert crossing / len(several) == pytest.approx(wanted, abs=0.07)


def test_the_planted_four_meet_on_images_of_both_crews(tmp_path: Path) -> None:
    make(tmp_path, n_images=2_000, overlap_fraction=0.3)
    people: dict[str, set[str]] = {}
    for image, who, _ in answers(tmp_path):
        people.setdefault(image, set()).add(who)
    four = ("alice", "bruno", "erin", "femi")
    for one in four:
        for other in four:
            assert sum({one, other} <= who for who in people.values()) > 5, (one, other)


def test_some_images_come_back_to_the_same_person_in_a_later_week(tmp_path: Path) -> None:
    make(tmp_path, n_images=2_000, repeat_fraction=0.1, gold_fraction=0)
    weeks: dict[tuple[str, str], list[int]] = {}
    for image, who, week in answers(tmp_path):
        weeks.setdefault((image, who), []).append(week)
    twice = [when for when in weeks.values() if len(when) > 1]
    # an image of the last week cannot come back, half of the one before cannot either
    assert len(twice) == pytest.approx(200 * (6.5 / 8), abs=45)
    assert {later - sooner for sooner, later in map(sorted, twice)} == {1, 2}
    ids = [
        task["id"]
        for path in (tmp_path / "inbox" / "label_studio").glob("*.json")
        for task in json.loads(path.read_text())
    ]
    assert len(set(ids)) == len(ids)


def test_gold_is_what_is_there_and_everybody_is_asked(tmp_path: Path) -> None:
    make(tmp_path, n_images=1_000, gold_fraction=0.02, overlap_fraction=0)
    tasks = json.loads((tmp_path / "inbox" / "gold" / "gold.json").read_text())
    gold = {task["data"]["image"].split("=")[1] for task in tasks}
    assert len(gold) == 20
    assert all(task["annotations"][0]["ground_truth"] for task in tasks)
    asked = Counter(image for image, _, _ in answers(tmp_path))
    assert {image: asked[image] for image in gold} == dict.fromkeys(gold, 8)
    assert {n for image, n in asked.items() if image not in gold} == {1, 2}
    weeks = Counter(week for image, _, week in answers(tmp_path) if image in gold)
    assert sorted(weeks) == list(range(1, 9))


def test_a_jobs_update_lies_in_its_week(tmp_path: Path) -> None:
    make(tmp_path, n_images=400)
    for path in (tmp_path / "inbox" / "cvat").glob("*.xml"):
        told = ElementTree.parse(path).getroot().findtext("meta/job/updated") or ""
        week = int(path.stem[1:3])
        assert datetime.fromisoformat(told).isocalendar()[:2] == (2026, week + 1)


def test_blocks_do_not_change_with_how_many_there_are(tmp_path: Path) -> None:
    make(tmp_path / "a", n_images=6_000, n_weeks=1)
    make(tmp_path / "b", n_images=5_000, n_weeks=1)
    one, other = ({x[:2] for x in answers(tmp_path / name)} for name in ("a", "b"))
    assert other < one
