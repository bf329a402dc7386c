"""The state of review, batch by batch: what the stage ``gate`` of the pipeline writes.

People stand as pseudonyms, for reports leave the project, and nothing depends on the
clock: the same ledger gives the same file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from lineage.activities import batches, position, review_status
from lineage.activities.context import Project
from lineage.activities.finalize import is_finalised, row_of, waits_for
from lineage.activities.finalize_error import error_of
from lineage.activities.finalize_gate import answers_of_reviews
from lineage.activities.finalize_history import inspections
from lineage.activities.finalize_lots import counts_of, lots_of, stand_of
from lineage.calc.lots import Inspection, LotDecision
from lineage.store import read
from lineage.store.read import BatchRow

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class GateReport:
    """Every batch and its gate.

    Parameters
    ----------
    seq, root
        The log as of which it holds.
    batches
        Rows ``batch kind task state is_finalised stages n_drawn n_done first_pass rejection error
        lots decisions waits_for``, in order of tag. Of a batch that nothing was drawn of, all from
        ``n_drawn`` on is empty.
    inspections
        Rows ``annotator strictness rate_factor n_accepted``: how the next lot of each is looked at.
    metrics
        The numbers of it, flat by batch.
    """

    seq: int
    root: str
    batches: Sequence[Row]
    inspections: Sequence[Row]
    metrics: Mapping[str, Mapping[str, object]]


def gate(project: Project) -> GateReport:
    """Return where the review of every batch stands."""
    seq = position.resolve(project, None)
    with project.store.reading() as connection:
        head = read.head(connection)
    words = review_status.gates(project, str(seq))
    reviewed = set(review_status.reviewed_batches(project, str(seq)))
    answers = answers_of_reviews(project.ledger, seq)
    strictness = inspections(project, seq)
    rows = [
        _row(project, row, words.get(row.tag), strictness, is_reviewed=row.tag in reviewed)
        for row in sorted(batches.list_all(project), key=lambda row: row.tag)
        if row.tag not in answers
    ]
    return GateReport(
        seq=seq,
        root=head.root or "",
        batches=rows,
        inspections=[
            {
                "annotator": person,
                "strictness": one.strictness.value,
                "rate_factor": one.rate_factor,
                "n_accepted": one.n_accepted,
            }
            for person, one in sorted(strictness.items())
        ],
        metrics={str(row["batch"]): _metrics(row) for row in rows if row["batch"] in reviewed},
    )


def _row(
    project: Project,
    row: BatchRow,
    state: str | None,
    strictness: Mapping[str, Inspection],
    *,
    is_reviewed: bool,
) -> Row:
    plain: dict[str, object] = {
        "batch": row.tag,
        "kind": row.kind,
        "task": row.task,
        "state": state,
    }
    if not is_reviewed:
        return {
            **plain, "is_finalised": False, "stages": {}, "n_drawn": 0, "n_done": 0, "first_pass": None,
            "rejection": None, "error": None, "lots": [], "decisions": [], "waits_for": [],
        }  # fmt: skip
    seq = position.resolve(project, None)
    stand = stand_of(project, row.tag, seq)
    lots = lots_of(project, row.tag, stand)
    found = review_status.status(project, row.tag, str(seq))
    return {
        **plain,
        "is_finalised": is_finalised(stand),
        "stages": counts_of(stand.checked),
        "n_drawn": int((~np.isnan(stand.checked.chance)).sum()),
        "n_done": int(stand.checked.is_judged.sum()),
        "first_pass": found.first_pass,
        "rejection": found.rejection,
        "error": asdict(error_of(project, row.tag, stand)),
        "lots": [row_of(lot, strictness) for lot in lots],
        "decisions": [
            {
                "annotator": one.annotator,
                "decision": (LotDecision.ACCEPT if one.is_accepted else LotDecision.REJECT).value,
                "classes": list(one.classes),
            }
            for one in stand.decided
        ],
        "waits_for": waits_for(stand, lots),
    }


def _metrics(row: Row) -> Mapping[str, object]:
    error, waits = row["error"], row["waits_for"]
    overall = error["overall"] if isinstance(error, Mapping) else {}
    return {
        "error": overall.get("mean"),
        "error_lo": overall.get("lo"),
        "error_hi": overall.get("hi"),
        "n_drawn": row["n_drawn"],
        "n_done": row["n_done"],
        "is_finalised": row["is_finalised"],
        "n_waiting": sum(int(str(one["n"])) for one in waits) if isinstance(waits, list) else 0,
    }
