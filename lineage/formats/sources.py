"""What an export is found in: a file, a folder of them, or an archive.

A folder or archive is surveyed whole before anything is read: every file is looked at, what stands
beside exports is passed over and counted, and what is left must have one format. A file that holds
labels in a form that no reader takes refuses the folder: passing over it would lose them in silence.
Formats of many small files (`formats.TREES`) then take the folder as it is, the others go file by file.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from lineage.errors import BadInput, LineageError
from lineage.formats import READERS, TREES, Sniffed, archives, side_files
from lineage.formats.looks import Look, Role
from lineage.formats.names import is_image
from lineage.formats.sniffing import look, sniff

_N_EXAMPLES = 3
_ASKED = "asked for with --format"
_OF_ARCHIVERS = ("__MACOSX", "Thumbs.db", "desktop.ini")
_WITH_IMAGES = frozenset({"yolo"})
"""Formats whose coordinates need the sizes of images that lie beside the labels."""

_WITH_FOLDER = frozenset({"yolo", "cvat-rest"})
"""Formats of which a single file is read together with the folder that it stands in."""

_READ_TOO = {
    "yolo": frozenset({"image", "class list", "image list", "empty file", "side file"}),
    "voc": frozenset({"image list", "side file"}),
    "cvat": frozenset({"side file"}),
}
"""What a reader itself looks at besides the labels, and what therefore is not passed over."""


class Piece(NamedTuple):
    """What one call of a reader takes, and what reports and violations call it."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Found:
    """What the paths that a user names hold.

    Parameters
    ----------
    format, reason
        A name of `formats.READERS`, and how one could tell.
    pieces
        For the reader, in order of names.
    passed_over
        Files that are not read, by what they are.
    unpacked
        Folders into which archives were unpacked, with the archives.
    """

    format: str
    reason: str
    pieces: tuple[Piece, ...]
    passed_over: Mapping[str, int] = field(default_factory=dict)
    unpacked: Mapping[Path, Path] = field(default_factory=dict)


class Entry(NamedTuple):
    """A file of a folder: its path below it, and why it is not to be looked at, if so."""

    path: str
    passed_over: str | None


def walk(folder: Path) -> Iterator[Entry]:
    """Yield the files below a folder in order of their paths, component by component.

    Notes
    -----
    Hidden files, those that archivers leave behind, and folders that are links (which may lead to
    their own parents) are yielded as passed over and not descended into. One folder's names are in
    memory at a time.
    """
    yield from _walk(folder, "")


def _walk(folder: Path, below: str) -> Iterator[Entry]:
    names: list[str] = []
    passed_over: dict[str, str] = {}
    with os.scandir(folder / below) as entries:
        for entry in entries:
            name = entry.name
            why = _why_not(entry)
            if why is not None:
                passed_over[name] = why
            elif entry.is_dir():
                name += "/"
            names.append(name)
    for name in sorted(names):
        if name.endswith("/"):
            yield from _walk(folder, below + name)
        else:
            yield Entry(below + name, passed_over.get(name))


def _why_not(entry: os.DirEntry[str]) -> str | None:
    if entry.name.startswith(".") or entry.name in _OF_ARCHIVERS:
        return "hidden file"
    if entry.is_dir():
        return "linked folder" if entry.is_symlink() else None
    return None if entry.is_file() else "device or broken link"


