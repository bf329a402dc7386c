"""Which labels: selectors, and the rows that they choose as of any moment.

Every command that takes ``--batch --annotator --class --stage --schema --asset
--since --until --as-of`` chooses here. Scans read segments, never the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.calc import state
from lineage.segments import Ledger
from lineage.terms import Operation, Stage

_STAGES = [stage.value for stage in Stage]


@dataclass(frozen=True, slots=True)
class Selector:
    """A choice of labels; an empty field does not restrict.

    Parameters
    ----------
    batches, classes, stages, schemas, kinds, origins
        Values; schemas as ``name@version``.
    annotators
        Pseudonyms.
    assets
        Asset keys.
    since, until
        Bounds on ``labelled_at``, aware, half-open; labels without a time are outside.
    """

    batches: tuple[str, ...] = ()
    annotators: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    schemas: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    assets: tuple[int, ...] = ()
    exclude_batches: tuple[str, ...] = ()
    exclude_classes: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    def words(self) -> dict[str, tuple[str, ...]]:
        """Return the restrictions on columns of words, the stage's left out."""
        return {
            "batch": self.batches,
            "annotator": self.annotators,
            "class": self.classes,
            "schema": self.schemas,
            "kind": self.kinds,
            "origin": self.origins,
        }


@dataclass(slots=True)
class LiveState:
    """Which revisions are live at a place in the log, and their stages.

    Parameters
    ----------
    is_live
        ndarray of bool, shape (n_revisions,): by revision number less one.
    stage
        ndarray of int8, shape (n_revisions,): index into `terms.Stage`.
    """

    is_live: np.ndarray
    stage: np.ndarray
    stages: list[str] = field(default_factory=lambda: list(_STAGES))


def live_state(ledger: Ledger, up_to: int) -> LiveState:
    """Compute liveness and stages of every revision as of a place in the log."""
    revisions, superseded, retracts, stages = [], [], [], []
    wanted = ("revision", "supersedes", "operation", "stage")
    for batch in ledger.scan("revisions", wanted, up_to=up_to):
        revisions.append(np.asarray(batch["revision"]))
        superseded.append(np.asarray(batch["supersedes"].fill_null(0)))
        retracts.append(is_word(batch["operation"], [Operation.RETRACT]))
        stages.append(word_codes(batch["stage"], _STAGES))
    if not revisions:
        return LiveState(np.empty(0, bool), np.empty(0, np.int8))
    number = np.concatenate(revisions)
    is_live = state.live(number, np.concatenate(superseded), np.concatenate(retracts))
    events = ledger.read("stages", ("revision", "stage"), up_to=up_to).combine_chunks()
    entry = np.concatenate(stages)
    if events.num_rows:
        event_stage = np.concatenate(
            [word_codes(chunk, _STAGES) for chunk in events["stage"].chunks]
        )
        entry = state.current_stage(number, entry, np.asarray(events["revision"]), event_stage)
    return LiveState(is_live, entry.astype(np.int8))


def scan(
    ledger: Ledger,
    selector: Selector,
    wanted: Sequence[str],
    *,
    up_to: int,
    live: LiveState | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield the live revisions that a selector chooses, in order of revision.

    Parameters
    ----------
    ledger
        Where to read.
    selector
        Which labels.
    wanted
        Columns of `columns.REVISIONS`; ``stage`` is the current one.
    up_to
        Place in the log as of which to ask.
    live
        What `live_state` returned for ``up_to``, where the caller has it already.
    """
    found = live_state(ledger, up_to) if live is None else live
    filters = {name: values for name, values in selector.words().items() if values}
    needed = list(dict.fromkeys([*wanted, "revision", *filters, *_extra_columns(selector)]))
    for batch in ledger.scan("revisions", needed, up_to=up_to):
        row = np.asarray(batch["revision"]) - 1
        mask = found.is_live[row]
        for name, values in filters.items():
            mask = mask & is_word(batch[name], values)
        mask = mask & _bounds(batch, selector)
        codes = found.stage[row]
        if selector.stages:
            mask = mask & np.isin(codes, [_STAGES.index(stage) for stage in selector.stages])
        if "stage" in batch.schema.names:
            position = batch.schema.get_field_index("stage")
            current = pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), _STAGES)
            batch = batch.set_column(position, batch.schema.field("stage"), current)
        if mask.any():
            yield batch.filter(pa.array(mask)).select(list(wanted))


def table(
    ledger: Ledger,
    selector: Selector,
    wanted: Sequence[str],
    *,
    up_to: int,
    live: LiveState | None = None,
) -> pa.Table:
    """Return what `scan` yields as one table with unified dictionaries."""
    from lineage.segments import TABLES

    schema = pa.schema([TABLES["revisions"].field(name) for name in wanted])
    batches = scan(ledger, selector, wanted, up_to=up_to, live=live)
    return pa.Table.from_batches(batches, schema).unify_dictionaries().combine_chunks()


def is_word(column: pa.DictionaryArray, values: Sequence[str]) -> np.ndarray:
    """Tell which rows of a column of words hold one of ``values``."""
    if len(column) == 0:
        return np.empty(0, bool)
    chosen = np.isin(np.array(column.dictionary.to_pylist(), dtype=object), list(values))
    return np.append(chosen, False)[np.asarray(column.indices.fill_null(len(chosen)))]


def word_codes(column: pa.DictionaryArray, values: Sequence[str]) -> np.ndarray:
    """Return, per row, the index of its word in ``values``; every word must be there."""
    codes = np.array([list(values).index(word) for word in column.dictionary.to_pylist()], np.int8)
    return codes[np.asarray(column.indices)]


def _extra_columns(selector: Selector) -> list[str]:
    extra = []
    if selector.assets:
        extra.append("asset")
    if selector.since or selector.until:
        extra.append("labelled_at")
    if selector.exclude_batches:
        extra.append("batch")
    if selector.exclude_classes:
        extra.append("class")
    return extra


def _bounds(batch: pa.RecordBatch, selector: Selector) -> np.ndarray:
    mask = np.ones(batch.num_rows, bool)
    if selector.assets:
        mask &= np.isin(np.asarray(batch["asset"]), selector.assets)
    if selector.since is not None:
        at = pc.greater_equal(
            batch["labelled_at"], pa.scalar(selector.since, batch["labelled_at"].type)
        )
        mask &= np.asarray(at.fill_null(False))
    if selector.until is not None:
        at = pc.less(batch["labelled_at"], pa.scalar(selector.until, batch["labelled_at"].type))
        mask &= np.asarray(at.fill_null(False))
    if selector.exclude_batches:
        mask &= ~is_word(batch["batch"], selector.exclude_batches)
    if selector.exclude_classes:
        mask &= ~is_word(batch["class"], selector.exclude_classes)
    return mask
