"""Opinions from the ledger: which revisions are opinions, and who was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import draws, position, trace
from lineage.activities.context import Project
from lineage.activities.opinions import MONDAY, Answers, Labels, Opinions, Words
from lineage.activities.select import Selector, is_word
from lineage.activities.trace import Choice
from lineage.calc import state
from lineage.segments import Ledger
from lineage.store import read
from lineage.terms import ActivityKind, Operation, Origin, Presence

_DAY_US = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INDEPENDENT = (Origin.HUMAN, Origin.ASSISTED)
_ANSWERED = (Presence.LABELLED, Presence.EMPTY)


def load(
    project: Project,
    choice: Choice | None = None,
    *,
    is_repeated: bool = False,
    assets: np.ndarray | None = None,
    least_people: int = 2,
    has_fresh: bool = False,
) -> Opinions:
    """Return the opinions on images that two people answered for.

    Parameters
    ----------
    project
        An open project.
    choice
        Batches, schemas, images and times of answers to look at; its classes, annotators and stages are left to
        whoever counts, for what was named otherwise or by others belongs to the comparison.
    is_repeated
        The opinions on images that one person answered for twice, instead.
    assets
        ndarray of int64: keys of the only images to look at, besides those of ``choice``. Of segments
        that hold none of them nothing is read.
    least_people
        How many have to have answered for an image; 1 where they are held against something else.
    has_fresh
        With the fresh opinions on disputes (`draws.fresh_batches`), which else count only where their
        batch is named. So does what people put right in a consensus.
    """
    asked = choice or Choice()
    seq = position.resolve(project, asked.as_of)
    selector = trace.selector_of(project, replace(asked, class_=(), annotator=(), stage=()))
    within = _within(selector, assets)
    with project.store.reading() as connection:
        batches = read.batches(connection)
        log = [entry for entry in read.activities(connection) if entry.seq <= seq]
    at = {entry.seq: entry.at for entry in log}
    # whoever puts a consensus right has seen what the others said
    aside = {entry.batch for entry in log if entry.kind == ActivityKind.CONSENSUS}
    if not has_fresh:
        aside |= draws.fresh_batches(project.ledger, seq)
    chosen = [
        row
        for row in sorted(batches, key=lambda row: row.id)
        if (row.tag in selector.batches if selector.batches else row.tag not in aside)
        and (not selector.schemas or row.schema in selector.schemas)
    ]
    tags = [row.tag for row in chosen]
    scopes = [f"{row.task}\x00{row.schema.split('@')[0]}" for row in chosen]
    _, scope_of = np.unique(scopes, return_inverse=True) if scopes else ([], np.zeros(0, int))
    n_scopes = int(scope_of.max(initial=0)) + 1
    when = np.array([_micros(at[s]) if s in at else 0 for s in range(seq + 2)], np.int64)
    people = _Codes()
    asking = _Asking(tags, scope_of, n_scopes, when, within, _span(selector))
    answers = _answers(project.ledger, seq, asking, people)
    answers = answers.take(_kept(answers, least_people, is_repeated=is_repeated))
    labels, words = _labels(project.ledger, seq, asking, answers, people)
    # who only corrected what others made gave no answer of their own
    is_own = _seat(labels, answers.image, answers.annotator, answers.batch) >= 0
    answers = answers.take(np.flatnonzero(is_own | answers.is_empty))
    answers = answers.take(_kept(answers, least_people, is_repeated=is_repeated))
    seated = _seat(answers, labels.image, labels.annotator, labels.batch) >= 0
    labels = labels.take(np.flatnonzero(seated))
    return Opinions(labels, answers, words, n_scopes, seq)


def _within(selector: Selector, assets: np.ndarray | None) -> np.ndarray | None:
    """Return the keys of the only images to look at, ascending; None for all."""
    if not selector.assets:
        return None if assets is None else np.unique(assets)
    chosen = np.unique(np.array(selector.assets, np.int64))
    return chosen if assets is None else np.intersect1d(chosen, assets)


class _Codes:
    """Words to running numbers, over any number of Arrow dictionaries."""

    def __init__(self, words: Sequence[str] = ()) -> None:
        self._number = {word: at for at, word in enumerate(words)}

    def of(self, column: pa.DictionaryArray) -> np.ndarray:
        """Return the number of each row's word, giving new words the next ones; -1 for null."""
        told = [
            -1 if word is None else self._number.setdefault(word, len(self._number))
            for word in column.dictionary.to_pylist()
        ]
        indices = np.asarray(column.indices.fill_null(len(told)))
        return np.array([*told, -1], np.int64)[indices]

    @property
    def words(self) -> list[str]:
        return list(self._number)


