"""What became of every annotation, held against a loop."""

from __future__ import annotations

import tracemalloc
from zlib import crc32

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage import columns
from lineage.calc.changes import Pairs, changes, counted_by

ROW = st.tuples(
    st.sampled_from(["car", "dog"]),
    st.sampled_from(["box", "polygon"]),
    st.sampled_from([None, [[0.0, 1.0]], [[0.0, 2.0]], [[0.0], [1.0]]]),
    st.sampled_from([1.0, 2.0]),
    st.sampled_from(["{}", '{"a":1}']),
    st.sampled_from(["submitted", "final"]),
    st.integers(1, 2),
)
SIDE = st.dictionaries(st.integers(1, 8), ROW, max_size=8)


def table(rows: dict[int, tuple[object, ...]]) -> pa.Table:
    numbers, values = list(rows), list(rows.values())
    given = {
        "asset": "a.png",
        "annotation": numbers,
        # a revision says all but the stage
        "revision": [crc32(repr((n, row[:5], row[6])).encode()) for n, row in rows.items()],
        "class": [row[0] for row in values],
        "kind": [row[1] for row in values],
        "geometry": [row[2] for row in values],
        "x_min": [row[3] for row in values],
        "attributes": [row[4] for row in values],
        "stage": [row[5] for row in values],
        "annotator": "a-1",
        "schema": "s@1.0",
        "batch": "b1",
        "origin": "human",
        "split": "",
    }
    return pa.Table.from_batches([columns.batch_of(columns.DATASET, given, len(rows))])


def naive(old: dict[int, tuple[object, ...]], new: dict[int, tuple[object, ...]]) -> dict[int, str]:
    found = {}
    for key in old.keys() | new.keys():
        before, after = old.get(key), new.get(key)
        if before is None or after is None:
            found[key] = "added" if before is None else "retracted"
        elif before[0] != after[0]:
            found[key] = "reclassed"
        elif before[1:4] != after[1:4]:
            found[key] = "moved"
        elif before[4] != after[4]:
            found[key] = "attributes"
        elif before[5] != after[5]:
            found[key] = "restaged"
    return found


@given(SIDE, SIDE)
@settings(max_examples=40)
def test_every_change_is_told_once_by_its_weight(
    old: dict[int, tuple[object, ...]], new: dict[int, tuple[object, ...]]
) -> None:
    found = changes(table(old), table(new))
    expected = naive(old, new)
    rows = found.table.to_pylist()
    assert {row["annotation"]: row["change"] for row in rows} == expected
    assert found.counts["n_unchanged"] == len(old.keys() & new.keys()) - sum(
        word not in ("added", "retracted") for word in expected.values()
    )
    for counted in counted_by(found).values():
        n = sum(value for row in counted for name, value in row.items() if name.startswith("n_"))
        assert n == len(rows)


def test_pairs_may_be_given_in_place_of_numbers() -> None:
    old = {
        1: ("car", "box", None, 1.0, "{}", "final", 1),
        2: ("dog", "box", None, 1.0, "{}", "final", 1),
    }
    new = {7: old[2], 8: ("car", "box", None, 2.0, "{}", "final", 1)}
    pairs = Pairs(np.array([1, 0]), np.array([0, 1]), np.array([False, True]))
    found = changes(table(old), table(new), pairs)
    assert (found.counts["n_moved"], found.counts["n_unchanged"]) == (1, 1)
    row = found.table.to_pylist()[0]
    assert (row["annotation"], row["identity"]) == (8, "ambiguous")


def test_shapes_are_compared_without_leaving_whole_columns() -> None:
    """100,000 polygons on either side, each with a revision of its own: no list of Python floats."""
    n = 100_000
    rng = np.random.default_rng(1)
    offsets = np.arange(0, 16 * n + 1, 16, dtype=np.int32)
    parts = pa.ListArray.from_arrays(pa.array(offsets), pa.array(rng.uniform(0, 9, 16 * n)))
    geometry = pa.ListArray.from_arrays(pa.array(np.arange(n + 1, dtype=np.int32)), parts)
    words = {name: "x" for name in ("asset", "annotator", "schema", "batch", "stage", "class")}
    words |= {"kind": "polygon", "attributes": "{}", "origin": "human", "split": ""}
    sides = [
        pa.Table.from_batches(
            [
                columns.batch_of(
                    columns.DATASET,
                    {
                        **words,
                        "annotation": np.arange(n),
                        "revision": np.arange(n) + k,
                        "geometry": geometry,
                    },
                )
            ]
        )
        for k in (0, n)
    ]
    tracemalloc.start()
    found = changes(*sides)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.counts["n_unchanged"] == n
    assert peak < 80e6
