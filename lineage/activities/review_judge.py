"""A reviewer's blind answer held against what was drawn: agree, or dispute, and in what.

Labels of an annotator and of the reviewer are paired as people are against gold:
by place first, whatever they are called. What lies on nothing of the other side
is spurious, or was missed; what lies on something is of another class, at
another place, or has other attributes; else they agree.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import coverage
from lineage.activities.gather import Threshold, shapes
from lineage.activities.gold_judge import GOLD, OWN, Judged, judge
from lineage.activities.opinions import Labels, Words
from lineage.activities.review_frame import codes_in
from lineage.activities.review_log import texts_of
from lineage.calc.geometry import iou
from lineage.terms import DisputeKind

GEOMETRY_IOU = 0.75
_BLOCK_PAIRS = 50_000
_KINDS = {
    Judged.MISSED: DisputeKind.SPURIOUS,
    Judged.MISCLASSED: DisputeKind.CLASS,
    Judged.MISPLACED: DisputeKind.GEOMETRY,
}


@dataclass(frozen=True, slots=True)
class Side:
    """Labels of one side, with what pairs them.

    Parameters
    ----------
    rows
        ``revision, asset, annotator, class, kind``, box, ``geometry, attributes``, ``extra``.
    pair
        ndarray of int64, shape (n,): which pair of an annotator and a reviewer on an image each is of;
        a label may stand in several.
    row
        ndarray of int64, shape (n,): into ``rows``.
    """

    rows: pa.Table
    pair: np.ndarray
    row: np.ndarray


@dataclass(frozen=True, slots=True)
class Found:
    """What a reviewer's answer makes of labels.

    Parameters
    ----------
    pair
        ndarray of int64, shape (n,).
    revision, opinion
        ndarrays of int64, shape (n,): the label and the reviewer's own, 0 for none.
    kind
        ndarray of str, shape (n,): `terms.DisputeKind`, empty where they agree.
    """

    pair: np.ndarray
    revision: np.ndarray
    opinion: np.ndarray
    kind: np.ndarray


@dataclass(frozen=True, slots=True)
class Rule:
    """When two labels are of one object, and when they lie on it alike: least overlaps."""

    threshold: Threshold
    geometry_iou: float = GEOMETRY_IOU


WANTED = (
    "revision",
    "annotation",
    "asset",
    "annotator",
    "class",
    "kind",
    *columns.BOX,
    "geometry",
    "attributes",
    "stage",
    "extra",
)
"""Columns of `columns.REVISIONS` that judging takes."""


def held_against(theirs: Side, own: Side, n_pairs: int, rule: Rule) -> Found:
    """Judge labels by reviewers' answers.

    Parameters
    ----------
    theirs
        Labels of annotators.
    own
        Labels of reviewers.
    n_pairs
        How many pairs there are.
    rule
        Of the overlaps.
    """
    words = _words(theirs.rows, own.rows)
    parts = [
        _block(theirs, own, start, min(start + _BLOCK_PAIRS, n_pairs), words, rule)
        for start in range(0, n_pairs, _BLOCK_PAIRS)
    ]
    none = np.zeros(0, np.int64)
    pair, revision, opinion = (
        np.concatenate([none, *(part[at] for part in parts)]) for at in range(3)
    )
    kind = np.concatenate([none.astype(object), *(part[3] for part in parts)])
    return Found(pair, revision, opinion, kind)


def _block(
    theirs: Side, own: Side, low: int, high: int, words: Words, rule: Rule
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    sides = [_labels(theirs, low, high, words, GOLD), _labels(own, low, high, words, OWN)]
    labels = _joined(*sides)
    labels = labels.take(np.lexsort((labels.revision, labels.annotator, labels.image)))
    found = judge(labels, np.ones(high - low, bool), words, rule.threshold)
    # that there is nothing beside what was drawn is no judgement of a label
    said = np.flatnonzero((found.gold >= 0) | (found.own >= 0))
    gold, drew, outcome = found.gold[said], found.own[said], found.outcome[said]
    kind = np.full(len(said), "", object)
    for judged, told in _KINDS.items():
        kind[outcome == judged] = told.value
    kind[gold < 0] = DisputeKind.MISSED.value
    right = np.flatnonzero((kind == "") & (gold >= 0) & (drew >= 0))
    a, b = gold[right], drew[right]
    differs = _differ(labels.attributes[a], labels.attributes[b], words.attributes)
    kind[right[differs]] = DisputeKind.ATTRIBUTES.value
    kind[right[_overlap(labels, a, b, words.kinds) < rule.geometry_iou]] = (
        DisputeKind.GEOMETRY.value
    )
    revision = np.append(labels.revision, 0)
    return found.pair[said] + low, revision[gold], revision[drew], kind


def _words(*tables: pa.Table) -> Words:
    def told(name: str) -> list[str]:
        return sorted({word for rows in tables for word in rows[name].unique().to_pylist()})

    return Words(["theirs", "own"], told("class"), told("kind"), [], [], told("attributes"))


def _labels(side: Side, low: int, high: int, words: Words, annotator: int) -> Labels:
    chosen = np.flatnonzero((side.pair >= low) & (side.pair < high))
    rows = side.rows.take(pa.array(side.row[chosen])).combine_chunks()
    zero = np.zeros(len(chosen), np.int64)

    def coded(name: str, known: list[str]) -> np.ndarray:
        return codes_in(texts_of(coverage.one(rows[name])), known)

    return Labels(
        image=side.pair[chosen] - low,
        annotator=zero + annotator,
        class_=coded("class", words.classes),
        kind=coded("kind", words.kinds),
        batch=zero,
        schema=zero,
        attributes=coded("attributes", words.attributes),
        annotation=np.asarray(rows["annotation"]),
        revision=np.asarray(rows["revision"]),
        week=zero,
        box=np.stack(
            [np.asarray(coverage.one(rows[name]).fill_null(float("nan"))) for name in columns.BOX],
            axis=1,
        ),
        geometry=coverage.one(rows["geometry"]),
    )


def _joined(one: Labels, other: Labels) -> Labels:
    names = [name for name in Labels.__dataclass_fields__ if name != "geometry"]
    plain = {n: np.concatenate([getattr(one, n), getattr(other, n)]) for n in names}
    return Labels(**plain, geometry=pa.concat_arrays([one.geometry, other.geometry]))


def _overlap(labels: Labels, a: np.ndarray, b: np.ndarray, kinds: Sequence[str]) -> np.ndarray:
    """Return how far labels of one object overlap; 1 where they have no place."""
    found = np.ones(len(a))
    placed = np.flatnonzero(~np.isnan(labels.box[a, 0]) & ~np.isnan(labels.box[b, 0]))
    measure = shapes(labels, kinds)
    one, other = a[placed], b[placed]
    if measure is None:
        found[placed] = iou(labels.box[one], labels.box[other])
    elif len(placed):
        found[placed] = measure(one, other)
    return found


def _differ(one: np.ndarray, other: np.ndarray, words: Sequence[str]) -> np.ndarray:
    """Tell of which pairs the second contradicts the first's attributes."""
    pairs, at = np.unique(np.stack([one, other]), axis=1, return_inverse=True)
    told = [_contradicts(words[a], words[b]) for a, b in pairs.T.tolist()]
    found: np.ndarray = np.array(told, bool)[at.reshape(-1)]
    return found


def _contradicts(theirs: str, own: str) -> bool:
    """Tell whether a reviewer says something else of an attribute.

    What they did not fill in is not said; what a tool fills in by itself (no, nothing) does not
    contradict that nobody said anything.
    """
    if theirs == own:
        return False
    said, given = json.loads(own), json.loads(theirs)
    return any(
        given[name] != value if name in given else bool(value) for name, value in said.items()
    )
