"""What follows once something is on record: a disk that refuses it must not make the command say that nothing was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lineage.errors import LineageError, Unfinished

_OF_THE_DISK = ("disk-full", "disk-fault")


@contextmanager
def completing(what: str) -> Iterator[None]:
    """Tell, where the disk refuses what the block writes, that ``what`` is on record all the same.

    Raises
    ------
    Unfinished
        ``recorded-unfinished``: the next command writes what is lacking.
    """
    try:
        yield
    except OSError as exc:
        if isinstance(exc, LineageError) and exc.slug not in _OF_THE_DISK:
            raise
        told = exc.message if isinstance(exc, LineageError) else str(exc)
        raise Unfinished(
            "recorded-unfinished",
            f"{what} is on record, and what follows could not be written: {told}",
            hint="free space, then: lineage status, which completes it",
        ) from exc
