"""What Git's history saw of one small file: its content in every commit that changed it, on every ref.

A checkpoint that is in a commit is out of the hands of whoever writes the ledger:
each clone has it. Branches, remote branches and tags are read, merges included,
with two questions to Git however many commits there are.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lineage import vcs
from lineage.errors import NotFound, StoreFault
from lineage.vcs import objects

if TYPE_CHECKING:
    from git import Repo

_COMMIT_AND_TIME = "--format=%H %ct"


@dataclass(frozen=True, slots=True)
class Witness:
    """The file as one commit has it.

    Parameters
    ----------
    commit
        Its full id.
    is_ancestor
        Whether the work tree's history holds it; a commit of another ref may have gone its own way.
    at
        When it was committed, by the committer's clock.
    content
        The file's bytes.
    """

    commit: str
    is_ancestor: bool
    at: datetime
    content: bytes


@dataclass(frozen=True, slots=True)
class Witnesses:
    """All that Git can say of a file.

    Parameters
    ----------
    seen
        Every commit that changed it, oldest first; commits that took it away are none.
    committed
        Its bytes in the commit that is checked out, None where they are not there.
    is_shallow
        The clone holds only the newest part of the history.
    n_lost
        Commits that have the file, and whose bytes of it are gone from the repository.
    """

    seen: tuple[Witness, ...]
    committed: bytes | None
    is_shallow: bool
    n_lost: int


def witnesses_of(root: Path, relative: str) -> Witnesses | None:
    """Return what Git's history says of a file, None outside a repository and before the first commit.

    Parameters
    ----------
    root
        The project.
    relative
        Path below ``root``, with slashes.

    Raises
    ------
    StoreFault
        ``git-unreadable``: Git cannot walk its own history.

    Notes
    -----
    Replacement objects and grafts, with which a clone can show other commits than it has, are not followed.
    History is not simplified: a merge that chose one side does not hide what the other side said.
    """
    from git import GitCommandError, Repo

    try:
        if vcs.head_commit(root) is None:
            return None
        return _walked(Repo(root, search_parent_directories=True), root, relative)
    except (GitCommandError, ValueError) as exc:
        raise StoreFault(
            "git-unreadable",
            f"Git cannot read its history: {str(exc).strip()[-200:]}",
            hint="git fsck --full; then fetch what is missing from another clone",
        ) from exc


def _walked(opened: Repo, root: Path, relative: str) -> Witnesses:
    with opened as repo:
        repo.git.update_environment(GIT_NO_REPLACE_OBJECTS="1", GIT_GRAFT_FILE=os.devnull)
        top = Path(str(repo.working_tree_dir)).resolve()
        path = (root.resolve().relative_to(top) / relative).as_posix()
        # from the top, whatever the directory: a path behind "--" is taken from the current one
        only = ("--", f":(top,literal){path}")
        mine = set(repo.git.log("HEAD", "--full-history", "--format=%H", *only).split())
        listed = repo.git.log("--all", "HEAD", "--full-history", _COMMIT_AND_TIME, *only)
        found, n_lost = [], 0
        for line in reversed(listed.splitlines()):
            commit, at = line.split()
            content = _content(repo, commit, path)
            if content is not None:
                moment = datetime.fromtimestamp(int(at), UTC)
                found.append(Witness(commit, commit in mine, moment, content))
            elif repo.git.ls_tree(commit, *only):
                n_lost += 1
        is_shallow = repo.git.rev_parse("--is-shallow-repository") == "true"
        return Witnesses(tuple(found), _content(repo, "HEAD", path), is_shallow, n_lost)


def _content(repo: Repo, revision: str, path: str) -> bytes | None:
    try:
        content: bytes = repo.git.get_object_data(f"{revision}:{path}")[3]
    except ValueError:
        return None
    return content


def tracked_at(root: Path, commit: str, folder: str) -> dict[str, str]:
    """Return the MD5 that DVC had on record for every file of a folder when a commit was made.

    Parameters
    ----------
    root
        The project.
    commit
        Its id.
    folder
        An out of the pipeline, below ``root``, with slashes.

    Returns
    -------
    dict of str to str
        By path below the folder; empty where the commit's lock file does not name the folder, or the
        cache lacks the listing.
    """
    from dvc.utils.serialize import parse_yaml

    try:
        lock = parse_yaml(vcs.file_at(root, commit, "dvc.lock").decode(), "dvc.lock")
    except NotFound:
        return {}
    stages = (lock.get("stages") or {}).values()
    outs = [out for stage in stages for out in stage.get("outs") or []]
    listed = [str(out.get("md5")) for out in outs if out.get("path") == folder]
    return dict(objects.entries(root, listed[0])) if listed else {}
