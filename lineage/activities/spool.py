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
from lineage.formats import Chunk, ReadOptions, reader
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

    @property
    def violations_path(self) -> Path:
        """The violations table, complete."""
        return self.folder / "violations.parquet"

    def labels(self) -> Iterator[pa.RecordBatch]:
        """Yield the accepted labels again, chunk by chunk."""
        with pa.memory_map(str(self.folder / "labels.arrow")) as source:
            yield from pa.ipc.open_stream(source)

    def roster(self) -> Iterator[pa.RecordBatch]:
        """Yield the roster again."""
        with pa.memory_map(str(self.folder / "roster.arrow")) as source:
            yield from pa.ipc.open_stream(source)

    def violations(self) -> Iterator[pa.RecordBatch]:
        """Yield the violations again."""
        yield from read_parquet(self.violations_path)


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
        Files, each with the name that violations call it by.
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
        pa.ipc.new_stream(roster_sink, columns.ROSTER) as roster_writer,
        parquet_writer(spool.violations_path, columns.VIOLATIONS) as violation_writer,
    ):
        for path, name in paths:
            for chunk in read(path, options):
                accepted, violations = _check(spool, chunk, name, schema, edge_tolerance_px)
                label_writer.write_batch(accepted)
                roster_writer.write_batch(chunk.roster)
                for batch in (chunk.violations, *violations):
                    _count(spool, batch)
                    violation_writer.write_batch(batch)
                spool.losses.update(chunk.losses)
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
        if name not in ("asset", "class", "file")
    }
    values |= {
        "asset": pa.array(index),
        "class": checked.class_,
        "source_class": checked.source_class,
    }
    accepted = columns.batch_of(SPOOLED, values).filter(pa.array(checked.accepted))
    n_unread = len(set(zip(*_keys(chunk.violations), strict=True)))
    spool.n_accepted += accepted.num_rows
    spool.n_rejected += labels.num_rows - accepted.num_rows + n_unread
    spool.n_read += labels.num_rows + n_unread
    return accepted, violations


def _keys(violations: pa.RecordBatch) -> list[list[object]]:
    return [violations.column(name).to_pylist() for name in ("position", "asset", "annotation")]


def _count(spool: Spool, violations: pa.RecordBatch) -> None:
    for entry in violations.column("rule").value_counts().to_pylist():
        spool.by_rule[entry["values"]] += entry["counts"]


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
