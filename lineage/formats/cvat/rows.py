"""The columns of a chunk while it is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from lineage import columns
from lineage.formats import Chunk
from lineage.formats.completeness import States
from lineage.formats.cvat.shapes import Shape
from lineage.formats.refusals import Refusals
from lineage.terms import Origin, Presence

_NO_BOX = (None, None, None, None)
_COLUMNS = (
    "asset",
    "annotator",
    "class",
    "kind",
    "geometry",
    "attributes",
    "origin",
    "extra",
    "position",
    "labelled_at",
    "annotation",
    "source_id",
)
_MODEL = Origin.MODEL.value
AssetRow = tuple[str, str | None, int | None, int | None]


class Told(NamedTuple):
    """What stands in a row besides its shape (a tuple: one is made for every label)."""

    asset: str
    annotator: str | None
    class_: str | None
    attributes: str
    origin: str
    extra: str | None
    position: int
    labelled_at: datetime | None = None
    annotation: int | None = None
    answered_at: datetime | None = None
    source_id: str | None = None


@dataclass(slots=True)
class Rows:
    """Labels, assets and roster rows, gathered until a chunk is full.

    Parameters
    ----------
    refusals
        Where violations gather.
    losses
        What could not be carried, counted.
    states
        How far images are.
    """

    refusals: Refusals
    losses: Counter[str] = field(default_factory=Counter)
    states: States = field(default_factory=States)
    _labels: dict[str, list[object]] = field(
        default_factory=lambda: {name: [] for name in _COLUMNS}
    )
    _boxes: list[Sequence[float | None]] = field(default_factory=list)
    _assets: dict[AssetRow, None] = field(default_factory=dict)
    _roster: dict[tuple[str, str | None, Presence], datetime | None] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of labels, or of assets where those are more."""
        return max(len(self._boxes), len(self._assets), len(self.refusals.rows), len(self.states))

    def add_label(self, shape: Shape, told: Told) -> None:
        """Add a label; whoever made it is on the roster, a model is not."""
        labels = self._labels
        labels["asset"].append(told.asset)
        labels["annotator"].append(told.annotator)
        labels["class"].append(told.class_)
        labels["kind"].append(shape.kind)
        labels["geometry"].append(shape.geometry)
        labels["attributes"].append(told.attributes)
        labels["origin"].append(told.origin)
        labels["extra"].append(told.extra)
        labels["position"].append(told.position)
        labels["labelled_at"].append(told.labelled_at)
        labels["annotation"].append(told.annotation)
        labels["source_id"].append(told.source_id)
        self._boxes.append(shape.box or _NO_BOX)
        if told.origin != _MODEL:
            self._roster[told.asset, told.annotator, Presence.LABELLED] = told.answered_at

    def add_asset(self, name: str, uri: str | None, width: int | None, height: int | None) -> None:
        """Add an image, once for each set of facts."""
        self._assets[name, uri, width, height] = None

    def add_answer(
        self, asset: str, annotator: str | None, presence: Presence, at: datetime | None
    ) -> None:
        """Add a roster row."""
        self._roster[asset, annotator, presence] = at

    def take(self) -> Chunk:
        """Return what gathered as a chunk, and start anew."""
        n = len(self._boxes)
        values: dict[str, object] = dict(self._labels)
        for index, name in enumerate(columns.BOX):
            values[name] = [box[index] for box in self._boxes]
        named = ("name", "uri", "width", "height")
        assets = {name: [row[i] for row in self._assets] for i, name in enumerate(named)}
        answers = {
            "asset": [asset for asset, _, _ in self._roster],
            "annotator": [annotator for _, annotator, _ in self._roster],
            "presence": [presence.value for _, _, presence in self._roster],
            "answered_at": list(self._roster.values()),
        }
        chunk = Chunk(
            columns.batch_of(columns.LABELS, values, n),
            columns.batch_of(columns.ASSETS, assets, len(self._assets)),
            columns.batch_of(columns.ROSTER, answers, len(self._roster)),
            self.refusals.take(),
            dict(self.losses),
            self.states.take(),
        )
        self._labels = {name: [] for name in _COLUMNS}
        self._boxes, self._assets, self._roster = [], {}, {}
        self.losses = Counter()
        return chunk
