"""Where a file stops being what was recorded: the first row, and the label it is of.

A part's rows are held against whatever still says what they were: a copy in DVC's
cache that has the recorded bytes; the starts of leaf hashes, or else the columns,
that the store keeps. A file that cannot be decoded is read row group by row group,
and the first that fails names its first label.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa

from lineage.activities.audit_columns import STORED, as_stored, differing, values
from lineage.activities.audit_ground import Ground
from lineage.errors import LineageError, StoreFault
from lineage.identity import canonical_rows, leaf_digests
from lineage.segments import TABLES, Part, read_parquet
from lineage.segments.damaged import read_groups
from lineage.store.append import short_leaves


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file differs from what was recorded.

    Parameters
    ----------
    annotation
        The first label that is affected; None: it is of an image, or cannot be told.
    found
        What stands there, in words, with the row.
    n
        Rows that are affected, as far as can be told.
    """

    annotation: int | None
    found: str
    n: int = 1


@dataclass(frozen=True, slots=True)
class _Decoded:
    """What of a file can be read: whole rows from the start, and where that ends."""

    rows: pa.Table
    torn_at: int | None
    torn: pa.Table | None
    reason: str


@dataclass(frozen=True, slots=True)
class _Reference:
    """What a file's rows were: per row a number that tells its content, and the rows themselves, if any."""

    starts: np.ndarray
    rows: pa.Table | None
    source: str


def place_of(ground: Ground, seq: int, part: Part, path: Path) -> Place:
    """Return where a file that should be a part of a segment differs from it.

    Parameters
    ----------
    ground
        What the audit stands on.
    seq, part
        The activity, and the part as its header describes it.
    path
        The file: the part itself, or a copy.
    """
    schema = TABLES[part.table]
    decoded = _decode(path, schema)
    reference = _from_copy(ground, part, path) or _from_store(ground, seq, part, decoded)
    if decoded.torn_at is not None:
        earlier = _first_difference(ground, decoded, reference, part, up_to=decoded.torn_at)
        if earlier is None:
            return _torn(ground, seq, part, decoded, reference)
        at = earlier
    elif reference is None:
        return _unknown(ground, seq, part, decoded)
    else:
        found = _first_difference(ground, decoded, reference, part)
        if found is None:
            told = "the rows are as recorded; the bytes around them are not"
            return Place(None, told, 0)
        at = found
    return _at_row(ground, part, decoded, cast(_Reference, reference), at)


def between(found: Path, expected: pa.Table) -> Place:
    """Return where a file differs from the rows that it should have, labels told by ``annotation``."""
    schema = expected.schema
    decoded = _decode(found, schema)
    if decoded.torn_at is not None and decoded.rows.num_rows == 0 and decoded.torn is None:
        return Place(
            _label(expected, 0), f"no row can be read: {decoded.reason}", expected.num_rows
        )
    n = min(decoded.rows.num_rows, expected.num_rows)
    mask, names = _compare(decoded.rows.slice(0, n), expected.slice(0, n))
    n_off = abs(decoded.rows.num_rows - expected.num_rows)
    if mask.any():
        at = int(np.flatnonzero(mask)[0])
        row = _one(decoded.rows)
        told = f"row {at}: {values(row, at, names)}"
        return Place(_label(expected, at), told, int(mask.sum()) + n_off)
    if decoded.torn_at is not None:
        told = f"row {decoded.torn_at} on cannot be read: {decoded.reason}"
        return Place(_label(expected, decoded.torn_at), told, expected.num_rows - n)
    if n_off:
        longer = expected if expected.num_rows > n else decoded.rows
        told = f"{decoded.rows.num_rows} rows in place of {expected.num_rows}"
        return Place(_label(longer, n), told, n_off)
    return Place(None, "the rows are as recorded; the bytes around them are not", 0)


def label_of(ground: Ground, rows: pa.Table | pa.RecordBatch, row: int) -> tuple[int | None, str]:
    """Return the annotation that a part's row is of, and the image in words where it is of none."""
    named = set(rows.schema.names)
    for name in ("annotation", "revision", "opinion"):
        if name in named and rows[name][row].as_py() is not None:
            number = cast(int, rows[name][row].as_py())
            if name == "annotation":
                return number, ""
            if (annotation := ground.annotation_of(number)) is not None:
                return annotation, ""
    if "name" in named:
        return None, str(rows["name"][row].as_py())
    if "asset" in named:
        return None, ground.asset_name(rows["asset"][row].as_py())
    return None, ""


