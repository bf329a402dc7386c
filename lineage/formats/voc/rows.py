"""The columns of a chunk while it is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from lineage import columns
from lineage.formats import Chunk
from lineage.formats.completeness import States
from lineage.formats.refusals import Refusals
from lineage.terms import Presence


class Row(NamedTuple):
    """A label; the names are those of `columns.LABELS`, in the order of `Rows.labels`."""

    asset: str
    annotator: str | None
    class_: str | None
    kind: str
    x_min: float
    y_min: float
    x_max: float
    y_max: float
    geometry: list[list[float]] | None
    attributes: str
    origin: str
    labelled_at: datetime | None
    score: float | None
    extra: str | None
    position: int
    file: str | None
    annotation: int | None


_COLUMNS = ["class" if name == "class_" else name for name in Row._fields]
_QUARANTINED_CHARACTERS = 8 << 20
_ASSET = ("name", "uri", "width", "height", "digest")


@dataclass(slots=True)
class Rows:
    """Labels, images, answers and states, gathered until a chunk is full.

    Parameters
    ----------
    refusals
        Where violations gather.
    n_quarantined
        Characters of whole files among them.
    labels
        Tuples in the order of `Row`: bare ones, for the collector takes no notice of those.
    states, losses
        What gathered so far.
    """

    refusals: Refusals
    labels: list[tuple[object, ...]] = field(default_factory=list)
    n_quarantined: int = 0
    states: States = field(default_factory=States)
    losses: Counter[str] = field(default_factory=Counter)
    _assets: list[tuple[str, str | None, int | None, int | None, str | None]] = field(
        default_factory=list
    )
    _roster: dict[tuple[str, str | None, Presence], None] = field(default_factory=dict)

    def is_full(self, chunk_rows: int, n_more: int) -> bool:
        """Tell whether so many more labels have to go into another chunk."""
        n = max(len(self.labels), len(self._assets), len(self.refusals.rows))
        return (n > 0 and n + n_more > chunk_rows) or self.n_quarantined > _QUARANTINED_CHARACTERS

    def add_asset(
        self,
        name: str,
        uri: str | None = None,
        *,
        size: tuple[int | None, int | None] = (None, None),
        digest: str | None = None,
    ) -> None:
        """Add an image."""
        self._assets.append((name, uri, *size, digest))

    def add_answer(self, asset: str, annotator: str | None, presence: Presence) -> None:
        """Add a roster row, once for each person and image."""
        self._roster[asset, annotator, presence] = None

    def take(self, notes: Mapping[str, str]) -> Chunk:
        """Return what gathered as a chunk, and start anew."""
        labels = _transposed(_COLUMNS, self.labels)
        assets = _transposed(_ASSET, self._assets)
        answers = {
            "asset": [asset for asset, _, _ in self._roster],
            "annotator": [annotator for _, annotator, _ in self._roster],
            "presence": [presence.value for _, _, presence in self._roster],
        }
        chunk = Chunk(
            columns.batch_of(columns.LABELS, labels, len(self.labels)),
            columns.batch_of(columns.ASSETS, assets, len(self._assets)),
            columns.batch_of(columns.ROSTER, answers, len(self._roster)),
            self.refusals.take(),
            {name: n for name, n in sorted(self.losses.items()) if n},
            self.states.take(),
            dict(notes),
        )
        self.labels, self._assets, self._roster = [], [], {}
        self.losses.clear()
        self.n_quarantined = 0
        return chunk


def _transposed(names: Sequence[str], rows: Sequence[tuple[object, ...]]) -> dict[str, object]:
    columns_ = zip(*rows, strict=True) if rows else [()] * len(names)
    return {name: list(column) for name, column in zip(names, columns_, strict=True)}
