"""A COCO file's elements as `msgspec` types: the standard keys, and room for all others."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from lineage.formats.json_stream import Odd, decode_group

Id = int | str | None
T = TypeVar("T")

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class Rle(msgspec.Struct):
    """A mask: ``size`` is height and width."""

    size: tuple[int, int]
    counts: str | list[int]


class Image(msgspec.Struct, omit_defaults=True, gc=False):
    """An image; everything but its id may be missing."""

    id: Id = None
    file_name: str | None = None
    width: float | None = None
    height: float | None = None
    # what LVIS and what `write` say of how far an image is; read by `states`
    neg_category_ids: object = None
    not_exhaustive_category_ids: object = None
    completeness: object = None


class Category(msgspec.Struct):
    """A class."""

    id: Id = None
    name: str | None = None


class Plain(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """An annotation that holds the format's own keys and no others: most do."""

    id: Id = None
    image_id: Id = None
    category_id: Id = None
    bbox: list[float] | None = None
    segmentation: list[list[float]] | Rle | None = None
    area: float | None = None
    iscrowd: int | bool | None = None
    ignore: int | bool | None = None
    keypoints: list[float] | None = None
    num_keypoints: int | None = None


class Annotation(Plain, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """An annotation with keys that exporters add; unknown ones come by way of `decoded`."""

    score: float | None = None
    attributes: dict[str, object] | None = None
    attributions: dict[str, object] | None = None
    annotator: str | int | None = None
    created_by: str | int | None = None
    updated_by: str | int | None = None
    created_at: str | None = None
    updated_at: str | None = None
    labelled_at: str | None = None
    annotated_at: str | None = None
    # not a key of the format: what the element holds besides, as found
    others: dict[str, object] | None = msgspec.field(default=None, name="(others)")


class _Open(Annotation, forbid_unknown_fields=False, omit_defaults=True, gc=False):
    """The same, deaf to further keys."""


_KNOWN = frozenset(field.encode_name for field in msgspec.structs.fields(Annotation)) - {"(others)"}
_ESSENTIAL = ("id", "image_id", "category_id", "bbox", "segmentation", "keypoints")
_PLAIN = msgspec.json.Decoder(list[Plain])
_STRICT = msgspec.json.Decoder(list[Annotation])
_DEAF = msgspec.json.Decoder(list[_Open])
_KEYED = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


def decoded(group: bytes, path: Path, index: int) -> Sequence[Plain | Odd]:
    """Decode a group of annotations, keys of the exporter's own kept in ``others``.

    All of a group are `Plain`, or all but the odd ones are `Annotation`.

    Raises
    ------
    BadInput
        ``unreadable-json`` or ``not-utf8``: the group is no JSON, whatever its elements.
    """
    for decoder in (_PLAIN, _STRICT):
        try:
            return decoder.decode(group)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    try:
        found = _DEAF.decode(group)
        for annotation, values in zip(found, _KEYED.decode(group), strict=True):
            unknown = values.keys() - _KNOWN
            if unknown:
                annotation.others = {k: msgspec.json.decode(values[k]) for k in sorted(unknown)}
        return found
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        elements = whole(group, dict, path, index)
    return [_annotation(element) for element in elements]


def whole(group: bytes, kind: type[T], path: Path, index: int) -> list[T | Odd]:
    """Decode as `decode_group` does; an element that holds half a surrogate pair is odd too.

    Python's parser lets such halves pass, and no UTF-8 file can hold them.
    """
    elements = decode_group(group, kind, path, index)
    if not _SURROGATE.search(group):
        return elements
    return [_encodable(element) for element in elements]


def _encodable(element: T | Odd) -> T | Odd:
    text = element.text if isinstance(element, Odd) else ""
    try:
        text.encode("utf-8")
        msgspec.json.encode(element)
    except UnicodeEncodeError:
        value = json.loads(text) if text else msgspec.to_builtins(element)
        return Odd(json.dumps(value), "half a surrogate pair, which is no text")
    return element


def text_of(annotation: Plain) -> str:
    """Return an annotation as JSON text, with the keys that no field holds."""
    found: dict[str, object] = msgspec.to_builtins(annotation)
    others = found.pop("(others)", None) and annotation.others  # type: ignore[attr-defined]
    return json.dumps(found | (others or {}), ensure_ascii=False)


def _annotation(element: dict[str, object] | Odd) -> Annotation | Odd:
    if isinstance(element, Odd):
        return element
    known = {name: value for name, value in element.items() if name in _KNOWN}
    others = {name: value for name, value in element.items() if name not in _KNOWN}
    try:
        found = msgspec.convert(known, Annotation)
    except msgspec.ValidationError:
        # a label is not lost for a time or a score of an unexpected form: that stays as found
        others |= {name: known.pop(name) for name in list(known) if not _fits(name, known[name])}
        try:
            found = msgspec.convert(known, Annotation)
        except msgspec.ValidationError as exc:
            return Odd(json.dumps(element, ensure_ascii=False), str(exc))
    found.others = others or None
    return found


def _fits(name: str, value: object) -> bool:
    if name in _ESSENTIAL:
        return True
    try:
        msgspec.convert({name: value}, Annotation)
    except msgspec.ValidationError:
        return False
    return True