def find(given: Sequence[Piece], *, scratch: Path, format: str = "auto") -> Found:
    """Find what an import reads.

    Parameters
    ----------
    given
        Files, folders and archives, with the names that reports and violations call them by.
    scratch
        An empty directory for what archives hold; the caller removes it.
    format
        A name of `formats.READERS`, or ``auto``.

    Raises
    ------
    BadInput
        ``no-such-file``, ``file-name``; ``unknown-format``: no reader takes it; ``nothing-to-import``: a folder
        or archive without exports; ``mixed-formats``: exports of several formats, or labels in a
        form that no reader takes among them; ``archive-...``: see `archives.unpack`.
    """
    if format not in ("auto", *READERS):
        known = ", ".join(READERS)
        raise BadInput("unknown-format", f"unknown format {format!r}, expected one of {known}")
    if not given:
        raise BadInput("no-such-file", "no file to import", hint="lineage import FILE --batch TAG")
    found: list[Found] = []
    unpacked: dict[Path, Path] = {}
    with named_as_given(unpacked):
        for piece in given:
            room = scratch / str(len(unpacked))
            if piece.path.is_file() and archives.kind_of(piece.path) is not None:
                room.mkdir(parents=True)
                unpacked[room] = piece.path
            found.append(_find(piece, room, format))
    names = {one.format for one in found}
    if len(names) > 1:
        kinds: dict[str, list[str]] = {}
        for piece, one in zip(given, found, strict=True):
            kinds.setdefault(one.format, []).append(piece.path.name)
        raise _mixed("files of one import must have one format", kinds)
    passed_over: Counter[str] = Counter()
    pieces = tuple(piece for one in found for piece in one.pieces)
    for one in found:
        passed_over.update(one.passed_over)
    for piece in pieces:
        if _shown(str(piece.path)) != str(piece.path):
            told = f"the name of {_shown(str(piece.path))} is no UTF-8"
            raise BadInput("file-name", told, hint="rename the file")
    return Found(
        found[0].format,
        found[0].reason,
        pieces,
        dict(sorted(passed_over.items())),
        unpacked,
    )


def read_besides(path: Path) -> list[Path]:
    """Return the files that are read together with one that is named: our own side files."""
    beside = side_files.completeness_path(path)
    return [beside] if path.is_file() and beside.is_file() else []


def is_whole(path: Path, format: str) -> bool:
    """Tell whether a path holds all that its reader reads, so that its digest tells of every change.

    One file of a YOLO folder is read under the classes that the folder declares.
    """
    return format not in _WITH_FOLDER or path.is_dir() or archives.kind_of(path) is not None


@contextmanager
def named_as_given(unpacked: Mapping[Path, Path]) -> Iterator[None]:
    """Let failures name an archive and a path within, not the folder where it was unpacked."""
    try:
        yield
    except LineageError as exc:
        for folder, archive in unpacked.items():
            exc.where = exc.where.replace(str(folder), str(archive))
            exc.message = exc.message.replace(str(folder), str(archive))
        raise


def renamed(violations: pa.RecordBatch, piece: Piece) -> pa.RecordBatch:
    """Let violations name their file as the report does, not where it was read."""
    path, name = str(piece.path), piece.name
    if violations.num_rows == 0 or path == name:
        return violations
    source = violations["source"]
    within = pc.utf8_slice_codeunits(source, len(path))
    is_ours = pc.starts_with(source, path)
    at = violations.schema.get_field_index("source")
    column = pc.if_else(is_ours, pc.binary_join_element_wise(name, within, ""), source)
    return violations.set_column(at, violations.schema.field(at), column)


def _find(piece: Piece, room: Path, format: str) -> Found:
    if piece.path.is_dir():
        return _survey(piece.path, piece.name, format)
    if not piece.path.is_file():
        raise BadInput("no-such-file", f"no file {piece.path}", hint="check the path")
    if not room.is_dir():
        told = sniff(piece.path) if format == "auto" else Sniffed(format, _ASKED)
        return Found(told.format, told.reason, (piece,))
    archives.unpack(piece.path, room)
    found = _survey(room, piece.name, format)
    if found.format in _WITH_IMAGES:
        archives.unpack(piece.path, room, images=True)
    return found


