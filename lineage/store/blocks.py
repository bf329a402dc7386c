"""Whole tables, block by block, for whoever must see every row, in a store that may be damaged.

A connection of this page changes nothing: SQLite is opened read-only, without the
pragmas of `Store`. Rows come as Arrow, people, classes, batches and schemas in
words, so that they can be held against segments whatever numbers this store gave
out. A value that does not fit its column's type comes as one that no segment has.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from lineage.errors import StoreFault
from lineage.store import Store
from lineage.store.append import short_digest

MOMENT = pa.timestamp("us", tz="UTC")
_MAX_DOCUMENTS = 200_000
_IN_CLAUSE = 10_000
_NO_KEY = -(2**63)

_KINDS = {
    **dict.fromkeys(("x_min", "y_min", "x_max", "y_max", "lead_time_s"), pa.float64()),
    **dict.fromkeys(("asset", "annotation", "revision", "supersedes", "opinion"), pa.int64()),
    **dict.fromkeys(("seq", "width", "height", "n_bytes", "content"), pa.int64()),
    **dict.fromkeys(("labelled_at", "answered_at"), MOMENT),
    "inclusion_fraction": pa.float64(),
    "is_gold": pa.bool_(),
}


def _schema(names: str) -> pa.Schema:
    return pa.schema([(name, _KINDS.get(name, pa.string())) for name in names.split()])


TABLES: Mapping[str, pa.Schema] = {
    "asset": _schema("asset name seq"),
    "asset_fact": _schema("asset seq uri width height digest n_bytes"),
    "annotation": _schema("annotation asset"),
    "revision": _schema(
        "revision annotation seq operation supersedes annotator class kind x_min y_min x_max y_max "
        "attributes stage schema batch origin labelled_at content"
    ),
    "roster": _schema("seq asset annotator batch presence answered_at lead_time_s"),
    "completeness": _schema("seq asset class batch state reason"),
    "stage_event": _schema("revision seq stage by basis comment"),
    "verdict": _schema("revision seq draw asset by verdict kind opinion comment"),
    "gold": _schema("revision seq schema edge_case is_gold comment"),
    "draw": _schema("seq draw asset revision batch annotator reason stratum inclusion_fraction"),
}
"""The tables that parts of segments fill, their columns in the words of segments."""

_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "asset": {"asset": "id"},
    "asset_fact": {"asset": "asset_id"},
    "annotation": {"annotation": "id", "asset": "asset_id"},
    "revision": {"revision": "id", "annotation": "annotation_id"},
    "roster": {"asset": "asset_id"},
    "completeness": {"asset": "asset_id"},
    "stage_event": {"revision": "revision_id", "by": "annotator_id"},
    "verdict": {
        "revision": "revision_id", "asset": "asset_id", "by": "annotator_id", "opinion": "opinion_id",
    },
    "gold": {"revision": "revision_id"},
    "draw": {"asset": "asset_id", "revision": "revision_id"},
}  # fmt: skip
_WORDS = {
    "annotator": "SELECT id, pseudonym FROM annotator",
    "class": "SELECT id, name FROM label_class",
    "schema": "SELECT id, name || '@' || version FROM label_schema",
    "batch": "SELECT id, tag FROM batch",
}
_WORDS_BY_COLUMN = {name: name for name in _WORDS} | {"by": "annotator"}


@contextmanager
def looking(store: Store) -> Iterator[Connection]:
    """Open a connection that sees one moment of the store and cannot change it.

    Raises
    ------
    StoreFault
        ``store-unreadable``: the database does not answer, whatever the reason.
    """
    path = store.path
    engine = store.engine
    if path is not None:
        engine = create_engine(
            "sqlite://",
            creator=lambda: sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None),
            poolclass=NullPool,
        )
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    try:
        with engine.connect() as connection, connection.begin():
            if path is None:
                connection.exec_driver_sql(
                    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
                )
            yield connection
    except (DBAPIError, sqlite3.Error, store.engine.dialect.loaded_dbapi.Error) as exc:
        said = str(getattr(exc, "orig", None) or exc).strip().splitlines()[0]
        raise StoreFault(
            "store-unreadable",
            f"{store.label} cannot be read: {said}",
            hint="rebuild it with: lineage restore --discard-store",
        ) from exc


@dataclass(slots=True)
class Rows:
    """Reads tables of `TABLES` in order of their keys.

    Parameters
    ----------
    connection
        From `looking`.
    """

    connection: Connection
    _last: dict[str, int] = field(default_factory=dict)
    _words: dict[str, dict[int, str]] = field(default_factory=dict)
    _documents: dict[int, str] = field(default_factory=dict)

    def take(self, table: str, n: int) -> pa.RecordBatch:
        """Return the next ``n`` rows of a table, fewer at its end."""
        rows = self._fetch(
            f"SELECT {self._wanted(table)}, id FROM {table} "
            f"WHERE id > {self._last.get(table, -1)} ORDER BY id LIMIT {n}"
        )
        if rows:
            self._last[table] = int(str(rows[-1][-1]))
        return self._batch(table, rows)

    def restart(self, table: str) -> None:
        """Let `take` begin at the table's first row again."""
        self._last.pop(table, None)

    def of_activity(self, table: str, seq: int) -> pa.RecordBatch:
        """Return the rows of a table that an activity made, in order."""
        return self._batch(
            table,
            self._fetch(
                f"SELECT {self._wanted(table)}, id FROM {table} WHERE seq = {int(seq)} ORDER BY id"
            ),
        )

    def between(self, table: str, first: int, n: int) -> pa.RecordBatch:
        """Return ``n`` rows of a table from the key ``first`` on."""
        return self._batch(
            table,
            self._fetch(
                f"SELECT {self._wanted(table)}, id FROM {table} "
                f"WHERE id >= {int(first)} AND id < {int(first) + int(n)} ORDER BY id"
            ),
        )

    def annotation_of(self, revision: int) -> int | None:
        """Return the annotation that a revision is of, None where there is no such revision."""
        found = self.connection.execute(
            text("SELECT annotation_id FROM revision WHERE id = :key"), {"key": revision}
        ).scalar()
        return None if found is None else int(found)

    def asset_name(self, asset: int) -> str | None:
        """Return an image's name, None where there is no such image."""
        found = self.connection.execute(
            text("SELECT name FROM asset WHERE id = :key"), {"key": asset}
        ).scalar()
        return None if found is None else str(found)

    def has_content(self) -> bool:
        """Tell whether every revision has the start of its leaf hash."""
        return not self._fetch("SELECT id FROM revision WHERE content IS NULL LIMIT 1")

    def without_content(self) -> int | None:
        """Return the first revision that lacks the start of its leaf hash though an earlier one has it."""
        rows = self._fetch(
            "SELECT MIN(id) FROM revision WHERE content IS NULL AND id > "
            "(SELECT MIN(id) FROM revision WHERE content IS NOT NULL)"
        )
        return None if rows[0][0] is None else int(str(rows[0][0]))

    def unused(self) -> dict[str, list[str]]:
        """Return classes and attribute documents that no row refers to; nothing that records makes one."""
        queries = {
            "label_class": "SELECT name FROM label_class WHERE id NOT IN (SELECT class_id FROM "
            "revision) AND id NOT IN (SELECT class_id FROM completeness WHERE class_id IS NOT NULL)",
            "attribute_document": "SELECT document FROM attribute_document WHERE id NOT IN "
            "(SELECT attributes_id FROM revision)",
        }
        return {
            name: [str(row[0]) for row in self._fetch(query)] for name, query in queries.items()
        }

    def plain(self, table: str, names: Sequence[str], order: str) -> list[dict[str, object]]:
        """Return a small table's rows as they are, times aware."""
        rows = self._fetch(f"SELECT {', '.join(names)} FROM {table} ORDER BY {order}")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _wanted(self, table: str) -> str:
        named = _COLUMNS[table]
        return ", ".join(
            named.get(name) or (f"{name}_id" if name in _WORDS or name == "attributes" else name)
            for name in TABLES[table].names
        )

    def _fetch(self, query: str) -> list[tuple[object, ...]]:
        # the driver's own tuples: a Row for each of millions costs more than reading them
        driver = self.connection.connection.driver_connection
        if driver is None:
            raise StoreFault("store-unreachable", "the connection to the store is closed")
        cursor = driver.cursor()
        try:
            cursor.execute(query)
            found: list[tuple[object, ...]] = cursor.fetchall()
        finally:
            cursor.close()
        return found

    def _batch(self, table: str, rows: Sequence[tuple[object, ...]]) -> pa.RecordBatch:
        schema = TABLES[table]
        columns = list(zip(*rows, strict=True)) if rows else [()] * (len(schema) + 1)
        arrays = [
            self._column(name, kind, values)
            for name, kind, values in zip(schema.names, schema.types, columns, strict=False)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _column(self, name: str, kind: pa.DataType, values: Sequence[object]) -> pa.Array:
        if name == "attributes":
            return self._resolved(values, self._known_documents(values))
        if name in _WORDS_BY_COLUMN:
            return self._resolved(values, self._known_words(_WORDS_BY_COLUMN[name]))
        if pa.types.is_boolean(kind):
            values = [value if value is None else value in (1, True) for value in values]
        if pa.types.is_timestamp(kind) and not any(isinstance(value, datetime) for value in values):
            return _typed(values, pa.int64()).cast(kind)
        return _typed(values, kind)

    def _resolved(self, keys: Sequence[object], words: Mapping[int, str]) -> pa.Array:
        """Return the word of each key; of one that stands for none a word that nothing has."""
        known: dict[object, str | None] = {None: None}
        for key in set(keys) - {None}:
            word = words.get(key) if isinstance(key, int) else None
            known[key] = f"\x00{key}" if word is None else word
        return pa.array([known[key] for key in keys], pa.string())

    def _known_words(self, entity: str) -> dict[int, str]:
        if entity not in self._words:
            rows = self._fetch(_WORDS[entity])
            self._words[entity] = {int(str(key)): str(word) for key, word in rows}
        return self._words[entity]

    def _known_documents(self, keys: Sequence[object]) -> dict[int, str]:
        new = {key for key in set(keys) if isinstance(key, int)} - self._documents.keys()
        if len(self._documents) + len(new) > _MAX_DOCUMENTS:
            self._documents.clear()
            new = {key for key in set(keys) if isinstance(key, int)}
        wanted = sorted(new)
        for start in range(0, len(wanted), _IN_CLAUSE):
            some = ", ".join(map(str, wanted[start : start + _IN_CLAUSE]))
            rows = self._fetch(
                f"SELECT id, digest, document FROM attribute_document WHERE id IN ({some})"
            )
            for key, digest, document in rows:
                # an import finds a document by this number: a wrong one is a changed document
                is_right = digest == short_digest(str(document))
                self._documents[int(str(key))] = str(document) if is_right else f"\x00{digest}"
        return self._documents


def _typed(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    """Return values as an array, those of another type as one that no segment holds."""
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, TypeError, ValueError):
        return pa.array([_fitting(value, kind) for value in values], kind)


def _fitting(value: object, kind: pa.DataType) -> object:
    if value is None:
        return None
    if pa.types.is_integer(kind):
        fits = isinstance(value, int) and -(2**63) <= value < 2**63
        return value if fits else _NO_KEY
    if pa.types.is_floating(kind):
        return float(value) if isinstance(value, int | float) else float("nan")
    if pa.types.is_timestamp(kind):
        return value if isinstance(value, datetime) else datetime(1, 1, 1, tzinfo=UTC)
    return value if isinstance(value, str) else f"\x00{value!r}"


def faults(store: Store, connection: Connection) -> list[str]:
    """Return what the database itself finds wrong, and every guard against change that is not there.

    Parameters
    ----------
    store, connection
        A store, and its connection from `looking`.
    """
    from lineage.store import ddl

    found: list[str] = []
    if store.path is not None:
        rows = connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars()
        found += [f"integrity_check: {said}" for said in rows if said != "ok"]
        triggers = connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        )
        here = {str(name): str(sql) for name, sql in triggers}
        for name, statement in ddl.guards("sqlite").items():
            if here.get(name) != statement:
                found.append(f"trigger {name} is {'changed' if name in here else 'missing'}")
        return found
    triggers = connection.exec_driver_sql(
        "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal"
    )
    state = {str(name): str(enabled) for name, enabled in triggers}
    for name in ddl.guards("postgresql"):
        if state.get(name, "-") not in ("O", "A"):
            found.append(f"trigger {name} is {'disabled' if name in state else 'missing'}")
    return found
