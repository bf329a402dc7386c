"""What blind reviewers dispute in a batch, and nobody has settled yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from lineage.activities import precision, select
from lineage.activities.context import Project
from lineage.activities.review_log import Verdicts
from lineage.activities.select import LiveState, Selector
from lineage.store import read
from lineage.store.read import ActivityRow
from lineage.terms import ActivityKind, DisputeKind, Stage


@dataclass(frozen=True, slots=True)
class Open:
    """An object on which a reviewer and the record differ, and nobody has settled it.

    Parameters
    ----------
    revision
        That is contested; of a missed object, the reviewer's own.
    annotation, asset
        Of that revision.
    is_missed
        Nobody but reviewers drew it.
    kind
        How the first dispute put it.
    by
        Pseudonyms of those who disputed.
    opinion
        The first disputing reviewer's revision, None where they drew nothing.
    """

    revision: int
    annotation: int
    asset: int
    is_missed: bool
    kind: DisputeKind
    by: frozenset[str]
    opinion: int | None


def of_batch(
    said: Verdicts, draws: np.ndarray, project: Project, batch: str, up_to: int
) -> Verdicts:
    """Return the verdicts on a batch: those that its draws asked for, and any other on its labels.

    What reviewers remarked in their tool belongs to no draw, and contests a label all the same.
    """
    is_asked = np.isin(said.draw.astype(str), draws)
    others = np.unique(said.revision[~is_asked & (said.revision > 0)])
    tags = precision.of_ledger(project.ledger, others, ("batch",))["batch"]
    ours = others[select.is_word(tags.combine_chunks(), [batch])]
    rows = np.flatnonzero(is_asked | np.isin(said.revision, ours))
    return Verdicts(*(getattr(said, f.name)[rows] for f in fields(said)))


def settled_missed(log: list[ActivityRow], batch: str) -> frozenset[int]:
    """Return the opinions on missed objects that are settled, either way."""
    found: set[int] = set()
    for entry in of_kind(log, ActivityKind.ADJUDICATE, batch):
        for row in told(entry.outcome, "missed"):
            found.update(numbers(row["opinions"]))
    return frozenset(found)


def of_kind(log: list[ActivityRow], kind: ActivityKind, batch: str) -> list[ActivityRow]:
    """Return a batch's activities of a kind."""
    return [entry for entry in log if entry.kind == kind and entry.batch == batch]


def told(outcome: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    """Return the rows that an activity's outcome has under a name."""
    rows = outcome.get(name, [])
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def numbers(value: object) -> list[int]:
    """Return the whole numbers of a list in an outcome."""
    return [one for one in value if isinstance(one, int)] if isinstance(value, list) else []


def activities(project: Project, up_to: int) -> list[ActivityRow]:
    """Return the log up to a place."""
    with project.store.reading() as connection:
        return [entry for entry in read.activities(connection) if entry.seq <= up_to]


def open_objects(
    project: Project, batch: str, up_to: int, live: LiveState, said: Verdicts
) -> list[Open]:
    """Return what is open in a batch, in order of annotation; contested labels before missed objects.

    Parameters
    ----------
    project, batch, up_to
        Where to look.
    live
        As of the same place.
    said
        The batch's verdicts.
    """
    chosen = Selector(batches=(batch,), stages=(Stage.CONTESTED,))
    wanted = ("revision", "annotation", "asset")
    contested = select.table(project.ledger, chosen, wanted, up_to=up_to, live=live)
    by_revision: dict[int, list[int]] = {}
    missed: dict[int, list[int]] = {}
    done = settled_missed(activities(project, up_to), batch)
    # a few of a hundred of the labels that were checked
    for row in np.flatnonzero(said.is_dispute).tolist():
        revision, opinion = int(said.revision[row]), int(said.opinion[row])
        if revision:
            by_revision.setdefault(revision, []).append(row)
        elif opinion and opinion not in done:
            missed.setdefault(opinion, []).append(row)
    found = [
        _open(said, by_revision.get(row["revision"], []), row, is_missed=False)
        for row in sorted(contested.to_pylist(), key=lambda row: row["annotation"])
    ]
    left = np.array(sorted(missed), np.int64)
    facts = precision.of_ledger(project.ledger, left, wanted[1:]).to_pylist()
    return found + [
        _open(said, missed[opinion], {"revision": opinion, **row}, is_missed=True)
        for opinion, row in zip(left.tolist(), facts, strict=True)
    ]


def _open(said: Verdicts, rows: list[int], row: Mapping[str, int], *, is_missed: bool) -> Open:
    opinions = [int(said.opinion[at]) for at in rows if said.opinion[at]]
    kinds = [str(said.kind[at]) for at in rows if said.kind[at]]
    return Open(
        row["revision"],
        row["annotation"],
        row["asset"],
        is_missed,
        DisputeKind.MISSED if is_missed else DisputeKind(kinds[0] if kinds else DisputeKind.CLASS),
        frozenset(str(said.reviewer[at]) for at in rows),
        opinions[0] if opinions else None,
    )
