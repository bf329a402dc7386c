"""Predictions on their way into a batch: names looked up, numbers checked, the rest refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.formats.predictions.known import Key, Known
from lineage.formats.refusals import Refusals
from lineage.terms import Kind

CHUNK_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Found:
    """A bounded piece of a file of predictions.

    Parameters
    ----------
    predictions, violations
        Batches of `columns.PREDICTIONS` and `columns.VIOLATIONS`.
    images
        Names of the images that the file says were looked at, found on them or not; those of
        ``predictions`` are among them.
    """

    predictions: pa.RecordBatch
    violations: pa.RecordBatch
    images: frozenset[str]


@dataclass(frozen=True, slots=True)
class Rows:
    """Predictions as a file has them.

    Parameters
    ----------
    image, class_
        What stands for each one's image and class.
    box
        ndarray of float64, shape (n, 4): corners in px; NaN where the prediction has no place.
    score
        ndarray of float64, shape (n,).
    position
        ndarray of int64, shape (n,): place in the file.
    path
        Of a row's parts in a violation: ``image``, ``class``, ``box``, ``score`` to a JSON pointer.
    kind
        One for all, or a column.
    geometry
        Column of the geometry, where there is any.
    file
        Of each within a folder, where the source is one.
    """

    image: Sequence[Key]
    class_: Sequence[Key]
    box: np.ndarray
    score: np.ndarray
    position: np.ndarray
    path: Mapping[str, str]
    kind: str | pa.Array = Kind.BOX.value
    geometry: pa.Array | None = None
    file: Sequence[str] | None = None


@dataclass(slots=True)
class Draft:
    """What holds for a whole file while its predictions go by.

    Parameters
    ----------
    source
        The file, for violations.
    known
        What may be named.
    first_class
        Number of the first class, `Known.first_number`.
    """

    source: str
    known: Known
    first_class: int | None = None
    refusals: Refusals = field(init=False)
    _assets: dict[Key, str | None] = field(init=False, default_factory=dict)
    _classes: dict[Key, str | None] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.refusals = Refusals(self.source)

    def asset_of(self, key: Key) -> str | None:
        """Return the image that ``key`` means, looked up once."""
        if key not in self._assets:
            self._assets[key] = self.known.asset_of(key)
        return self._assets[key]

    def class_of(self, key: Key) -> str | None:
        """Return the class that ``key`` means, looked up once."""
        if key not in self._classes:
            self._classes[key] = self.known.class_of(key, self.first_class)
        return self._classes[key]

    def found(self, rows: Rows, images: Sequence[str] = ()) -> Found:
        """Return rows as a piece; what cannot be one is refused, each with its first problem."""
        asset = [self.asset_of(key) for key in rows.image]
        class_ = [self.class_of(key) for key in rows.class_]
        with np.errstate(invalid="ignore"):
            is_drawn = (rows.box[:, 2:] > rows.box[:, :2]).all(axis=1)
        if isinstance(rows.kind, str) and rows.kind == Kind.CLASS.value:
            is_drawn = np.ones(len(asset), bool)
        else:
            is_drawn &= np.isfinite(rows.box).all(axis=1)
        is_scored = np.isfinite(rows.score)
        is_good = np.array([a is not None for a in asset], bool)
        is_good &= np.array([c is not None for c in class_], bool)
        is_good &= is_drawn & is_scored
        for at in np.flatnonzero(~is_good).tolist():
            self._refuse(rows, at, asset[at], class_[at], is_drawn=bool(is_drawn[at]))
        values: dict[str, object] = {
            "asset": asset,
            "class": class_,
            "kind": rows.kind,
            **{
                name: pa.array(rows.box[:, at], from_pandas=True)
                for at, name in enumerate(columns.BOX)
            },
            "score": rows.score,
            "geometry": rows.geometry,
            "position": rows.position,
            "file": rows.file,
        }
        if not is_good.all():
            mask = pa.array(is_good)
            values = {name: _kept(value, mask) for name, value in values.items()}
        named = {name for name in asset if name is not None} | set(images)
        batch = columns.batch_of(columns.PREDICTIONS, values, int(is_good.sum()))
        return Found(batch, self.refusals.take(), frozenset(named))

    def bare(self, images: Sequence[str] = ()) -> Found:
        """Return a piece without predictions: what was refused so far, and images that were looked at."""
        return Found(columns.empty(columns.PREDICTIONS), self.refusals.take(), frozenset(images))

    def refuse(
        self, rule: str, position: int, path: str, value: object, expected: str, label: object
    ) -> None:
        """Refuse an element that gives no row."""
        self.refusals.add(
            rule,
            position=position,
            path=path,
            value=value,
            expected=expected,
            label=label if isinstance(label, str) else json.dumps(label, default=str),
        )

    def _refuse(
        self, rows: Rows, at: int, asset: str | None, class_: str | None, *, is_drawn: bool
    ) -> None:
        box, score = rows.box[at].tolist(), float(rows.score[at])
        value: object
        if asset is None:
            part, rule, value = "image", "unknown-image", rows.image[at]
            expected: str = "the name, the unambiguous stem or the id of one image"
        elif class_ is None:
            part, rule, value = "class", "unknown-category", rows.class_[at]
            expected = "a class by name, or by a number that the ground truth or data.yaml names"
        elif not is_drawn:
            part, rule, value = "box", "geometry", box
            expected = "a box with width and height, of finite numbers"
        else:
            part, rule, value, expected = "score", "score", score, "a finite number"
        told = {"image": rows.image[at], "class": rows.class_[at], "box": box, "score": score}
        self.refusals.add(
            rule,
            position=int(rows.position[at]),
            path=f"{'' if rows.file is None else rows.file[at]}{rows.path[part]}",
            value=value,
            expected=expected,
            label=json.dumps(told, ensure_ascii=False, default=str),
            asset=asset,
        )


def _kept(value: object, mask: pa.BooleanArray) -> object:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (pa.Array, pa.ChunkedArray)):
        return value.filter(mask)
    flags = mask.to_numpy(zero_copy_only=False)
    if isinstance(value, np.ndarray):
        return value[flags]
    assert isinstance(value, list)
    return [one for one, is_kept in zip(value, flags.tolist(), strict=True) if is_kept]
