"""Requirements held against what was measured: passed, failed, or not applicable, each with its number.

A requirement about opinions is about mentions: every label of a person that a second
person's answer bears out or does not, if the label passes the requirement's filter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import reduce

import numpy as np

from lineage.activities import gather
from lineage.activities.agreement import Axes, axes_of
from lineage.activities.drift import DriftReport
from lineage.activities.gather import SMALL_SIDE_PX, Block, Threshold
from lineage.activities.gold_against import GoldComparisons
from lineage.activities.gold_score import GoldScores
from lineage.activities.opinions import Opinions, Words
from lineage.activities.tellings import number
from lineage.calc import agreement, coefficients, comparisons, intervals
from lineage.calc.agreement import Cut
from lineage.calc.comparisons import Pairs
from lineage.settings.requirements import Metric, Requirement, Size

LARGE_SIDE_PX = 96.0
_OF_GOLD = (Metric.GOLD_ERROR, Metric.GOLD_ERROR_HI)
_SIZES = tuple(Size)


class GateState(StrEnum):
    """How a requirement stands."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True)
class Gate:
    """A requirement and what was found.

    Parameters
    ----------
    requirement
        With all that it inherits.
    value, lo, hi
        The metric and its interval, None where there is none.
    n
        Mentions, judgements on gold, annotators or streams behind it.
    state, reason
        How it stands, and why it is not applicable.
    """

    requirement: Requirement
    value: float | None
    lo: float | None
    hi: float | None
    n: int
    state: GateState
    reason: str

    def row(self) -> dict[str, object]:
        """Return it flat, as ``docs/json.md`` has it."""
        own = asdict(self.requirement)
        metric = own.pop("metric")
        filters = {key: list(own.pop(key)) for key in _FILTERS}
        told = {key: getattr(self, key) for key in ("value", "lo", "hi", "n", "state", "reason")}
        return {**own, "metric": metric, "filter": {k: v for k, v in filters.items() if v}, **told}


_FILTERS = ("classes", "kinds", "sizes", "attributes", "batches", "annotators")


def gates(
    requirements: Sequence[Requirement],
    opinions: Opinions,
    threshold: Threshold,
    drift: DriftReport,
    gold: tuple[GoldComparisons, GoldScores],
) -> list[Gate]:
    """Hold requirements against opinions, drift and gold.

    Parameters
    ----------
    requirements
        Their annotators as pseudonyms.
    opinions, threshold
        What agreement is counted over.
    drift
        Its report, of all alarms.
    gold
        Judgements and scores.
    """
    of_opinions = [r for r in requirements if r.metric not in (*_OF_GOLD, *_OF_REPORTS)]
    counted = iter(_counted(of_opinions, opinions, threshold))
    found = []
    for requirement in requirements:
        if requirement.metric in _OF_GOLD:
            found.append(_gold(requirement, gold[0]))
        elif requirement.metric is Metric.N_FLAGGED:
            found.append(_flagged(requirement, gold[1]))
        elif requirement.metric is Metric.N_ALARMS:
            found.append(_alarms(requirement, drift))
        else:
            found.append(next(counted))
    return found


_OF_REPORTS = (Metric.N_FLAGGED, Metric.N_ALARMS)


def _judged(requirement: Requirement, told: tuple[float, float, float], n: int, unit: str) -> Gate:
    value, low, high = told
    if n < requirement.least_n:
        return Gate(requirement, None, None, None, n, GateState.NOT_APPLICABLE,
                    f"{n} {unit}, fewer than {requirement.least_n}")  # fmt: skip
    if not np.isfinite(value):
        return Gate(
            requirement, None, None, None, n, GateState.NOT_APPLICABLE, "undefined: no variance"
        )
    is_low = requirement.least is not None and value < requirement.least
    is_high = requirement.most is not None and value > requirement.most
    state = GateState.FAILED if is_low or is_high else GateState.PASSED
    return Gate(requirement, float(value), number(low), number(high), n, state, "")


def _flagged(requirement: Requirement, scores: GoldScores) -> Gate:
    rows = [r for r in scores.annotators if _is_among(r["annotator"], requirement.annotators)]
    n = sum(row["decision"] == "flag" for row in rows)
    found = _judged(
        replace(requirement, least_n=1), (float(n), np.nan, np.nan), len(rows), "people scored"
    )
    return replace(found, requirement=requirement)


def _alarms(requirement: Requirement, drift: DriftReport) -> Gate:
    rows = [
        row
        for row in drift.alarms
        if row["is_standing"]
        and _is_among(row["annotator"], requirement.annotators)
        and (not requirement.classes or {row["class"], row["as_class"]} & set(requirement.classes))
    ]
    told = (float(len(rows)), np.nan, np.nan)
    found = _judged(replace(requirement, least_n=1), told, drift.n_streams, "streams charted")
    return replace(found, requirement=requirement)


def _is_among(value: object, wanted: Sequence[str]) -> bool:
    return not wanted or value in wanted


