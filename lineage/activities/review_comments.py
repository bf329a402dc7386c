"""What reviewers say besides drawing: a remark on a region in their tool, or a table of remarks."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path

from lineage.activities.context import Project
from lineage.errors import BadInput
from lineage.store import read

_COLUMNS = ("asset", "comment")


@dataclass(slots=True)
class Comments:
    """Remarks by image and class, and which of them found a verdict to stand beside.

    Parameters
    ----------
    texts
        By asset key and class; an empty class stands for the whole image.
    unplaced
        Keys of ``texts`` that nothing asked for yet.
    n_unknown
        Remarks on images that are not on record.
    """

    texts: dict[tuple[int, str], str] = field(default_factory=dict)
    unplaced: set[tuple[int, str]] = field(default_factory=set)
    n_unknown: int = 0

    def of(self, asset: int, classes: tuple[str, ...]) -> str | None:
        """Return what was said of an image's labels of some classes."""
        found = []
        for class_ in dict.fromkeys((*classes, "")):
            text = self.texts.get((asset, class_))
            if text is not None:
                self.unplaced.discard((asset, class_))
                found.append(text)
        return "; ".join(found) or None


def comments_of(project: Project, path: Path | None) -> Comments:
    """Read a table of remarks: CSV with ``asset, comment`` and, for one class only, ``class``.

    Raises
    ------
    BadInput
        ``no-such-file``, ``review-comments``: columns are missing.
    """
    if path is None:
        return Comments()
    if not path.is_file():
        raise BadInput("no-such-file", f"no file {path}", hint="check the path")
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        names = list(reader.fieldnames or ())
        if not {*_COLUMNS} <= {*names}:
            raise BadInput(
                "review-comments",
                f"columns {names!r}, expected asset, class, comment",
                hint="CSV with a header; an empty class stands for the whole image",
                where=str(path),
            )
        rows = [row for row in reader if row["comment"]]
    with project.store.reading() as connection:
        keys = read.asset_keys(connection, sorted({row["asset"] for row in rows}))
    found = Comments()
    for row in rows:
        if row["asset"] not in keys:
            found.n_unknown += 1
            continue
        key = keys[row["asset"]], row.get("class") or ""
        told = found.texts.get(key)
        found.texts[key] = row["comment"] if told is None else f"{told}; {row['comment']}"
        found.unplaced.add(key)
    return found


def remark(extra: str | None) -> str | None:
    """Return what a reviewer's tool keeps with a region, as labels' ``extra`` has it.

    Examples
    --------
    >>> remark('{"from_name":"label","meta":{"text":["too wide","cut the mirror"]}}')
    'too wide; cut the mirror'
    >>> remark('{"from_name":"label"}') is None
    True
    """
    if extra is None:
        return None
    meta = json.loads(extra).get("meta")
    text = meta.get("text") if isinstance(meta, dict) else None
    parts = text if isinstance(text, list) else [text]
    return "; ".join(part for part in parts if isinstance(part, str) and part) or None
