"""What a recipe's predicates leave standing: of labels, and of the answers that say where there are none."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from lineage.activities import coverage, predicates
from lineage.activities.context import Project
from lineage.activities.predicates import Predicate
from lineage.activities.select import LiveState, is_word
from lineage.calc import counterfactual, state
from lineage.segments import Ledger
from lineage.settings import Recipe
from lineage.terms import Operation, Presence

_ANSWERED = (Presence.LABELLED, Presence.EMPTY)


@dataclass(frozen=True, slots=True)
class Restriction:
    """A recipe's ``where`` and ``without``, looked up as of a place in the log.

    Parameters
    ----------
    where
        Labels that stay; without alternatives, all.
    without
        Labels that are taken as if they had never been; without alternatives, none.
    is_reverted
        Earlier revisions stand in their place.
    """

    where: Predicate
    without: Predicate
    is_reverted: bool

    def __bool__(self) -> bool:
        return bool(self.where.alternatives or self.without.alternatives)


def restriction_of(project: Project, recipe: Recipe, seq: int) -> Restriction:
    """Look the predicates of a recipe up, as they are on record."""
    where, without = (
        predicates.parse(project, words, seq=seq, is_recorded=True)
        for words in (recipe.where, recipe.without)
    )
    return Restriction(where, without, recipe.revert)


def live(ledger: Ledger, asked: Restriction, base: LiveState, up_to: int) -> LiveState:
    """Return which revisions stand, of those live as of a place in the log."""
    is_live = base.is_live
    if asked.without.alternatives:
        is_match = _matching(ledger, asked.without, base, up_to)
        annotation, is_retract = _histories(ledger, up_to)
        is_live = counterfactual.live_without(
            annotation, is_retract, is_live, is_match, is_reverted=asked.is_reverted
        )
    if asked.where.alternatives:
        is_live = is_live & _matching(ledger, asked.where, base, up_to)
    return replace(base, is_live=is_live)


def had_labels(ledger: Ledger, asked: Restriction, base: LiveState, up_to: int) -> LiveState:
    """Return the live revisions for whose sake an image without labels is no negative."""
    content = predicates.of_content(asked.where)
    if not content.columns:
        return base
    return replace(base, is_live=base.is_live & _matching(ledger, content, base, up_to))


def answered(asked: Restriction, roster: pa.Table, said: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the answers, and the images that tools call finished, of which ``where`` holds."""
    if not asked.where.alternatives:
        return roster, said
    is_unfinished = is_word(coverage.one(said["state"]), coverage.UNFINISHED)
    of_image = said.select(["asset", "batch"])
    return (
        roster.filter(pa.array(_of_rows(asked.where, roster))),
        said.filter(pa.array(is_unfinished | _of_rows(asked.where, of_image))),
    )


def never_answered(
    asked: Restriction, roster: pa.Table, said: pa.Table
) -> tuple[pa.Table, pa.Table]:
    """Return what is left of answers had those never been of which ``without`` speaks as a whole.

    A tool's word on an image goes with the last of the answers that it was about.
    """
    gone = predicates.of_answers(asked.without)
    if not gone.alternatives:
        return roster, said
    is_gone = _of_rows(gone, roster)
    left = roster.filter(pa.array(~is_gone))
    is_dropped = _of_rows(gone, said.select(["asset", "batch"])) | (
        _is_among(said, roster.filter(pa.array(is_gone))) & ~_is_among(said, left)
    )
    return left, said.filter(pa.array(~is_dropped))


def _is_among(said: pa.Table, roster: pa.Table) -> np.ndarray:
    """Tell which rows are of an image and batch for which somebody of ``roster`` gave an answer."""
    answers = roster.filter(pa.array(is_word(coverage.one(roster["presence"]), _ANSWERED)))
    names = ("asset", "batch")
    parts = [answers.select(names), said.select(names)]
    pairs = pa.concat_tables(parts).unify_dictionaries().combine_chunks()
    key = state.composed(pairs["asset"].to_numpy(), coverage.numbers(pairs["batch"]))
    return np.isin(key[answers.num_rows :], key[: answers.num_rows])


def _of_rows(predicate: Predicate, rows: pa.Table) -> np.ndarray:
    parts = [predicates.answers(predicate, batch) for batch in rows.to_batches()]
    return np.concatenate(parts) if parts else np.zeros(0, bool)


def _matching(ledger: Ledger, predicate: Predicate, base: LiveState, up_to: int) -> np.ndarray:
    """Tell, by revision, which ones a predicate chooses, each in the stage in which it stands."""
    found = np.zeros(len(base.is_live), bool)
    wanted = list(dict.fromkeys(["revision", *predicate.columns]))
    for batch in ledger.scan("revisions", wanted, up_to=up_to):
        row = np.asarray(batch["revision"]) - 1
        if "stage" in batch.schema.names:
            codes = pa.array(base.stage[row].astype(np.int32))
            current = pa.DictionaryArray.from_arrays(codes, base.stages)
            at = batch.schema.get_field_index("stage")
            batch = batch.set_column(at, batch.schema.field("stage"), current)
        found[row] = predicates.mask(predicate, batch)
    return found


def _histories(ledger: Ledger, up_to: int) -> tuple[np.ndarray, np.ndarray]:
    annotations, retracts = [np.empty(0, np.int64)], [np.empty(0, bool)]
    for batch in ledger.scan("revisions", ("annotation", "operation"), up_to=up_to):
        annotations.append(np.asarray(batch["annotation"]))
        retracts.append(is_word(batch["operation"], [Operation.RETRACT]))
    return np.concatenate(annotations), np.concatenate(retracts)
