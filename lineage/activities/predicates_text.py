"""How predicates are written: ``dimension=value,value`` with spaces between, quotes where a value has either."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

from lineage.errors import BadInput

_PLAIN = re.compile(r'[^\s,"\\]+')
_HINT = 'for instance: "annotator=ana batch=week-01,week-02 class=car"'


def clauses(text: str, dimensions: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the clauses of a text.

    Parameters
    ----------
    text
        Words; a value with a space or a comma stands in double quotes, a backslash takes the next
        character as it is.
    dimensions
        The known names.

    Raises
    ------
    BadInput
        ``predicate``.

    Examples
    --------
    >>> list(clauses('batch=w1,w2 class="traffic light"', ("batch", "class")))
    [('batch', ('w1', 'w2')), ('class', ('traffic light',))]
    """
    n = 0
    for word in _split(text):
        n += 1
        name, equals, rest = word[0].partition("=")
        dimension, colon, attribute = name.partition(":")
        values = (rest, *word[1:])
        if not equals or not all(values):
            raise BadInput(
                "predicate", f"{','.join(word)!r} in {text!r}, expected DIMENSION=VALUE", hint=_HINT
            )
        if dimension not in dimensions:
            near = difflib.get_close_matches(dimension, dimensions, n=3, cutoff=0.5)
            told = f"; near it: {', '.join(near)}" if near else ""
            raise BadInput(
                "predicate",
                f"no dimension {dimension!r}, expected some of {', '.join(dimensions)}{told}",
                hint=_HINT,
            )
        if (dimension == "attribute") != bool(colon and attribute):
            raise BadInput(
                "predicate",
                f"{name!r}, expected attribute:NAME=VALUE for an attribute, and no colon otherwise",
                hint=_HINT,
            )
        yield name, values
    if n == 0:
        raise BadInput("predicate", f"nothing is asked in {text!r}", hint=_HINT)


def written(name: str, values: Sequence[str]) -> str:
    """Return a clause as text that `clauses` reads back.

    Examples
    --------
    >>> written("class", ("car", "traffic light"))
    'class=car,"traffic light"'
    """
    head = name if _PLAIN.fullmatch(name) else _quoted(name)
    return f"{head}=" + ",".join(v if _PLAIN.fullmatch(v) else _quoted(v) for v in values)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _split(text: str) -> Iterator[list[str]]:
    """Yield the words of a text, each as its parts between commas."""
    parts, is_word, is_quoted = [""], False, False
    characters = iter(text)
    for character in characters:
        if character == "\\":
            parts[-1] += next(characters, "\\")
            is_word = True
        elif character == '"':
            is_quoted, is_word = not is_quoted, True
        elif is_quoted:
            parts[-1] += character
        elif character == ",":
            parts.append("")
            is_word = True
        elif character.isspace():
            if is_word:
                yield parts
            parts, is_word = [""], False
        else:
            parts[-1] += character
            is_word = True
    if is_quoted:
        raise BadInput("predicate", f"a quote is not closed in {text!r}", hint=_HINT)
    if is_word:
        yield parts
