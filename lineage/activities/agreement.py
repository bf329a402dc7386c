"""Do they agree? Agreement of independent opinions, over all and along every dimension."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from lineage.activities import collect, disagreements, extents, gather, splits, tellings, trace
from lineage.activities.context import Project
from lineage.activities.disagreements import Disputes
from lineage.activities.extents import Extents
from lineage.activities.gather import Block, Threshold
from lineage.activities.opinions import Opinions
from lineage.activities.reopened import reopened
from lineage.activities.splits import Splits
from lineage.activities.trace import Choice
from lineage.calc import agreement, comparisons, outcomes
from lineage.calc.agreement import Counts
from lineage.calc.coefficients import tally
from lineage.calc.outcomes import Outcome

Row = Mapping[str, object]
SENSITIVITY = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """Agreement; ``docs/json.md`` gives the meaning of every number.

    Rows of ``by_...`` say what they are of, and ``n_images, n_pairs, f1, f1_lo, f1_hi, alpha,
    iou_mean, iou_lt75_fraction, n_missing``; a number with too few opinions behind it is None.
    Annotators stand as pseudonyms.
    """

    scope: Mapping[str, object]
    iou_threshold: float
    overall: Row
    by_class: Sequence[Row]
    by_pair: Sequence[Row]
    by_annotator: Sequence[Row]
    by_batch: Sequence[Row]
    by_schema: Sequence[Row]
    by_week: Sequence[Row]
    by_tag: Sequence[Row]
    by_self: Sequence[Row]
    confusion: Sequence[Row]
    sensitivity: Sequence[Row]
    outcomes: Mapping[str, int]
    disputes: Sequence[Row]
    splits: Sequence[Row]
    conventions: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Axes:
    """What the dimensions' values stand for.

    Parameters
    ----------
    first_week, n_weeks
        Weeks are counted from the first.
    tags
        Attribute values as ``name=value``.
    tags_of
        Per attributes document (code), the codes of its tags.
    """

    first_week: int
    n_weeks: int
    tags: Sequence[str]
    tags_of: Sequence[Sequence[int]]


def agreement_of(
    project: Project,
    choice: Choice | None = None,
    *,
    threshold: Threshold | None = None,
    sensitivity: Sequence[float] = SENSITIVITY,
) -> AgreementReport:
    """Measure agreement.

    Parameters
    ----------
    project
        An open project.
    choice
        Which opinions. Classes and annotators restrict the rows that are told, not the comparison.
    threshold
        When two labels are of one object.
    sensitivity
        Other thresholds at which to give the overall F1.
    """
    how, asked = threshold or Threshold(), choice or Choice()
    opinions = collect.load(project, asked)
    axes = axes_of(opinions)
    done = counted(opinions, how, axes)
    counts = done.counts
    people = trace.selector_of(project, asked).annotators
    again = collect.load(project, asked, is_repeated=True)
    own = _own(again, how)
    told = tellings.Telling(counts, opinions.words, axes.tags, axes.first_week)
    return AgreementReport(
        scope=_scope(opinions, asked),
        iou_threshold=how.tau,
        overall=told.overall(),
        by_class=told.classes(asked.class_),
        by_pair=told.pairs(people),
        by_annotator=told.annotators(people),
        by_batch=told.batches(),
        by_schema=told.schemas(),
        by_week=told.weeks(),
        by_tag=told.tags(),
        by_self=[] if own is None else tellings.Telling(own, again.words, (), 0).annotators(people),
        confusion=told.confusion(),
        sensitivity=[_at(opinions, tau, how, counts) for tau in sensitivity],
        outcomes=done.outcomes,
        disputes=disagreements.rows_of(
            done.disputes, opinions.words, reopened(project, asked, how)
        ),
        splits=splits.rows_of(done.splits, opinions.words, axes.tags),
        conventions=extents.rows_of(done.extents, opinions.words),
    )


@dataclass(frozen=True, slots=True)
class Counted:
    """What all blocks add up to; ``counts`` and ``splits`` are None where nothing can be compared."""

    counts: Counts | None
    outcomes: Mapping[str, int]
    disputes: Disputes | None
    splits: Splits | None
    extents: Extents


def counted(opinions: Opinions, threshold: Threshold, axes: Axes) -> Counted:
    """Count block by block."""
    words, four = opinions.words, np.zeros(len(Outcome), np.int64)
    parts, disputed, split, drawn = [], [], [], []
    for block in opinions.blocks():
        found = gather.gathered(block, threshold)
        parts.append(counts_of(block, found, threshold, axes))
        disputed.append(
            disagreements.disputes_of(found.said, len(words.annotators), len(words.classes))
        )
        split.append(splits.splits_of(found, words, axes.tags_of, len(axes.tags)))
        drawn.append(extents.extents_of(found, words))
        four += _outcomes(block, threshold)
    return Counted(
        counts=reduce(lambda a, b: a + b, parts) if parts else None,
        outcomes={outcome.name.lower(): int(four[outcome]) for outcome in Outcome},
        disputes=disagreements.together(disputed),
        splits=splits.together(split),
        extents=extents.together(drawn),
    )


def counts_of(opinions: Opinions, found: Block, threshold: Threshold, axes: Axes) -> Counts:
    """Return the counts of a block."""
    words, labels, said = opinions.words, found.labels, found.said
    n_classes = len(words.classes)
    drew = said.label >= 0
    cluster = labels.image[said.label[drew]]
    pairs_of_value = np.unique(said.unit[drew] * np.int64(n_classes + 1) + said.value[drew])
    n_units = np.bincount(pairs_of_value % (n_classes + 1), minlength=n_classes + 1).astype(float)
    n_units[n_classes] = len(np.unique(said.unit))
    return agreement.count(
        found.pairs,
        found.image,
        found.overlap,
        n_classes=n_classes,
        found=tally(said.unit[drew], said.value[drew], n_classes, cluster=cluster),
        chance=agreement.chance_matches(
            labels.image,
            labels.annotator,
            labels.class_,
            labels.box,
            (opinions.answers.image, opinions.answers.annotator),
            n_classes=n_classes,
            tau=threshold.tau,
        ),
        dimensions=_dimensions(opinions, found, axes),
        n_units=n_units,
        n_empty=found.n_empty,
    )


def axes_of(opinions: Opinions) -> Axes:
    """Return what weeks and tags there are in opinions."""
    weeks = opinions.labels.week
    first = int(weeks.min(initial=np.iinfo(np.int64).max)) if len(weeks) else 0
    number: dict[str, int] = {}
    tags_of = []
    for document in opinions.words.attributes:
        own = [f"{name}={_word(value)}" for name, value in sorted(json.loads(document).items())
               if isinstance(value, (str, bool))]  # fmt: skip
        tags_of.append([number.setdefault(tag, len(number)) for tag in own])
    n_weeks = int(weeks.max(initial=first)) - first + 1 if len(weeks) else 1
    return Axes(first, n_weeks, list(number), tags_of)


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _dimensions(
    opinions: Opinions, found: Block, axes: Axes
) -> dict[str, tuple[np.ndarray, np.ndarray, int]]:
    pairs, labels, words = found.pairs, found.labels, opinions.words
    every, n_people = np.arange(len(pairs.unit)), len(words.annotators)
    annotator, _, _, row = comparisons.directed(pairs)
    tag_rows, tag = _tagged(found, axes)
    return {
        "pair": (every, pairs.first * np.int64(n_people) + pairs.second, n_people**2),
        "annotator": (row, annotator, n_people),
        "batch": (every, gather.later(labels.batch, pairs), len(words.batches)),
        "schema": (every, gather.later(labels.schema, pairs), len(words.schemas)),
        "week": (every, found.week - axes.first_week, axes.n_weeks),
        "tag": (tag_rows, tag, len(axes.tags)),
    }


def _tagged(found: Block, axes: Axes) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs with the tags that either of their labels has; a pair stands once for each tag."""
    n_each = np.array([len(tags) for tags in axes.tags_of], np.int64)
    flat = np.array([tag for tags in axes.tags_of for tag in tags], np.int64)
    first = np.cumsum(n_each) - n_each
    keys = []
    for label in (found.pairs.label_first, found.pairs.label_second):
        rows = np.flatnonzero(label >= 0)
        document = found.labels.attributes[label[rows]]
        n = n_each[document] if len(n_each) else np.zeros(len(rows), np.int64)
        at = np.repeat(first[document], n) if len(n_each) else n
        offset = np.arange(len(at)) - np.repeat(np.cumsum(n) - n, n)
        keys.append(np.repeat(rows, n) * np.int64(max(len(axes.tags), 1)) + flat[at + offset])
    key = np.unique(np.concatenate(keys))
    n_tags = max(len(axes.tags), 1)
    return key // n_tags, key % n_tags


