"""The audit of what is small: headers' entities against the store, label schemas against their locks, pinned runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from lineage import labelschema
from lineage.activities import audit_versions, runs
from lineage.activities.audit_ground import Ground
from lineage.activities.audit_rows import CURE
from lineage.activities.dataset import pretty
from lineage.activities.findings import Finding
from lineage.errors import LineageError, StoreFault
from lineage.identity import canonical_json, digest_of
from lineage.settings import load_params
from lineage.terms import SchemaState

Row = Mapping[str, object]

_TABLES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "annotators": ("annotator", ("id", "pseudonym", "commitment", "kind", "seq")),
    "schemas": ("label_schema", ("id", "name", "version", "digest", "document", "seq")),
    "batches": (
        "batch",
        ("id", "tag", "task", "schema_id", "kind", "vendor", "priority", "policy", "seq"),
    ),
    "states": ("state_event", ("seq", "subject", "subject_id", "state", "reason")),
    "sources": ("source", ("seq", "path", "digest", "n_bytes")),
}
_DOCUMENTS = ("document", "policy")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def entities(ground: Ground) -> Iterator[Finding]:
    """Yield where the store's annotators, schemas, batches, states and sources are not the headers'."""
    try:
        with ground.rows() as rows:
            if rows is None:
                return
            known = {row["seq"] for row in rows.plain("activity", ["seq"], "seq")}
            stored = {
                entity: rows.plain(table, names, "id") for entity, (table, names) in _TABLES.items()
            }
            unused = rows.unused() if ground.deep else {}
            entries = {row["seq"] for row in rows.plain("log_entry", ["seq"], "seq")}
    except LineageError as exc:
        label = ground.project.store.label
        yield Finding("store-unreadable", label, None, "a store", exc.message, CURE)
        return
    for seq in sorted(entries - known, key=str):
        where = f"store, log_entry: activity {seq}"
        yield Finding("row-extra", where, None, "no such row", "a row of no activity", CURE)
    for entity, (table, names) in _TABLES.items():
        expected = [row for row in _recorded(ground, entity, names) if row["seq"] in known]
        ahead = {seq for seq in known if seq not in ground.headers}
        found = [_comparable(row) for row in stored[entity] if row["seq"] not in ahead]
        yield from _compared(table, expected, found)
    for table, words in unused.items():
        if words:
            told = f"{words[0]!r}, which no row refers to"
            yield Finding(
                "row-extra", f"store, {table}", None, "no such row", told, CURE, len(words)
            )


def schemas(ground: Ground) -> Iterator[Finding]:
    """Yield label schemas whose file, or whose document on record, is not what was locked."""
    newest: dict[str, Row] = {}
    states: dict[object, str] = {}
    for seq in sorted(ground.headers):
        for row in _entities(ground, seq, "schemas"):
            newest[f"{row['name']}@{row['version']}"] = row
            yield from _document(ground, seq, row)
        for event in _entities(ground, seq, "states"):
            if event["subject"] == "schema":
                states[event["subject_id"]] = str(event["state"])
    try:
        folder = ground.project.root / load_params(ground.project.root).schemas_dir
    except LineageError as exc:
        ground.notes.append(f"schema files were not looked at: {exc}")
        return
    for ref, row in newest.items():
        ground.checked["schemas"] += 1
        state = states.get(row["id"], SchemaState.DRAFT)
        if state != SchemaState.DRAFT:
            yield from _locked(ground, ref, row, state, folder)


def pins(ground: Ground) -> Iterator[Finding]:
    """Yield pinned runs that are not what they were, or speak of a version or log that is another."""
    registry = ground.project.ledger.run_registry
    yield from audit_versions.committed(ground, "runs")
    for path in sorted(registry.glob("*.json")) if registry.is_dir() else []:
        ground.checked["runs"] += 1
        where = f"ledger/runs/{path.name}"
        cure = f"bring the file back with: git checkout -- {where}"
        try:
            pinned = json.loads(path.read_bytes())
            if path.read_bytes() != pretty(pinned):
                told = "the same values, or others, in other bytes"
                yield Finding("run-differs", where, None, "sorted JSON", told, cure)
            yield from runs.disagreements(ground.project, path.stem, pinned)
        except StoreFault:
            # found already; whether the log had the pin's root stands in its version's manifest too
            continue
        except (LineageError, OSError, ValueError, TypeError, KeyError, AttributeError) as exc:
            yield Finding("run-differs", where, None, "a pin", f"none: {exc}"[:160], cure)
    yield from _stored_pins(ground, registry)


def _stored_pins(ground: Ground, registry: Path) -> Iterator[Finding]:
    """Hold the store's copies of pins against the registry; one that it lacks the next command enters."""
    try:
        with ground.rows() as rows:
            names = ["name", "version", "digest", "at", "document"]
            if rows is None:
                return
            stored = rows.plain("run", names, "id")
    except LineageError:
        return
    here = {path.stem for path in registry.glob("*.json")}
    if n := len(here - {str(row["name"]) for row in stored}):
        ground.notes.append(
            f"the store lacks {n} runs of the registry: the next command enters them"
        )
    for row in stored:
        where = f"ledger/runs/{row['name']}.json"
        cure = f"git checkout -- {where}; {CURE}, where the registry is right"
        try:
            pinned = json.loads((registry / f"{row['name']}.json").read_bytes())
        except (OSError, ValueError):
            yield Finding("run-differs", where, None, "as in the store", "no pin", cure)
            continue
        wrong = [name for name, value in _as_stored(pinned).items() if row[name] != value]
        if wrong:
            told = f"another pin: {', '.join(wrong)}"
            yield Finding("run-differs", where, None, "as in the store", told, cure)


