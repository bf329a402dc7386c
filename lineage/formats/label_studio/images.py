"""The image that a task is about, under whatever key its address stands."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lineage.formats.names import is_image

_IMAGE_KEYS = ("image", "img", "image_url", "url", "picture", "photo")
_OTHER_KEYS = frozenset(
    {"text", "audio", "video", "html", "pdf", "csv", "chat", "dialog", "dialogue", "prompt"}
)
_OTHER = re.compile(
    r"\.(mp4|mov|avi|webm|mkv|mp3|wav|flac|ogg|pdf|txt|html?|json|csv)$", re.IGNORECASE
)


def address_of(data: Mapping[str, object]) -> tuple[str | None, str | None]:
    """Return the image's address, or else what the task is about.

    A key that means an image comes first, then the only value that looks like one; then the only
    text there is, if it may be a file's name.
    """
    texts = {key: value for key, value in data.items() if isinstance(value, str) and value}
    for key in _IMAGE_KEYS:
        if key in texts:
            ending = _OTHER.search(_path(texts[key]))
            return (texts[key], None) if ending is None else (None, f"a {ending[1].lower()} file")
    images = [text for text in texts.values() if is_image(_path(text)) or "/data/" in text]
    if len(images) == 1:
        return images[0], None
    if images:
        return None, f"{len(images)} images"
    if len(texts) == 1:
        ((key, text),) = texts.items()
        is_name = not any(sign.isspace() for sign in text) and _OTHER.search(_path(text)) is None
        if is_name and key.lower() not in _OTHER_KEYS:
            return text, None
    return None, f"data with the keys {sorted(data)[:8]}"


def _path(address: str) -> str:
    return address.partition("?")[0] if "?d=" not in address else address
