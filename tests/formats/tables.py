"""What the tests of tables share: a file and its mapping in, everything that comes out gathered."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from lineage import columns
from lineage.formats import ReadOptions
from lineage.formats.table.read import read

Json = dict[str, Any]

BOXES: Json = {
    "kind": "box",
    "columns": {
        "asset": "image",
        "class": "label",
        "x_min": "x1",
        "y_min": "y1",
        "x_max": "x2",
        "y_max": "y2",
    },
}
CLASSES: Json = {"kind": "class", "columns": {"asset": "image", "class": "label"}}


def with_(document: Json, **more: Any) -> Json:
    """Return a mapping document with other keys; columns are added to those it has."""
    both = {**document, **more}
    both["columns"] = {**document["columns"], **more.get("columns", {})}
    return both


class Found:
    """Everything a table yields."""

    def __init__(self, path: Path, mapping: Json, **options: Any) -> None:
        self.chunks = list(read(path, ReadOptions(mapping=mapping, **options)))
        for chunk in self.chunks:
            for name in ("labels", "assets", "roster", "violations", "completeness"):
                batch = getattr(chunk, name)
                batch.validate(full=True)
                assert batch.schema == getattr(columns, name.upper())
        self.labels = [row for chunk in self.chunks for row in chunk.labels.to_pylist()]
        self.assets = [row for chunk in self.chunks for row in chunk.assets.to_pylist()]
        self.violations = [row for chunk in self.chunks for row in chunk.violations.to_pylist()]
        self.completeness = [row for chunk in self.chunks for row in chunk.completeness.to_pylist()]
        self.losses: Counter[str] = sum((Counter(c.losses) for c in self.chunks), Counter())
        self.notes = {name: note for chunk in self.chunks for name, note in chunk.notes.items()}
        self._roster = [row for chunk in self.chunks for row in chunk.roster.to_pylist()]

    @property
    def boxes(self) -> list[list[float]]:
        return [[row[name] for name in columns.BOX] for row in self.labels]

    @property
    def classes(self) -> list[str]:
        return [row["class"] for row in self.labels]

    @property
    def roster(self) -> list[tuple[str, str | None, str]]:
        return [(row["asset"], row["annotator"], row["presence"]) for row in self._roster]

    @property
    def answers(self) -> list[Json]:
        return self._roster

    @property
    def wrong(self) -> list[tuple[int, str, str, str]]:
        """Line, rule, column and value of everything that was refused."""
        return [(v["position"], v["rule"], v["path"], v["value"]) for v in self.violations]

    def attributes(self, row: int = 0) -> Json:
        found: Json = json.loads(self.labels[row]["attributes"])
        return found

    def extra(self, row: int = 0) -> Json:
        found: Json = json.loads(self.labels[row]["extra"] or "{}")
        return found


def found_in(folder: Path, content: str | bytes, mapping: Json, **options: Any) -> Found:
    """Read a table of this content."""
    path = folder / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Found(path, mapping, **options)
