"""The audit of dataset versions: the registry, the files in ``data/dataset``, and, deep, every version rebuilt.

A registry's manifest is held against the store, against Git's last commit, against
the log's root at its place; deep, against what ledger, recipe and position give
again, without the store.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from lineage import vcs
from lineage.activities import dataset, ledger_only, recipes, version
from lineage.activities.audit_ground import Ground
from lineage.activities.audit_locate import Place, between
from lineage.activities.contents import LAYOUT, choose, digest_of
from lineage.activities.context import Project
from lineage.activities.findings import Finding
from lineage.errors import LineageError, NotFound
from lineage.identity import canonical_json
from lineage.segments import file_sha256, read_parquet

Manifest = Mapping[str, object]

_GIT = "bring the file back with: git checkout -- {where}"
_BUILD = "bring the files back with: dvc checkout data/dataset, or lineage build"
_AGAIN = (
    *("digest", "log_root", "n_assets", "n_annotations", "n_incomplete", "n_withheld"),
    *("completeness", "splits", "counts", "subset"),
)
_KEYS = ("name", "digest", "seq", "log_root", "recipe", "files", "counts", "splits", "writer")


def registry(ground: Ground, chosen: Sequence[str] = ()) -> Iterator[Finding]:
    """Yield what is wrong with manifests and tags.

    Parameters
    ----------
    ground
        What the audit stands on.
    chosen
        Names of the versions to look at; none: all.
    """
    manifests = dict(_manifests(ground))
    for name, manifest in manifests.items():
        where = f"ledger/versions/{name}.json"
        if isinstance(manifest, Finding):
            yield manifest
            continue
        if chosen and name not in chosen:
            continue
        ground.checked["versions"] += 1
        yield from _manifest(ground, name, manifest, where)
    yield from committed(ground, "versions")
    yield from _stored(ground, manifests)
    for tag, name in _tags(ground).items():
        if name not in manifests:
            where = f"ledger/versions/{tag}.tag"
            cure = _GIT.format(where=where)
            yield Finding("tag-differs", where, None, "a version on record", repr(name), cure)


def files(ground: Ground) -> Iterator[Finding]:
    """Yield where ``data/dataset`` is not what its manifest says, and its manifest not the registry's."""
    folder = ground.project.root / version.OUT
    if not folder.is_dir():
        ground.notes.append("there is no data/dataset here, so no dataset file was checked")
        return
    where = (version.OUT / "manifest.json").as_posix()
    try:
        here = json.loads((folder / "manifest.json").read_bytes())
        name, listed = str(here["name"]), {str(f["path"]): f for f in here["files"]}
    except (OSError, ValueError, KeyError, TypeError) as exc:
        told = f"no manifest: {exc}"[:120]
        yield Finding("dataset-changed", where, None, "a manifest", told, _BUILD)
        return
    registered = {n: m for n, m in _manifests(ground) if not isinstance(m, Finding)}.get(name)
    if registered is None:
        told = f"version {name!r}"
        yield Finding("dataset-changed", where, None, "a version on record", told, _BUILD)
    elif _is_of_another_writer(here, registered):
        ground.notes.append(
            f"data/dataset holds the labels of version {name} as another writer wrote them "
            f"({here['writer']}): other bytes than the registry names, held against its own manifest"
        )
    elif (folder / "manifest.json").read_bytes() != dataset.pretty(registered):
        told = _first_key(registered, here) or "the same values in other bytes"
        expected = f"ledger/versions/{name}.json"
        yield Finding("dataset-changed", where, None, expected, told, _BUILD)
        listed = {str(f["path"]): f for f in cast(list[Manifest], registered["files"])}
    kept = ground.objects.get(where)
    if kept is not None and kept.is_file():
        pipelines = _read(kept.read_bytes()).get("name")
        if pipelines not in (None, name):
            told = f"data/dataset holds version {name}, the pipeline's is {pipelines}: dvc checkout"
            ground.notes.append(f"{told} brings that back, dvc repro builds it anew")
    rebuilt: dict[str, dict[str, pa.Table]] = {}
    for path, entry in listed.items():
        ground.checked["dataset_files"] += 1
        yield from _file(ground, folder / path, entry, registered or here, rebuilt)
    known = {"manifest.json", *listed}
    for found in sorted(folder.rglob("*")):
        relative = found.relative_to(folder).as_posix()
        if found.is_file() and relative not in known:
            where = (version.OUT / relative).as_posix()
            yield Finding("dataset-stray", where, None, "no such file", "a file", _BUILD)


