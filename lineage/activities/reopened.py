"""What fresh opinions on reopened disputes say, as far as they have come in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from lineage.activities import collect, gather, position
from lineage.activities.context import Project
from lineage.activities.draws import annotations_of, drawn
from lineage.activities.gather import Block, Threshold
from lineage.activities.trace import Choice
from lineage.calc import disputes
from lineage.calc.disputes import Fresh
from lineage.store import read
from lineage.terms import ActivityKind, DrawReason

Pair = tuple[str | None, str | None]


def reopened(
    project: Project, choice: Choice | None = None, threshold: Threshold | None = None
) -> Mapping[Pair, Fresh]:
    """Return the agreement of fresh opinions on disputed objects, by what was said of them.

    Parameters
    ----------
    project
        An open project.
    choice
        As of when; what else it says restricts nothing here.
    threshold
        When two labels are of one object.

    Returns
    -------
    mapping
        By the two things said (None: drew nothing), either way round; disputes of which no object has
        two fresh opinions yet are not there.
    """
    seq = position.resolve(project, None if choice is None else choice.as_of)
    rows = drawn(project.ledger, (DrawReason.DISPUTE,), seq)
    if rows.num_rows == 0:
        return {}
    asked = _asked(project, rows, seq)
    opinions = collect.load(
        project,
        replace(Choice(), as_of=str(seq)),
        assets=np.asarray(rows["asset"]),
        has_fresh=True,
    )
    people = {name: at for at, name in enumerate(opinions.words.annotators)}
    found: dict[Pair, list[tuple[int, int, float]]] = defaultdict(list)
    for block in opinions.blocks():
        side = gather.gathered(block, threshold or Threshold())
        for said, values in _pairs(side, asked, people):
            found[said].append(values)
    told: dict[Pair, Fresh] = {}
    for (one, other), pairs in found.items():
        first, second, fraction = (np.array(column) for column in zip(*pairs, strict=True))
        fresh = disputes.from_fresh(
            first, second, len(opinions.words.classes) + 1, inclusion=fraction
        )
        told[one, other] = told[other, one] = fresh
    return told


@dataclass(frozen=True, slots=True)
class _Asked:
    """A dispute that was reopened: by which draw, what was said of it, its chance, and who was asked."""

    seq: int
    said: Pair
    fraction: float
    people: list[str]


def _asked(project: Project, rows: pa.Table, seq: int) -> Mapping[int, _Asked]:
    """Return what was reopened, by annotation."""
    annotation = annotations_of(project.ledger, rows, seq)
    with project.store.reading() as connection:
        said = {entry.seq: _said(entry.parameters) for entry in read.activities(connection)
                if entry.kind == ActivityKind.DRAW}  # fmt: skip
    found: dict[int, _Asked] = {}
    names = ("seq", "revision", "inclusion_fraction", "annotator")
    # a few dozen disputes, two people each
    for draw, revision, fraction, person in zip(
        *(rows[name].to_pylist() for name in names), strict=True
    ):
        entry = found.setdefault(annotation[revision], _Asked(draw, said[draw], fraction, []))
        if entry.seq == draw:
            entry.people.append(person)
    return found


def _said(parameters: Mapping[str, object]) -> Pair:
    """Return the two things said, in one order whichever way round they were asked for."""
    one, other = sorted(
        (None if parameters.get(key) is None else str(parameters[key]) for key in _SAID),
        key=lambda name: (name is None, name or ""),
    )
    return one, other


_SAID = ("class", "as_class")


def _pairs(
    found: Block, asked: Mapping[int, _Asked], people: Mapping[str, int]
) -> list[tuple[Pair, tuple[int, int, float]]]:
    labels, said = found.labels, found.said
    rows = np.flatnonzero(np.isin(labels.annotation, np.array(list(asked), np.int64)))
    told = []
    for row in rows.tolist():
        one = asked[int(labels.annotation[row])]
        at = slice(*np.searchsorted(said.unit, [found.unit[row], found.unit[row] + 1]))
        codes = [people[person] for person in one.people if person in people]
        values = said.value[at][np.isin(said.annotator[at], codes)]
        if len(values) >= 2:
            told.append((one.said, (int(values[0]), int(values[1]), one.fraction)))
    return told
