"""The tools of a forger: parts written anew, headers and a whole chain made to fit them."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lineage.activities import context
from lineage.identity import canonical_json, canonical_rows, leaf_digests, log_leaf, merkle_root
from lineage.segments import TABLES, Ledger, file_sha256, parquet_writer

Change = Callable[[Path, random.Random], tuple[int, ...]]
"""Falsifies a project, and returns the first bad label: as recorded, and as it stands there now."""


class NothingChanged(Exception):
    """The draw hit something that means nothing."""


def parts_of(root: Path) -> list[Path]:
    """Return the parts that hold labels."""
    return sorted((root / "ledger" / "segments").glob("*.revisions.parquet"))


def rewrite(path: Path, content: bytes) -> None:
    """Put other bytes in a file's place."""
    # files of DVC may be read-only, or links
    path.unlink()
    path.write_bytes(content)


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write a part's rows as the ledger would."""
    path.unlink()
    schema = TABLES[path.name.split(".")[1]]
    with parquet_writer(path, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_pylist(rows, schema))


def canonical(path: Path) -> Any:
    """Return the canonical bytes of a part's rows."""
    return canonical_of(pq.read_table(path), path.name.split(".")[1])


def canonical_of(rows: pa.Table, table: str) -> Any:
    """Return the canonical bytes of rows."""
    batches = rows.cast(TABLES[table]).combine_chunks().to_batches()
    return canonical_rows(batches[0], f"lineage:{table}:1")


def header_path(ledger: Ledger, seq: int) -> Path:
    """Return where a header stands."""
    return ledger.segments / f"{seq:08d}.activity.json"


def forge_header(root: Path, part: Path) -> None:
    """Make a header say of a part what the part says of itself."""
    ledger = Ledger(root / "ledger")
    seq = int(part.name.split(".")[0])
    header = ledger.header(seq)
    for row in header["parts"]:  # type: ignore[attr-defined]
        if row["file"] == part.name:
            leaves = leaf_digests(canonical(part))
            row |= {
                "sha256": file_sha256(part),
                "root": merkle_root(leaves).hex(),
                "n_rows": len(leaves),
            }
    header["n_revisions"] = len(pq.read_table(part))
    path = header_path(ledger, seq)
    path.unlink()
    path.write_bytes(canonical_json(header) + b"\n")


def forge_chain(root: Path) -> None:
    """Compute all that follows anew: headers, checkpoint, store."""
    ledger = Ledger(root / "ledger")
    leaves: list[bytes] = []
    for seq in ledger.positions():
        header = ledger.header(seq)
        if header["previous_root"] != merkle_root(leaves).hex():
            header["previous_root"] = merkle_root(leaves).hex()
            path = header_path(ledger, seq)
            path.unlink()
            path.write_bytes(canonical_json(header) + b"\n")
        leaves.append(log_leaf(header))
    top = base64.b64encode(merkle_root(leaves)).decode()
    (root / "ledger" / "checkpoint").write_text(f"faults\n{len(leaves)}\n{top}\n")
    for path in (root / ".lineage").glob("store.db*"):
        path.unlink()
    context.open_project(root)


def first_unlike(was: bytes, path: Path) -> tuple[int, ...]:
    """Return the first label that reads otherwise.

    Of a row group that cannot be read as a whole: its first, and the first that reads otherwise in a
    column that can be. Of a file that cannot be opened: its first.
    """
    whole, at = pq.ParquetFile(pa.BufferReader(was)), 0
    names = whole.read(["annotation"])["annotation"].to_pylist()
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError, ValueError):
        return (names[0],)
    for group in range(whole.num_row_groups):
        old = whole.read_row_group(group)
        before = leaf_digests(canonical_of(old, "revisions"))
        try:
            after = leaf_digests(canonical_of(file.read_row_group(group), "revisions"))
        except (pa.ArrowException, OSError, ValueError):
            rows = [
                k for name in old.schema.names for k in _first_in_column(old, file, group, name)
            ]
            return names[at], *(names[at + k] for k in sorted(rows)[:1])
        for k, leaf in enumerate(before):
            if k >= len(after) or after[k] != leaf:
                return (names[at + k],)
        at += len(before)
    return ()


def _first_in_column(old: pa.Table, file: pq.ParquetFile, group: int, name: str) -> list[int]:
    try:
        new = file.read_row_group(group, columns=[name])[name]
        sides = [_plain(side[name] if isinstance(side, pa.Table) else side) for side in (old, new)]
    except (pa.ArrowException, OSError, ValueError, KeyError):
        return []
    return [k for k, (a, b) in enumerate(zip(*sides, strict=False)) if a != b][:1]


def _plain(column: pa.ChunkedArray) -> list[object]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    # a text that is no UTF-8 any more is still bytes
    is_text = pa.types.is_string(column.type)
    found: list[object] = (column.cast(pa.binary()) if is_text else column).to_pylist()
    return found


def append_erasure(root: Path, file: str, row: int, leaf: str) -> None:
    """Append an activity that says that text was erased from a part, as `lineage erase` would."""
    ledger = Ledger(root / "ledger")
    seq = ledger.positions()[-1] + 1
    name = f"{seq:08d}.erasures.parquet"
    path = ledger.segments / name
    path.touch()
    said = {"seq": seq, "file": file, "sha256": file_sha256(ledger.segments / file)}
    write_rows(path, [{**said, "row": row, "leaf": leaf}])
    leaves = leaf_digests(canonical(path))
    part = {"table": "erasures", "file": name, "n_rows": 1, "root": merkle_root(leaves).hex()}
    headers = [ledger.header(place) for place in ledger.positions()]
    header = {
        **headers[-1],
        "seq": seq,
        "kind": "erase",
        "batch": None,
        "first_revision": None,
        "n_revisions": 0,
        "entities": {},
        "sources": [],
        "previous_root": merkle_root([log_leaf(known) for known in headers]).hex(),
        "parts": [{**part, "sha256": file_sha256(path)}],
    }
    header_path(ledger, seq).write_bytes(canonical_json(header) + b"\n")
