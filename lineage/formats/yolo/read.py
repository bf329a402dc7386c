"""YOLO into Arrow: a folder whole, many label files at a time, fractions to pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from lineage import columns
from lineage.formats import Chunk, ReadOptions
from lineage.formats.attributions import FILE_NAME, Attributions
from lineage.formats.refusals import Refusals
from lineage.formats.yolo import aside, facts, tasks
from lineage.formats.yolo.answers import Answers
from lineage.formats.yolo.declare import declared
from lineage.formats.yolo.groups import MAX_FILE_BYTES, Group, groups
from lineage.formats.yolo.images import Images, Known
from lineage.formats.yolo.judge import Verdict, judged
from lineage.formats.yolo.listing import listed, shared_names
from lineage.formats.yolo.naming import SPLITS
from lineage.formats.yolo.numbers import Rows, n_repeated, parse
from lineage.formats.yolo.quads import PRECISION
from lineage.formats.yolo.shapes import Shapes, shapes
from lineage.terms import Origin

__all__ = ["PRECISION", "read"]


def read(path: Path, options: ReadOptions) -> Iterator[Chunk]:
    """Read a YOLO folder, or of one what a ``data.yaml`` declares, or a single label file.

    Raises
    ------
    BadInput
        ``wrong-shape``, ``not-utf8``: see `declare.declared` and `listing.listed`;
        ``yolo-task``: nothing tells what rows of nine columns are.
    """
    folder = _Folder(path, options)
    yield from folder.labelled()
    yield from folder.bare()
    yield folder.farewell()


class _Folder:
    """What holds for a whole folder while its files stream by."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._declared = declared(path)
        self._root = self._declared.root
        self._options = options
        self._fallback = options.fallback_annotator(path)
        self._refusals = Refusals(str(self._root))
        self._losses: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()
        recorded = aside.Recorded(self._root)
        self._listing = listed(self._declared, recorded.images)
        splits = SPLITS | frozenset(self._declared.splits)
        shared = shared_names(self._listing, splits)
        self._images = Images(self._root, options, recorded, shared=shared, splits=splits)
        reported = aside.Reported(self._root)
        self._answers = Answers(reported, self._fallback, self._losses)
        side_file = self._root / FILE_NAME
        self._attributions = Attributions(side_file) if side_file.is_file() else None
        self._task = tasks.task_of(
            options.task, self._declared.task, kpt_shape=self._declared.kpt_shape
        )
        self._prefix = _prefix(path, self._root)

    def labelled(self) -> Iterator[Chunk]:
        """Read the label files."""
        for group in self._groups():
            yield self._chunk(group, self._images.of_labels(group.labels, self._listing))

    def bare(self) -> Iterator[Chunk]:
        """Tell of the images that have no label file."""
        for paths, is_unlisted in ((self._listing.bare, False), (self._listing.unlisted, True)):
            for start in range(0, len(paths), self._options.chunk_rows):
                for image in self._images.of_images(
                    paths[start : start + self._options.chunk_rows]
                ):
                    self._answers.add_bare(image, is_unlisted=is_unlisted)
                yield self._taken(columns.empty(columns.LABELS))

    def farewell(self) -> Chunk:
        """Return the last chunk: what the whole folder adds up to."""
        for path, line, text in self._listing.climbing:
            self._refusals.source = f"{self._root}/{path}"
            self._refusals.add(
                "asset-name",
                position=line,
                path="",
                value=text,
                expected="an image within the folder",
                label=text,
            )
        self._losses.update(self._listing.losses)
        if self._attributions is not None:
            self._attributions.finish()
            is_whole = self._declared.only is None and not self._declared.is_chosen
            n_elsewhere = self._attributions.n_elsewhere if is_whole else 0
            self._losses["attribution-stale"] += self._attributions.n_stale + n_elsewhere
        return self._taken(columns.empty(columns.LABELS), self._notes())

    def _groups(self) -> Iterator[Group]:
        return groups(self._root, self._listing.labels, self._options.chunk_rows)

    def _chunk(self, group: Group, known: Sequence[Known]) -> Chunk:
        rows = parse(group.texts)
        if self._task.is_open and tasks.has_quads(rows):
            self._task = tasks.decided(self._pieces(), str(self._root))
        meaning = tasks.meaning(rows, self._task)
        verdict = judged(
            rows,
            meaning,
            task=self._task,
            classes=self._declared.classes,
            problems=[image.problem for image in known],
        )
        self._count(rows, meaning)
        self._refuse(rows, verdict, group, known)
        sound = np.flatnonzero(verdict.rule < 0)
        matched = self._matched(group, rows, verdict)
        if matched is not None:
            matched = matched.take(pa.array(sound))
        kept = rows.take(sound)
        found = shapes(
            kept,
            meaning.role[sound],
            size=_sizes(known)[kept.file],
            n_numbers=verdict.n_numbers[sound],
            n_dims=self._task.kpt_shape[1] if self._task.kpt_shape else 0,
            kinds=None if matched is None else facts.kinds(matched),
        )
        self._losses["ragged-obb-as-polygon"] += found.n_ragged
        self._losses["pose-as-box"] += found.n_pointless
        told = facts.told(
            matched,
            meaning.has_score[sound],
            score=kept.values[kept.first + kept.n_columns - 1],
            fallback=self._fallback,
            bbox=found.bbox,
        )
        told["class"] = verdict.classes.take(pa.array(sound))
        labels = self._labels(kept, found, told, group=group, known=known)
        self._answer(rows, verdict, labels, group=group, known=known)
        return self._taken(labels)

    def _pieces(self) -> Iterator[tuple[Rows, np.ndarray]]:
        for group in self._groups():
            rows = parse(group.texts)
            known = self._images.of_labels(group.labels, self._listing)
            yield rows, _sizes(known)[rows.file]

    def _matched(self, group: Group, rows: Rows, verdict: Verdict) -> pa.Table | None:
        if self._attributions is None:
            return None
        return self._attributions.of(
            group.labels, rows.file, texts=rows.texts(), classes=verdict.classes
        )

    def _labels(
        self,
        rows: Rows,
        found: Shapes,
        told: dict[str, object],
        *,
        group: Group,
        known: Sequence[Known],
    ) -> pa.RecordBatch:
        is_single = self._declared.only is not None
        files = [self._prefix + label for label in group.labels]
        values: dict[str, object] = {
            **told,
            **{name: found.box[:, at] for at, name in enumerate(columns.BOX)},
            "asset": _words(rows.file, [image.name for image in known]),
            "kind": found.kind,
            "geometry": found.geometry,
            "position": rows.line,
            "file": None if is_single else _words(rows.file, files),
        }
        return columns.batch_of(columns.LABELS, values, len(rows))

    def _answer(
        self,
        rows: Rows,
        verdict: Verdict,
        labels: pa.RecordBatch,
        *,
        group: Group,
        known: Sequence[Known],
    ) -> None:
        n_files = len(group.labels)
        n_rows = np.bincount(rows.file, minlength=n_files)
        is_refused = np.zeros(n_files, bool)
        is_refused[rows.file[verdict.rule >= 0]] = True
        is_refused[list(group.too_large)] = True
        people = _people(rows.file[verdict.rule < 0], labels)
        for at, (image, n) in enumerate(zip(known, n_rows.tolist(), strict=True)):
            if n == 0 and at not in group.too_large:
                if image.problem == "ambiguous-image":
                    image = image._replace(is_named=False)
                self._answers.add_empty(image)
            else:
                self._answers.add_labelled(
                    image, people.get(at, ()), is_refused=bool(is_refused[at])
                )

    def _refuse(self, rows: Rows, verdict: Verdict, group: Group, known: Sequence[Known]) -> None:
        bad = np.flatnonzero(verdict.rule >= 0)
        for at, text in zip(bad.tolist(), rows.texts(bad), strict=True):
            file, column = int(rows.file[at]), int(verdict.column[at])
            rule = verdict.rules[verdict.rule[at]]
            row = text.decode("utf-8", "replace")
            self._refusals.source = f"{self._root}/{group.labels[file]}"
            self._refusals.add(
                rule.name,
                position=int(rows.line[at]),
                path="" if column < 0 else f"/{column}",
                value=row if column < 0 else text.split()[column].decode("utf-8", "replace"),
                expected=rule.expected,
                label=row,
                asset=known[file].name,
            )
        for file, n_bytes in group.too_large.items():
            self._refusals.source = f"{self._root}/{group.labels[file]}"
            self._refusals.add(
                "file-too-large",
                position=None,
                path="",
                value=f"{n_bytes:,} bytes",
                expected=f"{MAX_FILE_BYTES:,} bytes at most",
                label="",
                asset=known[file].name,
            )

    def _count(self, rows: Rows, meaning: tasks.Meaning) -> None:
        self._seen["repeated"] += n_repeated(rows)
        for role, word in ((tasks.BOX, "boxes"), (tasks.POLYGON, "polygons")):
            self._seen[word] += int((meaning.role == role).sum())

    def _notes(self) -> dict[str, str]:
        notes = {**self._declared.notes, **self._listing.notes}
        seen = self._seen
        if self._task.word is not None:
            notes["task"] = f"{self._task.word}: {self._task.reason}"
        elif seen["boxes"] or seen["polygons"]:
            words = [word for word in ("boxes", "polygons") if seen[word]]
            notes["task"] = f"{' and '.join(words)}: by the number of columns"
        if seen["boxes"] and seen["polygons"]:
            notes["mixed"] = (
                f"{seen['boxes']:,} boxes and {seen['polygons']:,} polygons in files of their own; "
                "the trainer's loader would drop the polygons"
            )
        if seen["repeated"]:
            notes["repeated-rows"] = f"{seen['repeated']:,}, kept; the trainer's loader drops them"
        return notes

    def _taken(self, labels: pa.RecordBatch, notes: dict[str, str] | None = None) -> Chunk:
        assets, roster, completeness = self._answers.take()
        losses = {name: n for name, n in self._losses.items() if n}
        self._losses.clear()
        return Chunk(
            labels, assets, roster, self._refusals.take(), losses, completeness, notes or {}
        )


