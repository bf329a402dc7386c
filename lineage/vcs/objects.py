"""What DVC keeps: the files of its outs as it has them on record, and the objects of its cache, hashed anew.

DVC trusts size and modification time, in the workspace as in the cache; it hashes what
changed by these alone. A changed byte that keeps both is served without a word. Here
every byte is read.
"""

from __future__ import annotations

import configparser
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lineage.vcs import _cached, _outs

_DIR = ".dir"


@dataclass(frozen=True, slots=True)
class Tracked:
    """A file of one of DVC's outs.

    Parameters
    ----------
    path
        Where it belongs in the workspace.
    out
        The out that it is of, a path below the project with slashes.
    md5
        Of its bytes, as DVC has it on record.
    is_cached
        Whether DVC keeps its bytes; if not, it is text that Git has.
    """

    path: Path
    out: str
    md5: str
    is_cached: bool


@dataclass(frozen=True, slots=True)
class Hashed:
    """An object of the cache whose bytes are not those that its name says."""

    path: Path
    expected: str
    found: str


def cache_of(root: Path) -> Path:
    """Return the folder of DVC's objects: the project's own, or the one that its settings name."""
    named = configparser.ConfigParser(interpolation=None, strict=False)
    named.read([root / ".dvc" / "config", root / ".dvc" / "config.local"], "utf-8")
    folder = named.get("cache", "dir", fallback="cache")
    return (root / ".dvc" / folder).resolve() / "files" / "md5"


def tracked(root: Path) -> Iterator[Tracked]:
    """Yield every file of DVC's outs; those of a folder only where its listing is here and whole."""
    cache = cache_of(root)
    for base, out in _outs(root):
        path, md5 = (base / str(out["path"])).resolve(), str(out.get("md5", ""))
        if not md5 or not path.is_relative_to(root.resolve()):
            continue
        name = path.relative_to(root.resolve()).as_posix()
        is_cached = out.get("cache", True) is not False and _is_kept(root, name)
        if not md5.endswith(_DIR):
            yield Tracked(path, name, md5, is_cached)
            continue
        for relative, digest in _entries(_cached(cache, md5), md5):
            yield Tracked(path / relative, name, digest, is_cached)


def object_of(root: Path, md5: str) -> Path:
    """Return where an object stands, or would."""
    return _cached(cache_of(root), md5)


def entries(root: Path, md5: str) -> Iterator[tuple[str, str]]:
    """Yield path and MD5 of a folder's files by the listing in the cache, none where it is not here or not whole."""
    yield from _entries(object_of(root, md5), md5)


def corrupt(root: Path) -> Iterator[Hashed | None]:
    """Read every object of the cache, and yield those that are not what their name says, None for the others."""
    cache = cache_of(root)
    for folder in sorted(cache.glob("[0-9a-f][0-9a-f]")):
        for path in sorted(folder.iterdir()):
            expected = folder.name + path.name.removesuffix(_DIR)
            if not path.is_file() or len(expected) != 32:
                continue
            found = file_md5(path)
            yield None if found == expected else Hashed(path, expected, found)


def file_md5(path: Path) -> str:
    """Return the MD5 of a file's bytes, DVC's name for them."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _entries(listing: Path, md5: str) -> Iterator[tuple[str, str]]:
    if not listing.is_file() or file_md5(listing) != md5.removesuffix(_DIR):
        return
    for entry in json.loads(listing.read_bytes()):
        yield str(entry["relpath"]), str(entry["md5"])


def _is_kept(root: Path, name: str) -> bool:
    """Tell whether the pipeline lets DVC keep an out's bytes: the lock file does not say."""
    return name not in _uncached(root / "dvc.yaml")


def _uncached(path: Path) -> set[str]:
    from dvc.utils.serialize import load_yaml

    document = load_yaml(str(path)) if path.is_file() else {}
    found: set[str] = set()
    for stage in (document.get("stages") or {}).values():
        for kind in ("outs", "metrics", "plots"):
            for entry in (stage or {}).get(kind) or []:
                if isinstance(entry, dict):
                    found |= {n for n, o in entry.items() if (o or {}).get("cache") is False}
    return found
