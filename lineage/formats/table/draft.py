"""A first mapping for a table, from its columns' names and a look at its cells: for a person to mend.

Columns are told by name, never by place; cells only decide between readings of one name (a box in
px or in fractions). What is not recognised is kept beside the labels as ``extra``: an attribute is
what a label schema names, and the schema is not at hand here.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from lineage.formats.table import fields, zooniverse
from lineage.formats.table.mapping import KEYS, TableMapping
from lineage.formats.table.outlines import mask_of, parts_of
from lineage.formats.table.paths import decoded
from lineage.formats.table.source import open_source
from lineage.terms import Kind

_LOOK_BYTES = 1 << 20
_LOOK_ROWS = 500
_DELIMITERS = (",", ";", "\t", "|", " ")
_NUMBER = re.compile(r"\s*[-+]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][-+]?\d+)?\s*")
_COMMA = re.compile(r"\s*[-+]?\d*,\d+\s*")
_MARKS = re.compile(r"[\s_.\-]+")
_NOTHING = re.compile(r"(?i)nothing.*|none|empty|blank|background|no[ _]?animals?.*")

Columns = Mapping[str, Sequence[str]]
"""Cells that are not empty, some of them, by column."""

_NAMES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "annotationid", "labelid", "boxid", "markid", "classificationid", "uuid"),
    "asset": (
        "asset", "filename", "image", "imageid", "imagename", "imagepath", "imagefilename", "img",
        "imgpath", "imgname", "file", "path", "filepath", "item", "subjectids", "externalid",
    ),
    "annotator": (
        "annotator", "annotatorid", "annotatorname", "username", "user", "who", "worker",
        "workerid", "rater", "raterid", "labeler", "labeller", "uid", "userid", "annotatedby",
        "createdby",
    ),
    "class": (
        "class", "classname", "label", "labelname", "category", "categoryname", "celltype",
        "toollabel", "choice", "species", "rating", "answer", "categoryid", "classid", "tag",
    ),
    "x_min": ("xmin", "x1", "left", "bboxxmin", "boxxmin", "xtl", "bbleft", "x0", "bboxx"),
    "y_min": ("ymin", "y1", "top", "bboxymin", "boxymin", "ytl", "bbtop", "y0", "bboxy"),
    "x_max": ("xmax", "x2", "right", "bboxxmax", "boxxmax", "xbr"),
    "y_max": ("ymax", "y2", "bottom", "bboxymax", "boxymax", "ybr"),
    "cx": ("cx", "xcenter", "xcentre", "centerx", "centrex", "xc"),
    "cy": ("cy", "ycenter", "ycentre", "centery", "centrey", "yc"),
    "box_width": ("bboxwidth", "boxwidth", "bboxw", "bbw", "w", "bbwidth"),
    "box_height": ("bboxheight", "boxheight", "bboxh", "bbh", "h", "bbheight"),
    "radius": ("r", "radius"),
    "radius_x": ("rx", "radiusx"),
    "radius_y": ("ry", "radiusy"),
    "angle": ("angle", "rotation", "theta"),
    "box": ("box", "bbox", "boundingbox"),
    "points": ("points", "polygon", "segmentation", "outline", "vertices"),
    "mask": ("mask", "rle", "segmentation"),
    "width": ("imagewidth", "imgwidth", "width", "originalwidth"),
    "height": ("imageheight", "imgheight", "height", "originalheight"),
    "labelled_at": ("labelledat", "labeledat", "annotatedat", "createdat", "timestamp", "time"),
    "lead_time_s": ("leadtime", "leadtimes", "worktimeinseconds", "seconds"),
    "score": ("score", "confidence", "conf"),
    "gold": ("gold", "isgold", "goldstandard", "groundtruth"),
}  # fmt: skip
"""What tools call each field, marks and case aside; the first that a table has is it."""


_SOURCES = {
    "verification": "human",
    "crowdsource-verification": "human",
    "xclick": "human",
    "activation": "assisted",
    "machine": "model",
}


def draft(path: Path) -> dict[str, object]:
    """Return a first mapping document for a table, its keys in the order of the documentation.

    Raises
    ------
    BadInput
        What `source.open_source` raises.
    """
    settings = _settings(path)
    columns = _look(path, settings)
    found = zooniverse.draft(columns) or _by_names(columns)
    named = cast(dict[str, str], found["columns"])
    if words := sorted(filter(_NOTHING.fullmatch, {*columns.get(named.get("class", ""), ())})):
        found["values"] = {"class": dict.fromkeys(words)}
    document = {**_open_images(columns, found), **settings}
    return {key: document[key] for key in KEYS if key in document}


def _settings(path: Path) -> dict[str, object]:
    """Return how to read the file, as far as it is not as by default."""
    with path.open("rb") as file:
        head = file.read(_LOOK_BYTES)
    if head.startswith(b"PAR1") or head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
        return {}
    found: dict[str, object] = {}
    encoding = _encoding(head)
    if encoding != "utf-8":
        found["encoding"] = encoding
    text = head.decode(encoding, "replace").removeprefix("\ufeff")
    lines = [line for line in text.splitlines() if line][:20]
    if not lines:
        return found
    delimiter = _delimiter(lines)
    if delimiter != ",":
        found["delimiter"] = delimiter
    cells = _split(lines[0], delimiter)
    if all(_NUMBER.fullmatch(cell) for cell in cells):
        found["header"] = [f"column_{at + 1}" for at in range(len(cells))]
    return found


def _delimiter(lines: Sequence[str]) -> str:
    """Return the sign that cuts all lines into equally many cells; else the one the first has most of."""
    n_cells = {sign: [len(_split(line, sign)) for line in lines] for sign in _DELIMITERS}
    even = [sign for sign, n in n_cells.items() if n[0] > 1 and len(set(n)) == 1]
    # words have spaces between them in tables that are cut by something else
    others = [sign for sign in even if sign != " "] or even or _DELIMITERS
    return max(others, key=lambda sign: n_cells[sign][0])


def _encoding(head: bytes) -> str:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as exc:
        # a letter that the look itself has cut in two
        if exc.start >= len(head) - 4 and len(head) == _LOOK_BYTES:
            return "utf-8"
        is_windows = any(0x80 <= byte < 0xA0 for byte in head)
        return "windows-1252" if is_windows else "latin-1"
    return "utf-8"


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _look(path: Path, settings: Mapping[str, object]) -> dict[str, list[str]]:
    """Return the first cells of every column that a table names."""
    header = settings.get("header")
    mapping = TableMapping(
        kind=None,
        columns={},
        delimiter=str(settings.get("delimiter", ",")),
        encoding=str(settings.get("encoding", "utf-8")),
        header=tuple(header) if isinstance(header, list) else None,
    )
    source = open_source(path, mapping)
    names = [name for name in source.columns if list(source.columns).count(name) == 1]
    block = next(source.blocks(names, ()), None) if names else None
    if block is None:
        return {name: [] for name in names}
    head = block.cells.slice(0, _LOOK_ROWS)
    return {
        name: [str(cell) for cell in head[name].to_pylist() if cell is not None] for name in names
    }


def _by_names(columns: Columns) -> dict[str, object]:
    plain = {_MARKS.sub("", name).lower(): name for name in reversed(list(columns))}
    named = {
        field: plain[word]
        for field, words in _NAMES.items()
        if (word := next((w for w in words if w in plain), None)) is not None
    }
    each = _list_of_boxes(columns)
    place: dict[str, object] = {"kind": Kind.BOX.value, "each": each}
    given: dict[str, str] = {"box": "."}
    if each is None:
        place, given = _place(columns, plain, named)
    found = {k: v for k, v in place.items() if v is not None}
    found["columns"] = columns_ = _in_order(
        {f: n for f, n in named.items() if f not in fields.GEOMETRY and n not in given.values()}
        | given
    )
    if "id" not in columns_ and "" in columns:
        found["columns"] = columns_ = {"id": "", **columns_}
    if "class" not in columns_ and found["kind"] != Kind.CLASS:
        found["constants"] = {"class": "object"}
    found |= _form_of_time(columns.get(columns_.get("labelled_at", ""), ()))
    numbers = [c for f, n in columns_.items() if f in fields.GEOMETRY for c in columns.get(n, ())]
    if any(map(_COMMA.fullmatch, numbers)):
        found["decimal"] = ","
    used = {*columns_.values(), each}
    rest = [name for name in columns if name and name not in used]
    if rest:
        found["extra"] = rest
    return found


def _open_images(columns: Columns, found: dict[str, object]) -> dict[str, object]:
    """Return a document with what the publisher of Open Images says of its columns."""
    if "ImageID" not in columns or "LabelName" not in columns:
        return found
    named = dict(cast(dict[str, str], found["columns"]))
    values = dict(cast(dict[str, object], found.get("values", {})))
    found = {**found, "columns": named, "asset_pattern": "{}.jpg", "values": values}
    if "Source" in columns:
        named["origin"] = "Source"
        values["origin"] = _SOURCES
        found["extra"] = [n for n in cast(list[str], found.get("extra", [])) if n != "Source"]
    if found["kind"] == Kind.CLASS and set(columns.get("Confidence", ())) <= {"0", "1"}:
        # labels of whole images are verified both ways: 0 says that the class is not there
        named.pop("score", None)
        named["state"] = "Confidence"
        values["state"] = {"1": "complete", "0": "complete_empty"}
        found["state_of"] = "class"
    return {key: value for key, value in found.items() if key == "columns" or value not in ([], {})}


def _place(
    columns: Columns, plain: Mapping[str, str], named: Mapping[str, str]
) -> tuple[dict[str, object], dict[str, str]]:
    """Return the keys that say what the geometry is, and its fields."""
    for kind, field in ((Kind.MASK, "mask"), (Kind.POLYGON, "points")):
        if field in named and _reads_as(columns[named[field]], kind):
            return {"kind": kind.value}, {field: named[field]}
    ways = [(form, way) for form in fields.BOXES for way in fields.needed(Kind.BOX, form)]
    known = dict(named)
    if "x_max" not in known:
        # x and y are a corner or a centre, and width and height a box's, only where nothing else is
        side = {"box_width": "width", "box_height": "height"}
        known |= {f: plain[w] for f, w in side.items() if f not in known and w in plain}
        ends = {"x": ("x_min", "cx"), "y": ("y_min", "cy")}
        is_round = "radius" in known or "radius_x" in known
        known |= {
            f[is_round]: plain[w]
            for w, f in ends.items()
            if w in plain and f[is_round] not in known
        }
    for form, way in ways:
        if way != ("box",) and all(field in known for field in way):
            given = {field: known[field] for field in way}
            place: dict[str, object] = {"kind": Kind.BOX.value, "box": form}
            if "angle" in known and form == "cxcywh" and "radius" not in way:
                given["angle"] = known["angle"]
                place = {"kind": Kind.ROTATED_BOX.value}
            return place | {"unit": _unit(columns, list(given.values()))}, given
    if "box" in named and any(len(_numbers_in(c)) == 4 for c in columns[named["box"]][:50]):
        is_coco = "category_id" in columns or "image_id" in columns
        form = "xywh" if is_coco else "xyxy"
        return {"kind": Kind.BOX.value, "box": form}, {"box": named["box"]}
    return {"kind": Kind.CLASS.value}, {}


def _unit(columns: Columns, names: Sequence[str]) -> str:
    values = [cell.replace(",", ".") for name in names for cell in columns[name]]
    numbers = [float(v.strip()) for v in values if _NUMBER.fullmatch(v)]
    is_fraction = bool(numbers) and max(map(abs, numbers)) <= 1 and any(n % 1 for n in numbers)
    return "fraction" if is_fraction else "px"


def _list_of_boxes(columns: Columns) -> str | None:
    """Return the column whose cells are lists of boxes, None where there is none."""
    for name, cells in columns.items():
        lists = [value for value in _values(cells[:20]) if isinstance(value, list)]
        boxes = [box for value in lists for box in value]
        if boxes and all(isinstance(b, list) and len(_numbers_in(str(b))) == 4 for b in boxes):
            return name
    return None


def _values(cells: Sequence[str]) -> Iterator[object]:
    for cell in cells:
        try:
            yield decoded(cell)
        except ValueError:
            return


def _numbers_in(text: str) -> list[str]:
    return re.findall(r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?", text)


def _reads_as(cells: Sequence[str], kind: Kind) -> bool:
    try:
        for cell in cells[:5]:
            if kind is Kind.MASK:
                mask_of(cell, (float("nan"), float("nan")))
            else:
                parts_of(cell, kind)
    except ValueError:
        return False
    return len(cells) > 0


def _form_of_time(cells: Sequence[str]) -> dict[str, object]:
    if not cells:
        return {}
    for form, n_digits in (("unix", 10), ("unix_ms", 13)):
        if all(re.fullmatch(rf"\d{{{n_digits}}}(?:\.\d+)?", cell) for cell in cells):
            return {"time": form}
    return {}


def _in_order(columns: Mapping[str, str]) -> dict[str, str]:
    return {field: columns[field] for field in fields.FIELDS if field in columns}
