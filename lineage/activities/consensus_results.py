"""Labels that a consensus found, as rows of the ledger, each with what it was derived from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.activities.consensus_rules import Decided, Reason, words_of_reason
from lineage.activities.consensus_units import Objects, Votes
from lineage.identity import canonical_json
from lineage.terms import Origin

_FLAGS = {words_of_reason(one)[0]: int(one) for one in Reason}
_MIX = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


@dataclass(frozen=True, slots=True)
class Bases:
    """What labels rest on.

    Parameters
    ----------
    revision
        ndarray of int64, shape (m,): of opinions, label by label, ascending within each.
    n_each
        ndarray of int64, shape (n,): how many each label has.
    reason
        ndarray of int64, shape (n,): `Reason` flags.
    """

    revision: np.ndarray
    n_each: np.ndarray
    reason: np.ndarray

    @property
    def bounds(self) -> np.ndarray:
        """Where the revisions of each label begin, and the end."""
        return np.concatenate([[0], np.cumsum(self.n_each)])

    def digest(self) -> np.ndarray:
        """Return one number for each label that is equal where opinions and reasons are."""
        with np.errstate(over="ignore"):
            mixed = _mixed(self.revision.astype(np.uint64))
            total = np.concatenate([[np.uint64(0)], np.cumsum(mixed, dtype=np.uint64)])
            bounds = self.bounds
            own = total[bounds[1:]] - total[bounds[:-1]]
            found: np.ndarray = _mixed(own ^ self.reason.astype(np.uint64))
        return found


def bases_of(extras: pa.ChunkedArray) -> Bases:
    """Return what labels on record rest on, as their derivations tell."""
    revisions: list[int] = []
    n_each: list[int] = []
    reason: list[int] = []
    for chunk in extras.chunks:
        for text in chunk:
            told = json.loads(text.as_py() or "{}")
            derived = told.get("derived_from", ())
            revisions.extend(derived)
            n_each.append(len(derived))
            reason.append(sum(_FLAGS.get(word, 0) for word in told.get("reasons", ())))
    return Bases(*(np.array(values, np.int64) for values in (revisions, n_each, reason)))


@dataclass(frozen=True, slots=True)
class Results:
    """What a consensus found for one batch.

    Parameters
    ----------
    unit
        ndarray of int64, shape (n,): objects that get a label.
    rows
        `columns.REVISIONS` of them, but for numbers, stage, derivation and who.
    bases
        What they rest on.
    posterior, iou_median
        ndarrays of float64, shape (n,).
    n_asked
        ndarray of int64, shape (n,).
    """

    unit: np.ndarray
    rows: Mapping[str, object]
    bases: Bases
    posterior: np.ndarray
    iou_median: np.ndarray
    n_asked: np.ndarray

    def take(self, at: np.ndarray) -> Mapping[str, object]:
        """Return the rows of some, with their derivations as canonical JSON."""
        found: dict[str, object] = {}
        for name, values in self.rows.items():
            if isinstance(values, np.ndarray):
                found[name] = values[at]
            elif isinstance(values, pa.Array):
                found[name] = values.take(pa.array(at))
            else:
                found[name] = values
        bounds = self.bases.bounds
        found["extra"] = [self._derivation(row, bounds) for row in at.tolist()]
        return found

    def _derivation(self, row: int, bounds: np.ndarray) -> str:
        iou = float(self.iou_median[row])
        told = {
            "derived_from": self.bases.revision[bounds[row] : bounds[row + 1]].tolist(),
            "posterior": round(float(self.posterior[row]), 6),
            "n_opinions": int(self.bases.n_each[row]),
            "n_asked": int(self.n_asked[row]),
            "iou_median": None if np.isnan(iou) else round(iou, 4),
            "reasons": words_of_reason(int(self.bases.reason[row])),
        }
        return canonical_json(told).decode()


def results(
    objects: Objects,
    votes: Votes,
    found: Decided,
    chosen: np.ndarray,
    words: Mapping[str, list[str]],
) -> Results:
    """Return the labels of some objects, ascending.

    Parameters
    ----------
    objects, votes, found
        What was gathered and decided.
    chosen
        ndarray of int64: the objects, of those that are written.
    words
        What the codes of ``class``, ``kind`` and ``attributes`` stand for.
    """
    order = np.lexsort(
        (
            *objects.box[chosen].T[::-1],
            _rank(words["class"])[found.class_[chosen]],
            objects.image[chosen],
        )
    )
    unit = chosen[order]
    rows: dict[str, object] = {
        "asset": objects.image[unit],
        "class": words_of(found.class_[unit], words["class"]),
        "kind": words_of(objects.kind[unit], words["kind"]),
        "attributes": words_of(found.attributes[unit], words["attributes"]),
        "geometry": objects.geometry.take(pa.array(unit)),
        "origin": Origin.CONSENSUS.value,
    }
    for side, name in enumerate(columns.BOX):
        own = objects.box[unit, side]
        rows[name] = pa.array(own, mask=np.isnan(own))
    return Results(
        unit,
        rows,
        _bases(unit, votes, found.reason[unit]),
        posterior=found.posterior[unit],
        iou_median=objects.iou_median[unit],
        n_asked=objects.n_asked[unit],
    )


def _bases(unit: np.ndarray, votes: Votes, reason: np.ndarray) -> Bases:
    place = np.full(int(votes.unit.max(initial=-1)) + 1, -1, np.int64)
    place[unit] = np.arange(len(unit))
    at = place[votes.unit]
    rows = np.flatnonzero(at >= 0)
    rows = rows[np.lexsort((votes.revision[rows], at[rows]))]
    return Bases(votes.revision[rows], np.bincount(at[rows], minlength=len(unit)), reason)


def _mixed(values: np.ndarray) -> np.ndarray:
    """Return 64-bit numbers scattered over all others (splitmix64), so that sums of few do not meet."""
    found = values + np.uint64(_MIX[0])
    found = (found ^ (found >> np.uint64(30))) * np.uint64(_MIX[1])
    found = (found ^ (found >> np.uint64(27))) * np.uint64(_MIX[2])
    mixed: np.ndarray = found ^ (found >> np.uint64(31))
    return mixed


def _rank(words: Sequence[str]) -> np.ndarray:
    rank = np.empty(len(words), np.int64)
    rank[np.argsort(np.array(words, dtype=object), kind="stable")] = np.arange(len(words))
    return rank


def words_of(codes: np.ndarray, words: Sequence[str]) -> pa.DictionaryArray:
    """Return codes as the words that they stand for."""
    return pa.DictionaryArray.from_arrays(
        pa.array(codes.astype(np.int32)), pa.array(words, pa.string())
    )
