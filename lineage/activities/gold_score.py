"""Annotators scored against gold: how often they err, where, and whether to act on it.

A gold label is one judgement, and so is that nothing stands beside a whole gold
answer. Rates borrow strength across annotators (`calc.gold.scores`); the decision
is a sequential test over an annotator's judgements in the order in which they
answered (`calc.gold.decide`). Act on decisions and intervals, never on a rank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from lineage.activities import trace
from lineage.activities.context import Project
from lineage.activities.gather import Threshold
from lineage.activities.gold_against import GoldComparisons, against_gold
from lineage.activities.gold_judge import Judged
from lineage.activities.opinions import week_of
from lineage.activities.select import Selector
from lineage.activities.tellings import number
from lineage.activities.trace import Choice
from lineage.calc import gold as calc
from lineage.calc.intervals import TOO_FEW, jeffreys
from lineage.errors import BadInput

Row = Mapping[str, object]
LEVEL = 0.90
_COUNTED = {
    "n_missed": Judged.MISSED,
    "n_misclassed": Judged.MISCLASSED,
    "n_misplaced": Judged.MISPLACED,
    "n_extra": Judged.EXTRA,
}


@dataclass(frozen=True, slots=True)
class GoldScores:
    """Scores; ``docs/json.md`` gives the meaning of every number.

    Annotators stand as pseudonyms, who errs most first; a rate behind which fewer than five judgements
    stand is None.
    """

    scope: Row
    iou_threshold: float
    annotators: Sequence[Row]
    by_class: Sequence[Row]
    by_edge_case: Sequence[Row]
    confusion: Sequence[Row]


def score(
    project: Project,
    choice: Choice | None = None,
    *,
    threshold: Threshold | None = None,
    week: str | None = None,
) -> GoldScores:
    """Score annotators against the gold that stands.

    Parameters
    ----------
    project
        An open project.
    choice
        Which answers; its classes are those of gold. Who is not among its annotators is not told, and
        counts for the common rate all the same.
    threshold
        When a label is of a gold object.
    week
        Of the answers, as ``2026-W10``.

    Raises
    ------
    BadInput
        ``week-unreadable``.
    """
    asked, how = choice or Choice(), threshold or Threshold()
    found = against_gold(project, asked, threshold=how)
    selector = trace.selector_of(project, asked)
    found = found.take(_within(found, selector, week))
    trials = found.take(np.flatnonzero(found.is_trial))
    people = [
        at
        for at, name in enumerate(found.words.annotators)
        if not selector.annotators or name in selector.annotators
    ]
    mine = found.take(np.flatnonzero(np.isin(found.annotator, people)))
    return GoldScores(
        scope={
            "seq": found.seq,
            "n_gold": len(np.unique(found.revision[found.revision > 0])),
            "n_images": len(np.unique(found.asset)),
            "n_judgements": len(trials),
        },
        iou_threshold=how.tau,
        annotators=_annotators(found, trials, people),
        by_class=_by_class(mine),
        by_edge_case=_by_edge_case(mine),
        confusion=_confusion(mine),
    )


def _within(found: GoldComparisons, selector: Selector, week: str | None) -> np.ndarray:
    """Return the rows of a week and of chosen classes."""
    keep = np.ones(len(found), bool)
    if week is not None:
        keep &= found.week == _week(week)
    if selector.classes:
        names = np.array([*found.words.classes, ""], object)
        # what stands beside a whole answer is of no class of gold's
        keep &= np.isin(names[found.said], selector.classes)
    return np.flatnonzero(keep)


def _week(text: str) -> int:
    """Return a week's number, as `opinions.Labels` counts them."""
    try:
        return week_of(datetime.strptime(f"{text}-1", "%G-W%V-%u"))
    except ValueError as exc:
        raise BadInput(
            "week-unreadable", f"{text!r} is no ISO 8601 week", hint="--week 2026-W10"
        ) from exc


