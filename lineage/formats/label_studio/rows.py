"""The columns of a chunk while it is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from lineage import columns
from lineage.formats import Chunk
from lineage.formats.completeness import States
from lineage.formats.refusals import Refusals

LABEL = (
    "asset",
    "annotator",
    "class",
    "kind",
    *columns.BOX,
    "geometry",
    "attributes",
    "origin",
    "source_id",
    "labelled_at",
    "created_by",
    "updated_by",
    "lead_time_s",
    "score",
    "extra",
    "position",
    "annotation",
)
"""The columns of `Rows.labels`, in order."""


@dataclass(slots=True)
class Rows:
    """Labels, assets, roster and completeness, gathered until a chunk is full.

    Parameters
    ----------
    refusals
        Where violations gather.
    losses
        What could not be carried, counted.
    states
        How far images are.
    labels
        A tuple of `LABEL` for each label.
    roster
        A tuple of `columns.ROSTER` for each answer.
    """

    refusals: Refusals
    losses: Counter[str] = field(default_factory=Counter)
    states: States = field(default_factory=States)
    labels: list[tuple[object, ...]] = field(default_factory=list)
    roster: list[tuple[object, ...]] = field(default_factory=list)
    _assets: dict[str, tuple[str, int | None, int | None]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of labels, or of images or answers where those are more."""
        return max(len(self.labels), len(self.roster), len(self._assets), len(self.refusals.rows))

    def add_asset(self, name: str, uri: str) -> None:
        """Add an image."""
        self._assets.setdefault(name, (uri, None, None))

    def learn(self, name: str, size: tuple[int, int]) -> None:
        """Take in the size that a shape tells of its image; the first holds."""
        uri, width, height = self._assets[name]
        if width is None or height is None:
            self._assets[name] = (uri, *size)

    def take(self) -> Chunk:
        """Return what gathered as a chunk, and start anew."""
        assets = [(name, *facts) for name, facts in self._assets.items()]
        chunk = Chunk(
            columns.batch_of(columns.LABELS, _by_name(LABEL, self.labels), len(self.labels)),
            columns.batch_of(
                columns.ASSETS, _by_name(("name", "uri", "width", "height"), assets), len(assets)
            ),
            columns.batch_of(
                columns.ROSTER, _by_name(columns.ROSTER.names, self.roster), len(self.roster)
            ),
            self.refusals.take(),
            dict(+self.losses),
            self.states.take(),
        )
        self.labels, self.roster, self._assets, self.losses = [], [], {}, Counter()
        return chunk


def _by_name(names: Sequence[str], rows: Sequence[tuple[object, ...]]) -> dict[str, object]:
    values = zip(*rows, strict=True) if rows else ([] for _ in names)
    return dict(zip(names, values, strict=True))
