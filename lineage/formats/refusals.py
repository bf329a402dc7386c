"""What a reader saw and could not turn into a row: collected, counted, never dropped."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from lineage import columns

_VALUE_CHARACTERS = 200


@dataclass(slots=True)
class Refusals:
    """Rows of `columns.VIOLATIONS` while a chunk is read.

    Parameters
    ----------
    source
        The file.
    """

    source: str
    rows: list[dict[str, object]] = field(default_factory=list)

    def add(
        self,
        rule: str,
        *,
        position: int | None,
        path: str,
        value: object,
        expected: str,
        label: str,
        asset: str | None = None,
        annotation: str | None = None,
    ) -> None:
        """Note one refusal; ``label`` is the whole element as text."""
        self.rows.append(
            {
                "source": self.source,
                "position": position,
                "asset": asset,
                "annotation": annotation,
                "path": path,
                "rule": rule,
                "value": str(value)[:_VALUE_CHARACTERS],
                "expected": expected,
                "label": label,
            }
        )

    def take(self) -> pa.RecordBatch:
        """Return the rows so far as a batch, and start anew."""
        rows, self.rows = self.rows, []
        values = {name: [row[name] for row in rows] for name in columns.VIOLATIONS.names}
        return columns.batch_of(columns.VIOLATIONS, values, len(rows))
