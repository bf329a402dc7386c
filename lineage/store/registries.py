"""What the store holds of the registries in Git: which versions, tags and runs, and putting a run in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import text

from lineage.identity import canonical_json
from lineage.store import tables
from lineage.store.append import Appender
from lineage.store.read import Connection


def run_names(connection: Connection) -> set[str]:
    """Return the names of all runs."""
    return set(connection.execute(text("SELECT name FROM run")).scalars())


def version_names(connection: Connection) -> set[str]:
    """Return the names of all dataset versions."""
    return set(connection.execute(text("SELECT name FROM dataset_version")).scalars())


def tag_names(connection: Connection) -> set[str]:
    """Return every tag that a dataset version has."""
    return set(connection.execute(text("SELECT tag FROM version_tag")).scalars())


def enter_run(connection: Connection, document: Mapping[str, object]) -> None:
    """Append a run; its version must be there."""
    row = {name: document[name] for name in ("version", "digest")}
    row |= {"name": document["run"], "at": datetime.fromisoformat(str(document["at"]))}
    document_text = canonical_json(document).decode()
    Appender(connection).entities(tables.Run, [{**row, "document": document_text}])