def _decode(path: Path, schema: pa.Schema) -> _Decoded:
    whole: list[pa.Table] = []
    empty = schema.empty_table()
    try:
        for first, group in read_groups(path):
            if isinstance(group, StoreFault):
                return _Decoded(pa.concat_tables([empty, *whole]), first, None, group.message)
            if group.schema.names != schema.names:
                told = "some of its columns cannot be read"
                return _Decoded(pa.concat_tables([empty, *whole]), first, group, told)
            whole.append(group.cast(schema))
    except (LineageError, pa.ArrowException, ValueError) as exc:
        rows = pa.concat_tables([empty, *whole])
        return _Decoded(rows, rows.num_rows, None, str(exc))
    return _Decoded(pa.concat_tables([empty, *whole]), None, None, "")


def _starts(ground: Ground, part: Part, rows: pa.Table) -> np.ndarray:
    """Return the starts of rows' leaf hashes, those of erased rows as they were recorded."""
    erased = ground.erased.get(part.file)
    leaves = leaf_digests(canonical_rows(_one(rows), f"lineage:{part.table}:1"))
    for at, leaf in ({} if erased is None else erased.leaves).items():
        if at < len(leaves):
            leaves[at] = bytes.fromhex(leaf)
    return short_leaves(leaves) if leaves else np.empty(0, np.int64)


def _from_copy(ground: Ground, part: Part, path: Path) -> _Reference | None:
    segments = ground.project.ledger.segments
    name = (segments / part.file).relative_to(ground.project.root).as_posix()
    copy = ground.copy_of(name, ground.sha256_of(part))
    if path != segments / part.file:
        copy = segments / part.file if part.file not in ground.damaged else None
    if copy is None or copy == path:
        return None
    rows = pa.Table.from_batches(read_parquet(copy), TABLES[part.table])
    return _Reference(_starts(ground, part, rows), rows, "a copy of it")


def _from_store(ground: Ground, seq: int, part: Part, decoded: _Decoded) -> _Reference | None:
    tables = STORED.get(part.table)
    if tables is None:
        return None
    first = ground.headers[seq]["first_revision"]
    try:
        with ground.rows() as rows:
            if rows is None:
                return None
            if part.table == "revisions":
                stored = rows.between("revision", cast(int, first), part.n_rows)
            else:
                stored = rows.of_activity(tables[-1], seq)
    except LineageError:
        return None
    if stored.num_rows != part.n_rows:
        return None
    table = pa.Table.from_batches([stored])
    if part.table == "revisions" and not stored["content"].null_count:
        return _Reference(stored["content"].to_numpy(), table, "the store")
    return _Reference(_projected(stored), table, "the store")


def _projected(rows: pa.RecordBatch) -> np.ndarray:
    if rows.num_rows == 0:
        return np.empty(0, np.int64)
    if "content" in rows.schema.names:
        rows = rows.drop_columns(["content"])
    return short_leaves(leaf_digests(canonical_rows(rows, "lineage:stored:1")))


def _first_difference(
    ground: Ground,
    decoded: _Decoded,
    reference: _Reference | None,
    part: Part,
    *,
    up_to: int | None = None,
) -> int | None:
    """Return the first row that is not what the reference says, None where there is none."""
    if reference is None:
        return None
    found, expected = _numbers(ground, decoded, reference, part), reference.starts[:up_to]
    n = min(len(found), len(expected))
    off = np.flatnonzero(found[:n] != expected[:n])
    if len(off):
        return int(off[0])
    return n if len(found) != len(expected) else None


def _numbers(ground: Ground, decoded: _Decoded, reference: _Reference, part: Part) -> np.ndarray:
    rows = decoded.rows
    try:
        if reference.source == "the store" and not _has_content(reference):
            stored = as_stored(STORED[part.table][-1], _one(rows), [])
            return _projected(stored)
        return _starts(ground, part, rows)
    except (pa.ArrowException, ValueError):
        # values that decode and make no sense, as text that is no UTF-8
        return np.empty(0, np.int64)


def _has_content(reference: _Reference) -> bool:
    rows = reference.rows
    return rows is not None and "content" in rows.schema.names and not rows["content"].null_count


