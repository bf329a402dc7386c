"""What leaves the project: the labels of a version or those that hold, their images, and how far those are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.activities import coverage, position, schemas, trace
from lineage.activities import version as versions
from lineage.activities.context import Project
from lineage.activities.select import Selector, is_word
from lineage.activities.trace import Choice
from lineage.store import read
from lineage.terms import Presence

_ANSWERED = (Presence.LABELLED, Presence.EMPTY)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Labels on their way out.

    Parameters
    ----------
    labels, assets, completeness
        `columns.DATASET`, `columns.DATASET_ASSETS`, `columns.DATASET_COMPLETENESS`.
    empty
        ``asset`` and ``annotator``: who looked at one of these images and drew nothing.
    is_partial
        The choice takes labels out of images: nobody can say from it that an image is complete.
    """

    labels: pa.Table
    assets: pa.Table
    completeness: pa.Table
    empty: pa.Table
    is_partial: bool


def of_version(project: Project, name: str, asked: Choice) -> Outgoing:
    """Return what a dataset version holds, restricted.

    Raises
    ------
    NotFound
        ``no-version``, or a word of the choice that is not on record.
    """
    manifest = versions.get(project, name)
    contents = versions.labels_of(project, name)
    selector = trace.selector_of(project, asked)
    recipe = manifest["recipe"]
    whose = recipe.get("annotators", ()) if isinstance(recipe, dict) else ()
    people = trace.selector_of(project, Choice(annotator=tuple(whose))).annotators
    excluded = {entry["batch"] for entry in contents.excluded}
    roster = _roster(project, selector, int(str(manifest["seq"])), people)
    roster = roster.filter(
        pc.invert(pc.is_in(roster["batch"], pa.array(sorted(excluded), pa.string())))
    )
    passes = _mask(project, contents.labels, selector)
    of_class = _is_in(contents.labels["class"], selector.classes)
    images = contents.assets
    if asked != Choice():
        images = _images(images, contents.labels.filter(pa.array(passes)), roster, selector)
    labels = contents.labels.filter(pa.array(passes & of_class))
    return _outgoing(labels, images, contents.completeness, roster, selector)


def live(project: Project, asked: Choice) -> Outgoing:
    """Return the labels that hold, as a choice has it, on every image that somebody answered for."""
    seq = position.resolve(project, asked.as_of)
    selector = trace.selector_of(project, asked)
    labels = trace.labels(project, selector, seq)
    roster = _roster(project, selector, seq, ())
    facts = trace.asset_facts(project, seq)
    names = facts["name"] if facts.num_rows else pa.chunked_array([], pa.string())
    values = {
        "asset": names,
        "asset_digest": facts["digest"] if facts.num_rows else None,
        "width": facts["width"] if facts.num_rows else None,
        "height": facts["height"] if facts.num_rows else None,
        "n_annotations": 0,
        "split": "",
    }
    batch = columns.batch_of(columns.DATASET_ASSETS, values, len(names))
    images = _images(pa.Table.from_batches([batch]), labels, roster, selector)
    said = trace.completeness(project, selector, seq)
    return _outgoing(labels, images, said, roster, selector)


def schemas_of(project: Project, labels: pa.Table) -> list[dict[str, object]]:
    """Return the documents of the schemas that labels stand under, oldest version first."""
    refs = labels["schema"].cast(pa.string()).unique().to_pylist()
    rows = [schemas.get(project, ref) for ref in refs]
    rows.sort(key=lambda row: (row.name, [int(part) for part in row.version.split(".")]))
    return [dict(row.document) for row in rows]


def _roster(project: Project, selector: Selector, seq: int, people: Sequence[str]) -> pa.Table:
    """Return ``asset`` by name, ``annotator``, ``batch``, ``presence`` of whoever answered."""
    rows = coverage.roster(project.ledger, selector.batches, seq)
    mask = is_word(coverage.one(rows["presence"]), _ANSWERED)
    for chosen in (selector.annotators, people):
        if chosen:
            mask &= is_word(coverage.one(rows["annotator"]), chosen)
    if selector.assets:
        mask &= np.isin(rows["asset"].to_numpy(), selector.assets)
    rows = rows.filter(pa.array(mask))
    facts = trace.asset_facts(project, seq)
    names = pa.array([], pa.string())
    if rows.num_rows:
        at = np.searchsorted(facts["asset"].to_numpy(), rows["asset"].to_numpy())
        names = facts["name"].take(pa.array(at))
    words = {name: rows[name].cast(pa.string()) for name in ("annotator", "batch", "presence")}
    return pa.table({"asset": names, **words})


def _images(images: pa.Table, labels: pa.Table, roster: pa.Table, selector: Selector) -> pa.Table:
    """Return the images that labels stand on, and those looked at where the choice is of images."""
    known = labels["asset"].unique()
    if not _is_of_labels(selector):
        known = pa.concat_arrays([known, roster["asset"].combine_chunks()])
    return images.filter(pc.is_in(images["asset"], value_set=known))


def _outgoing(
    labels: pa.Table,
    images: pa.Table,
    completeness: pa.Table,
    roster: pa.Table,
    selector: Selector,
) -> Outgoing:
    is_partial = _is_of_labels(selector) or bool(selector.annotators)
    here = images["asset"]
    empty = roster.filter(
        pc.and_(pc.is_in(roster["asset"], here), pc.equal(roster["presence"], Presence.EMPTY.value))
    )
    said = completeness.filter(pc.is_in(completeness["asset"], here))
    if selector.batches:
        said = said.filter(pa.array(_is_in(said["batch"], selector.batches)))
    if selector.classes:
        of_class = _is_in(said["class"], selector.classes)
        said = said.filter(pa.array(of_class | said["class"].is_null().to_numpy()))
    if is_partial:
        said = said.slice(0, 0)
    return Outgoing(labels, images, said, empty.select(["asset", "annotator"]), is_partial)


def _is_of_labels(selector: Selector) -> bool:
    """Tell whether a choice takes some labels of an image and leaves others of the same classes."""
    return bool(selector.stages or selector.schemas or selector.since or selector.until)


def _mask(project: Project, labels: pa.Table, selector: Selector) -> np.ndarray:
    """Return which labels pass a choice, its classes aside."""
    mask = np.ones(labels.num_rows, bool)
    words = {name: values for name, values in selector.words().items() if name != "class"}
    for name, values in {**words, "stage": selector.stages}.items():
        mask &= _is_in(labels[name], values)
    if selector.assets:
        with project.store.reading() as connection:
            names = sorted(read.asset_names(connection, selector.assets).values())
        mask &= _is_in(labels["asset"], names)
    moment = labels.schema.field("labelled_at").type
    for bound, holds in ((selector.since, pc.greater_equal), (selector.until, pc.less)):
        if bound is not None:
            is_within = holds(labels["labelled_at"], pa.scalar(bound, moment))
            mask &= np.asarray(is_within.fill_null(False))
    return mask


def _is_in(column: pa.ChunkedArray, values: Sequence[str]) -> np.ndarray:
    if not values:
        return np.ones(len(column), bool)
    listed = pa.array(list(values), pa.string())
    return np.asarray(pc.is_in(column.cast(pa.string()), value_set=listed))
