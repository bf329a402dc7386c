"""What reviewers have answered and is not judged yet; and the judgement of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from lineage.activities import coverage, draws
from lineage.activities.context import Project
from lineage.activities.review_comments import Comments, remark
from lineage.activities.review_held import held_of
from lineage.activities.review_judge import WANTED, Found, Rule, Side, held_against
from lineage.activities.review_log import Drawn, Verdicts, answers_tag, codes, texts_of
from lineage.activities.select import LiveState, is_word, live_state
from lineage.calc import state
from lineage.calc.geometry import pairs_within
from lineage.segments import TABLES
from lineage.terms import DrawReason, Presence, Stage

Row = Mapping[str, object]
_ANSWERED = (Presence.LABELLED.value, Presence.EMPTY.value)
_SETTLED = (Stage.FINAL, Stage.REJECTED)


@dataclass(frozen=True, slots=True)
class Jobs:
    """What was drawn of a batch, and how far it is.

    Parameters
    ----------
    drawn
        The rows.
    is_answered, is_judged
        ndarrays of bool, shape (n,): the reviewer answered for the image, and the answer is whole; there
        is a verdict.
    answers
        Images and people of the answers: ndarray of int64 and of str.
    missed
        Revisions of reviewers that stand as missed objects already.
    n_held
        Images whose answer is not whole (`review_held`).
    n_changed
        Revisions of reviewers on which a verdict rests and which they have changed since.
    """

    drawn: Drawn
    is_answered: np.ndarray
    is_judged: np.ndarray
    answers: tuple[np.ndarray, np.ndarray]
    missed: np.ndarray
    n_held: int
    n_changed: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict that is new: on a label, on an object that nobody drew, or on an empty image.

    Parameters
    ----------
    revision, opinion
        0 for none.
    kind
        `terms.DisputeKind`; empty where the reviewer agrees.
    is_contested
        The label is in review, and contested from now on.
    is_late, is_superseded
        It was settled, or corrected, before the verdict came.
    """

    revision: int
    opinion: int
    asset: int
    draw: str
    reviewer: str
    kind: str
    comment: str | None
    is_contested: bool = False
    is_late: bool = False
    is_superseded: bool = False


def jobs_of(project: Project, batch: str, drawn: Drawn, before: Verdicts, seq: int) -> Jobs:
    """Return how far everything is that was drawn of a batch."""
    rows = coverage.roster(project.ledger, [answers_tag(batch)], seq)
    is_answer = np.isin(texts_of(coverage.one(rows["presence"])).astype(str), _ANSWERED)
    asset = np.asarray(rows["asset"])[is_answer]
    person = texts_of(coverage.one(rows["annotator"]))[is_answer]
    held = held_of(project, batch, seq)
    is_answered = _is_among((drawn.asset, drawn.reviewer), (asset, person))
    is_held = is_answered & np.isin(drawn.asset, held)
    label_or_image = (np.where(drawn.revision > 0, drawn.revision, -drawn.asset), drawn.draw)
    told = (np.where(before.revision > 0, before.revision, -before.asset), before.draw)
    is_judged = _is_among((*label_or_image, drawn.reviewer), (*told, before.reviewer))
    live = live_state(project.ledger, seq)
    opinions = np.unique(before.opinion[before.opinion > 0])
    n_changed = int((~live.is_live[opinions - 1]).sum()) if len(opinions) else 0
    missed = before.opinion[(before.revision == 0) & before.is_dispute]
    n_held = len(np.unique(drawn.asset[is_held & ~is_judged]))
    is_answered &= ~is_held
    return Jobs(drawn, is_answered, is_judged, (asset, person), missed, n_held, n_changed)


def strangers_of(project: Project, batch: str, jobs: Jobs, seq: int) -> list[Row]:
    """Return who answered for images that they were not asked about."""
    asked = draws.drawn(project.ledger, (DrawReason.REVIEW,), seq)
    asked = asked.filter(pa.array(is_word(coverage.one(asked["batch"]), [answers_tag(batch)])))
    everybody = texts_of(coverage.one(asked["annotator"]))
    asset, person = jobs.answers
    is_asked = _is_among((asset, person), (np.asarray(asked["asset"]), everybody))
    names, n = np.unique(person[~is_asked].astype(str), return_counts=True)
    known = set(everybody.tolist())
    return [
        {"annotator": name, "n_images": count, "is_asked": name in known}
        for name, count in zip(names.tolist(), n.tolist(), strict=True)
    ]


