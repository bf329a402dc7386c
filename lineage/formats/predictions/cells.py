"""The cells of a plain table, CSV or Parquet, as words and numbers; what fits neither is refused by row."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.formats.refusals import Refusals
from lineage.formats.table.mapping import TableMapping
from lineage.formats.table.source import Block, Source, open_source, refuse_misfits

_TRUTHS = {"true": "1", "false": "0"}
_NULLS = ("null", "NULL", "NaN", "nan", "None")
_PLAIN = TableMapping(kind=None, columns={}, nulls=_NULLS)


def opened(path: Path) -> Source:
    """Open a table whose first row names its columns.

    Raises
    ------
    BadInput
        ``unreadable-table``, ``duplicate-column``, ``not-utf8``.
    """
    return open_source(path, _PLAIN)


@dataclass(slots=True)
class Cells:
    """A block of rows, and where its problems go.

    Parameters
    ----------
    block
        As a table's source gives it.
    refusals
        Of the file.
    is_bad
        ndarray of bool, shape (n,): rows refused so far; a row is refused once.
    """

    block: Block
    refusals: Refusals
    is_bad: np.ndarray

    def has(self, name: str) -> bool:
        """Tell whether there is such a column."""
        return name in self.block.cells.schema.names

    def words(self, name: str) -> list[str | None]:
        """Return a column as text."""
        if not self.has(name):
            return [None] * self.block.cells.num_rows
        found: list[str | None] = self.block.cells[name].cast(pa.string()).to_pylist()
        return found

    def numbers(self, name: str) -> np.ndarray:
        """Return a column as float64, NaN where empty; text that is no number is refused."""
        if not self.has(name):
            return np.full(self.block.cells.num_rows, np.nan)
        column = self.block.cells[name]
        if not pa.types.is_string(column.type):
            return np.asarray(column.cast(pa.float64()).fill_null(np.nan))
        trimmed = pc.utf8_trim_whitespace(column)
        for word, digit in _TRUTHS.items():
            trimmed = pc.if_else(pc.equal(pc.utf8_lower(trimmed), word), digit, trimmed)
        is_number = pc.match_substring_regex(trimmed, r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")
        is_wrong = np.asarray(pc.and_(pc.is_valid(column), pc.invert(is_number)).fill_null(False))
        self.refuse(is_wrong, "not-a-number", name, "a number")
        plain = pc.if_else(is_number, trimmed, pa.scalar(None, pa.string()))
        return np.asarray(plain.cast(pa.float64()).fill_null(np.nan))

    def refuse(self, rows: np.ndarray, rule: str, name: str, expected: str) -> None:
        """Refuse rows that were not refused yet, for what stands in a column."""
        fresh = rows & ~self.is_bad
        self.is_bad |= rows
        for at in np.flatnonzero(fresh).tolist():
            row = self.block.cells.slice(at, 1).to_pylist()[0]
            self.refusals.add(
                rule,
                position=int(self.block.position[at]),
                path=f"/{name}",
                value=row.get(name),
                expected=expected,
                label=json.dumps(row, ensure_ascii=False, default=str),
                asset=row.get("asset"),
                annotation=None if row.get("annotation") is None else str(row["annotation"]),
            )


def blocks(
    source: Source, wanted: Sequence[str], numbers: Sequence[str], refusals: Refusals
) -> Iterator[Cells]:
    """Yield a table in blocks of cells; rows that are none are refused."""
    for block in source.blocks(wanted, numbers):
        refuse_misfits(block, refusals)
        yield Cells(block, refusals, np.zeros(block.cells.num_rows, bool))
