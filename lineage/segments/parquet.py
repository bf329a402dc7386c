"""Parquet, in the one recorded way; nothing else in the house knows the format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.parquet import ParquetWriter as ParquetWriter

from lineage.errors import StoreFault

_READ_ROWS = 131_072


def parquet_writer(path: Path, schema: pa.Schema) -> ParquetWriter:
    """Open a Parquet file for writing in the one recorded way (`WRITER_SETTINGS`)."""
    words = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    doubles = [field.name for field in schema if pa.types.is_floating(field.type)]
    return ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=3,
        use_dictionary=words,
        use_byte_stream_split=doubles,
        write_statistics=True,
        version="2.6",
    )


def writer_fingerprint() -> dict[str, str]:
    """Return what the bytes of a Parquet file depend on besides its rows."""
    return {
        "pyarrow": pa.__version__,
        "compression": "zstd-3",
        "encoding": "dictionary, byte-stream-split",
    }


def read_parquet(
    path: Path, wanted: Sequence[str] | None = None, *, assets: np.ndarray | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a Parquet file.

    Parameters
    ----------
    path
        The file.
    wanted
        Columns; None for all.
    assets
        ndarray of int64, ascending: row groups that can hold none of these are passed over, as their
        statistics tell; what is left may hold others too. None for every row.

    Raises
    ------
    StoreFault
        ``segment-missing`` or ``segment-unreadable``: the file is not there or no Parquet.
    """
    with _opened(path) as file:
        names = None if wanted is None else list(wanted)
        groups = None if assets is None else _groups_with(file, assets)
        for batch in file.iter_batches(batch_size=_READ_ROWS, columns=names, row_groups=groups):
            yield batch if names is None else batch.select(names)


def _groups_with(file: pq.ParquetFile, assets: np.ndarray) -> list[int]:
    """Return the row groups whose range of assets holds one of some."""
    at = file.schema_arrow.get_field_index("asset")
    found = []
    for group in range(file.num_row_groups):
        told = file.metadata.row_group(group).column(at).statistics
        if (
            told is None
            or not told.has_min_max
            or np.searchsorted(assets, told.min) < np.searchsorted(assets, told.max, side="right")
        ):
            found.append(group)
    return found


def row_groups(path: Path) -> list[int]:
    """Return the number of rows of every row group.

    Raises
    ------
    StoreFault
        ``segment-missing`` or ``segment-unreadable``.
    """
    with _opened(path) as file:
        return [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]


def read_row_group(path: Path, group: int, wanted: Sequence[str]) -> pa.Table:
    """Return columns of one row group.

    Raises
    ------
    StoreFault
        ``segment-missing`` or ``segment-unreadable``.
    """
    with _opened(path) as file:
        return file.read_row_group(group, columns=list(wanted)).select(list(wanted))


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except FileNotFoundError as exc:
        raise StoreFault("segment-missing", f"no file {path}", hint="dvc pull") from exc
    except (pa.ArrowException, OSError) as exc:
        raise StoreFault(
            "segment-unreadable",
            f"no readable Parquet: {exc}",
            hint="dvc checkout",
            where=str(path),
        ) from exc
