"""CSV and its kin: whole rows of a block to Arrow, every one with its line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from lineage.errors import BadInput
from lineage.formats.table.mapping import TableMapping
from lineage.formats.table.row_ends import Rows, whole_rows
from lineage.formats.table.source import Block, Misfit, unique

BLOCK_BYTES = 4 << 20
_BOM = b"\xef\xbb\xbf"
_WIDE = (b"\xff\xfe", b"\xfe\xff")


class Sheet:
    """Rows of a text file whose cells stand between delimiters."""

    is_open = False

    def __init__(self, path: Path, mapping: TableMapping) -> None:
        self._path = path
        self._mapping = mapping
        self._where = str(path)
        self._names: tuple[str, ...] = mapping.header or ()
        with path.open("rb") as file:
            rows = next(self._rows(file, 1 << 16), None)
        if rows is None or len(rows.start) == 0:
            raise BadInput(
                "unreadable-table",
                "found no row, expected one with the columns' names",
                hint="the file is empty",
                where=self._where,
            )
        if mapping.header is None:
            text = self._decoded(rows.split(1)[0], rows.offset)
            self._names = self._header(text)
        self._names = unique(self._names, self._where)

    @property
    def columns(self) -> Sequence[str]:
        """Names of the columns."""
        return self._names

    def blocks(self, wanted: Sequence[str], numbers: Sequence[str]) -> Iterator[Block]:
        """Yield all rows; see `source.Source`.

        Raises
        ------
        BadInput
            ``not-utf8``, ``unreadable-table``, ``element-too-large``.
        """
        is_first = self._mapping.header is None
        with self._path.open("rb") as file:
            for rows in self._rows(file, BLOCK_BYTES):
                if is_first and len(rows.start):
                    rows = rows.split(1)[1]
                    is_first = False
                if len(rows.start):
                    yield self._block(rows, wanted, numbers)

    def _header(self, text: str) -> tuple[str, ...]:
        try:
            row = next(csv.reader(io.StringIO(text, newline=""), delimiter=self._mapping.delimiter))
        except csv.Error as exc:
            raise BadInput(
                "unreadable-table",
                f"no readable names of columns: {exc}",
                hint="is delimiter: in the mapping the one of the file?",
                where=self._where,
            ) from exc
        return tuple(cell.strip() for cell in row)

    def _rows(self, file: BinaryIO, block_bytes: int) -> Iterator[Rows]:
        head = file.read(4)
        if head[:2] in _WIDE or b"\x00" in head:
            raise BadInput(
                "not-utf8",
                "the file is UTF-16 or UTF-32",
                hint="save it as UTF-8",
                where=self._where,
            )
        file.seek(len(_BOM) if head.startswith(_BOM) else 0)
        for _ in range(self._mapping.skip_rows):
            file.readline(1 << 20)
        return whole_rows(
            file,
            self._where,
            delimiter=self._mapping.delimiter,
            line=1 + self._mapping.skip_rows,
            block_bytes=block_bytes,
        )

    def _decoded(self, data: bytes, offset: int) -> str:
        try:
            return data.decode(self._mapping.encoding)
        except UnicodeDecodeError as exc:
            seen = f"byte {offset + exc.start:,} is {data[exc.start]:#04x}"
            raise BadInput(
                "not-utf8",
                f"{seen}, expected {self._mapping.encoding}",
                hint="if it is, encoding: latin-1 or windows-1252 in the mapping; else save it as UTF-8",
                where=self._where,
            ) from exc

    def _block(self, rows: Rows, wanted: Sequence[str], numbers: Sequence[str]) -> Block:
        data = rows.data
        if not data.isascii():
            text = self._decoded(data, rows.offset)
            data = data if self._mapping.encoding == "utf-8" else text.encode()
        misfits: list[Misfit] = []
        try:
            table = self._parsed(data, rows, wanted, numbers)
        except pa.ArrowInvalid:
            # some cell of these is no number; which one is found when they are looked at as text
            table = self._parsed(data, rows, wanted)
        position = rows.line
        if table.num_rows != len(position):
            odd: list[pa_csv.InvalidRow] = []
            table = self._parsed(data, rows, wanted, odd=odd)
            at = np.array([row.number - 1 for row in odd], np.int64)
            if table.num_rows + len(odd) != len(position):
                raise BadInput(
                    "unreadable-table",
                    f"the rows from line {position[0]:,} on have quotes that can be read in two ways",
                    hint="a cell with a quote in it stands in quotes, and the quote twice",
                    where=self._where,
                )
            misfits = [
                Misfit(
                    int(position[place]),
                    "row-length",
                    f"{row.actual_columns} cells",
                    f"{row.expected_columns} cells, as there are columns",
                    row.text,
                )
                for place, row in zip(at.tolist(), odd, strict=True)
            ]
            position = np.delete(position, at)
        cells = table.combine_chunks().to_batches()
        empty = pa.RecordBatch.from_pylist([], schema=table.schema)
        return Block(cells[0] if cells else empty, position, misfits)

    def _parsed(
        self,
        data: bytes,
        rows: Rows,
        wanted: Sequence[str],
        numbers: Sequence[str] = (),
        *,
        odd: list[pa_csv.InvalidRow] | None = None,
    ) -> pa.Table:
        # Arrow has no use for columns without a name, or two of them
        names = [str(place) for place in range(len(self._names))]
        place_of = {name: str(place) for place, name in enumerate(self._names)}
        kinds = {place_of[n]: pa.float64() if n in numbers else pa.string() for n in wanted}

        def note(row: pa_csv.InvalidRow) -> str:
            if odd is not None:
                odd.append(row)
            return "skip"

        # Arrow takes a byte order mark off whatever it is given; within a file it is a cell's own
        data = _BOM + data if data.startswith(_BOM) else data
        table = pa_csv.read_csv(
            pa.BufferReader(data),
            # the number of an odd row is only told to who reads in one thread
            read_options=pa_csv.ReadOptions(
                column_names=names, block_size=len(data) + 1, use_threads=odd is None
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=self._mapping.delimiter,
                newlines_in_values=rows.has_breaks,
                invalid_row_handler=note,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=kinds,
                include_columns=list(kinds),
                null_values=["", *self._mapping.nulls],
                strings_can_be_null=True,
                decimal_point=self._mapping.decimal,
                check_utf8=False,
            ),
        )
        return table.rename_columns(list(wanted))
