"""From a spool to a plan: what an import's labels are, by ids, content, times and precision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import chains, identify, precision
from lineage.activities.chains import Chains
from lineage.activities.handles import People, Rehearsed, with_pseudonyms
from lineage.activities.identify import ADD, SUPERSEDE, Plan
from lineage.activities.precision import Compared, Kept
from lineage.activities.prior import Keys, Prior, join, keys_of
from lineage.activities.spool import Spool
from lineage.calc.matching import HOWS
from lineage.formats import precision as precision_of
from lineage.segments import Ledger, parquet_writer
from lineage.terms import Identity

MAX_LISTED = 50
LOGGED = ("used", "reason", "n_inferred", "n_ambiguous")
"""What the log keeps of `report`: the rest stands in the revisions' own word."""

_TABLE = "table"


@dataclass(frozen=True, slots=True)
class Recognised:
    """What labels are.

    Parameters
    ----------
    plan
        What becomes of each.
    chains
        Which follow others of the same file.
    kept
        What superseding ones keep of their forerunners.
    ambiguous
        `columns.AMBIGUOUS`: superseding labels whose forerunner could almost as well be another.
    n_inferred
        Superseding labels whose forerunner was found by content.
    """

    plan: Plan
    chains: Chains
    kept: Kept
    ambiguous: pa.Table
    n_inferred: int

    def words(self, rows: np.ndarray) -> pa.DictionaryArray:
        """Return the word of `terms.Identity` of some labels."""
        plan = self.plan
        is_new = plan.operation[rows] == ADD
        inferred = np.where(plan.is_ambiguous[rows], 3, 2)
        codes = np.where(is_new, 0, np.where(plan.is_inferred[rows], inferred, 1))
        words = [Identity.NEW, Identity.ID, Identity.CONTENT, Identity.AMBIGUOUS]
        return pa.DictionaryArray.from_arrays(
            pa.array(codes.astype(np.int32)), pa.array([str(word) for word in words])
        )


def recognise(
    spool: Spool,
    keys: np.ndarray,
    people: People | Rehearsed,
    prior: Prior | None,
    *,
    ledger: Ledger,
    format_name: str,
    identity: str,
    is_history: bool = False,
) -> Recognised:
    """Tell what the labels of an import are.

    Parameters
    ----------
    spool
        What was read.
    keys
        ndarray of int64: the ledger's key of every image by number.
    people
        Who is who.
    prior
        What is on record.
    ledger
        Where the record is.
    format_name
        A name of `formats.READERS`.
    identity
        ``auto``, ``id`` or ``content``.
    is_history
        As in `identify.plan`.
    """
    is_chained = format_name == _TABLE and identity != Identity.CONTENT and _has_ids(spool)
    if prior is None and not is_chained:
        return _all_new(identify.all_new(spool.n_accepted), chains.none(spool.n_accepted))
    new, at = _keys(spool, keys, people)
    found = chains.none(len(new))
    if is_chained:
        found = chains.find(new, at, prior, partial(_times, ledger, prior))
    is_plain = len(found.heads) == len(new)
    if prior is None:
        plan = identify.all_new(len(found.heads))
        return _all_new(plan if is_plain else chains.expand(plan, found), found)
    heads = new if is_plain else new.take(found.heads)
    plan = identify.plan(heads, prior, identity=identity, is_history=is_history)
    plan = plan if is_plain else chains.expand(plan, found)
    closeness = precision_of(format_name)
    compared = Compared(new, prior, spool, ledger, closeness)
    plan = precision.settle(plan, compared)
    inferred = plan.is_inferred & (plan.operation == SUPERSEDE)
    rows = np.flatnonzero(inferred & plan.is_ambiguous)
    listed = _listed(plan, compared, rows)
    kept = precision.kept(plan, compared)
    return Recognised(plan, found, kept, listed, int(inferred.sum()))


def report(found: Recognised, folder: Path, root: Path) -> Mapping[str, object]:
    """Return what the import's report says of identity; a long list goes into a file.

    Parameters
    ----------
    found
        What labels are.
    folder
        Where the file goes.
    root
        What its path is relative to.
    """
    told = unasked(found.plan.used, found.plan.reason)
    n, path = found.ambiguous.num_rows, None
    if n > MAX_LISTED:
        whole = folder / "ambiguous.parquet"
        with parquet_writer(whole, columns.AMBIGUOUS) as file:
            file.write_table(found.ambiguous)
        path = whole.relative_to(root).as_posix()
    listed = found.ambiguous.slice(0, MAX_LISTED).to_pylist()
    told |= {"n_inferred": found.n_inferred, "n_ambiguous": n, "ambiguous": listed, "path": path}
    return told


def unasked(used: str, reason: str) -> dict[str, object]:
    """Return the same where nothing had to be inferred."""
    counts = {"n_inferred": 0, "n_ambiguous": 0, "ambiguous": [], "path": None}
    return {"used": used, "reason": reason, **counts}


def _all_new(plan: Plan, found: Chains) -> Recognised:
    return Recognised(plan, found, precision.NOTHING, columns.AMBIGUOUS.empty_table(), 0)


def _has_ids(spool: Spool) -> bool:
    return any(part["source_id"].null_count < part.num_rows for part in spool.labels())


def _keys(spool: Spool, keys: np.ndarray, people: People | Rehearsed) -> tuple[Keys, np.ndarray]:
    pieces, times = [], []
    for labels in spool.labels():
        labels = with_pseudonyms(labels, people)
        number = np.asarray(labels["annotation"].fill_null(0))
        pieces.append(keys_of(labels, keys[np.asarray(labels["asset"])], number))
        times.append(_micros(labels["labelled_at"]))
    return join(pieces), np.concatenate(times)


def _times(ledger: Ledger, prior: Prior | None, rows: np.ndarray) -> np.ndarray:
    if prior is None:
        return np.empty(0, np.int64)
    table = precision.of_ledger(ledger, prior.compared[rows], ["labelled_at"])
    return _micros(table["labelled_at"].combine_chunks())


def _micros(moments: pa.TimestampArray) -> np.ndarray:
    return np.asarray(moments.cast(pa.int64()).fill_null(chains.NEVER))


def _listed(plan: Plan, compared: Compared, rows: np.ndarray) -> pa.Table:
    names = (
        np.array(list(compared.spool.assets.names), object) if len(rows) else np.empty(0, object)
    )
    hows = pa.array([str(how) for how in HOWS])
    values = {
        "annotation": compared.prior.annotation[plan.prior[rows]],
        "asset": names[precision.image_of(compared.spool, rows)],
        "class": compared.new.class_.take(pa.array(rows)),
        "score": pa.array(plan.score[rows], from_pandas=True),
        "how": hows.take(pa.array(plan.how[rows])).dictionary_encode(),
    }
    return pa.Table.from_batches([columns.batch_of(columns.AMBIGUOUS, values, len(rows))])
