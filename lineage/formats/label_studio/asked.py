"""Attributes as result rows: what a form's inputs would have answered for a region."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping

from lineage.formats.forms import Field, Input, text_of
from lineage.formats.label_studio.config import RESERVED

Json = dict[str, object]
_MAX_KEPT = 4096


class Asked:
    """Rows for a label's attributes, made once for each distinct document.

    Parameters
    ----------
    fields
        How the schema asks for each attribute, by name; by its value where it asks for none.
    """

    def __init__(self, fields: Mapping[str, Field]) -> None:
        self._fields = fields
        self._known: dict[str, tuple[list[Json], Counter[str]]] = {}

    def rows(self, document: str, losses: Counter[str]) -> list[Json]:
        """Return the rows, without the id of their region, and count what they lose."""
        if document == "{}":
            return []
        found = self._known.get(document)
        if found is None:
            found = self._rows(json.loads(document))
            if len(self._known) < _MAX_KEPT:
                self._known[document] = found
        losses.update(found[1])
        return found[0]

    def _rows(self, values: Mapping[str, object]) -> tuple[list[Json], Counter[str]]:
        rows: list[Json] = []
        losses: Counter[str] = Counter()
        for name, value in values.items():
            if name in RESERVED:
                losses["reserved-attribute"] += 1
                continue
            input_ = self._input(name, value)
            type_, key, answer = _answer(value, input_)
            rows.append({"from_name": name, "type": type_, "value": {key: answer}})
            if not _is_kept(value, input_):
                losses["attribute-type"] = 1
        return rows, losses

    def _input(self, name: str, value: object) -> Input:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if name in self._fields and (is_number or self._fields[name].input is not Input.NUMBER):
            return self._fields[name].input
        if is_number:
            return Input.NUMBER
        return Input.ONE if isinstance(value, (str, bool)) or _is_words(value) else Input.TEXT


def _answer(value: object, input_: Input) -> tuple[str, str, object]:
    if input_ is Input.NUMBER:
        return "number", "number", value
    if input_ is Input.TEXT:
        return "textarea", "text", [text_of(value)]
    words = value if isinstance(value, list) else [value]
    return "choices", "choices", [text_of(word) for word in words]


def _is_words(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _is_kept(value: object, input_: Input) -> bool:
    """Tell whether a value comes back as it was: a list of one word comes back as the word."""
    if isinstance(value, list):
        return input_ is not Input.TEXT and _is_words(value) and len(value) != 1
    return isinstance(value, str) or input_ is Input.NUMBER
