"""The lots of a batch: what every annotator did, what was checked of it, and what the gate says.

Whoever is heard is heard in the order of the draw's permanent random numbers, and
only below the lot's smallest chance, so that all had the same one. What is still
contested is taken both ways: where the gate would say two things, it waits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pyarrow as pa

from lineage.activities import precision, select
from lineage.activities.adjudicate_open import activities
from lineage.activities.context import Project
from lineage.activities.finalize_history import Decided, decisions
from lineage.activities.finalize_missed import missed_of
from lineage.activities.review_draw import review_key
from lineage.activities.review_log import Drawn, Verdicts, drawn_of, texts_of, verdicts_of
from lineage.activities.select import Selector
from lineage.calc import lots, sampling, state
from lineage.calc.lots import DECISIONS, LotDecision, LotTest
from lineage.terms import Origin, Stage

_SETTLED_BY_OTHERS = (Origin.ADJUDICATED, Origin.CONSENSUS)
_STAGES = list(Stage)
_COLUMNS = ("annotation", "asset", "annotator", "class", "seq", "origin")


@dataclass(frozen=True, slots=True)
class Checked:
    """Labels of a batch and what reviewers found; of what was replaced, the label as it was given.

    Objects that were missed stand behind the labels (`finalize_missed`): judged, disputed, and not live.

    Parameters
    ----------
    revision, annotation, asset, seq
        ndarrays of int64, shape (n,); the revision of what was missed is 0.
    annotator, class_
        ndarrays of int64, shape (n,): codes into ``people`` and ``classes``.
    stage
        ndarray of int8, shape (n,): into `terms.Stage`.
    is_live
        ndarray of bool, shape (n,).
    chance
        ndarray of float64, shape (n,): of having been drawn; NaN for what was not.
    is_judged, is_disputed
        ndarrays of bool, shape (n,): by the first blind verdict.
    is_agreed
        ndarray of bool, shape (n,): the newest verdict agrees, and it was given after the label last
        went to review.
    people, classes
        What the codes stand for.
    """

    revision: np.ndarray
    annotation: np.ndarray
    asset: np.ndarray
    seq: np.ndarray
    annotator: np.ndarray
    class_: np.ndarray
    stage: np.ndarray
    is_live: np.ndarray
    chance: np.ndarray
    is_judged: np.ndarray
    is_disputed: np.ndarray
    is_agreed: np.ndarray
    people: list[str]
    classes: list[str]

    def take(self, rows: np.ndarray) -> Checked:
        """Return some rows."""
        plain = {
            f.name: getattr(self, f.name)[rows]
            for f in fields(self)
            if f.name not in ("people", "classes")
        }
        return replace(self, **plain)

    def is_at(self, stage: Stage) -> np.ndarray:
        """Tell which live labels stand at a stage."""
        found: np.ndarray = self.is_live & (self.stage == _STAGES.index(stage))
        return found

    @property
    def is_wrong(self) -> np.ndarray:
        """Which were disputed and rejected."""
        found: np.ndarray = self.is_disputed & (self.stage == _STAGES.index(Stage.REJECTED))
        return found

    @property
    def is_open(self) -> np.ndarray:
        """Which are disputed, and nobody has settled it yet."""
        settled = (_STAGES.index(Stage.REJECTED), _STAGES.index(Stage.FINAL))
        found: np.ndarray = self.is_disputed & ~np.isin(self.stage, settled)
        return found


@dataclass(frozen=True, slots=True)
class Lot:
    """What one annotator did in a batch, as far as nothing was decided of it.

    Parameters
    ----------
    annotator
        Pseudonym.
    rows
        ndarray of int64: into `Checked`.
    n_labels, n_missed
        Labels, and objects that were missed; what follows counts both.
    n_drawn, n_judged, n_wrong, n_open
        Drawn, judged, wrong (rejected after a dispute, or confirmed as missed), disputed and not settled.
    n_heard
        Labels that the gate heard.
    log_ratio
        Where the gate stands, what is open taken for wrong.
    decision
        Of the gate.
    n_more
        Right labels that it needs to accept, in a row; 0 where it has decided, or what is open decides.
    classes
        In which something was found wrong, or may be.
    """

    annotator: str
    rows: np.ndarray
    n_labels: int
    n_missed: int
    n_drawn: int
    n_judged: int
    n_wrong: int
    n_open: int
    n_heard: int
    log_ratio: float
    decision: LotDecision
    n_more: int
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stand:
    """Everything that is known of a batch's review at a place in the log."""

    seq: int
    drawn: Drawn
    verdicts: Verdicts
    checked: Checked
    decided: Sequence[Decided]


