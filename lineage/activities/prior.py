"""What identity is decided by: labels as they were read, and as they stand on record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.activities.record import UNKNOWN
from lineage.activities.select import LiveState, Selector, live_state, scan, table
from lineage.calc.matching import Side
from lineage.identity import row_hashes
from lineage.segments import Ledger
from lineage.terms import ActivityKind

CONTENT = ("class", "kind", *columns.BOX, "geometry", "attributes", "origin")
"""What makes two labels of one person on one image the same."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What identity is decided by, one row a label.

    Parameters
    ----------
    asset
        ndarray of int64, shape (n,): asset key.
    annotator, class_, kind
        Arrow arrays of n words.
    box
        ndarray of float64, shape (n, 4), px; NaN for whole-image classes.
    content
        ndarray of uint64, shape (n,): hash over `CONTENT`.
    source_id
        Arrow string array of n: the tool's id.
    number
        ndarray of int64, shape (n,): the ledger's own annotation number, 0 where none is given.
    """

    asset: np.ndarray
    annotator: pa.DictionaryArray
    class_: pa.DictionaryArray
    kind: pa.DictionaryArray
    box: np.ndarray
    content: np.ndarray
    source_id: pa.StringArray
    number: np.ndarray

    def __len__(self) -> int:
        """Return the number of labels."""
        return len(self.asset)

    def take(self, rows: np.ndarray) -> Keys:
        """Return the keys of some rows."""
        at = pa.array(rows)
        return Keys(
            self.asset[rows],
            self.annotator.take(at),
            self.class_.take(at),
            self.kind.take(at),
            self.box[rows],
            self.content[rows],
            self.source_id.take(at),
            self.number[rows],
        )


@dataclass(frozen=True, slots=True)
class Prior:
    """The live labels of a batch, as of a place in the log.

    Parameters
    ----------
    keys
        Of the revisions that labels are compared with.
    revision
        ndarray of int64, shape (n,): the live revisions.
    compared
        ndarray of int64, shape (n,), ascending: the revisions that labels are compared with, which
        are those before any migration.
    live
        Which revisions are live.
    """

    keys: Keys
    revision: np.ndarray
    compared: np.ndarray
    live: LiveState

    @property
    def annotation(self) -> np.ndarray:
        """Numbers of the annotations, ndarray of int64."""
        return self.keys.number


def keys_of(batch: pa.RecordBatch, asset: np.ndarray, number: np.ndarray) -> Keys:
    """Return the keys of labels whose columns include `CONTENT`, annotator and source_id.

    Parameters
    ----------
    batch
        The labels.
    asset, number
        As in `Keys`.
    """
    box = np.stack([_floats(batch[name]) for name in columns.BOX], axis=1)
    return Keys(
        asset=np.asarray(asset, np.int64),
        annotator=batch["annotator"],
        class_=batch["class"],
        kind=batch["kind"],
        box=box,
        content=content_of(batch),
        source_id=batch["source_id"],
        number=number,
    )


def join(pieces: Sequence[Keys]) -> Keys:
    """Return the keys of several chunks as one."""
    return Keys(
        asset=np.concatenate([k.asset for k in pieces]),
        annotator=_joined([k.annotator for k in pieces]),
        class_=_joined([k.class_ for k in pieces]),
        kind=_joined([k.kind for k in pieces]),
        box=np.concatenate([k.box for k in pieces]),
        content=np.concatenate([k.content for k in pieces]),
        source_id=pa.concat_arrays([k.source_id for k in pieces]),
        number=np.concatenate([k.number for k in pieces]),
    )


def prior_of(ledger: Ledger, batch: str, up_to: int) -> Prior | None:
    """Return the live labels of a batch as their tool knows them, None where it has none.

    A label that a migration carried to another schema version is compared as it was before: its
    tool still has it under the old names.
    """
    live = live_state(ledger, up_to)
    selector = Selector(batches=(batch,))
    named = table(ledger, selector, ["revision", "seq"], up_to=up_to, live=live)
    if named.num_rows == 0:
        return None
    revision = named["revision"].to_numpy()
    imported = _before_migrations(ledger, revision, named["seq"].to_numpy(), up_to)
    order = np.argsort(imported, kind="stable")
    shown = np.zeros_like(live.is_live)
    shown[imported - 1] = True
    wanted = ["asset", "annotation", "annotator", "source_id", *CONTENT]
    seen = LiveState(shown, live.stage)
    pieces = [
        keys_of(rows, np.asarray(rows["asset"]), np.asarray(rows["annotation"]))
        for rows in scan(ledger, selector, wanted, up_to=up_to, live=seen)
    ]
    return Prior(join(pieces), revision[order], imported[order], live)


def _before_migrations(
    ledger: Ledger, revision: np.ndarray, seq: np.ndarray, up_to: int
) -> np.ndarray:
    """Return, per revision, the newest one at or before it that no migration made."""
    kinds = {int(n): ledger.header(int(n))["kind"] for n in np.unique(seq)}
    if ActivityKind.MIGRATE not in kinds.values():
        return revision
    history = ledger.read("revisions", ("revision", "supersedes", "seq"), up_to=up_to)
    before = history["supersedes"].fill_null(0).to_numpy()
    seq_of = history["seq"].to_numpy()
    migrations = [
        n for n in np.unique(seq_of) if ledger.header(int(n))["kind"] == ActivityKind.MIGRATE
    ]
    found = revision.copy()
    while (moved := np.isin(seq_of[found - 1], migrations)).any():
        found[moved] = before[found[moved] - 1]
    return found


def sides(old: Keys, new: Keys) -> tuple[Side, Side]:
    """Return two sets of labels in the terms of `calc.matching`; an annotator on an image is a group."""
    annotators, classes, kinds = (
        shared_codes(getattr(old, name), getattr(new, name))
        for name in ("annotator", "class_", "kind")
    )
    n_people = int(max(codes.max(initial=0) for codes in annotators)) + 1
    found = [
        Side(
            group=keys.asset * n_people + annotators[i],
            class_code=classes[i].astype(np.int32),
            kind_code=kinds[i].astype(np.int32),
            box=keys.box,
            content=keys.content,
        )
        for i, keys in enumerate((old, new))
    ]
    return found[0], found[1]


def is_nobody(annotator: pa.DictionaryArray) -> np.ndarray:
    """Tell which labels name nobody, ndarray of bool."""
    return np.asarray(pc.equal(annotator.dictionary, UNKNOWN).take(annotator.indices))


def same_annotator(old: Keys, rows_old: np.ndarray, new: Keys, rows_new: np.ndarray) -> np.ndarray:
    """Tell of pairs of labels whether the newer names nobody else than the older."""
    codes_old, codes_new = shared_codes(old.annotator, new.annotator)
    return (codes_new[rows_new] == codes_old[rows_old]) | is_nobody(new.annotator)[rows_new]


def content_of(batch: pa.RecordBatch) -> np.ndarray:
    """Return a hash over `CONTENT` of every label, ndarray of uint64."""
    # one schema for what was read and what is on record: presence is part of a row's bytes
    fields = [columns.REVISIONS.field(name).with_nullable(True) for name in CONTENT]
    arrays = [batch[field.name].cast(field.type) for field in fields]
    return row_hashes(pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields)))


def _floats(column: pa.Array) -> np.ndarray:
    return np.asarray(column.fill_null(float("nan")))


def _joined(pieces: Sequence[pa.DictionaryArray]) -> pa.DictionaryArray:
    return pa.chunked_array(pieces, columns.WORD).unify_dictionaries().combine_chunks()


def shared_codes(old: pa.DictionaryArray, new: pa.DictionaryArray) -> tuple[np.ndarray, np.ndarray]:
    """Return the words of two columns as codes that both share, ndarrays of int64."""
    codes = np.asarray(_joined([old, new]).indices).astype(np.int64)
    return codes[: len(old)], codes[len(old) :]
