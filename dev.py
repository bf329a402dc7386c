"""Set up this checkout and run its jobs; needs only Python 3.11 to 3.13 and Git.

    python3 dev.py demo     set up, then `dvc repro` on a simulated world
    python3 dev.py test     set up, then the quick tests
    python3 dev.py slow     the slow tests
    python3 dev.py check    lint, format, types, layers
    python3 dev.py setup    set up only

Everything goes into .venv below this file, at the versions of constraints.txt.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
STAMP = VENV / "set-up"
RELEASES = ((3, 11), (3, 12), (3, 13))


def main(words: Sequence[str]) -> int:
    """Run one of the jobs and return its exit code."""
    jobs = {"setup": [], "demo": DEMO, "test": TEST, "slow": SLOW, "check": CHECK}
    if len(words) != 1 or words[0] not in jobs:
        print(__doc__)
        return 2
    if sys.version_info[:2] not in RELEASES:
        return _with_another_python(words)
    set_up()
    for command in jobs[words[0]]:
        print("$", " ".join(command), flush=True)
        code = subprocess.run(command, cwd=ROOT, env=_environment(), check=False).returncode
        if code:
            return code
    return 0


def set_up() -> None:
    """Make .venv with everything in it, unless it is there already."""
    wanted = hashlib.sha256()
    for name in ("pyproject.toml", "constraints.txt"):
        wanted.update((ROOT / name).read_bytes())
    mark = f"{sys.version} {wanted.hexdigest()} {ROOT}"
    if STAMP.is_file() and STAMP.read_text() == mark:
        return
    shutil.rmtree(VENV, ignore_errors=True)
    print("setting up .venv (once, about a minute) ...", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    pip = [str(BIN / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", "constraints.txt", "-e", ".[dev]"], cwd=ROOT, check=True)
    STAMP.write_text(mark)


def _with_another_python(words: Sequence[str]) -> int:
    for major, minor in reversed(RELEASES):
        found = shutil.which(f"python{major}.{minor}")
        if found:
            return subprocess.run([found, __file__, *words], check=False).returncode
    told = ", ".join(f"{major}.{minor}" for major, minor in RELEASES)
    print(f"this is Python {sys.version.split()[0]}; lineage needs one of {told} on the PATH")
    return 2


def _environment() -> dict[str, str]:
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path, "VIRTUAL_ENV": str(VENV), "DVC_NO_ANALYTICS": "true"}


PYTEST = [str(BIN / "python"), "-m", "pytest", "-n", "2"]
TEST = [[*PYTEST, "-m", "not slow"]]
SLOW = [[*PYTEST, "-m", "slow"]]
CHECK = [
    [str(BIN / "ruff"), "check", "."],
    [str(BIN / "ruff"), "format", "--check", "."],
    [str(BIN / "mypy")],
    [str(BIN / "python"), "-m", "pytest", "tests/test_layers.py"],
]
DEMO = [
    [str(BIN / "lineage"), "simulate", "--keep"],
    [str(BIN / "dvc"), "repro"],
    [str(BIN / "lineage"), "status"],
    [str(BIN / "lineage"), "version", "list"],
    [str(BIN / "lineage"), "report"],
]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
