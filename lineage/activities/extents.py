"""Conventions of drawing, class by class: where people put the sides of a box, by habit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from lineage.activities.gather import Block
from lineage.activities.opinions import Words
from lineage.activities.tellings import number
from lineage.calc import conventions
from lineage.calc.conventions import Convention, OffsetTally

Row = dict[str, object]
LEAST_UNITS = 30
"""Objects of disputed extent that a class needs before anything is said of it."""

SIDES = ("left", "top", "right", "bottom")


@dataclass(frozen=True, slots=True)
class Extents:
    """Offsets by class; ``a + b`` is those of both blocks."""

    by_class: Mapping[int, OffsetTally]

    def __add__(self, other: Extents) -> Extents:
        total = dict(self.by_class)
        for class_, tally in other.by_class.items():
            total[class_] = total[class_] + tally if class_ in total else tally
        return Extents(total)


def extents_of(found: Block, words: Words) -> Extents:
    """Tally a block's boxes of the same class on one object."""
    said, n_people = found.said, len(words.annotators)
    drew = np.flatnonzero(said.label >= 0)
    drew = drew[np.isfinite(found.labels.box[said.label[drew], 0])]
    # most objects have one class; a unit of two is two units here
    order = drew[np.lexsort((said.unit[drew], said.value[drew]))]
    values, starts = np.unique(said.value[order], return_index=True)
    tallies = {}
    for class_, rows in zip(values.tolist(), np.split(order, starts)[1:], strict=True):
        tally = conventions.offset_tally(
            said.unit[rows], said.annotator[rows], found.labels.box[said.label[rows]], n_people
        )
        if tally.n_units:
            tallies[class_] = tally
    return Extents(tallies)


def together(parts: Iterable[Extents]) -> Extents:
    """Return the extents of all blocks."""
    total = Extents({})
    for part in parts:
        total = total + part
    return total


def rows_of(found: Extents, words: Words) -> list[Row]:
    """Return a row for each class whose boxes differ in extent often enough, the strongest habit first.

    Returns
    -------
    list of dict
        ``class, n_units`` (objects whose boxes overlap by less than 0.8), ``share, f, p, is_convention``
        and ``camps`` (each ``annotators, n, left, top, right, bottom``: mean offset as a fraction of the
        object's size), see `lineage.calc.conventions`.
    """
    rows = []
    for class_, tally in found.by_class.items():
        if tally.n_units < LEAST_UNITS:
            continue
        told = conventions.convention(tally)
        rows.append(
            {
                "class": words.classes[class_],
                "n_units": tally.n_units,
                "share": number(told.share),
                "f": number(told.f),
                "p": number(told.p),
                "is_convention": told.is_convention,
                "camps": _camps(told, words) if told.is_convention else [],
            }
        )
    return sorted(rows, key=_by_share)


def _by_share(row: Row) -> tuple[float, str]:
    return -float(str(row["share"])), str(row["class"])


def _camps(found: Convention, words: Words) -> list[Row]:
    enough = np.flatnonzero(found.n >= conventions.N_LEAST)
    camp = conventions.camps(found.effect[enough])
    rows: list[Row] = []
    for at in range(int(camp.max(initial=-1)) + 1):
        members = enough[camp == at]
        weight = found.n[members]
        mean = (found.effect[members] * weight[:, None]).sum(axis=0) / weight.sum()
        rows.append(
            {
                "annotators": [words.annotators[person] for person in members.tolist()],
                "n": int(weight.sum()),
                **{side: float(value) for side, value in zip(SIDES, mean, strict=True)},
            }
        )
    return rows
