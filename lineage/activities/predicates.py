"""Which labels, in words: ``annotator=A batch=B,C class=car gold=yes``.

One language for ``subset``, ``recompute --without`` and ``run affected``. Clauses of one text hold all
together, a clause's values any of them, several texts any of them. What is written into a manifest is
the text as `Predicate.words` gives it: people as pseudonyms, images by whole names, so that it means
the same in every clone and after a name is erased. What a clause asks of the record (gold, disputes,
agreement) is looked up once, as of a place in the log, by `predicates_facts`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.activities import position, predicates_facts, predicates_text
from lineage.activities.context import Project
from lineage.activities.predicates_facts import Facts
from lineage.activities.select import is_word

_WORDS = ("annotator", "batch", "class", "stage", "schema", "kind", "origin")
_OF_IMAGES = ("asset", "agreement_below", "agreement_least", "opinions_least")
_OF_ANSWERS = ("annotator", "batch", "vendor", *_OF_IMAGES)
_SHOWN = ("attribute", "edge_case", "gold", "disputed")
_NEEDED: Mapping[str, tuple[str, ...]] = {
    **{name: (name,) for name in _WORDS},
    **dict.fromkeys(_OF_IMAGES, ("asset",)),
    "vendor": ("batch",),
    "since": ("labelled_at",),
    "until": ("labelled_at",),
    "attribute": ("attributes",),
    "edge_case": ("revision", "schema", "class", "attributes"),
    "gold": ("revision",),
    "disputed": ("annotation",),
}
DIMENSIONS = tuple(_NEEDED)
"""What a clause may ask of; an attribute is written ``attribute:NAME``."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One question about a label.

    Parameters
    ----------
    dimension
        One of `DIMENSIONS`.
    values
        Any of which will do, as they are recorded.
    attribute
        Name of the attribute, where it is one that is asked for.
    facts
        What the record says of the question.
    """

    dimension: str
    values: tuple[str, ...]
    attribute: str | None = None
    facts: Facts = field(default_factory=Facts, compare=False, repr=False)

    @property
    def word(self) -> str:
        """The clause as text."""
        name = self.dimension if self.attribute is None else f"{self.dimension}:{self.attribute}"
        return predicates_text.written(name, self.values)


@dataclass(frozen=True, slots=True)
class Predicate:
    """Labels of which all clauses of one of the alternatives hold; without alternatives, every label."""

    alternatives: tuple[tuple[Clause, ...], ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """The text of each alternative, as it goes on record."""
        return tuple(" ".join(clause.word for clause in one) for one in self.alternatives)

    @property
    def columns(self) -> tuple[str, ...]:
        """What `mask` reads of a batch."""
        told = (name for one in self.alternatives for c in one for name in _NEEDED[c.dimension])
        return tuple(dict.fromkeys(told))


def parse(
    project: Project,
    words: Sequence[str],
    *,
    seq: int | None = None,
    is_recorded: bool = False,
) -> Predicate:
    """Return what words mean, every value looked up in the record.

    Parameters
    ----------
    project
        An open project.
    words
        Texts, any of which may hold; see the page.
    seq
        Place in the log as of which gold, disputes and agreement are asked for; None for the newest.
    is_recorded
        The words stand in a manifest: they mean what they say, whatever ``params.yaml`` says today.

    Raises
    ------
    BadInput
        ``predicate``: no ``dimension=value``, an unknown dimension, a value that cannot be one.
    NotFound
        ``no-annotator``, ``no-asset``, ``no-batch``, ``no-class``, ``no-edge-case``, ``no-schema`` or
        ``no-vendor``: the record has no such value.
    """
    at = position.resolve(project, None) if seq is None else seq
    record = predicates_facts.Record(project, at, is_recorded)
    alternatives = []
    for text in words:
        one = []
        for name, values in predicates_text.clauses(text, DIMENSIONS):
            dimension, _, attribute = name.partition(":")
            recorded, facts = record.looked_up(dimension, values)
            one.append(Clause(dimension, recorded, attribute or None, facts))
        alternatives.append(tuple(one))
    return Predicate(tuple(alternatives))


def mask(predicate: Predicate, batch: pa.RecordBatch) -> np.ndarray:
    """Tell which labels a predicate chooses.

    Parameters
    ----------
    predicate
        What `parse` returned.
    batch
        Rows of `columns.DATASET`; or of `columns.REVISIONS` with the current stage. Only
        `Predicate.columns` are read.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    return _any(predicate.alternatives, batch)


def answers(predicate: Predicate, rows: pa.RecordBatch) -> np.ndarray:
    """Tell which answers without a label a predicate lets through.

    Parameters
    ----------
    predicate
        What `parse` returned.
    rows
        ``asset`` and ``batch`` of answers, and ``annotator`` where it is known whose they are.

    Returns
    -------
    ndarray of bool, shape (n,)

    Notes
    -----
    Whoever asks for annotators, batches, vendors or images asks it of answers too. What is asked of a
    label's class, kind, stage, schema, origin or time does not touch an image that has none. Gold,
    disputes, edge cases and attributes have to be seen on an image: one without labels shows none.
    """
    told = []
    for one in predicate.alternatives:
        clauses = tuple(c for c in one if c.dimension in _OF_ANSWERS)
        is_shown = any(c.dimension in _SHOWN for c in one)
        asks_person = any(c.dimension == "annotator" for c in clauses)
        if not is_shown and not (asks_person and "annotator" not in rows.schema.names):
            told.append(clauses)
    if predicate.alternatives and not told:
        return np.zeros(rows.num_rows, bool)
    return _any(tuple(told), rows)


