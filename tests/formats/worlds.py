"""Random data sets for writers: every kind, odd names, several people, images of every state.

What a data set may hold is drawn; what has to hold together (a hull and its geometry, a state
and the labels that belie it) is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from lineage import columns
from lineage.calc.geometry import rotated_corners
from lineage.formats.runs import geometry_of
from lineage.formats.texts import canonical
from lineage.terms import Completeness, Kind, Origin, Stage

Row = dict[str, Any]

NAMES = ("a.jpg", "b c/ä&'+1.png", "deep/er/%41=x.jpg", "z;1.PNG", "zz 2.jpeg")
CLASSES = ("car", 'a "b" <c> & d', "größe, 2", "0")
ANNOTATORS = ("a-1", "a-2", "a-3")
_SIDES = st.integers(8, 90)
_SHARES = st.floats(0, 1, allow_nan=False).map(lambda share: share + 0.0)
_TEXTS = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"),
        st.sampled_from("\n\t\"'<>&,;"),
    ),
    max_size=6,
)
_TYPED: dict[str, st.SearchStrategy[Any]] = {
    "flag": st.booleans(),
    "n <&>": st.one_of(st.integers(-(10**9), 10**9), st.floats(-1e6, 1e6)),
    "größe": _TEXTS,
    "parts": st.lists(st.sampled_from(["hood", "wheel", "x y"]), unique=True),
}
_START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    """A data set.

    Parameters
    ----------
    labels, assets, completeness
        `columns.DATASET`, `columns.DATASET_ASSETS`, `columns.DATASET_COMPLETENESS`.
    """

    labels: pa.Table
    assets: pa.Table
    completeness: pa.Table

    def __repr__(self) -> str:
        return f"World({self.rows}, {self.sizes}, {self.states})"

    @property
    def rows(self) -> list[Row]:
        """The labels."""
        return self.labels.to_pylist()

    @property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """Width and height of every image, px."""
        rows = self.assets.to_pylist()
        return {row["asset"]: (row["width"], row["height"]) for row in rows}

    @property
    def states(self) -> dict[tuple[str, str | None], str]:
        """The state of every image and class of which something is said."""
        rows = self.completeness.to_pylist()
        return {(row["asset"], row["class"]): row["state"] for row in rows}


@st.composite
def worlds(
    draw: st.DrawFn,
    kinds: Sequence[str] = tuple(Kind),
    *,
    min_labels: int = 0,
    max_labels: int = 6,
    annotators: Sequence[str] = ANNOTATORS,
    may_overhang: bool = True,
) -> World:
    """Draw a data set with labels of some kinds; turned boxes may hang over the edge of their image."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    sizes = {name: (draw(_SIDES), draw(_SIDES)) for name in names}
    split = {name: draw(st.sampled_from(["train", "val"])) for name in names}
    rows = []
    n = draw(st.integers(min_labels, max_labels))
    # the ledger's numbers have gaps, and their order is not that of images
    numbers = draw(st.permutations(range(3, 3 + 2 * n, 2))) if n else []
    for number in numbers:
        name = draw(st.sampled_from(names))
        kind = draw(st.sampled_from(list(kinds)))
        rows.append(
            {
                "asset": name, "width": sizes[name][0], "height": sizes[name][1], "split": split[name],
                "annotation": number, "revision": 10 * number + draw(st.integers(0, 9)),
                "class": draw(st.sampled_from(CLASSES)), "kind": kind, **draw(_shapes(kind, *sizes[name], may_overhang)),
                "attributes": draw(_documents()), "annotator": draw(st.sampled_from(annotators)),
                "schema": draw(st.sampled_from(["s@1.0", "s@2.0"])), "batch": draw(st.sampled_from(["b-1", "b-2"])),
                "stage": draw(st.sampled_from(list(Stage))).value, "origin": draw(st.sampled_from(list(Origin))).value,
                "labelled_at": draw(_moments()),
            }
        )  # fmt: skip
    rows = _once(rows)
    return World(
        _labels(rows), _assets(names, sizes, split), _completeness(draw, names, rows, split)
    )


def _once(rows: list[Row]) -> list[Row]:
    """Leave out what somebody said of an image before: a class of the whole image."""
    seen = set()
    kept = []
    for row in rows:
        key = (
            (row["asset"], row["class"], row["annotator"])
            if row["kind"] == Kind.CLASS
            else row["annotation"]
        )
        if key not in seen:
            kept.append(row)
        seen.add(key)
    return kept


def _labels(rows: list[Row]) -> pa.Table:
    values = {name: [row.get(name) for row in rows] for name in columns.DATASET.names}
    return pa.Table.from_batches([columns.batch_of(columns.DATASET, values, len(rows))])


def _assets(names: list[str], sizes: dict[str, tuple[int, int]], split: dict[str, str]) -> pa.Table:
    values = {
        "asset": names, "width": [sizes[n][0] for n in names], "height": [sizes[n][1] for n in names],
        "n_annotations": 0, "split": [split[n] for n in names],
    }  # fmt: skip
    return pa.Table.from_batches([columns.batch_of(columns.DATASET_ASSETS, values, len(names))])


