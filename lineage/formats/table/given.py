"""What the entries of a chunk give for every field, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.formats.table.answers import Cells
from lineage.formats.table.mapping import Scalar, TableMapping
from lineage.formats.table.plan import Plan

_TEXT = pa.string()
_NUMBER = r"^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$|^[-+]?(?i:nan|inf|infinity)$"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with some entries, each with the value that was seen."""

    rows: np.ndarray
    rule: str
    path: str
    values: Sequence[object]
    expected: str


@dataclass(slots=True)
class Problems:
    """What is wrong with the entries of a chunk.

    Parameters
    ----------
    is_bad
        ndarray of bool, shape (n,): entries that something is wrong with.
    """

    is_bad: np.ndarray
    found: list[Problem] = field(default_factory=list)

    def add(
        self, rows: np.ndarray, rule: str, path: str, values: Sequence[object], expected: str
    ) -> None:
        """Note what is wrong with entries, by their places."""
        if len(rows):
            self.is_bad[rows] = True
            self.found.append(Problem(rows, rule, path, values, expected))


@dataclass(frozen=True, slots=True)
class Words:
    """Texts out of few.

    Parameters
    ----------
    codes
        ndarray of int64, shape (n,): index into ``names``, -1 for none.
    names
        The texts, each once.
    """

    codes: np.ndarray
    names: Sequence[str]

    @property
    def is_given(self) -> np.ndarray:
        """Which entries have one, ndarray of bool, shape (n,)."""
        found: np.ndarray = self.codes >= 0
        return found

    def to_arrow(self) -> pa.DictionaryArray:
        """Return them as `columns.WORD`."""
        codes = self.codes.astype(np.int32)
        indices = pa.array(codes, mask=codes < 0)
        return pa.DictionaryArray.from_arrays(indices, pa.array(self.names, _TEXT))

    def renamed(self, names: Sequence[str | None]) -> Words:
        """Return the same entries under other names, one for each; None for none."""
        kept = [name for name in dict.fromkeys(names) if name is not None]
        if len(kept) == len(names):
            return Words(self.codes, kept)
        place = {name: at for at, name in enumerate(kept)}
        code_of = np.array([*(-1 if n is None else place[n] for n in names), -1])
        return Words(code_of[self.codes], kept)


def one_word(name: str | None, n: int) -> Words:
    """Return n entries that all have one word, or none."""
    return Words(np.full(n, -1 if name is None else 0), [] if name is None else [name])


