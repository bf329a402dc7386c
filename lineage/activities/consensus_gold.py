"""Gold among the objects of a consensus: what is known of them needs no vote.

An object is known where one of its opinions was declared gold, or where gold that
is no opinion lies on it. Gold holds under the versions of its schema that
`gold_rules.holds` names.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities import gold, gold_rules, precision, schemas
from lineage.activities.consensus_units import Gathered
from lineage.activities.context import Project
from lineage.activities.opinions import Words
from lineage.calc import state
from lineage.calc.assignment import assign
from lineage.calc.geometry import iou, pairs_within
from lineage.labelschema import LabelSchema
from lineage.terms import Kind


def known_of(
    project: Project,
    found: Gathered,
    words: Words,
    standing: tuple[np.ndarray, Sequence[LabelSchema]],
    *,
    seq: int,
    tau: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the objects whose class gold tells, each once, ascending, and those classes.

    Parameters
    ----------
    project
        An open project.
    found
        The objects; images are asset keys.
    words
        Of their codes.
    standing
        As `consensus_rules.decided` has it.
    seq
        Place in the log.
    tau
        Least overlap of gold and an object.
    """
    told = gold.standing(project.ledger, seq)
    code = {name: at for at, name in enumerate(words.classes)}
    told = told.filter(pa.array([name in code for name in told["class"].to_pylist()], pa.bool_()))
    if told.num_rows == 0 or len(found.objects.image) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    class_ = np.array([code[name] for name in told["class"].to_pylist()], np.int64)
    row, unit = _members(found, np.asarray(told["annotation"]))
    laid, on = _laid(project, found, words, told, np.unique(row), unit, tau)
    row, unit = np.concatenate([row, laid]), np.concatenate([unit, on])
    holds = _holds(project, told["schema"].to_pylist(), row, standing[0][unit], standing[1])
    row, unit = row[holds], unit[holds]
    return _agreed(unit, class_[row])


def _members(found: Gathered, annotation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of the gold that is an opinion, and the objects."""
    keys = state.composed(np.concatenate([found.votes.annotation, annotation]))
    n = len(found.votes.annotation)
    at = state.row_of(keys[:n], keys[n:])
    row = np.flatnonzero(at >= 0)
    return row, found.votes.unit[at[row]]


def _laid(
    project: Project,
    found: Gathered,
    words: Words,
    told: pa.Table,
    is_taken: np.ndarray,
    taken: np.ndarray,
    tau: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of the gold that lies on an object without being one of its opinions, and the objects."""
    objects = found.objects
    asset = np.asarray(told["asset"])
    row = np.setdiff1d(np.arange(told.num_rows), is_taken)
    row = row[np.argsort(asset[row], kind="stable")]
    unit = np.setdiff1d(np.flatnonzero(np.isin(objects.image, asset[row])), taken)
    at_unit, at_row = pairs_within(objects.image[unit], asset[row])
    unit, row = unit[at_unit], row[at_row]
    place = precision.of_ledger(project.ledger, np.asarray(told["revision"])[row], columns.BOX)
    box = np.stack([np.asarray(place[name].fill_null(np.nan)) for name in columns.BOX], axis=1)
    overlap = np.nan_to_num(iou(objects.box[unit], box.reshape(-1, 4)))
    near = np.flatnonzero((overlap >= tau) & (overlap > 0))
    whole = words.kinds.index(Kind.CLASS) if Kind.CLASS in words.kinds else -1
    is_whole = np.array([kind == Kind.CLASS for kind in told["kind"].to_pylist()], bool)
    both = np.flatnonzero((objects.kind[unit] == whole) & is_whole[row])
    # several classes of one image are several questions: only where there is one is it the same
    alone = both[_once(unit[both]) & _once(row[both])]
    chosen, _ = assign(unit[near], row[near], overlap[near], close=0.0)
    rows = np.concatenate([near[chosen], alone])
    return row[rows], unit[rows]


def _once(values: np.ndarray) -> np.ndarray:
    _, code, n = np.unique(values, return_inverse=True, return_counts=True)
    found: np.ndarray = n[code] == 1
    return found


def _holds(
    project: Project,
    refs: Sequence[str],
    row: np.ndarray,
    version: np.ndarray,
    versions: Sequence[LabelSchema],
) -> np.ndarray:
    """Tell which gold says what is right under the version of its object."""
    known = {ref: schemas.as_schema(schemas.get(project, ref)) for ref in sorted(set(refs))}
    table = {
        (ref, at): gold_rules.holds(schema, other)
        for ref, schema in known.items()
        for at, other in enumerate(versions)
    }
    return np.array(
        [table[refs[at], v] for at, v in zip(row.tolist(), version.tolist(), strict=True)], bool
    )


def _agreed(unit: np.ndarray, class_: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return objects of which all gold says the same class; gold that contradicts itself tells nothing."""
    units, first, code = np.unique(unit, return_index=True, return_inverse=True)
    odd = np.zeros(len(units), bool)
    odd[code[class_ != class_[first][code]]] = True
    return units[~odd], class_[first][~odd]
