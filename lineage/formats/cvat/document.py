"""A CVAT file as a stream of its second-level elements, parsed without trusting it.

Python's own expat is driven directly: no tree of the file is ever built, a document
type (and with it every entity and every outside reference) is refused where it
begins, and nesting and the length of one token are bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from lineage.errors import BadInput, LineageError

ROOT = "annotations"
_BLOCK_BYTES = 1 << 18
_MAX_TOKEN_BYTES = 32 << 20
_MAX_DEPTH = 32
_ENDED = {
    expat.errors.codes[name]
    for name in (
        expat.errors.XML_ERROR_NO_ELEMENTS,
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_PARTIAL_CHAR,
    )
}


class Element:
    """An element with its attributes, its children, and its text where text is expected."""

    __slots__ = ("attributes", "children", "tag", "text")

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Element] = []
        self.text = ""

    def child(self, tag: str) -> Element | None:
        """Return the first child called ``tag``."""
        return next((child for child in self.children if child.tag == tag), None)

    def text_of(self, tag: str) -> str:
        """Return the text of the first child called ``tag``, empty where there is none."""
        found = self.child(tag)
        return "" if found is None else found.text

    def word(self, tag: str) -> str:
        """Return that text without white space around it."""
        return self.text_of(tag).strip()


def elements(path: Path, *, block_bytes: int = _BLOCK_BYTES) -> Iterator[Element]:
    """Yield the children of the root, each complete.

    Parameters
    ----------
    path
        The file.
    block_bytes
        Read at a time.

    Raises
    ------
    BadInput
        ``unreadable-xml``: not well formed, or cut off; ``not-utf8``; ``xml-forbidden``: a document
        type; ``too-deep``; ``too-large``: one tag of more than 32 MiB; ``wrong-shape``: another root.
    """
    builder = _Builder(path)
    n_fed = 0
    with path.open("rb") as file:
        while True:
            block = file.read(block_bytes)
            builder.feed(block)
            yield from builder.take()
            if not block:
                return
            n_fed += len(block)
            if n_fed - builder.parser.CurrentByteIndex > _MAX_TOKEN_BYTES:
                raise BadInput(
                    "too-large",
                    f"a single tag is longer than {_MAX_TOKEN_BYTES >> 20} MiB, expected tags of less",
                    where=builder.where(),
                )


class _Builder:
    """What expat calls; elements gather in ``_ready`` until they are taken."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack: list[Element] = []
        self._ready: list[Element] = []
        self._n_ready = 0
        self._is_meta = False
        self._encoding = "utf-8"
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.XmlDeclHandler = self._declared
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end

    def feed(self, block: bytes) -> None:
        """Parse on; an empty block ends the file."""
        try:
            self.parser.Parse(block, not block)
        except expat.ExpatError as exc:
            raise self._unreadable(exc) from exc
        except LineageError:
            raise
        except (LookupError, ValueError) as exc:
            # the parser asks Python for an encoding that it does not know itself
            raise BadInput(
                "unreadable-xml",
                f"declares the encoding {self._encoding!r}: {exc}; expected UTF-8",
                hint="export anew, or convert the file with iconv",
                where=self.where(),
            ) from exc

    def take(self) -> list[Element]:
        """Return the elements complete by now."""
        ready, self._ready = self._ready, []
        self._n_ready += len(ready)
        return ready

    def where(self) -> str:
        """Return the file and the line that the parser is at."""
        return f"{self._path}: line {self.parser.CurrentLineNumber}"

    def _declared(self, version: str, encoding: str | None, standalone: int) -> None:
        self._encoding = (encoding or "utf-8").lower()

    def _doctype(self, name: str, system: str | None, public: str | None, has_subset: int) -> None:
        raise BadInput(
            "xml-forbidden",
            f"the file declares a document type ({name!r}), which may hold entities, expected none",
            hint="CVAT writes no <!DOCTYPE>: export the task anew, or delete the declaration",
            where=self.where(),
        )

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        stack = self._stack
        depth = len(stack)
        element = Element(tag, attributes)
        if depth > 1:
            if depth >= _MAX_DEPTH:
                raise BadInput(
                    "too-deep",
                    f"elements stand more than {_MAX_DEPTH} deep, CVAT's stand 9 deep",
                    where=self.where(),
                )
            stack[-1].children.append(element)
        elif depth == 1:
            self._is_meta = tag == "meta"
        elif tag != ROOT:
            raise BadInput(
                "wrong-shape",
                f"the root element is <{tag[:40]}>, expected <{ROOT}>",
                hint="export as 'CVAT for images 1.1'",
                where=self.where(),
            )
        stack.append(element)
        # all other text is white space between tags: not asking for it saves a third of the time
        if self._is_meta or tag == "attribute":
            self.parser.CharacterDataHandler = self._text

    def _text(self, text: str) -> None:
        self._stack[-1].text += text

    def _end(self, tag: str) -> None:
        element = self._stack.pop()
        self.parser.CharacterDataHandler = None
        if len(self._stack) == 1:
            self._ready.append(element)

    def _unreadable(self, exc: expat.ExpatError) -> BadInput:
        at = self.parser.ErrorByteIndex
        where = f"{self._path}: line {exc.lineno}, byte {at}"
        if self._encoding in ("utf-8", "utf8") and _is_foreign(self._path, at):
            return BadInput(
                "not-utf8",
                f"byte {at} is not UTF-8, expected UTF-8 throughout",
                hint="export anew, or convert the file with iconv",
                where=where,
            )
        if exc.code in _ENDED:
            inside = "".join(f"<{element.tag}>" for element in self._stack) or "no element at all"
            told = f"the file ends within {inside}, after {self._n_ready + len(self._ready)} whole elements"
        else:
            told = f"not well-formed: {expat.ErrorString(exc.code)}"
        return BadInput(
            "unreadable-xml",
            f"{told}, expected a complete XML document",
            hint="the export or download may have been cut off: fetch it again",
            where=where,
        )


def _is_foreign(path: Path, at: int) -> bool:
    with path.open("rb") as file:
        file.seek(max(at, 0))
        found = file.read(64)
    try:
        found.decode("utf-8")
    except UnicodeDecodeError as exc:
        # a character cut in two by the window (or the end of the file) is no foreign byte
        return exc.start < 4 and "unexpected end" not in exc.reason
    return False
