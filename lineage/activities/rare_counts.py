"""Counting groups: labels, images, what may still be drawn, what reviewers said, where only a model sees something."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import coverage, precision
from lineage.activities.context import Project
from lineage.activities.rare_groups import Groups
from lineage.activities.review_frame import codes_in
from lineage.activities.review_log import drawn_of, verdicts_of
from lineage.activities.review_model import Predictions
from lineage.activities.select import Selector, is_word, scan
from lineage.calc import estimates
from lineage.calc.estimates import Estimates
from lineage.calc.overlaps import overlapping
from lineage.segments import Ledger
from lineage.terms import DisputeKind, Stage

LEAST_IOU = 0.5
_FLAG = "|rare"
_WANTED = ("asset", "class", "attributes", "batch", "stage")


@dataclass(frozen=True, slots=True)
class Support:
    """How much there is of each group.

    Parameters
    ----------
    n_labels, n_images, n_open
        ndarrays of int64, shape (n_groups,): live labels, images with one, labels that no review has
        drawn yet.
    n_all
        Labels in all.
    open_in
        Per group the batch with most labels that may be drawn; None where there is none.
    """

    n_labels: np.ndarray
    n_images: np.ndarray
    n_open: np.ndarray
    n_all: int
    open_in: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What blind reviews said of each group.

    Parameters
    ----------
    n_drawn, n_judged, n_wrong
        ndarrays of int64, shape (n_groups,): labels.
    error
        Per group that was judged its share of wrong labels, under the chances of being drawn.
    n_found
        ndarray of int64, shape (n_groups,): missed objects found where a model saw something rare.
    n_looked
        Images that were looked at for that.
    """

    n_drawn: np.ndarray
    n_judged: np.ndarray
    n_wrong: np.ndarray
    error: Estimates
    n_found: np.ndarray
    n_looked: int


