"""What the models cannot say: triggers that refuse change, and views for people who ask in SQL."""

from __future__ import annotations

from sqlalchemy import Connection, Table
from sqlmodel import SQLModel

from lineage.store import tables

VIEWS = ("labels", "revisions")


def create_all(connection: Connection) -> None:
    """Create every table, trigger and view of the newest version."""
    SQLModel.metadata.create_all(connection, tables=[*_own_tables()])
    create_guards(connection)
    create_views(connection)


def create_guards(connection: Connection) -> None:
    """Make every table append-only, save those in `tables.MUTABLE`."""
    names = [table.name for table in _own_tables() if table.name not in tables.MUTABLE]
    statements = _sqlite_guards if connection.dialect.name == "sqlite" else _postgres_guards
    for statement in statements(names):
        connection.exec_driver_sql(statement)


def guards(dialect: str) -> dict[str, str]:
    """Return, by name, the statement of every trigger that keeps a table append-only."""
    names = [table.name for table in _own_tables() if table.name not in tables.MUTABLE]
    statements = _sqlite_guards(names) if dialect == "sqlite" else _postgres_guards(names)[1:]
    return {statement.split()[2]: statement for statement in statements}


def create_views(connection: Connection) -> None:
    """Create the views that ``lineage sql`` is meant for."""
    for view in reversed(VIEWS):
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {view}")
    for statement in _views():
        connection.exec_driver_sql(statement)


def _own_tables() -> list[Table]:
    return list(SQLModel.metadata.sorted_tables)


def _sqlite_guards(names: list[str]) -> list[str]:
    return [
        f"CREATE TRIGGER {name}_no_{verb.lower()} BEFORE {verb} ON {name} "
        f"BEGIN SELECT RAISE(ABORT, 'append-only: {name} refuses {verb}'); END"
        for name in names
        for verb in ("UPDATE", "DELETE")
    ]


def _postgres_guards(names: list[str]) -> list[str]:
    function = (
        "CREATE OR REPLACE FUNCTION lineage_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION 'append-only: %% refuses %%', TG_TABLE_NAME, TG_OP; END $$"
    )
    return [function] + [
        f"CREATE TRIGGER {name}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {name} "
        "FOR EACH STATEMENT EXECUTE FUNCTION lineage_refuse()"
        for name in names
    ]


def _views() -> list[str]:
    stage = (
        "COALESCE((SELECT e.stage FROM stage_event e WHERE e.revision_id = r.id "
        "ORDER BY e.id DESC LIMIT 1), r.stage)"
    )
    revisions = f"""
        CREATE VIEW revisions AS
        SELECT r.id AS revision, r.annotation_id AS annotation, r.seq, r.operation, r.supersedes,
               a.name AS asset, p.pseudonym AS annotator, c.name AS class, r.kind,
               r.x_min, r.y_min, r.x_max, r.y_max, d.document AS attributes, {stage} AS stage,
               r.stage AS entry_stage, s.name || '@' || s.version AS schema, b.tag AS batch, r.origin, r.labelled_at
        FROM revision r
        JOIN annotation n ON n.id = r.annotation_id
        JOIN asset a ON a.id = n.asset_id
        JOIN annotator p ON p.id = r.annotator_id
        JOIN label_class c ON c.id = r.class_id
        JOIN attribute_document d ON d.id = r.attributes_id
        JOIN label_schema s ON s.id = r.schema_id
        JOIN batch b ON b.id = r.batch_id"""
    labels = """
        CREATE VIEW labels AS
        SELECT v.* FROM revisions v
        WHERE v.operation <> 'retract' AND NOT EXISTS
              (SELECT 1 FROM revision n WHERE n.annotation_id = v.annotation
               AND n.id > v.revision)"""
    return [revisions, labels]