def _is_of_another_writer(here: Manifest, registered: Manifest) -> bool:
    """Tell whether a folder's manifest says all that the registry's says, but for what another pyarrow writes."""
    loose = {"writer", "files"}
    same = {key: here.get(key) for key in registered if key not in loose} == {
        key: value for key, value in registered.items() if key not in loose
    }
    return same and here.get("writer") != registered["writer"]


def rebuilt(ground: Ground, chosen: Sequence[str] = ()) -> Iterator[Finding]:
    """Rebuild every version from the ledger alone, and yield those that come out otherwise."""
    named = [n for n, m in _manifests(ground) if not isinstance(m, Finding)]
    names = [name for name in named if not chosen or name in chosen]
    if not names:
        return
    if ground.damaged:
        # they would differ for that reason alone, each a finding that has no cure of its own
        told = f"{len(ground.damaged)} segments are not as recorded"
        ground.notes.append(f"no version was rebuilt: {told}; repeat the audit once they are back")
        return
    try:
        with ledger_only.opened(ground.project) as project:
            for name in names:
                yield from _recomputed(project, name)
                ground.checked["rebuilt"] += 1
    except (LineageError, KeyError, TypeError, ValueError) as exc:
        ground.notes.append(
            f"versions could not be rebuilt, the ledger's headers do not bear it: {exc}"
        )


def named(ground: Ground, words: Sequence[str]) -> list[str]:
    """Return the names of versions that are asked for by name, start of the digest, or tag.

    Raises
    ------
    NotFound
        ``no-version``.
    """
    tags = _tags(ground)
    names = [name for name, _ in _manifests(ground)]
    found = []
    for word in words:
        of = [n for n in names if n == tags.get(word, word) or (len(word) >= 4 and _fits(n, word))]
        if len(of) != 1:
            told = "no version" if not of else f"{len(of)} versions"
            raise NotFound("no-version", f"{told} {word!r} on record", hint="lineage version list")
        found += of
    return found


def _fits(name: str, word: str) -> bool:
    """Tell whether a word is the start of a version's name, or a digest that begins with it."""
    return name.startswith(word) or word.startswith(name)


def _recomputed(project: Project, name: str) -> Iterator[Finding]:
    where = f"ledger/versions/{name}.json"
    cure = "lineage audit --deep names the segment that changed; dvc checkout brings it back"
    try:
        expected = _read((project.ledger.registry / f"{name}.json").read_bytes())
        found = _again(project, expected)
    except (LineageError, KeyError, TypeError, ValueError, pa.ArrowException, IndexError) as exc:
        told = f"cannot be rebuilt: {exc}"[:200]
        yield Finding("version-differs", where, None, "a version", told, cure)
        return
    wrong = {key: value for key, value in found.items() if expected.get(key, value) != value}
    if wrong:
        told = _first_key({key: expected[key] for key in wrong}, wrong)
        expected_ = f"digest {str(expected['digest'])[:16]}"
        yield Finding("version-differs", where, None, expected_, told, cure, len(wrong))


def _again(project: Project, manifest: Manifest) -> Manifest:
    """Return what a manifest says of its labels, from the ledger."""
    recipe, seq = recipes.recipe_of(manifest), cast(int, manifest["seq"])
    layout = cast(int, manifest.get("layout", 1))
    if layout == LAYOUT:
        told = version.frozen(project, recipe, seq)[1]
        return {key: told[key] for key in _AGAIN if key in told}
    contents = choose(project, recipe, seq, layout)
    counted = {"n_assets": contents.assets.num_rows, "n_annotations": contents.labels.num_rows}
    return {"digest": digest_of(contents, layout), **counted}


