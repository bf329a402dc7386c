"""Labels against their schema: every label, every rule, in whole columns.

Classes and attributes are judged once for each distinct value; geometry by the
masks of `lineage.calc.rules`. Only labels that break a rule cost Python work.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import cast

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.calc import rules
from lineage.labelschema import LabelSchema, Problem, attribute_problems, fitted_attributes
from lineage.terms import Kind

_FLAT = (Kind.POLYLINE, Kind.KEYPOINTS)
_NO_CODE = -1


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found.

    Parameters
    ----------
    accepted
        ndarray of bool, shape (n,).
    class_
        Words of n: the class each label stands for, aliases resolved; as given where unknown.
    source_class
        Words of n: the class as given where an alias was resolved, else null.
    attributes
        Words of n: texts read as what the schema asks for (`labelschema.fitted_attributes`).
    violations
        `columns.VIOLATIONS`: a row for every label and rule it breaks.
    """

    accepted: np.ndarray
    class_: pa.DictionaryArray
    source_class: pa.DictionaryArray
    attributes: pa.DictionaryArray
    violations: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class _Broken:
    rows: np.ndarray
    rule: str
    path: str
    expected: str
    problem: Problem | None = None


def check(
    schema: LabelSchema,
    labels: pa.RecordBatch,
    *,
    width: np.ndarray,
    height: np.ndarray,
    source: str,
    edge_tolerance_px: float = 1.0,
) -> Checked:
    """Judge labels by a schema.

    Parameters
    ----------
    schema
        The version in force.
    labels
        `columns.LABELS`.
    width, height
        ndarrays of float64, shape (n,): size of each label's image, px; NaN where unknown.
    source
        What violations call the file.
    edge_tolerance_px
        How far a label may hang over the edge of its image.
    """
    n = labels.num_rows
    resolved = [schema.resolved_class(name) for name in labels["class"].dictionary.to_pylist()]
    given = labels["class"].dictionary.to_pylist()
    class_ = _recoded(labels["class"], [r or g for r, g in zip(resolved, given, strict=True)])
    aliases = [g if r not in (None, g) else None for r, g in zip(resolved, given, strict=True)]
    source_class = _recoded(labels["class"], aliases)
    class_code = np.asarray(labels["class"].indices.fill_null(_NO_CODE)).astype(np.int64)
    kind_code = np.asarray(labels["kind"].indices).astype(np.int64)
    broken = _class_rules(schema, labels, resolved, class_code, kind_code)
    broken += _geometry_rules(labels, width, height, edge_tolerance_px)
    broken += _least_side(schema, labels, resolved, class_code)
    attributes, of_attributes = _attribute_rules(schema, labels, resolved, class_code)
    broken += of_attributes
    accepted = np.ones(n, bool)
    for entry in broken:
        accepted[entry.rows] = False
    violations = _table(labels, [entry for entry in broken if len(entry.rows)], source)
    return Checked(accepted, class_, source_class, attributes, violations)


def _recoded(words: pa.DictionaryArray, values: list[str | None]) -> pa.DictionaryArray:
    if len(values) == 0:
        return pa.nulls(len(words), columns.WORD)
    taken = pa.array(values, pa.string()).take(words.indices)
    return taken.dictionary_encode().cast(columns.WORD)


def _class_rules(
    schema: LabelSchema,
    labels: pa.RecordBatch,
    resolved: list[str | None],
    class_code: np.ndarray,
    kind_code: np.ndarray,
) -> list[_Broken]:
    is_known = np.array([name is not None for name in resolved] + [False])
    names = ", ".join(list(schema.classes)[:20])
    broken = [
        _Broken(np.flatnonzero(~is_known[class_code]), "unknown-class", "/class", f"one of {names}")
    ]
    kinds = labels["kind"].dictionary.to_pylist()
    for code, name in enumerate(resolved):
        if name is None:
            continue
        allowed = cast(list[str], schema.classes[name]["kinds"])
        wrong = np.array([kind not in allowed for kind in kinds], bool)
        if wrong.any():
            rows = np.flatnonzero((class_code == code) & wrong[kind_code])
            told = f"{' or '.join(allowed)} for {name}"
            broken.append(_Broken(rows, "kind-not-allowed", "/kind", told))
    return broken


