"""A dataset version for training code: images and labels, one image at a time, checked on their way.

A `Dataset` is map-style (``len``, ``[i]``) and iterable, works in worker processes and under
``torch.utils.data.DataLoader``, and imports no torch. Labels stay in their Parquet parts, sorted by image; what
is held in memory is the images' names, a place for each, and a few row groups.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow as pa

from lineage.activities import dataset as version_files
from lineage.activities import runs_files
from lineage.errors import BadInput, NotFound, Refused
from lineage.interchange.parts import Label, Parts

if TYPE_CHECKING:
    from lineage.activities.predicates import Predicate
    from lineage.activities.runs_training import Pinned

Example = tuple[np.ndarray | None, Mapping[str, object]]
_DEEP_MODES = ("I;16", "I;16B", "I;16L", "I", "F")


class Dataset(Sequence[Example]):
    """One split of a dataset version; see `dataset`.

    Attributes
    ----------
    classes
        Names; ``labels["class"]`` are places in this list. The same for every split of a version.
    assets
        pa.StringArray of the images' names, in order.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Mapping[str, object],
        *,
        split: str,
        images: Path | None,
        verify: bool,
        is_checked: bool = False,
        predicate: Predicate | None = None,
    ) -> None:
        runs_files.refuse_split(manifest, split)
        counts = cast(Mapping[str, Mapping[str, int]], manifest["counts"])
        self.classes = list(counts["class"])
        self.split = split
        self._images, self._verify = images, verify
        self._parts = Parts(folder, manifest, split, self.classes)
        if not is_checked:
            self._parts.refuse_changed()
        found = self._parts.assets()
        ends = np.cumsum(np.asarray(found["n_annotations"]))
        if (ends[-1] if len(ends) else 0) != self._parts.n_rows:
            raise Refused(
                "dataset-differs",
                f"{split} has {self._parts.n_rows:,} labels, its images say "
                f"{ends[-1] if len(ends) else 0:,}",
                hint="dvc checkout",
                where=str(folder),
            )
        self._ends = ends
        self._chosen = None if predicate is None else self._parts.chosen(predicate)
        at = np.arange(len(ends)) if self._chosen is None else self._with_labels(self._chosen)
        self._at = at
        names = found.take(pa.array(at)).combine_chunks()
        self.assets = names["asset"].combine_chunks()
        self._digests = names["asset_digest"].combine_chunks()
        self._sizes = np.column_stack([_numbers(names[n]) for n in ("width", "height")])
        if images is not None and verify and (n := self._digests.null_count):
            warnings.warn(
                f"{n:,} of {len(at):,} images have no digest on record and cannot be checked: "
                "lineage assets add DIR",
                stacklevel=3,
            )

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._at)

    def __getitem__(self, index: int) -> Example:  # type: ignore[override]
        """Return an image and its labels; see `dataset`."""
        n = len(self)
        if not -n <= index < n:
            raise IndexError(f"image {index} of {n}")
        place = int(index) % n
        labels = self._labels(place)
        return self._image(place), labels

    def __iter__(self) -> Iterator[Example]:
        """Yield every image with its labels, in the order of names."""
        return (self[i] for i in range(len(self)))

    def _labels(self, place: int) -> Label:
        at = int(self._at[place])
        first = int(self._ends[at - 1]) if at else 0
        rows = np.arange(first, int(self._ends[at]))
        name = self.assets[place].as_py()
        if self._chosen is not None:
            rows = rows[self._chosen[rows]]
        return self._parts.labels(rows, name)

    def _image(self, place: int) -> np.ndarray | None:
        if self._images is None:
            return None
        name = self.assets[place].as_py()
        path = _below(self._images, name)
        try:
            content = path.read_bytes()
        except FileNotFoundError as exc:
            raise NotFound("no-image", f"no file {path}", hint="dvc pull", where=name) from exc
        if self._verify:
            _refuse_other(content, self._digests[place].as_py(), name)
        pixels = _decoded(content, name)
        width, height = self._sizes[place]
        if width and height and (height, width) != pixels.shape[:2]:
            raise Refused(
                "asset-differs",
                f"the image {name} is {pixels.shape[1]} x {pixels.shape[0]} px, on record are "
                f"{width} x {height}",
                hint="dvc checkout",
                where=name,
            )
        return pixels

    def _with_labels(self, chosen: np.ndarray) -> np.ndarray:
        so_far = np.concatenate([[0], np.cumsum(chosen)])
        n = so_far[self._ends] - so_far[np.concatenate([[0], self._ends[:-1]])]
        return np.flatnonzero(n)


