"""People whom a label's ``extra`` mentions: reviewers, those who moved it along its workflow.

The ledger holds pseudonyms only, so that people can be forgotten. A reader that keeps a person in
``extra`` therefore marks the handle (`mention`), and whoever writes the ledger puts the pseudonym
in its place (`rewritten`).
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

_KEY = "@person"
_MARK = '{"@person":"'


def mention(handle: str) -> dict[str, str]:
    """Return a person as ``extra`` holds them until they have a pseudonym."""
    return {_KEY: handle}


def rewritten(extra: pa.Array, pseudonym: Callable[[str], str]) -> pa.Array:
    """Return ``extra`` with the pseudonym of everybody who is mentioned.

    Parameters
    ----------
    extra
        Strings: canonical JSON objects, or null.
    pseudonym
        Gives the pseudonym behind a handle.

    Examples
    --------
    >>> texts = pa.array(['{"reviews":[{"by":{"@person":"ann"}}]}', '{"subset":"train"}', None])
    >>> rewritten(texts, {"ann": "a-1"}.get).to_pylist()
    ['{"reviews":[{"by":"a-1"}]}', '{"subset":"train"}', None]
    """
    is_told = pc.match_substring(extra, _MARK)
    if not pc.any(is_told).as_py():
        return extra
    words = extra.dictionary_encode()
    texts = [
        _text(json.loads(text), pseudonym) if _MARK in text else text
        for text in words.dictionary.to_pylist()
    ]
    return pa.DictionaryArray.from_arrays(words.indices, pa.array(texts, pa.string())).cast(
        pa.string()
    )


def _text(document: object, pseudonym: Callable[[str], str]) -> str:
    replaced = _replaced(document, pseudonym)
    return json.dumps(replaced, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _replaced(value: object, pseudonym: Callable[[str], str]) -> object:
    if isinstance(value, list):
        return [_replaced(item, pseudonym) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {_KEY} and isinstance(value[_KEY], str):
        return pseudonym(value[_KEY])
    return {name: _replaced(item, pseudonym) for name, item in value.items()}
