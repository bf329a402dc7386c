"""What is decided of every object: its class, its attributes, and whether that is settled or for review.

The class is Dawid and Skene's, over all objects with two opinions together; gold
is believed. Where a definition is split, nothing is decided: the class that most
gave would be the larger camp's policy. Whatever is left for review says why, and
what it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag, StrEnum

import numpy as np

from lineage import labelschema
from lineage.activities.consensus_units import Gathered, Objects, Votes
from lineage.activities.disagreements import Disputes
from lineage.activities.opinions import Words
from lineage.calc import consensus, state
from lineage.calc.disputes import DisputeVerdict
from lineage.labelschema import LabelSchema

IOU_SETTLED = 0.75
_SENIOR_OPINIONS, _SENIOR_POSTERIOR = 4, 0.8
_DIGITS = 9


class Reason(IntFlag):
    """Why an object is left for review."""

    QUORUM = 1  # too few of those who were asked drew it
    DEFINITION_SPLIT = 2  # its classes are read in two ways by habit
    UNSAID = 4  # nobody gave the class that is the likeliest
    SCHEMA = 8  # what was decided breaks the schema version that it would stand under
    POSTERIOR = 16
    GEOMETRY = 32


def words_of_reason(reason: int) -> list[str]:
    """Return reasons in words, in order."""
    return [str(one.name).lower() for one in Reason if reason & one]


UNWRITTEN = Reason.QUORUM | Reason.DEFINITION_SPLIT | Reason.UNSAID | Reason.SCHEMA
"""With any of these there is no label to write."""


class NextStep(StrEnum):
    """What an object that is for review needs (METHODS 5.3)."""

    OPINION = "opinion"
    SENIOR = "senior"
    GUIDELINE = "guideline"


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a label is settled.

    Parameters
    ----------
    quorum_fraction
        Share of those who were asked who have to have drawn an object, two at least.
    posterior
        Least probability of its class.
    """

    quorum_fraction: float = consensus.QUORUM_FRACTION
    posterior: float = 0.95


@dataclass(frozen=True, slots=True)
class Decided:
    """What is decided of each object.

    Parameters
    ----------
    class_, attributes
        ndarrays of int64, shape (n_units,): codes; attributes -1 where there are none to take.
    posterior
        ndarray of float64, shape (n_units,): of the class; NaN with a single opinion.
    reason
        ndarray of int64, shape (n_units,): `Reason` flags, 0 for settled.
    """

    class_: np.ndarray
    attributes: np.ndarray
    posterior: np.ndarray
    reason: np.ndarray

    @property
    def is_written(self) -> np.ndarray:
        """Which objects get a label."""
        found: np.ndarray = (self.reason & int(UNWRITTEN)) == 0
        return found


def decided(
    found: Gathered,
    words: Words,
    known: tuple[np.ndarray, np.ndarray],
    standing: tuple[np.ndarray, Sequence[LabelSchema]],
    limits: Limits,
) -> Decided:
    """Decide every object.

    Parameters
    ----------
    found
        The opinions.
    words
        Of their codes.
    known
        Objects whose class is known (gold), each once, and those classes.
    standing
        ndarray of int64, shape (n_units,): the version under which each would stand, in the versions
        that follow.
    limits
        From where on a label is settled.
    """
    objects, votes = found.objects, found.votes
    class_, posterior = _classes(votes, objects.n_opinions, words.classes, known)
    attributes = _attributes(votes, objects, class_, words.attributes)
    reason = np.zeros(len(class_), np.int64)
    has_quorum = consensus.has_quorum(
        objects.n_opinions, objects.n_asked, fraction=limits.quorum_fraction
    )
    reason[~has_quorum] |= Reason.QUORUM
    for pair in split_pairs(found.disputes, len(words.classes)):
        one, other = (np.unique(votes.unit[votes.class_ == code]) for code in pair)
        reason[np.intersect1d(one, other)] |= Reason.DEFINITION_SPLIT
    several = objects.n_opinions > 1
    reason[several & (attributes < 0)] |= Reason.UNSAID
    reason[_broken(class_, objects.kind, attributes, words, standing)] |= Reason.SCHEMA
    reason[several & (posterior < limits.posterior)] |= Reason.POSTERIOR
    # without two places there is nothing to compare: whole-image classes
    reason[several & (objects.iou_median < IOU_SETTLED)] |= Reason.GEOMETRY
    return Decided(class_, attributes, posterior, reason)


def split_pairs(disputed: Disputes | None, n_classes: int) -> list[tuple[int, int]]:
    """Return the pairs of classes whose definition is split; whether an object exists is no class."""
    judged = [] if disputed is None else disputed.judged()
    return sorted(
        one.pair
        for one in judged
        if max(one.pair) < n_classes and one.verdict is DisputeVerdict.DEFINITION_SPLIT
    )


def habits_of(disputed: Disputes | None, words: Words) -> list[dict[str, object]]:
    """Return the pairs of values between which people take sides by habit, the most disputed first.

    Returns
    -------
    list of dict
        ``class, as_class`` (None: drew nothing), ``n, verdict`` (None without four opinions on a disputed
        object), ``is_left``: whether objects of the pair are left for review.
    """
    rows: list[dict[str, object]] = []
    names = [*words.classes, None]
    for found in [] if disputed is None else disputed.judged():
        pair, verdict = found.pair, found.verdict
        if found.is_habit and verdict is not DisputeVerdict.BIASED_MINORITY:
            is_left = verdict is DisputeVerdict.DEFINITION_SPLIT and max(pair) < len(words.classes)
            one, other = (names[code] for code in pair)
            rows.append(
                {
                    "class": one,
                    "as_class": other,
                    "n": found.n,
                    "verdict": None if verdict is None else verdict.value,
                    "is_left": is_left,
                }
            )
    return rows


