"""Simulated people answer packets: as their tools would export it, and as the truth has it."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from defusedxml import ElementTree

from lineage.errors import BadInput
from lineage.simulate import answer, from_params, scenes
from lineage.simulate.scenes import asset_name
from lineage.simulate.seniors import iou
from lineage.simulate.settings import CLASSES

WORLD = from_params({"seed": 3, "n_images": 400, "draw_pixels": False})
Box = tuple[str, float, float, float, float]


def tasks(path: Path, images: Sequence[int]) -> Path:
    """Write a packet for Label Studio."""
    path.parent.mkdir(parents=True, exist_ok=True)
    uris = [f"/data/local-files/?d={asset_name(WORLD, image)}" for image in images]
    path.write_text(json.dumps([{"data": {"image": uri}} for uri in uris]))
    return path


def listed(path: Path, images: Sequence[int]) -> Path:
    """Write a packet for CVAT."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{asset_name(WORLD, image)}\n" for image in images))
    return path


def of_label_studio(path: Path) -> dict[str, list[Box]]:
    found: dict[str, list[Box]] = {}
    for task in json.loads(path.read_text()):
        (given,) = task["annotations"]
        boxes = [one["value"] for one in given["result"] if one["type"] == "rectanglelabels"]
        found[task["data"]["image"].split("=")[-1]] = [
            (
                box["rectanglelabels"][0],
                box["x"] * WORLD.width / 100,
                box["y"] * WORLD.height / 100,
                (box["x"] + box["width"]) * WORLD.width / 100,
                (box["y"] + box["height"]) * WORLD.height / 100,
            )
            for box in boxes
        ]
    return found


def of_cvat(path: Path) -> dict[str, list[Box]]:
    return {
        image.get("name"): [
            (box.get("label"), *(float(box.get(side)) for side in ("xtl", "ytl", "xbr", "ybr")))
            for box in image.iter("box")
        ]
        for image in ElementTree.parse(path).getroot().iter("image")
    }


def truth(image: int) -> list[Box]:
    there = scenes.seen(WORLD, np.array([image]))
    return [
        (CLASSES[code], *sides)
        for code, sides in zip(there.class_code.tolist(), there.visible.tolist(), strict=True)
    ]


def n_errors(said: Mapping[str, Sequence[Box]], images: Sequence[int]) -> tuple[int, int, int]:
    """Return objects that were left out, those that were called something else, and all."""
    n_missed = n_mixed = n = 0
    for image in images:
        boxes = said[asset_name(WORLD, image)]
        there = truth(image)
        n, n_missed = n + len(there), n_missed + len(there) - len(boxes)
        for class_, *sides in boxes:
            best = max(there, key=lambda one: iou(one[1:], sides))
            assert iou(best[1:], sides) > 0.5
            n_mixed += best[0] != class_
    return n_missed, n_mixed, n


def test_both_tools_hold_what_is_there_and_half_of_the_errors_are_of_each_kind(
    tmp_path: Path,
) -> None:
    images = list(range(0, 400, 2))
    tasks(tmp_path / "draw-7" / "a-one.json", images)
    listed(tmp_path / "draw-7" / "a-two.txt", images)
    (tmp_path / "draw-7" / "config.json").write_text("[]")
    done = answer([tmp_path / "draw-7"], tmp_path / "out", WORLD, error_fraction=0.2)
    assert (done.n_packets, done.n_images, done.n_decisions) == (2, 400, 0)
    one, two = tmp_path / "out/draw-7/a-one.json", tmp_path / "out/draw-7/a-two.xml"
    assert done.files == (one, two)
    said = of_label_studio(one), of_cvat(two)
    assert done.n_labels == sum(len(boxes) for each in said for boxes in each.values())
    for each in said:
        n_missed, n_mixed, n = n_errors(each, images)
        assert 0.06 * n < n_missed < 0.14 * n
        # traffic lights are taken for nothing else
        assert 0.05 * n < n_mixed < 0.14 * n
    assert said[0] != said[1]


def test_who_makes_no_errors_says_what_is_there(tmp_path: Path) -> None:
    tasks(tmp_path / "d" / "p.json", range(50))
    answer([tmp_path / "d"], tmp_path, WORLD, error_fraction=0)
    missed_and_mixed = n_errors(of_label_studio(tmp_path / "d" / "p.json"), range(50))[:2]
    assert missed_and_mixed == (0, 0)


def test_an_answer_depends_on_the_person_and_the_image_and_on_nothing_else(tmp_path: Path) -> None:
    tasks(tmp_path / "d1" / "p.json", [5, 9, 30])
    tasks(tmp_path / "d2" / "p.json", [9, 200])
    tasks(tmp_path / "d2" / "q.json", [9])
    folders = [tmp_path / "d1", tmp_path / "d2"]
    for out in ("a", "b"):
        answer(folders, tmp_path / out, WORLD)
    answer(folders, tmp_path / "c", WORLD, seed=4)
    names = ("d1/p.json", "d2/p.json", "d2/q.json")
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    p1, p2, q = (json.loads((tmp_path / "a" / name).read_text()) for name in names)
    assert p1[1] == p2[0] != q[0]
    assert of_label_studio(tmp_path / "c" / "d1/p.json") != of_label_studio(
        tmp_path / "a/d1/p.json"
    )


