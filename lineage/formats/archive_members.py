"""The members of zip and tar, each judged by its name and kind before its bytes are touched.

Nothing that an archive says of itself is believed: bytes are counted as they come out, and the first
offence refuses the archive whole.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lineage.errors import BadInput

BLOCK_BYTES = 1 << 18
_MAX_NAME_BYTES = 255
_MAX_PATH_BYTES = 2000
_MAX_DEPTH = 100
_MAX_READ = 1 << 20
_ENTRY_BYTES = 256
_DIRECTORY_END = b"PK\x05\x06"
_DIRECTORY_END_BYTES = 22 + 65_535
_ZIP = (b"PK\x03\x04", _DIRECTORY_END)
_STREAMS: dict[str, Callable[[Path], io.BufferedIOBase]] = {
    "tar": lambda path: path.open("rb"),
    "tar.gz": gzip.GzipFile,
    "tar.bz2": bz2.BZ2File,
    "tar.xz": lzma.LZMAFile,
}
_MAGIC = {b"\x1f\x8b": "tar.gz", b"BZh": "tar.bz2", b"\xfd7zXZ\x00": "tar.xz"}

DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
    OSError,
)
"""What the libraries raise for a damaged archive; an `OSError` with a number is the disk's own."""

Member = tuple[tuple[str, ...], Callable[[], IO[bytes]] | None]
"""The parts of a member's path, and what opens it; None for a folder."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an archive may unpack to.

    Parameters
    ----------
    n_bytes
        Written to disk, all members together.
    n_members
        Members, folders and images among them.
    ratio
        Unpacked bytes for each byte of the archive; counted from ``free_bytes`` on.
    free_bytes
        What even the smallest archive may unpack to.
    """

    n_bytes: int = 64 << 30
    n_members: int = 5_000_000
    ratio: int = 250
    free_bytes: int = 64 << 20


LIMITS = Limits()
"""20 million labels as JSON or XML take under 20 GB and pack to a tenth to a fiftieth."""


@dataclass(slots=True)
class Meter:
    """Counts what comes out, and refuses what is too much."""

    path: Path
    limits: Limits
    n_packed: int
    n_members: int = 0
    n_written: int = 0
    n_inflated: int = 0

    def member(self, name: str) -> tuple[str, ...]:
        """Judge a member by its name and return the parts of its path, none for the root."""
        self.n_members += 1
        if self.n_members > self.limits.n_members:
            self.too_large(f"more than {self.limits.n_members:,} members")
        return _parts(name, self.path)

    def inflated(self, n: int) -> None:
        """Count bytes that were unpacked, whether they are kept or not."""
        self.n_inflated += n
        if self.n_inflated > self.limits.free_bytes + self.limits.ratio * self.n_packed:
            self.too_large(f"more than {self.limits.ratio} times its own size")

    def written(self, n: int) -> None:
        """Count bytes that are kept."""
        self.n_written += n
        if self.n_written > self.limits.n_bytes:
            self.too_large(f"more than {self.limits.n_bytes >> 20:,} MiB")

    def too_large(self, what: str) -> None:
        """Refuse."""
        raise BadInput(
            "archive-too-large",
            f"the archive holds {what}; nothing of it was kept",
            hint="if it is honest, unpack it yourself and import the folder",
            where=str(self.path),
        )


def kind_of(path: Path) -> str | None:
    """Return ``zip``, ``tar``, ``tar.gz``, ``tar.bz2`` or ``tar.xz`` by content, None for others.

    Notes
    -----
    A single file in gzip, bzip2 or xz is no archive: it is told from a compressed tar by what stands
    in its first block.
    """
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith(_ZIP):
        return "zip"
    if _is_tar(head):
        return "tar"
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            try:
                with _STREAMS[kind](path) as file:
                    return kind if _is_tar(file.read(512)) else None
            except DAMAGE:
                return None
    return None


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def members_of(path: Path, kind: str, meter: Meter) -> Iterator[Member]:
    """Yield the members of an archive in its order, each to be opened before the next is asked for.

    Parameters
    ----------
    path
        The archive.
    kind
        One of `archives.kind_of`.
    meter
        Counts what comes out.

    Raises
    ------
    BadInput
        ``archive-unsafe``, ``archive-encrypted``, ``archive-too-large``.
    """
    yield from _zip_members(path, meter) if kind == "zip" else _tar_members(path, kind, meter)


def _zip_members(path: Path, meter: Meter) -> Iterator[Member]:
    _weigh_directory(path, meter)
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            # Windows' own packer of old wrote backslashes; nobody names a file with one
            name = info.orig_filename.replace("\\", "/")
            parts = meter.member(name)
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise unsafe(path, name, "is a link or a device")
            if info.flag_bits & 1:
                raise BadInput(
                    "archive-encrypted",
                    f"member {name!r} is encrypted",
                    hint="unpack it yourself and import the folder",
                    where=str(path),
                )
            if name.endswith("/") or not parts:
                yield parts, None
            else:
                yield parts, lambda info=info: _Metered(archive.open(info), meter)  # type: ignore[misc]


