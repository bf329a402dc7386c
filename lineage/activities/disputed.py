"""Disputed objects: those of which the first two opinions differ in one way, and images without any dispute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lineage.activities import collect, gather
from lineage.activities.context import Project
from lineage.activities.gather import Block, Threshold
from lineage.activities.opinions import Opinions
from lineage.activities.trace import Choice
from lineage.errors import NotFound

NOTHING = "nothing"
"""How "drew nothing" is written among classes."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Disputed objects, and images that nobody disputed.

    Parameters
    ----------
    annotation, revision, asset
        ndarrays of int64, shape (n,): of the label that stands for each disputed object.
    plain
        ndarray of int64, shape (m,): assets without a dispute.
    has_class
        ndarray of bool, shape (m,): one of the two things said stands on them.
    batch
        Tag of the batch of most disputed labels, whose task and schema the answers have.
    """

    annotation: np.ndarray
    revision: np.ndarray
    asset: np.ndarray
    plain: np.ndarray
    has_class: np.ndarray
    batch: str


def frame_of(
    project: Project,
    class_: str | None,
    as_class: str | None,
    *,
    choice: Choice,
    threshold: Threshold,
) -> Frame:
    """Return what may be drawn to reopen a dispute.

    Parameters
    ----------
    project
        An open project.
    class_, as_class
        The two things that were said; None for "drew nothing".
    choice, threshold
        Which opinions, and when two labels are of one object.

    Raises
    ------
    NotFound
        ``no-dispute``: nobody's first two opinions differ so.
    """
    opinions = collect.load(project, choice)
    codes = [*opinions.words.classes, None]
    pair = [codes.index(name) if name in codes else -1 for name in (class_, as_class)]
    parts = [_disputed(opinions, gather.gathered(b, threshold), pair) for b in opinions.blocks()]
    rows = np.concatenate([np.zeros((0, 4), np.int64), *(part[0] for part in parts)])
    if len(rows) == 0:
        one, other = class_ or NOTHING, as_class or NOTHING
        raise NotFound(
            "no-dispute",
            f"no object of which the first two opinions say {one} and {other}",
            hint="lineage dispute list",
        )
    # of several scopes that of most disputes: a packet asks one question
    scope = rows[:, 3] % opinions.n_scopes
    rows = rows[scope == np.bincount(scope).argmax()]
    disputed = np.unique(np.concatenate([part[1] for part in parts]))
    asset = opinions.asset_of(rows[:, 3])
    own = np.isin(opinions.labels.class_, [code for code in pair if 0 <= code < len(codes) - 1])
    images = np.unique(opinions.labels.image)
    images = images[images % opinions.n_scopes == rows[0, 3] % opinions.n_scopes]
    images = images[~np.isin(images, disputed)]
    has_class = np.isin(images, opinions.labels.image[own])
    plain = opinions.asset_of(images)
    at = np.isin(opinions.labels.annotation, rows[:, 0])
    batch = np.bincount(opinions.labels.batch[at]).argmax()
    return Frame(rows[:, 0], rows[:, 1], asset, plain, has_class, opinions.words.batches[batch])


def _disputed(
    opinions: Opinions, found: Block, pair: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return label, revision, batch and image of units whose first two opinions differ so; images with any dispute."""
    said = found.said
    answers = opinions.answers
    n = len(opinions.words.annotators)
    drew = np.flatnonzero(said.label >= 0)
    image_of = np.zeros(int(said.unit.max(initial=-1)) + 1, np.int64)
    image_of[said.unit[drew]] = found.labels.image[said.label[drew]]
    seats = answers.image * np.int64(n) + answers.annotator
    week = answers.week[np.searchsorted(seats, image_of[said.unit] * np.int64(n) + said.annotator)]
    order = np.lexsort((said.annotator, week, said.unit))
    unit, value, label = said.unit[order], said.value[order], said.label[order]
    first = np.flatnonzero(np.diff(unit, prepend=-1))
    second = np.minimum(first + 1, len(unit) - 1)
    is_two = unit[second] == unit[first]
    first, second = first[is_two], second[is_two]
    is_apart = value[first] != value[second]
    is_so = is_apart & (np.sort(np.stack([value[first], value[second]]), axis=0)
                        == np.sort(np.array(pair))[:, None]).all(axis=0)  # fmt: skip
    # the label that was drawn, or of two the first
    stands = np.where(label[first] >= 0, label[first], label[second])[is_so]
    labels = found.labels
    columns_ = [labels.annotation[stands], labels.revision[stands], labels.batch[stands],
                labels.image[stands]]  # fmt: skip
    any_dispute = np.unique(image_of[unit[first[is_apart]]])
    return np.stack(columns_, axis=1), any_dispute
