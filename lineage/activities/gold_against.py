"""People against gold: every gold label beside what was made of it, one row a judgement.

`against_gold` is what scores and charts stand on. Gold and opinions are set side
by side answer by answer, with the same units as agreement; who made a gold label
is not held against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import collect, gold, gold_answers, gold_rules, position, schemas
from lineage.activities.context import Project
from lineage.activities.gather import Threshold
from lineage.activities.gold_answers import GoldAnswers
from lineage.activities.gold_judge import GOLD, OWN, Judged, judge
from lineage.activities.opinions import Labels, Opinions, Words
from lineage.activities.select import is_word
from lineage.activities.trace import Choice
from lineage.calc import state
from lineage.calc.geometry import pairs_within
from lineage.labelschema import LabelSchema
from lineage.store import read

_BLOCK_PAIRS = 50_000


@dataclass(frozen=True, slots=True)
class GoldComparisons:
    """Judgements, sorted by annotator, then time, then asset.

    A row is a gold label and one annotator who answered for its image, or the place beside the gold
    labels of a whole gold answer: there ``said`` is `nothing`, and ``own`` what was drawn that is not
    there, or `nothing` too. A judgement is wrong where ``said != own``: of a label that is missed or
    misplaced ``own`` is `nothing`. Rows with ``is_trial`` false are second and further things beside
    the same whole answer, which is one judgement; leave them out where judgements are counted.

    Parameters
    ----------
    annotator, batch
        ndarrays of int64, shape (n,): codes into ``words``; who is judged, and where they answered.
    week, at_us
        ndarrays of int64, shape (n,): of the answer, as `opinions.Labels.week`, and microseconds since
        1970; of an answer of unknown time when it was recorded.
    said, own
        ndarrays of int64, shape (n,): class codes of gold and of the annotator; `nothing` is
        ``len(words.classes)``.
    outcome
        ndarray of int64, shape (n,): `Judged`.
    is_trial
        ndarray of bool, shape (n,).
    gold, annotation
        ndarrays of int64, shape (n,): annotations behind ``said`` and ``own``, 0 for none.
    revision
        ndarray of int64, shape (n,): gold's, 0 for none.
    asset
        ndarray of int64, shape (n,).
    edge_case
        ndarray of int64, shape (n,): code into ``edge_cases``, -1 for an ordinary case.
    words, edge_cases
        What codes stand for.
    seq
        Place in the log as of which they hold.
    """

    annotator: np.ndarray
    batch: np.ndarray
    week: np.ndarray
    at_us: np.ndarray
    said: np.ndarray
    own: np.ndarray
    outcome: np.ndarray
    is_trial: np.ndarray
    gold: np.ndarray
    annotation: np.ndarray
    revision: np.ndarray
    asset: np.ndarray
    edge_case: np.ndarray
    words: Words
    edge_cases: Sequence[str]
    seq: int

    @property
    def nothing(self) -> int:
        """The code of "nothing" in ``said`` and ``own``."""
        return len(self.words.classes)

    def __len__(self) -> int:
        return len(self.annotator)

    def take(self, rows: np.ndarray) -> GoldComparisons:
        """Return some rows."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _COLUMNS})


_COLUMNS = tuple(f.name for f in fields(GoldComparisons))[:13]


def against_gold(
    project: Project, choice: Choice | None = None, *, threshold: Threshold | None = None
) -> GoldComparisons:
    """Hold everybody's opinions against the gold that stands.

    Parameters
    ----------
    project
        An open project.
    choice
        Batches, schemas, images and times of the answers, and the place in the log; its classes,
        annotators and stages are left to whoever counts.
    threshold
        When a label is of a gold object.

    Notes
    -----
    Gold holds for answers within its scope (a batch's task and the name of its schema) under the
    versions that `gold_rules.holds` tells; a class that the version of an answer does not know is
    not asked for.
    """
    asked = choice or Choice()
    seq = position.resolve(project, asked.as_of)
    told = gold.standing(project.ledger, seq)
    families = [
        gold_answers.answers_of(project, family, seq) for family in gold_answers.families_of(told)
    ]
    assets = np.unique(np.concatenate([np.zeros(0, np.int64), *(g.asset for g in families)]))
    opinions = collect.load(project, asked, assets=assets, least_people=1)
    side = _side(project, opinions, families)
    parts = [part for given in families for part in side.judged(given, threshold or Threshold())]
    found = {
        name: np.concatenate([part[name] for part in parts] or [np.zeros(0, np.int64)])
        for name in _COLUMNS
    }
    found["is_trial"] = found["is_trial"].astype(bool)
    order = np.lexsort((found["gold"], found["asset"], found["at_us"], found["annotator"]))
    return GoldComparisons(
        **{name: column[order] for name, column in found.items()},
        words=side.words,
        edge_cases=side.edge_cases,
        seq=seq,
    )


