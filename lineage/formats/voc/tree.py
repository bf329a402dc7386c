"""The files of a VOC folder, whatever its layout: the devkit's, a flat one, one folder for each split.

Folders are walked in order of names, so the same folder always gives the same rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from lineage.formats.sources import walk

ANNOTATIONS = "Annotations"
IMAGE_SETS = "ImageSets/Main"
_MASKS = ("SegmentationClass", "SegmentationObject")
_FLAGS = ("-1", "0", "1")
_LINE_CHARACTERS = 4096


class Document(NamedTuple):
    """An XML file: what the system calls it, and what tables do."""

    path: str
    file: str | None


@dataclass(slots=True)
class Tree:
    """A folder of VOC files.

    Parameters
    ----------
    root
        The folder.
    n_masks
        Images of the devkit's segmentations that were passed by so far.
    """

    root: Path
    n_masks: int = 0
    _lists: dict[str, list[str]] = field(default_factory=dict)

    def documents(self) -> Iterator[Document]:
        """Yield every XML file of the folder."""
        for entry in walk(self.root):
            path = entry.path
            if entry.passed_over is not None:
                continue
            ending = path[-4:].lower()
            if ending == ".xml":
                shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
                yield Document(os.path.join(self.root, path), shown)
            elif ending == ".txt" or ending == ".png":
                folder, _, name = path.rpartition("/")
                if folder.rpartition("/")[2] in _MASKS:
                    self.n_masks += 1
                elif folder == IMAGE_SETS or folder.endswith("/" + IMAGE_SETS):
                    self._lists.setdefault(folder, []).append(name.removesuffix(".txt"))

    def unlabelled(self) -> Iterator[str]:
        """Yield, once each, the images that image sets name and that have no XML file.

        To be asked when `documents` is through.
        """
        known: set[str] = set()
        for folder, sets in self._lists.items():
            home = os.path.join(self.root, folder.removesuffix(IMAGE_SETS), ANNOTATIONS)
            # without the devkit's folder nobody can tell which file an image would have
            if not os.path.isdir(home):
                continue
            for name in _members(os.path.join(self.root, folder), sets):
                if name not in known and not os.path.exists(os.path.join(home, f"{name}.xml")):
                    known.add(name)
                    yield name


def _members(folder: str, sets: list[str]) -> Iterator[str]:
    """Yield the names in a folder's image sets, leaving out its lists of one class each."""
    for name in sets:
        is_of_class = any(name.endswith(f"_{other}") for other in sets)
        path = os.path.join(folder, f"{name}.txt")
        with open(path, encoding="utf-8", errors="replace") as file:
            while line := file.readline(_LINE_CHARACTERS):
                member = line.strip()
                if not member or member.startswith("#"):
                    continue
                if is_of_class and member.rpartition(" ")[2] in _FLAGS:
                    break
                yield member
