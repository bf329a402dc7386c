"""A format of the tests' own, in which a file says word for word what a reader may say.

One JSON object: ``labels`` are ``[image, annotator, class, id, x]`` and perhaps an origin,
``roster`` rows ``[image, annotator, presence]``, ``said`` rows ``[image, class, state, reason]``,
``images`` names of 640 x 480 px.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lineage import columns
from lineage.formats import Chunk, ReadOptions

Rows = Sequence[Sequence[object]]


def told(
    path: Path,
    *,
    labels: Rows = (),
    roster: Rows = (),
    said: Rows = (),
    images: Sequence[str] = (),
) -> Path:
    """Write such a file."""
    path.write_text(
        json.dumps({"labels": labels, "roster": roster, "said": said, "images": images})
    )
    return path


def read(path: Path, options: ReadOptions) -> Iterator[Chunk]:
    """Read such a file; what is said of completeness comes in chunks of two rows."""
    document = json.loads(path.read_text())
    labels = [[*row, "human"][:6] for row in document["labels"]]
    names = list(
        dict.fromkeys([*document["images"], *(row[0] for row in [*labels, *document["said"]])])
    )
    values: list[Sequence[Any]] = list(zip(*labels, strict=True)) or [()] * 6
    n = len(labels)
    named = dict(zip(("asset", "annotator", "class", "source_id"), values, strict=False))
    box = {"x_min": values[4], "y_min": 10.0, "x_max": [x + 20 for x in values[4]], "y_max": 30.0}
    rest = {"kind": "box", "attributes": "{}", "origin": values[5], "position": list(range(n))}
    roster: list[Sequence[Any]] = list(zip(*document["roster"], strict=True)) or [()] * 3
    yield Chunk(
        columns.batch_of(columns.LABELS, {**named, **box, **rest}, n),
        columns.batch_of(columns.ASSETS, {"name": names, "width": 640, "height": 480}, len(names)),
        columns.batch_of(
            columns.ROSTER,
            dict(zip(("asset", "annotator", "presence"), roster, strict=True)),
            len(document["roster"]),
        ),
        columns.empty(columns.VIOLATIONS),
        {},
    )
    for start in range(0, len(document["said"]), 2):
        rows = document["said"][start : start + 2]
        parts = dict(zip(columns.COMPLETENESS.names, zip(*rows, strict=True), strict=True))
        yield Chunk(
            columns.empty(columns.LABELS),
            columns.empty(columns.ASSETS),
            columns.empty(columns.ROSTER),
            columns.empty(columns.VIOLATIONS),
            {},
            columns.batch_of(
                columns.COMPLETENESS, {n: list(v) for n, v in parts.items()}, len(rows)
            ),
        )
