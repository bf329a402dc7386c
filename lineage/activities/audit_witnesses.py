"""The audit of the log against Git: every checkpoint that a commit holds must be one that the log passed through.

A log that was only appended to has, at every size that it ever had, the root it
had then (RFC 6962, 2.1.2: what a consistency proof shows to whoever lacks the
leaves). So whoever changes what is on record must change the commits of every clone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from lineage.activities.audit_locate import between
from lineage.activities.context import Project
from lineage.activities.findings import Finding
from lineage.errors import LineageError
from lineage.identity import Digest
from lineage.segments import Checkpoint, parse_checkpoint, read_parquet
from lineage.segments.redactions import redactions
from lineage.vcs import objects
from lineage.vcs.witnesses import Witness, tracked_at, witnesses_of

_PATH = "ledger/checkpoint"
_BACK = "bring back what the commit saw: git checkout COMMIT -- ledger/checkpoint dvc.lock, dvc checkout"
_FSCK = "git fsck --full; then fetch what is missing from another clone"
_ASK = "or ask whoever pushed it which of the two logs stands"


def hold(
    project: Project,
    roots: Sequence[Digest],
    checkpoint: Checkpoint | None,
    found: list[Finding],
    notes: list[str],
    *,
    is_whole: bool,
) -> None:
    """Hold the log against every checkpoint in Git's history, and add what is wrong.

    Parameters
    ----------
    project
        As it lies there.
    roots
        Of the log at every size, from 0.
    checkpoint
        The one in the work tree, where it can be read.
    found, notes
        Added to.
    is_whole
        All headers are here; otherwise what comes behind the gap is not called rolled back.
    """
    try:
        told = witnesses_of(project.root, _PATH)
    except LineageError as exc:
        found.append(Finding("git-unreadable", ".git", None, "a history", exc.message, _FSCK))
        return
    if told is None:
        notes.append("there is no commit of Git's, so nobody witnesses the log")
        return
    if told.is_shallow:
        notes.append(
            "the clone is shallow: older checkpoints could not be seen (git fetch --unshallow)"
        )
    if told.n_lost:
        n, lost = told.n_lost, f"{told.n_lost} of them gone from the repository"
        expected = f"the checkpoints of {len(told.seen) + n} commits"
        found.append(Finding("git-unreadable", ".git", None, expected, lost, _FSCK, n))
    seen = [(w, c) for w in told.seen if (c := _read(w, notes)) is not None]
    _compare(project, seen, roots, found, notes, is_whole=is_whole)
    _uncommitted(told.committed, checkpoint, notes)


def _compare(
    project: Project,
    seen: Sequence[tuple[Witness, Checkpoint]],
    roots: Sequence[Digest],
    found: list[Finding],
    notes: list[str],
    *,
    is_whole: bool,
) -> None:
    size = len(roots) - 1
    within = [(w, c) for w, c in seen if 0 <= c.size <= size]
    agreeing = [c.size for _, c in within if roots[c.size].hex() == c.root]
    for kind, is_ancestor in (("log-rewritten", True), ("log-forked", False)):
        others = [
            (w, c)
            for w, c in within
            if w.is_ancestor is is_ancestor and roots[c.size].hex() != c.root
        ]
        if others:
            # the smallest log that differs says best where it begins to
            witness, known = min(others, key=lambda pair: pair[1].size)
            before = max((n for n in agreeing if n < known.size), default=0)
            finding = _differs(kind, witness, known, roots[known.size], before, len(others))
            # the lock file may have been committed after the checkpoint
            commits = dict.fromkeys([witness.commit, others[-1][0].commit, "HEAD"])
            labels = (_with_label(project, commit, finding) for commit in commits)
            found.append(next((told for told in labels if told.annotation is not None), finding))
    beyond = [(w, c) for w, c in seen if c.size > size]
    lost = [(w, c) for w, c in beyond if w.is_ancestor]
    if lost and is_whole:
        witness, known = max(lost, key=lambda pair: pair[1].size)
        n = known.size - size
        told = f"{size}: the newest {n} are gone"
        where = f"{_PATH} in commit {witness.commit[:10]}"
        expected = f"{known.size} activities"
        found.append(Finding("log-rolled-back", where, None, expected, told, _BACK, n))
    later = [(w, c) for w, c in beyond if not w.is_ancestor]
    if later:
        witness, known = max(later, key=lambda pair: pair[1].size)
        notes.append(
            f"commit {witness.commit[:10]}, which is not in this history, holds a later checkpoint "
            f"({known.size} activities, here {size}): whether it continues this log cannot be told "
            "before its files are here (git merge, dvc pull)"
        )


def _differs(
    kind: str, witness: Witness, known: Checkpoint, root: Digest, before: int, n: int
) -> Finding:
    first = f"activity {known.size}"
    if before + 1 < known.size:
        first = f"one of activities {before + 1} to {known.size}"
    return Finding(
        kind,
        f"{_PATH} in commit {witness.commit[:10]}",
        None,
        f"root {known.root[:16]} of {known.size} activities, {witness.at:%Y-%m-%d %H:%M}Z",
        f"root {root.hex()[:16]}; the first that differs is {first}",
        f"{_BACK}; {_ASK}",
        n,
    )


def _with_label(project: Project, commit: str, finding: Finding) -> Finding:
    """Name the first label that is not what it was, where DVC's cache still has what the commit saw."""
    ledger = project.ledger
    tracked = tracked_at(project.root, commit, "ledger/segments")
    erased = redactions(ledger) if tracked else {}
    for name, md5 in sorted(tracked.items()):
        path, copy = ledger.segments / name, objects.object_of(project.root, md5)
        is_rows = name.endswith(".parquet") and name not in erased and path.is_file()
        if not is_rows or objects.file_md5(path) == md5:
            continue
        if not copy.is_file() or objects.file_md5(copy) != md5:
            continue
        place = between(path, pa.Table.from_batches(read_parquet(copy)))
        if place.annotation is not None:
            told = f"{finding.found}; {name}, {place.found}"
            return replace(finding, annotation=place.annotation, found=told)
    return finding


def _uncommitted(committed: bytes | None, checkpoint: Checkpoint | None, notes: list[str]) -> None:
    if checkpoint is None:
        return
    if committed is None:
        notes.append("ledger/checkpoint is not committed, so nobody witnesses the log yet")
        return
    try:
        known = parse_checkpoint(committed, "HEAD:ledger/checkpoint")
    except LineageError:
        return
    if known.size < checkpoint.size:
        notes.append(
            f"activities {known.size + 1} to {checkpoint.size} have no witness before "
            "ledger/checkpoint is committed"
        )


def _read(witness: Witness, notes: list[str]) -> Checkpoint | None:
    try:
        return parse_checkpoint(witness.content, witness.commit)
    except LineageError:
        notes.append(f"ledger/checkpoint in commit {witness.commit[:10]} cannot be read")
        return None
