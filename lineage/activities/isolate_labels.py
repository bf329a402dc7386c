"""The labels that `isolate` compares: those of two pinned runs, what changed, and who is behind it.

Provenance is that of the bad run's version. What it no longer has keeps the provenance that it had:
it counts where units are images and classes, for a label that went away taught the model something too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.activities import runs, runs_rows, version
from lineage.activities.context import Project
from lineage.activities.opinions import MONDAY, week_of, week_text
from lineage.calc import changes as calc_changes
from lineage.calc import state
from lineage.store import read
from lineage.terms import ActivityKind, Change

DIMENSIONS = (
    "annotator",
    "schema",
    "batch",
    "stage",
    "class",
    "week",
    "tool",
    "reviewer",
    "vendor",
)
"""What a label can be blamed on, in the order in which it is told."""

NONE = "none"
"""Word for a batch without a vendor, and for a label on which no verdict stands."""

_AS_THEY_STAND = ("annotator", "schema", "batch", "stage", "class")
_KEPT = ("annotation", "revision", "asset", *_AS_THEY_STAND, "labelled_at")
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Side:
    """What one run was given.

    Parameters
    ----------
    run, version, digest, seq
        Name of the run; name, digest and place in the log of its version.
    labels
        `columns.DATASET`, of its part where it took one.
    assets
        Names of the version's images.
    """

    run: str
    version: str
    digest: str
    seq: int
    labels: pa.Table
    assets: pa.Array


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of the bad run's version, and behind them those that only the good run's has.

    Parameters
    ----------
    annotation, revision, asset, is_changed
        ndarrays, shape (n,): numbers; code into ``assets``; whether the two versions differ there, in
        class, place or attributes.
    n_live
        Labels of the bad run's version; they stand first.
    assets
        Names of all images of either version.
    codes, words
        By dimension, ndarray of int32, shape (n,), and what its values stand for.
    is_timed
        ndarray of bool, shape (n,): the label says itself when it was made.
    changes
        `columns.DIFF` of the two versions.
    """

    annotation: np.ndarray
    revision: np.ndarray
    asset: np.ndarray
    is_changed: np.ndarray
    n_live: int
    assets: pa.Array
    codes: Mapping[str, np.ndarray]
    words: Mapping[str, Sequence[str]]
    is_timed: np.ndarray
    changes: pa.Table

    def rows_of(self, annotation: np.ndarray) -> np.ndarray:
        """Return the row of each annotation of the bad run's version, -1 for others."""
        order = np.argsort(self.annotation[: self.n_live], kind="stable")
        known = self.annotation[: self.n_live][order]
        if len(known) == 0:
            return np.full(len(annotation), -1)
        at = np.minimum(np.searchsorted(known, annotation), len(known) - 1)
        return np.where(known[at] == annotation, order[at], -1)

    def member(self, slice_: Mapping[str, str]) -> np.ndarray:
        """Tell which rows are of a slice; ndarray of bool, shape (n,)."""
        found = np.ones(len(self.annotation), bool)
        for name, value in slice_.items():
            known = self.words[name]
            found &= self.codes[name] == (known.index(value) if value in known else -1)
        return found


def side_of(project: Project, run: str) -> Side:
    """Return what a run was given, rebuilt from the ledger.

    Raises
    ------
    NotFound
        ``no-run``, ``no-version``.
    Refused
        ``version-differs``.
    """
    pinned = runs.get(project, run)
    manifest = runs.manifest_of(project, str(pinned["version"]))
    found = version.labels_of(project, str(manifest["name"]))
    labels = found.labels.unify_dictionaries()
    told = cast(Mapping[str, object] | None, pinned["subset"])
    if told is not None:
        words = cast(Sequence[str], told["where"])
        predicate = runs_rows.recorded(project, manifest, words, is_recorded=True)
        parts = runs_rows.chosen(labels.to_batches(), predicate)
        labels = pa.Table.from_batches(parts, columns.DATASET).unify_dictionaries()
    return Side(
        run,
        str(manifest["name"]),
        str(manifest["digest"]),
        cast(int, manifest["seq"]),
        labels,
        found.assets["asset"].combine_chunks(),
    )


