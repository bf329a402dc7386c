"""A first draft of a label schema from labels that exist: classes, kinds, attribute values seen."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

_MAX_VALUES = 50
_RARE_FRACTION = 0.01
_TODO = "inferred from an export: write the definition before this version is locked"


@dataclass(slots=True)
class _Seen:
    n_labels: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    n_with: Counter[str] = field(default_factory=Counter)
    values: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))


def infer(name: str, batches: Iterable[pa.RecordBatch]) -> dict[str, object]:
    """Draft a label schema.

    Parameters
    ----------
    name
        Its name.
    batches
        Batches of `columns.LABELS`.

    Returns
    -------
    dict
        A schema document of version 0.1. An attribute is required where every label of its class has it;
        its values are listed up to 50, beyond that only their type is.
    """
    classes: dict[str, _Seen] = defaultdict(_Seen)
    for batch in batches:
        for class_, kind, attributes, n in _distinct(batch):
            seen = classes[class_]
            seen.n_labels += n
            seen.kinds[kind] += n
            for key, value in json.loads(attributes).items():
                seen.n_with[key] += n
                seen.values[key][json.dumps(value, sort_keys=True)] += n
    n_total = sum(seen.n_labels for seen in classes.values())
    return {
        "name": name,
        "version": "0.1",
        "title": f"{name}, inferred from {n_total:,} labels",
        "classes": {class_: _class(classes[class_], n_total) for class_ in sorted(classes)},
    }


def _distinct(batch: pa.RecordBatch) -> list[tuple[str, str, str, int]]:
    names = ("class", "kind", "attributes")
    words = [batch[name].dictionary.to_pylist() for name in names]
    codes = [np.asarray(batch[name].indices.fill_null(-1)) for name in names]
    if batch.num_rows == 0:
        return []
    rows, n_each = np.unique(np.stack(codes, axis=1), axis=0, return_counts=True)
    return [
        (words[0][c], words[1][k], words[2][a], int(n))
        for (c, k, a), n in zip(rows.tolist(), n_each, strict=True)
        if c >= 0
    ]


def _class(seen: _Seen, n_total: int) -> dict[str, object]:
    rules: dict[str, object] = {"definition": _TODO, "kinds": sorted(seen.kinds)}
    if seen.n_labels < _RARE_FRACTION * n_total:
        rules["rare"] = True
    if seen.values:
        rules["attributes"] = {
            "type": "object",
            "properties": {key: _property(seen.values[key]) for key in sorted(seen.values)},
            "required": sorted(key for key, n in seen.n_with.items() if n == seen.n_labels),
            "additionalProperties": False,
        }
    return rules


def _property(values: Counter[str]) -> dict[str, object]:
    found = [json.loads(text) for text in sorted(values)]
    types = sorted({_type(value) for value in found})
    if types == ["boolean"]:
        return {"type": "boolean"}
    if types == ["string"] and len(found) <= _MAX_VALUES:
        return {"enum": found}
    return {"type": types[0] if len(types) == 1 else types}


def _type(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"
