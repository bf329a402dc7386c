"""The audit of the ledger's files: every part against its header, byte by byte and row by row.

A file is held against the SHA-256 of its header, or of the newest erasure that
changed it. Deep, every part is decoded and its root computed anew; its rows are
numbered without gaps; and they are handed on, to be held against the store (`audit_rows`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.activities.audit_ground import Ground
from lineage.activities.audit_locate import label_of, place_of
from lineage.activities.findings import Finding
from lineage.errors import LineageError, StoreFault
from lineage.identity import MerkleAccumulator
from lineage.segments import TABLES, Part, file_sha256
from lineage.segments.redactions import leaves_of

BRING_BACK = "bring the file back with: dvc checkout, or dvc pull"
_REMOVE = "it is not of the record: look what it is, and remove it"

Taker = Callable[[int, Part, pa.RecordBatch, Sequence[bytes]], None]
"""Is handed every block of rows whose file is as recorded, in the order of the log."""


def files(ground: Ground) -> Iterator[Finding]:
    """Yield parts that are missing or have other bytes, and files that nobody recorded."""
    segments = ground.project.ledger.segments
    known = {part.file for _, part in ground.all_parts()}
    for seq, part in ground.all_parts():
        ground.checked["segments"] += 1
        path, expected = segments / part.file, ground.sha256_of(part)
        where = f"ledger/segments/{part.file}"
        if not path.is_file():
            ground.damaged.add(part.file)
            annotation = _first_of(ground, seq, part)
            told = f"{part.n_rows} rows of {part.table}"
            yield Finding(
                "segment-missing", where, annotation, told, "no file", BRING_BACK, part.n_rows
            )
            continue
        found = file_sha256(path)
        if found == expected:
            continue
        ground.damaged.add(part.file)
        if found == part.sha256:
            yield _unerased(ground, part, expected, found)
            continue
        place = place_of(ground, seq, part, path)
        yield Finding(
            "segment-changed",
            where,
            place.annotation,
            f"SHA-256 {expected[:16]}",
            f"{found[:16]}; {place.found}",
            BRING_BACK,
            max(place.n, 1),
        )
    yield from _strays(ground, known)


def rows(ground: Ground, take: Taker | None) -> Iterator[Finding]:
    """Decode every part that is as recorded: its root, its columns, its numbers; hand its rows on."""
    counter = _Numbers()
    for seq, part in ground.all_parts():
        if part.file in ground.damaged:
            counter.pass_over(ground, seq, part)
            continue
        tree = MerkleAccumulator()
        where = f"ledger/segments/{part.file}"
        try:
            for batch, leaves in leaves_of(
                ground.project.ledger, part, ground.erased.get(part.file)
            ):
                if not batch.schema.equals(TABLES[part.table]):
                    raise StoreFault("segment-unreadable", "its columns are not those of a part")
                tree.extend(leaves)
                yield from counter.check(ground, seq, part, batch)
                if take is not None:
                    take(seq, part, batch, leaves)
        except (LineageError, pa.ArrowException, ValueError) as exc:
            ground.damaged.add(part.file)
            told = f"bytes as recorded, and no rows: {exc}"[:200]
            yield Finding("segment-changed", where, None, part.table, told, BRING_BACK, part.n_rows)
            continue
        if tree.root().hex() != part.root or tree.size != part.n_rows:
            annotation = _first_of(ground, seq, part)
            expected = f"root {part.root[:16]} over {part.n_rows} rows"
            found = f"root {tree.root().hex()[:16]} over {tree.size}; the bytes are those that the "
            found += "header names, so the header was changed too"
            yield Finding("segment-root", where, annotation, expected, found, BRING_BACK, tree.size)


@dataclass(slots=True)
class _Numbers:
    """The next number of each kind; a damaged part makes what follows unknown until it is seen again."""

    revision: int | None = 1
    annotation: int | None = 1
    asset: int | None = 1

    def pass_over(self, ground: Ground, seq: int, part: Part) -> None:
        """Go on behind a part that cannot be read."""
        if part.table == "assets":
            self.asset = None
        elif part.table == "revisions":
            first = cast(int, ground.headers[seq]["first_revision"])
            self.revision, self.annotation = first + part.n_rows, None

    def check(
        self, ground: Ground, seq: int, part: Part, batch: pa.RecordBatch
    ) -> Iterator[Finding]:
        """Yield where a block's numbers are not the next ones, or name another activity."""
        kinds: list[tuple[str, np.ndarray]] = []
        if part.table == "revisions":
            added = pc.equal(batch["operation"].cast(pa.string()), "add")
            kinds.append(("revision", np.asarray(batch["revision"])))
            kinds.append(("annotation", np.asarray(batch["annotation"].filter(added))))
        elif part.table == "assets":
            kinds.append(("asset", np.asarray(batch["asset"].filter(batch["is_new"]))))
        for name, numbers in kinds:
            first = getattr(self, name)
            if len(numbers) and first is not None:
                off = np.flatnonzero(numbers != np.arange(first, first + len(numbers)))
                if len(off):
                    at = int(off[0])
                    yield self._misnumbered(
                        ground, part, batch, at, name, first + at, int(numbers[at])
                    )
            if len(numbers):
                setattr(self, name, int(numbers[-1]) + 1)
        if "seq" in batch.schema.names:
            off = np.flatnonzero(np.asarray(batch["seq"]) != seq)
            if len(off):
                told = f"activity {batch['seq'][int(off[0])]}"
                yield self._finding(ground, part, batch, int(off[0]), f"activity {seq}", told)

    def _misnumbered(
        self,
        ground: Ground,
        part: Part,
        batch: pa.RecordBatch,
        row: int,
        name: str,
        expected: int,
        found: int,
    ) -> Finding:
        told = f"{name} {expected}", f"{name} {found}"
        # of a gap the label that is missing, not the one that moved up; of a row too many itself
        number = min(expected, found)
        if name == "annotation":
            where = f"ledger/segments/{part.file}"
            return Finding("segment-numbers", where, number, *told, BRING_BACK)
        finding = self._finding(ground, part, batch, row, *told)
        missing = _stored_label(ground, number) if name == "revision" else None
        return finding if missing is None else replace(finding, annotation=missing)

    @staticmethod
    def _finding(
        ground: Ground, part: Part, batch: pa.RecordBatch, row: int, expected: str, found: str
    ) -> Finding:
        annotation, _ = label_of(ground, batch, row)
        where = f"ledger/segments/{part.file}"
        return Finding("segment-numbers", where, annotation, expected, found, BRING_BACK)


