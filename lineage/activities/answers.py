"""What an import is told besides labels, and writes if it is news: roster and completeness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import completeness, coverage
from lineage.activities.context import Project
from lineage.activities.record import Recording
from lineage.activities.select import LiveState, Selector, is_word, scan
from lineage.activities.spool import Spool
from lineage.calc import state
from lineage.store import read
from lineage.terms import Origin

Pseudonyms = Callable[[pa.DictionaryArray, None], pa.DictionaryArray]
"""Gives the pseudonym behind every handle."""

_ROWS = 131_072


@dataclass(frozen=True, slots=True)
class Told:
    """What an import says of the images of a batch.

    Parameters
    ----------
    batch
        Tag.
    is_whole
        Whether it speaks for the whole batch.
    spool
        What was read.
    keys
        ndarray of int64: the ledger's key of every image by number.
    left
        ndarray of int64, ascending: revisions from before that hold and that it does not mention.
    live
        Which revisions are live before it; None where ``left`` is empty.
    """

    batch: str
    is_whole: bool
    spool: Spool
    keys: np.ndarray
    left: np.ndarray
    live: LiveState | None


def write_roster(
    activity: Recording, batch: str, spool: Spool, keys: np.ndarray, pseudonyms: Pseudonyms
) -> None:
    """Append the roster's rows of every image and person whose answer differs from the record."""
    names = ("asset", "annotator", "presence")
    schema = pa.schema([columns.SEGMENT_ROSTER.field(name) for name in names])
    known = coverage.roster(activity.project.ledger, (batch,), activity.head.size)
    told = pa.Table.from_batches(
        (_keyed(rows, keys, pseudonyms).select(names) for rows in spool.roster()), schema
    )
    both = pa.concat_tables([known.select(names), told]).unify_dictionaries().combine_chunks()
    asset, person, presence = (coverage.numbers(both[name]) for name in names)
    n = known.num_rows
    key = state.composed(asset, person)
    before = state.row_of(key[:n], key[n:])
    # of a person's several answers for one image, the last is the one that will hold
    last = n + state.row_of(key[n:], key[n:])
    is_news = (before < 0) | (presence[last] != presence[before])
    done = 0
    for rows in spool.roster():
        here = pa.array(is_news[done : done + rows.num_rows])
        done += rows.num_rows
        found = _keyed(rows.filter(here), keys, pseudonyms)
        values = {name: found[name] for name in columns.ROSTER.names}
        values |= {"batch": batch, "seq": activity.seq}
        activity.append("roster", columns.batch_of(columns.SEGMENT_ROSTER, values, found.num_rows))


def write_completeness(activity: Recording, told: Told) -> None:
    """Append what is new of how far images are; what labels belie becomes a violation."""
    for rows in news(activity.project, activity.head.size, told).to_batches(_ROWS):
        values = {name: rows[name] for name in ("asset", "class", "state", "reason")}
        values |= {"batch": told.batch, "seq": activity.seq}
        activity.append("completeness", columns.batch_of(columns.SEGMENT_COMPLETENESS, values))


def news(project: Project, up_to: int, told: Told) -> pa.Table:
    """Return what `completeness.news` does, having put what labels belie among the violations."""
    known = coverage.completeness(project.ledger, (told.batch,), up_to)
    said = completeness.settled(told.spool.completeness(), told.keys)
    if not told.is_whole:
        said = completeness.without_weak(known, said)
    found, belied = completeness.news(
        known,
        said,
        refused=told.keys[told.spool.refused],
        living=lambda wanted: _living(project, up_to, told, wanted),
    )
    if belied.num_rows:
        names = _names(project, told, belied["asset"].to_numpy())
        elsewhere = f"on record, batch {told.batch}"
        told.spool.add_late(completeness.contradictions(belied, names, elsewhere=elsewhere))
    return found


def _keyed(rows: pa.RecordBatch, keys: np.ndarray, pseudonyms: Pseudonyms) -> pa.RecordBatch:
    found = {
        "asset": pa.array(keys[np.asarray(rows["asset"])]),
        "annotator": pseudonyms(rows["annotator"].dictionary_encode(), None).cast(columns.WORD),
        "presence": rows["presence"].dictionary_encode(),
    }
    for name, array in found.items():
        place, field = rows.schema.get_field_index(name), columns.SEGMENT_ROSTER.field(name)
        rows = rows.set_column(place, field, array)
    return rows


def _living(
    project: Project, up_to: int, told: Told, wanted: np.ndarray
) -> tuple[np.ndarray, pa.StringArray]:
    """Return asset key and class of people's labels that hold after an import, of some images."""
    assets, classes = [np.empty(0, np.int64)], [pa.array([], pa.string())]

    def take(batch: pa.RecordBatch, asset: np.ndarray, mask: np.ndarray) -> None:
        mask = mask & np.isin(asset, wanted) & ~is_word(batch["origin"], [Origin.MODEL])
        assets.append(asset[mask])
        classes.append(batch["class"].filter(pa.array(mask)).cast(pa.string()))

    for labels in told.spool.labels():
        asset = told.keys[np.asarray(labels["asset"])]
        take(labels, asset, np.ones(len(asset), bool))
    if len(told.left):
        selector, names = Selector(batches=(told.batch,)), ("revision", "asset", "class", "origin")
        for rows in scan(project.ledger, selector, names, up_to=up_to, live=told.live):
            is_left = np.isin(np.asarray(rows["revision"]), told.left)
            take(rows, np.asarray(rows["asset"]), is_left)
    return np.concatenate(assets), pa.concat_arrays(classes)


def _names(project: Project, told: Told, wanted: np.ndarray) -> dict[int, str]:
    with project.store.reading() as connection:
        names = read.asset_names(connection, wanted.tolist())
    # images that are new with this import are not in the store yet
    listed = list(told.spool.assets.names)
    return names | {
        int(told.keys[i]): listed[i] for i in np.flatnonzero(np.isin(told.keys, wanted))
    }
