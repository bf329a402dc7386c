"""`kill -9` at every step of the write order: nothing committed is lost, nothing half-written is seen."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lineage.activities.context import Project, open_project
from lineage.activities.ingest import import_labels
from lineage.identity import log_leaf, merkle_root
from lineage.store import read
from tests.conftest import make_batch
from tests.exports import coco

BOX = [10.0, 10.0, 50.0, 40.0]

# every call through which bytes, names or commits reach the disk; the n-th of them, counted over all, kills
SCRIPT = """
import os, signal, sys
from pathlib import Path
import lineage.activities.record as record
import lineage.segments as segments
import lineage.segments.files as files
from lineage.activities.context import open_project
from lineage.activities.ingest import import_labels
from lineage.segments import SegmentWriter
from sqlalchemy.engine import Transaction

project = open_project(Path(sys.argv[1]), agent="x")
left = [int(sys.argv[3])]

def deadly(owner, name, after):
    original = getattr(owner, name)
    def wrapped(*args, **kwargs):
        left[0] -= 1
        if left[0] == 0 and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        found = original(*args, **kwargs)
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return found
    setattr(owner, name, wrapped)

after = sys.argv[4] == "after"
deadly(SegmentWriter, "append", after)
deadly(files.os, "fsync", after)
deadly(Path, "replace", after)
deadly(Path, "rmdir", after)
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
deadly(SQLiteDialect, "do_commit", after)
import_labels(project, [Path(sys.argv[2])], "b1")
print("done", flush=True)
"""


def prepared(project: Project) -> Path:
    make_batch(project, {"car": ["box"]})
    first = coco(project.root / "1.json", [(1, "a.png", "car", BOX)])
    import_labels(project, [first], "b1")
    return coco(project.root / "2.json", [(k, f"{k}.png", "car", BOX) for k in range(2, 12)])


def crashed(template: Path, root: Path, step: int, when: str) -> bool:
    """Run an import that dies at a step; tell whether it died."""
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(template, root)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(root), str(root / "2.json"), str(step), when],
        capture_output=True,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
    return done.returncode != 0


def check(root: Path) -> int:
    """Open what a crash left, hold the promises against it, and return the number of activities."""
    project = open_project(root, agent="x")
    with project.store.reading() as connection:
        head = read.head(connection)
        leaves = read.leaves(connection)
    positions = project.ledger.positions()
    assert positions == list(range(1, head.size + 1)), "a committed activity lacks its segment"
    assert [log_leaf(project.ledger.header(seq)) for seq in positions] == leaves
    checkpoint = project.ledger.checkpoint()
    assert checkpoint is not None
    assert (checkpoint.size, checkpoint.root) == (head.size, merkle_root(leaves).hex())
    assert project.ledger.unfinished() == [], "something half-written is left"
    assert head.revision in (1, 11), "an import is there in part"
    assert project.ledger.read("revisions", ("revision",)).num_rows == head.revision
    again = import_labels(project, [root / "2.json"], "b1")
    assert again.n_added == (10 if head.revision == 1 else 0)
    with project.store.reading() as connection:
        assert read.head(connection).revision == 11
    return head.size


def test_a_crash_before_and_after_the_commit_ends_on_either_side(
    project: Project, tmp_path: Path
) -> None:
    prepared(project)
    root = tmp_path / "crash"
    outcomes = set()
    for step, when in ((2, "before"), (9, "after"), (14, "before")):
        assert crashed(project.root, root, step, when)
        outcomes.add(check(root))
    assert outcomes <= {4, 5}


@pytest.mark.slow
def test_a_crash_at_every_step_loses_and_invents_nothing(project: Project, tmp_path: Path) -> None:
    prepared(project)
    root = tmp_path / "crash"
    outcomes = []
    for when in ("before", "after"):
        step = 1
        while crashed(project.root, root, step, when):
            outcomes.append(check(root))
            step += 1
        assert step > 12, "the harness no longer reaches the steps"
    assert set(outcomes) == {4, 5}, "the steps no longer lie on both sides of the commit"
