"""What a document of settings may hold, key by key; what is wrong is noted, and reading goes on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence


class Check:
    """Takes a document apart and notes everything that is wrong with it in ``problems``."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def known(self, document: Mapping[str, object], names: Sequence[str]) -> None:
        """Note unknown keys."""
        for name in document:
            if name not in names:
                self.problems.append(f"{name}: unknown, {near(name, names)}")

    def text(self, document: Mapping[str, object], key: str) -> str | None:
        """Return the text behind a key, None where it is absent."""
        value = document.get(key)
        if value is None:
            return None
        if isinstance(value, str) and value:
            return value
        self.problems.append(f"{key}: {value!r}, expected text{quoted(value)}")
        return None

    def word(
        self,
        document: Mapping[str, object],
        key: str,
        default: str,
        choices: Sequence[str],
        *,
        prefix: str = "",
    ) -> str:
        """Return one of several words."""
        value = document.get(key, default)
        if isinstance(value, str) and value in choices:
            return value
        self.problems.append(f"{prefix}{key}: {value!r}, expected {' or '.join(choices)}")
        return default

    def count(self, document: Mapping[str, object], key: str) -> int:
        """Return a whole number from 0 on."""
        value = document.get(key, 0)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        self.problems.append(f"{key}: {value!r}, expected how many")
        return 0

    def texts(self, value: object, key: str) -> tuple[str, ...] | None:
        """Return a list of texts, None where it is absent."""
        if value is None:
            return None
        listed = [value] if isinstance(value, str) else value
        if isinstance(listed, list) and all(isinstance(name, str) for name in listed):
            return tuple(listed)
        self.problems.append(f"{key}: {value!r}, expected a list of texts{quoted(value)}")
        return None

    def mapping(self, value: object, key: str) -> Mapping[str, object]:
        """Return a mapping, empty where it is absent or none."""
        if value is None:
            return {}
        if isinstance(value, Mapping):
            return value
        self.problems.append(f"{key}: {value!r}, expected a mapping")
        return {}


def near(name: object, known: Iterable[str]) -> str:
    """Return the clause that helps with an unknown name.

    Examples
    --------
    >>> near("Lable", ["label", "image"])
    "did you mean 'label'?"
    """
    names = [word for word in known if word]
    found = difflib.get_close_matches(str(name).lower(), [word.lower() for word in names], n=1)
    if found:
        meant = next(word for word in names if word.lower() == found[0])
        return f"did you mean {meant!r}?"
    return f"expected some of {', '.join(names[:30])}" if names else "there is none to name"


def quoted(value: object) -> str:
    """Return the clause for text that YAML has read as something else."""
    values = value if isinstance(value, list) else [value]
    is_read = any(isinstance(one, (bool, int, float)) for one in values)
    return "; put it into quotes" if is_read else ""
