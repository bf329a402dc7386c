"""The rows behind a pin: where they are read, which of them a run takes, and whether loaded rows are they."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage import columns
from lineage.activities import predicates
from lineage.activities.context import Project
from lineage.activities.predicates import Predicate
from lineage.errors import BadInput, Refused
from lineage.identity import row_hashes, table_digest
from lineage.segments import read_parquet

Manifest = Mapping[str, object]
_KEYS = ("annotation", "revision")
_PART = "/part-"


def batches_of(
    folder: Path, manifest: Manifest, *, split: str | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield a version's labels from its files, in their order; `columns.DATASET`.

    Parameters
    ----------
    folder
        Files that are known to be the version's.
    manifest
        The version's.
    split
        Only this one.
    """
    for entry in cast(Sequence[Mapping[str, str]], manifest["files"]):
        path = entry["path"]
        if _PART in path and split in (None, path.split("/")[0]):
            yield from read_parquet(folder / path)


def chosen(rows: Iterable[pa.RecordBatch], predicate: Predicate) -> Iterator[pa.RecordBatch]:
    """Yield the rows that a predicate chooses."""
    for batch in rows:
        found = batch.filter(pa.array(predicates.mask(predicate, batch)))
        if found.num_rows:
            yield found


def recorded(
    project: Project, manifest: Manifest, where: Sequence[str], *, is_recorded: bool
) -> Predicate:
    """Return what the words of a run's subset mean, as of its version's place in the log."""
    seq = cast(int, manifest["seq"])
    return predicates.parse(project, where, seq=seq, is_recorded=is_recorded)


def subset(
    project: Project,
    manifest: Manifest,
    where: Sequence[str],
    folder: Path | None,
    *,
    is_recorded: bool = False,
) -> dict[str, object]:
    """Return what a pin says of the labels that a run takes.

    Parameters
    ----------
    project
        An open project: values are looked up in its record.
    manifest
        The version's.
    where
        Texts of `predicates`, any of which may hold.
    folder
        The version's files; None: the labels are rebuilt from the ledger.
    is_recorded
        The words stand in a pin already.

    Returns
    -------
    dict
        ``where, digest, n_annotations, n_assets``.

    Raises
    ------
    Refused
        ``subset-empty``: no label is so.
    """
    predicate = recorded(project, manifest, where, is_recorded=is_recorded)
    rows = rebuilt(project, manifest) if folder is None else batches_of(folder, manifest)
    # the digest reads a stream of batches, and so do the counts: one pass
    tally = _Tally()
    digest = table_digest(tally.counting(chosen(rows, predicate)), "lineage:subset:1")
    if tally.n_annotations == 0:
        raise Refused(
            "subset-empty",
            f"no label of version {manifest['name']} is {' or '.join(predicate.words)}",
            hint=f"lineage version show {manifest['name']}",
        )
    return {
        "where": list(predicate.words),
        "digest": digest,
        "n_annotations": tally.n_annotations,
        "n_assets": tally.n_assets,
    }


def rebuilt(project: Project, manifest: Manifest) -> list[pa.RecordBatch]:
    """Return a version's labels, rebuilt from the ledger.

    Raises
    ------
    Refused
        ``version-differs``.
    """
    from lineage.activities import version

    # as its files give them: a digest must not depend on where rows were cut
    labels = version.labels_of(project, str(manifest["name"])).labels
    return labels.unify_dictionaries().to_batches(max_chunksize=131_072)


def consumed(
    project: Project, manifest: Manifest, pinned: Mapping[str, object]
) -> Iterable[pa.RecordBatch]:
    """Return the labels that a run consumed, rebuilt from the ledger: those of its subset."""
    rows = rebuilt(project, manifest)
    told = cast(Mapping[str, object] | None, pinned["subset"])
    if told is None:
        return rows
    words = cast(Sequence[str], told["where"])
    return chosen(rows, recorded(project, manifest, words, is_recorded=True))


