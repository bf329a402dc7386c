"""How long work tells that it moves: an injected callable, silent by default.

Only ``lineage.cli`` draws anything.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called by an activity whenever a phase has advanced."""

    def __call__(self, phase: str, done: int, total: int | None) -> None:
        """Report that ``done`` of ``total`` (None: unknown) units of ``phase`` are through."""


def silent(phase: str, done: int, total: int | None) -> None:
    """Say nothing: the default everywhere outside the command line."""
