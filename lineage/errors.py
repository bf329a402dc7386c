"""The error tree: one base, its families, and a slug on every error.

Each family also derives from the nearest built-in. A message says what was
seen and what was expected; ``hint`` is the command or edit that helps; ``where``
is the file and position. ``docs/messages.md`` lists every slug with cause and
cure, and a test holds the two together. The one catch is in ``lineage.cli``.
"""

from __future__ import annotations


class LineageError(Exception):
    """Base of everything `lineage` raises on purpose.

    Parameters
    ----------
    slug
        Stable lower-case name of the failure, documented in ``docs/messages.md``.
    message
        What was seen and what was expected; lower-case start, no full stop.
    hint
        What to do about it, as a command where one helps.
    where
        File and position, where the failure has one.
    """

    exit_code = 3

    def __init__(self, slug: str, message: str, *, hint: str = "", where: str = "") -> None:
        super().__init__(message)
        self.slug = slug
        self.message = message
        self.hint = hint
        self.where = where

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class BadInput(LineageError, ValueError):
    """Something given to us is not what it has to be; nothing was changed."""


class NotFound(LineageError, LookupError):
    """Something was named that is not on record."""


class Refused(LineageError, RuntimeError):
    """The request is well formed and may not be carried out as things stand."""


class StoreFault(LineageError, OSError):
    """The store, the ledger's files or the disk would not do their part."""


class Unfinished(StoreFault):
    """What was asked for is on record, and what follows was left to the next command."""

    exit_code = 1


class Usage(LineageError, ValueError):
    """The words of a command do not fit together."""

    exit_code = 2