def stand_of(project: Project, batch: str, seq: int) -> Stand:
    """Return where a batch's review stands."""
    drawn = drawn_of(project, batch, seq)
    first_round = drawn.take(np.flatnonzero(drawn.is_blind & ~drawn.is_again))
    said = verdicts_of(project, drawn.draw.tolist(), seq)
    checked = _checked(project, batch, seq, first_round, said)
    return Stand(seq, drawn, said, checked, decisions(activities(project, seq), batch))


def cells_sent_back(stand: Stand) -> np.ndarray:
    """Tell which labels are of a class and annotator that went back whole."""
    checked = stand.checked
    found = np.zeros(len(checked.revision), bool)
    for one in stand.decided:
        if not one.is_accepted and one.annotator in checked.people:
            classes = [
                checked.classes.index(name) for name in one.classes if name in checked.classes
            ]
            own = checked.annotator == checked.people.index(one.annotator)
            # what came in later is another lot
            found |= own & np.isin(checked.class_, classes) & (checked.seq <= one.seq)
    return found


def accepted(stand: Stand) -> np.ndarray:
    """Tell which labels are of a lot that was accepted: what came in later is another lot."""
    checked = stand.checked
    last: dict[str, int] = {one.annotator: one.seq for one in stand.decided if one.is_accepted}
    until = np.array([last.get(person, 0) for person in checked.people], np.int64)
    found: np.ndarray = checked.seq <= until[checked.annotator] if len(until) else np.zeros(0, bool)
    return found


def lots_of(project: Project, batch: str, stand: Stand, test: LotTest | None = None) -> list[Lot]:
    """Return the lots of which nothing is decided yet, by pseudonym."""
    how, checked = test or LotTest(), stand.checked
    free = np.flatnonzero(~cells_sent_back(stand) & ~accepted(stand))
    key = review_key(project, batch)
    number = sampling.fractions(checked.asset, key)
    found = []
    # a few people a batch
    for code in np.unique(checked.annotator[free]).tolist():
        rows = free[checked.annotator[free] == code]
        found.append(_lot(checked, rows, number, how))
    return sorted(found, key=lambda lot: lot.annotator)


def _lot(checked: Checked, rows: np.ndarray, number: np.ndarray, test: LotTest) -> Lot:
    drawn = rows[~np.isnan(checked.chance[rows])]
    judged = drawn[checked.is_judged[drawn]]
    least = checked.chance[drawn].min(initial=1.0)
    heard = judged[number[judged] < least]
    heard = heard[np.lexsort((checked.annotation[heard], number[heard]))]
    lot, n = np.zeros(len(heard), np.int64), np.array([len(rows)])
    wrong, is_open = checked.is_wrong, checked.is_open
    worst = lots.gates(lot, (wrong | is_open)[heard], n, test=test)
    best = lots.gates(lot, wrong[heard], n, test=test)
    same = worst.decision[0] == best.decision[0]
    decision = DECISIONS[worst.decision[0]] if same else LotDecision.CONTINUE
    shown = best if decision is LotDecision.ACCEPT else worst
    bad = judged[(wrong | is_open)[judged]]
    return Lot(
        annotator=checked.people[checked.annotator[rows[0]]],
        rows=rows,
        n_labels=int((checked.revision[rows] > 0).sum()),
        n_missed=int((checked.revision[rows] == 0).sum()),
        n_drawn=len(drawn),
        n_judged=len(judged),
        n_wrong=int(wrong[judged].sum()),
        n_open=int(is_open[judged].sum()),
        n_heard=int(shown.n[0]),
        log_ratio=round(float(shown.log_ratio[0]), 4),
        decision=decision,
        # what is open decides first
        n_more=_n_more(test, float(shown.log_ratio[0]), len(rows) - int(shown.n[0]), decision)
        if same
        else 0,
        classes=tuple(sorted({checked.classes[code] for code in checked.class_[bad].tolist()})),
    )


