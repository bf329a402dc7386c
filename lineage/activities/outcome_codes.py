"""Labels and predictions as the arrays that detections are matched by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.calc.detections import Objects, objects

_CROWD = r'"is_?crowd"\s*:\s*(?:1|true)\b'


@dataclass(frozen=True, slots=True)
class Coded:
    """Images and classes that several tables share, by number.

    Parameters
    ----------
    assets, classes
        Names, in order: what a code is the place of.
    """

    assets: pa.Array
    classes: pa.Array

    def objects(self, table: pa.Table, is_crowd: np.ndarray | None = None) -> Objects:
        """Return a table's rows as `Objects`; scores where it has any."""
        box = [np.asarray(table[name].fill_null(np.nan), np.float64) for name in columns.BOX]
        return objects(
            self._codes(table["asset"], self.assets),
            self._codes(table["class"], self.classes),
            np.column_stack(box) if len(table) else np.zeros((0, 4)),
            score=np.asarray(table["score"]) if "score" in table.column_names else None,
            is_crowd=is_crowd,
        )

    def _codes(self, column: pa.ChunkedArray, names: pa.Array) -> np.ndarray:
        return np.asarray(pc.index_in(column.cast(pa.string()), names), np.int64)


def coded(tables: Sequence[pa.Table]) -> Coded:
    """Return the images and classes of tables, numbered in the order of their names."""
    found = []
    for name in ("asset", "class"):
        parts = [pc.unique(one[name].cast(pa.string()).combine_chunks()) for one in tables]
        words = pc.unique(pa.concat_arrays([pa.array([], pa.string()), *parts]))
        found.append(words.take(pc.array_sort_indices(words)))
    return Coded(*found)


def truth_of(labels: pa.Table, names: Coded) -> Objects:
    """Return labels as `Objects`; a crowd is what its attributes call one."""
    told = pc.match_substring_regex(labels["attributes"].cast(pa.string()), _CROWD)
    return names.objects(labels, np.asarray(told.fill_null(False), bool))


def likeliest(predictions: pa.Table, asset: pa.Array) -> pa.Array:
    """Return for each image the class of the highest score, null where nothing is predicted.

    Notes
    -----
    Of equal scores the class that comes first by name.
    """
    plain = pa.table(
        {
            "asset": predictions["asset"].cast(pa.string()),
            "class": predictions["class"].cast(pa.string()),
            "score": predictions["score"],
        }
    )
    order = [("asset", "ascending"), ("score", "descending"), ("class", "ascending")]
    ranked = plain.take(pc.sort_indices(plain, order))
    names = ranked["asset"].combine_chunks()
    first = pc.index_in(asset, value_set=names)  # the first of each image is its likeliest
    return ranked["class"].combine_chunks().take(first)
