"""A version again, from ledger, recipe and position, held against what was recorded.

Nothing but the ledger's files and the version's manifest are read: no store, no ``data/dataset``. The
logical digest must be the same wherever it is computed; the files' bytes are promised for one writer
(pyarrow's version and the like), and where they differ it is said whether the writer does too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import pyarrow as pa

from lineage.activities import dataset, ledger_only, recipes, subset, version
from lineage.activities.contents import Contents, choose, digest_of
from lineage.activities.context import Project
from lineage.activities.version import Manifest
from lineage.store import read

_MEANS = {
    "digest": "the ledger, the recipe or this release gives other labels: lineage audit says which",
    "subset": "the predicate chooses other labels than it did",
    "log_root": "the log is not the one that the version was built on",
    "bytes": "the writer is the one that was recorded, and wrote other bytes",
    "bytes-writer": "another writer: bytes may differ, the digest must not",
    "writer": "files of this writer need not have the recorded bytes",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was recorded.

    Parameters
    ----------
    what
        ``digest``, ``subset``, ``log_root``, ``bytes`` or ``writer``.
    where
        The file, or the part of the writer; empty where there is but one.
    expected, found
        As recorded, as computed here; None: not there.
    means
        What follows from it.
    """

    what: str
    where: str
    expected: object
    found: object
    means: str


@dataclass(frozen=True, slots=True)
class Recomputed:
    """A version that was rebuilt.

    Parameters
    ----------
    version
        Its name.
    tags
        Its tags.
    seq
        Its place in the log.
    n_annotations, n_assets
        As rebuilt.
    differs
        Everything that is not as recorded.
    """

    version: str
    tags: Sequence[str]
    seq: int
    n_annotations: int
    n_assets: int
    differs: Sequence[Difference]

    @property
    def is_digest_same(self) -> bool:
        """Whether the same labels came out."""
        return "digest" not in self._kinds()

    @property
    def is_same_bytes(self) -> bool:
        """Whether the same files came out."""
        return "bytes" not in self._kinds()

    @property
    def is_as_promised(self) -> bool:
        """Whether nothing differs that must not: bytes may, under another writer."""
        kinds = self._kinds()
        return not (kinds - {"bytes", "writer"}) and not (
            "bytes" in kinds and "writer" not in kinds
        )

    def _kinds(self) -> set[str]:
        return {difference.what for difference in self.differs}


def recompute(project: Project, name: str, *, out: Path | None = None) -> Recomputed:
    """Rebuild a version and hold it against its manifest.

    Parameters
    ----------
    project
        A project; that of `ledger_only.opened` will do.
    name
        The version, see `version.get`.
    out
        Directory that keeps the files; None: they are written aside and removed.

    Raises
    ------
    NotFound
        ``no-version``.
    StoreFault
        ``segment-missing``.
    Refused
        ``folder-taken``: see `subset.refuse_taken`.
    """
    manifest = version.get(project, name)
    ledger_only.refuse_missing(project.ledger, cast(int, manifest["seq"]))
    layout = cast(int, manifest.get("layout", 1))
    recipe = recipes.recipe_of(manifest)
    contents = choose(project, recipe, cast(int, manifest["seq"]), layout)
    if out is not None:
        subset.refuse_taken(project, out)
    told = {key: manifest[key] for key in manifest if key not in ("tags", "git_commit", "dvc", "files")}  # fmt: skip
    tables = _laid_out(contents, layout)
    with TemporaryDirectory(prefix="lineage-") as scratch:
        target = Path(scratch) / "dataset" if out is None else out
        files = dataset.write(target, *tables, manifest=told)
    writer = version.writer()
    expected_writer = cast(Mapping[str, object], manifest["writer"])
    differs = [
        *_logical(project, manifest, contents, layout),
        *_of_bytes(manifest, files, is_same_writer=dict(expected_writer) == dict(writer)),
        *_of_mappings("writer", expected_writer, writer, _MEANS["writer"]),
    ]
    return Recomputed(
        version=str(manifest["name"]),
        tags=cast(list[str], manifest["tags"]),
        seq=cast(int, manifest["seq"]),
        n_annotations=contents.labels.num_rows,
        n_assets=contents.assets.num_rows,
        differs=differs,
    )


def _laid_out(contents: Contents, layout: int) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Return labels, images and completeness as files of a layout have them."""
    if layout > 1:
        return contents.labels, contents.assets, contents.completeness
    # files of layout 1 hold no completeness, and call the split a column that may be null
    labels, assets = (_with_nullable(of, "split") for of in (contents.labels, contents.assets))
    return labels, assets, contents.completeness.slice(0, 0)


def _with_nullable(rows: pa.Table, name: str) -> pa.Table:
    at = rows.schema.get_field_index(name)
    return rows.cast(rows.schema.set(at, rows.schema.field(name).with_nullable(True)))


def _logical(
    project: Project, manifest: Manifest, contents: Contents, layout: int
) -> list[Difference]:
    expected: dict[str, object] = {"digest": manifest["digest"], "log_root": manifest["log_root"]}
    with project.store.reading() as connection:
        root = read.roots(connection).get(cast(int, manifest["seq"]))
    found: dict[str, object] = {"digest": digest_of(contents, layout), "log_root": root}
    if "subset" in manifest:
        expected["subset"] = cast(Mapping[str, object], manifest["subset"])["resolved"]
        found["subset"] = version.resolved_of(contents)
    return [
        Difference(what, "", value, found[what], _MEANS[what])
        for what, value in expected.items()
        if value != found[what]
    ]


def _of_bytes(
    manifest: Manifest, files: Sequence[Mapping[str, object]], *, is_same_writer: bool
) -> list[Difference]:
    recorded = cast(list[Mapping[str, object]], manifest["files"])
    expected, found = ({str(f["path"]): f["sha256"] for f in of} for of in (recorded, files))
    means = _MEANS["bytes" if is_same_writer else "bytes-writer"]
    return _of_mappings("bytes", expected, found, means)


def _of_mappings(
    what: str, expected: Mapping[str, object], found: Mapping[str, object], means: str
) -> list[Difference]:
    return [
        Difference(what, where, expected.get(where), found.get(where), means)
        for where in sorted({*expected, *found})
        if expected.get(where) != found.get(where)
    ]
