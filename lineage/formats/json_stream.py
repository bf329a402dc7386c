"""JSON files of any size, element by element, in bounded memory.

A scan over blocks finds where elements begin and end (brackets and commas
outside strings, in NumPy); whole elements then go to `msgspec` in groups. That
is several times faster than an event parser and as flat in memory: a group, a
block, and the longest element are all that is held.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec
import numpy as np

from lineage.errors import BadInput

BLOCK_BYTES = 8 << 20
GROUP_BYTES = 4 << 20
MAX_ELEMENT_BYTES = 256 << 20
MAX_DEPTH = 512

_OPEN, _CLOSE, _COMMA, _COLON = range(1, 5)
_QUOTE = ord('"')
_CLASS = {"{": _OPEN, "[": _OPEN, "}": _CLOSE, "]": _CLOSE, ",": _COMMA, ":": _COLON}
_CLASS_OF = bytes(_CLASS.get(chr(byte), 0) for byte in range(256))

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Span:
    """Where a value stands in its file: first byte, byte after the last, and its first character."""

    start: int
    stop: int
    opens_with: str


@dataclass(frozen=True, slots=True)
class Odd:
    """An element that is not of the expected form."""

    text: str
    problem: str


@dataclass(frozen=True, slots=True)
class _Marks:
    position: np.ndarray
    kind: np.ndarray
    depth: np.ndarray
    is_quote: np.ndarray

    def quotes(self) -> np.ndarray:
        """Return where strings begin and end."""
        return np.flatnonzero(self.is_quote)

    def last_quotes(self) -> np.ndarray:
        """Return the last two of `quotes`, without looking at all bytes if they are near the end."""
        near = max(len(self.is_quote) - 4096, 0)
        found = np.flatnonzero(self.is_quote[near:])[-2:] + near
        return found if len(found) == 2 else self.quotes()[-2:]


class _Scanner:
    """Carries string and bracket state over blocks."""

    def __init__(self) -> None:
        self.depth = 0
        self._in_string = False
        self._n_backslashes = 0

    def feed(self, block: bytes) -> _Marks:
        """Return the marks of a block that stand outside strings, and its string quotes.

        ``depth`` is that around a mark: for an opening bracket before it, for a closing one after.
        """
        is_quote = np.frombuffer(block, np.uint8) == _QUOTE
        self._drop_escaped(is_quote, block)
        inside = _odd_so_far(is_quote)
        if self._in_string:
            inside ^= 1
        if len(inside):
            self._in_string = bool(inside[-1])
        codes = np.frombuffer(block.translate(_CLASS_OF), np.uint8)
        position = np.flatnonzero((codes & (inside - 1)) != 0)
        kind = codes[position]
        step = (kind == _OPEN).astype(np.int32) - (kind == _CLOSE)
        after = np.cumsum(step, dtype=np.int32)
        after += self.depth
        if len(after):
            self.depth = int(after[-1])
        after -= kind == _OPEN
        return _Marks(position, kind, after, is_quote)

    def _drop_escaped(self, is_quote: np.ndarray, block: bytes) -> None:
        """Unmark quotes that an odd run of backslashes precedes."""
        if is_quote.size and is_quote[0] and self._n_backslashes % 2:
            is_quote[0] = False
        if b"\\" not in block:
            self._n_backslashes = 0 if block else self._n_backslashes
            return
        at = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\\"))
        is_first = np.diff(at, prepend=-2) != 1
        starts = np.flatnonzero(is_first)
        length = np.diff(starts, append=len(at))
        if at[0] == 0:
            length[0] += self._n_backslashes
        behind = at[starts + np.diff(starts, append=len(at)) - 1] + 1
        within = behind < len(block)
        is_quote[behind[within & (length % 2 == 1)]] = False
        self._n_backslashes = 0 if within[-1] else int(length[-1])


def _odd_so_far(flags: np.ndarray) -> np.ndarray:
    """Return 1 where an odd number of flags is set up to and with a place: sixty-four at a time."""
    padded = np.zeros(-(-len(flags) // 64) * 8, np.uint8)
    packed = np.packbits(flags, bitorder="little")
    padded[: len(packed)] = packed
    words = padded.view("<u8")
    for shift in (1, 2, 4, 8, 16, 32):
        words ^= words << np.uint64(shift)
    is_odd = (words >> np.uint64(63)).astype(bool)
    before = np.zeros(len(words), bool)
    before[1:] = np.bitwise_xor.accumulate(is_odd[:-1]) if len(words) > 1 else False
    words[before] ^= np.uint64(0xFFFF_FFFF_FFFF_FFFF)
    return np.unpackbits(padded, count=len(flags), bitorder="little")


def top_level(path: Path, *, block_bytes: int = BLOCK_BYTES) -> dict[str, Span]:
    """Return where the values of a file's top-level object stand, or ``{"": span}`` for an array.

    Raises
    ------
    BadInput
        ``unreadable-json``: neither object nor array, truncated, or text behind its end;
        ``not-utf8``, ``too-deep``.
    """
    with path.open("rb") as file:
        start, opens_with = _first(file, path)
        if opens_with == "[":
            return {"": Span(start, path.stat().st_size, "[")}
        spans: dict[str, Span] = {}
        key, value_at = "", -1
        last_quotes: list[int] = []
        for base, _, marks in _blocks(file, path, start, None, block_bytes):
            wanted = np.flatnonzero((marks.depth <= 1) & (marks.kind >= _CLOSE))
            quotes = marks.quotes() if len(wanted) else marks.last_quotes()
            for i in wanted.tolist():
                at = base + int(marks.position[i])
                if marks.kind[i] == _CLOSE and marks.depth[i] == 1:
                    continue
                if marks.kind[i] == _COLON and value_at < 0:
                    n_before = int(np.searchsorted(quotes, marks.position[i]))
                    before = quotes[max(n_before - 2, 0) : n_before]
                    ends = (last_quotes + (base + before).tolist())[-2:]
                    key, value_at = _text_between(file, ends, path), at + 1
                elif marks.kind[i] != _COLON and value_at >= 0:
                    spans[key] = _trimmed(file, value_at, at)
                    value_at = -1
            last_quotes = (last_quotes + (base + quotes[-2:]).tolist())[-2:]
        return spans


def iter_groups(
    path: Path,
    span: Span,
    *,
    block_bytes: int = BLOCK_BYTES,
    group_bytes: int = GROUP_BYTES,
) -> Iterator[tuple[int, bytes]]:
    """Yield an array's elements in groups.

    Parameters
    ----------
    path
        The file.
    span
        Where the array stands; see `top_level`.
    block_bytes, group_bytes
        How much to read at once, and how much to hand out at once.

    Yields
    ------
    tuple of int and bytes
        Index of the group's first element, and the group as a JSON array.

    Raises
    ------
    BadInput
        ``unreadable-json``: no array, truncated, or text behind its end; ``too-deep``;
        ``element-too-large``.
    """
    if span.opens_with != "[":
        raise BadInput(
            "unreadable-json",
            f"found {span.opens_with!r}, expected an array",
            where=_at(path, span.start),
        )
    held = bytearray()
    index = 0
    with path.open("rb") as file:
        for base, block, marks in _blocks(file, path, span.start, span.stop, block_bytes):
            is_comma = (marks.depth == 1) & (marks.kind == _COMMA)
            closes = marks.position[(marks.depth == 0) & (marks.kind == _CLOSE)]
            if len(closes):
                _refuse_trailing(block[int(closes[0]) + 1 :], path, base + int(closes[0]) + 1)
            commas = marks.position[is_comma]
            begin = 1 if base == span.start else 0
            done = begin
            n_since = 0
            for at in commas.tolist():
                n_since += 1
                if len(held) + at - done >= group_bytes:
                    yield index, b"[" + bytes(held) + block[done:at] + b"]"
                    held.clear()
                    index, n_since, done = index + n_since, 0, at + 1
            if n_since and not len(closes):
                last = int(commas[-1])
                yield index, b"[" + bytes(held) + block[done:last] + b"]"
                held.clear()
                index, done = index + n_since, last + 1
            held += block[done : int(closes[0])] if len(closes) else block[done:]
            if len(held) > MAX_ELEMENT_BYTES:
                raise BadInput(
                    "element-too-large",
                    f"element {index} is larger than {MAX_ELEMENT_BYTES >> 20} MiB",
                    where=_at(path, base),
                )
        if held.strip():
            yield index, b"[" + bytes(held) + b"]"


def decode_group(group: bytes, kind: type[T], path: Path, index: int) -> list[T | Odd]:
    """Decode a group's elements; one that does not fit its type comes back as `Odd`.

    Raises
    ------
    BadInput
        ``unreadable-json`` or ``not-utf8``: the group is no JSON, whatever its elements.
    """
    try:
        return list(msgspec.json.decode(group, type=list[kind]))  # type: ignore[valid-type]
    except msgspec.ValidationError:
        pass
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        _refuse_bytes(group, path, index)
    try:
        # Python's own parser knows NaN and Infinity, which some writers put into JSON
        elements = json.loads(group)
    except (ValueError, RecursionError) as exc:
        raise BadInput(
            "unreadable-json",
            f"no JSON in the elements from {index} on: {exc}",
            hint="export the file again",
            where=str(path),
        ) from exc
    return [converted(element, kind) for element in elements]


def converted(element: object, kind: type[T]) -> T | Odd:
    """Return what Python's own parser made of an element as its type, or as `Odd`.

    That parser lets halves of surrogate pairs pass, which are no text: no UTF-8 file can hold them.
    """
    text = json.dumps(element, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return Odd(json.dumps(element), "half a surrogate pair, which is no text")
    try:
        return msgspec.convert(element, kind)
    except msgspec.ValidationError as exc:
        return Odd(text, str(exc))


def _refuse_bytes(group: bytes, path: Path, index: int) -> None:
    try:
        group.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise BadInput(
            "not-utf8",
            f"byte {group[exc.start]:#04x} in the elements from {index} on is no UTF-8",
            hint="save the file as UTF-8",
            where=str(path),
        ) from exc


def _blocks(
    file: BinaryIO, path: Path, start: int, stop: int | None, block_bytes: int
) -> Iterator[tuple[int, bytes, _Marks]]:
    """Yield blocks with their marks until the value that begins at ``start`` has ended."""
    scanner = _Scanner()
    base = start
    while True:
        file.seek(base)
        room = block_bytes if stop is None else min(block_bytes, stop - base)
        block = file.read(room)
        if not block:
            break
        marks = scanner.feed(block)
        if len(marks.depth) and int(marks.depth.max()) > MAX_DEPTH:
            raise BadInput(
                "too-deep",
                f"brackets nest deeper than {MAX_DEPTH} levels",
                hint="this is no export of a labelling tool",
                where=_at(path, base),
            )
        yield base, block, marks
        ended = (marks.depth == 0) & (marks.kind == _CLOSE)
        if ended.any():
            _refuse_trailing_file(file, path, base + int(marks.position[ended][0]) + 1, stop)
            return
        base += len(block)
    raise BadInput(
        "unreadable-json",
        f"the file ends at byte {base:,} inside a value that began at byte {start:,}",
        hint="the file is truncated: export or copy it again",
        where=str(path),
    )


def _refuse_trailing_file(file: BinaryIO, path: Path, at: int, stop: int | None) -> None:
    if stop is None:
        file.seek(at)
        _refuse_trailing(file.read(65_536), path, at)


def _refuse_trailing(rest: bytes, path: Path, at: int) -> None:
    if rest.strip():
        raise BadInput(
            "unreadable-json",
            f"found {rest.strip()[:20]!r} behind the end of the document",
            hint="a file with one document a line is NDJSON, another format",
            where=_at(path, at),
        )


def _first(file: BinaryIO, path: Path) -> tuple[int, str]:
    head = file.read(65_536)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in head[:4]:
        raise BadInput(
            "not-utf8", "the file is UTF-16 or UTF-32", hint="save it as UTF-8", where=str(path)
        )
    offset = 3 if head.startswith(b"\xef\xbb\xbf") else 0
    rest = head[offset:].lstrip(b" \t\r\n")
    if rest[:1] not in (b"[", b"{"):
        found = repr(rest[:20]) if rest else "an empty file"
        raise BadInput(
            "unreadable-json",
            f"found {found}, expected a JSON object or array",
            where=_at(path, offset),
        )
    return len(head) - len(rest), rest[:1].decode("ascii")


def _text_between(file: BinaryIO, quotes: list[int], path: Path) -> str:
    if len(quotes) < 2:
        raise BadInput("unreadable-json", "a key without quotes", where=str(path))
    file.seek(quotes[0])
    try:
        return str(json.loads(file.read(quotes[1] - quotes[0] + 1)))
    except ValueError as exc:
        raise BadInput(
            "unreadable-json", f"no readable key: {exc}", where=_at(path, quotes[0])
        ) from exc


def _trimmed(file: BinaryIO, start: int, stop: int) -> Span:
    file.seek(start)
    head = file.read(min(stop - start, 65_536))
    n_space = len(head) - len(head.lstrip(b" \t\r\n"))
    return Span(start + n_space, stop, head[n_space : n_space + 1].decode("ascii", "replace"))


def _at(path: Path, offset: int) -> str:
    return f"{path}: byte {offset:,}"
