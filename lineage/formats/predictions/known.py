"""What predictions point at: images by name, stem or number, classes by name or number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from lineage.errors import BadInput
from lineage.formats.coco.elements import Category, Image, whole
from lineage.formats.json_stream import Odd, iter_groups, top_level
from lineage.formats.names import asset_name

Key = int | str | None


def _no_size(name: str) -> tuple[int, int] | None:
    return None


@dataclass(slots=True)
class Known:
    """Images and classes that predictions may name.

    Parameters
    ----------
    assets
        Names of the images of the version.
    classes
        Names of the classes, where numbers stand for them in the model: in the model's order.
    size_of
        Width and height of an image in px, None where unknown: for fractions.
    truth
        A COCO file with the images and categories that ids of predictions refer to.
    first_class
        Number of the first of ``classes``, 0 or 1; None: told from the numbers, where they tell.
    """

    assets: Sequence[str]
    classes: Sequence[str] = ()
    size_of: Callable[[str], tuple[int, int] | None] = _no_size
    truth: Path | None = None
    first_class: int | None = None
    image_ids: Mapping[Key, str] = field(init=False, default_factory=dict)
    class_ids: Mapping[Key, str] = field(init=False, default_factory=dict)
    _names: dict[str, str | None] = field(init=False, default_factory=dict)
    _numbers: dict[int, str | None] = field(init=False, default_factory=dict)
    _all: frozenset[str] = field(init=False, default=frozenset())

    def __post_init__(self) -> None:
        self._all = frozenset(self.assets)
        for name in self.assets:
            path = PurePosixPath(name)
            for short in {path.name, path.stem, str(path.with_suffix(""))}:
                # a short name that two images share is neither's
                self._names[short] = None if short in self._names else name
            if path.stem.isdecimal():
                number = int(path.stem)
                self._numbers[number] = None if number in self._numbers else name
        if self.truth is not None:
            self.image_ids, self.class_ids = _of_truth(self.truth)

    def asset_of(self, key: Key) -> str | None:
        """Return the image that a prediction means, None where it is not one image of these.

        Notes
        -----
        By its id in ``truth``, where a number means nothing else; else by name, by the name without its folders or ending, and
        last by the number that its name is (Ultralytics writes 000139.jpg as 139).
        """
        if key in self.image_ids:
            key = self.image_ids[key]
        elif self.truth is not None and isinstance(key, int):
            return None
        if isinstance(key, int):
            return self._numbers.get(key)
        if key is None:
            return None
        name = asset_name(key) or ""
        if name in self._all:
            return name
        short = PurePosixPath(name).name
        return self._names.get(name) or self._names.get(short)

    def class_of(self, key: Key, first: int | None) -> str | None:
        """Return the class that a prediction means; ``first`` is the number of the first of `classes`."""
        if key in self.class_ids:
            return self.class_ids[key]
        if isinstance(key, str) and not self.class_ids:
            return key or None
        if isinstance(key, int) and not self.class_ids and first is not None:
            at = key - first
            return self.classes[at] if 0 <= at < len(self.classes) else None
        return None

    def first_number(self, lowest: int | None, highest: int | None, where: str) -> int | None:
        """Return the number of the first class, told from the lowest and highest that occur.

        Raises
        ------
        BadInput
            ``class-numbers``: numbers that nothing names, or that could begin at 0 or at 1.
        """
        if self.class_ids or lowest is None or highest is None:
            return self.first_class
        if not self.classes:
            raise BadInput(
                "class-numbers",
                f"classes are numbers from {lowest} to {highest}, and nothing names them",
                hint="give the COCO file of the ground truth, or the names in the model's order (data.yaml)",
                where=where,
            )
        if self.first_class is not None:
            return self.first_class
        if lowest == 0:
            return 0
        if highest == len(self.classes):
            return 1
        raise BadInput(
            "class-numbers",
            f"classes are numbers from {lowest} to {highest} and {len(self.classes)} are named, "
            "which fits a first number of 0 and of 1",
            hint="Ultralytics begins at 1 since 8.1 and at 0 before: say which",
            where=where,
        )


def _of_truth(path: Path) -> tuple[dict[Key, str], dict[Key, str]]:
    """Return names by id, of the images and of the categories of a COCO file."""
    spans = top_level(path)
    if not {"images", "categories"} <= set(spans):
        raise BadInput(
            "predictions-format",
            f"found the keys {sorted(spans)[:8]}, expected a COCO file with images and categories",
            hint="the ground truth that ids refer to: lineage export --format coco writes one",
            where=str(path),
        )
    images: dict[Key, str] = {}
    for index, group in iter_groups(path, spans["images"]):
        for image in whole(group, Image, path, index):
            if not isinstance(image, Odd) and image.file_name is not None:
                images[image.id] = image.file_name
    classes: dict[Key, str] = {}
    for index, group in iter_groups(path, spans["categories"]):
        for category in whole(group, Category, path, index):
            if not isinstance(category, Odd) and category.name is not None:
                classes[category.id] = category.name
    return images, classes
