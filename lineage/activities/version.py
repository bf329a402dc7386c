"""Dataset versions: frozen by a recipe at a place in the log, listed, tagged, compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa

from lineage import vcs
from lineage.activities import compare, dataset, position, predicates, recipes, restore, trace
from lineage.activities.completing import completing
from lineage.activities.contents import LAYOUT, Contents, choose, digest_of
from lineage.activities.context import Project
from lineage.activities.trace import Choice
from lineage.calc import changes as calc_changes
from lineage.errors import BadInput, NotFound, Refused
from lineage.identity import digest_of as tagged_digest
from lineage.segments import writer_fingerprint
from lineage.settings import Recipe, is_safe_name, load_params
from lineage.store import read, registries

Manifest = Mapping[str, object]
OUT = Path("data") / "dataset"
_NAME_CHARACTERS = 12
_COUNTED = ("class", "annotator", "schema", "batch", "stage")


def build(
    project: Project,
    recipe: Recipe | None = None,
    *,
    tag: str | None = None,
    out: Path | None = None,
) -> Manifest:
    """Freeze a dataset version.

    Parameters
    ----------
    project
        An open project.
    recipe
        Which labels; that of ``params.yaml`` by default.
    tag
        A name for it.
    out
        Directory to write; ``data/dataset`` by default.

    Returns
    -------
    Mapping
        The manifest, as it is written to ``manifest.json``.

    Raises
    ------
    Refused
        ``nothing-to-build``: the recipe chooses no image; ``tag-exists``.
    BadInput
        ``recipe``: a word of the recipe that is none; ``version-tag``.
    """
    chosen, seq = settled(project, recipe or load_params(project.root).recipe)
    if tag is not None:
        refuse_tag(project, tag)
    contents, manifest = frozen(project, chosen, seq)
    return keep(project, contents, manifest, project.root / OUT if out is None else out, tag=tag)


def settled(project: Project, recipe: Recipe) -> tuple[Recipe, int]:
    """Return a recipe as it goes on record, and the place in the log that it speaks of.

    People stand in it as pseudonyms, predicates as `Predicate.words` gives them; where it is ``of`` a
    version, that version's words stand in it and its own predicates are joined to them.

    Raises
    ------
    BadInput
        ``recipe``: a word that is none, or one beside ``of``; what `predicates.parse` refuses.
    NotFound
        ``no-version``, ``no-annotator``; what `predicates.parse` does not find.
    """
    if recipe.of is None:
        seq = position.resolve(project, recipe.as_of)
        whole = recipe
    else:
        base = get(project, recipe.of)
        seq = cast(int, base["seq"])
        whole = recipes.joined(recipes.recipe_of(base), recipe, str(base["name"]))
    people = trace.selector_of(project, Choice(annotator=whole.annotators)).annotators
    where, without = (
        predicates.parse(project, words, seq=seq).words for words in (whole.where, whole.without)
    )
    return replace(whole, annotators=people, where=where, without=without), seq


def frozen(project: Project, recipe: Recipe, seq: int) -> tuple[Contents, dict[str, object]]:
    """Return what a settled recipe chooses, and its manifest without the files.

    Raises
    ------
    Refused
        ``nothing-to-build``.
    """
    contents = choose(project, recipe, seq)
    if contents.assets.num_rows == 0:
        raise Refused(
            "nothing-to-build",
            "the recipe chooses no image that anybody has looked at",
            hint="see build in params.yaml, and: lineage status",
        )
    digest = digest_of(contents)
    manifest: dict[str, object] = {
        "name": digest[:_NAME_CHARACTERS],
        "digest": digest,
        "layout": LAYOUT,
        "seq": seq,
        "log_root": _root_at(project, seq),
        "recipe": recipes.words_of(recipe),
        "n_assets": contents.assets.num_rows,
        "n_annotations": contents.labels.num_rows,
        "n_incomplete": contents.n_incomplete,
        "n_withheld": contents.n_withheld,
        "completeness": dict(contents.states),
        "splits": _split_counts(contents),
        "counts": {name: _tally(contents.labels[name]) for name in _COUNTED},
        "excluded": list(contents.excluded),
        "writer": writer(),
    }
    if recipe.where:
        resolved = resolved_of(contents)
        manifest["subset"] = {"of": recipe.of, "where": list(recipe.where), "resolved": resolved}
    return contents, manifest


def keep(
    project: Project,
    contents: Contents,
    manifest: Mapping[str, object],
    target: Path,
    *,
    tag: str | None = None,
) -> Manifest:
    """Write a version's files, register it, and return what was asked and found this time.

    Notes
    -----
    A version that comes about again, at a later place or by another recipe, keeps the manifest that is on
    record, in the registry and in the folder: these and a pin would tell different things of the same
    labels otherwise.
    """
    known = project.ledger.versions().get(str(manifest["name"]))
    told = dict(manifest) if known is None else {**known, "writer": manifest["writer"]}
    told["files"] = dataset.write(
        target, contents.labels, contents.assets, contents.completeness, manifest=told
    )
    if known is None:
        _register(project, told)
    if tag is not None:
        _tag(project, tag, str(told["name"]))
    return {**manifest, "files": told["files"]}


def writer() -> Mapping[str, object]:
    """Return what the bytes of a version's files depend on besides its rows."""
    return {
        **writer_fingerprint(),
        "sort": "asset, annotation",
        "part_rows": dataset.PART_ROWS,
    }


