"""The images of a COCO file: names numbered once, however many ids point at them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.formats.coco.elements import Id, Image
from lineage.formats.json_stream import Odd
from lineage.formats.names import asset_name
from lineage.formats.refusals import Refusals


class Images:
    """Images by id and by name."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.number_of: dict[Id, int] = {}
        self._number_of_name: dict[str, int] = {}
        self._sizes: list[np.ndarray] = []
        self._ambiguous: set[Id] = set()

    def __len__(self) -> int:
        return len(self.names)

    def sizes(self) -> np.ndarray:
        """Return width and height of every image, px: float64, shape (n, 2), NaN where unknown."""
        return np.concatenate([np.zeros((0, 2)), *self._sizes])

    def learn(self, found: Sequence[Image | Odd], index: int, refusals: Refusals) -> pa.RecordBatch:
        """Take in images, the first of which stands at ``index``, and return their `columns.ASSETS`.

        An id that two names share names neither of them: labels that use it are nobody's guess.
        """
        told: list[tuple[Image, str]] = []
        first: list[int] = []
        for at, image in enumerate(found, start=index):
            name = self._name(image, at, refusals)
            if name is None or isinstance(image, Odd):
                continue
            number = self._number_of_name.setdefault(name, len(self.names))
            if number == len(self.names):
                self.names.append(name)
                first.append(len(told))
            if self.number_of.setdefault(image.id, number) != number or image.id in self._ambiguous:
                self._disown(image, number, at, refusals)
            told.append((image, name))
        size = np.array([(i.width, i.height) for i, _ in told], np.float64).reshape(-1, 2)
        self._sizes.append(size[first])
        values = {
            "name": [name for _, name in told],
            "uri": [image.file_name if image.file_name != name else None for image, name in told],
            "width": _whole(size[:, 0]),
            "height": _whole(size[:, 1]),
        }
        return columns.batch_of(columns.ASSETS, values, len(told))

    def _name(self, image: Image | Odd, at: int, refusals: Refusals) -> str | None:
        if isinstance(image, Odd) or image.file_name is None or image.id is None:
            told = image.problem if isinstance(image, Odd) else "no id or no file_name"
            expected = "an image with id and file_name"
            refusals.add(
                "image",
                position=at,
                path=f"/images/{at}",
                value=told,
                expected=expected,
                label=_text(image),
            )
            return None
        name = asset_name(image.file_name)
        if name is None:
            refusals.add(
                "asset-name",
                position=at,
                path=f"/images/{at}/file_name",
                value=image.file_name,
                expected="a name within a folder",
                label=_text(image),
            )
        return name

    def _disown(self, image: Image, number: int, at: int, refusals: Refusals) -> None:
        self._ambiguous.add(image.id)
        self.number_of.pop(image.id, None)
        refusals.add(
            "duplicate-id",
            position=at,
            path=f"/images/{at}/id",
            value=image.id,
            expected="an id that no other image has",
            label=_text(image),
            asset=self.names[number],
        )


def _text(image: Image | Odd) -> str:
    return image.text if isinstance(image, Odd) else msgspec.json.encode(image).decode()


def _whole(side: np.ndarray) -> pa.Array:
    is_known = np.abs(side) < 2**31
    whole = np.where(is_known, side, 0).astype(np.int32)
    return pa.array(whole, mask=~is_known)
