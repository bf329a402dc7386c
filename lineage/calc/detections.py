"""What an evaluator makes of detections: which label each one matches, and the figures that follow.

The matching is `pycocotools`' own, one image and class at a time, and so is average precision; nothing
here decides whether a detection is right. What is ours is the bookkeeping: only pairs of image and
class in which both sides have something are put before the evaluator, which is what makes a large set
bearable. Start reading at `match`.

References
----------
Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014; the evaluation code by Dollár and Lin.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lineage.errors import BadInput

if TYPE_CHECKING:
    from pycocotools.cocoeval import COCOeval

TAU = 0.5
N_MOST = 100
"""Detections of one class on one image that count, the best ones: as in COCO's summary."""

_ANY_AREA = (0.0, 1e10)


@dataclass(frozen=True, slots=True)
class Objects:
    """Labels, or detections.

    Parameters
    ----------
    image, class_
        ndarrays of int64, shape (n,): codes that both sides share.
    box
        ndarray of float64, shape (n, 4): corners, px.
    score
        ndarray of float64, shape (n,); of labels it is not looked at.
    is_crowd
        ndarray of bool, shape (n,): labels that neither demand a detection nor forbid one.
    """

    image: np.ndarray
    class_: np.ndarray
    box: np.ndarray
    score: np.ndarray
    is_crowd: np.ndarray

    def __len__(self) -> int:
        return len(self.image)

    def of_one_class(self) -> Objects:
        """Return the same as if all were of one class."""
        return Objects(self.image, np.zeros_like(self.class_), self.box, self.score, self.is_crowd)

    def where(self, rows: np.ndarray) -> Objects:
        """Return some of them; ``rows`` is a mask or positions."""
        return Objects(
            self.image[rows],
            self.class_[rows],
            self.box[rows],
            self.score[rows],
            self.is_crowd[rows],
        )


def objects(
    image: np.ndarray,
    class_: np.ndarray,
    box: np.ndarray,
    *,
    score: np.ndarray | None = None,
    is_crowd: np.ndarray | None = None,
) -> Objects:
    """Return `Objects`, those without a score scored 1, those of which nothing is said no crowd."""
    n = len(image)
    return Objects(
        np.asarray(image, np.int64),
        np.asarray(class_, np.int64),
        np.asarray(box, np.float64).reshape(n, 4),
        np.ones(n) if score is None else np.asarray(score, np.float64),
        np.zeros(n, bool) if is_crowd is None else np.asarray(is_crowd, bool),
    )


@dataclass(frozen=True, slots=True)
class Matches:
    """Who matched whom.

    Parameters
    ----------
    partner_of_truth, partner_of_found
        ndarrays of int64, shapes (n,) and (m,): row on the other side, -1 for none.
    is_ignored
        ndarray of bool, shape (m,): detections that count neither for nor against: on a crowd.
    is_counted
        ndarray of bool, shape (m,): among the `N_MOST` best of their image and class.
    """

    partner_of_truth: np.ndarray
    partner_of_found: np.ndarray
    is_ignored: np.ndarray
    is_counted: np.ndarray


def match(truth: Objects, found: Objects, *, tau: float = TAU, n_most: int = N_MOST) -> Matches:
    """Match detections to labels of their class, the best scored first.

    Parameters
    ----------
    truth, found
        Labels and detections.
    tau
        IoU from which on a detection may match.
    n_most
        Detections of one class on one image that count.

    Raises
    ------
    BadInput
        ``extra-missing``: pycocotools is not installed.

    Notes
    -----
    A detection of a low score never takes a label from one of a high score, so the matching at a score
    threshold is this one without the pairs below it.

    Examples
    --------
    >>> box = np.array([[0.0, 0.0, 10.0, 10.0]])
    >>> one = objects(np.zeros(1), np.zeros(1), box)
    >>> two = objects(np.zeros(2), np.zeros(2), np.vstack([box, box]), score=np.array([0.4, 0.9]))
    >>> match(one, two).partner_of_truth.tolist()
    [1]
    """
    pair_truth, pair_found = _pairs(truth, found)
    order_truth = np.argsort(pair_truth, kind="stable")
    order_found = np.lexsort((-found.score, pair_found))
    ranked = pair_found[order_found]
    first = np.searchsorted(ranked, ranked)
    is_counted = np.zeros(len(found), bool)
    is_counted[order_found] = np.arange(len(ranked)) - first < n_most
    of_truth = np.full(len(truth), -1, np.int64)
    of_found = np.full(len(found), -1, np.int64)
    is_ignored = _has_odd_area(found.box)
    both = np.intersect1d(pair_truth, pair_found)
    if len(both) == 0:
        return Matches(of_truth, of_found, is_ignored, is_counted)
    evaluator = _evaluator(tau, n_most)
    sorted_truth = pair_truth[order_truth]
    limits = zip(
        np.searchsorted(sorted_truth, both).tolist(),
        np.searchsorted(sorted_truth, both, side="right").tolist(),
        np.searchsorted(ranked, both).tolist(),
        np.searchsorted(ranked, both, side="right").tolist(),
        strict=True,
    )
    size_truth, size_found = _sized(truth.box), _sized(found.box)
    for start, stop, start_found, stop_found in limits:
        # those beyond the most that count match nothing
        last = min(stop_found, start_found + n_most)
        told = _evaluated(
            evaluator,
            _labels(truth, size_truth, order_truth[start:stop]),
            _detections(found, size_found, order_found[start_found:last]),
            n_most,
        )
        if told is None:
            continue
        _note(told, of_truth, of_found, is_ignored)
    return Matches(of_truth, of_found, is_ignored, is_counted)


