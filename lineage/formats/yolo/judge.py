"""Row against rule: what of a label file can become a label, in whole columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lineage.formats.yolo.numbers import Rows
from lineage.formats.yolo.shapes import SLACK, outside
from lineage.formats.yolo.tasks import KEYPOINTS, NONE, Meaning, Task

_OTHER = -1


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that a row may break, and what it expects."""

    name: str
    expected: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which rows are labels.

    Parameters
    ----------
    rule
        ndarray of int64, shape (n,): index into ``rules`` of the first that a row breaks, -1 for none.
    column
        ndarray of int64, shape (n,): where it breaks it, -1 for the row as a whole.
    rules
        The rules that were broken.
    classes
        Strings of n: each row's class, null where its number names none.
    n_numbers
        ndarray of int64, shape (n,): coordinates of each row, behind the class.
    """

    rule: np.ndarray
    column: np.ndarray
    rules: Sequence[Rule]
    classes: pa.StringArray
    n_numbers: np.ndarray


class _Judge:
    def __init__(self, n: int) -> None:
        self.rule = np.full(n, -1, np.int64)
        self.column = np.full(n, -1, np.int64)
        self.rules: list[Rule] = []

    def refuse(self, mask: np.ndarray, rule: Rule, column: np.ndarray | int = _OTHER) -> None:
        """Note a rule for rows of ``mask`` that broke none before."""
        mask = mask & (self.rule < 0)
        if mask.any():
            self.rule[mask] = len(self.rules)
            self.column[mask] = np.broadcast_to(column, mask.shape)[mask]
            self.rules.append(rule)

    @property
    def is_sound(self) -> np.ndarray:
        """Which rows broke no rule so far."""
        found: np.ndarray = self.rule < 0
        return found


def judged(
    rows: Rows,
    meaning: Meaning,
    *,
    task: Task,
    classes: Mapping[int, str],
    problems: Sequence[str | None],
) -> Verdict:
    """Return which rows are labels, and the first rule that each of the others breaks.

    Parameters
    ----------
    rows, meaning, task
        What stands there and what it means.
    classes
        Names by number.
    problems
        Per file the rule that its image breaks, None for none.
    """
    judge = _Judge(len(rows))
    for is_bad, rule in (
        (~rows.is_number, Rule("not-a-number", "a number")),
        (rows.is_number & ~np.isfinite(rows.values), Rule("not-finite", "a finite number")),
    ):
        judge.refuse(*_first(rows, is_bad, rule))
    role = meaning.role
    judge.refuse(meaning.is_mixed, Rule("mixed-rows", "rows of one task in a file"))
    judge.refuse(role == NONE, Rule("row-columns", meaning.expected))
    names, is_known = _classes(rows, classes)
    told = f"a number from 0 to {max(classes)}" if classes else "a class"
    judge.refuse(~is_known, Rule("unknown-class", told), 0)
    score = rows.values[rows.first + rows.n_columns - 1]
    is_off = meaning.has_score & ~((score >= 0) & (score <= 1))
    judge.refuse(is_off, Rule("score", "a confidence from 0 to 1"), rows.n_columns - 1)
    n_numbers = rows.n_columns - 1 - meaning.has_score
    n_dims = task.kpt_shape[1] if task.kpt_shape else 0
    dims = np.where(role == KEYPOINTS, n_dims, 0)
    if n_dims == 3:
        _visibility(rows, judge, role == KEYPOINTS, n_numbers)
    sound = np.flatnonzero(judge.is_sound)
    column = np.full(len(rows), -1, np.int64)
    column[sound] = outside(rows.take(sound), n_numbers[sound], dims=dims[sound])
    told = f"a fraction of the image, from 0 to 1 give or take {SLACK:g}"
    judge.refuse(column >= 0, Rule("out-of-range", told), column)
    for problem, expected in _OF_IMAGES.items():
        of_file = np.array([one == problem for one in problems], bool)
        if of_file.any():
            judge.refuse(of_file[rows.file], Rule(problem, expected))
    return Verdict(judge.rule, judge.column, judge.rules, names, n_numbers)


_OF_IMAGES = {
    "asset-name": "a name within a folder",
    "ambiguous-image": "one image of this name, whatever its ending",
    "image-size-unknown": "an image whose size is known: lineage assets add DIR, or the images beside",
}


def _first(rows: Rows, is_bad: np.ndarray, rule: Rule) -> tuple[np.ndarray, Rule, np.ndarray]:
    """Return which rows hold a bad value, and the column of the first."""
    at = np.flatnonzero(is_bad)[::-1]
    owner = np.searchsorted(rows.first, at, side="right") - 1
    mask = np.zeros(len(rows), bool)
    column = np.full(len(rows), -1, np.int64)
    mask[owner] = True
    column[owner] = at - rows.first[owner]
    return mask, rule, column


def _classes(rows: Rows, classes: Mapping[int, str]) -> tuple[pa.StringArray, np.ndarray]:
    values, codes = np.unique(rows.values[rows.first], return_inverse=True)
    names = [classes.get(int(v)) if np.isfinite(v) and v == int(v) else None for v in values]
    is_known = np.array([name is not None for name in names], bool)
    taken = pa.array(names, pa.string()).take(pa.array(codes.astype(np.int64)))
    return taken, is_known[codes] if len(codes) else np.zeros(0, bool)


def _visibility(rows: Rows, judge: _Judge, is_pose: np.ndarray, n_numbers: np.ndarray) -> None:
    at = np.flatnonzero(is_pose & judge.is_sound)
    if len(at) == 0:
        return
    columns = np.arange(7, int(n_numbers[at[0]]) + 1, 3)
    values = rows.values[rows.first[at][:, None] + columns]
    is_odd = ~np.isin(values, (0, 1, 2))
    mask = np.zeros(len(rows), bool)
    mask[at] = is_odd.any(axis=1)
    column = np.full(len(rows), -1, np.int64)
    column[at] = columns[is_odd.argmax(axis=1)]
    judge.refuse(mask, Rule("keypoint-visibility", "0 absent, 1 hidden or 2 seen"), column)
