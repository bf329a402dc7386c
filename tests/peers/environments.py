"""Peers in environments of their own: other programs that read what we write, at pinned versions.

Their dependencies quarrel with ours, so each has a virtual environment, made once and kept in
``~/.cache/lineage-peers``. Pins name everything, so pip resolves nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_PINS = Path(__file__).parent / "pins"
_JUDGES = Path(__file__).parent / "judges"
_UNREACHABLE = (
    "NewConnectionError",
    "ConnectionError",
    "Temporary failure",
    "timed out",
    "Retrying",
)


def judged(peer: str, judge: str, *words: str) -> Any:
    """Run a judge in its peer's environment and return the JSON that it prints last."""
    python = environment(peer)
    home = python.parent.parent / "home"
    home.mkdir(exist_ok=True)
    variables = {
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        # peers leave settings and caches in the home directory, and one would look for news
        "HOME": str(home),
        "YOLO_CONFIG_DIR": str(home),
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
    }
    done = subprocess.run(
        [str(python), str(_JUDGES / f"{judge}.py"), *words],
        env=variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{judge}: {done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return json.loads(done.stdout.splitlines()[-1])


def environment(peer: str) -> Path:
    """Return the interpreter of a peer's environment, made where it is missing."""
    pins = _PINS / f"{peer}.txt"
    key = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lineage-peers"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"{peer}-{key}"
    python = folder / "bin" / "python"
    with (cache / f"{peer}.lock").open("w") as lock:
        # several workers share one environment: the first makes it, the others wait
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            _make(folder, python, pins, peer)
    return python


def _make(folder: Path, python: Path, pins: Path, peer: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    words = ["install", "--quiet", "--no-deps", "--disable-pip-version-check", "--retries", "1"]
    done = subprocess.run(
        [str(python), "-m", "pip", *words, "-r", str(pins)], capture_output=True, text=True
    )
    if done.returncode:
        told = [
            line for line in done.stderr.splitlines() if not line.startswith("WARNING: Location")
        ]
        if any(word in done.stderr for word in _UNREACHABLE):
            pytest.skip(f"{peer} cannot be installed here: {told[-1] if told else 'pip failed'}")
        raise AssertionError(f"{peer} cannot be installed: " + "\n".join(told[-20:]))
    (folder / "ready").touch()
