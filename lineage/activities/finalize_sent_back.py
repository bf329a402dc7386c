"""What was sent back is put before reviewers whole: every label of the classes in which a lot failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lineage import columns
from lineage.activities import position
from lineage.activities.context import Project
from lineage.activities.finalize_lots import cells_sent_back, stand_of
from lineage.activities.record import Outcome, recording
from lineage.activities.review_assign import assigned
from lineage.activities.review_draw import review_key
from lineage.activities.review_frame import frame_of
from lineage.activities.review_log import answers_tag
from lineage.activities.review_packets import packet_key
from lineage.calc import sampling
from lineage.store.read import BatchRow
from lineage.terms import ActivityKind, DrawReason, Stage

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class SentBack:
    """What was drawn; ``draw`` is None where there was nothing. Rows of ``people`` as `review_assign` has them."""

    draw: str | None
    n_labels: int
    people: Sequence[Row]


def nothing() -> SentBack:
    """Return that nothing was drawn."""
    return SentBack(None, 0, ())


def draw(project: Project, row: BatchRow, people: Sequence[str]) -> SentBack:
    """Draw all labels of a batch that were sent back and are with nobody yet.

    Parameters
    ----------
    project
        An open project.
    row
        The batch.
    people
        Pseudonyms of who is asked.

    Raises
    ------
    Refused
        ``review-nobody``: some images were seen by all of them.
    """
    seq = position.resolve(project, None)
    stand = stand_of(project, row.tag, seq)
    checked = stand.checked
    wanted = checked.revision[cells_sent_back(stand) & checked.is_at(Stage.SUBMITTED)]
    if len(wanted) == 0:
        return nothing()
    known = stand.drawn.take(np.flatnonzero(~stand.drawn.is_again))
    frame = frame_of(project, row.tag, seq, known, is_again=False)
    new = np.flatnonzero(np.isin(frame.revision, wanted) & frame.is_open)
    given = assigned(project, frame, new, people, stand.drawn, known, seq)
    new = new[np.lexsort((frame.revision[new], frame.asset[new]))]
    parameters = {
        "reason": DrawReason.REVIEW,
        "batch": row.tag,
        "people": list(given.people),
        "fraction": 1.0,
        "is_again": False,
        "shows_labels": False,
        "is_sent_back": True,
        "n": len(new),
        "key": sampling.key_name(review_key(project, row.tag)),
        "packet_key": sampling.key_name(packet_key(project, row.tag)),
    }
    done = Outcome()
    with recording(
        project, ActivityKind.DRAW, parameters=parameters, batch=row.tag, outcome=done
    ) as activity:
        values: dict[str, object] = {
            "seq": activity.seq,
            "draw": f"draw-{activity.seq}",
            "asset": frame.asset[new],
            "revision": frame.revision[new],
            "batch": answers_tag(row.tag),
            "annotator": given.reviewer_of(frame.asset[new]),
            "reason": DrawReason.REVIEW.value,
            "stratum": frame.stratum(new),
            "inclusion_fraction": 1.0,
        }
        activity.append("draws", columns.batch_of(columns.SEGMENT_DRAWS, values, len(new)))
        moved: dict[str, object] = {
            "revision": frame.revision[new],
            "seq": activity.seq,
            "stage": Stage.IN_REVIEW.value,
            "by": activity.annotator(project.agent),
            "basis": "sent back",
        }
        activity.append("stages", columns.batch_of(columns.STAGES, moved, len(new)))
    return SentBack(f"draw-{done.seq}", len(new), given.rows(frame, new))
