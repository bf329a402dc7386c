"""A table's file, whatever it is: its columns by name, and blocks of cells.

Told by content: Parquet by its mark, JSON by its bracket, CSV otherwise. Cells are text,
save numbers that a block's reader could take whole and Parquet's own times; so that ids
with leading zeros and versions that look like numbers come through as they stand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.errors import BadInput
from lineage.formats.refusals import Refusals
from lineage.formats.table.mapping import TableMapping

BLOCK_ROWS = 65_536
_PARQUET = b"PAR1"
_MOMENT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class Misfit:
    """A row that is none: too long, too short, no JSON."""

    position: int
    rule: str
    value: str
    expected: str
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows.

    Parameters
    ----------
    cells
        By column, of those asked for: text, float64, or a time; null where empty.
    position
        ndarray of int64: the line each row begins on, from 1; in Parquet and in a JSON array
        its place, from 0.
    misfits
        Rows that are not among them.
    """

    cells: pa.RecordBatch
    position: np.ndarray
    misfits: Sequence[Misfit] = field(default_factory=tuple)


def refuse_misfits(block: Block, refusals: Refusals) -> None:
    """Note every row of a block that is none."""
    for misfit in block.misfits:
        refusals.add(
            misfit.rule,
            position=misfit.position,
            path="",
            value=misfit.value,
            expected=misfit.expected,
            label=misfit.text,
        )


class Source(Protocol):
    """A file of rows."""

    @property
    def columns(self) -> Sequence[str]:
        """Names of the columns; of JSON, those seen so far."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether columns may turn up later."""
        ...

    def blocks(self, wanted: Sequence[str], numbers: Sequence[str]) -> Iterator[Block]:
        """Yield all rows, cells of the columns ``wanted``; of ``numbers`` as such if all of a block are."""
        ...


def open_source(path: Path, mapping: TableMapping) -> Source:
    """Open a table.

    Raises
    ------
    BadInput
        ``unreadable-table``: no rows to read columns from, or damaged; ``duplicate-column``,
        ``not-utf8``.
    """
    with path.open("rb") as file:
        head = file.read(65_536)
    if head.startswith(_PARQUET):
        return Parquet(path, mapping)
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")[:1]
    if first in (b"{", b"["):
        from lineage.formats.table.rows_of_json import JsonRows

        return JsonRows(path, mapping)
    from lineage.formats.table.sheet import Sheet

    return Sheet(path, mapping)


def unique(names: Sequence[str], where: str) -> tuple[str, ...]:
    """Return the names of columns, refusing two of one name; those without a name may be several.

    Raises
    ------
    BadInput
        ``duplicate-column``.
    """
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise BadInput(
            "duplicate-column",
            f"several columns are called {', '.join(map(repr, twice))}, expected a name for each",
            hint="rename them, or name all columns with header: in the mapping",
            where=where,
        )
    return tuple(names)


def without_nulls(cells: pa.Array, nulls: Sequence[str]) -> pa.Array:
    """Return text with null in place of the words that stand for nothing."""
    if not pa.types.is_string(cells.type):
        return cells
    is_nothing = pc.is_in(cells, value_set=pa.array(["", *nulls], pa.string()))
    return pc.if_else(is_nothing, pa.scalar(None, pa.string()), cells)


class Parquet:
    """Rows of a Parquet file."""

    is_open = False

    def __init__(self, path: Path, mapping: TableMapping) -> None:
        import pyarrow.dataset

        self._path = path
        self._nulls = mapping.nulls
        try:
            self._dataset = pyarrow.dataset.dataset(path, format="parquet")
            names = self._dataset.schema.names
        except (pa.ArrowException, OSError, UnicodeDecodeError) as exc:
            raise self._damaged(exc) from exc
        self.columns = unique(names, str(path))

    def blocks(self, wanted: Sequence[str], numbers: Sequence[str]) -> Iterator[Block]:
        """Yield all rows; see `Source`."""
        at = 0
        try:
            for batch in self._dataset.to_batches(
                columns=list(wanted), batch_size=BLOCK_ROWS, batch_readahead=1, fragment_readahead=1
            ):
                cells = [
                    without_nulls(_cells(batch[name], is_number=name in numbers), self._nulls)
                    for name in wanted
                ]
                position = np.arange(at, at + batch.num_rows)
                at += batch.num_rows
                rows = pa.RecordBatch.from_arrays(cells, names=list(wanted))
                # a damaged page may decode to text that is none
                rows.validate(full=True)
                yield Block(rows, position)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as exc:
            raise self._damaged(exc) from exc

    def _damaged(self, exc: Exception) -> BadInput:
        return BadInput(
            "unreadable-table",
            f"no readable Parquet: {exc}",
            hint="write or copy it again",
            where=str(self._path),
        )


def _cells(column: pa.Array, *, is_number: bool) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if is_number and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return column.cast(pa.float64(), safe=False)
    if pa.types.is_timestamp(kind):
        return column.cast(_MOMENT if kind.tz else pa.timestamp("us"), safe=False)
    if pa.types.is_nested(kind):
        # rare, and JSON texts are what the rest of the reader takes apart
        values = [None if v is None else _encoded(v) for v in column.to_pylist()]
        return pa.array(values, pa.string())
    return column.cast(pa.string())


def _encoded(value: object) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()
