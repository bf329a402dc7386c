"""Units of `isolate`: labels, or images and classes, each with its outcome and the label whose provenance it has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.activities.isolate_labels import DIMENSIONS, Labels
from lineage.calc.slices import Attribute
from lineage.calc.suspects import Units

_BY_WORTH = (
    "annotator",
    "batch",
    "class",
    "week",
    "schema",
    "reviewer",
    "vendor",
    "tool",
    "stage",
)


@dataclass(frozen=True, slots=True)
class Joined:
    """Outcomes, found again among the labels.

    Parameters
    ----------
    outcome
        ndarray of float64, shape (n,).
    row
        ndarray of int64, shape (n,): the label whose provenance a unit has, -1 for an image and class
        without any.
    class_code, classes
        ndarray of int64, shape (n,), and what it stands for.
    asset
        ndarray of int64, shape (n,): code of the image.
    is_changed
        ndarray of bool, shape (n,).
    n_changed
        Changed units of the versions, with an outcome or without.
    n_elsewhere
        Outcomes of what neither version has.
    is_by_label
        Whether units are labels.
    """

    outcome: np.ndarray
    row: np.ndarray
    class_code: np.ndarray
    classes: list[str]
    asset: np.ndarray
    is_changed: np.ndarray
    n_changed: int
    n_elsewhere: int
    is_by_label: bool

    def __len__(self) -> int:
        return len(self.outcome)

    @property
    def word(self) -> str:
        """What units are, in the plural."""
        return "labels" if self.is_by_label else "images and classes"

    def shared(self, labels: Labels) -> dict[str, str]:
        """Return what all changed units have in common, where something else would be possible."""
        row = self.row[self.is_changed & (self.row >= 0)]
        found = {}
        for name in DIMENSIONS:
            code = np.unique(labels.codes[name][row])
            n_words = len(np.unique(labels.codes[name]))
            if len(code) == 1 and n_words > 1:
                found[name] = labels.words[name][int(code[0])]
        return found

    def attributes(self, labels: Labels, *, is_whole: bool = False) -> tuple[Attribute, ...]:
        """Return what units can be sliced by: dimensions that tell some changed unit from another.

        With ``is_whole`` those that tell any unit from another, the most telling ones first.
        """
        found = []
        for name in _BY_WORTH if is_whole else DIMENSIONS:
            code = np.where(self.row >= 0, labels.codes[name][self.row], -1)
            n_words = len(labels.words[name])
            if name == "class":
                code, n_words = self.class_code, len(self.classes)
            # what all changed units share is in no way theirs
            if len(np.unique(code if is_whole else code[self.is_changed])) > 1:
                found.append(Attribute(name, code, n_words))
        return tuple(found)

    def units(self, labels: Labels, *, is_whole: bool = False) -> Units:
        """Return the arrays that are ranked, by the attributes of `attributes`."""
        _, cluster = np.unique(self.asset, return_inverse=True)
        return Units(
            self.outcome,
            self.is_changed,
            self.class_code,
            len(self.classes),
            self.attributes(labels, is_whole=is_whole),
            cluster,
        )


def by_label(labels: Labels, outcomes: pa.Table, outcome: np.ndarray) -> Joined:
    """Find outcomes of labels again among those of the bad run's version.

    Parameters
    ----------
    labels
        Both versions'.
    outcomes
        `columns.OUTCOMES`.
    outcome
        ndarray of float64, shape (n,): what is to be explained; rows where it is NaN are left out.
    """
    kept = np.flatnonzero(np.isfinite(outcome))
    found = labels.rows_of(outcomes["annotation"].to_numpy()[kept])
    is_here = found >= 0
    row = found[is_here]
    return Joined(
        outcome=outcome[kept][is_here],
        row=row,
        class_code=labels.codes["class"][row].astype(np.int64),
        classes=list(labels.words["class"]),
        asset=labels.asset[row],
        is_changed=labels.is_changed[row],
        n_changed=int(labels.is_changed[: labels.n_live].sum()),
        n_elsewhere=int((~is_here).sum()),
        is_by_label=True,
    )


def by_image(labels: Labels, outcomes: pa.Table, outcome: np.ndarray) -> Joined:
    """Find outcomes of images and classes again among those of either version.

    Parameters
    ----------
    labels, outcomes, outcome
        As of `by_label`.

    Notes
    -----
    A unit has changed where any label of its class on its image has, came, went, or became another class;
    it has the provenance of the first such label, or else of its first label.
    """
    classes = list(labels.words["class"])
    told = outcomes["class"].cast(pa.string()).combine_chunks()
    former = labels.changes["class_from"].cast(pa.string()).unique().to_pylist()
    classes += sorted({*told.unique().to_pylist(), *former} - {None, *classes})
    row, key, is_changed = _first_labels(labels, classes)
    asset = np.asarray(
        pc.index_in(outcomes["asset"].cast(pa.string()), value_set=labels.assets).fill_null(-1)
    ).astype(np.int64)
    class_code = np.asarray(pc.index_in(told, value_set=pa.array(classes, pa.string()))).astype(
        np.int64
    )
    is_told = np.isfinite(outcome)
    kept = np.flatnonzero(is_told & (asset >= 0))
    wanted = asset[kept] * len(classes) + class_code[kept]
    at = np.minimum(np.searchsorted(key, wanted), max(len(key) - 1, 0))
    has_label = key[at] == wanted if len(key) else np.zeros(len(wanted), bool)
    return Joined(
        outcome=outcome[kept],
        row=np.where(has_label, row[at], -1) if len(key) else np.full(len(kept), -1),
        class_code=class_code[kept],
        classes=classes,
        asset=asset[kept],
        is_changed=is_changed[at] & has_label if len(key) else has_label,
        n_changed=int(is_changed.sum()),
        n_elsewhere=int((is_told & (asset < 0)).sum()),
        is_by_label=False,
    )


def _first_labels(labels: Labels, classes: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, per image and class that has any, the label that speaks for it, their key, and whether it changed."""
    changes = labels.changes.filter(labels.changes["is_reclassed"])
    left = labels.rows_of(changes["annotation"].to_numpy())
    was = changes["class_from"].cast(pa.string())
    former = np.asarray(pc.index_in(was, value_set=pa.array(classes, pa.string()))).astype(np.int64)
    row = np.concatenate([np.arange(len(labels.annotation)), left])
    class_ = np.concatenate([labels.codes["class"].astype(np.int64), former])
    key = labels.asset[row] * len(classes) + class_
    order = np.lexsort((row, ~labels.is_changed[row], key))
    first = np.flatnonzero(np.diff(key[order], prepend=-1))
    order = order[first]
    return row[order], key[order], labels.is_changed[row[order]]
