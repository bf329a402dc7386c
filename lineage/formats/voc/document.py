"""One VOC file as a tree of elements, parsed without trusting it.

A file is about one image, so it is read whole; what is bounded is its size. A document type (and with
it every entity and every outside reference) is refused before anything it declares is used. The
parser is the standard library's: that refusal is what a guarded one would add, at twice the time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser
from xml.parsers import expat

from lineage.errors import BadInput

ROOT = "annotation"
MAX_BYTES = 32 << 20
MAX_DEPTH = 16
_DECLARED = re.compile(rb"^(?:\xef\xbb\xbf)?<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_UTF8 = ("utf-8", "utf8")
_ENDED = {
    expat.errors.codes[name]
    for name in (
        expat.errors.XML_ERROR_NO_ELEMENTS,
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_PARTIAL_CHAR,
    )
}
_CUT = "..."


def root_of(path: str | Path) -> Element:
    """Return the root of a file.

    Raises
    ------
    BadInput
        ``too-large``; ``xml-forbidden``: a document type; ``not-utf8``; ``unreadable-xml``: not well
        formed, cut off, or in an encoding that is none; ``labelme-xml``; ``wrong-shape``: no VOC.
    """
    where = str(path)
    with open(path, "rb", buffering=0) as file:
        n_bytes = os.fstat(file.fileno()).st_size
        if n_bytes > MAX_BYTES:
            raise BadInput(
                "too-large",
                f"the file has {n_bytes:,} bytes, expected one image's labels in {MAX_BYTES >> 20} MiB or less",
                where=where,
            )
        content = file.readall()
    root = _parsed(content, where)
    if root.tag != ROOT:
        raise BadInput(
            "wrong-shape",
            f"the root element is <{root.tag[:40]}>, expected <{ROOT}>",
            hint="export as Pascal VOC, or name the format with --format",
            where=where,
        )
    return root


def refuse_others(
    root: Element, objects: Sequence[Element], unknown: Sequence[Element], where: str
) -> None:
    """Refuse what other tools write under a root of that name, and what would pass for an empty image.

    Parameters
    ----------
    root, objects
        The root, and its objects.
    unknown
        Children of the root that VOC does not have.
    where
        The file.

    Raises
    ------
    BadInput
        ``labelme-xml``, ``wrong-shape``.
    """
    is_labelme = root.find("imagesize") is not None
    if is_labelme or any(element.find("deleted") is not None for element in objects[:1]):
        raise BadInput(
            "labelme-xml",
            "the file is LabelMe's XML (<imagesize>, <deleted>), expected Pascal VOC",
            hint="export as VOC or COCO: LabelMe's own XML is not read",
            where=where,
        )
    nested = next((element.tag for element in unknown if len(element)), None)
    if nested is not None and not objects:
        raise BadInput(
            "wrong-shape",
            f"there is <{nested[:40]}> and no <object>, expected Pascal VOC, where no <object> means an empty image",
            hint="export as Pascal VOC, or name the format with --format",
            where=where,
        )


def word(element: Element | None, tag: str) -> str:
    """Return the text of the first child called ``tag`` without white space around it."""
    return "" if element is None else (element.findtext(tag) or "").strip()


def plain(element: Element, *, depth: int = 0) -> dict[str, object] | str:
    """Return an element as JSON has it: its text, or its children by tag; several of one are a list.

    What stands deeper than any tool's elements is an ellipsis; see `is_too_deep`.
    """
    text = (element.text or "").strip()
    if not len(element) and not element.attrib:
        return text
    if depth == MAX_DEPTH:
        return _CUT
    found: dict[str, object] = {f"@{name}": value for name, value in element.attrib.items()}
    if text:
        found["#text"] = text
    groups: dict[str, list[object]] = {}
    for child in element:
        groups.setdefault(child.tag, []).append(plain(child, depth=depth + 1))
    return found | {tag: one[0] if len(one) == 1 else one for tag, one in groups.items()}


def is_too_deep(element: Element) -> bool:
    """Tell whether `plain` leaves out what stands deep within an element."""
    level = [element]
    for _ in range(MAX_DEPTH):
        level = [child for parent in level for child in parent]
    return any(len(child) or child.attrib for child in level)


class _Guarded(TreeBuilder):
    """A builder that refuses document types: slower, so only asked where there may be one."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self._where = where

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise BadInput(
            "xml-forbidden",
            f"the file declares a document type ({name!r}), which may hold entities, expected none",
            hint="delete the <!DOCTYPE> declaration, or export anew",
            where=self._where,
        )


def _parsed(content: bytes, where: str) -> Element:
    # markup is ASCII in every encoding that the parser knows but UTF-16, which is full of zeros
    is_open = b"<!DOCTYPE" not in content and b"\0" not in content
    parser = XMLParser() if is_open else XMLParser(target=_Guarded(where))  # noqa: S314
    try:
        return _closed(parser, content)
    except ParseError as exc:
        raise _unreadable(exc, content, where) from exc
    except BadInput:
        raise
    except (LookupError, ValueError):
        # an encoding of several bytes to a character is Python's to decode, not expat's
        return _decoded(content, where)


def _decoded(content: bytes, where: str) -> Element:
    encoding = _encoding(content)
    try:
        return _closed(XMLParser(target=_Guarded(where)), content.decode(encoding))  # noqa: S314
    except ParseError as exc:
        raise _unreadable(exc, content, where) from exc
    except (LookupError, UnicodeError) as exc:
        raise BadInput(
            "unreadable-xml",
            f"the declared encoding {encoding!r} does not fit or is none, expected one that Python knows",
            hint="save the file as UTF-8",
            where=where,
        ) from exc


def _closed(parser: XMLParser, content: bytes | str) -> Element:
    parser.feed(content)
    root: Element = parser.close()
    return root


def _encoding(content: bytes) -> str:
    found = _DECLARED.match(content[:256])
    return found[1].decode("ascii").lower() if found else "utf-8"


def _unreadable(exc: ParseError, content: bytes, where: str) -> BadInput:
    line, column = exc.position
    place = f"{where}: line {line}, column {column + 1}"
    if exc.code not in _ENDED and _encoding(content) in _UTF8:
        try:
            content.decode("utf-8")
        except UnicodeDecodeError as foreign:
            return BadInput(
                "not-utf8",
                f"byte {foreign.start} is not UTF-8 and no other encoding is declared, expected UTF-8 throughout",
                hint="name the encoding in the first line of the file, or convert it with iconv",
                where=place,
            )
    if exc.code in _ENDED:
        told = "the file ends before its last element does"
    else:
        told = f"not well-formed: {expat.ErrorString(exc.code)}"
    return BadInput(
        "unreadable-xml",
        f"{told}, expected a complete XML document",
        hint="the export or download may have been cut off: fetch it again",
        where=place,
    )
