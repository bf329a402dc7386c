"""Conventions of drawing: where annotators put the sides of a box, by habit.

On units whose boxes differ, each box's signed side offsets from the unit's mean,
in units of the object's size, are split into what the annotator explains and the
rest. A share that is explained is a convention, not noise; annotators with like
offsets are a camp. `camps` also takes habits of other kinds (leaving out, naming
otherwise) beside the four sides, so that a definition read in four ways shows its
four ways together.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from lineage.calc.geometry import iou, pairs_inside

DISPUTED_IOU = 0.8
SHARE_LEAST = 0.03
P_MOST = 0.01
N_LEAST = 100
"""Disputed opinions that an annotator needs before a camp is named."""

_MAX_CAMPS = 6


@dataclass(frozen=True, slots=True)
class OffsetTally:
    """Sums of side offsets; ``a + b`` is that of both sets of units.

    Parameters
    ----------
    n
        ndarray of float64, shape (n_annotators,): opinions on units of disputed geometry.
    scaled
        ndarray of float64, shape (n_annotators,): the same, each times (m - 1) / m.
    total, squared
        ndarrays of float64, shapes (n_annotators, 4) and (4,): sums of the residual offsets (left,
        top, right, bottom), and of their squares over all.
    n_units
        Units behind them.
    """

    n: np.ndarray
    scaled: np.ndarray
    total: np.ndarray
    squared: np.ndarray
    n_units: int

    def __add__(self, other: OffsetTally) -> OffsetTally:
        return OffsetTally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Convention:
    """What annotators' habits explain of how boxes differ.

    Parameters
    ----------
    share
        Annotator-explained share of the offsets' variance, bias removed, at least 0.
    f, p
        F statistic of no habit, and its p value.
    effect
        ndarray of float64, shape (n_annotators, 4): each one's mean offset of left, top, right and
        bottom, as a fraction of the object's width or height; NaN without a disputed opinion.
    n
        ndarray of float64, shape (n_annotators,).
    n_units
        Units of disputed geometry.
    """

    share: float
    f: float
    p: float
    effect: np.ndarray
    n: np.ndarray
    n_units: int

    @property
    def is_convention(self) -> bool:
        """Whether the share is large and sure enough to be called one."""
        return self.share > SHARE_LEAST and self.p < P_MOST


def offset_tally(
    unit: np.ndarray, annotator: np.ndarray, box: np.ndarray, n_annotators: int
) -> OffsetTally:
    """Sum the offsets of boxes on units whose geometry is disputed.

    Parameters
    ----------
    unit
        ndarray of int64, shape (n,).
    annotator
        ndarray of int, shape (n,): codes; at most one box of each on a unit.
    box
        ndarray of float64, shape (n, 4), px.
    n_annotators
        How many annotators there are.

    Notes
    -----
    A unit is disputed where the least IoU of its boxes with one another is below 0.8.
    """
    order = np.argsort(unit, kind="stable")
    unit, annotator, box = unit[order], annotator[order], box[order]
    _, dense = np.unique(unit, return_inverse=True)
    m = np.bincount(dense).astype(float)
    least = _least_overlap(dense, box, len(m))
    rows = np.flatnonzero((m[dense] >= 2) & (least[dense] < DISPUTED_IOU))
    at, who, drawn = dense[rows], annotator[rows], box[rows]
    summed = np.stack([np.bincount(at, drawn[:, i], len(m)) for i in range(4)], axis=1)
    mean = summed / np.maximum(m, 1)[:, None]
    size = np.maximum(mean[:, 2:] - mean[:, :2], 1e-9)
    residual = (drawn - mean[at]) / np.tile(size, 2)[at]
    total = [np.bincount(who, residual[:, i], n_annotators) for i in range(4)]
    return OffsetTally(
        n=np.bincount(who, minlength=n_annotators).astype(float),
        scaled=np.bincount(who, (m[at] - 1) / m[at], n_annotators),
        total=np.stack(total, axis=1),
        squared=(residual**2).sum(axis=0),
        n_units=len(np.unique(at)),
    )


def convention(t: OffsetTally) -> Convention:
    """Return what habits explain.

    Notes
    -----
    ``(SSB - df MSW) / SST`` over the four sides together, with an annotator's effect
    ``mean residual * m / (m - 1)`` because the unit's mean holds their own box too.
    """
    from scipy.stats import f as f_law

    active = t.n > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(active[:, None], t.total / t.n[:, None], np.nan)
        effect = np.where(active[:, None], t.total / t.scaled[:, None], np.nan)
    between = float((t.n[active, None] * mean[active] ** 2).sum())
    total = float(t.squared.sum())
    df_between = 4 * (int(active.sum()) - 1)
    df_within = 4 * (float(t.scaled.sum()) - int(active.sum()))
    if df_between <= 0 or df_within <= 0 or total <= 0:
        return Convention(0.0, np.nan, 1.0, effect, t.n, t.n_units)
    within = (total - between) / df_within
    share = max(0.0, (between - df_between * within) / total)
    f = between / df_between / within if within > 0 else np.inf
    p = float(f_law.sf(f, df_between, df_within))
    return Convention(share, float(f), p, effect, t.n, t.n_units)


def camps(habits: np.ndarray, *, max_camps: int = _MAX_CAMPS) -> np.ndarray:
    """Group annotators whose habits are alike.

    Parameters
    ----------
    habits
        ndarray of float64, shape (n_annotators, n_habits), finite, on comparable scales.
    max_camps
        Most groups to look for.

    Returns
    -------
    ndarray of int64, shape (n_annotators,)
        The camp of each annotator, 0 for the largest; all 0 where nothing can be grouped.

    Notes
    -----
    Ward's agglomeration, cut where the mean silhouette is greatest. Whether there is anything to
    group is for the caller's test to say: this always finds two camps or more.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    n = len(habits)
    if n < 3:
        return np.arange(n)
    tree = linkage(habits, "ward")
    cuts = [fcluster(tree, k, "maxclust") for k in range(2, min(max_camps, n - 1) + 1)]
    best = max(cuts, key=lambda cut: _silhouette(habits, cut))
    names, code, size = np.unique(best, return_inverse=True, return_counts=True)
    rank = np.empty(len(names), np.int64)
    rank[np.argsort(-size, kind="stable")] = np.arange(len(names))
    return rank[code]


