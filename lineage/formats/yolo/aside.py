"""Our own side files of a YOLO folder: ``assets.csv`` and ``completeness.csv``.

The first gives each image's name in the ledger, its size and digest, for a folder that leaves without
its images; the second how far each image is labelled, for a format that knows only a
file, an empty file and no file. Both are read whole: they grow with images, not with labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from lineage import columns
from lineage.errors import BadInput
from lineage.terms import Completeness

ASSETS_FILE = "assets.csv"
COMPLETENESS_FILE = "completeness.csv"

ASSETS = pa.schema(
    [
        pa.field("image", pa.string(), nullable=False),  # where it belongs, within the folder
        pa.field("asset", pa.string(), nullable=False),
        pa.field("width", pa.int32()),  # px
        pa.field("height", pa.int32()),  # px
        pa.field("digest", pa.string()),
    ]
)
COMPLETENESS = pa.schema(
    [
        pa.field(
            field.name,
            pa.string() if field.type == columns.WORD else field.type,
            field.nullable,
        )
        for field in columns.DATASET_COMPLETENESS
    ]
)
State = tuple[str | None, Completeness, str | None]


def write(path: Path, rows: pa.Table, schema: pa.Schema) -> None:
    """Write a side file."""
    pa_csv.write_csv(rows.select(schema.names).cast(schema), path)


class Recorded:
    """What ``assets.csv`` says, where there is one."""

    def __init__(self, folder: Path) -> None:
        self._rows = _read(folder / ASSETS_FILE, ASSETS)
        self._index = _Index(self._rows["image"])

    @property
    def images(self) -> list[str]:
        """Where every image of the export belongs."""
        return [image for image in _texts(self._rows["image"]) if image is not None]

    def of(self, image: str) -> tuple[str, tuple[int, int] | None, str | None] | None:
        """Return name, size and digest of the image at a path."""
        for at in self._index.rows(image):
            asset, width, height, digest = (
                self._rows[name][at].as_py() for name in ASSETS.names[1:]
            )
            if asset is not None:
                is_sized = width is not None and height is not None and width > 0 and height > 0
                return asset, (width, height) if is_sized else None, digest
        return None


class Reported:
    """What ``completeness.csv`` says, where there is one."""

    def __init__(self, folder: Path) -> None:
        self._rows = _read(folder / COMPLETENESS_FILE, COMPLETENESS)
        self._index = _Index(self._rows["asset"])

    def of(self, asset: str) -> list[State]:
        """Return class, state and reason of each row of an image."""
        found: list[State] = []
        for at in self._index.rows(asset):
            class_, state, reason = (
                self._rows[name][at].as_py() for name in ("class", "state", "reason")
            )
            if state in list(Completeness):
                found.append((class_, Completeness(state), reason))
        return found


class _Index:
    """Rows by a text, in 16 bytes a row."""

    def __init__(self, keys: pa.ChunkedArray) -> None:
        self._keys = keys
        values = np.fromiter(map(hash, _texts(keys)), np.int64, len(keys))
        self._order = np.argsort(values, kind="stable")
        self._values = values[self._order]

    def rows(self, key: str) -> Iterator[int]:
        if len(self._values) == 0:
            return
        value = hash(key)
        at = int(np.searchsorted(self._values, value))
        while at < len(self._values) and self._values[at] == value:
            row = int(self._order[at])
            if self._keys[row].as_py() == key:
                yield row
            at += 1


def _texts(column: pa.ChunkedArray) -> Iterator[str | None]:
    for piece in column.chunks:
        yield from piece.to_pylist()


def _read(path: Path, schema: pa.Schema) -> pa.Table:
    if not path.is_file() or path.is_symlink():
        return schema.empty_table()
    convert = pa_csv.ConvertOptions(
        column_types=schema,
        include_columns=schema.names,
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    parse = pa_csv.ParseOptions(newlines_in_values=True)
    try:
        table = pa_csv.read_csv(path, parse_options=parse, convert_options=convert)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as exc:
        raise BadInput(
            "wrong-shape",
            f"the side file cannot be read: {exc}",
            hint="restore it as lineage wrote it, or remove it",
            where=str(path),
        ) from exc
    return table.combine_chunks().filter(pc.is_valid(table[schema.names[0]]))
