"""A file for every image: by the image's name, in the image's folder, and never one for two images."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

# signs that some file system cannot hold, or that mean something to one
_UNFIT = re.compile(r'[<>:"|?*\\\x00-\x1f\x7f]')
_MAX_BYTES = 200
_SLICE_ROWS = 16_384
_PASSED_OVER = ("__MACOSX",)


class Paths:
    """The path of each image's file, below one folder and without its ending.

    Parameters
    ----------
    names
        Strings: of all images, each once.

    Notes
    -----
    ``a/b.jpg`` has the file ``a/b``. Where several images would share one, on file systems that take
    no notice of case too, the ending stays (``a/b.jpg``), and where that does not help either, a
    digest of the name is added. Which it is depends on the names alone.
    """

    def __init__(self, names: pa.ChunkedArray) -> None:
        short = np.fromiter(
            (_code(_short(name)) for name in _each(names)), np.uint64, names.length()
        )
        codes, n_each = np.unique(short, return_counts=True)
        self._shared = frozenset(codes[n_each > 1].tolist())
        long = Counter(_code(_long(name)) for name in _each(names) if self._is_shared(name))
        taken = np.isin(np.array(list(long), np.uint64), codes)
        self._digested = frozenset(
            code
            for (code, count), is_taken in zip(long.items(), taken.tolist(), strict=True)
            if count > 1 or is_taken
        )

    def of(self, name: str) -> str:
        """Return an image's path."""
        if not self._is_shared(name):
            return _short(name)
        path = _long(name)
        return f"{path}-{_digest(name)}" if _code(path) in self._digested else path

    def _is_shared(self, name: str) -> bool:
        return bool(self._shared) and _code(_short(name)) in self._shared


def file_name(text: str) -> str:
    """Return text as the name of a file, without its ending."""
    return _component(text, is_folder=False)


def _each(names: pa.ChunkedArray) -> Iterator[str]:
    for chunk in names.chunks:
        for start in range(0, len(chunk), _SLICE_ROWS):
            yield from chunk.slice(start, _SLICE_ROWS).to_pylist()


def _short(name: str) -> str:
    return _path(name, lambda last: last.rpartition(".")[0] or last)


def _long(name: str) -> str:
    return _path(name, lambda last: last)


def _path(name: str, of_last: Callable[[str], str]) -> str:
    *folders, last = name.split("/")
    parts = [_component(folder, is_folder=True) for folder in folders]
    return "/".join([*parts, _component(of_last(last), is_folder=False)])


def _component(text: str, *, is_folder: bool) -> str:
    fit = _UNFIT.sub("_", text).strip()
    # a folder must not have the name of a file, and hidden ones are passed over by readers
    if not fit or fit.startswith(".") or fit in _PASSED_OVER:
        fit = f"_{fit}"
    if is_folder and fit.lower().endswith(".xml"):
        fit += "_"
    if len(fit.encode()) > _MAX_BYTES:
        fit = f"{fit[: _MAX_BYTES // 8]}-{_digest(text)}"
    return fit


def _code(path: str) -> int:
    same = unicodedata.normalize("NFC", path).casefold()
    return int.from_bytes(hashlib.blake2b(same.encode(), digest_size=8).digest(), "little")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
