"""How far images are: what LVIS says class by class, and what `write` put on each image.

LVIS looks for some classes in each image only. ``neg_category_ids`` are those that were looked
for and are not there, ``not_exhaustive_category_ids`` those of which not every instance is labelled; of
all others without an annotation nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lineage.formats.coco.elements import Id, Image
from lineage.terms import Completeness

KEYS = (b'"neg_category_ids"', b'"not_exhaustive_category_ids"', b'"completeness"')
"""The keys that say it: a group of images without any of these needs no look."""

_STATES = {state.value: state for state in Completeness}
_OF_CLASSES = (
    ("neg_category_ids", Completeness.COMPLETE_EMPTY),
    ("not_exhaustive_category_ids", Completeness.IN_PROGRESS),
)

Said = tuple[str | None, Completeness, str | None]


def said_of(
    image: Image, class_of: Mapping[Id, int], classes: Sequence[str]
) -> tuple[list[Said], int]:
    """Return what an image says, and how many of its words mean nothing.

    Parameters
    ----------
    image
        The image.
    class_of
        Number of a class by category id.
    classes
        Names of classes by number.

    Returns
    -------
    list of tuple
        Class, None for all of them; state; reason.
    int
        Category ids that no category has, and rows that are none of ours.
    """
    found: list[Said] = []
    n_unread = 0
    for name, state in _OF_CLASSES:
        for key in _listed(getattr(image, name)):
            number = class_of.get(key) if isinstance(key, (int, str)) else None
            if number is None:
                n_unread += 1
            else:
                found.append((classes[number], state, None))
    for row in _listed(image.completeness):
        said = _said(row)
        if said is None:
            n_unread += 1
        else:
            found.append(said)
    return found, n_unread


def _listed(value: object) -> Iterator[object]:
    if isinstance(value, list):
        yield from value


def _said(row: object) -> Said | None:
    if not isinstance(row, dict):
        return None
    class_, state, reason = row.get("class"), row.get("state"), row.get("reason")
    if not isinstance(state, str) or state not in _STATES:
        return None
    if class_ is not None and not isinstance(class_, str):
        return None
    return class_, _STATES[state], reason if isinstance(reason, str) else None
