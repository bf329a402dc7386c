"""What a glance at a file's beginning tells."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a file is to an import."""

    EXPORT = "export"  # a reader of ours takes it
    FOREIGN = "foreign"  # labels that no reader of ours takes: never passed over in silence
    BESIDE = "beside"  # stands beside exports and holds no labels: a licence, a label configuration
    UNKNOWN = "unknown"  # none of them, as far as the beginning tells


@dataclass(frozen=True, slots=True)
class Look:
    """What a file is, by its content.

    Parameters
    ----------
    role
        What it is to an import.
    what
        The name of the reader of an export, else what it is: one of few words, by which files of
        a folder are counted.
    reason
        How one tells, and what else was seen.
    hint
        What to do about a file that is none.
    """

    role: Role
    what: str
    reason: str = ""
    hint: str = ""