def resolved_of(contents: Contents) -> Mapping[str, object]:
    """Return which labels a predicate chose: a digest over their annotations and revisions.

    Notes
    -----
    SHA-256 over ``lineage:resolved:1``, a zero byte, and for each label, by annotation, its annotation's
    and its revision's number as 8 bytes each, little-endian.
    """
    names = ("annotation", "revision")
    numbers = np.stack([contents.labels[name].to_numpy() for name in names], axis=1)
    numbers = numbers[np.argsort(numbers[:, 0], kind="stable")]
    return {
        "digest": tagged_digest("lineage:resolved:1", numbers.astype("<i8").tobytes()),
        "n_annotations": contents.labels.num_rows,
        "n_assets": contents.assets.num_rows,
    }


def list_all(project: Project) -> Sequence[Manifest]:
    """Return every version's manifest with its ``tags``, oldest position first."""
    tags = project.ledger.tags()
    return [
        {**manifest, "tags": [tag for tag, version in tags.items() if version == name]}
        for name, manifest in project.ledger.versions().items()
    ]


def get(project: Project, name: str) -> Manifest:
    """Return a version by its name, the start of it, its digest or its tag, with where Git and DVC have it.

    Raises
    ------
    NotFound
        ``no-version``.
    """
    found = [
        manifest
        for manifest in list_all(project)
        if name in cast(list[str], manifest["tags"])
        or (len(name) >= 4 and str(manifest["digest"]).startswith(name))
    ]
    if len(found) != 1:
        told = "no version" if not found else f"{len(found)} versions"
        raise NotFound("no-version", f"{told} {name!r} on record", hint="lineage version list")
    manifest = found[0]
    relative = f"ledger/versions/{manifest['name']}.json"
    return {
        **manifest,
        "git_commit": vcs.last_commit_of(project.root, relative),
        "dvc": _tracked(project, manifest),
    }


