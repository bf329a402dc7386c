"""The stages' state machine: random histories of a review against a model, and the store agrees at every step.

The model is written from the table of ``docs/review.md``, not from the code that holds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, text

from lineage import columns
from lineage.activities import ingest
from lineage.activities.context import Project
from lineage.activities.record import recording
from lineage.errors import Refused
from lineage.identity import canonical_rows, leaf_digests
from lineage.store.append import Appender
from lineage.terms import STAGE_MOVES, ActivityKind, Stage
from tests.conftest import make_batch
from tests.exports import annotation, label_studio, region

AUTHORS = ("ann", "bea")
REVIEWERS = ("rhea", "rolf")
PEOPLE = (*AUTHORS, *REVIEWERS, "sven")
DOCUMENTED = {
    "submitted": {"in_review", "final"},
    "in_review": {"contested", "final"},
    "contested": {"final", "rejected"},
    "final": {"in_review"},
    "rejected": set(),
}
N_LABELS = 3
_LABELS = st.integers(0, N_LABELS - 1)
_STAGES = st.sampled_from([stage.value for stage in Stage])
_PEOPLE = st.sampled_from(PEOPLE)


def test_the_documented_moves_are_those_of_the_code() -> None:
    assert {one.value: {s.value for s in to} for one, to in STAGE_MOVES.items()} == DOCUMENTED


@dataclass
class World:
    """A project with three labels on record, and what it takes to write further rows."""

    project: Project
    people: dict[str, str]
    template: pa.Table
    seq: int


@pytest.fixture
def world(any_project: Project) -> World:
    return world_of(any_project)


@pytest.fixture
def small_world(project: Project) -> World:
    return world_of(project)


def world_of(project: Project) -> World:
    """Put three labels and five people on record."""
    make_batch(project, {"car": ["box"]})
    regions = [region(f"r{at}", "car", 20 * at + 1, 1, 10, 10) for at in range(N_LABELS)]
    path = label_studio(
        project.root / "one.json", [("a.png", [annotation(1, "ann@x.example", regions)])]
    )
    ingest.import_labels(project, [path], "b1")
    with recording(project, ActivityKind.REVIEW, parameters={}) as activity:
        people = {name: activity.annotator(f"{name}@x.example") for name in PEOPLE}
        seq = activity.seq
    return World(project, people, project.ledger.read("revisions", up_to=seq), seq)


@contextmanager
def discarded(project: Project) -> Iterator[Connection]:
    """Open a transaction of which nothing stays: each history begins where the last one did."""

    class _DoneWith(Exception):
        pass

    try:
        with project.store.writing() as connection:
            yield connection
            raise _DoneWith
    except _DoneWith:
        pass


@dataclass
class Known:
    """What the model knows of a label."""

    author: str
    stage: str = "submitted"
    was_drawn: bool = False
    agreed: bool = False
    disputed: bool = False
    """Somebody did since it was last drawn."""

    disputed_by: set[str] = field(default_factory=set)

    def refusal(self, stage: str, by: str) -> str | None:
        """Return why it may not go there, None where it may."""
        if stage not in DOCUMENTED[self.stage]:
            return "stage-move"
        if self.stage == "in_review" and stage == "final" and not self.agreed:
            return "stage-unchecked"
        if stage == "contested" and not self.disputed:
            return "stage-unchecked"
        if self.stage == "contested" and by in self.disputed_by:
            return "stage-own-dispute"
        return None

    def go(self, stage: str) -> None:
        """Move it."""
        self.stage = stage
        if stage == "in_review":
            self.was_drawn, self.agreed, self.disputed = True, False, False


class Review(RuleBasedStateMachine):
    """Draws, verdicts, disputes, decisions, in any order, by anybody, against a dictionary."""

    world: World
    connection: Connection
    n_histories = 0

    @initialize()
    def begin(self) -> None:
        type(self).n_histories += 1
        self.point = self.connection.begin_nested()
        self.known = [Known(AUTHORS[0]) for _ in range(N_LABELS)]
        self.revision = self.world.template["revision"].to_pylist()
        self.n_revisions = self._count("revision")
        self.n_verdicts = 0
        self.opinions: dict[int, tuple[object, ...]] = {}
        self.seq = self.world.seq

    def teardown(self) -> None:
        if hasattr(self, "point"):
            self.point.rollback()

    @rule(label=_LABELS, by=_PEOPLE)
    def draw(self, label: int, by: str) -> None:
        self._moves([(label, "in_review", by)])

    @rule(label=_LABELS, by=st.sampled_from(REVIEWERS), agrees=st.booleans())
    def judge(self, label: int, by: str, agrees: bool) -> None:
        """A blind verdict, whatever the stage: answers come late and twice; its opinion stays for ever."""
        self._next_activity()
        opinion = self._opinion(by)
        self._append(
            "verdicts",
            columns.SEGMENT_VERDICTS,
            {
                "revision": [self.revision[label]],
                "draw": "draw-1",
                "asset": 1,
                "by": self.world.people[by],
                "verdict": "agree" if agrees else "dispute",
                "kind": None if agrees else "geometry",
                "opinion": [opinion],
            },
        )
        self.n_verdicts += 1
        known = self.known[label]
        if agrees:
            known.agreed = True
        else:
            known.disputed = True
            known.disputed_by.add(by)
            if known.stage == "in_review":
                self._moves([(label, "contested", by)])

    @rule(label=_LABELS, by=_PEOPLE, stands=st.booleans())
    def adjudicate(self, label: int, by: str, stands: bool) -> None:
        self._moves([(label, "final" if stands else "rejected", by)])

    @rule(by=_PEOPLE)
    def finalize(self, by: str) -> None:
        """Accept the whole lot: all of it moves or nothing does."""
        self._moves([(label, "final", by) for label in range(N_LABELS)])

    @rule(label=_LABELS, stage=_STAGES, by=_PEOPLE)
    def jump(self, label: int, stage: str, by: str) -> None:
        """Any move at all, sensible or not."""
        self._moves([(label, stage, by)])

    @rule(label=_LABELS, path=st.lists(_STAGES, min_size=2, max_size=3), by=_PEOPLE)
    def run(self, label: int, path: list[str], by: str) -> None:
        """Several moves of one label within one activity."""
        self._moves([(label, stage, by) for stage in path])

    @invariant()
    def opinions_only_grow(self) -> None:
        if not hasattr(self, "opinions"):
            return
        assert self._count("revision") == self.n_revisions
        assert self._count("verdict") == self.n_verdicts
        for revision, row in self.opinions.items():
            assert self._row(revision) == row

    @invariant()
    def store_and_model_tell_the_same_stage(self) -> None:
        if not hasattr(self, "known"):
            return
        found = self.connection.execute(
            text(
                "SELECT r.id, COALESCE((SELECT e.stage FROM stage_event e WHERE e.revision_id = r.id "
                "ORDER BY e.id DESC LIMIT 1), r.stage) FROM revision r ORDER BY r.id"
            )
        ).all()
        assert [stage for _, stage in found[:N_LABELS]] == [known.stage for known in self.known]

    @invariant()
    def nothing_that_was_drawn_is_final_unjudged(self) -> None:
        for known in getattr(self, "known", ()):
            if known.was_drawn and known.stage == "final":
                assert known.agreed or known.disputed_by  # a dispute was settled by somebody else

    def _moves(self, moves: list[tuple[int, str, str]]) -> None:
        """Make the same moves in the store and in the model; either both take them or neither does."""
        before = [replace(known, disputed_by=set(known.disputed_by)) for known in self.known]
        refusals = set()
        for label, stage, by in moves:
            refusal = self.known[label].refusal(stage, by)
            if refusal is not None:
                refusals.add(refusal)
            self.known[label].go(stage)
        point = self.connection.begin_nested()
        self._next_activity()
        slug = None
        try:
            self._append(
                "stages",
                columns.STAGES,
                {
                    "revision": [self.revision[label] for label, _, _ in moves],
                    "stage": [stage for _, stage, _ in moves],
                    "by": [self.world.people[by] for _, _, by in moves],
                    "basis": "test",
                },
            )
        except Refused as exc:
            point.rollback()
            self.known, self.seq, slug = before, self.seq - 1, exc.slug
        else:
            point.commit()
        assert slug in refusals if refusals else slug is None

    def _opinion(self, by: str) -> int:
        self.n_revisions += 1
        new, person = self.n_revisions, self.world.people[by]
        values = self.world.template.slice(0, 1).to_pylist()[0]
        values |= {"revision": new, "annotation": new, "seq": self.seq, "annotator": person}
        rows = {name: [value] for name, value in values.items()}
        batch = columns.batch_of(columns.REVISIONS, rows, 1)
        self._enter("revisions", batch)
        self.opinions[new] = self._row(new)
        return new

    def _append(self, part: str, schema: pa.Schema, values: dict[str, object]) -> None:
        rows = next(len(v) for v in values.values() if isinstance(v, list))
        batch = columns.batch_of(schema, {**values, "seq": self.seq}, rows)
        self._enter(part, batch)

    def _enter(self, part: str, batch: pa.RecordBatch) -> None:
        leaves = leaf_digests(canonical_rows(batch, f"lineage:{part}:1"))
        Appender(self.connection).part(part, batch, leaves)

    def _next_activity(self) -> None:
        self.seq += 1
        self.connection.execute(
            text(
                "INSERT INTO activity (seq, activity, kind, agent, at, code_version, parameters) "
                "SELECT :seq, :name, kind, agent, at, code_version, parameters FROM activity WHERE seq = 1"
            ),
            {"seq": self.seq, "name": f"history-{self.seq}"},
        )

    def _count(self, table: str) -> int:
        found = self.connection.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar_one()
        return int(found)

    def _row(self, revision: int) -> tuple[object, ...]:
        query = text("SELECT * FROM revision WHERE id = :id")
        return tuple(self.connection.execute(query, {"id": revision}).one())


def run(world: World, n_histories: int, n_steps: int) -> int:
    """Run random histories, each from where the world stands."""
    with discarded(world.project) as connection:
        machine = type("Review_", (Review,), {"world": world, "connection": connection})
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            machine,
            settings=settings(
                settings.get_profile("lineage"),
                max_examples=n_histories,
                stateful_step_count=n_steps,
                # shrinking a history costs minutes, and its last steps tell enough
                phases=(Phase.generate,),
            ),
        )
    return int(machine.n_histories)


def test_store_and_model_agree_over_random_histories(world: World) -> None:
    # an embedded store takes a step in a millisecond, a server in five
    n = 10 if world.project.store.path is None else 80
    assert run(world, n, 12) >= n


def test_a_refused_move_leaves_neither_store_nor_ledger_changed(world: World) -> None:
    before = world.project.ledger.checkpoint()
    move: dict[str, object] = {
        "revision": [1],
        "stage": ["rejected"],
        "by": world.people["sven"],
        "basis": "test",
    }
    with (
        pytest.raises(Refused, match="cannot go there"),
        recording(world.project, ActivityKind.ADJUDICATE, parameters={}) as activity,
    ):
        move["seq"] = activity.seq
        activity.append("stages", columns.batch_of(columns.STAGES, move, 1))
    assert world.project.ledger.checkpoint() == before
    assert world.project.ledger.read("stages").num_rows == 0


@pytest.mark.slow
def test_store_and_model_agree_over_five_thousand_histories(small_world: World) -> None:
    assert run(small_world, 5_000, 12) >= 5_000


@pytest.mark.slow
def test_both_stores_hold_long_histories(world: World) -> None:
    assert run(world, 100, 50) >= 100
