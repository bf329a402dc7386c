"""What fresh opinions on reopened disputes say, as far as they have come in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa

from lineage.activities import collect, gather, position
from lineage.activities.context import Project
from lineage.activities.disputed import NOTHING
from lineage.activities.draws import drawn
from lineage.activities.gather import Block, Threshold
from lineage.activities.trace import Choice
from lineage.calc import disputes
from lineage.calc.disputes import Fresh
from lineage.segments import Ledger
from lineage.terms import DrawReason

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
    asked = _asked(project.ledger, rows, seq)
    opinions = collect.load(
        project,
        replace(Choice(), as_of=str(seq)),
        assets=np.asarray(rows["asset"]),
        has_fresh=True,
    )
    people = {name: at for at, name in enumerate(opinions.words.annotators)}
    found: dict[str, list[tuple[int, int, float]]] = defaultdict(list)
    for block in opinions.blocks():
        side = gather.gathered(block, threshold or Threshold())
        for stratum, pair in _pairs(side, asked, people):
            found[stratum].append(pair)
    told: dict[Pair, Fresh] = {}
    for stratum, pairs in found.items():
        first, second, fraction = (np.array(column) for column in zip(*pairs, strict=True))
        fresh = disputes.from_fresh(
            first, second, len(opinions.words.classes) + 1, inclusion=fraction
        )
        one, other = (None if word == NOTHING else word for word in stratum.split("|"))
        told[one, other] = told[other, one] = fresh
    return told


_Asked = Mapping[int, tuple[str, float, list[str]]]
"""By annotation: its dispute, its chance of being drawn, and who was asked."""


def _asked(ledger: Ledger, rows: pa.Table, seq: int) -> _Asked:
    wanted = np.unique(np.asarray(rows["revision"]))
    annotation: dict[int, int] = {}
    assets = np.unique(np.asarray(rows["asset"]))
    for part in ledger.scan("revisions", ("revision", "annotation"), up_to=seq, assets=assets):
        revision = np.asarray(part["revision"])
        at = np.flatnonzero(np.isin(revision, wanted))
        annotation |= dict(
            zip(revision[at].tolist(), np.asarray(part["annotation"])[at].tolist(), strict=True)
        )
    found: dict[int, tuple[str, float, list[str]]] = {}
    columns = ("revision", "stratum", "inclusion_fraction", "annotator")
    # a few dozen disputes, two people each
    for revision, stratum, fraction, person in zip(
        *(rows[name].to_pylist() for name in columns), strict=True
    ):
        entry = found.setdefault(annotation[revision], (stratum, fraction, []))
        entry[2].append(person)
    return found


def _pairs(
    found: Block, asked: _Asked, people: Mapping[str, int]
) -> list[tuple[str, tuple[int, int, float]]]:
    labels, said = found.labels, found.said
    rows = np.flatnonzero(np.isin(labels.annotation, np.array(list(asked), np.int64)))
    told = []
    for row in rows.tolist():
        stratum, fraction, who = asked[int(labels.annotation[row])]
        at = slice(*np.searchsorted(said.unit, [found.unit[row], found.unit[row] + 1]))
        codes = [people[person] for person in who if person in people]
        values = said.value[at][np.isin(said.annotator[at], codes)]
        if len(values) >= 2:
            told.append((stratum, (int(values[0]), int(values[1]), fraction)))
    return told
