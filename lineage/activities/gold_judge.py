"""Judging answers by gold: which gold labels were found, and what stands beside them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from lineage.activities.gather import Threshold, gathered
from lineage.activities.opinions import Answers, Labels, Opinions, Words
from lineage.calc.assignment import assign
from lineage.calc.overlaps import overlapping

GOLD, OWN = 0, 1
"""Who is who among the labels of a pair of answers."""

NEAR_IOU = 0.1
"""What overlaps a gold label of its class by less than the threshold and by this at least is misplaced."""


class Judged(IntEnum):
    """What was made of a gold label, or beside it."""

    RIGHT = 0
    MISSED = 1
    MISCLASSED = 2
    MISPLACED = 3
    EXTRA = 4


@dataclass(frozen=True, slots=True)
class Judgements:
    """Judgements on pairs of a gold answer and a person's.

    Parameters
    ----------
    pair
        ndarray of int64, shape (n,).
    outcome
        ndarray of int64, shape (n,): `Judged`.
    gold, own
        ndarrays of int64, shape (n,): rows of the labels, -1 for nothing. A misplaced label has both.
    is_trial
        ndarray of bool, shape (n,): whether the row counts as a judgement; what stands beside a whole
        gold answer is one judgement together.
    """

    pair: np.ndarray
    outcome: np.ndarray
    gold: np.ndarray
    own: np.ndarray
    is_trial: np.ndarray


def judge(labels: Labels, is_whole: np.ndarray, words: Words, threshold: Threshold) -> Judgements:
    """Judge pairs of answers.

    Parameters
    ----------
    labels
        Of both sides: ``image`` is the pair, ascending, ``annotator`` `GOLD` or `OWN`.
    is_whole
        ndarray of bool, shape (n_pairs,): what gold does not have is not in the image.
    words
        What the labels' codes stand for.
    threshold
        When a label is of a gold object.
    """
    n_pairs = len(is_whole)
    both = np.repeat(np.arange(n_pairs), 2)
    zero = np.zeros(len(both), np.int64)
    answers = Answers(both, np.tile([GOLD, OWN], n_pairs), zero, zero, zero.astype(bool))
    found = gathered(Opinions(labels, answers, words, 1, 0), threshold)
    gold, own = found.pairs.label_first, found.pairs.label_second.copy()
    outcome = np.full(len(gold), Judged.RIGHT, np.int64)
    outcome[found.pairs.said_first != found.pairs.said_second] = Judged.MISCLASSED
    outcome[own < 0] = Judged.MISSED
    outcome[gold < 0] = Judged.EXTRA
    _find_misplaced(labels, outcome, gold, own)
    pair = found.image
    keep = (outcome != Judged.EXTRA) | ((own >= 0) & is_whole[pair])
    pair, outcome, gold, own = (column[keep] for column in (pair, outcome, gold, own))
    asked = _asks_beside(labels, is_whole)
    extras = np.flatnonzero(outcome == Judged.EXTRA)
    is_trial = outcome != Judged.EXTRA
    first = extras[np.unique(pair[extras], return_index=True)[1]]
    is_trial[first] = asked[pair[first]]
    clean = np.setdiff1d(np.flatnonzero(asked), pair[extras])
    none = np.full(len(clean), -1, np.int64)
    return Judgements(
        pair=np.concatenate([pair, clean]),
        outcome=np.concatenate([outcome, np.full(len(clean), Judged.RIGHT, np.int64)]),
        gold=np.concatenate([gold, none]),
        own=np.concatenate([own, none]),
        is_trial=np.concatenate([is_trial, np.ones(len(clean), bool)]),
    )


def _find_misplaced(labels: Labels, outcome: np.ndarray, gold: np.ndarray, own: np.ndarray) -> None:
    """Give missed gold the label of its class that was meant for it; what it was is no extra then."""
    missed, extra = (
        np.flatnonzero(outcome == Judged.MISSED),
        np.flatnonzero(outcome == Judged.EXTRA),
    )
    n_classes = int(labels.class_.max(initial=0)) + 1
    group = labels.image * np.int64(n_classes) + labels.class_
    a, b, overlap = overlapping(
        group[gold[missed]],
        labels.box[gold[missed]],
        group[own[extra]],
        labels.box[own[extra]],
        least_iou=NEAR_IOU,
    )
    chosen, _ = assign(a, b, overlap, close=0.0)
    outcome[missed[a[chosen]]] = Judged.MISPLACED
    own[missed[a[chosen]]] = own[extra[b[chosen]]]
    own[extra[b[chosen]]] = -1


def _asks_beside(labels: Labels, is_whole: np.ndarray) -> np.ndarray:
    """Tell of which pairs it is judged that there is nothing beside the gold.

    Where a whole-image class is chosen out of several there is nothing beside it.
    """
    is_class = np.isnan(labels.box[:, 0])
    seat = labels.image[is_class] * 2 + labels.annotator[is_class]
    has_several = len(np.unique(seat)) < len(seat)
    is_gold = labels.annotator == GOLD
    n_placed, n_gold = (
        np.bincount(labels.image[mask], minlength=len(is_whole))
        for mask in (is_gold & ~is_class, is_gold)
    )
    found: np.ndarray = is_whole & (has_several | (n_placed > 0) | (n_gold == 0))
    return found
