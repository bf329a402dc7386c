"""People as exports call them become pseudonyms as the ledger knows them.

Revisions name nobody: a handle that is new is given a random pseudonym, and the
address book remembers which. A handle that is a pseudonym on record is that
annotator: files that we wrote carry pseudonyms. A handle holds in its tool; a mail
address, and a name that the caller gave, hold everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.activities.record import UNKNOWN, Recording
from lineage.activities.select import is_word
from lineage.store.read import AnnotatorRow
from lineage.terms import AgentKind, Origin

_HANDLES = ("annotator", "created_by", "updated_by")


class People:
    """Handles to pseudonyms, made where they are new."""

    def __init__(self, activity: Recording, tool: str, given: Set[str] = frozenset()) -> None:
        self._activity = activity
        self._tool = tool
        self._given = given
        self.seen: set[str] = set()

    def pseudonyms(self, words: pa.DictionaryArray, is_model: np.ndarray | None) -> pa.Array:
        """Return the pseudonym behind every handle; ``is_model`` tells software from people."""
        codes = np.asarray(words.indices.fill_null(-1))
        models = set() if is_model is None else set(np.unique(codes[is_model]).tolist())
        used = set(np.unique(codes).tolist())
        found = [
            self._one(handle, is_model=code in models) if code in used else ""
            for code, handle in enumerate(words.dictionary.to_pylist())
        ]
        nobody = self._activity.annotator(None) if -1 in used else ""
        return _recoded(words, found, nobody)

    def mentioned(self, handle: str) -> str:
        """Return the pseudonym of somebody whom a label's ``extra`` mentions: no annotator by that."""
        return self._activity.annotator(handle, tool=self._tool)

    def _one(self, handle: str, *, is_model: bool) -> str:
        self.seen.add(handle)
        kind = AgentKind.MODEL if is_model else AgentKind.PERSON
        tool = "" if handle in self._given else self._tool
        return self._activity.annotator(handle, tool=tool, kind=kind)


class Rehearsed:
    """Handles to pseudonyms, where those who are new need none yet."""

    def __init__(
        self, known: Sequence[AnnotatorRow], tool: str, given: Set[str] = frozenset()
    ) -> None:
        self._names = {(row.handle, row.tool): row.pseudonym for row in known}
        self._pseudonyms = {row.pseudonym for row in known}
        self._tool = tool
        self._given = given
        self.seen: set[str] = set()

    def pseudonyms(self, words: pa.DictionaryArray, is_model: np.ndarray | None) -> pa.Array:
        """Return the pseudonym behind every handle."""
        found = [self._one(handle) for handle in words.dictionary.to_pylist()]
        return _recoded(words, found, UNKNOWN)

    def _one(self, handle: str) -> str:
        self.seen.add(handle)
        if handle in self._pseudonyms:
            return handle
        tool = "" if handle in self._given else self._tool
        key = (handle.lower(), "") if "@" in handle else (handle, tool)
        return self._names.get(key, f"new:{handle}")


def with_pseudonyms(batch: pa.RecordBatch, people: People | Rehearsed) -> pa.RecordBatch:
    """Return labels whose people are pseudonyms."""
    is_model = is_word(batch["origin"], [Origin.MODEL])
    for name in _HANDLES:
        position = batch.schema.get_field_index(name)
        column = batch.column(position)
        if name == "annotator":
            named = people.pseudonyms(column, is_model)
        elif column.null_count == len(column):
            continue
        else:
            named = people.pseudonyms(column, None)
            named = pc.if_else(
                pc.is_valid(column), named.cast(pa.string()), None
            ).dictionary_encode()
        batch = batch.set_column(position, batch.schema.field(position), named.cast(columns.WORD))
    return batch


def _recoded(words: pa.DictionaryArray, found: list[str], nobody: str) -> pa.DictionaryArray:
    indices = words.indices.fill_null(len(found))
    return pa.DictionaryArray.from_arrays(indices, pa.array([*found, nobody], pa.string()))


def named_in(text: str, names: Mapping[str, str]) -> str:
    """Return a text in which people's pseudonyms have the names to show."""
    for pseudonym, name in names.items():
        text = text.replace(pseudonym, name)
    return text
