"""Label schemas on record: add, lock, retire, list, compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lineage import labelschema
from lineage.activities.context import Project
from lineage.activities.record import recording
from lineage.errors import NotFound, Refused
from lineage.identity import canonical_json
from lineage.labelschema import LabelSchema, SchemaDiff
from lineage.segments import write_synced
from lineage.settings import load_params
from lineage.store import read
from lineage.store.read import SchemaRow
from lineage.terms import ActivityKind, SchemaState


def add(project: Project, path: Path) -> SchemaRow:
    """Put a schema file on record as a draft, and into ``schemas/`` where it is not there yet.

    Raises
    ------
    BadInput
        ``schema-unreadable`` or ``schema-invalid``.
    Refused
        ``schema-locked``: this version is locked and the file differs from it;
        ``schema-file-exists``: another file stands where this one belongs.
    """
    schema = labelschema.load(path)
    known = _find(project, schema.name, schema.version)
    if known is not None and known.digest == schema.digest:
        _place(project, schema)
        return known
    if known is not None and known.state != SchemaState.DRAFT:
        raise Refused(
            "schema-locked",
            f"{known.ref} is {known.state}; the file {path} differs from what was locked",
            hint="give the file a new version number",
        )
    _place(project, schema)
    with recording(project, ActivityKind.SCHEMA_ADD, parameters={"schema": schema.ref}) as activity:
        activity.add(
            "schemas",
            {
                "id": activity.head.schema + 1,
                "name": schema.name,
                "version": schema.version,
                "digest": schema.digest,
                "document": schema.document,
            },
        )
    return get(project, schema.ref)


def lock(project: Project, ref: str, *, reason: str = "") -> SchemaRow:
    """Lock a draft: from now on a changed file is refused by every command.

    Raises
    ------
    NotFound
        ``no-schema``.
    Refused
        ``schema-changed``: the file in ``schemas/`` is not the draft on record.
    """
    row = get(project, ref)
    if row.state == SchemaState.LOCKED:
        return row
    refuse_changed(project, row)
    _set_state(project, row, SchemaState.LOCKED, ActivityKind.SCHEMA_LOCK, reason)
    return get(project, ref)


def retire(project: Project, ref: str, *, reason: str = "") -> SchemaRow:
    """Retire a locked version: it stays on record and takes no new batches.

    Raises
    ------
    NotFound
        ``no-schema``.
    """
    row = get(project, ref)
    if row.state != SchemaState.RETIRED:
        _set_state(project, row, SchemaState.RETIRED, ActivityKind.SCHEMA_RETIRE, reason)
    return get(project, ref)


def list_all(project: Project) -> Sequence[SchemaRow]:
    """Return every version on record."""
    with project.store.reading() as connection:
        return read.schemas(connection)


def get(project: Project, ref: str) -> SchemaRow:
    """Return one version.

    Raises
    ------
    NotFound
        ``no-schema``.
    """
    name, version = labelschema.split_ref(ref)
    row = _find(project, name, version)
    if row is None:
        raise NotFound(
            "no-schema",
            f"no label schema {ref} on record",
            hint=f"lineage schema add {labelschema.path_of(Path('schemas'), name, version)}",
        )
    return row


def as_schema(row: SchemaRow) -> LabelSchema:
    """Return the label schema that a row records."""
    return LabelSchema(row.name, row.version, row.document, row.digest)


def compare(project: Project, old: str, new: str) -> SchemaDiff:
    """Compare two versions on record; see `labelschema.compare`."""
    return labelschema.compare(as_schema(get(project, old)), as_schema(get(project, new)))


def refuse_changed(project: Project, row: SchemaRow) -> None:
    """Refuse to work under a version whose file is no longer what is on record.

    Raises
    ------
    Refused
        ``schema-changed``.
    """
    path = _folder(project) / row.name / f"v{row.version}.json"
    if not path.exists():
        return
    found = labelschema.load(path)
    if found.digest != row.digest:
        raise Refused(
            "schema-changed",
            f"{path.relative_to(project.root)} is not the {row.state} {row.ref} on record "
            f"(digest {found.digest[:12]}, on record {row.digest[:12]})",
            hint="restore the file, or give the change a new version number"
            if row.state != SchemaState.DRAFT
            else f"lineage schema add {path.relative_to(project.root)}",
        )


def refuse_any_changed(project: Project) -> None:
    """Refuse if the file of any locked version changed; every recording verb asks this."""
    for row in list_all(project):
        if row.state != SchemaState.DRAFT:
            refuse_changed(project, row)


def _folder(project: Project) -> Path:
    return project.root / load_params(project.root).schemas_dir


def _place(project: Project, schema: LabelSchema) -> None:
    path = labelschema.path_of(_folder(project), schema.name, schema.version)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # half a file would be another schema, which no repetition replaces
        aside = path.with_suffix(".new")
        write_synced(aside, labelschema.dumps(schema.document).encode())
        aside.replace(path)
    elif canonical_json(labelschema.load(path).document) != canonical_json(schema.document):
        raise Refused(
            "schema-file-exists",
            f"{path.relative_to(project.root)} holds another schema",
            hint=f"lineage schema add {path.relative_to(project.root)}, or give yours a new version",
        )


def _find(project: Project, name: str, version: str) -> SchemaRow | None:
    rows = list_all(project)
    return next((row for row in rows if (row.name, row.version) == (name, version)), None)


def _set_state(
    project: Project, row: SchemaRow, state: SchemaState, kind: ActivityKind, reason: str
) -> None:
    parameters = {"schema": row.ref, "digest": row.digest, "reason": reason}
    with recording(project, kind, parameters=parameters) as activity:
        activity.add(
            "states",
            {"subject": "schema", "subject_id": row.id, "state": state.value, "reason": reason},
        )
