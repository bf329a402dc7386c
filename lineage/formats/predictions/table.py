"""Predictions as a plain table: ``asset, class, score``, with ``x_min, y_min, x_max, y_max`` for boxes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lineage import columns
from lineage.errors import BadInput
from lineage.formats.predictions.cells import blocks, opened
from lineage.formats.predictions.draft import Draft, Found, Rows
from lineage.formats.predictions.known import Known
from lineage.terms import Kind

_WORDS = ("asset", "class")
_PATH = {"image": "/asset", "class": "/class", "box": "/x_min", "score": "/score"}


def read(path: Path, known: Known) -> Iterator[Found]:
    """Read a table of predictions; see `lineage.formats.predictions`.

    Raises
    ------
    BadInput
        ``predictions-format``: it lacks a column; ``unreadable-table``, ``not-utf8``.
    """
    source = opened(path)
    has = [name for name in columns.BOX if name in source.columns]
    lacking = [name for name in (*_WORDS, "score") if name not in source.columns]
    if lacking or len(has) not in (0, len(columns.BOX)):
        lacking += [name for name in columns.BOX if has and name not in has]
        raise BadInput(
            "predictions-format",
            f"found the columns {list(source.columns)[:12]}, expected {', '.join(lacking)} besides",
            hint="predictions: asset, class, score and a box; outcomes: asset, class, good, bad",
            where=str(path),
        )
    draft = Draft(str(path), known)
    numbers = ["score", *has]
    for cells in blocks(source, [*_WORDS, *numbers], numbers, draft.refusals):
        score = cells.numbers("score")
        box = np.column_stack([cells.numbers(name) for name in columns.BOX])
        image, class_ = cells.words("asset"), cells.words("class")
        kept = np.flatnonzero(~cells.is_bad)
        yield draft.found(
            Rows(
                [image[at] for at in kept.tolist()],
                [class_[at] for at in kept.tolist()],
                box[kept],
                score[kept],
                np.asarray(cells.block.position, np.int64)[kept],
                _PATH,
                kind=Kind.BOX.value if has else Kind.CLASS.value,
            )
        )
