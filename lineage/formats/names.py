"""How tools address images, and the one name an image has in the ledger."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote, urlsplit

_UPLOAD = re.compile(r"^/?(?:.*/)?data/upload/(?:\d+/)?(?:[0-9a-f]{8}-)?(.+)$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"^[A-Za-z]:[\\/]")
_IMAGE = re.compile(r"\.(?:png|jpe?g|bmp|gif|tiff?|webp|jp2|p[gp]m)$", re.IGNORECASE)
_CLOUD = ("s3", "gs", "azure-blob", "azure", "abfs", "abfss", "hdfs")


def asset_name(uri: str) -> str | None:
    """Return the name of the image that a tool addresses as ``uri``, None where it may have none.

    Notes
    -----
    Uploads lose the folder and the random prefix that Label Studio gives them (which is no hash of
    the file), local files their query, web addresses their host; cloud addresses stay whole, for
    two buckets may hold one key. Names that climb out of a folder, name a drive or hold control
    characters are none.
    """
    if _CONTROL.search(uri) or _DRIVE.match(uri):
        return None
    parts = urlsplit(uri) if "://" in uri or uri.startswith("/data/") else None
    if parts is not None and parts.scheme in _CLOUD:
        name = uri
    elif parts is not None and parts.path.endswith("/data/local-files/"):
        name = parse_qs(parts.query).get("d", [""])[0]
    elif parts is not None and (found := _UPLOAD.match(unquote(parts.path))):
        name = found[1]
    elif parts is not None:
        name = unquote(parts.path)
    else:
        name = uri
    name = name.replace("\\", "/")
    if "://" not in name:
        name = re.sub(r"^(?:\./)+", "", name).lstrip("/")
    if not name or ".." in name.split("/"):
        return None
    return name


def is_image(name: str) -> bool:
    """Tell whether a file is an image by the ending of its name.

    Notes
    -----
    By name because a folder may hold millions: opening each would take longer than the labels.
    """
    return _IMAGE.search(name) is not None


def moment(text: object) -> datetime | None:
    """Return an ISO 8601 time that names its zone as aware UTC, None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        return None if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError:
        return None
