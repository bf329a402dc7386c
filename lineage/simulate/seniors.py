"""What a senior makes of two candidates without names: the packet's questions in, decisions out."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lineage.simulate.scenes import OCCLUSIONS, Objects
from lineage.simulate.settings import CLASSES, WorldSettings

_NOTHING = "nothing there"
_LEAST_IOU = 0.4
_BOTH_WRONG = "both wrong"
_TOLD = re.compile(
    r"^(?P<class>[^( ]+)(?: \((?P<attributes>.*?)\))?"
    r"(?: at (?P<box>-?\d+,-?\d+ to -?\d+,-?\d+))?$"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A label that may stand: its class, what is said of its attributes, and its sides, px."""

    class_: str
    attributes: str
    box: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """An object with two candidates; None is that there is nothing."""

    name: str
    image: str
    sides: Mapping[str, Candidate | None]


def questions(text: str, settings: WorldSettings) -> list[Question]:
    """Return what a senior's packet asks: Label Studio's tasks, or the sheet.

    Raises
    ------
    ValueError, LookupError, TypeError
        It is neither.
    """
    if text.lstrip()[:1] == "[":
        return [_of_task(task, settings) for task in json.loads(text)]
    rows = csv.DictReader(io.StringIO(text))
    return [
        Question(row["object"], row["image"], {side: _candidate(row[side]) for side in "AB"})
        for row in rows
    ]


def _of_task(task: Mapping[str, Any], settings: WorldSettings) -> Question:
    data = task["data"]
    size = np.array([settings.width, settings.height] * 2) / 100
    boxes: dict[str, tuple[float, ...]] = {}
    for region in (one for each in task["predictions"] for one in each["result"]):
        value = region["value"]
        x, y, wide, tall = (float(value[key]) for key in ("x", "y", "width", "height"))
        sides = np.array([x, y, x + wide, y + tall]) * size
        boxes[value["rectanglelabels"][0]] = tuple(sides.tolist())
    told = data["told"].removeprefix("A: ").split("; B: ")
    candidates = {
        side: _candidate(words, boxes.get(side, ())) for side, words in zip("AB", told, strict=True)
    }
    return Question(data["object"], data["image"], candidates)


def _candidate(words: str, box: tuple[float, ...] = ()) -> Candidate | None:
    if words == _NOTHING:
        return None
    found = _TOLD.match(words)
    if found is None:
        raise ValueError(words)
    if found["box"]:
        box = tuple(float(side) for side in re.split(",| to ", found["box"]))
    return Candidate(found["class"], found["attributes"] or "", box)


def decided(asked: Question, there: Objects, rows: np.ndarray, *, is_slip: bool) -> str:
    """Return a decision: the candidate that is right, the better one where both are.

    Parameters
    ----------
    asked
        The question.
    there
        What is there.
    rows
        Of ``there``, those of the image.
    is_slip
        The other one is chosen.
    """
    boxes = [one.box for one in asked.sides.values() if one is not None and one.box]
    overlap = np.array([[iou(box, there.visible[row]) for row in rows.tolist()] for box in boxes])
    at = None if overlap.size == 0 else rows[int(overlap.max(axis=0).argmax())]
    if at is None or overlap.max() < _LEAST_IOU:
        best = [side for side, one in asked.sides.items() if one is None]
    else:
        class_ = CLASSES[there.class_code[at]]
        attribute = OCCLUSIONS[there.occlusion[at]]
        right = {
            side: (f'"{attribute}"' in one.attributes, iou(one.box, there.visible[at]))
            for side, one in asked.sides.items()
            if one is not None and one.class_ == class_
        }
        best = sorted(
            (side for side in right if right[side][1] >= _LEAST_IOU), key=lambda side: right[side]
        )
    if is_slip:
        return "B" if best[-1:] == ["A"] else "A"
    return best[-1] if best else _BOTH_WRONG


def iou(first: Sequence[float], second: Sequence[float] | np.ndarray) -> float:
    """Return the overlap of two boxes; of none, 0."""
    if not len(first):
        return 0.0
    wide = min(first[2], second[2]) - max(first[0], second[0])
    tall = min(first[3], second[3]) - max(first[1], second[1])
    if wide <= 0 or tall <= 0:
        return 0.0
    both = (first[2] - first[0]) * (first[3] - first[1])
    both += (second[2] - second[0]) * (second[3] - second[1])
    return float(wide * tall / (both - wide * tall))


def filled_in(text: str, asked: Sequence[Question], chosen: Sequence[str]) -> str:
    """Return the packet with its decisions: the sheet filled in, or what Label Studio exports of its tasks."""
    decisions = {one.name: word for one, word in zip(asked, chosen, strict=True)}
    if text.lstrip()[:1] == "[":
        tasks = json.loads(text)
        for number, task in enumerate(tasks, 1):
            task |= {
                "id": number,
                "annotations": [_annotation(number, decisions[task["data"]["object"]])],
            }
        return "[\n" + ",\n".join(json.dumps(task, ensure_ascii=False) for task in tasks) + "\n]\n"
    rows = list(csv.DictReader(io.StringIO(text)))
    sink = io.StringIO()
    writer = csv.DictWriter(sink, list(rows[0]) if rows else ["object"], lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, "decision": decisions[row["object"]]} for row in rows)
    return sink.getvalue()


def _annotation(number: int, decision: str) -> Mapping[str, object]:
    choice = {
        "id": f"d{number}",
        "from_name": "decision",
        "to_name": "image",
        "type": "choices",
        "value": {"choices": [decision]},
    }
    return {"id": number, "result": [choice], "was_cancelled": False}
