"""A world from its settings: images, exports, and the truth about what was planted."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lineage.errors import Refused
from lineage.progress import Progress, silent
from lineage.simulate import draw, people, scenes
from lineage.simulate.exports import Exports
from lineage.simulate.settings import CLASSES, PEOPLE, WorldSettings

_LISTED_IMAGES = 20_000


@dataclass(frozen=True, slots=True)
class WorldReport:
    """What was written."""

    n_images: int
    n_labels: int
    n_annotators: int
    n_files: int


def simulate(
    out: Path, settings: WorldSettings, *, truth: Path, progress: Progress = silent
) -> WorldReport:
    """Write a world's exports, its images, and what was planted.

    Parameters
    ----------
    out
        Directory for ``images/``, ``label_studio/``, ``cvat/`` and ``gold/``; none may hold another world.
    settings
        The world.
    truth
        JSON file for what was planted: per fault its settings, how many labels it touched, and, up
        to 20,000 images, which.

    Raises
    ------
    Refused
        ``world-exists``: ``out`` holds a world already.
    """
    folders = ("images", "label_studio", "cvat", "gold")
    standing = [name for name in folders if (out / name).exists()]
    if standing:
        raise Refused(
            "world-exists",
            f"{out} holds {', '.join(standing)} already",
            hint="remove them, or --out DIR",
        )
    out.mkdir(parents=True, exist_ok=True)
    exports = Exports(out, settings)
    n_touched: Counter[int] = Counter()
    n_skipped = 0
    touched: list[dict[str, object]] = []
    n_blocks = -(-settings.n_images // scenes.BLOCK_IMAGES)
    for block in range(n_blocks):
        found = scenes.objects(settings, block)
        done = people.work(settings, block, found)
        exports.append(done)
        exports.append_gold(people.gold(settings, block, found))
        if settings.draw_pixels:
            draw.draw(out, settings, found)
        n_touched.update(done.fault[done.fault >= 0].tolist())
        n_skipped += done.n_skipped_by_fault
        if settings.n_images <= _LISTED_IMAGES:
            touched += _touched(settings, done)
        progress(
            "simulate", min((block + 1) * scenes.BLOCK_IMAGES, settings.n_images), settings.n_images
        )
    exports.close()
    faults = [{**fault, "n_labels": n_touched[at]} for at, fault in enumerate(settings.faults)]
    document = {
        "settings": {**dataclasses.asdict(settings), "faults": len(settings.faults)},
        "faults": faults,
        "n_left_out_by_definition_split": n_skipped,
        "labels": touched,
    }
    truth.parent.mkdir(parents=True, exist_ok=True)
    truth.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return WorldReport(settings.n_images, exports.n_labels, len(PEOPLE), len(exports.paths))


def _touched(settings: WorldSettings, done: people.Work) -> list[dict[str, object]]:
    return [
        {
            "fault": int(done.fault[row]),
            "asset": scenes.asset_name(settings, int(done.image[done.row[row]])),
            "annotator": PEOPLE[int(done.annotator[done.row[row]])],
            "class": CLASSES[int(done.class_code[row])],
            "box": [round(float(side), 2) for side in done.box[row]],
        }
        for row in (done.fault >= 0).nonzero()[0].tolist()
    ]
