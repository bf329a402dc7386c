"""Pins for training code: refuse to start on other bytes than those that are on record, and on other rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pyarrow as pa

from lineage.activities import runs, runs_files, runs_rows
from lineage.activities.context import Project, locate, open_project
from lineage.activities.predicates import Predicate
from lineage.activities.runs_metrics import flattened
from lineage.activities.runs_rows import Expected


@dataclass(frozen=True, slots=True)
class Pinned:
    """A run that is pinned, and whose files are those of its version.

    Parameters
    ----------
    run, version, digest
        Names, and the version's logical digest.
    folder
        The version's files, every byte of which was compared.
    document
        The whole pin.
    """

    run: str
    version: str
    digest: str
    folder: Path
    document: Mapping[str, object]
    _project: Project = field(repr=False)

    @property
    def manifest(self) -> Mapping[str, object]:
        """The version's manifest, as the registry has it."""
        return runs.manifest_of(self._project, self.version)

    @property
    def predicate(self) -> Predicate | None:
        """Which labels of the version the run takes; None: all."""
        subset = cast(Mapping[str, Sequence[str]] | None, self.document["subset"])
        if subset is None:
            return None
        words = subset["where"]
        return runs_rows.recorded(self._project, self.manifest, words, is_recorded=True)

    def check(
        self, rows: pa.Table | pa.RecordBatch | Iterable[pa.RecordBatch], split: str | None = None
    ) -> None:
        """Refuse rows that are not exactly the pinned ones, in any order.

        Parameters
        ----------
        rows
            What was loaded: Arrow with ``annotation`` and ``revision``; with all columns of the version's
            files, in their order, content is compared too.
        split
            The split that was loaded; None: all of them.

        Raises
        ------
        Refused
            ``pin-differs``: a row is missing, extra, there twice or changed; the first is named.
        BadInput
            ``pin-rows``: rows without annotation and revision; ``no-split``.
        """
        runs_files.refuse_split(self.manifest, split)
        kept = runs_rows.batches_of(self.folder, self.manifest, split=split)
        predicate = self.predicate
        Expected(kept if predicate is None else runs_rows.chosen(kept, predicate)).refuse_other(
            _batches(rows)
        )

    def metrics(self, values: Mapping[str, object]) -> None:
        """Put on record what came of the run; once. Nested names are joined by dots.

        Raises
        ------
        Refused
            ``metrics-exist``: there are others.
        BadInput
            ``metrics-unreadable``: a value is no finite number.
        """
        runs.record_metrics(self._project, self.run, flattened(values, "the metrics"))


def pin(
    run: str,
    *,
    version: str | None = None,
    data: str | Path | None = None,
    subset: str | Sequence[str] | None = None,
    project: str | Path = ".",
    parameters: Mapping[str, object] | None = None,
) -> Pinned:
    """Pin a run before it trains, and refuse to start if the files are not the version's.

    Parameters
    ----------
    run
        Name of the run. One that is pinned is found again, if it is the same pin.
    version
        Name, start of the digest, or tag; by default the pin's, and the version that ``data`` holds where
        there is no pin yet.
    data
        The version's files; ``data/dataset`` of the project by default.
    subset
        The labels that the run takes, in words: ``"class=car annotator=A"``; several texts: any of them.
        Values are looked up in the record, so the ledger has to be here.
    project
        A directory in the project. Neither Git, DVC nor the store is needed without ``subset``.
    parameters
        Whatever else is to be on record, in JSON's terms.

    Returns
    -------
    Pinned

    Raises
    ------
    Refused
        ``pin-differs``: bytes of the files are not the version's; ``run-exists``: the name stands for
        something else.
    NotFound
        ``no-project``, ``no-version``.
    """
    where = (subset,) if isinstance(subset, str) else tuple(subset or ())
    found = (open_project if where else locate)(Path(project))
    known = found.ledger.run_registry / f"{run}.json"
    document: Mapping[str, object] | None = runs.get(found, run) if known.is_file() else None
    if document is not None and document["subset"] is not None and not where:
        found = open_project(Path(project))
        where = tuple(cast(Mapping[str, Sequence[str]], document["subset"])["where"])
    folder = found.root / runs.DATA if data is None else Path(data)
    if version is None:
        version = str(document["version"]) if document else runs.version_in(found, folder)
    document = runs.pin(
        found,
        run,
        version=version,
        where=where,
        data=folder,
        parameters=parameters,
        asks_store=bool(where),
    )
    return Pinned(run, str(document["version"]), str(document["digest"]), folder, document, found)


def _batches(
    rows: pa.Table | pa.RecordBatch | Iterable[pa.RecordBatch],
) -> Iterable[pa.RecordBatch]:
    if isinstance(rows, pa.Table):
        return rows.to_batches()
    return (rows,) if isinstance(rows, pa.RecordBatch) else rows