def _prefix(path: Path, root: Path) -> str:
    if not path.is_dir() or path == root:
        return ""
    return f"{root.relative_to(path).as_posix()}/"


def _sizes(known: Sequence[Known]) -> np.ndarray:
    nan = float("nan")
    sizes = [(image.width or nan, image.height or nan) for image in known]
    return np.array(sizes, np.float64).reshape(-1, 2)


def _words(number: np.ndarray, names: Sequence[str]) -> pa.DictionaryArray:
    used, codes = np.unique(number, return_inverse=True)
    dictionary = pa.array([names[n] for n in used.tolist()], pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), dictionary)


def _people(file: np.ndarray, labels: pa.RecordBatch) -> dict[int, list[str | None]]:
    """Return per file who made its labels; a model is not asked."""
    origin, annotator = labels["origin"], labels["annotator"]
    is_model = [word == Origin.MODEL for word in origin.dictionary.to_pylist()]
    handles = [*annotator.dictionary.to_pylist(), None]
    if len(file) == 0:
        return {}
    asked = ~np.array(is_model, bool)[np.asarray(origin.indices)]
    code = np.asarray(annotator.indices.fill_null(len(handles) - 1)).astype(np.int64)
    pairs = np.unique(file[asked] * len(handles) + code[asked])
    found: dict[int, list[str | None]] = {}
    for pair in pairs.tolist():
        found.setdefault(pair // len(handles), []).append(handles[pair % len(handles)])
    return found
