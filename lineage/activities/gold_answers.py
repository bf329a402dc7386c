"""Gold gathered by answer: what its maker said of an image, and whether it is all there is to say.

A gold answer is whole where every live label of its maker on the image, in that
batch, is gold and the maker answered for the image, not only corrected another:
what others draw beside it is then wrong; not where a label on the image was
refused on import. Where all live labels of a maker in a batch are gold, the images
that the maker answered for and left empty are gold too. Software stands on no
roster: what it made of an image is whole where all of it is gold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import precision, select
from lineage.activities.context import Project
from lineage.activities.select import Selector, is_word
from lineage.calc import state
from lineage.labelschema import split_ref
from lineage.segments import Ledger
from lineage.store import read
from lineage.terms import AgentKind, Operation, Presence

_SOFTWARE = (AgentKind.MODEL, AgentKind.RULE)
_ANSWERED = (Presence.LABELLED, Presence.EMPTY)
_SHAPE = (*columns.BOX, "geometry")


@dataclass(frozen=True, slots=True)
class GoldAnswers:
    """Gold under the versions of one name and major number, by answer, sorted by asset.

    Parameters
    ----------
    asset
        ndarray of int64, shape (m,).
    maker, batch, schema
        ndarrays of int64, shape (m,): codes into ``makers``, ``batches``, ``schemas``; the schema is
        the version under which the answer was declared last.
    is_whole
        ndarray of bool, shape (m,): what is not in it is not in the image.
    of
        ndarray of int64, shape (k,), ascending: the answer of each label.
    label
        Table of k: what `gold.standing` returns of each, its box and geometry.
    makers, batches, schemas
        What codes stand for.
    """

    asset: np.ndarray
    maker: np.ndarray
    batch: np.ndarray
    schema: np.ndarray
    is_whole: np.ndarray
    of: np.ndarray
    label: pa.Table
    makers: Sequence[str]
    batches: Sequence[str]
    schemas: Sequence[str]

    @property
    def schema_name(self) -> str:
        """The name that all its versions share."""
        return split_ref(self.schemas[0])[0]


@dataclass(frozen=True, slots=True)
class _Groups:
    """Answers as three columns of codes: asset, maker, batch."""

    asset: np.ndarray
    maker: np.ndarray
    batch: np.ndarray

    def take(self, rows: np.ndarray) -> _Groups:
        return _Groups(self.asset[rows], self.maker[rows], self.batch[rows])

    def are_in(self, others: _Groups) -> np.ndarray:
        """Tell which of these stand among others."""
        key = state.composed(
            np.concatenate([others.asset, self.asset]),
            np.concatenate([others.maker, self.maker]),
            np.concatenate([others.batch, self.batch]),
        )
        n = len(others.asset)
        found: np.ndarray = state.row_of(key[:n], key[n:]) >= 0
        return found


def families_of(told: pa.Table) -> list[pa.Table]:
    """Return standing gold apart by the name and major number of its schema."""
    refs = [split_ref(ref) for ref in told["schema"].to_pylist()]
    families = [(name, version.split(".")[0]) for name, version in refs]
    return [
        told.filter(pa.array([own == family for own in families]))
        for family in sorted(set(families))
    ]


def answers_of(project: Project, told: pa.Table, seq: int) -> GoldAnswers:
    """Gather the gold of one family by answer.

    Parameters
    ----------
    project
        An open project.
    told
        One of `families_of`.
    seq
        Place in the log as of which it stood.
    """
    # of an annotation that was declared under several versions, or corrected and declared again,
    # what was declared last
    told = told.take(pa.array(state.newest(np.asarray(told["annotation"]))))
    makers, maker = coded(told["annotator"])
    batches, batch = coded(told["batch"])
    refs, schema = coded(told["schema"])
    of_label = _Groups(np.asarray(told["asset"]), maker, batch)
    key = state.composed(of_label.asset, maker, batch)
    first, of = np.unique(key, return_index=True, return_inverse=True)[1:]
    last = np.zeros(len(first), np.int64)
    # of repeated indices, NumPy keeps the last assignment
    last[of] = np.arange(len(of))
    groups, under = of_label.take(first), schema[last]
    partial = _not_gold(project, told, makers, batches, seq)
    looked, is_empty = _looked(project.ledger, groups, partial, makers, batches, seq)
    software = _software(project)
    is_software = np.array([name in software for name in makers])
    is_whole = (groups.are_in(looked) | is_software[groups.maker]) & ~groups.are_in(partial)
    is_whole[of[_is_corrected(project.ledger, told, seq)]] = False
    refused = _refused(project, len(makers), batches, seq)
    is_whole &= ~groups.are_in(refused)
    is_nothing = is_empty & ~looked.are_in(groups) & ~looked.are_in(refused)
    nothing = looked.take(np.flatnonzero(is_nothing))
    newest = np.zeros((len(makers), len(batches)), np.int64)
    newest[maker, batch] = schema
    asset = np.concatenate([groups.asset, nothing.asset])
    order = np.argsort(asset, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    by_answer = np.argsort(rank[of], kind="stable")
    label = told.take(pa.array(by_answer))
    shapes = precision.of_ledger(project.ledger, np.asarray(label["revision"]), _SHAPE)
    for name in _SHAPE:
        label = label.append_column(name, shapes[name])
    return GoldAnswers(
        asset=asset[order],
        maker=np.concatenate([groups.maker, nothing.maker])[order],
        batch=np.concatenate([groups.batch, nothing.batch])[order],
        schema=np.concatenate([under, newest[nothing.maker, nothing.batch]])[order],
        is_whole=np.concatenate([is_whole, np.ones(len(nothing.asset), bool)])[order],
        of=rank[of][by_answer],
        label=label,
        makers=makers,
        batches=batches,
        schemas=refs,
    )


def coded(words: pa.ChunkedArray) -> tuple[list[str], np.ndarray]:
    """Return the distinct words of a column, and the number of each row's; -1 for null."""
    names: dict[str, int] = {}
    codes = [
        -1 if word is None else names.setdefault(word, len(names)) for word in words.to_pylist()
    ]
    return list(names), np.array(codes, np.int64)