def _survey(folder: Path, name: str, format: str) -> Found:
    """Look at every file of a folder and decide what it is."""
    seen = _Seen()
    paths: dict[str, list[str]] = {}
    for entry in walk(folder):
        if entry.passed_over is not None:
            seen.add(Look(Role.BESIDE, entry.passed_over), entry.path)
            continue
        found = Look(Role.BESIDE, "image") if is_image(entry.path) else look(folder / entry.path)
        seen.add(found, entry.path)
        if found.role == Role.EXPORT and found.what not in TREES:
            paths.setdefault(found.what, []).append(entry.path)
    chosen = seen.chosen(folder, format)
    if chosen.format in TREES:
        pieces = [Piece(folder, name)]
    else:
        pieces = [Piece(folder / path, f"{name}/{_shown(path)}") for path in paths[chosen.format]]
    return Found(chosen.format, chosen.reason, tuple(pieces), seen.passed_over(chosen.format))


class _Seen:
    """The files of a folder, counted by what they are."""

    def __init__(self) -> None:
        self._n: Counter[str] = Counter()
        self._looks: dict[str, Look] = {}
        self._examples: dict[str, list[str]] = {}

    def add(self, found: Look, path: str) -> None:
        """Count a file."""
        self._n[found.what] += 1
        self._looks.setdefault(found.what, found)
        examples = self._examples.setdefault(found.what, [])
        if len(examples) < _N_EXAMPLES:
            examples.append(_shown(path))

    def chosen(self, folder: Path, format: str) -> Sniffed:
        """Return the one format, or refuse."""
        exports = [what for what, one in self._looks.items() if one.role == Role.EXPORT]
        foreign = [what for what, one in self._looks.items() if one.role == Role.FOREIGN]
        if not exports and {"class list", "empty file"} <= self._n.keys():
            exports = ["yolo"]  # a data set of negatives
        if format != "auto":
            if format not in exports:
                told = self._told(self._n)
                raise BadInput(
                    "nothing-to-import",
                    f"{folder} holds nothing that looks like {format}, found {told}",
                    hint="name the file itself if it is one after all",
                )
            return Sniffed(format, _ASKED)
        if not exports and not foreign:
            raise BadInput(
                "nothing-to-import",
                f"{folder} holds no export, found {self._told(self._n) or 'no file at all'}",
                hint="name the file itself if it is one after all",
            )
        if not exports and len(foreign) == 1:
            one = self._looks[foreign[0]]
            told = f"{folder} holds {self._told(foreign)}, which no reader takes"
            raise BadInput("unknown-format", told, hint=one.hint)
        if len(exports) + len(foreign) > 1:
            kinds = {what: self._examples[what] for what in [*exports, *foreign]}
            raise _mixed(f"{folder} holds exports of several formats", kinds, self._n)
        only = exports[0]
        n = self._n[only]
        told = self._looks[only].reason if only in self._looks else "a class list and empty files"
        return Sniffed(only, f"{n:,} {'file' if n == 1 else 'files'}: {told}")

    def passed_over(self, format: str) -> dict[str, int]:
        """Return how many files of what kind the format's reader does not see."""
        read = _READ_TOO.get(format, frozenset()) | {format}
        return {what: n for what, n in self._n.items() if what not in read}

    def _told(self, kinds: Sequence[str] | Counter[str]) -> str:
        return ", ".join(f"{what} {self._n[what]:,} ({self._examples[what][0]})" for what in kinds)


def _mixed(
    told: str, kinds: Mapping[str, list[str]], n_of: Mapping[str, int] | None = None
) -> BadInput:
    parts = []
    for what, names in kinds.items():
        n = len(names) if n_of is None else n_of[what]
        shown = ", ".join(names[:_N_EXAMPLES]) + (", ..." if n > _N_EXAMPLES else "")
        parts.append(f"{what} {n:,} ({shown})")
    return BadInput(
        "mixed-formats",
        f"{told}, found {'; '.join(parts)}",
        hint="import each format by itself: name its files, or --format NAME takes only those",
    )


def _shown(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