def next_step(reason: int, n_opinions: int, posterior: float) -> NextStep | None:
    """Return what an object needs, None for a settled one."""
    if reason == 0:
        return None
    if reason & Reason.DEFINITION_SPLIT:
        return NextStep.GUIDELINE
    if n_opinions >= _SENIOR_OPINIONS and posterior < _SENIOR_POSTERIOR:
        return NextStep.SENIOR
    return NextStep.OPINION


def _classes(
    votes: Votes,
    n_opinions: np.ndarray,
    classes: Sequence[str],
    known: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Return the likeliest class of every object and its probability; of a single opinion its class."""
    class_, posterior = np.zeros(len(n_opinions), np.int64), np.full(len(n_opinions), np.nan)
    class_[votes.unit] = votes.class_
    rows = np.flatnonzero(n_opinions[votes.unit] > 1)
    if len(rows) == 0:
        return class_, posterior
    # codes are in order of first appearance, which depends on the order of imports; names do not
    by_name = np.argsort(np.array(classes, dtype=object), kind="stable")
    rank = np.empty(len(by_name), np.int64)
    rank[by_name] = np.arange(len(by_name))
    truth = np.full(len(n_opinions), -1, np.int64)
    truth[known[0]] = rank[known[1]]
    said = votes.annotator[rows] * np.int64(len(classes)) + rank[votes.class_[rows]]
    units, pattern, example = _patterns(votes.unit[rows], said, truth)
    one = np.isin(votes.unit[rows], example)
    chosen = rows[one]
    of_pattern = np.searchsorted(units, votes.unit[chosen])
    told = truth[example]
    found = consensus.dawid_skene(
        pattern[of_pattern],
        votes.annotator[chosen],
        rank[votes.class_[chosen]],
        len(classes),
        known=(np.flatnonzero(told >= 0), told[told >= 0]),
        weight=np.bincount(pattern).astype(float),
    )
    best = np.round(found.probability, _DIGITS).argmax(axis=1)
    class_[units] = by_name[best][pattern]
    posterior[units] = found.probability[np.arange(len(best)), best][pattern]
    return class_, posterior


def _patterns(
    unit: np.ndarray, said: np.ndarray, truth: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the units, which pattern of opinions each has, and an example unit of each pattern.

    Units of which the same people said the same are one to a vote: there are far fewer patterns.
    """
    order = np.lexsort((said, unit))
    unit, said = unit[order], said[order]
    units, first, n = np.unique(unit, return_index=True, return_counts=True)
    pattern = state.composed(truth[units], n)
    for at in range(int(n.max())):
        rows = np.flatnonzero(n > at)
        own = np.full(len(units), -1, np.int64)
        own[rows] = said[first[rows] + at]
        pattern = state.composed(pattern, own)
    _, example, pattern = np.unique(pattern, return_index=True, return_inverse=True)
    return units, pattern, units[example]


def _attributes(
    votes: Votes, objects: Objects, class_: np.ndarray, documents: Sequence[str]
) -> np.ndarray:
    """Return the document that most of those who gave an object's class and kind gave with it."""
    mask = (votes.class_ == class_[votes.unit]) & (votes.kind == objects.kind[votes.unit])
    found = np.full(len(class_), -1, np.int64)
    unit, own = votes.unit[mask], votes.attributes[mask]
    rank = np.empty(len(documents), np.int64)
    rank[np.argsort(np.array(documents, dtype=object), kind="stable")] = np.arange(len(documents))
    _, first, n = np.unique(state.composed(unit, own), return_index=True, return_counts=True)
    order = np.lexsort((rank[own[first]], -n, unit[first]))
    best = first[order[np.flatnonzero(np.diff(unit[first][order], prepend=-1))]]
    found[unit[best]] = own[best]
    return found


def _broken(
    class_: np.ndarray,
    kind: np.ndarray,
    attributes: np.ndarray,
    words: Words,
    standing: tuple[np.ndarray, Sequence[LabelSchema]],
) -> np.ndarray:
    """Return the objects that break their schema; every different combination is judged once."""
    rows = np.flatnonzero(attributes >= 0)
    version, schemas = standing
    key = state.composed(version[rows], class_[rows], kind[rows], attributes[rows])
    _, first, code = np.unique(key, return_index=True, return_inverse=True)
    wrong = np.array(
        [
            not _fits(
                schemas[version[at]],
                words.classes[class_[at]],
                words.kinds[kind[at]],
                words.attributes[attributes[at]],
            )
            for at in rows[first].tolist()
        ],
        bool,
    )
    return rows[wrong[code]] if len(rows) else rows


def _fits(schema: LabelSchema, class_: str, kind: str, attributes: str) -> bool:
    own = schema.classes.get(class_)
    if own is None:
        return False
    kinds = own["kinds"]
    if not isinstance(kinds, Sequence) or kind not in kinds:
        return False
    return not labelschema.attribute_problems(schema, class_, attributes)
