"""The one way into the store: rows of segments, in the order of the log.

An import and a restore call the same functions with the same batches, so a store
rebuilt from segments is equal to the one that was lost. Bulk rows reach the
database without the ORM, which is twenty times slower (`benchmarks/`).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv
from sqlalchemy import Connection, insert, text
from sqlmodel import SQLModel

from lineage.errors import StoreFault
from lineage.store import erase, stages, tables


class Appender:
    """Appends one activity's rows inside a transaction of the caller's.

    Parameters
    ----------
    connection
        Open for writing.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._keys: dict[str, dict[str, int]] = {}
        self._documents: dict[str, int] = {}
        self._parts: Mapping[str, Callable[[pa.RecordBatch], None]] = {
            "assets": self._assets,
            "roster": self._roster,
            "completeness": self._completeness,
            "stages": self._stages,
            "verdicts": self._verdicts,
            "gold": self._gold,
            "draws": self._draws,
            "quarantine": _kept_in_segments,
            "erasures": self._erasures,
        }

    def entities(self, model: type[SQLModel], rows: Iterable[Mapping[str, object]]) -> None:
        """Append small rows to the table of ``model``, times as aware datetimes."""
        values = [dict(row) for row in rows]
        if values:
            self._connection.execute(insert(model), values)
            self._keys.clear()

    def forget(self, pseudonym: str) -> None:
        """Delete all that names an annotator: their activity of kind ``erase`` is being entered."""
        erase.forget_person(self._connection, pseudonym)

    def part(self, table: str, batch: pa.RecordBatch, leaves: Sequence[bytes]) -> None:
        """Append rows of a segment's part, whose leaf hashes are known."""
        if table == "revisions":
            self._revisions(batch, leaves)
        else:
            self._parts[table](batch)

    def _assets(self, batch: pa.RecordBatch) -> None:
        new = batch.filter(batch.column("is_new"))
        self._bulk("asset", {"id": new["asset"], "name": new["name"], "seq": new["seq"]})
        facts = ("uri", "width", "height", "digest", "n_bytes")
        self._bulk(
            "asset_fact",
            {"asset_id": batch["asset"], "seq": batch["seq"], **{n: batch[n] for n in facts}},
        )

    def _revisions(self, batch: pa.RecordBatch, leaves: Sequence[bytes]) -> None:
        added = batch.filter(pc.equal(batch["operation"].cast(pa.string()), "add"))
        self._bulk("annotation", {"id": added["annotation"], "asset_id": added["asset"]})
        plain = ("seq", "supersedes", "x_min", "y_min", "x_max", "y_max", "labelled_at")
        words = ("operation", "kind", "stage", "origin")
        self._bulk(
            "revision",
            {
                "id": batch["revision"],
                "annotation_id": batch["annotation"],
                **{name: batch[name] for name in plain},
                **{name: batch[name] for name in words},
                "annotator_id": self._key_column("annotator", batch["annotator"]),
                "class_id": self._key_column("class", batch["class"]),
                "attributes_id": self._document_column(batch["attributes"]),
                "schema_id": self._key_column("schema", batch["schema"]),
                "batch_id": self._key_column("batch", batch["batch"]),
                "content": pa.array(short_leaves(leaves)),
            },
        )

    def _roster(self, batch: pa.RecordBatch) -> None:
        self._bulk(
            "roster",
            {
                "seq": batch["seq"],
                "asset_id": batch["asset"],
                "annotator_id": self._key_column("annotator", batch["annotator"]),
                "batch_id": self._key_column("batch", batch["batch"]),
                "presence": batch["presence"],
                "answered_at": batch["answered_at"],
                "lead_time_s": batch["lead_time_s"],
            },
        )

    def _completeness(self, batch: pa.RecordBatch) -> None:
        self._bulk(
            "completeness",
            {
                "seq": batch["seq"],
                "asset_id": batch["asset"],
                "class_id": self._key_column("class", batch["class"]),
                "batch_id": self._key_column("batch", batch["batch"]),
                "state": batch["state"],
                "reason": batch["reason"],
            },
        )

    def _stages(self, batch: pa.RecordBatch) -> None:
        newest = text("SELECT COALESCE(MAX(id), 0) FROM stage_event")
        before = self._connection.execute(newest).scalar_one()
        self._bulk(
            "stage_event",
            {
                "revision_id": batch["revision"],
                "seq": batch["seq"],
                "stage": batch["stage"],
                "annotator_id": self._key_column("annotator", batch["by"]),
                "basis": batch["basis"],
                "comment": batch["comment"],
            },
        )
        stages.refuse_moves(self._connection, before)

    def _verdicts(self, batch: pa.RecordBatch) -> None:
        self._bulk(
            "verdict",
            {
                "revision_id": batch["revision"],
                "seq": batch["seq"],
                "draw": batch["draw"],
                "asset_id": batch["asset"],
                "annotator_id": self._key_column("annotator", batch["by"]),
                "verdict": batch["verdict"],
                "kind": batch["kind"],
                "opinion_id": batch["opinion"],
                "comment": batch["comment"],
            },
        )

    def _gold(self, batch: pa.RecordBatch) -> None:
        self._bulk(
            "gold",
            {
                "revision_id": batch["revision"],
                "seq": batch["seq"],
                "schema_id": self._key_column("schema", batch["schema"]),
                "edge_case": batch["edge_case"],
                "is_gold": batch["is_gold"],
                "comment": batch["comment"],
            },
        )

    def _draws(self, batch: pa.RecordBatch) -> None:
        self._bulk(
            "draw",
            {
                "seq": batch["seq"],
                "draw": batch["draw"],
                "asset_id": batch["asset"],
                "revision_id": batch["revision"],
                "batch_id": self._key_column("batch", batch["batch"]),
                "annotator_id": self._key_column("annotator", batch["annotator"]),
                "reason": batch["reason"],
                "stratum": batch["stratum"],
                "inclusion_fraction": batch["inclusion_fraction"],
            },
        )

    def _erasures(self, batch: pa.RecordBatch) -> None:
        erase.forget_texts(self._connection, batch)

    def _key_column(self, entity: str, words: pa.DictionaryArray) -> pa.Array:
        names = words.dictionary.to_pylist()
        used = set(words.indices.unique().to_pylist())
        keys = self._known(entity)
        if entity == "class":
            self._add_classes([name for i, name in enumerate(names) if i in used])
            keys = self._known(entity)
        missing = [name for i, name in enumerate(names) if i in used and name not in keys]
        if missing:
            raise StoreFault(
                "store-incomplete",
                f"the store knows no {entity} {missing[0]!r} that a segment names",
                hint="rebuild it with: lineage restore",
            )
        return pa.array([keys.get(name, 0) for name in names], pa.int64()).take(words.indices)

    def _known(self, entity: str) -> dict[str, int]:
        if entity not in self._keys:
            rows = self._connection.execute(text(_KEY_QUERIES[entity]))
            self._keys[entity] = {name: key for name, key in rows}
        return self._keys[entity]

    def _add_classes(self, names: Sequence[str]) -> None:
        new = [{"name": name} for name in names if name not in self._known("class")]
        if new:
            self._connection.execute(insert(tables.LabelClass), new)
            del self._keys["class"]

    def _document_column(self, words: pa.DictionaryArray) -> pa.Array:
        used = np.unique(np.asarray(words.indices))
        names = words.dictionary.to_pylist()
        new = [names[i] for i in used if names[i] not in self._documents]
        self._load_documents(new)
        still_new = [name for name in new if name not in self._documents]
        if still_new:
            rows = [{"digest": short_digest(name), "document": name} for name in still_new]
            self._connection.execute(insert(tables.AttributeDocument), rows)
            self._load_documents(still_new)
        keys = [self._documents.get(name, 0) for name in names]
        return pa.array(keys, pa.int64()).take(words.indices)

    def _load_documents(self, names: Sequence[str]) -> None:
        query = text("SELECT document, id FROM attribute_document WHERE digest = :digest")
        for name in names:
            found = self._connection.execute(query, {"digest": short_digest(name)})
            self._documents.update({document: key for document, key in found if document == name})

    def _bulk(self, table: str, values: Mapping[str, pa.Array]) -> None:
        arrays = [
            a.cast(pa.string()) if pa.types.is_dictionary(a.type) else a for a in values.values()
        ]
        if not arrays or len(arrays[0]) == 0:
            return
        names = list(values)
        if self._connection.dialect.name == "sqlite":
            self._bulk_sqlite(table, names, arrays)
        else:
            self._bulk_postgres(table, pa.RecordBatch.from_arrays(arrays, names))

    def _bulk_sqlite(self, table: str, names: list[str], arrays: list[pa.Array]) -> None:
        lists = [
            (a.cast(pa.int64()) if pa.types.is_timestamp(a.type) else a).to_pylist() for a in arrays
        ]
        marks = ", ".join("?" * len(names))
        statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"
        self._connection.exec_driver_sql(statement, list(zip(*lists, strict=True)))

    def _bulk_postgres(self, table: str, batch: pa.RecordBatch) -> None:
        sink = io.BytesIO()
        pc_csv.write_csv(batch, sink, pc_csv.WriteOptions(include_header=False))
        driver = self._connection.connection.driver_connection
        if driver is None:
            raise StoreFault("store-unreachable", "the connection to PostgreSQL is closed")
        statement = f"COPY {table} ({', '.join(batch.schema.names)}) FROM STDIN (FORMAT csv)"
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(sink.getbuffer())


_KEY_QUERIES = {
    "annotator": "SELECT pseudonym, id FROM annotator",
    "class": "SELECT name, id FROM label_class",
    "schema": "SELECT name || '@' || version, id FROM label_schema ORDER BY id",
    "batch": "SELECT tag, id FROM batch",
}


def short_digest(document: str) -> int:
    """Return the first eight bytes of a text's SHA-256 as a signed integer."""
    return int.from_bytes(hashlib.sha256(document.encode()).digest()[:8], "little", signed=True)


def short_leaves(leaves: Sequence[bytes]) -> np.ndarray:
    """Return the first eight bytes of every leaf hash.

    Returns
    -------
    ndarray of int64, shape (n_leaves,)
    """
    return np.frombuffer(b"".join(leaves), dtype="<i8").reshape(-1, 4)[:, 0].astype(np.int64)


def _kept_in_segments(batch: pa.RecordBatch) -> None:
    """Take note of nothing: quarantined labels are read from segments only."""
