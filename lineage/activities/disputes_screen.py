"""A cheap screen of disputes: which confusions go one way, and are therefore most worth reopening."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lineage.activities import collect, disagreements, gather
from lineage.activities.context import Project
from lineage.activities.gather import Block, Threshold
from lineage.activities.reopened import reopened
from lineage.activities.tellings import number
from lineage.activities.trace import Choice
from lineage.calc import disputes, sums
from lineage.calc.sums import Sums

Row = dict[str, object]
Q_MOST = 0.05


def screen(
    project: Project, choice: Choice | None = None, *, threshold: Threshold | None = None
) -> list[Row]:
    """Return every disputed pair of values, those most worth reopening first.

    Parameters
    ----------
    project
        An open project.
    choice, threshold
        Which opinions, and when two labels are of one object.

    Returns
    -------
    list of dict
        As `disagreements.rows_of`, with ``one_sided`` (mean over pairs of annotators, weighted by their
        confusions, of `disputes.one_sided_pairs`), ``q`` (p of the exact tests of the two directions,
        combined over pairs of annotators, Benjamini and Hochberg's over disputes) and
        ``is_worth_opening``: one-sided beyond chance, and without a verdict.
    """
    asked, how = choice or Choice(), threshold or Threshold()
    opinions = collect.load(project, asked)
    n_people, width = len(opinions.words.annotators), len(opinions.words.classes) + 1
    counted, confused = [], sums.none(2)
    for block in opinions.blocks():
        found = gather.gathered(block, how)
        counted.append(disagreements.disputes_of(found.said, n_people, width - 1))
        confused = confused + _confusions(found, n_people, width)
    rows = disagreements.rows_of(
        disagreements.together(counted), opinions.words, reopened(project, asked, how)
    )
    codes: Mapping[str | None, int] = {
        name: at for at, name in enumerate([*opinions.words.classes, None])
    }
    told = []
    for row in rows:
        one, other = (codes[_name(row[key])] for key in ("class", "as_class"))
        base = (one * width + other) * n_people * n_people
        pairs = confused.between(base, base + n_people * n_people).value
        told.append(_one_sided(pairs))
    q = _discoveries(np.array([p for _, p in told]))
    found_rows = [
        {
            **row,
            "one_sided": number(score),
            "q": number(float(value)),
            "is_worth_opening": bool(value < Q_MOST) and row["verdict"] is None,
        }
        for row, (score, _), value in zip(rows, told, q, strict=True)
    ]
    return sorted(found_rows, key=lambda row: not row["is_worth_opening"])


def _name(value: object) -> str | None:
    return None if value is None else str(value)


def _confusions(found: Block, n_people: int, width: int) -> Sums:
    """Count, by dispute and pair of annotators, confusions forth and back."""
    pairs = found.pairs
    apart = np.flatnonzero(pairs.said_first != pairs.said_second)
    first, second = pairs.said_first[apart], pairs.said_second[apart]
    forth = first < second
    low, high = np.minimum(first, second), np.maximum(first, second)
    who = pairs.first[apart] * np.int64(n_people) + pairs.second[apart]
    key = (low * np.int64(width) + high) * np.int64(n_people * n_people) + who
    return sums.summed(key, np.stack([forth, ~forth], axis=1).astype(float))


def _one_sided(pairs: np.ndarray) -> tuple[float, float]:
    from scipy.stats import binomtest, combine_pvalues

    score = disputes.one_sided_pairs(pairs[:, 0], pairs[:, 1])
    n = pairs.sum(axis=1)
    known = np.isfinite(score)
    if not known.any():
        return np.nan, 1.0
    p = [
        binomtest(int(forth), int(forth + back), 0.5).pvalue
        for forth, back in pairs[known].tolist()
    ]
    mean = float((score[known] * n[known]).sum() / n[known].sum())
    return mean, float(combine_pvalues(np.clip(p, 1e-300, 1.0), method="fisher").pvalue)


def _discoveries(p: np.ndarray) -> np.ndarray:
    from scipy.stats import false_discovery_control

    if len(p) == 0:
        return p
    found: np.ndarray = false_discovery_control(np.clip(p, 0, 1))
    return found
