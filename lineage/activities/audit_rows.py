"""The audit of the store: every row of every table against the rows of the segments.

Both sides are read in the order of the log and compared block by block, as arrays.
The first block that differs sets a table aside: it is read once more at the end, and
told row by row by hashes of their contents, so that one row that is missing does not
make every later one look changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from lineage.activities.audit_columns import KEYED, STORED, as_stored, differing, values
from lineage.activities.audit_ground import Ground
from lineage.activities.audit_locate import label_of
from lineage.activities.findings import Finding
from lineage.errors import LineageError
from lineage.identity import row_hashes
from lineage.segments import Part
from lineage.segments.redactions import leaves_of
from lineage.store.blocks import TABLES, Rows

CURE = "rebuild the store from the ledger's files: lineage restore --discard-store"
_BLOCK = 131_072
_MOST = 10_000
_PART_OF = {table: part for part, tables in STORED.items() for table in tables}


@dataclass(slots=True)
class Comparison:
    """Takes the rows of segments in the order of the log, and holds the store's against them.

    Parameters
    ----------
    ground
        What the audit stands on.
    stored
        The store's rows.
    """

    ground: Ground
    stored: Rows
    aside: set[str] = field(default_factory=set)
    known: frozenset[int] = frozenset()
    has_content: bool = True

    def __post_init__(self) -> None:
        """Ask which activities the store has: of others it need not have rows."""
        rows = self.stored.plain("activity", ["seq"], "seq")
        self.known = frozenset(row["seq"] for row in rows if isinstance(row["seq"], int))

    def take(self, seq: int, part: Part, batch: pa.RecordBatch, leaves: Sequence[bytes]) -> None:
        """Compare a block; a table that differs is set aside."""
        if seq > max(self.known, default=0):
            return
        for table in STORED.get(part.table, ()):
            if table in self.aside or self._is_torn(table):
                continue
            expected = as_stored(table, batch, leaves)
            found = self.stored.take(table, expected.num_rows)
            if found.num_rows != expected.num_rows or differing(expected, found)[0].any():
                self.aside.add(table)
            self.ground.checked["rows"] += found.num_rows

    def findings(self) -> Iterator[Finding]:
        """Yield what differs, once all blocks were taken."""
        torn_off = self.stored.without_content()
        if torn_off is not None:
            # rows from before version 4 of the store have none; none that came later lacks it
            annotation = self.ground.annotation_of(torn_off)
            where = f"store, revision: revision {torn_off}"
            yield Finding(
                "row-changed", where, annotation, "the start of its leaf hash", "none", CURE
            )
        self.has_content = self.stored.has_content()
        for table in _PART_OF:
            if self._is_torn(table) or table in self.aside or self.stored.take(table, 1).num_rows:
                yield from self._apart(table)

    def _is_torn(self, table: str) -> bool:
        """Tell whether a part that fills the table cannot be read, so that the order is lost."""
        suffix = f".{_PART_OF[table]}.parquet"
        return any(name.endswith(suffix) for name in self.ground.damaged)

    def _apart(self, table: str) -> Iterator[Finding]:
        torn = {seq for seq, part in self.ground.all_parts() if self._is_lost(part, table)}
        if table == "annotation" and (torn or self._ahead()):
            self.ground.notes.append(
                "the store's annotations could not be compared: files are not here"
            )
            return
        sides = [
            _Side(lambda: self._hashed(self._expected(table)), table),
            _Side(lambda: self._hashed(self._found(table, torn)), table),
        ]
        missing, extra = _only_in(sides[0].hashes, sides[1].hashes)
        lost, new = sides[0].rows(missing), sides[1].rows(extra)
        yield from self._told(table, lost, new, len(missing), len(extra))
        if not len(missing) and not len(extra) and not torn:
            off = np.flatnonzero(sides[0].hashes != sides[1].hashes)
            if len(off):
                row = sides[0].rows(off[:1])
                annotation, where = self._place(table, row, 0)
                told = "the same rows in another order"
                yield Finding("row-changed", where, annotation, "its row", told, CURE, len(off))

    def _told(
        self, table: str, lost: pa.RecordBatch, new: pa.RecordBatch, n_lost: int, n_new: int
    ) -> Iterator[Finding]:
        pairs = _paired(table, lost, new)
        n_pairs = len(pairs)
        if pairs:
            one, other = pairs[0]
            names = differing(lost.slice(one, 1), new.slice(other, 1))[1]
            annotation, where = self._place(table, lost, one)
            expected, found = values(lost, one, names), values(new, other, names)
            yield Finding("row-changed", where, annotation, expected, found, CURE, n_pairs)
        taken, given = {one for one, _ in pairs}, {other for _, other in pairs}
        alone = [row for row in range(lost.num_rows) if row not in taken]
        if alone:
            annotation, where = self._place(table, lost, alone[0])
            expected = values(lost, alone[0], lost.schema.names[:4])
            n = n_lost - n_pairs
            yield Finding("row-missing", where, annotation, expected, "no such row", CURE, n)
        alone = [row for row in range(new.num_rows) if row not in given]
        if alone:
            annotation, where = self._place(table, new, alone[0])
            found = values(new, alone[0], new.schema.names[:4])
            n = n_new - n_pairs
            yield Finding("row-extra", where, annotation, "no such row", found, CURE, n)

    def _place(self, table: str, rows: pa.RecordBatch, row: int) -> tuple[int | None, str]:
        annotation, image = label_of(self.ground, rows, row)
        of = f" ({image})" if image else ""
        for name in ("revision", "annotation", "asset", "seq"):
            if name in rows.schema.names and rows[name][row].as_py() is not None:
                return annotation, f"store, {table}: {name} {rows[name][row].as_py()}{of}"
        return annotation, f"store, {table}"

    def _is_lost(self, part: Part, table: str) -> bool:
        return part.table == _PART_OF[table] and part.file in self.ground.damaged

    def _hashed(self, blocks: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield blocks as they are told apart: without leaf hashes where an older store has not all of them."""
        for batch in blocks:
            if self.has_content or "content" not in batch.schema.names:
                yield batch
            else:
                yield batch.drop_columns(["content"])

    def _expected(self, table: str) -> Iterator[pa.RecordBatch]:
        for seq, part in self.ground.all_parts():
            if part.table != _PART_OF[table] or self._is_lost(part, table):
                continue
            if seq > max(self.known, default=0):
                continue
            erased = self.ground.erased.get(part.file)
            for batch, leaves in leaves_of(self.ground.project.ledger, part, erased):
                yield as_stored(table, batch, leaves)

    def _found(self, table: str, torn: set[int]) -> Iterator[pa.RecordBatch]:
        self.stored.restart(table)
        passed_over = self._ahead() | torn
        while True:
            batch = self.stored.take(table, _BLOCK)
            if batch.num_rows == 0:
                return
            if passed_over and "seq" in batch.schema.names:
                seq = np.asarray(batch["seq"].fill_null(0))
                batch = batch.filter(pa.array(~np.isin(seq, sorted(passed_over))))
            yield batch

    def _ahead(self) -> set[int]:
        """Return activities of the store whose headers are not here: `audit_log` tells of them."""
        return set(self.known - self.ground.headers.keys())


