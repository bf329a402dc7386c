"""Falsified labels: one row of a segment, with as much computed anew behind it as the forger can reach."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from lineage.activities import context
from lineage.segments import Ledger
from tests.faults import forger, world
from tests.faults.forger import Change

NOT_WITNESSED = ("no cache", "unpushed, no cache", "no key")
"""Where DVC's cache or all of Git's history is gone too, nothing is left that knows what a label was."""


def edited(edit: Callable[[list[dict[str, Any]], int, random.Random], object], how: str) -> Change:
    """Return a change of one row of a segment, with as much else computed anew as ``how`` says.

    Parameters
    ----------
    edit
        Changes a row of a list of rows.
    how
        ``file``: nothing but the part; ``header``: its root and digest in the header; ``chain``: every
        header behind it, checkpoint and store; ``amended``: the newest commit too, with DVC's lock file;
        ``unpushed``: the remote does not have the old one; ``no cache``, ``unpushed, no cache``: DVC's
        cache is emptied besides; ``no key``: the log was signed, and all that could bear witness but
        the key is replaced: Git's history, versions, pins, dataset, cache.
    """

    def change(root: Path, draw: random.Random) -> tuple[int, ...]:
        signature = _sign(root) if how == "no key" else ""
        path = draw.choice(forger.parts_of(root))
        rows = pq.read_table(path).to_pylist()
        at = draw.randrange(len(rows) - 1)
        was = [dict(row) for row in rows]
        edit(rows, at, draw)
        first = next(k for k in range(len(was)) if k >= len(rows) or rows[k] != was[k])
        # a row too many is meant itself, not the one that it pushed aside
        truth = (int((rows if len(rows) > len(was) else was)[first]["annotation"]),)
        forger.write_rows(path, rows)
        if how != "file":
            forger.forge_header(root, path)
        if how not in ("file", "header"):
            forger.forge_chain(root)
            _hide(root, how)
        if how == "no key":
            with (root / "ledger" / "checkpoint").open("a") as file:
                file.write(draw.choice(["", signature]))
            _begin_anew(root)
        # of the newest import only the commit that is gone knew
        early = root.parent / "early-ledger" / "segments" / path.name
        is_known = how not in NOT_WITNESSED and (how != "unpushed" or early.exists())
        return truth if is_known else ()

    return change


def _sign(root: Path) -> str:
    """Sign the log, take the key away, and return what a checkpoint bears behind its three lines."""
    world.done(root, "key", "create")
    world.commit(root)
    (root / ".lineage" / "checkpoint.key").unlink()
    return (root / "ledger" / "checkpoint").read_text().partition("\n\n")[2].join(("\n", ""))


def _hide(root: Path, how: str) -> None:
    """Change what would bear witness of a chain that was computed anew."""
    if how.startswith(("amended", "unpushed")):
        world.commit(root, amend=True)
    if how.startswith("unpushed"):
        world.git(root, "update-ref", "-d", "refs/remotes/origin/main")
    if how.endswith("no cache"):
        shutil.rmtree(root / ".dvc" / "cache")


def _begin_anew(root: Path) -> None:
    """Take versions, pins, dataset, cache and Git's history away, and commit what is left as if it were all."""
    ledger = Ledger(root / "ledger")
    for folder in (ledger.registry, ledger.run_registry):
        shutil.rmtree(folder)
    for path in (root / ".lineage").glob("store.db*"):
        path.unlink()
    context.open_project(root)
    for name in (".git", ".dvc/cache", "data/dataset"):
        shutil.rmtree(root / name)
    (root / "dvc.lock").unlink()
    world.git(root, "init", "-q", "-b", "main")
    for words in (("user.name", "Tess"), ("user.email", "tess@team.example")):
        world.git(root, "config", *words)
    world.git(root, "add", "-A")
    world.git(root, "commit", "-qm", "as it never was")


def signed_and_old(root: Path, draw: random.Random) -> tuple[int, ...]:
    """Bring everything back to an earlier checkpoint, with the signature that it bore then."""
    world.done(root, "key", "create")
    world.commit(root)
    early = root.parent / "signed"
    shutil.copytree(root / "ledger", early)
    shutil.copy(root / ".lineage" / "store.db", early / "store.db")
    image = draw.choice(world.CLASSES)
    world.done(root, "gold", "add", "--batch", "b1", "--class", image)
    world.commit(root)
    shutil.move(early / "store.db", root / ".lineage" / "store.db")
    shutil.rmtree(root / "ledger")
    shutil.move(early, root / "ledger")
    return ()


def _class(rows: list[dict[str, Any]], at: int, draw: random.Random) -> None:
    rows[at]["class"] = draw.choice([c for c in world.CLASSES if c != rows[at]["class"]])


def _box(rows: list[dict[str, Any]], at: int, draw: random.Random) -> None:
    rows[at][draw.choice(["x_min", "y_max"])] += draw.choice([1e-9, 3.0])


def _geometry(rows: list[dict[str, Any]], at: int, draw: random.Random) -> None:
    rows[at]["geometry"] = [[1.0, 1.0, 2.0, 2.0, 3.0, 1.0]]


def _annotator(rows: list[dict[str, Any]], at: int, draw: random.Random) -> None:
    others = {row["annotator"] for row in rows} - {rows[at]["annotator"]}
    rows[at]["annotator"] = draw.choice(sorted(others)) if others else "unknown"


def _set(name: str, value: object) -> Callable[[list[dict[str, Any]], int, random.Random], None]:
    def edit(rows: list[dict[str, Any]], at: int, draw: random.Random) -> None:
        rows[at][name] = value

    return edit


def _drop(rows: list[dict[str, Any]], at: int, draw: random.Random) -> None:
    del rows[at]


def _double(rows: list[dict[str, Any]], at: int, draw: random.Random) -> None:
    rows.insert(at, rows[at])


def _swap(rows: list[dict[str, Any]], at: int, draw: random.Random) -> None:
    rows[at], rows[at + 1] = rows[at + 1], rows[at]


EDITS: Mapping[str, Callable[[list[dict[str, Any]], int, random.Random], object]] = {
    "class": _class,
    "box": _box,
    "geometry": _geometry,
    "annotator": _annotator,
    "stage": _set("stage", "final"),
    "attributes": _set("attributes", '{"occluded":"fully"}'),
    "score": _set("score", 0.99),
    "row dropped": _drop,
    "row doubled": _double,
    "two rows swapped": _swap,
}