def _note(
    told: dict[str, np.ndarray],
    of_truth: np.ndarray,
    of_found: np.ndarray,
    is_ignored: np.ndarray,
) -> None:
    """Write one image and class of the evaluator's answer down; its ids are rows from 1 on."""
    of_truth[np.asarray(told["gtIds"], np.int64) - 1] = told["gtMatches"][0].astype(np.int64) - 1
    rows = np.asarray(told["dtIds"], np.int64) - 1
    of_found[rows] = told["dtMatches"][0].astype(np.int64) - 1
    is_ignored[rows] = told["dtIgnore"][0]


def _pairs(truth: Objects, found: Objects) -> tuple[np.ndarray, np.ndarray]:
    n_classes = 1 + max(
        int(truth.class_.max(initial=0)),
        int(found.class_.max(initial=0)),
    )
    return truth.image * n_classes + truth.class_, found.image * n_classes + found.class_


def _has_odd_area(box: np.ndarray) -> np.ndarray:
    """Tell boxes that the evaluator leaves out of its counts unless they match."""
    area = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
    return np.asarray((area < _ANY_AREA[0]) | (area > _ANY_AREA[1]), bool)


def _sized(box: np.ndarray) -> np.ndarray:
    """Return boxes as COCO has them: corner, width, height."""
    turned = box.copy()
    turned[:, 2:] -= turned[:, :2]
    return turned


def _labels(truth: Objects, size: np.ndarray, rows: np.ndarray) -> list[dict[str, object]]:
    told = zip(rows.tolist(), size[rows].tolist(), truth.is_crowd[rows].tolist(), strict=True)
    return [
        {
            "id": row + 1,
            "bbox": box,
            "area": box[2] * box[3],
            "iscrowd": int(is_crowd),
            "ignore": int(is_crowd),
        }
        for row, box, is_crowd in told
    ]


def _detections(found: Objects, size: np.ndarray, rows: np.ndarray) -> list[dict[str, object]]:
    told = zip(rows.tolist(), size[rows].tolist(), found.score[rows].tolist(), strict=True)
    return [
        {"id": row + 1, "bbox": box, "area": box[2] * box[3], "score": score}
        for row, box, score in told
    ]


def _evaluator(tau: float, n_most: int) -> COCOeval:
    try:
        from pycocotools.cocoeval import COCOeval
    except ImportError as exc:
        raise BadInput(
            "extra-missing",
            "detections are matched by pycocotools, which is not installed",
            hint="pip install 'lineage[coco]'",
        ) from exc
    evaluator = COCOeval(iouType="bbox")
    evaluator.params.iouThrs = np.array([tau])
    evaluator.params.areaRng = [list(_ANY_AREA)]
    evaluator.params.areaRngLbl = ["all"]
    evaluator.params.maxDets = [n_most]
    return evaluator


def _evaluated(
    evaluator: COCOeval,
    labels: list[dict[str, object]],
    detections: list[dict[str, object]],
    n_most: int,
) -> dict[str, np.ndarray] | None:
    """Return the evaluator's answer for one image and class, which it is shown alone."""
    pair = (0, 0)
    evaluator._gts, evaluator._dts = {pair: labels}, {pair: detections}
    evaluator.ious = {pair: evaluator.computeIoU(*pair)}
    told: dict[str, np.ndarray] | None = evaluator.evaluateImg(*pair, list(_ANY_AREA), n_most)
    return told


def precisions(truth: Objects, found: Objects, matches: Matches, n_classes: int) -> np.ndarray:
    """Return average precision of every class, as the evaluator accumulates it.

    Returns
    -------
    ndarray of float64, shape (n_classes, 2)
        Average precision and recall at the IoU of ``matches``; NaN for classes without labels.
    """
    evaluator = _evaluator(TAU, max(len(found), 1))
    evaluator.params.imgIds, evaluator.params.catIds = [0], list(range(n_classes))
    order = np.lexsort((-found.score, found.image))
    order = order[matches.is_counted[order]]
    by_class = order[np.argsort(found.class_[order], kind="stable")]
    limits = np.searchsorted(found.class_[by_class], np.arange(n_classes + 1))
    # one image that holds all: what is accumulated over images is only strung together
    evaluator.evalImgs = [
        {
            "dtScores": found.score[rows],
            "dtMatches": (matches.partner_of_found[rows] + 1)[None, :],
            "dtIgnore": matches.is_ignored[rows][None, :],
            "gtIgnore": truth.is_crowd[truth.class_ == at],
        }
        for at in range(n_classes)
        for rows in [by_class[limits[at] : limits[at + 1]]]
    ]
    evaluator._paramsEval = evaluator.params
    with contextlib.redirect_stdout(None):
        evaluator.accumulate()
    precision = evaluator.eval["precision"][0, :, :, 0, 0]
    recall = evaluator.eval["recall"][0, :, 0, 0]
    is_known = recall >= 0
    return np.column_stack(
        [np.where(is_known, precision.mean(axis=0), np.nan), np.where(is_known, recall, np.nan)]
    )


def best_threshold(truth: Objects, found: Objects, matches: Matches) -> float:
    """Return the score from which on detections give the highest F1, over all classes together.

    Notes
    -----
    Of several the highest; 0.5 where no detection matches anything.
    """
    counts = matches.is_counted & ~matches.is_ignored
    score, is_right = found.score[counts], matches.partner_of_found[counts] >= 0
    if not is_right.any():
        return 0.5
    order = np.argsort(-score, kind="stable")
    n_right = np.cumsum(is_right[order])
    n_truth = int((~truth.is_crowd).sum())
    f1 = 2 * n_right / (n_truth + np.arange(1, len(order) + 1))
    # detections of one score are taken or left together
    is_last = np.append(np.diff(score[order]) != 0, True)
    return float(score[order][int(np.argmax(np.where(is_last, f1, -1.0)))])
