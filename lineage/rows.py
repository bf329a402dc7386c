"""Record batches from plain values, in the schema that they must have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

WORD = pa.dictionary(pa.int32(), pa.string())
"""A string drawn from few distinct values."""


def batch_of(
    schema: pa.Schema, values: Mapping[str, object], n_rows: int | None = None
) -> pa.RecordBatch:
    """Make a record batch of ``schema`` from lists, arrays or single values.

    Parameters
    ----------
    schema
        One of the schemas of `lineage.columns`.
    values
        Per column a sequence, NumPy array or Arrow array of ``n_rows`` values, or one scalar
        that holds for every row. A column left out is null throughout.
    n_rows
        Needed only where every value is a scalar.

    Raises
    ------
    ValueError
        A name is not in ``schema``, lengths differ, or a non-nullable column has a null.
    """
    unknown = sorted(set(values) - set(schema.names))
    if unknown:
        raise ValueError(f"no such columns: {unknown}; expected some of {schema.names}")
    n = _length(values) if n_rows is None else n_rows
    arrays = [_array(field, values.get(field.name), n) for field in schema]
    for field, array in zip(schema, arrays, strict=True):
        if len(array) != n:
            raise ValueError(f"column {field.name!r} has {len(array)} values, expected {n}")
        if not field.nullable and array.null_count:
            raise ValueError(f"column {field.name!r} has {array.null_count} nulls, expected none")
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def empty(schema: pa.Schema) -> pa.RecordBatch:
    """Return a record batch of ``schema`` without rows."""
    return batch_of(schema, {}, 0)


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, (str, bytes, int, float, bool, pa.Scalar))


def _length(values: Mapping[str, object]) -> int:
    for value in values.values():
        if not _is_scalar(value) and isinstance(value, (Sequence, pa.Array)):
            return len(value)
        if not _is_scalar(value) and hasattr(value, "__len__"):
            return len(value)
    raise ValueError("n_rows is needed where every value is a scalar")


def _array(field: pa.Field, value: Any, n: int) -> pa.Array:
    kind = field.type
    if value is None:
        return pa.nulls(n, kind)
    if pa.types.is_dictionary(kind):
        return _words(value, n)
    if _is_scalar(value):
        scalar = value if isinstance(value, pa.Scalar) else pa.scalar(value, kind)
        return pa.repeat(scalar.cast(kind), n)
    if isinstance(value, pa.ChunkedArray):
        value = value.combine_chunks()
    if isinstance(value, pa.Array):
        return value if value.type == kind else value.cast(kind)
    return pa.array(value, kind)


def _words(value: Any, n: int) -> pa.DictionaryArray:
    if _is_scalar(value):
        text = value.as_py() if isinstance(value, pa.Scalar) else str(value)
        indices = pa.repeat(pa.scalar(0, pa.int32()), n)
        return pa.DictionaryArray.from_arrays(indices, pa.array([text], pa.string()))
    if isinstance(value, pa.ChunkedArray):
        value = value.combine_chunks()
    if isinstance(value, pa.DictionaryArray):
        return value if value.type == WORD else value.cast(WORD)
    array = value if isinstance(value, pa.Array) else pa.array(value, pa.string())
    return array.cast(pa.string()).dictionary_encode()