def support_of(ledger: Ledger, selector: Selector, groups: Groups, up_to: int) -> Support:
    """Count the live labels that a selector chooses."""
    n = len(groups.rows)
    n_labels, n_open, n_all = np.zeros(n, np.int64), np.zeros(n, np.int64), 0
    seen: list[np.ndarray] = []
    open_in: list[Counter[str]] = [Counter() for _ in range(n)]
    for rows in scan(ledger, selector, _WANTED, up_to=up_to):
        n_all += rows.num_rows
        at, group = _grouped(rows, groups)
        n_labels += np.bincount(group, minlength=n)
        is_open = is_word(rows["stage"], [Stage.SUBMITTED])[at]
        n_open += np.bincount(group[is_open], minlength=n)
        batch, tags = np.asarray(rows["batch"].indices)[at], rows["batch"].dictionary.to_pylist()
        told, k = np.unique(group[is_open] * np.int64(len(tags)) + batch[is_open], return_counts=True)  # fmt: skip
        for key, count in zip(told.tolist(), k.tolist(), strict=True):
            open_in[key // len(tags)][tags[key % len(tags)]] += count
        seen.append(np.unique(np.asarray(rows["asset"])[at] * np.int64(max(n, 1)) + group))
    pairs = np.unique(np.concatenate(seen)) if seen else np.zeros(0, np.int64)
    n_images = np.bincount(pairs % max(n, 1), minlength=n)
    best = [max(one, key=lambda tag: (one[tag], tag)) if one else None for one in open_in]
    return Support(n_labels, n_images, n_open, n_all, best)


def reviewed_of(project: Project, batches: Sequence[str], groups: Groups, up_to: int) -> Reviewed:
    """Count what was drawn and judged blind, and estimate errors; the first verdict on a label counts."""
    n = len(groups.rows)
    drawn_parts, judged_parts, missed_parts, n_looked = [], [], [], 0
    for tag in batches:
        drawn = drawn_of(project, tag, up_to)
        drawn = drawn.take(np.flatnonzero(drawn.is_blind & ~drawn.is_again))
        said = verdicts_of(project, drawn.draw.tolist(), up_to)
        labels, first = np.unique(drawn.revision[::-1], return_index=True)
        fraction = drawn.fraction[::-1][first]
        drawn_parts.append(labels[labels > 0])
        judged, at = np.unique(said.revision, return_index=True)
        is_ours = (judged > 0) & np.isin(judged, labels)
        judged, at = judged[is_ours], at[is_ours]
        pi = fraction[np.searchsorted(labels, judged)]
        judged_parts.append(np.stack([judged.astype(float), said.is_dispute[at], pi], axis=1))
        flags = (
            np.char.endswith(drawn.stratum.astype(str), _FLAG) if len(drawn) else np.zeros(0, bool)
        )
        looked = np.intersect1d(drawn.asset[flags], said.asset)
        n_looked += len(looked)
        is_missed = (said.kind == DisputeKind.MISSED.value) & np.isin(said.asset, looked)
        missed_parts.append(said.opinion[is_missed & (said.opinion > 0)])
    none = np.zeros(0, np.int64)
    n_drawn = _counted(project.ledger, np.concatenate([none, *drawn_parts]), groups)
    judged_rows = np.concatenate([np.zeros((0, 3)), *judged_parts])
    at, group = _of_revisions(project.ledger, judged_rows[:, 0].astype(np.int64), groups)
    is_wrong = judged_rows[at, 1] > 0
    tallied = estimates.tally(group, is_wrong, judged_rows[at, 2])
    return Reviewed(
        n_drawn=n_drawn,
        n_judged=np.bincount(group, minlength=n),
        n_wrong=np.bincount(group[is_wrong], minlength=n),
        error=estimates.estimated(tallied),
        n_found=_counted(project.ledger, np.concatenate([none, *missed_parts]), groups),
        n_looked=n_looked,
    )


@dataclass(frozen=True, slots=True)
class Places:
    """Where a model sees an object and no label of its class stands.

    Parameters
    ----------
    n
        ndarray of int64, shape (n_groups,): 0 for parts of classes, for a model's file names classes
        alone.
    batch
        Per group the batch with most of their images; None where there is none.
    """

    n: np.ndarray
    batch: Sequence[str | None]


def places_of(
    project: Project, selector: Selector, model: Predictions, groups: Groups, up_to: int
) -> Places:
    """Count the places of each class where only a model sees an object.

    Notes
    -----
    Only images that people were asked about within the selection. Without a place on either side, being
    on the image is being there.
    """
    whole, n = groups.by_class(), max(len(groups.rows), 1)
    code = codes_in(model.class_, list(whole))
    code = np.append(np.array(list(whole.values()), np.int64), -1)[code]
    said, no_place = model.asset * np.int64(n) + code, np.isnan(model.box[:, 0])
    met = code < 0
    for rows in scan(project.ledger, selector, ("asset", "class", *columns.BOX), up_to=up_to):
        here = rows.filter(pa.array(np.isin(np.asarray(rows["asset"]), model.asset)))
        asset = np.asarray(here["asset"])
        near = np.flatnonzero(~met & np.isin(model.asset, asset))
        drew = asset * np.int64(n) + _class_codes(here["class"], whole)
        box = np.stack([np.asarray(here[name].fill_null(np.nan)) for name in columns.BOX], axis=1)
        _, there, _ = overlapping(drew, box, said[near], model.box[near], least_iou=LEAST_IOU)
        met[near[there]] = True
        met[near] |= no_place[near] & np.isin(said[near], drew)
        met[near] |= np.isin(said[near], drew[np.isnan(box[:, 0])])
    asked = coverage.roster(project.ledger, selector.batches, up_to)
    new = np.flatnonzero(~met & np.isin(model.asset, np.asarray(asked["asset"])))
    found = np.bincount(code[new], minlength=len(groups.rows))
    best: list[str | None] = [None] * len(groups.rows)
    for at in np.flatnonzero(found).tolist():
        images = np.unique(model.asset[new[code[new] == at]])
        tags = coverage.one(asked["batch"]).filter(
            pa.array(np.isin(np.asarray(asked["asset"]), images))
        )
        best[at] = Counter(sorted(tags.to_pylist())).most_common(1)[0][0]
    return Places(found, best)


def _class_codes(words: pa.DictionaryArray, whole: Mapping[str, int]) -> np.ndarray:
    told = [whole.get(name, -1) for name in words.dictionary.to_pylist()]
    found: np.ndarray = np.array([*told, -1], np.int64)[np.asarray(words.indices)]
    return found


def _grouped(rows: pa.RecordBatch | pa.Table, groups: Groups) -> tuple[np.ndarray, np.ndarray]:
    """Return rows with the groups that each is in, a row once for each."""
    class_, document = (coverage.one(rows[name]) if isinstance(rows, pa.Table) else rows[name]
                        for name in ("class", "attributes"))  # fmt: skip
    names, documents = class_.dictionary.to_pylist(), document.dictionary.to_pylist()
    form = np.asarray(class_.indices) * np.int64(max(len(documents), 1)) + np.asarray(document.indices)  # fmt: skip
    forms, of_row = np.unique(form, return_inverse=True)
    told = [groups.at(names[key // len(documents)], documents[key % len(documents)]) for key in forms.tolist()]  # fmt: skip
    n_each = np.array([len(one) for one in told], np.int64)
    flat = np.concatenate([np.zeros(0, np.int64), *told])
    first = np.cumsum(n_each) - n_each
    n = n_each[of_row] if len(forms) else np.zeros(0, np.int64)
    at = np.repeat(np.arange(len(form)), n)
    offset = np.arange(len(at)) - np.repeat(np.cumsum(n) - n, n)
    return at, flat[first[of_row[at]] + offset] if len(at) else np.zeros(0, np.int64)


def _of_revisions(
    ledger: Ledger, revisions: np.ndarray, groups: Groups
) -> tuple[np.ndarray, np.ndarray]:
    return _grouped(precision.of_ledger(ledger, revisions, ("class", "attributes")), groups)


def _counted(ledger: Ledger, revisions: np.ndarray, groups: Groups) -> np.ndarray:
    found: np.ndarray = np.bincount(
        _of_revisions(ledger, revisions, groups)[1], minlength=len(groups.rows)
    )
    return found