def _manifests(ground: Ground) -> Iterator[tuple[str, Manifest | Finding]]:
    folder = ground.project.ledger.registry
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        where = f"ledger/versions/{path.name}"
        try:
            document = json.loads(path.read_bytes())
            lacking = [key for key in _KEYS if key not in document]
            told = f"no {', '.join(lacking)}" if lacking else ""
        except (OSError, ValueError, TypeError, RecursionError) as exc:
            told = f"no JSON: {exc}"[:120]
        if told:
            cure = _GIT.format(where=where)
            yield path.stem, Finding("version-changed", where, None, "a manifest", told, cure)
        else:
            yield path.stem, document


def _manifest(ground: Ground, name: str, manifest: Manifest, where: str) -> Iterator[Finding]:
    cure = _GIT.format(where=where)
    content = (ground.project.root / where).read_bytes()
    if content != dataset.pretty(manifest):
        told = "the same values, or others, in other bytes"
        yield Finding("version-changed", where, None, "sorted JSON", told, cure)
    if name != manifest["name"] or not str(manifest["digest"]).startswith(name):
        told = f"name {manifest['name']!r}, digest {str(manifest['digest'])[:16]}"
        yield Finding("version-changed", where, None, f"version {name}", told, cure)
    expected = ground.roots.get(cast(int, manifest["seq"]))
    if expected is None:
        told = f"place {manifest['seq']}, the headers that are here reach {max(ground.roots)}"
        bring = f"{cure}; or dvc checkout, if segments are missing"
        yield Finding("version-root", where, None, "a place in the log", told, bring)
    elif expected != manifest["log_root"]:
        told = f"log root {str(manifest['log_root'])[:16]}"
        yield Finding("version-root", where, None, f"log root {expected[:16]}", told, cure)


def _stored(ground: Ground, manifests: Mapping[str, Manifest | Finding]) -> Iterator[Finding]:
    """Hold the registry against the store's own copy of it."""
    try:
        with ground.rows() as rows:
            if rows is None:
                return
            names = ["name", "digest", "seq", "document"]
            stored = {str(r["name"]): r for r in rows.plain("dataset_version", names, "id")}
            tags = {str(r["tag"]): str(r["version"]) for r in rows.plain("version_tag", ["tag", "version"], "tag")}  # fmt: skip
    except LineageError:
        return
    restore = "lineage restore --discard-store, where the registry is right"
    for name, row in stored.items():
        where = f"ledger/versions/{name}.json"
        cure = f"{_GIT.format(where=where)}; {restore}"
        manifest = manifests.get(name)
        if manifest is None:
            yield Finding("version-missing", where, None, "a manifest", "no file", cure)
        elif not isinstance(manifest, Finding):
            expected = {"digest": manifest["digest"], "seq": manifest["seq"]}
            expected["document"] = canonical_json(manifest).decode()
            if any(row[key] != value for key, value in expected.items()):
                told = _first_key(_read(row["document"]), manifest) or "the store's row differs"
                yield Finding("version-changed", where, None, "as in the store", told, cure)
    lacking = [name for name in manifests if name not in stored]
    if lacking:
        n = len(lacking)
        ground.notes.append(
            f"the store lacks {n} versions of the registry: the next command enters them"
        )
    here = _tags(ground)
    if n := len(here.keys() - tags.keys()):
        ground.notes.append(
            f"the store lacks {n} tags of the registry: the next command enters them"
        )
    for tag, name in tags.items():
        if here.get(tag) != name:
            where = f"ledger/versions/{tag}.tag"
            cure, told = _GIT.format(where=where), repr(here.get(tag))
            yield Finding("tag-differs", where, None, repr(name), told, f"{cure}; {restore}")


