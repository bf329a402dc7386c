"""Rows taken apart: the cells of every key, one for each label, out of columns and JSON.

A row is one label, or with ``each`` an answer that holds several, or none. Only keys that stand
within JSON cost Python work for every row; columns are taken whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from lineage.formats.table.paths import decoded, text_of, walk
from lineage.formats.table.plan import Place, Plan
from lineage.formats.table.source import Block, without_nulls


@dataclass(frozen=True, slots=True)
class Broken:
    """A cell that cannot be taken apart; ``entry`` is its place among the entries."""

    entry: int
    rule: str
    place: Place
    value: str
    expected: str


@dataclass(frozen=True, slots=True)
class Cells:
    """What may become labels, one entry each; rows that hold none have an empty one.

    Parameters
    ----------
    cells
        By key, n cells.
    position
        ndarray of int64, shape (n,): see `Block.position`.
    row
        ndarray of int64, shape (n,): the row of the block, ascending.
    number
        ndarray of int64, shape (n,): which of its row's labels, from 0.
    is_there
        ndarray of bool, shape (n,): False for the entries of rows that hold no label.
    broken
        Entries with JSON that is none, or a path with several ends.
    """

    cells: Mapping[str, pa.Array]
    position: np.ndarray
    row: np.ndarray
    number: np.ndarray
    is_there: np.ndarray
    broken: Sequence[Broken] = field(default_factory=tuple)

    def __len__(self) -> int:
        return len(self.position)

    def slice(self, start: int, stop: int) -> Cells:
        """Return some of the entries."""
        return Cells(
            {key: cells.slice(start, stop - start) for key, cells in self.cells.items()},
            self.position[start:stop],
            self.row[start:stop],
            self.number[start:stop],
            self.is_there[start:stop],
            [
                Broken(one.entry - start, one.rule, one.place, one.value, one.expected)
                for one in self.broken
                if start <= one.entry < stop
            ],
        )


def cells_of(block: Block, plan: Plan, nulls: Sequence[str]) -> Cells:
    """Return the entries of a block.

    Parameters
    ----------
    block
        Rows.
    plan
        Where everything stands.
    nulls
        Words that stand for nothing, within JSON too.
    """
    whole = {key: block.cells[p.column] for key, p in plan.places.items() if p.is_cell}
    n = block.cells.num_rows
    deep = {key: place for key, place in plan.places.items() if not place.is_cell}
    if not deep and plan.each is None:
        rows = np.arange(n)
        return Cells(whole, block.position, rows, np.zeros(n, np.int64), np.ones(n, bool))
    taken = _Taken(block, plan, deep)
    for row in range(n):
        taken.row(row)
    row_of = np.array(taken.row_of, np.int64)
    found = {key: column.take(pa.array(row_of)) for key, column in whole.items()}
    found |= {
        key: without_nulls(pa.array(texts, pa.string()), nulls)
        for key, texts in taken.texts.items()
    }
    return Cells(
        found,
        block.position[row_of],
        row_of,
        np.array(taken.number, np.int64),
        np.array(taken.is_there, bool),
        taken.broken,
    )


class _Taken:
    """Entries as they come out of rows."""

    def __init__(self, block: Block, plan: Plan, deep: Mapping[str, Place]) -> None:
        self._plan = plan
        self._within = {key: p for key, p in deep.items() if p.column is None}
        self._beside = {key: p for key, p in deep.items() if p.column is not None}
        opened = {p.column for p in (*self._beside.values(), plan.each) if p is not None}
        self._columns = {name: block.cells[name].to_pylist() for name in opened if name is not None}
        self.texts: dict[str, list[str | None]] = {key: [] for key in deep}
        self.row_of: list[int] = []
        self.number: list[int] = []
        self.is_there: list[bool] = []
        self.broken: list[Broken] = []

    def row(self, row: int) -> None:
        """Take in a row."""
        first = len(self.row_of)
        documents: dict[str, object] = {}
        for name, cells in self._columns.items():
            try:
                documents[name] = None if cells[row] is None else decoded(cells[row])
            except ValueError as exc:
                place = next(
                    p for p in (*self._beside.values(), self._plan.each) if p and p.column == name
                )
                self._break(first, "not-json", place, cells[row], f"JSON: {exc}")
        elements = self._elements(documents)
        is_empty = not elements
        for key, place in self._beside.items():
            text = self._one(first, place, documents.get(str(place.column)))
            self.texts[key] += [text] * max(len(elements), 1)
        for number, element in enumerate(elements or [None]):
            for key, place in self._within.items():
                self.texts[key].append(self._one(first + number, place, element))
            self.row_of.append(row)
            self.number.append(number)
            self.is_there.append(not is_empty)

    def _elements(self, documents: Mapping[str, object]) -> list[object]:
        each = self._plan.each
        if each is None:
            return [None]
        found = walk(documents.get(str(each.column)), each.steps)
        return [one for value in found for one in (value if isinstance(value, list) else [value])]

    def _one(self, entry: int, place: Place, value: object) -> str | None:
        found = walk(value, place.steps)
        if len(found) > 1:
            self._break(entry, "several-values", place, text_of(found), "one value, or each:")
            return None
        return text_of(found[0]) if found else None

    def _break(self, entry: int, rule: str, place: Place, value: str | None, expected: str) -> None:
        self.broken.append(Broken(entry, rule, place, value or "", expected))
