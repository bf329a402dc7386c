"""What a model says of labels: predictions from a file, held against what people drew."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.activities.context import Project
from lineage.activities.review_frame import PLAIN, RARE, UNSEEN, Frame, codes_in
from lineage.calc.overlaps import overlapping
from lineage.errors import BadInput, NotFound
from lineage.segments.parquet import read_parquet
from lineage.store import read

_LEAST_IOU = 0.5
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a model found: ndarrays of asset keys, classes (str) and boxes in px (NaN for no place)."""

    asset: np.ndarray
    class_: np.ndarray
    box: np.ndarray


def predictions(project: Project, path: Path) -> Predictions:
    """Read a model's predictions: CSV or Parquet with ``asset, class`` and, for places, a box in px.

    Raises
    ------
    BadInput
        ``no-such-file``, ``predictions``: columns are missing, or a box is none.
    NotFound
        ``no-asset``: images that are not on record.
    """
    if not path.is_file():
        raise BadInput("no-such-file", f"no file {path}", hint="check the path")
    names, classes, box = _parquet(path) if path.suffix == ".parquet" else _csv(path)
    with project.store.reading() as connection:
        keys = read.asset_keys(connection, sorted(set(names)))
    unknown = sorted(set(names) - keys.keys())
    if unknown:
        told = ", ".join(repr(name) for name in unknown[:_SHOWN])
        raise NotFound(
            "no-asset",
            f"{len(unknown)} images of the predictions are not on record: {told}",
            hint="name images as lineage labels does",
            where=str(path),
        )
    asset = np.array([keys[name] for name in names], np.int64)
    return Predictions(asset, np.array(classes, object), box)


def flagged(frame: Frame, model: Predictions, rare: np.ndarray) -> np.ndarray:
    """Tell what a model says of each row of a frame.

    Parameters
    ----------
    frame
        The labels.
    model
        What it found.
    rare
        ndarray of bool, shape (n_classes,): classes that are rare in the frame.

    Returns
    -------
    ndarray of int64, shape (n,)
        Into `FLAGS`. Where the model sees an object of a rare class and nobody drew one, all of the
        image is `RARE`; a label at which the model sees nothing of its class is `UNSEEN`.
    """
    class_ = codes_in(model.class_, frame.classes)
    known = np.flatnonzero(class_ >= 0)
    n = np.int64(len(frame.classes))
    said, drew = model.asset[known] * n + class_[known], frame.asset * n + frame.class_
    of_label, of_model = _met(drew, frame.box, said, model.box[known])
    is_new = rare[class_[known]] & ~of_model
    flag = np.where(of_label | (frame.class_ == n - 1), PLAIN, UNSEEN)
    flag[np.isin(frame.asset, model.asset[known][is_new])] = RARE
    return flag


def _met(
    one: np.ndarray, one_box: np.ndarray, other: np.ndarray, other_box: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Tell which rows of either side have one of the same image and class at the same place."""
    a, b, _ = overlapping(one, one_box, other, other_box, least_iou=_LEAST_IOU)
    no_place, other_no_place = np.isnan(one_box[:, 0]), np.isnan(other_box[:, 0])
    # without a place on either side, being on the image is being there
    left = np.isin(one, other[other_no_place]) | (no_place & np.isin(one, other))
    right = np.isin(other, one[no_place]) | (other_no_place & np.isin(other, one))
    left[a] = right[b] = True
    return left, right


def _parquet(path: Path) -> tuple[list[str], list[str], np.ndarray]:
    table = pa.Table.from_batches(list(read_parquet(path, None)))
    _refuse_columns(path, table.column_names)
    names, classes = (table[name].cast(pa.string()).to_pylist() for name in ("asset", "class"))
    if "x_min" not in table.column_names:
        return names, classes, np.full((len(names), 4), np.nan)
    box = [
        pc.cast(table[name], pa.float64()).fill_null(float("nan")).to_numpy()
        for name in columns.BOX
    ]
    return names, classes, np.stack(box, axis=1)


def _csv(path: Path) -> tuple[list[str], list[str], np.ndarray]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        _refuse_columns(path, list(reader.fieldnames or ()))
        rows = list(reader)
    box = np.full((len(rows), 4), np.nan)
    for at, row in enumerate(rows):
        values = [row.get(name) or "" for name in columns.BOX]
        if any(values):
            box[at] = _numbers(path, at, values)
    return [row["asset"] for row in rows], [row["class"] for row in rows], box


def _numbers(path: Path, at: int, values: list[str]) -> list[float]:
    try:
        return [float(value) for value in values]
    except ValueError as exc:
        raise BadInput(
            "predictions",
            f"{values!r} is no box, expected four numbers in px: {', '.join(columns.BOX)}",
            hint="leave all four empty where a prediction has no place",
            where=f"{path}:{at + 2}",
        ) from exc


def _refuse_columns(path: Path, names: list[str]) -> None:
    if not {"asset", "class"} <= set(names) or (
        "x_min" in names and not {*columns.BOX} <= {*names}
    ):
        raise BadInput(
            "predictions",
            f"columns {names!r}, expected asset, class and, for places, {', '.join(columns.BOX)}",
            hint="CSV with a header, or Parquet",
            where=str(path),
        )
