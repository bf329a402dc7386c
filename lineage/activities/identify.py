"""Which annotation is it? The second half of an import, before anything is written.

An import into a batch that already holds labels compares what it read with what
is live there. The tools' ids are evidence, not truth: exporters renumber. So an
id is believed where asset and content bear it out; where ids contradict content
in the whole, content decides (`calc.matching`), and the report says which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.activities.select import LiveState, Selector, live_state, table
from lineage.calc import geometry, matching
from lineage.errors import BadInput
from lineage.identity import row_hashes
from lineage.segments import Ledger
from lineage.terms import ActivityKind, Identity

CONTENT = ("class", "kind", *columns.BOX, "geometry", "attributes", "origin")
"""What makes two labels of one person on one image the same."""

_HONEST_FRACTION = 0.9
_IOU = 0.5

ADD, SUPERSEDE, UNCHANGED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Keys:
    """What identity is decided by, one row a label.

    Parameters
    ----------
    asset
        ndarray of int64, shape (n,): asset key.
    annotator, class_
        Arrow string arrays of n.
    box
        ndarray of float64, shape (n, 4), px; NaN for whole-image classes.
    content
        ndarray of uint64, shape (n,): hash over `CONTENT`.
    source_id
        Arrow string array of n.
    """

    asset: np.ndarray
    annotator: pa.StringArray
    class_: pa.StringArray
    box: np.ndarray
    content: np.ndarray
    source_id: pa.StringArray


@dataclass(frozen=True, slots=True)
class Prior:
    """The live labels of a batch, as of a place in the log."""

    keys: Keys
    revision: np.ndarray
    annotation: np.ndarray
    live: LiveState


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of every label that was read.

    Parameters
    ----------
    operation
        ndarray of int8, shape (n,): `ADD`, `SUPERSEDE` or `UNCHANGED`.
    prior
        ndarray of int64, shape (n,): row of the prior label, -1 where there is none.
    is_inferred
        ndarray of bool, shape (n,): identity rests on content, not on an id.
    score
        ndarray of float64, shape (n,): IoU behind an inferred identity, NaN elsewhere.
    vanished
        ndarray of int64: rows of prior labels that nothing was matched with.
    used
        How annotations were recognised: ``new``, ``id`` or ``content``.
    reason
        Why.
    """

    operation: np.ndarray
    prior: np.ndarray
    is_inferred: np.ndarray
    score: np.ndarray
    vanished: np.ndarray
    used: str
    reason: str


def keys_of(batch: pa.RecordBatch | pa.Table, asset: np.ndarray) -> Keys:
    """Return the keys of labels whose columns include `CONTENT`, annotator and source_id."""
    if isinstance(batch, pa.Table):
        batch = (
            batch.combine_chunks().to_batches()[0]
            if batch.num_rows
            else columns.empty(batch.schema)
        )
    box = np.stack([_floats(batch[name]) for name in columns.BOX], axis=1)
    return Keys(
        asset=np.asarray(asset, np.int64),
        annotator=batch["annotator"].cast(pa.string()),
        class_=batch["class"].cast(pa.string()),
        box=box,
        content=row_hashes(_content(batch)),
        source_id=batch["source_id"],
    )


def join(pieces: Sequence[Keys]) -> Keys:
    """Return the keys of several chunks as one."""
    return Keys(
        asset=np.concatenate([k.asset for k in pieces]),
        annotator=pa.concat_arrays([k.annotator for k in pieces]),
        class_=pa.concat_arrays([k.class_ for k in pieces]),
        box=np.concatenate([k.box for k in pieces]),
        content=np.concatenate([k.content for k in pieces]),
        source_id=pa.concat_arrays([k.source_id for k in pieces]),
    )


def prior_of(ledger: Ledger, batch: str, up_to: int) -> Prior | None:
    """Return the live labels of a batch as their tool knows them, None where it has none.

    A label that a migration carried to another schema version is compared as it was before: its
    tool still has it under the old names.
    """
    live = live_state(ledger, up_to)
    selector = Selector(batches=(batch,))
    named = table(ledger, selector, ["revision", "annotation", "seq"], up_to=up_to, live=live)
    if named.num_rows == 0:
        return None
    revision = named["revision"].to_numpy()
    imported = _before_migrations(ledger, revision, named["seq"].to_numpy(), up_to)
    shown = np.zeros_like(live.is_live)
    shown[imported - 1] = True
    wanted = ["revision", "asset", "annotator", "source_id", *CONTENT]
    rows = table(ledger, selector, wanted, up_to=up_to, live=LiveState(shown, live.stage))
    rows = rows.take(pa.array(np.searchsorted(rows["revision"].to_numpy(), imported)))
    keys = keys_of(rows, rows["asset"].to_numpy())
    return Prior(keys, revision, named["annotation"].to_numpy(), live)


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


def all_new(n_rows: int) -> Plan:
    """Return the plan of a first import: every label is new."""
    return Plan(
        operation=np.full(n_rows, ADD, np.int8),
        prior=np.full(n_rows, -1, np.int64),
        is_inferred=np.zeros(n_rows, bool),
        score=np.full(n_rows, np.nan),
        vanished=np.empty(0, np.int64),
        used=Identity.NEW.value,
        reason="the batch held no labels",
    )


