"""What a project says it holds, its promises held against it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import text

from lineage.activities import dataset
from lineage.activities.context import Project, open_project
from lineage.identity import MerkleAccumulator, log_leaf, merkle_root
from lineage.segments import Ledger, file_sha256
from lineage.segments.redactions import leaves_of, redactions
from lineage.store import read
from lineage.store.append import short_leaves


def state_of(root: Path) -> Mapping[str, Any]:
    """Open a project, hold its promises against it, and return what it says it holds.

    Raises
    ------
    AssertionError
        Something half-written is seen.
    """
    project = open_project(root, agent="tess@team.example")
    return {**checked(project), "orphans": leftovers(root)}


def checked(project: Project) -> dict[str, Any]:
    """Hold a project's promises against it, and return what it says it holds."""
    ledger, root = project.ledger, project.root
    with project.store.reading() as connection:
        head, leaves = read.head(connection), read.leaves(connection)
        versions = {str(row["name"]): set(row["tags"]) for row in read.versions(connection)}  # type: ignore[call-overload]
        named = {row.pseudonym for row in read.annotators(connection) if row.handle}
        contents = connection.execute(text("SELECT id, content FROM revision ORDER BY id")).all()
    positions = ledger.positions()
    assert positions == list(range(1, head.size + 1)), "a committed activity lacks its segment"
    assert [log_leaf(ledger.header(seq)) for seq in positions] == leaves, "store and files differ"
    checkpoint = ledger.checkpoint()
    assert checkpoint is not None
    assert (checkpoint.size, checkpoint.root) == (head.size, merkle_root(leaves).hex())
    assert _rows_of(ledger) == [tuple(row) for row in contents], "store and segments differ"
    tags = {tag for known in versions.values() for tag in known}
    assert versions.keys() == ledger.versions().keys(), "store and registry know other versions"
    assert tags == set(ledger.tags()), "store and registry know other tags"
    book = project.address_book
    people = [row["pseudonym"] for row in _json(book)] if book.is_file() else []
    assert len(people) == len(set(people)), "the address book names somebody twice"
    assert set(people) >= named, "the store names people whom the address book lacks"
    return {
        "log": [_outline(ledger.header(seq)) for seq in positions],
        "versions": versions,
        "tags": ledger.tags(),
        "runs": sorted(ledger.runs()),
        "people": len(named),
        "book": len(people),
        "dataset": _dataset(root / "data" / "dataset"),
    }


def _json(path: Path) -> Any:
    return json.loads(path.read_bytes())


def _rows_of(ledger: Ledger) -> list[tuple[int, int]]:
    """Return (revision, start of its leaf hash), files and roots held against their headers."""
    rows: list[tuple[int, int]] = []
    erased = redactions(ledger)
    for seq in ledger.positions():
        for part in ledger.parts(seq):
            known = erased.get(part.file)
            expected = part.sha256 if known is None else known.sha256
            assert file_sha256(ledger.segments / part.file) == expected, f"{part.file} is torn"
            tree = MerkleAccumulator()
            for batch, leaves in leaves_of(ledger, part, known):
                tree.extend(leaves)
                if part.table == "revisions":
                    ids = batch["revision"].to_pylist()
                    rows += zip(ids, short_leaves(leaves).tolist(), strict=True)
            assert tree.root().hex() == part.root, f"{part.file} has another root"
    return sorted(rows)


def _outline(header: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what is the same of an activity whenever and by whatever pseudonym it is recorded."""
    parts = tuple((part["table"], part["n_rows"]) for part in header["parts"])
    entities = tuple(sorted((name, len(rows)) for name, rows in header["entities"].items()))
    return (header["kind"], header["batch"], header["n_revisions"], parts, entities)


def _dataset(folder: Path) -> object:
    if not folder.exists():
        return None
    manifest = dataset.read_manifest(folder / "manifest.json")
    files: Any = manifest["files"]
    for row in files:
        assert file_sha256(folder / row["path"]) == row["sha256"], f"{row['path']} is torn"
    return manifest["digest"]


def leftovers(root: Path) -> list[str]:
    """Return every file that only a command under way should have."""
    ours = ("ledger", "data", "outbox", ".lineage", "schemas")
    found = [path for name in ours for path in (root / name).rglob("*")]
    pending = root / "ledger" / ".pending"
    return sorted(
        path.relative_to(root).as_posix()
        for path in found
        if path.parent == pending
        or ".new" in path.name
        or path.name.endswith((".part", ".old"))
        or path.name.startswith(("import-", "history-"))
    )


def lies_between(
    before: Mapping[str, Any], found: Mapping[str, Any], after: Mapping[str, Any]
) -> str | None:
    """Return what of a state is neither as before a command, nor after, nor after whole steps of it."""
    logs = [known["log"] for known in (before, found, after)]
    if logs[1][: len(logs[0])] != logs[0]:
        return "lost: the log is shorter than it was"
    if logs[2][: len(logs[1])] != logs[1]:
        return f"half: the log holds {logs[1][-1]}, which no whole command writes"
    for name in ("versions", "tags", "runs"):
        sets = [set(known[name]) for known in (before, found, after)]
        if not sets[0] <= sets[1]:
            return f"lost: {name} {sets[0] - sets[1]}"
        if not sets[1] <= sets[2]:
            return f"half: {name} {sets[1] - sets[2]}"
    for name in ("people", "book"):
        least, most = sorted((before[name], after[name]))
        if not least <= found[name] <= most:
            return f"lost: {name}, {found[name]} of {before[name]}"
    if found["dataset"] not in (before["dataset"], after["dataset"]):
        return f"half: the dataset is {found['dataset']}"
    return None


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two states are the same, leftovers aside."""
    return all(one[name] == other[name] for name in one if name != "orphans")
