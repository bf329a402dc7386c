"""Has this been imported already? What an import was asked, as the record keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lineage.activities import record
from lineage.activities.context import Project
from lineage.activities.emit import Job
from lineage.activities.record import SourceFile
from lineage.store import read
from lineage.terms import ActivityKind
from lineage.vcs.history import Commit

if TYPE_CHECKING:
    from lineage.activities.ingest import ImportOptions


def asked(how: ImportOptions, files: Sequence[SourceFile], schema: str) -> dict[str, object]:
    """Return what has to be the same for the same bytes to give the same labels."""
    return {
        "schema": schema,
        "stage": how.stage.value,
        "whole": how.is_whole,
        "annotator_given": how.annotator is not None or bool(how.annotator_of_file),
        "map": None if how.map is None else files[-1].digest,
        "pixel_base": how.pixel_base,
        "task": how.task,
    }


_BEFORE: Mapping[str, object] = {"map": None, "pixel_base": 0, "task": "auto"}
"""What imports did that were recorded before these parameters were."""


def parameters(job: Job, how: ImportOptions, files: Sequence[SourceFile]) -> dict[str, object]:
    """Return an import's parameters as its activity records them."""
    return {
        **asked(how, files, job.schema),
        "format": job.format,
        "identity": how.identity,
        "edge_tolerance_px": how.edge_tolerance_px,
        **_told_of(how.commit),
    }


def source(project: Project, path: Path, commit: Commit | None) -> SourceFile:
    """Digest a source; one of a commit is named by its path in the repository and the commit."""
    file = record.source_file(project, path)
    return file if commit is None else replace(file, path=f"{commit.path}@{commit.sha[:10]}")


def _told_of(commit: Commit | None) -> dict[str, object]:
    if commit is None:
        return {}
    return {"commit": commit.sha, "authored_at": commit.at.isoformat(), "subject": commit.subject}


def newest(
    connection: read.Connection,
    batch: str,
    files: Sequence[SourceFile],
    how: ImportOptions,
    schema: str,
) -> read.ActivityRow | None:
    """Return the batch's newest import if it read these bytes, and would read them alike today."""
    # Only the batch's newest import may be skipped by its bytes: an older export that comes back
    # takes the batch back to what it says.
    seen = read.source_digests(connection, batch)
    last = max(seen.values(), default=0)
    if how.commit is not None or not files or any(seen.get(file.digest) != last for file in files):
        return None
    entry, *later = read.activities(connection, after=last - 1)
    known = {**_BEFORE, **entry.parameters}
    wanted = asked(how, files, schema) | ({} if how.format == "auto" else {"format": how.format})
    if any(known.get(name) != value for name, value in wanted.items()):
        return None
    # labels were refused, and images were registered since: their sizes may be what was missing
    has_images = any(a.kind == ActivityKind.ASSETS_ADD for a in later)
    return None if has_images and entry.outcome.get("n_rejected") else entry


def format_of(entry: read.ActivityRow) -> str:
    """Return the format of a recorded import."""
    return str(entry.parameters["format"])
