"""How far images are, gathered while a chunk is read: one answer for each image and class."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from lineage import columns
from lineage.terms import COMPLETENESS_BY_WEIGHT, Completeness

_WEIGHT = {state: weight for weight, state in enumerate(COMPLETENESS_BY_WEIGHT)}
_Key = tuple[str, str | None]


@dataclass(slots=True)
class States:
    """Rows of `columns.COMPLETENESS` while a chunk is read.

    Where a file speaks of one image several times (a task that was uploaded twice, a row for each
    of its annotators), what is furthest holds.
    """

    _found: dict[_Key, tuple[Completeness, str | None]] = field(default_factory=dict)

    def add(
        self,
        asset: str,
        state: Completeness,
        *,
        reason: str | None = None,
        class_: str | None = None,
    ) -> None:
        """Note how far an image is, all classes of it or one."""
        known = self._found.get((asset, class_))
        if known is None or _WEIGHT[known[0]] < _WEIGHT[state]:
            self._found[asset, class_] = (state, reason)

    def __len__(self) -> int:
        """Return the number of rows so far."""
        return len(self._found)

    def take(self) -> pa.RecordBatch:
        """Return the rows so far as a batch, and start anew."""
        found, self._found = self._found, {}
        values: dict[str, object] = {
            "asset": [asset for asset, _ in found],
            "class": [class_ for _, class_ in found],
            "state": [state.value for state, _ in found.values()],
            "reason": [reason for _, reason in found.values()],
        }
        return columns.batch_of(columns.COMPLETENESS, values, len(found))
