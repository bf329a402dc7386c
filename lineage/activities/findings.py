"""What an audit finds wrong: one value for each fault, wherever it was found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as the record says.

    Parameters
    ----------
    kind
        Slug of the kind of fault; ``docs/trust.md`` lists them all.
    where
        File, table, object or commit.
    annotation
        The first label that is affected; None: the fault concerns none, or none can be told.
    expected, found
        What the record says, and what is there; digests, values or counts in words.
    cure
        The command that helps, or what to ask of whom.
    n
        How many rows, objects or files are affected, as far as can be told.
    """

    kind: str
    where: str
    annotation: int | None
    expected: str
    found: str
    cure: str
    n: int = 1
