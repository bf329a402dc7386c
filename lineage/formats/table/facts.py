"""What a row says besides where: attributes, what is kept beside the label, when, and how it came to be."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.columns import WORD
from lineage.formats.table.given import Given, Words
from lineage.formats.table.mapping import Scalar
from lineage.formats.table.moments import moments, seconds_between
from lineage.formats.table.plan import ATTRIBUTE, EXTRA
from lineage.formats.texts import canonical
from lineage.terms import Origin

TRUTH: Mapping[str, bool] = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0"), False),
}
"""What yes-or-no cells say, in any case of letters."""

_INTEGER = re.compile(r"[-+]?\d{1,18}")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
_TEXT = pa.string()
_NONE = object()


@dataclass(frozen=True, slots=True)
class Times:
    """When labels were made, and what of it was told without a zone.

    Parameters
    ----------
    labelled_at
        Of `columns.MOMENT`.
    lead_time_s
        ndarray of float64, NaN where unknown.
    untold
        By field, the texts that are no moment, null elsewhere.
    losses
        How many.
    """

    labelled_at: pa.Array
    lead_time_s: np.ndarray
    untold: Mapping[str, pa.Array]
    losses: Mapping[str, int]


def times(given: Given, rows: np.ndarray) -> Times:
    """Return the times of entries; ``rows`` are those that matter, ndarray of bool, shape (n,)."""
    west = given.numbers("utc_offset", rows) if given.has("utc_offset") else None
    found: dict[str, pa.Array] = {}
    untold: dict[str, pa.Array] = {}
    losses = {"naive-time": 0, "ambiguous-time": 0, "negative-lead-time": 0}
    for key in ("labelled_at", "started_at"):
        raw = given.raw(key)
        is_time = raw is not None and pa.types.is_timestamp(raw.type)
        cells = raw if is_time else given.text(key)
        if cells is None:
            found[key] = pa.nulls(given.n, pa.timestamp("us", tz="UTC"))
            continue
        read = moments(cells, given.mapping, west)
        found[key] = read.at
        given.refuse(read.is_unreadable & rows, "not-a-time", key, f"a time: {given.mapping.time}")
        is_untold = (read.is_naive | read.is_twice) & rows
        losses["naive-time"] += int((read.is_naive & rows).sum())
        losses["ambiguous-time"] += int((read.is_twice & rows).sum())
        if is_untold.any():
            texts = cells.cast(_TEXT)
            untold[key] = pc.if_else(pa.array(is_untold), texts, pa.scalar(None, _TEXT))
    lead = given.numbers("lead_time_s", rows)
    if given.has("started_at"):
        between = seconds_between(found["started_at"], found["labelled_at"])
        is_negative = between < 0
        losses["negative-lead-time"] += int((is_negative & rows).sum())
        lead = np.where(np.isnan(lead), np.where(is_negative, np.nan, between), lead)
    return Times(found["labelled_at"], lead, untold, {k: n for k, n in losses.items() if n})


def origins(given: Given, rows: np.ndarray) -> Words:
    """Return how each entry came to be: a person's, unless the mapping says otherwise."""
    human, gold = Origin.HUMAN.value, Origin.GROUND_TRUTH.value
    words = given.meant("origin", given.mapping.values.get("origin", {}))
    known = {origin.value for origin in Origin}
    _refuse_unknown(given, words, "origin", sorted(known), rows)
    names = [*(name if name in known else human for name in words.names), human, gold]
    codes = np.where(words.codes < 0, len(names) - 2, words.codes)
    if given.has("gold"):
        codes = np.where(flags(given, "gold", rows), len(names) - 1, codes)
    return Words(codes, names).renamed(names)


def flags(given: Given, key: str, rows: np.ndarray) -> np.ndarray:
    """Return which entries a yes-or-no field says yes of, ndarray of bool, shape (n,)."""
    meaning = {"true": True, "false": False, **given.mapping.values.get(key, {})}
    words = given.words(key)
    read = [_truth(name, meaning) for name in words.names]
    odd = words.renamed([n if r is None else None for n, r in zip(words.names, read, strict=True)])
    given.refuse(odd.is_given & rows, "unknown-word", key, "true or false, or a word of values:")
    yes: np.ndarray = np.array([*(value is True for value in read), False])[words.codes]
    return yes


def words_of(given: Given, key: str, known: Sequence[str], rows: np.ndarray) -> Words:
    """Return a field whose words are known; others are refused."""
    words = given.meant(key, given.mapping.values.get(key, {}))
    _refuse_unknown(given, words, key, known, rows)
    return words.renamed([name if name in known else None for name in words.names])