def dataset(
    source: str | Path | Pinned,
    *,
    split: str = "train",
    images: str | Path | None = None,
    verify: bool = True,
    project: str | Path = ".",
) -> Dataset:
    """Open one split of a dataset version for training.

    Parameters
    ----------
    source
        What `lineage.pin` returned: then the labels are those of the run, of its subset where it has one, on
        the images that have any; or a version's folder (``data/dataset``); or a version's name or tag, whose
        files are then in the project's ``data/dataset``.
    split
        Name of the split.
    images
        Folder of the images, below which they have the names of ``dataset.assets``; None: labels alone.
    verify
        Compare every image's digest with the one on record as it is read; files of labels always are, on
        opening. An image without a digest on record is told of once, as a warning.
    project
        A directory in the project, where ``source`` is a name.

    Returns
    -------
    Dataset
        Of pairs: ``image``, ndarray of uint8, shape (height, width, 3), as stored (not turned by EXIF), or None; and
        ``labels``, a mapping: ``asset``, name; ``boxes``, ndarray of float64, shape (n, 4), x_min, y_min,
        x_max, y_max in px, NaN where a label has no box; ``class``, ndarray of int64, places in
        `Dataset.classes`; ``annotation`` and ``revision``, ndarrays of int64; ``kind``, list of str;
        ``geometry``, list of lists of float64 arrays; ``attributes``, list of dict. An image with nothing on it
        has no labels: it was looked at.

    Raises
    ------
    Refused
        ``dataset-differs``: bytes of a file of labels, or ``asset-differs``: bytes of an image, are not those
        on record; the latter when the image is read.
    NotFound
        ``no-version``, ``no-project``, ``no-image``.
    BadInput
        ``no-split``; ``image-unreadable``.
    """
    where = None if images is None else Path(images)
    if isinstance(source, str | Path):
        folder, manifest = _found(source, Path(project))
        return Dataset(folder, manifest, split=split, images=where, verify=verify)
    return Dataset(
        source.folder,
        source.manifest,
        split=split,
        images=where,
        verify=verify,
        is_checked=True,
        predicate=source.predicate,
    )


def collate(
    examples: Sequence[Example],
) -> tuple[list[np.ndarray | None], list[Mapping[str, object]]]:
    """Return a batch of examples as a list of images and a list of labels: neither has one shape.

    For ``torch.utils.data.DataLoader(..., collate_fn=lineage.collate)``.
    """
    return [image for image, _ in examples], [labels for _, labels in examples]


def _found(source: str | Path, project: Path) -> tuple[Path, Mapping[str, object]]:
    folder = Path(source)
    if (folder / "manifest.json").is_file():
        return folder, version_files.read_manifest(folder / "manifest.json")
    if isinstance(source, Path) or "/" in source:
        raise NotFound("no-version", f"{folder} holds no dataset version", hint="dvc pull")
    from lineage.activities import runs
    from lineage.activities.context import locate

    found = locate(project)
    manifest = runs.manifest_of(found, source)
    folder = found.root / runs.DATA
    if runs_files.folder_digest(folder) != manifest["digest"]:
        raise Refused(
            "dataset-differs",
            f"{folder} does not hold version {manifest['name']}",
            hint="git checkout the commit of that version, then: dvc checkout",
        )
    return folder, manifest


def _below(folder: Path, name: str) -> Path:
    """Return an image's path; a name that leads out of the folder is no name of an image."""
    told = PurePosixPath(name)
    if told.is_absolute() or ".." in told.parts:
        raise BadInput("image-unreadable", f"the image {name!r} lies outside {folder}", where=name)
    return folder / told


def _refuse_other(content: bytes, digest: str | None, name: str) -> None:
    if digest is None:
        return
    kind, _, expected = digest.partition(":")
    found = hashlib.new(kind, content, usedforsecurity=False).hexdigest()
    if found != expected:
        raise Refused(
            "asset-differs",
            f"the image {name} has {kind} {found}, on record is {expected}",
            hint="bring the image back with: dvc checkout",
            where=name,
        )


def _decoded(content: bytes, name: str) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.mode in _DEEP_MODES:
                raise BadInput(
                    "image-unreadable",
                    f"the image {name} has more than 8 bits a channel",
                    hint="read such images yourself: lineage.dataset(..., images=None)",
                    where=name,
                )
            return np.array(image.convert("RGB"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as exc:
        raise BadInput("image-unreadable", f"the image {name} is none: {exc}", where=name) from exc


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.fill_null(0))
