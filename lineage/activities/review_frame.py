"""What may be drawn of a batch for review: its labels, what they are of, and what a model says of them.

An image on which its annotator found nothing stands in the frame too, or what
was missed there would never be found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import coverage
from lineage.activities.context import Project
from lineage.activities.review_log import NOTHING, Drawn, texts_of
from lineage.activities.select import Selector, live_state, scan
from lineage.terms import Presence, Stage

FLAGS = ("", "unseen", "rare")
"""What a model says: nothing against it; no such object there; a rare class that nobody drew."""

PLAIN, UNSEEN, RARE = range(3)
_PENDING = (Stage.SUBMITTED, Stage.IN_REVIEW, Stage.CONTESTED)


@dataclass(frozen=True, slots=True)
class Frame:
    """Labels of a batch, and its images without any.

    Parameters
    ----------
    revision
        ndarray of int64, shape (n,): 0 for an image on which nothing was drawn.
    asset
        ndarray of int64, shape (n,).
    class_, annotator
        ndarrays of int64, shape (n,): codes into ``classes`` (the last: `NOTHING`) and ``people``.
    box
        ndarray of float64, shape (n, 4), px; NaN where there is no place.
    is_open
        ndarray of bool, shape (n,): it may be drawn now.
    flag
        ndarray of int64, shape (n,): into `FLAGS`.
    classes, people
        What the codes stand for.
    """

    revision: np.ndarray
    asset: np.ndarray
    class_: np.ndarray
    annotator: np.ndarray
    box: np.ndarray
    is_open: np.ndarray
    flag: np.ndarray
    classes: list[str]
    people: list[str]

    def stratum(self, rows: np.ndarray) -> list[str]:
        """Return what each of some rows is drawn among: ``class|annotator``, and the flag where there is one."""
        return [
            "|".join(
                part
                for part in (
                    self.classes[self.class_[at]],
                    self.people[self.annotator[at]],
                    FLAGS[self.flag[at]],
                )
                if part
            )
            for at in rows.tolist()
        ]


def frame_of(project: Project, batch: str, seq: int, drawn: Drawn, *, is_again: bool) -> Frame:
    """Return what may be drawn, and what was drawn already, of a batch.

    Parameters
    ----------
    project
        An open project.
    batch
        Its tag.
    seq
        Place in the log.
    drawn
        What was drawn of it in this round.
    is_again
        Labels that are final, for approvals to be judged in turn; else those that wait for review.
    """
    wanted = ("revision", "asset", "annotator", "class", *columns.BOX, "stage")
    live = live_state(project.ledger, seq)
    parts = [
        _columns(rows)
        for rows in scan(project.ledger, Selector(batches=(batch,)), wanted, up_to=seq, live=live)
    ]
    none = np.zeros(0, np.int64)
    found = {
        name: np.concatenate([part[name] for part in parts])
        for name in (parts[0] if parts else {})
    } or {"revision": none, "asset": none, "annotator": none.astype(object),
          "class": none.astype(object), "stage": none.astype(object), "box": np.zeros((0, 4))}  # fmt: skip
    stage = found["stage"].astype(str)
    start = Stage.FINAL if is_again else Stage.SUBMITTED
    counts = np.isin(stage, [start.value] if is_again else [one.value for one in _PENDING])
    keep = np.flatnonzero(counts | np.isin(found["revision"], drawn.revision))
    empty_asset, empty_person = (none, none.astype(object)) if is_again else _empties(
        project, batch, seq, found["asset"]
    )  # fmt: skip
    n = len(empty_asset)
    asset = np.concatenate([found["asset"][keep], empty_asset])
    names = np.concatenate([found["class"][keep], np.full(n, NOTHING, object)])
    classes = [*sorted({str(name) for name in names} - {NOTHING}), NOTHING]
    people, person = np.unique(
        np.concatenate([found["annotator"][keep], empty_person]).astype(str), return_inverse=True
    )
    is_known = np.isin(empty_asset, drawn.asset[drawn.revision == 0])
    return Frame(
        revision=np.concatenate([found["revision"][keep], np.zeros(n, np.int64)]),
        asset=asset,
        class_=codes_in(names, classes),
        annotator=person.astype(np.int64),
        box=np.concatenate([found["box"][keep], np.full((n, 4), np.nan)]),
        is_open=np.concatenate([stage[keep] == start.value, ~is_known]),
        flag=np.zeros(len(asset), np.int64),
        classes=classes,
        people=people.tolist(),
    )


def _columns(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    found = {name: np.asarray(rows[name]) for name in ("revision", "asset")}
    found |= {name: texts_of(rows[name]) for name in ("annotator", "class", "stage")}
    box = [np.asarray(rows[name].fill_null(float("nan"))) for name in columns.BOX]
    return found | {"box": np.stack(box, axis=1)}


def _empties(
    project: Project, batch: str, seq: int, labelled: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the images without a label, and who found nothing on them."""
    rows = coverage.roster(project.ledger, [batch], seq)
    asset = np.asarray(rows["asset"])
    told = texts_of(coverage.one(rows["presence"])).astype(str)
    chosen = np.flatnonzero((told == Presence.EMPTY.value) & ~np.isin(asset, labelled))
    return asset[chosen], texts_of(coverage.one(rows["annotator"]))[chosen]


def codes_in(texts: np.ndarray, words: list[str]) -> np.ndarray:
    """Return the place of each text among some words, -1 where it is not there."""
    number = {word: at for at, word in enumerate(words)}
    known, at = np.unique(texts.astype(str), return_inverse=True)
    found: np.ndarray = np.array([number.get(word, -1) for word in known], np.int64)[at]
    return found
