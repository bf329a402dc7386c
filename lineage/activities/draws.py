"""What was put before whom: draws as the record has them."""

from __future__ import annotations

import pyarrow as pa

from lineage.activities.select import is_word
from lineage.segments import TABLES, Ledger
from lineage.terms import DrawReason


def drawn(ledger: Ledger, reasons: tuple[DrawReason, ...], up_to: int) -> pa.Table:
    """Return the rows of draws of some reasons, in the order of the log.

    Returns
    -------
    pa.Table
        `columns.SEGMENT_DRAWS`.
    """
    parts = [
        rows.filter(pa.array(is_word(rows["reason"], reasons)))
        for rows in ledger.scan("draws", up_to=up_to)
    ]
    return pa.Table.from_batches(parts, TABLES["draws"]).unify_dictionaries().combine_chunks()


def fresh_batches(ledger: Ledger, up_to: int) -> frozenset[str]:
    """Return the tags of the batches into which fresh opinions on disputes come.

    Who was asked there was chosen because others had differed: to count them among all opinions
    would be selection on the outcome.
    """
    rows = drawn(ledger, (DrawReason.DISPUTE, DrawReason.DECOY), up_to)
    return frozenset(rows["batch"].unique().to_pylist())
