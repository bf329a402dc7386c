"""The checkpoint: the log at one moment, as three lines of text (C2SP tlog-checkpoint)."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from lineage.errors import BadInput


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log at one moment.

    Parameters
    ----------
    origin
        Name of the log.
    size
        Number of activities.
    root
        Root of the tree over their headers (RFC 6962), lower-case hex.
    """

    origin: str
    size: int
    root: str


def body_of(checkpoint: Checkpoint) -> str:
    """Return the text form: origin, size, base64 root, a line each."""
    root = base64.b64encode(bytes.fromhex(checkpoint.root)).decode("ascii")
    return f"{checkpoint.origin}\n{checkpoint.size}\n{root}\n"


def parse_checkpoint(content: bytes, where: str) -> Checkpoint:
    """Read the text form of a checkpoint (C2SP tlog-checkpoint: origin, size, base64 root).

    Raises
    ------
    BadInput
        ``checkpoint-unreadable``: ``content`` has another form.
    """
    try:
        origin, size, root = content.decode("utf-8").splitlines()[:3]
        return Checkpoint(origin, int(size), base64.b64decode(root, validate=True).hex())
    except ValueError as exc:
        raise BadInput(
            "checkpoint-unreadable",
            f"expected origin, size and root on three lines, found {content[:60]!r}",
            hint="git checkout -- ledger/checkpoint",
            where=where,
        ) from exc
