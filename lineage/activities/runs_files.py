"""A dataset version's files against its manifest: what is missing, changed, or does not belong there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from lineage.activities import dataset
from lineage.activities.findings import Finding
from lineage.errors import BadInput
from lineage.segments import file_sha256

_PARQUET = "*.parquet"
_MANIFEST = "manifest.json"


def differences(folder: Path, manifest: Mapping[str, object]) -> list[Finding]:
    """Return everything in which a folder is not a version's, the manifest first.

    Parameters
    ----------
    folder
        Holds ``manifest.json`` and a folder for each split.
    manifest
        As the registry has it.

    Notes
    -----
    Every byte is read. A Parquet file that the manifest does not name is a difference too: whoever reads a
    folder by a pattern would train on it.
    """
    return list(_differences(folder, manifest))


def folder_digest(folder: Path) -> str | None:
    """Return the digest of the version that a folder says it holds, None where it says nothing."""
    try:
        return str(dataset.read_manifest(folder / _MANIFEST).get("digest"))
    except (OSError, ValueError, AttributeError):
        return None


def refuse_split(manifest: Mapping[str, object], split: str | None) -> None:
    """Refuse a split that a version has not.

    Raises
    ------
    BadInput
        ``no-split``.
    """
    known = cast(Mapping[str, object], manifest["splits"])
    if split is not None and split not in known:
        raise BadInput(
            "no-split",
            f"version {manifest['name']} has no split {split!r}, only {', '.join(known)}",
        )


def _differences(folder: Path, manifest: Mapping[str, object]) -> Iterator[Finding]:
    name = str(manifest["name"])
    cure = "dvc checkout, at the commit of that version"
    found = folder_digest(folder)
    if not folder.is_dir():
        yield Finding("file-missing", str(folder), None, f"version {name}", "no such folder", cure)
        return
    if found != manifest["digest"]:
        told = "no readable manifest" if found is None else f"a manifest of {found}"
        yield Finding("manifest-differs", _MANIFEST, None, str(manifest["digest"]), told, cure)
    elif dict(dataset.read_manifest(folder / _MANIFEST)) != dict(manifest):
        told = "a manifest that says other things"
        expected = f"ledger/versions/{name}.json"
        yield Finding("manifest-differs", _MANIFEST, None, expected, told, cure)
    files = cast(Sequence[Mapping[str, str]], manifest["files"])
    for entry in files:
        path, expected = folder / entry["path"], f"sha256 {entry['sha256']}"
        if not path.is_file():
            yield Finding("file-missing", entry["path"], None, expected, "no such file", cure)
        elif (found := file_sha256(path)) != entry["sha256"]:
            yield Finding("file-differs", entry["path"], None, expected, f"sha256 {found}", cure)
    named = {entry["path"] for entry in files}
    for path in sorted(folder.rglob(_PARQUET)):
        extra = path.relative_to(folder).as_posix()
        if extra not in named:
            yield Finding("file-extra", extra, None, "no such file", "a file of no version", cure)