class _Side:
    """One side of a table: a hash for each row, and the rows again where some are asked for."""

    def __init__(self, blocks: Callable[[], Iterator[pa.RecordBatch]], table: str) -> None:
        self._blocks = blocks
        self._table = table
        found = [_hashes(batch) for batch in blocks()]
        self.hashes = np.concatenate(found) if found else np.empty(0, np.uint64)

    def rows(self, wanted: np.ndarray) -> pa.RecordBatch:
        """Return the first rows of those at some places."""
        found, first = [], 0
        some = np.sort(wanted)[:_MOST]
        for batch in self._blocks():
            here = some[(some >= first) & (some < first + batch.num_rows)] - first
            if len(here):
                found.append(batch.take(pa.array(here)))
            first += batch.num_rows
        schema = found[0].schema if found else TABLES[self._table]
        whole = pa.Table.from_batches(found, schema).combine_chunks()
        return pa.RecordBatch.from_arrays(
            [
                column.chunk(0) if column.num_chunks else pa.array([], column.type)
                for column in whole.columns
            ],
            schema=whole.schema,
        )


def _hashes(batch: pa.RecordBatch) -> np.ndarray:
    return row_hashes(batch) if batch.num_rows else np.empty(0, np.uint64)


def _only_in(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of rows that one side has more often than the other."""
    return _surplus(one, other), _surplus(other, one)


def _surplus(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    kinds, counts = np.unique(other, return_counts=True)
    order = np.argsort(one, kind="stable")
    sorted_ = one[order]
    if not len(sorted_):
        return np.empty(0, np.int64)
    starts = np.flatnonzero(np.r_[True, sorted_[1:] != sorted_[:-1]])
    nth = np.arange(len(sorted_)) - np.repeat(starts, np.diff(np.r_[starts, len(sorted_)]))
    at = np.searchsorted(kinds, sorted_)
    there = np.zeros(len(sorted_), np.int64)
    inside = at < len(kinds)
    inside[inside] = kinds[at[inside]] == sorted_[inside]
    there[inside] = counts[at[inside]]
    return np.sort(order[nth >= there])


def _paired(table: str, lost: pa.RecordBatch, new: pa.RecordBatch) -> list[tuple[int, int]]:
    """Return rows that are one row changed: by their number, or else one by one where as many came as went."""
    key = KEYED.get(table)
    if key is not None:
        at = {number: row for row, number in enumerate(new[key].to_pylist())}
        pairs = ((row, at.get(number)) for row, number in enumerate(lost[key].to_pylist()))
        return [(one, other) for one, other in pairs if other is not None]
    if lost.num_rows != new.num_rows:
        return []
    return [(row, row) for row in range(lost.num_rows)]


def pages(ground: Ground) -> Iterator[Finding]:
    """Yield what the database itself finds wrong with its pages and with its guards."""
    from lineage.store import blocks

    try:
        with blocks.looking(ground.project.store) as connection:
            for said in blocks.faults(ground.project.store, connection):
                kind = "store-guard" if said.startswith("trigger") else "store-damaged"
                expected = "every table but two append-only" if kind == "store-guard" else "ok"
                yield Finding(kind, ground.project.store.label, None, expected, said, CURE)
    except LineageError as exc:
        yield Finding(
            "store-unreadable", ground.project.store.label, None, "a store", exc.message, CURE
        )
