"""What every entry is: a label, an answer without one, or something that is left out.

An entry has a label where it names a class or says where one is. It has none where the mapping says
that its class stands for nothing, or where presence or state say that nothing was labelled; then it
still tells that somebody was asked. A kind that the mapping gives no meaning is left out, and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.formats.table import fields
from lineage.formats.table.facts import words_of
from lineage.formats.table.given import Given, Words, one_word
from lineage.formats.table.plan import POINT
from lineage.terms import Completeness, Kind, Presence

_UNLABELLED = (Completeness.COMPLETE_EMPTY, Completeness.NOT_STARTED, Completeness.SKIPPED)
_PRESENCE_OF = {
    Completeness.NOT_STARTED: Presence.PENDING,
    Completeness.SKIPPED: Presence.SKIPPED,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What n entries are.

    Parameters
    ----------
    class_, kind, state
        As they say, other names resolved.
    presence
        What became of what the annotator was asked; every entry has it.
    is_label
        ndarray of bool, shape (n,): entries that are to become labels.
    losses
        What is left out, counted.
    """

    class_: Words
    kind: Words
    presence: Words
    state: Words
    is_label: np.ndarray
    losses: Mapping[str, int]

    def rows_of(self, kind: Kind) -> np.ndarray:
        """Return which entries are to become labels of a kind, ndarray of bool, shape (n,)."""
        if kind.value not in self.kind.names:
            return np.zeros(len(self.is_label), bool)
        found: np.ndarray = self.is_label & (self.kind.codes == self.kind.names.index(kind.value))
        return found


def standing(given: Given) -> Standing:
    """Tell what entries are; classes that are missing and kinds that are none are refused."""
    values = given.mapping.values
    is_there = given.cells.is_there
    class_ = given.meant("class", values.get("class", {}))
    is_nothing = given.words("class").is_given & ~class_.is_given
    kind, left_out = _kinds(given)
    everything = np.ones(given.n, bool)
    presence = words_of(given, "presence", list(Presence), everything)
    state = words_of(given, "state", list(Completeness), everything)
    has_shape, is_class = _has_shape(given), _is(kind, Kind.CLASS)
    says_class = _valid(given.raw("class"), given.n)
    says_something = is_there & np.where(
        is_class, class_.is_given | is_nothing, says_class | has_shape
    )
    is_absent = presence.is_given & ~_is(presence, Presence.LABELLED)
    if given.mapping.state_of == "class":
        is_absent_by_state = _is(state, *_UNLABELLED)
    else:
        is_absent_by_state = np.zeros(given.n, bool)
    is_left_out = left_out.is_given & says_something
    is_label = says_something & ~is_nothing & ~is_left_out & ~is_absent & ~is_absent_by_state
    losses = Counter(
        {
            f"left-out: {name}": int((is_left_out & _is(left_out, name)).sum())
            for name in left_out.names
        }
    )
    losses["class-for-nothing"] = int((is_nothing & has_shape & says_something).sum())
    losses["unlabelled-label"] = int((is_absent & says_something & ~is_nothing).sum())
    given.refuse(is_label & ~class_.is_given, "no-class", "class", "a class")
    given.refuse(is_label & ~kind.is_given, "unsupported-kind", "kind", f"one of {', '.join(Kind)}")
    return Standing(
        class_,
        kind,
        _presence(presence, state, is_label | is_left_out),
        state,
        is_label,
        {name: n for name, n in losses.items() if n},
    )


def _kinds(given: Given) -> tuple[Words, Words]:
    """Return the kinds of entries, and the words that the mapping says stand for none of ours."""
    if given.mapping.kind is not None:
        return one_word(given.mapping.kind.value, given.n), one_word(None, given.n)
    meaning = given.mapping.values.get("kind", {})
    words = given.words("kind")
    known = {kind.value for kind in Kind}
    meant = [str(meaning.get(word, word)) for word in words.names]
    kinds = words.renamed([name if name in known else None for name in meant])
    left_out = words.renamed(
        [word if word in meaning and meaning[word] is None else None for word in words.names]
    )
    return kinds, left_out


def _presence(presence: Words, state: Words, is_labelled: np.ndarray) -> Words:
    """Return what became of each entry: what it says, else what its label or its state does."""
    names = [word.value for word in Presence]
    found = np.full(len(is_labelled), names.index(Presence.EMPTY))
    for name, meaning in _PRESENCE_OF.items():
        found[_is(state, name)] = names.index(meaning)
    found[is_labelled] = names.index(Presence.LABELLED)
    for word in Presence:
        found[_is(presence, word)] = names.index(word)
    return Words(found, names)


def _has_shape(given: Given) -> np.ndarray:
    found = np.zeros(given.n, bool)
    for key in given.cells.cells:
        if key in fields.GEOMETRY or key.startswith(POINT):
            found |= _valid(given.raw(key), given.n)
    return found


def _valid(cells: pa.Array | None, n: int) -> np.ndarray:
    return np.zeros(n, bool) if cells is None else np.asarray(pc.is_valid(cells))


def _is(words: Words, *names: str) -> np.ndarray:
    codes = [at for at, name in enumerate(words.names) if name in names]
    return np.isin(words.codes, codes)
