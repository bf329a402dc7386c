"""Pinned training runs: a name that stands for exactly what a run was given, in Git beside the versions.

A pin is a small JSON file, ``ledger/runs/<run>.json``, and no activity of the log: the machine that trains
works in a clone of its own, and a log that two machines append to forks. It is never moved. Metrics come
after training, so they stand in a file of their own, ``<run>.metrics``, written once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import cast

from lineage import __version__, vcs
from lineage.activities import dataset, runs_files, runs_rows
from lineage.activities.context import Project
from lineage.activities.findings import Finding
from lineage.errors import BadInput, NotFound, Refused
from lineage.identity import canonical_json, digest_of
from lineage.segments import writer_fingerprint
from lineage.settings import is_safe_name
from lineage.store import read, registries

Document = Mapping[str, object]
DATA = Path("data") / "dataset"
_DOMAIN = "lineage:pin:1"
_FIELDS = frozenset({"run", "version", "digest", "seq", "subset", "at", "pin"})


def pin(
    project: Project,
    run: str,
    *,
    version: str,
    where: Sequence[str] = (),
    data: Path | None = None,
    is_checked: bool = True,
    parameters: Mapping[str, object] | None = None,
    asks_store: bool = True,
) -> Document:
    """Pin a run to a dataset version; the same pin again is returned as it stands.

    Parameters
    ----------
    project
        A project, opened or only located: of the record, only the registries are needed, and the store
        where ``where`` asks for a part.
    run
        Name of the run.
    version
        Name, start of the digest, or tag.
    where
        Texts of `predicates`, any of which may hold: the labels of the version that the run takes.
    data
        The version's files; ``data/dataset`` by default.
    is_checked
        Compare every byte of the files with the version's manifest first.
    parameters
        Whatever else is to be on record, in JSON's terms.
    asks_store
        Say by pseudonym who pins, and put the pin into the store at once. Without, whoever opens the project
        next does that: a machine that trains may reach no store.

    Raises
    ------
    Refused
        ``run-exists``: the name stands for something else; ``pin-differs``: files are not the version's.
    NotFound
        ``no-version``.
    BadInput
        ``run-name``; whatever `predicates.parse` raises.
    """
    if not is_safe_name(run):
        raise BadInput(
            "run-name", f"{run!r} is no name for a run, expected letters, digits and . _ - only"
        )
    manifest = manifest_of(project, version)
    folder = project.root / DATA if data is None else data
    if is_checked:
        refuse_differences(folder, manifest)
    known = _known(project, run)
    subset = None
    if where:
        source = folder if is_checked else None
        subset = runs_rows.subset(project, manifest, where, source)
    wanted = {"run": run, "digest": manifest["digest"], "subset": subset}
    if parameters is not None or known is None:
        wanted["parameters"] = dict(parameters or {})
    if known is not None:
        _refuse_other(known, wanted)
        return known
    has_store = asks_store and project.store.exists()
    wanted["by"] = _pseudonym(project) if has_store else None
    document = _document(project, manifest, wanted, folder if is_checked else None)
    content = dataset.pretty(document)
    project.ledger.register(f"{run}.json", content, folder=project.ledger.run_registry)
    if has_store:
        _enter(project, document)
    return document


def list_all(project: Project) -> list[Document]:
    """Return every pin with its ``metrics`` (None: none yet), by name."""
    folder = project.ledger.run_registry
    names = sorted(path.stem for path in folder.glob("*.json")) if folder.is_dir() else []
    return [get(project, name) for name in names]


def get(project: Project, run: str) -> Document:
    """Return a run's pin with its ``metrics``.

    Raises
    ------
    NotFound
        ``no-run``.
    BadInput
        ``run-unreadable``.
    """
    found = _known(project, run)
    if found is None:
        raise NotFound("no-run", f"no run {run!r} is pinned", hint="lineage run list")
    return _with_metrics(project, found)


def manifest_of(project: Project, name: str) -> Document:
    """Return a version's manifest by name, start of the digest, or tag; Git and DVC are not asked.

    Raises
    ------
    NotFound
        ``no-version``.
    """
    versions = project.ledger.versions()
    exact = versions.get(project.ledger.tags().get(name, name))
    found = [
        manifest
        for manifest in versions.values()
        if len(name) >= 4 and str(manifest["digest"]).startswith(name)
    ]
    if exact is None and len(found) != 1:
        told = "no version" if not found else f"{len(found)} versions"
        raise NotFound("no-version", f"{told} {name!r} on record", hint="lineage version list")
    return exact or found[0]


def version_in(project: Project, folder: Path) -> str:
    """Return the name of the version that a folder says it holds.

    Raises
    ------
    NotFound
        ``no-version``: it says none, or one that is not in the registry.
    """
    digest = runs_files.folder_digest(folder)
    if digest is None:
        raise NotFound(
            "no-version", f"{folder} holds no dataset version", hint="dvc pull; or: lineage build"
        )
    return str(manifest_of(project, digest)["name"])


def record_metrics(project: Project, run: str, values: Mapping[str, float]) -> Document:
    """Put on record what came of a run; once.

    Raises
    ------
    NotFound
        ``no-run``.
    Refused
        ``metrics-exist``: there are others.
    """
    pinned = get(project, run)
    known = pinned["metrics"]
    if known is not None and known != dict(values):
        raise Refused(
            "metrics-exist",
            f"the metrics of {run} are on record, and are others: {json.dumps(known)[:200]}",
            hint="pin the next training under a name of its own",
        )
    if known is None:
        content = dataset.pretty({"run": run, "pin": pinned["pin"], "metrics": dict(values)})
        project.ledger.register(f"{run}.metrics", content, folder=project.ledger.run_registry)
    return get(project, run)


def pin_digest(document: Document) -> str:
    """Return the digest of a pin over everything that it says, ``pin`` and ``metrics`` left out."""
    said = {name: value for name, value in document.items() if name not in ("pin", "metrics")}
    return digest_of(_DOMAIN, canonical_json(said))


def refuse_differences(folder: Path, manifest: Document) -> None:
    """Refuse files that are not a version's.

    Raises
    ------
    Refused
        ``pin-differs``: names the first file, with what was expected and found.
    """
    found = runs_files.differences(folder, manifest)
    if found:
        first, more = found[0], len(found) - 1
        raise Refused(
            "pin-differs",
            f"these are not the files of version {manifest['name']}: {first.where}: expected "
            f"{first.expected}, found {first.found}" + (f"; and {more} more" if more else ""),
            hint=first.cure,
            where=str(folder),
        )


def disagreements(project: Project, run: str, document: Document) -> Iterator[Finding]:
    """Yield where a pin disagrees with itself, with the registry of versions, and with the log.

    Parameters
    ----------
    project
        A project, opened or only located; without a store, the log is not asked.
    run, document
        A pin, and the name under which it lies.
    """
    where = f"ledger/runs/{run}.json"
    back = f"git log -- {where}; git checkout COMMIT -- {where}"
    own = pin_digest(document)
    if own != document.get("pin"):
        yield Finding("run-document", where, None, str(document.get("pin")), own, back)
    if document.get("run") != run:
        yield Finding("run-document", where, None, f"run {run}", f"run {document.get('run')}", back)
    name = str(document.get("version"))
    manifest = project.ledger.versions().get(name)
    if manifest is None:
        cure = f"git log -- ledger/versions/{name}.json"
        yield Finding("run-version", where, None, f"version {name}", "no such version", cure)
        return
    for key in ("digest", "seq", "log_root", "n_annotations", "n_assets"):
        if manifest[key] != document.get(key):
            told = (f"{key} {document.get(key)}", f"version {name} has {key} {manifest[key]}")
            yield Finding("run-version", where, None, *told, "lineage audit --deep")
    yield from _off_the_log(project, document, where)


def _off_the_log(project: Project, document: Document, where: str) -> Iterator[Finding]:
    if not project.store.exists():
        return
    with project.store.reading() as connection:
        roots = read.roots(connection)
    checkpoint = cast(Mapping[str, object], document.get("checkpoint") or {})
    told = {document.get("seq"): document.get("log_root")}
    told[checkpoint.get("size")] = checkpoint.get("root")
    for size, root in told.items():
        if size is None or root is None:
            continue
        found = roots.get(cast(int, size))
        if found != root:
            cure = "git pull; dvc pull" if found is None else "lineage audit"
            there = "the log is not that long" if found is None else found
            said = f"the log had root {root} after {size} activities"
            yield Finding("run-log", where, None, said, there, cure)


def _known(project: Project, run: str) -> Document | None:
    path = project.ledger.run_registry / f"{run}.json"
    if not is_safe_name(run) or not path.is_file():
        return None
    try:
        document = json.loads(path.read_bytes())
    except ValueError as exc:
        raise _unreadable(path, str(exc)) from exc
    lacking = sorted(_FIELDS - document.keys()) if isinstance(document, dict) else sorted(_FIELDS)
    if lacking:
        raise _unreadable(path, f"it lacks {', '.join(lacking)}")
    return cast(Document, document)


def _unreadable(path: Path, told: str) -> BadInput:
    return BadInput(
        "run-unreadable",
        f"no pin of a run: {told}",
        hint=f"bring it back with: git checkout -- {path.parent.name}/{path.name}",
        where=str(path),
    )


def _document(
    project: Project, manifest: Document, wanted: Document, folder: Path | None
) -> dict[str, object]:
    checkpoint = project.ledger.checkpoint()
    size = None if checkpoint is None else {"size": checkpoint.size, "root": checkpoint.root}
    document: dict[str, object] = {
        **wanted,
        "version": manifest["name"],
        **{name: manifest[name] for name in ("seq", "log_root", "n_annotations", "n_assets")},
        "checkpoint": size,
        "data": None if folder is None else _data(project, folder, manifest),
        "at": project.clock().astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "git_commit": _commit(project.root),
        "writer": {"lineage": __version__, **writer_fingerprint()},
    }
    return {**document, "pin": pin_digest(document)}


def _data(project: Project, folder: Path, manifest: Document) -> dict[str, object]:
    here, root = folder.resolve(), project.root.resolve()
    # a folder elsewhere belongs to one machine: its path says nothing to others
    path = here.relative_to(root).as_posix() if here.is_relative_to(root) else here.name
    files = cast(Sequence[Document], manifest["files"])
    return {"path": path, "files": [{n: f[n] for n in ("path", "sha256")} for f in files]}


def _refuse_other(known: Document, wanted: Document) -> None:
    for name, value in wanted.items():
        if known.get(name) != value:
            raise Refused(
                "run-exists",
                f"the run {known['run']} is pinned to another {name}: {known.get(name)}, asked for "
                f"{value}; a pin is never moved",
                hint="give this run a name of its own",
            )


def _pseudonym(project: Project) -> str | None:
    """Return whoever runs the command, where the record knows them: names never go into Git."""
    with project.store.reading() as connection:
        people = read.annotators(connection)
    return next((p.pseudonym for p in people if project.agent in (p.handle, p.name)), None)


def _commit(root: Path) -> str | None:
    if not any((folder / ".git").exists() for folder in (root, *root.parents)):
        return None
    return vcs.head_commit(root)


def _enter(project: Project, document: Document) -> None:
    with project.store.exclusive(), project.store.writing() as connection:
        if document["version"] in registries.version_names(connection):
            registries.enter_run(connection, document)


def _with_metrics(project: Project, document: Document) -> Document:
    path = project.ledger.run_registry / f"{document['run']}.metrics"
    values = json.loads(path.read_bytes())["metrics"] if path.is_file() else None
    return {**document, "metrics": values}