def question(name: str, image: int, a: str, b: str) -> dict[str, str]:
    return {"object": name, "image": asset_name(WORLD, image), "A": a, "B": b, "decision": "", "comment": ""}  # fmt: skip


def placed(class_: str, sides: Sequence[float]) -> str:
    x0, y0, x1, y1 = (round(side) for side in sides)
    return f'{class_} (occluded: "none") at {x0},{y0} to {x1},{y1}'


def test_a_senior_chooses_what_is_there(tmp_path: Path) -> None:
    image = next(n for n in range(400) if len(truth(n)) == 1 and truth(n)[0][3] - truth(n)[0][1] > 30)  # fmt: skip
    class_, *sides = truth(image)[0]
    right, elsewhere = placed(class_, sides), placed("dog", [0, 0, 3, 3])
    mixed = placed("dog" if class_ != "dog" else "car", sides)
    moved = placed(class_, [sides[0] + 8, sides[1], sides[2] + 8, sides[3]])
    asked = [
        (question("01", image, right, mixed), "A"),
        (question("02", image, mixed, right), "B"),
        (question("03", image, moved, right), "B"),
        (question("04", image, "nothing there", right), "B"),
        (question("05", image, elsewhere, "nothing there"), "B"),
        (question("06", image, mixed, "nothing there"), "both wrong"),
    ]
    folder = tmp_path / "senior-9"
    folder.mkdir()
    with (folder / "decisions.csv").open("w", newline="") as sink:
        writer = csv.DictWriter(sink, list(asked[0][0]))
        writer.writeheader()
        writer.writerows(row for row, _ in asked)
    for error, told in ((0.0, [word for _, word in asked]), (1.0, None)):
        done = answer([folder], tmp_path / "out", WORLD, error_fraction=error)
        assert done.n_decisions == 6
        rows = list(csv.DictReader((tmp_path / "out/senior-9/decisions.csv").open()))
        said = [row["decision"] for row in rows]
        assert said == told if told else not any(a == b for a, (_, b) in zip(said, asked, strict=True))  # fmt: skip


def test_a_senior_answers_tasks_as_label_studio_exports_them(tmp_path: Path) -> None:
    image = next(n for n in range(400) if truth(n))
    class_, *sides = truth(image)[0]
    share = [side * 100 / size for side, size in zip(sides, (320, 192) * 2, strict=True)]
    value = {"x": share[0], "y": share[1], "width": share[2] - share[0], "height": share[3] - share[1]}  # fmt: skip
    region = {"id": "B", "type": "rectanglelabels", "value": {**value, "rectanglelabels": ["B"]}}
    data = {"image": asset_name(WORLD, image), "object": "0f", "told": f"A: nothing there; B: {class_}"}  # fmt: skip
    folder = tmp_path / "senior-9"
    folder.mkdir()
    packet: list[dict[str, Any]] = [{"data": data, "predictions": [{"result": [region]}]}]
    (folder / "decisions.json").write_text(json.dumps(packet))
    answer([folder], tmp_path / "out", WORLD, error_fraction=0)
    (task,) = json.loads((tmp_path / "out/senior-9/decisions.json").read_text())
    (choice,) = task["annotations"][0]["result"]
    assert (choice["from_name"], choice["value"]) == ("decision", {"choices": ["B"]})


def test_what_is_no_packet_of_this_world_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    (tmp_path / "empty").mkdir()
    tasks(tmp_path / "far" / "p.json", [1, 2])
    (tmp_path / "far" / "q.txt").write_text("images/scene-000999/frame-000.png\nelse.png\n")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "p.json").write_text('[{"data": {}}]')
    for folder, told in (
        ("empty", "no packet"),
        ("none", "no packet"),
        ("far", "2 of 2 images are not of this world: images/scene-000999"),
        ("torn", "expected tasks"),
    ):
        with pytest.raises(BadInput, match=told) as caught:
            answer([tmp_path / folder], tmp_path / "out", WORLD)
        assert caught.value.slug == "answer-packet"
    with pytest.raises(BadInput, match="a fraction"):
        answer([tmp_path / "far"], tmp_path / "out", WORLD, error_fraction=2)
    assert not (tmp_path / "out").exists()


def test_where_everybody_has_the_images_already_there_is_nothing_to_answer(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "config.xml").write_text("<View/>")
    assert answer([tmp_path / "d"], tmp_path / "out", WORLD).n_packets == 0
