"""Lasting identity without ids, beside the loop that anybody would write first.

    python benchmarks/identity.py [N_LABELS]

Planted truth (`tests/planted.py`): one label in five moved, renamed, dropped or added, all ids
lost. Ours is `identify.plan`, which also weighs what evidence ids give; the peer goes image by
image, makes the matrix of overlaps with NumPy and gives it to scipy's `linear_sum_assignment`.
Both get the same arrays. The third row compares two dataset versions whose numbers are lost
(`diff --match iou`): pairs, then changes. Each runs in a process of its own that reads the labels
from a file; memory is that process' peak, and ``labels alone`` that of one which only reads.
Aim: 99 % right, in seconds, in no more than 1 kB a label.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

if TYPE_CHECKING:
    from tests.planted import Planted

SEED = 7


def main() -> None:
    n_labels = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory(prefix="lineage-bench-") as folder:
        step("plant", folder, n_labels)
        rows = [
            (what, step(name, folder, n_labels))
            for what, name in (
                ("labels alone", "read"),
                ("identify.plan", "ours"),
                ("scipy, image by image", "peer"),
                ("pairs and changes", "changes"),
            )
        ]
    print(f"{rows[0][1]['n']:,.0f} labels, ids lost, one in five edited")
    for what, found in rows:
        right = f"{found['right']:.5f} right" if found["right"] else ""
        print(f"{what:24}{found['seconds']:8.2f} s {found['peak_mb']:8.0f} MB  {right}")


def step(name: str, folder: str, n_labels: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--step", name, folder, str(n_labels)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def run_step(name: str, folder: Path, n_labels: int) -> None:
    from tests import planted

    if name == "plant":
        write(planted.plant(SEED, n_labels, ids="lost"), folder)
    found = read(folder)
    steps = {"ours": ours, "peer": peer, "changes": changes}
    seconds, right = steps[name](found) if name in steps else (0.0, 0.0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"n": len(found.truth), "seconds": seconds, "peak_mb": peak, "right": right}))


def write(found: Planted, folder: Path) -> None:
    for name, keys in (("old", found.old), ("new", found.new)):
        words = {n: getattr(keys, n) for n in ("annotator", "class_", "kind", "source_id")}
        table = pa.table(words)
        path = str(folder / f"{name}.arrow")
        with pa.OSFile(path, "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        arrays = {n: getattr(keys, n) for n in ("asset", "box", "content", "number")}
        np.savez(folder / f"{name}.npz", **arrays)
    np.savez(folder / "truth.npz", truth=found.truth, edit=found.edit)


def read(folder: Path) -> Planted:
    from lineage.activities.prior import Keys
    from tests.planted import Planted

    sides = []
    for name in ("old", "new"):
        with pa.OSFile(str(folder / f"{name}.arrow")) as source:
            table = pa.ipc.open_stream(source).read_all().combine_chunks()
        words = {n: table[n].chunk(0) for n in table.column_names}
        sides.append(Keys(**words, **np.load(folder / f"{name}.npz")))
    return Planted(sides[0], sides[1], **np.load(folder / "truth.npz"))


def ours(found: Planted) -> tuple[float, float]:
    from lineage.activities import identify
    from tests.planted import judge

    prior = found.prior()
    started = time.perf_counter()
    plan = identify.plan(found.new, prior)
    seconds = time.perf_counter() - started
    return seconds, judge(found, plan.prior).share()[0]


def peer(found: Planted) -> tuple[float, float]:
    from scipy.optimize import linear_sum_assignment

    from lineage.activities.prior import sides
    from tests.planted import judge

    old, new = sides(found.old, found.new)
    prior = np.full(len(new), -1, np.int64)
    started = time.perf_counter()
    order_old = np.argsort(old.group, kind="stable")
    order_new = np.argsort(new.group, kind="stable")
    groups = np.unique(old.group)
    for group in groups.tolist():
        a = order_old[slice(*np.searchsorted(old.group, [group, group + 1], sorter=order_old))]
        b = order_new[slice(*np.searchsorted(new.group, [group, group + 1], sorter=order_new))]
        box_a, box_b = old.box[a][:, None], new.box[b][None]
        inner = np.minimum(box_a[..., 2:], box_b[..., 2:]) - np.maximum(
            box_a[..., :2], box_b[..., :2]
        )
        both = np.maximum(inner, 0).prod(axis=2)
        areas = [(box[..., 2:] - box[..., :2]).prod(axis=2) for box in (box_a, box_b)]
        overlap = np.nan_to_num(both / (areas[0] + areas[1] - both))
        is_class = old.class_code[a][:, None] == new.class_code[b][None]
        # whole-image classes have no box: the same class is the same label
        overlap[np.isnan(box_a[:, 0, 0])[:, None] & np.isnan(box_b[0, :, 0])[None] & is_class] = 1
        weight = np.where(overlap >= 0.5, overlap - 0.25 * ~is_class, 0)
        rows, places = linear_sum_assignment(weight, maximize=True)
        keep = weight[rows, places] > 0
        prior[b[places[keep]]] = a[rows[keep]]
    seconds = time.perf_counter() - started
    return seconds, judge(found, prior).share()[0]


def changes(found: Planted) -> tuple[float, float]:
    from lineage import columns
    from lineage.activities import compare
    from lineage.calc.changes import changes as changes_of

    tables = []
    for at, keys in enumerate((found.old, found.new)):
        n = len(keys)
        names = pa.array([f"{asset:08d}.jpg" for asset in keys.asset.tolist()], pa.string())
        values: dict[str, object] = {
            "asset": names,
            "annotation": at * n + np.arange(n),
            "revision": at * n + np.arange(n),
            "class": keys.class_,
            "kind": keys.kind,
            "annotator": keys.annotator,
            "attributes": "{}",
            "schema": "s@1.0",
            "batch": "b",
            "stage": "final",
            "origin": "human",
            "split": "",
        }
        values |= {
            name: pa.array(keys.box[:, i], from_pandas=True) for i, name in enumerate(columns.BOX)
        }
        tables.append(pa.Table.from_batches([columns.batch_of(columns.DATASET, values, n)]))
    started = time.perf_counter()
    pairs = compare.pairs_of(*tables)
    told = changes_of(*tables, pairs)
    seconds = time.perf_counter() - started
    assert told.counts["n_unchanged"] > 0.7 * len(found.new)
    return seconds, 0.0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        run_step(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