def _n_more(test: LotTest, ratio: float, n_left: int, decision: LotDecision) -> int:
    if decision is not LotDecision.CONTINUE:
        return 0
    step = math.log((1 - test.good) / (1 - test.bad))
    return min(max(math.ceil((ratio - test.bounds[0]) / step), 1), max(n_left, 0))


def _checked(project: Project, batch: str, seq: int, drawn: Drawn, said: Verdicts) -> Checked:
    live = select.live_state(project.ledger, seq)
    wanted = ("revision", *_COLUMNS)
    table = select.table(project.ledger, Selector(batches=(batch,)), wanted, up_to=seq, live=live)
    own = ~select.is_word(table["origin"].combine_chunks(), _SETTLED_BY_OTHERS)
    table = table.filter(own)
    is_ours = np.isin(said.draw.astype(str), np.unique(drawn.draw.astype(str)))
    blind = np.flatnonzero(is_ours & (said.revision > 0))
    known = np.asarray(table["revision"])
    gone = np.setdiff1d(said.revision[blind], known)
    others = precision.of_ledger(project.ledger, gone, _COLUMNS)
    missed = missed_of(project, batch, seq, drawn, said)
    revision = np.concatenate([known, gone])
    n_missed = len(missed.opinion)
    none = np.zeros(n_missed, bool)
    columns = {
        name: np.concatenate(
            [*(np.asarray(part[name]) for part in (table, others)), getattr(missed, name)]
        )
        for name in ("annotation", "asset", "seq")
    }
    people, annotator = _codes([table["annotator"], others["annotator"]], missed.annotator)
    classes, class_ = _codes([table["class"], others["class"]], missed.class_)
    first = state.row_of(said.revision[blind][::-1], revision)
    disputed = np.append(said.is_dispute[blind][::-1], False)
    chance = np.append(drawn.fraction, np.nan)[state.row_of(drawn.revision, revision)]
    return Checked(
        revision=np.append(revision, np.zeros(n_missed, np.int64)),
        **columns,
        annotator=annotator,
        class_=class_,
        stage=np.append(live.stage[revision - 1], missed.stage),
        is_live=np.append(live.is_live[revision - 1], none),
        chance=np.append(chance, missed.chance),
        is_judged=np.append(first >= 0, ~none),
        is_disputed=np.append(disputed[first], ~none),
        is_agreed=np.append(_agreed(project, said, revision, seq), none),
        people=people,
        classes=classes,
    )


def _codes(columns: Sequence[pa.ChunkedArray], more: np.ndarray) -> tuple[list[str], np.ndarray]:
    texts = np.concatenate([*(texts_of(column.combine_chunks()) for column in columns), more])
    words, code = np.unique(texts.astype(str), return_inverse=True)
    return words.tolist(), code.astype(np.int64)


def _agreed(project: Project, said: Verdicts, revision: np.ndarray, seq: int) -> np.ndarray:
    events = project.ledger.read("stages", ("revision", "seq"), up_to=seq)
    event_revision, event_seq = (np.asarray(events[name]) for name in ("revision", "seq"))
    moved = np.append(event_seq, 0)[state.row_of(event_revision, revision)]
    at = state.row_of(said.revision, revision)
    agrees = np.append(~said.is_dispute, False)[at]
    found: np.ndarray = agrees & (np.append(said.seq, -1)[at] > moved)
    return found


def counts_of(checked: Checked) -> Mapping[str, int]:
    """Return how many live labels stand at each stage."""
    return {stage.value: int(checked.is_at(stage).sum()) for stage in Stage}