def _outcomes(opinions: Opinions, threshold: Threshold) -> np.ndarray:
    """Count the four outcomes on images that exactly two people answered for."""
    answers, labels = opinions.answers, opinions.labels
    images, first, n = np.unique(answers.image, return_index=True, return_counts=True)
    double = images[n == 2]
    smaller = answers.annotator[first[n == 2]]
    at = np.minimum(np.searchsorted(double, labels.image), max(len(double) - 1, 0))
    counted = np.zeros(len(Outcome), np.int64)
    if len(double) == 0 or len(labels) == 0:
        return counted
    is_double = double[at] == labels.image
    is_first = is_double & (labels.annotator == smaller[at])
    sides = [labels.take(np.flatnonzero(mask)) for mask in (is_first, is_double & ~is_first)]
    found = outcomes.outcomes(
        *(part for side in sides for part in (side.image, side.class_, side.box)),
        tau=threshold.tau,
    )
    counted += np.bincount(found.first, minlength=len(Outcome))
    counted[Outcome.EXTRA] += int((found.second == Outcome.EXTRA).sum())
    return counted


def _own(again: Opinions, threshold: Threshold) -> Counts | None:
    """Count how people agree with themselves, where an image came back to them."""
    parts = []
    for block in again.blocks():
        found = gather.gathered(block, threshold, by_batch=True)
        label = np.maximum(found.pairs.label_first, found.pairs.label_second)
        person = found.labels.annotator[label]
        every = np.arange(len(label))
        n_classes, n_people = len(again.words.classes), len(again.words.annotators)
        parts.append(
            agreement.count(
                found.pairs,
                found.image,
                found.overlap,
                n_classes=n_classes,
                found=tally(np.zeros(0, np.int64), np.zeros(0, np.int64), n_classes),
                chance=np.zeros(n_classes),
                dimensions={"annotator": (every, person, n_people)},
                n_units=np.zeros(n_classes + 1),
                n_empty=found.n_empty,
            )
        )
    return reduce(lambda a, b: a + b, parts) if parts else None


