"""Joint counts of a version's labels: how many of each annotator, batch, schema, class and stage together.

A version never changes, so its counts are made once and kept in ``.lineage/cache/cells``, beside the store.
They may be deleted at any time. A file whose total is not the version's is not believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.activities import runs_rows
from lineage.activities.context import Project
from lineage.columns import WORD
from lineage.errors import LineageError
from lineage.segments import parquet_writer, read_parquet

DIMENSIONS = ("annotator", "batch", "schema", "class", "stage", "kind", "origin")
_CELLS = pa.schema(
    [*(pa.field(name, WORD, nullable=False) for name in DIMENSIONS), pa.field("n", pa.int64())]
)


def cells(
    project: Project, manifest: Mapping[str, object], pinned: Mapping[str, object]
) -> pa.Table:
    """Return the joint counts of what a run consumed.

    Parameters
    ----------
    project
        An open project.
    manifest
        Of the run's version.
    pinned
        The run's pin: its subset counts, where it has one.

    Returns
    -------
    pa.Table
        `DIMENSIONS` and ``n``, a row for each combination that occurs.
    """
    subset = cast(Mapping[str, object] | None, pinned["subset"])
    told = manifest if subset is None else subset
    total = cast(int, told["n_annotations"])
    folder = project.root / ".lineage" / "cache" / "cells"
    path = folder / f"{told['digest']}.parquet"
    if path.is_file():
        try:
            known = pa.Table.from_batches(read_parquet(path), _CELLS)
        except (LineageError, pa.ArrowInvalid, KeyError):
            known = _CELLS.empty_table()
        if pc.sum(known["n"]).as_py() == total:
            return known
    found = counted(runs_rows.consumed(project, manifest, pinned))
    folder.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".new")
    with parquet_writer(aside, _CELLS) as writer:
        writer.write_table(found)
    aside.replace(path)
    return found


def counted(rows: Iterable[pa.RecordBatch]) -> pa.Table:
    """Return the joint counts of batches of `columns.DATASET`."""
    parts = [
        pa.table([batch[name].cast(pa.string()) for name in DIMENSIONS], names=list(DIMENSIONS))
        .append_column("n", pa.array(np.ones(batch.num_rows, np.int64)))
        .group_by(list(DIMENSIONS))
        .aggregate([("n", "sum")])
        for batch in rows
    ]
    if not parts:
        return _CELLS.empty_table()
    whole = pa.concat_tables(parts).group_by(list(DIMENSIONS)).aggregate([("n_sum", "sum")])
    return (
        whole.rename_columns({"n_sum_sum": "n"}).select(_CELLS.names).cast(_CELLS).combine_chunks()
    )
