"""Files that survive a crash: written, synced, and named, each in its turn."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lineage.errors import StoreFault

_AT_CWD = -100
_RENAME_EXCHANGE = 2


@contextmanager
def disk(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into ``disk-full`` or ``disk-fault``."""
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFault(
                "disk-full",
                f"no room left to write {path}: {exc}",
                hint="free space, then repeat the command; nothing was recorded",
            ) from exc
        raise StoreFault(
            "disk-fault", f"{path} could not be written: {exc}", hint="nothing was recorded"
        ) from exc


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_synced(path: Path, content: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_file(path: Path) -> None:
    """Wait until the disk has the bytes of ``path``."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def exchange(one: Path, other: Path) -> bool:
    """Let two names change places in one step; tell whether the system can (Linux can).

    Notes
    -----
    A directory cannot be renamed over another that holds files: without this there is a moment
    in which one of the two has no name.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    names = os.fsencode(one.absolute()), os.fsencode(other.absolute())
    return bool(rename(_AT_CWD, names[0], _AT_CWD, names[1], _RENAME_EXCHANGE) == 0)


def sync_directory(path: Path) -> None:
    """Wait until the disk has the names in ``path``."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
