"""Git and DVC, and nothing else knows them. The commits of a label file: `history`.

Questions to Git go through GitPython; DVC is asked through its command, whose
interface it keeps stable, and through its own files, whose form is documented.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from lineage.errors import NotFound, StoreFault

if TYPE_CHECKING:
    from git import Repo

_DIR = ".dir"


def is_git(root: Path) -> bool:
    """Tell whether ``root`` lies in a Git work tree."""
    from git import InvalidGitRepositoryError, NoSuchPathError, Repo

    try:
        Repo(root, search_parent_directories=True).close()
    except (InvalidGitRepositoryError, NoSuchPathError):
        return False
    return True


def init_git(root: Path) -> None:
    """Make ``root`` a Git repository."""
    from git import Repo

    Repo.init(root, initial_branch="main").close()


def head_commit(root: Path) -> str | None:
    """Return the commit that is checked out, None without one."""
    if not is_git(root):
        return None
    with _repo(root) as repo:
        return repo.head.commit.hexsha if repo.head.is_valid() else None


def committer(root: Path) -> str | None:
    """Return the mail address, or else the name, that Git would commit with."""
    from git import GitConfigParser, config

    if is_git(root):
        with _repo(root) as repo:
            reader = repo.config_reader()
    else:
        reader = GitConfigParser([config.get_config_path("global")], read_only=True)
    for option in ("email", "name"):
        found = str(reader.get_value("user", option, default=""))
        if found:
            return found
    return None


def file_at(root: Path, revision: str, relative: str) -> bytes:
    """Return a file's bytes as a revision has them.

    Parameters
    ----------
    root
        The project.
    revision
        Anything Git resolves to a commit.
    relative
        Path below ``root``, with slashes.

    Raises
    ------
    NotFound
        ``git-revision``: no such revision; ``git-file``: the revision has no such file.
    """
    from git import BadName

    if not is_git(root):
        raise NotFound("git-revision", f"{root} is in no Git repository", hint="git init")
    with _repo(root) as repo:
        try:
            tree = repo.commit(revision).tree
        except (BadName, ValueError, IndexError) as exc:
            raise NotFound(
                "git-revision", f"Git knows no revision {revision!r}", hint="git log --oneline"
            ) from exc
        prefix = root.resolve().relative_to(Path(str(repo.working_tree_dir)).resolve())
        try:
            content: bytes = (tree / (prefix / relative).as_posix()).data_stream.read()
        except KeyError as exc:
            raise NotFound("git-file", f"{revision} has no file {relative}") from exc
        return content


def files_at_head(root: Path, folder: str) -> dict[str, bytes]:
    """Return the files that the commit which is checked out has right in a folder, by path below ``root``."""
    if head_commit(root) is None:
        return {}
    with _repo(root) as repo:
        tree = repo.head.commit.tree
        prefix = root.resolve().relative_to(Path(str(repo.working_tree_dir)).resolve())
        try:
            found = tree / (prefix / folder).as_posix()
        except KeyError:
            return {}
        return {f"{folder}/{blob.name}": blob.data_stream.read() for blob in found.blobs}


def last_commit_of(root: Path, relative: str) -> str | None:
    """Return the newest commit that touched a file, None where none did."""
    if not is_git(root):
        return None
    with _repo(root) as repo:
        if not repo.head.is_valid():
            return None
        path = root.resolve().relative_to(Path(str(repo.working_tree_dir)).resolve()) / relative
        return next((c.hexsha for c in repo.iter_commits(paths=path.as_posix(), max_count=1)), None)


def tracked_out(root: Path, relative: str) -> Mapping[str, object] | None:
    """Return what DVC has on record of an output: path, hash, size, number of files."""
    for base, out in _outs(root):
        if (base / str(out["path"])).resolve() == (root / relative).resolve():
            return {name: out[name] for name in ("path", "md5", "size", "nfiles") if name in out}
    return None


def init_dvc(root: Path) -> None:
    """Set DVC up in ``root``: analytics off, and every remote verified on pull.

    Raises
    ------
    StoreFault
        ``dvc``: the command failed.
    """
    if not (root / ".dvc").is_dir():
        top = is_git(root) and _is_top(root)
        _dvc(
            root,
            ["init", "--quiet", *([] if top else ["--subdir" if is_git(root) else "--no-scm"])],
        )
    _dvc(root, ["config", "core.analytics", "false"])
    _dvc(root, ["config", "core.check_update", "false"])
    verify_remotes(root)


def verify_remotes(root: Path) -> list[str]:
    """Make DVC hash what it pulls from every remote; by itself it trusts them. Return their names."""
    listed = _dvc(root, ["config", "--list"]).splitlines()
    names = sorted({line.split(".")[1] for line in listed if line.startswith("remote.")})
    for name in names:
        _dvc(root, ["config", f"remote.{name}.verify", "true"])
    return names


def tracked_digests(root: Path, folder: Path) -> dict[str, tuple[str, int]]:
    """Return what DVC's own tracking says of the files below a folder.

    Parameters
    ----------
    root
        The project.
    folder
        A directory in it.

    Returns
    -------
    dict of str to (str, int)
        Per path below ``folder``, with slashes: ``md5:<hex>`` and the size in bytes.

    Notes
    -----
    Read from ``.dvc`` files and ``dvc.lock`` and, for directories, from the listing in DVC's cache.
    A file whose size on disk is not the one that its cache object has is left out: it changed since.
    """
    found: dict[str, tuple[str, int]] = {}
    cache = root / ".dvc" / "cache" / "files" / "md5"
    for base, out in _outs(root):
        path = (base / str(out["path"])).resolve()
        digest = str(out.get("md5", ""))
        if not digest or not (
            path.is_relative_to(folder.resolve()) or folder.resolve().is_relative_to(path)
        ):
            continue
        entries: list[tuple[Path, str]] = [(path, digest)]
        if digest.endswith(_DIR):
            listing = _cached(cache, digest)
            entries = [(path / str(e["relpath"]), str(e["md5"])) for e in _listing(listing)]
        for file, md5 in entries:
            if file.is_relative_to(folder.resolve()) and _is_unchanged(file, _cached(cache, md5)):
                found[file.relative_to(folder.resolve()).as_posix()] = (
                    f"md5:{md5}",
                    file.stat().st_size,
                )
    return found


def _repo(root: Path) -> Repo:
    from git import Repo

    return Repo(root, search_parent_directories=True)


def _is_top(root: Path) -> bool:
    with _repo(root) as repo:
        return Path(str(repo.working_tree_dir)).resolve() == root.resolve()


def _dvc(root: Path, words: Sequence[str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *words],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StoreFault(
            "dvc", f"dvc {' '.join(words)} failed: {done.stderr.strip()[-400:]}", hint="dvc doctor"
        )
    return done.stdout


def _outs(root: Path) -> Iterator[tuple[Path, Mapping[str, object]]]:
    from dvc.utils.serialize import load_yaml

    for path in [*root.glob("*.dvc"), *root.glob("*/**/*.dvc"), root / "dvc.lock"]:
        if not path.is_file() or ".dvc" in path.relative_to(root).parts:
            continue
        document = load_yaml(str(path)) or {}
        stages = [document, *(document.get("stages") or {}).values()]
        for stage in stages:
            for out in stage.get("outs") or []:
                yield path.parent, cast(Mapping[str, object], out)


def _cached(cache: Path, md5: str) -> Path:
    return cache / md5[:2] / md5[2:]


def _listing(path: Path) -> list[Mapping[str, object]]:
    return json.loads(path.read_text("utf-8")) if path.is_file() else []


def _is_unchanged(file: Path, cached: Path) -> bool:
    return file.is_file() and cached.is_file() and file.stat().st_size == cached.stat().st_size
