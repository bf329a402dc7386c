"""Many processes that write to one project at once, through the real command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lineage.activities.context import open_project
from tests.faults import states, world

_BUSY = ("busy", "locked", "Traceback")


@dataclass
class Row:
    """A row of the concurrency table."""

    store: str
    writers: int
    imports: int
    labels: int = 0
    lost: int = 0
    duplicated: int = 0
    busy: int = 0
    waited: int = 0
    seconds: float = 0.0
    alone_seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


def measure(
    folder: Path,
    urls: Sequence[str | None],
    *,
    writers: int,
    imports: int,
    n_images: int,
) -> Row:
    """Let writers import at once, then one of them the same alone, and compare.

    Parameters
    ----------
    folder
        For the projects.
    urls
        Of empty databases, the second for the one that works alone; None: the embedded store.
    writers, imports
        Each writer imports so many files into a batch of its own, and as many into one of all; the
        first also freezes a version, the second draws a review.
    n_images
        Of each file.
    """
    row = Row("SQLite" if urls[0] is None else "PostgreSQL", writers, imports)
    for name, url in zip(("many", "one"), urls, strict=False):
        root = folder / name
        environment = {**os.environ, "LINEAGE_AGENT": "tess@team.example"}
        if url is not None:
            environment["LINEAGE_STORE"] = url
        plan = _plan(root, environment, writers, imports, n_images)
        start = time.monotonic()
        scripts = plan if name == "many" else [[words for script in plan for words in script]]
        said = _let(root, environment, scripts)
        taken_s = time.monotonic() - start
        if name == "many":
            row.seconds = taken_s
            _read(row, said)
            _check(row, root, url)
        else:
            row.alone_seconds = taken_s
            row.faults += [told for told in said if "[" in told or "Traceback" in told]
    return row


def _plan(
    root: Path, environment: dict[str, str], writers: int, imports: int, n_images: int
) -> list[list[list[str]]]:
    """Lay a project out, and return the commands of each writer."""
    store = environment.get("LINEAGE_STORE")
    os.environ.pop("LINEAGE_STORE", None)
    if store is not None:
        os.environ["LINEAGE_STORE"] = store
    try:
        world.lay_out(root)
        for tag in ("common", *(f"own{w}" for w in range(writers))):
            words = ("batch", "create", tag, "--task", "detection", "--schema", "things@1.0")
            world.done(root, *words)
    finally:
        os.environ.pop("LINEAGE_STORE", None)
    plan = []
    for w in range(writers):
        script = []
        for k in range(imports):
            for tag, prefix in ((f"own{w}", ""), ("common", f"{w}-{k}-")):
                seed = 1 + (w * imports + k) * 2 + (tag == "common")
                path = root / "inbox" / f"{tag}-{w}-{k}.json"
                # one file of a batch of one's own after the other: other images, or they would correct it
                own = prefix or f"{k}-"
                world.export(path, seed=seed, n_images=n_images, prefix=own)
                script.append(["import", str(path), "--batch", tag])
            if w == 0:
                script.append(["build", "--tag", f"v{k}"])
            if w == 1:
                script.append(
                    ["review", "draw", "--batch", "common", "--for", f"dana{k}@x.example"]
                )
        plan.append(script)
    return plan


def _let(root: Path, environment: dict[str, str], scripts: list[list[list[str]]]) -> list[str]:
    """Run scripts at once, each of them one command after the other; return what failed or waited."""
    driver = (
        "import json, subprocess, sys\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    command = [sys.executable, '-m', 'lineage', *words]\n"
        "    done = subprocess.run(command, stdout=-3, stderr=-1, text=True)\n"
        "    print(json.dumps([words, done.returncode, done.stderr]), flush=True)\n"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", driver, json.dumps(script)],
            cwd=root,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for script in scripts
    ]
    said = []
    for process in running:
        out, _ = process.communicate()
        for line in out.splitlines():
            words, code, told = json.loads(line)
            if code or told.strip():
                said.append(f"{' '.join(words[:2])}: exit {code}: {told.strip()}")
    return said


def _read(row: Row, said: Sequence[str]) -> None:
    for told in said:
        row.waited += told.count("waiting for")
        if "exit 0" not in told or any(word in told for word in _BUSY):
            row.busy += any(word in told for word in _BUSY)
            row.faults.append(told)


def _check(row: Row, root: Path, url: str | None) -> None:
    """Count what every file holds against what is on record."""
    expected: Counter[tuple[str, str]] = Counter()
    for path in (root / "inbox").glob("*.json"):
        for task in json.loads(path.read_text()):
            for answer in task["annotations"]:
                expected.update(
                    (path.stem.split("-")[0], f"{answer['id']}/{r['id']}") for r in answer["result"]
                )
    project = open_project(root, store_url=url, agent="tess@team.example")
    names = ("batch", "source_id", "operation", "revision", "annotation")
    rows = project.ledger.read("revisions", names).to_pylist()
    numbers = {
        "revisions": [r["revision"] for r in rows],
        "annotations": [r["annotation"] for r in rows if r["operation"] == "add"],
    }
    for name, given in numbers.items():
        if given != list(range(1, len(given) + 1)):
            row.faults.append(f"afterwards: {name} are not numbered 1 to {len(given)}")
    found = Counter((r["batch"], r["source_id"]) for r in rows if r["operation"] == "add")
    row.labels = sum(expected.values())
    row.lost = sum((expected - found).values())
    row.duplicated = sum((found - expected).values())
    try:
        states.checked(project)
    except AssertionError as exc:
        row.faults.append(f"afterwards: {exc}")
    left = [n for n in states.leftovers(root) if n.startswith("ledger/")]
    row.faults += [f"left: {left}"] if left else []
