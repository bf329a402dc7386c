"""The doors: one module for each tool's export, read into and written from Arrow.

What lives here: everything that knows what a foreign file looks like. A reader
turns a file into chunks of `columns.LABELS`, `columns.ASSETS`,
`columns.ROSTER` and `columns.COMPLETENESS`, in pixels, people by the handle that the tool gives, ids as
the tool writes them; it invents neither a person nor a time. A writer turns
dataset tables into a file that the tool reads and says what it could not
carry. Percent, fractions, corner conventions and run-length dialects end here.

What may not: the store, the ledger, label schemas, and any decision about what
a label is worth. Start reading at `Chunk`, then ``coco/read.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import pyarrow as pa

from lineage import columns
from lineage.errors import BadInput
from lineage.formats.forms import Configuration
from lineage.formats.sniffing import Sniffed as Sniffed
from lineage.formats.sniffing import sniff as sniff

CHUNK_ROWS = 65_536
TASKS = ("auto", "detect", "segment", "pose", "obb")
"""What `ReadOptions.task` may be."""


def _no_size(name: str) -> tuple[int, int] | None:
    return None


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the caller knows that the file may not say.

    Parameters
    ----------
    annotator
        Handle for labels whose export names nobody; None leaves them unknown.
    annotator_of_file
        Handle by file name, for exports that come as one file a person.
    chunk_rows
        Labels in one chunk at most, save that one task or image is never split.
    size_of
        Width and height in px of an image by name, None where unknown: for formats that give
        fractions and no sizes.
    pixel_base
        Number of the first pixel, 0 or 1, for formats that do not say (VOC); 1 also means that
        the last pixel is included.
    task
        What rows mean where a format does not declare it (YOLO): ``auto``, ``detect``,
        ``segment``, ``pose`` or ``obb``.
    mapping
        The document of a mapping file (``table``).
    """

    annotator: str | None = None
    annotator_of_file: Mapping[str, str] = field(default_factory=dict)
    chunk_rows: int = CHUNK_ROWS
    size_of: Callable[[str], tuple[int, int] | None] = _no_size
    pixel_base: int = 0
    task: str = "auto"
    mapping: Mapping[str, object] | None = None

    def fallback_annotator(self, path: Path) -> str | None:
        """Return the handle to use where ``path`` itself names nobody."""
        return self.annotator_of_file.get(path.name, self.annotator)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A bounded piece of an export.

    Parameters
    ----------
    labels, assets, roster, violations
        Batches of `columns.LABELS`, `columns.ASSETS`, `columns.ROSTER`, `columns.VIOLATIONS`. An
        asset may recur in later chunks; its facts then agree or are a violation of the caller's.
    losses
        What the reader saw and could not carry, counted: ``{"relation": 3}``.
    completeness
        Batch of `columns.COMPLETENESS`: what the tool says of how far each image is.
    notes
        What the reader took for granted, for the report: ``{"pixel-base": "0, the default"}``.
    """

    labels: pa.RecordBatch
    assets: pa.RecordBatch
    roster: pa.RecordBatch
    violations: pa.RecordBatch
    losses: Mapping[str, int]
    completeness: pa.RecordBatch = field(
        default_factory=lambda: columns.empty(columns.COMPLETENESS)
    )
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What a writer is given besides labels and images.

    Parameters
    ----------
    completeness
        `columns.DATASET_COMPLETENESS`; an image that no row calls complete is never written as a
        negative.
    is_prelabels
        Write suggestions for annotators to begin from, in formats that tell them from labels.
    schemas
        Documents of the label schemas that the labels stand under, oldest first: how the tool's
        project asks for attributes.
    task
        What a set is for where one set can hold one task only (YOLO), one of `TASKS`; ``auto`` goes
        by the kinds of its labels.
    """

    completeness: pa.Table = field(
        default_factory=lambda: columns.DATASET_COMPLETENESS.empty_table()
    )
    is_prelabels: bool = False
    schemas: Sequence[Mapping[str, object]] = ()
    task: str = "auto"


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What a writer wrote, and what its format has no room for.

    Parameters
    ----------
    n_labels, n_assets
        Written.
    losses
        What could not be carried, counted.
    side_files
        Files beside or within what was written that carry what the format cannot.
    """

    n_labels: int
    n_assets: int
    losses: Mapping[str, int]
    side_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Precision:
    """How closely a format holds what it was given; what it cannot hold is no change of a label.

    Parameters
    ----------
    px
        By how much a coordinate may differ, px. The default is what arithmetic loses: a corner plus
        a width is not quite the other corner.
    fraction
        The same, as a fraction of the image's longer side.
    rotation_deg
        By how much a rotation may differ.
    unsaid
        Columns of `columns.LABELS` that it has no words for.
    """

    px: float = 1e-6
    fraction: float = 0.0
    rotation_deg: float = 1e-6
    unsaid: tuple[str, ...] = ()


Reader = Callable[[Path, ReadOptions], Iterator[Chunk]]
Writer = Callable[[Path, pa.Table, pa.Table, WriteOptions], WriteReport]
Configurer = Callable[[Mapping[str, object]], Configuration]

READERS: Mapping[str, str] = {
    "label-studio": "lineage.formats.label_studio.read",
    "cvat": "lineage.formats.cvat.read",
    "coco": "lineage.formats.coco.read",
    "voc": "lineage.formats.voc.read",
    "yolo": "lineage.formats.yolo.read",
    "labelbox": "lineage.formats.labelbox.read",
    "table": "lineage.formats.table.read",
    "cvat-rest": "lineage.formats.cvat_rest.read",
}
"""Format name to the module whose ``read(path, options)`` is its reader."""

PRECISIONS: Mapping[str, Precision] = {
    # two decimals, of pixels and of degrees
    "cvat": Precision(px=0.005, rotation_deg=0.005),
    # six decimals, of a centre and of half a side
    "yolo": Precision(fraction=1e-6, unsaid=("attributes", "origin")),
}
"""Format name to its precision, where it rounds; the others hold what they were given."""

TREES = frozenset({"voc", "yolo", "cvat-rest"})
"""Formats of many files: their readers take a folder whole, their writers make one."""

TOOLS: Mapping[str, str] = {"cvat-rest": "cvat"}
"""Format name to the tool whose people it names, where a tool has several formats."""

WRITERS: Mapping[str, str] = {
    "label-studio": "lineage.formats.label_studio.write",
    "cvat": "lineage.formats.cvat.write",
    "coco": "lineage.formats.coco.write",
    "voc": "lineage.formats.voc.write",
    "yolo": "lineage.formats.yolo.write",
}
"""Format name to the module whose ``write(path, labels, assets, options)`` is its writer."""

CONFIGURATIONS: Mapping[str, str] = {
    "label-studio": "lineage.formats.label_studio.config",
    "cvat": "lineage.formats.cvat.config",
}
"""Tool to the module whose ``configuration(document)`` makes its labelling configuration."""


def precision(name: str) -> Precision:
    """Return how closely the format called ``name`` holds what it was given."""
    return PRECISIONS.get(name, Precision())


def reader(name: str) -> Reader:
    """Return the reader of the format called ``name``.

    Raises
    ------
    BadInput
        ``unknown-format``: there is no such format.
    """
    if name not in READERS:
        raise BadInput(
            "unknown-format", f"unknown format {name!r}, expected one of {', '.join(READERS)}"
        )
    found: Reader = import_module(READERS[name]).read
    return found


def writer(name: str) -> Writer:
    """Return the writer of the format called ``name``.

    Raises
    ------
    BadInput
        ``unknown-format``: there is no such format.
    """
    if name not in WRITERS:
        raise BadInput(
            "unknown-format", f"unknown format {name!r}, expected one of {', '.join(WRITERS)}"
        )
    found: Writer = import_module(WRITERS[name]).write
    return found


def configuration(name: str) -> Configurer:
    """Return what makes the labelling configuration of a tool from a label schema's document.

    Raises
    ------
    BadInput
        ``unknown-format``: there is none for this tool.
    """
    if name not in CONFIGURATIONS:
        raise BadInput(
            "unknown-format",
            f"no labelling configuration for {name!r}, expected one of {', '.join(CONFIGURATIONS)}",
        )
    found: Configurer = import_module(CONFIGURATIONS[name]).configuration
    return found
