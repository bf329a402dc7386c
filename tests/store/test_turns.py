"""Turns at the ledger: who came first goes first, a dead holder holds nothing, and waiting says for whom."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineage.errors import Refused
from lineage.store import Patience, Store
from lineage.store.turns import file_turn

HOLD = """
import sys
from pathlib import Path
from lineage.store.turns import Patience, file_turn
with file_turn(Path(sys.argv[1]), Patience(command="lineage import")):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process, which holds the lock until it is told or killed."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    process = subprocess.Popen(command, stdin=-1, stdout=-1, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_whoever_waits_is_told_for_whom(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    told: list[str] = []
    patience = Patience(limit_s=0.2, notice_s=0.05, tell=told.append)
    named = rf"lineage import \(process {holder.pid}\)"
    with pytest.raises(Refused, match=named), file_turn(tmp_path / "lock", patience):
        pass
    assert len(told) == 1
    assert told[0].startswith(f"waiting for lineage import (process {holder.pid}), since ")


def test_a_killed_holder_holds_nothing(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    held = threading.Event()

    def take() -> None:
        with file_turn(tmp_path / "lock", Patience(limit_s=60)):
            held.set()

    waiting = threading.Thread(target=take)
    waiting.start()
    assert not held.wait(0.1)
    holder.kill()
    waiting.join(10)
    assert held.is_set()


def test_who_gave_up_does_not_take_the_turn_later(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    with pytest.raises(Refused), file_turn(tmp_path / "lock", Patience(limit_s=0.05)):
        pass
    holder.kill()
    holder.wait()
    with file_turn(tmp_path / "lock", Patience(limit_s=5)):
        assert b"process" in (tmp_path / "lock").read_bytes()
    assert (tmp_path / "lock").read_bytes() == b""


def test_who_came_first_goes_first(tmp_path: Path) -> None:
    order: list[int] = []
    path = tmp_path / "lock"

    def take(place: int) -> None:
        with file_turn(path, Patience(limit_s=30)):
            order.append(place)

    threads = [threading.Thread(target=take, args=(place,)) for place in range(6)]
    with file_turn(path, Patience()):
        for n_waiting, thread in enumerate(threads, start=1):
            thread.start()
            _until_waiting(path, n_waiting)
    for thread in threads:
        thread.join(30)
    assert order == [0, 1, 2, 3, 4, 5]


def _until_waiting(path: Path, n_waiting: int) -> None:
    inode = f":{path.stat().st_ino} "
    while sum("->" in row and inode in row for row in _locks()) < n_waiting:
        pass


def _locks() -> list[str]:
    return Path("/proc/locks").read_text().splitlines()


def test_postgres_says_who_holds_the_turn_too(postgres_store_url: str, tmp_path: Path) -> None:
    told: list[str] = []
    holder = Store(postgres_store_url, tmp_path, patience=Patience(command="lineage ingest"))
    waiter = Store(
        postgres_store_url, tmp_path, patience=Patience(0.6, notice_s=0.1, tell=told.append)
    )
    with holder.exclusive(), pytest.raises(Refused, match="lineage ingest"), waiter.exclusive():
        pass
    assert told[0].startswith("waiting for lineage ingest (process ")
    with waiter.exclusive():
        pass
