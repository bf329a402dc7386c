"""Opinions on judged images weighed together: how likely each value of each object is.

Annotators, reviewers, and who was asked afresh are believed in turn
(`lineage.calc.modes`): where nothing tells who is right, it says so. "There is
nothing" is one of the values, as everybody who was asked has said something of
every object.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lineage.activities import batches, collect, gather
from lineage.activities.context import Project
from lineage.activities.gather import Block, Threshold
from lineage.activities.opinions import Labels, Opinions, Words
from lineage.activities.review_frame import codes_in
from lineage.activities.review_log import Verdicts, answers_tag
from lineage.activities.trace import Choice
from lineage.calc import modes, state
from lineage.calc.geometry import iou

ANNOTATOR, REVIEWER, AFRESH = range(3)
_LEAST_PAIRS = 20
_ACCURACY, _ACCURACY_BOUNDS = 0.9, (0.6, 0.999)


@dataclass(frozen=True, slots=True)
class Weighed:
    """Every object of the judged images.

    Parameters
    ----------
    labels, unit
        The opinions that drew something, and the object of each.
    said_unit, annotator, value
        ndarrays of int64, shape (m,): what everybody who was asked said of every object; the last
        value is "nothing".
    probability
        ndarray of float64, shape (n_units, n_values).
    pairs
        Rows of labels two and two, and how far they overlap.
    words
        Of the codes.
    accuracy
        How often an annotator gets all attributes of an object right.
    answers
        Tag of the batch of reviewers' answers.
    """

    labels: Labels
    unit: np.ndarray
    said_unit: np.ndarray
    annotator: np.ndarray
    value: np.ndarray
    probability: np.ndarray
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray]
    words: Words
    accuracy: float
    answers: str


def weighed(
    project: Project,
    batch: str,
    assets: np.ndarray,
    up_to: int,
    *,
    verdicts: Verdicts,
    threshold: Threshold,
) -> Weighed | None:
    """Weigh all opinions on some images of a batch and its reviews; None where nobody gave two.

    Parameters
    ----------
    project, batch, up_to
        Where to look.
    assets
        ndarray of int64: the images.
    verdicts
        On the batch: they tell who reviewed from who was asked afresh.
    threshold
        When two labels are of one object.
    """
    known = {row.tag for row in batches.list_all(project)}
    tags = tuple(tag for tag in (batch, answers_tag(batch)) if tag in known)
    choice = Choice(batch=tags, as_of=str(up_to))
    opinions = collect.load(project, choice, assets=np.unique(assets), has_fresh=True)
    if len(opinions.labels) == 0:
        return None
    n_units, n_labels = 0, 0
    own: list[np.ndarray] = []
    parts: list[tuple[np.ndarray, ...]] = []
    pairs: list[tuple[np.ndarray, ...]] = []
    labels: list[Labels] = []
    for block in opinions.blocks():
        found = gather.gathered(block, threshold)
        a, b, overlap = _overlaps(found, opinions.words.kinds)
        pairs.append((a + n_labels, b + n_labels, overlap))
        said = found.said
        own.append(found.unit + n_units)
        role = _roles(block, found, answers_tag(batch), verdicts)
        parts.append((said.unit + n_units, said.annotator, said.value, role))
        labels.append(found.labels)
        n_units += int(found.unit.max(initial=-1)) + 1
        n_labels += len(found.labels)
    unit = np.concatenate(own)
    said_unit, annotator, value, role = _joined(parts)
    n_values = len(opinions.words.classes) + 1
    starts = [
        modes.shares(said_unit, value, n_units, n_values, role == side)
        for side in (ANNOTATOR, REVIEWER, AFRESH)
    ]
    weighing = modes.weighed(said_unit, annotator, value, n_values, starts)
    every = labels[0] if len(labels) == 1 else _together(labels)
    two = _joined(pairs)
    return Weighed(
        every, unit, said_unit, annotator, value, weighing, (two[0], two[1], two[2]),
        opinions.words, _accuracy(every, two[0], two[1]), answers_tag(batch),
    )  # fmt: skip


def _roles(block: Opinions, found: Block, tag: str, said: Verdicts) -> np.ndarray:
    """Tell of everything that was said of objects whether an annotator, a reviewer or somebody afresh said it."""
    image = np.zeros(int(found.unit.max(initial=-1)) + 1, np.int64)
    image[found.unit] = found.labels.image
    answers, own = block.answers, found.said
    n = len(answers.image)
    key = state.composed(
        np.concatenate([answers.image, image[own.unit]]),
        np.concatenate([answers.annotator, own.annotator]),
    )
    tags = np.array([name == tag for name in block.words.batches], bool)
    is_blind = tags[answers.batch][state.row_of(key[:n], key[n:])]
    reviewer = codes_in(said.reviewer, block.words.annotators)
    pair = state.composed(
        np.concatenate([said.asset, block.asset_of(image[own.unit])]),
        np.concatenate([reviewer, own.annotator]),
    )
    has_judged = np.isin(pair[len(said) :], pair[: len(said)])
    return np.where(is_blind, np.where(has_judged, REVIEWER, AFRESH), ANNOTATOR)


def _accuracy(labels: Labels, a: np.ndarray, b: np.ndarray) -> float:
    """Return how often one opinion's attributes are right, from how often two are the same."""
    same_class = labels.class_[a] == labels.class_[b]
    if int(same_class.sum()) < _LEAST_PAIRS:
        return _ACCURACY
    same = float((labels.attributes[a] == labels.attributes[b])[same_class].mean())
    # both right or both wrong: same = q**2 + (1 - q)**2
    return float(np.clip((1 + math.sqrt(max(2 * same - 1, 0))) / 2, *_ACCURACY_BOUNDS))


def _overlaps(found: Block, kinds: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    labels, pairs = found.labels, found.pairs
    both = np.flatnonzero((pairs.label_first >= 0) & (pairs.label_second >= 0))
    a, b = pairs.label_first[both], pairs.label_second[both]
    measure = gather.shapes(labels, kinds)
    overlap = iou(labels.box[a], labels.box[b]) if measure is None else measure(a, b)
    whole = np.isnan(labels.box[a, 0]) | np.isnan(labels.box[b, 0])
    return a, b, np.where(whole, np.nan, overlap)


def _joined(parts: Sequence[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _together(parts: Sequence[Labels]) -> Labels:
    plain = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in Labels.__slots__
        if name != "geometry"
    }
    return Labels(**plain, geometry=pa.concat_arrays([part.geometry for part in parts]))