def _gold(requirement: Requirement, found: GoldComparisons) -> Gate:
    mask = found.is_trial.copy()
    if requirement.classes:
        mask &= np.isin(found.said, _codes(found.words.classes, requirement.classes))
    if requirement.batches:
        mask &= np.isin(found.batch, _codes(found.words.batches, requirement.batches))
    if requirement.annotators:
        mask &= np.isin(found.annotator, _codes(found.words.annotators, requirement.annotators))
    n, wrong = int(mask.sum()), int((mask & (found.said != found.own)).sum())
    if n == 0:
        return _judged(requirement, (np.nan, np.nan, np.nan), 0, "judgements on gold")
    low, high = (float(end) for end in intervals.wilson(wrong, n))
    value = wrong / n if requirement.metric is Metric.GOLD_ERROR else high
    return _judged(requirement, (value, low, high), n, "judgements on gold")


def _codes(words: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    return np.array([at for at, word in enumerate(words) if word in wanted], np.int64)


def _counted(
    requirements: Sequence[Requirement], opinions: Opinions, threshold: Threshold
) -> list[Gate]:
    if not requirements:
        return []
    axes = axes_of(opinions)
    parts = [
        _cut(requirements, gather.gathered(block, threshold), opinions.words, axes)
        for block in opinions.blocks()
    ]
    if not parts:
        told = (np.nan, np.nan, np.nan)
        return [_judged(one, told, 0, "mentions") for one in requirements]
    whole = reduce(lambda a, b: a + b, parts)
    f1 = coefficients.specific_agreement(whole.detection)
    ends = intervals.specific_interval(whole.detection)
    alpha = agreement.alphas(whole)
    n = whole.detection.mentions
    found = []
    for at, requirement in enumerate(requirements):
        places = whole.places.n[at]
        with np.errstate(divide="ignore", invalid="ignore"):
            value = {
                Metric.F1: (f1[at], ends[0][at], ends[1][at]),
                Metric.F1_LO: (ends[0][at], ends[0][at], ends[1][at]),
                Metric.MISSING_FRACTION: (whole.n_missing[at] / n[at], np.nan, np.nan),
                Metric.ALPHA: (alpha[at], np.nan, np.nan),
                Metric.IOU_MEAN: (whole.places.total[at] / places, np.nan, np.nan),
                Metric.IOU_LT75_FRACTION: (whole.places.n_loose[at] / places, np.nan, np.nan),
            }[requirement.metric]
        found.append(_judged(requirement, value, int(n[at]), "mentions"))
    return found


def _cut(requirements: Sequence[Requirement], found: Block, words: Words, axes: Axes) -> Cut:
    """Count each requirement's mentions as a value of a dimension of its own."""
    mention, row, said_by_other = _mentions(found, len(words.classes))
    cells, rows = [], []
    for at, requirement in enumerate(requirements):
        kept = np.flatnonzero(_passes(requirement, found, mention, words, axes))
        cells.append(np.full(len(kept), at))
        rows.append(kept)
    chosen, value = np.concatenate(rows), np.concatenate(cells)
    pairs = found.pairs
    own = found.labels.class_[mention[chosen]]
    # one side of a pair is looked at, the other only bears it out: it mentions nothing itself
    one_sided = Pairs(
        unit=pairs.unit[row[chosen]],
        first=pairs.first[row[chosen]],
        second=pairs.second[row[chosen]],
        said_first=own,
        said_second=said_by_other[chosen],
        label_first=mention[chosen],
        label_second=mention[chosen],
    )
    n_classes, n = len(words.classes), len(requirements)
    image, overlap = found.image[row[chosen]], found.overlap[row[chosen]]
    every = np.arange(len(chosen))
    told = agreement.cut(one_sided, image, overlap, every, value, n, n_classes=n_classes)
    # a pair of which both sides pass is here twice, and is one pair of opinions for alpha
    return replace(
        told,
        detection=comparisons.borne_out(one_sided, image, value, n),
        mentions=told.mentions / 2,
        coincidences=told.coincidences / 2,
    )


def _mentions(found: Block, n_classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return every label of every pair, the pair it stands in, and what the other one said."""
    pairs = found.pairs
    label = np.concatenate([pairs.label_first, pairs.label_second])
    other = np.concatenate([pairs.said_second, pairs.said_first])
    row = np.tile(np.arange(len(pairs.unit)), 2)
    drew = np.flatnonzero(label >= 0)
    return label[drew], row[drew], other[drew]


def _passes(
    requirement: Requirement, found: Block, label: np.ndarray, words: Words, axes: Axes
) -> np.ndarray:
    labels, mask = found.labels, np.ones(len(label), bool)
    for wanted, codes, known in (
        (requirement.classes, labels.class_, words.classes),
        (requirement.kinds, labels.kind, words.kinds),
        (requirement.batches, labels.batch, words.batches),
        (requirement.annotators, labels.annotator, words.annotators),
    ):
        if wanted:
            mask &= np.isin(codes[label], _codes(known, wanted))
    if requirement.attributes:
        tags = set(_codes(axes.tags, requirement.attributes).tolist())
        documents = [at for at, own in enumerate(axes.tags_of) if tags & set(own)]
        mask &= np.isin(labels.attributes[label], np.array(documents, np.int64))
    if requirement.sizes:
        box = labels.box[label]
        area = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
        size = np.searchsorted([SMALL_SIDE_PX**2, LARGE_SIDE_PX**2], area, side="right")
        codes_ = [_SIZES.index(Size(word)) for word in requirement.sizes]
        mask &= np.isfinite(area) & np.isin(size, codes_)
    return mask
