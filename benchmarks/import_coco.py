"""Import of COCO boxes, beside the least that any importer must do.

    python benchmarks/import_coco.py [N_LABELS]

The peers, on the same file and rows in the same run: `orjson.loads` of the file (the fastest
way to have it in memory), and the driver's own `executemany` of the store's revision rows into a
table with their integer key. `lineage import` also validates, digests, matches identities and
writes a durable Parquet segment. Each runs in a process of its own; memory is that process' peak.
Aim: under 3 times the peers' sum, under 1.5 GB at 1,000,000 labels.
"""

from __future__ import annotations

import json
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

CLASSES = ["car", "pedestrian", "cyclist", "truck", "bus", "tram", "sign", "dog"]
BOXES_PER_IMAGE = 10


def main() -> None:
    n_labels = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    folder = Path(tempfile.mkdtemp(prefix="lineage-bench-"))
    try:
        export = folder / "export.json"
        write_export(export, n_labels)
        print(f"{n_labels:,} boxes, {export.stat().st_size / 1e6:.0f} MB of COCO")
        project = make_project(folder / "project")
        parse = step("parse", export)
        ours = step("ours", export, project)
        insert = step("insert", project / ".lineage" / "store.db", folder / "raw.db")
        floor = parse["seconds"] + insert["seconds"]
        rows = [("orjson.loads", parse), ("sqlite3.executemany", insert), ("lineage import", ours)]
        for name, result in rows:
            seconds = result["seconds"]
            print(
                f"{name:20} {seconds:7.2f} s {n_labels / seconds:12,.0f} labels/s "
                f"{result['peak_mb']:7,.0f} MB"
            )
        print(f"lineage import / (loads + executemany) = {ours['seconds'] / floor:.2f} (aim: < 3)")
    finally:
        shutil.rmtree(folder)


def write_export(path: Path, n_labels: int) -> None:
    rng = np.random.default_rng(7)
    n_images = -(-n_labels // BOXES_PER_IMAGE)
    corner = rng.uniform(0, 900, (n_labels, 2)).round(2)
    size = rng.uniform(5, 100, (n_labels, 2)).round(2)
    classes = rng.integers(1, len(CLASSES) + 1, n_labels)
    people = rng.integers(0, 8, n_images)  # one annotator an image, as batches are dealt out
    with path.open("w") as file:
        images = (
            f'{{"id":{i},"file_name":"img/{i:07d}.jpg","width":1024,"height":1024}}'
            for i in range(n_images)
        )
        file.write('{"images":[' + ",\n".join(images))
        categories = [{"id": i, "name": name} for i, name in enumerate(CLASSES, 1)]
        file.write('],"categories":' + json.dumps(categories) + ',"annotations":[')
        for i in range(n_labels):
            (x, y), (w, h) = corner[i], size[i]
            file.write(
                f'{"," if i else ""}\n{{"id":{i + 1},"image_id":{i // BOXES_PER_IMAGE},'
                f'"category_id":{classes[i]},"bbox":[{x},{y},{w},{h}],"area":{w * h:.2f},'
                f'"iscrowd":0,"annotator":"person-{people[i // BOXES_PER_IMAGE]}@crew.example"}}'
            )
        file.write("]}")


def make_project(root: Path) -> Path:
    root.mkdir()
    schema = root / "street.json"
    classes = {name: {"definition": f"a {name}", "kinds": ["box"]} for name in CLASSES}
    schema.write_text(json.dumps({"name": "street", "version": "1.0", "classes": classes}))
    for words in (
        ["init"],
        ["schema", "add", str(schema)],
        ["schema", "lock", "street@1.0"],
        ["batch", "create", "w01", "--task", "detection", "--schema", "street@1.0"],
    ):
        command = [sys.executable, "-m", "lineage", "-C", str(root), "--quiet", *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return root


def step(name: str, *arguments: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--step", name, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def run_step(name: str, arguments: list[str]) -> None:
    seconds = {"parse": parse_file, "insert": insert_rows, "ours": import_file}[name](*arguments)
    peak = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(json.dumps({"seconds": seconds, "peak_mb": peak / 1024}))


def parse_file(export: str) -> float:
    import orjson

    started = time.perf_counter()
    document = orjson.loads(Path(export).read_bytes())
    seconds = time.perf_counter() - started
    assert document["annotations"]
    return seconds


def insert_rows(store: str, target: str) -> float:
    with sqlite3.connect(store) as source:
        cursor = source.execute("SELECT * FROM revision")
        names = [column[0] for column in cursor.description]
        rows = cursor.fetchall()
    raw = sqlite3.connect(target)
    raw.execute("PRAGMA journal_mode=WAL")
    raw.execute("PRAGMA synchronous=FULL")
    raw.execute(f"CREATE TABLE revision ({names[0]} INTEGER PRIMARY KEY, {', '.join(names[1:])})")
    started = time.perf_counter()
    with raw:
        marks = ", ".join("?" * len(names))
        raw.executemany(f"INSERT INTO revision VALUES ({marks})", rows)
    seconds = time.perf_counter() - started
    raw.close()
    return seconds


def import_file(export: str, project: str) -> float:
    command = [sys.executable, "-m", "lineage", "-C", project, "--json", "import", export]
    started = time.perf_counter()
    done = subprocess.run(
        [*command, "--batch", "w01"], check=True, stdout=subprocess.PIPE, text=True
    )
    seconds = time.perf_counter() - started
    assert json.loads(done.stdout)["n_rejected"] == 0
    return seconds


if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        run_step(sys.argv[2], sys.argv[3:])
    else:
        main()
