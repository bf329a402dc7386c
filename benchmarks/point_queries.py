"""Point questions in a large project, beside a bare SQL query of the same rows in one run.

    python benchmarks/point_queries.py [N_LABELS] [N_KEYS]

`show` of an annotation, `blame` of an image, `run affected` of an annotator, of an annotator and a class
together (joint counts that are kept), each for N_KEYS random keys in one process, turn by turn with its peers: the
driver's own query of the same rows, on a connection of its own each time, as a command has it, and on one that
stays open. The peer of `run affected` reads the labels of the version from the store by SQL. Also the
whole command, start of the interpreter and all. Time of the processor stands beside the clock's, for a busy
machine. Aim: under 3 times a query with a connection of its own.
"""

from __future__ import annotations

import random
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from import_coco import make_project, write_export

from lineage.activities import runs, runs_affected, trace, version
from lineage.activities.context import Project, open_project

CLASSES = ["car", "pedestrian", "cyclist", "truck"]
REVISIONS = "SELECT * FROM revisions WHERE annotation = ? ORDER BY revision"
OF_ASSET = (
    "SELECT v.* FROM asset s JOIN annotation n ON n.asset_id = s.id "
    "JOIN revisions v ON v.annotation = n.id WHERE s.name = ? ORDER BY v.revision"
)
AFFECTED = (
    "SELECT COUNT(*) FROM revision r JOIN annotator p ON p.id = r.annotator_id "
    "WHERE p.pseudonym = ?"
)
TOGETHER = (
    "SELECT COUNT(*) FROM revision r JOIN annotator p ON p.id = r.annotator_id "
    "JOIN label_class c ON c.id = r.class_id WHERE p.pseudonym = ? AND c.name = ?"
)
N_SCANS = 20


def main() -> None:
    n_labels = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    n_keys = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000
    folder = Path(tempfile.mkdtemp(prefix="lineage-bench-"))
    try:
        project = filled(folder, n_labels)
        print(f"{n_labels:,} annotations, {n_keys:,} random keys, times in ms")
        print(
            f"{'':34}{'median':>9}{'p99':>9}{'own':>9}{'open':>9}{'x own':>8}"
            f"{'cpu':>9}{'own cpu':>9}{'x own':>8}"
        )
        questions(project, n_labels, n_keys)
        commands(project, n_labels)
    finally:
        shutil.rmtree(folder)


def filled(folder: Path, n_labels: int) -> Project:
    export = folder / "export.json"
    write_export(export, n_labels)
    root = make_project(folder / "project")
    words = ["import", str(export), "--batch", "w01"]
    command = [sys.executable, "-m", "lineage", "-C", str(root), "--quiet", *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    project = open_project(root)
    version.build(project, tag="v1")
    for number in range(10):
        runs.pin(project, f"run-{number}", version="v1", is_checked=number == 0)
    return project


def questions(project: Project, n_labels: int, n_keys: int) -> None:
    rng = random.Random(7)
    people = list(trace.names_of(project))
    path = str(project.store.path)
    numbers = [rng.randint(1, n_labels) for _ in range(n_keys)]
    images = [f"img/{rng.randrange(n_labels // 10):07d}.jpg" for _ in range(n_keys)]
    who = [rng.choice(people[:8]) for _ in range(n_keys)]
    both = [(rng.choice(people[:8]), rng.choice(CLASSES)) for _ in range(n_keys)]

    def affected(*words: str) -> object:
        return runs_affected.affected(project, words)[1]

    affected(f"annotator={both[0][0]} class={both[0][1]}")  # makes the joint counts
    row("show", numbers, lambda k: trace.show(project, k), path, REVISIONS)
    row("blame", images, lambda k: trace.blame(project, k), path, OF_ASSET)
    # the peers read a million rows: few turns are enough
    row(
        "run affected --annotator",
        who,
        lambda k: affected(f"annotator={k}"),
        path,
        AFFECTED,
        few=True,
    )
    together = "run affected --annotator --class"
    row(
        together,
        both,
        lambda k: affected(f"annotator={k[0]} class={k[1]}"),
        path,
        TOGETHER,
        few=True,
    )


def row(
    name: str,
    keys: list[Any],
    ours: Callable[[Any], object],
    path: str,
    query: str,
    *,
    few: bool = False,
) -> None:
    kept = sqlite3.connect(path)
    wall: dict[str, list[float]] = {"ours": [], "own": [], "open": []}
    busy: dict[str, list[float]] = {"ours": [], "own": [], "open": []}

    def bare(connection: sqlite3.Connection, key: object) -> None:
        assert connection.execute(query, key if isinstance(key, tuple) else (key,)).fetchall()

    def own(key: object) -> None:
        connection = sqlite3.connect(path)
        bare(connection, key)
        connection.close()

    for turn, key in enumerate(keys):
        ways: dict[str, Callable[[], object]] = {"ours": lambda: ours(key)}  # noqa: B023
        if not few or turn < N_SCANS:
            ways |= {"own": lambda: own(key), "open": lambda: bare(kept, key)}  # noqa: B023
        for way, call in ways.items():
            started, used = time.perf_counter(), time.process_time()
            call()
            wall[way].append((time.perf_counter() - started) * 1e3)
            busy[way].append((time.process_time() - used) * 1e3)
    kept.close()
    median, used_ms = ({w: statistics.median(f) for w, f in way.items()} for way in (wall, busy))
    p99 = sorted(wall["ours"])[int(len(keys) * 0.99)]
    print(
        f"{name:34}{median['ours']:9.2f}{p99:9.2f}{median['own']:9.2f}{median['open']:9.2f}"
        f"{median['ours'] / median['own']:8.2f}{used_ms['ours']:9.2f}{used_ms['own']:9.2f}"
        f"{used_ms['ours'] / used_ms['own']:8.2f}"
    )


def commands(project: Project, n_labels: int) -> None:
    person = next(iter(trace.names_of(project)))
    print("whole commands, median of 5, ms, and of the processor")
    for words in (
        ["show", str(n_labels // 2)],
        ["blame", "img/0000007.jpg"],
        ["run", "affected", "--annotator", person],
    ):
        command = [sys.executable, "-m", "lineage", "-C", str(project.root), *words]
        seconds, used = [], []
        for _ in range(5):
            started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds.append((time.perf_counter() - started) * 1e3)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            used.append(spent * 1e3)
        told = f"{statistics.median(seconds):9.0f}{statistics.median(used):9.0f}"
        print(f"lineage {' '.join(words[:3]):26}{told}")


if __name__ == "__main__":
    main()