def _completeness(
    draw: st.DrawFn, names: list[str], rows: list[Row], split: dict[str, str]
) -> pa.Table:
    """Draw what is said of images as wholes, and of a class of some; labels belie none of it."""
    said: list[Row] = []
    for name in names:
        classes = {row["class"] for row in rows if row["asset"] == name}
        state = draw(st.sampled_from([None, *(_OF_LABELLED if classes else _OF_BARE)]))
        if state is not None:
            said.append(_state(name, None, state, draw))
        class_ = draw(st.sampled_from([None, *CLASSES]))
        if class_ is not None and state is None:
            of_class = _OF_LABELLED if class_ in classes else _OF_BARE
            said.append(_state(name, class_, draw(st.sampled_from(of_class)), draw))
    values: dict[str, object] = {
        name: [row[name] for row in said] for name in ("asset", "class", "state", "reason")
    }
    values |= {"batch": "b-1", "split": [split[row["asset"]] for row in said]}
    batch = columns.batch_of(columns.DATASET_COMPLETENESS, values, len(said))
    return pa.Table.from_batches([batch])


_OF_LABELLED = (Completeness.IN_PROGRESS, Completeness.COMPLETE)
_OF_BARE = (
    Completeness.NOT_STARTED,
    Completeness.IN_PROGRESS,
    Completeness.COMPLETE_EMPTY,
    Completeness.SKIPPED,
)


def _state(name: str, class_: str | None, state: Completeness, draw: st.DrawFn) -> Row:
    reasons = st.sampled_from([None, "too dark", 'ü, "x"'])
    reason = draw(reasons) if state is Completeness.SKIPPED else None
    return {"asset": name, "class": class_, "state": state.value, "reason": reason}


def _moments() -> st.SearchStrategy[datetime | None]:
    seconds = st.integers(0, 10**7).map(
        lambda s: _START + timedelta(seconds=s, microseconds=s % 10**6)
    )
    return st.one_of(st.none(), seconds)


@st.composite
def _documents(draw: st.DrawFn) -> str:
    names = draw(st.lists(st.sampled_from(sorted(_TYPED)), unique=True, max_size=2))
    return canonical({name: draw(_TYPED[name]) for name in names})


@st.composite
def _shapes(draw: st.DrawFn, kind: str, width: int, height: int, may_overhang: bool) -> Row:
    if kind == Kind.CLASS:
        return {**dict.fromkeys(columns.BOX), "geometry": None}
    if kind == Kind.MASK:
        return _mask(draw, width, height)
    x, y = sorted((draw(_SHARES), draw(_SHARES))), sorted((draw(_SHARES), draw(_SHARES)))
    # a side of half a pixel at least: none of these is a line or a point
    x_min, y_min = x[0] * (width - 1), y[0] * (height - 1)
    x_max, y_max = x[1] * (width - 1) + 0.5, y[1] * (height - 1) + 0.5
    hull, geometry = (x_min, y_min, x_max, y_max), None
    if kind == Kind.ROTATED_BOX:
        sides = (x_max - x_min) / 2, (y_max - y_min) / 2
        if not may_overhang:
            # its circle lies within the box that was drawn
            sides = (min(sides),) * 2
        numbers = [(x_min + x_max) / 2, (y_min + y_max) / 2, *sides, draw(st.floats(1, 359))]
        corners = rotated_corners(*(np.array([number]) for number in numbers))[0]
        hull, geometry = _hull(corners), [numbers]
    elif kind == Kind.POLYGON:
        middle = (x_min + x_max) / 2
        first = [x_min, y_min, x_max, y_min, x_max, y_max, middle, y_max]
        parts = [first, [x_min, y_max, middle, y_min, x_max, y_max]]
        geometry = parts[: draw(st.integers(1, 2))]
    elif kind == Kind.POLYLINE:
        geometry = [[x_min, y_max, (x_min + x_max) / 2, y_min, x_max, y_max]]
    elif kind == Kind.KEYPOINTS:
        seen = draw(st.lists(st.sampled_from([2.0, 2.0, 1.0, 0.0]), min_size=1, max_size=3))
        points = [[x_min, y_min, 2.0], *([x_max, y_max, v] if v else [0.0, 0.0, 0.0] for v in seen)]
        hull = _hull(np.array([[px, py] for px, py, v in points if v]))
        geometry = [[number for point in points for number in point]]
    return {**dict(zip(columns.BOX, hull, strict=True)), "geometry": geometry}


def _mask(draw: st.DrawFn, width: int, height: int) -> Row:
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    mask = np.zeros((height, width), bool)
    mask[y0 : y0 + draw(st.integers(1, height)), x0 : x0 + draw(st.integers(1, width))] = True
    mask[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = True
    found = geometry_of(mask)
    assert found is not None
    return {**dict(zip(columns.BOX, found[1], strict=True)), "geometry": found[0]}


def _hull(points: np.ndarray) -> tuple[float, ...]:
    low, high = points.min(axis=0), points.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])