def _at(opinions: Opinions, tau: float, how: Threshold, counts: Counts | None) -> Row:
    """Return F1 over everything at another threshold; at the one that was counted, what was counted."""
    if Threshold(tau) == how:
        whole = None if counts is None else counts.whole
        return {"iou_threshold": tau, **tellings.numbers_of(whole, 0)}
    parts = []
    for block in opinions.blocks():
        found = gather.gathered(block, Threshold(tau))
        every, zero = np.arange(len(found.pairs.unit)), np.zeros(len(found.pairs.unit), np.int64)
        parts.append(
            agreement.cut(
                found.pairs,
                found.image,
                found.overlap,
                every,
                zero,
                1,
                n_classes=len(opinions.words.classes),
            )
        )
    whole = reduce(lambda a, b: a + b, parts) if parts else None
    return {"iou_threshold": tau, **tellings.numbers_of(whole, 0)}


def _scope(opinions: Opinions, asked: Choice) -> Row:
    return {
        "seq": opinions.seq,
        "batches": list(opinions.words.batches),
        "annotators": list(asked.annotator),
        "classes": list(asked.class_),
        "schemas": sorted({opinions.words.schemas[at] for at in np.unique(opinions.labels.schema)}),
        "n_images": len(np.unique(opinions.answers.image)),
        "n_answers": len(opinions.answers.image),
        "n_labels": len(opinions.labels),
    }
