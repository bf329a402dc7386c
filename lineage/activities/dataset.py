"""A dataset version's files: Parquet parts for each split, its images and how far they are, the manifest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from lineage.segments import (
    exchange,
    file_sha256,
    parquet_writer,
    sync_directory,
    sync_file,
    write_synced,
)
from lineage.segments.scratch import sweep, under_way

PART_ROWS = 1_000_000
_GROUP_ROWS = 131_072


def write(
    target: Path,
    labels: pa.Table,
    assets: pa.Table,
    completeness: pa.Table,
    *,
    manifest: Mapping[str, object],
) -> list[dict[str, object]]:
    """Write a version's files beside ``target`` and put them in its place in one step.

    Parameters
    ----------
    target
        Directory; an older version in it is replaced.
    labels, assets, completeness
        Sorted rows.
    manifest
        What ``manifest.json`` says, save the files.

    Returns
    -------
    list of dict
        ``path`` below ``target``, ``sha256`` and ``n_rows`` of every Parquet file.
    """
    prefix = f".{target.name}.new"
    sweep(target.parent, prefix)
    # two builds at once do not write into one folder
    aside = target.with_name(under_way(prefix))
    aside.mkdir(parents=True)
    try:
        files = _fill(aside, labels, assets, completeness)
        write_synced(aside / "manifest.json", pretty({**manifest, "files": files}))
        sync_directory(aside)
        _swap(aside, target)
    finally:
        # an older version that gave way, or what could not be finished
        shutil.rmtree(aside, ignore_errors=True)
    return files


def _fill(
    aside: Path, labels: pa.Table, assets: pa.Table, completeness: pa.Table
) -> list[dict[str, object]]:
    files: list[dict[str, object]] = []
    for split in dict.fromkeys(assets["split"].cast(pa.string()).to_pylist()):
        folder = aside / split
        folder.mkdir()
        files.append(_write(aside, folder / "assets.parquet", _of(assets, split)))
        said = _of(completeness, split)
        if said.num_rows:
            files.append(_write(aside, folder / "completeness.parquet", said))
        rows = _of(labels, split)
        for part, start in enumerate(range(0, rows.num_rows, PART_ROWS)):
            path = folder / f"part-{part:05d}.parquet"
            files.append(_write(aside, path, rows.slice(start, PART_ROWS)))
        sync_directory(folder)
    return files


def pretty(document: Mapping[str, object]) -> bytes:
    """Return a manifest as it is written: sorted keys, no times, the same bytes every time."""
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def read_manifest(path: Path) -> Mapping[str, object]:
    """Return a manifest."""
    document: Mapping[str, object] = json.loads(path.read_bytes())
    return document


def _of(table: pa.Table, split: str) -> pa.Table:
    return table.filter(pc.equal(table["split"].cast(pa.string()), split)).unify_dictionaries()


def _write(root: Path, path: Path, rows: pa.Table) -> dict[str, object]:
    # words are numbered anew for each file, so that its bytes depend on its rows alone
    plain = rows.cast(pa.schema([_undictionaried(field) for field in rows.schema]))
    with parquet_writer(path, rows.schema) as writer:
        writer.write_table(plain.cast(rows.schema).combine_chunks(), row_group_size=_GROUP_ROWS)
    sync_file(path)
    name = path.relative_to(root).as_posix()
    return {"path": name, "sha256": file_sha256(path), "n_rows": rows.num_rows}


def _undictionaried(field: pa.Field) -> pa.Field:
    return field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field


def _swap(aside: Path, target: Path) -> None:
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists() and exchange(aside, target):
        sync_directory(target.parent)
        return
    if target.exists():
        target.rename(old)
    aside.rename(target)
    sync_directory(target.parent)
    shutil.rmtree(old, ignore_errors=True)
