"""A version restricted by a predicate, saved as a version of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lineage.activities import ledger_only, predicates, version
from lineage.activities.context import Project
from lineage.activities.version import Manifest
from lineage.errors import Refused, Usage
from lineage.settings import Recipe, load_params

FOLDER = Path("data")
"""Where versions besides the pipeline's are written."""


@dataclass(frozen=True, slots=True)
class Subset:
    """A subset that was saved.

    Parameters
    ----------
    manifest
        Of the version that it is.
    path
        Where its files are.
    """

    manifest: Manifest
    path: Path


def subset(
    project: Project,
    where: Sequence[str],
    *,
    of: str | None = None,
    without: Sequence[str] = (),
    tag: str | None = None,
    out: Path | None = None,
) -> Subset:
    """Freeze the labels of a version of which a predicate holds.

    Parameters
    ----------
    project
        An open project.
    where
        Texts, any of which holds, see `predicates`.
    of
        The version; None: what the recipe of ``params.yaml`` chooses now.
    without
        Texts of labels that are left out as if they had never been.
    tag
        A name for it.
    out
        Directory to write; ``data/NAME`` by default, by its tag or name.

    Raises
    ------
    Usage
        ``usage``: nothing is asked.
    Refused
        ``folder-taken``; what `version.frozen` refuses.
    BadInput, NotFound
        What `predicates.parse` raises.
    """
    if not where and not without:
        raise Usage("usage", "name what the subset has: --class NAME, --gold, --where ...")
    if of is None:
        recipe = load_params(project.root).recipe
        asked = replace(
            recipe,
            where=predicates.joined(recipe.where, where),
            without=(*recipe.without, *without),
        )
    else:
        asked = Recipe(where=tuple(where), without=tuple(without), of=of)
    chosen, seq = version.settled(project, asked)
    ledger_only.refuse_missing(project.ledger, seq)
    if tag is not None:
        version.refuse_tag(project, tag)
    contents, manifest = version.frozen(project, chosen, seq)
    target = target_of(project, manifest, tag, out)
    return Subset(version.keep(project, contents, manifest, target, tag=tag), target)


def target_of(project: Project, manifest: Manifest, tag: str | None, out: Path | None) -> Path:
    """Return where a version is written that is not the pipeline's; refuses as `refuse_taken`."""
    target = project.root / FOLDER / str(tag or manifest["name"]) if out is None else out
    refuse_taken(project, target)
    return target


def refuse_taken(project: Project, target: Path) -> None:
    """Refuse to write over the pipeline's version, or over what is no version.

    Raises
    ------
    Refused
        ``folder-taken``.
    """
    is_pipelines = target.resolve() == (project.root / version.OUT).resolve()
    if is_pipelines or (target.exists() and not (target / "manifest.json").is_file()):
        told = "the pipeline's" if is_pipelines else "there, and holds no version to be replaced"
        raise Refused(
            "folder-taken",
            f"{target} is {told}",
            hint="choose another --tag, or name a directory with --out",
        )
