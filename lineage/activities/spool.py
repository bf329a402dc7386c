"""The first half of an import: read, check, and set aside, before anything is decided.

Exports are read once, in chunks; labels that pass the schema's rules go into a
temporary Arrow stream, those that fail into the violations table. What is held
in memory meanwhile is one chunk and the table of image names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from lineage import columns, labelcheck
from lineage.activities import completeness
from lineage.formats import Chunk, ReadOptions, reader
from lineage.formats.sources import Piece, renamed
from lineage.labelschema import LabelSchema
from lineage.progress import Progress
from lineage.segments import parquet_writer, read_parquet

SPOOLED = pa.schema(
    [
        pa.field("asset", pa.int64(), nullable=False),  # index into Spool.assets
        pa.field("source_class", columns.WORD),
        *[field for field in columns.LABELS if field.name not in ("asset", "file")],
    ]
)
"""A label that passed: its image by index, its class resolved."""

SPOOLED_ROSTER = pa.schema(
    [
        pa.field("asset", pa.int64(), nullable=False),  # index into Spool.assets
        *[field for field in columns.ROSTER if field.name != "asset"],
    ]
)
"""A row of the roster: its image by index."""


class AssetTable:
    """Images by name, numbered as they come, each with the facts that were seen first."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.facts: list[tuple[str | None, str | None, int | None]] = []
        self._sizes = np.full((1024, 2), np.nan)

    def __len__(self) -> int:
        return len(self.names)

    def number(self, name: str) -> int:
        """Return the number of an image, giving the next one to a new name."""
        index = self.names.setdefault(name, len(self.names))
        if index == len(self.facts):
            self.facts.append((None, None, None))
            if index == len(self._sizes):
                self._sizes = np.concatenate([self._sizes, np.full_like(self._sizes, np.nan)])
        return index

    def numbers(self, names: pa.Array) -> np.ndarray:
        """Return the numbers of images, giving the next ones to new names."""
        listed = names.to_pylist()
        found = list(map(self.names.get, listed))
        if None in found:
            found = [self.number(name) for name in listed]
        return np.array(found, np.int64)

    def learn(self, batch: pa.RecordBatch) -> list[tuple[str, str, str]]:
        """Take in facts, and return (name, seen, known) of images whose sizes disagree."""
        conflicts = []
        rows = zip(*(batch.column(n).to_pylist() for n in columns.ASSETS.names), strict=True)
        for name, uri, width, height, digest, n_bytes in rows:
            index = self.number(name)
            known_uri, known_digest, known_bytes = self.facts[index]
            self.facts[index] = (known_uri or uri, known_digest or digest, known_bytes or n_bytes)
            if width is None or height is None:
                continue
            known = self._sizes[index]
            if np.isnan(known[0]):
                self._sizes[index] = (width, height)
            elif tuple(known) != (width, height):
                conflicts.append((name, f"{width}x{height}", f"{known[0]:.0f}x{known[1]:.0f}"))
        return conflicts

    def sizes(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return widths and heights in px, NaN where unknown, of images by number."""
        found = self._sizes[index]
        return found[:, 0], found[:, 1]

    def size(self, index: int) -> tuple[int | None, int | None]:
        """Return width and height in px of one image, None where unknown."""
        width, height = self._sizes[index]
        return (None, None) if np.isnan(width) else (int(width), int(height))


@dataclass(slots=True)
class Spool:
    """What was read, set aside in a temporary directory of the caller's."""

    folder: Path
    assets: AssetTable = field(default_factory=AssetTable)
    n_read: int = 0
    n_accepted: int = 0
    n_rejected: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)
    losses: Counter[str] = field(default_factory=Counter)
    notes: dict[str, str] = field(default_factory=dict)
    _refused: list[np.ndarray] = field(default_factory=list)
    _late: list[pa.RecordBatch] = field(default_factory=list)

    @property
    def violations_path(self) -> Path:
        """The violations that reading found."""
        return self.folder / "violations.parquet"

    @property
    def refused(self) -> np.ndarray:
        """The numbers of the images of which something was refused, ascending."""
        return np.unique(np.concatenate([np.empty(0, np.int64), *self._refused]))

    def labels(self) -> Iterator[pa.RecordBatch]:
        """Yield the accepted labels again, chunk by chunk."""
        with pa.memory_map(str(self.folder / "labels.arrow")) as source:
            yield from pa.ipc.open_stream(source)

    def roster(self) -> Iterator[pa.RecordBatch]:
        """Yield the roster again."""
        with pa.memory_map(str(self.folder / "roster.arrow")) as source:
            yield from pa.ipc.open_stream(source)

    def completeness(self) -> Iterator[pa.RecordBatch]:
        """Yield what was said of how far images are, as `completeness.SPOOLED`."""
        with pa.memory_map(str(self.folder / "completeness.arrow")) as source:
            yield from pa.ipc.open_stream(source)

    def violations(self) -> Iterator[pa.RecordBatch]:
        """Yield every violation, those that came to light after reading last."""
        yield from read_parquet(self.violations_path)
        yield from self._late

    def keep_violations(self, path: Path) -> None:
        """Write every violation to a Parquet file."""
        with parquet_writer(path, columns.VIOLATIONS) as writer:
            for batch in self.violations():
                writer.write_batch(batch)

    def count(self, violations: pa.RecordBatch) -> None:
        """Count violations by rule."""
        for entry in violations.column("rule").value_counts().to_pylist():
            self.by_rule[entry["values"]] += entry["counts"]

    def add_late(self, violations: pa.RecordBatch) -> None:
        """Take in violations that came to light after reading."""
        self.count(violations)
        self._late.append(violations)

    def refuse(self, numbers: np.ndarray) -> None:
        """Remember that something of these images was refused."""
        if len(numbers):
            self._refused.append(np.unique(numbers))