def _weigh_directory(path: Path, meter: Meter) -> None:
    """Refuse a list of members that would not fit into memory, before it is read."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(size - _DIRECTORY_END_BYTES, 0))
        tail = file.read()
    at = tail.rfind(_DIRECTORY_END)
    if at < 0 or at + 22 > len(tail):
        raise zipfile.BadZipFile("no list of members at its end")
    n_bytes = struct.unpack_from("<L", tail, at + 12)[0]
    most = _ENTRY_BYTES * meter.limits.n_members
    if (size if n_bytes == 0xFFFF_FFFF else n_bytes) > most:
        meter.too_large(f"a list of more than {meter.limits.n_members:,} members")


def _tar_members(path: Path, kind: str, meter: Meter) -> Iterator[Member]:
    if kind not in _STREAMS:
        raise tarfile.ReadError("neither zip nor tar")
    with (
        _STREAMS[kind](path) as stream,
        tarfile.open(
            fileobj=_Metered(stream, meter, is_packed=kind != "tar"), mode="r:"
        ) as archive,
    ):
        while (member := archive.next()) is not None:
            # every member met would be kept for look-ups that nobody makes
            archive.members = []  # type: ignore[attr-defined]
            parts = meter.member(member.name)
            if not (member.isreg() or member.isdir()):
                raise unsafe(path, member.name, "is a link or a device")
            if member.size < 0:
                raise tarfile.ReadError(f"{member.name!r} has a size of {member.size}")
            if member.issparse():
                raise unsafe(path, member.name, "has holes")
            if member.isdir() or not parts:
                yield parts, None
            else:
                yield parts, lambda member=member: _opened(archive, member)  # type: ignore[misc]


def _opened(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    found = archive.extractfile(member)
    if found is None:
        raise tarfile.ReadError(f"{member.name!r} has no content")
    return found


class _Metered(io.RawIOBase):
    """A stream that only goes forward, counts what it unpacks, and hands out no giant pieces.

    A tar header may announce a name or comment of any length, which `tarfile` reads in one go, or
    a negative size, which sends it back to where it was.
    """

    def __init__(
        self, stream: IO[bytes] | io.BufferedIOBase, meter: Meter, *, is_packed: bool = True
    ) -> None:
        self._stream = stream
        self._meter = meter
        self._is_packed = is_packed
        self._at = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be wound on."""
        return True

    def tell(self) -> int:
        """Return the place in the unpacked stream."""
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes."""
        if not 0 <= size <= _MAX_READ:
            raise tarfile.HeaderError(f"a header of {size:,} bytes")
        found = self._stream.read(size)
        self._at += len(found)
        self._meter.inflated(len(found))
        return found

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go on to a place; what lies between has to be unpacked."""
        if whence != io.SEEK_SET or offset < self._at:
            raise tarfile.StreamError("a header that leads backwards")
        if not self._is_packed:
            self._at = self._stream.seek(offset)
        while self._at < offset and self.read(min(offset - self._at, BLOCK_BYTES)):
            pass
        return self._at

    def close(self) -> None:
        """Close the stream beneath."""
        self._stream.close()
        super().close()


def _parts(name: str, path: Path) -> tuple[str, ...]:
    if any(ord(sign) < 32 for sign in name):
        raise unsafe(path, name, "holds control characters")
    if not name.isascii() and any("\ud800" <= sign <= "\udfff" for sign in name):
        raise unsafe(path, name, "has a name that is no UTF-8")
    if name.startswith("/") or (name[1:2] == ":" and name[0].isalpha()):
        raise unsafe(path, name, "is absolute")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts:
        raise unsafe(path, name, "climbs out of its folder")
    lengths = [len(part.encode()) for part in parts]
    if max(lengths, default=0) > _MAX_NAME_BYTES or sum(lengths) > _MAX_PATH_BYTES:
        raise unsafe(path, f"{name[:60]}...", "is longer than a file system allows")
    if len(parts) > _MAX_DEPTH:
        raise unsafe(path, f"{name[:60]}...", f"stands more than {_MAX_DEPTH} folders deep")
    return parts


def unsafe(path: Path, name: str, what: str) -> BadInput:
    """Return the refusal of an archive for one of its members."""
    return BadInput(
        "archive-unsafe",
        f"member {name!r} {what}; nothing of the archive was kept",
        hint="no labelling tool writes such an archive; ask where it comes from",
        where=str(path),
    )
