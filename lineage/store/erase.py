"""Forgetting in the store: the only way in which anything of it is ever changed.

What names a person is deleted, and comments that segments no longer have become
null, both in the transaction of the activity that erases: the guards of the tables
are down for no one else. Deleted bytes stay in a database's free pages and its log
until it is written anew (`scrub`); a mark in the store says that this is still
owed, so that a crash in between is made up for when the store is opened next.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from lineage.store import Store, ddl
from lineage.terms import ActivityKind

TEXTS = {
    "verdicts": ("verdict", "comment"),
    "stages": ("stage_event", "comment"),
    "gold": ("gold", "comment"),
}
"""Table and column of the store that has the text of a segment's part; of the other parts it has none."""

_OWED = "erase_owed"
_LOCK_TIMEOUT_MS = 10_000


def forget_person(connection: Connection, pseudonym: str) -> None:
    """Delete all that names an annotator, and note that the database is to be scrubbed."""
    _zero_what_is_deleted(connection)
    connection.execute(
        text(
            "DELETE FROM person WHERE annotator_id = "
            "(SELECT id FROM annotator WHERE pseudonym = :pseudonym)"
        ),
        {"pseudonym": pseudonym},
    )
    connection.execute(text("DELETE FROM store_info WHERE key = :key"), {"key": _OWED})
    connection.execute(
        text("INSERT INTO store_info (key, value) VALUES (:key, 'scrub')"), {"key": _OWED}
    )


def forget_texts(connection: Connection, erasures: pa.RecordBatch) -> None:
    """Null the texts of rows that a segment's part ``erasures`` names."""
    files = erasures["file"].cast(pa.string())
    for file in files.unique().to_pylist():
        seq, part, _ = file.split(".")
        if part not in TEXTS:
            continue
        table, column = TEXTS[part]
        found = connection.execute(
            text(f"SELECT id FROM {table} WHERE seq = :seq ORDER BY id"), {"seq": int(seq)}
        )
        keys = np.fromiter(found.scalars(), np.int64)
        is_here = np.asarray(pc.equal(files, file))
        chosen = keys[np.asarray(erasures["row"])[is_here]].tolist()
        _zero_what_is_deleted(connection)
        with _unguarded(connection, table):
            connection.execute(
                text(f"UPDATE {table} SET {column} = NULL WHERE id = :id"),
                [{"id": key} for key in chosen],
            )


def forgotten(connection: Connection) -> set[str]:
    """Return the pseudonyms of everybody who was ever erased."""
    rows = connection.execute(
        text("SELECT parameters FROM activity WHERE kind = :kind"),
        {"kind": ActivityKind.ERASE.value},
    )
    return {str(json.loads(row)["annotator"]) for row in rows.scalars()}


def is_owed(connection: Connection) -> bool:
    """Tell whether something was erased since the database was written anew."""
    found = connection.execute(
        text("SELECT COUNT(*) FROM store_info WHERE key = :key"), {"key": _OWED}
    )
    return bool(found.scalar_one())


def scrub(store: Store) -> bool:
    """Write the database anew, so that no free page and no log holds what was deleted.

    Returns
    -------
    bool
        False: somebody was reading, and it is still owed.

    Notes
    -----
    SQLite needs as much free space again as the database takes. PostgreSQL rewrites the tables that
    can hold text of people; its own log and backups are its administrator's.
    """
    done = _scrub_sqlite(store) if store.path is not None else _scrub_postgres(store)
    if done:
        with store.writing() as connection:
            connection.execute(text("DELETE FROM store_info WHERE key = :key"), {"key": _OWED})
    return done


def _scrub_sqlite(store: Store) -> bool:
    with closing(
        sqlite3.connect(str(store.path), timeout=store.busy_timeout_s, isolation_level=None)
    ) as connection:
        try:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("VACUUM")
            is_busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc):
                raise
            return False
    return not is_busy


def _scrub_postgres(store: Store) -> bool:
    names = ["person", *(table for table, _ in TEXTS.values())]
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"SET lock_timeout = {_LOCK_TIMEOUT_MS}")
        try:
            for name in names:
                connection.exec_driver_sql(f"VACUUM (FULL) {name}")
        except OperationalError:
            return False
    return True


@contextmanager
def _unguarded(connection: Connection, table: str) -> Iterator[None]:
    """Let a table's rows be changed inside the caller's transaction."""
    if connection.dialect.name != "sqlite":
        # dropping the trigger would shut readers out until the commit
        connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER {table}_no_change")
        yield
        connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE TRIGGER {table}_no_change")
        return
    guard = f"{table}_no_update"
    connection.exec_driver_sql(f"DROP TRIGGER {guard}")
    yield
    connection.exec_driver_sql(ddl.guards("sqlite")[guard])


def _zero_what_is_deleted(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
