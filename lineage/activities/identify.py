"""Which annotation is it? The second half of an import, before anything is written.

An import into a batch that already holds labels compares what it read with what
is live there. Ids are evidence, not truth: exporters renumber. So the ledger's own
annotation numbers, in files that we wrote, and then the tool's ids are held against
content (`calc.evidence`); where they are not borne out, or there are none, content
decides (`calc.matching`), and the report says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from lineage.activities.prior import Keys, Prior, is_nobody, same_annotator, sides
from lineage.activities.record import UNKNOWN
from lineage.calc import evidence, matching
from lineage.calc.matching import HOWS, How, Pairing
from lineage.errors import BadInput
from lineage.terms import Identity

ADD, SUPERSEDE, UNCHANGED = 0, 1, 2

_NAMED = HOWS.index(How.NAMED)
_OUR_NUMBERS = "annotation numbers"


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of every label that was read.

    Parameters
    ----------
    operation
        ndarray of int8, shape (n,): `ADD`, `SUPERSEDE` or `UNCHANGED`.
    prior
        ndarray of int64, shape (n,): row of the prior label, -1 where there is none.
    how
        ndarray of int8, shape (n,): index into `matching.HOWS`, -1 for new labels.
    score
        ndarray of float64, shape (n,): IoU behind an inferred identity, NaN elsewhere.
    is_ambiguous
        ndarray of bool, shape (n,): another pairing would have been almost as good.
    vanished
        ndarray of int64: rows of prior labels that nothing was matched with.
    used
        How annotations were recognised: ``new``, ``id`` or ``content``.
    reason
        Why.
    """

    operation: np.ndarray
    prior: np.ndarray
    how: np.ndarray
    score: np.ndarray
    is_ambiguous: np.ndarray
    vanished: np.ndarray
    used: str
    reason: str

    @property
    def is_inferred(self) -> np.ndarray:
        """Where identity rests on content, not on an id."""
        return (self.prior >= 0) & (self.how != _NAMED)


def all_new(n_rows: int) -> Plan:
    """Return the plan of a first import: every label is new."""
    return Plan(
        operation=np.full(n_rows, ADD, np.int8),
        prior=np.full(n_rows, -1, np.int64),
        how=np.full(n_rows, -1, np.int8),
        score=np.full(n_rows, np.nan),
        is_ambiguous=np.zeros(n_rows, bool),
        vanished=np.empty(0, np.int64),
        used=Identity.NEW.value,
        reason="the batch held no labels",
    )


def plan(new: Keys, prior: Prior, *, identity: str = "auto", is_history: bool = False) -> Plan:
    """Decide which annotation each label is.

    Parameters
    ----------
    new
        Labels as read.
    prior
        Labels as they are on record.
    identity
        ``auto``, ``id`` or ``content`` (CONTRACT, ``import --identity``).
    is_history
        The labels are the next state of one file that names nobody: whoever made the last state of
        a label, it may be the same.

    Raises
    ------
    BadInput
        ``identity-choice``: another word.
    """
    if identity not in ("auto", "id", "content"):
        raise BadInput(
            "identity-choice", f"--identity is {identity!r}, expected auto, id or content"
        )
    old = prior.keys
    by_whom = old.annotator, new.annotator
    if is_history and is_nobody(new.annotator).all():
        by_whom = _nobody(len(old)), _nobody(len(new))
    pairing = Pairing(
        *sides(replace(old, annotator=by_whom[0]), replace(new, annotator=by_whom[1]))
    )
    if identity == "content":
        used, reason = Identity.CONTENT, "as asked"
        _by_content(pairing)
    elif identity == "id":
        used, reason = Identity.ID, "as asked"
        for hint in _hints(new, old):
            evidence.heed(pairing, hint.row)
    else:
        used, reason = _by_evidence(pairing, new, old)
    matched = pairing.of_new
    operation = np.where(matched < 0, ADD, SUPERSEDE).astype(np.int8)
    operation[_is_equal(new, old, matched)] = UNCHANGED
    return Plan(
        operation=operation,
        prior=matched,
        how=pairing.how,
        score=pairing.score,
        is_ambiguous=pairing.is_ambiguous,
        vanished=np.flatnonzero(pairing.of_old < 0),
        used=used.value,
        reason=reason,
    )


def _nobody(n: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([UNKNOWN]))


