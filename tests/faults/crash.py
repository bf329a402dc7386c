"""A process that dies at the n-th step of a command: what it leaves, and whether that can be lived with.

A step is a call through which bytes, names or commits reach the disk. Everything happens in
forked children of a process that has imported the package once; a child dies by SIGKILL, which
nothing can catch, and what it left is looked at by another child.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import io
import os
import pickle
import pkgutil
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.default import DefaultDialect
from typer.main import get_command

from lineage import activities, cli, formats, store
from lineage.segments.parquet import ParquetWriter
from tests.faults.states import lies_between, same, state_of
from tests.faults.world import run

_NAMES = ("replace", "rename", "unlink", "remove", "rmdir", "mkdir", "link", "fsync", "truncate")
_WAYS = ("before", "after", "torn")
"""Dead before a step, after it, or (of a sync only) before it with half of the file's bytes on the disk."""


@dataclass(frozen=True)
class Command:
    """A command whose steps are counted.

    Parameters
    ----------
    name
        For the table.
    words
        What the shell would be given behind ``lineage``.
    before
        What is removed first, so that the command has something to do.
    """

    name: str
    words: tuple[str, ...]
    before: tuple[str, ...] = ()


COMMANDS = (
    Command("import", ("import", "inbox/b1-newest.json", "--batch", "b1", "--whole")),
    Command("import, new person", ("import", "inbox/b3.json", "--batch", "b2")),
    Command("schema add", ("schema", "add", "things2.json")),
    Command(
        "batch create", ("batch", "create", "b9", "--task", "detection", "--schema", "things@1.0")
    ),
    Command("gold add", ("gold", "add", "--batch", "b1", "--class", "car")),
    Command("review draw", ("review", "draw", "--batch", "b1", "--for", "dana@team.example")),
    Command("build --tag", ("build", "--tag", "second", "--class", "dog", "--class", "car")),
    Command("version tag", ("version", "tag", "first", "best")),
    Command("run pin", ("run", "pin", "run-1", "--version", "first")),
    Command("erase", ("erase", "bruno@team.example")),
    Command("store backup", ("store", "backup", "copy.db")),
    Command("restore", ("restore",), (".lineage/store.db",)),
    Command("restore --discard-store", ("restore", "--discard-store")),
)


@dataclass
class Tally:
    """A row of the crash table."""

    command: str
    points: int = 0
    tries: int = 0
    lost: int = 0
    half: int = 0
    orphans: int = 0
    unrepeatable: int = 0
    faults: list[str] = field(default_factory=list)

    def blame(self, kind: str, told: str) -> None:
        setattr(self, kind, getattr(self, kind) + 1)
        self.faults.append(f"{self.command}: {told}")


def warm_up() -> None:
    """Import what commands import only when they need it, so that each child need not."""
    os.environ.setdefault("LINEAGE_AGENT", "tess@team.example")
    for package in (activities, cli, formats, sqlite):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            # drivers of other databases and extras that are not installed
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)
    get_command(cli.app)


def in_child(work: Callable[[], object]) -> Any:
    """Return what a function returns in a forked child; its exception, where it raises one."""
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(source)
        _do_not_wait_for_the_disk()
        try:
            found = work()
        except BaseException as exc:
            found = RuntimeError(f"{type(exc).__name__}: {exc}")
        with os.fdopen(sink, "wb") as file:
            pickle.dump(found, file)
        os._exit(0)
    os.close(sink)
    with os.fdopen(source, "rb") as file:
        content = file.read()
    os.waitpid(child, 0)
    return pickle.loads(content) if content else None


def run_until(root: Path, words: Sequence[str], step: int, way: str) -> tuple[bool, int]:
    """Run a command that dies at a step, and tell whether it did, and its exit code if not."""
    child = os.fork()
    if child == 0:
        _do_not_wait_for_the_disk()
        _be_silent(root)
        _arm(root, step, way)
        os._exit(run(root, *words))
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True, 0
    return False, os.WEXITSTATUS(status)


def count_steps(root: Path, words: Sequence[str]) -> tuple[list[str], int]:
    """Run a command to its end; return the names of its steps, and its exit code."""

    def work() -> tuple[list[str], int]:
        _be_silent(root)
        taken = _arm(root, -1, "before")
        code = run(root, *words)
        return list(taken), code

    found = in_child(work)
    assert isinstance(found, tuple), found
    return found


def _do_not_wait_for_the_disk() -> None:
    # no power is cut here: what a killed process wrote is seen; `torn` is for what is not
    os.fsync = lambda descriptor: None  # type: ignore[assignment]
    store.DURABILITY = "OFF"


def _be_silent(root: Path) -> None:
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    os.chdir(root)


def points_of(steps: Sequence[str]) -> list[tuple[int, str]]:
    """Return every step of a command in every way in which one can die there."""
    return [
        (k + 1, way)
        for k, name in enumerate(steps)
        for way in _WAYS
        if way != "torn" or name == "fsync"
    ]


