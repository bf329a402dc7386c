"""The settings of a project: ``.lineage/config.toml``."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from lineage.errors import BadInput, Refused
from lineage.settings.problems import refuse, refuse_unknown

ERASABLE = ("comments", "extra", "quarantine")
"""Free text of a person's that `lineage erase` can take out of the record."""


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """``.lineage/config.toml``.

    Parameters
    ----------
    origin
        Name of the log; stands in every checkpoint.
    store_url
        Where the store is; a relative SQLite path is taken from the project's directory.
    signing_key
        File of the ed25519 key that signs checkpoints, taken from the project's directory; None: they
        are not signed here.
    verifiers
        Public keys that may have signed a checkpoint, as ``name+id+key``.
    erase
        Which of a person's free text is erased with the name: some of `ERASABLE`.
    """

    origin: str
    store_url: str = "sqlite:///.lineage/store.db"
    signing_key: str | None = None
    verifiers: tuple[str, ...] = ()
    erase: tuple[str, ...] = ERASABLE


def load_project(root: Path) -> ProjectSettings:
    """Read ``.lineage/config.toml``.

    Raises
    ------
    BadInput
        ``settings-unreadable`` or ``settings-invalid``, with everything that is wrong.
    """
    path = root / ".lineage" / "config.toml"
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise BadInput("settings-unreadable", f"no readable TOML: {exc}", where=str(path)) from exc
    problems: list[str] = []
    refuse_unknown(document, tuple(f.name for f in fields(ProjectSettings)), "", problems)
    if not isinstance(document.get("origin"), str):
        problems.append("origin: expected the log's name as text")
    if not isinstance(document.get("store_url", ""), str):
        problems.append("store_url: expected a database URL as text")
    if not isinstance(document.get("signing_key", ""), str):
        problems.append("signing_key: expected a path as text")
    for name in ("verifiers", "erase"):
        words = document.get(name, [])
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            problems.append(f"{name}: expected a list of words")
        elif name in document:
            document[name] = tuple(words)
    unknown = sorted({*document.get("erase", ())} - {*ERASABLE}) if not problems else []
    if unknown:
        problems.append(f"erase: {unknown}, expected some of {', '.join(ERASABLE)}")
    refuse(problems, path)
    return ProjectSettings(**document)


def dump_project(settings: ProjectSettings) -> str:
    """Return the text of ``.lineage/config.toml``."""
    lines = [
        "# Settings of this lineage project; LINEAGE_STORE in the environment wins over store_url.",
        f'origin = "{settings.origin}"',
        f'store_url = "{settings.store_url}"',
    ]
    return "\n".join(lines) + "\n"


def with_key(text: str, signing_key: str, verifier: str) -> str:
    """Return the text of ``.lineage/config.toml`` with a key that signs here and its public half.

    Parameters
    ----------
    text
        As it stands; comments and other keys stay as they are.
    signing_key
        Path of the key's file; a path that the text has already is left.
    verifier
        Added to ``verifiers``, in front.

    Raises
    ------
    Refused
        ``settings-edit``: the text is written in a way into which this does not fit.

    Examples
    --------
    >>> print(with_key('origin = "x"  # ours', "k", "x+1+A"))
    origin = "x"  # ours
    signing_key = "k"
    verifiers = [
      "x+1+A",
    ]
    <BLANKLINE>
    """
    before = tomllib.loads(text)
    wanted = {"signing_key": signing_key, **before}
    wanted["verifiers"] = [verifier, *before.get("verifiers", [])]
    # JSON's strings are TOML's
    entry = f"\n  {json.dumps(verifier, ensure_ascii=False)},"
    new = text if text.endswith("\n") else text + "\n"
    if "signing_key" not in before:
        new += f"signing_key = {json.dumps(signing_key, ensure_ascii=False)}\n"
    if "verifiers" in before:
        opening = re.compile(r"^\s*verifiers\s*=\s*\[", re.MULTILINE)
        new = opening.sub(lambda found: found[0] + entry, new, count=1)
    else:
        new += f"verifiers = [{entry}\n]\n"
    if _parsed(new) != wanted:
        raise Refused(
            "settings-edit",
            f"config.toml could not be added to, expected signing_key = {signing_key!r} and "
            f"{verifier!r} among verifiers",
            hint="add both by hand",
        )
    return new


def verifiers_of(content: bytes) -> tuple[str, ...]:
    """Return the verifiers that a text of ``.lineage/config.toml`` names, none where it cannot be read."""
    document = _parsed(content.decode("utf-8", errors="replace")) or {}
    words = document.get("verifiers", [])
    return tuple(map(str, words)) if isinstance(words, list) else ()


def _parsed(text: str) -> dict[str, object] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
