"""Several people on one image: whose labels leave, where a file holds one set of labels an image.

The tools' own YOLO and VOC exports keep whoever is written last. Here the caller
names a rule, or is refused. Whoever looked at an image and drew nothing has
answered too: against somebody's three boxes that is a disagreement, not silence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.activities import trace
from lineage.activities.context import Project
from lineage.activities.trace import Choice
from lineage.errors import BadInput, Refused
from lineage.terms import Origin, Stage

_CHOICES = "consensus, annotator:NAME or final"
_BY_NAME = "annotator:"
_N_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Rule:
    """Whose labels to take where several people answered for an image.

    Parameters
    ----------
    word
        As it was given.
    column, value
        Labels with this value are taken.
    """

    word: str
    column: str
    value: str


def rule_of(project: Project, word: str) -> Rule:
    """Return the rule that a word names.

    Raises
    ------
    BadInput
        ``people-rule``: no such rule.
    NotFound
        ``no-annotator``.
    """
    if word == Origin.CONSENSUS:
        return Rule(word, "origin", Origin.CONSENSUS)
    if word == Stage.FINAL:
        return Rule(word, "stage", Stage.FINAL)
    name = word.removeprefix(_BY_NAME)
    if name == word or not name:
        raise BadInput("people-rule", f"no rule {word!r}, expected {_CHOICES}")
    (pseudonym,) = trace.selector_of(project, Choice(annotator=(name,))).annotators
    return Rule(word, "annotator", pseudonym)


@dataclass(frozen=True, slots=True)
class Answers:
    """Who answered for which image.

    Parameters
    ----------
    images, people
        Names.
    image, person
        ndarrays of int64, shape (n_labels,): of each label.
    pairs
        ndarray of int64: ``image * len(people) + person`` of every answer once, ascending.
    """

    images: list[str]
    people: list[str]
    image: np.ndarray
    person: np.ndarray
    pairs: np.ndarray

    def is_several(self, pairs: np.ndarray | None = None) -> np.ndarray:
        """Return, per image, whether more than one person answered."""
        chosen = self.pairs if pairs is None else pairs
        n_people = np.bincount(chosen // max(len(self.people), 1), minlength=len(self.images))
        return np.asarray(n_people > 1)

    def examples(self, is_chosen: np.ndarray) -> str:
        """Return some images in words, each with who answered."""
        told = []
        for image in np.flatnonzero(is_chosen)[:_N_EXAMPLES].tolist():
            codes = self.pairs[self.pairs // len(self.people) == image] % len(self.people)
            who = ", ".join(self.people[code] for code in codes.tolist())
            told.append(f"{self.images[image]} ({who})")
        n_more = int(is_chosen.sum()) - len(told)
        return ", ".join(told) + (f" and {n_more:,} more" if n_more else "")


def answers_of(labels: pa.Table, empty: pa.Table) -> Answers:
    """Return who answered.

    Parameters
    ----------
    labels
        `columns.DATASET`.
    empty
        ``asset`` and ``annotator``: who looked and drew nothing.
    """
    image, images = _codes(labels["asset"], empty["asset"])
    person, people = _codes(labels["annotator"], empty["annotator"])
    n = labels.num_rows
    pairs = np.unique(image * len(people) + person)
    return Answers(images, people, image[:n], person[:n], pairs)


def settled(labels: pa.Table, answers: Answers, rule: Rule) -> pa.Table:
    """Return the labels that a rule leaves: all where one person answered, else those it names.

    Raises
    ------
    Refused
        ``undecided-images``: several people answered and the rule takes nothing of theirs;
        ``several-annotators``: it takes labels by several.
    """
    is_several = answers.is_several()
    words = labels[rule.column].cast(pa.string())
    is_taken = np.asarray(pc.equal(words, rule.value).combine_chunks())
    decided = np.zeros(len(answers.images), bool)
    decided[answers.image[is_taken]] = True
    if rule.column == "annotator" and rule.value in answers.people:
        # an empty answer of theirs decides too
        theirs = answers.pairs % len(answers.people) == answers.people.index(rule.value)
        decided[answers.pairs[theirs] // len(answers.people)] = True
    if rule.value == Origin.CONSENSUS:
        # where nobody drew anything all agree, and there is nothing that could be written
        decided |= np.bincount(answers.image, minlength=len(answers.images)) == 0
    undecided = is_several & ~decided
    if undecided.any():
        raise Refused(
            "undecided-images",
            f"several people answered for {int(undecided.sum()):,} images of which --people "
            f"{rule.word} takes nothing: {answers.examples(undecided)}",
            hint="lineage consensus makes consensus labels, with --out FILE it lists what it leaves for "
            "review; or choose other labels with --batch, --annotator or --stage",
        )
    is_kept = ~is_several[answers.image] | is_taken
    kept = np.unique(answers.image[is_kept] * len(answers.people) + answers.person[is_kept])
    still = answers.is_several(kept)
    if still.any():
        raise Refused(
            "several-annotators",
            f"--people {rule.word} leaves labels by several people on {int(still.sum()):,} images: "
            f"{answers.examples(still)}",
            hint="--people consensus or annotator:NAME",
        )
    return labels.filter(pa.array(is_kept))


def refuse_several(answers: Answers, format_name: str) -> None:
    """Refuse a format that cannot keep people apart where several answered for an image.

    Raises
    ------
    Refused
        ``several-annotators``.
    """
    is_several = answers.is_several()
    if is_several.any():
        raise Refused(
            "several-annotators",
            f"several people answered for {int(is_several.sum()):,} of {len(answers.images):,} images, "
            f"and {format_name} holds one set of labels an image: {answers.examples(is_several)}",
            hint=f"say whose with --people {_CHOICES}; label-studio, coco and cvat keep people apart",
        )


def _codes(first: pa.ChunkedArray, second: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    chunks = [*first.cast(pa.string()).chunks, *second.cast(pa.string()).chunks]
    words = pa.chunked_array(chunks, pa.string()).combine_chunks().dictionary_encode()
    return np.asarray(words.indices).astype(np.int64), words.dictionary.to_pylist()