def plan(new: Keys, prior: Prior, *, identity: str = "auto") -> Plan:
    """Decide which annotation each label is.

    Parameters
    ----------
    new
        Labels as read.
    prior
        Labels as they are on record.
    identity
        ``auto``, ``id`` or ``content`` (CONTRACT, ``import --identity``).

    Raises
    ------
    BadInput
        ``identity-choice``: another word.
    """
    if identity not in ("auto", "id", "content"):
        raise BadInput(
            "identity-choice", f"--identity is {identity!r}, expected auto, id or content"
        )
    old = prior.keys
    by_id = _join_by_id(new, old)
    used, reason = _decide(new, old, by_id, identity)
    if used is Identity.ID:
        matched, inferred, score = by_id, np.zeros(len(by_id), bool), np.full(len(by_id), np.nan)
    else:
        matched, score = _join_by_content(new, old)
        inferred = matched >= 0
    same = matched >= 0
    rows = matched[same]
    equal = np.zeros(len(matched), bool)
    equal[same] = (
        (new.content[same] == old.content[rows])
        & (new.asset[same] == old.asset[rows])
        & _equal_words(new.annotator, old.annotator, same, rows)
    )
    operation = np.where(matched < 0, ADD, np.where(equal, UNCHANGED, SUPERSEDE)).astype(np.int8)
    vanished = np.setdiff1d(np.arange(len(old.asset)), rows)
    return Plan(operation, matched, inferred, score, vanished, used.value, reason)


def _content(batch: pa.RecordBatch) -> pa.RecordBatch:
    # one schema for what was read and what is on record: presence is part of a row's bytes
    fields = [columns.REVISIONS.field(name).with_nullable(True) for name in CONTENT]
    arrays = [batch[field.name].cast(field.type) for field in fields]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _floats(column: pa.Array) -> np.ndarray:
    return np.asarray(column.fill_null(float("nan")))


def _equal_words(
    new: pa.StringArray, old: pa.StringArray, same: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    return np.asarray(pc.equal(new.filter(pa.array(same)), old.take(pa.array(rows))))


def _id_keys(keys: Keys) -> pa.StringArray:
    asset = pa.array(keys.asset).cast(pa.string())
    return pc.binary_join_element_wise(asset, keys.source_id, "/")


def _join_by_id(new: Keys, old: Keys) -> np.ndarray:
    old_ids, new_ids = _id_keys(old), _id_keys(new)
    found = pc.index_in(new_ids, value_set=old_ids, skip_nulls=True)
    rows = np.asarray(found.fill_null(-1)).astype(np.int64)
    # an id that two labels share names neither
    for ids, positions in ((old_ids, rows), (new_ids, np.arange(len(rows)))):
        encoded = ids.dictionary_encode()
        codes = np.asarray(encoded.indices.fill_null(-1))
        n_uses = np.bincount(codes[codes >= 0], minlength=max(len(encoded.dictionary), 1))
        is_shared = np.append(n_uses > 1, False)[codes]
        rows = np.where((rows >= 0) & is_shared[positions], -1, rows)
    return rows


def _decide(new: Keys, old: Keys, by_id: np.ndarray, identity: str) -> tuple[Identity, str]:
    if identity != "auto":
        return Identity(identity), "as asked"
    n_joined = int((by_id >= 0).sum())
    if new.source_id.null_count or old.source_id.null_count:
        return Identity.CONTENT, "the export gives no ids"
    if n_joined == 0:
        return Identity.CONTENT, "no id of the export is on record"
    n_agreeing = int(_agree(new, old, by_id).sum())
    n_elsewhere = _n_equal_elsewhere(new, old, by_id)
    n_told = n_joined + n_elsewhere
    told = f"{n_agreeing:,} of {n_joined:,} known ids agree with content, {n_elsewhere:,} labels changed id"
    if n_agreeing >= _HONEST_FRACTION * n_told:
        return Identity.ID, told
    return Identity.CONTENT, told


def _agree(new: Keys, old: Keys, by_id: np.ndarray) -> np.ndarray:
    rows = np.flatnonzero(by_id >= 0)
    others = by_id[rows]
    is_equal = new.content[rows] == old.content[others]
    is_class = np.asarray(
        pc.equal(new.class_.take(pa.array(rows)), old.class_.take(pa.array(others)))
    )
    overlap = geometry.iou(new.box[rows], old.box[others])
    return is_equal | is_class | (np.nan_to_num(overlap) >= _IOU)


def _n_equal_elsewhere(new: Keys, old: Keys, by_id: np.ndarray) -> int:
    left_old = np.setdiff1d(np.arange(len(old.asset)), by_id[by_id >= 0])
    left_new = np.flatnonzero(by_id < 0)
    known = {*zip(old.asset[left_old].tolist(), old.content[left_old].tolist(), strict=True)}
    pairs = zip(new.asset[left_new].tolist(), new.content[left_new].tolist(), strict=True)
    return sum(pair in known for pair in pairs)


def _join_by_content(new: Keys, old: Keys) -> tuple[np.ndarray, np.ndarray]:
    codes: Mapping[str, tuple[np.ndarray, np.ndarray]] = {
        name: _shared_codes(getattr(new, name), getattr(old, name))
        for name in ("annotator", "class_")
    }
    n_people = int(max(part.max(initial=0) for part in codes["annotator"])) + 1
    sides = [
        matching.Side(
            group=keys.asset * n_people + codes["annotator"][i],
            class_code=codes["class_"][i].astype(np.int32),
            box=keys.box,
            content=keys.content,
        )
        for i, keys in enumerate((new, old))
    ]
    found = matching.match(sides[1], sides[0])
    matched = np.full(len(new.asset), -1, np.int64)
    score = np.full(len(new.asset), np.nan)
    matched[found.index_new] = found.index_old
    score[found.index_new] = found.score
    return matched, score


def _shared_codes(new: pa.StringArray, old: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    codes = np.asarray(pa.concat_arrays([new, old]).dictionary_encode().indices).astype(np.int64)
    return codes[: len(new)], codes[len(new) :]