def committed(ground: Ground, folder: str) -> Iterator[Finding]:
    """Hold a registry's files against the last commit: none is ever changed once it is there."""
    root = ground.project.root
    try:
        at_head = vcs.files_at_head(root, f"ledger/{folder}")
    except LineageError as exc:
        ground.notes.append(f"Git could not be asked: {exc}")
        return
    for relative, content in at_head.items():
        path = root / relative
        cure = _GIT.format(where=relative)
        kind = "tag-differs" if relative.endswith(".tag") else "version-changed"
        if folder == "runs":
            kind = "run-differs"
        if not path.is_file():
            kind = "version-missing" if kind == "version-changed" else kind
            yield Finding(kind, relative, None, "as in Git's last commit", "no file", cure)
        elif path.read_bytes() != content:
            told = _first_key(_read(content), _read(path.read_bytes())) or "other bytes"
            yield Finding(kind, relative, None, "as in Git's last commit", told, cure)


def _tags(ground: Ground) -> dict[str, str]:
    folder = ground.project.ledger.registry
    paths = sorted(folder.glob("*.tag")) if folder.is_dir() else []
    return {path.stem: path.read_text("utf-8", errors="replace").strip() for path in paths}


def _file(
    ground: Ground,
    path: Path,
    entry: Manifest,
    manifest: Manifest,
    rebuilt: dict[str, dict[str, pa.Table]],
) -> Iterator[Finding]:
    where = path.relative_to(ground.project.root).as_posix()
    expected = str(entry["sha256"])
    if not path.is_file():
        told = f"{entry['n_rows']} rows"
        yield Finding(
            "dataset-missing", where, None, told, "no file", _BUILD, cast(int, entry["n_rows"])
        )
        return
    found = file_sha256(path)
    if found == expected:
        return
    rows = _recorded(ground, where, str(entry["path"]), expected, manifest, rebuilt)
    place = (
        Place(None, "and what its rows were cannot be told")
        if rows is None
        else between(path, rows)
    )
    yield Finding(
        "dataset-changed",
        where,
        place.annotation,
        f"SHA-256 {expected[:16]}",
        f"{found[:16]}; {place.found}",
        _BUILD,
        max(place.n, 1),
    )


def _recorded(
    ground: Ground,
    where: str,
    relative: str,
    sha256: str,
    manifest: Manifest,
    rebuilt: dict[str, dict[str, pa.Table]],
) -> pa.Table | None:
    """Return the rows that a dataset file should have: from a copy, or else from the ledger."""
    copy = ground.copy_of(where, sha256)
    if copy is not None:
        return pa.Table.from_batches(read_parquet(copy))
    try:
        if not rebuilt:
            with ledger_only.opened(ground.project) as project:
                contents = version.labels_of(project, str(manifest["name"]))
            rebuilt["tables"] = {
                "part": contents.labels,
                "assets": contents.assets,
                "completeness": contents.completeness,
            }
    except (LineageError, KeyError, TypeError, ValueError):
        return None
    split, name = relative.split("/")
    table = rebuilt["tables"].get(name.split(".")[0].split("-")[0])
    if table is None:
        return None
    rows = table.filter(pc.equal(table["split"].cast(pa.string()), split))
    if name.startswith("part-"):
        number = int(name.removeprefix("part-").removesuffix(".parquet"))
        rows = rows.slice(number * dataset.PART_ROWS, dataset.PART_ROWS)
    return rows


def _read(content: object) -> Manifest:
    try:
        document = json.loads(cast(bytes, content))
    except (ValueError, TypeError):
        return {}
    return document if isinstance(document, dict) else {}


def _first_key(expected: Manifest, found: Manifest) -> str:
    """Return the first entry of two documents that differs, in words."""
    for key in sorted({*expected, *found}):
        if expected.get(key) != found.get(key):
            return f"{key}: {str(found.get(key))[:60]}, in place of {str(expected.get(key))[:60]}"
    return ""