def _by_content(pairing: Pairing) -> None:
    matching.exact(pairing)
    matching.by_overlap(pairing)
    matching.by_exclusion(pairing)


def _whoever(pairing: Pairing, new: Keys, old: Keys, barred: np.ndarray) -> None:
    """Pair labels of a file of ours that have lost who made them; of others' files they are new."""
    rows = np.arange(len(old)), np.flatnonzero(is_nobody(new.annotator))
    matching.regrouped(pairing, (old.asset, new.asset), rows, barred)


def _by_evidence(pairing: Pairing, new: Keys, old: Keys) -> tuple[Identity, str]:
    """Pair by whatever ids content bears out, and by content; return what was used, and why."""
    hints = [found for found in _hints(new, old) if (found.row >= 0).any()]
    for hint in hints:
        evidence.confirm(pairing, hint.row)
    matching.exact(pairing)
    told, honest = [], []
    for hint in hints:
        verdict = evidence.weigh(pairing, hint.row, (hint.is_named_old, hint.is_named_new))
        told.append(
            f"{verdict.n_agree:,} of {verdict.n_known:,} known {hint.words} agree with content, "
            f"{verdict.n_against:,} are contradicted by it"
        )
        if verdict.is_honest:
            honest.append(hint)
            evidence.heed(pairing, hint.row, but=verdict.is_refuted)
    barred = _is_stranger(honest, len(new))
    matching.by_overlap(pairing, barred)
    for hint in honest:
        evidence.heed(pairing, hint.row)
    matching.by_exclusion(pairing, barred)
    if any(hint.words == _OUR_NUMBERS for hint in honest):
        _whoever(pairing, new, old, barred)
    if not hints:
        is_bare = new.source_id.null_count == len(new.source_id)
        told.append("the export gives no ids" if is_bare else "no id of the export is on record")
    return Identity.ID if honest else Identity.CONTENT, "; ".join(told)


def _is_stranger(honest: Sequence[_Hint], n: int) -> np.ndarray:
    """Tell which labels carry an id that is not on record, while ids are to be believed."""
    is_known, is_named = np.zeros(n, bool), np.zeros(n, bool)
    for hint in honest:
        is_known |= hint.row >= 0
        is_named |= hint.is_named_new
    return is_named & ~is_known


@dataclass(frozen=True, slots=True)
class _Hint:
    """Which prior label each label is by one sort of id (-1: none), and who has such an id."""

    words: str
    row: np.ndarray
    is_named_old: np.ndarray
    is_named_new: np.ndarray


def _hints(new: Keys, old: Keys) -> list[_Hint]:
    """Return what ids say, the ledger's own numbers first; an id that two labels share names neither."""
    encoded = pa.concat_arrays([old.source_id, new.source_id]).dictionary_encode().indices
    codes = np.asarray(encoded.fill_null(-1)).astype(np.int64) + 1
    ids = codes[: len(old.asset)], codes[len(old.asset) :]
    return [
        _hint(_OUR_NUMBERS, (old.asset, new.asset), (old.number, new.number)),
        _hint("ids", (old.asset, new.asset), ids),
    ]


def _hint(
    words: str, asset: tuple[np.ndarray, np.ndarray], number: tuple[np.ndarray, np.ndarray]
) -> _Hint:
    n = max(int(side.max(initial=0)) for side in number) + 1
    (rows_old, key_old), (rows_new, key_new) = (
        _alone(np.where(number[i] > 0, asset[i] * n + number[i], -1)) for i in (0, 1)
    )
    _, at_old, at_new = np.intersect1d(key_old, key_new, assume_unique=True, return_indices=True)
    row = np.full(len(asset[1]), -1, np.int64)
    row[rows_new[at_new]] = rows_old[at_old]
    return _Hint(words, row, number[0] > 0, number[1] > 0)


def _alone(key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows whose key no other row has, and those keys, -1 standing for none."""
    found, first, n_uses = np.unique(key, return_index=True, return_counts=True)
    keep = (n_uses == 1) & (found >= 0)
    return first[keep], found[keep]


def _is_equal(new: Keys, old: Keys, matched: np.ndarray) -> np.ndarray:
    rows = np.flatnonzero(matched >= 0)
    others = matched[rows]
    same = (new.content[rows] == old.content[others]) & (new.asset[rows] == old.asset[others])
    equal = np.zeros(len(matched), bool)
    equal[rows] = same & same_annotator(old, others, new, rows)
    return equal