@dataclass(frozen=True, slots=True)
class _Side:
    """Opinions on images with gold, and what it takes to hold gold against them."""

    opinions: Opinions
    words: Words
    edge_cases: Sequence[str]
    tasks: dict[str, str]
    scopes: Sequence[str]
    versions: dict[str, LabelSchema]
    schema_of: Sequence[str]
    of: np.ndarray
    at_us: np.ndarray

    def judged(self, given: GoldAnswers, threshold: Threshold) -> Iterator[dict[str, np.ndarray]]:
        """Yield the judgements on one family's gold."""
        a, b = self._asked(given)
        for start in range(0, len(a), _BLOCK_PAIRS):
            block = slice(start, start + _BLOCK_PAIRS)
            yield _judged(self, given, a[block], b[block], threshold)

    def _asked(self, given: GoldAnswers) -> tuple[np.ndarray, np.ndarray]:
        """Return the pairs of a gold answer and another person's answer to the same question."""
        answers = self.opinions.answers
        told = [f"{self.tasks[tag]}\x00{given.schema_name}" for tag in given.batches]
        scope = np.array([_place(self.scopes, text) for text in told], np.int64)[given.batch]
        image = given.asset * self.opinions.n_scopes + scope
        rows = np.flatnonzero(scope >= 0)
        rows = rows[np.argsort(image[rows], kind="stable")]
        a, b = pairs_within(image[rows], answers.image)
        a = rows[a]
        maker = np.array([_place(self.words.annotators, name) for name in given.makers], np.int64)
        holds = np.array(
            [
                [gold_rules.holds(self.versions[ref], self.versions[own]) for own in self.schema_of]
                for ref in given.schemas
            ],
            bool,
        ).reshape(len(given.schemas), len(self.schema_of))
        keep = (maker[given.maker[a]] != answers.annotator[b]) & (
            holds[given.schema[a], answers.batch[b]]
        )
        return a[keep], b[keep]

    def knows(self, refs: Sequence[str]) -> np.ndarray:
        """Tell, by class and schema version, whether the version knows the class."""
        names = self.words.classes
        told = [[name in self.versions[ref].classes for ref in refs] for name in names]
        return np.array(told, bool).reshape(len(names), len(refs))


def _side(project: Project, opinions: Opinions, families: Sequence[GoldAnswers]) -> _Side:
    with project.store.reading() as connection:
        batches = {row.tag: row for row in read.batches(connection)}
        at = {entry.seq: entry.at for entry in read.activities(connection)}
    words, tags = opinions.words, opinions.words.batches
    classes = [name for given in families for name in given.label["class"].to_pylist()]
    kinds = [name for given in families for name in given.label["kind"].to_pylist()]
    cases = [name for given in families for name in given.label["edge_case"].to_pylist() if name]
    schema_of = [batches[tag].schema for tag in tags]
    refs = {*schema_of, *(ref for given in families for ref in given.schemas)}
    labels, answers = opinions.labels, opinions.answers
    keys = state.composed(
        np.concatenate([answers.image, labels.image]),
        np.concatenate([answers.annotator, labels.annotator]),
    )
    n = len(answers.image)
    micros = np.array(
        [int(at[s].timestamp() * 1e6) if s in at else 0 for s in range(opinions.seq + 1)]
    )
    return _Side(
        opinions=opinions,
        words=replace(
            words,
            classes=list(dict.fromkeys([*words.classes, *classes])),
            kinds=list(dict.fromkeys([*words.kinds, *kinds])),
        ),
        edge_cases=list(dict.fromkeys(cases)),
        tasks={tag: row.task for tag, row in batches.items()},
        # as `collect.load` numbers them
        scopes=sorted({f"{batches[t].task}\x00{batches[t].schema.split('@')[0]}" for t in tags}),
        versions={ref: schemas.as_schema(schemas.get(project, ref)) for ref in refs},
        schema_of=schema_of,
        of=state.row_of(keys[:n], keys[n:]),
        at_us=_times(project, opinions, micros),
    )


def _times(project: Project, opinions: Opinions, recorded_us: np.ndarray) -> np.ndarray:
    """Return when each answer was given, of an unknown time when it was recorded."""
    answers, words = opinions.answers, opinions.words
    asset = opinions.asset_of(answers.image)
    wanted = ("seq", "asset", "annotator", "batch", "answered_at")
    found: list[tuple[np.ndarray, ...]] = []
    for rows in project.ledger.scan("roster", wanted, up_to=opinions.seq, assets=np.unique(asset)):
        ours = rows.filter(
            pa.array(
                is_word(rows["batch"], words.batches) & np.isin(np.asarray(rows["asset"]), asset)
            )
        )
        moment = ours["answered_at"].cast(pa.int64())
        found.append(
            (
                np.asarray(ours["asset"]),
                gold_answers.codes_in(ours["annotator"], words.annotators),
                gold_answers.codes_in(ours["batch"], words.batches),
                np.where(
                    np.asarray(moment.is_null()),
                    recorded_us[np.asarray(ours["seq"])],
                    np.asarray(moment.fill_null(0)),
                ),
            )
        )
    if not found:
        return np.zeros(len(asset), np.int64)
    columns_ = [np.concatenate(part) for part in zip(*found, strict=True)]
    mine = (asset, answers.annotator, answers.batch)
    keys = state.composed(
        *(np.concatenate([known, own]) for known, own in zip(columns_[:3], mine, strict=True))
    )
    n = len(columns_[0])
    # the last row of a key is the newest
    times: np.ndarray = columns_[3][state.row_of(keys[:n], keys[n:])]
    return times


