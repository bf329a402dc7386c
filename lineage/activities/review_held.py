"""Answers that are not whole: images on which some of a reviewer's labels were rejected.

What was rejected is not on record, and would pass for an object that the reviewer did not
see. So the image is not judged until its answer comes again: from the same file, or with
other labels.
"""

from __future__ import annotations

import numpy as np

from lineage.activities.context import Project
from lineage.activities.review_log import answers_tag
from lineage.activities.select import is_word
from lineage.store import read
from lineage.terms import ActivityKind


def held_of(project: Project, batch: str, seq: int) -> np.ndarray:
    """Return the images whose answers wait to come again, as asset keys, ascending."""
    tag = answers_tag(batch)
    with project.store.reading() as connection:
        imports = [
            entry.seq
            for entry in read.activities(connection)
            if entry.kind == ActivityKind.IMPORT and entry.batch == tag and entry.seq <= seq
        ]
    held: dict[str, str] = {}
    for at in imports:
        rejected = {
            row["asset"]: row["source"]
            for rows in project.ledger.scan(
                "quarantine", ("asset", "source"), after=at - 1, up_to=at
            )
            for row in rows.to_pylist()
            if row["asset"] is not None
        }
        if held:
            held = _still(project, tag, held, at)
        held |= rejected
    with project.store.reading() as connection:
        keys = read.asset_keys(connection, sorted(held))
    return np.array(sorted(keys.values()), np.int64)


def _still(project: Project, tag: str, held: dict[str, str], seq: int) -> dict[str, str]:
    """Return what an import leaves held."""
    sources = project.ledger.header(seq)["sources"]
    files = [str(one["path"]) for one in sources] if isinstance(sources, list) else []
    with project.store.reading() as connection:
        keys = read.asset_keys(connection, sorted(held))
    renewed = {
        asset
        for rows in project.ledger.scan("revisions", ("asset", "batch"), after=seq - 1, up_to=seq)
        for asset in np.unique(np.asarray(rows["asset"])[is_word(rows["batch"], [tag])]).tolist()
    }
    return {
        name: source
        for name, source in held.items()
        if keys.get(name) not in renewed and not any(source.startswith(file) for file in files)
    }
