"""Paths into JSON cells: ``annotations[task=T3].value[0].choice``.

A path begins with a column and goes on step by step: ``.key`` and ``."odd key"``, ``.*``
for every value of an object, ``[0]`` for one of a list, ``[*]`` for all of it,
``[key=word]`` and ``[key=word|word]`` for those whose key has that value. A path that
begins with ``.`` or ``[`` begins at one of the values that ``each`` takes a row apart into;
``.`` alone is that value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

_STEP = re.compile(
    r"""
    \.(?P<every>\*)
  | \."(?P<quoted>[^"]+)"
  | \.(?P<key>[^.\[\]"*][^.\[\]"]*)
  | \[(?P<index>\d{1,9})\]
  | \[(?P<all>\*)\]
  | \[(?P<where>[^\[\]=".]+)=(?P<values>"[^"]*"(?:\|"[^"]*")*|[^\[\]"]*)\]
    """,
    re.VERBOSE,
)
_BRACKETS = str.maketrans("()", "[]")


@dataclass(frozen=True, slots=True)
class Step:
    """One step down.

    Parameters
    ----------
    key
        Of an object; with ``values``, of objects in a list.
    index
        In a list.
    values
        What ``key`` has to be, as text.

    Notes
    -----
    With none of the three, all there is: the values of an object, or a list's.
    """

    key: str | None = None
    index: int | None = None
    values: tuple[str, ...] = ()


def steps_of(text: str) -> tuple[Step, ...] | None:
    """Return the steps that a path's text is, None where it is none.

    Examples
    --------
    >>> steps_of(".value[0]")
    (Step(key='value', index=None, values=()), Step(key=None, index=0, values=()))
    >>> steps_of("value[") is None
    True
    """
    if text in ("", "."):
        return ()
    found: list[Step] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            return None
        at = match.end()
        if match["index"] is not None:
            found.append(Step(index=int(match["index"])))
        elif match["where"] is not None:
            words = match["values"]
            listed = re.findall('"([^"]*)"', words) if '"' in words else words.split("|")
            found.append(Step(key=match["where"], values=tuple(listed)))
        else:
            found.append(Step(key=match["quoted"] or match["key"]))
    return tuple(found)


def walk(value: object, steps: Sequence[Step]) -> list[object]:
    """Return every value at the end of a path; what a step does not fit is passed over.

    Examples
    --------
    >>> walk([{"task": "T1", "value": 5}, {"task": "T2", "value": 6}], steps_of("[task=T2].value"))
    [6]
    """
    found = [value]
    for step in steps:
        found = [below for one in found for below in _below(one, step)]
    return [one for one in found if one is not None]


def _below(value: object, step: Step) -> list[object]:
    if step.values:
        if not isinstance(value, list):
            return []
        return [
            one
            for one in value
            if isinstance(one, dict) and text_of(one.get(step.key)) in step.values
        ]
    if step.key is not None:
        return [value[step.key]] if isinstance(value, dict) and step.key in value else []
    if step.index is not None:
        return value[step.index : step.index + 1] if isinstance(value, list) else []
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def decoded(text: str) -> object:
    """Return the value of a JSON cell; tuples as Python writes them are lists.

    Raises
    ------
    ValueError
        It is neither.
    """
    try:
        return msgspec.json.decode(text)
    except RecursionError as exc:
        raise ValueError("brackets nest too deep") from exc
    except (msgspec.DecodeError, UnicodeError) as exc:
        if "(" not in text:
            raise ValueError(str(exc)) from exc
    try:
        return msgspec.json.decode(text.translate(_BRACKETS))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise ValueError(str(exc)) from exc


def text_of(value: object) -> str | None:
    """Return a JSON value as a cell has it: text as it is, lists and objects as JSON.

    Examples
    --------
    >>> text_of("007"), text_of(True), text_of([1, 2.5]), text_of(None)
    ('007', 'true', '[1,2.5]', None)
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        return repr(value)
    return msgspec.json.encode(value).decode()
