"""Taking turns at the ledger: one process appends, the others wait for as long as it lives.

The right to append is a lock that the system frees when its holder dies: a file's
beside an embedded store, an advisory one in PostgreSQL. So whoever waits need not
fear a holder that is gone, only say whom it waits for. Both locks keep a queue:
who came first goes first.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from lineage.errors import Refused

LIMIT_S = 3600.0
"""How long to wait for another process' turn to end."""

_NOTICE_S = 3.0
_ADVISORY_KEY = 0x6C6E6731
_HOLDER_BYTES = 4096

_HOLDER = text(
    "SELECT a.application_name, a.state_change FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = :key AND l.database "
    "= (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def _say_nothing(told: str) -> None:
    """Keep it to oneself: the default everywhere outside the command line."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How a process waits for its turn, and what others are told when they wait for it.

    Parameters
    ----------
    limit_s
        How long to wait at most.
    notice_s
        After how long to say for whom.
    command
        What this process does, for those who wait for it; never a person's name.
    tell
        Called with the line to say.
    """

    limit_s: float = LIMIT_S
    notice_s: float = _NOTICE_S
    command: str = "lineage"
    tell: Callable[[str], None] = _say_nothing

    @property
    def holder(self) -> str:
        """What others are told: the command and its process."""
        # PostgreSQL keeps 63 bytes of it
        return f"{self.command[:40]} (process {os.getpid()})"


@contextmanager
def file_turn(path: Path, patience: Patience) -> Iterator[None]:
    """Hold the lock of a file.

    Raises
    ------
    Refused
        ``project-busy``: its turn did not come within ``patience``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _queue(descriptor, path, patience)
    try:
        _sign(descriptor, patience)
        yield
    finally:
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
        os.close(descriptor)


@contextmanager
def advisory_turn(engine: Engine, patience: Patience) -> Iterator[None]:
    """Hold the advisory lock of a PostgreSQL database.

    Raises
    ------
    Refused
        ``project-busy``.
    """
    with engine.connect() as connection:
        connection.exec_driver_sql(f"SET lock_timeout = {int(patience.limit_s * 1000)}")
        notice = threading.Timer(patience.notice_s, lambda: _notice(patience, _of_engine(engine)))
        notice.daemon = True
        notice.start()
        try:
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({_ADVISORY_KEY})")
        except OperationalError as exc:
            raise _busy(patience, _of_engine(engine)) from exc
        finally:
            notice.cancel()
        connection.commit()
        yield


def is_file_taken(path: Path) -> bool:
    """Tell whether some process holds the lock of a file."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def is_advisory_taken(engine: Engine) -> bool:
    """Tell whether some session holds the advisory lock of a PostgreSQL database."""
    with engine.connect() as connection:
        return connection.execute(_HOLDER, {"key": _ADVISORY_KEY}).first() is not None


def _queue(descriptor: int, path: Path, patience: Patience) -> None:
    """Wait in the system's queue for the lock of an open file; closes the file on giving up.

    The wait is a thread's, because it cannot be given an end: asking again and again could, but
    has no queue, and the unlucky starve. A thread that was given up on lets go of what it gets.
    """
    deciding, is_ours, is_abandoned = threading.Lock(), threading.Event(), threading.Event()

    def wait() -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with deciding:
            if is_abandoned.is_set():
                os.close(descriptor)
            else:
                is_ours.set()

    threading.Thread(target=wait, daemon=True).start()
    try:
        if is_ours.wait(min(patience.notice_s, patience.limit_s)):
            return
        if patience.notice_s < patience.limit_s:
            _notice(patience, _of_file(path))
            if is_ours.wait(patience.limit_s - patience.notice_s):
                return
        raise _busy(patience, _of_file(path))
    except BaseException:
        with deciding:
            is_abandoned.set()
            if is_ours.is_set():
                os.close(descriptor)
        raise


def _sign(descriptor: int, patience: Patience) -> None:
    since = datetime.now().astimezone().isoformat(timespec="seconds")
    # a full disk has no room for a courtesy; what matters will say so itself
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"who": patience.holder, "since": since}).encode(), 0)


def _of_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            signed = json.loads(file.read(_HOLDER_BYTES))
        return f"{signed['who']}, since {datetime.fromisoformat(signed['since']):%H:%M:%S},"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _of_engine(engine: Engine) -> str:
    try:
        with engine.connect() as connection:
            row = connection.execute(_HOLDER, {"key": _ADVISORY_KEY}).first()
    except DBAPIError:
        row = None
    if row is None or not row[0]:
        return "another process"
    return f"{row[0]}, since {row[1].astimezone():%H:%M:%S},"


def _notice(patience: Patience, holder: str) -> None:
    patience.tell(f"waiting for {holder} to finish writing to the ledger")


def _busy(patience: Patience, holder: str) -> Refused:
    return Refused(
        "project-busy",
        f"{holder} is writing to the ledger, and was for {patience.limit_s:g} s",
        hint="wait for it to finish, then repeat the command; LINEAGE_BUSY_TIMEOUT_S waits longer",
    )
