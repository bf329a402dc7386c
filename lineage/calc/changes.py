"""What became of every annotation between two sets of labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.terms import Change

_CODES = tuple(Change)
_BY = ("annotator", "class", "batch", "schema", "stage")
_SHAPE = ("kind", *columns.BOX, "geometry")


@dataclass(frozen=True, slots=True)
class Changes:
    """A difference.

    Parameters
    ----------
    table
        `columns.DIFF`: the annotations that changed, by number.
    counts
        ``n_added``, ``n_retracted``, ``n_reclassed``, ``n_moved``, ``n_attributes``,
        ``n_restaged``, ``n_unchanged``; each annotation counts once, by its weightiest change.
    """

    table: pa.Table
    counts: Mapping[str, int]


def changes(old: pa.Table, new: pa.Table) -> Changes:
    """Compare two sets of labels by annotation.

    Parameters
    ----------
    old, new
        Columns of `columns.DATASET` from asset to stage; one row an annotation.

    Notes
    -----
    Revisions never change, so two rows with one revision can differ by stage alone; only pairs
    of different revisions are compared by value. Of several changes, the class weighs more
    than the place, the place more than attributes, attributes more than the stage.
    """
    at_old = np.argsort(old["annotation"].to_numpy(), kind="stable")
    at_new = np.argsort(new["annotation"].to_numpy(), kind="stable")
    ids_old, ids_new = old["annotation"].to_numpy()[at_old], new["annotation"].to_numpy()[at_new]
    _, both_old, both_new = np.intersect1d(
        ids_old, ids_new, assume_unique=True, return_indices=True
    )
    rows_old, rows_new = at_old[both_old], at_new[both_new]
    differs = old["revision"].to_numpy()[rows_old] != new["revision"].to_numpy()[rows_new]
    restaged = _unequal(old["stage"], new["stage"], rows_old, rows_new)
    touched = differs | restaged
    kept = _compare(old, new, rows_old[touched], rows_new[touched], restaged[touched])
    gone = np.setdiff1d(np.arange(old.num_rows), rows_old)
    come = np.setdiff1d(np.arange(new.num_rows), rows_new)
    pieces = [kept, _one_sided(old, gone, Change.RETRACTED), _one_sided(new, come, Change.ADDED)]
    table = pa.concat_tables(pieces).unify_dictionaries().combine_chunks()
    table = table.filter(pc.not_equal(table["change"].cast(pa.string()), Change.UNCHANGED.value))
    table = table.sort_by("annotation")
    words = table["change"].cast(pa.string()).to_numpy(zero_copy_only=False)
    counts = {f"n_{c.value}": int((words == c.value).sum()) for c in Change}
    n_common = len(rows_old) - (table.num_rows - counts["n_added"] - counts["n_retracted"])
    return Changes(table, {**counts, "n_unchanged": n_common})


def counted_by(found: Changes) -> dict[str, list[dict[str, object]]]:
    """Count a difference by annotator, class, batch, schema and stage.

    Returns
    -------
    dict
        Per dimension a list of ``{dimension: value, n_added: n, ...}``, most changed first.
    """
    table = found.table.set_column(
        found.table.schema.get_field_index("class_to"),
        "class",
        pc.coalesce(
            found.table["class_to"].cast(pa.string()), found.table["class_from"].cast(pa.string())
        ),
    )
    return {name: _tally(table[name], table["change"], name) for name in _BY}


def _tally(values: pa.ChunkedArray, change: pa.ChunkedArray, name: str) -> list[dict[str, object]]:
    plain = pa.table({name: values.cast(pa.string()), "change": change.cast(pa.string())})
    kinds = [f"n_{change.value}" for change in Change if change is not Change.UNCHANGED]
    found: dict[str, dict[str, int]] = {}
    for row in plain.group_by([name, "change"]).aggregate([([], "count_all")]).to_pylist():
        found.setdefault(row[name], dict.fromkeys(kinds, 0))[f"n_{row['change']}"] = row[
            "count_all"
        ]
    ordered = sorted(found.items(), key=lambda entry: (-sum(entry[1].values()), entry[0]))
    return [{name: value, **n} for value, n in ordered]


def _compare(
    old: pa.Table, new: pa.Table, rows_old: np.ndarray, rows_new: np.ndarray, restaged: np.ndarray
) -> pa.Table:
    before, after = old.take(rows_old), new.take(rows_new)
    every = np.arange(len(rows_old))
    reclassed = _unequal(before["class"], after["class"], every, every)
    reattributed = _unequal(before["attributes"], after["attributes"], every, every)
    moved = np.zeros(len(every), bool)
    for name in _SHAPE:
        moved |= _unequal(before[name], after[name], every, every)
    order = (Change.RECLASSED, Change.MOVED, Change.ATTRIBUTES, Change.RESTAGED)
    masks = (reclassed, moved, reattributed, restaged)
    code = np.full(len(every), _CODES.index(Change.UNCHANGED))
    for change, mask in reversed(list(zip(order, masks, strict=True))):
        code[mask] = _CODES.index(change)
    return _table(before, after, code, masks)


def _one_sided(side: pa.Table, rows: np.ndarray, change: Change) -> pa.Table:
    taken = side.take(rows)
    code = np.full(len(rows), _CODES.index(change))
    masks = tuple(np.zeros(len(rows), bool) for _ in range(4))
    before, after = (taken, None) if change is Change.RETRACTED else (None, taken)
    return _table(before, after, code, masks)


def _table(
    before: pa.Table | None,
    after: pa.Table | None,
    code: np.ndarray,
    masks: tuple[np.ndarray, ...],
) -> pa.Table:
    newest = after if after is not None else before
    if newest is None:
        raise ValueError("a change needs at least one side")
    values = {
        name: newest[name] for name in ("annotation", "asset", "annotator", "batch", "schema")
    }
    values |= {
        "stage": newest["stage"],
        "change": pa.DictionaryArray.from_arrays(
            pa.array(code.astype(np.int32)), [change.value for change in _CODES]
        ),
        "is_reclassed": masks[0],
        "is_moved": masks[1],
        "is_reattributed": masks[2],
        "is_restaged": masks[3],
        "revision_from": None if before is None else before["revision"],
        "revision_to": None if after is None else after["revision"],
        "class_from": None if before is None else before["class"],
        "class_to": None if after is None else after["class"],
    }
    return pa.Table.from_batches([columns.batch_of(columns.DIFF, values, len(code))])


def _unequal(
    a: pa.ChunkedArray, b: pa.ChunkedArray, rows_a: np.ndarray, rows_b: np.ndarray
) -> np.ndarray:
    left, right = a.take(rows_a), b.take(rows_b)
    if pa.types.is_list(left.type):
        pairs = zip(left.to_pylist(), right.to_pylist(), strict=True)
        return np.array([x != y for x, y in pairs], bool)
    if pa.types.is_dictionary(left.type):
        left, right = left.cast(pa.string()), right.cast(pa.string())
    one_null = np.asarray(pc.xor(pc.is_null(left), pc.is_null(right)))
    return np.asarray(pc.not_equal(left, right).fill_null(False)).astype(bool) | one_null
