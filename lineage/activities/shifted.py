"""The labels behind an alarm about drawing: those that lie furthest to the side of the shift."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lineage.activities import collect, gather
from lineage.activities.context import Project
from lineage.activities.gather import Threshold
from lineage.activities.opinions import MONDAY
from lineage.activities.select import is_word
from lineage.activities.trace import Choice
from lineage.activities.weekly import MEASURES, measures

_DAY_US = 86_400_000_000


def evidence_of_shifts(
    project: Project,
    choice: Choice,
    threshold: Threshold,
    rows: Sequence[dict[str, object]],
    *,
    most: int,
) -> None:
    """Give alarms of the family ``geometry`` their labels; nothing is read where there are none.

    Parameters
    ----------
    project, choice, threshold
        As the charts were made from.
    rows
        Alarms; ``evidence`` of those about a measure is filled in.
    most
        Labels for each.
    """
    shifted = [row for row in rows if row["measure"] is not None]
    if not shifted:
        return
    people = {str(row["annotator"]) for row in shifted}
    since = min(int(str(row["change_week"])) for row in shifted)
    assets = _answered(project, sorted(people), since)
    opinions = collect.load(project, replace(choice, annotator=(), class_=()), assets=assets)
    code = {name: at for at, name in enumerate(opinions.words.annotators)}
    found: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for block in opinions.blocks():
        side = gather.gathered(block, threshold)
        placed = np.flatnonzero(np.isfinite(side.overlap))
        measured = measures(side, placed)
        for at, row in enumerate(shifted):
            person, measure = code.get(str(row["annotator"]), -1), str(row["measure"])
            is_since = side.week[placed] >= int(str(row["change_week"]))
            column = measured[:, MEASURES.index(measure)]
            is_down = float(str(row["shift"] or 0.0)) < 0
            for who, label, turn in (
                (side.pairs.first, side.pairs.label_first, 1.0),
                (side.pairs.second, side.pairs.label_second, -1.0),
            ):
                own = np.flatnonzero((who[placed] == person) & is_since)
                value = column[own] * (1.0 if measure == "overlap" else turn)
                number = side.labels.annotation[label[placed[own]]]
                found[at] += zip(
                    (value if is_down else -value).tolist(), number.tolist(), strict=True
                )
                found[at] = sorted(found[at])[: 4 * most]
    for at, row in enumerate(shifted):
        row["evidence"] = list(dict.fromkeys(number for _, number in found[at]))[:most]


def _answered(project: Project, people: Sequence[str], since: int) -> np.ndarray:
    """Return the images that somebody answered for from a week on; answers without a time count."""
    start = ((since * 7) - MONDAY) * _DAY_US
    wanted = ("asset", "annotator", "answered_at")
    parts = []
    for rows in project.ledger.scan("roster", wanted):
        at = np.asarray(rows["answered_at"].cast("int64").fill_null(start))
        mask = is_word(rows["annotator"], people) & (at >= start)
        parts.append(np.asarray(rows["asset"])[mask])
    return np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.int64)
