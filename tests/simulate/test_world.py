"""The simulated world: the same bytes for the same seed, and its faults where it says."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
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
