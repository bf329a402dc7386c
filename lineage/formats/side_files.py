"""Files beside what a tool reads, for what its format has no room for."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from lineage.formats import by_image

COMPLETENESS = ("asset", "class", "state", "reason", "batch", "split")
"""Columns of a completeness file; an empty class is every class."""


def completeness_path(path: Path) -> Path:
    """Return where the completeness of a file's images stands.

    Examples
    --------
    >>> completeness_path(Path("out/w01.xml")).as_posix()
    'out/w01.completeness.csv'
    """
    return path.with_name(f"{path.stem}.completeness.csv")


def write_completeness(path: Path, completeness: pa.Table) -> None:
    """Write rows of `columns.DATASET_COMPLETENESS` as CSV, the same bytes for the same rows."""
    rows = by_image.ordered(completeness)
    pa_csv.write_csv(rows.select(COMPLETENESS), path)