def tag(project: Project, name: str, new_tag: str) -> Manifest:
    """Give a version a tag; a tag is never moved.

    Raises
    ------
    NotFound
        ``no-version``.
    Refused
        ``tag-exists``.
    BadInput
        ``version-tag``.
    """
    manifest = get(project, name)
    version = str(manifest["name"])
    if project.ledger.tags().get(new_tag) != version:
        refuse_tag(project, new_tag)
        _tag(project, new_tag, version)
    return get(project, version)


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of every annotation between two versions.

    ``match`` tells how they were recognised; ``n_ambiguous`` counts pairs for which another pairing
    would have been almost as good.
    """

    from_: str
    to: str
    match: str
    n_ambiguous: int
    found: calc_changes.Changes


def diff(project: Project, old: str, new: str, *, match: str = "annotation") -> Difference:
    """Compare two versions.

    Parameters
    ----------
    project
        An open project.
    old, new
        Versions; or any place in the log (`position.resolve`), seen through the recipe of ``params.yaml``.
    match
        ``annotation``: labels are recognised by their annotation's number; ``iou``: by content, for
        versions whose identities were lost on the way.

    Raises
    ------
    NotFound
        ``no-version`` or ``as-of``.
    BadInput
        ``match-choice``: another word.
    """
    if match not in ("annotation", "iou"):
        raise BadInput("match-choice", f"--match is {match!r}, expected annotation or iou")
    before, after = (_side(project, name) for name in (old, new))
    pairs = compare.pairs_of(before, after) if match == "iou" else None
    found = calc_changes.changes(before, after, pairs)
    doubts = None if pairs is None else pairs.is_ambiguous
    n_ambiguous = 0 if doubts is None else int(doubts.sum())
    return Difference(old, new, match, n_ambiguous, found)


def labels_of(project: Project, name: str) -> Contents:
    """Return a version's labels and images, rebuilt from the ledger.

    Raises
    ------
    Refused
        ``version-differs``: the ledger no longer gives what the version recorded.
    """
    manifest = get(project, name)
    layout = cast(int, manifest.get("layout", 1))
    contents = choose(project, recipes.recipe_of(manifest), cast(int, manifest["seq"]), layout)
    found = digest_of(contents, layout)
    if found != manifest["digest"]:
        raise Refused(
            "version-differs",
            f"version {manifest['name']} was recorded as {manifest['digest']}, the ledger gives {found}",
            hint="bring the ledger's files back with: dvc checkout",
        )
    return contents


def refuse_tag(project: Project, new_tag: str) -> None:
    """Refuse what cannot be the tag of a new version: ``version-tag`` or ``tag-exists``."""
    if not is_safe_name(new_tag):
        raise BadInput(
            "version-tag", f"{new_tag!r} is no tag, expected letters, digits and . _ - only"
        )
    if new_tag in project.ledger.tags():
        raise Refused(
            "tag-exists",
            f"the tag {new_tag} stands for {project.ledger.tags()[new_tag]}, and tags are never moved",
            hint="choose another tag",
        )


def _side(project: Project, name: str) -> pa.Table:
    try:
        manifest = get(project, name)
    except NotFound:
        asked = replace(load_params(project.root).recipe, as_of=name)
        return choose(project, *settled(project, asked)).labels
    return choose(project, recipes.recipe_of(manifest), cast(int, manifest["seq"])).labels


def _register(project: Project, manifest: Manifest) -> None:
    name = str(manifest["name"])
    project.ledger.register(f"{name}.json", dataset.pretty(manifest))
    stored = completing(f"version {name}")
    with stored, project.store.exclusive(), project.store.writing() as connection:
        if name not in registries.version_names(connection):
            restore.enter_version(connection, name, manifest)


def _tag(project: Project, new_tag: str, version: str) -> None:
    project.ledger.register(f"{new_tag}.tag", f"{version}\n".encode())
    stored = completing(f"the tag {new_tag}")
    with stored, project.store.exclusive(), project.store.writing() as connection:
        # whoever opened the project since the line above has taken the tag in already
        if new_tag not in registries.tag_names(connection):
            restore.enter_tag(connection, new_tag, version)


def _tracked(project: Project, manifest: Manifest) -> Mapping[str, object] | None:
    here = project.root / OUT / "manifest.json"
    if not here.is_file() or dataset.read_manifest(here).get("digest") != manifest["digest"]:
        return None
    return vcs.tracked_out(project.root, OUT.as_posix())


def _root_at(project: Project, seq: int) -> str | None:
    with project.store.reading() as connection:
        return read.roots(connection).get(seq)


def _split_counts(contents: Contents) -> dict[str, dict[str, int]]:
    n_assets, n_labels = _tally(contents.assets["split"]), _tally(contents.labels["split"])
    return {
        name: {"n_assets": n, "n_annotations": n_labels.get(name, 0)}
        for name, n in n_assets.items()
    }


def _tally(words: pa.ChunkedArray) -> dict[str, int]:
    counted = words.cast(pa.string()).value_counts().to_pylist()
    return dict(sorted((entry["values"], entry["counts"]) for entry in counted))
