"""The log as the store has it, row by row, for whoever holds it against the ledger's headers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from lineage.store.tables import UtcMoment


@dataclass(frozen=True, slots=True)
class LogRow:
    """An activity as it is stored, documents as their text; what seals it is None where it lacks.

    Parameters
    ----------
    seq, activity, kind, agent, at, code_version, batch, parameters
        Of ``activity``.
    outcome, first_revision, n_revisions, leaf, root
        Of ``log_entry``.
    """

    seq: int
    activity: str
    kind: str
    agent: str
    at: datetime | None
    code_version: str
    batch: str | None
    parameters: str
    outcome: str | None
    first_revision: int | None
    n_revisions: int | None
    leaf: str | None
    root: str | None


_ROWS = """
SELECT a.seq, a.activity, a.kind, a.agent, a.at, a.code_version, a.batch, a.parameters,
       e.outcome, e.first_revision, e.n_revisions, e.leaf, e.root
FROM activity AS a LEFT JOIN log_entry AS e ON e.seq = a.seq ORDER BY a.seq
"""


def log_rows(connection: Connection) -> list[LogRow]:
    """Return every activity of the store, in order."""
    return [LogRow(*row) for row in connection.execute(text(_ROWS).columns(at=UtcMoment()))]


def origin(connection: Connection) -> str | None:
    """Return the name of the log that the store says it holds."""
    query = text("SELECT value FROM store_info WHERE key = 'origin'")
    return connection.execute(query).scalar_one_or_none()