@dataclass(frozen=True, slots=True)
class _Asking:
    """What is asked for.

    Parameters
    ----------
    tags, scope_of
        Batches, and the scope of each.
    n_scopes
        How many scopes.
    when
        ndarray of int64: time of each place in the log, microseconds since 1970.
    within
        Keys of the only images, ascending; None for all.
    span
        Bounds on the time of answers, microseconds since 1970, half-open.
    """

    tags: list[str]
    scope_of: np.ndarray
    n_scopes: int
    when: np.ndarray
    within: np.ndarray | None
    span: tuple[int, int]

    def image(self, asset: np.ndarray, batch: np.ndarray) -> np.ndarray:
        """Return the image of each asset, as a batch's task asks about it."""
        found: np.ndarray = asset * self.n_scopes + self.scope_of[batch]
        return found


def _span(selector: Selector) -> tuple[int, int]:
    low = np.iinfo(np.int64).min if selector.since is None else _micros(selector.since)
    high = np.iinfo(np.int64).max if selector.until is None else _micros(selector.until)
    return int(low), int(high)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _times(moments: pa.Array, otherwise: np.ndarray) -> np.ndarray:
    """Return each time, of an unknown one the other that is given; microseconds since 1970."""
    told = np.asarray(moments.cast(pa.int64()).fill_null(0))
    return np.where(np.asarray(moments.is_null()), otherwise, told)


