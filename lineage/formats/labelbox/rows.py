"""The columns of a chunk while it is read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from lineage import columns
from lineage.formats import Chunk
from lineage.formats.completeness import States
from lineage.formats.refusals import Refusals
from lineage.formats.texts import strings

MOST_BYTES = 64 << 20
"""Of what labels say besides, in one chunk."""


_OF_SHAPE = (
    "class",
    "kind",
    "x_min",
    "y_min",
    "x_max",
    "y_max",
    "geometry",
    "attributes",
    "source_id",
    "score",
    "extra",
)
_OF_LABEL = ("asset", "annotator", "origin", "labelled_at", "lead_time_s", "position")
Facts = tuple[str | None, int | None, int | None]
Side = float | None
ShapeRow = tuple[
    str,
    str,
    Side,
    Side,
    Side,
    Side,
    list[list[float]] | None,
    str,
    str | None,
    float | None,
    bytes | None,
]
"""What differs from shape to shape, as `_OF_SHAPE` names it (a tuple: one is made for every label)."""


@dataclass(slots=True)
class Rows:
    """Labels, assets, roster and completeness, gathered until a chunk is full.

    Parameters
    ----------
    refusals
        Where violations gather.
    losses
        What could not be carried, counted.
    notes
        What was taken for granted.
    states
        How far images are.
    shapes
        Shapes and classes; what holds for all of a label comes behind them (`end_label`).
    """

    refusals: Refusals
    losses: Counter[str] = field(default_factory=Counter)
    notes: dict[str, str] = field(default_factory=dict)
    states: States = field(default_factory=States)
    shapes: list[ShapeRow] = field(default_factory=list)
    _labels: dict[str, list[object]] = field(
        default_factory=lambda: {name: [] for name in _OF_LABEL}
    )
    _assets: dict[str, Facts] = field(default_factory=dict)
    _n_bytes: int = 0
    _roster: list[tuple[object, ...]] = field(default_factory=list)

    def is_full(self, n_rows: int) -> bool:
        """Tell whether ``n_rows`` of anything have gathered, or more text than a chunk may hold."""
        n = max(len(self.shapes), len(self._assets), len(self._roster), len(self.refusals.rows))
        return n >= n_rows or self._n_bytes >= MOST_BYTES

    def end_label(
        self,
        asset: str,
        annotator: str | None,
        origin: str,
        at: datetime | None,
        lead_time_s: float | None,
        position: int,
        n_extra_bytes: int = 0,
    ) -> None:
        """Add what holds for every one of ``shapes`` since the last call.

        ``n_extra_bytes`` is about how much each of them says besides.
        """
        n = len(self.shapes) - len(self._labels["asset"])
        self._n_bytes += n * n_extra_bytes
        values = (asset, annotator, origin, at, lead_time_s, position)
        for column, value in zip(self._labels.values(), values, strict=True):
            column += [value] * n

    def add_asset(self, name: str, uri: str | None, width: int | None, height: int | None) -> None:
        """Add an image; what an earlier row left open is filled in."""
        known = self._assets.get(name, (None, None, None))
        width, height = (known[1], known[2]) if width is None else (width, height)
        self._assets[name] = (known[0] or uri, width, height)

    def add_answer(
        self,
        asset: str,
        annotator: str | None,
        presence: str,
        source_id: str | None,
        at: datetime | None,
        lead_time_s: float | None,
    ) -> None:
        """Add a roster row."""
        self._roster.append((asset, annotator, presence, source_id, at, lead_time_s))

    def take(self) -> Chunk:
        """Return what gathered as a chunk, and start anew."""
        n = len(self.shapes)
        values: dict[str, object] = dict(self._labels)
        values |= zip(_OF_SHAPE, zip(*self.shapes, strict=True), strict=True) if n else {}
        values["extra"] = strings([shape[-1] for shape in self.shapes])
        named = {"name": list(self._assets)} | {
            name: [facts[at] for facts in self._assets.values()]
            for at, name in enumerate(("uri", "width", "height"))
        }
        roster = {
            name: [row[at] for row in self._roster] for at, name in enumerate(columns.ROSTER.names)
        }
        chunk = Chunk(
            columns.batch_of(columns.LABELS, values, n),
            columns.batch_of(columns.ASSETS, named, len(self._assets)),
            columns.batch_of(columns.ROSTER, roster, len(self._roster)),
            self.refusals.take(),
            dict(+self.losses),
            self.states.take(),
            self.notes,
        )
        self.shapes = []
        self._labels = {name: [] for name in _OF_LABEL}
        self._assets, self._roster, self._n_bytes = {}, [], 0
        self.losses, self.notes = Counter(), {}
        return chunk