class Given:
    """The entries of a chunk, field by field.

    Parameters
    ----------
    cells
        The entries.
    mapping, plan
        What is where.
    """

    def __init__(self, cells: Cells, mapping: TableMapping, plan: Plan) -> None:
        self.cells = cells
        self.mapping = mapping
        self.plan = plan
        self.n = len(cells)
        self.problems = Problems(np.zeros(self.n, bool))
        for one in cells.broken:
            rows = np.array([one.entry])
            self.problems.add(rows, one.rule, one.place.told, [one.value], one.expected)

    def has(self, key: str) -> bool:
        """Tell whether a column or a constant gives the field."""
        return key in self.cells.cells or key in self.mapping.constants

    def raw(self, key: str) -> pa.Array | None:
        """Return the cells of a key as the file has them, without its constant."""
        return self.cells.cells.get(key)

    def text(self, key: str) -> pa.Array | None:
        """Return the text of a field, its constant in place of empty cells; None if nothing gives it."""
        cells = self.raw(key)
        constant = self.mapping.constants.get(key)
        if cells is None:
            return None if constant is None else pa.repeat(str(constant), self.n)
        cells = cells if cells.type == _TEXT else cells.cast(_TEXT)
        return cells if constant is None else pc.fill_null(cells, str(constant))

    def words(self, key: str) -> Words:
        """Return the text of a field as words, -1 throughout if nothing gives it."""
        constant = self.mapping.constants.get(key)
        cells = self.raw(key)
        if cells is None:
            return one_word(None if constant is None else str(constant), self.n)
        encoded = (cells if cells.type == _TEXT else cells.cast(_TEXT)).dictionary_encode()
        names = encoded.dictionary.to_pylist()
        none = -1 if constant is None else len(names)
        codes = np.asarray(encoded.indices.fill_null(none)).astype(np.int64)
        if constant is None:
            return Words(codes, names)
        return Words(codes, names).renamed([*names, str(constant)])

    def meant(self, key: str, meaning: Mapping[str, Scalar]) -> Words:
        """Return a field as words, those that the mapping gives another meaning replaced."""
        words = self.words(key)
        return words.renamed([_word(meaning.get(name, name)) for name in words.names])

    def numbers(self, key: str, rows: np.ndarray, *, is_needed: bool = False) -> np.ndarray:
        """Return the numbers of a key, NaN where there is none.

        Parameters
        ----------
        key
            Of the cells.
        rows
            ndarray of bool, shape (n,): entries whose cells matter; what is wrong elsewhere is
            not told.
        is_needed
            Whether an empty cell is wrong.

        Returns
        -------
        ndarray of float64, shape (n,)
        """
        constant = self.mapping.constants.get(key)
        default = np.nan if constant is None else float(constant)
        cells = self.raw(key)
        if cells is None:
            return np.full(self.n, default)
        values, is_unreadable = numbers_of(cells, self.mapping.decimal)
        is_given = np.asarray(pc.is_valid(cells))
        path = self.plan.told(key)
        if is_unreadable.any():
            expected = (
                "a number" if self.mapping.decimal == "." else "a number with a decimal comma"
            )
            self.refuse(is_unreadable & rows, "not-a-number", key, expected)
        is_infinite = is_given & ~is_unreadable & ~np.isfinite(values)
        if is_infinite.any():
            self.refuse(is_infinite & rows, "not-finite", key, "a finite number")
        values = values if is_given.all() else np.where(is_given, values, default)
        if is_needed and np.isnan(default) and not is_given.all():
            at = np.flatnonzero(~is_given & rows)
            self.problems.add(at, "missing-value", path, [""] * len(at), "a number")
        return values

    def refuse(self, rows: np.ndarray, rule: str, key: str, expected: str) -> None:
        """Note that the cells of a key are wrong; ``rows`` is an ndarray of bool, shape (n,)."""
        at = np.flatnonzero(rows)
        cells = self.raw(key)
        seen = (
            [self.mapping.constants.get(key, "")] * len(at)
            if cells is None
            else cells.take(pa.array(at)).to_pylist()
        )
        values = ["" if value is None else value for value in seen]
        self.problems.add(at, rule, self.plan.told(key), values, expected)


def numbers_of(cells: pa.Array, decimal: str) -> tuple[np.ndarray, np.ndarray]:
    """Return cells as float64, NaN where they are none, and which cells are no numbers."""
    if cells.type == pa.float64():
        return np.asarray(cells.fill_null(np.nan)), np.zeros(len(cells), bool)
    texts = cells if cells.type == _TEXT else cells.cast(_TEXT)
    if decimal == ",":
        # a point would be one of thousands, which nobody can tell from a decimal one
        is_odd = np.asarray(pc.match_substring(texts, ".").fill_null(False))
        texts = pc.replace_substring(texts, ",", ".")
    else:
        is_odd = np.zeros(len(texts), bool)
    if not is_odd.any() and (values := _cast(texts)) is not None:
        return values, is_odd
    texts = pc.utf8_trim_whitespace(texts)
    is_number = np.asarray(pc.match_substring_regex(texts, _NUMBER).fill_null(False)) & ~is_odd
    readable = pc.if_else(pa.array(is_number), texts, pa.scalar(None, _TEXT))
    is_given = np.asarray(pc.is_valid(cells))
    return np.asarray(readable.cast(pa.float64()).fill_null(np.nan)), is_given & ~is_number


def _cast(texts: pa.Array) -> np.ndarray | None:
    """Return the numbers that all texts are, None where one is not."""
    try:
        return np.asarray(texts.cast(pa.float64()).fill_null(np.nan))
    except pa.ArrowInvalid:
        return None


def _word(value: Scalar) -> str | None:
    return None if value is None else str(value)
