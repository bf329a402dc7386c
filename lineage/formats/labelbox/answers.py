"""Questions and answers: attributes of a shape, or classes of the whole image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lineage.formats.labelbox.elements import Answer, Classification

_PATH = " / "


def attributes(asked: Sequence[Classification], within: str = "") -> dict[str, object]:
    """Return the answers by question.

    A radio answer is its option's name, a checklist the list of them, free text the text. What an
    option asks further stands under the path to it: ``"damage / dented / side"``.
    """
    found: dict[str, object] = {}
    for one in asked:
        name = within + one.question
        value = _value(one)
        if name in found and value is not None:
            # asked twice: both answers are kept
            value = [*_listed(found[name]), *_listed(value)]
        if value is not None:
            found[name] = value
        for answer in options(one):
            if answer.classifications:
                found |= attributes(
                    answer.classifications, f"{name}{_PATH}{label_of(answer)}{_PATH}"
                )
    return found


def options(asked: Classification) -> Iterator[Answer]:
    """Yield the options that were chosen."""
    if asked.radio_answer is not None:
        yield asked.radio_answer
    yield from asked.checklist_answers or ()


def label_of(answer: Answer) -> str:
    """Return an option's name, as people see it."""
    return answer.name or answer.value or ""


def _value(asked: Classification) -> object:
    if asked.radio_answer is not None:
        return label_of(asked.radio_answer)
    if asked.checklist_answers is not None:
        return [label_of(answer) for answer in asked.checklist_answers]
    return None if asked.text_answer is None else asked.text_answer.content


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
