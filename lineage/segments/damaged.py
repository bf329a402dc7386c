"""Parquet files of which some bytes are wrong: read as far as they can be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lineage.errors import StoreFault

# whatever changed bytes make of a file: Arrow raises each of these
_UNREADABLE = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError)


def read_groups(path: Path) -> Iterator[tuple[int, pa.Table | StoreFault]]:
    """Yield every row group of a file: its first row, and its rows.

    A group of which some columns cannot be read comes as those that can, one of which none can as the
    fault.

    Raises
    ------
    StoreFault
        ``segment-unreadable``: not even the file's table of contents can be read.
    """
    try:
        file = pq.ParquetFile(path)
    except _UNREADABLE as exc:
        raise _fault(path, exc) from exc
    with file:
        first = 0
        for group in range(file.num_row_groups):
            yield first, _group(file, group, path)
            first += file.metadata.row_group(group).num_rows


def _group(file: pq.ParquetFile, group: int, path: Path) -> pa.Table | StoreFault:
    try:
        rows = file.read_row_group(group)
        rows.validate(full=True)
        return rows
    except _UNREADABLE as exc:
        fault = _fault(path, exc)
    columns = {}
    for name in file.schema_arrow.names:
        with suppress(*_UNREADABLE):
            column = file.read_row_group(group, columns=[name])
            column.validate(full=True)
            columns[name] = column[name]
    return pa.table(columns) if columns else fault


def _fault(path: Path, exc: BaseException) -> StoreFault:
    return StoreFault(
        "segment-unreadable", f"no readable Parquet: {exc}", hint="dvc checkout", where=str(path)
    )
