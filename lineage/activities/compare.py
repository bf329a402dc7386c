"""Two dataset versions whose annotations have lost their numbers: which label is which.

Labels are paired by content (`calc.matching`), those of one annotator on one image first, then,
whoever made them, those of one image.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities.prior import content_of, shared_codes
from lineage.calc import matching
from lineage.calc.changes import Pairs
from lineage.calc.matching import Pairing, Side

_ROWS = 131_072


def pairs_of(old: pa.Table, new: pa.Table) -> Pairs:
    """Return which label of a version is which of another, by content.

    Parameters
    ----------
    old, new
        `columns.DATASET`.
    """
    assets, annotators, classes, kinds = (
        _codes(old[name], new[name]) for name in ("asset", "annotator", "class", "kind")
    )
    n_people = int(max(codes.max(initial=0) for codes in annotators)) + 1
    sides = [
        Side(
            group=assets[i] * n_people + annotators[i],
            class_code=classes[i].astype(np.int32),
            kind_code=kinds[i].astype(np.int32),
            box=_boxes(table),
            content=_contents(table),
        )
        for i, table in enumerate((old, new))
    ]
    pairing = Pairing(*sides)
    matching.exact(pairing)
    matching.by_overlap(pairing)
    matching.by_exclusion(pairing)
    every = np.arange(len(sides[0])), np.arange(len(sides[1]))
    matching.regrouped(pairing, assets, every)
    found = np.flatnonzero(pairing.of_new >= 0)
    return Pairs(pairing.of_new[found], found, pairing.is_ambiguous[found])


def _codes(old: pa.ChunkedArray, new: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    return shared_codes(*(_words(side) for side in (old, new)))


def _words(column: pa.ChunkedArray) -> pa.DictionaryArray:
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    return column.unify_dictionaries().combine_chunks()


def _boxes(table: pa.Table) -> np.ndarray:
    sides = [table[name].fill_null(float("nan")).to_numpy() for name in columns.BOX]
    return np.stack(sides, axis=1)


def _contents(table: pa.Table) -> np.ndarray:
    parts = [content_of(batch) for batch in table.to_batches(max_chunksize=_ROWS)]
    return np.concatenate([np.empty(0, np.uint64), *parts])