class Expected:
    """What a run is to load: annotation, revision and content of every row.

    Parameters
    ----------
    rows
        Batches of `columns.DATASET`.

    Notes
    -----
    24 bytes a row. Content is a hash of 64 bits: enough to find what went wrong by chance; the digests of
    files are what holds against intent.
    """

    def __init__(self, rows: Iterable[pa.RecordBatch]) -> None:
        parts = [_numbers(batch) for batch in rows] or [_no_rows()]
        annotation, revision, content = (
            np.concatenate(column) for column in zip(*parts, strict=True)
        )
        order = np.argsort(annotation, kind="stable")
        self.annotation = annotation[order]
        self.revision, self.content = revision[order], content[order]

    def refuse_other(self, rows: Iterable[pa.RecordBatch]) -> None:
        """Refuse rows that are not exactly these, in any order.

        Raises
        ------
        Refused
            ``pin-differs``: rows are missing, extra, twice or changed; names the first.
        BadInput
            ``pin-rows``: rows without annotation or revision.
        """
        seen = np.zeros(len(self.annotation), np.int64)
        for batch in rows:
            self._refuse_in(batch, seen)
        for how, wrong in (("is missing from", seen == 0), ("stands more than once in", seen > 1)):
            if wrong.any():
                first = int(self.annotation[wrong][0])
                raise _differs(f"annotation {first} {how} the rows loaded", int(wrong.sum()))

    def _refuse_in(self, batch: pa.RecordBatch, seen: np.ndarray) -> None:
        annotation, revision, content = _numbers(batch)
        at = np.searchsorted(self.annotation, annotation)
        at = np.minimum(at, max(len(self.annotation) - 1, 0))
        is_extra = (
            self.annotation[at] != annotation
            if len(self.annotation)
            else np.ones(len(annotation), bool)
        )
        if is_extra.any():
            first = int(annotation[is_extra][0])
            raise _differs(f"annotation {first} was loaded and is not pinned", int(is_extra.sum()))
        is_other = self.revision[at] != revision
        if is_other.any():
            row = int(np.flatnonzero(is_other)[0])
            raise _differs(
                f"annotation {annotation[row]} was loaded as of revision {revision[row]}, pinned is "
                f"revision {self.revision[at[row]]}",
                int(is_other.sum()),
            )
        if batch.schema.names == columns.DATASET.names:
            is_changed = self.content[at] != content
            if is_changed.any():
                first = int(annotation[is_changed][0])
                told = f"annotation {first} was loaded with other content than is pinned"
                raise _differs(told, int(is_changed.sum()))
        np.add.at(seen, at, 1)


class _Tally:
    """Counts labels and images on their way; images lie together, as a version is sorted."""

    def __init__(self) -> None:
        self.n_annotations = 0
        self.n_assets = 0
        self._last: str | None = None

    def counting(self, rows: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in rows:
            names = batch["asset"]
            is_next = (
                pc.not_equal(names[1:], names[:-1]) if len(names) > 1 else pa.array([], pa.bool_())
            )
            self.n_annotations += len(names)
            self.n_assets += int(pc.sum(is_next).as_py() or 0) + (names[0].as_py() != self._last)
            self._last = names[-1].as_py()
            yield batch


def _numbers(batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    lacking = [name for name in _KEYS if name not in batch.schema.names]
    if lacking:
        raise BadInput(
            "pin-rows",
            f"rows without {' and '.join(lacking)}, expected those of the version's files, or at "
            "least annotation and revision",
        )
    annotation, revision = (np.asarray(batch[name]).astype(np.int64) for name in _KEYS)
    if batch.schema.names != columns.DATASET.names:
        return annotation, revision, np.zeros(len(annotation), np.uint64)
    return annotation, revision, row_hashes(batch.cast(columns.DATASET))


def _no_rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint64)


def _differs(told: str, n: int) -> Refused:
    more = f" ({n:,} such)" if n > 1 else ""
    return Refused(
        "pin-differs",
        told + more,
        hint="load the files of the pinned version and nothing else: lineage run show RUN",
    )
