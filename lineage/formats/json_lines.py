"""NDJSON of any size: one document a line, whole lines in groups, in bounded memory.

A block, and the longest line, are all that is held. Files that are called NDJSON and hold a
single document over several lines exist, and are read as that document.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from lineage.errors import BadInput
from lineage.formats.json_stream import MAX_ELEMENT_BYTES, Odd, converted

BLOCK_BYTES = 1 << 18
"""Read at once: documents of a block are decoded together, and a few stay in the processor's cache."""

_BOM = b"\xef\xbb\xbf"
_WIDE = (b"\xff\xfe", b"\xfe\xff")

T = TypeVar("T")


def elements(
    path: Path, kind: type[T], *, block_bytes: int = BLOCK_BYTES
) -> Iterator[tuple[int, T | Odd]]:
    """Yield the documents of a file, each with the index of its line.

    Parameters
    ----------
    path
        The file.
    kind
        What a document is decoded into; one that does not fit comes back as `Odd`.
    block_bytes
        How much to read at once.

    Raises
    ------
    BadInput
        ``unreadable-json``: a line that is no JSON, or a last line that is cut off; ``not-utf8``,
        ``too-deep``, ``element-too-large``.
    """
    decoder = msgspec.json.Decoder(kind)
    with path.open("rb") as file:
        first = _first_line(file, path)
        if _spans_lines(first, file):
            yield 0, _whole(path, kind)
            return
        file.seek(0)
        at = 0
        for group in _groups(file, path, block_bytes):
            n_lines = group.count(b"\n") + (not group.endswith(b"\n"))
            try:
                found = decoder.decode_lines(group)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                found = []
            if len(found) == n_lines:
                yield from enumerate(found, at)
            else:
                yield from _one_by_one(group, decoder, kind, path, at)
            at += n_lines


def _first_line(file: BinaryIO, path: Path) -> bytes:
    head = file.read(4)
    if head[:2] in _WIDE or b"\x00" in head:
        raise BadInput(
            "not-utf8", "the file is UTF-16 or UTF-32", hint="save it as UTF-8", where=str(path)
        )
    file.seek(len(_BOM) if head.startswith(_BOM) else 0)
    line = b"\n"
    while line and not line.strip():
        line = file.readline(MAX_ELEMENT_BYTES)
    if not line:
        raise BadInput(
            "unreadable-json",
            "found an empty file, expected one JSON document a line",
            where=str(path),
        )
    return line


def _spans_lines(first: bytes, file: BinaryIO) -> bool:
    """Tell whether a document begins on the first line and goes on behind it."""
    if not first.lstrip().startswith(b"{") or not file.read(1):
        return False
    try:
        json.loads(first)
    except RecursionError:
        return False
    except ValueError as exc:
        # a line that breaks off where the text ends; one that is malformed within is no beginning
        return isinstance(exc, json.JSONDecodeError) and exc.pos >= len(first.rstrip()) - 1
    return False


def _groups(file: BinaryIO, path: Path, block_bytes: int) -> Iterator[bytes]:
    held = b""
    n_read = 0
    if file.read(len(_BOM)) != _BOM:
        file.seek(0)
    while block := file.read(block_bytes):
        n_read += len(block)
        end = block.rfind(b"\n") + 1
        if end:
            yield held + block[:end]
            held = block[end:]
        else:
            held += block
        if len(held) > MAX_ELEMENT_BYTES:
            raise BadInput(
                "element-too-large",
                f"a line is longer than {MAX_ELEMENT_BYTES >> 20} MiB",
                where=f"{path}: byte {n_read - len(held):,}",
            )
    if held.strip():
        yield held


def _one_by_one(
    group: bytes, decoder: msgspec.json.Decoder[T], kind: type[T], path: Path, start: int
) -> Iterator[tuple[int, T | Odd]]:
    lines = group.split(b"\n")
    for at, line in enumerate(lines, start):
        if not line.strip():
            continue
        try:
            yield at, decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            is_last = at == start + len(lines) - 1
            yield at, _odd(line, kind, f"{path}: line {at + 1:,}", is_last=is_last)


def _whole(path: Path, kind: type[T]) -> T | Odd:
    if path.stat().st_size > MAX_ELEMENT_BYTES:
        raise BadInput(
            "element-too-large",
            f"a document over several lines is larger than {MAX_ELEMENT_BYTES >> 20} MiB",
            hint="one document a line is read at any size",
            where=str(path),
        )
    text = path.read_bytes().removeprefix(_BOM)
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _odd(text, kind, str(path), is_last=True)


def _odd(line: bytes, kind: type[T], where: str, *, is_last: bool) -> T | Odd:
    """Decode what the strict parser refused, or say what is the matter with it."""
    try:
        # Python's own parser knows NaN and Infinity, which some writers put into JSON
        document = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as exc:
        raise BadInput(
            "not-utf8",
            f"byte {line[exc.start]:#04x} is no UTF-8",
            hint="save the file as UTF-8",
            where=where,
        ) from exc
    except RecursionError as exc:
        raise BadInput(
            "too-deep",
            "brackets nest deeper than any tool's",
            hint="this is no export of a labelling tool",
            where=where,
        ) from exc
    except ValueError as exc:
        cut = is_last and isinstance(exc, json.JSONDecodeError) and not line.endswith(b"\n")
        told = "the file ends within a document" if cut else "no JSON document"
        hint = "the file is truncated: export or copy it again" if cut else "export the file again"
        raise BadInput("unreadable-json", f"{told}: {exc}", hint=hint, where=where) from exc
    return converted(document, kind)
