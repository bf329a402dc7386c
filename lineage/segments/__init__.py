"""The ledger's files: append-only segments, the pending room, and the checkpoint.

Every activity leaves files named after its place in the log, ``seq``::

    ledger/segments/00000007.activity.json       the header: who, what, when, roots
    ledger/segments/00000007.revisions.parquet   parts, where the activity has such rows
    ledger/segments/00000007.assets.parquet
    ledger/checkpoint                            origin, size and root of the log
    ledger/.pending/                             an activity that is being written

Files are written in ``.pending``, synced, and renamed only after the store has
committed the row that names them, so a committed activity never lacks its segment and a
half-written one is never seen. The header is renamed last: a segment exists when its header does.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.errors import BadInput, StoreFault
from lineage.identity import (
    Digest,
    MerkleAccumulator,
    canonical_json,
    canonical_rows,
    leaf_digests,
)
from lineage.segments.checkpoints import Checkpoint, body_of, parse_checkpoint
from lineage.segments.files import (
    disk,
    exchange,
    file_sha256,
    sync_directory,
    sync_file,
    write_synced,
)
from lineage.segments.notes import joined, key_of, split_note
from lineage.segments.parquet import (
    ParquetWriter,
    parquet_writer,
    read_parquet,
    read_row_group,
    row_groups,
    writer_fingerprint,
)
from lineage.segments.scratch import sweep, under_way
from lineage.segments.signing import Signing

__all__ = [
    "FORMAT_VERSION",
    "TABLES",
    "Checkpoint",
    "Ledger",
    "Part",
    "SegmentWriter",
    "exchange",
    "file_sha256",
    "parquet_writer",
    "parse_checkpoint",
    "read_parquet",
    "read_row_group",
    "row_groups",
    "sync_directory",
    "sync_file",
    "write_synced",
    "writer_fingerprint",
]

TABLES: Mapping[str, pa.Schema] = {
    "assets": columns.SEGMENT_ASSETS,
    "revisions": columns.REVISIONS,
    "roster": columns.SEGMENT_ROSTER,
    "completeness": columns.SEGMENT_COMPLETENESS,
    "verdicts": columns.SEGMENT_VERDICTS,
    "stages": columns.STAGES,
    "gold": columns.SEGMENT_GOLD,
    "draws": columns.SEGMENT_DRAWS,
    "quarantine": columns.VIOLATIONS,
    "erasures": columns.SEGMENT_ERASURES,
}
"""The parts that a segment may have, in the order in which a store is rebuilt from them."""

FORMAT_VERSION = 4
"""Of a segment's layout; since 2 ``completeness``, since 3 ``verdicts``, ``gold``, ``draws``, since 4 ``erasures``."""


@dataclass(frozen=True, slots=True)
class Part:
    """One Parquet file of a segment, as its header describes it."""

    table: str
    file: str
    n_rows: int
    root: str
    sha256: str