def attributes(given: Given, rows: np.ndarray) -> pa.DictionaryArray:
    """Return the attributes of entries as canonical JSON."""
    keys = sorted(key for key in given.cells.cells if key.startswith(ATTRIBUTE))
    if given.raw("attributes") is not None:
        return _documents(given, rows)
    if not keys:
        return pa.DictionaryArray.from_arrays(
            pa.repeat(pa.scalar(0, pa.int32()), given.n), pa.array(["{}"])
        )
    tokens = {key.removeprefix(ATTRIBUTE): _tokens(given, key, rows) for key in keys}
    return _objects(tokens).dictionary_encode().cast(WORD)


def extras(given: Given, untold: Mapping[str, pa.Array]) -> pa.Array | None:
    """Return what is kept beside each label as canonical JSON, null where it is nothing."""
    keys = [key for key in given.cells.cells if key.startswith(EXTRA)]
    texts = {key.removeprefix(EXTRA): given.text(key) for key in keys} | dict(untold)
    if not texts:
        return None
    tokens = {name: _quoted(cells) for name, cells in texts.items() if cells is not None}
    objects = _objects(tokens)
    return pc.if_else(pc.equal(objects, "{}"), pa.scalar(None, _TEXT), objects)


def _refuse_unknown(
    given: Given, words: Words, key: str, known: Sequence[str], rows: np.ndarray
) -> None:
    odd = words.renamed([None if name in known else name for name in words.names])
    if odd.is_given.any():
        expected = f"{', '.join(known)}, or a word of values:"
        given.refuse(odd.is_given & rows, "unknown-word", key, expected)


def _truth(word: str, meaning: Mapping[str, Scalar]) -> bool | None:
    told = meaning[word] if word in meaning else TRUTH.get(word.strip().lower())
    return told if isinstance(told, bool) else None


def _tokens(given: Given, key: str, rows: np.ndarray) -> pa.Array:
    """Return attribute cells as JSON values, every distinct one made once."""
    name = key.removeprefix(ATTRIBUTE)
    kind = given.mapping.types.get(name, "text")
    meaning = given.mapping.values.get(name, {})
    words = given.words(key)
    values = [_value(word, kind, meaning) for word in words.names]
    odd = words.renamed(
        [word if value is _NONE else None for word, value in zip(words.names, values, strict=True)]
    )
    given.refuse(odd.is_given & rows, "not-of-type", key, f"{kind}, as types: says")
    tokens = [None if value is _NONE or value is None else _json(value) for value in values]
    return _taken(tokens, words.codes)


def _value(word: str, kind: str, meaning: Mapping[str, Scalar]) -> object:
    """Return what a cell stands for, `_NONE` where it is not of its type."""
    if word in meaning:
        return meaning[word]
    text = word.strip()
    if kind == "boolean":
        found = _truth(text, {})
        return _NONE if found is None else found
    if kind == "integer":
        return int(text) if _INTEGER.fullmatch(text) else _NONE
    if kind == "number":
        if _INTEGER.fullmatch(text):
            return int(text)
        number = float(text) if _NUMBER.fullmatch(text) else float("inf")
        return number if np.isfinite(number) else _NONE
    if kind == "json":
        try:
            return json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            return _NONE
    return word


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


def _documents(given: Given, rows: np.ndarray) -> pa.DictionaryArray:
    """Return a column of JSON objects as canonical ones."""
    words = given.words("attributes")
    values = [_value(word, "json", {}) for word in words.names]
    is_odd = [value is not None and not isinstance(value, dict) for value in values]
    odd = words.renamed([w if odd else None for w, odd in zip(words.names, is_odd, strict=True)])
    given.refuse(odd.is_given & rows, "not-json", "attributes", "a JSON object")
    texts = [canonical(value) if isinstance(value, dict) else "{}" for value in values]
    codes = np.where(words.codes < 0, len(texts), words.codes)
    return Words(codes, texts).renamed([*texts, "{}"]).to_arrow()


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _quoted(cells: pa.Array) -> pa.Array:
    encoded = cells.dictionary_encode()
    tokens = [_json(text) for text in encoded.dictionary.to_pylist()]
    return _taken(tokens, np.asarray(encoded.indices.fill_null(-1)))


def _taken(tokens: Sequence[str | None], codes: np.ndarray) -> pa.Array:
    return pa.array([*tokens, None], _TEXT).take(pa.array(np.where(codes < 0, len(tokens), codes)))


def _objects(tokens: Mapping[str, pa.Array]) -> pa.Array:
    """Return JSON objects by their values' texts: keys in order, nulls left out."""
    members = [
        pc.fill_null(pc.binary_join_element_wise(f",{_json(name)}:", tokens[name], ""), "")
        for name in sorted(tokens)
    ]
    inner = pc.binary_join_element_wise(*members, "")
    return pc.binary_join_element_wise("{", pc.utf8_slice_codeunits(inner, 1), "}", "")
