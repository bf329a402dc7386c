"""Where each image of a data set goes, which of them are listed for training, and which cannot go anywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.formats.yolo.naming import label_path, order
from lineage.terms import Completeness

_OF_IMAGE = ("asset", "asset_digest", "width", "height", "split")
_COMPLETE = (Completeness.COMPLETE.value, Completeness.COMPLETE_EMPTY.value)
_MAX_PART_BYTES = 200


@dataclass(slots=True)
class Places:
    """Images of a data set in the order of their label files.

    Parameters
    ----------
    asset, split, image, label
        Of each its name, its split, and where image and labels belong in the folder.
    size
        ndarray of float64, shape (n, 2): width and height, px; NaN where unknown.
    digest
        Of each, None where unknown.
    left_out
        Names of images that have no place.
    losses
        Why, counted.
    """

    asset: list[str] = field(default_factory=list)
    split: list[str] = field(default_factory=list)
    image: list[str] = field(default_factory=list)
    label: list[str] = field(default_factory=list)
    size: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    digest: list[str | None] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)
    losses: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        """Return the number of images that have a place."""
        return len(self.asset)


def places(labels: pa.Table, assets: pa.Table) -> Places:
    """Return where images go, those that only labels mention too."""
    found = Places()
    taken: dict[str, tuple[str, str, str, tuple[float, float], str | None]] = {}
    for asset, digest, width, height, split in _images(labels, assets):
        image = _image_path(asset, split)
        if image is None:
            found.losses["image-name"] += 1
            found.left_out.add(asset)
            continue
        label = label_path(image)
        # images are in order of their names, so the first of a stem is the same every time
        if label in taken:
            found.losses["image-of-same-stem"] += 1
            found.left_out.add(asset)
            continue
        nan = float("nan")
        size = (float(width), float(height)) if width and height else (nan, nan)
        taken[label] = (asset, split, image, size, digest)
    found.label = sorted(taken, key=order)
    rows = [taken[label] for label in found.label]
    for asset, split, image, _, digest in rows:
        found.asset.append(asset)
        found.split.append(split)
        found.image.append(image)
        found.digest.append(digest)
    found.size = np.array([size for _, _, _, size, _ in rows], np.float64).reshape(-1, 2)
    return found


def _images(
    labels: pa.Table, assets: pa.Table
) -> Iterator[tuple[str, str | None, int | None, int | None, str]]:
    tables = [
        pa.table(
            {
                name: table[name].cast(pa.string())
                if columns.DATASET.field(name).type == columns.WORD
                else table[name]
                for name in _OF_IMAGE
            }
        )
        for table in (assets, labels)
    ]
    grouped = pa.concat_tables(tables).group_by("asset", use_threads=False)
    rows = grouped.aggregate([(name, "first") for name in _OF_IMAGE[1:]]).sort_by("asset")
    lists = [rows["asset"], *(rows[f"{name}_first"] for name in _OF_IMAGE[1:])]
    yield from zip(*(column.to_pylist() for column in lists), strict=True)


def _image_path(asset: str, split: str) -> str | None:
    """Return where an image belongs, None where no list can name such a path.

    Notes
    -----
    A cloud address keeps its bucket as a folder. The trainer's loader breaks lists at every
    sign that ends a line, strips them, and puts the list's own folder in place of every ``./``.
    """
    path = "/".join(["images", *([split] if split else []), asset.replace("://", "/")])
    parts = path.split("/")
    is_plain = (
        "/" not in split
        and "\\" not in path
        and all(part not in ("", ".", "..") and not part.endswith(".") for part in parts)
        and not any(part[0].isspace() or part[-1].isspace() or part[0] == "." for part in parts)
        and len(path.splitlines()) == 1
        and "\0" not in path
        and ".txt/" not in path  # it might be another image's label file
    )
    if not is_plain:
        return None
    try:
        n_bytes = max(len(part.encode()) for part in parts)
    except UnicodeEncodeError:
        return None
    return path if n_bytes <= _MAX_PART_BYTES else None


def complete(completeness: pa.Table, classes: list[str]) -> tuple[set[str], set[str]]:
    """Return the images of which somebody spoke, and those that somebody called complete.

    Parameters
    ----------
    completeness
        `columns.DATASET_COMPLETENESS`.
    classes
        What a data set has labels of: an image is complete where it is so as a whole, or for each of
        them.
    """
    states = completeness["state"].cast(pa.string())
    spoken = set(completeness["asset"].to_pylist())
    done = completeness.filter(pc.is_in(states, pa.array(_COMPLETE)))
    found: set[str] = set()
    by_class: dict[str, set[str]] = {}
    pairs = zip(done["asset"].to_pylist(), done["class"].to_pylist(), strict=True)
    for asset, class_ in pairs:
        if class_ is None:
            found.add(asset)
        else:
            by_class.setdefault(asset, set()).add(class_)
    found |= {asset for asset, known in by_class.items() if known.issuperset(classes)}
    return spoken, found
