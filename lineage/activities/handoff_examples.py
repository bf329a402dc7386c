"""Gold to show in a hand-off: a few labels of each class and edge case, and their crops.

What is shown is no test any more. So nothing is shown that was drawn as hidden gold,
half of the images of each class and edge case are left for that, and what is shown
goes on record, for no later draw to hide it (`gold_draw`).
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import gold, gold_rules, precision, schemas
from lineage.activities.context import Project
from lineage.activities.report_objects import content_of, files_of
from lineage.activities.select import is_word
from lineage.calc.geometry import rotated_corners
from lineage.labelschema import LabelSchema
from lineage.pages.crops import Frame, frame_of
from lineage.store import read
from lineage.store.read import BatchRow
from lineage.terms import DrawReason, Kind

MOST_EXAMPLES = 3
"""Of a class or an edge case."""

_LONGER_SIDE_PX = 480
_LINE_PX = 3
_COLOUR, _UNDER = (230, 159, 0), (0, 0, 0)

Cell = tuple[str, str | None]
"""A class and its edge case, None for ordinary objects."""


@dataclass(frozen=True, slots=True)
class Example:
    """A gold label that is shown.

    Parameters
    ----------
    class_, edge_case
        For which it stands.
    annotation, revision, asset
        In the ledger.
    image
        Name of the asset.
    kind, box
        Its geometry; box in px, None for a class of the whole image.
    rings
        Its outline as ``[x0, y0, ...]``, px.
    attributes
        JSON as text.
    is_new
        It is not on record as an example yet.
    """

    class_: str
    edge_case: str | None
    annotation: int
    revision: int
    asset: int
    image: str
    kind: str
    box: Sequence[float] | None
    rings: Sequence[Sequence[float]]
    attributes: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Examples:
    """What is shown, what has no example, and the images that are hidden gold (by name)."""

    shown: Sequence[Example]
    without: Sequence[Cell]
    hidden: Sequence[str]


def examples_of(project: Project, row: BatchRow, schema: LabelSchema, seq: int) -> Examples:
    """Choose the gold that is shown: the same as long as the gold and its draws are the same.

    Parameters
    ----------
    project
        An open project.
    row
        The batch.
    schema
        Its label schema.
    seq
        Place in the log.
    """
    told = _gold_of(project, row, schema, seq)
    hidden, marked = _drawn(project, seq)
    asset = np.asarray(told["asset"])
    is_hidden = np.isin(asset, hidden)
    free = told.filter(pa.array(~is_hidden))
    rows = {name: free[name].to_pylist() for name in ("class", "edge_case", "revision", "asset")}
    chosen = _chosen(rows, cells_of(schema), marked)
    at = [place for places in chosen.values() for place in places]
    with project.store.reading() as connection:
        names = read.asset_names(
            connection, {*asset[is_hidden].tolist(), *free["asset"].to_pylist()}
        )
    shown = _examples(project, free.take(pa.array(at, pa.int64())), names, marked)
    return Examples(
        shown,
        [cell for cell, places in chosen.items() if not places],
        sorted({names[key] for key in asset[is_hidden].tolist()}),
    )


def cells_of(schema: LabelSchema) -> list[Cell]:
    """Return the classes and edge cases of a schema, in its order."""
    return [
        (class_, case)
        for class_ in schema.classes
        for case in (None, *gold_rules.cases_of(schema, class_))
    ]


def pictures_of(
    project: Project, examples: Sequence[Example], images: Path | None
) -> dict[int, bytes]:
    """Return, per revision, a PNG of what is around it with its outline drawn; where there is a file.

    Parameters
    ----------
    project
        An open project.
    examples
        What is shown.
    images
        A folder to look in first.
    """
    names = sorted({each.image for each in examples})
    with project.store.reading() as connection:
        facts = read.asset_facts(connection, {each.asset for each in examples})
    files = files_of(project.root, images, names)
    found: dict[int, bytes] = {}
    for each in examples:
        digest = facts.get(each.asset, {}).get("digest")
        content = content_of(files.get(each.image), digest)
        picture = None if content is None else drawn(content, each.rings)
        if picture is not None:
            found[each.revision] = picture
    return found


def drawn(content: bytes, rings: Sequence[Sequence[float]]) -> bytes | None:
    """Return a PNG of the part of an image around outlines, with the outlines; None for no image.

    Parameters
    ----------
    content
        Bytes of an image file.
    rings
        As `Example.rings`; none shows the whole image.
    """
    from PIL import Image, ImageDraw, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as whole:
            frame = frame_of(rings, whole.size)
            if frame.x_min >= whole.size[0] or frame.y_min >= whole.size[1]:
                return None
            part = whole.convert("RGB").crop((frame.x_min, frame.y_min, frame.x_max, frame.y_max))
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return None
    scale = _LONGER_SIDE_PX / max(part.size)
    part = part.resize((max(round(part.width * scale), 1), max(round(part.height * scale), 1)))
    pen = ImageDraw.Draw(part)
    for ring in rings:
        line = _line(ring, frame, scale)
        pen.line(line, fill=_UNDER, width=_LINE_PX + 2, joint="curve")
        pen.line(line, fill=_COLOUR, width=_LINE_PX, joint="curve")
    out = io.BytesIO()
    part.save(out, "PNG")
    return out.getvalue()


def _line(ring: Sequence[float], frame: Frame, scale: float) -> list[tuple[float, float]]:
    points = [
        ((x - frame.x_min) * scale, (y - frame.y_min) * scale)
        for x, y in zip(ring[0::2], ring[1::2], strict=True)
    ]
    return [*points, points[0]]


def _gold_of(project: Project, row: BatchRow, schema: LabelSchema, seq: int) -> pa.Table:
    """Return the gold that holds for a batch: of its task, under its schema version."""
    told = gold.standing(project.ledger, seq)
    with project.store.reading() as connection:
        tasks = {batch.tag: batch.task for batch in read.batches(connection)}
    refs = told["schema"].unique().to_pylist()
    holding = {
        ref
        for ref in refs
        if gold_rules.holds(schemas.as_schema(schemas.get(project, ref)), schema)
    }
    fits = [
        ref in holding and tasks[tag] == row.task
        for ref, tag in zip(told["schema"].to_pylist(), told["batch"].to_pylist(), strict=True)
    ]
    return told.filter(pa.array(fits, pa.bool_()))


def _drawn(project: Project, seq: int) -> tuple[np.ndarray, set[int]]:
    """Return the assets drawn as hidden gold, and the revisions shown as examples."""
    hidden, marked = [np.zeros(0, np.int64)], set()
    for rows in project.ledger.scan("draws", ("asset", "revision", "reason"), up_to=seq):
        hidden.append(np.asarray(rows["asset"])[is_word(rows["reason"], [DrawReason.GOLD])])
        is_example = pa.array(is_word(rows["reason"], [DrawReason.EXAMPLE]))
        marked.update(rows["revision"].filter(is_example).to_pylist())
    return np.unique(np.concatenate(hidden)), marked


def _chosen(
    rows: Mapping[str, Sequence[object]], cells: Sequence[Cell], marked: set[int]
) -> dict[Cell, list[int]]:
    """Return, per class and edge case, rows on images of their own, the rarest cells first.

    What was shown before is shown again, then what is on images that are shown anyway: every image that
    is shown is lost to hidden gold.
    """
    of_cell: dict[Cell, list[int]] = {cell: [] for cell in cells}
    for at, cell in enumerate(zip(rows["class"], rows["edge_case"], strict=True)):
        if cell in of_cell:
            of_cell[cell].append(at)
    revision, asset = rows["revision"], rows["asset"]
    used = {asset[at] for at in range(len(revision)) if revision[at] in marked}
    found: dict[Cell, list[int]] = {}
    for cell in sorted(cells, key=lambda each: len({asset[at] for at in of_cell[each]})):
        places = of_cell[cell]
        again = {asset[at] for at in places if revision[at] in marked}
        n_images = len({asset[at] for at in places})
        most = min(MOST_EXAMPLES, max(len(again), -(-n_images // 2)))
        taken: dict[object, int] = {}
        for at in sorted(places, key=lambda at: _rank(revision[at], asset[at], marked, used)):
            taken.setdefault(asset[at], at)
        # in one order whether they are shown for the first time or again
        found[cell] = sorted(list(taken.values())[:most], key=lambda at: int(str(revision[at])))
        used |= {asset[at] for at in found[cell]}
    return {cell: found[cell] for cell in cells}


def _rank(
    revision: object, asset: object, marked: set[int], used: set[object]
) -> tuple[bool, bool, int]:
    return revision not in marked, asset not in used, int(str(revision))


def _examples(
    project: Project, chosen: pa.Table, names: Mapping[int, str], marked: set[int]
) -> list[Example]:
    wanted = (*columns.BOX, "geometry", "attributes")
    drawn_as = precision.of_ledger(project.ledger, np.asarray(chosen["revision"]), wanted)
    said = zip(chosen.to_pylist(), drawn_as.to_pylist(), strict=True)
    return [
        Example(
            class_=told["class"],
            edge_case=told["edge_case"],
            annotation=told["annotation"],
            revision=told["revision"],
            asset=told["asset"],
            image=names[told["asset"]],
            kind=told["kind"],
            box=None if own["x_min"] is None else [own[name] for name in columns.BOX],
            rings=rings_of_row(told["kind"], own),
            attributes=own["attributes"],
            is_new=told["revision"] not in marked,
        )
        for told, own in said
    ]


def rings_of_row(kind: str, own: Mapping[str, object]) -> list[list[float]]:
    """Return a label's outline; of a mask, a line or a skeleton its box."""
    geometry = own["geometry"]
    if kind == Kind.POLYGON and isinstance(geometry, list):
        return [list(part) for part in geometry]
    if kind == Kind.ROTATED_BOX and isinstance(geometry, list):
        corners = rotated_corners(*(np.array([value]) for value in geometry[0]))
        return [corners[0].ravel().tolist()]
    if own["x_min"] is None:
        return []
    x_min, y_min, x_max, y_max = (float(str(own[name])) for name in columns.BOX)
    return [[x_min, y_min, x_max, y_min, x_max, y_max, x_min, y_max]]