def _weeks(times: np.ndarray) -> np.ndarray:
    found: np.ndarray = (times // _DAY_US + MONDAY) // 7
    return found


def _answers(ledger: Ledger, seq: int, asking: _Asking, people: _Codes) -> Answers:
    wanted = ("seq", "asset", "annotator", "batch", "presence", "answered_at")
    parts: list[tuple[np.ndarray, ...]] = []
    batch_codes = _Codes(asking.tags)
    for rows in ledger.scan("roster", wanted, up_to=seq, assets=asking.within):
        is_ours = is_word(rows["batch"], asking.tags) & _is_within(rows, asking.within)
        ours = rows.filter(pa.array(is_ours))
        if ours.num_rows:
            parts.append(
                (
                    np.asarray(ours["asset"]),
                    people.of(ours["annotator"]),
                    batch_codes.of(ours["batch"]),
                    # an answer of which no time is told was given by when we learned of it
                    _times(ours["answered_at"], asking.when[np.asarray(ours["seq"])]),
                    is_word(ours["presence"], _ANSWERED),
                    is_word(ours["presence"], [Presence.EMPTY]),
                )
            )
    if not parts:
        nothing = np.zeros(0, np.int64)
        return Answers(nothing, nothing, nothing, nothing, nothing.astype(bool))
    asset, person, batch, time, answered, is_empty = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    low, high = asking.span
    newest = state.newest(asset, person, batch)
    newest = newest[answered[newest] & (time[newest] >= low) & (time[newest] < high)]
    asset, person, batch, time, is_empty = (
        column[newest] for column in (asset, person, batch, time, is_empty)
    )
    image = asking.image(asset, batch)
    order = np.lexsort((batch, person, image))
    return Answers(image[order], person[order], batch[order], _weeks(time[order]), is_empty[order])


def _kept(answers: Answers, least_people: int, *, is_repeated: bool) -> np.ndarray:
    """Return each person's first answer where enough people gave one; or the repeated answers, all."""
    key = state.composed(answers.image, answers.annotator)
    is_first = np.ones(len(key), bool)
    is_first[1:] = key[1:] != key[:-1]
    if is_repeated:
        _, code, n = np.unique(key, return_inverse=True, return_counts=True)
        return np.flatnonzero(n[code] > 1)
    images, n_people = np.unique(answers.image[is_first], return_counts=True)
    several = images[n_people >= least_people]
    return np.flatnonzero(is_first & np.isin(answers.image, several))


def _is_within(rows: pa.RecordBatch, within: np.ndarray | None) -> np.ndarray:
    if within is None:
        return np.ones(rows.num_rows, bool)
    return np.isin(np.asarray(rows["asset"]), within)


def _labels(
    ledger: Ledger,
    seq: int,
    asking: _Asking,
    answers: Answers,
    people: _Codes,
) -> tuple[Labels, Words]:
    tags, within = asking.tags, asking.within
    is_opinion = _own_last(ledger, seq, within)
    codes = {n: _Codes() for n in ("class", "kind", "schema", "attributes")}
    codes |= {"annotator": people, "batch": _Codes(tags)}
    parts: list[dict[str, np.ndarray]] = []
    shapes: list[pa.Array] = []
    wanted = ("revision", "annotation", "asset", "labelled_at", "geometry", *columns.BOX, *codes)
    for rows in ledger.scan("revisions", wanted, up_to=seq, assets=within):
        mask = is_opinion[np.asarray(rows["revision"])] & is_word(rows["batch"], tags)
        rows = rows.filter(pa.array(mask & _is_within(rows, within)))
        part = {name: of.of(rows[name]) for name, of in codes.items()}
        part["image"] = asking.image(np.asarray(rows["asset"]), part["batch"])
        seat = _seat(answers, part["image"], part["annotator"], part["batch"])
        here = np.flatnonzero(seat >= 0)
        part = {name: values[here] for name, values in part.items()}
        rows = rows.take(pa.array(here))
        part |= {n: np.asarray(rows[n]) for n in ("annotation", "revision")}
        told = _weeks(_times(rows["labelled_at"], np.full(len(here), 0)))
        is_told = np.asarray(rows["labelled_at"].is_valid())
        part["week"] = np.where(is_told, told, answers.week[seat[here]])
        part["box"] = np.stack(
            [np.asarray(rows[name].fill_null(float("nan"))) for name in columns.BOX], axis=1
        )
        parts.append(part)
        shapes.append(rows["geometry"])
    words = Words(
        people.words, codes["class"].words, codes["kind"].words, tags, codes["schema"].words,
        codes["attributes"].words,
    )  # fmt: skip
    return _sorted(parts, shapes), words


def _own_last(ledger: Ledger, seq: int, within: np.ndarray | None) -> np.ndarray:
    """Tell, by revision number, which revisions are opinions."""
    annotators = _Codes()
    parts: list[tuple[np.ndarray, ...]] = []
    wanted = ("revision", "annotation", "annotator", "operation", "origin")
    for rows in ledger.scan("revisions", wanted, up_to=seq, assets=within):
        parts.append(
            (
                np.asarray(rows["revision"]),
                np.asarray(rows["annotation"]),
                annotators.of(rows["annotator"]).astype(np.int32),
                is_word(rows["operation"], [Operation.ADD]),
                is_word(rows["operation"], [Operation.RETRACT]),
                is_word(rows["origin"], _INDEPENDENT),
            )
        )
    if not parts:
        return np.zeros(0, bool)
    revision, annotation, person, is_add, is_retract, is_own_work = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    n = int(annotation.max()) + 1
    maker = np.full(n, -1, np.int32)
    maker[annotation[is_add]] = person[is_add]
    own = np.flatnonzero(maker[annotation] == person)
    last = np.full(n, -1, np.int64)
    # of repeated indices, NumPy keeps the last assignment: the newest revision
    last[annotation[own]] = own
    rows = last[last >= 0]
    found = np.zeros(int(revision[-1]) + 1, bool)
    found[revision[rows[~is_retract[rows] & is_own_work[rows]]]] = True
    return found


def _seat(
    answers: Answers | Labels, image: np.ndarray, person: np.ndarray, batch: np.ndarray
) -> np.ndarray:
    """Return where each (image, person, batch) stands among answers or labels, -1 for nowhere."""
    keys = state.composed(
        np.concatenate([answers.image, image]),
        np.concatenate([answers.annotator, person]),
        np.concatenate([answers.batch, batch]),
    )
    n = len(answers.image)
    return state.row_of(keys[:n], keys[n:])


def _sorted(parts: list[dict[str, np.ndarray]], shapes: list[pa.Array]) -> Labels:
    names = [f.name for f in fields(Labels) if f.name not in ("geometry", "class_")]
    if not parts:
        none = np.zeros(0, np.int64)
        nothing = {name: none for name in [*names, "class_"] if name != "box"}
        return Labels(
            **nothing, box=np.zeros((0, 4)), geometry=pa.nulls(0, pa.list_(pa.list_(pa.float64())))
        )
    whole = {name: np.concatenate([part[name] for part in parts]) for name in [*names, "class"]}
    labels = Labels(
        **{name: whole[name] for name in names},
        class_=whole["class"],
        geometry=pa.chunked_array(shapes).combine_chunks(),
    )
    # one order whatever the order of imports: equal overlaps are then settled alike
    return labels.take(np.lexsort((labels.annotation, labels.annotator, labels.image)))