def judged(
    project: Project, batch: str, jobs: Jobs, comments: Comments, rule: Rule, seq: int
) -> list[Judgement]:
    """Judge what is answered and not judged yet."""
    drawn = jobs.drawn.take(np.flatnonzero(jobs.is_answered & ~jobs.is_judged))
    if len(drawn) == 0:
        return []
    assets = np.unique(drawn.asset)
    live = live_state(project.ledger, seq)
    theirs = _theirs(project, batch, drawn, assets, live, seq)
    own = _rows(project, answers_tag(batch), assets, seq)
    missed = np.asarray(own["annotation"])[np.isin(np.asarray(own["revision"]), jobs.missed)]
    own = own.filter(pa.array(live.is_live[np.asarray(own["revision"]) - 1]))
    jobs_, job, sides = _paired(drawn, theirs, own)
    found = held_against(*sides, len(job), rule)
    return _Judging(drawn, theirs, own, live, comments, missed, jobs_).all(found, job)


def _theirs(
    project: Project, batch: str, drawn: Drawn, assets: np.ndarray, live: LiveState, seq: int
) -> pa.Table:
    """Return the labels that were drawn, as they were, and whatever else stands on the images now."""
    rows = _rows(project, batch, assets, seq)
    revision, annotation = np.asarray(rows["revision"]), np.asarray(rows["annotation"])
    is_drawn = np.isin(revision, drawn.revision)
    is_other = live.is_live[revision - 1] & ~np.isin(annotation, annotation[is_drawn])
    return rows.filter(pa.array(is_drawn | is_other))


def _rows(project: Project, batch: str, assets: np.ndarray, seq: int) -> pa.Table:
    wanted = (*WANTED, "batch")
    parts = []
    for rows in project.ledger.scan("revisions", wanted, up_to=seq, assets=assets):
        here = is_word(rows["batch"], [batch]) & np.isin(np.asarray(rows["asset"]), assets)
        parts.append(rows.filter(pa.array(here)))
    schema = pa.schema([TABLES["revisions"].field(name) for name in wanted])
    return pa.Table.from_batches(parts, schema).unify_dictionaries().combine_chunks()


def _paired(
    drawn: Drawn, theirs: pa.Table, own: pa.Table
) -> tuple[list[tuple[int, str]], np.ndarray, tuple[Side, Side]]:
    """Set every annotator on an image beside every reviewer who answered for it.

    Returns
    -------
    tuple
        The jobs (image and reviewer), that of each pair, and either side's labels with their pairs.
    """
    n = len(drawn)
    reviewer = texts_of(coverage.one(own["annotator"]))
    key = state.composed(
        np.concatenate([drawn.asset, np.asarray(own["asset"])]),
        codes(np.concatenate([drawn.reviewer, reviewer])),
    )
    jobs, first = np.unique(key[:n], return_index=True)
    asset = drawn.asset[first]
    job_of_own = np.where(np.isin(key[n:], jobs), np.searchsorted(jobs, key[n:]), -1)
    # who drew on each image; nobody, where it is empty
    their_asset = np.asarray(theirs["asset"])
    maker = codes(texts_of(coverage.one(theirs["annotator"])))
    bare = np.setdiff1d(asset, their_asset)
    seats = np.unique(
        np.stack([np.concatenate([their_asset, bare]), np.append(maker, np.full(len(bare), -1))]),
        axis=1,
    )
    order = np.argsort(asset, kind="stable")
    a, b = pairs_within(asset[order], seats[0])
    job, seat = order[a], b
    rank = np.lexsort((seat, job))
    job, seat = job[rank], seat[rank]
    at = np.arange(len(job))
    keys = state.composed(
        np.concatenate([seats[0], their_asset]), np.concatenate([seats[1], maker])
    )
    seat_of_label = state.row_of(keys[: seats.shape[1]], keys[seats.shape[1] :])
    told = [(int(drawn.asset[row]), str(drawn.reviewer[row])) for row in first.tolist()]
    return (
        told,
        job,
        (
            _side(theirs, seat, at, seat_of_label, np.arange(len(their_asset))),
            _side(own, job, at, job_of_own[job_of_own >= 0], np.flatnonzero(job_of_own >= 0)),
        ),
    )


def _side(
    rows: pa.Table, group: np.ndarray, pair: np.ndarray, of_label: np.ndarray, label: np.ndarray
) -> Side:
    """Put each label into every pair of its group."""
    by_group, by_label = np.argsort(group, kind="stable"), np.argsort(of_label, kind="stable")
    a, b = pairs_within(group[by_group], of_label[by_label])
    return Side(rows, pair[by_group[a]], label[by_label[b]])


