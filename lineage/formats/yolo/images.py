"""What an image is called and how large it is: fractions mean nothing without its size."""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from lineage.formats import ReadOptions
from lineage.formats.names import asset_name
from lineage.formats.yolo.aside import Recorded
from lineage.formats.yolo.listing import Listing
from lineage.formats.yolo.naming import SUFFIXES, names

_SWAPPED = (5, 6, 7, 8)
_ORIENTATION = 0x0112
_UNREADABLE = (OSError, ValueError, SyntaxError, OverflowError, struct.error)


class Known(NamedTuple):
    """An image (a tuple: one is made for every label file).

    ``problem`` is the rule that its labels break, or None: ``asset-name``, ``ambiguous-image``,
    ``image-size-unknown``. Where ``is_named`` is False even the name is not known whole, for only
    the label file is there.
    """

    name: str
    uri: str | None
    width: int | None
    height: int | None
    problem: str | None
    is_named: bool = True
    digest: str | None = None


class Images:
    """Names and sizes of a folder's images.

    Parameters
    ----------
    root
        The folder.
    options
        Sizes that the caller knows.
    recorded
        What our own side file says.
    shared
        Hashes of names that several images would have.
    splits
        Folders that are no part of a name.
    """

    def __init__(
        self,
        root: Path,
        options: ReadOptions,
        recorded: Recorded,
        *,
        shared: frozenset[int],
        splits: frozenset[str],
    ) -> None:
        self._root = root
        self._size_of = options.size_of
        self._recorded = recorded
        self._shared = shared
        self._splits = splits

    def of_labels(self, labels: Sequence[str], listing: Listing) -> list[Known]:
        """Return the image of each label file."""
        with _without_bombs():
            return [self._of_label(label, listing) for label in labels]

    def of_images(self, images: Sequence[str]) -> list[Known]:
        """Return what is known of images by their paths within the folder."""
        with _without_bombs():
            return [self._of_image(image) for image in images]

    def _of_label(self, label: str, listing: Listing) -> Known:
        image = listing.image_of.get(label)
        if image is not None:
            found = self._of_image(image)
            is_rival = label in listing.rivals
            return found._replace(problem="ambiguous-image", is_named=False) if is_rival else found
        candidates = self._candidates(label.removesuffix(".txt"))
        for candidate in candidates:
            exact = self._size_of(candidate)
            if exact is not None:
                return _checked(candidate, None, exact)
            sizes = {
                candidate + suffix: size
                for suffix in SUFFIXES
                if (size := self._size_of(candidate + suffix)) is not None
            }
            if len(sizes) > 1:
                return Known(candidate, None, None, None, "ambiguous-image", is_named=False)
            for name, size in sizes.items():
                return _checked(name, None, size)
        return Known(candidates[0], None, None, None, "image-size-unknown", is_named=False)

    def _of_image(self, image: str) -> Known:
        size = size_of_file(f"{self._root}/{image}")
        recorded = self._recorded.of(image)
        if recorded is not None:
            name, noted, digest = recorded
            found = _checked(name, image, size or self._size_of(name) or noted)
            return found._replace(digest=digest)
        candidates = self._candidates(image)
        for candidate in candidates:
            known = self._size_of(candidate)
            if known is not None:
                return _checked(candidate, image, size or known)
        return _checked(candidates[0], image, size)

    def _candidates(self, path: str) -> list[str]:
        found = names(path, self._splits)
        return [name for name in dict.fromkeys(found) if hash(name) not in self._shared] or [path]


def _checked(name: str, uri: str | None, size: tuple[int, int] | None) -> Known:
    width, height = size or (None, None)
    plain = asset_name(name)
    problem = None if size else "image-size-unknown"
    if plain is None:
        return Known(name, uri, width, height, "asset-name", is_named=False)
    return Known(plain, uri if uri != plain else None, width, height, problem)


def size_of_file(path: str) -> tuple[int, int] | None:
    """Return an image file's width and height in px as it is shown, None where it cannot be read.

    Notes
    -----
    Only the header is read. A photograph that its camera marked as turned is shown turned, and that is
    how it was labelled: the trainer's loader swaps the sides too.
    """
    if not os.path.exists(path):
        return None
    from PIL import Image

    try:
        with Image.open(path) as image:
            width, height = image.size
            if image.format == "JPEG" and image.getexif().get(_ORIENTATION) in _SWAPPED:
                width, height = height, width
    except (*_UNREADABLE, Image.DecompressionBombError):
        return None
    return (width, height) if width > 0 and height > 0 else None


@contextmanager
def _without_bombs() -> Iterator[None]:
    # no pixel is decoded, so a large image is no danger and worth no warning
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=Warning, module=r"PIL\..*")
        yield
