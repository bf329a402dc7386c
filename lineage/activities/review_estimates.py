"""What verdicts say of a batch whole: shares of labels in dispute, and how many objects were missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lineage.activities.context import Project
from lineage.activities.review_log import Drawn, Verdicts, texts_of
from lineage.calc import estimates

Row = Mapping[str, object]
SMALL_N = 30
"""Fewer verdicts than this say little, whatever their interval."""


@dataclass(frozen=True, slots=True)
class Estimated:
    """Rows ``n mean lo hi is_small``: of all, and by class and annotator; and of missed objects ``n total lo hi``."""

    error: Row
    by: Mapping[str, Sequence[Row]]
    missed: Row


def estimated(project: Project, drawn: Drawn, said: Verdicts, seq: int) -> Estimated:
    """Estimate from the first blind check, by the labels that chance chose.

    What was sent back with its lot would weigh as if it had been chosen by chance too.
    """
    is_random = ~drawn.is_again & ~drawn.is_sent_back & drawn.is_blind
    counted = drawn.take(np.flatnonzero(is_random))
    names = sorted(set(counted.draw.tolist()))
    here = np.flatnonzero(np.isin(said.draw.astype(str), names))
    said = replace(said, **{n: getattr(said, n)[here] for n in said.__dataclass_fields__})
    first = first_verdicts(said)
    revision = said.revision[first]
    order = np.lexsort((counted.fraction, counted.revision))
    # of several draws the greatest chance holds
    last = order[np.searchsorted(counted.revision[order], revision, side="right") - 1]
    chance, wrong, image = counted.fraction[last], said.is_dispute[first], said.asset[first]
    of = _of_labels(project, revision, image, seq)
    zero = np.zeros(len(first), np.int64)
    whole = estimates.estimated(estimates.tally(zero, wrong, chance, image=image))
    by: dict[str, list[Row]] = {}
    for name, words in of.items():
        known, code = np.unique(words.astype(str), return_inverse=True)
        told = estimates.estimated(estimates.tally(code, wrong, chance, image=image))
        rows = _rows(told)
        by[name] = [{name: word, **row} for word, row in zip(known.tolist(), rows, strict=True)]
    return Estimated(_rows(whole)[0] if len(first) else _none(), by, _missed(counted, said))


def _missed(counted: Drawn, said: Verdicts) -> Row:
    rows = np.flatnonzero((said.revision == 0) & said.is_dispute)
    if len(rows) == 0:
        return {"n": 0, "total": 0.0 if len(said) else None, "lo": None, "hi": None}
    order = np.lexsort((counted.fraction, counted.asset))
    last = order[np.searchsorted(counted.asset[order], said.asset[rows], side="right") - 1]
    tally = estimates.tally(
        np.zeros(len(rows), np.int64),
        np.ones(len(rows)),
        counted.fraction[last],
        image=said.asset[rows],
    )
    found = estimates.totals(tally)
    return {
        "n": int(found.n_wrong[0]),
        "total": float(found.total[0]),
        "lo": float(found.lo[0]),
        "hi": float(found.hi[0]),
    }


def _none() -> Row:
    return {"n": 0, "mean": None, "lo": None, "hi": None, "is_small": True}


def _rows(found: estimates.Estimates) -> list[Row]:
    return [
        {
            "n": int(found.n[at]),
            "mean": float(found.fraction[at]),
            "lo": float(found.lo[at]),
            "hi": float(found.hi[at]),
            "is_small": bool(found.n[at] < SMALL_N),
        }
        for at in range(len(found.n))
    ]


def _of_labels(
    project: Project, revision: np.ndarray, asset: np.ndarray, seq: int
) -> dict[str, np.ndarray]:
    """Return the class and the annotator of some revisions."""
    found = {name: np.full(len(revision), "", object) for name in ("class", "annotator")}
    wanted = ("revision", *found)
    for rows in project.ledger.scan("revisions", wanted, up_to=seq, assets=np.unique(asset)):
        number = np.asarray(rows["revision"])
        here = np.flatnonzero(np.isin(number, revision))
        at = np.searchsorted(revision, number[here])
        for name, words in found.items():
            words[at] = texts_of(rows[name])[here]
    return found


def first_verdicts(said: Verdicts) -> np.ndarray:
    """Return the first verdict on each label: rows."""
    rows = np.flatnonzero(said.revision > 0)
    return rows[np.unique(said.revision[rows], return_index=True)[1]]
