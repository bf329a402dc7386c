"""The version that would have been, had some labels never been: for a retraining experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa

from lineage.activities import ledger_only, subset, version
from lineage.activities.context import Project
from lineage.activities.version import Manifest
from lineage.errors import Refused
from lineage.settings import Recipe


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """What was left out of a version.

    Parameters
    ----------
    manifest
        Of the version that would have been.
    of
        The version that is.
    path
        Where its files are.
    n_left_out
        Labels of it that are not in the other.
    n_reverted
        Labels that stand in an earlier revision.
    n_images_gone
        Images of it that are not in the other.
    """

    manifest: Manifest
    of: str
    path: Path
    n_left_out: int
    n_reverted: int
    n_images_gone: int


def without(
    project: Project,
    name: str,
    words: Sequence[str],
    *,
    is_reverted: bool = False,
    tag: str | None = None,
    out: Path | None = None,
) -> Counterfactual:
    """Build the version that would have been, had labels of which any text holds never been.

    Parameters
    ----------
    project
        An open project.
    name
        The version, see `version.get`.
    words
        Predicates, see `predicates`.
    is_reverted
        The newest earlier revision of the same annotation that does not match stands in a label's
        place, as of the version's place in the log; without, or where there is none, it is left out.
    tag
        A name for it.
    out
        Directory to write; ``data/NAME`` by default, by its tag or name.

    Raises
    ------
    Refused
        ``nothing-left-out``: no label of the version is so; ``folder-taken``; what `version.frozen`
        refuses.
    NotFound
        ``no-version``; what `predicates.parse` does not find.
    """
    ledger_only.refuse_missing(project.ledger, cast(int, version.get(project, name)["seq"]))
    base = version.labels_of(project, name)
    asked = Recipe(without=tuple(words), revert=is_reverted, of=name)
    recipe, seq = version.settled(project, asked)
    if tag is not None:
        version.refuse_tag(project, tag)
    contents, manifest = version.frozen(project, recipe, seq)
    before, after = (_by_annotation(found.labels) for found in (base, contents))
    at = np.minimum(np.searchsorted(after[0], before[0]), max(len(after[0]) - 1, 0))
    stays = after[0][at] == before[0] if len(after[0]) else np.zeros(len(before[0]), bool)
    is_same = stays & (after[1][at] == before[1]) if len(after[0]) else stays
    is_nothing_new = len(after[0]) == len(before[0])
    if is_same.all() and is_nothing_new and contents.assets.num_rows == base.assets.num_rows:
        raise Refused(
            "nothing-left-out",
            f"no label of version {recipe.of} is so: {' or '.join(recipe.without)}",
            hint=f"lineage version show {recipe.of} counts its labels by annotator, batch and class",
        )
    manifest["counterfactual"] = {
        "of": recipe.of,
        "without": list(recipe.without),
        "revert": recipe.revert,
    }
    target = subset.target_of(project, manifest, tag, out)
    kept = version.keep(project, contents, manifest, target, tag=tag)
    return Counterfactual(
        manifest=kept,
        of=str(recipe.of),
        path=target,
        n_left_out=int((~stays).sum()),
        n_reverted=int((stays & ~is_same).sum()),
        n_images_gone=base.assets.num_rows - contents.assets.num_rows,
    )


def _by_annotation(labels: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    annotation, revision = (labels[name].to_numpy() for name in ("annotation", "revision"))
    order = np.argsort(annotation, kind="stable")
    return annotation[order], revision[order]
