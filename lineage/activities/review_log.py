"""What a batch's review has on record: what was drawn, who was asked, and what they said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa

from lineage.activities import coverage, draws
from lineage.activities.context import Project
from lineage.activities.select import is_word
from lineage.calc import state
from lineage.segments import TABLES
from lineage.store import read
from lineage.terms import ActivityKind, DrawReason, Verdict

NOTHING = "nothing"
"""In place of a class in a stratum: images on which somebody found nothing to draw."""

FRESH = "fresh"
"""Stratum of those who are asked because a label is contested: theirs are opinions, not verdicts."""


def answers_tag(batch: str) -> str:
    """Return the tag of the batch into which a batch's blind answers come.

    Examples
    --------
    >>> answers_tag("w01")
    'w01.review'
    """
    return f"{batch}.review"


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was put before reviewers of a batch, each label once a draw, in the order of the log.

    Parameters
    ----------
    revision
        ndarray of int64, shape (n,): the label, 0 for an image on which nothing was drawn.
    asset
        ndarray of int64, shape (n,).
    draw, reviewer, stratum
        ndarrays of str, shape (n,).
    fraction
        ndarray of float64, shape (n,): the chance of having been drawn, as the newest row has it.
    is_again
        ndarray of bool, shape (n,): an approval that is judged in turn.
    is_blind
        ndarray of bool, shape (n,): the reviewer was not shown the label.
    is_sent_back
        ndarray of bool, shape (n,): drawn because its lot was rejected, or by name: no random choice.
    """

    revision: np.ndarray
    asset: np.ndarray
    draw: np.ndarray
    reviewer: np.ndarray
    stratum: np.ndarray
    fraction: np.ndarray
    is_again: np.ndarray
    is_blind: np.ndarray
    is_sent_back: np.ndarray

    def __len__(self) -> int:
        return len(self.revision)

    def take(self, rows: np.ndarray) -> Drawn:
        """Return some rows."""
        return Drawn(*(getattr(self, f.name)[rows] for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What reviewers of a batch said, in the order of the log.

    Parameters
    ----------
    revision
        ndarray of int64, shape (n,): 0 for an object that nobody drew, and for an image that is
        rightly empty.
    asset, opinion, seq
        ndarrays of int64, shape (n,); 0 where the reviewer drew nothing.
    draw, reviewer, kind
        ndarrays of str, shape (n,); the kind is empty where they agree.
    is_dispute
        ndarray of bool, shape (n,).
    """

    revision: np.ndarray
    asset: np.ndarray
    opinion: np.ndarray
    seq: np.ndarray
    draw: np.ndarray
    reviewer: np.ndarray
    kind: np.ndarray
    is_dispute: np.ndarray

    def __len__(self) -> int:
        return len(self.revision)


def drawn_of(project: Project, batch: str, seq: int) -> Drawn:
    """Return what was drawn of a batch for review, up to a place in the log.

    Notes
    -----
    A later draw may raise the chance of what was drawn before: it repeats the row under the name of
    the draw that asked, so that the newest row of a draw, a label and a reviewer holds.
    """
    rows = draws.drawn(project.ledger, (DrawReason.REVIEW,), seq)
    rows = rows.filter(pa.array(is_word(coverage.one(rows["batch"]), [answers_tag(batch)])))
    with project.store.reading() as connection:
        told = {
            f"draw-{entry.seq}": entry.parameters
            for entry in read.activities(connection)
            if entry.kind == ActivityKind.DRAW
        }
    revision = np.asarray(coverage.one(rows["revision"]).fill_null(0))
    asset = np.asarray(rows["asset"])
    texts = {name: texts_of(coverage.one(rows[name])) for name in ("draw", "annotator", "stratum")}
    newest = state.newest(revision, asset, codes(texts["draw"]), codes(texts["annotator"]))
    newest = newest[texts["stratum"][newest] != FRESH]
    draw = texts["draw"][newest]
    return Drawn(
        revision[newest],
        asset[newest],
        draw,
        texts["annotator"][newest],
        texts["stratum"][newest],
        np.asarray(rows["inclusion_fraction"])[newest],
        _told(draw, {name for name, one in told.items() if one.get("is_again")}),
        ~_told(draw, {name for name, one in told.items() if one.get("shows_labels")}),
        _told(
            draw, {n for n, one in told.items() if one.get("is_sent_back") or one.get("is_only")}
        ),
    )


def verdicts_of(project: Project, draw_names: Iterable[str], seq: int) -> Verdicts:
    """Return the verdicts that some draws asked for, up to a place in the log."""
    wanted = sorted(set(draw_names))
    parts = [
        rows.filter(pa.array(is_word(rows["draw"], wanted)))
        for rows in project.ledger.scan("verdicts", up_to=seq)
    ]
    rows = pa.Table.from_batches(parts, TABLES["verdicts"]).unify_dictionaries().combine_chunks()
    said = texts_of(coverage.one(rows["verdict"]))
    return Verdicts(
        np.asarray(coverage.one(rows["revision"]).fill_null(0)),
        np.asarray(rows["asset"]),
        np.asarray(coverage.one(rows["opinion"]).fill_null(0)),
        np.asarray(rows["seq"]),
        texts_of(coverage.one(rows["draw"])),
        texts_of(coverage.one(rows["by"])),
        texts_of(coverage.one(rows["kind"])),
        said == Verdict.DISPUTE.value,
    )


def texts_of(column: pa.Array) -> np.ndarray:
    """Return a column of words as an array of str, empty for null."""
    if len(column) == 0:
        return np.zeros(0, object)
    words = column.dictionary_encode() if pa.types.is_string(column.type) else column
    known = np.array([*words.dictionary.to_pylist(), ""], object)
    return np.asarray(known[np.asarray(words.indices.fill_null(len(known) - 1))])


def codes(texts: np.ndarray) -> np.ndarray:
    """Return a number for each text, equal where the texts are."""
    found: np.ndarray = np.unique(texts.astype(str), return_inverse=True)[1].astype(np.int64)
    return found


def _told(texts: np.ndarray, chosen: set[str]) -> np.ndarray:
    return np.isin(texts.astype(str), sorted(chosen))
