"""Objects that a batch's annotators missed, as rows of their lots: what nobody drew is wrong work too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lineage.activities import coverage, precision
from lineage.activities.adjudicate_open import activities, numbers, of_kind, told
from lineage.activities.context import Project
from lineage.activities.review_log import Drawn, Verdicts, codes, texts_of
from lineage.activities.select import is_word
from lineage.calc import state
from lineage.segments import TABLES
from lineage.terms import ActivityKind, Presence, Stage

_STAGES = list(Stage)
_ANSWERED = (Presence.LABELLED, Presence.EMPTY)


@dataclass(frozen=True, slots=True)
class Missed:
    """Objects that reviewers drew and nobody else, once for everybody who answered for their image.

    Parameters
    ----------
    opinion, annotation, asset, seq
        ndarrays of int64, shape (n,): the reviewer's label, and when the annotator's answer came in.
    annotator, class_
        ndarrays of str, shape (n,).
    stage
        ndarray of int8, shape (n,): into `terms.Stage`, as of a label of theirs: contested; rejected once
        the object is confirmed; final once it is dismissed.
    chance
        ndarray of float64, shape (n,): of the image having been drawn.
    """

    opinion: np.ndarray
    annotation: np.ndarray
    asset: np.ndarray
    seq: np.ndarray
    annotator: np.ndarray
    class_: np.ndarray
    stage: np.ndarray
    chance: np.ndarray


def missed_of(project: Project, batch: str, seq: int, drawn: Drawn, said: Verdicts) -> Missed:
    """Return what was missed in a batch.

    Parameters
    ----------
    project, batch, seq
        Where to look.
    drawn
        The first blind round.
    said
        All verdicts.
    """
    is_ours = np.isin(said.draw.astype(str), np.unique(drawn.draw.astype(str)))
    rows = np.flatnonzero(is_ours & said.is_dispute & (said.revision == 0) & (said.opinion > 0))
    opinion, first = np.unique(said.opinion[rows], return_index=True)
    asset = said.asset[rows][first]
    facts = precision.of_ledger(project.ledger, opinion, ("annotation", "class"))
    settled = _settled(project, batch, seq)
    contested, rejected, final = (
        _STAGES.index(stage) for stage in (Stage.CONTESTED, Stage.REJECTED, Stage.FINAL)
    )
    stage = [
        contested if one not in settled else rejected if settled[one] else final
        for one in opinion.tolist()
    ]
    answers = _answers(project, batch, seq, asset)
    at, of = _each(asset, np.asarray(answers["asset"]))
    return Missed(
        opinion[at],
        np.asarray(facts["annotation"])[at],
        asset[at],
        np.asarray(answers["seq"])[of],
        texts_of(coverage.one(answers["annotator"]))[of],
        texts_of(coverage.one(facts["class"]))[at],
        np.array(stage, np.int8)[at],
        np.append(drawn.fraction, np.nan)[state.row_of(drawn.asset, asset)][at],
    )


def _answers(project: Project, batch: str, seq: int, assets: np.ndarray) -> pa.Table:
    """Return who answered for some images in a batch, and when that last came in: ``asset annotator seq``."""
    wanted = ("asset", "annotator", "seq", "batch", "presence")
    parts = [
        rows.filter(
            pa.array(
                np.isin(np.asarray(rows["asset"]), assets)
                & is_word(rows["batch"], [batch])
                & is_word(rows["presence"], _ANSWERED)
            )
        )
        for rows in project.ledger.scan("roster", wanted, up_to=seq, assets=np.unique(assets))
    ]
    schema = pa.schema([TABLES["roster"].field(name) for name in wanted])
    table = pa.Table.from_batches(parts, schema).unify_dictionaries().combine_chunks()
    people = codes(texts_of(coverage.one(table["annotator"])))
    return table.take(pa.array(state.newest(np.asarray(table["asset"]), people)))


def _settled(project: Project, batch: str, seq: int) -> Mapping[int, bool]:
    """Return, by the opinion, whether an object that was told as missed is there."""
    return {
        opinion: row["revision"] is not None
        for entry in of_kind(activities(project, seq), ActivityKind.ADJUDICATE, batch)
        for row in told(entry.outcome, "missed")
        for opinion in numbers(row["opinions"])
    }


def _each(wanted: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return every pair of equal values, as rows of either side."""
    order = np.argsort(known, kind="stable")
    low, high = (np.searchsorted(known[order], wanted, side=side) for side in ("left", "right"))
    n = high - low
    at = np.repeat(np.arange(len(wanted)), n)
    place = np.arange(int(n.sum())) - np.repeat(np.cumsum(n) - n, n)
    return at, order[low[at] + place]
