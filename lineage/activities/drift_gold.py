"""Comparisons with gold by week: the control that sees what everybody does at once."""

from __future__ import annotations

import numpy as np

from lineage.activities.context import Project
from lineage.activities.drift import Against
from lineage.activities.gather import Threshold
from lineage.activities.gold_against import GoldComparisons, against_gold
from lineage.activities.trace import Choice


def gold_of(
    project: Project, choice: Choice | None = None, threshold: Threshold | None = None
) -> Against | None:
    """Return everybody's answers on images with gold by week; None where nothing is gold.

    Parameters
    ----------
    project, choice, threshold
        As `drift.drift_of`.
    """
    found = against_gold(project, choice, threshold=threshold)
    rows = np.flatnonzero(found.is_trial)
    if len(rows) == 0:
        return None
    table = _table(found.take(rows))
    keys, n = np.unique(table[:, :4], axis=0, return_counts=True)
    apart = table[table[:, 2] != table[:, 3]]
    return Against(
        annotators=found.words.annotators,
        classes=(None, *found.words.classes),
        said=np.concatenate([keys, n[:, None]], axis=1),
        apart=apart[np.lexsort(apart.T[::-1])],
    )


def _table(found: GoldComparisons) -> np.ndarray:
    """Return judgements in the columns of `weekly.Weekly.apart`."""
    nothing = found.nothing
    said, own = (np.where(code == nothing, 0, code + 1) for code in (found.said, found.own))
    return np.stack(
        [found.week, found.annotator, said, own, found.asset, found.annotation, found.gold], axis=1
    )
