"""The address book: the file beside the store that keeps people's names when the store is lost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from pathlib import Path

from lineage.segments import sync_directory, write_synced


def remember(book: Path, people: Sequence[Mapping[str, object]]) -> None:
    """Add people to the address book in one step; who stands in it already stays as they are.

    Parameters
    ----------
    book
        The file; made where it is missing, for nobody's eyes but its owner's.
    people
        ``handle``, ``tool``, ``salt`` and ``pseudonym`` of each.
    """
    aside = book.with_suffix(".new")
    known = json.loads(book.read_text("utf-8")) if book.is_file() else []
    pseudonyms = {row["pseudonym"] for row in known}
    new = [dict(row) for row in people if row["pseudonym"] not in pseudonyms]
    if not new:
        # names that a crash left half-written
        aside.unlink(missing_ok=True)
        return
    _replace(book, known + new)


def forget(book: Path, pseudonyms: Set[str]) -> None:
    """Take people out of the address book in one step."""
    # names that a crash left half-written
    book.with_suffix(".new").unlink(missing_ok=True)
    known = json.loads(book.read_text("utf-8")) if book.is_file() else []
    kept = [row for row in known if row["pseudonym"] not in pseudonyms]
    if len(kept) < len(known):
        _replace(book, kept)


def _replace(book: Path, rows: Sequence[Mapping[str, object]]) -> None:
    aside = book.with_suffix(".new")
    aside.touch(mode=0o600)
    write_synced(aside, json.dumps(rows, indent=1, ensure_ascii=False).encode())
    aside.replace(book)
    sync_directory(book.parent)
