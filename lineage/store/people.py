"""The names of people, read whole: for the address book beside the store."""

from __future__ import annotations

from sqlalchemy import Connection, text

_BROUGHT = text(
    "SELECT p.handle, p.tool, p.salt, a.pseudonym FROM person p "
    "JOIN annotator a ON a.id = p.annotator_id WHERE a.seq = :seq ORDER BY a.id"
)


def brought_by(connection: Connection, seq: int) -> list[dict[str, object]]:
    """Return ``handle``, ``tool``, ``salt`` and ``pseudonym`` of everybody whom an activity named first."""
    return [dict(row) for row in connection.execute(_BROUGHT, {"seq": seq}).mappings()]