def fill(
    folder: Path,
    paths: Sequence[tuple[Path, str]],
    format_name: str,
    *,
    options: ReadOptions,
    schema: LabelSchema,
    edge_tolerance_px: float,
    progress: Progress,
) -> Spool:
    """Read and check files.

    Parameters
    ----------
    folder
        Where to put what is set aside; the caller removes it.
    paths
        Files or folders, each with the name that violations call it by.
    format_name
        A name of `formats.READERS`.
    options
        What the caller knows that the files may not say.
    schema
        The rules.
    edge_tolerance_px
        How far a label may hang over the edge of its image.
    progress
        Told the number of labels.

    Raises
    ------
    BadInput
        A file as a whole is not what its format has to be.
    """
    spool = Spool(folder)
    read = reader(format_name)
    with (
        pa.OSFile(str(folder / "labels.arrow"), "wb") as label_sink,
        pa.ipc.new_stream(label_sink, SPOOLED) as label_writer,
        pa.OSFile(str(folder / "roster.arrow"), "wb") as roster_sink,
        pa.ipc.new_stream(roster_sink, SPOOLED_ROSTER) as roster_writer,
        pa.OSFile(str(folder / "completeness.arrow"), "wb") as said_sink,
        pa.ipc.new_stream(said_sink, completeness.SPOOLED) as said_writer,
        parquet_writer(spool.violations_path, columns.VIOLATIONS) as violation_writer,
    ):
        for path, name in paths:
            for chunk in read(path, options):
                accepted, violations = _check(spool, chunk, name, schema, edge_tolerance_px)
                label_writer.write_batch(accepted)
                roster_writer.write_batch(_numbered(spool, chunk.roster))
                said, unknown = completeness.resolved(
                    schema, chunk.completeness, spool.assets.numbers, source=name
                )
                said_writer.write_batch(said)
                refused = renamed(chunk.violations, Piece(path, name))
                for batch in (refused, *violations, *unknown):
                    spool.count(batch)
                    violation_writer.write_batch(batch)
                spool.losses.update(chunk.losses)
                spool.notes.update(chunk.notes)
                progress("read", spool.n_read, None)
    return spool


def _check(
    spool: Spool, chunk: Chunk, source: str, schema: LabelSchema, tolerance_px: float
) -> tuple[pa.RecordBatch, list[pa.RecordBatch]]:
    violations = [_conflicts(spool.assets.learn(chunk.assets), source)]
    labels = chunk.labels
    words = labels.column("asset")
    numbers = np.array([spool.assets.number(n) for n in words.dictionary.to_pylist()], np.int64)
    index = numbers[np.asarray(words.indices)] if labels.num_rows else np.empty(0, np.int64)
    width, height = spool.assets.sizes(index)
    checked = labelcheck.check(
        schema, labels, width=width, height=height, source=source, edge_tolerance_px=tolerance_px
    )
    violations.append(checked.violations)
    values = {
        name: labels.column(name)
        for name in columns.LABELS.names
        if name not in ("asset", "class", "attributes", "file")
    }
    values |= {
        "asset": pa.array(index),
        "class": checked.class_,
        "attributes": checked.attributes,
        "source_class": checked.source_class,
    }
    accepted = columns.batch_of(SPOOLED, values).filter(pa.array(checked.accepted))
    spool.refuse(index[~checked.accepted])
    spool.refuse(_known_numbers(spool, chunk.violations["asset"]))
    n_unread = len(set(zip(*_keys(chunk.violations), strict=True)))
    spool.n_accepted += accepted.num_rows
    spool.n_rejected += labels.num_rows - accepted.num_rows + n_unread
    spool.n_read += labels.num_rows + n_unread
    return accepted, violations


def _keys(violations: pa.RecordBatch) -> list[list[object]]:
    return [
        violations.column(name).to_pylist()
        for name in ("source", "position", "asset", "annotation")
    ]


def _known_numbers(spool: Spool, names: pa.Array) -> np.ndarray:
    found = (spool.assets.names.get(name) for name in names.unique().to_pylist())
    return np.array([number for number in found if number is not None], np.int64)


def _numbered(spool: Spool, roster: pa.RecordBatch) -> pa.RecordBatch:
    values: dict[str, object] = {name: roster[name] for name in columns.ROSTER.names}
    values["asset"] = spool.assets.numbers(roster["asset"])
    return columns.batch_of(SPOOLED_ROSTER, values, roster.num_rows)


def _conflicts(conflicts: list[tuple[str, str, str]], source: str) -> pa.RecordBatch:
    names, seen, known = zip(*conflicts, strict=True) if conflicts else ((), (), ())
    values: Mapping[str, object] = {
        "source": source,
        "asset": list(names),
        "path": "/size",
        "rule": "asset-size-conflict",
        "value": list(seen),
        "expected": [f"{size}, as seen before" for size in known],
    }
    return columns.batch_of(columns.VIOLATIONS, values, len(conflicts))