def _as_stored(pinned: object) -> Row:
    """Return what the store holds of a pin; nothing where it is none, which is found elsewhere."""
    try:
        said = cast(Row, pinned)
        at = datetime.fromisoformat(str(said["at"])) - _EPOCH
        document = canonical_json(pinned).decode()
        return {
            **{name: said[name] for name in ("version", "digest")},
            "at": at // timedelta(microseconds=1),
            "document": document,
        }
    except (ValueError, KeyError, TypeError):
        return {"document": None}


def _recorded(ground: Ground, entity: str, names: Sequence[str]) -> Iterator[Row]:
    for seq in sorted(ground.headers):
        for row in _entities(ground, seq, entity):
            values = {"reason": "", "vendor": None, "priority": 0} | {**row, "seq": seq}
            yield _comparable({name: values.get(name) for name in names})


def _entities(ground: Ground, seq: int, entity: str) -> list[Row]:
    header = ground.headers[seq]
    if entity == "sources":
        return cast(list[Row], header.get("sources") or [])
    return cast(Mapping[str, list[Row]], header["entities"]).get(entity, [])


def _comparable(row: Row) -> dict[str, object]:
    return {
        name: canonical_json(value).decode()
        if name in _DOCUMENTS and not isinstance(value, str)
        else value
        for name, value in row.items()
    }


def _compared(table: str, expected: Sequence[Row], found: Sequence[Row]) -> Iterator[Finding]:
    if list(expected) == list(found):
        return
    lost = [row for row in expected if row not in found]
    new = [row for row in found if row not in expected]
    if lost and new and len(lost) == len(new):
        names = [name for name in lost[0] if lost[0][name] != new[0][name]]
        where = f"store, {table}: {_title(lost[0])}"
        told = ", ".join(f"{name} {str(new[0][name])[:60]!r}" for name in names)
        was = ", ".join(f"{name} {str(lost[0][name])[:60]!r}" for name in names)
        yield Finding("row-changed", where, None, was, told, CURE, len(lost))
        return
    if lost:
        where = f"store, {table}: {_title(lost[0])}"
        yield Finding("row-missing", where, None, "a row", "none", CURE, len(lost))
    if new:
        where = f"store, {table}: {_title(new[0])}"
        yield Finding("row-extra", where, None, "no such row", "a row", CURE, len(new))
    if not lost and not new:
        # a row that stands twice, or another order
        told = f"{len(found)} rows in another order or number"
        where = f"store, {table}"
        yield Finding("row-changed", where, None, f"{len(expected)} rows", told, CURE)


def _title(row: Row) -> str:
    for name in ("pseudonym", "tag", "path"):
        if name in row:
            return str(row[name])
    if "version" in row:
        return f"{row['name']}@{row['version']}"
    return f"{row['subject']} {row['subject_id']} of activity {row['seq']}"


def _document(ground: Ground, seq: int, row: Row) -> Iterator[Finding]:
    found = digest_of("lineage:label-schema:1", canonical_json(row["document"]))
    if found != row["digest"]:
        where = f"ledger/segments/{seq:08d}.activity.json: {row['name']}@{row['version']}"
        cure = "bring the file back with: dvc checkout"
        expected = f"digest {str(row['digest'])[:16]}"
        yield Finding("schema-changed", where, None, expected, found[:16], cure)


def _locked(ground: Ground, ref: str, row: Row, state: str, folder: Path) -> Iterator[Finding]:
    path = labelschema.path_of(folder, str(row["name"]), str(row["version"]))
    where = path.relative_to(ground.project.root).as_posix()
    cure = f"git checkout -- {where}; a change needs a new version number"
    expected = f"{ref}, {state}, digest {str(row['digest'])[:16]}"
    if not path.is_file():
        yield Finding("schema-missing", where, None, expected, "no file", cure)
        return
    try:
        schema = labelschema.load(path)
    except LineageError as exc:
        told = f"no schema: {exc.message}"[:160]
        yield Finding("schema-changed", where, None, expected, told, cure)
        return
    if schema.digest != row["digest"]:
        told = f"digest {schema.digest[:16]}"
        changes = _change(schema, row)
        yield Finding("schema-changed", where, None, expected, told + changes, cure)


def _change(schema: labelschema.LabelSchema, row: Row) -> str:
    document = cast(Mapping[str, object], row["document"])
    known = labelschema.LabelSchema(str(row["name"]), str(row["version"]), document, "")
    try:
        changes = labelschema.compare(known, schema).changes
    except (LineageError, KeyError, TypeError, AttributeError):
        return ""
    return f"; {changes[0].path}: {changes[0].change}" if changes else ""
