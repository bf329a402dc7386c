"""Archives, unpacked without trusting them: zip, and tar plain or compressed.

An archive comes from outside and says what it likes: names that climb out of the folder, links,
devices, two members of one name, sizes that are lies, a petabyte of zeros. It is read member by
member (`archive_members`), every byte is counted as it is written, and the first offence refuses
the archive whole. Images, by the ending of their name, are left packed, or cut to the beginning
that gives their size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lineage.errors import BadInput
from lineage.formats.archive_members import (
    BLOCK_BYTES,
    DAMAGE,
    LIMITS,
    Limits,
    Meter,
    kind_of,
    members_of,
    unsafe,
)
from lineage.formats.names import is_image

__all__ = ["LIMITS", "Limits", "Unpacked", "kind_of", "unpack"]

_HEADER_BYTES = 4096
_MOST_HEADERS = 256


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What came out of an archive.

    Parameters
    ----------
    n_files
        Written.
    n_images
        Left packed, or cut to their beginning.
    """

    n_files: int
    n_images: int


def unpack(path: Path, folder: Path, *, images: bool = False, limits: Limits = LIMITS) -> Unpacked:
    """Unpack an archive into a folder of its own.

    Parameters
    ----------
    path
        The archive; `kind_of` tells that it is one.
    folder
        An empty directory; the caller removes it, also after a refusal.
    images
        Write the images and nothing else, each cut behind its header, which tells its size.
        Without it, everything but the images.
    limits
        How much it may unpack to.

    Raises
    ------
    BadInput
        ``archive-unsafe``: a path that is absolute, climbs or is too long, a link, a device, a
        member that stands twice; ``archive-encrypted``; ``archive-too-large``;
        ``archive-unreadable``: damaged, cut off, or packed in a way that is not known here.
    """
    kind = kind_of(path) or ""
    meter = Meter(path, limits, path.stat().st_size)
    n_files = n_images = 0
    with _translated(path):
        for parts, opened in members_of(path, kind, meter):
            target = folder.joinpath(*parts)
            try:
                if opened is None:
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                is_picture = is_image(parts[-1])
                n_images += is_picture
                if is_picture == images:
                    n_files += 1
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with opened() as source, target.open("xb") as file:
                        _keep(_beginning(source) if images else _blocks(source), file, meter)
            except (FileExistsError, NotADirectoryError) as exc:
                name = "/".join(parts)
                raise unsafe(path, name, "stands twice, or as a file and as a folder") from exc
    return Unpacked(n_files, n_images)


def _keep(blocks: Iterator[bytes], file: IO[bytes], meter: Meter) -> None:
    for block in blocks:
        meter.written(len(block))
        file.write(block)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except BadInput:
        raise
    except DAMAGE as exc:
        if isinstance(exc, OSError) and exc.errno is not None:
            raise  # the disk's own trouble, not the archive's
        raise BadInput(
            "archive-unreadable",
            f"the archive cannot be read: {exc or type(exc).__name__}",
            hint="it may be cut off: fetch it again, or unpack it yourself and import the folder",
            where=str(path),
        ) from exc


def _blocks(source: IO[bytes]) -> Iterator[bytes]:
    while block := source.read(BLOCK_BYTES):
        yield block


def _beginning(source: IO[bytes]) -> Iterator[bytes]:
    """Yield an image up to where its size is known, at most 1 MiB of it."""
    from PIL import ImageFile

    parser = ImageFile.Parser()
    for _ in range(_MOST_HEADERS):
        block = source.read(_HEADER_BYTES)
        if not block:
            return
        yield block
        try:
            parser.feed(block)
        except (OSError, ValueError, SyntaxError, struct.error):
            return
        if parser.image is not None:
            return
