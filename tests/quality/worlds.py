"""Simulated worlds as opinions, without the files between; and as a project, with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import batches, gather, schemas
from lineage.activities.batches import BatchOrder
from lineage.activities.context import Project
from lineage.activities.gather import Threshold
from lineage.activities.ingest import ImportOptions, import_labels
from lineage.activities.opinions import Answers, Labels, Opinions, Words
from lineage.calc import comparisons, drift
from lineage.calc.drift import Week
from lineage.simulate import WorldSettings, people, scenes, simulate
from lineage.simulate.people import Work
from lineage.simulate.scenes import OCCLUSIONS
from lineage.simulate.settings import CLASSES, CVAT_CREW, PEOPLE

FIRST_WEEK = 2923
"""2026-W02, in which `lineage.simulate` begins, as `Opinions` counts weeks."""

SPLIT: Mapping[str, object] = {
    "kind": "definition_split",
    "class": "pedestrian",
    "edge_case": "partially_occluded",
    "from_week": 3,
    "annotators": {
        "alice": "full_extent",
        "bruno": "visible_part",
        "erin": "skip",
        "femi": "as_cyclist",
    },
}
REPOSITORY = Path(__file__).resolve().parent.parent.parent


def settings(
    seed: int, n_images: int, *faults: Mapping[str, object], **more: float
) -> WorldSettings:
    """Return a world without pictures."""
    return WorldSettings(
        seed=seed, n_images=n_images, draw_pixels=False, faults=tuple(faults), **more
    )  # type: ignore[arg-type]


def works(world: WorldSettings) -> list[Work]:
    """Return what people make of a world, block by block."""
    n_blocks = -(-world.n_images // scenes.BLOCK_IMAGES)
    return [people.work(world, at, scenes.objects(world, at)) for at in range(n_blocks)]


def opinions(world: WorldSettings) -> Opinions:
    """Return the opinions that a ledger would hold after importing a world's exports."""
    parts = [_opinions(world, work) for work in works(world)]
    answers = [np.concatenate(part) for part in zip(*(part[0] for part in parts), strict=True)]
    labels = [np.concatenate(part) for part in zip(*(part[1] for part in parts), strict=True)]
    image, annotator, class_, batch, occlusion, week, box = labels
    n = len(image)
    kept = Labels(
        image=image,
        annotator=annotator,
        class_=class_,
        kind=np.zeros(n, np.int64),
        batch=batch,
        schema=np.zeros(n, np.int64),
        attributes=occlusion,
        annotation=np.arange(n) + 1,
        revision=np.arange(n) + 1,
        week=week,
        box=box,
        geometry=pa.nulls(n, columns.GEOMETRY),
    )
    tags = [f"w{week + 1:02d}-{tool}" for week in range(world.n_weeks) for tool in ("ls", "cvat")]
    documents = [json.dumps({"occluded": word}) for word in OCCLUSIONS]
    words = Words(list(PEOPLE), list(CLASSES), ["box"], tags, ["street@2.0"], documents)
    return Opinions(kept, Answers(*answers), words, 1, 0)


def _opinions(world: WorldSettings, work: Work) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return a block's answers and labels: first answers, on images that two people answered for."""
    is_first = (work.week == people.week_of(world, work.image)) & ~work.is_skipped
    images, n = np.unique(work.image[is_first], return_counts=True)
    seats = np.flatnonzero(is_first & np.isin(work.image, images[n > 1]))
    in_cvat = work.annotator >= len(PEOPLE) - len(CVAT_CREW)
    batch, week = work.week * 2 + in_cvat, work.week + FIRST_WEEK
    is_empty = np.bincount(work.row, minlength=len(work.image)) == 0
    answers = [column[seats] for column in (work.image, work.annotator, batch, week, is_empty)]
    rows = np.flatnonzero(np.isin(work.row, seats))
    at = work.row[rows]
    labels = [
        work.image[at],
        work.annotator[at],
        work.class_code[rows].astype(np.int64),
        batch[at],
        work.occlusion[rows].astype(np.int64),
        week[at],
        work.box[rows],
    ]
    return answers, labels


def compared(found: Opinions, *, is_shared: bool = True) -> list[Week]:
    """Return how opinions compare, a week at a time; "drew nothing" is the class after the last.

    Where more than two were asked, an opinion's comparisons with the others share its one vote: seven
    partners who contradict one slip are not seven slips.
    """
    k = len(CLASSES) + 1
    parts, votes = [], []
    for block in found.blocks():
        side_by_side = gather.gathered(block, Threshold())
        annotator, said, own, row = comparisons.directed(side_by_side.pairs)
        labels = np.maximum(side_by_side.pairs.label_first, side_by_side.pairs.label_second)
        week = side_by_side.labels.week[labels][row]
        parts.append(((week * 64 + annotator) * k + said) * k + own)
        asked = np.bincount(side_by_side.said.unit)[side_by_side.pairs.unit[row]]
        votes.append(1 / (asked - 1) if is_shared else np.ones(len(row)))
    counts = drift.counted(np.concatenate(parts), np.concatenate(votes))
    rest, own = np.divmod(counts.key, k)
    rest, said = np.divmod(rest, k)
    week, annotator = np.divmod(rest, 64)
    found_weeks = []
    for number in np.unique(week).tolist():
        rows = week == number
        found_weeks.append(Week(number, annotator[rows], said[rows], own[rows], counts.value[rows]))
    return found_weeks


def recorded(project: Project, world: WorldSettings) -> dict[str, str]:
    """Import a world's exports week by week, and its gold; return pseudonyms by name."""
    inbox = project.root / "inbox"
    simulate(inbox, world, truth=project.root / "world" / "truth.json")
    for version in ("1.0", "2.0"):
        schemas.add(project, REPOSITORY / "schemas" / "street" / f"v{version}.json")
        schemas.lock(project, f"street@{version}", reason="planted")
    for week in range(1, world.n_weeks + 1):
        for tool, where, form in (
            ("ls", f"label_studio/w{week:02d}*.json", "label-studio"),
            ("cvat", f"cvat/w{week:02d}-*.xml", "cvat"),
        ):
            tag = f"w{week:02d}-{tool}"
            batches.create(project, BatchOrder(tag, "detection", "street@2.0"))
            how = ImportOptions(format=form)
            import_labels(project, sorted(inbox.glob(where)), tag, options=how)
    if world.gold_fraction:
        batches.create(project, BatchOrder("gold", "detection", "street@2.0"))
        import_labels(project, [inbox / "gold" / "gold.json"], "gold")
    known = json.loads((project.root / ".lineage" / "people.json").read_text())
    return {
        entry["handle"].split("@")[0]: entry["pseudonym"]
        for entry in known
        if entry["handle"].split("@")[0] in PEOPLE
    }
