"""What people make of a scene: who labels what, each with habits, some with faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from lineage.simulate import scenes
from lineage.simulate.scenes import Objects, generator
from lineage.simulate.settings import CLASSES, PEOPLE, WAYS, WorldSettings

_PEDESTRIAN, _CYCLIST = CLASSES.index("pedestrian"), CLASSES.index("cyclist")
# each annotator's own: box jitter over size, share of objects missed, share of classes mixed up
_JITTER = np.array([0.010, 0.014, 0.018, 0.012, 0.011, 0.016, 0.013, 0.015])
_MISSED = np.array([0.02, 0.03, 0.04, 0.02, 0.03, 0.03, 0.03, 0.02])
_MIXED = np.array([0.01, 0.02, 0.01, 0.015, 0.01, 0.02, 0.015, 0.01])
_HURRIED = (0.06, 0.22, 0.05)
# the class that each one is most easily taken for
NEIGHBOUR = np.array([3, 2, 1, 4, 3, 5, 6, 1], np.int8)


@dataclass(frozen=True, slots=True)
class Work:
    """Who was asked to label which image of a block, and what came of it.

    Parameters
    ----------
    image, annotator, week
        ndarrays of int64, shape (m,): one entry an assignment, in order of image, week and crew.
    at_s, lead_time_s
        ndarrays of float64, shape (m,): seconds after the world's start, and spent.
    is_skipped
        ndarray of bool, shape (m,).
    row
        ndarray of int64, shape (n,): the assignment of each label, ascending.
    truth
        ndarray of int64, shape (n,): the object behind each label, by its row in the block.
    class_code, occlusion
        ndarrays of int8, shape (n,).
    box
        ndarray of float64, shape (n, 4), px.
    fault
        ndarray of int8, shape (n,): which planted fault touched the label, by its place in the settings, -1 for none.
    n_skipped_by_fault
        Labels that a definition split left out.
    """

    image: np.ndarray
    annotator: np.ndarray
    week: np.ndarray
    at_s: np.ndarray
    lead_time_s: np.ndarray
    is_skipped: np.ndarray
    row: np.ndarray
    truth: np.ndarray
    class_code: np.ndarray
    occlusion: np.ndarray
    box: np.ndarray
    fault: np.ndarray
    n_skipped_by_fault: int


def work(settings: WorldSettings, block: int, found: Objects) -> Work:
    """Let people label a block."""
    rng = generator(settings, 1, block)
    first = block * scenes.BLOCK_IMAGES
    images = np.arange(first, min(first + scenes.BLOCK_IMAGES, settings.n_images))
    image, annotator, week = _assigned(settings, rng, images)
    m = len(image)
    hurried = _is_hurried(settings, annotator, week)
    lead = rng.lognormal(3.4, 0.5, m) * np.where(hurried, 0.25, 1.0)
    day, hour = rng.integers(0, 5, m), rng.uniform(8, 17, m)
    at = np.floor(week * 7 * 86_400 + day * 86_400 + hour * 3_600)
    is_skipped = rng.random(m) < 0.004
    row, truth = _pairs(image, found.image)
    row, truth = row[~is_skipped[row]], truth[~is_skipped[row]]
    return _labels(settings, rng, found, (image, annotator, week, at, lead, is_skipped), row, truth)


def week_of(settings: WorldSettings, image: np.ndarray) -> np.ndarray:
    """Return the week in which images come first."""
    return image * settings.n_weeks // settings.n_images


def is_gold(settings: WorldSettings, image: np.ndarray) -> np.ndarray:
    """Tell which images the expert labels: evenly spread, so that every week has its own."""
    share = settings.gold_fraction
    found: np.ndarray = np.floor((image + 1) * share) > np.floor(image * share)
    return found


def gold(settings: WorldSettings, block: int, found: Objects) -> Work:
    """Let the expert label a block's gold images: what is there, by its visible part, before the first week.

    The expert's code is the one after the last annotator's.
    """
    first = block * scenes.BLOCK_IMAGES
    images = np.arange(first, min(first + scenes.BLOCK_IMAGES, settings.n_images))
    image = images[is_gold(settings, images)]
    m = len(image)
    row, truth = _pairs(image, found.image)
    return Work(
        image=image,
        annotator=np.full(m, len(PEOPLE)),
        week=np.zeros(m, np.int64),
        at_s=np.full(m, -3.0 * 86_400),
        lead_time_s=np.full(m, 120.0),
        is_skipped=np.zeros(m, bool),
        row=row,
        truth=truth,
        class_code=found.class_code[truth],
        occlusion=found.occlusion[truth],
        box=found.visible[truth],
        fault=np.full(len(row), -1, np.int8),
        n_skipped_by_fault=0,
    )


def _assigned(
    settings: WorldSettings, rng: np.random.Generator, images: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scene = scenes.scene_of(settings, images)
    crew = scene % 2
    first = crew * 4 + (scene * 2_654_435_761 // 2) % 4
    is_asked = np.zeros((len(images), len(PEOPLE)), bool)
    is_asked[np.arange(len(images)), first] = True
    overlaps = np.flatnonzero(rng.random(len(images)) < settings.overlap_fraction)
    is_asked[overlaps] |= _further(settings, rng, crew[overlaps], first[overlaps])
    gold = is_gold(settings, images)
    is_asked[gold] = True
    at, annotator = np.nonzero(is_asked)
    week = week_of(settings, images)
    comes_back = (rng.random(len(images)) < settings.repeat_fraction) & ~gold
    later = week + rng.integers(1, 3, len(images))
    again = np.flatnonzero(comes_back & (later < settings.n_weeks))
    image = np.concatenate([images[at], images[again]])
    annotator = np.concatenate([annotator, first[again]])
    when = np.concatenate([week[at], later[again]])
    order = np.lexsort((annotator, when, image))
    return image[order], annotator[order], when[order]


def _further(
    settings: WorldSettings, rng: np.random.Generator, crew: np.ndarray, first: np.ndarray
) -> np.ndarray:
    """Choose who else labels images, as bool of shape (n, number of people)."""
    n, n_further = len(crew), settings.opinions_per_overlap - 1
    n_cross = (rng.random((n, n_further)) < settings.cross_overlap_fraction).sum(axis=1)
    # a crew has three others to give, the other crew four
    n_cross = np.clip(n_cross, n_further - 3, 4)
    lot = rng.random((n, len(PEOPLE)))
    lot[np.arange(n), first] = np.inf
    chosen = np.zeros(lot.shape, bool)
    for side in (0, 1):
        people = slice(4 * side, 4 * side + 4)
        rank = np.argsort(np.argsort(lot[:, people], axis=1), axis=1)
        wanted = np.where(crew == side, n_further - n_cross, n_cross)
        chosen[:, people] = rank < wanted[:, None]
    return chosen


def _pairs(image: np.ndarray, of_objects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    start = np.searchsorted(of_objects, image, side="left")
    count = np.searchsorted(of_objects, image, side="right") - start
    row = np.repeat(np.arange(len(image)), count)
    return row, np.repeat(start - (np.cumsum(count) - count), count) + np.arange(len(row))


def _labels(
    settings: WorldSettings,
    rng: np.random.Generator,
    found: Objects,
    assignments: tuple[np.ndarray, ...],
    row: np.ndarray,
    truth: np.ndarray,
) -> Work:
    image, annotator, week, at, lead, is_skipped = assignments
    person, when = annotator[row], week[row]
    hurried = _is_hurried(settings, person, when)
    jitter, missed, mixed = (
        np.where(hurried, fault, habit[person])
        for fault, habit in zip(_HURRIED, (_JITTER, _MISSED, _MIXED), strict=True)
    )
    class_code, occlusion = found.class_code[truth], found.occlusion[truth]
    fault = np.where(hurried, _place(settings, "hurried"), -1).astype(np.int8)
    way, is_split = _ways(settings, person, when, class_code, occlusion)
    old_rule = _is_old_rule(settings, person, when)
    full = (is_split & (way == WAYS.index("full_extent"))) | (
        old_rule & (occlusion == scenes.PARTIALLY) & (class_code == _PEDESTRIAN) & ~is_split
    )
    fault[is_split] = _place(settings, "definition_split")
    fault[old_rule] = _place(settings, "wrong_schema")
    box = np.where(full[:, None], found.full[truth], found.visible[truth])
    size = np.stack([box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]] * 2, axis=1)
    box = box + rng.normal(0, 1, box.shape) * jitter[:, None] * size
    box = scenes.clipped(box, settings)
    is_mixed = rng.random(len(row)) < mixed
    class_code = np.where(is_mixed, NEIGHBOUR[class_code], class_code)
    class_code = np.where(is_split & (way == WAYS.index("as_cyclist")), _CYCLIST, class_code)
    left_out = is_split & (way == WAYS.index("skip"))
    keep = (rng.random(len(row)) >= missed) & ~left_out
    return Work(
        image,
        annotator,
        week,
        at,
        lead,
        is_skipped,
        row[keep],
        truth[keep],
        class_code[keep].astype(np.int8),
        occlusion[keep],
        box[keep],
        fault[keep],
        int(left_out.sum()),
    )


def _place(settings: WorldSettings, kind: str) -> int:
    return next((i for i, fault in enumerate(settings.faults) if fault["kind"] == kind), -1)


def _is_hurried(settings: WorldSettings, person: np.ndarray, week: np.ndarray) -> np.ndarray:
    fault = settings.fault("hurried")
    if fault is None:
        return np.zeros(len(person), bool)
    since = cast(int, fault.get("from_week", 1)) - 1
    return np.asarray((person == PEOPLE.index(str(fault["annotator"]))) & (week >= since))


def _is_old_rule(settings: WorldSettings, person: np.ndarray, week: np.ndarray) -> np.ndarray:
    fault = settings.fault("wrong_schema")
    if fault is None:
        return np.zeros(len(person), bool)
    number, tool = str(fault["batch"]).lstrip("w").split("-")
    is_crew = person >= 4 if tool == "cvat" else person < 4
    return np.asarray((week == int(number) - 1) & is_crew)


def _ways(
    settings: WorldSettings,
    person: np.ndarray,
    week: np.ndarray,
    class_code: np.ndarray,
    occlusion: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    fault = settings.fault("definition_split")
    way = np.zeros(len(person), np.int8)
    if fault is None:
        return way, np.zeros(len(person), bool)
    ways = cast(Mapping[str, str], fault["annotators"])
    of_person = np.full(len(PEOPLE), -1)
    for name, told in ways.items():
        of_person[PEOPLE.index(name)] = WAYS.index(told)
    way = of_person[person].astype(np.int8)
    disputed = (class_code == _PEDESTRIAN) & (occlusion == scenes.PARTIALLY)
    late = week >= cast(int, fault.get("from_week", 3)) - 1
    return way, disputed & late & (way >= 0)