def _unerased(ground: Ground, part: Part, expected: str, found: str) -> Finding:
    erased = ground.erased[part.file]
    return Finding(
        "segment-unerased",
        f"ledger/segments/{part.file}",
        None,
        f"SHA-256 {expected[:16]}, since activity {erased.seq} erased text from it",
        f"{found[:16]}, the bytes of before",
        "put the erased file there: dvc pull from a remote that has it, or a colleague's copy; then dvc "
        "gc -w, so that no checkout brings the other back",
        len(erased.leaves),
    )


def _strays(ground: Ground, known: set[str]) -> Iterator[Finding]:
    segments = ground.project.ledger.segments
    if not segments.is_dir():
        return
    for path in sorted(segments.iterdir()):
        place = path.name.split(".")[0]
        if path.name in known or not path.is_file():
            continue
        # of a header that cannot be read nobody knows the parts; `audit_log` tells of it
        if path.name.endswith(".activity.json") or (
            place.isdigit() and int(place) not in ground.headers
        ):
            continue
        where = f"ledger/segments/{path.name}"
        yield Finding("segment-stray", where, None, "no such file", "a file", _REMOVE)


def _first_of(ground: Ground, seq: int, part: Part) -> int | None:
    """Return the first label of a part, from wherever it can still be told."""
    from lineage.activities.audit_log import first_label

    if part.table == "revisions":
        first = cast(int, ground.headers[seq]["first_revision"])
        return _stored_label(ground, first) or first_label(ground.project.ledger, seq)
    return None


def _stored_label(ground: Ground, revision: int) -> int | None:
    """Return the label of a revision as the store has it, None where it cannot tell."""
    try:
        with ground.rows() as stored:
            return None if stored is None else stored.annotation_of(revision)
    except LineageError:
        return None
