"""Agreement of double-annotated images, beside a plain loop over scipy's assignment.

    python benchmarks/agreement.py [N_IMAGES]

Ours: units, opinions side by side, F1 by class with its clustered interval, alpha on what both found,
confusion. The peer only pairs boxes and counts F1 by class: a loop over images, a matrix of overlaps
each, `linear_sum_assignment`. About 19 boxes an image from two annotators, 80 classes, seeded. Each in
a process of its own; memory is its peak, the labels themselves included.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

import numpy as np

N_CLASSES, PER_IMAGE = 80, 10


def main() -> None:
    n_images = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    found = {}
    for name in ("labels", "ours", "loop"):
        command = [sys.executable, __file__, "--step", name, str(n_images)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found[name] = json.loads(done.stdout.splitlines()[-1])
        told = found[name]
        print(
            f"{name:8}{told['cpu']:8.2f} s CPU{told['peak']:8,.0f} MB  F1 {told['f1']:.4f}",
            flush=True,
        )
    n = found["ours"]["n"]
    ratio = found["loop"]["cpu"] / found["ours"]["cpu"]
    print(f"{n:,.0f} boxes on {n_images:,} images: the loop takes {ratio:.1f} times as long")


def world(n_images: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(1)
    image = np.repeat(np.arange(n_images), PER_IMAGE)
    n = len(image)
    size, corner = np.exp(rng.normal(4, 0.7, (n, 2))), rng.uniform(0, 1000, (n, 2))
    box = np.concatenate([corner, corner + size], axis=1)
    share = 1 / np.arange(1, N_CLASSES + 1) ** 1.2
    truth = rng.choice(N_CLASSES, n, p=share / share.sum())
    parts = []
    for person in range(2):
        keep = rng.random(n) < 0.93
        noise = rng.normal(0, 0.05, (int(keep.sum()), 4)) * np.tile(size[keep], 2)
        said = np.where(
            rng.random(len(noise)) < 0.05,
            rng.choice(N_CLASSES, len(noise), p=share / share.sum()),
            truth[keep],
        )
        parts.append((image[keep], np.full(len(noise), person), said, box[keep] + noise))
    columns = [np.concatenate(part) for part in zip(*parts, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    return tuple(column[order] for column in columns)


def ours(n_images: int, labels: tuple[np.ndarray, ...]) -> float:
    from lineage.calc import agreement, coefficients, comparisons, intervals, units
    from lineage.calc.coefficients import tally
    from lineage.calc.comparisons import Roster

    total = None
    for start in range(0, n_images, 50_000):
        stop = min(start + 50_000, n_images)
        low, high = np.searchsorted(labels[0], [start, stop])
        image, person, class_, box = (column[low:high] for column in labels)
        asked = np.full(len(image), 2)
        unit = units.units(image, person, class_, box, n_asked=asked).unit
        answers = np.arange(start, stop)
        roster = Roster(np.repeat(answers, 2), np.tile([0, 1], len(answers)))
        said = comparisons.said(unit, image, person, class_, roster, n_classes=N_CLASSES)
        pairs = comparisons.pairs(said, n_classes=N_CLASSES)
        image_of = np.zeros(int(unit.max()) + 1, np.int64)
        image_of[unit] = image
        drew = said.label >= 0
        counts = agreement.count(
            pairs,
            image_of[pairs.unit],
            np.full(len(pairs.unit), np.nan),
            n_classes=N_CLASSES,
            found=tally(
                said.unit[drew], said.value[drew], N_CLASSES, cluster=image[said.label[drew]]
            ),
            chance=np.zeros(N_CLASSES),
            dimensions={},
            n_units=np.zeros(N_CLASSES + 1),
        )
        total = counts if total is None else total + counts
    assert total is not None
    intervals.specific_interval(total.classes)
    intervals.alpha_interval(total.found)
    return float(coefficients.specific_agreement(total.whole.detection)[0])


def loop(n_images: int, labels: tuple[np.ndarray, ...]) -> float:
    from scipy.optimize import linear_sum_assignment

    image, person, class_, box = labels
    bounds = np.searchsorted(image, np.arange(n_images + 1))
    agreed = 0
    for at in range(n_images):
        rows = slice(bounds[at], bounds[at + 1])
        mine, who, said = box[rows], person[rows], class_[rows]
        a, b = mine[who == 0], mine[who == 1]
        wide = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(
            a[:, None, :2], b[None, :, :2]
        )
        both = np.clip(wide, 0, None).prod(axis=2)
        area_a, area_b = ((side[:, 2:] - side[:, :2]).prod(axis=1) for side in (a, b))
        iou = both / (area_a[:, None] + area_b[None] - both)
        same = said[who == 0][:, None] == said[who == 1][None]
        weight = np.where(iou >= 0.5, iou + same, 0)
        i, j = linear_sum_assignment(weight, maximize=True)
        agreed += int((same[i, j] & (weight[i, j] > 0)).sum())
    return 2 * agreed / len(image)


def run_step(name: str, n_images: int) -> None:
    labels = world(n_images)
    started = time.process_time()
    f1 = {"labels": lambda *_: float("nan"), "ours": ours, "loop": loop}[name](n_images, labels)
    cpu = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu": cpu, "peak": peak, "f1": f1, "n": len(labels[0])}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        run_step(sys.argv[2], int(sys.argv[3]))
    else:
        main()