@dataclass(frozen=True, slots=True)
class _Judging:
    """What turns what was found into judgements."""

    drawn: Drawn
    theirs: pa.Table
    own: pa.Table
    live: LiveState
    comments: Comments
    missed: np.ndarray
    jobs: list[tuple[int, str]]

    def all(self, found: Found, job: np.ndarray) -> list[Judgement]:
        """Return the judgements, in order of image and label."""
        of_label = self._of_labels(found, job)
        beside = self._beside(found, job)
        answered = {(one.asset, one.reviewer) for one in beside}
        empty = [
            Judgement(0, 0, int(self.drawn.asset[at]), str(self.drawn.draw[at]),
                      str(self.drawn.reviewer[at]), "", self.comments.of(int(self.drawn.asset[at]), ()))
            for at in np.flatnonzero(self.drawn.revision == 0).tolist()
            if (int(self.drawn.asset[at]), str(self.drawn.reviewer[at])) not in answered
        ]  # fmt: skip
        every = [*of_label, *beside, *empty]
        return sorted(every, key=lambda one: (one.asset, one.revision, one.opinion, one.reviewer))

    def _of_labels(self, found: Found, job: np.ndarray) -> list[Judgement]:
        jobs = self.jobs
        said = {
            (int(found.revision[at]), jobs[job[found.pair[at]]][1]): at
            for at in np.flatnonzero(found.revision > 0).tolist()
        }
        class_of = _told(self.theirs, "class") | _told(self.own, "class")
        extra_of = _told(self.own, "extra")
        judgements = []
        for at in np.flatnonzero(self.drawn.revision > 0).tolist():
            revision, reviewer = int(self.drawn.revision[at]), str(self.drawn.reviewer[at])
            row = said[revision, reviewer]
            opinion, kind = int(found.opinion[row]), str(found.kind[row])
            stage = Stage(self.live.stages[self.live.stage[revision - 1]])
            is_live = bool(self.live.is_live[revision - 1])
            classes = tuple(str(class_of[one]) for one in (revision, opinion) if one)
            asset = int(self.drawn.asset[at])
            judgements.append(
                Judgement(
                    revision, opinion, asset, str(self.drawn.draw[at]), reviewer, kind,
                    _both(remark(_text(extra_of.get(opinion))), self.comments.of(asset, classes)),
                    is_contested=bool(kind) and is_live and stage is Stage.IN_REVIEW,
                    is_late=stage in _SETTLED,
                    is_superseded=not is_live,
                )
            )  # fmt: skip
        # two reviewers may dispute one label in one go: it is contested once
        seen: set[int] = set()
        for at, one in enumerate(judgements):
            if one.is_contested and one.revision in seen:
                judgements[at] = replace(one, is_contested=False)
            seen |= {one.revision} if one.is_contested else set()
        return judgements

    def _beside(self, found: Found, job: np.ndarray) -> list[Judgement]:
        """Return what reviewers drew and none of the annotators did."""
        jobs = self.jobs
        n_pairs = np.bincount(job, minlength=len(jobs))
        alone = np.flatnonzero(found.revision == 0)
        key = np.stack([job[found.pair[alone]], found.opinion[alone]])
        told, n = np.unique(key, axis=1, return_counts=True)
        annotation_of, class_of = _told(self.own, "annotation"), _told(self.own, "class")
        extra_of = _told(self.own, "extra")
        draw_of = {
            (int(asset), str(reviewer)): str(draw)
            for asset, reviewer, draw in zip(
                self.drawn.asset, self.drawn.reviewer, self.drawn.draw, strict=True
            )
        }
        known = set(self.missed.tolist())
        found_: list[Judgement] = []
        for (at, opinion), count in zip(told.T.tolist(), n.tolist(), strict=True):
            if count < n_pairs[at] or annotation_of[opinion] in known:
                continue
            asset, reviewer = jobs[at]
            comment = _both(
                remark(_text(extra_of[opinion])),
                self.comments.of(asset, (str(class_of[opinion]),)),
            )
            found_.append(
                Judgement(0, opinion, asset, draw_of[asset, reviewer], reviewer, "missed", comment)
            )
        return found_


def _told(rows: pa.Table, name: str) -> dict[int, object]:
    return dict(zip(rows["revision"].to_pylist(), rows[name].to_pylist(), strict=True))


def _both(one: str | None, other: str | None) -> str | None:
    return "; ".join(part for part in (one, other) if part) or None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _is_among(asked: Sequence[np.ndarray], known: Sequence[np.ndarray]) -> np.ndarray:
    """Tell which rows of some columns are among others."""
    n = len(asked[0])
    columns_ = [np.concatenate([a, k]) for a, k in zip(asked, known, strict=True)]
    keys = state.composed(*(codes(c) if c.dtype == object else c for c in columns_))
    return np.isin(keys[:n], keys[n:])
