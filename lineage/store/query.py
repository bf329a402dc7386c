"""Other people's SQL, which may ask anything and change nothing."""

from __future__ import annotations

import sqlite3

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from lineage.errors import BadInput
from lineage.store import Store

Answer = tuple[list[str], list[tuple[object, ...]], bool]


def read_only(store: Store, query: str, *, limit: int) -> Answer:
    """Answer a query in a connection that the database itself keeps from writing.

    Parameters
    ----------
    store
        Whom to ask.
    query
        One statement.
    limit
        Rows at most.

    Returns
    -------
    tuple
        Column names, rows, and whether there were more rows than ``limit``.

    Raises
    ------
    BadInput
        ``sql``: the database refuses the statement.
    """
    try:
        return (
            _sqlite(store, query, limit)
            if store.path is not None
            else _postgres(store, query, limit)
        )
    except (sqlite3.Error, sqlite3.Warning, DBAPIError) as exc:
        said = str(getattr(exc, "orig", None) or exc).splitlines()[0]
        raise BadInput(
            "sql",
            f"the store refuses the query: {said}",
            hint="the views labels and revisions join everything; lineage sql only reads",
        ) from exc


def _sqlite(store: Store, query: str, limit: int) -> Answer:
    # its own connection in the driver's read-only mode: no pragma or statement gets past it
    connection = sqlite3.connect(
        f"file:{store.path}?mode=ro", uri=True, timeout=store.busy_timeout_s
    )
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        cursor = connection.execute(query)
        names = [entry[0] for entry in cursor.description or ()]
        rows = cursor.fetchmany(limit + 1)
    finally:
        connection.close()
    return names, rows[:limit], len(rows) > limit


def _postgres(store: Store, query: str, limit: int) -> Answer:
    with store.engine.connect() as connection:
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        result = connection.execution_options(stream_results=True).execute(text(query))
        if not result.returns_rows:
            return [], [], False
        rows = [tuple(row) for row in result.fetchmany(limit + 1)]
        return list(result.keys()), rows[:limit], len(rows) > limit
