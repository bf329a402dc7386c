"""Suspects where only a gold set was evaluated: through the classes and folders that it shares with the labels."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.activities.isolate_labels import DIMENSIONS, Labels
from lineage.activities.isolate_report import Suspect
from lineage.calc.bridge import BridgeSuspect, Cells, bridge_rank
from lineage.calc.slices import Attribute

_LEAST_GOLD = 3
_LEAST_CELLS = 3
_FOLDER = r"/?[^/]*$"


def suspects_of(
    labels: Labels, outcomes: pa.Table, outcome: np.ndarray, n_top: int
) -> tuple[list[Suspect], list[str]]:
    """Return slices whose changed labels lie where a gold set lost.

    Parameters
    ----------
    labels
        Both versions'.
    outcomes
        `columns.OUTCOMES`, of gold: ``asset`` and ``class``.
    outcome
        ndarray of float64, shape (n,): error of the bad run less that of the good one.
    n_top
        Suspects to tell of.

    Returns
    -------
    tuple
        Suspects, none of them evidence, and notes.

    Notes
    -----
    A cell is a class in a folder of images; where too few folders hold both gold and labels, a class.
    """
    kept = np.flatnonzero(np.isfinite(outcome) & outcomes["class"].is_valid().to_numpy())
    gold = outcomes.take(pa.array(kept))
    names = gold["class"].cast(pa.string()).combine_chunks()
    classes = [
        *labels.words["class"],
        *sorted(set(names.unique().to_pylist()) - set(labels.words["class"])),
    ]
    of_class = (
        labels.codes["class"].astype(np.int64),
        np.asarray(pc.index_in(names, value_set=pa.array(classes, pa.string()))).astype(np.int64),
    )
    cells = _cells(of_class, _contexts(labels, gold), outcome[kept], len(classes))
    has_folders = _n_told(cells) >= _LEAST_CELLS
    if not has_folders:
        nowhere = (np.zeros(len(labels.asset), np.int64), np.zeros(len(gold), np.int64))
        cells = _cells(of_class, nowhere, outcome[kept], len(classes))
    attributes = [
        Attribute(name, labels.codes[name], len(labels.words[name]))
        for name in DIMENSIONS
        if len(np.unique(labels.codes[name][labels.is_changed])) > 1
    ]
    found = bridge_rank(cells, labels.is_changed, attributes, n_first=n_top)
    n_here = int(pc.sum(pc.is_in(gold["asset"].cast(pa.string()), labels.assets)).as_py() or 0)
    where = "classes in folders" if has_folders else "classes alone"
    notes = [
        f"weak evidence: a gold set does not say whose labels it stands for ({n_here:,} of {len(gold):,} "
        f"outcomes are of images of the two versions); suspects are known by {where} that they share with "
        "it, and predictions on the training images would tell much more",
    ]
    likely = [one for one in found if one.gain > 0]
    if not likely:
        notes.append("no slice lies where the gold set lost rather than elsewhere: not even a hint")
    return [_suspect(one, labels) for one in likely], notes


def _suspect(one: BridgeSuspect, labels: Labels) -> Suspect:
    named = zip(one.slice.attributes, one.slice.values, strict=True)
    return Suspect(
        rank=0,
        slice={name: labels.words[name][value] for name, value in named},
        n_changed=one.n_changed,
        gain=one.gain,
        effect=math.nan,
        effect_lo=math.nan,
        share_explained=math.nan,
        aliases=(),
        step=1,
        is_evidence=False,
        check=(),
        controls=(),
        predicate=None,
    )


def _cells(
    class_: tuple[np.ndarray, np.ndarray],
    context: tuple[np.ndarray, np.ndarray],
    outcome: np.ndarray,
    n_classes: int,
) -> Cells:
    """Return the cells in which gold lies; labels elsewhere are of a cell of their class without gold."""
    keys = [one * n_classes + of for one, of in zip(context, class_, strict=True)]
    known, of_gold = np.unique(keys[1], return_inverse=True)
    at = np.minimum(np.searchsorted(known, keys[0]), max(len(known) - 1, 0))
    of_label = len(known) + class_[0]
    if len(known):
        of_label = np.where(known[at] == keys[0], at, of_label)
    class_code = np.concatenate([known % n_classes, np.arange(n_classes)])
    return Cells(of_label, of_gold, outcome, class_code)


def _n_told(cells: Cells) -> int:
    """Return in how many cells there are labels and enough gold."""
    n_cells = len(cells.class_code)
    n_labels = np.bincount(cells.of_label, minlength=n_cells)
    n_gold = np.bincount(cells.of_gold, minlength=n_cells)
    return int(((n_labels > 0) & (n_gold >= _LEAST_GOLD)).sum())


def _contexts(labels: Labels, gold: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Return the folder of each label's and each gold object's image, as numbers that both share."""
    of_assets = pc.replace_substring_regex(labels.assets, _FOLDER, "")
    told = gold["asset"].cast(pa.string()).combine_chunks().fill_null("")
    of_gold = pc.replace_substring_regex(told, _FOLDER, "")
    known = pa.concat_arrays([of_assets, of_gold]).unique()
    codes = [
        np.asarray(pc.index_in(some, value_set=known)).astype(np.int64)
        for some in (of_assets, of_gold)
    ]
    return codes[0][labels.asset], codes[1]
