"""What is wrong with a settings file, all of it at once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from lineage.errors import BadInput


def refuse_unknown(
    document: Mapping[str, object], known: tuple[str, ...], prefix: str, problems: list[str]
) -> None:
    """Add a problem for every key of a mapping that none of ``known`` is."""
    for name in document:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            told = (
                f", did you mean {near[0]!r}?" if near else f", expected some of {', '.join(known)}"
            )
            problems.append(f"{prefix}{name}: unknown{told}")


def refuse(problems: list[str], path: Path) -> None:
    """Refuse a settings file that has problems.

    Raises
    ------
    BadInput
        ``settings-invalid``, with all of them.
    """
    if problems:
        raise BadInput(
            "settings-invalid",
            f"{len(problems)} problems: " + "; ".join(problems),
            hint="docs/settings.md lists every key",
            where=str(path),
        )
