"""Label schemas: the guideline as data, checked, digested, and compared version by version.

The file's form is CONTRACT's; ``data/label-schema.json`` is the JSON Schema that
checks it. Identity is the digest of the canonical JSON, so layout and key order
do not matter, and a locked version that changed by one word is noticed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, cast

from lineage.errors import BadInput
from lineage.identity import canonical_json, digest_of

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

Json = Mapping[str, object]

_REF = re.compile(r"([A-Za-z0-9._-]+)@(\d+\.\d+)")
_MAX_BYTES = 10_000_000
_LEVELS = ("identical", "minor", "major")


@dataclass(frozen=True, slots=True)
class LabelSchema:
    """A version of a label schema.

    Parameters
    ----------
    name, version
        ``street`` and ``1.0``.
    document
        The whole file.
    digest
        SHA-256 of its canonical JSON under the tag ``lineage:label-schema:1``, lower-case hex.
    """

    name: str
    version: str
    document: Json
    digest: str

    @property
    def ref(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"

    @property
    def classes(self) -> Mapping[str, Json]:
        """Classes by name."""
        return cast(Mapping[str, Json], self.document["classes"])

    def resolved_class(self, name: str) -> str | None:
        """Return the class that a name or an alias stands for."""
        if name in self.classes:
            return name
        for class_, rules in self.classes.items():
            if name in cast(list[str], rules.get("aliases", [])):
                return class_
        return None


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule of an attributes document."""

    path: str
    rule: str
    value: str
    expected: str


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """One difference between two versions."""

    level: str
    path: str
    change: str


@dataclass(frozen=True, slots=True)
class SchemaDiff:
    """How two versions differ; ``level`` is that of the weightiest change."""

    level: str
    changes: tuple[SchemaChange, ...]
    version_fits: bool


def split_ref(ref: str) -> tuple[str, str]:
    """Split ``name@version``.

    Raises
    ------
    BadInput
        ``schema-ref``: another form.
    """
    match = _REF.fullmatch(ref)
    if match is None:
        raise BadInput(
            "schema-ref",
            f"{ref!r} names no schema version, expected NAME@MAJOR.MINOR",
            hint="lineage schema list",
        )
    return match[1], match[2]


def path_of(folder: Path, name: str, version: str) -> Path:
    """Return where a version's file stands."""
    return folder / name / f"v{version}.json"


def load(path: Path) -> LabelSchema:
    """Read a label schema file.

    Raises
    ------
    BadInput
        ``schema-unreadable``, or ``schema-invalid`` with every problem.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BadInput("schema-unreadable", "larger than 10 MB", where=str(path))
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise BadInput("schema-unreadable", f"no readable file: {exc}", where=str(path)) from exc
    return parse(text, where=str(path))


def parse(text: str, *, where: str) -> LabelSchema:
    """Read a label schema from its text; see `load`."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise BadInput("schema-unreadable", f"no JSON: {exc}", where=where) from exc
    return from_document(document, where=where)


def from_document(document: object, *, where: str) -> LabelSchema:
    """Check a label schema's document; see `load`."""
    errors = sorted(_validator(_own_schema()).iter_errors(document), key=lambda e: e.json_path)
    problems = [f"{error.json_path}: {error.message}" for error in errors]
    if not problems:
        problems = _inner_problems(cast(Json, document))
    if problems:
        raise BadInput(
            "schema-invalid",
            f"{len(problems)} problems: " + "; ".join(problems),
            hint="docs/schemas.md shows the file's form",
            where=where,
        )
    known = cast(Json, document)
    name, version = str(known["name"]), str(known["version"])
    digest = digest_of("lineage:label-schema:1", canonical_json(known))
    return LabelSchema(name, version, known, digest)


