"""Tables of outcomes, where the evaluating was done elsewhere: errors of two runs, or disagreement with labels.

``asset, class, good, bad`` by image and class, ``annotation, good, bad`` by label, ``annotation, disagrees`` by
label, as CSV or Parquet; errors and disagreement in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.errors import BadInput
from lineage.formats.predictions.cells import Cells, blocks, opened
from lineage.formats.refusals import Refusals

VALUES = ("good", "bad", "disagrees")
_KEYS = ("annotation", "asset", "class")
_HINT = "asset, class, good, bad; or annotation, good, bad; or annotation, disagrees"


@dataclass(frozen=True, slots=True)
class Told:
    """A bounded piece of a table of outcomes: batches of `columns.OUTCOMES` and `columns.VIOLATIONS`."""

    outcomes: pa.RecordBatch
    violations: pa.RecordBatch


def is_outcomes(path: Path) -> bool:
    """Tell whether a table states outcomes itself rather than predictions."""
    names = set(opened(path).columns)
    return "disagrees" in names or {"good", "bad"} <= names


def read(
    path: Path,
    *,
    asset_of: Callable[[str], str | None],
    annotations: np.ndarray,
) -> Iterator[Told]:
    """Read a table of outcomes.

    Parameters
    ----------
    path
        CSV or Parquet.
    asset_of
        Gives an image's name, None where there is no such image.
    annotations
        ndarray of int64: annotation numbers of the versions.

    Raises
    ------
    BadInput
        ``outcomes-columns``: it lacks what tells units or errors; ``unreadable-table``, ``not-utf8``.
    """
    source = opened(path)
    names = list(source.columns)
    values = _values(names, path)
    by_label = "annotation" in names
    refusals = Refusals(str(path))
    seen: set[object] = set()
    known = np.unique(annotations)
    wanted = [name for name in (*_KEYS, *values) if name in names]
    numbers = [name for name in wanted if name not in ("asset", "class")]
    for cells in blocks(source, wanted, numbers, refusals):
        told = {name: cells.numbers(name) for name in values}
        for name, column in told.items():
            cells.refuse(np.isnan(column), "empty", name, "a number in [0, 1]")
            is_outside = ~((column >= 0) & (column <= 1))
            cells.refuse(is_outside, "not-a-fraction", name, "a number in [0, 1]")
        asset, class_ = cells.words("asset"), cells.words("class")
        unit: Sequence[object]
        if by_label:
            annotation = cells.numbers("annotation")
            is_known = np.isin(annotation, known)
            cells.refuse(~is_known, "unknown-annotation", "annotation", "one of the two versions")
            unit = annotation.tolist()
        else:
            annotation = None
            asset = [None if name is None else asset_of(name) for name in asset]
            is_unknown = np.array([name is None for name in asset], bool)
            cells.refuse(is_unknown, "unknown-image", "asset", "an image of the two versions")
            is_nameless = np.array([name is None for name in class_], bool)
            cells.refuse(is_nameless, "empty", "class", "the name of a class")
            unit = list(zip(asset, class_, strict=True))
        _refuse_repeats(cells, unit, seen, "annotation" if by_label else "asset")
        kept = np.flatnonzero(~cells.is_bad)
        found: dict[str, object] = {name: column[kept] for name, column in told.items()}
        found["asset"] = [asset[at] for at in kept.tolist()]
        found["class"] = [class_[at] for at in kept.tolist()]
        if annotation is not None:
            found["annotation"] = annotation[kept].astype(np.int64)
        yield Told(columns.batch_of(columns.OUTCOMES, found, len(kept)), refusals.take())
    if refusals.rows:
        yield Told(columns.empty(columns.OUTCOMES), refusals.take())


def _values(names: Sequence[str], path: Path) -> list[str]:
    has_unit = "annotation" in names or {"asset", "class"} <= set(names)
    values = [name for name in VALUES if name in names]
    if not has_unit or not values or values in (["good"], ["bad"]):
        raise BadInput(
            "outcomes-columns",
            f"found the columns {list(names)[:12]}, expected what names a unit and its errors",
            hint=_HINT,
            where=str(path),
        )
    return values


def _refuse_repeats(cells: Cells, unit: Sequence[object], seen: set[object], name: str) -> None:
    """Refuse rows of a unit that had one before."""
    is_repeat = np.zeros(len(unit), bool)
    for at in np.flatnonzero(~cells.is_bad).tolist():
        is_repeat[at] = unit[at] in seen
        seen.add(unit[at])
    cells.refuse(is_repeat, "duplicate", name, "one row a unit")