def two_camps(lean: np.ndarray) -> np.ndarray:
    """Split annotators by how they lean, so that the sum of squares within is least.

    Parameters
    ----------
    lean
        ndarray of float64, shape (n_annotators,); NaN for those without an opinion.

    Returns
    -------
    ndarray of int64, shape (n_annotators,)
        0 for those who lean towards the first side, 1 for the others, -1 for NaN.
    """
    known = np.flatnonzero(np.isfinite(lean))
    found = np.full(len(lean), -1, np.int64)
    if len(known) < 2:
        found[known] = 0
        return found
    order = known[np.argsort(lean[known], kind="stable")]
    values = lean[order]
    n = np.arange(1, len(values))
    head = np.cumsum(values)[:-1]
    tail = values.sum() - head
    cut = int(np.argmax(head**2 / n + tail**2 / (len(values) - n))) + 1
    found[order[:cut]], found[order[cut:]] = 1, 0
    return found


def _least_overlap(dense: np.ndarray, box: np.ndarray, n_units: int) -> np.ndarray:
    least = np.ones(n_units)
    a, b = pairs_inside(dense)
    np.minimum.at(least, dense[a], iou(box[a], box[b]))
    return least


def _silhouette(points: np.ndarray, group: np.ndarray) -> float:
    names, code = np.unique(group, return_inverse=True)
    distance = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2))
    to_group = np.stack([distance[:, code == k].sum(axis=1) for k in range(len(names))], axis=1)
    size = np.bincount(code)
    own = to_group[np.arange(len(points)), code] / np.maximum(size[code] - 1, 1)
    others = to_group / size
    others[np.arange(len(points)), code] = np.inf
    nearest = others.min(axis=1)
    widest = np.maximum(own, nearest)
    # a camp of one says nothing of how tight it is
    value = np.where((size[code] > 1) & (widest > 0), (nearest - own) / widest, 0.0)
    return float(value.mean())
