"""The image that a row is about: whether it is one, its name, its size."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from lineage.formats.labelbox.elements import Annotations, DataRow, Label, Media, Row
from lineage.formats.names import asset_name, is_image

_OTHER = re.compile(r"\.(mp4|mov|avi|webm|mp3|wav|pdf|txt|html?|json|csv|dcm|eml)$", re.IGNORECASE)
_SECRETS = re.compile(r"(^|[-_])(signature|sig|token|expires|credential|key-?name)$", re.IGNORECASE)
_OWN_STORE = "storage.labelbox.com"


def name_of(row: DataRow) -> tuple[str | None, str | None]:
    """Return an image's name and its address.

    Of ``external_id``, ``global_key`` and ``row_data`` the first that ends like an image file names it, else the
    first that is there. Addresses in Labelbox's own store name an image only where nothing else
    does: their last part has a random prefix.

    Returns
    -------
    tuple
        The name, None where the row has none; the address without keys that give access.
    """
    uri = None if row.row_data is None else _without_secrets(row.row_data)
    given = [text for text in (row.external_id, row.global_key) if text]
    ranked = [text for text in given if is_image(_path(text))]
    if not ranked and uri and is_image(_path(uri)) and urlsplit(uri).netloc != _OWN_STORE:
        ranked = [uri]
    for text in (*ranked, *given, *([uri] if uri else ())):
        name = asset_name(text)
        if name is not None:
            return name, uri
    return None, uri


def medium_of(row: Row, labels: list[Label]) -> str | None:
    """Return what a row is about where that is no image, None for images."""
    media, data = row.media_attributes, row.data_row
    if media is not None and media.asset_type and media.asset_type.lower() != "image":
        return media.asset_type
    if media is not None and media.mime_type and not media.mime_type.lower().startswith("image/"):
        return media.mime_type
    text = "" if data is None or data.row_data is None else data.row_data.lstrip()
    if text.startswith(("{", "[")):
        return "tiled imagery or a conversation"
    for label in labels:
        found = None if label.annotations is None else _medium_of(label.annotations)
        if found is not None:
            return found
    if media is not None and (media.mime_type or media.asset_type):
        return None
    named = (text, "" if data is None else data.external_id or "")
    ending = next((e for e in map(_OTHER.search, map(_path, named)) if e is not None), None)
    return None if ending is None else f"a file that ends in {ending[0]}"


def size_of(media: Media | None) -> tuple[int | None, int | None]:
    """Return width and height in px, None where unknown."""
    if media is None:
        return None, None
    return _whole(media.width), _whole(media.height)


def _medium_of(annotations: Annotations) -> str | None:
    if annotations.frames is not None or isinstance(annotations.objects, dict):
        return "a video"
    if annotations.segments is not None:
        return "a video or a recording"
    if annotations.groups is not None:
        return "a stack of slices"
    for found in annotations.objects[:1]:
        kind = found.annotation_kind
        if found.page_number is not None:
            return "a document"
        if kind is not None and not kind.startswith("Image"):
            return f"something that bears {kind}"
    return None


def _whole(side: float | None) -> int | None:
    return int(side) if side is not None and 0 < side < 2**31 and side == int(side) else None


def _path(text: str) -> str:
    return urlsplit(text).path if "://" in text else text


def _without_secrets(uri: str) -> str:
    """Drop a query that opens the file to whoever has it; it changes with every export, too."""
    if "?" not in uri or "://" not in uri:
        return uri
    keys = [key for key, _ in parse_qsl(urlsplit(uri).query, keep_blank_values=True)]
    return uri.partition("?")[0] if any(map(_SECRETS.search, keys)) else uri