def labels_of(project: Project, good: Side, bad: Side) -> Labels:
    """Return the labels of two runs side by side.

    Notes
    -----
    A label whose stage alone is another was the same to the model, and so was one that was recorded
    again as it stood: neither counts as changed.
    """
    found = calc_changes.changes(good.labels, bad.labels).table
    word = found["change"].cast(pa.string())
    is_content = pc.not_equal(word, Change.RESTAGED.value)
    changed = found["annotation"].filter(is_content)
    gone = found["annotation"].filter(pc.equal(word, Change.RETRACTED.value))
    went = good.labels.filter(pc.is_in(good.labels["annotation"], value_set=gone.combine_chunks()))
    both = pa.concat_tables([bad.labels.select(_KEPT), went.select(_KEPT)])
    both = both.unify_dictionaries().combine_chunks()
    annotation = both["annotation"].to_numpy()
    is_live = np.arange(len(annotation)) < bad.labels.num_rows
    assets = pa.concat_arrays([good.assets, bad.assets]).unique()
    codes, words = _provenance(project, both, bad.seq)
    return Labels(
        annotation=annotation,
        revision=both["revision"].to_numpy(),
        asset=np.asarray(pc.index_in(both["asset"], value_set=assets)).astype(np.int64),
        is_changed=np.isin(annotation, changed.to_numpy()) | ~is_live,
        n_live=bad.labels.num_rows,
        assets=assets,
        codes=codes,
        words=words,
        is_timed=both["labelled_at"].is_valid().to_numpy(),
        changes=found,
    )


def _provenance(
    project: Project, labels: pa.Table, seq: int
) -> tuple[dict[str, np.ndarray], dict[str, Sequence[str]]]:
    codes: dict[str, np.ndarray] = {}
    words: dict[str, Sequence[str]] = {}
    for name in _AS_THEY_STAND:
        column = labels[name].combine_chunks()
        codes[name] = np.asarray(column.indices).astype(np.int32)
        words[name] = column.dictionary.to_pylist()
    with project.store.reading() as connection:
        vendor_of = {row.tag: row.vendor or NONE for row in read.batches(connection)}
    vendors = [vendor_of.get(tag, NONE) for tag in words["batch"]]
    codes["vendor"], words["vendor"] = _renamed(codes["batch"], vendors)
    revision = labels["revision"].to_numpy()
    activity, number = np.unique(_recorded(project, revision, seq), return_inverse=True)
    with project.store.reading() as connection:
        entries = {e.seq: e for e in read.activities(connection, seqs=activity.tolist())}
    told = [entries[at] for at in activity.tolist()]
    tools = [
        str(entry.parameters.get("format", entry.kind))
        if entry.kind == ActivityKind.IMPORT
        else str(entry.kind)
        for entry in told
    ]
    codes["tool"], words["tool"] = _renamed(number, tools)
    recorded = np.array([week_of(entry.at) for entry in told], np.int64)
    times = labels["labelled_at"].combine_chunks()
    labelled = np.asarray(times.cast(pa.int64()).fill_null(0)) // _DAY_US
    own = np.asarray(times.is_valid())
    week = recorded[number] if len(recorded) else np.zeros(0, np.int64)
    week = np.where(own, (labelled + MONDAY) // 7, week)
    weeks, at = np.unique(week, return_inverse=True)
    codes["week"], words["week"] = at.astype(np.int32), [week_text(int(one)) for one in weeks]
    codes["reviewer"], words["reviewer"] = _reviewers(project, revision, seq)
    return codes, words


def _renamed(code: np.ndarray, words: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Return codes of what each word stands for, words that are the same in one."""
    known = sorted(set(words))
    place = np.array([known.index(word) for word in words], np.int32)
    return place[code] if len(place) else np.zeros(0, np.int32), known


def _recorded(project: Project, revision: np.ndarray, up_to: int) -> np.ndarray:
    """Return the place in the log at which each revision came in: numbers go up with it."""
    firsts: list[tuple[np.ndarray, np.ndarray]] = []
    for rows in project.ledger.scan("revisions", ("revision", "seq"), up_to=up_to):
        seq, at = np.unique(np.asarray(rows["seq"]), return_index=True)
        firsts.append((np.asarray(rows["revision"])[at], seq))
    if len(revision) == 0:
        return np.zeros(0, np.int64)
    first, seq = (np.concatenate(column) for column in zip(*firsts, strict=True))
    found: np.ndarray = seq[np.searchsorted(first, revision, side="right") - 1]
    return found


def _reviewers(
    project: Project, revision: np.ndarray, up_to: int
) -> tuple[np.ndarray, Sequence[str]]:
    """Return whose verdict stands on each revision."""
    numbers, people = [np.zeros(0, np.int64)], [np.zeros(0, object)]
    for rows in project.ledger.scan("verdicts", ("revision", "by"), up_to=up_to):
        judged = rows.filter(rows["revision"].is_valid())
        numbers.append(np.asarray(judged["revision"]).astype(np.int64))
        people.append(np.array(judged["by"].cast(pa.string()).to_pylist(), object))
    number, person = np.concatenate(numbers), np.concatenate(people)
    if len(number) == 0:
        return np.zeros(len(revision), np.int32), [NONE]
    newest = state.newest(number)
    newest = newest[np.argsort(number[newest], kind="stable")]
    number, person = number[newest], person[newest]
    people_told, told = np.unique(person.astype(str), return_inverse=True)
    words, code = [NONE, *people_told.tolist()], told.astype(np.int32) + 1
    at = np.minimum(np.searchsorted(number, revision), len(number) - 1)
    return np.where(number[at] == revision, code[at], 0).astype(np.int32), words
