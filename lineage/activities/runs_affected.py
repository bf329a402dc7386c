"""Which runs consumed such a label: the question when an annotator, a batch or a guideline turns out wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pyarrow as pa

from lineage.activities import predicates, runs, runs_cells, runs_rows
from lineage.activities.context import Project
from lineage.activities.predicates import Predicate

_IN_MANIFEST = frozenset({"annotator", "batch", "schema", "class", "stage"})


@dataclass(frozen=True, slots=True)
class Affected:
    """A run that consumed some of the labels asked for.

    Parameters
    ----------
    run, version
        As the pin has them.
    n_annotations
        How many of them; None: the run's version is not in the registry, so nothing can be said.
    fraction
        Of all labels that the run consumed.
    """

    run: str
    version: str
    n_annotations: int | None
    fraction: float | None


def affected(project: Project, words: Sequence[str]) -> tuple[Predicate, list[Affected]]:
    """Return every run that consumed any label that words choose, those most affected first.

    Parameters
    ----------
    project
        An open project.
    words
        Texts of `predicates`, any of which may hold.

    Returns
    -------
    tuple
        What was asked, as the record has it; and the runs. One whose version is not in the registry
        is among them: it cannot be cleared.

    Notes
    -----
    Three ways, the cheapest that can tell: the counts in the manifest (one dimension, a run without a
    subset), joint counts that are kept (`runs_cells`), or the rows of the version, rebuilt. What is asked
    of the record, such as gold or disputes, is asked as it stands now, not as of the version.
    """
    predicate = predicates.parse(project, words)
    versions = project.ledger.versions()
    found: list[Affected] = []
    counts: dict[tuple[str, str], int] = {}
    for pinned in runs.list_all(project):
        run, version = str(pinned["run"]), str(pinned["version"])
        manifest = versions.get(version)
        if manifest is None:
            found.append(Affected(run, version, None, None))
            continue
        subset = cast(Mapping[str, object] | None, pinned["subset"])
        key = (version, "" if subset is None else str(subset["digest"]))
        if key not in counts:
            counts[key] = _count(project, predicate, manifest, pinned)
        told = manifest if subset is None else subset
        if counts[key]:
            n = counts[key]
            found.append(Affected(run, version, n, n / cast(int, told["n_annotations"])))
    return predicate, sorted(found, key=_weight)


def _weight(row: Affected) -> tuple[float, str]:
    return -(2.0 if row.fraction is None else row.fraction), row.run


def _count(
    project: Project, predicate: Predicate, manifest: runs.Document, pinned: runs.Document
) -> int:
    asked = {c.dimension for one in predicate.alternatives for c in one}
    is_plain = len(predicate.alternatives) == 1 and len(predicate.alternatives[0]) == 1
    if is_plain and asked <= _IN_MANIFEST and pinned["subset"] is None:
        clause = predicate.alternatives[0][0]
        counts = cast(Mapping[str, Mapping[str, int]], manifest["counts"])[clause.dimension]
        return sum(counts.get(value, 0) for value in set(clause.values))
    if asked <= set(runs_cells.DIMENSIONS):
        cells = runs_cells.cells(project, manifest, pinned)
        return sum(_chosen(predicate, batch) for batch in cells.to_batches())
    rows = runs_rows.consumed(project, manifest, pinned)
    return sum(int(predicates.mask(predicate, batch).sum()) for batch in rows)


def _chosen(predicate: Predicate, cells: pa.RecordBatch) -> int:
    return int(np.asarray(cells["n"])[predicates.mask(predicate, cells)].sum())
