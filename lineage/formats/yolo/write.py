"""A data set as the folder that the Ultralytics trainer expects, and side files for what rows cannot say."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from lineage import columns
from lineage.errors import BadInput, Refused
from lineage.formats import TASKS, WriteOptions, WriteReport, attributions
from lineage.formats.yolo import aside
from lineage.formats.yolo.places import Places, complete, places
from lineage.formats.yolo.rows import CARRIED, Written, written
from lineage.terms import Kind

_BLOCK_ROWS = 65_536
_UNSPLIT = "all"
_HEADER = "# labels from the lineage ledger; put or link each image where the lists name it, see assets.csv\n"


def write(
    path: Path, labels: pa.Table, assets: pa.Table, options: WriteOptions | None = None
) -> WriteReport:
    """Write a data set as YOLO; see `lineage.formats` and this package.

    Parameters
    ----------
    path
        The folder; it must not exist.
    labels, assets
        `columns.DATASET`, `columns.DATASET_ASSETS`, in any order.

    Returns
    -------
    WriteReport
        Its losses: labels left out (a kind by its name, ``geometry``, ``image-size-unknown``,
        ``outside-image``, ``label-of-image-without-place``), changed (``cut-to-image``, ``polygon-parts``,
        ``keypoints-padded``, ``keypoints-outside-image``), written as another kind
        (``box-as-polygon`` ...), bare of their ``attributes``, or such that the trainer drops them
        (``repeated-row``); images without place (``image-name``, ``image-of-same-stem``), not
        listed (``image-not-complete``, ``image-without-rows``), or listed though more may be on
        them than is labelled (``unfinished-image``).

    Raises
    ------
    BadInput
        ``task``: no such task.
    Refused
        ``file-exists``; ``yolo-kinds``: no one task can hold what there is.

    Notes
    -----
    The same rows give the same bytes. Classes are numbered by name from 0. Fractions have as many
    digits as it takes to read them back as they were.
    """
    how = options or WriteOptions()
    folder = _Folder(path, labels, assets, how)
    try:
        path.mkdir()
    except FileExistsError as exc:
        hint = "remove it, or name another folder"
        raise Refused("file-exists", f"{path} exists", hint=hint) from exc
    folder.write()
    losses = {name: n for name, n in sorted(folder.losses.items()) if n}
    return WriteReport(folder.n_labels, folder.n_assets, losses, tuple(folder.side_files))


class _Folder:
    """A data set on its way into a folder."""

    def __init__(self, path: Path, labels: pa.Table, assets: pa.Table, how: WriteOptions) -> None:
        self._path = path
        self._how = how
        self._task = _task(labels, how.task)
        self._places = places(labels, assets)
        self.losses = self._places.losses
        self.n_labels = self.n_assets = 0
        self.side_files = [attributions.FILE_NAME, aside.ASSETS_FILE]
        self._labels, self._image = self._sorted(labels)
        carried = pa.array([kind.value for kind in CARRIED[self._task]])
        kinds = self._labels["kind"].cast(pa.string())
        of_task = self._labels.filter(pc.is_in(kinds, carried))
        names = sorted(of_task["class"].cast(pa.string()).unique().to_pylist())
        self._class_of = {name: number for number, name in enumerate(names)}
        self._n_points = _n_points(of_task) if self._task == "pose" else 0
        self._spoken, self._complete = complete(how.completeness, names)
        self._folders: set[str] = set()

    def write(self) -> None:
        """Write everything."""
        lists = _lists(self._places.split)
        with ExitStack() as stack:
            append = stack.enter_context(attributions.writing(self._path))
            open_lists = {
                split: stack.enter_context(
                    (self._path / f"{name}.txt").open("w", encoding="utf-8", newline="\n")
                )
                for split, (name, _) in lists.items()
            }
            for first, last in self._blocks():
                self._write_block(first, last, append, open_lists)
        (self._path / "data.yaml").write_text(self._document(lists), "utf-8")
        aside.write(self._path / aside.ASSETS_FILE, _asset_rows(self._places), aside.ASSETS)
        rows = self._how.completeness
        if rows.num_rows:
            keys = [(name, "ascending") for name in ("asset", "batch", "class")]
            plain = rows.cast(aside.COMPLETENESS).sort_by(keys)
            aside.write(self._path / aside.COMPLETENESS_FILE, plain, aside.COMPLETENESS)
            self.side_files.append(aside.COMPLETENESS_FILE)

    def _sorted(self, labels: pa.Table) -> tuple[pa.Table, np.ndarray]:
        """Return labels in the order of their images' places, and the place of each."""
        known = pa.array(self._places.asset, pa.string())
        found = pc.index_in(labels["asset"], value_set=known).combine_chunks().fill_null(-1)
        image = np.asarray(found).astype(np.int64)
        order = np.lexsort((labels["annotation"].to_numpy(), image))
        order = order[image[order] >= 0]
        self.losses["label-of-image-without-place"] += labels.num_rows - len(order)
        taken = labels.unify_dictionaries().combine_chunks().take(pa.array(order))
        return taken, image[order]

    def _blocks(self) -> Iterator[tuple[int, int]]:
        """Yield images from and to, as many as have `_BLOCK_ROWS` labels together."""
        n_images = len(self._places)
        ends = np.searchsorted(self._image, np.arange(n_images), side="right")
        first = 0
        while first < n_images:
            begun = int(ends[first - 1]) if first else 0
            last = int(np.searchsorted(ends, begun + _BLOCK_ROWS, side="right"))
            last = min(max(last, first + 1), first + _BLOCK_ROWS, n_images)
            yield first, last
            first = last

    def _write_block(
        self,
        first: int,
        last: int,
        append: Callable[[pa.Table], None],
        lists: Mapping[str, TextIO],
    ) -> None:
        begin, end = np.searchsorted(self._image, [first, last])
        labels, image = self._labels.slice(begin, end - begin), self._image[begin:end]
        found = written(
            labels,
            self._places.size[image],
            task=self._task,
            n_points=self._n_points,
            class_of=self._class_of,
        )
        self.losses.update(found.losses)
        self.losses["attributes"] += _n_attributed(labels)
        kept = np.flatnonzero(np.asarray(found.text.is_valid()))
        texts = [text.encode() for text in found.text.take(pa.array(kept)).to_pylist()]
        self.n_labels += len(texts)
        self.losses["repeated-row"] += self._n_repeated(found, kept, image, texts, labels)
        of_kept = image[kept]
        ends = np.searchsorted(of_kept, np.arange(first, last), side="right")
        n_given = np.bincount(image - first, minlength=last - first)
        line = np.arange(len(kept)) - np.searchsorted(of_kept, of_kept)
        start = 0
        for at, (stop, n) in enumerate(zip(ends.tolist(), n_given.tolist(), strict=True), first):
            self._write_image(at, texts[start:stop], n, lists)
            start = stop
        append(_attributed(labels.take(pa.array(kept)), self._places, of_kept, line, texts))

    def _write_image(
        self, at: int, texts: Sequence[bytes], n_given: int, lists: Mapping[str, TextIO]
    ) -> None:
        asset = self._places.asset[at]
        if not texts and n_given:
            # an empty file would call it a negative
            self.losses["image-without-rows"] += 1
            return
        is_unfinished = asset in self._spoken and asset not in self._complete
        if is_unfinished and not texts:
            self.losses["image-not-complete"] += 1
            return
        self.losses["unfinished-image"] += is_unfinished
        label = self._places.label[at]
        folder = label.rpartition("/")[0]
        if folder not in self._folders:
            os.makedirs(f"{self._path}/{folder}", exist_ok=True)
            self._folders.add(folder)
        with open(f"{self._path}/{label}", "wb", buffering=0) as file:
            file.write(b"".join(text + b"\n" for text in texts))
        lists[self._places.split[at]].write(f"./{self._places.image[at]}\n")
        self.n_assets += 1

    def _n_repeated(
        self,
        found: Written,
        kept: np.ndarray,
        image: np.ndarray,
        texts: Sequence[bytes],
        labels: pa.Table,
    ) -> int:
        """Return how many rows the trainer drops: to it, class and box in single precision are all."""
        if self._task == "pose":
            return len(texts) - len(set(zip(image[kept].tolist(), texts, strict=True)))
        seen = np.zeros(len(kept), [("image", "<i8"), ("class", "<i8"), ("hull", "<f4", 4)])
        names = labels["class"].cast(pa.string()).combine_chunks().take(pa.array(kept))
        seen["image"], seen["hull"] = image[kept], found.hull[kept]
        seen["class"] = [self._class_of[name] for name in names.to_pylist()]
        return len(seen) - len(np.unique(seen.view(f"V{seen.itemsize}")))

    def _document(self, lists: dict[str, tuple[str, str]]) -> str:
        content: dict[str, object] = {key: f"{name}.txt" for name, key in lists.values()}
        content["names"] = {number: name for name, number in self._class_of.items()}
        content["task"] = self._task
        if self._task == "pose":
            content["kpt_shape"] = [self._n_points, 3]
        return _HEADER + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000)


