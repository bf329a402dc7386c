"""How much of a batch is wrong: from what was checked, by chance of being drawn, freed of what reviewers err."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lineage.activities import adjudicate_fresh, adjudicate_weigh
from lineage.activities.context import Project
from lineage.activities.finalize_lots import Stand, cells_sent_back
from lineage.activities.gather import Threshold
from lineage.calc import estimates, state
from lineage.calc.adjudication import SETTLED_PROBABILITY
from lineage.calc.estimates import Estimates, Reviewer
from lineage.terms import Stage

Row = Mapping[str, object]
LEAST_HEARD = 20
"""Settled disputes, and agreed labels with a fresh opinion, from which a reviewer's own errors are known."""

_LEAST_OPINIONS = 3
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Error:
    """What share of a batch's labels is wrong.

    Parameters
    ----------
    overall
        ``mean lo hi n n_effective``.
    by_class, by_annotator
        The same with ``class`` or ``annotator``.
    disputed
        As ``overall``: what reviewers disputed, whatever became of it.
    is_corrected
        The reviewers' own errors are known, and taken out of the rates. Otherwise a dispute that was
        settled against the reviewer counts as right, and what reviewers passed is in no number.
    reviewers
        ``spurious_fraction missed_fraction n_settled n_heard``; the fractions None where too little is known.
    """

    overall: Row
    by_class: Sequence[Row]
    by_annotator: Sequence[Row]
    disputed: Row
    is_corrected: bool
    reviewers: Row


def error_of(project: Project, batch: str, stand: Stand) -> Error:
    """Estimate the share of wrong labels of a batch, by class and by annotator; what was missed is no label."""
    labels = np.flatnonzero(stand.checked.revision > 0)
    stand = replace(stand, checked=stand.checked.take(labels))
    checked = stand.checked
    rows = np.flatnonzero(checked.is_judged & ~np.isnan(checked.chance))
    chance = _chances(stand)[rows]
    reviewer, told = _reviewer(project, batch, stand)
    wrong = checked.is_wrong | checked.is_open if reviewer is None else checked.is_disputed
    image = checked.asset[rows]

    def rates(group: np.ndarray, is_wrong: np.ndarray) -> Estimates:
        return estimates.estimated(
            estimates.tally(group[rows], is_wrong[rows], chance, image=image)
        )

    def freed(group: np.ndarray) -> Estimates:
        found = rates(group, wrong)
        return found if reviewer is None else estimates.corrected(found, reviewer)

    every = np.zeros(len(checked.revision), np.int64)
    return Error(
        overall=_one(freed(every)),
        by_class=_named(freed(checked.class_), "class", checked.classes),
        by_annotator=_named(freed(checked.annotator), "annotator", checked.people),
        disputed=_one(rates(every, checked.is_disputed)),
        is_corrected=reviewer is not None,
        reviewers=told,
    )


def _chances(stand: Stand) -> np.ndarray:
    """Return each drawn label's chance of having been judged by now.

    Of a class and annotator that went back whole everything was drawn; and whoever was asked may not
    have answered yet, which has to do with the order of packets and with nothing else.
    """
    checked = stand.checked
    chance = np.where(cells_sent_back(stand), 1.0, checked.chance)
    drawn = ~np.isnan(chance)
    cell = state.composed(checked.class_, checked.annotator)
    # equal chances within a cell that is not gone back: strata of a model's flags differ in theirs
    _, at = np.unique(state.composed(cell, np.unique(np.nan_to_num(chance), return_inverse=True)[1]), return_inverse=True)  # fmt: skip
    n_drawn = np.bincount(at, drawn)
    n_judged = np.bincount(at, drawn & checked.is_judged)
    found: np.ndarray = chance * (n_judged / np.maximum(n_drawn, 1))[at]
    return found


def _reviewer(project: Project, batch: str, stand: Stand) -> tuple[Reviewer | None, Row]:
    """Return how reviewers err, where enough disputes are settled and enough agreements heard afresh."""
    checked = stand.checked
    judged = checked.is_judged
    n_agreed = int((judged & ~checked.is_disputed).sum())
    n_upheld = int((judged & checked.is_wrong).sum())
    n_dismissed = int((judged & checked.is_disputed & (checked.stage == list(Stage).index(Stage.FINAL))).sum())  # fmt: skip
    n_heard, n_passed = _heard(project, batch, stand)
    n_settled = n_upheld + n_dismissed
    told: dict[str, object] = {"spurious_fraction": None, "missed_fraction": None, "n_settled": n_settled, "n_heard": n_heard}  # fmt: skip
    if n_settled < LEAST_HEARD or n_heard < LEAST_HEARD:
        return None, told
    n_right = n_agreed + n_dismissed
    spurious, passed = n_dismissed / n_right, n_passed / n_heard
    n_missed = passed * n_agreed
    missed = n_missed / (n_missed + n_upheld) if n_missed else 0.0
    passed_sd = np.sqrt(passed * (1 - passed) / n_heard)
    reviewer = Reviewer(
        spurious,
        missed,
        float(np.sqrt(spurious * (1 - spurious) / n_right)),
        float(passed_sd * n_agreed * n_upheld / max(n_missed + n_upheld, 1) ** 2),
    )
    told |= {
        "spurious_fraction": round(spurious, _DIGITS),
        "missed_fraction": round(missed, _DIGITS),
    }
    return reviewer, told


def _heard(project: Project, batch: str, stand: Stand) -> tuple[int, int]:
    """Return how many agreed labels have fresh opinions, and how many of them these show to be wrong."""
    assets = adjudicate_fresh.fresh_assets(project, batch, stand.seq)
    if len(assets) == 0:
        return 0, 0
    found = adjudicate_weigh.weighed(
        project, batch, assets, stand.seq, verdicts=stand.verdicts, threshold=Threshold()
    )
    if found is None:
        return 0, 0
    checked = stand.checked
    agreed = checked.annotation[checked.is_judged & ~checked.is_disputed]
    rows = np.flatnonzero(np.isin(found.labels.annotation, agreed))
    n_said = np.bincount(found.said_unit, minlength=len(found.probability))
    unit = found.unit[rows]
    rows, unit = rows[n_said[unit] >= _LEAST_OPINIONS], unit[n_said[unit] >= _LEAST_OPINIONS]
    likeliest = found.probability[unit].argmax(axis=1)
    is_clear = found.probability[unit].max(axis=1) >= SETTLED_PROBABILITY
    return len(rows), int((is_clear & (likeliest != found.labels.class_[rows])).sum())


def _rows(found: Estimates) -> list[dict[str, object]]:
    columns = zip(found.n, found.fraction, found.lo, found.hi, found.n_effective, strict=True)
    return [
        {
            "mean": _number(p),
            "lo": _number(lo),
            "hi": _number(hi),
            "n": int(n),
            "n_effective": _number(n_effective),
        }
        for n, p, lo, hi, n_effective in columns
    ]


def _number(value: float) -> float | None:
    return round(float(value), _DIGITS) if np.isfinite(value) else None


def _one(found: Estimates) -> Row:
    nothing: dict[str, object] = {"mean": None, "lo": None, "hi": None, "n": 0, "n_effective": None}
    return next(iter(_rows(found)), nothing)


def _named(found: Estimates, name: str, words: Sequence[str]) -> list[Row]:
    named = [
        {name: words[code], **row}
        for code, row in zip(found.group.tolist(), _rows(found), strict=True)
    ]
    return sorted(named, key=lambda row: str(row[name]))
