"""A review of labels that somebody named, such as those that `isolate` asks to look at again."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from lineage.activities.context import Project
from lineage.activities.review_frame import Frame
from lineage.activities.review_plan import Fractions
from lineage.errors import BadInput


def named_in(path: Path) -> np.ndarray:
    """Read the column ``annotation`` of a CSV file.

    Returns
    -------
    ndarray of int64, ascending

    Raises
    ------
    BadInput
        ``no-such-file``; ``review-only``: no such column, or values that are no numbers of annotations.
    """
    if not path.is_file():
        raise BadInput("no-such-file", f"no file {path}", hint="check the path")
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    told = [row.get("annotation") or "" for row in rows]
    wrong = [(at, text) for at, text in enumerate(told, 2) if not text.isdecimal()]
    if wrong or not told:
        where = f"line {wrong[0][0]}: {wrong[0][1]!r}" if wrong else "no rows"
        raise BadInput(
            "review-only",
            f"{where}, expected a CSV with a column annotation, the labels' numbers"
            + (f" ({len(wrong):,} such)" if len(wrong) > 1 else ""),
            hint="lineage isolate --check FILE writes one",
            where=str(path),
        )
    return np.unique(np.array([int(text) for text in told], np.int64))


def rows_of(project: Project, frame: Frame, annotation: np.ndarray, up_to: int) -> np.ndarray:
    """Return which rows of a frame are labels of these annotations; ndarray of bool, shape (n,)."""
    parts = [np.zeros(0, np.int64)]
    for rows in project.ledger.scan("revisions", ("revision", "annotation"), up_to=up_to):
        is_wanted = np.isin(np.asarray(rows["annotation"]), annotation)
        parts.append(np.asarray(rows["revision"])[is_wanted])
    return np.isin(frame.revision, np.concatenate(parts))


def certain(frame: Frame, rows: np.ndarray) -> Fractions:
    """Return chances of 1 for some rows of a frame and of 0 for all else: they were not left to chance."""
    of_row = np.zeros(len(frame.revision))
    of_row[rows] = 1.0
    images, at = np.unique(frame.asset, return_inverse=True)
    of_image = np.zeros(len(images))
    np.maximum.at(of_image, at, of_row)
    return Fractions(of_image, of_row, [])
