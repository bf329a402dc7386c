"""Who reviews which image: somebody who has not seen it, the work shared evenly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lineage.activities import draws, trace
from lineage.activities.context import Project
from lineage.activities.review_frame import Frame
from lineage.activities.review_log import Drawn
from lineage.errors import Refused
from lineage.store import read

Row = Mapping[str, object]
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Assigned:
    """Which reviewer has which image.

    Parameters
    ----------
    people
        Pseudonyms, as they were named.
    asset
        ndarray of int64, shape (n_images,), ascending.
    person
        ndarray of int64, shape (n_images,): into ``people`` or, beyond, into ``earlier``.
    earlier
        Who was asked for an image before, and has it again with what is new on it.
    n_eligible
        Of the images, by person.
    """

    people: tuple[str, ...]
    asset: np.ndarray
    person: np.ndarray
    earlier: tuple[str, ...]
    n_eligible: tuple[int, ...]

    @classmethod
    def nobody(cls) -> Assigned:
        """Return that nothing was given to anybody."""
        none = np.zeros(0, np.int64)
        return cls((), none, none, (), ())

    def reviewer_of(self, asset: np.ndarray) -> list[str]:
        """Return the pseudonym of the reviewer of each image."""
        words = np.array([*self.people, *self.earlier], object)
        found: list[str] = words[self.person[np.searchsorted(self.asset, asset)]].tolist()
        return found

    def rows(self, frame: Frame, new: np.ndarray) -> list[Row]:
        """Return what each has of the rows that are newly drawn."""
        if not self.people:
            return []
        person = self.person[np.searchsorted(self.asset, frame.asset[new])]
        everybody = (*self.people, *self.earlier)
        found: list[Row] = []
        for at, name in enumerate(everybody):
            own = new[person == at]
            found.append(
                {
                    "annotator": name,
                    "n_eligible": self.n_eligible[at] if at < len(self.people) else None,
                    "n_images": len(np.unique(frame.asset[own])),
                    "n_labels": int((frame.revision[own] > 0).sum()),
                }
            )
        return found


def assigned(
    project: Project,
    frame: Frame,
    new: np.ndarray,
    people: Sequence[str],
    before: Drawn,
    known: Drawn,
    seq: int,
) -> Assigned:
    """Give every image with something new to one reviewer.

    Parameters
    ----------
    project
        An open project.
    frame
        The labels.
    new
        Rows of the frame that are newly drawn.
    people
        Pseudonyms of who is asked.
    before, known
        What was drawn of the batch: at all, and in this round.
    seq
        Place in the log.

    Raises
    ------
    Refused
        ``review-nobody``: some images were seen by all of them.

    Notes
    -----
    Who labelled an image, put a label on it right, or was asked about it has seen it, in this batch or
    another. Images that the fewest may have go first, each to the one with the fewest so far: by
    images, for an image is looked at whole.
    """
    asked = tuple(dict.fromkeys(people))
    assets = np.unique(frame.asset[new])
    kept = dict(zip(known.asset.tolist(), known.reviewer.tolist(), strict=True))
    earlier = tuple(sorted({kept[one] for one in assets.tolist() if one in kept}))
    seen = draws.seen_by(project.ledger, asked, seq)
    may = np.array([~np.isin(assets, seen[person]) for person in asked]).reshape(len(asked), -1)
    place = {name: len(asked) + at for at, name in enumerate(earlier)}
    person = np.array(
        [place[kept[one]] if one in kept else -1 for one in assets.tolist()], np.int64
    )
    is_free = person < 0
    _refuse_nobody(project, assets[is_free & ~may.any(axis=0)], asked, may.sum(axis=1), len(assets))
    n_before = [len(np.unique(before.asset[before.reviewer == name])) for name in asked]
    load = np.array(n_before, np.int64) - min(n_before, default=0)
    n_may = may.sum(axis=0)
    for at in np.flatnonzero(is_free)[np.argsort(n_may[is_free], kind="stable")].tolist():
        options = np.flatnonzero(may[:, at])
        person[at] = options[np.argmin(load[options])]
        load[person[at]] += 1
    n_eligible = tuple(int(n) for n in may.sum(axis=1))
    return Assigned(asked, assets, person, earlier, n_eligible)


def _refuse_nobody(
    project: Project, stuck: np.ndarray, people: Sequence[str], n_may: np.ndarray, n_images: int
) -> None:
    if len(stuck) == 0:
        return
    names = trace.names_of(project)
    with project.store.reading() as connection:
        images = read.asset_names(connection, stuck[:_SHOWN].tolist())
    told = ", ".join(
        f"{names.get(person, person)} {n}" for person, n in zip(people, n_may.tolist(), strict=True)
    )
    shown = ", ".join(images[one] for one in stuck[:_SHOWN].tolist())
    more = " ..." if len(stuck) > _SHOWN else ""
    raise Refused(
        "review-nobody",
        f"{len(stuck):,} of {n_images:,} images were seen by everybody who is asked ({shown}{more}); "
        f"each may have: {told}",
        hint="ask somebody else too, with --for",
    )
