"""What a schema version says of gold: where it holds, what may be gold, and its edge cases."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

from lineage import labelschema
from lineage.errors import BadInput, Usage
from lineage.labelschema import LabelSchema

_MOST_NAMED = 5


def holds(gold: LabelSchema, other: LabelSchema) -> bool:
    """Tell whether what is gold under one version says what is right under another.

    The same name and major number, and no rule that the newer of the two took away or redefined.
    """
    if gold.name != other.name or _version(gold)[0] != _version(other)[0]:
        return False
    older, newer = sorted((gold, other), key=_version)
    return labelschema.compare(older, newer).level != "major"


def cases_of(schema: LabelSchema, class_: str) -> Sequence[str]:
    """Return the names of a class's edge cases."""
    return list(cast(Mapping[str, str], schema.classes[class_].get("edge_cases", {})))


def refuse_invalid(
    known: Mapping[str, LabelSchema],
    under: Sequence[str],
    values: Mapping[str, Sequence[str]],
    annotations: Sequence[int],
) -> None:
    """Refuse revisions that break the schema under which they are to be right.

    Parameters
    ----------
    known
        Versions by ``name@version``.
    under
        The version of each revision.
    values
        Its ``class``, ``kind`` and ``attributes``.
    annotations
        Its annotation.

    Raises
    ------
    BadInput
        ``gold-invalid``, with everything that is wrong.
    """
    keys = list(zip(under, values["class"], values["kind"], values["attributes"], strict=True))
    told = {key: text for key in dict.fromkeys(keys) if (text := _broken(known[key[0]], *key[1:]))}
    if not told:
        return
    numbers: dict[str, list[int]] = {}
    for key, annotation in zip(keys, annotations, strict=True):
        if key in told:
            numbers.setdefault(f"{key[0]}: {told[key]}", []).append(annotation)
    raise BadInput(
        "gold-invalid",
        "; ".join(f"{text} ({_named(found)})" for text, found in numbers.items()),
        hint="choose others, or another --under",
    )


def edge_cases(
    known: Mapping[str, LabelSchema],
    under: Sequence[str],
    values: Mapping[str, Sequence[str]],
    edge_case: str | None,
    edge_case_from: Sequence[str],
) -> list[str | None]:
    """Return the edge case of each revision, None for an ordinary one.

    Parameters
    ----------
    known, under, values
        As in `refuse_invalid`.
    edge_case, edge_case_from
        See `gold.GoldOrder`.

    Raises
    ------
    Usage
        ``usage``: both, or a word that is not ``ATTRIBUTE:VALUE=EDGE_CASE``.
    BadInput
        ``gold-edge-case``: a class has no such edge case.
    """
    if edge_case is not None and edge_case_from:
        raise Usage("usage", "--edge-case and --edge-case-from exclude one another")
    if edge_case_from:
        rules = _rules(edge_case_from)
        documents = {text: _case_of(text, rules) for text in set(values["attributes"])}
        case = [documents[text] for text in values["attributes"]]
    else:
        case = [edge_case] * len(under)
    odd = [
        (ref, class_, name)
        for ref, class_, name in dict.fromkeys(zip(under, values["class"], case, strict=True))
        if name is not None and name not in cases_of(known[ref], class_)
    ]
    if odd:
        raise BadInput(
            "gold-edge-case",
            "; ".join(
                f"{class_} has no edge case {name!r} in {ref}, which knows "
                + (", ".join(cases_of(known[ref], class_)) or "none")
                for ref, class_, name in odd
            ),
            hint="restrict with --class, or add the edge case to the schema",
        )
    return case


def _broken(schema: LabelSchema, class_: str, kind: str, attributes: str) -> str:
    if class_ not in schema.classes:
        return f"no class {class_!r}"
    if kind not in cast(list[str], schema.classes[class_]["kinds"]):
        return f"{class_} is no {kind}"
    problems = labelschema.attribute_problems(schema, class_, attributes)
    return "; ".join(f"{class_}{p.path}: {p.value}, expected {p.expected}" for p in problems)


def _rules(words: Sequence[str]) -> dict[tuple[str, str], str]:
    """Return, per attribute and value, the edge case."""
    found = {}
    for word in words:
        attribute, colon, rest = word.partition(":")
        value, equals, case = rest.partition("=")
        if not (attribute and colon and value and equals and case):
            raise Usage(
                "usage",
                f"--edge-case-from {word!r}, expected ATTRIBUTE:VALUE=EDGE_CASE",
                hint="--edge-case-from occluded:partially=partially_occluded",
            )
        found[attribute, value] = case
    return found


def _case_of(attributes: str, rules: Mapping[tuple[str, str], str]) -> str | None:
    document = json.loads(attributes)
    for (name, value), case in rules.items():
        own = document.get(name)
        if (own if isinstance(own, str) else json.dumps(own)) == value:
            return case
    return None


def _version(schema: LabelSchema) -> tuple[int, ...]:
    return tuple(int(part) for part in schema.version.split("."))


def _named(numbers: Sequence[int]) -> str:
    told = ", ".join(str(number) for number in numbers[:_MOST_NAMED])
    more = f" and {len(numbers) - _MOST_NAMED:,} more" if len(numbers) > _MOST_NAMED else ""
    return f"annotation{'s' if len(numbers) > 1 else ''} {told}{more}"
