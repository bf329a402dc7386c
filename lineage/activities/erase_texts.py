"""Which text of a segment goes with a person, and how a row looks without it.

Theirs is what they said: comments of their verdicts, stage events and gold, the
words in ``extra`` of their labels, labels of theirs that were refused. Other
people's text goes where it names them: their handle, or a word that the caller
gave, as a word of its own in any case. Numbers and truths in ``extra`` stay, they
name nobody and other commands read them; so do pseudonyms.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.activities.select import is_word
from lineage.identity import canonical_json
from lineage.segments import Ledger, Part, read_parquet
from lineage.terms import Origin

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "verdicts": ("comment", "by"),
    "stages": ("comment", "by"),
    "gold": ("comment",),
    "completeness": ("reason",),
    "revisions": ("extra", "annotator", "origin"),
    "quarantine": ("label", "value"),
}
"""Per part, the column of free text and those that tell whose it is."""

POLICY: Mapping[str, tuple[str, ...]] = {
    "comments": ("verdicts", "stages", "gold"),
    "extra": ("revisions",),
    "quarantine": ("quarantine",),
}
"""The parts that each word of the setting ``erase`` is about.

The reasons of images stay: they are rows of dataset versions, whose digests would no longer hold.
"""

_PSEUDONYM = re.compile(r"a-[a-z2-7]{16}")
_OURS = (Origin.CONSENSUS, Origin.ADJUDICATED)
_PEOPLE = "annotator|created_by|updated_by|completed_by|user_name|user|worker_id"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is to be forgotten.

    Parameters
    ----------
    pseudonym
        Theirs.
    words
        What names them, as patterns of RE2.
    fields
        Patterns of a JSON field that says that a refused label is theirs.
    """

    pseudonym: str
    words: tuple[str, ...]
    fields: tuple[str, ...]


def person_of(pseudonym: str, handles: Sequence[str], also: Sequence[str]) -> Person:
    """Return a person as texts are searched for them.

    Notes
    -----
    A handle that is a number (an id of a tool's) is looked for only where a field names a person:
    in prose it would be any number.
    """
    words = [word for word in (*handles, *also) if not word.isdigit()]
    return Person(
        pseudonym,
        tuple(rf"(?i)(^|[^\p{{L}}\p{{N}}_]){re.escape(w)}($|[^\p{{L}}\p{{N}}_])" for w in words),
        tuple(rf'(?i)"({_PEOPLE})": ?"?{re.escape(handle)}"?[,}}\]]' for handle in handles),
    )


def losing(part: str, batch: pa.RecordBatch, person: Person, *, is_agent: bool) -> np.ndarray:
    """Return which rows lose text.

    Parameters
    ----------
    part
        A name of `COLUMNS`.
    batch
        Its columns there at least.
    person
        Who is to be forgotten.
    is_agent
        Whether they ran the activity that the rows are of.

    Returns
    -------
    ndarray of bool, shape (n_rows,)
    """
    text = batch[COLUMNS[part][0]]
    if text.null_count == len(text) and part != "quarantine":
        return np.zeros(len(text), bool)
    names = _matches(text, person.words)
    if part == "quarantine":
        said = _matches(batch["value"], person.words)
        return np.asarray(names | said | _matches(text, person.fields))
    if part == "revisions":
        theirs = is_word(batch["annotator"], [person.pseudonym])
        theirs &= ~is_word(batch["origin"], list(_OURS))
        rows = np.flatnonzero(np.asarray(theirs | names) & np.asarray(text.is_valid()))
        told = text.take(pa.array(rows))
        # numbers and structure are no text: a row without words loses nothing
        is_shrinking = np.asarray(pc.not_equal(told, _wordless(told)))
        return np.isin(np.arange(len(text)), rows[is_shrinking])
    if part == "gold":
        theirs = np.full(len(text), is_agent)
    elif part == "completeness":
        theirs = np.zeros(len(text), bool)
    else:
        theirs = is_word(batch["by"], [person.pseudonym])
    return np.asarray((theirs & np.asarray(text.is_valid())) | names)


def without(part: str, batch: pa.RecordBatch, rows: np.ndarray) -> pa.RecordBatch:
    """Return a batch of which some rows have no text any more."""
    name = COLUMNS[part][0]
    mask, n = pa.array(rows), int(np.count_nonzero(rows))
    blank = _wordless(batch[name].filter(mask)) if part == "revisions" else pa.nulls(n, pa.string())
    values = {name: blank}
    if part == "quarantine":
        values["value"] = pa.repeat("", n)
    for column, told in values.items():
        at = batch.schema.get_field_index(column)
        replaced = pc.replace_with_mask(batch[column], mask, told)
        batch = batch.set_column(at, batch.schema.field(at), replaced)
    return batch


def count(ledger: Ledger, part: Part, person: Person, *, is_agent: bool) -> int:
    """Return how many rows of a part lose text."""
    batches = read_parquet(ledger.segments / part.file, COLUMNS[part.table])
    return sum(
        int(np.count_nonzero(losing(part.table, batch, person, is_agent=is_agent)))
        for batch in batches
    )


def _matches(text: pa.Array, patterns: Sequence[str]) -> np.ndarray:
    found = np.zeros(len(text), bool)
    for pattern in patterns:
        hit = pc.match_substring_regex(text, pattern).fill_null(False)
        found |= np.asarray(hit)
    return found


def _wordless(text: pa.Array) -> pa.Array:
    """Return JSON documents in which null stands for every string that is no pseudonym."""
    words = text.dictionary_encode()
    told = [
        canonical_json(_emptied(json.loads(document))).decode()
        for document in words.dictionary.to_pylist()
    ]
    return pa.array(told, pa.string()).take(words.indices)


def _emptied(value: object) -> object:
    if isinstance(value, dict):
        return {name: _emptied(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_emptied(item) for item in value]
    if isinstance(value, str) and not _PSEUDONYM.fullmatch(value):
        return None
    return value
