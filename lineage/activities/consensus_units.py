"""Opinions gathered by object: who said what of each, how alike they are, and the place they agree on.

Blocks of images are read one after another. What stays in memory of a block is a
few numbers for every opinion (`Votes`) and one row for every object (`Objects`);
shapes of the opinions themselves are gone with their block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import disagreements, gather
from lineage.activities.consensus_shapes import fused, line_overlap
from lineage.activities.disagreements import Disputes
from lineage.activities.gather import Block, Threshold
from lineage.activities.opinions import Opinions
from lineage.calc.consensus import median_boxes
from lineage.calc.geometry import iou
from lineage.progress import Progress
from lineage.terms import Kind


@dataclass(frozen=True, slots=True)
class Votes:
    """Every opinion, object by object.

    Parameters
    ----------
    unit
        ndarray of int64, shape (n,): the object.
    annotator, class_, kind, attributes, annotation, revision
        ndarrays of int64, shape (n,): as `opinions.Labels` has them.
    """

    unit: np.ndarray
    annotator: np.ndarray
    class_: np.ndarray
    kind: np.ndarray
    attributes: np.ndarray
    annotation: np.ndarray
    revision: np.ndarray


@dataclass(frozen=True, slots=True)
class Objects:
    """What opinions are about, in order of image.

    Parameters
    ----------
    image, n_asked, n_opinions, kind
        ndarrays of int64, shape (n_units,): kind is the one that most gave.
    box
        ndarray of float64, shape (n_units, 4), px: that they agree on; of a single opinion its own; NaN
        for whole-image classes.
    geometry
        `columns.GEOMETRY` of n_units.
    iou_median
        ndarray of float64, shape (n_units,): of each two opinions; NaN without two places.
    """

    image: np.ndarray
    n_asked: np.ndarray
    n_opinions: np.ndarray
    kind: np.ndarray
    box: np.ndarray
    geometry: pa.Array
    iou_median: np.ndarray


@dataclass(frozen=True, slots=True)
class Gathered:
    """What `collected` returns: the objects, the opinions on them, and how these differ."""

    objects: Objects
    votes: Votes
    disputes: Disputes | None


def collected(opinions: Opinions, threshold: Threshold, progress: Progress) -> Gathered:
    """Gather all opinions by object, block by block.

    Parameters
    ----------
    opinions
        Of one scope.
    threshold
        When two labels are of one object.
    progress
        Told of the images.
    """
    objects, votes, disputed = [], [], []
    n_images, n_done, n_units = len(np.unique(opinions.answers.image)), 0, 0
    for block in opinions.blocks():
        found = gather.gathered(block, threshold)
        own = _objects(found, opinions.words.kinds)
        objects.append(own)
        votes.append(_votes(found, n_units))
        disputed.append(
            disagreements.disputes_of(
                found.said, len(opinions.words.annotators), len(opinions.words.classes)
            )
        )
        n_units += len(own.image)
        n_done += len(np.unique(block.answers.image))
        progress("gather", n_done, n_images)
    if not objects:
        return Gathered(_no_objects(), Votes(*[np.zeros(0, np.int64)] * len(fields(Votes))), None)
    names = [f.name for f in fields(Objects) if f.name != "geometry"]
    return Gathered(
        Objects(
            **{name: np.concatenate([getattr(part, name) for part in objects]) for name in names},
            geometry=pa.concat_arrays([part.geometry for part in objects]),
        ),
        Votes(*(np.concatenate([getattr(p, f.name) for p in votes]) for f in fields(Votes))),
        disagreements.together(disputed),
    )


def _votes(found: Block, n_before: int) -> Votes:
    labels = found.labels
    return Votes(
        found.unit + n_before,
        *(getattr(labels, f.name) for f in fields(Votes) if f.name != "unit"),
    )


def _objects(found: Block, kinds: Sequence[str]) -> Objects:
    labels, unit = found.labels, found.unit
    n_units = int(unit.max(initial=-1)) + 1
    if n_units == 0:
        return _no_objects()
    image = np.zeros(n_units, np.int64)
    image[unit] = labels.image
    kind = _most(unit, labels.kind, n_units, kinds)
    rows = np.flatnonzero(labels.kind == kind[unit])
    a, b, overlap = _overlaps(found, kinds)
    likeness = np.zeros(len(labels))
    same = (labels.kind[a] == labels.kind[b]) & np.isfinite(overlap)
    for side in (a, b):
        likeness += np.bincount(side[same], overlap[same], len(labels))
    chosen = labels.take(rows)
    box, geometry = fused(chosen, unit[rows], likeness[rows], n_units, kinds)
    return Objects(
        image=image,
        n_asked=np.bincount(found.said.unit, minlength=n_units),
        n_opinions=np.bincount(unit, minlength=n_units),
        kind=kind,
        box=box,
        geometry=geometry,
        iou_median=_medians(unit[a], overlap, n_units),
    )


def _most(unit: np.ndarray, kind: np.ndarray, n_units: int, kinds: Sequence[str]) -> np.ndarray:
    """Return the kind that most opinions on each unit have, by its code; of two the first by name."""
    by_name = np.argsort(np.array(kinds, dtype=object), kind="stable")
    n = np.stack([np.bincount(unit[kind == code], minlength=n_units) for code in by_name])
    found: np.ndarray = by_name[n.argmax(axis=0)]
    return found


def _overlaps(found: Block, kinds: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each two opinions on one unit, as rows, and how alike their shapes are."""
    labels, pairs = found.labels, found.pairs
    both = np.flatnonzero((pairs.label_first >= 0) & (pairs.label_second >= 0))
    a, b = pairs.label_first[both], pairs.label_second[both]
    measure = gather.shapes(labels, kinds)
    overlap = iou(labels.box[a], labels.box[b]) if measure is None else measure(a, b)
    lines = kinds.index(Kind.POLYLINE) if Kind.POLYLINE in kinds else -1
    drawn = np.flatnonzero((labels.kind[a] == lines) & (labels.kind[b] == lines))
    if len(drawn):
        overlap[drawn] = line_overlap(labels, a[drawn], b[drawn])
    whole = np.isnan(labels.box[a, 0]) | np.isnan(labels.box[b, 0])
    return a, b, np.where(whole, np.nan, overlap)


def _medians(unit: np.ndarray, overlap: np.ndarray, n_units: int) -> np.ndarray:
    found = np.full(n_units, np.nan)
    rows = np.flatnonzero(np.isfinite(overlap))
    of, at = np.unique(unit[rows], return_inverse=True)
    found[of] = median_boxes(at, overlap[rows, None])[:, 0]
    return found


def _no_objects() -> Objects:
    none = np.zeros(0, np.int64)
    empty = pa.array([], columns.GEOMETRY)
    return Objects(none, none, none, none, np.zeros((0, 4)), empty, np.zeros(0))
