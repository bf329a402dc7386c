"""The history of labels that were kept in Git: a file or folder, commit by commit.

The main line is walked (first parents): a state that never was on it is no
state of the labels. Where the path was moved it is followed back to where it
stood before, as `git log --follow` does for one file, for whole folders too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast

from lineage.errors import BadInput, NotFound

if TYPE_CHECKING:
    from git import Blob, Diff, Repo, Submodule, Tree
    from git import Commit as GitCommit

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_REGULAR = 0o100000
_FORMAT_BITS = 0o170000


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit that touched the labels.

    Parameters
    ----------
    sha
        Its full id.
    author
        Mail address of the author, or the name where there is none.
    at
        The author's time, aware, in the author's own zone.
    subject
        First line of the message.
    path
        Where the labels stood in it, with slashes.
    """

    sha: str
    author: str
    at: datetime
    subject: str
    path: str


class History:
    """The commits of one path, and its files as each of them has it; made by `history_of`."""

    def __init__(self, repo: Repo, commits: Sequence[tuple[Commit, Tree | Blob]]) -> None:
        self.commits = tuple(commit for commit, _ in commits)
        self._objects = {commit.sha: found for commit, found in commits}
        self._repo = repo
        self._written: dict[str, str] = {}

    def write(self, commit: Commit, folder: Path) -> tuple[Path, int]:
        """Put the labels into ``folder`` as they stand in a commit.

        Parameters
        ----------
        commit
            One of `commits`.
        folder
            The same directory at every call, changed by nobody else: only what differs from the
            commit written before is touched.

        Returns
        -------
        tuple of Path and int
            The file or folder, and how many links and submodules were passed over.

        Raises
        ------
        BadInput
            ``git-lfs``: a file is a pointer to a large file that is not here.
        """
        found = self._objects[commit.sha]
        if found.type == "blob":
            wanted = {found.name: found}
            place, n_passed = folder / found.name, 0
        else:
            entries = cast("Iterator[Tree | Blob | Submodule]", found.traverse())
            files = [entry for entry in entries if entry.type != "tree"]
            regular = [f for f in files if f.type == "blob" and _is_regular(f.mode)]
            root = PurePosixPath(found.path)
            wanted = {PurePosixPath(f.path).relative_to(root).as_posix(): f for f in regular}
            place, n_passed = folder, len(files) - len(regular)
        for name in self._written.keys() - wanted.keys():
            (folder / name).unlink()
            del self._written[name]
        for name, blob in wanted.items():
            if self._written.get(name) != blob.hexsha:
                self._put(folder / name, blob, commit)
                self._written[name] = blob.hexsha
        return place, n_passed

    def _put(self, target: Path, blob: Blob, commit: Commit) -> None:
        content: bytes = blob.data_stream.read()
        if content.startswith(_LFS_POINTER):
            raise BadInput(
                "git-lfs",
                f"{blob.path} in {commit.sha[:10]} is a pointer to a large file that is not here",
                hint="git lfs fetch --all in that repository, then git lfs migrate export",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


@contextmanager
def history_of(path: Path, revision: str = "HEAD") -> Iterator[History]:
    """Open the history of a file or folder in whatever repository it lies in.

    Parameters
    ----------
    path
        In a work tree; it need not exist there, only in ``revision``.
    revision
        The newest state to walk back from.

    Raises
    ------
    NotFound
        ``git-revision``: no repository, or none that knows the revision; ``git-file``: the revision
        has no such path.
    """
    from git import BadName, InvalidGitRepositoryError, NoSuchPathError, Repo

    start = next(folder for folder in (path, *path.parents) if folder.is_dir())
    try:
        repo = Repo(start, search_parent_directories=True)
    except (InvalidGitRepositoryError, NoSuchPathError) as exc:
        raise NotFound("git-revision", f"{path} is in no Git repository", hint="git clone") from exc
    with repo:
        top = Path(str(repo.working_tree_dir)).resolve()
        relative = path.resolve().relative_to(top).as_posix()
        try:
            newest = repo.commit(revision)
        except (BadName, ValueError, IndexError) as exc:
            raise NotFound(
                "git-revision", f"Git knows no revision {revision!r}", hint="git log --oneline"
            ) from exc
        if _found(newest, relative) is None:
            raise NotFound("git-file", f"{revision} has no {relative}", hint="check the path")
        yield History(repo, _walk(newest, relative))


def _walk(newest: GitCommit, path: str) -> list[tuple[Commit, Tree | Blob]]:
    """Return the commits that changed or moved ``path``, oldest first, with what stood there."""
    commits: list[tuple[Commit, Tree | Blob]] = []
    at: GitCommit | None = newest
    found = _found(newest, path)
    while at is not None and found is not None:
        parent = at.parents[0] if at.parents else None
        before = None if parent is None else _found(parent, path)
        came_from = path
        if parent is not None and before is None:
            came_from = _moved_from(parent, at, path) or path
            before = _found(parent, came_from)
        if before is None or before.hexsha != found.hexsha or came_from != path:
            commits.append((_commit(at, path), found))
        at, path, found = parent, came_from, before
    return commits[::-1]


def _found(commit: GitCommit, path: str) -> Tree | Blob | None:
    if path == ".":
        return commit.tree
    try:
        found = commit.tree / path
    except KeyError:
        return None
    return found if found.type in ("tree", "blob") else None


def _moved_from(parent: GitCommit, commit: GitCommit, path: str) -> str | None:
    """Return where most of what stands at ``path`` was in the parent; None if it is new."""
    target = PurePosixPath(path)
    origins: Counter[str] = Counter()
    for change in parent.diff(commit, M=True):
        origin = _origin(change, target)
        if origin is not None:
            origins[origin] += 1
    return origins.most_common(1)[0][0] if origins else None


def _origin(change: Diff, target: PurePosixPath) -> str | None:
    if not change.renamed_file or change.a_path is None or change.b_path is None:
        return None
    old, new = PurePosixPath(change.a_path), PurePosixPath(change.b_path)
    if new == target:
        return old.as_posix()
    if target not in new.parents:
        return None
    below = new.relative_to(target).parts
    # a file that was moved into the folder from elsewhere does not say where the folder was
    if old.parts[-len(below) :] != below:
        return None
    return PurePosixPath(*old.parts[: -len(below)]).as_posix()


def _commit(found: GitCommit, path: str) -> Commit:
    author = str(found.author.email or found.author.name or "unknown")
    return Commit(
        sha=found.hexsha,
        author=author,
        at=found.authored_datetime,
        subject=str(found.message).strip().partition("\n")[0],
        path=path,
    )


def _is_regular(mode: int) -> bool:
    return mode & _FORMAT_BITS == _REGULAR
