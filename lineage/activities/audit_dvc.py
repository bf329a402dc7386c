"""The audit of what DVC keeps: every object of its cache, and every file of its outs, hashed anew.

The ledger's files and ``data/dataset`` are left out of the second: what they should
be is said by headers and manifests, and they grow between two runs of the pipeline.
So are outs that DVC keeps no bytes of: reports, text that Git has.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from lineage.activities import version
from lineage.activities.audit_ground import Ground
from lineage.activities.audit_locate import Place, between, place_of
from lineage.activities.findings import Finding
from lineage.errors import LineageError
from lineage.segments import read_parquet
from lineage.vcs import objects

_OBJECT = "remove the object, then: dvc fetch, or dvc commit where the workspace has the file"
_WORKSPACE = "dvc checkout {path} brings it back; a change that is meant: dvc commit {path}"
_OWN = ("ledger", version.OUT.as_posix())


def cache(ground: Ground) -> Iterator[Finding]:
    """Yield objects of the cache whose bytes are not those that their names say."""
    root = ground.project.root
    paths = {stored: path for path, stored in ground.objects.items()}
    for entry in objects.corrupt(root):
        ground.checked["objects"] += 1
        if entry is None:
            continue
        path = paths.get(entry.path)
        where = (
            entry.path.relative_to(root).as_posix()
            if entry.path.is_relative_to(root)
            else str(entry.path)
        )
        place = _place(ground, path, entry.path)
        told = f"md5 {entry.found}"
        if path is not None:
            told += f", of {path}: {place.found}" if place.found else f", of {path}"
        yield Finding(
            "cache-corrupt",
            where,
            place.annotation,
            f"md5 {entry.expected}",
            told,
            _OBJECT,
            max(place.n, 1),
        )


def workspace(ground: Ground) -> Iterator[Finding]:
    """Yield files that DVC tracks and that are not what it has on record."""
    root = ground.project.root
    n_absent = n_text = 0
    for entry in objects.tracked(root):
        path = entry.path.relative_to(root).as_posix()
        if path == _OWN[0] or path.startswith(tuple(f"{own}/" for own in _OWN)):
            continue
        if not entry.path.is_file():
            n_absent += 1
            continue
        ground.checked["workspace_files"] += 1
        found = objects.file_md5(entry.path)
        if found == entry.md5:
            continue
        if not entry.is_cached:
            n_text += 1
            continue
        cure = _WORKSPACE.format(path=entry.out)
        yield Finding("workspace-changed", path, None, f"md5 {entry.md5}", f"md5 {found}", cure)
    if n_absent:
        ground.notes.append(
            f"{n_absent:,} files that DVC tracks are not here: dvc pull brings them"
        )
    if n_text:
        ground.notes.append(f"{n_text:,} reports were written since the last dvc repro")


def _place(ground: Ground, path: str | None, stored: Path) -> Place:
    """Return where an object stops being the file that it is a copy of."""
    nowhere = Place(None, "")
    if path is None:
        return nowhere
    for seq, part in ground.all_parts():
        if path == f"ledger/segments/{part.file}":
            return place_of(ground, seq, part, stored)
    good = ground.project.root / path
    if not path.startswith(f"{_OWN[1]}/") or not path.endswith(".parquet") or not good.is_file():
        return nowhere
    try:
        rows = pa.Table.from_batches(read_parquet(good))
    except (LineageError, pa.ArrowException, ValueError):
        return nowhere
    return between(stored, rows)
