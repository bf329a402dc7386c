"""What was put before whom: draws as the record has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
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
    """Return the tags of the batches into which fresh opinions on disputes, and reviewers' answers, come.

    Who was asked there was chosen because others had differed, or by class and by what a model says:
    to count them among all opinions would be selection.
    """
    rows = drawn(ledger, (DrawReason.DISPUTE, DrawReason.DECOY, DrawReason.REVIEW), up_to)
    return frozenset(rows["batch"].unique().to_pylist())


def annotations_of(ledger: Ledger, rows: pa.Table, up_to: int) -> Mapping[int, int]:
    """Return the annotation of each label that was drawn, by revision.

    Parameters
    ----------
    ledger
        Whose rows they are.
    rows
        As `drawn`.
    up_to
        Place in the log.
    """
    wanted = rows["revision"].drop_null().unique().to_numpy()
    found: dict[int, int] = {}
    assets = np.unique(np.asarray(rows["asset"]))
    for part in ledger.scan("revisions", ("revision", "annotation"), up_to=up_to, assets=assets):
        revision, annotation = (np.asarray(part[name]) for name in ("revision", "annotation"))
        here = np.flatnonzero(np.isin(revision, wanted))
        found |= dict(zip(revision[here].tolist(), annotation[here].tolist(), strict=True))
    return found


def seen_by(ledger: Ledger, people: Sequence[str], up_to: int) -> Mapping[str, np.ndarray]:
    """Return the images that each person may know: asked about, drawn on, put right, or shown as an example.

    Parameters
    ----------
    ledger
        The record.
    people
        Pseudonyms.
    up_to
        Place in the log.

    Returns
    -------
    mapping
        By pseudonym, ndarray of int64: asset keys, ascending.
    """
    found: dict[str, list[np.ndarray]] = {person: [] for person in people}
    # whoever only put a label right gave no answer, and has seen the image all the same
    of_table = {"roster": ("annotator",), "revisions": ("annotator", "created_by", "updated_by"),
                "draws": ("annotator",)}  # fmt: skip
    for table, names in of_table.items():
        for rows in ledger.scan(table, ("asset", *names), up_to=up_to):
            asset = np.asarray(rows["asset"])
            for person, parts in found.items():
                known = np.any([is_word(rows[name], [person]) for name in names], axis=0)
                parts.append(np.unique(asset[known]))
    shown = np.asarray(drawn(ledger, (DrawReason.EXAMPLE,), up_to)["asset"])
    return {person: np.unique(np.concatenate([shown, *parts])) for person, parts in found.items()}