def of_answers(predicate: Predicate) -> Predicate:
    """Return the alternatives that speak of whole answers alone: annotators, batches, vendors, images."""
    return Predicate(
        tuple(one for one in predicate.alternatives if all(c.dimension in _OF_ANSWERS for c in one))
    )


def of_content(predicate: Predicate) -> Predicate:
    """Return what a predicate asks of class and kind: images without such labels are negatives."""
    return Predicate(
        tuple(
            tuple(c for c in one if c.dimension in ("class", "kind"))
            for one in predicate.alternatives
        )
    )


def shown_as(text: str | None, names: Mapping[str, str]) -> str | None:
    """Return a predicate's text with the names to show in place of pseudonyms."""
    if text is None:
        return None
    return " ".join(
        predicates_text.written(name, [names.get(value, value) for value in values])
        for name, values in predicates_text.clauses(text, DIMENSIONS)
    )


def joined(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    """Return the words of what both ask for."""
    if not (first and second):
        return (*first, *second)
    return tuple(f"{one} {other}" for one in first for other in second)


def _any(alternatives: tuple[tuple[Clause, ...], ...], batch: pa.RecordBatch) -> np.ndarray:
    found = np.zeros(batch.num_rows, bool)
    for one in alternatives:
        all_of_it = np.ones(batch.num_rows, bool)
        for clause in one:
            all_of_it &= _TESTS[clause.dimension](clause, batch)
        found |= all_of_it
    return found if alternatives else np.ones(batch.num_rows, bool)


def _word(clause: Clause, batch: pa.RecordBatch) -> np.ndarray:
    return is_word(batch[clause.dimension], clause.values)


def _vendor(clause: Clause, batch: pa.RecordBatch) -> np.ndarray:
    return is_word(batch["batch"], clause.facts.words)


def _asset(clause: Clause, batch: pa.RecordBatch) -> np.ndarray:
    column = batch["asset"]
    if pa.types.is_integer(column.type):
        return np.isin(np.asarray(column), clause.facts.numbers)
    return np.asarray(pc.is_in(column.cast(pa.string()), value_set=clause.facts.names))


def _since(clause: Clause, batch: pa.RecordBatch) -> np.ndarray:
    return _timed(pc.greater_equal, clause, batch)


def _until(clause: Clause, batch: pa.RecordBatch) -> np.ndarray:
    return _timed(pc.less, clause, batch)


def _timed(
    compare: Callable[[pa.Array, pa.Scalar], pa.Array], clause: Clause, batch: pa.RecordBatch
) -> np.ndarray:
    column = batch["labelled_at"]
    bound = pa.scalar(position.aware(clause.values[0]), column.type)
    return np.asarray(compare(column, bound).fill_null(False))


def _attribute(clause: Clause, batch: pa.RecordBatch) -> np.ndarray:
    wanted = frozenset(f"{clause.attribute}={value}" for value in clause.values)
    return _of_documents(batch["attributes"], wanted)


def _edge_case(clause: Clause, batch: pa.RecordBatch) -> np.ndarray:
    found = np.isin(np.asarray(batch["revision"]), clause.facts.numbers)
    for (ref, class_), own in clause.facts.tags.items():
        here = is_word(batch["schema"], [ref]) & is_word(batch["class"], [class_])
        if here.any():
            found |= here & _of_documents(batch["attributes"], own)
    return found


def _gold(clause: Clause, batch: pa.RecordBatch) -> np.ndarray:
    is_gold = np.isin(np.asarray(batch["revision"]), clause.facts.numbers)
    return is_gold if clause.values == ("yes",) else ~is_gold


def _disputed(clause: Clause, batch: pa.RecordBatch) -> np.ndarray:
    return np.isin(np.asarray(batch["annotation"]), clause.facts.numbers)


def _of_documents(column: pa.DictionaryArray, wanted: frozenset[str]) -> np.ndarray:
    told = [bool(wanted & _tags(text)) for text in column.dictionary.to_pylist()]
    return np.array([*told, False], bool)[np.asarray(column.indices.fill_null(len(told)))]


def _tags(document: str) -> frozenset[str]:
    """Return a label's attributes as ``name=value``, what is no text written as in JSON."""
    return frozenset(
        f"{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in json.loads(document).items()
    )


_TESTS: Mapping[str, Callable[[Clause, pa.RecordBatch], np.ndarray]] = {
    **dict.fromkeys(_WORDS, _word),
    **dict.fromkeys(_OF_IMAGES, _asset),
    "vendor": _vendor,
    "since": _since,
    "until": _until,
    "attribute": _attribute,
    "edge_case": _edge_case,
    "gold": _gold,
    "disputed": _disputed,
}