def codes_in(column: pa.DictionaryArray, words: Sequence[str]) -> np.ndarray:
    """Return, per row, where its word stands among ``words``; -1 for others and null."""
    number = {word: at for at, word in enumerate(words)}
    told = [number.get(word, -1) for word in column.dictionary.to_pylist()]
    return np.array([*told, -1], np.int64)[np.asarray(column.indices.fill_null(len(told)))]


def _not_gold(
    project: Project,
    told: pa.Table,
    makers: Sequence[str],
    batches: Sequence[str],
    seq: int,
) -> _Groups:
    """Return answers in which makers of gold have live labels that are not gold.

    All of those on images with gold, and one at least of every maker and batch that have any.
    """
    selector = Selector(annotators=tuple(makers), batches=tuple(batches))
    wanted = ("annotation", "asset", "annotator", "batch")
    annotations, assets = np.asarray(told["annotation"]), np.unique(np.asarray(told["asset"]))
    parts = []
    for rows in select.scan(project.ledger, selector, wanted, up_to=seq):
        left = rows.filter(pa.array(~np.isin(np.asarray(rows["annotation"]), annotations)))
        found = _groups(left, makers, batches)
        first = np.unique(found.maker * len(batches) + found.batch, return_index=True)[1]
        here = np.union1d(first, np.flatnonzero(np.isin(found.asset, assets)))
        parts.append(found.take(here))
    return _together(parts)


