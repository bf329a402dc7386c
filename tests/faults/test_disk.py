"""A full disk: the command says so, and whether it is on record, rightly; and it works once there is room."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import crash, states, world

IMPORT = ("import", "inbox/b1-newest.json", "--batch", "b1", "--whole")
BUILD = ("build", "--tag", "second", "--class", "dog")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB of the test's own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here; test_a_file_that_may_not_grow needs no mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def told(root: Path, words: tuple[str, ...]) -> tuple[int, str]:
    """Run a command in a child, and return its exit code and what it said on standard error."""

    def work() -> tuple[int, str]:
        os.chdir(root)
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            return world.run(root, *words), said.getvalue()

    found = crash.in_child(work)
    assert isinstance(found, tuple), found
    return found


def state(root: Path) -> dict[str, object]:
    found = crash.in_child(lambda: states.state_of(root))
    assert isinstance(found, dict), found
    return found


def test_a_file_that_may_not_grow(small_fault_world: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(small_fault_world, root, symlinks=True)
    before = state(root)

    def work() -> int:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        # the store is larger than that already: its write-ahead log and the segments cannot grow
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        return told_code(root)

    assert crash.in_child(work) == 3
    assert states.same(state(root), before)
    assert told(root, IMPORT)[0] == 0


def told_code(root: Path) -> int:
    os.chdir(root)
    with contextlib.redirect_stderr(io.StringIO()):
        return world.run(root, *IMPORT)


@pytest.mark.slow
@pytest.mark.parametrize("words", [IMPORT, BUILD])
def test_a_disk_that_fills_at_any_place(
    words: tuple[str, ...], fault_world: Path, small_disk: Path
) -> None:
    root, filler = small_disk / "project", small_disk / "filler"
    outcomes = []
    for free_kb in (0, 8, 24, 64, 160, 500):
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(fault_world, root, symlinks=True)
        before = state(root)
        room = os.statvfs(small_disk)
        filler.write_bytes(bytes(max(room.f_bavail * room.f_frsize - free_kb * 1024, 0)))
        code, said = told(root, words)
        filler.unlink()
        outcomes.append(code)
        assert code in (0, 1, 3), said
        if code:
            found = state(root)
            assert f"[{'disk-full' if code == 3 else 'recorded-unfinished'}]" in said, said
            assert states.same(found, before) is (code == 3), said
            code, said = told(root, words)
        # a tag that is set already is refused: the command was done
        assert code == 0 or "[tag-exists]" in said, said
        assert not [name for name in state(root)["orphans"] if name.startswith("ledger/")]  # type: ignore[attr-defined]
    assert {0, 3} <= set(outcomes), "the sizes no longer lie on both sides"