def _geometry_rules(
    labels: pa.RecordBatch, width: np.ndarray, height: np.ndarray, tolerance_px: float
) -> list[_Broken]:
    kinds = labels["kind"].dictionary.to_pylist()
    kind_code = np.asarray(labels["kind"].indices)
    has_box, overhangs, flat = (
        np.array([test(kind) for kind in kinds] or [False], bool)[kind_code]
        for test in (
            lambda kind: kind != Kind.CLASS,
            lambda kind: kind == Kind.ROTATED_BOX,
            lambda kind: kind in _FLAT,
        )
    )
    masks = rules.broken_rules(
        _boxes(labels),
        width,
        height,
        has_box=has_box,
        may_overhang=overhangs,
        is_flat_allowed=flat,
        edge_tolerance_px=tolerance_px,
    )
    expected = {
        "not-finite": "finite numbers",
        "absurd-coordinate": f"coordinates within {rules.MAX_COORDINATE_PX:g} px",
        "inverted-box": "x_min < x_max and y_min < y_max",
        "zero-area": "a box with an area",
        "image-size": f"an image of 1 to {rules.MAX_SIDE_PX:g} px a side",
        "outside-image": f"a label within its image, give or take {tolerance_px:g} px",
    }
    paths = {"image-size": "/image"}
    return [
        _Broken(np.flatnonzero(mask), rule, paths.get(rule, "/box"), expected[rule])
        for rule, mask in masks.items()
    ]


def _least_side(
    schema: LabelSchema,
    labels: pa.RecordBatch,
    resolved: list[str | None],
    class_code: np.ndarray,
) -> list[_Broken]:
    least = [
        np.nan if name is None else cast(float, schema.classes[name].get("min_side_px", np.nan))
        for name in resolved
    ]
    if np.isnan(least).all():
        return []
    mask = rules.too_small(_boxes(labels), np.array([*least, np.nan])[class_code])
    return [
        _Broken(
            np.flatnonzero(mask & (class_code == code)),
            "too-small",
            "/box",
            f"sides of {px:g} px or more",
        )
        for code, px in enumerate(least)
        if not np.isnan(px)
    ]


def _attribute_rules(
    schema: LabelSchema,
    labels: pa.RecordBatch,
    resolved: list[str | None],
    class_code: np.ndarray,
) -> tuple[pa.DictionaryArray, list[_Broken]]:
    """Return the attributes as the schema reads them, and what is broken all the same."""
    documents = labels["attributes"].dictionary.to_pylist()
    if not documents:
        return labels["attributes"], []
    document_code = np.asarray(labels["attributes"].indices).astype(np.int64)
    pair = class_code * len(documents) + document_code
    broken = []
    fitted, fitted_code = list(documents), document_code.copy()
    for code in np.unique(pair[class_code >= 0]).tolist():
        name, document = resolved[code // len(documents)], documents[code % len(documents)]
        if name is None or not attribute_problems(schema, name, document):
            continue
        rows = np.flatnonzero(pair == code)
        read = fitted_attributes(schema, name, document)
        problems = attribute_problems(schema, name, read)
        broken += [_Broken(rows, p.rule, p.path, p.expected, p) for p in problems]
        if read != document:
            fitted_code[rows] = len(fitted)
            fitted.append(read)
    if len(fitted) == len(documents):
        return labels["attributes"], broken
    words = pa.array(fitted, pa.string()).take(pa.array(fitted_code))
    return words.dictionary_encode().cast(columns.WORD), broken


def _boxes(labels: pa.RecordBatch) -> np.ndarray:
    sides = [np.asarray(labels[name].fill_null(float("nan"))) for name in columns.BOX]
    return np.stack(sides, axis=1)


def _table(labels: pa.RecordBatch, broken: list[_Broken], source: str) -> pa.RecordBatch:
    if not broken:
        return columns.empty(columns.VIOLATIONS)
    rows = np.concatenate([entry.rows for entry in broken])
    n_each = [len(entry.rows) for entry in broken]
    order = np.argsort(rows, kind="stable")
    taken = labels.take(pa.array(rows[order]))
    texts = [_as_json(row) for row in taken.to_pylist()]

    def spread(values: list[str]) -> list[str]:
        repeated = [value for value, n in zip(values, n_each, strict=True) for _ in range(n)]
        return [repeated[i] for i in order]

    rule = spread([entry.rule for entry in broken])
    path = spread([entry.path for entry in broken])
    told = spread([entry.problem.value if entry.problem else "" for entry in broken])
    seen = [t or _seen(r, p) for t, r, p in zip(told, taken.to_pylist(), path, strict=True)]
    files = taken["file"].to_pylist()
    values = {
        "source": [source if file is None else f"{source}/{file}" for file in files],
        "position": taken["position"],
        "asset": taken["asset"].cast(pa.string()),
        "annotation": taken["source_id"],
        "path": path,
        "rule": rule,
        "value": seen,
        "expected": spread([entry.expected for entry in broken]),
        "label": texts,
    }
    return columns.batch_of(columns.VIOLATIONS, values)


def _seen(row: dict[str, object], path: str) -> str:
    if path == "/class":
        return str(row["class"])
    if path == "/kind":
        return str(row["kind"])
    if path == "/image":
        return str(row["asset"])
    return (
        "["
        + ", ".join(f"{row[name]:g}" if row[name] is not None else "null" for name in columns.BOX)
        + "]"
    )


def _as_json(row: dict[str, object]) -> str:
    kept = {name: value for name, value in row.items() if value is not None}
    return json.dumps(kept, sort_keys=True, ensure_ascii=False, default=str)
