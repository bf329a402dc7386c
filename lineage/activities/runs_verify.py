"""Does a pin still hold: the document, the registry, the log, the files at hand, and, deep, the rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from lineage.activities import runs, runs_files, runs_rows
from lineage.activities.context import Project
from lineage.activities.findings import Finding
from lineage.errors import LineageError, NotFound


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of looking at a pin.

    Parameters
    ----------
    run, version, digest
        As the pin has them.
    checked
        What was looked at: ``document``, ``log``, ``files``, ``rows``.
    findings
        What is not as it was; none: the pin holds.
    """

    run: str
    version: str
    digest: str
    checked: Mapping[str, bool]
    findings: Sequence[Finding]

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def verify(
    project: Project, run: str, *, data: Path | None = None, is_deep: bool = False
) -> Verdict:
    """Look whether a pin still holds.

    Parameters
    ----------
    project
        A project; without a store, the log is not asked.
    run
        Name of the run.
    data
        A folder that is to hold the version's files. By default ``data/dataset`` is looked at if it says that
        it holds this version: a folder that has moved on to another does not speak against the pin.
    is_deep
        Rebuild the version, and the run's part of it, from the ledger.

    Raises
    ------
    NotFound
        ``no-run``.
    """
    pinned = runs.get(project, run)
    findings = list(runs.disagreements(project, run, pinned))
    checked = {"document": True, "log": project.store.exists(), "files": False, "rows": False}
    manifest = project.ledger.versions().get(str(pinned["version"]))
    if manifest is not None:
        folder = _folder(project, pinned, data)
        if folder is not None:
            checked["files"] = True
            findings += runs_files.differences(folder, manifest)
        if is_deep:
            checked["rows"] = True
            findings += _of_rows(project, pinned, manifest)
    return Verdict(run, str(pinned["version"]), str(pinned["digest"]), checked, findings)


def _folder(project: Project, pinned: runs.Document, data: Path | None) -> Path | None:
    if data is not None:
        return data
    folder = project.root / runs.DATA
    return folder if runs_files.folder_digest(folder) == pinned["digest"] else None


def _of_rows(project: Project, pinned: runs.Document, manifest: runs.Document) -> Iterator[Finding]:
    where = f"version {pinned['version']}"
    cure = "lineage audit --deep"
    subset = cast(Mapping[str, object] | None, pinned["subset"])
    try:
        if subset is None:
            runs_rows.rebuilt(project, manifest)
            return
        words = cast(Sequence[str], subset["where"])
        found = runs_rows.subset(project, manifest, words, None, is_recorded=True)
    except NotFound:
        raise
    except LineageError as exc:
        yield Finding(exc.slug, where, None, str(pinned["digest"]), str(exc), exc.hint or cure)
        return
    if found["digest"] != subset["digest"]:
        told = (f"digest {subset['digest']}", f"digest {found['digest']}")
        yield Finding("run-subset", f"{where}: {' or '.join(words)}", None, *told, cure)