def _task(labels: pa.Table, asked: str) -> str:
    """Return the task of a set: as asked, else what its kinds can all go into."""
    if asked not in TASKS:
        raise BadInput("task", f"task {asked!r}, expected one of {', '.join(TASKS)}")
    if asked != "auto":
        return asked
    kinds = set(labels["kind"].cast(pa.string()).unique().to_pylist())
    outlined = kinds & {Kind.POLYGON.value, Kind.ROTATED_BOX.value}
    if Kind.KEYPOINTS.value in kinds:
        if outlined:
            raise Refused(
                "yolo-kinds",
                f"found keypoints and {' and '.join(sorted(outlined))}, expected one task for a YOLO set",
                hint="export them apart, with --class; or as COCO, which holds both",
            )
        return "pose"
    if Kind.POLYGON.value in kinds:
        return "segment"
    return "obb" if outlined else "detect"


def _n_points(labels: pa.Table) -> int:
    posed = labels.filter(pc.equal(labels["kind"].cast(pa.string()), Kind.KEYPOINTS.value))
    lengths = pc.list_value_length(pc.list_flatten(posed["geometry"]))
    return max((pc.max(lengths).as_py() or 0) // 3, 1)


def _n_attributed(labels: pa.Table) -> int:
    return int(pc.sum(pc.not_equal(labels["attributes"].cast(pa.string()), "{}")).as_py() or 0)


def _lists(splits: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return, per split, the name of its list and its key in ``data.yaml``.

    Notes
    -----
    Labels that were never split are listed for training, and no list is named for validation: the
    trainer then asks for one, instead of validating on what it has learned.
    """
    found = {split: (split, split) for split in sorted(set(splits)) if split}
    if "" in splits:
        name = next(name for name in (_UNSPLIT, f"{_UNSPLIT}_") if name not in found)
        found[""] = (name, "train" if "train" not in found else name)
    return found


def _asset_rows(found: Places) -> pa.Table:
    sides = [pa.array(found.size[:, at], from_pandas=True).cast(pa.int32()) for at in range(2)]
    lists = [found.image, found.asset, *sides, pa.array(found.digest, pa.string())]
    return pa.table(dict(zip(aside.ASSETS.names, lists, strict=True)), schema=aside.ASSETS)


def _attributed(
    labels: pa.Table,
    found: Places,
    image: np.ndarray,
    line: np.ndarray,
    texts: Sequence[bytes],
) -> pa.Table:
    files = pa.array([found.label[at] for at in image.tolist()], pa.string())
    values: dict[str, object] = {
        "file": files,
        "line": line + 1,
        "content": attributions.digests(texts),
    }
    values |= {name: labels[name] for name in attributions.TABLE.names if name not in values}
    return pa.Table.from_batches([columns.batch_of(attributions.TABLE, values, len(texts))])