def dumps(document: Json) -> str:
    """Return a document as it is written to ``schemas/``."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def attribute_problems(schema: LabelSchema, class_: str, attributes: str) -> list[Problem]:
    """Return every rule that a label's attributes break.

    Parameters
    ----------
    schema
        The version in force.
    class_
        A class of it.
    attributes
        JSON object as text.
    """
    document = json.loads(attributes)
    rules = schema.classes[class_].get("attributes", schema.document.get("attributes"))
    if not isinstance(rules, Mapping):
        return []
    return [
        Problem(
            path="/attributes" + "".join(f"/{part}" for part in error.absolute_path),
            rule=f"attributes-{error.validator}",
            value=json.dumps(error.instance, ensure_ascii=False)[:200],
            expected=error.message[:200],
        )
        for error in sorted(_validator(rules).iter_errors(document), key=lambda e: e.json_path)
    ]


def fitted_attributes(schema: LabelSchema, class_: str, attributes: str) -> str:
    """Return a label's attributes, texts read as what the schema asks for.

    Tools that know only words, in lists to choose from and in XML, say ``true`` and ``3`` as text. A text
    that breaks its rules, and keeps them when it is read as JSON or as a list of one, is what it
    says; any other stays as it is, to be judged.

    Parameters
    ----------
    schema, class_, attributes
        As in `attribute_problems`.
    """
    rules = schema.classes[class_].get("attributes", schema.document.get("attributes"))
    document = json.loads(attributes)
    if not isinstance(rules, Mapping) or not any(isinstance(v, str) for v in document.values()):
        return attributes
    validator = _validator(rules)

    def broken(values: object) -> set[str]:
        errors = validator.iter_errors(values)
        return {str(error.absolute_path[0]) for error in errors if error.absolute_path}

    texts = {name for name, value in document.items() if isinstance(value, str)}
    for name in sorted(broken(document) & texts):
        for reading in _readings(document[name]):
            if name not in broken({**document, name: reading}):
                document[name] = reading
                break
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _readings(text: str) -> list[object]:
    is_word = text.strip().lower() in ("true", "false")
    try:
        read = json.loads(text.strip().lower() if is_word else text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return [[text]]
    return [[text]] if isinstance(read, str) else [read, [text], [read]]


def _refuse(word: str) -> object:
    raise ValueError(f"{word} is no JSON")


def compare(old: LabelSchema, new: LabelSchema) -> SchemaDiff:
    """Compare two versions by rule.

    An added class, alias, edge case, kind, optional attribute or attribute value is minor. What is removed,
    renamed, redefined or narrowed is major, and needs a migration map.
    """
    changes: list[SchemaChange] = []
    for name in sorted({*old.classes, *new.classes}):
        path = f"/classes/{name}"
        if name not in new.classes:
            changes.append(SchemaChange("major", path, "removed"))
        elif name not in old.classes:
            changes.append(SchemaChange("minor", path, "added"))
        else:
            changes += _class_changes(path, old.classes[name], new.classes[name])
    shared = [cast(Json, s.document.get("attributes", {})) for s in (old, new)]
    changes += _attribute_changes("/attributes", shared[0], shared[1])
    level = max((change.level for change in changes), key=_LEVELS.index, default="identical")
    return SchemaDiff(level, tuple(changes), _version_fits(old.version, new.version, level))


def _class_changes(path: str, old: Json, new: Json) -> list[SchemaChange]:
    changes = []
    if old.get("definition", "") != new.get("definition", ""):
        changes.append(SchemaChange("major", f"{path}/definition", "redefined"))
    for key in ("kinds", "aliases"):
        before, after = (set(cast(list[str], side.get(key, []))) for side in (old, new))
        changes += [
            SchemaChange("minor", f"{path}/{key}/{v}", "added") for v in sorted(after - before)
        ]
        changes += [
            SchemaChange("major", f"{path}/{key}/{v}", "removed") for v in sorted(before - after)
        ]
    changes += _keyed_changes(
        f"{path}/edge_cases",
        cast(Json, old.get("edge_cases", {})),
        cast(Json, new.get("edge_cases", {})),
    )
    before_px, after_px = (float(cast(float, s.get("min_side_px", 0))) for s in (old, new))
    if before_px != after_px:
        level = "major" if after_px > before_px else "minor"
        changes.append(SchemaChange(level, f"{path}/min_side_px", f"{before_px:g} to {after_px:g}"))
    rules = [cast(Json, side.get("attributes", {})) for side in (old, new)]
    return changes + _attribute_changes(f"{path}/attributes", rules[0], rules[1])


def _keyed_changes(path: str, old: Json, new: Json) -> list[SchemaChange]:
    changes = []
    for key in sorted({*old, *new}):
        if key not in new:
            changes.append(SchemaChange("major", f"{path}/{key}", "removed"))
        elif key not in old:
            changes.append(SchemaChange("minor", f"{path}/{key}", "added"))
        elif old[key] != new[key]:
            changes.append(SchemaChange("major", f"{path}/{key}", "redefined"))
    return changes


def _attribute_changes(path: str, old: Json, new: Json) -> list[SchemaChange]:
    if old == new:
        return []
    changes = []
    before = cast(Mapping[str, Json], old.get("properties", {}))
    after = cast(Mapping[str, Json], new.get("properties", {}))
    for name in sorted({*before, *after}):
        at = f"{path}/{name}"
        if name not in after:
            changes.append(SchemaChange("major", at, "removed"))
        elif name not in before:
            changes.append(SchemaChange("minor", at, "added"))
        elif before[name] != after[name]:
            changes += _value_changes(at, before[name], after[name])
    required = [set(cast(list[str], side.get("required", []))) for side in (old, new)]
    changes += [
        SchemaChange("major", f"{path}/{n}", "now required")
        for n in sorted(required[1] - required[0])
    ]
    changes += [
        SchemaChange("minor", f"{path}/{n}", "no longer required")
        for n in sorted(required[0] - required[1])
    ]
    rest = [{k: v for k, v in s.items() if k not in ("properties", "required")} for s in (old, new)]
    if rest[0] != rest[1]:
        changes.append(SchemaChange("major", path, "redefined"))
    return changes


def _value_changes(path: str, old: Json, new: Json) -> list[SchemaChange]:
    rest = [{k: v for k, v in side.items() if k != "enum"} for side in (old, new)]
    if "enum" not in old or "enum" not in new or rest[0] != rest[1]:
        return [SchemaChange("major", path, "redefined")]
    before, after = (cast(list[object], side["enum"]) for side in (old, new))
    changes = [SchemaChange("minor", f"{path}/{v}", "added") for v in after if v not in before]
    return changes + [
        SchemaChange("major", f"{path}/{v}", "removed") for v in before if v not in after
    ]


def _version_fits(old: str, new: str, level: str) -> bool:
    before, after = (tuple(int(part) for part in version.split(".")) for version in (old, new))
    if level == "major":
        return after[0] > before[0]
    return after > before or (level == "identical" and after == before)


def _inner_problems(document: Json) -> list[str]:
    problems = []
    owner: dict[str, str] = {}
    for name, rules in cast(Mapping[str, Json], document["classes"]).items():
        for word in (name, *cast(list[str], rules.get("aliases", []))):
            if word in owner and owner[word] != name:
                problems.append(f"$.classes.{name}: {word!r} already stands for {owner[word]!r}")
            owner.setdefault(word, name)
        problems += _metaschema_problems(f"$.classes.{name}.attributes", rules.get("attributes"))
    return problems + _metaschema_problems("$.attributes", document.get("attributes"))


def _metaschema_problems(path: str, rules: object) -> list[str]:
    if rules is None:
        return []
    from jsonschema import Draft202012Validator

    meta = Draft202012Validator(Draft202012Validator.META_SCHEMA)
    return [
        f"{path}: {error.message}" for error in meta.iter_errors(cast(dict[str, object], rules))
    ]


def _own_schema() -> Json:
    text = resources.files("lineage").joinpath("data/label-schema.json").read_text("utf-8")
    return cast(Json, json.loads(text))


def _validator(rules: Json) -> Validator:
    from jsonschema import Draft202012Validator
    from referencing import Registry

    # an empty registry: a $ref to an address is refused, never fetched
    return Draft202012Validator(dict(rules), registry=Registry())
