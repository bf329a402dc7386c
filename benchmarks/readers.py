"""Every reader, beside the floor of its format: what parsing the same bytes costs without understanding them.

    python benchmarks/readers.py [N_BOXES] [--only FORMAT]...

Floors: `msgspec` untyped (Label Studio whole, Labelbox line by line), `orjson.loads` (COCO), expat
(CVAT, VOC), reading the files and `float` of every word (YOLO), `pyarrow.csv` (table). Floors run
without the garbage collector, readers with it: the least that parsing can cost, beside what a user
waits for. Ten boxes an image; VOC and YOLO have a file for each image. Each step runs in a process
of its own, the writing of the data too, since a process begins with the peak of its parent. CPU and
wall seconds begin after the imports; peak memory includes them.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import numpy as np

CLASSES = ["car", "pedestrian", "cyclist", "truck", "bus", "tram", "sign", "dog"]
PER_IMAGE, SIDE = 10, 1024
MAPPING = {
    "kind": "box",
    "columns": {
        "id": "id", "asset": "image", "annotator": "who", "class": "label", "x_min": "x1",
        "y_min": "y1", "x_max": "x2", "y_max": "y2", "labelled_at": "when",
    },
}  # fmt: skip
Box = tuple[str, float, float, float, float]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("n_boxes", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--only", action="append", choices=list(WRITE), metavar="FORMAT")
    asked = parser.parse_args()
    n_boxes = asked.n_boxes
    print(f"{n_boxes:,} boxes each; CPU seconds, and wall seconds of the reader")
    print(
        f"{'format':13}{'MB':>6}{'floor s':>9}{'reader s':>10}{'ratio':>7}{'boxes/s':>11}"
        f"{'wall s':>8}{'peak MB':>9}"
    )
    for name in asked.only or list(WRITE):
        folder = Path(tempfile.mkdtemp(prefix="lineage-bench-"))
        try:
            size = step("write", name, folder, n_boxes)["n"]
            floor, ours = (step(kind, name, folder, n_boxes) for kind in ("floor", "ours"))
            assert ours["n"] == n_boxes, ours
            print(
                f"{name:13}{size / 1e6:6.0f}{floor['cpu']:9.2f}{ours['cpu']:10.2f}"
                f"{ours['cpu'] / floor['cpu']:7.1f}{n_boxes / ours['cpu']:11,.0f}"
                f"{ours['wall']:8.2f}{ours['peak']:9,.0f}",
                flush=True,
            )
        finally:
            shutil.rmtree(folder)


def step(kind: str, name: str, folder: Path, n_boxes: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--step", kind, name, str(folder), str(n_boxes)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def run_step(kind: str, name: str, folder: Path, n_boxes: int) -> None:
    if kind == "write":
        files = [path for path in WRITE[name](folder, n_boxes).parent.rglob("*") if path.is_file()]
        print(json.dumps({"n": sum(file.stat().st_size for file in files)}))
        return
    (path,) = folder.iterdir()
    run = prepare_floor(name) if kind == "floor" else prepare_reader(name)
    wall, cpu = time.perf_counter(), time.process_time()
    n = run(path)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu": cpu, "wall": wall, "peak": peak, "n": n}))


def prepare_floor(name: str) -> Callable[[Path], int]:
    for module in ("msgspec", "orjson", "pyarrow.csv", "xml.parsers.expat"):
        import_module(module)
    gc.disable()
    return FLOOR[name]


def prepare_reader(name: str) -> Callable[[Path], int]:
    from lineage.formats import READERS, ReadOptions, reader

    assert WRITE.keys() == READERS.keys(), READERS.keys() ^ WRITE.keys()
    read = reader(name)
    options = ReadOptions(
        mapping=MAPPING if name == "table" else None, size_of=lambda _: (SIDE, SIDE)
    )
    return lambda path: sum(chunk.labels.num_rows for chunk in read(path, options))


def images(n_boxes: int) -> Iterator[tuple[str, list[Box]]]:
    rng = np.random.default_rng(7)
    corner = rng.uniform(0, 900, (n_boxes, 2)).round(2)
    far = (corner + rng.uniform(5, 100, (n_boxes, 2))).round(2)
    class_ = rng.integers(0, len(CLASSES), n_boxes)
    for start in range(0, n_boxes, PER_IMAGE):
        rows = range(start, min(start + PER_IMAGE, n_boxes))
        boxes = [(CLASSES[class_[i]], *corner[i].tolist(), *far[i].tolist()) for i in rows]
        yield f"{start // PER_IMAGE:07d}", boxes  # type: ignore[misc]


def _list(path: Path, rows: Iterator[object]) -> Path:
    with path.open("w") as file:
        file.write("[")
        for at, row in enumerate(rows):
            file.write((",\n" if at else "") + json.dumps(row))
        file.write("]")
    return path


def write_label_studio(folder: Path, n: int) -> Path:
    def region(key: int, box: Box) -> dict[str, object]:
        class_, x0, y0, x1, y1 = box
        value = {"x": x0 / 10.24, "y": y0 / 10.24, "width": (x1 - x0) / 10.24,
                 "height": (y1 - y0) / 10.24, "rotation": 0, "rectanglelabels": [class_]}  # fmt: skip
        return {"id": f"r{key}", "from_name": "label", "to_name": "image", "type": "rectanglelabels",
                "origin": "manual", "original_width": SIDE, "original_height": SIDE,
                "image_rotation": 0, "value": value}  # fmt: skip

    def task(at: int, name: str, boxes: list[Box]) -> dict[str, object]:
        found = {"id": at + 1, "completed_by": at % 8 + 1, "was_cancelled": False,
                 "ground_truth": False, "created_at": "2026-03-02T10:00:00.000000Z",
                 "updated_at": "2026-03-02T10:05:00.000000Z", "lead_time": 12.5,
                 "result": [region(i, box) for i, box in enumerate(boxes)]}  # fmt: skip
        return {"id": at + 1, "data": {"image": f"img/{name}.jpg"}, "annotations": [found],
                "predictions": []}  # fmt: skip

    return _list(folder / "x.json", (task(i, *row) for i, row in enumerate(images(n))))


def write_cvat(folder: Path, n: int) -> Path:
    path = folder / "x.xml"
    with path.open("w") as file:
        file.write("<annotations><version>1.1</version>")
        for at, (name, boxes) in enumerate(images(n)):
            file.write(f'<image id="{at}" name="img/{name}.jpg" width="{SIDE}" height="{SIDE}">\n')
            for class_, x0, y0, x1, y1 in boxes:
                file.write(
                    f'<box label="{class_}" source="manual" occluded="0" xtl="{x0}" ytl="{y0}" '
                    f'xbr="{x1}" ybr="{y1}" z_order="0"></box>\n'
                )
            file.write("</image>\n")
        file.write("</annotations>")
    return path


def write_coco(folder: Path, n: int) -> Path:
    path = folder / "x.json"
    with path.open("w") as file:
        told = ({"id": i, "file_name": f"img/{name}.jpg", "width": SIDE, "height": SIDE}
                for i, (name, _) in enumerate(images(n)))  # fmt: skip
        file.write('{"images":[' + ",\n".join(map(json.dumps, told)))
        categories = [{"id": i, "name": name} for i, name in enumerate(CLASSES)]
        file.write(f'],"categories":{json.dumps(categories)},"annotations":[')
        for at, (_, boxes) in enumerate(images(n)):
            for i, (class_, x0, y0, x1, y1) in enumerate(boxes):
                key = at * PER_IMAGE + i + 1
                file.write(
                    f'{"," if key > 1 else ""}\n{{"id":{key},"image_id":{at},'
                    f'"category_id":{CLASSES.index(class_)},"bbox":[{x0},{y0},{x1 - x0:.2f},'
                    f'{y1 - y0:.2f}],"area":{(x1 - x0) * (y1 - y0):.2f},"iscrowd":0,"annotator":"p{at % 8}"}}'
                )
        file.write("]}")
    return path


def write_voc(folder: Path, n: int) -> Path:
    root = folder / "Annotations"
    root.mkdir()
    for name, boxes in images(n):
        objects = "".join(
            f"<object><name>{class_}</name><pose>Unspecified</pose><truncated>0</truncated>"
            f"<difficult>0</difficult><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax>"
            f"<ymax>{y1}</ymax></bndbox></object>"
            for class_, x0, y0, x1, y1 in boxes
        )
        size = f"<size><width>{SIDE}</width><height>{SIDE}</height><depth>3</depth></size>"
        text = f"<annotation><filename>{name}.jpg</filename>{size}{objects}</annotation>"
        (root / f"{name}.xml").write_text(text)
    return root


def write_yolo(folder: Path, n: int) -> Path:
    root = folder / "yolo"
    (root / "labels").mkdir(parents=True)
    names = ", ".join(f"{i}: {name}" for i, name in enumerate(CLASSES))
    (root / "data.yaml").write_text(f"train: images\nval: images\nnames: {{{names}}}\n")
    for name, boxes in images(n):
        rows = (
            f"{CLASSES.index(c)} {(x0 + x1) / 2 / SIDE:.6f} {(y0 + y1) / 2 / SIDE:.6f} "
            f"{(x1 - x0) / SIDE:.6f} {(y1 - y0) / SIDE:.6f}\n"
            for c, x0, y0, x1, y1 in boxes
        )
        (root / "labels" / f"{name}.txt").write_text("".join(rows))
    return root


def write_labelbox(folder: Path, n: int) -> Path:
    path = folder / "x.ndjson"
    with path.open("w") as file:
        for at, (name, boxes) in enumerate(images(n)):
            objects = [
                {"feature_id": f"f{at}-{i}", "feature_schema_id": f"s-{box[0]}", "name": box[0],
                 "value": box[0], "annotation_kind": "ImageBoundingBox", "classifications": [],
                 "bounding_box": {"left": box[1], "top": box[2], "width": box[3] - box[1],
                                  "height": box[4] - box[2]}}
                for i, box in enumerate(boxes)
            ]  # fmt: skip
            label = {"label_kind": "Default", "version": "1.0.0", "id": f"l{at}",
                     "label_details": {"created_at": "2026-03-02T10:00:00.000+00:00",
                                       "updated_at": "2026-03-02T10:05:00.000+00:00",
                                       "created_by": f"p{at % 8}@crew.example", "reviews": []},
                     "performance_details": {"seconds_to_create": 30, "seconds_to_review": 3},
                     "annotations": {"objects": objects, "classifications": []}}  # fmt: skip
            row = {"data_row": {"id": f"d{at}", "external_id": f"{name}.jpg"},
                   "media_attributes": {"width": SIDE, "height": SIDE},
                   "projects": {"p": {"name": "p", "labels": [label],
                                      "project_details": {"workflow_status": "DONE"}}}}  # fmt: skip
            file.write(json.dumps(row) + "\n")
    return path


def write_table(folder: Path, n: int) -> Path:
    path = folder / "x.csv"
    with path.open("w") as file:
        file.write("id,image,who,label,x1,y1,x2,y2,when\n")
        for at, (name, boxes) in enumerate(images(n)):
            for i, (class_, *corners) in enumerate(boxes):
                told = ",".join(map(str, corners))
                key = at * PER_IMAGE + i
                file.write(f"{key},{name}.jpg,p{at % 8},{class_},{told},2026-03-02T10:00:00Z\n")
    return path


def floor_msgspec(path: Path) -> int:
    import msgspec

    return len(msgspec.json.decode(path.read_bytes()))


def floor_lines(path: Path) -> int:
    import msgspec

    with path.open("rb") as file:
        return sum(1 for line in file if msgspec.json.decode(line))


def floor_orjson(path: Path) -> int:
    import orjson

    return len(orjson.loads(path.read_bytes()))


def _names(folder: Path) -> list[str]:
    # a `Path` for each of 100,000 files would cost a third of the floor
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]


def floor_expat(path: Path) -> int:
    from xml.parsers import expat

    files = [str(path)] if path.is_file() else _names(path)
    n = 0

    def started(tag: str, attributes: dict[str, str]) -> None:
        nonlocal n
        n += 1

    for file in files:
        parser = expat.ParserCreate()
        parser.StartElementHandler = started
        with open(file, "rb", buffering=0) as stream:
            parser.Parse(stream.read(), True)
    return n


def floor_words(path: Path) -> int:
    n = 0
    for file in _names(path / "labels"):
        with open(file, "rb", buffering=0) as stream:
            n += len([float(word) for word in stream.read().split()])
    return n


def floor_csv(path: Path) -> int:
    import pyarrow.csv as pa_csv

    return int(pa_csv.read_csv(path).num_rows)


WRITE: dict[str, Callable[[Path, int], Path]] = {
    "label-studio": write_label_studio,
    "cvat": write_cvat,
    "coco": write_coco,
    "voc": write_voc,
    "yolo": write_yolo,
    "labelbox": write_labelbox,
    "table": write_table,
}
FLOOR: dict[str, Callable[[Path], int]] = {
    "label-studio": floor_msgspec,
    "cvat": floor_expat,
    "coco": floor_orjson,
    "voc": floor_expat,
    "yolo": floor_words,
    "labelbox": floor_lines,
    "table": floor_csv,
}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        run_step(sys.argv[2], sys.argv[3], Path(sys.argv[4]), int(sys.argv[5]))
    else:
        main()