class Ledger:
    """The files below one ``ledger`` directory.

    Parameters
    ----------
    root
        The directory.
    signing
        Who signs its checkpoints; by default nobody.
    """

    def __init__(self, root: Path, *, signing: Signing | None = None) -> None:
        self.root = root
        self.signing = signing or Signing()
        self.segments = root / "segments"
        self.pending = root / ".pending"
        self.checkpoint_path = root / "checkpoint"
        self.registry = root / "versions"
        self.run_registry = root / "runs"

    def create(self) -> None:
        """Make the directories; existing ones are left as they are."""
        self.segments.mkdir(parents=True, exist_ok=True)
        self.pending.mkdir(exist_ok=True)

    def positions(self) -> list[int]:
        """Return the places in the log whose headers are here, ascending."""
        if not self.segments.is_dir():
            return []
        names = (entry.name for entry in os.scandir(self.segments))
        return sorted(int(n.split(".")[0]) for n in names if n.endswith(".activity.json"))

    def header(self, seq: int) -> dict[str, object]:
        """Return the header at ``seq``.

        Raises
        ------
        StoreFault
            ``segment-missing``: no header stands there.
        BadInput
            ``segment-unreadable``: the file is no header.
        """
        path = self.segments / header_name(seq)
        try:
            document = json.loads(path.read_bytes())
        except FileNotFoundError as exc:
            raise StoreFault(
                "segment-missing",
                f"the ledger has no segment {seq}, expected {path}",
                hint="fetch the ledger's files with: dvc pull",
            ) from exc
        except ValueError as exc:
            raise BadInput(
                "segment-unreadable", f"no JSON header: {exc}", hint="dvc checkout", where=str(path)
            ) from exc
        if not isinstance(document, dict):
            raise BadInput("segment-unreadable", "the header is no object", where=str(path))
        return document

    def parts(self, seq: int) -> list[Part]:
        """Return the parts of the segment at ``seq``, in the order of `TABLES`."""
        rows = self.header(seq)["parts"]
        parts = [Part(**row) for row in rows] if isinstance(rows, list) else []
        return sorted(parts, key=lambda part: list(TABLES).index(part.table))

    def scan(
        self,
        table: str,
        wanted: Sequence[str] | None = None,
        *,
        up_to: int | None = None,
        after: int = 0,
        assets: np.ndarray | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Yield a table's rows in log order.

        Parameters
        ----------
        table
            A name of `TABLES`.
        wanted
            Columns; None for all.
        up_to
            Last place in the log; None for all that is here.
        after
            Places up to this one are left out.
        assets
            ndarray of int64, ascending: what can hold none of these images is not read, see
            `parquet.read_parquet`.
        """
        suffix = f".{table}.parquet"
        names = (entry.name for entry in os.scandir(self.segments))
        for name in sorted(n for n in names if n.endswith(suffix)):
            seq = int(name.split(".")[0])
            if seq > after and (up_to is None or seq <= up_to):
                yield from read_parquet(self.segments / name, wanted, assets=assets)

    def read(
        self,
        table: str,
        wanted: Sequence[str] | None = None,
        *,
        up_to: int | None = None,
        after: int = 0,
    ) -> pa.Table:
        """Return what `scan` yields as one table."""
        schema = TABLES[table]
        if wanted is not None:
            schema = pa.schema([schema.field(name) for name in wanted])
        return pa.Table.from_batches(self.scan(table, wanted, up_to=up_to, after=after), schema)

    def checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint, None before the first activity."""
        try:
            return parse_checkpoint(self.checkpoint_path.read_bytes(), str(self.checkpoint_path))
        except FileNotFoundError:
            return None

    def write_checkpoint(self, checkpoint: Checkpoint, leaves: Sequence[Digest] = ()) -> None:
        """Replace the checkpoint in one step, signed where `Signing` allows it.

        One that says the same stays as it is, with the signatures of whoever signed it.

        Parameters
        ----------
        checkpoint
            The new one.
        leaves
            Leaf hashes of its log, for the signature; none: it is not signed.
        """
        body, text = body_of(checkpoint), self.checkpoint_text()
        if split_note(text)[0] != body:
            self._replace_checkpoint(joined(body, self.signing.lines(text, checkpoint, leaves)))

    def checkpoint_text(self) -> str:
        """Return the checkpoint with its signatures, "" before the first activity."""
        try:
            return self.checkpoint_path.read_text("utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def sign_checkpoint(self) -> bool:
        """Put this machine's signature under the checkpoint, and tell whether it was lacking."""
        signer, text = self.signing.signer(is_needed=True), self.checkpoint_text()
        if signer is None or not text:
            return False
        body, lines = split_note(text)
        own = signer.line(body)
        if own in lines:
            return False
        others = [line for line in lines if key_of(line) != key_of(own)]
        self._replace_checkpoint(joined(body, [*others, own]))
        return True

    def _replace_checkpoint(self, text: str) -> None:
        self.pending.mkdir(exist_ok=True)
        aside = self.pending / "checkpoint"
        write_synced(aside, text.encode("utf-8"))
        aside.replace(self.checkpoint_path)
        sync_directory(self.root)

    def versions(self) -> dict[str, dict[str, object]]:
        """Return the manifest of every dataset version by name, in the order of their positions."""
        paths = sorted(self.registry.glob("*.json")) if self.registry.is_dir() else []
        found = {path.stem: json.loads(path.read_bytes()) for path in paths}
        return dict(sorted(found.items(), key=lambda entry: (entry[1]["seq"], entry[0])))

    def version_names(self) -> set[str]:
        """Return the names of all dataset versions; no manifest is read."""
        return {path.stem for path in self.registry.glob("*.json")}

    def tags(self) -> dict[str, str]:
        """Return the dataset version behind every tag."""
        paths = sorted(self.registry.glob("*.tag")) if self.registry.is_dir() else []
        return {path.stem: path.read_text("utf-8").strip() for path in paths}

    def runs(self) -> dict[str, dict[str, object]]:
        """Return the pin of every training run by name."""
        paths = sorted(self.run_registry.glob("*.json")) if self.run_registry.is_dir() else []
        return {path.stem: json.loads(path.read_bytes()) for path in paths}

    def register(self, name: str, content: bytes, *, folder: Path | None = None) -> None:
        """Write a file of a registry, that of versions by default, in one step."""
        registry = self.registry if folder is None else folder
        registry.mkdir(exist_ok=True)
        self.pending.mkdir(exist_ok=True)
        aside = self.pending / under_way(name)
        write_synced(aside, content)
        aside.replace(registry / name)
        sync_directory(registry)

    def sweep(self) -> None:
        """Remove files of a registry that a process had under way when it died."""
        sweep(self.pending)

    def unfinished(self) -> list[int]:
        """Return the places in the log for which the pending room holds files, ascending."""
        if not self.pending.is_dir():
            return []
        return sorted(int(entry.name) for entry in self.pending.iterdir() if entry.is_dir())

    def publish(self, seq: int) -> None:
        """Move a pending segment to its place, the header last; safe to repeat."""
        room = self.pending / f"{seq:08d}"
        files = sorted(room.iterdir(), key=lambda path: path.name.endswith(".activity.json"))
        for path in files:
            path.replace(self.segments / path.name)
        sync_directory(self.segments)
        room.rmdir()

    def discard(self, seq: int) -> None:
        """Remove a pending segment that was never committed."""
        shutil.rmtree(self.pending / f"{seq:08d}", ignore_errors=True)


class SegmentWriter:
    """Writes one activity's files into the pending room."""

    def __init__(self, ledger: Ledger, seq: int) -> None:
        self._room = ledger.pending / f"{seq:08d}"
        shutil.rmtree(self._room, ignore_errors=True)
        self._room.mkdir(parents=True)
        self._seq = seq
        self._writers: dict[str, ParquetWriter] = {}
        self._trees: dict[str, MerkleAccumulator] = {}

    def append(self, table: str, batch: pa.RecordBatch) -> list[Digest]:
        """Append rows to one of the parts, and return their leaf hashes.

        Raises
        ------
        StoreFault
            ``disk-full`` or ``disk-fault``: the file could not be written.
        """
        with disk(self._room):
            if table not in self._writers:
                self._writers[table] = parquet_writer(self._path(table), TABLES[table])
                self._trees[table] = MerkleAccumulator()
            self._writers[table].write_batch(batch)
        leaves = leaf_digests(canonical_rows(batch, f"lineage:{table}:1"))
        self._trees[table].extend(leaves)
        return leaves

    def close(self) -> list[Part]:
        """Finish and sync the parts, and return their descriptions in the order of `TABLES`."""
        parts = []
        for table in TABLES:
            if table not in self._writers:
                continue
            path = self._path(table)
            with disk(path):
                self._writers[table].close()
                sync_file(path)
            tree = self._trees[table]
            parts.append(Part(table, path.name, tree.size, tree.root().hex(), file_sha256(path)))
        return parts

    def write_header(self, header: Mapping[str, object]) -> None:
        """Write the header and sync the room: from here on the segment is complete."""
        with disk(self._room):
            write_synced(self._room / header_name(self._seq), canonical_json(header) + b"\n")
            sync_directory(self._room)

    def abandon(self) -> None:
        """Close and remove whatever was written."""
        for writer in self._writers.values():
            # a full disk fails here again; the room is removed all the same
            with suppress(OSError):
                writer.close()
        shutil.rmtree(self._room, ignore_errors=True)

    def _path(self, table: str) -> Path:
        return self._room / f"{self._seq:08d}.{table}.parquet"


def header_name(seq: int) -> str:
    """Return the file name of the header at ``seq``."""
    return f"{seq:08d}.activity.json"
