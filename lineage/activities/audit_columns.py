"""The rows of a segment's part as the store has them, and where two such tables differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.store.append import short_leaves
from lineage.store.blocks import TABLES

STORED: Mapping[str, tuple[str, ...]] = {
    "assets": ("asset", "asset_fact"),
    "revisions": ("annotation", "revision"),
    "roster": ("roster",),
    "completeness": ("completeness",),
    "stages": ("stage_event",),
    "verdicts": ("verdict",),
    "gold": ("gold",),
    "draws": ("draw",),
}
"""The store's tables that each part fills; what is quarantined stands in segments only."""

KEYED = {"asset": "asset", "annotation": "annotation", "revision": "revision"}
"""Tables whose rows the ledger numbers, and the column of the number."""


def as_stored(table: str, batch: pa.RecordBatch, leaves: Sequence[bytes]) -> pa.RecordBatch:
    """Return a part's rows as one of the store's tables has them.

    Parameters
    ----------
    table
        A name of `lineage.store.blocks.TABLES`.
    batch
        Rows of the part that fills it.
    leaves
        Their leaf hashes.
    """
    if table == "asset":
        batch = batch.filter(batch["is_new"])
    elif table == "annotation":
        batch = batch.filter(pc.equal(batch["operation"].cast(pa.string()), "add"))
    schema = TABLES[table]
    arrays = [
        pa.array(short_leaves(leaves)) if name == "content" else batch[name].cast(kind)
        for name, kind in zip(schema.names, schema.types, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def differing(left: pa.RecordBatch, right: pa.RecordBatch) -> tuple[np.ndarray, list[str]]:
    """Tell which rows of two equally long batches differ, and in which columns.

    Returns
    -------
    tuple
        ndarray of bool, shape (n_rows,), and names. A leaf hash that the right side never had is no
        difference.
    """
    mask, names = np.zeros(left.num_rows, bool), []
    for name in left.schema.names:
        one, other = left[name], right[name]
        if one.equals(other):
            continue
        is_same = pc.equal(one, other).fill_null(False)
        both = pc.and_(one.is_null(), other.is_null())
        same = np.asarray(pc.or_(is_same, both))
        if name == "content":
            same = same | np.asarray(other.is_null())
        if not same.all():
            names.append(name)
            mask |= ~same
    return mask, names


def values(batch: pa.RecordBatch, row: int, names: Sequence[str]) -> str:
    """Return some of a row's values for eyes."""
    told = ((name, batch[name][row].as_py()) for name in names if name != "content")
    return ", ".join(f"{name} {_told(value)}" for name, value in told) or "its leaf hash"


def _told(value: object) -> str:
    if isinstance(value, str) and value.startswith("\x00"):
        return f"<{value[1:]}>"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
