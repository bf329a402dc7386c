"""Where the rows of a CSV file begin and end: whole rows, block by block, with their line numbers.

Arrow parses faster than anything here could, and does not say on which line a row stands. So blocks
are cut at the ends of rows here (quotes hold line breaks in), and parsed one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from lineage.errors import BadInput

MAX_ROW_BYTES = 64 << 20
_QUOTE, _LF, _CR = b'"\n\r'


@dataclass(frozen=True, slots=True)
class Rows:
    """Whole rows.

    Parameters
    ----------
    data
        Their bytes.
    offset
        Of the first of them in the file.
    start
        ndarray of int64: where each row begins in ``data``, empty lines left out.
    line
        ndarray of int64: on which line of the file, from 1.
    has_breaks
        Whether a cell holds a line break.
    """

    data: bytes
    offset: int
    start: np.ndarray
    line: np.ndarray
    has_breaks: bool

    def split(self, n_rows: int) -> tuple[bytes, Rows]:
        """Return the bytes of the first rows, and the other rows."""
        at = int(self.start[n_rows]) if n_rows < len(self.start) else len(self.data)
        rest = Rows(
            self.data[at:],
            self.offset + at,
            self.start[n_rows:] - at,
            self.line[n_rows:],
            self.has_breaks,
        )
        return self.data[:at], rest


def whole_rows(
    file: BinaryIO, where: str, *, delimiter: str, line: int, block_bytes: int
) -> Iterator[Rows]:
    """Yield the rows of a file from where it stands.

    Parameters
    ----------
    file
        At the beginning of a row.
    where
        The file, for messages.
    delimiter
        What stands between cells.
    line
        Number of the line it stands at.
    block_bytes
        How much to read at once.

    Raises
    ------
    BadInput
        ``unreadable-table``: the file ends within quotes; ``element-too-large``.
    """
    held, offset = b"", file.tell()
    while True:
        block = file.read(block_bytes)
        data = held + block
        if not data:
            return
        is_end = not block
        marks = _marks(data, delimiter.encode(), is_end=is_end)
        if is_end and marks.is_open:
            raise BadInput(
                "unreadable-table",
                f"the file ends within quotes that a row on line {line + marks.n_lines_closed:,} opens",
                hint="the file is cut off, or a quote stands alone",
                where=where,
            )
        cut = len(data) if is_end else int(marks.ends[-1]) + 1 if len(marks.ends) else 0
        if cut:
            yield _rows(data[:cut], marks, offset, line)
            line += int(np.searchsorted(marks.breaks, cut))
        held, offset = data[cut:], offset + cut
        if len(held) > MAX_ROW_BYTES:
            raise BadInput(
                "element-too-large",
                f"the row on line {line:,} is longer than {MAX_ROW_BYTES >> 20} MiB",
                hint="a quote that stands alone makes one row of many",
                where=where,
            )


@dataclass(frozen=True, slots=True)
class _Marks:
    """Line breaks, those of them that end rows, and whether quotes are open at the end."""

    breaks: np.ndarray
    ends: np.ndarray
    is_open: bool

    @property
    def n_lines_closed(self) -> int:
        """Line breaks up to the end of the last whole row."""
        return (
            int(np.searchsorted(self.breaks, self.ends[-1], side="right")) if len(self.ends) else 0
        )


def _marks(data: bytes, delimiter: bytes, *, is_end: bool) -> _Marks:
    signs = np.frombuffer(data, np.uint8)
    breaks = np.flatnonzero(signs == _LF)
    if b"\r" in data:
        alone = np.flatnonzero(signs == _CR)
        if not is_end and signs[-1] == _CR:
            # whether a line feed follows is in the next block
            alone = alone[:-1]
        following = signs[np.minimum(alone + 1, len(signs) - 1)]
        breaks = np.union1d(breaks, alone[(following != _LF) | (alone == len(signs) - 1)])
    if b'"' not in data:
        return _Marks(breaks, breaks, False)
    opened, closed = _quoted(signs, np.flatnonzero(signs == _QUOTE), delimiter[0])
    n_opened = np.searchsorted(opened, breaks)
    n_closed = np.searchsorted(closed, breaks)
    return _Marks(breaks, breaks[n_opened == n_closed], len(opened) > len(closed))


def _quoted(signs: np.ndarray, quotes: np.ndarray, delimiter: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where quotes open and close; a quote within a cell that has none is a sign like others."""
    before = signs[np.maximum(quotes - 1, 0)]
    is_first = (before == delimiter) | (before == _LF) | (before == _CR) | (quotes == 0)
    follows = np.zeros(len(quotes), bool)
    follows[1:] = np.diff(quotes) == 1
    if (is_first | follows)[0::2].all():
        return quotes[0::2], quotes[1::2]
    opened, closed = [], []
    places, first, n = quotes.tolist(), is_first.tolist(), len(quotes)
    at = 0
    while at < n:
        if first[at]:
            opened.append(places[at])
            at += 1
            while at + 1 < n and places[at + 1] == places[at] + 1:
                at += 2
            if at < n:
                closed.append(places[at])
        at += 1
    return np.array(opened, np.int64), np.array(closed, np.int64)


def _rows(data: bytes, marks: _Marks, offset: int, line: int) -> Rows:
    signs = np.frombuffer(data, np.uint8)
    ends = marks.ends[: np.searchsorted(marks.ends, len(data))]
    start = np.concatenate([[0], ends + 1])
    if start[-1] == len(data):
        start = start[:-1]
    stop = np.append(ends, len(data))[: len(start)]
    is_bare = (stop == start) | ((stop == start + 1) & (signs[start] == _CR))
    number = line + np.searchsorted(marks.breaks, start)
    has_breaks = len(marks.breaks) > len(marks.ends)
    return Rows(data, offset, start[~is_bare], number[~is_bare], has_breaks)
