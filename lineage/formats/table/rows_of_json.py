"""NDJSON, and arrays of objects: every value as the text it stands as, so ``33.10`` stays that."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.errors import BadInput
from lineage.formats import json_lines, json_stream
from lineage.formats.json_stream import Odd
from lineage.formats.table.mapping import TableMapping
from lineage.formats.table.source import BLOCK_ROWS, Block, Misfit, without_nulls

_LOOK_ROWS = 1_000
_ROWS = BLOCK_ROWS // 4
_MAX_BYTES = (1 << 31) - 1
_NULL = msgspec.Raw(b"null")
_Row = dict[str, msgspec.Raw]


class JsonRows:
    """Rows of a file of JSON objects; keys that only later rows have are columns too."""

    is_open = True

    def __init__(self, path: Path, mapping: TableMapping) -> None:
        self._path = path
        self._mapping = mapping
        self._seen: dict[str, None] = {}
        _, rows = self._rows()
        self._learn([row for _, row in islice(rows, _LOOK_ROWS) if not isinstance(row, Odd)])
        if not self._seen:
            raise BadInput(
                "unreadable-table",
                "found no object with a key, expected a JSON object for every row",
                hint="check --format",
                where=str(path),
            )

    @property
    def columns(self) -> Sequence[str]:
        """Keys seen so far."""
        return tuple(self._seen)

    def blocks(self, wanted: Sequence[str], numbers: Sequence[str]) -> Iterator[Block]:
        """Yield all rows; see `source.Source`.

        Raises
        ------
        BadInput
            ``unreadable-json``, ``not-utf8``, ``too-deep``, ``element-too-large``.
        """
        first, rows = self._rows()
        while found := list(islice(rows, _ROWS)):
            position, good, misfits = _sorted_out(found, first)
            self._learn(good)
            cells = []
            for name, values in zip(wanted, _columns(good, wanted), strict=True):
                array = without_nulls(self._texts(values), self._mapping.nulls)
                cells.append(_numbers(array) if name in numbers else array)
            batch = pa.RecordBatch.from_arrays(cells, names=list(wanted))
            yield Block(batch, np.array(position, np.int64) + first, misfits)

    def _rows(self) -> tuple[int, Iterator[tuple[int, _Row | Odd]]]:
        """Return what the first row's place is called, and all rows, each with its place from 0."""
        with self._path.open("rb") as file:
            head = file.read(65_536).removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
        if not head.startswith(b"["):
            return 1, json_lines.elements(self._path, _Row)
        span = json_stream.top_level(self._path)[""]
        groups = json_stream.iter_groups(self._path, span)
        return 0, (
            placed
            for index, group in groups
            for placed in enumerate(json_stream.decode_group(group, _Row, self._path, index), index)
        )

    def _learn(self, rows: Sequence[_Row]) -> None:
        """Take in the keys of rows, in the order in which they come."""
        if set[str]().union(*rows) <= self._seen.keys():
            return
        for row in rows:
            self._seen.update(dict.fromkeys(row))

    def _texts(self, values: Sequence[msgspec.Raw]) -> pa.Array:
        """Return raw JSON as cells: strings as they read, null as null, the rest as it stands."""
        if not values:
            return pa.array([], pa.string())
        # no JSON value holds a NUL, so one join tells where each begins
        joined = b"\0".join(values)
        ends = np.flatnonzero(np.frombuffer(joined, np.uint8) == 0)
        if len(ends) != len(values) - 1 or len(joined) > _MAX_BYTES:
            raise BadInput(
                "unreadable-json",
                "a value holds a NUL, or values are too long to be cells",
                hint="this is no table of labels",
                where=str(self._path),
            )
        ends = ends - np.arange(len(ends))
        flat = joined.replace(b"\0", b"")
        offsets = np.concatenate([[0], ends, [len(flat)]]).astype(np.int32)
        raw = pa.StringArray.from_buffers(len(values), pa.py_buffer(offsets), pa.py_buffer(flat))
        try:
            raw.validate(full=True)
        except pa.ArrowInvalid as exc:
            raise BadInput(
                "not-utf8", str(exc), hint="save the file as UTF-8", where=str(self._path)
            ) from exc
        is_text = pc.starts_with(raw, '"')
        cells = pc.if_else(is_text, pc.utf8_slice_codeunits(raw, 1, -1), raw)
        is_null = np.asarray(pc.equal(raw, "null"))
        is_escaped = np.asarray(pc.and_(is_text, pc.match_substring(raw, "\\")))
        if is_escaped.any():
            read = [
                msgspec.json.decode(values[at], type=str)
                for at in np.flatnonzero(is_escaped).tolist()
            ]
            cells = pc.replace_with_mask(cells, pa.array(is_escaped), pa.array(read, pa.string()))
        return pc.if_else(pa.array(is_null), pa.scalar(None, pa.string()), cells)


def _sorted_out(
    found: Sequence[tuple[int, _Row | Odd]], first: int
) -> tuple[list[int], list[_Row], list[Misfit]]:
    """Return the rows that are objects, their places, and the others."""
    rows = [row for _, row in found]
    if Odd not in set(map(type, rows)):
        return [place for place, _ in found], cast(list[_Row], rows), []
    places, good, misfits = [], [], []
    for place, given in found:
        row = _without_nan(given)
        if isinstance(row, Odd):
            misfits.append(Misfit(place + first, "element", row.problem, "a JSON object", row.text))
        else:
            places.append(place)
            good.append(row)
    return places, good, misfits


def _without_nan(row: _Row | Odd) -> _Row | Odd:
    """Read a row that Python wrote: its NaN is no JSON, and stands for nothing."""
    if not isinstance(row, Odd):
        return row
    document = json.loads(row.text)
    if not isinstance(document, dict):
        return row
    return {key: msgspec.Raw(msgspec.json.encode(value)) for key, value in document.items()}


def _columns(rows: Sequence[_Row], names: Sequence[str]) -> Sequence[Sequence[msgspec.Raw]]:
    """Return the values of some keys, column by column."""
    try:
        # one key by itself would come without a tuple around it
        taken = map(itemgetter(*names, names[0]), rows)
        return list(zip(*taken, strict=True))[: len(names)] or [()] * len(names)
    except KeyError:
        # some row lacks some key
        return [[row.get(name, _NULL) for row in rows] for name in names]


def _numbers(cells: pa.Array) -> pa.Array:
    try:
        return cells.cast(pa.float64())
    except pa.ArrowInvalid:
        return cells
