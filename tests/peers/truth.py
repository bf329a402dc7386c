"""A small data set whose every number is known, for peers to be asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from lineage import columns
from lineage.calc.geometry import rotated_corners
from lineage.formats.runs import geometry_of

Row = dict[str, Any]
SIZES = {
    "a b.png": (100, 60),
    "deep/c.png": (64, 128),
    "ü.png": (333, 77),
    "square.png": (80, 80),
    "empty.png": (50, 40),
}
CLASSES = ("car", "traffic light", "größe")
_ANNOTATORS = ("a-1", "a-2")


TOLERANCE_PX = 1e-3
KINDS = ("box", "rotated_box", "polygon", "polyline", "keypoints", "mask", "class")


@dataclass(frozen=True)
class Truth:
    """Labels, their images, and the same rows as dictionaries."""

    labels: pa.Table
    assets: pa.Table
    rows: list[Row]


def truth(
    kinds: Sequence[str], *, n_each: int = 4, annotators: int = 1, val: Sequence[str] = ()
) -> Truth:
    """Return ``n_each`` labels of each kind on every image but the empty one, by a fixed seed.

    Images of ``val`` are for validation, the others for training.
    """
    rng = np.random.default_rng(7)
    rows: list[Row] = []
    for name, (width, height) in SIZES.items():
        for kind in kinds if name != "empty.png" else ():
            # a class is said of an image once
            n = min(n_each, len(CLASSES)) if kind == "class" else n_each
            for at in range(n):
                number = len(rows) + 1
                code = at if kind == "class" else int(rng.integers(len(CLASSES)))
                rows.append(
                    {
                        "asset": name, "width": width, "height": height, "annotation": number, "revision": number + 100,
                        "class": CLASSES[code], "kind": kind,
                        "annotator": _ANNOTATORS[number % annotators],
                        "attributes": "{}", "schema": "s@1.0", "batch": "b", "stage": "final", "origin": "human",
                        "split": _split(name, val), **_shape(rng, kind, width, height),
                    }
                )  # fmt: skip
    values = {name: [row.get(name) for row in rows] for name in columns.DATASET.names}
    labels = columns.batch_of(columns.DATASET, values, len(rows))
    images = {
        "asset": list(SIZES), "width": [size[0] for size in SIZES.values()],
        "height": [size[1] for size in SIZES.values()], "n_annotations": 0, "split": [_split(name, val) for name in SIZES],
    }  # fmt: skip
    assets = columns.batch_of(columns.DATASET_ASSETS, images, len(SIZES))
    return Truth(pa.Table.from_batches([labels]), pa.Table.from_batches([assets]), rows)


def numbers_of(row: Row) -> list[float]:
    """Return what tells a row from the others: its corners, or its first list."""
    return [row[name] for name in columns.BOX] if row["kind"] == "box" else row["geometry"][0]


def matched(rows: Sequence[Row], found: Sequence[Row]) -> None:
    """Hold rows to what a peer found: ``image``, ``class``, ``points``, one to one, in any order."""
    assert len(found) == len(rows)
    left = list(found)
    for row in rows:
        mine = np.array(numbers_of(row))
        near = [
            one
            for one in left
            if (one["image"], one["class"]) == (row["asset"], row["class"])
            and len(one["points"]) == len(mine)
            and np.abs(np.array(one["points"]) - mine).max() <= TOLERANCE_PX
        ]
        assert near, f"nobody found {row['class']} on {row['asset']} at {mine}"
        left.remove(near[0])


def draw(folder: Path) -> None:
    """Write the images themselves, black, below a folder."""
    for name, size in SIZES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size).save(path)


def completeness(val: Sequence[str] = ()) -> pa.Table:
    """Return that every image is complete, and the empty one empty."""
    values = {
        "asset": list(SIZES),
        "state": ["complete_empty" if name == "empty.png" else "complete" for name in SIZES],
        "batch": "b", "split": [_split(name, val) for name in SIZES],
    }  # fmt: skip
    batch = columns.batch_of(columns.DATASET_COMPLETENESS, values, len(SIZES))
    return pa.Table.from_batches([batch])


def _split(name: str, val: Sequence[str]) -> str:
    return "val" if name in val else "train"


def _shape(rng: np.random.Generator, kind: str, width: int, height: int) -> Row:
    # hundredths of a pixel, which is where some peers stop
    low = (rng.uniform(0, 0.5, 2) * (width, height)).round(2)
    high = (low + rng.uniform(0.1, 0.5, 2) * (width, height)).round(2)
    hull = np.array([*low, *high])
    geometry: list[list[float]] | None = None
    if kind == "rotated_box":
        centre, sides = ((low + high) / 2).round(2), ((high - low) / 3).round(2)
        geometry = [[*centre.tolist(), *sides.tolist(), round(float(rng.uniform(1, 179)), 2)]]
        corners = rotated_corners(*(np.array([number]) for number in geometry[0]))[0]
        hull = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    elif kind in ("polygon", "polyline"):
        points = (low + rng.uniform(0, 1, (5, 2)) * (high - low)).round(2)
        geometry = [points.reshape(-1).tolist()]
        hull = np.concatenate([points.min(axis=0), points.max(axis=0)])
    elif kind == "keypoints":
        points = (low + rng.uniform(0, 1, (3, 2)) * (high - low)).round(2)
        geometry = [np.column_stack([points, np.full(3, 2.0)]).reshape(-1).tolist()]
        hull = np.concatenate([points.min(axis=0), points.max(axis=0)])
    elif kind == "mask":
        mask = np.zeros((height, width), bool)
        x0, y0, x1, y1 = hull.astype(int)
        mask[y0 : y1 + 1, x0 : x1 + 1] = rng.random((y1 + 1 - y0, x1 + 1 - x0)) < 0.7
        mask[y0, x0] = True
        found = geometry_of(mask)
        assert found is not None
        geometry, hull = found[0], np.array(found[1])
    elif kind == "class":
        return dict.fromkeys(columns.BOX) | {"geometry": None}
    return {**dict(zip(columns.BOX, hull.tolist(), strict=True)), "geometry": geometry}
