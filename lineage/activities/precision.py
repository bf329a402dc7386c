"""What a format rounds, or has no words for, is no change of a label.

A pair of labels that differs only within its format's precision is the same
label, unchanged; one that was changed keeps what the format cannot say. Shapes are compared in
blocks, so that long geometry of both sides is in memory for a block at a time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.activities.identify import SUPERSEDE, UNCHANGED, Plan
from lineage.activities.prior import Keys, Prior, same_annotator, shared_codes
from lineage.activities.spool import Spool
from lineage.calc.shapes import boxes_within, shapes_within
from lineage.formats import Precision
from lineage.segments import Ledger

_BLOCK_ROWS = 500_000
_LOOSE = 4


@dataclass(frozen=True, slots=True)
class Kept:
    """What superseding revisions keep of their forerunners, because the format cannot say it.

    Parameters
    ----------
    rows
        ndarray of int64, ascending: which of the labels that were read.
    values
        Per column its words, one for each of ``rows``.
    """

    rows: np.ndarray
    values: Mapping[str, pa.DictionaryArray]

    def put(self, labels: pa.RecordBatch, chosen: np.ndarray) -> pa.RecordBatch:
        """Return labels with what is kept; ``chosen`` are their rows, ascending."""
        if len(self.rows) == 0:
            return labels
        at = np.minimum(np.searchsorted(self.rows, chosen), len(self.rows) - 1)
        is_kept = pa.array(self.rows[at] == chosen)
        for name, words in self.values.items():
            position = labels.schema.get_field_index(name)
            own, kept = labels.column(position).cast(pa.string()), words.take(pa.array(at))
            column = pc.if_else(is_kept, kept.cast(pa.string()), own).dictionary_encode()
            labels = labels.set_column(position, labels.schema.field(position), column)
        return labels


NOTHING = Kept(np.empty(0, np.int64), {})
"""What formats keep that can say everything."""


@dataclass(frozen=True, slots=True)
class Compared:
    """The two sides of an import, and how closely its format holds labels.

    Parameters
    ----------
    new, prior
        What a plan was made from.
    spool
        Where the labels that were read lie.
    ledger
        Where the prior ones do.
    precision
        Of the format.
    """

    new: Keys
    prior: Prior
    spool: Spool
    ledger: Ledger
    precision: Precision


def settle(plan: Plan, compared: Compared) -> Plan:
    """Return the plan in which what differs by rounding alone is unchanged."""
    rows, tolerance = _near(plan, compared)
    operation = plan.operation.copy()
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        same = _same(plan.prior, rows[block], tolerance[block], compared)
        operation[rows[block][same]] = UNCHANGED
    return dataclasses.replace(plan, operation=operation)


def kept(plan: Plan, compared: Compared) -> Kept:
    """Return what superseding labels of an unchanged class keep."""
    prior, unsaid = compared.prior, compared.precision.unsaid
    if not unsaid:
        return NOTHING
    rows = np.flatnonzero((plan.operation == SUPERSEDE) & (plan.prior >= 0))
    class_old, class_new = shared_codes(prior.keys.class_, compared.new.class_)
    rows = rows[class_new[rows] == class_old[plan.prior[rows]]]
    table = of_ledger(compared.ledger, prior.compared[plan.prior[rows]], unsaid)
    return Kept(rows, {name: table[name].combine_chunks() for name in unsaid})


def image_of(spool: Spool, rows: np.ndarray) -> np.ndarray:
    """Return the number of the image of each of some labels that were read, rows ascending."""
    parts = [np.asarray(part["asset"]) for part in _of_spool(spool, rows)]
    return np.concatenate([np.empty(0, np.int64), *parts])


def of_ledger(ledger: Ledger, revisions: np.ndarray, wanted: Sequence[str]) -> pa.Table:
    """Return columns of revisions, in the order in which they are given."""
    order = np.argsort(revisions, kind="stable")
    ascending = revisions[order]
    pieces = [pa.schema([columns.REVISIONS.field(name) for name in wanted]).empty_table()]
    for batch in ledger.scan("revisions", ("revision", *wanted)):
        number = np.asarray(batch["revision"])
        if len(number) == 0:
            continue
        first, last = np.searchsorted(ascending, [number[0], number[-1] + 1])
        if first < last:
            at = np.searchsorted(number, ascending[first:last])
            pieces.append(pa.Table.from_batches([batch.take(pa.array(at)).select(list(wanted))]))
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    table = pa.concat_tables(pieces).unify_dictionaries().combine_chunks()
    return table.take(pa.array(back))


def _near(plan: Plan, compared: Compared) -> tuple[np.ndarray, np.ndarray]:
    """Return the changed labels whose class, kind, annotator and hull stayed, and their tolerance."""
    new, old, precision = compared.new, compared.prior.keys, compared.precision
    rows = np.flatnonzero((plan.operation == SUPERSEDE) & (plan.prior >= 0))
    others = plan.prior[rows]
    keep = (new.asset[rows] == old.asset[others]) & same_annotator(old, others, new, rows)
    for name in ("class_", "kind"):
        code_old, code_new = shared_codes(getattr(old, name), getattr(new, name))
        keep &= code_new[rows] == code_old[others]
    rows, others = rows[keep], others[keep]
    tolerance = np.full(len(rows), precision.px)
    if precision.fraction:
        side = np.maximum(*compared.spool.assets.sizes(image_of(compared.spool, rows)))
        tolerance += precision.fraction * np.nan_to_num(side)
    # the hull of a turned box is off by more than its sides are; shapes are compared closely below
    box = new.box[rows]
    arm = np.nan_to_num(np.hypot(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]))
    loose = _LOOSE * tolerance + np.deg2rad(precision.rotation_deg) * arm
    near = boxes_within(box, old.box[others], loose)
    return rows[near], tolerance[near]


def _same(
    prior_row: np.ndarray, rows: np.ndarray, tolerance: np.ndarray, compared: Compared
) -> np.ndarray:
    precision, others = compared.precision, prior_row[rows]
    said = [name for name in ("attributes", "origin") if name not in precision.unsaid]
    wanted = ["kind", "geometry", *said]
    parts = [part.select(wanted) for part in _of_spool(compared.spool, rows)]
    ours = pa.Table.from_batches(parts).unify_dictionaries().combine_chunks()
    theirs = of_ledger(compared.ledger, compared.prior.compared[others], wanted)
    same = np.ones(len(rows), bool)
    for name in said:
        pair = (side[name].cast(pa.string()).combine_chunks() for side in (ours, theirs))
        same &= np.asarray(pc.equal(*pair))
    shape, before = (side["geometry"].combine_chunks() for side in (ours, theirs))
    is_flat = np.asarray(shape.is_null())
    boxes = compared.new.box[rows], compared.prior.keys.box[others]
    same &= ~is_flat | boxes_within(*boxes, tolerance)
    kind = ours["kind"].cast(pa.string()).combine_chunks()
    return same & shapes_within(shape, before, kind, tolerance, precision.rotation_deg)


def _of_spool(spool: Spool, rows: np.ndarray) -> Iterator[pa.RecordBatch]:
    """Yield the labels that were read at some rows, ascending."""
    done = 0
    for labels in spool.labels():
        first, last = np.searchsorted(rows, [done, done + labels.num_rows])
        if first < last:
            yield labels.take(pa.array(rows[first:last] - done))
        done += labels.num_rows
