"""What an erasure does not reach: named with the command that helps, never passed over in silence."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lineage.activities.context import Project
from lineage.activities.erase_texts import Person, count
from lineage.formats.names import is_image

_FOLDERS = ("reports", "outbox", "inbox", "schemas")
_REMEDY = {
    "inbox": "an import of it brings the name back, as somebody new: delete or edit it",
    "outbox": "delete it: what goes out is written again from the record",
}


@dataclass(frozen=True, slots=True)
class Beyond:
    """A place that may still name the person.

    Parameters
    ----------
    kind
        ``file``, ``header``, ``reason``, ``dvc``, ``git``, ``backup``, ``postgresql`` or ``clone``.
    where
        The file, or the kind of place.
    cure
        What to do about it.
    """

    kind: str
    where: str
    cure: str


def beyond(project: Project, person: Person, words: Sequence[str]) -> tuple[Beyond, ...]:
    """Return what a person's erasure does not reach.

    Parameters
    ----------
    project
        An open project.
    person
        Who is to be forgotten.
    words
        What names them; files are searched for it byte by byte, in any case of ASCII letters.
    """
    found = [*_files(project, words), *_headers(project, words), *_reasons(project, person)]
    found += [
        Beyond("dvc", "DVC's cache", "dvc repro (or dvc commit), then: dvc gc --workspace"),
        Beyond("dvc", "DVC's remotes", "dvc push, then: dvc gc --workspace --cloud"),
        Beyond("git", "Git's history", "git log -S NAME --oneline finds what was ever committed"),
        Beyond("backup", "backups of the store", "delete them, then: lineage store backup FILE"),
        Beyond(
            "clone",
            "other clones",
            "git pull and dvc pull; each forgets when a command opens it next",
        ),
    ]
    if not project.store.is_sqlite:
        found.append(
            Beyond(
                "postgresql",
                "PostgreSQL's write-ahead log, archives, replicas and dumps",
                "ask whoever runs the server how long they are kept",
            )
        )
    return tuple(found)


def _files(project: Project, words: Sequence[str]) -> Iterator[Beyond]:
    for folder in _FOLDERS:
        for path in sorted((project.root / folder).rglob("*")):
            if path.is_file() and not is_image(path.name) and _names(path, words):
                name = path.relative_to(project.root).as_posix()
                yield Beyond("file", name, _REMEDY.get(folder, "make it anew, or delete it"))


def _headers(project: Project, words: Sequence[str]) -> Iterator[Beyond]:
    for path in sorted(project.ledger.segments.glob("*.activity.json")):
        if _names(path, words):
            yield Beyond(
                "header",
                path.relative_to(project.root).as_posix(),
                "none: a header is what the log's root stands on; a file's name or a reason that "
                "somebody gave stands there",
            )


def _reasons(project: Project, person: Person) -> Iterator[Beyond]:
    for seq in project.ledger.positions():
        for part in project.ledger.parts(seq):
            if part.table == "completeness" and count(project.ledger, part, person, is_agent=False):
                yield Beyond(
                    "reason",
                    f"ledger/segments/{part.file}",
                    "none: why an image was skipped is in the digests of dataset versions",
                )


def _names(path: Path, words: Sequence[str]) -> bool:
    # a number would be found everywhere
    telling = [word.encode() for word in words if not word.isdigit()]
    if not telling or path.stat().st_size == 0:
        return False
    pattern = re.compile(b"|".join(re.escape(word) for word in telling), re.IGNORECASE)
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return pattern.search(content) is not None
