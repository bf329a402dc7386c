"""Paths within a YOLO folder as text: which label file is an image's, and what the image is called."""

from __future__ import annotations

import re

SPLITS = frozenset({"train", "val", "valid", "validation", "test", "minival"})
LABEL_FOLDERS = frozenset({"labels", "labelTxt", "annotations", "Annotations"})
SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".JPG", ".JPEG", ".PNG",
)  # fmt: skip
"""Endings to try on an image of which only the label file is there."""

_DARKNET = re.compile(r"obj_(.+)_data")
_DRIVE = re.compile(r"^[A-Za-z]:")


def label_path(image: str) -> str:
    """Return the label file of an image, both as paths within the folder.

    Notes
    -----
    The rule of the trainer's own loader: the last folder ``images`` becomes ``labels``, else the file
    lies beside the image.

    Examples
    --------
    >>> label_path("images/train/a.b.jpg")
    'labels/train/a.b.txt'
    >>> label_path("images/train/images/a.jpg")
    'images/train/labels/a.txt'
    >>> label_path("obj_train_data/a.png")
    'obj_train_data/a.txt'
    """
    head, mark, tail = f"/{image}".rpartition("/images/")
    moved = f"{head}/labels/{tail}" if mark else f"/{image}"
    folder, _, name = moved[1:].rpartition("/")
    stem = name.rpartition(".")[0] or name
    return f"{folder}/{stem}.txt" if folder else f"{stem}.txt"


def is_label_path(path: str) -> bool:
    """Tell whether a text lies in a folder that holds nothing but labels."""
    return any(
        part in LABEL_FOLDERS or _DARKNET.fullmatch(part) is not None
        for part in path.split("/")[:-1]
    )


def order(path: str) -> str:
    """Return the key that puts paths in the order in which folders are walked."""
    return path.replace("/", "\0")


def cleaned(told: str) -> list[str]:
    r"""Return the parts of a path that stays inside: no root, no drive, nothing that climbs.

    Examples
    --------
    >>> cleaned("C:\\sets\\coco\\images/a.jpg")
    ['sets', 'coco', 'images', 'a.jpg']
    >>> cleaned("../valid/./images")
    ['valid', 'images']
    """
    parts = _DRIVE.sub("", told.strip()).replace("\\", "/").split("/")
    while ".." in parts:
        parts = parts[parts.index("..") + 1 :]
    return [part for part in parts if part not in ("", ".")]


def names(path: str, splits: frozenset[str] = SPLITS) -> tuple[str, str, str]:
    """Return what an image may be called, the best first: without its split, with it, as a path.

    Parameters
    ----------
    path
        Of the image, or of its label file without ``.txt``.
    splits
        Folders that are no part of a name.

    Examples
    --------
    >>> names("images/train/cam1/a.jpg")
    ('cam1/a.jpg', 'train/cam1/a.jpg', 'images/train/cam1/a.jpg')
    >>> names("valid/images/a.jpg")
    ('a.jpg', 'valid/a.jpg', 'valid/images/a.jpg')
    >>> names("data/obj_train_data/a.jpg")
    ('a.jpg', 'train/a.jpg', 'data/obj_train_data/a.jpg')
    """
    parts = path.split("/")
    for at in range(len(parts) - 2, -1, -1):
        before, rest = parts[:at], parts[at + 1 :]
        darknet = _DARKNET.fullmatch(parts[at])
        if darknet:
            return "/".join(rest), "/".join([darknet[1], *rest]), path
        if parts[at] == "images" or parts[at] in LABEL_FOLDERS:
            full = "/".join([*before, *rest])
            if before and before[-1] in splits:
                return "/".join([*before[:-1], *rest]), full, path
            if len(rest) > 1 and rest[0] in splits:
                return "/".join([*before, *rest[1:]]), full, path
            return full, full, path
    return path, path, path
