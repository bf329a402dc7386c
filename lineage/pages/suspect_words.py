"""Suspects in words: one sentence that a tired person understands."""

from __future__ import annotations

from collections.abc import Mapping

from lineage.pages.suspect_values import Slice, Suspected

PEOPLE = ("annotator", "reviewer")
"""Dimensions whose values are people."""

_NONE = "none"
_SAID = {
    "class": "of class {}",
    "annotator": "by {}",
    "batch": "in batch {}",
    "schema": "under {}",
    "stage": "in stage {}",
    "week": "of week {}",
    "tool": "that came in as {}",
    "reviewer": "reviewed by {}",
    "vendor": "of vendor {}",
}
_NOBODY = {"reviewer": "that nobody reviewed", "vendor": "of no vendor"}


def slice_words(slice_: Slice, names: Mapping[str, str] | None = None) -> str:
    """Return a slice in words.

    Parameters
    ----------
    slice_
        Value by dimension.
    names
        The name to show of each pseudonym.

    Examples
    --------
    >>> slice_words({"annotator": "ada", "class": "car", "batch": "w2"})
    'labels of class car by ada in batch w2'
    >>> slice_words({"reviewer": "none"})
    'labels that nobody reviewed'
    """
    words = ["labels"]
    for name, said in _SAID.items():
        if name not in slice_:
            continue
        value = slice_[name]
        if value == _NONE and name in _NOBODY:
            words.append(_NOBODY[name])
        else:
            shown = (names or {}).get(value, value) if name in PEOPLE else value
            words.append(said.format(shown))
    return " ".join(words)


def percent(share: float) -> str:
    """Return a share in per cent.

    Examples
    --------
    >>> percent(0.614), percent(0.001)
    ('61 %', 'below 1 %')
    """
    return "below 1 %" if 0 < share < 0.005 else f"{share * 100:.0f} %"


def sentence(one: Suspected, mode: str, names: Mapping[str, str] | None = None) -> str:
    """Return what is held against a suspect.

    Parameters
    ----------
    one
        The suspect.
    mode
        ``new_labels``, ``linked`` or ``gold``.
    names
        The name to show of each pseudonym.
    """
    whom = slice_words(one.slice, names)
    n = f"{one.n_changed:,}"
    if mode == "gold" or one.effect is None:
        return f"{whom}: gold became worse where many of their {n} changes lie"
    least = "" if one.effect_lo is None else f" (at least {one.effect_lo:.2f})"
    size = f"{abs(one.effect):.2f}"
    if mode == "new_labels":
        more = "more" if one.effect >= 0 else "less"
        told = f"the good model contradicts {size} {more} of their {n} changed ones{least} than is usual for these classes"
        return f"{whom}: {told}{_of_all(one, 'of all that it contradicts')}"
    way = "rose" if one.effect >= 0 else "fell"
    told = f"errors on their {n} changed ones {way} by {size}{least}"
    return f"{whom}: {told}{_of_all(one, 'of all that became worse')}"


def _of_all(one: Suspected, what: str) -> str:
    return "" if one.share is None else f", {percent(one.share)} {what}"


def aliases_words(one: Suspected, names: Mapping[str, str] | None = None) -> str:
    """Return which other slices a suspect cannot be told from; empty for none."""
    if not one.aliases:
        return ""
    told = "; or ".join(slice_words(alias, names) for alias in one.aliases)
    return f"Cannot be told apart from: {told}. They are nearly the same changed labels."
