"""Agreement of double-annotated images, beside KaLOS and a plain loop over scipy's assignment.

    python benchmarks/agreement.py [N_IMAGES [N_KALOS]]

The same boxes for all, in one run: about 19 an image from two annotators, 80 classes, seeded. Ours and the
loop give F1 by class, Krippendorff's alpha on what both found, and the confusion of classes; ours also the
clustered intervals. The loop goes image by image: a matrix of overlaps, `linear_sum_assignment`. KaLOS
gives its alpha (a "missing" category) and its class difficulty, and no F1; it holds everything as
dictionaries, made before its clock starts. Past N_KALOS images (default 20,000) it gets the first of
them, and its seconds are scaled by images. Ours gives KaLOS' alpha too, to show that
the same units are found. Then 20 million labels are counted by class, annotator and week.

Each in a process of its own, on one thread, imports not counted; memory is that process' peak (Linux), the labels
themselves included.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

N_CLASSES, PER_IMAGE = 80, 10
N_KALOS = 20_000
N_LABELS = 20_000_000
TAU = 0.5


def main() -> None:
    n_images = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    n_kalos = min(int(sys.argv[2]) if len(sys.argv) > 2 else N_KALOS, n_images)
    found = {}
    told_of = {"labels": "alone", "ours": "ours", "loop": "scipy loop", "kalos": "KaLOS 0.8.0"}
    print(f"{'':12}{'images':>10}{'boxes':>12}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}")
    for name in ("labels", "ours", "loop", "kalos"):
        found[name] = told = step(name, n_kalos if name == "kalos" else n_images)
        print(
            f"{told_of[name]:12}{told['images']:10,}{told['n']:12,}{told['wall']:9.1f}{told['cpu']:9.1f}"
            f"{told['peak']:9,.0f}  "
            + ", ".join(f"{key} {value:.4f}" for key, value in told["values"].items()),
            flush=True,
        )
    small = step("ours", n_kalos)
    scale = n_images / n_kalos
    ours = found["ours"]["cpu"]
    print(
        f"the loop takes {found['loop']['cpu'] / ours:.1f} times as long as ours; KaLOS, on the same "
        f"{n_kalos:,} images, {found['kalos']['cpu'] / small['cpu']:.1f} times, and scaled to all "
        f"({found['kalos']['cpu'] * scale:,.0f} s) {found['kalos']['cpu'] * scale / ours:.1f} times"
    )
    for name in ("table", "counts", "bincount"):
        told = step(name, N_LABELS)
        print(
            f"{told['n']:,} labels, {name:8}: {told['wall']:6.2f} s, {told['cpu']:6.2f} s CPU, "
            f"{told['peak']:,.0f} MB"
        )


def step(name: str, n: int) -> dict:
    """Run a step in a process of its own."""
    python = sys.executable
    if name == "kalos":
        sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
        from tests.peers.environments import environment

        python = str(environment("kalos"))
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    done = subprocess.run(
        [python, __file__, "--step", name, str(n)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **threads, "TQDM_DISABLE": "1"},
    )
    return json.loads(done.stdout.splitlines()[-1])


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


def ours(labels: tuple[np.ndarray, ...], n_images: int) -> dict[str, float]:
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
    return {
        "F1": float(coefficients.specific_agreement(total.whole.detection)[0]),
        "F1 of the rarest": float(coefficients.specific_agreement(total.classes)[-1]),
        "alpha": float(coefficients.alpha(total.found)),
        "KaLOS' alpha": _alpha(total.confusion),
    }


def loop(labels: tuple[np.ndarray, ...], n_images: int) -> dict[str, float]:
    from scipy.optimize import linear_sum_assignment

    image, person, class_, box = labels
    bounds = np.searchsorted(image, np.arange(n_images + 1))
    table = np.zeros((N_CLASSES + 1, N_CLASSES + 1))
    for at in range(n_images):
        rows = slice(bounds[at], bounds[at + 1])
        mine, who, said = box[rows], person[rows], class_[rows]
        a, b = mine[who == 0], mine[who == 1]
        said_a, said_b = said[who == 0], said[who == 1]
        wide = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(
            a[:, None, :2], b[None, :, :2]
        )
        both = np.clip(wide, 0, None).prod(axis=2)
        area_a, area_b = ((side[:, 2:] - side[:, :2]).prod(axis=1) for side in (a, b))
        iou = both / (area_a[:, None] + area_b[None] - both)
        weight = np.where(iou >= TAU, iou + (said_a[:, None] == said_b[None]), 0)
        i, j = linear_sum_assignment(weight, maximize=True)
        kept = weight[i, j] > 0
        i, j = i[kept], j[kept]
        np.add.at(table, (said_a[i], said_b[j]), 1)
        np.add.at(table, (np.delete(said_a, i), N_CLASSES), 1)
        np.add.at(table, (N_CLASSES, np.delete(said_b, j)), 1)
    table = table + table.T
    mentions = table[:N_CLASSES].sum(axis=1)
    f1 = np.diag(table)[:N_CLASSES] / np.maximum(mentions, 1)
    return {
        "F1": float(np.diag(table)[:N_CLASSES].sum() / mentions.sum()),
        "F1 of the rarest": float(f1[-1]),
        "alpha": _alpha(table[:N_CLASSES, :N_CLASSES]),
        "KaLOS' alpha": _alpha(table),
    }


def kalos(labels: tuple[np.ndarray, ...], n_images: int) -> dict[str, float]:
    from kalos.iaa.core import calculate_iaa

    data = _as_dictionaries(labels, n_images)
    classes = {code: str(code) for code in range(N_CLASSES)}
    # what was made for it here is not its own time
    _start_clock()
    told = calculate_iaa(
        data, classes, "greedy", "bbox_iou_similarity", "category_lenient", TAU,
        False, True, False, ["0", "1"],
    )  # fmt: skip
    return {"KaLOS' alpha": float(told[1])}


def _as_dictionaries(labels: tuple[np.ndarray, ...], n_images: int) -> dict:
    whole = labels[3].max()
    data: dict = {
        image: {"rater_list": ["0", "1"], "annotations_by_rater": {"0": [], "1": []}}
        for image in range(max(n_images, int(labels[0].max()) + 1))
    }
    for at, (image, person, class_, box) in enumerate(
        zip(*(column.tolist() for column in labels), strict=True)
    ):
        # it takes boxes as fractions of an image, by corner and size
        x0, y0, x1, y1 = (side / whole for side in box)
        data[image]["annotations_by_rater"][str(person)].append(
            {"id": at, "rater_id": str(person), "category_id": class_, "image_id": image,
             "bbox": [x0, y0, x1 - x0, y1 - y0]}
        )  # fmt: skip
    return data


def _alpha(table: np.ndarray) -> float:
    """Return Krippendorff's alpha of a symmetric table of coincidences."""
    n, mentions = table.sum(), table.sum(axis=1)
    return float(1 - (n - np.trace(table)) * (n - 1) / (n * n - (mentions**2).sum()))


