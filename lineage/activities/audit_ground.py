"""What every part of an audit looks at: headers as far as they can be read, copies of files, the store if it answers.

Nothing here refuses: what cannot be read is left out and is for others to report
(`audit_log` for headers and the store, `audit_segments` for files), so that one
fault never hides another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pyarrow as pa

from lineage.activities.context import Project
from lineage.errors import LineageError
from lineage.segments import TABLES, Part, file_sha256, read_parquet
from lineage.segments.redactions import Redaction, redactions
from lineage.store.blocks import Rows, looking

Header = Mapping[str, object]


@dataclass(slots=True)
class Ground:
    """What an audit found before it began to compare.

    Parameters
    ----------
    project
        As `context.locate` returns it.
    deep
        Whether rows are compared, and objects hashed.
    headers, parts
        By place in the log; what is no header is left out, as is a part that describes no file.
    erased
        What `redactions` says.
    roots
        The log's root at every place up to the first header that is missing.
    objects
        Where DVC's cache would have a file, by the file's path below the project.
    damaged
        Names of parts whose bytes are not as recorded, or are not here.
    checked
        How many of what was checked.
    notes
        What could not be told, and why.
    """

    project: Project
    deep: bool
    headers: dict[int, Header] = field(default_factory=dict)
    parts: dict[int, list[Part]] = field(default_factory=dict)
    erased: Mapping[str, Redaction] = field(default_factory=dict)
    roots: Mapping[int, str] = field(default_factory=dict)
    objects: Mapping[str, Path] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)
    checked: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def sha256_of(self, part: Part) -> str:
        """Return what a part's bytes should have, text that was erased from it left out."""
        erased = self.erased.get(part.file)
        return part.sha256 if erased is None else erased.sha256

    def copy_of(self, path: str, sha256: str) -> Path | None:
        """Return a copy in DVC's cache of a file below the project, if it has these bytes."""
        copy = self.objects.get(path)
        if copy is None or not copy.is_file() or file_sha256(copy) != sha256:
            return None
        return copy

    def all_parts(self) -> Iterator[tuple[int, Part]]:
        """Yield every part in the order of the log."""
        for seq in sorted(self.parts):
            for part in self.parts[seq]:
                yield seq, part

    @contextmanager
    def rows(self) -> Iterator[Rows | None]:
        """Open the store for reading, None where there is none; `looking` says what may be raised."""
        path = self.project.store.path
        if path is not None and not path.is_file():
            yield None
            return
        with looking(self.project.store) as connection:
            yield Rows(connection)

    def annotation_of(self, revision: int | None) -> int | None:
        """Return the annotation of a revision, None where neither segments nor store can tell."""
        if revision is None:
            return None
        for seq, header in self.headers.items():
            first, n = cast(int | None, header["first_revision"]), cast(int, header["n_revisions"])
            if first is not None and first <= revision < first + n:
                return self._in_segment(seq, revision - first)
        return None

    def _in_segment(self, seq: int, row: int) -> int | None:
        path = self.project.ledger.segments / f"{seq:08d}.revisions.parquet"
        try:
            for batch in read_parquet(path, ["annotation"]):
                if row < batch.num_rows:
                    return cast(int, batch["annotation"][row].as_py())
                row -= batch.num_rows
        except LineageError:
            return None
        return None

    def asset_name(self, asset: object) -> str:
        """Return an image's name for eyes, its number where neither segments nor store have it."""
        for batch in self._assets():
            at = batch["asset"].to_pylist()
            if asset in at:
                return str(batch["name"][at.index(asset)].as_py())
        try:
            with self.rows() as rows:
                found = None if rows is None else rows.asset_name(cast(int, asset))
        except LineageError:
            found = None
        return found or f"image {asset}"

    def _assets(self) -> Iterator[pa.RecordBatch]:
        for _, part in self.all_parts():
            if part.table == "assets" and part.file not in self.damaged:
                yield from read_parquet(self.project.ledger.segments / part.file)


def survey(project: Project, *, deep: bool) -> Ground:
    """Read what the rest of an audit stands on; nothing is refused, and nothing is changed."""
    from lineage.identity import log_leaf
    from lineage.proofs import roots_at

    ground = Ground(project, deep)
    leaves: list[bytes] = []
    for seq in project.ledger.positions():
        try:
            header = project.ledger.header(seq)
            parts = [Part(**row) for row in cast(list[dict[str, object]], header["parts"])]  # type: ignore[arg-type]
            # what is no header raises here, before anything relies on it
            _ = (
                header["first_revision"],
                header["n_revisions"],
                header["entities"],
                header["kind"],
            )
        except (LineageError, KeyError, TypeError, ValueError):
            continue
        ground.headers[seq] = header
        ground.parts[seq] = sorted(
            (part for part in parts if part.table in TABLES),
            key=lambda part: list(TABLES).index(part.table),
        )
        if seq == len(leaves) + 1:
            leaves.append(log_leaf(header))
    ground.roots = {at: root.hex() for at, root in enumerate(roots_at(leaves))}
    try:
        ground.erased = redactions(project.ledger)
    except (LineageError, KeyError, TypeError, ValueError):
        ground.notes.append("what was erased could not be told: a header cannot be read")
    ground.objects = _objects(ground)
    return ground


def _objects(ground: Ground) -> dict[str, Path]:
    from lineage.vcs import objects

    root = ground.project.root
    try:
        return {
            entry.path.relative_to(root).as_posix(): objects.object_of(root, entry.md5)
            for entry in objects.tracked(root)
        }
    except (LineageError, ValueError, OSError, KeyError) as exc:
        ground.notes.append(f"what DVC tracks could not be read: {exc}")
        return {}