def _annotators(
    found: GoldComparisons, trials: GoldComparisons, people: Sequence[int]
) -> list[Row]:
    n_people = len(found.words.annotators)
    n = np.bincount(trials.annotator, minlength=n_people)
    is_wrong = trials.said != trials.own
    n_wrong = np.bincount(trials.annotator[is_wrong], minlength=n_people)
    judged = np.flatnonzero(n)
    rates = calc.scores(n_wrong[judged], n[judged], level=LEVEL)
    at = {person: place for place, person in enumerate(judged.tolist())}
    counts = _counts(found, found.annotator, n_people)
    # judgements stand in order of annotator, then time
    ends = np.cumsum(n)
    rows = []
    for person in (person for person in people if person in at):
        own = is_wrong[ends[person] - n[person] : ends[person]]
        is_few = len(own) < TOO_FEW
        # two errors in a row decide; what five judgements are needed for is told after five
        decision, after = (calc.GoldDecision.CONTINUE, len(own)) if is_few else calc.decide(own)
        place = at[person]
        rows.append(
            {
                "annotator": found.words.annotators[person],
                "n": len(own),
                "n_wrong": int(n_wrong[person]),
                "error_mean": None if is_few else number(rates.mean[place]),
                "error_lo": None if is_few else number(rates.lo[place]),
                "error_hi": None if is_few else number(rates.hi[place]),
                "decision": decision,
                "after": after,
                **{name: int(column[person]) for name, column in counts.items()},
            }
        )
    return sorted(rows, key=_worst_first)


def _by_class(found: GoldComparisons) -> list[Row]:
    """Return a row for every class of gold, and for every class that was drawn beside it."""
    of = np.where(found.said < found.nothing, found.said, found.own)
    rows = np.flatnonzero(of < found.nothing)
    told = found.take(rows)
    cells = [{"class": name} for name in found.words.classes]
    return _cells(told, of[rows], cells)


def _by_edge_case(found: GoldComparisons) -> list[Row]:
    """Return a row for every class and edge case of gold."""
    told = found.take(np.flatnonzero(found.said < found.nothing))
    names: list[str | None] = [*found.edge_cases, None]
    cell = told.said * len(names) + told.edge_case % len(names)
    cells = [{"class": name, "edge_case": case} for name in found.words.classes for case in names]
    return _cells(told, cell, cells)


def _cells(found: GoldComparisons, cell: np.ndarray, cells: Sequence[Row]) -> list[Row]:
    """Return the numbers of each cell, those with most errors first."""
    is_gold = found.said < found.nothing
    n = np.bincount(cell[is_gold], minlength=len(cells))
    wrong = np.bincount(cell[is_gold & (found.said != found.own)], minlength=len(cells))
    lo, hi = jeffreys(wrong, n, level=LEVEL)
    counts = _counts(found, cell, len(cells))
    rows = [
        {
            **cells[at],
            "n": int(n[at]),
            "n_wrong": int(wrong[at]),
            "error": None if n[at] < TOO_FEW else number(wrong[at] / n[at]),
            "error_lo": None if n[at] < TOO_FEW else number(lo[at]),
            "error_hi": None if n[at] < TOO_FEW else number(hi[at]),
            **{name: int(column[at]) for name, column in counts.items()},
        }
        for at in np.unique(cell).tolist()
    ]
    return sorted(rows, key=_worst_first)


def _counts(found: GoldComparisons, cell: np.ndarray, n_cells: int) -> dict[str, np.ndarray]:
    return {
        name: np.bincount(cell[found.outcome == outcome], minlength=n_cells)
        for name, outcome in _COUNTED.items()
    }


def _worst_first(row: Row) -> tuple[float, int]:
    error, n = row.get("error_mean", row.get("error")), row["n_wrong"]
    return (-error if isinstance(error, float) else 1.0, -n if isinstance(n, int) else 0)


def _confusion(found: GoldComparisons) -> list[Row]:
    """Return what gold was taken for, None for nothing; what is misplaced was named rightly."""
    told = np.isin(found.outcome, (Judged.MISSED, Judged.MISCLASSED, Judged.EXTRA))
    pairs, n = np.unique(np.stack([found.said[told], found.own[told]]), axis=1, return_counts=True)
    order = np.argsort(-n, kind="stable")
    names = [*found.words.classes, None]
    rows = zip(*pairs[:, order].tolist(), n[order].tolist(), strict=True)
    return [{"class": names[a], "as_class": names[b], "n": times} for a, b, times in rows]
