"""How long two runs' outcomes take: python -m benchmarks.outcomes [FRACTION of 118,000 images and 860,000 labels]."""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities.outcomes import Predictions, eval_moved, judge

N_CLASSES = 80


def table(schema: pa.Schema, box: np.ndarray, /, **values: object) -> pa.Table:
    told = values | {name: box[:, at] for at, name in enumerate(columns.BOX)} | {"kind": "box"}
    return pa.Table.from_batches([columns.batch_of(schema, told, len(box))])


def main(fraction: float) -> None:
    rng = np.random.default_rng(0)
    n_images, n, n_false = (int(fraction * one) for one in (118_000, 860_000, 800_000))
    names = pa.array([f"{at:012d}.jpg" for at in range(n_images)])
    classes = pa.array([f"class-{at}" for at in range(N_CLASSES)])
    image = rng.integers(n_images, size=n)
    class_ = np.where(rng.random(n) < 0.6, image % N_CLASSES, rng.integers(N_CLASSES, size=n))
    low = rng.uniform(0, 500, (n, 2))
    box = np.hstack([low, low + rng.uniform(20, 120, (n, 2))])
    same = dict.fromkeys(("annotator", "schema", "batch", "stage", "origin", "split"), "x")
    labels = table(
        columns.DATASET,
        box,
        **same,
        asset=names.take(pa.array(image)),
        annotation=np.arange(n),
        revision=np.arange(n),
        attributes="{}",
        **{"class": classes.take(pa.array(class_))},
    )

    def run(missed: float) -> Predictions:
        found = rng.random(n) > missed
        where = np.concatenate([image[found], rng.integers(n_images, size=n_false)])
        what = np.concatenate([class_[found], rng.integers(N_CLASSES, size=n_false)])
        corner = rng.uniform(0, 500, (n_false, 2))
        near = box[found] + rng.uniform(-4, 4, (int(found.sum()), 4))
        told = table(
            columns.PREDICTIONS,
            np.vstack([near, np.hstack([corner, corner + 60])]),
            asset=names.take(pa.array(where)),
            score=np.concatenate(
                [rng.uniform(0.3, 1, int(found.sum())), rng.uniform(0, 0.6, n_false)]
            ),
            position=np.arange(len(where)),
            **{"class": classes.take(pa.array(what))},
        )
        return Predictions(told, columns.VIOLATIONS.empty_table(), frozenset(names.to_pylist()))

    good, bad = run(0.2), run(0.25)
    for what, call in (
        ("outcomes of two runs", lambda: judge(labels, good, bad)),
        ("ground truth, two versions", lambda: eval_moved(bad, labels, labels, rng)),
    ):
        start, used = time.perf_counter(), time.process_time()
        call()
        took, used = time.perf_counter() - start, time.process_time() - used
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        print(
            f"{what}: {n_images:,} images, {n:,} labels: {took:.0f} s, {used:.0f} s CPU, {peak:,} MiB"
        )


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
