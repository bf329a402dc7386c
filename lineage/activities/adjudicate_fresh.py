"""Who is asked for one more blind opinion on what is open: people who have seen none of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import draws
from lineage.activities.adjudicate_cases import Case
from lineage.activities.adjudicate_open import Open
from lineage.activities.context import Project
from lineage.activities.review_log import FRESH, answers_tag
from lineage.calc import sampling
from lineage.terms import DrawReason

DECOY_FRACTION = 0.3
"""Of a packet, images on which nothing is open, where there are as many; below it people infer what is at issue."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What is asked of whom.

    Parameters
    ----------
    given
        Objects by pseudonym.
    decoys
        Asset keys by pseudonym.
    n_waiting
        Objects on which somebody who was asked has not answered yet.
    nobody
        Objects that everybody of those who could be asked has seen.
    """

    given: Mapping[str, Sequence[Open]]
    decoys: Mapping[str, Sequence[int]]
    n_waiting: int
    nobody: Sequence[Open]

    def images(self) -> dict[str, list[int]]:
        """Return the asset keys of each packet."""
        return {
            person: sorted({one.asset for one in own} | set(self.decoys[person]))
            for person, own in self.given.items()
        }


def ordered(
    project: Project,
    batch: str,
    wanting: Sequence[Case],
    people: Sequence[str],
    plain: np.ndarray,
    *,
    key: bytes,
    up_to: int,
) -> Orders:
    """Deal out objects that want another opinion.

    Parameters
    ----------
    project, batch, up_to
        Where to look.
    wanting
        Cases that one more opinion may settle.
    people
        Who may be asked, by pseudonym.
    plain
        ndarray of int64: images of the batch on which nothing is open.
    key
        Of what is drawn.

    Notes
    -----
    An image goes to one person at a time, whoever has the fewest, and all that is open on it with it.
    """
    waiting = _waiting(project, batch, wanting, up_to)
    rest = [case for case, is_asked in zip(wanting, waiting, strict=True) if not is_asked]
    seen = draws.seen_by(project.ledger, tuple(people), up_to)
    known = {person: set(own.tolist()) for person, own in seen.items()}
    assets = np.unique(np.array([case.object.asset for case in rest], np.int64))
    assets = assets[np.argsort(sampling.fractions(assets, key), kind="stable")]
    taken: dict[int, str] = {}
    load = dict.fromkeys(people, 0)
    for asset in assets.tolist():
        may = [person for person in people if asset not in known[person]]
        if may:
            taken[asset] = min(may, key=lambda person: (load[person], people.index(person)))
            load[taken[asset]] += 1
    given: dict[str, list[Open]] = {person: [] for person in people if load[person]}
    nobody: list[Open] = []
    for case in rest:
        person = taken.get(case.object.asset)
        (nobody if person is None else given[person]).append(case.object)
    decoys = {
        person: _decoys(plain, load[person], seen[person], sampling.derived(key, person))
        for person in given
    }
    return Orders(given, decoys, sum(waiting), nobody if people else [])


def rows_of(orders: Orders, batch: str, seq: int) -> pa.RecordBatch:
    """Return what is asked as `columns.SEGMENT_DRAWS`."""
    rows = [
        (one.asset, None if one.is_missed else one.revision, person, DrawReason.REVIEW, FRESH)
        for person, own in orders.given.items()
        for one in own
    ]
    rows += [
        (asset, None, person, DrawReason.DECOY, FRESH)
        for person, own in orders.decoys.items()
        for asset in own
    ]
    asset, revision, person, reason, stratum = zip(*rows, strict=True)
    values = {
        "seq": seq,
        "draw": f"draw-{seq}",
        "asset": list(asset),
        "revision": pa.array(list(revision), pa.int64()),
        "batch": answers_tag(batch),
        "annotator": list(person),
        "reason": [one.value for one in reason],
        "stratum": list(stratum),
        # chosen for what was said of it: it stands for nothing else
        "inclusion_fraction": 1.0,
    }
    return columns.batch_of(columns.SEGMENT_DRAWS, values, len(rows))


def fresh_assets(project: Project, batch: str, up_to: int) -> np.ndarray:
    """Return the images of a batch for which fresh opinions were asked, as keys."""
    return np.unique(np.array([asset for asset, _, _ in _asked(project, batch, up_to)], np.int64))


def _asked(project: Project, batch: str, up_to: int) -> list[tuple[int, int | None, str]]:
    rows = draws.drawn(project.ledger, (DrawReason.REVIEW,), up_to)
    columns_ = ("batch", "stratum", "asset", "revision", "annotator")
    return [
        (asset, revision, person)
        for tag, stratum, asset, revision, person in zip(
            *(rows[name].to_pylist() for name in columns_), strict=True
        )
        if tag == answers_tag(batch) and stratum == FRESH
    ]


def _waiting(project: Project, batch: str, wanting: Sequence[Case], up_to: int) -> list[bool]:
    """Tell, per case, whether somebody who was asked about its image has yet to answer."""
    asked: dict[int, set[str]] = {}
    for asset, _, person in _asked(project, batch, up_to):
        asked.setdefault(asset, set()).add(person)
    return [
        bool(asked.get(case.object.asset, set()) - {one.annotator for one in case.opinions})
        for case in wanting
    ]


def _decoys(plain: np.ndarray, n_given: int, seen: np.ndarray, key: bytes) -> list[int]:
    n = math.ceil(n_given * DECOY_FRACTION / (1 - DECOY_FRACTION))
    free = plain[~np.isin(plain, seen)]
    chosen = free[np.argsort(sampling.fractions(free, key), kind="stable")[:n]]
    return sorted(chosen.tolist())
