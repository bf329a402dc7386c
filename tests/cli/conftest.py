"""The README's world, built once by its own commands; and the command line, run in this process."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lineage.cli import main

REPOSITORY = Path(__file__).resolve().parent.parent.parent
OURS = ("params.yaml", "dvc.yaml", "schemas", ".lineage", ".gitignore", ".dvc", ".dvcignore")
PLACES = ("data/.gitignore", "ledger/.gitignore")


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


def lineage(root: Path, *words: str) -> Ran:
    """Run a command as the shell would, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["-C", str(root), *words])
    return Ran(code, out.getvalue(), err.getvalue())


@pytest.fixture
def run() -> Run:
    """The command line."""
    return lineage


def shell(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program with this environment's tools first on the path."""
    bin_folder = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "true",
        "LINEAGE_AGENT": "tess@team.example",
    }
    return subprocess.run(words, cwd=root, env=environment, capture_output=True, text=True)


def checked(root: Path, *words: str) -> str:
    """Run a program that must succeed and return what it printed."""
    done = shell(root, *words)
    assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def checkout(root: Path) -> Path:
    """Make ``root`` what a fresh clone of this repository is, its package left out."""
    root.mkdir()
    tracked = subprocess.run(
        ["git", "-C", str(REPOSITORY), "ls-files", "-co", "--exclude-standard", *OURS, *PLACES],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for name in tracked:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, root / name)
    checked(root, "git", "init", "-q", "-b", "main")
    for key, value in (("user.name", "Tess"), ("user.email", "tess@team.example")):
        checked(root, "git", "config", key, value)
    checked(root, "git", "add", "-A")
    checked(root, "git", "commit", "-qm", "clone")
    return root


@pytest.fixture(scope="session")
def built_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The README's main job, done; never changed, `world` copies it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    root = shared / "demo" / "lineage"
    with (shared / "demo.lock").open("w") as lock:
        # several workers share the one world: the first builds it, the others wait
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "built").exists():
            root.parent.mkdir()
            checkout(root)
            checked(root, "lineage", "simulate", "--keep")
            checked(root, "dvc", "repro")
            (root / "built").touch()
            checked(root, "git", "add", "-A")
            checked(root, "git", "commit", "-qm", "first version")
    return root


@pytest.fixture
def world(built_world: Path, tmp_path: Path) -> Path:
    """A copy of the README's world."""
    root = tmp_path / "lineage"
    shutil.copytree(built_world, root, symlinks=True)
    return root
