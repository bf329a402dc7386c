"""What is only under way bears the number of its process, and goes when that is gone.

A process that is killed cannot clean up behind it. Whoever comes next can tell
its leftovers from what a living process is writing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def under_way(name: str) -> str:
    """Return the name of a file while this process is writing it."""
    return f"{name}.{os.getpid()}"


def sweep(folder: Path, prefix: str = "") -> None:
    """Remove what processes that are gone had under way below ``folder``.

    Parameters
    ----------
    folder
        May be missing.
    prefix
        Only what begins so.
    """
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir()):
        number = entry.suffix[1:]
        if not entry.name.startswith(prefix) or not number.isdecimal() or _is_alive(int(number)):
            continue
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


@contextmanager
def room(folder: Path, prefix: str) -> Iterator[Path]:
    """Yield an empty directory below ``folder`` for as long as the block runs; older leftovers go too."""
    sweep(folder, prefix)
    made = Path(tempfile.mkdtemp(prefix=prefix, suffix=f".{os.getpid()}", dir=folder))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        # another user's; or no process' number at all, so nothing of ours
        return True
    return True
