"""What `write` puts into a file for `read` alone: ``<lineage>``, in each object and in the root.

Other readers pass it by. Of an object it holds the provenance; of the image its full name where
``<filename>`` cannot, its digest, how coordinates are meant, and how far it is labelled.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from xml.etree.ElementTree import Element

from lineage.formats.names import asset_name, moment
from lineage.terms import Completeness, Origin

TAG = "lineage"
WORDS = (
    "annotation",
    "revision",
    "annotator",
    "batch",
    "schema",
    "stage",
    "labelled_at",
    "origin",
)
"""What ``<lineage>`` says of an object."""

UNSAID = {"pose": "Unspecified", "truncated": "0", "difficult": "0"}
"""What trainers want to find in every object, and what stands there where nobody said it."""

AS_JSON = "json"
"""The ``type`` of an element whose text is JSON: white space and types survive in it."""

_IN_COLUMNS = ("annotation", "annotator", "labelled_at", "origin")
_COUNTED = ("annotation", "revision")
_ORIGINS = frozenset(origin.value for origin in Origin)
_STATES = {state.value: state for state in Completeness}
_WEAKEST_FIRST = (
    Completeness.NOT_STARTED,
    Completeness.SKIPPED,
    Completeness.IN_PROGRESS,
    Completeness.COMPLETE,
    Completeness.COMPLETE_EMPTY,
)
_MAX_BRACKETS = 200
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a file of ours says of one object; empty for all others.

    Parameters
    ----------
    told
        By the words of `WORDS`.
    filled
        Tags that stand in the object for trainers only.
    rotation_deg
        The angle of a turned box as the ledger has it.
    labelled_at
        When the annotator did it; None where that names no zone.
    """

    told: Mapping[str, str] = field(default_factory=dict)
    filled: frozenset[str] = frozenset()
    rotation_deg: float | None = None
    labelled_at: datetime | None = None

    @property
    def annotation(self) -> int | None:
        """The ledger's own number."""
        return natural(self.told.get("annotation", ""))

    @property
    def origin(self) -> str | None:
        """How the label came to be."""
        origin = self.told.get("origin")
        return origin if origin in _ORIGINS else None

    def rest(self) -> dict[str, object]:
        """Return what has no column of its own."""
        found: dict[str, object] = {}
        for name in WORDS:
            if name in self.told and name not in _IN_COLUMNS:
                number = natural(self.told[name]) if name in _COUNTED else None
                found[name] = self.told[name] if number is None else number
        return found


NOTHING = Provenance()


@dataclass(frozen=True, slots=True)
class Written:
    """What a file of ours says of its image.

    Parameters
    ----------
    asset
        The image's whole name, None where it may not have it.
    pixel_base
        Number of the first pixel, None where it does not say.
    digest
        Of the image's bytes.
    states
        By class, None for all of them: how far the image is, and the reason of a skip.
    n_unread
        States that are no words of ours.
    """

    asset: str | None
    pixel_base: int | None
    digest: str | None
    states: Mapping[str | None, tuple[Completeness, str | None]]
    n_unread: int


def written_of(root: Element, filename: str) -> Written | None:
    """Return what `write` said about an image, None in a file that is not ours."""
    ours = root.find(TAG)
    if ours is None:
        return None
    asset = text_of(ours.find("asset")) or filename
    base = natural(text_of(ours.find("pixel_base")))
    states: dict[str | None, tuple[Completeness, str | None]] = {}
    n_unread = 0
    for said in ours.iterfind("completeness"):
        state = _STATES.get(said.get("state", ""))
        if state is None:
            n_unread += 1
            continue
        class_ = said.get("class")
        known = states.get(class_)
        # batches may differ; what the least of them allows is all that holds for the file's labels
        if known is None or _weight(state) < _weight(known[0]):
            states[class_] = (state, said.get("reason"))
    return Written(
        asset if asset_name(asset) is not None else None,
        base if base in (0, 1) else None,
        text_of(ours.find("digest")) or None,
        states,
        n_unread,
    )


def provenance_of(ours: Element | None) -> Provenance:
    """Return what `write` said about an object, from its own element there."""
    if ours is None:
        return NOTHING
    told = {
        child.tag: text_of(child) if child.attrib else (child.text or "").strip() for child in ours
    }
    try:
        rotation = float(told.get("rotation_deg", "nan"))
    except ValueError:
        rotation = math.nan
    return Provenance(
        {name: text for name, text in told.items() if text},
        frozenset(told.get("filled", "").split()),
        rotation if math.isfinite(rotation) else None,
        moment(told.get("labelled_at")),
    )


def dumps(document: object) -> str:
    """Return JSON in its canonical form."""
    return _ENCODER.encode(document)


def natural(text: str) -> int | None:
    """Return a number that fits the ledger, None for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def text_of(element: Element | None) -> str:
    """Return an element's text, without white space around it or as JSON has it."""
    value = "" if element is None else value_of(element)
    return value if isinstance(value, str) else dumps(value)


def value_of(element: Element) -> object:
    """Return an element's value: its text, or what the text is as JSON where it says that it is."""
    text = (element.text or "").strip()
    # what the ledger's own JSON could not hold is left as the text it is
    if element.get("type") != AS_JSON or text.count("[") + text.count("{") > _MAX_BRACKETS:
        return text
    try:
        value: object = json.loads(text)
        _ENCODER.encode(value).encode("utf-8")
    except ValueError:
        return text
    return value


def _weight(state: Completeness) -> int:
    return _WEAKEST_FIRST.index(state)
