"""Attributes: CVAT's texts to JSON values and back, and the provenance that travels among them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

LINEAGE = (
    "annotation",
    "revision",
    "annotator",
    "batch",
    "schema",
    "stage",
    "origin",
    "labelled_at",
)
"""What `write` says about each shape, as attributes ``lineage_<word>``."""

PREFIX = "lineage_"
OURS = {PREFIX + word: word for word in LINEAGE}
"""Their words, by name."""

CHECKBOX, NUMBER, TEXT = "checkbox", "number", "text"
_COUNTED = ("annotation", "revision")
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def dumps(document: Mapping[str, object]) -> str:
    """Return a JSON object in its canonical form."""
    return _ENCODER.encode(document)


def split_ours(given: Mapping[str, str]) -> tuple[dict[str, str], dict[str, object]]:
    """Return the attributes that people gave, and the provenance that `lineage` wrote."""
    if OURS.keys().isdisjoint(given):
        return dict(given), {}
    theirs = {name: text for name, text in given.items() if name not in OURS}
    ours: dict[str, object] = {}
    for name, word in OURS.items():
        # CVAT fills in the declared default, nothing, on shapes that people add
        if text := given.get(name):
            is_count = word in _COUNTED and text.isascii() and text.isdigit() and len(text) < 19
            ours[word] = int(text) if is_count else text
    return theirs, ours


def value_from_text(text: str, input_type: str | None) -> object:
    """Return an attribute's value by its declared type; the text itself where it does not fit."""
    if input_type == CHECKBOX:
        return {"true": True, "false": False}.get(text.strip().lower(), text)
    if input_type == NUMBER and "_" not in text:
        try:
            return int(text)
        except ValueError:
            pass
        try:
            value = float(text)
        except ValueError:
            return text
        return value if math.isfinite(value) else text
    return text


def text_from_value(value: object) -> str:
    """Return the text that `value_from_text` reads as ``value``."""
    if isinstance(value, str):
        return value
    return _ENCODER.encode(value)


def input_type_of(value: object) -> str:
    """Return the declared type that carries ``value``; text where none does."""
    if isinstance(value, bool):
        return CHECKBOX
    return NUMBER if isinstance(value, (int, float)) else TEXT
