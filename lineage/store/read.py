"""Questions that a database answers best: the head of the log, names, one annotation, one asset.

Scans over many labels read segments instead (`lineage.activities.select`).
Functions take a connection that is open for reading and return frozen values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection as Connection
from sqlalchemy import bindparam, text

from lineage.errors import StoreFault

_IN_CLAUSE = 10_000


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log stands: its size and root, and the last number given out of each kind."""

    size: int
    root: str | None
    revision: int
    annotation: int
    asset: int
    annotator: int
    schema: int
    batch: int


@dataclass(frozen=True, slots=True)
class AnnotatorRow:
    """An annotator and, where the address book has it, the name behind the pseudonym."""

    id: int
    pseudonym: str
    kind: str
    handle: str | None
    tool: str | None

    @property
    def name(self) -> str:
        """The handle, qualified by its tool, or else the pseudonym."""
        if self.handle is None:
            return self.pseudonym
        return f"{self.tool}:{self.handle}" if self.tool else self.handle


@dataclass(frozen=True, slots=True)
class SchemaRow:
    """A label schema version as it stands."""

    id: int
    name: str
    version: str
    digest: str
    document: Mapping[str, object]
    state: str

    @property
    def ref(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch as it stands."""

    id: int
    tag: str
    task: str
    schema: str
    kind: str
    vendor: str | None
    priority: int
    policy: Mapping[str, object]
    state: str


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """An activity as the log shows it."""

    seq: int
    activity: str
    kind: str
    agent: str
    at: datetime
    batch: str | None
    parameters: Mapping[str, object]
    outcome: Mapping[str, object]
    root: str


def head(connection: Connection) -> Head:
    """Return where the log stands."""
    names = ("revision", "annotation", "asset", "annotator", "label_schema", "batch")
    tops = [
        connection.execute(text(f"SELECT COALESCE(MAX(id), 0) FROM {name}")).scalar_one()
        for name in names
    ]
    last = connection.execute(
        text("SELECT seq, root FROM log_entry ORDER BY seq DESC LIMIT 1")
    ).first()
    size, root = (0, None) if last is None else (int(last[0]), str(last[1]))
    return Head(size, root, *tops)


def leaves(connection: Connection) -> list[bytes]:
    """Return the log's leaf hashes in order."""
    rows = connection.execute(text("SELECT leaf FROM log_entry ORDER BY seq")).scalars()
    return [bytes.fromhex(leaf) for leaf in rows]


def roots(connection: Connection) -> dict[int, str]:
    """Return the root of the log after each activity."""
    return _pairs(connection.execute(text("SELECT seq, root FROM log_entry")))


def annotators(connection: Connection) -> list[AnnotatorRow]:
    """Return every annotator."""
    rows = connection.execute(
        text(
            "SELECT a.id, a.pseudonym, a.kind, p.handle, p.tool FROM annotator a "
            "LEFT JOIN person p ON p.annotator_id = a.id ORDER BY a.id"
        )
    )
    return [AnnotatorRow(*row) for row in rows]


def schemas(connection: Connection) -> list[SchemaRow]:
    """Return every label schema version, each as its newest row stands."""
    states = _states(connection, "schema")
    rows = connection.execute(
        text(
            "SELECT id, name, version, digest, document FROM label_schema s WHERE id = "
            "(SELECT MAX(id) FROM label_schema t WHERE t.name = s.name AND t.version = s.version) "
            "ORDER BY id"
        )
    )
    return [
        SchemaRow(key, name, version, digest, json.loads(document), states.get(key, "draft"))
        for key, name, version, digest, document in rows
    ]


def batches(connection: Connection) -> list[BatchRow]:
    """Return every batch, those of high priority first."""
    states = _states(connection, "batch")
    rows = connection.execute(
        text(
            "SELECT b.id, b.tag, b.task, s.name || '@' || s.version, b.kind, b.vendor, b.priority, "
            "b.policy FROM batch b JOIN label_schema s ON s.id = b.schema_id "
            "ORDER BY b.priority DESC, b.id"
        )
    )
    return [_batch(tuple(row), states) for row in rows]


def activities(
    connection: Connection, *, after: int = 0, seqs: Iterable[int] | None = None
) -> list[ActivityRow]:
    """Return the log's entries in order: those after a place, or those at some places alone."""
    query = (
        "SELECT a.seq, a.activity, a.kind, a.agent, a.at, a.batch, a.parameters, e.outcome, "
        "e.root FROM activity a JOIN log_entry e ON e.seq = a.seq WHERE a.seq "
    )
    if seqs is None:
        rows = connection.execute(text(query + "> :after ORDER BY a.seq"), {"after": after})
    else:
        some = text(query + "IN :seqs ORDER BY a.seq").bindparams(bindparam("seqs", expanding=True))
        rows = connection.execute(some, {"seqs": list(seqs)})
    return [
        ActivityRow(
            seq=row[0],
            activity=row[1],
            kind=row[2],
            agent=row[3],
            at=_aware(row[4]),
            batch=row[5],
            parameters=json.loads(row[6]),
            outcome=json.loads(row[7]),
            root=row[8],
        )
        for row in rows
    ]


def source_digests(connection: Connection, batch: str) -> dict[str, int]:
    """Return the digest of every file ever imported into a batch, with its newest activity."""
    rows = connection.execute(
        text(
            "SELECT s.digest, MAX(s.seq) FROM source s JOIN activity a ON a.seq = s.seq "
            "WHERE a.batch = :batch GROUP BY s.digest"
        ),
        {"batch": batch},
    )
    return _pairs(rows)


def asset_keys(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    """Return the key of each named asset that is on record."""
    query = text("SELECT name, id FROM asset WHERE name IN :names").bindparams(
        bindparam("names", expanding=True)
    )
    found: dict[str, int] = {}
    for start in range(0, len(names), _IN_CLAUSE):
        rows = connection.execute(query, {"names": list(names[start : start + _IN_CLAUSE])})
        found.update(_pairs(rows))
    return found


def asset_names(connection: Connection, keys: Iterable[int]) -> dict[int, str]:
    """Return the name of each asset."""
    query = text("SELECT id, name FROM asset WHERE id IN :keys").bindparams(
        bindparam("keys", expanding=True)
    )
    wanted = list(keys)
    found: dict[int, str] = {}
    for start in range(0, len(wanted), _IN_CLAUSE):
        rows = connection.execute(query, {"keys": wanted[start : start + _IN_CLAUSE]})
        found.update(_pairs(rows))
    return found


def asset_facts(connection: Connection, keys: Iterable[int]) -> dict[int, dict[str, object]]:
    """Return, per asset key, the newest known value of each fact."""
    names = ("uri", "width", "height", "digest", "n_bytes")
    query = text(
        f"SELECT asset_id, {', '.join(names)} FROM asset_fact WHERE asset_id IN :keys ORDER BY id"
    ).bindparams(bindparam("keys", expanding=True))
    wanted = list(keys)
    facts: dict[int, dict[str, object]] = {}
    for start in range(0, len(wanted), _IN_CLAUSE):
        for row in connection.execute(query, {"keys": wanted[start : start + _IN_CLAUSE]}):
            known = facts.setdefault(row[0], dict.fromkeys(names))
            known.update({n: v for n, v in zip(names, row[1:], strict=True) if v is not None})
    return facts


def annotation_revisions(connection: Connection, annotation: int) -> list[dict[str, object]]:
    """Return the rows of the view ``revisions`` of one annotation, oldest first."""
    return _mappings(
        connection,
        "SELECT * FROM revisions WHERE annotation = :key ORDER BY revision",
        annotation,
    )


def annotation_stages(connection: Connection, annotation: int) -> list[dict[str, object]]:
    """Return the stage events of one annotation's revisions, oldest first."""
    return _mappings(
        connection,
        f"{_STAGE_EVENTS} WHERE r.annotation_id = :key ORDER BY e.id",
        annotation,
    )


def asset_stages(connection: Connection, asset: int) -> list[dict[str, object]]:
    """Return the stage events of the revisions of one asset, oldest first."""
    return _mappings(
        connection,
        f"{_STAGE_EVENTS} JOIN annotation n ON n.id = r.annotation_id "
        "WHERE n.asset_id = :key ORDER BY e.id",
        asset,
    )


def asset_revisions(connection: Connection, asset: int) -> list[dict[str, object]]:
    """Return the rows of the view ``revisions`` of one asset, oldest first."""
    return _mappings(
        connection,
        "SELECT v.* FROM annotation n JOIN revisions v ON v.annotation = n.id "
        "WHERE n.asset_id = :key ORDER BY v.revision",
        asset,
    )


def asset_completeness(connection: Connection, asset: int) -> list[dict[str, object]]:
    """Return what was said of how far one asset is, oldest first."""
    return _mappings(
        connection,
        "SELECT c.seq, l.name AS class, c.state, c.reason, b.tag AS batch FROM completeness c "
        "JOIN batch b ON b.id = c.batch_id LEFT JOIN label_class l ON l.id = c.class_id "
        "WHERE c.asset_id = :key ORDER BY c.id",
        asset,
    )


def find_assets(connection: Connection, name: str, *, limit: int = 6) -> list[tuple[int, str]]:
    """Return assets called ``name``, or else whose name ends in ``/name``."""
    exact = text("SELECT id, name FROM asset WHERE name = :name")
    rows = [(key, found) for key, found in connection.execute(exact, {"name": name})]
    if rows:
        return rows
    ending = text(
        "SELECT id, name FROM asset WHERE name LIKE :pattern ESCAPE '!' ORDER BY id LIMIT :limit"
    )
    escaped = name.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    asked = {"pattern": f"%/{escaped}", "limit": limit}
    return [(key, found) for key, found in connection.execute(ending, asked)]


def versions(connection: Connection) -> list[dict[str, object]]:
    """Return every dataset version with its tags, oldest first."""
    rows = _mappings(
        connection, "SELECT name, digest, seq, document FROM dataset_version ORDER BY id", 0
    )
    tags = connection.execute(text("SELECT version, tag FROM version_tag ORDER BY tag")).all()
    return [
        {
            **row,
            "document": json.loads(str(row["document"])),
            "tags": [tag for version, tag in tags if version == row["name"]],
        }
        for row in rows
    ]


def counts(connection: Connection, up_to: int) -> dict[str, int]:
    """Return the number of images and revisions on record at a place in the log."""
    queries = {
        "asset": "SELECT COUNT(*) FROM asset WHERE seq <= :seq",
        "revision": "SELECT COALESCE(SUM(n_revisions), 0) FROM log_entry WHERE seq <= :seq",
    }
    found = {n: connection.execute(text(q), {"seq": up_to}) for n, q in queries.items()}
    return {name: int(rows.scalar_one()) for name, rows in found.items()}


_STAGE_EVENTS = (
    "SELECT e.revision_id AS revision, e.seq, e.stage, t.at, p.pseudonym AS by, e.basis, e.comment "
    "FROM stage_event e JOIN revision r ON r.id = e.revision_id "
    "JOIN activity t ON t.seq = e.seq JOIN annotator p ON p.id = e.annotator_id"
)


_statement = lru_cache(maxsize=64)(text)
"""Point questions are asked over and over: their text is read once."""


def _mappings(connection: Connection, query: str, key: int) -> list[dict[str, object]]:
    rows = connection.execute(_statement(query), {"key": key} if ":key" in query else {})
    return [{name: _value(name, value) for name, value in row.items()} for row in rows.mappings()]


def _value(name: str, value: object) -> object:
    if name in ("at", "labelled_at"):
        return _moment(value)
    return value


def _moment(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, int):
        seconds, micros = divmod(value, 1_000_000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
    return None


def _pairs(rows: Iterable[Any]) -> dict[Any, Any]:
    return {key: value for key, value in rows}


def _aware(value: object) -> datetime:
    found = _moment(value)
    if found is None:
        raise StoreFault(
            "store-unreadable", f"{value!r} stands where a time must", hint="lineage restore"
        )
    return found


def _batch(row: tuple[Any, ...], states: Mapping[int, str]) -> BatchRow:
    key, tag, task, schema, kind, vendor, priority, policy = row
    state = states.get(key, "open")
    return BatchRow(key, tag, task, schema, kind, vendor, priority, json.loads(policy), state)


def _states(connection: Connection, subject: str) -> dict[int, str]:
    rows = connection.execute(
        text("SELECT subject_id, state FROM state_event WHERE subject = :subject ORDER BY id"),
        {"subject": subject},
    )
    return _pairs(rows)
