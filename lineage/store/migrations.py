"""Every version that a store may have, what changed in it, and how to get there.

A new store is created as the newest version. An older one is carried forward
one version at a time, each step in a transaction of its own that also writes the
new number; a newer one is refused. A step's statements are frozen once
released: they may not use `tables`, which describes the newest version only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

from lineage.errors import Refused


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the tables.

    Parameters
    ----------
    number
        1, 2, 3 ...
    note
        What changed, for the person whose store is carried forward.
    upgrade
        Turns a store of the version before into this one; None for the first.
    """

    number: int
    note: str
    upgrade: Callable[[Connection], None] | None = None


def _add_completeness(connection: Connection) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    key = "INTEGER" if is_sqlite else "BIGINT"
    own_key = "INTEGER" if is_sqlite else "BIGSERIAL"
    connection.exec_driver_sql(
        f"CREATE TABLE completeness (id {own_key} NOT NULL, seq {key} NOT NULL, "
        f"asset_id {key} NOT NULL, class_id {key}, batch_id {key} NOT NULL, state TEXT NOT NULL, "
        "reason TEXT, PRIMARY KEY (id), FOREIGN KEY(seq) REFERENCES activity (seq), "
        "FOREIGN KEY(asset_id) REFERENCES asset (id), "
        "FOREIGN KEY(class_id) REFERENCES label_class (id), "
        "FOREIGN KEY(batch_id) REFERENCES batch (id))"
    )
    connection.exec_driver_sql("CREATE INDEX ix_completeness_asset_id ON completeness (asset_id)")
    _guard(connection, "completeness")


def _add_quality(connection: Connection) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    key = "INTEGER" if is_sqlite else "BIGINT"
    own_key = "INTEGER" if is_sqlite else "BIGSERIAL"
    number = "FLOAT" if is_sqlite else "DOUBLE PRECISION"
    # no release ever wrote a row into these two
    connection.exec_driver_sql("DROP TABLE gold")
    connection.exec_driver_sql(
        f"CREATE TABLE gold (id {own_key} NOT NULL, revision_id {key} NOT NULL, seq {key} NOT NULL, "
        f"schema_id {key} NOT NULL, edge_case TEXT, is_gold BOOLEAN NOT NULL, comment TEXT, "
        "PRIMARY KEY (id), FOREIGN KEY(revision_id) REFERENCES revision (id), "
        "FOREIGN KEY(seq) REFERENCES activity (seq), "
        "FOREIGN KEY(schema_id) REFERENCES label_schema (id))"
    )
    connection.exec_driver_sql("CREATE INDEX ix_gold_revision_id ON gold (revision_id)")
    connection.exec_driver_sql(
        f"CREATE TABLE draw (id {own_key} NOT NULL, seq {key} NOT NULL, draw TEXT NOT NULL, "
        f"asset_id {key} NOT NULL, revision_id {key}, batch_id {key} NOT NULL, annotator_id {key}, "
        f"reason TEXT NOT NULL, stratum TEXT, inclusion_fraction {number} NOT NULL, "
        "PRIMARY KEY (id), FOREIGN KEY(seq) REFERENCES activity (seq), "
        "FOREIGN KEY(asset_id) REFERENCES asset (id), "
        "FOREIGN KEY(revision_id) REFERENCES revision (id), "
        "FOREIGN KEY(batch_id) REFERENCES batch (id), "
        "FOREIGN KEY(annotator_id) REFERENCES annotator (id))"
    )
    connection.exec_driver_sql("CREATE INDEX ix_draw_asset_id ON draw (asset_id)")
    connection.exec_driver_sql("DROP TABLE verdict")
    connection.exec_driver_sql(
        f"CREATE TABLE verdict (id {own_key} NOT NULL, revision_id {key}, seq {key} NOT NULL, "
        f"draw TEXT NOT NULL, asset_id {key} NOT NULL, annotator_id {key} NOT NULL, "
        f"verdict TEXT NOT NULL, kind TEXT, opinion_id {key}, comment TEXT, PRIMARY KEY (id), "
        "FOREIGN KEY(revision_id) REFERENCES revision (id), "
        "FOREIGN KEY(seq) REFERENCES activity (seq), "
        "FOREIGN KEY(asset_id) REFERENCES asset (id), "
        "FOREIGN KEY(annotator_id) REFERENCES annotator (id), "
        "FOREIGN KEY(opinion_id) REFERENCES revision (id))"
    )
    connection.exec_driver_sql("CREATE INDEX ix_verdict_revision_id ON verdict (revision_id)")
    connection.exec_driver_sql("CREATE INDEX ix_verdict_asset_id ON verdict (asset_id)")
    for table in ("gold", "draw", "verdict"):
        _guard(connection, table)


def _add_content(connection: Connection) -> None:
    key = "INTEGER" if connection.dialect.name == "sqlite" else "BIGINT"
    connection.exec_driver_sql(f"ALTER TABLE revision ADD COLUMN content {key}")


def _guard(connection: Connection, table: str) -> None:
    """Refuse every change of a new table's rows."""
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE "
            f"ON {table} FOR EACH STATEMENT EXECUTE FUNCTION lineage_refuse()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        connection.exec_driver_sql(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, 'append-only: {table} refuses {verb}'); END"
        )


VERSIONS: Sequence[Version] = (
    Version(1, "the first tables"),
    Version(
        2,
        "completeness, a table of its own: how far each image is; nothing that was there changes",
        _add_completeness,
    ),
    Version(
        3,
        "gold may be taken back, a verdict says in what it differs; draw, a table of its own: what is put before whom, and why",
        _add_quality,
    ),
    Version(
        4,
        "a revision has the start of its leaf hash, so that an audit names the row that was changed; "
        "rows of before have none until lineage restore --discard-store",
        _add_content,
    ),
)


def newest(versions: Sequence[Version] = VERSIONS) -> int:
    """Return the number of the newest version."""
    return versions[-1].number


def refuse_newer(found: int, versions: Sequence[Version] = VERSIONS) -> None:
    """Refuse a store that a later release of `lineage` wrote.

    Raises
    ------
    Refused
        ``store-newer``, with both numbers.
    """
    if found > newest(versions):
        raise Refused(
            "store-newer",
            f"the store has version {found}, this lineage knows versions up to {newest(versions)}",
            hint="use the lineage release that wrote it, or a later one",
        )


def migrate(
    engine: Engine, found: int, *, versions: Sequence[Version] = VERSIONS
) -> Sequence[Version]:
    """Carry a store forward, and return the versions it went through.

    Raises
    ------
    Refused
        ``store-newer``: the store is newer than this release.
    """
    refuse_newer(found, versions)
    steps = [version for version in versions if version.number > found]
    for step in steps:
        with engine.begin() as connection:
            if step.upgrade is not None:
                step.upgrade(connection)
            connection.execute(
                text("UPDATE store_info SET value = :number WHERE key = 'version'"),
                {"number": str(step.number)},
            )
    return steps
