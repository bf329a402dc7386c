"""Labels of one split in their Parquet parts: rows by number, a few row groups in memory."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.columns import BOX
from lineage.errors import Refused
from lineage.segments import file_sha256, read_parquet, read_row_group, row_groups

if TYPE_CHECKING:
    from lineage.activities.predicates import Predicate

Label = dict[str, object]
_WANTED = ("asset", "annotation", "revision", "class", "kind", *BOX, "geometry", "attributes")
_GROUPS_KEPT = 8
"""Row groups of 131,072 labels: a shuffled million stays in memory, some 20 MB a group of boxes."""


@dataclass(frozen=True, slots=True)
class _Group:
    """One row group, as arrays that are cheap to cut."""

    asset: pa.Array
    annotation: np.ndarray
    revision: np.ndarray
    class_: np.ndarray
    boxes: np.ndarray
    kind: np.ndarray
    kinds: list[str]
    geometry: pa.Array
    attributes: np.ndarray
    documents: list[dict[str, object]]


class Parts:
    """The labels and images of one split.

    Parameters
    ----------
    folder, manifest
        A version's.
    split
        Name of the split.
    classes
        Names, in the order that class numbers mean.
    """

    def __init__(
        self, folder: Path, manifest: Mapping[str, object], split: str, classes: Sequence[str]
    ) -> None:
        files = cast(Sequence[Mapping[str, object]], manifest["files"])
        own = {str(f["path"]): str(f["sha256"]) for f in files}
        self._digests = {
            folder / path: digest for path, digest in own.items() if path.startswith(f"{split}/")
        }
        self._classes = list(classes)
        self._assets = folder / split / "assets.parquet"
        self._labels = sorted(p for p in self._digests if p.name.startswith("part-"))
        rows = {str(f["path"]): cast(int, f["n_rows"]) for f in files}
        n = [rows[path.relative_to(folder).as_posix()] for path in self._labels]
        self.n_rows = sum(n)
        self._stats: dict[Path, tuple[int, int]] = {}
        # where each row group begins, and which it is; read with the first label
        self._places: tuple[np.ndarray, list[tuple[Path, int]]] | None = None
        self._kept: OrderedDict[int, _Group] = OrderedDict()

    def __getstate__(self) -> dict[str, object]:
        """Leave what is read behind: a worker process reads for itself."""
        return {**self.__dict__, "_places": None, "_kept": OrderedDict()}

    def refuse_changed(self) -> None:
        """Refuse files whose bytes are not the manifest's.

        Raises
        ------
        Refused
            ``dataset-differs``.
        """
        for path, expected in self._digests.items():
            found = file_sha256(path) if path.is_file() else "not there"
            if found != expected:
                raise Refused(
                    "dataset-differs",
                    f"{path} has SHA-256 {found}, the manifest says {expected}",
                    hint="bring the file back with: dvc checkout",
                    where=str(path),
                )
            self._stats[path] = _stat(path)

    def assets(self) -> pa.Table:
        """Return the split's images: asset, asset_digest, width, height, n_annotations."""
        wanted = ("asset", "asset_digest", "width", "height", "n_annotations")
        if self._assets not in self._digests:
            names = pa.schema([(name, pa.string()) for name in wanted[:2]])
            return names.empty_table()
        return pa.Table.from_batches(read_parquet(self._assets, wanted))

    def chosen(self, predicate: Predicate) -> np.ndarray:
        """Tell which rows a predicate chooses; ndarray of bool, shape (n_rows,)."""
        from lineage.activities import predicates

        parts = [
            predicates.mask(predicate, batch)
            for path in self._labels
            for batch in read_parquet(path, predicate.columns)
        ]
        return np.concatenate(parts) if parts else np.empty(0, bool)

    def labels(self, rows: np.ndarray, asset: str) -> Label:
        """Return labels by their places in the split, ascending, all of them of one image.

        Raises
        ------
        Refused
            ``dataset-differs``: they are another image's, or a file has changed since it was compared.
        """
        starts, _ = self._where()
        group = np.searchsorted(starts, rows, side="right") - 1
        cuts = [
            (self._group(int(key)), rows[group == key] - starts[key]) for key in np.unique(group)
        ]
        for found, at in cuts:
            names = found.asset.take(pa.array(at))
            if not pc.all(pc.equal(names, asset)).as_py():
                raise Refused(
                    "dataset-differs",
                    f"labels of {asset} stand under another image",
                    hint="dvc checkout",
                    where=asset,
                )
        return {
            "asset": asset,
            "boxes": _joined([f.boxes[at] for f, at in cuts], (0, 4), np.float64),
            "class": _joined([f.class_[at] for f, at in cuts], (0,), np.int64),
            "annotation": _joined([f.annotation[at] for f, at in cuts], (0,), np.int64),
            "revision": _joined([f.revision[at] for f, at in cuts], (0,), np.int64),
            "kind": [f.kinds[code] for f, at in cuts for code in f.kind[at]],
            "geometry": [_shape(f.geometry[int(i)]) for f, at in cuts for i in at],
            "attributes": [dict(f.documents[code]) for f, at in cuts for code in f.attributes[at]],
        }

    def _where(self) -> tuple[np.ndarray, list[tuple[Path, int]]]:
        if self._places is None:
            places, sizes = [], []
            for path in self._labels:
                self._refuse_since(path)
                for number, n in enumerate(row_groups(path)):
                    places.append((path, number))
                    sizes.append(n)
            self._places = np.concatenate([[0], np.cumsum(sizes)])[:-1].astype(np.int64), places
        return self._places

    def _refuse_since(self, path: Path) -> None:
        if path in self._stats and self._stats[path] != _stat(path):
            self.refuse_changed()

    def _group(self, key: int) -> _Group:
        if key not in self._kept:
            path, number = self._where()[1][key]
            self._refuse_since(path)
            self._kept[key] = self._cut(read_row_group(path, number, _WANTED).combine_chunks())
            if len(self._kept) > _GROUPS_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _cut(self, rows: pa.Table) -> _Group:
        words = {name: rows[name].combine_chunks() for name in ("class", "kind", "attributes")}
        codes = {name: np.asarray(word.indices) for name, word in words.items()}
        known = {name: code for code, name in enumerate(self._classes)}
        class_ = np.array([known[name] for name in words["class"].dictionary.to_pylist()], np.int64)
        sides = [np.asarray(rows[side].combine_chunks().fill_null(np.nan)) for side in BOX]
        return _Group(
            asset=rows["asset"].combine_chunks(),
            annotation=np.asarray(rows["annotation"]),
            revision=np.asarray(rows["revision"]),
            class_=class_[codes["class"]],
            boxes=np.column_stack(sides),
            kind=codes["kind"],
            kinds=words["kind"].dictionary.to_pylist(),
            geometry=rows["geometry"].combine_chunks(),
            attributes=codes["attributes"],
            documents=[json.loads(text) for text in words["attributes"].dictionary.to_pylist()],
        )


def _shape(geometry: pa.ListScalar) -> list[np.ndarray]:
    return [np.array(part, np.float64) for part in geometry.as_py() or ()]


def _joined(parts: list[np.ndarray], empty: tuple[int, ...], kind: type) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(empty, kind)


def _stat(path: Path) -> tuple[int, int]:
    told = path.stat()
    return told.st_size, told.st_mtime_ns
