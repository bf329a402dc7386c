"""What was decided of lots, batch by batch, and how closely an annotator's next lot is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lineage.activities.adjudicate_open import activities, told
from lineage.activities.context import Project
from lineage.calc.lots import Inspection, LotDecision
from lineage.store.read import ActivityRow
from lineage.terms import ActivityKind


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision on record.

    Parameters
    ----------
    seq
        Place in the log.
    batch, annotator
        The lot: what one person did in one batch, as far as no earlier decision is about it.
    is_accepted
        Or rejected.
    classes
        That went back whole, of a rejected lot.
    """

    seq: int
    batch: str
    annotator: str
    is_accepted: bool
    classes: tuple[str, ...]


def decisions(log: Sequence[ActivityRow], batch: str | None = None) -> list[Decided]:
    """Return the decisions of a log, oldest first; of one batch or of all."""
    found = []
    for entry in log:
        if (
            entry.kind != ActivityKind.FINALIZE
            or entry.batch is None
            or batch not in (None, entry.batch)
        ):
            continue
        for row in told(entry.outcome, "lots"):
            classes = row.get("classes")
            found.append(
                Decided(
                    entry.seq,
                    entry.batch,
                    str(row["annotator"]),
                    row["decision"] == LotDecision.ACCEPT,
                    tuple(map(str, classes)) if isinstance(classes, list) else (),
                )
            )
    return found


def inspections(project: Project, up_to: int) -> Mapping[str, Inspection]:
    """Return how closely the next lot of every annotator is looked at, by pseudonym.

    Notes
    -----
    An annotator of whom nothing was decided yet is not there: `Inspection` as it is by default.
    """
    found: dict[str, Inspection] = {}
    for one in decisions(activities(project, up_to)):
        found[one.annotator] = found.get(one.annotator, Inspection()).after(one.is_accepted)
    return found
