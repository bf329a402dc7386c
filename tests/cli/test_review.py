"""`lineage review draw, export, import, status` at the command line: what a person sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ran, Run

BATCH = ("--batch", "w01-ls")
SARA, TOM = "sara@senior.example", "tom@senior.example"
ORDER = (*BATCH, "--for", SARA, "--for", TOM, "--floor", "10", "--floor-annotator", "0")


def answers(run: Run, root: Path, packets: list[dict[str, Any]], path: Path) -> Path:
    """Answer packets as the annotators did, but that no dog is seen."""
    ran = run(root, "--json", "labels", *BATCH, "--limit", "100000")
    by: dict[str, list[dict[str, Any]]] = {}
    for row in ran.json["labels"]:
        by.setdefault(row["asset"], []).append(row)
    key, tasks = iter(range(1, 100_000)), []
    for packet in packets:
        for task in json.loads(Path(packet["path"]).read_text()):
            rows = by.get(task["data"]["image"].split("?d=")[1], [])
            person = rows[0]["annotator"] if rows else None
            result = [
                region
                for row in rows
                if row["annotator"] == person and row["class"] != "dog"
                for region in _regions(row, next(key))
            ]
            answer = {"id": next(key), "completed_by": {"email": packet["annotator"]}}
            tasks.append({**task, "id": next(key), "annotations": [{**answer, "result": result}]})
    path.write_text(json.dumps(tasks))
    return path


def _regions(row: dict[str, Any], key: int) -> list[dict[str, Any]]:
    left, top, right, bottom = row["box"]
    place = {
        "x": left / 3.2,
        "y": top / 1.92,
        "width": (right - left) / 3.2,
        "height": (bottom - top) / 1.92,
    }
    common = {"id": f"r{key}", "to_name": "image", "original_width": 320, "original_height": 192}
    found: list[dict[str, Any]] = [
        {
            **common,
            "from_name": "box",
            "type": "rectanglelabels",
            "value": {**place, "rotation": 0, "rectanglelabels": [row["class"]]},
        }
    ]
    for name, value in json.loads(row["attributes"]).items():
        told = {"from_name": name, "type": "choices", "value": {**place, "choices": [value]}}
        found.append({**common, **told})
    return found


def done(ran: Ran) -> str:
    assert ran.code == 0, ran.out + ran.err
    return ran.out


@pytest.mark.slow
def test_a_review_from_the_plan_to_its_status(run: Run, world: Path, tmp_path: Path) -> None:
    before = run(world, "--json", "log", "--limit", "1").json["entries"][0]["root"]
    plan = done(run(world, "review", "draw", *BATCH, "--explain"))
    assert "Nothing was written" in plan
    assert "wheelchair_user" in plan or "dog" in plan
    tried = done(run(world, "review", "draw", *ORDER, "--dry-run"))
    assert "would be drawn" in tried
    assert run(world, "--json", "log", "--limit", "1").json["entries"][0]["root"] == before
    assert "no batch is under review" in done(run(world, "review", "status"))

    told = done(run(world, "review", "draw", *ORDER))
    assert SARA in told
    assert "lineage review export draw-" in told
    name = told.split("export ")[1].split()[0]
    ran = run(world, "--json", "review", "export", name)
    packets = ran.json["packets"]
    assert {one["annotator"] for one in packets} == {SARA, TOM}
    again = done(run(world, "review", "export", name, "--to", "cvat", "--out", str(tmp_path)))
    assert again.count("wrote ") == 2

    first = answers(run, world, packets[:1], tmp_path / "first.json")
    came = done(run(world, "review", "import", str(first), *BATCH))
    assert "disputes:" in came
    assert "wait for an answer" in came
    waits = done(run(world, "review", "status", *BATCH))
    assert f"answers for images: {packets[1]['n_images']}, by {packets[1]['annotator']}" in waits
    second = answers(run, world, packets[1:], tmp_path / "second.json")
    run(world, "review", "import", str(second), *BATCH)
    found = run(world, "--json", "review", "status", *BATCH).json
    assert found["state"] == "contested"
    assert found["n_done"] == found["n_drawn"]
    by = {row["class"]: row["mean"] for row in found["by_class"]}
    assert by["dog"] == 1.0
    shown = done(run(world, "review", "status", *BATCH))
    assert "waits for settlement of contested labels" in shown
    assert "n too small" in shown
    overview = done(run(world, "review", "status"))
    assert overview.splitlines()[0].split()[0] == "batch"
    rows = {row["tag"]: row["gate"] for row in run(world, "--json", "status").json["batches"]}
    assert (rows["w01-ls"], rows["w02-ls"], rows["w01-ls.review"]) == (
        "contested",
        "not_drawn",
        None,
    )
    assert "contested" in done(run(world, "status"))


def test_people_may_be_shown_by_pseudonym(run: Run, world: Path) -> None:
    done(run(world, "review", "draw", *ORDER))
    text = done(run(world, "--pseudonyms", "review", "status", *BATCH))
    assert "@senior.example" not in text
    assert SARA in done(run(world, "review", "status", *BATCH))


@pytest.mark.parametrize(
    ("words", "code", "slug"),
    [
        (["draw", "--batch", "w01-ls"], 3, "review-order"),
        (["draw", "--batch", "nowhere", "--explain"], 3, "no-batch"),
        (["draw", "--batch", "w01-ls", "--explain", "--fraction", "2"], 3, "review-order"),
        (["draw", "--batch", "w01-ls", "--explain", "--again"], 3, "review-nothing"),
        (["draw", "--batch", "w01-ls", "--for", "nobody"], 3, "no-annotator"),
        (["export", "draw-1"], 3, "no-draw"),
        (["import", "x.json", "--batch", "w01-ls"], 3, "review-not-drawn"),
        (["import", "x.json", "--batch", "w01-ls", "--annotator-of", "x"], 2, "usage"),
        (["status", "--batch", "nowhere"], 3, "no-batch"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    run: Run, built_world: Path, words: list[str], code: int, slug: str
) -> None:
    ran = run(built_world, "review", *words)
    assert (ran.code, ran.out) == (code, "")
    assert f"[{slug}]" in ran.err
