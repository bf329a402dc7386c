"""Which batches have passed their gate: what a dataset version may take of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pyarrow as pa

from lineage.activities import draws, select
from lineage.activities.select import LiveState, Selector
from lineage.segments import Ledger
from lineage.store.read import BatchRow
from lineage.terms import BatchKind, DrawReason, Stage

_WAITING = (Stage.SUBMITTED, Stage.IN_REVIEW, Stage.CONTESTED)


def unfinished(
    ledger: Ledger,
    rows: Sequence[BatchRow],
    require_final: bool | None,
    up_to: int,
    live: LiveState,
) -> Mapping[str, str]:
    """Return the batches that a dataset version leaves out for their state of review, each with the reason.

    Parameters
    ----------
    ledger
        The record.
    rows
        All batches.
    require_final
        Of every batch; else of volume batches; None: of none.
    up_to
        Place in the log.
    live
        As of the same place.

    Notes
    -----
    A volume batch is in once nothing of it waits. Of an archive or a pilot, where final labels are
    required, those that are final are taken, for it need not have been reviewed as a whole.
    """
    if require_final is None:
        return {}
    asked = [row for row in rows if row.kind == BatchKind.VOLUME or require_final]
    if not asked:
        return {}
    found: dict[str, Counter[str]] = {row.tag: Counter() for row in asked}
    chosen = Selector(batches=tuple(found))
    for part in select.scan(ledger, chosen, ("batch", "stage"), up_to=up_to, live=live):
        cells = pa.table({name: part[name].cast(pa.string()) for name in ("batch", "stage")})
        for row in cells.group_by(["batch", "stage"]).aggregate([([], "count_all")]).to_pylist():
            found[row["batch"]][row["stage"]] += row["count_all"]
    reasons = {}
    for batch in asked:
        n = found[batch.tag]
        told = ", ".join(
            f"{n[stage]:,} {stage.replace('_', ' ')}" for stage in _WAITING if n[stage]
        )
        if batch.kind == BatchKind.VOLUME and told:
            reasons[batch.tag] = f"a volume batch that is not finalised: {told}"
        elif require_final and not n[Stage.FINAL]:
            reasons[batch.tag] = "no label of it is final"
    return reasons


def answers_of_reviews(ledger: Ledger, up_to: int) -> frozenset[str]:
    """Return the tags of the batches into which reviewers answer."""
    rows = draws.drawn(ledger, (DrawReason.REVIEW,), up_to)
    return frozenset(rows["batch"].unique().to_pylist())
