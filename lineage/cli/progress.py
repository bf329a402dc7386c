"""A bar on a terminal, nothing in a pipe."""

from __future__ import annotations

import sys
import time

from lineage.progress import Progress, silent

_EVERY_S = 0.1


def drawn(quiet: bool) -> Progress:
    """Return a progress that draws on standard error, if that is a terminal."""
    if quiet or not sys.stderr.isatty():
        return silent
    last = [0.0]

    def draw(phase: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        is_end = total is not None and done >= total
        if now - last[0] < _EVERY_S and not is_end:
            return
        last[0] = now
        share = f" of {total:,} ({done / total:.0%})" if total else ""
        sys.stderr.write(f"\r\x1b[K{phase}: {done:,}{share}" + ("\r\x1b[K" if is_end else ""))
        sys.stderr.flush()

    return draw
