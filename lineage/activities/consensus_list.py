"""The list of every object that a consensus found, with why it is settled or for review."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import trace
from lineage.activities.consensus_results import words_of
from lineage.activities.consensus_rules import Decided, Reason, next_step, words_of_reason
from lineage.activities.consensus_units import Gathered
from lineage.activities.context import Project
from lineage.activities.opinions import Opinions
from lineage.store.read import BatchRow


def table_of(
    project: Project,
    found: tuple[Opinions, Gathered, Decided],
    at: np.ndarray,
    batch: BatchRow,
) -> pa.Table:
    """Return objects as `columns.CONSENSUS`, by image.

    Parameters
    ----------
    project
        An open project.
    found
        Opinions, what was gathered, and what was decided.
    at
        ndarray of int64: the objects, ascending.
    batch
        Where their labels come into.
    """
    opinions, gathered, made = found
    objects, votes, words = gathered.objects, gathered.votes, opinions.words
    facts = trace.asset_facts(project, opinions.seq)
    place = np.searchsorted(facts["asset"].to_numpy(), objects.image[at])
    order = np.argsort(votes.unit, kind="stable")
    bounds = np.searchsorted(votes.unit[order], np.stack([at, at + 1]))
    annotation = votes.annotation[order]
    values: dict[str, object] = {
        "asset": facts["name"].take(pa.array(place)),
        "batch": batch.tag,
        "schema": batch.schema,
        "class": words_of(made.class_[at], words.classes),
        "kind": words_of(objects.kind[at], words.kinds),
        "posterior": _nullable(made.posterior[at]),
        "n_opinions": objects.n_opinions[at],
        "n_asked": objects.n_asked[at],
        "iou_median": _nullable(objects.iou_median[at]),
        "is_settled": made.reason[at] == 0,
        "is_written": made.is_written[at],
        "reasons": words_of(
            made.reason[at],
            [",".join(words_of_reason(code)) for code in range(int(~Reason(0)) + 1)],
        ),
        "next_step": [
            next_step(code, n, p)
            for code, n, p in zip(
                made.reason[at].tolist(),
                objects.n_opinions[at].tolist(),
                made.posterior[at].tolist(),
                strict=True,
            )
        ],
        "opinions": [
            " ".join(str(number) for number in sorted(annotation[low:high].tolist()))
            for low, high in bounds.T.tolist()
        ],
    }
    for side, name in enumerate(columns.BOX):
        values[name] = _nullable(objects.box[at, side])
    return pa.Table.from_batches([columns.batch_of(columns.CONSENSUS, values, len(at))])


def _nullable(values: np.ndarray) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))
