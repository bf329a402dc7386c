"""Who was asked, and how far every image is: what holds of roster and completeness.

Both are histories like all else: the newest row of a key holds. They answer two
questions that labels cannot: whether an image without labels was looked at, and
whether one with labels has all of them. An image of which nobody spoke is in
neither; it is never taken for a negative.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.activities.select import Selector, is_word
from lineage.calc import state
from lineage.segments import TABLES, Ledger
from lineage.terms import COMPLETENESS_BY_WEIGHT

UNFINISHED, FINISHED = COMPLETENESS_BY_WEIGHT[:3], COMPLETENESS_BY_WEIGHT[3:]


def roster(ledger: Ledger, batches: Sequence[str], up_to: int) -> pa.Table:
    """Return what became of every image that somebody was asked to label.

    Returns
    -------
    pa.Table
        ``asset, annotator, batch, presence``, a row for each (asset, annotator, batch), of
        ``batches``; of all where there are none.
    """
    return _newest(ledger, "roster", ("asset", "annotator", "batch"), ("presence",), batches, up_to)


def completeness(ledger: Ledger, batches: Sequence[str], up_to: int) -> pa.Table:
    """Return how far every image is.

    Returns
    -------
    pa.Table
        ``asset, class, batch, state, reason``, a row for each (asset, class, batch), of
        ``batches``; of all where there are none.
    """
    keys, values = ("asset", "class", "batch"), ("state", "reason")
    return _newest(ledger, "completeness", keys, values, batches, up_to)


def chosen(rows: pa.Table, selector: Selector) -> pa.Table:
    """Return the rows of `completeness` that a selector's batches, assets and classes let through.

    Its other words are about labels; rows of a whole image pass whatever the classes.
    """
    mask = np.ones(rows.num_rows, bool)
    of_image = rows["class"].is_null().to_numpy()
    if selector.batches:
        mask &= is_word(one(rows["batch"]), selector.batches)
    if selector.exclude_batches:
        mask &= ~is_word(one(rows["batch"]), selector.exclude_batches)
    if selector.assets:
        mask &= np.isin(rows["asset"].to_numpy(), selector.assets)
    if selector.classes:
        mask &= of_image | is_word(one(rows["class"]), selector.classes)
    if selector.exclude_classes:
        mask &= of_image | ~is_word(one(rows["class"]), selector.exclude_classes)
    return rows.filter(pa.array(mask))


def named(rows: pa.Table, facts: pa.Table) -> pa.Table:
    """Return rows of `completeness` as `columns.DATASET_COMPLETENESS`, the split left empty.

    Parameters
    ----------
    rows
        What `completeness` returned.
    facts
        ``asset`` and ``name`` of every image, by asset, ascending.

    Returns
    -------
    pa.Table
        Sorted by asset name, batch and class; the row of the whole image stands first.
    """
    at = np.searchsorted(facts["asset"].to_numpy(), rows["asset"].to_numpy())
    place = np.empty(facts.num_rows, np.int64)
    place[np.asarray(pc.sort_indices(facts["name"]))] = np.arange(facts.num_rows)
    order = np.lexsort((_rank(rows["class"]), _rank(rows["batch"]), place[at]))
    taken = rows.take(pa.array(order))
    values: dict[str, object] = {
        name: taken[name] for name in ("class", "state", "reason", "batch")
    }
    values |= {"asset": facts["name"].take(pa.array(at[order])), "split": ""}
    batch = columns.batch_of(columns.DATASET_COMPLETENESS, values, taken.num_rows)
    return pa.Table.from_batches([batch])


def counted(rows: pa.Table) -> dict[str, int]:
    """Return the number of images in each state.

    An image of several batches counts once, by the state that weighs most; one of which its tool
    speaks only class by class is not counted.
    """
    images = rows.filter(rows["class"].is_null())
    weight = codes(one(images["state"]), COMPLETENESS_BY_WEIGHT)
    order = np.argsort(weight, kind="stable")
    heaviest = order[state.newest(images["asset"].to_numpy()[order])]
    n = np.bincount(weight[heaviest], minlength=len(COMPLETENESS_BY_WEIGHT))
    return {word.value: int(n[code]) for code, word in enumerate(COMPLETENESS_BY_WEIGHT) if n[code]}


def counted_by_batch(rows: pa.Table) -> dict[str, dict[str, int]]:
    """Return, per batch, the number of images in each state, in the terms of `counted`."""
    images = rows.filter(rows["class"].is_null())
    batch = one(images["batch"])
    tags = batch.dictionary.to_pylist()
    weight = codes(one(images["state"]), COMPLETENESS_BY_WEIGHT)
    key = np.asarray(batch.indices).astype(np.int64) * len(COMPLETENESS_BY_WEIGHT) + weight
    n = np.bincount(key, minlength=len(tags) * len(COMPLETENESS_BY_WEIGHT)).reshape(
        -1, len(COMPLETENESS_BY_WEIGHT)
    )
    return {
        tag: {
            word.value: int(k) for word, k in zip(COMPLETENESS_BY_WEIGHT, n[at], strict=True) if k
        }
        for at, tag in enumerate(tags)
    }


def codes(column: pa.DictionaryArray, values: Sequence[str]) -> np.ndarray:
    """Return, per row, the index of its word in ``values``, -1 where it is null or not there."""
    listed = pa.array([str(value) for value in values], pa.string())
    found = pc.index_in(column.dictionary, listed).fill_null(-1)
    return np.asarray(found.take(column.indices).fill_null(-1))


def one(column: pa.ChunkedArray) -> pa.Array:
    """Return a column of a combined table as one array."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def numbers(column: pa.ChunkedArray) -> np.ndarray:
    """Return a column of integers, or of words by their place in the dictionary, -1 for none."""
    array = one(column)
    if pa.types.is_dictionary(array.type):
        array = array.indices.fill_null(-1)
    return np.asarray(array)


def _newest(
    ledger: Ledger,
    table: str,
    keys: Sequence[str],
    values: Sequence[str],
    batches: Sequence[str],
    up_to: int,
) -> pa.Table:
    wanted = (*keys, *values)
    schema = pa.schema([TABLES[table].field(name) for name in wanted])
    read = _of_batches(ledger.scan(table, wanted, up_to=up_to), batches)
    rows = pa.Table.from_batches(read, schema).unify_dictionaries().combine_chunks()
    return rows.take(pa.array(state.newest(*(numbers(rows[name]) for name in keys))))


def _of_batches(read: Iterator[pa.RecordBatch], tags: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for batch in read:
        yield batch.filter(pa.array(is_word(batch["batch"], tags))) if tags else batch


def _rank(column: pa.ChunkedArray) -> np.ndarray:
    words = one(column)
    return codes(words, sorted(words.dictionary.to_pylist()))