def _place(words: Sequence[str], word: str) -> int:
    return words.index(word) if word in words else -1


def _judged(
    side: _Side, given: GoldAnswers, a: np.ndarray, b: np.ndarray, threshold: Threshold
) -> dict[str, np.ndarray]:
    """Judge pairs of a gold answer and a person's answer; return columns of `GoldComparisons`."""
    opinions, answers, words = side.opinions, side.opinions.answers, side.words
    pair, row = _rows_of(a, given.of)
    class_ = gold_answers.codes_in(_words(given.label["class"]), words.classes)[row]
    # what a version of the schema does not know was not asked for
    is_asked = side.knows(side.schema_of)[class_, answers.batch[b[pair]]]
    is_whole = given.is_whole[a]
    is_whole[pair[~is_asked]] = False
    pair, row = pair[is_asked], row[is_asked]
    gold = _gold_labels(given, row, words, pair)
    own_pair, own_row = _rows_of(b, side.of)
    own = replace(
        opinions.labels.take(own_row), image=own_pair, annotator=np.full(len(own_row), OWN)
    )
    # nor can gold be silent about a class that came later
    is_known = side.knows(given.schemas)[own.class_, given.schema[a[own_pair]]]
    is_whole[own_pair[~is_known]] = False
    order = np.lexsort(
        tuple(np.concatenate([getattr(x, n) for x in (gold, own)])
              for n in ("annotation", "annotator", "image"))
    )  # fmt: skip
    labels = _joined(gold, own).take(order)
    case = gold_answers.codes_in(_words(given.label["edge_case"]), side.edge_cases)[row]
    case = np.concatenate([case, np.full(len(own_row), -1)])[order]
    found = judge(labels, is_whole, replace(words, annotators=["gold", "own"]), threshold)
    nothing, answer = len(words.classes), b[found.pair]
    is_own = ~np.isin(found.outcome, (Judged.MISSED, Judged.MISPLACED))
    return {
        "annotator": answers.annotator[answer],
        "batch": answers.batch[answer],
        "week": answers.week[answer],
        "at_us": side.at_us[answer],
        "said": np.append(labels.class_, nothing)[found.gold],
        "own": np.where(is_own, np.append(labels.class_, nothing)[found.own], nothing),
        "outcome": found.outcome,
        "is_trial": found.is_trial,
        "gold": np.append(labels.annotation, 0)[found.gold],
        "annotation": np.append(labels.annotation, 0)[found.own],
        "revision": np.append(labels.revision, 0)[found.gold],
        "asset": opinions.asset_of(answers.image[answer]),
        "edge_case": np.append(case, -1)[found.gold],
    }


def _rows_of(answer: np.ndarray, of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels of every pair's answer: pair and row; ``of`` is ascending."""
    order = np.argsort(answer, kind="stable")
    at, row = pairs_within(answer[order], of)
    return order[at], row


def _words(column: pa.ChunkedArray) -> pa.DictionaryArray:
    return column.combine_chunks().cast(columns.WORD)


def _gold_labels(given: GoldAnswers, row: np.ndarray, words: Words, pair: np.ndarray) -> Labels:
    label = given.label
    zero = np.zeros(len(row), np.int64)
    return Labels(
        image=pair,
        annotator=zero + GOLD,
        class_=gold_answers.codes_in(_words(label["class"]), words.classes)[row],
        kind=gold_answers.codes_in(_words(label["kind"]), words.kinds)[row],
        batch=zero,
        schema=zero,
        attributes=zero,
        annotation=np.asarray(label["annotation"])[row],
        revision=np.asarray(label["revision"])[row],
        week=zero,
        box=np.stack([label[n].to_numpy()[row] for n in columns.BOX], axis=1),
        geometry=label["geometry"].combine_chunks().take(pa.array(row)),
    )


def _joined(one: Labels, other: Labels) -> Labels:
    """Return the rows of both."""
    plain = {
        f.name: np.concatenate([getattr(one, f.name), getattr(other, f.name)])
        for f in fields(Labels)
        if f.name != "geometry"
    }
    return Labels(**plain, geometry=pa.concat_arrays([one.geometry, other.geometry]))
