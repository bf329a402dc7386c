"""A data set image by image, in order of names: what every writer of one file walks along."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

Row = Mapping[str, object]
_SLICE_ROWS = 16_384


def images(labels: pa.Table, assets: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return images by name, those that only labels mention too.

    Parameters
    ----------
    labels, assets
        `columns.DATASET`, `columns.DATASET_ASSETS`, in any order.
    names
        Columns wanted besides ``asset``, of those that both have.

    Returns
    -------
    pa.Table
        ``asset`` and ``names``, words as plain strings.
    """
    known = pc.is_in(labels["asset"], value_set=assets["asset"].combine_chunks())
    others = labels.filter(pc.invert(known))
    plain = [
        pa.table({name: _plain(table[name]) for name in ("asset", *names)})
        for table in (assets, others)
    ]
    grouped = pa.concat_tables(plain).group_by("asset", use_threads=False)
    found = grouped.aggregate([(name, "first") for name in names])
    return found.rename_columns({f"{name}_first": name for name in names}).sort_by("asset")


def rows(table: pa.Table) -> Iterator[Row]:
    """Yield the rows of a table, a slice in memory at a time."""
    names = table.column_names
    for start in range(0, table.num_rows, _SLICE_ROWS):
        piece = table.slice(start, _SLICE_ROWS)
        for values in zip(*(_values(piece[name]) for name in names), strict=True):
            yield dict(zip(names, values, strict=True))


def _values(column: pa.ChunkedArray) -> list[object]:
    values = column.combine_chunks()
    if not pa.types.is_dictionary(values.type):
        return list(values.to_pylist())
    # one string for each distinct value, not for each row
    words = [*values.dictionary.to_pylist(), None]
    return [words[code] for code in values.indices.fill_null(len(words) - 1).to_pylist()]


class ByImage:
    """Rows of a table, taken image by image.

    Parameters
    ----------
    table
        With a column ``asset``, sorted by it.
    """

    def __init__(self, table: pa.Table) -> None:
        self._rows = rows(table)
        self._next = next(self._rows, None)

    def take(self, name: str) -> list[Row]:
        """Return the rows of an image; images are asked for in rising order."""
        found: list[Row] = []
        while self._next is not None and str(self._next["asset"]) <= name:
            if self._next["asset"] == name:
                found.append(self._next)
            self._next = next(self._rows, None)
        return found


def of_labels(labels: pa.Table) -> ByImage:
    """Return labels for taking, those of an image by annotation."""
    return ByImage(labels.sort_by([("asset", "ascending"), ("annotation", "ascending")]))


def of_completeness(said: pa.Table) -> ByImage:
    """Return rows of `columns.DATASET_COMPLETENESS` for taking; see `ordered`."""
    return ByImage(ordered(said))


def ordered(said: pa.Table) -> pa.Table:
    """Return rows of `columns.DATASET_COMPLETENESS` by image, batch and class, as plain strings."""
    plain = pa.table({name: _plain(said[name]) for name in said.column_names})
    return plain.sort_by([(name, "ascending") for name in ("asset", "batch", "class")])


def moment_text(at: object) -> str | None:
    """Return a value of ``labelled_at`` as ISO 8601 UTC, None where there is none.

    Examples
    --------
    >>> from datetime import UTC
    >>> moment_text(datetime(2026, 3, 2, 10, tzinfo=UTC))
    '2026-03-02T10:00:00.000000Z'
    """
    # as Arrow gives it, in UTC: half the time that formatting takes
    return f"{at.isoformat(timespec='microseconds')[:26]}Z" if isinstance(at, datetime) else None


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
