"""What a file is, told by its content: a bounded look at its beginning, and never more.

Names decide nothing about exports; they only tell what stands beside them (images by the million,
licences, readmes). Byte order marks, UTF-16 and Latin-1 are seen through: whether a reader can do with
them is the reader's to say. Start reading at `look`; other tools' JSON is told in `json_kinds`.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from lineage.errors import BadInput
from lineage.formats import json_kinds
from lineage.formats.looks import Look, Role
from lineage.formats.names import is_image

_FIRST_BYTES = 64 << 10
_MOST_BYTES = 1 << 20
_MAGIC: tuple[tuple[bytes, Look], ...] = (
    (b"PAR1", Look(Role.EXPORT, "table", "Parquet")),
    (b"\x89PNG\r\n", Look(Role.BESIDE, "image")),
    (b"\xff\xd8\xff", Look(Role.BESIDE, "image")),
    (b"GIF8", Look(Role.BESIDE, "image")),
    (b"BM", Look(Role.BESIDE, "image")),
    (b"II*\x00", Look(Role.BESIDE, "image")),
    (b"MM\x00*", Look(Role.BESIDE, "image")),
    (b"RIFF", Look(Role.BESIDE, "image")),
    (
        b"# v2 git bundle",
        Look(
            Role.FOREIGN,
            "Git bundle",
            hint="git clone FILE DIR, then lineage import --from-git DIR/PATH",
        ),
    ),
    (
        b"# v3 git bundle",
        Look(
            Role.FOREIGN,
            "Git bundle",
            hint="git clone FILE DIR, then lineage import --from-git DIR/PATH",
        ),
    ),
    (b"SQLite format 3", Look(Role.UNKNOWN, "SQLite database", hint="export its rows as CSV")),
    (b"ARROW1", Look(Role.UNKNOWN, "Arrow file", hint="write it as Parquet")),
    (b"%PDF-", Look(Role.UNKNOWN, "PDF")),
    (b"PK\x03\x04", Look(Role.FOREIGN, "archive", hint="import it by itself")),
    (b"\x1f\x8b", Look(Role.FOREIGN, "gzip file", hint="unpack it")),
    (b"BZh", Look(Role.FOREIGN, "bzip2 file", hint="unpack it")),
    (b"\xfd7zXZ\x00", Look(Role.FOREIGN, "xz file", hint="unpack it")),
    (b"7z\xbc\xaf\x27\x1c", Look(Role.FOREIGN, "7z archive", hint="unpack it, or pack it as zip")),
    (b"Rar!", Look(Role.FOREIGN, "RAR archive", hint="unpack it, or pack it as zip")),
)
_BESIDE_BY_NAME: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(licen[cs]e|copying|notice)([._-].*)?", re.IGNORECASE), "licence"),
    (re.compile(r"(readme|changelog)([._-].*)?", re.IGNORECASE), "readme"),
)
_XML_FRONT = re.compile(
    r"\s*(?:<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\])?[^>]*>|\s)*", re.DOTALL
)
_XML_ROOT = re.compile(r"<([A-Za-z_][\w.:-]*)")
_CVAT = re.compile(r"<(version|meta|image|track)[\s>/]")
_LABELME = re.compile(r"<(sourceAnnotation|imagesize|username|scribbles|nrows)[\s>/]")
_VOC = re.compile(r"<(filename|size|bndbox|segmented|object)[\s>/]")
_YOLO_ROW = re.compile(r"\d+(?:[ \t]+[-+]?[\d.]+(?:[eE][-+]?\d+)?){4,}")
_DOTA_ROW = re.compile(r"(?:[-\d.]+[ \t]+){8}\S*[A-Za-z_]\S*([ \t]+\d+)?")
_DARKNET = re.compile(r"^(classes|names|train|valid|backup)\s*=", re.MULTILINE)
_YOLO_YAML = re.compile(r"^(names|nc|train|val|path)\s*:", re.MULTILINE)
_NUMBER = re.compile(r"\s*[-+]?[\d.,]+(?:[eE][-+]?\d+)?\s*")
_OF_OURS = (
    "file,line,content,annotation,",
    "image,asset,width,height,digest",
    "asset,class,state,",
)
"""How the tables begin that our writers put beside labels."""

_CLASS_LIST = Look(Role.BESIDE, "class list")
_DECLARING = (".yaml", ".yml", ".data")
_CLASS_LISTS = ("classes.txt", "labels.txt")
_DELIMITERS = ",;\t|"
_LABEL_STUDIO_COLUMNS = {"annotation_id", "annotator", "lead_time"}
_AS_LABEL_STUDIO = "in Label Studio: Export, JSON; a CSV has lost ids, people or times"


@dataclass(frozen=True, slots=True)
class Sniffed:
    """A format, and how one could tell.

    Parameters
    ----------
    format
        A name of `formats.READERS`.
    reason
        A few words for the report.
    """

    format: str
    reason: str


def sniff(path: Path) -> Sniffed:
    """Tell the format of one file by its content; for folders and archives see `sources.find`.

    Raises
    ------
    BadInput
        ``unknown-format``: no reader takes it; the message names what it is where that is known.
    """
    found = look(path)
    if found.role == Role.EXPORT:
        return Sniffed(found.what, found.reason)
    if found == _CLASS_LIST and path.suffix.lower() in _DECLARING:
        return Sniffed("yolo", "YOLO: a file that declares a folder's classes and splits")
    what = f"{found.what} {found.reason}".rstrip()
    told = f"{path} holds {what}, which no reader takes"
    if found.role == Role.BESIDE:
        told = f"{path} is no export but what stands beside one: {found.what}"
    raise BadInput(
        "unknown-format",
        told,
        hint=found.hint or "name its format with --format, if it is an export after all",
    )


def look(path: Path) -> Look:
    """Tell what a file is.

    Parameters
    ----------
    path
        A file of any kind.

    Notes
    -----
    64 KiB are looked at, and 1 MiB where they do not tell.
    """
    if is_image(path.name):
        return Look(Role.BESIDE, "image")
    with path.open("rb") as file:
        head = file.read(_FIRST_BYTES)
        found = _look(head, path, is_whole=len(head) < _FIRST_BYTES)
        if found.role == Role.UNKNOWN and len(head) == _FIRST_BYTES:
            head += file.read(_MOST_BYTES - _FIRST_BYTES)
            found = _look(head, path, is_whole=len(head) < _MOST_BYTES)
    return found


def _look(head: bytes, path: Path, *, is_whole: bool) -> Look:
    for magic, found in _MAGIC:
        if head.startswith(magic):
            return found
    text = _text(head, is_whole=is_whole)
    if text is None:
        return Look(Role.UNKNOWN, "binary data")
    text = text.lstrip()
    if text.startswith("<"):
        return _xml(text)
    if text.startswith(("{", "[{", "[]")) or re.match(r"\[\s*[\[{\]\"\d-]", text):
        found = json_kinds.look(text)
        if found.what != json_kinds.NOT_JSON:
            return found
    for pattern, what in _BESIDE_BY_NAME:
        if pattern.fullmatch(path.name):
            return Look(Role.BESIDE, what)
    return _plain(text, path, is_whole=is_whole)


def _text(head: bytes, *, is_whole: bool) -> str | None:
    """Return a head as text, None for what is none; a character cut in two at its end is left out."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head[: len(head) // 2 * 2].decode("utf-16", "ignore")
    start = head[:256]
    if start[1::2].count(0) > len(start) // 3:
        return head[: len(head) // 2 * 2].decode("utf-16-le", "ignore")
    if start[::2].count(0) > len(start) // 3:
        return head[: len(head) // 2 * 2].decode("utf-16-be", "ignore")
    if b"\x00" in head:
        return None
    try:
        return head.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        if not is_whole and exc.start > len(head) - 4:
            return head[: exc.start].decode("utf-8-sig")
    return head.decode("latin-1")


def _xml(text: str) -> Look:
    front = _XML_FRONT.match(text)
    root = _XML_ROOT.match(text, front.end() if front else 0)
    if root is None:
        return Look(Role.UNKNOWN, "XML", "without a root element")
    tag = root[1]
    if tag == "annotations" and _CVAT.search(text):
        return Look(Role.EXPORT, "cvat", "CVAT XML: <annotations> with meta, images or tracks")
    if tag == "annotation" and _LABELME.search(text):
        return Look(Role.FOREIGN, "LabelMe XML", hint="convert it to Pascal VOC or COCO")
    if tag == "annotation" and _VOC.search(text):
        return Look(Role.EXPORT, "voc", "Pascal VOC: <annotation> of one image")
    if tag == "View":
        return Look(Role.BESIDE, "label configuration")
    if tag == "Types":
        return Look(Role.FOREIGN, "Excel workbook", hint="save its sheet as CSV")
    if tag.lower() == "html":
        return Look(
            Role.UNKNOWN, "web page", hint="a log-in page instead of the export? fetch it again"
        )
    return Look(Role.UNKNOWN, "XML", f"with the root <{tag[:40]}>")


def _plain(text: str, path: Path, *, is_whole: bool) -> Look:
    lines = [line.strip() for line in text.splitlines()]
    if not is_whole and len(lines) > 1:
        lines.pop()  # it may be cut off
    lines = [line for line in lines if line][:50]
    if not lines:
        return Look(Role.UNKNOWN, "empty file")
    if lines[0].replace('"', "").startswith(_OF_OURS):
        return Look(Role.BESIDE, "side file")
    if "ImageSets" in path.parts and path.suffix.lower() == ".txt":
        return Look(Role.BESIDE, "image list")
    if lines[0].startswith("# label:"):
        return _CLASS_LIST
    if all(_YOLO_ROW.fullmatch(line) for line in lines):
        return Look(Role.EXPORT, "yolo", "YOLO: rows of a class number and four or more fractions")
    if all(_DOTA_ROW.fullmatch(line) for line in lines):
        hint = "export 'YOLOv8 Oriented Bounding Boxes' instead"
        return Look(Role.FOREIGN, "DOTA rows", hint=hint)
    if path.suffix.lower() in (".yaml", ".yml"):
        is_yolo = len(set(_YOLO_YAML.findall(text))) > 1
        return _CLASS_LIST if is_yolo else Look(Role.UNKNOWN, "YAML")
    if len(set(_DARKNET.findall(text))) > 1 or _is_class_list(lines, path):
        return _CLASS_LIST
    if all(is_image(line) for line in lines):
        return Look(Role.BESIDE, "image list")
    return _table(lines) or Look(Role.UNKNOWN, "text")


def _is_class_list(lines: list[str], path: Path) -> bool:
    """Tell a list of classes by its name: what stands in it may look like anything but numbers."""
    if path.suffix.lower() != ".names" and path.name.lower() not in _CLASS_LISTS:
        return False
    rows = [line.split() for line in lines]
    return not any(len(row) > 1 and all(map(_NUMBER.fullmatch, row)) for row in rows)


def _table(lines: list[str]) -> Look | None:
    """Tell a table by the delimiter that gives its first lines equally many cells."""
    for delimiter in sorted(_DELIMITERS, key=lambda sign: -lines[0].count(sign)):
        if delimiter not in lines[0]:
            continue
        try:
            rows = list(csv.reader(lines, delimiter=delimiter))
        except csv.Error:
            return None
        names = [cell.strip() for cell in rows[0]]
        # a cell may hold line breaks, and then only the header can be counted
        n_even = sum(len(row) == len(names) for row in rows)
        is_even = 2 * n_even > len(rows) or '"' in "".join(lines)
        if len(names) < 2 or not is_even:
            continue
        if all(_NUMBER.fullmatch(cell) for cell in names):
            return _headless(len(names))
        if set(names) >= _LABEL_STUDIO_COLUMNS:
            return Look(Role.FOREIGN, "Label Studio CSV", hint=_AS_LABEL_STUDIO)
        if len({name for name in names if name}) >= len(names) - 1:
            told = ", ".join(repr(name[:30]) for name in names[:5])
            word = "tabs" if delimiter == "\t" else f"{delimiter!r}"
            return Look(Role.EXPORT, "table", f"a table, split by {word}, with the columns {told}")
    return None


def _headless(n_columns: int) -> Look:
    if 6 <= n_columns <= 10:
        return Look(
            Role.FOREIGN,
            "MOT ground truth",
            hint="--map with header: naming its columns makes it a table",
        )
    return Look(Role.UNKNOWN, "numbers", f"in {n_columns} columns without names")
