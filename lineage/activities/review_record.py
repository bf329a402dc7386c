"""A draw for review on record: who is asked about what, with which chance; and the labels are in review."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities.record import Recording
from lineage.activities.review_assign import Assigned
from lineage.activities.review_frame import Frame
from lineage.activities.review_log import Drawn
from lineage.terms import DrawReason, Stage


def record(
    activity: Recording,
    answers: str,
    frame: Frame,
    new: np.ndarray,
    chance: np.ndarray,
    raised: Drawn,
    given: Assigned,
) -> None:
    """Append what is drawn and where it stands now.

    Parameters
    ----------
    activity
        Of the draw.
    answers
        Tag of the batch into which the answers come.
    frame
        The labels.
    new
        Rows of the frame that are newly drawn.
    chance
        ndarray of float64, shape (n,): of each row of the frame.
    raised
        What was drawn before and has a greater chance now.
    given
        Who has which image.
    """
    new = new[np.lexsort((frame.revision[new], frame.asset[new]))]
    n_new, n = len(new), len(new) + len(raised)
    revision = np.concatenate([frame.revision[new], raised.revision])
    reviewers = [activity.annotator(one) for one in given.reviewer_of(frame.asset[new])]
    activity.append(
        "draws",
        columns.batch_of(
            columns.SEGMENT_DRAWS,
            {
                "seq": activity.seq,
                "draw": [*[f"draw-{activity.seq}"] * n_new, *raised.draw.tolist()],
                "asset": np.concatenate([frame.asset[new], raised.asset]),
                "revision": pa.array(revision, mask=revision == 0),
                "batch": answers,
                "annotator": [*reviewers, *raised.reviewer.tolist()],
                "reason": DrawReason.REVIEW.value,
                "stratum": [*frame.stratum(new), *raised.stratum.tolist()],
                "inclusion_fraction": np.concatenate([chance[new], raised.fraction]),
            },
            n,
        ),
    )
    labels = frame.revision[new][frame.revision[new] > 0]
    agent = activity.annotator(activity.project.agent)
    activity.append(
        "stages",
        columns.batch_of(
            columns.STAGES,
            {
                "revision": labels,
                "seq": activity.seq,
                "stage": Stage.IN_REVIEW.value,
                "by": agent,
                "basis": "drawn",
            },
            len(labels),
        ),
    )
