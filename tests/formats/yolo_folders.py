"""YOLO folders for tests, and all that a reader says of one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from lineage import columns
from lineage.formats import ReadOptions
from lineage.formats.yolo.read import read

Row = dict[str, Any]
NAMES = "names: [cat, dog, bird]\n"
SCHEMAS = {
    "labels": columns.LABELS,
    "assets": columns.ASSETS,
    "roster": columns.ROSTER,
    "violations": columns.VIOLATIONS,
    "completeness": columns.COMPLETENESS,
}


class Found:
    """All chunks of a folder together."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.losses: Counter[str] = Counter()
        self.notes: dict[str, str] = {}
        self.rows: dict[str, list[Row]] = {name: [] for name in SCHEMAS}
        self.n_each: list[int] = []
        for chunk in read(path, ReadOptions(**options)):
            for name, schema in SCHEMAS.items():
                batch = getattr(chunk, name)
                batch.validate(full=True)
                assert batch.schema == schema
                self.rows[name] += batch.to_pylist()
            self.losses.update(chunk.losses)
            self.notes.update(chunk.notes)
            self.n_each.append(chunk.labels.num_rows)
        self.labels = self.rows["labels"]
        self.violations = self.rows["violations"]

    @property
    def rules(self) -> list[str]:
        return [row["rule"] for row in self.violations]

    @property
    def states(self) -> dict[str, str]:
        return {row["asset"]: row["state"] for row in self.rows["completeness"]}

    @property
    def presence(self) -> dict[str, str]:
        return {row["asset"]: row["presence"] for row in self.rows["roster"]}

    def box(self, at: int = 0) -> list[float]:
        return [self.labels[at][name] for name in columns.BOX]

    def extra(self, at: int = 0) -> Row:
        return json.loads(self.labels[at]["extra"] or "{}")


def folder(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Make files under a folder; ``data.yaml`` names three classes unless it is given."""
    root.mkdir(parents=True, exist_ok=True)
    for name, text in {"data.yaml": NAMES, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def picture(path: Path, width: int, height: int, **how: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height)).save(path, **how)


def found(root: Path, text: str | bytes, **options: Any) -> Found:
    """Read one label file of an image of 200 x 100 px."""
    options.setdefault("size_of", {"a.jpg": (200, 100)}.get)
    return Found(folder(root, {"labels/a.txt": text, **options.pop("files", {})}), **options)
