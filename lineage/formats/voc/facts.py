"""What an object says besides its place: attributes, a score, and whatever else stands there."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from xml.etree.ElementTree import Element

from lineage.formats.voc import ours
from lineage.formats.voc.document import plain
from lineage.formats.voc.shapes import PLACES

FLAGS = ("difficult", "truncated", "occluded")
POSE = "pose"
PART = "part"
_VOICED = (POSE, *FLAGS)
_BOOLEANS = {"0": False, "1": True, "false": False, "true": True}
_SCORES = ("score", "confidence")
READ = frozenset({"name", "attributes", ours.TAG, *_VOICED, *PLACES})
"""Tags of an object that have a column, or a place in one."""

_ONCE = ("name", "bndbox", "robndbox", "attributes", ours.TAG, *_VOICED)
_MAX_KEPT = 4096


class Attributes:
    """Attribute documents, one text for each distinct one of the common kind.

    Parameters
    ----------
    losses
        Where what cannot be kept is counted.
    """

    def __init__(self, losses: Counter[str]) -> None:
        self.losses = losses
        self._known: dict[tuple[object, ...], str] = {}

    def plain(self, given: Mapping[str, Element]) -> str:
        """Return the attributes of an object that has VOC's own elements only, each once, by tag."""
        key = tuple([given[tag].text if tag in given else None for tag in _VOICED])
        text = self._known.get(key)
        if text is None:
            said = zip(_VOICED, key, strict=True)
            text = ours.dumps(_named({tag: t.strip() for tag, t in said if t is not None}))
            if len(self._known) < _MAX_KEPT:
                self._known[key] = text
        return text

    def of(self, given: Mapping[str, Element], filled: frozenset[str]) -> str:
        """Return the attributes of any object, leaving out those that stand there for trainers."""
        said = {tag: (given[tag].text or "").strip() for tag in _VOICED if tag in given}
        named = [
            (child.find("name"), child.find("value"))
            for child in given.get("attributes", ())
            if child.tag == "attribute"
        ]
        key = (filled, *said.items(), *[_texts(name) + _texts(value) for name, value in named])
        text = self._known.get(key)
        if text is not None:
            return text
        found = _named(
            {tag: s for tag, s in said.items() if tag not in filled or s != ours.UNSAID.get(tag)}
        )
        n_repeated = 0
        for name, value in named:
            word_ = ours.text_of(name)
            n_repeated += word_ in found
            found[word_] = "" if value is None else ours.value_of(value)
        text = ours.dumps(found)
        self.losses["repeated-attribute"] += n_repeated
        # what counts a loss has to count it each time
        if n_repeated == 0 and len(self._known) < _MAX_KEPT:
            self._known[key] = text
        return text


def _texts(element: Element | None) -> tuple[str | None, str | None]:
    return (None, None) if element is None else (element.text, element.get("type"))


def score_of(given: Mapping[str, Element]) -> tuple[float | None, str | None]:
    """Return how sure a model was, and the tag that says so; None where the object does not say."""
    for tag in _SCORES:
        if tag not in given:
            continue
        try:
            score = float(given[tag].text or "")
        except ValueError:
            continue
        if math.isfinite(score):
            return score, tag
    return None, None


def repeated(element: Element) -> str | None:
    """Return the tag of what may stand once and stands several times, None where nothing does."""
    return next((tag for tag in _ONCE if len(element.findall(tag)) > 1), None)


def others_of(element: Element, *, read: str | None) -> dict[str, object]:
    """Return an object's elements that have no column, as JSON; ``read`` is one more that has.

    Parts are a list throughout, for one body has several.
    """
    found: dict[str, object] = {f"@{name}": value for name, value in element.attrib.items()}
    groups: dict[str, list[object]] = {}
    for child in element:
        # roLabelImg says beforehand which place follows
        is_kind = child.tag == "type" and (child.text or "").strip() in PLACES
        if child.tag not in READ and child.tag != read and not is_kind:
            groups.setdefault(child.tag, []).append(plain(child))
    return found | {
        tag: values[0] if len(values) == 1 and tag != PART else values
        for tag, values in groups.items()
    }


def _named(texts: Mapping[str, str]) -> dict[str, object]:
    """Return VOC's own attributes: flags are yes or no, and what is neither stays the text it is."""
    return {
        tag: text if tag == POSE else _BOOLEANS.get(text.lower(), text)
        for tag, text in texts.items()
        if text
    }