def table(n: int) -> tuple[np.ndarray, ...]:
    """Return class, annotator, week, and the class that the partner gave, of n comparisons."""
    rng = np.random.default_rng(2)
    own = rng.integers(0, N_CLASSES, n, dtype=np.int16)
    person = rng.integers(0, 60, n, dtype=np.int16)
    week = rng.integers(0, 52, n, dtype=np.int16)
    said = np.where(rng.random(n, dtype=np.float32) < 0.03, (own + 1) % N_CLASSES, own)
    return own, person, week, said


def counts(columns: tuple[np.ndarray, ...]) -> None:
    """Count every (annotator, partner's class, own class) of every week, as drift charts take them."""
    from lineage.calc import drift

    own, person, week, said = columns
    total = drift.Counts()
    for start in range(0, len(own), 1_000_000):
        rows = slice(start, start + 1_000_000)
        key = week[rows].astype(np.int64)
        for column, width in ((person, 60), (said, N_CLASSES + 1), (own, N_CLASSES + 1)):
            key = key * width + column[rows]
        total = total + drift.counted(key)
    assert total.value.sum() == len(own)


def bincount(columns: tuple[np.ndarray, ...]) -> None:
    """Count class x annotator x week totals and disagreements with one `np.bincount` each."""
    own, person, week, said = columns
    key = (own.astype(np.int32) * 60 + person) * 52 + week
    n = N_CLASSES * 60 * 52
    np.bincount(key, minlength=n)
    np.bincount(key[own != said], minlength=n)


_clock = {"cpu": 0.0, "wall": 0.0}


def _start_clock() -> None:
    # memory too: what it took to make the labels is not counted, the labels are
    Path("/proc/self/clear_refs").write_text("5")
    _clock.update(cpu=time.process_time(), wall=time.perf_counter())


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def run_step(name: str, n: int) -> None:
    values: dict[str, float] = {}
    is_table = name in ("table", "counts", "bincount")
    data = table(n) if is_table else world(n)
    if is_table:
        _start_clock()
        {"table": len, "counts": counts, "bincount": bincount}[name](data)
    elif name == "labels":
        _start_clock()
    else:
        run = {"ours": ours, "loop": loop, "kalos": kalos}[name]
        # imports and first calls are nobody's time
        run(tuple(column[: 40 * PER_IMAGE] for column in data), 20)
        _start_clock()
        values = run(data, n)
    told = {
        "cpu": time.process_time() - _clock["cpu"],
        "wall": time.perf_counter() - _clock["wall"],
        "peak": _peak_mb(),
        "n": len(data[0]),
        "images": n,
        "values": values,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        run_step(sys.argv[2], int(sys.argv[3]))
    else:
        main()