def _at_row(ground: Ground, part: Part, decoded: _Decoded, reference: _Reference, at: int) -> Place:
    numbers = _numbers(ground, decoded, reference, part)
    lacking = Counter(reference.starts.tolist())
    lacking.subtract(numbers.tolist())
    n_lost = sum(n for n in lacking.values() if n > 0)
    n_new = -sum(n for n in lacking.values() if n < 0)
    rows = cast(pa.Table, reference.rows)
    # a row too many is named itself, not the one that it pushed aside
    is_added = bool(n_new and not n_lost) or at >= len(reference.starts)
    annotation, image = label_of(ground, decoded.rows if is_added else rows, at)
    of = f" ({image})" if image else ""
    if len(numbers) != len(reference.starts) or not (n_lost or n_new):
        told = (
            f"row {at}{of} is not the one that was recorded: {len(numbers)} rows, {n_lost} of the "
        )
        told += f"{len(reference.starts)} recorded ones gone, {n_new} others"
        if not (n_lost or n_new):
            told = f"row {at}{of} is another one: the recorded rows stand in another order"
    else:
        told = f"row {at}{of}: {_changes(part, decoded.rows, rows, at)}"
    return Place(annotation, f"{told} (as {reference.source} says)", max(n_lost, n_new, 1))


def _changes(part: Part, found: pa.Table, expected: pa.Table, at: int) -> str:
    one, other = _one(found.slice(at, 1)), _one(expected.slice(at, 1))
    if one.schema.names != other.schema.names:
        one = as_stored(STORED[part.table][-1], one, [b"\x00" * 32] * 1)
    names = differing(_plain(one), _plain(other))[1]
    told = values(_plain(one), 0, names)
    if told == "its leaf hash":
        return "a column that the store does not hold"
    return f"{told}, in place of {values(_plain(other), 0, names)}"


def _torn(
    ground: Ground, seq: int, part: Part, decoded: _Decoded, reference: _Reference | None
) -> Place:
    at = cast(int, decoded.torn_at)
    told = f"rows from {at} on cannot be read: {decoded.reason}"[:300]
    if reference is not None and reference.rows is not None and at < reference.rows.num_rows:
        annotation, image = label_of(ground, reference.rows, at)
        last = label_of(ground, reference.rows, reference.rows.num_rows - 1)[0]
        of = f"{image}: " if image else f"labels {annotation}..{last}: "
        return Place(annotation, of + told, part.n_rows - at)
    if decoded.torn is not None and decoded.torn.num_rows:
        annotation, image = label_of(ground, decoded.torn, 0)
        return Place(annotation, (f"{image}: " if image else "") + told, part.n_rows - at)
    first = ground.headers[seq]["first_revision"]
    if part.table == "revisions" and isinstance(first, int):
        told = f"revisions {first + at}..{first + part.n_rows - 1}: {told}"
    return Place(None, told, part.n_rows - at)


def _unknown(ground: Ground, seq: int, part: Part, decoded: _Decoded) -> Place:
    told = f"changed somewhere among {part.n_rows} rows"
    if decoded.rows.num_rows != part.n_rows:
        told = f"{decoded.rows.num_rows} rows in place of {part.n_rows}"
    if decoded.rows.num_rows == 0:
        return Place(None, told, part.n_rows)
    annotation, _ = label_of(ground, decoded.rows, 0)
    last, _ = label_of(ground, decoded.rows, decoded.rows.num_rows - 1)
    if annotation is not None:
        told += f", labels {annotation}..{last}"
    # which one cannot be told: nothing else says what the rows were
    return Place(None, f"{told}; neither a copy nor the store says where", part.n_rows)


def _compare(one: pa.Table, other: pa.Table) -> tuple[np.ndarray, list[str]]:
    return differing(_plain(_one(one)), _plain(_one(other)))


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows with words as text and nested numbers as their bytes' text, to be compared one by one."""
    arrays = []
    for array in batch.columns:
        if pa.types.is_dictionary(array.type):
            array = array.cast(pa.string())
        elif pa.types.is_list(array.type):
            array = pa.array(
                [None if v is None else repr(v) for v in array.to_pylist()], pa.string()
            )
        arrays.append(array)
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _one(rows: pa.Table | pa.RecordBatch) -> pa.RecordBatch:
    if isinstance(rows, pa.RecordBatch):
        return rows
    return pa.RecordBatch.from_arrays(
        [_chunk(column) for column in rows.columns], schema=rows.schema
    )


def _chunk(column: pa.ChunkedArray) -> pa.Array:
    whole = column.unify_dictionaries().combine_chunks()
    return whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole


def _label(rows: pa.Table, row: int) -> int | None:
    if "annotation" not in rows.schema.names or row >= rows.num_rows:
        return None
    return cast(int, rows["annotation"][row].as_py())
