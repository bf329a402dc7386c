"""What became of every annotation between two sets of labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.calc.shapes import unequal
from lineage.terms import Change, Identity

_CODES = tuple(Change)
_BY = ("annotator", "class", "batch", "schema", "stage")
_SHAPE = ("kind", *columns.BOX, "geometry")
_TOLD = ("annotation", "asset", "annotator", "batch", "schema", "stage", "revision", "class")
_BLOCK_ROWS = 131_072


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


@dataclass(frozen=True, slots=True)
class Pairs:
    """Which label of one side is which of the other.

    Parameters
    ----------
    index_old, index_new
        ndarrays of int64, shape (n,): rows; no row twice.
    is_ambiguous
        ndarray of bool, shape (n,): another pairing would have been almost as good; None where pairs
        rest on annotations' numbers.
    """

    index_old: np.ndarray
    index_new: np.ndarray
    is_ambiguous: np.ndarray | None = None


def by_number(old: pa.Table, new: pa.Table) -> Pairs:
    """Pair the labels of two sets by the number of their annotation."""
    _, index_old, index_new = np.intersect1d(
        old["annotation"].to_numpy(),
        new["annotation"].to_numpy(),
        assume_unique=True,
        return_indices=True,
    )
    return Pairs(index_old, index_new)


def changes(old: pa.Table, new: pa.Table, pairs: Pairs | None = None) -> Changes:
    """Compare two sets of labels.

    Parameters
    ----------
    old, new
        Columns of `columns.DATASET` from asset to stage; one row an annotation.
    pairs
        Which label is which; by annotations' numbers where it is left out.

    Notes
    -----
    Revisions never change, so two rows with one revision can differ by stage alone; only pairs
    of different revisions are compared by value. Of several changes, the class weighs more
    than the place, the place more than attributes, attributes more than the stage.
    """
    found = by_number(old, new) if pairs is None else pairs
    rows_old, rows_new = found.index_old, found.index_new
    differs = old["revision"].to_numpy()[rows_old] != new["revision"].to_numpy()[rows_new]
    pieces = [
        _compared(old, new, found, differs),
        _one_sided(old, _others(old.num_rows, rows_old), Change.RETRACTED),
        _one_sided(new, _others(new.num_rows, rows_new), Change.ADDED),
    ]
    table = pa.concat_tables(pieces).unify_dictionaries().combine_chunks().sort_by("annotation")
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


def _others(n: int, rows: np.ndarray) -> np.ndarray:
    is_left = np.ones(n, bool)
    is_left[rows] = False
    return np.flatnonzero(is_left)


def _compared(old: pa.Table, new: pa.Table, pairs: Pairs, differs: np.ndarray) -> pa.Table:
    """Return the pairs that changed; ``differs`` tells which are to be compared by value."""
    touched = np.flatnonzero(differs)
    rows_old, rows_new = pairs.index_old[touched], pairs.index_new[touched]
    reclassed, moved, reattributed = (np.zeros(len(differs), bool) for _ in range(3))
    reclassed[touched] = _unequal(old["class"], new["class"], rows_old, rows_new)
    reattributed[touched] = _unequal(old["attributes"], new["attributes"], rows_old, rows_new)
    for name in _SHAPE:
        moved[touched] |= _unequal(old[name], new[name], rows_old, rows_new)
    restaged = _unequal(old["stage"], new["stage"], pairs.index_old, pairs.index_new)
    order = (Change.RECLASSED, Change.MOVED, Change.ATTRIBUTES, Change.RESTAGED)
    masks = (reclassed, moved, reattributed, restaged)
    code = np.full(len(differs), _CODES.index(Change.UNCHANGED))
    for change, mask in reversed(list(zip(order, masks, strict=True))):
        code[mask] = _CODES.index(change)
    rows = np.flatnonzero(code != _CODES.index(Change.UNCHANGED))
    identity = None
    if pairs.is_ambiguous is not None:
        words = np.where(pairs.is_ambiguous[rows], Identity.AMBIGUOUS, Identity.CONTENT)
        identity = pa.array(words.astype(str), pa.string())
    return _table(
        old.select(_TOLD).take(pa.array(pairs.index_old[rows])),
        new.select(_TOLD).take(pa.array(pairs.index_new[rows])),
        code[rows],
        tuple(mask[rows] for mask in masks),
        identity,
    )


def _one_sided(side: pa.Table, rows: np.ndarray, change: Change) -> pa.Table:
    taken = side.select(_TOLD).take(pa.array(rows))
    code = np.full(len(rows), _CODES.index(change))
    masks = tuple(np.zeros(len(rows), bool) for _ in range(4))
    before, after = (taken, None) if change is Change.RETRACTED else (None, taken)
    return _table(before, after, code, masks)


def _table(
    before: pa.Table | None,
    after: pa.Table | None,
    code: np.ndarray,
    masks: tuple[np.ndarray, ...],
    identity: pa.Array | None = None,
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
        "identity": identity,
    }
    return pa.Table.from_batches([columns.batch_of(columns.DIFF, values, len(code))])


def _unequal(
    a: pa.ChunkedArray, b: pa.ChunkedArray, rows_a: np.ndarray, rows_b: np.ndarray
) -> np.ndarray:
    if pa.types.is_list(a.type):
        parts = [np.empty(0, bool)]
        for start in range(0, len(rows_a), _BLOCK_ROWS):
            at = slice(start, start + _BLOCK_ROWS)
            pair = (side.take(pa.array(rows[at])) for side, rows in ((a, rows_a), (b, rows_b)))
            parts.append(unequal(*(side.combine_chunks() for side in pair)))
        return np.concatenate(parts)
    if pa.types.is_dictionary(a.type):
        both = pa.chunked_array([*a.chunks, *b.chunks], a.type).unify_dictionaries()
        codes = np.asarray(both.combine_chunks().indices.fill_null(-1))
        return codes[: len(a)][rows_a] != codes[len(a) :][rows_b]
    left, right = a.take(pa.array(rows_a)), b.take(pa.array(rows_b))
    one_null = np.asarray(pc.xor(pc.is_null(left), pc.is_null(right)))
    return np.asarray(pc.not_equal(left, right).fill_null(False)).astype(bool) | one_null
