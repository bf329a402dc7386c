"""How far images are, as an import tells it, becomes rows of the ledger.

Several chunks and files may speak of one image and class: the answer that weighs
most holds (`terms.COMPLETENESS_BY_WEIGHT`). Only what differs from the record is written.
An answer that labels belie is put right, and counted as a violation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.activities import coverage
from lineage.calc import state
from lineage.labelschema import LabelSchema
from lineage.terms import COMPLETENESS_BY_WEIGHT, Completeness

SPOOLED = pa.schema(
    [
        pa.field("asset", pa.int64(), nullable=False),  # index into Spool.assets
        pa.field("class", columns.WORD),
        pa.field("state", columns.WORD, nullable=False),
        pa.field("reason", pa.string()),
        pa.field("source", columns.WORD),  # file; null: an earlier import
    ]
)
"""How far an image is, as a file says: the image by index, the class resolved."""

Living = Callable[[np.ndarray], tuple[np.ndarray, pa.StringArray]]
"""Gives, of the images with these keys, people's labels that hold after an import: key and class."""

_STATES = pa.array([word.value for word in COMPLETENESS_BY_WEIGHT], pa.string())
_NOT_STARTED, _SKIPPED, _IN_PROGRESS, _EMPTY, _COMPLETE = range(len(COMPLETENESS_BY_WEIGHT))


def resolved(
    schema: LabelSchema,
    said: pa.RecordBatch,
    numbers: Callable[[pa.Array], np.ndarray],
    *,
    source: str,
) -> tuple[pa.RecordBatch, list[pa.RecordBatch]]:
    """Return what a reader says in the schema's classes, and what cannot be.

    Parameters
    ----------
    schema
        The rules.
    said
        `columns.COMPLETENESS`.
    numbers
        Gives images' numbers by name.
    source
        What violations call the file.

    Returns
    -------
    pa.RecordBatch
        `SPOOLED`.
    list of pa.RecordBatch
        `columns.VIOLATIONS`.
    """
    given = said["class"].dictionary_encode()
    found = [schema.resolved_class(name) for name in given.dictionary.to_pylist()]
    class_ = pa.array(found, pa.string()).take(given.indices)
    is_class = np.asarray(pc.or_(pc.is_null(said["class"]), pc.is_valid(class_)))
    is_state = np.asarray(pc.is_in(said["state"], _STATES))
    values = {
        "asset": numbers(said["asset"]),
        "class": class_,
        "state": said["state"],
        "reason": said["reason"],
        "source": source,
    }
    rows = columns.batch_of(SPOOLED, values, said.num_rows)
    classes = f"one of {', '.join(list(schema.classes)[:20])}"
    return rows.filter(pa.array(is_class & is_state)), [
        _refused(said.filter(pa.array(~is_class)), "class", "unknown-class", classes, source),
        _refused(
            said.filter(pa.array(~is_state)),
            "state",
            "unknown-state",
            f"one of {', '.join(Completeness)}",
            source,
        ),
    ]


def settled(said: Iterator[pa.RecordBatch], keys: np.ndarray) -> pa.Table:
    """Return what an import says of each image and class, once.

    Parameters
    ----------
    said
        Batches of `SPOOLED`.
    keys
        ndarray of int64: the ledger's key of every image by number.

    Returns
    -------
    pa.Table
        `SPOOLED` with keys for numbers, a row for each (asset, class): of several the one that
        weighs most, and of those the last; one with a reason goes before one without.
    """
    rows = pa.Table.from_batches(said, SPOOLED).unify_dictionaries().combine_chunks()
    asset = keys[rows["asset"].to_numpy()]
    order = np.lexsort((rows["reason"].is_valid().to_numpy(), _weight(rows)))
    held = order[state.newest(asset[order], coverage.numbers(rows["class"])[order])]
    return rows.set_column(0, SPOOLED.field("asset"), pa.array(asset)).take(pa.array(np.sort(held)))


def without_weak(known: pa.Table, told: pa.Table) -> pa.Table:
    """Return what an import that is not whole may say: it speaks for its own files only.

    Its "not started" and "skipped" take nothing from an image that somebody answered for.
    """
    rows, key = _together(known, told)
    weight = _weight(rows)
    at = state.row_of(key[: known.num_rows], key[known.num_rows :])
    was = np.where(at < 0, _NOT_STARTED, weight[at])
    return told.filter(pa.array((weight[known.num_rows :] > _SKIPPED) | (was <= _SKIPPED)))


