"""What is decided of objects does not hang on codes, order or chance; reasons and next steps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage import columns
from lineage.activities.consensus_rules import (
    Limits,
    NextStep,
    Reason,
    decided,
    next_step,
    words_of_reason,
)
from lineage.activities.consensus_units import Gathered, collected
from lineage.activities.gather import Threshold
from lineage.activities.opinions import Answers, Labels, Opinions, Words
from lineage.labelschema import LabelSchema
from lineage.progress import silent
from lineage.terms import Kind

NAMES = ["car", "dog", "van"]


class Opinion(NamedTuple):
    """What somebody drew: class and place, an attribute."""

    image: int
    person: int
    name: int
    shift: int
    tint: int


def opinions(
    said: list[Opinion], people: list[int], codes: list[int], tints: list[int]
) -> Opinions:
    """Return opinions in which people, classes and attributes have the given codes."""
    rows = sorted(said, key=lambda one: (one.image, people[one.person], one.shift))
    n = len(rows)
    zero = np.zeros(n, np.int64)
    asked = sorted({(one.image, people[who]) for one in said for who in range(len(people))})
    box = np.array(
        [(10 * one.shift, 5 * one.tint, 10 * one.shift + 60, 5 * one.tint + 60) for one in rows],
        float,
    ).reshape(-1, 4)
    labels = Labels(
        image=np.array([one.image for one in rows], np.int64),
        annotator=np.array([people[one.person] for one in rows], np.int64),
        class_=np.array([codes[one.name] for one in rows], np.int64),
        kind=zero, batch=zero, schema=zero, week=zero,
        attributes=np.array([tints[one.tint] for one in rows], np.int64),
        # numbers that tell an opinion whatever the order
        annotation=np.array([said.index(one) for one in rows], np.int64),
        revision=np.array([said.index(one) for one in rows], np.int64),
        box=box, geometry=pa.nulls(n, columns.GEOMETRY),
    )  # fmt: skip
    image, who = np.array(asked, np.int64).reshape(-1, 2).T
    none = np.zeros(len(image), np.int64)
    answers = Answers(image, who, none, none, ~np.isin(image, labels.image))
    words = Words(
        [f"p{at}" for at in np.argsort(people)],
        [NAMES[at] for at in np.argsort(codes)],
        [Kind.BOX.value],
        ["b1"],
        ["things@1.0"],
        [f'{{"tint":{at}}}' for at in np.argsort(tints)],
    )
    return Opinions(labels, answers, words, 1, 1)


SCHEMA = LabelSchema(
    "things",
    "1.0",
    {"classes": {name: {"kinds": ["box"], "attributes": {"type": "object"}} for name in NAMES}},
    "",
)


def settled(found: Opinions) -> tuple[Gathered, list[tuple[object, ...]]]:
    """Return what was gathered, and of every object what does not depend on codes."""
    gathered = collected(found, Threshold(0.4), silent)
    objects, words, n = gathered.objects, found.words, len(gathered.objects.image)
    nothing = np.zeros(0, np.int64)
    standing = (np.zeros(n, np.int64), [SCHEMA])
    made = decided(gathered, words, (nothing, nothing), standing, Limits())
    told: list[tuple[object, ...]] = [
        (
            int(objects.image[at]),
            tuple(objects.box[at].tolist()),
            words.classes[made.class_[at]],
            words.attributes[made.attributes[at]] if made.attributes[at] >= 0 else None,
            None if np.isnan(made.posterior[at]) else round(float(made.posterior[at]), 6),
            int(made.reason[at]),
        )
        for at in range(n)
    ]
    return gathered, sorted(told, key=repr)


SAID = st.lists(
    st.builds(
        Opinion,
        image=st.integers(0, 3),
        person=st.integers(0, 3),
        name=st.integers(0, 2),
        shift=st.sampled_from([0, 40]),
        tint=st.integers(0, 1),
    ),
    min_size=1,
    max_size=14,
    # one label of a person at a place, so that who belongs to whom hangs on no tie
    unique_by=lambda one: (one.image, one.person, one.shift),
)


@given(
    said=SAID,
    people=st.permutations(range(4)),
    codes=st.permutations(range(3)),
    tints=st.permutations(range(2)),
)
def test_the_order_in_which_people_and_names_were_met_decides_nothing(
    said: list[Opinion], people: list[int], codes: list[int], tints: list[int]
) -> None:
    _, plain = settled(opinions(said, [0, 1, 2, 3], [0, 1, 2], [0, 1]))
    _, other = settled(opinions(said, people, codes, tints))
    assert plain == other


def test_blocks_of_images_come_to_the_same_as_all_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = [Opinion(i, p, (i * p) % 3, 40 * (i % 2), p % 2) for i in range(6) for p in range(3)]
    found = opinions(said, [0, 1, 2, 3], [0, 1, 2], [0, 1])
    whole, told = settled(found)
    original = Opinions.blocks
    monkeypatch.setattr(Opinions, "blocks", lambda own: original(own, 2))
    parts, again = settled(found)
    assert told == again
    assert (whole.votes.unit == parts.votes.unit).all()
    assert whole.disputes is not None
    assert parts.disputes is not None
    at_once, in_parts = (
        [(one.pair, one.n, one.verdict) for one in own.judged()]
        for own in (whole.disputes, parts.disputes)
    )
    assert at_once == in_parts


def test_the_attributes_of_most_who_gave_the_class_are_taken() -> None:
    said = [Opinion(0, 0, 0, 0, 1), Opinion(0, 1, 0, 0, 1), Opinion(0, 2, 0, 0, 0)]
    _, ((_, _, name, attributes, _, reason),) = settled(
        opinions(said, [0, 1, 2, 3], [0, 1, 2], [0, 1])
    )
    assert (name, attributes, reason) == ("car", '{"tint":1}', 0)


def test_a_label_that_its_schema_does_not_know_is_not_written() -> None:
    said = [Opinion(0, 0, 0, 0, 0), Opinion(0, 1, 0, 0, 0)]
    found = opinions(said, [0, 1, 2, 3], [0, 1, 2], [0, 1])
    gathered = collected(found, Threshold(0.4), silent)
    nothing = np.zeros(0, np.int64)
    narrow = LabelSchema("things", "1.0", {"classes": {"dog": {"kinds": ["box"]}}}, "")
    made = decided(
        gathered, found.words, (nothing, nothing), (np.zeros(1, np.int64), [narrow]), Limits()
    )
    assert Reason(int(made.reason[0])) == Reason.SCHEMA
    assert not made.is_written.any()


def test_gold_that_nobody_said_is_for_review() -> None:
    said = [Opinion(0, 0, 0, 0, 0), Opinion(0, 1, 0, 0, 0)]
    found = opinions(said, [0, 1, 2, 3], [0, 1, 2], [0, 1])
    gathered = collected(found, Threshold(0.4), silent)
    known = np.array([0]), np.array([found.words.classes.index("van")])
    made = decided(gathered, found.words, known, (np.zeros(1, np.int64), [SCHEMA]), Limits())
    assert (made.class_[0], made.posterior[0]) == (2, 1)
    assert Reason(int(made.reason[0])) == Reason.UNSAID


@pytest.mark.parametrize(
    ("reason", "n_opinions", "posterior", "wanted"),
    [
        (0, 3, 1.0, None),
        (Reason.QUORUM, 1, float("nan"), NextStep.OPINION),
        (Reason.POSTERIOR, 3, 0.6, NextStep.OPINION),
        (Reason.POSTERIOR, 4, 0.79, NextStep.SENIOR),
        (Reason.POSTERIOR, 4, 0.85, NextStep.OPINION),
        (Reason.DEFINITION_SPLIT | Reason.POSTERIOR, 6, 0.5, NextStep.GUIDELINE),
    ],
)
def test_what_an_object_needs(
    reason: int, n_opinions: int, posterior: float, wanted: NextStep | None
) -> None:
    assert next_step(reason, n_opinions, posterior) == wanted


def test_reasons_have_words() -> None:
    assert words_of_reason(Reason.QUORUM | Reason.GEOMETRY) == ["quorum", "geometry"]
    assert words_of_reason(0) == []