def _is_corrected(ledger: Ledger, told: pa.Table, seq: int) -> np.ndarray:
    """Tell which gold labels correct an annotation that another person made."""
    annotation = np.asarray(told["annotation"])
    maker = dict(zip(annotation.tolist(), told["annotator"].to_pylist(), strict=True))
    wanted = ("annotation", "annotator", "operation")
    corrected: list[int] = []
    assets = np.unique(np.asarray(told["asset"]))
    for rows in ledger.scan("revisions", wanted, up_to=seq, assets=assets):
        is_first = is_word(rows["operation"], [Operation.ADD])
        is_ours = np.isin(np.asarray(rows["annotation"]), annotation)
        first = rows.filter(pa.array(is_first & is_ours)).to_pylist()
        corrected += [r["annotation"] for r in first if r["annotator"] != maker[r["annotation"]]]
    return np.isin(annotation, np.array(corrected, np.int64))


def _refused(project: Project, n_makers: int, batches: Sequence[str], seq: int) -> _Groups:
    """Return the answers on images of which a label was quarantined: more is there than gold says."""
    with project.store.reading() as connection:
        entries = [e for e in read.activities(connection) if e.batch in batches and e.seq <= seq]
        found = []
        for entry in entries:
            rows = project.ledger.read(
                "quarantine", ("asset",), up_to=entry.seq, after=entry.seq - 1
            )
            names = [name for name in rows["asset"].unique().to_pylist() if name is not None]
            assets = np.array(list(read.asset_keys(connection, names).values()), np.int64)
            batch = np.full(len(assets), batches.index(str(entry.batch)))
            # whoever's it was
            found += [
                _Groups(assets, np.full(len(assets), maker), batch) for maker in range(n_makers)
            ]
    return _together(found)


def _looked(
    ledger: Ledger,
    groups: _Groups,
    partial: _Groups,
    makers: Sequence[str],
    batches: Sequence[str],
    seq: int,
) -> tuple[_Groups, np.ndarray]:
    """Return what makers answered for, as far as it is gold, and where they drew nothing."""
    n_batches = len(batches)
    finished = np.setdiff1d(
        groups.maker * n_batches + groups.batch, partial.maker * n_batches + partial.batch
    )
    wanted = ("asset", "annotator", "batch", "presence")
    parts, looked, empty = [], [], []
    for rows in ledger.scan("roster", wanted, up_to=seq):
        is_theirs = is_word(rows["annotator"], makers) & is_word(rows["batch"], batches)
        rows = rows.filter(pa.array(is_theirs))
        found = _groups(rows, makers, batches)
        # of a batch that is gold in part only, the images with gold
        is_finished = np.isin(found.maker * n_batches + found.batch, finished)
        here = np.flatnonzero(is_finished | np.isin(found.asset, groups.asset))
        parts.append(found.take(here))
        looked.append(is_word(rows["presence"], _ANSWERED)[here])
        empty.append((is_word(rows["presence"], [Presence.EMPTY]) & is_finished)[here])
    whole = _together(parts)
    newest = state.newest(whole.asset, whole.maker, whole.batch)
    newest = newest[np.concatenate([*looked, np.zeros(0, bool)])[newest]]
    return whole.take(newest), np.concatenate([*empty, np.zeros(0, bool)])[newest]


def _groups(rows: pa.RecordBatch, makers: Sequence[str], batches: Sequence[str]) -> _Groups:
    return _Groups(
        np.asarray(rows["asset"]), *(codes_in(rows[name], words) for name, words in
        (("annotator", makers), ("batch", batches)))
    )  # fmt: skip


def _together(parts: Sequence[_Groups]) -> _Groups:
    none = np.zeros(0, np.int64)
    whole = [*parts, _Groups(none, none, none)]
    return _Groups(
        *(np.concatenate([getattr(p, n) for p in whole]) for n in ("asset", "maker", "batch"))
    )


def _software(project: Project) -> set[str]:
    with project.store.reading() as connection:
        people = read.annotators(connection)
    return {row.pseudonym for row in people if row.kind in _SOFTWARE}
