"""Label files from disk, as many together as make a chunk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_FILE_BYTES = 32 << 20
"""No image has so many labels; a file beyond it is refused unread."""

_MAX_BYTES = 8 << 20
_MAX_FILES = 16_384
_BLOCK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Group:
    """Label files with what stands in them.

    Parameters
    ----------
    labels
        Paths within the folder.
    texts
        The bytes of each; of one that is too large, none.
    too_large
        Which are, with their size in bytes.
    """

    labels: Sequence[str]
    texts: Sequence[bytes]
    too_large: dict[int, int]


def groups(root: Path, labels: Sequence[str], chunk_rows: int) -> Iterator[Group]:
    """Yield label files in order, with ``chunk_rows`` lines at most save that no file is split."""
    texts: list[bytes] = []
    too_large: dict[int, int] = {}
    first = n_lines = n_bytes = 0
    for at, label in enumerate(labels):
        text = _content(f"{root}/{label}")
        n = text.count(b"\n") + 1 if isinstance(text, bytes) else 0
        is_full = n_lines + n > chunk_rows or n_bytes > _MAX_BYTES or len(texts) == _MAX_FILES
        if texts and is_full:
            yield Group(labels[first:at], texts, too_large)
            texts, too_large, first, n_lines, n_bytes = [], {}, at, 0, 0
        if isinstance(text, int):
            too_large[len(texts)] = text
            text = b""
        texts.append(text)
        n_lines += n
        n_bytes += len(text)
    if texts:
        yield Group(labels[first:], texts, too_large)


def _content(path: str) -> bytes | int:
    """Return a file's bytes, or its size where it is too large."""
    # without the layers of `open`, of which a hundred thousand small files feel each
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.read(handle, _BLOCK_BYTES)
        if len(text) < _BLOCK_BYTES:
            return text
        size = os.fstat(handle).st_size
        if size > MAX_FILE_BYTES:
            return size
        pieces = [text]
        while piece := os.read(handle, size):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(handle)
