"""Who thought what, independently: the opinions behind every number about agreement.

An opinion is the last own state of the annotator who made an annotation: made by
a person, not corrected by another, not from a model, a consensus or the gold. A
correction by somebody else is no opinion and takes none away. With them come the
answers: who looked at which image at all, those who drew nothing too, for
without them "missed" cannot be told from "was not asked".

Images are told apart by scope, a batch's task and the name of its schema: what
was asked for elsewhere was not missed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime

import numpy as np
import pyarrow as pa

BLOCK_IMAGES = 50_000
MONDAY = 3
"""Days by which 1970-01-01, a Thursday, lies behind its week's Monday."""

_EPOCH_ORDINAL = 719_163


@dataclass(frozen=True, slots=True)
class Words:
    """What codes stand for."""

    annotators: list[str]
    classes: list[str]
    kinds: list[str]
    batches: list[str]
    schemas: list[str]
    attributes: list[str]


@dataclass(frozen=True, slots=True)
class Labels:
    """Opinions, sorted by image.

    Parameters
    ----------
    image
        ndarray of int64, shape (n,): the asset within its scope; see `Opinions.asset_of`.
    annotator, class_, kind, batch, schema, attributes
        ndarrays of int64, shape (n,): codes into `Words`.
    annotation, revision
        ndarrays of int64, shape (n,).
    week
        ndarray of int64, shape (n,): weeks since the Monday before 1970, see `week_text`.
    box
        ndarray of float64, shape (n, 4), px; NaN for whole-image classes.
    geometry
        `columns.GEOMETRY` of n.
    """

    image: np.ndarray
    annotator: np.ndarray
    class_: np.ndarray
    kind: np.ndarray
    batch: np.ndarray
    schema: np.ndarray
    attributes: np.ndarray
    annotation: np.ndarray
    revision: np.ndarray
    week: np.ndarray
    box: np.ndarray
    geometry: pa.Array

    def __len__(self) -> int:
        return len(self.image)

    def take(self, rows: np.ndarray) -> Labels:
        """Return some rows."""
        geometry = self.geometry.take(pa.array(rows))
        plain = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "geometry"}
        return Labels(**plain, geometry=geometry)


@dataclass(frozen=True, slots=True)
class Answers:
    """Who answered for which image, each once a batch; sorted by image, then annotator.

    Parameters
    ----------
    image, annotator, batch, week
        ndarrays of int64, shape (n,).
    is_empty
        ndarray of bool, shape (n,): looked, and drew nothing.
    """

    image: np.ndarray
    annotator: np.ndarray
    batch: np.ndarray
    week: np.ndarray
    is_empty: np.ndarray

    def take(self, rows: np.ndarray) -> Answers:
        """Return some rows."""
        return Answers(*(getattr(self, f.name)[rows] for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Opinions:
    """Labels and answers, and what their codes stand for.

    Parameters
    ----------
    labels, answers
        Of the images that were asked about.
    words
        Of the codes.
    n_scopes
        How many scopes share the numbers of images.
    seq
        Place in the log as of which they hold.
    """

    labels: Labels
    answers: Answers
    words: Words
    n_scopes: int
    seq: int

    def asset_of(self, image: np.ndarray) -> np.ndarray:
        """Return the ledger's asset keys of images."""
        found: np.ndarray = image // self.n_scopes
        return found

    def blocks(self, n_images: int = BLOCK_IMAGES) -> Iterator[Opinions]:
        """Yield the opinions of ``n_images`` images at a time, no image cut in two."""
        images = np.unique(self.answers.image)
        for start in range(0, len(images), n_images):
            low, high = images[start], images[min(start + n_images, len(images)) - 1]
            rows = [
                np.arange(*np.searchsorted(side.image, [low, high + 1]))
                for side in (self.labels, self.answers)
            ]
            yield replace(
                self, labels=self.labels.take(rows[0]), answers=self.answers.take(rows[1])
            )


def week_text(week: int) -> str:
    """Return a week as ISO 8601 has it.

    Examples
    --------
    >>> week_text(0), week_text(2931)
    ('1970-W01', '2026-W10')
    """
    monday = datetime.fromordinal(_EPOCH_ORDINAL - MONDAY + 7 * week)
    year, number, _ = monday.isocalendar()
    return f"{year}-W{number:02d}"


def week_of(moment: datetime) -> int:
    """Return the week of a time, as `Labels` counts them."""
    return (moment.toordinal() - _EPOCH_ORDINAL + MONDAY) // 7
