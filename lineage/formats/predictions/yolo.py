"""Ultralytics' label files, ``save_txt=True save_conf=True``: a file an image, ``class cx cy w h conf``.

All but the class are fractions of the image, whose size in px the version knows. Segmentation has a polygon in
place of the box. An image on which nothing was found has no file, so it cannot be told from one that was
never shown to the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml

from lineage import columns
from lineage.errors import BadInput
from lineage.formats.predictions.draft import CHUNK_ROWS, Draft, Found, Rows
from lineage.formats.predictions.known import Key, Known
from lineage.terms import Kind

_PATH = {"image": "", "class": "/0", "box": "/1", "score": "/last"}
_DECLARING = ("data.yaml", "data.yml", "dataset.yaml")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_FORM = "class cx cy w h conf, or class x y x y x y ... conf"
_BOX_CELLS = 6


def read(path: Path, known: Known) -> Iterator[Found]:
    """Read a folder of label files with confidences; see `lineage.formats.predictions`.

    Raises
    ------
    BadInput
        ``predictions-format``: no label files; ``class-numbers``: nothing names the classes.
    """
    folder = path / "labels" if (path / "labels").is_dir() else path
    files = sorted(folder.rglob("*.txt"))
    if not files:
        raise BadInput(
            "predictions-format",
            "found no .txt file, expected Ultralytics' label files",
            hint="predict or val with save_txt=True save_conf=True, and name the folder it tells",
            where=str(folder),
        )
    if not known.classes:
        known = replace(known, classes=_declared(path))
    # an index into the model's classes, never the id of a category
    draft = Draft(str(path), replace(known, truth=None, first_class=0), 0)
    known.first_number(0, 0, str(path))
    pile = _Pile(draft)
    for file in files:
        pile.add(file, file.relative_to(folder).as_posix())
        if pile.n_rows >= CHUNK_ROWS:
            yield from pile.take()
    yield from pile.take()


class _Pile:
    """Rows of many small files, made a piece together."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._images: list[str] = []
        self._rows: list[tuple[Key, str, int, int, list[float], float, list[float] | None]] = []

    @property
    def n_rows(self) -> int:
        return len(self._rows) + len(self._images)

    def add(self, path: Path, name: str) -> None:
        """Take in a file; what is no row is refused."""
        stem = name.removesuffix(".txt")
        asset = self._draft.asset_of(stem)
        size = None if asset is None else self._draft.known.size_of(asset)
        if asset is None or size is None:
            rule = "unknown-image" if asset is None else "unknown-size"
            told = (
                "a file called after one image" if asset is None else "an image whose size is known"
            )
            self._draft.refuse(rule, 0, name, stem, told, stem)
            return
        self._images.append(asset)
        text = path.read_text("utf-8", "replace")
        for at, line in enumerate(text.splitlines(), 1):
            cells = line.split()
            if cells:
                self._row(asset, name, at, cells, size)

    def _row(self, asset: str, name: str, at: int, cells: list[str], size: tuple[int, int]) -> None:
        told = " ".join(cells)
        if len(cells) % 2 == 1 and len(cells) > 4:
            expected = f"{_FORM}: predict with save_conf=True"
            self._draft.refuse("no-score", at, f"{name}/last", told, expected, told)
            return
        is_number = all(map(_NUMBER.fullmatch, cells)) and cells[0].isdecimal()
        if len(cells) < _BOX_CELLS or not is_number:
            self._draft.refuse("element", at, name, told, _FORM, told)
            return
        class_, *places = cells
        score = float(places.pop())
        scale = np.array(size, np.float64)
        points = np.array(places, np.float64).reshape(-1, 2) * scale
        ring: list[float] | None = None
        if len(cells) == _BOX_CELLS:
            low, high = points[0] - points[1] / 2, points[0] + points[1] / 2
        else:
            low, high, ring = points.min(axis=0), points.max(axis=0), points.ravel().tolist()
        box = [*low.tolist(), *high.tolist()]
        self._rows.append((asset, name, int(class_), at, box, score, ring))

    def take(self) -> Iterator[Found]:
        """Yield what there is, boxes and polygons, and start anew."""
        rows, self._rows = self._rows, []
        images, self._images = self._images, []
        rings = [one[6] for one in rows]
        kinds = [Kind.BOX.value if ring is None else Kind.POLYGON.value for ring in rings]
        geometry = pa.array([None if r is None else [r] for r in rings], columns.GEOMETRY)
        found = self._draft.found(
            Rows(
                [one[0] for one in rows],
                [one[2] for one in rows],
                np.array([one[4] for one in rows], np.float64).reshape(-1, 4),
                np.array([one[5] for one in rows], np.float64),
                np.array([one[3] for one in rows], np.int64),
                _PATH,
                kind=pa.array(kinds, pa.string()),
                geometry=geometry,
                file=[one[1] for one in rows],
            ),
            images,
        )
        yield found


def _declared(path: Path) -> tuple[str, ...]:
    """Return the names of a data.yaml in the folder or above it, in the model's order."""
    for folder in (path, path.parent):
        for name in _DECLARING:
            if not (folder / name).is_file():
                continue
            try:
                document = yaml.safe_load((folder / name).read_text("utf-8"))
            except (yaml.YAMLError, UnicodeDecodeError) as exc:
                raise BadInput(
                    "predictions-format", f"no readable YAML: {exc}", where=str(folder / name)
                ) from exc
            names = document.get("names") if isinstance(document, dict) else None
            if isinstance(names, dict) and set(names) == set(range(len(names))):
                names = [names[at] for at in range(len(names))]
            if isinstance(names, list):
                return tuple(map(str, names))
    return ()