def news(
    known: pa.Table, told: pa.Table, *, refused: np.ndarray, living: Living
) -> tuple[pa.Table, pa.Table]:
    """Return what an import adds to the completeness of a batch.

    Parameters
    ----------
    known
        What holds so far (`coverage.completeness`).
    told
        What the import says (`settled`).
    refused
        Keys of images of which the import had to refuse something.
    living
        Which labels there are.

    Returns
    -------
    pa.Table
        ``asset, class, state, reason``: the rows that are new.
    pa.Table
        ``asset, class, source``: what was called empty and has labels. It is complete.

    Notes
    -----
    An image that is called finished, and of which nothing came in because something was refused, is
    in progress: its labels are not here, so it must not pass for a negative.
    """
    rows, key = _together(known, told)
    before = state.row_of(key[: known.num_rows], key)
    held = state.newest(key)
    weight, rows, before = _weight(rows), rows.take(pa.array(held)), before[held]
    was, now = np.where(before < 0, -1, weight[before]), weight[held]
    asset = rows["asset"].to_numpy()
    is_doubtful = (held >= known.num_rows) & (now >= _EMPTY) & np.isin(asset, refused)
    has_labels = _has_labels(rows, is_doubtful | (now == _EMPTY), living)
    is_belied = has_labels & (now == _EMPTY)
    now = np.where(is_doubtful & ~has_labels, _IN_PROGRESS, np.where(is_belied, _COMPLETE, now))
    old_reason = known["reason"].take(pa.array(before, mask=before < 0))
    is_other = pc.not_equal(rows["reason"].fill_null(""), old_reason.fill_null(""))
    is_new = (now != was) | is_other.to_numpy()
    words = pa.DictionaryArray.from_arrays(pa.array(now.astype(np.int32)), _STATES)
    place = rows.schema.get_field_index("state")
    found = rows.set_column(place, SPOOLED.field("state"), words)
    return found.filter(pa.array(is_new)), rows.filter(pa.array(is_belied))


def contradictions(belied: pa.Table, names: Mapping[int, str], *, elsewhere: str) -> pa.RecordBatch:
    """Return what was called empty and has labels, as violations.

    Parameters
    ----------
    belied
        What `news` returned second.
    names
        Of its images, by key.
    elsewhere
        What to call the source of an answer that an earlier import gave.
    """
    rows = [{**row, "asset": names[row["asset"]]} for row in belied.to_pylist()]
    values = {
        "source": [row["source"] or elsewhere for row in rows],
        "asset": [row["asset"] for row in rows],
        "path": "/completeness/state",
        "rule": "completeness-contradicts",
        "value": Completeness.COMPLETE_EMPTY.value,
        "expected": [f"no label of {row['class'] or 'any class'} by a person" for row in rows],
        "label": _as_json(rows),
    }
    return columns.batch_of(columns.VIOLATIONS, values, len(rows))


def _together(known: pa.Table, told: pa.Table) -> tuple[pa.Table, np.ndarray]:
    earlier = known.append_column(SPOOLED.field("source"), pa.nulls(known.num_rows, columns.WORD))
    both = [table.select(SPOOLED.names).cast(SPOOLED) for table in (earlier, told)]
    rows = pa.concat_tables(both).unify_dictionaries().combine_chunks()
    return rows, state.composed(rows["asset"].to_numpy(), coverage.numbers(rows["class"]))


def _has_labels(rows: pa.Table, is_asked: np.ndarray, living: Living) -> np.ndarray:
    """Tell which of the rows asked for are of an image, or of a class on it, that has labels."""
    found = np.zeros(rows.num_rows, bool)
    if not is_asked.any():
        return found
    asset = rows["asset"].to_numpy()
    labelled, words = living(np.unique(asset[is_asked]))
    class_ = coverage.numbers(rows["class"])
    names = coverage.one(rows["class"]).dictionary
    label_class = np.asarray(pc.index_in(words, names).fill_null(len(names)))
    key = state.composed(np.append(asset, labelled), np.append(class_, label_class))
    of_class = np.isin(key[: len(asset)], key[len(asset) :])
    return is_asked & np.where(class_ < 0, np.isin(asset, labelled), of_class)


def _refused(
    rows: pa.RecordBatch, column: str, rule: str, expected: str, source: str
) -> pa.RecordBatch:
    values = {
        "source": source,
        "asset": rows["asset"],
        "path": f"/completeness/{column}",
        "rule": rule,
        "value": rows[column],
        "expected": expected,
        "label": _as_json(rows.to_pylist()),
    }
    return columns.batch_of(columns.VIOLATIONS, values, rows.num_rows)


def _as_json(rows: Sequence[Mapping[str, object]]) -> list[str]:
    kept = [{name: row[name] for name in row if row[name] is not None} for row in rows]
    return [json.dumps(row, sort_keys=True, ensure_ascii=False) for row in kept]


def _weight(rows: pa.Table) -> np.ndarray:
    return coverage.codes(coverage.one(rows["state"]), COMPLETENESS_BY_WEIGHT)
