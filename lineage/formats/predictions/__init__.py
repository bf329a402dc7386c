"""What models found, read from the files of their own tools into `columns.PREDICTIONS`.

Told apart by content (`sniff`): COCO results, torchvision's dicts as JSON, Ultralytics' predictions.json and
label files, plain tables. Every reader yields `Found`: bounded pieces, and every row that cannot be read
as a row of `columns.VIOLATIONS`. Tables of outcomes, where somebody else did the evaluating, are read
by `outcomes`. ``docs/predictions.md`` says what each tool writes. Start reading at `read`.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from lineage.formats.predictions.draft import Found as Found
from lineage.formats.predictions.known import Known as Known
from lineage.formats.predictions.sniffing import sniff as sniff

READERS = {
    "coco": "lineage.formats.predictions.coco",
    "torchvision": "lineage.formats.predictions.torchvision",
    "yolo": "lineage.formats.predictions.yolo",
    "table": "lineage.formats.predictions.table",
}
"""Format to the module whose ``read(path, known)`` reads it."""


def read(path: Path, known: Known) -> Iterator[Found]:
    """Read predictions, whatever tool wrote them.

    Raises
    ------
    BadInput
        ``predictions-format``: no predictions, or in a form that nothing here reads.
    """
    found: Iterator[Found] = import_module(READERS[sniff(path)]).read(path, known)
    return found