def _arm(root: Path, step: int, way: str) -> list[str]:
    """Note every step below ``root``, and die at one of them."""
    taken: list[str] = []

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def deadly(owner: object, name: str, counts: Callable[..., bool]) -> None:
        original = getattr(owner, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if not counts(*args, **kwargs):
                return original(*args, **kwargs)
            taken.append(name)
            is_it = len(taken) == step
            if is_it and way != "after":
                if way == "torn" and name == "fsync":
                    _tear(args[0])
                die()
            try:
                return original(*args, **kwargs)
            finally:
                if is_it:
                    die()

        setattr(owner, name, wrapped)

    for name in _NAMES:
        deadly(os, name, lambda *args, **kwargs: True)
    for owner, name in ((io, "open"), (builtins, "open")):
        deadly(owner, name, _writes_below(root))
    for name in ("write_batch", "write_table", "close"):
        if hasattr(ParquetWriter, name):
            deadly(ParquetWriter, name, lambda *args, **kwargs: True)
    deadly(DefaultDialect, "do_commit", lambda *args, **kwargs: True)
    return taken


def _writes_below(root: Path) -> Callable[..., bool]:
    def counts(file: object, mode: str = "r", *args: Any, **kwargs: Any) -> bool:
        if not isinstance(file, str | os.PathLike) or not set(mode) & set("wax+"):
            return False
        return str(Path(file).absolute()).startswith(str(root))

    return counts


def _tear(descriptor: int) -> None:
    """Leave half of an open file's bytes: the others had not reached the disk."""
    path = f"/proc/self/fd/{descriptor}"
    if os.path.isfile(path):
        with Path(path).open("r+b") as file:
            file.truncate(os.fstat(descriptor).st_size // 2)


def crash_table(
    template: Path,
    scratch: Path,
    command: Command,
    points: Sequence[tuple[int, str]] | None = None,
    *,
    stride: int = 1,
) -> Tally:
    """Kill a command at every step, before, after and torn, and say what became of it.

    Parameters
    ----------
    template
        A project; never changed.
    scratch
        Folder for copies.
    command
        The command.
    points
        Only these steps and ways; all by default.
    stride
        Of all, every so many.
    """
    warm_up()
    tally = Tally(command.name)
    root = copied(template, scratch, command)
    before = in_child(lambda: state_of(template))
    steps, code = count_steps(root, command.words)
    assert code == 0, f"{command.name} fails without a crash: exit {code}"
    after = in_child(lambda: state_of(root))
    for known in (before, after):
        assert isinstance(known, dict), known
    tally.points = len(steps)
    for step, way in points_of(steps)[::stride] if points is None else points:
        root = copied(template, scratch, command)
        is_dead, code = run_until(root, command.words, step, way)
        assert is_dead, f"{command.name} did not die {way} step {step} of {len(steps)}: exit {code}"
        tally.tries += 1
        _judge(tally, root, command, f"{way} step {step}", (before, after))
    return tally


def _judge(
    tally: Tally,
    root: Path,
    command: Command,
    told: str,
    states: tuple[Mapping[str, Any], Mapping[str, Any]],
) -> None:
    """Look at what a crash left, then repeat the command and look again."""
    before, after = states
    found = in_child(lambda: state_of(root))
    if not isinstance(found, dict):
        tally.blame("half", f"{told}: {found}")
        return
    wrong = lies_between(before, found, after)
    if wrong is not None:
        tally.blame("lost" if wrong.startswith("lost") else "half", f"{told}: {wrong}")
    left = [name for name in found["orphans"] if name.startswith("ledger/")]
    _, code = run_until(root, command.words, -1, "before")
    again = in_child(lambda: state_of(root))
    # what stood already is refused: the command had been done
    is_done = code == 0 or (code == 3 and same(found, after))
    if not isinstance(again, dict) or not is_done or not same(again, after):
        tally.blame("unrepeatable", f"{told}: exit {code}, {_difference(again, after)}")
        return
    left += [name for name in again["orphans"] if name not in before["orphans"] and code == 0]
    if left:
        tally.blame("orphans", f"{told}: {left}")


def _difference(found: object, after: Mapping[str, Any]) -> str:
    if not isinstance(found, dict):
        return str(found)
    names = [name for name in after if name != "orphans" and found[name] != after[name]]
    return "; ".join(
        f"{name} {found[name]!s:.200} in place of {after[name]!s:.200}" for name in names
    )


def copied(template: Path, scratch: Path, command: Command) -> Path:
    """Return a copy of a project in which a command has something to do."""
    root = scratch / "crash"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(template, root, symlinks=True)
    for name in command.before:
        (root / name).unlink()
    return root


def kill_table(template: Path, scratch: Path, command: Command, *, tries: int, seed: int) -> Tally:
    """Kill the real command line from outside, at random times, and say what became of it."""
    tally = Tally(command.name)
    before = in_child(lambda: state_of(template))
    root = copied(template, scratch, command)
    words = [sys.executable, "-m", "lineage", "-C", str(root), *command.words]
    start = time.monotonic()
    subprocess.run(words, cwd=root, check=True, capture_output=True)
    whole_s = time.monotonic() - start
    after = in_child(lambda: state_of(root))
    draw = random.Random(seed)
    for k in range(tries):
        root = copied(template, scratch, command)
        delay_s = draw.uniform(0.3, 1.05) * whole_s
        process = subprocess.Popen(
            words, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        with process:
            try:
                process.wait(delay_s)
            except subprocess.TimeoutExpired:
                process.kill()
        tally.tries += 1
        tally.points += process.returncode == -signal.SIGKILL
        if process.returncode == 0 and not same(in_child(partial(state_of, root)), after):
            tally.blame("lost", f"try {k}: reported done, and is not")
        _judge(tally, root, command, f"try {k}, after {delay_s:.2f} s", (before, after))
    return tally
