"""What became of every class from one schema version to the next, as a file on record.

::

    from: street@1.0
    to: street@2.0
    classes:
      pedestrian: person              # renamed
      car: vehicle                    # merged: two old classes, one new
      truck: vehicle
      animal: {by: species, values: {dog: dog, cat: cat}, otherwise: null}   # split by an attribute
      fog: null                       # cannot be mapped: listed for re-review
    attributes:
      pedestrian: {rename: {occl: occluded}, drop: [note], set: {reviewed: false}}

A class that is named in neither place keeps its name, if the new version has it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.errors import BadInput
from lineage.labelschema import LabelSchema, attribute_problems, split_ref

Json = Mapping[str, object]
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Split:
    """One old class becomes several, by the value of an attribute."""

    by: str
    values: Mapping[str, str | None]
    otherwise: str | None = None


@dataclass(frozen=True, slots=True)
class AttributeEdit:
    """What becomes of the attributes of an old class."""

    rename: Mapping[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    set: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClassMap:
    """A migration map; ``document`` is the file as it goes on record."""

    old: str
    new: str
    classes: Mapping[str, str | Split | None]
    attributes: Mapping[str, AttributeEdit]
    document: Json


@dataclass(frozen=True, slots=True)
class Mapped:
    """Labels under the new version.

    Parameters
    ----------
    classes, attributes
        Words of n; meaningful where ``is_mapped``.
    is_mapped
        ndarray of bool, shape (n,).
    reasons
        Words of n: why a label cannot be mapped; null where it can.
    """

    classes: pa.DictionaryArray
    attributes: pa.DictionaryArray
    is_mapped: np.ndarray
    reasons: pa.DictionaryArray


def parse_map(document: Json, *, where: str) -> ClassMap:
    """Read a migration map.

    Raises
    ------
    BadInput
        ``map-invalid``, with everything that is wrong.
    """
    problems = [
        f"{key}: unknown" for key in document if key not in ("from", "to", "classes", "attributes")
    ]
    for key in ("from", "to"):
        if not isinstance(document.get(key), str):
            problems.append(f"{key}: expected NAME@VERSION")
    classes = {
        str(name): _target(str(name), value, problems)
        for name, value in _mapping(document, "classes", problems).items()
    }
    attributes = {
        str(name): _edit(str(name), value, problems)
        for name, value in _mapping(document, "attributes", problems).items()
    }
    _refuse(problems, where)
    for key in ("from", "to"):
        split_ref(str(document[key]))
    return ClassMap(str(document["from"]), str(document["to"]), classes, attributes, document)


def check_map(class_map: ClassMap, old: LabelSchema, new: LabelSchema, *, where: str) -> None:
    """Hold a map against the two versions that it names.

    Raises
    ------
    BadInput
        ``map-invalid``, with everything that is wrong.
    """
    problems = []
    for told, schema, key in ((class_map.old, old, "from"), (class_map.new, new, "to")):
        if told != schema.ref:
            problems.append(f"{key}: {told}, asked for {schema.ref}")
    for name in class_map.classes.keys() | class_map.attributes.keys():
        if name not in old.classes:
            problems.append(f"classes.{name}: no class of {old.ref}")
    for name, target in class_map.classes.items():
        targets = (
            [*target.values.values(), target.otherwise] if isinstance(target, Split) else [target]
        )
        problems += [
            f"classes.{name}: {t!r} is no class of {new.ref}"
            for t in targets
            if t is not None and t not in new.classes
        ]
    for name in old.classes:
        if name not in class_map.classes and name not in new.classes:
            problems.append(
                f"classes.{name}: {new.ref} has no such class, and the map says nothing of it"
            )
    _refuse(sorted(problems), where)


def apply_map(
    class_map: ClassMap,
    new: LabelSchema,
    *,
    classes: pa.DictionaryArray,
    kinds: pa.DictionaryArray,
    attributes: pa.DictionaryArray,
) -> Mapped:
    """Carry labels over, each distinct combination of class, kind and attributes once.

    A label whose class has no target, or that the new version would refuse, is not mapped.
    """
    words = [column.dictionary.to_pylist() for column in (classes, kinds, attributes)]
    codes = [np.asarray(column.indices).astype(np.int64) for column in (classes, kinds, attributes)]
    distinct, inverse = np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)
    results = [
        _carried(class_map, new, words[0][c], words[1][k], words[2][a])
        for c, k, a in distinct.tolist()
    ]
    inverse = pa.array(inverse.reshape(-1))
    columns_ = [pa.array(list(column), pa.string()) for column in zip(*results, strict=True)] or [
        pa.array([], pa.string())
    ] * 3
    taken = [column.take(inverse).dictionary_encode().cast(columns.WORD) for column in columns_]
    return Mapped(taken[0], taken[1], np.asarray(taken[2].is_null()), taken[2])


def _carried(
    class_map: ClassMap, new: LabelSchema, class_: str, kind: str, attributes: str
) -> tuple[str, str, str | None]:
    document = json.loads(attributes)
    target = class_map.classes.get(class_, class_)
    if isinstance(target, Split):
        value = document.get(target.by, _MISSING)
        key = (
            value if isinstance(value, str) else json.dumps(value) if value is not _MISSING else ""
        )
        target = target.values.get(key, target.otherwise)
        if target is None:
            return class_, attributes, f"{class_} with {key!r} has no class in {new.ref}"
    if target is None:
        return class_, attributes, f"{class_} has no class in {new.ref}"
    edit = class_map.attributes.get(class_, AttributeEdit())
    kept = {edit.rename.get(k, k): v for k, v in document.items() if k not in edit.drop}
    text = json.dumps(
        {**kept, **edit.set}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    if kind not in cast(list[str], new.classes[target]["kinds"]):
        return class_, attributes, f"{target} takes no {kind} in {new.ref}"
    problems = attribute_problems(new, target, text)
    if problems:
        return class_, attributes, f"{target}{problems[0].path}: {problems[0].expected}"
    return target, text, None


def _target(name: str, value: object, problems: list[str]) -> str | Split | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping) and isinstance(value.get("by"), str):
        values = value.get("values")
        unknown = set(value) - {"by", "values", "otherwise"}
        if isinstance(values, Mapping) and not unknown:
            named = {str(k): None if v is None else str(v) for k, v in values.items()}
            otherwise = value.get("otherwise")
            return Split(value["by"], named, None if otherwise is None else str(otherwise))
    problems.append(f"classes.{name}: expected a class, null, or by, values and otherwise")
    return None


def _edit(name: str, value: object, problems: list[str]) -> AttributeEdit:
    if isinstance(value, Mapping) and not set(value) - {"rename", "drop", "set"}:
        rename, drop, given = value.get("rename", {}), value.get("drop", []), value.get("set", {})
        if isinstance(rename, Mapping) and isinstance(drop, list) and isinstance(given, Mapping):
            return AttributeEdit(dict(rename), tuple(map(str, drop)), dict(given))
    problems.append(f"attributes.{name}: expected rename, drop and set")
    return AttributeEdit()


def _mapping(document: Json, key: str, problems: list[str]) -> Json:
    value = document.get(key, {})
    if isinstance(value, Mapping):
        return value
    problems.append(f"{key}: {value!r}, expected a mapping")
    return {}


def _refuse(problems: list[str], where: str) -> None:
    if problems:
        raise BadInput(
            "map-invalid",
            f"{len(problems)} problems: " + "; ".join(problems),
            hint="docs/schemas.md shows a migration map",
            where=where,
        )
